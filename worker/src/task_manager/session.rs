//! One connection to a jobmaster: its loop, and the slots and tasks that exist as long as it does.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use millstream_protocol::link::WorkerLink;
use millstream_protocol::message::{
    Allocation, Committables, Deployment, FromWorker, Heartbeat, Heartbeats, JobRef, Registration, SlotReport,
    TaskFailure, TaskId, TaskMetrics, TaskReport, TaskState, TaskToDeploy, ToWorker,
};
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Interval, MissedTickBehavior};

use super::Settings;
use super::commits::TaskCommits;
use super::deploy::{self, MadeTask, Surroundings};
use super::job::{JobHere, Planner};
use super::splits::OpenRequests;
use super::tasks::{HeldTask, Shared, failure, last_state};
use crate::io::Io;
use crate::memory::SlotMemory;
use crate::slot::{Command, Outcome, SlotTask, SlotThread, TaskEvent, TaskNews, caught};

/// News of tasks that may wait for the loop. Slots wait when there are more.
const NEWS_WAITING_MAX: usize = 1024;
/// The most that a message hands over of what a sink has finished, since a message has a longest size and a sink of many
/// partitions finishes very many files.
const COMMITTABLES_PER_MESSAGE: usize = 10_000;
/// Before the jobmaster has said how often both sides are to speak.
const FIRST_HEARTBEATS: Heartbeats = Heartbeats { interval: Duration::from_secs(1), timeout: Duration::from_secs(10) };

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEnd {
    /// The worker is not needed any more; the reason is the jobmaster's.
    Leave(String),
    /// The jobmaster does not want this worker, and why.
    Refused(String),
    /// The jobmaster is gone.
    Lost {
        /// Whether it had taken this worker.
        was_registered: bool,
        /// How that was noticed.
        why: &'static str,
    },
}

/// A slot as this worker sees it.
#[derive(Debug)]
enum SlotState {
    Free,
    /// A job has it. The thread is there once there was a task.
    Held {
        allocation: Allocation,
        memory: Arc<SlotMemory>,
        thread: Option<SlotThread>,
    },
}

/// The plan of a job of which this worker has slots, made by whichever deployment comes first.
type JobCell = OnceLock<Result<JobHere, String>>;

/// The answer of whoever makes the tasks of a deployment.
#[derive(Debug)]
struct Made {
    tasks: Vec<TaskToDeploy>,
    job: JobRef,
    made: Result<Vec<MadeTask>, TaskFailure>,
}

pub(super) struct Session {
    settings: Settings,
    io: Handle,
    link: WorkerLink,
    around: Surroundings,
    slots: Vec<SlotState>,
    jobs: HashMap<JobRef, Arc<JobCell>>,
    tasks: HashMap<TaskId, HeldTask>,
    events: (mpsc::Sender<TaskEvent>, mpsc::Receiver<TaskEvent>),
    made: (mpsc::Sender<Made>, mpsc::Receiver<Made>),
    commits_arrived: Arc<Notify>,
    heartbeats: Heartbeats,
    /// Ticks in which the jobmaster said nothing. Not a time: a process that was held up must not blame the other side.
    silent_ticks: u32,
    registered: bool,
}

impl Session {
    pub(super) fn begin(settings: Settings, io: &Io, link: WorkerLink) -> Self {
        let around = Surroundings {
            worker: settings.worker.clone(),
            clock: Arc::clone(&settings.clock),
            io: io.blocking(),
            exchange: settings.exchange.as_ref().map(|(exchange, _)| exchange.clone()),
            master: link.sender.clone(),
            splits: OpenRequests::default(),
        };
        Self {
            slots: (0..settings.slots).map(|_| SlotState::Free).collect(),
            settings,
            io: io.handle().clone(),
            link,
            around,
            jobs: HashMap::new(),
            tasks: HashMap::new(),
            events: mpsc::channel(NEWS_WAITING_MAX),
            made: mpsc::channel(NEWS_WAITING_MAX),
            commits_arrived: Arc::default(),
            heartbeats: FIRST_HEARTBEATS,
            silent_ticks: 0,
            registered: false,
        }
    }

