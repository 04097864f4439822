//! Jobs: the Dispatcher takes them, and the actions of their JobMasters are carried out.

use std::collections::BTreeMap;
use std::sync::Arc;

use millstream_graph::{AttemptId, JobId, WorkerId};
use millstream_protocol::message::{Committables, Deployment, JobRef, Peer, TaskId, TaskToDeploy, ToWorker};
use tokio::sync::oneshot;

use super::{Job, JobManager, JobOutcome, PreparedJob, Refusal, Submitted, now_ms, random};
use crate::job_master::{Action, Event, JobStatus, Place};
use crate::job_store::record::{JobEnd, Publication, RecordedEvent, Submission};
use crate::job_store::{JobRecords, StoreError};

/// How often a record that cannot be written is tried again, and the first wait, which doubles.
const RECORD_TRIES: u32 = 5;
const RECORD_FIRST_WAIT: std::time::Duration = std::time::Duration::from_millis(100);

impl JobManager {
    /// The Dispatcher's part: refuses a second job of the same name, stores the job and starts its JobMaster.
    pub(super) fn submit(&mut self, prepared: PreparedJob, answer: oneshot::Sender<Result<Submitted, Refusal>>) {
        let refuse = |answer: oneshot::Sender<_>, refusal| {
            // Whoever submitted it may have gone.
            let _ = answer.send(Err(refusal));
        };
        let name = prepared.name();
        let same = self.jobs.values().find(|job| job.name == name && !job.master.status().is_terminal());
        if let Some(same) = same {
            let (name, state, job) = (name.to_owned(), same.master.status().word(), same.of.job);
            return refuse(answer, Refusal::Duplicate { name, state, job });
        }
        let id = JobId::from_bits(uuid::Uuid::new_v4().as_u128());
        let submission = Submission { program: prepared.program.clone(), at_ms: now_ms() };
        let submitted = Submitted { job: id, warnings: prepared.warnings.clone() };
        // The name is taken while the job is being stored.
        let of = JobRef { job: id, epoch: 1 };
        let job = match Job::new(of, prepared, None, self.settings.default_restart, now_ms()) {
            Ok(job) => job,
            Err(error) => return refuse(answer, Refusal::NotStored(error.to_string())),
        };
        tracing::info!(job = %job.name, %id, "a job was submitted; it is being stored");
        self.jobs.insert(id, job);
        let (store, nonce) = (self.settings.store.clone(), nonce());
        let stored = async move { store.submit(id, nonce, submission).await };
        self.in_background(stored, move |manager, stored| match stored {
            Ok(records) => {
                manager.start_job(id, records);
                // Whoever submitted it may have gone.
                let _ = answer.send(Ok(submitted));
            }
            Err(error) => {
                manager.jobs.remove(&id);
                refuse(answer, error.into());
            }
        });
    }

