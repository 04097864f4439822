//! Takes up the jobs of an earlier jobmaster.
//!
//! ```text
//!   found ─► awaited ─► planned, taken over ─► its JobMaster starts anew
//!               ▲  │                        ├► its results were being published: that is finished, and its end recorded
//!               └──┘ tried again            └► it had ended meanwhile
//! ```

use std::sync::Arc;
use std::time::Duration;

use millstream_graph::JobId;
use millstream_planner::functions::Clock;
use millstream_protocol::message::JobRef;

use super::jobs::nonce;
use super::recorder::Recorder;
use super::sink_commits::{Because, NotCommitted, SinkCommits};
use super::submission::Committers;
use super::{Job, JobManager, PreparedJob, Refusal, Unusable, now_ms};
use crate::job_master::{Event, JobStatus};
use crate::job_store::record::{JobEnd, Publication, RecordedEvent};
use crate::job_store::{JobRecords, JobStore, StoreError, StoredJob, TakeOver, ended};

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

/// A job of an earlier process that has not ended and is not taken up yet.
#[derive(Debug)]
pub struct AwaitedJob {
    /// Which.
    pub job: JobId,
    /// What people call it.
    pub name: String,
    /// When it was submitted, in milliseconds since 1970; −1 if that cannot be read.
    pub submitted_ms: i64,
    /// How far it is, and what has kept it from being taken up.
    pub detail: String,
    /// `None`: its records cannot be read.
    stored: Option<StoredJob>,
    /// It is being tried.
    is_tried: bool,
    cancelled: bool,
}

/// What came of trying to take a job up.
enum Taken {
    /// This process leads it.
    Leads(JobRecords, Box<PreparedJob>),
    /// The same, and its results were being published.
    Publishes(JobRecords, Publication, Committers),
    /// It was cancelled before it could be taken up.
    Cancelled(JobRecords),
    /// It has ended.
    Ended(JobEnd),
    /// It was deleted.
    Gone,
}