    pub(super) async fn run(mut self) -> SessionEnd {
        self.register().await;
        let mut ticks = ticks(self.heartbeats.interval);
        let commits = Arc::clone(&self.commits_arrived);
        let end = loop {
            tokio::select! {
                message = self.link.receiver.recv() => match message {
                    None => break self.lost("the connection is closed"),
                    Some(ToWorker::Registered(heartbeats)) => {
                        (self.registered, self.heartbeats, self.silent_ticks) = (true, heartbeats, 0);
                        ticks = self::ticks(heartbeats.interval);
                    }
                    Some(ToWorker::Refused(why)) => break SessionEnd::Refused(why),
                    Some(ToWorker::Leave(why)) => break SessionEnd::Leave(why),
                    Some(message) => self.hear(message).await,
                },
                Some(event) = self.events.1.recv() => self.note(event).await,
                Some(made) = self.made.1.recv() => self.begin_tasks(made).await,
                () = commits.notified() => self.hand_over_commits().await,
                _ = ticks.tick() => {
                    self.silent_ticks += 1;
                    if self.heartbeats.interval.saturating_mul(self.silent_ticks) > self.heartbeats.timeout {
                        break self.lost("it was silent for longer than the heartbeat timeout");
                    }
                    self.say_alive().await;
                }
            }
        };
        self.end_all().await;
        end
    }

    fn lost(&self, why: &'static str) -> SessionEnd {
        SessionEnd::Lost { was_registered: self.registered, why }
    }

    /// Says something. When the jobmaster is gone the loop hears of it.
    async fn say(&self, message: FromWorker) {
        let _ = self.link.sender.send(message).await;
    }

    async fn register(&self) {
        let Settings { worker, build, slot_memory, exchange, .. } = &self.settings;
        self.say(FromWorker::Register(Registration {
            worker: worker.clone(),
            build: build.clone(),
            exchange: exchange.as_ref().map(|(_, address)| address.clone()).unwrap_or_default(),
            slots: self.slot_reports(),
            slot_memory: slot_memory.unwrap_or(0),
            process: std::process::id(),
            host: host_name(),
        }))
        .await;
    }

    fn slot_reports(&self) -> Vec<SlotReport> {
        let report = |(slot, state): (u32, &SlotState)| match state {
            SlotState::Free => SlotReport { slot, held: None },
            SlotState::Held { allocation, .. } => SlotReport { slot, held: Some((allocation.job.job, allocation.id)) },
        };
        (0..).zip(&self.slots).map(report).collect()
    }

    async fn say_alive(&self) {
        let tasks = self.tasks.iter().filter(|(_, task)| !task.metrics.is_empty());
        self.say(FromWorker::Heartbeat(Heartbeat {
            slots: self.slot_reports(),
            tasks: tasks.map(|(id, task)| (*id, task.metrics())).collect(),
            resident_bytes: resident_bytes(),
        }))
        .await;
    }

    async fn hear(&mut self, message: ToWorker) {
        self.silent_ticks = 0;
        match message {
            ToWorker::RequestSlot(allocation) => self.give_slot(allocation).await,
            ToWorker::FreeSlot(allocation) => self.free_slot(allocation).await,
            ToWorker::Deploy(deployment) => self.make_tasks(deployment).await,
            ToWorker::Cancel(tasks) => {
                tasks.iter().filter_map(|task| self.tasks.get(task)).for_each(|task| task.cancel());
            }
            ToWorker::StopSources(job) => self.stop_sources(job),
            ToWorker::Split { request, answer } => self.around.splits.answer(request, answer),
            // The others are the loop's.
            ToWorker::Alive | ToWorker::Registered(_) | ToWorker::Refused(_) | ToWorker::Leave(_) => {}
        }
    }

    /// Gives a slot to a job, if it is free; otherwise says what is true.
    async fn give_slot(&mut self, wanted: Allocation) {
        let Some(slot) = self.slots.get_mut(wanted.slot as usize) else { return self.say_alive().await };
        match slot {
            SlotState::Free => {
                tracing::debug!(slot = wanted.slot, job = %wanted.job.job, "gives a slot to a job");
                let memory = SlotMemory::new(self.settings.slot_memory);
                *slot = SlotState::Held { allocation: wanted, memory, thread: None };
                self.say(FromWorker::OfferSlot(wanted)).await;
            }
            SlotState::Held { allocation, .. } if *allocation == wanted => {
                self.say(FromWorker::OfferSlot(wanted)).await
            }
            SlotState::Held { .. } => self.say_alive().await,
        }
    }

