//! Jobs: the Dispatcher takes them, and the actions of their JobMasters are carried out.

use std::collections::BTreeMap;
use std::sync::Arc;

use millstream_graph::{AttemptId, JobId, WorkerId};
use millstream_protocol::message::{Committables, Deployment, JobRef, Peer, TaskId, TaskToDeploy, ToWorker};
use tokio::sync::oneshot;

use super::recorder::Recorder;
use super::sink_commits::{Allowed, Because, NotCommitted};
use super::{Job, JobManager, JobOutcome, PreparedJob, Refusal, Submitted, now_ms, random};
use crate::job_master::{Action, Event, JobStatus, Place};
use crate::job_store::record::{JobEnd, RecordedEvent, Submission};
use crate::job_store::{JobRecords, StoreError};

/// How often the first record of a job is written when the storage fails, and the first wait, which doubles. Whoever submits
/// the job waits for it.
const FIRST_RECORD_TRIES: u32 = 5;
const FIRST_RECORD_WAIT: std::time::Duration = std::time::Duration::from_millis(100);

impl JobManager {
    /// The Dispatcher's part: refuses a second job of the same name, stores the job and starts its JobMaster.
    pub(super) fn submit(&mut self, prepared: PreparedJob, answer: oneshot::Sender<Result<Submitted, Refusal>>) {
        let refuse = |answer: oneshot::Sender<_>, refusal| {
            // Whoever submitted it may have gone.
            let _ = answer.send(Err(refusal));
        };
        if let Some(early) = &mut self.early {
            // Which names are taken is known when the stored jobs are.
            return early.push((prepared, answer));
        }
        let name = prepared.name();
        if let Some((state, job)) = self.job_named(name) {
            let name = name.to_owned();
            return refuse(answer, Refusal::Duplicate { name, state, job });
        }
        let id = JobId::from_bits(uuid::Uuid::new_v4().as_u128());
        let now = now_ms();
        let submission = Submission { program: prepared.program.clone(), at_ms: now };
        let submitted = Submitted { job: id, warnings: prepared.warnings.clone() };
        // The name is taken while the job is being stored.
        let of = JobRef { job: id, epoch: 1 };
        let job = match Job::new(of, prepared, self.settings.default_restart, now, now) {
            Ok(job) => job,
            Err(error) => return refuse(answer, Refusal::NotStored(error.to_string())),
        };
        tracing::info!(job = %job.name, %id, "a job was submitted; it is being stored");
        self.jobs.insert(id, job);
        let store = self.settings.store.clone();
        let stored = async move {
            let mut records = store.begin(id, nonce());
            match append(&mut records, RecordedEvent::Submitted(Box::new(submission))).await {
                Ok(()) => Ok(records),
                Err(error) => Err(Refusal::not_stored(&error, &store.delete(id).await)),
            }
        };
        self.in_background(stored, move |manager, stored| match stored {
            Ok(records) => {
                manager.start_job(id, records);
                // Whoever submitted it may have gone.
                let _ = answer.send(Ok(submitted));
            }
            Err(refusal) => {
                manager.jobs.remove(&id);
                refuse(answer, refusal);
            }
        });
    }

    /// The job that has a name now, and Flink's word for where it stands.
    fn job_named(&self, name: &str) -> Option<(&'static str, JobId)> {
        let led = self.jobs.values().find(|job| job.name == name && !job.master.status().is_terminal());
        let led = led.map(|job| (job.master.status().word(), job.of.job));
        let awaited = || self.awaited.values().find(|job| job.name == name);
        led.or_else(|| awaited().map(|job| (JobStatus::Initializing.word(), job.job)))
    }

    /// Starts the JobMaster of a stored job.
    pub(super) fn start_job(&mut self, id: JobId, records: JobRecords) {
        let own = self.own.clone();
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.recorder = Some(Recorder::start(records, own));
        let graph = job.graph();
        let tasks: u32 = graph.vertices.iter().map(|vertex| vertex.parallelism).sum();
        tracing::info!(job = %job.name, %id, vertices = graph.vertices.len(), tasks, slots = job.master.slots_needed(),
            "the JobMaster starts; it declares the slots that the job needs");
        let (actions, cancelled) = (job.master.start(now_ms()), job.cancel_when_stored);
        self.act(id, actions);
        if cancelled {
            self.drive(id, Event::Cancel);
        }
    }