/// Why a stored job could not be taken up.
#[derive(Debug, thiserror::Error)]
enum NotTaken {
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
                    Ok(loaded) => return loaded,
                    Err(error) => tracing::error!("stored jobs cannot be read, trying again in {TRY_AGAIN:?}: {error}"),
                }
                tokio::time::sleep(TRY_AGAIN).await;
            }
        };
        self.in_background(loaded, |manager, (jobs, unreadable)| {
            jobs.into_iter().for_each(|job| manager.recover_job(job));
            unreadable.into_iter().for_each(|(job, error)| manager.note_unreadable(job, &error));
            for (prepared, answer) in manager.early.take().unwrap_or_default() {
                manager.submit(prepared, answer);
            }
        });
    }

    fn recover_job(&mut self, stored: StoredJob) {
        let id = stored.job;
        if let Some(end) = ended(&stored.events).cloned() {
            return self.past.push(past(&stored, end));
        }
        let awaited = AwaitedJob {
            job: id,
            name: stored.submission.program.name.clone(),
            submitted_ms: stored.submission.at_ms,
            detail: "is being taken up".to_owned(),
            stored: Some(stored),
            is_tried: false,
            cancelled: false,
        };
        self.awaited.insert(id, awaited);
        self.try_to_take_up(id);
    }

    /// Nobody can say what such a job is; it is shown until somebody looks after its records.
    fn note_unreadable(&mut self, id: JobId, error: &StoreError) {
        tracing::error!(%id, "a stored job cannot be read: {error}");
        let awaited = AwaitedJob {
            job: id,
            name: "(unreadable)".to_owned(),
            submitted_ms: -1,
            detail: error.to_string(),
            stored: None,
            is_tried: false,
            cancelled: false,
        };
        self.awaited.insert(id, awaited);
    }

    fn try_to_take_up(&mut self, id: JobId) {
        let Some(awaited) = self.awaited.get_mut(&id).filter(|awaited| !awaited.is_tried) else { return };
        let Some(stored) = awaited.stored.clone() else { return };
        awaited.is_tried = true;
        let (store, clock) = (self.settings.store.clone(), Arc::clone(&self.settings.clock));
        let cancelled = awaited.cancelled;
        let taken = async move {
            if cancelled {
                return cancel(&store, stored, clock).await;
            }
            take(&store, stored, clock).await
        };
        self.in_background(taken, move |manager, taken| manager.take_up(id, taken));
    }

    fn take_up(&mut self, id: JobId, taken: Result<Taken, NotTaken>) {
        let Some(awaited) = self.awaited.get_mut(&id) else { return };
        awaited.is_tried = false;
        let cancelled = awaited.cancelled;
        match taken {
            Ok(Taken::Leads(records, prepared)) => self.lead(id, records, *prepared, cancelled),
            Ok(Taken::Publishes(records, publication, committers)) => {
                self.finish_publication(id, records, publication, committers);
            }
            Ok(Taken::Cancelled(records)) => {
                self.record_end_of_awaited(id, Recorder::start(records, self.own.clone()), JobStatus::Canceled, None);
            }
            Ok(Taken::Ended(end)) => self.note_past(id, end),
            Ok(Taken::Gone) => {
                self.awaited.remove(&id);
            }
            Err(error) => {
                tracing::error!(job = %awaited.name, %id,
                    "a stored job cannot be taken up, trying again in {TRY_AGAIN:?}: {error}");
                awaited.detail = format!("cannot be taken up yet: {error}");
                let wait = if cancelled { Duration::ZERO } else { TRY_AGAIN };
                self.in_background(tokio::time::sleep(wait), move |manager, ()| manager.try_to_take_up(id));
            }
        }
    }

    /// The job starts anew.
    fn lead(&mut self, id: JobId, records: JobRecords, prepared: PreparedJob, cancelled: bool) {
        let of = JobRef { job: id, epoch: records.epoch() };
        let submitted_ms = self.awaited.get(&id).map_or(-1, |awaited| awaited.submitted_ms);
        let job = match Job::new(of, prepared, self.settings.default_restart, submitted_ms, now_ms()) {
            Ok(job) => job,
            Err(error) => return tracing::error!(%id, "a stored job cannot be taken up: {error}"),
        };
        tracing::info!(job = %job.name, %id, epoch = of.epoch, "a stored job is taken up");
        self.awaited.remove(&id);
        self.jobs.insert(id, job);
        self.start_job(id, records);
        if cancelled {
            self.drive(id, Event::Cancel);
        }
    }

    /// What an earlier jobmaster has recorded becomes visible. Neither the job's inputs nor workers are needed for it.
    fn finish_publication(&mut self, id: JobId, records: JobRecords, publication: Publication, committers: Committers) {
        let Some(awaited) = self.awaited.get_mut(&id) else { return };
        tracing::info!(job = %awaited.name, %id, "its results were being published; that is finished");
        awaited.detail = "its results are being published".to_owned();
        // Until it is recorded how it ends nothing else is done with it.
        awaited.is_tried = true;
        let recorder = Recorder::start(records, self.own.clone());
        let committed = SinkCommits::start(committers).commit(
            publication,
            Because::RecordedBefore,
            Box::pin(std::future::ready(Ok(()))),
        );
        self.in_background(committed, move |manager, committed| match committed {
            Ok(()) => manager.record_end_of_awaited(id, recorder, JobStatus::Finished, None),
            Err(NotCommitted::NotLeading) => {}
            Err(NotCommitted::Failed(why)) => {
                let why = format!("results could not be committed: {why}");
                manager.record_end_of_awaited(id, recorder, JobStatus::Failed, Some(why));
            }
        });
    }

    fn record_end_of_awaited(&self, id: JobId, recorder: Recorder, status: JobStatus, why: Option<String>) {
        let end = JobEnd { state: status.word().to_owned(), at_ms: now_ms(), why };
        let recorded = recorder.append(RecordedEvent::Ended(end.clone()));
        self.in_background(recorded, move |manager, recorded| {
            if recorded.is_ok() {
                manager.note_past(id, end);
            }
        });
    }

    fn note_past(&mut self, id: JobId, end: JobEnd) {
        if let Some(stored) = self.awaited.remove(&id).and_then(|awaited| awaited.stored) {
            self.past.push(past(&stored, end));
        }
    }

    /// Cancels a job that is not taken up: it will not be, unless its results are being published.
    pub(super) fn cancel_awaited(&mut self, id: JobId) -> Result<(), Refusal> {
        let awaited = self.awaited.get_mut(&id).ok_or(Refusal::UnknownJob(id))?;
        let refuse = |why| Err(Refusal::WrongState { job: id, state: JobStatus::Initializing.word(), why });
        match &awaited.stored {
            None => return refuse("its records cannot be read; look after them, or remove them from the storage"),
            Some(stored) if publication(&stored.events).is_some() => {
                return refuse("all of its tasks have finished, and its results are being published");
            }
            Some(_) => {}
        }
        awaited.cancelled = true;
        self.try_to_take_up(id);
        Ok(())
    }
}