    /// Takes a slot back. What still runs in it is ended; its thread ends with the last of it.
    async fn free_slot(&mut self, freed: Allocation) {
        if let Some(slot) = self.slots.get_mut(freed.slot as usize)
            && matches!(slot, SlotState::Held { allocation, .. } if allocation.id == freed.id)
        {
            *slot = SlotState::Free;
            let inside = self.tasks.values().filter(|task| task.to_deploy.allocation == freed.id);
            inside.for_each(|task| task.cancel());
            let holds = |job: &JobRef| {
                let of =
                    |slot: &SlotState| matches!(slot, SlotState::Held { allocation, .. } if allocation.job == *job);
                self.slots.iter().any(of)
            };
            self.jobs.retain(|job, _| holds(job));
        }
        self.say_alive().await;
    }

    fn stop_sources(&self, job: JobRef) {
        let of_job = self.tasks.iter().filter(|(id, _)| id.job == job);
        of_job.for_each(|(_, task)| task.stop_source());
    }

    /// Takes tasks, and has them made where planning and opening files disturb nobody.
    async fn make_tasks(&mut self, deployment: Deployment) {
        let job = deployment.job;
        let mut all_shared = Vec::new();
        for to_deploy in &deployment.tasks {
            let commits = TaskCommits::new(Arc::clone(&self.commits_arrived));
            let shared = Shared { commits, control: Arc::default() };
            all_shared.push(shared.clone());
            let held = HeldTask {
                to_deploy: *to_deploy,
                command: watch::Sender::new(Command::Run),
                shared,
                metrics: Vec::new(),
                memory: None,
                times: Arc::default(),
            };
            let task = TaskId { job, attempt: to_deploy.attempt };
            self.tasks.insert(task, held);
            self.report(task, TaskState::Initializing, TaskMetrics::default()).await;
        }
        let cell = Arc::clone(self.jobs.entry(job).or_default());
        let (planner, around, answer) = (Arc::clone(&self.settings.planner), self.around.clone(), self.made.0.clone());
        self.io.spawn_blocking(move || {
            let made = caught("the making of a task", || make(&cell, &planner, &deployment, &all_shared, &around));
            let made = made.unwrap_or_else(|panic| Err(failure(&panic)));
            // A session that is over has ended the tasks.
            let _ = answer.blocking_send(Made { tasks: deployment.tasks, job, made });
        });
    }

    /// Runs tasks that were made, or says why they were not.
    async fn begin_tasks(&mut self, Made { tasks, job, made }: Made) {
        match made {
            Ok(made) => {
                for task in made {
                    self.begin_task(TaskId { job, attempt: task.to_deploy.attempt }, task).await;
                }
            }
            Err(failure) => {
                for task in tasks {
                    let id = TaskId { job, attempt: task.attempt };
                    self.end(id, TaskState::Failed(failure.clone())).await;
                }
            }
        }
    }

    async fn begin_task(&mut self, id: TaskId, made: MadeTask) {
        let MadeTask { to_deploy, task, metrics, parallelism, holders } = made;
        let Some(held) = self.tasks.get_mut(&id) else { return };
        held.metrics = metrics;
        let (times, command) = (Arc::clone(&held.times), held.command.subscribe());
        let events = self.events.0.clone();
        let begun = match self.slot_of(to_deploy) {
            Ok((thread, memory)) => {
                let memory = memory.task(to_deploy.attempt.of.subtask, parallelism, holders);
                let uses = memory.shown();
                let begun = thread.run(SlotTask { id, task: task.within(memory), times, command, events }).await;
                begun.map(|()| uses).map_err(|error| failure(&error))
            }
            Err(failure) => Err(failure),
        };
        match begun {
            Ok(uses) => {
                self.tasks.entry(id).and_modify(|held| held.memory = Some(uses));
            }
            Err(failure) => self.end(id, TaskState::Failed(failure)).await,
        }
    }

