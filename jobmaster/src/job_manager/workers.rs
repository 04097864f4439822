//! Workers: their links, registration, heartbeats, and what they say.

use millstream_graph::{AttemptId, JobId, SubtaskId, WorkerId};
use millstream_planner::resolved::build;
use millstream_protocol::link::{Link, MasterLink};
use millstream_protocol::message::{
    Allocation, Committables, FromWorker, Heartbeat, JobRef, Registration, SplitRequest, TaskReport, TaskState,
    ToWorker,
};
use tokio::sync::mpsc;

use super::{JobManager, LinkId, Message, TICK, now_ms};
use crate::execution_graph::AttemptState;
use crate::job_master::{Event, Place};
use crate::resource::{self, driver::DriverEvent};

/// Ticks that a link may take to register.
const REGISTRATION_TICKS: u32 = 20;
/// What a driver may say before it is heard. It waits when there is more.
const DRIVER_EVENTS_MAX: usize = 64;

/// A link and who is at its other end.
#[derive(Debug)]
pub(super) struct LinkState {
    sender: mpsc::Sender<ToWorker>,
    /// Once it has registered.
    worker: Option<WorkerId>,
    /// Ticks in which it said nothing. Not a time: a process that was held up must not blame the other side.
    silent_ticks: u32,
}

/// A registered worker.
#[derive(Debug)]
pub struct Worker {
    link: LinkId,
    sender: mpsc::Sender<ToWorker>,
    /// As it introduced itself.
    pub registration: Registration,
    /// When it was last heard of, in milliseconds since 1970.
    pub heard_ms: i64,
    /// The resident memory of its process.
    pub resident_bytes: u64,
}

impl JobManager {
    /// Takes a link, and listens to it from now on.
    pub(super) fn link(&mut self, Link { sender, mut receiver }: MasterLink) {
        self.links_made += 1;
        let link = self.links_made;
        self.links.insert(link, LinkState { sender, worker: None, silent_ticks: 0 });
        let own = self.own.clone();
        tokio::spawn(async move {
            while let Some(said) = receiver.recv().await {
                let Some(inbox) = own.upgrade() else { return };
                if inbox.send(Message::Said(link, said)).await.is_err() {
                    return;
                }
            }
            if let Some(inbox) = own.upgrade() {
                // A loop that has ended has no links.
                let _ = inbox.send(Message::Unlinked(link)).await;
            }
        });
    }

    /// The link is gone or not wanted any more; its worker, if it has one, is lost.
    pub(super) fn unlink(&mut self, link: LinkId, why: &str) {
        let Some(state) = self.links.remove(&link) else { return };
        if let Some(worker) = state.worker
            && self.workers.get(&worker).is_some_and(|known| known.link == link)
        {
            self.lose_worker(&worker, why);
        }
    }

    pub(super) fn hear_worker(&mut self, link: LinkId, message: FromWorker) {
        let Some(state) = self.links.get_mut(&link) else { return };
        state.silent_ticks = 0;
        let worker = state.worker.clone();
        match (worker, message) {
            (None, FromWorker::Register(registration)) => self.register_worker(link, registration),
            (None, _) => self.refuse(link, "a worker registers before it says anything else".to_owned()),
            (Some(worker), FromWorker::Heartbeat(heartbeat)) => self.hear_heartbeat(&worker, heartbeat),
            (Some(worker), FromWorker::OfferSlot(allocation)) => self.hear_offer(&worker, allocation),
            (Some(worker), FromWorker::Task(report)) => self.hear_task(worker, report),
            (Some(worker), FromWorker::RequestSplit(request)) => self.hear_split_request(&worker, request),
            (Some(_), FromWorker::Committables(written)) => self.hear_committables(written),
            (Some(_), FromWorker::Register(_)) => self.refuse(link, "a worker registers once".to_owned()),
        }
    }

    /// Takes a worker in, or says why not.
    fn register_worker(&mut self, link: LinkId, registration: Registration) {
        if registration.build != build() {
            let why = format!(
                "the worker is of build {} and this jobmaster of build {}; start a worker of the same build",
                registration.build,
                build()
            );
            return self.refuse(link, why);
        }
        if registration.slots.is_empty() {
            return self.refuse(link, "the worker has no slots; start it with --slots 1 or more".to_owned());
        }
        let worker = registration.worker.clone();
        if let Some(before) = self.workers.get(&worker) {
            self.unlink(before.link, "it has registered anew");
        }
        let Some(state) = self.links.get_mut(&link) else { return };
        state.worker = Some(worker.clone());
        let sender = state.sender.clone();
        tracing::info!(%worker, slots = registration.slots.len(), exchange = %registration.exchange, "a worker has registered");
        let reports = registration.slots.clone();
        let known = Worker { link, sender, registration, heard_ms: now_ms(), resident_bytes: 0 };
        self.workers.insert(worker.clone(), known);
        self.tell(&worker, ToWorker::Registered(self.settings.heartbeats));
        let actions = self.resources.register(worker, &reports, now_ms());
        self.act_on_resources(actions);
    }