/// Plans a job and becomes its JobMaster. Planned first: a job that this process cannot run is left to whoever runs it.
async fn take(store: &JobStore, stored: StoredJob, clock: Clock) -> Result<Taken, NotTaken> {
    let job = stored.job;
    if publication(&stored.events).is_some() {
        let committers = committers(stored, clock).await?;
        return Ok(match store.take_over(job, nonce()).await? {
            TakeOver::Leads(records, events) => {
                let publication = publication(&events).cloned().unwrap_or_default();
                Taken::Publishes(records, publication, committers)
            }
            TakeOver::Ended(end) => Taken::Ended(end),
            TakeOver::Gone => Taken::Gone,
        });
    }
    let prepared = tokio::task::spawn_blocking(move || PreparedJob::again(stored.submission.program, clock)).await??;
    Ok(match store.take_over(job, nonce()).await? {
        TakeOver::Leads(records, events) => match publication(&events) {
            // Recorded since it was looked.
            Some(publication) => Taken::Publishes(records, publication.clone(), prepared.sinks),
            None => Taken::Leads(records, Box::new(prepared)),
        },
        TakeOver::Ended(end) => Taken::Ended(end),
        TakeOver::Gone => Taken::Gone,
    })
}

/// Becomes the JobMaster of a job without planning it, to end it; unless its results are being published.
async fn cancel(store: &JobStore, stored: StoredJob, clock: Clock) -> Result<Taken, NotTaken> {
    Ok(match store.take_over(stored.job, nonce()).await? {
        TakeOver::Leads(records, events) => match publication(&events) {
            Some(publication) => {
                let committers = committers(stored, clock).await?;
                Taken::Publishes(records, publication.clone(), committers)
            }
            None => Taken::Cancelled(records),
        },
        TakeOver::Ended(end) => Taken::Ended(end),
        TakeOver::Gone => Taken::Gone,
    })
}

async fn committers(stored: StoredJob, clock: Clock) -> Result<Committers, NotTaken> {
    Ok(tokio::task::spawn_blocking(move || PreparedJob::committers(stored.submission.program, clock)).await??)
}

/// What is to become visible, if that was recorded.
fn publication(events: &[RecordedEvent]) -> Option<&Publication> {
    events.iter().find_map(|event| match event {
        RecordedEvent::Publish(publication) => Some(publication),
        RecordedEvent::Submitted(_) | RecordedEvent::TakenOver {} | RecordedEvent::Ended(_) => None,
    })
}

fn past(stored: &StoredJob, end: JobEnd) -> PastJob {
    PastJob {
        job: stored.job,
        name: stored.submission.program.name.clone(),
        submitted_ms: stored.submission.at_ms,
        ended_ms: end.at_ms,
        state: end.state,
        why: end.why,
    }
}
