//! A worker that has slots and runs nothing: it does what the protocol asks for and says of its tasks that they run until they
//! are told to end.
//!
//! The test's own binary is its program: started with [`WorkerProgram::arguments`] it calls [`run`].

use std::collections::HashMap;
use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use millstream_graph::{AllocationId, WorkerId};
use millstream_planner::resolved::build;
use millstream_protocol::link::WorkerLink;
use millstream_protocol::message::{
    Allocation, Deployment, FromWorker, Heartbeat, Registration, SlotReport, TaskId, TaskMetrics, TaskReport,
    TaskState, ToWorker,
};
use rustix::process::{Pid, getppid};
use tokio::time::Instant;

/// The first argument of a fake worker.
pub const WORD: &str = "fake-worker";
/// How long it goes on without a jobmaster.
const ALONE: Duration = Duration::from_secs(10);
/// The wait between two tries to connect.
const RETRY: Duration = Duration::from_millis(50);
/// How often it says that it is there, and sees whether the test is.
const INTERVAL: Duration = Duration::from_millis(100);

/// What is run as a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerProgram {
    /// Where the jobmaster takes workers.
    pub jobmaster: SocketAddr,
    /// How many slots it has.
    pub slots: u32,
    /// Whether it does what it should.
    pub conduct: Conduct,
}

/// What a worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conduct {
    /// All that it should.
    Good,
    /// If its name ends in `-0` it never registers; otherwise all that it should.
    FirstIsMute,
    /// It says why, and exits.
    ExitsAtOnce,
}

impl Conduct {
    const ALL: [Self; 3] = [Self::Good, Self::FirstIsMute, Self::ExitsAtOnce];

    fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::FirstIsMute => "first-is-mute",
            Self::ExitsAtOnce => "exits-at-once",
        }
    }
}

impl WorkerProgram {
    /// Its arguments; `--worker-id NAME` is to be added.
    pub fn arguments(&self) -> Vec<String> {
        let Self { jobmaster, slots, conduct } = self;
        vec![WORD.to_owned(), jobmaster.to_string(), slots.to_string(), conduct.word().to_owned()]
    }

    fn parse(arguments: &[String]) -> Option<(Self, WorkerId)> {
        let [word, jobmaster, slots, conduct, option, name] = arguments else { return None };
        let conduct = Conduct::ALL.into_iter().find(|known| known.word() == conduct)?;
        let program = Self { jobmaster: jobmaster.parse().ok()?, slots: slots.parse().ok()?, conduct };
        (word == WORD && option == "--worker-id").then(|| (program, WorkerId::new(name.as_str())))
    }
}

/// Is a worker until it is told to leave, or nobody needs it any more.
pub async fn run(arguments: &[String]) -> ExitCode {
    let Some((program, name)) = WorkerProgram::parse(arguments) else {
        return fail(&format!("these are not the arguments of a fake worker: {arguments:?}"));
    };
    let of = getppid();
    match program.conduct {
        Conduct::ExitsAtOnce => fail("there is no room"),
        Conduct::FirstIsMute if name.as_str().ends_with("-0") => {
            let mut ticks = tokio::time::interval(INTERVAL);
            while getppid() == of {
                ticks.tick().await;
            }
            ExitCode::SUCCESS
        }
        Conduct::FirstIsMute | Conduct::Good => serve(program, &name, of).await,
    }
}

fn fail(why: &str) -> ExitCode {
    // Without a stderr nobody wants to know.
    let _ = writeln!(std::io::stderr(), "{why}");
    ExitCode::from(3)
}

/// How a connection ended.
enum End {
    Leave,
    Refused(String),
    Lost,
}

/// Serves one jobmaster after the other.
async fn serve(program: WorkerProgram, name: &WorkerId, of: Option<Pid>) -> ExitCode {
    let mut since = Instant::now();
    while getppid() == of && since.elapsed() < ALONE {
        if let Ok(link) = millstream_protocol::connect(&program.jobmaster.to_string(), ALONE).await {
            let slots = (0..program.slots).map(|_| None).collect();
            match (Session { link, slots, tasks: HashMap::new() }).run(name, of).await {
                End::Leave => return ExitCode::SUCCESS,
                End::Refused(why) => return fail(&why),
                End::Lost => since = Instant::now(),
            }
        }
        tokio::time::sleep(RETRY).await;
    }
    ExitCode::SUCCESS
}