    fn refuse(&mut self, link: LinkId, why: String) {
        tracing::warn!("a worker is refused: {why}");
        if let Some(state) = self.links.get(&link) {
            // One that is gone does not need to be told.
            let _ = state.sender.try_send(ToWorker::Refused(why));
        }
        self.unlink(link, "it was refused");
    }

    /// Says something to a worker. One that does not read is lost.
    pub(super) fn tell(&mut self, worker: &WorkerId, message: ToWorker) {
        if let Some(known) = self.workers.get(worker)
            && known.sender.try_send(message).is_err()
        {
            self.broken.push(worker.clone());
        }
    }

    /// Gives up the workers that did not take what they were sent.
    pub(super) fn lose_broken(&mut self) {
        while let Some(worker) = self.broken.pop() {
            if let Some(known) = self.workers.get(&worker) {
                self.unlink(known.link, "it does not read what it is sent");
            }
        }
    }

    fn lose_worker(&mut self, worker: &WorkerId, why: &str) {
        tracing::warn!(%worker, "a worker is lost: {why}");
        self.workers.remove(worker);
        // First the jobs, which then need what the ResourceManager does not have any more.
        for job in self.job_ids() {
            self.drive(job, Event::WorkerLost(worker.clone()));
        }
        let actions = self.resources.lost(worker, now_ms());
        self.act_on_resources(actions);
    }

    /// Gives up links that have been silent for too long.
    pub(super) fn judge_silence(&mut self) {
        let timeout = self.settings.heartbeats.timeout;
        let mut silent = Vec::new();
        for (link, state) in &mut self.links {
            state.silent_ticks += 1;
            let late = match state.worker {
                Some(_) => TICK * state.silent_ticks > timeout,
                None => state.silent_ticks > REGISTRATION_TICKS,
            };
            if late {
                silent.push(*link);
            }
        }
        for link in silent {
            self.unlink(link, &format!("nothing was heard of it for {timeout:?} ('heartbeat.timeout')"));
        }
    }

    /// Gives up workers in which a task does not end.
    pub(super) fn judge_cancellations(&mut self) {
        let timeout = self.settings.cancellation_timeout_ms;
        let latest = now_ms().saturating_sub(timeout);
        let mut stuck = Vec::new();
        for job in self.jobs.values() {
            let graph = job.master.execution_graph();
            if graph.total().of(AttemptState::Canceling) == 0 {
                continue;
            }
            let is_late = |of: &SubtaskId| {
                let attempt = graph.current(*of).filter(|attempt| attempt.state() == AttemptState::Canceling);
                attempt
                    .and_then(|attempt| attempt.entered(AttemptState::Canceling))
                    .is_some_and(|since| since <= latest)
            };
            stuck.extend(graph.subtasks().filter(is_late).filter_map(|of| {
                let link = self.workers.get(job.master.worker_of(of)?)?.link;
                Some((link, job.task_name(of)))
            }));
        }
        for (link, task) in stuck {
            let why = format!(
                "its task {task} has not ended {timeout} ms after it was told to ('task.cancellation.timeout')"
            );
            self.unlink(link, &why);
        }
    }

    fn hear_heartbeat(&mut self, worker: &WorkerId, heartbeat: Heartbeat) {
        let now = now_ms();
        if let Some(known) = self.workers.get_mut(worker) {
            (known.heard_ms, known.resident_bytes) = (now, heartbeat.resident_bytes);
        }
        for (task, metrics) in heartbeat.tasks {
            if let Some(job) = self.jobs.get_mut(&task.job.job).filter(|job| job.of == task.job)
                && job.is_live(task.attempt)
            {
                job.count(task.attempt, metrics, now);
            }
        }
        self.tell(worker, ToWorker::Alive);
        let actions = self.resources.register(worker.clone(), &heartbeat.slots, now);
        self.act_on_resources(actions);
    }

    /// A worker offers a slot: to the JobMaster, or nobody wants it any more.
    fn hear_offer(&mut self, worker: &WorkerId, allocation: Allocation) {
        let place = Place { worker: worker.clone(), slot: allocation.slot, allocation: allocation.id };
        match self.jobs.get(&allocation.job.job) {
            Some(job) if job.of == allocation.job => self.drive(allocation.job.job, Event::SlotOffered(place)),
            Some(_) | None => self.free_slot(allocation.job, place),
        }
    }

    /// Takes a slot back from a job.
    pub(super) fn free_slot(&mut self, job: JobRef, place: Place) {
        let Place { worker, slot, allocation: id } = place;
        self.tell(&worker, ToWorker::FreeSlot(Allocation { slot, job, id }));
        let actions = self.resources.freed(&worker, slot, id, now_ms());
        self.act_on_resources(actions);
    }