    /// The thread and the memory of the slot that a task is for.
    fn slot_of(&mut self, of: TaskToDeploy) -> Result<(&SlotThread, &Arc<SlotMemory>), TaskFailure> {
        match self.slots.get_mut(of.slot as usize) {
            Some(SlotState::Held { allocation, memory, thread }) if allocation.id == of.allocation => match thread {
                Some(thread) => Ok((thread, memory)),
                none @ None => match SlotThread::start(of.slot) {
                    Ok(started) => Ok((none.insert(started), memory)),
                    Err(error) => Err(failure(&error)),
                },
            },
            Some(SlotState::Held { .. } | SlotState::Free) | None => Err(TaskFailure {
                why: format!("slot {} of worker {} is not the job's", of.slot, self.settings.worker),
                may_recover: true,
                follows: false,
            }),
        }
    }

    async fn note(&mut self, TaskEvent { task, what }: TaskEvent) {
        match what {
            TaskNews::Running => {
                let metrics = self.tasks.get(&task).map(HeldTask::metrics).unwrap_or_default();
                self.report(task, TaskState::Running, metrics).await;
            }
            TaskNews::Ended(outcome) => self.end(task, last_state(&outcome)).await,
        }
    }

    async fn report(&self, task: TaskId, state: TaskState, metrics: TaskMetrics) {
        self.say(FromWorker::Task(TaskReport { task, state, metrics })).await;
    }

    /// Forgets a task, after everything that it has to say was said.
    async fn end(&mut self, id: TaskId, state: TaskState) {
        let Some(task) = self.tasks.remove(&id) else { return };
        self.hand_over(id, &task.shared.commits).await;
        tracing::debug!(task = %id, ?state, "a task has ended");
        self.report(id, state, task.metrics()).await;
    }

    async fn hand_over_commits(&self) {
        for (id, task) in &self.tasks {
            self.hand_over(*id, &task.shared.commits).await;
        }
    }

    async fn hand_over(&self, task: TaskId, commits: &TaskCommits) {
        for (node, committables) in commits.take() {
            let mut left = committables.into_iter().map(|committable| committable.0).peekable();
            while left.peek().is_some() {
                let committables = left.by_ref().take(COMMITTABLES_PER_MESSAGE).collect();
                self.say(FromWorker::Committables(Committables { task, node, committables })).await;
            }
        }
    }

    /// Ends all tasks and waits until they have ended.
    async fn end_all(mut self) {
        self.slots.clear();
        self.tasks.values().for_each(|task| task.cancel());
        // The jobmaster is not told: what is said after the end of the session is said to nobody.
        drop(self.link);
        while !self.tasks.is_empty() {
            tokio::select! {
                Some(TaskEvent { task, what }) = self.events.1.recv() => match what {
                    TaskNews::Running => {}
                    TaskNews::Ended(Outcome::Finished(_) | Outcome::Cancelled | Outcome::Failed(_)) => {
                        self.tasks.remove(&task);
                    }
                },
                Some(Made { tasks, job, .. }) = self.made.1.recv() => {
                    for task in tasks {
                        self.tasks.remove(&TaskId { job, attempt: task.attempt });
                    }
                }
            }
        }
    }
}

/// Makes the tasks of a deployment; what they do not share with others of the job is in `shared`, one for each.
fn make(
    job: &JobCell,
    planner: &Planner,
    deployment: &Deployment,
    shared: &[Shared],
    around: &Surroundings,
) -> Result<Vec<MadeTask>, TaskFailure> {
    match job.get_or_init(|| JobHere::plan(&deployment.program, deployment.graph, planner)) {
        Ok(here) => deploy::tasks(here, deployment, shared, around).map_err(|error| failure(&error)),
        Err(why) => Err(TaskFailure { why: why.clone(), may_recover: false, follows: false }),
    }
}

fn ticks(interval: Duration) -> Interval {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// The name of this machine.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    name.map_or_else(|_| "localhost".to_owned(), |name| name.trim().to_owned())
}

/// The resident memory of this process, from `/proc/self/statm` (second field, in pages of 4 KiB).
fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}