/// A connection to a jobmaster.
struct Session {
    link: WorkerLink,
    /// The stay in each slot.
    slots: Vec<Option<Allocation>>,
    tasks: HashMap<TaskId, AllocationId>,
}

impl Session {
    async fn run(mut self, name: &WorkerId, of: Option<Pid>) -> End {
        self.register(name).await;
        let mut ticks = tokio::time::interval(INTERVAL);
        loop {
            tokio::select! {
                message = self.link.receiver.recv() => match message {
                    None => return End::Lost,
                    Some(ToWorker::Leave(_)) => return End::Leave,
                    Some(ToWorker::Refused(why)) => return End::Refused(why),
                    Some(message) => self.hear(message).await,
                },
                _ = ticks.tick() => {
                    if getppid() != of {
                        return End::Leave;
                    }
                    self.say_alive().await;
                }
            }
        }
    }

    async fn hear(&mut self, message: ToWorker) {
        match message {
            ToWorker::RequestSlot(wanted) => self.give(wanted).await,
            ToWorker::FreeSlot(freed) => self.take_back(freed).await,
            ToWorker::Deploy(deployment) => self.deploy(deployment).await,
            ToWorker::Cancel(tasks) => {
                for task in tasks {
                    self.end(task, TaskState::Canceled).await;
                }
            }
            ToWorker::StopSources(job) => {
                let of_job: Vec<TaskId> = self.tasks.keys().filter(|task| task.job == job).copied().collect();
                for task in of_job {
                    self.end(task, TaskState::Finished { waits_for_clock: false }).await;
                }
            }
            ToWorker::Registered(_)
            | ToWorker::Alive
            | ToWorker::Split { .. }
            | ToWorker::Leave(_)
            | ToWorker::Refused(_) => {}
        }
    }

    async fn give(&mut self, wanted: Allocation) {
        match self.slots.get_mut(wanted.slot as usize) {
            Some(slot @ None) => {
                *slot = Some(wanted);
                self.say(FromWorker::OfferSlot(wanted)).await;
            }
            Some(Some(held)) if *held == wanted => self.say(FromWorker::OfferSlot(wanted)).await,
            Some(Some(_)) | None => self.say_alive().await,
        }
    }

    async fn take_back(&mut self, freed: Allocation) {
        if let Some(slot) = self.slots.get_mut(freed.slot as usize)
            && slot.is_some_and(|held| held.id == freed.id)
        {
            *slot = None;
            let inside = self.tasks.iter().filter(|(_, stay)| **stay == freed.id);
            for task in inside.map(|(task, _)| *task).collect::<Vec<_>>() {
                self.end(task, TaskState::Canceled).await;
            }
        }
        self.say_alive().await;
    }

    async fn deploy(&mut self, deployment: Deployment) {
        for task in deployment.tasks {
            let id = TaskId { job: deployment.job, attempt: task.attempt };
            self.tasks.insert(id, task.allocation);
            self.report(id, TaskState::Initializing).await;
            self.report(id, TaskState::Running).await;
        }
    }

    async fn end(&mut self, task: TaskId, state: TaskState) {
        if self.tasks.remove(&task).is_some() {
            self.report(task, state).await;
        }
    }

    async fn report(&self, task: TaskId, state: TaskState) {
        self.say(FromWorker::Task(TaskReport { task, state, metrics: TaskMetrics::default() })).await;
    }

    async fn register(&self, name: &WorkerId) {
        self.say(FromWorker::Register(Registration {
            worker: name.clone(),
            build: build().to_owned(),
            exchange: String::new(),
            slots: self.reports(),
            slot_memory: 0,
            process: std::process::id(),
            host: "localhost".to_owned(),
        }))
        .await;
    }

    async fn say_alive(&self) {
        let heartbeat = Heartbeat { slots: self.reports(), tasks: Vec::new(), resident_bytes: 0 };
        self.say(FromWorker::Heartbeat(heartbeat)).await;
    }

    fn reports(&self) -> Vec<SlotReport> {
        let held = |stay: &Option<Allocation>| stay.map(|stay| (stay.job.job, stay.id));
        (0..).zip(&self.slots).map(|(slot, stay)| SlotReport { slot, held: held(stay) }).collect()
    }

    /// When the jobmaster is gone the loop hears of it.
    async fn say(&self, message: FromWorker) {
        let _ = self.link.sender.send(message).await;
    }
}