    /// Starts the JobMaster of a stored job.
    pub(super) fn start_job(&mut self, id: JobId, records: JobRecords) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.records = Some(records);
        let graph = job.graph();
        let tasks: u32 = graph.vertices.iter().map(|vertex| vertex.parallelism).sum();
        tracing::info!(job = %job.name, %id, vertices = graph.vertices.len(), tasks, slots = job.master.slots_needed(),
            "the JobMaster starts; it declares the slots that the job needs");
        let actions = job.master.start(now_ms());
        self.act(id, actions);
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
                        job.wake_at = Some(job.wake_at.map_or(at, |known| known.min(at)));
                    }
                }
                Action::Ended(status) => self.note_end(id, status),
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
        let (of, program) = (job.of, Arc::clone(&job.program));
        for (worker, tasks) in by_worker {
            let to_deploy = |(attempt, place): (AttemptId, Place)| TaskToDeploy {
                attempt,
                slot: place.slot,
                allocation: place.allocation,
            };
            let deployment = Deployment {
                job: of,
                program: Arc::clone(&program),
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

    /// A sink has finished something. In a job without end it becomes visible now.
    pub(super) fn take_written(&mut self, id: JobId, written: Committables) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        if let Some(publication) = job.take_written(written) {
            let committed = job.sinks.commit(publication);
            self.in_background(committed, move |manager, committed| {
                if let Ok(Err(why)) = committed {
                    manager.drive(id, Event::Published(Err(format!("results could not be committed: {why}"))));
                }
            });
        }
    }

    /// All tasks have finished: one record lists what is to become visible, then it does.
    fn publish(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let publication = job.publication();
        let Some(mut records) = job.records.take() else { return };
        tracing::info!(job = %job.name, %id, sinks = publication.sinks.len(), "all tasks have finished; results are published");
        let recorded = async move {
            if !publication.sinks.is_empty() {
                append(&mut records, RecordedEvent::Publish(publication.clone())).await?;
            }
            Ok((records, publication))
        };
        self.in_background(recorded, move |manager, recorded: Result<(JobRecords, Publication), StoreError>| {
            match recorded {
                Ok((records, publication)) => manager.commit(id, records, publication),
                Err(error) => manager.not_recorded(id, &error),
            }
        });
    }

    /// Makes visible what was recorded.
    pub(super) fn commit(&mut self, id: JobId, records: JobRecords, publication: Publication) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.records = Some(records);
        let committed = job.sinks.commit(publication);
        self.in_background(committed, move |manager, committed| {
            let committed = committed.unwrap_or_else(|_| Err("the committers have ended".to_owned()));
            let committed = committed.map_err(|why| format!("results could not be committed: {why}"));
            manager.drive(id, Event::Published(committed));
        });
    }

    fn not_recorded(&mut self, id: JobId, error: &StoreError) {
        match error {
            StoreError::Fenced { .. } => self.fenced = Some(error.to_string()),
            StoreError::Url { .. } | StoreError::Store { .. } | StoreError::Damaged { .. } => {
                self.drive(id, Event::Published(Err(format!("results could not be recorded: {error}"))));
            }
        }
    }

    /// A job has ended. That is recorded before anybody is told.
    fn note_end(&mut self, id: JobId, status: JobStatus) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.sources.clear();
        job.written.clear();
        let end = JobEnd { state: status.word().to_owned(), at_ms: now_ms(), why: job.outcome().why };
        let records = job.records.take();
        let recorded = async move {
            match records {
                Some(mut records) => append(&mut records, RecordedEvent::Ended(end)).await,
                // A record is being written by a task that will find that the job has ended.
                None => Ok(()),
            }
        };
        self.in_background(recorded, move |manager, recorded| {
            match recorded {
                Ok(()) => {}
                Err(error @ StoreError::Fenced { .. }) => manager.fenced = Some(error.to_string()),
                Err(error) => tracing::error!(%id, "the end of a job could not be recorded; a restarted jobmaster runs it again: {error}"),
            }
            manager.announce_end(id);
        });
    }

    fn announce_end(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
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
        // An end that is still being recorded is announced when it is.
        if job.master.status().is_terminal() && job.sources.is_empty() && job.records.is_none() {
            self.announce_end(id);
        }
        Ok(())
    }

    /// Ends a job at once.
    pub(super) fn cancel(&mut self, id: JobId) -> Result<(), Refusal> {
        let job = self.jobs.get(&id).ok_or(Refusal::UnknownJob(id))?;
        let state = job.master.status();
        match state {
            JobStatus::Finished | JobStatus::Canceled | JobStatus::Failed => {
                Err(Refusal::WrongState { job: id, state: state.word(), why: "it has ended" })
            }
            JobStatus::Initializing => Err(Refusal::WrongState {
                job: id,
                state: state.word(),
                why: "it is being stored; try again in a moment",
            }),
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
        let job = self.jobs.get(&id).ok_or(Refusal::UnknownJob(id))?;
        let state = job.master.status();
        if state != JobStatus::Running {
            let why =
                if state.is_terminal() { "it has ended" } else { "only a running job can be stopped; cancel ends it" };
            return Err(Refusal::WrongState { job: id, state: state.word(), why });
        }
        self.drive(id, Event::Stop);
        Ok(())
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

/// Writes a record; tries again when the storage fails.
pub(super) async fn append(records: &mut JobRecords, event: RecordedEvent) -> Result<(), StoreError> {
    let mut wait = RECORD_FIRST_WAIT;
    for _ in 1..RECORD_TRIES {
        match records.append(event.clone()).await {
            Err(error @ StoreError::Store { .. }) => {
                tracing::warn!("writing a record is tried again in {wait:?}: {error}");
            }
            done @ (Ok(()) | Err(StoreError::Url { .. } | StoreError::Damaged { .. } | StoreError::Fenced { .. })) => {
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
