//! What others may ask of the jobmaster's process.

use std::sync::Arc;

use millstream_graph::JobId;
use millstream_planner::functions::Clock;
use millstream_protocol::link::MasterLink;
use tokio::sync::{mpsc, oneshot};

use super::{Job, JobManager, JobOutcome, Message, PreparedJob, Unusable, now_ms};
use crate::job_store::StoreError;

/// The way into the loop. The process ends when the last one is dropped.
#[derive(Clone)]
pub struct JobManagerHandle {
    inbox: mpsc::Sender<Message>,
    clock: Clock,
}

/// A job that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// Which.
    pub job: JobId,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Why nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The job cannot be planned, or what it names is not there.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// A job of that name runs.
    #[error("a job named `{name}` is {state} already (id {job}); cancel it first or give this one another name")]
    Duplicate {
        /// The name.
        name: String,
        /// Flink's word for where the other stands.
        state: &'static str,
        /// The other.
        job: JobId,
    },
    /// It could not be stored.
    #[error("the job could not be stored and was not started: {0}")]
    NotStored(String),
    /// It could not be stored, and what was written of it could not be deleted.
    #[error(
        "the job was not started; it could not be stored, and if part of it was, the next jobmaster starts it: {0}"
    )]
    PerhapsStored(String),
    /// There is no such job.
    #[error("job {0} is not known")]
    UnknownJob(JobId),
    /// The job is in a state in which that cannot be done.
    #[error("job {job} is {state}: {why}")]
    WrongState {
        /// The job.
        job: JobId,
        /// Flink's word for where it stands.
        state: &'static str,
        /// What to do instead.
        why: &'static str,
    },
    /// The process ends.
    #[error("the jobmaster is ending")]
    Ending,
}

impl Refusal {
    /// Its first record could not be written; `deleted` says whether what there may be of it is gone.
    pub(super) fn not_stored(error: &StoreError, deleted: &Result<(), StoreError>) -> Self {
        let why = error.to_string();
        if deleted.is_ok() { Self::NotStored(why) } else { Self::PerhapsStored(why) }
    }
}

impl JobManagerHandle {
    pub(super) fn new(inbox: mpsc::Sender<Message>, clock: Clock) -> Self {
        Self { inbox, clock }
    }

    /// Runs `ask` in the loop and answers with what it says; `None` when the process ends.
    pub async fn ask<T: Send + 'static>(&self, ask: impl FnOnce(&mut JobManager) -> T + Send + 'static) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let question = move |manager: &mut JobManager| {
            // Whoever asked may have gone.
            let _ = answer.send(ask(manager));
        };
        self.inbox.send(Message::Do(Box::new(question))).await.ok()?;
        answered.await.ok()
    }

    /// Takes a worker's link.
    pub async fn take_link(&self, link: MasterLink) {
        // A process that ends takes no workers; the link ends with this.
        let _ = self.inbox.send(Message::Linked(link)).await;
    }

    /// Plans the job in the text of a manifest and starts it.
    pub async fn submit_manifest(&self, text: String) -> Result<Submitted, Refusal> {
        let clock = Arc::clone(&self.clock);
        let prepare = move || PreparedJob::from_manifest(&text, now_ms(), clock);
        let prepared = tokio::task::spawn_blocking(prepare).await;
        self.submit(prepared.map_err(|error| Refusal::NotStored(error.to_string()))??).await
    }

    /// Starts a job.
    pub async fn submit(&self, prepared: PreparedJob) -> Result<Submitted, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.ask(move |manager| manager.submit(prepared, answer)).await.ok_or(Refusal::Ending)?;
        answered.await.map_err(|_| Refusal::Ending)?
    }

    /// Ends a job at once.
    pub async fn cancel(&self, job: JobId) -> Result<(), Refusal> {
        self.ask(move |manager| manager.cancel(job)).await.ok_or(Refusal::Ending)?
    }

    /// Ends the sources of a job; what was read is worked on to its end.
    pub async fn stop(&self, job: JobId) -> Result<(), Refusal> {
        self.ask(move |manager| manager.stop(job)).await.ok_or(Refusal::Ending)?
    }

    /// Waits until a job has ended.
    pub async fn wait(&self, job: JobId) -> Result<JobOutcome, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.ask(move |manager| manager.tell_end(job, answer)).await.ok_or(Refusal::Ending)??;
        // A job that is forgotten has no end to tell any more; a loop that has ended closes its inbox.
        let forgotten = |_| if self.inbox.is_closed() { Refusal::Ending } else { Refusal::UnknownJob(job) };
        answered.await.map_err(forgotten)
    }

    /// Something of a job.
    pub async fn of_job<T: Send + 'static>(
        &self,
        job: JobId,
        ask: impl FnOnce(&Job) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let found = self.ask(move |manager| manager.job(job).map(ask)).await.ok_or(Refusal::Ending)?;
        found.ok_or(Refusal::UnknownJob(job))
    }
}

impl std::fmt::Debug for JobManagerHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobManagerHandle").finish_non_exhaustive()
    }
}