    /// Something has happened to a job.
    pub(super) fn drive(&mut self, id: JobId, event: Event) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let before = job.master.status();
        let actions = job.master.handle(event, now_ms(), random());
        let after = job.master.status();
        if before != after {
            tracing::info!(job = %job.name, %id, "{} -> {}", before.word(), after.word());
            if after == JobStatus::Restarting {
                tracing::warn!(job = %job.name, %id, "the job restarts: {}", job.failure().unwrap_or_default());
            }
        }
        self.act(id, actions);
    }

    /// Carries out what a JobMaster has decided.
    fn act(&mut self, id: JobId, actions: Vec<Action>) {
        let mut deployed = BTreeMap::new();
        let mut cancelled: BTreeMap<WorkerId, Vec<AttemptId>> = BTreeMap::new();
        for action in actions {
            match action {
                Action::DeclareSlots(slots) => {
                    let actions = self.resources.declare(id, slots, now_ms());
                    self.act_on_resources(actions);
                }
                Action::Deploy(attempt, place) => {
                    deployed.entry(place.worker.clone()).or_insert_with(Vec::new).push((attempt, place));
                }
                Action::Cancel(attempt, worker) => cancelled.entry(worker).or_default().push(attempt),
                Action::FreeSlot(place) => {
                    if let Some(of) = self.jobs.get(&id).map(|job| job.of) {
                        self.free_slot(of, place);
                    }
                }
                Action::StopSources => self.stop_sources(id),
                Action::Publish => self.publish(id),
                Action::WakeAt(at) => {
                    if let Some(job) = self.jobs.get_mut(&id) {
                        job.wake_at = Some(job.wake_at.map_or(at, |known| known.max(at)));
                    }
                }
                Action::RecordEnd(status) => self.record_end(id, status),
                Action::Ended(_) => self.announce_end(id),
            }
        }
        self.cancel_tasks(id, cancelled);
        self.deploy(id, deployed);
    }

    /// Sends tasks to the workers whose slots they have, with one message for each worker.
    fn deploy(&mut self, id: JobId, by_worker: BTreeMap<WorkerId, Vec<(AttemptId, Place)>>) {
        let Some(job) = self.jobs.get_mut(&id).filter(|_| !by_worker.is_empty()) else { return };
        let tasks: usize = by_worker.values().map(Vec::len).sum();
        tracing::info!(job = %job.name, %id, tasks, workers = by_worker.len(), "all slots are there; tasks are deployed");
        by_worker.values().flatten().for_each(|(attempt, _)| job.forget_earlier(*attempt));
        let mut peers: Vec<Peer> = Vec::new();
        let mut holders = Vec::new();
        for place in job.master.places() {
            let Some(place) = place else { continue };
            let known = peers.iter().position(|peer| peer.worker == place.worker);
            let at = known.unwrap_or_else(|| {
                let exchange = self.workers.get(&place.worker).map(|worker| worker.registration.exchange.clone());
                peers.push(Peer { worker: place.worker.clone(), address: exchange.unwrap_or_default() });
                peers.len() - 1
            });
            holders.push(u32::try_from(at).unwrap_or(u32::MAX));
        }
        let (of, program, graph) = (job.of, Arc::clone(&job.program), job.fingerprint);
        for (worker, tasks) in by_worker {
            let to_deploy = |(attempt, place): (AttemptId, Place)| TaskToDeploy {
                attempt,
                slot: place.slot,
                allocation: place.allocation,
            };
            let deployment = Deployment {
                job: of,
                program: Arc::clone(&program),
                graph,
                peers: peers.clone(),
                holders: holders.clone(),
                tasks: tasks.into_iter().map(to_deploy).collect(),
            };
            self.tell(&worker, ToWorker::Deploy(deployment));
        }
    }

    fn cancel_tasks(&mut self, id: JobId, by_worker: BTreeMap<WorkerId, Vec<AttemptId>>) {
        let Some(job) = self.jobs.get(&id).map(|job| job.of) else { return };
        for (worker, attempts) in by_worker {
            let tasks = attempts.into_iter().map(|attempt| TaskId { job, attempt }).collect();
            self.tell(&worker, ToWorker::Cancel(tasks));
        }
    }

    fn stop_sources(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(&id) else { return };
        tracing::info!(job = %job.name, %id, "the sources are ended");
        let of = job.of;
        let mut workers: Vec<WorkerId> =
            job.master.places().iter().flatten().map(|place| place.worker.clone()).collect();
        workers.sort();
        workers.dedup();
        for worker in workers {
            self.tell(&worker, ToWorker::StopSources(of));
        }
    }

    /// A sink has finished something. In a job without end it becomes visible now, if this jobmaster still leads it.
    pub(super) fn take_written(&mut self, id: JobId, written: Committables) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let Some(publication) = job.take_written(written) else { return };
        let Some(recorder) = &job.recorder else { return };
        let committed = job.sinks.commit(publication, Because::Finished, Box::pin(recorder.still_leads()));
        self.in_background(committed, move |manager, committed| match committed {
            Ok(()) | Err(NotCommitted::NotLeading) => {}
            Err(NotCommitted::Failed(why)) => manager.not_committed(id, &why),
        });
    }

    /// All tasks have finished: one record lists what is to become visible, then it does.
    fn publish(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let publication = job.publication();
        let Some(recorder) = &job.recorder else { return };
        tracing::info!(job = %job.name, %id, sinks = publication.sinks.len(), "all tasks have finished; results are published");
        let recorded: Allowed = match publication.sinks.as_slice() {
            [] => Box::pin(std::future::ready(Ok(()))),
            [..] => Box::pin(recorder.append(RecordedEvent::Publish(publication.clone()))),
        };
        // Behind what a job without end commits.
        let committed = job.sinks.commit(publication, Because::Recorded, recorded);
        self.in_background(committed, move |manager, committed| match committed {
            Ok(()) => manager.drive(id, Event::Published(Ok(()))),
            Err(NotCommitted::NotLeading) => {}
            Err(NotCommitted::Failed(why)) => manager.not_committed(id, &why),
        });
    }

    fn not_committed(&mut self, id: JobId, why: &str) {
        self.drive(id, Event::Published(Err(format!("results could not be committed: {why}"))));
    }

    /// A job ends. That is recorded before it has ended.
    fn record_end(&mut self, id: JobId, status: JobStatus) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.sources.clear();
        job.written.clear();
        let Some(recorder) = &job.recorder else { return };
        let why = (status == JobStatus::Failed).then(|| job.failure()).flatten();
        let end = JobEnd { state: status.word().to_owned(), at_ms: now_ms(), why };
        let recorded = recorder.append(RecordedEvent::Ended(end));
        self.in_background(recorded, move |manager, recorded| {
            if recorded.is_ok() {
                manager.drive(id, Event::EndRecorded);
            }
        });
    }

    fn announce_end(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        // Nothing more is written.
        job.recorder = None;
        let outcome = job.outcome();
        for waiting in job.waiting.drain(..) {
            // Whoever waited may have gone.
            let _ = waiting.send(outcome.clone());
        }
    }

    /// Tells `answer` when the job has ended.
    pub(super) fn tell_end(&mut self, id: JobId, answer: oneshot::Sender<JobOutcome>) -> Result<(), Refusal> {
        let job = self.jobs.get_mut(&id).ok_or(Refusal::UnknownJob(id))?;
        job.waiting.push(answer);
        if job.master.status().is_terminal() {
            self.announce_end(id);
        }
        Ok(())
    }

    /// Ends a job at once.
    pub(super) fn cancel(&mut self, id: JobId) -> Result<(), Refusal> {
        if self.awaited.contains_key(&id) {
            return self.cancel_awaited(id);
        }
        let job = self.jobs.get_mut(&id).ok_or(Refusal::UnknownJob(id))?;
        let state = job.master.status();
        let refuse = |why| Err(Refusal::WrongState { job: id, state: state.word(), why });
        match state {
            JobStatus::Finished | JobStatus::Canceled | JobStatus::Failed => refuse("it has ended"),
            JobStatus::Running if job.master.is_publishing() => {
                refuse("all of its tasks have finished, and its results are being published")
            }
            JobStatus::Initializing => {
                job.cancel_when_stored = true;
                Ok(())
            }
            JobStatus::Created
            | JobStatus::Running
            | JobStatus::Restarting
            | JobStatus::Failing
            | JobStatus::Cancelling => {
                self.drive(id, Event::Cancel);
                Ok(())
            }
        }
    }

    /// Ends the sources of a job.
    pub(super) fn stop(&mut self, id: JobId) -> Result<(), Refusal> {
        if self.awaited.contains_key(&id) {
            let why = "it is being taken up; only a running job can be stopped, cancel ends it";
            return Err(Refusal::WrongState { job: id, state: JobStatus::Initializing.word(), why });
        }
        let job = self.jobs.get(&id).ok_or(Refusal::UnknownJob(id))?;
        let state = job.master.status();
        let why = match state {
            JobStatus::Running if job.master.is_publishing() => {
                "all of its tasks have finished, and its results are being published"
            }
            JobStatus::Running => {
                self.drive(id, Event::Stop);
                return Ok(());
            }
            state if state.is_terminal() => "it has ended",
            _ => "only a running job can be stopped; cancel ends it",
        };
        Err(Refusal::WrongState { job: id, state: state.word(), why })
    }

    /// Of jobs that hold slots and wait for more, the first one that can run with those of the others gets them.
    pub(super) fn settle_slots(&mut self) {
        let waits = |job: &&Job| job.master.status() == JobStatus::Created && self.resources.lacking(job.of.job) > 0;
        let mut waiting: Vec<&Job> = self.jobs.values().filter(waits).collect();
        waiting.sort_by_key(|job| (job.submitted_ms(), job.of.job));
        let unused: u32 = waiting.iter().map(|job| job.master.slots_unused()).sum();
        let can_run = |job: &&&Job| job.master.slots_missing() <= unused - job.master.slots_unused();
        let Some(chosen) = waiting.iter().find(can_run).map(|job| job.of.job) else { return };
        let others: Vec<JobId> = waiting.iter().map(|job| job.of.job).filter(|job| *job != chosen).collect();
        others.into_iter().for_each(|job| self.drive(job, Event::YieldSlots));
    }

    /// Tells the time to the jobs that want to know it.
    pub(super) fn wake_jobs(&mut self) {
        let now = now_ms();
        let due = |job: &&mut Job| job.wake_at.is_some_and(|at| at <= now);
        let due: Vec<JobId> = self
            .jobs
            .values_mut()
            .filter(due)
            .map(|job| {
                job.wake_at = None;
                job.of.job
            })
            .collect();
        due.into_iter().for_each(|job| self.drive(job, Event::Tick));
    }

    /// Forgets jobs that ended long ago, and the oldest of too many.
    pub(super) fn forget_ended(&mut self) {
        let ended_at = |job: &Job| job.master.status().is_terminal().then(|| job.master.since(job.master.status()))?;
        let mut ended: Vec<(i64, JobId)> =
            self.jobs.values().filter_map(|job| Some((ended_at(job)?, job.of.job))).collect();
        ended.extend(self.past.iter().map(|job| (job.ended_ms, job.job)));
        ended.sort_unstable();
        let too_many = ended.len().saturating_sub(self.settings.ended_kept);
        let oldest = now_ms().saturating_sub(self.settings.ended_kept_ms);
        let gone = ended.iter().enumerate().filter(|(at, (ended_ms, _))| *at < too_many || *ended_ms < oldest);
        for (_, (_, id)) in gone {
            self.jobs.remove(id);
            self.past.retain(|job| job.job != *id);
            let (store, id) = (self.settings.store.clone(), *id);
            self.in_background(async move { store.delete(id).await }, move |_, deleted| {
                if let Err(error) = deleted {
                    tracing::warn!(%id, "the records of an old job could not be deleted: {error}");
                }
            });
        }
    }
}

/// Writes a job's first record; tries again when the storage fails.
async fn append(records: &mut JobRecords, event: RecordedEvent) -> Result<(), StoreError> {
    let mut wait = FIRST_RECORD_WAIT;
    for _ in 1..FIRST_RECORD_TRIES {
        match records.append(event.clone()).await {
            Err(error @ StoreError::Store(_)) => {
                tracing::warn!("writing a record is tried again in {wait:?}: {error}");
            }
            done @ (Ok(()) | Err(StoreError::Damaged { .. } | StoreError::Fenced { .. })) => {
                return done;
            }
        }
        tokio::time::sleep(wait).await;
        wait *= 2;
    }
    records.append(event).await
}

/// Names this JobMaster in the records that it writes.
pub(super) fn nonce() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
