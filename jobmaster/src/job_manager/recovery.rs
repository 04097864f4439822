//! Takes up the jobs of an earlier jobmaster.

use std::sync::Arc;
use std::time::Duration;

use millstream_graph::JobId;
use millstream_protocol::message::JobRef;

use super::jobs::{append, nonce};
use super::{Job, JobManager, PreparedJob, Unusable, now_ms};
use crate::job_store::record::{JobEnd, RecordedEvent};
use crate::job_store::{JobRecords, StoreError, StoredJob};

/// The wait before something that failed while taking over is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// A job of an earlier process that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastJob {
    /// Which.
    pub job: JobId,
    /// What people called it.
    pub name: String,
    /// When it was submitted, in milliseconds since 1970.
    pub submitted_ms: i64,
    /// When it ended, in milliseconds since 1970.
    pub ended_ms: i64,
    /// Flink's word for how.
    pub state: String,
    /// Why, if it failed.
    pub why: Option<String>,
}

/// A stored job that this process leads from now on.
struct TakenOver {
    records: JobRecords,
    events: Vec<RecordedEvent>,
    prepared: PreparedJob,
}

/// Why a stored job could not be taken over.
#[derive(Debug, thiserror::Error)]
enum NotTakenOver {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Unusable(#[from] Unusable),
    #[error("planning it has ended: {0}")]
    Planning(#[from] tokio::task::JoinError),
}

impl JobManager {
    /// Looks for stored jobs. As long as the storage cannot be read that is tried again: jobs are not forgotten.
    pub(super) fn recover(&self) {
        let store = self.settings.store.clone();
        let loaded = async move {
            loop {
                match store.load().await {
                    Ok(jobs) => return jobs,
                    Err(error) => tracing::error!("stored jobs cannot be read, trying again in {TRY_AGAIN:?}: {error}"),
                }
                tokio::time::sleep(TRY_AGAIN).await;
            }
        };
        self.in_background(loaded, |manager, jobs| jobs.into_iter().for_each(|job| manager.recover_job(job)));
    }

    fn recover_job(&mut self, stored: StoredJob) {
        if self.jobs.contains_key(&stored.job) {
            return;
        }
        match stored.events.last() {
            Some(RecordedEvent::Ended(end)) => self.past.push(past(&stored, end)),
            Some(RecordedEvent::Submitted(_) | RecordedEvent::TakenOver {} | RecordedEvent::Publish(_)) | None => {
                self.take_over(stored);
            }
        }
    }

    /// Becomes the JobMaster of a stored job. What keeps it from that is said and tried again: a job is never dropped.
    fn take_over(&self, stored: StoredJob) {
        let (store, clock) = (self.settings.store.clone(), Arc::clone(&self.settings.clock));
        let taken = async move {
            loop {
                let (program, clock) = (stored.submission.program.clone(), Arc::clone(&clock));
                let name = program.name.clone();
                let taken = async {
                    let prepared = tokio::task::spawn_blocking(move || PreparedJob::again(program, clock)).await??;
                    let (records, events) = store.take_over(stored.job, nonce()).await?;
                    Ok(TakenOver { records, events, prepared })
                };
                let taken: Result<TakenOver, NotTakenOver> = taken.await;
                match taken {
                    Ok(taken) => return (stored, taken),
                    Err(error) => tracing::error!(job = %name, id = %stored.job,
                        "a stored job cannot be taken up, trying again in {TRY_AGAIN:?}: {error}"),
                }
                tokio::time::sleep(TRY_AGAIN).await;
            }
        };
        self.in_background(taken, |manager, (stored, taken)| manager.take_up(stored, taken));
    }

    /// Goes on with a job: it starts anew, unless its results were about to become visible.
    fn take_up(&mut self, stored: StoredJob, TakenOver { records, events, prepared }: TakenOver) {
        let of = JobRef { job: stored.job, epoch: records.epoch() };
        let job = match Job::new(of, prepared, None, self.settings.default_restart, now_ms()) {
            Ok(job) => job,
            Err(error) => return tracing::error!(id = %stored.job, "a stored job cannot be taken up: {error}"),
        };
        tracing::info!(job = %job.name, id = %stored.job, epoch = of.epoch, "a stored job is taken up");
        let publication = events.into_iter().find_map(|event| match event {
            RecordedEvent::Publish(publication) => Some(publication),
            RecordedEvent::Submitted(_) | RecordedEvent::TakenOver {} | RecordedEvent::Ended(_) => None,
        });
        let Some(publication) = publication else {
            self.jobs.insert(stored.job, job);
            return self.start_job(stored.job, records);
        };
        tracing::info!(job = %job.name, id = %stored.job, "its results were being published; that is finished");
        let committed = job.sinks.commit(publication);
        let ended = async move {
            let committed = committed.await.unwrap_or_else(|_| Err("the committers have ended".to_owned()));
            let mut records = records;
            let (state, why) = match committed {
                Ok(()) => ("FINISHED", None),
                Err(why) => ("FAILED", Some(format!("results could not be committed: {why}"))),
            };
            let end = JobEnd { state: state.to_owned(), at_ms: now_ms(), why };
            append(&mut records, RecordedEvent::Ended(end.clone())).await.map(|()| end)
        };
        self.in_background(ended, move |manager, ended| match ended {
            Ok(end) => manager.past.push(past(&stored, &end)),
            Err(error) => tracing::error!(id = %stored.job, "the end of a job could not be recorded: {error}"),
        });
    }
}

fn past(stored: &StoredJob, end: &JobEnd) -> PastJob {
    PastJob {
        job: stored.job,
        name: stored.submission.program.name.clone(),
        submitted_ms: stored.submission.at_ms,
        ended_ms: end.at_ms,
        state: end.state.clone(),
        why: end.why.clone(),
    }
}