    fn hear_task(&mut self, worker: WorkerId, TaskReport { task, state, metrics }: TaskReport) {
        let Some(job) = self.jobs.get_mut(&task.job.job).filter(|job| job.of == task.job) else {
            return self.tell(&worker, ToWorker::Cancel(vec![task]));
        };
        let attempt = task.attempt;
        if job.is_live(attempt) && state != TaskState::Initializing {
            job.count(attempt, metrics, now_ms());
        }
        let event = match state {
            TaskState::Initializing => Event::Reported { attempt, state: AttemptState::Initializing, worker },
            TaskState::Running => Event::Reported { attempt, state: AttemptState::Running, worker },
            TaskState::Finished { waits_for_clock } => {
                if waits_for_clock && job.is_live(attempt) {
                    let task = job.task_name(attempt.of);
                    tracing::warn!(%task, "windows of the wall clock were still open at the end; they give no result");
                }
                Event::Reported { attempt, state: AttemptState::Finished, worker }
            }
            TaskState::Canceled => Event::Reported { attempt, state: AttemptState::Canceled, worker },
            TaskState::Failed(failure) => {
                let task = job.task_name(attempt.of);
                if job.is_live(attempt) {
                    tracing::info!(job = %job.name, %task, %worker, "a task failed: {}", failure.why);
                }
                Event::TaskFailed { attempt, failure }
            }
        };
        self.drive(task.job.job, event);
    }

    fn hear_split_request(&mut self, worker: &WorkerId, request: SplitRequest) {
        let Some(known) = self.workers.get(worker) else { return };
        let sender = known.sender.clone();
        match self.live_job(request.task.job, request.task.attempt).and_then(|job| job.sources.get(&request.node)) {
            Some(source) => source.next(request, sender),
            None => {
                let answer = Err(format!("{} was given up", request.task));
                self.tell(worker, ToWorker::Split { request: request.request, answer });
            }
        }
    }

    /// What a given-up try has written stays hidden.
    fn hear_committables(&mut self, written: Committables) {
        let (job, attempt) = (written.task.job, written.task.attempt);
        if self.live_job(job, attempt).is_some() {
            self.take_written(job.job, written);
        }
    }

    fn live_job(&self, of: JobRef, attempt: AttemptId) -> Option<&super::Job> {
        self.jobs.get(&of.job).filter(|job| job.of == of && job.is_live(attempt))
    }

    fn job_ids(&self) -> Vec<JobId> {
        self.jobs.keys().copied().collect()
    }

    /// Carries out what the ResourceManager has decided.
    pub(super) fn act_on_resources(&mut self, actions: Vec<resource::Action>) {
        for action in actions {
            match action {
                resource::Action::RequestSlot { worker, slot, job, allocation } => {
                    if let Some(of) = self.jobs.get(&job).map(|job| job.of) {
                        tracing::debug!(%worker, slot, %job, "a slot is requested");
                        self.tell(&worker, ToWorker::RequestSlot(Allocation { slot, job: of, id: allocation }));
                    }
                }
                resource::Action::StartWorker(worker) => {
                    tracing::info!(%worker, "a worker is started: slots are short");
                    self.driver.start_worker(&worker);
                }
                resource::Action::StopWorker(worker) => self.stop_worker(&worker),
                resource::Action::NotEnough { job, missing } => {
                    if let Some(job) = self.jobs.get(&job) {
                        tracing::info!(job = %job.name, missing, "the job waits: slots are missing and no worker is on its way");
                    }
                }
            }
        }
    }

    fn stop_worker(&mut self, worker: &WorkerId) {
        match self.workers.remove(worker) {
            Some(known) => {
                tracing::info!(%worker, "a worker is ended: it is not needed");
                // One that does not read is ended by the driver.
                let _ = known.sender.try_send(ToWorker::Leave("it is not needed any more".to_owned()));
                self.links.remove(&known.link);
            }
            None => tracing::warn!(%worker, "a worker is ended: it has not registered, or not again, in time"),
        }
        self.driver.stop_worker(worker);
    }

    /// Hears of the driver's workers from now on.
    pub(super) fn listen_to_driver(&mut self) {
        let (events, mut told) = mpsc::channel(DRIVER_EVENTS_MAX);
        self.driver.begin(events);
        let own = self.own.clone();
        tokio::spawn(async move {
            while let Some(event) = told.recv().await {
                let Some(inbox) = own.upgrade() else { return };
                if inbox.send(Message::Driver(event)).await.is_err() {
                    return;
                }
            }
        });
    }

    pub(super) fn hear_driver(&mut self, event: DriverEvent) {
        let actions = match event {
            DriverEvent::Found(workers) => {
                for worker in &workers {
                    tracing::info!(%worker, "a worker of an earlier jobmaster is expected to register");
                }
                self.resources.found(workers, now_ms())
            }
            DriverEvent::Ended { worker, why } => {
                match self.workers.get(&worker) {
                    Some(known) => self.unlink(known.link, &why),
                    None if self.resources.awaits(&worker) => {
                        tracing::warn!(%worker, "a worker has ended before it registered: {why}");
                    }
                    None => tracing::info!(%worker, "a worker has ended: {why}"),
                }
                self.resources.ended(&worker, now_ms())
            }
        };
        self.act_on_resources(actions);
    }
}
