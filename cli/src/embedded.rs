//! A whole cluster in this process: a jobmaster and one worker with as many slots as the job needs, joined by channels
//! instead of sockets. Nothing listens, and nothing is kept.

use std::sync::Arc;
use std::time::Duration;

use millstream_graph::{JobGraph, JobId, WorkerId};
use millstream_jobmaster::job_manager::{
    self, JobManagerHandle, JobOutcome, PreparedJob, Progress, Refusal, Settings, now_ms,
};
use millstream_jobmaster::job_store::JobStore;
use millstream_jobmaster::resource::driver::Standalone;
use millstream_planner::options::restart::RestartKind;
use millstream_planner::resolved::{Plan, ResolvedProgram, build};
use millstream_protocol::link;
use millstream_storage::Storage;
use millstream_worker::clock::SystemClock;
use millstream_worker::io::Io;
use millstream_worker::task_manager::{self, SessionEnd};

/// How long the worker may take to end its tasks after the job has ended.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// A job that runs in this process.
#[derive(Debug)]
pub(crate) struct EmbeddedJob {
    io: Io,
    handle: JobManagerHandle,
    job: JobId,
    worker: tokio::task::JoinHandle<SessionEnd>,
}

/// Why a job did not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotRun {
    /// What it names cannot be used: one problem each.
    #[error("{}", .0.join("\n"))]
    Unusable(Vec<String>),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl EmbeddedJob {
    /// Starts a job. Tasks run `graph`, which is the plan's or one with other sinks.
    pub(crate) fn start(program: ResolvedProgram, plan: Plan, graph: Arc<JobGraph>) -> Result<Self, NotRun> {
        let other = |error: &dyn std::fmt::Display| NotRun::Other(error.to_string());
        let io = Io::start().map_err(|error| other(&error))?;
        let store = JobStore::new(Storage::in_memory());
        let settings = Settings { default_restart: RestartKind::None, ..Settings::new(store, Arc::new(now_ms)) };
        let slots = graph.slots_needed();
        let prepared = PreparedJob::new(program, plan).map_err(|unusable| NotRun::Unusable(unusable.0))?;
        let worker_settings = task_manager::Settings {
            worker: WorkerId::new("embedded"),
            build: build().to_owned(),
            slots,
            slot_memory: None,
            planner: Arc::new(move |_| Ok(Arc::clone(&graph))),
            clock: Arc::new(SystemClock::default()),
            exchange: None,
        };
        let (handle, worker, job) = io.handle().block_on(async {
            let (handle, jobmaster) = job_manager::start(settings, Box::new(Standalone));
            tokio::spawn(jobmaster);
            let (workers_end, masters_end) = link::pair();
            handle.take_link(masters_end).await;
            let worker = tokio::spawn(task_manager::serve(worker_settings, &io, workers_end));
            (handle.clone(), worker, handle.submit(prepared).await)
        });
        match job {
            Ok(submitted) => Ok(Self { io, handle, job: submitted.job, worker }),
            Err(refusal) => Err(other(&refusal)),
        }
    }

    /// Waits for the end. `meanwhile` is run beside it and dropped with it.
    pub(crate) fn wait(
        self,
        meanwhile: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(JobOutcome, Progress), Refusal> {
        let Self { io, handle, job, worker } = self;
        let ended = io.handle().block_on(async {
            let meanwhile = tokio::spawn(meanwhile);
            let ended = handle.wait(job).await;
            meanwhile.abort();
            let progress = handle.of_job(job, |job| job.progress()).await;
            Ok((ended?, progress?))
        });
        // The worker ends with its link, and that with the jobmaster.
        drop(handle);
        // One that does not end in time is left to the end of the process.
        let _ = io.handle().block_on(async { tokio::time::timeout(END_TIMEOUT, worker).await });
        io.shut_down();
        ended
    }

    /// What may be asked of the job while it runs.
    pub(crate) fn control(&self) -> JobControl {
        JobControl { handle: self.handle.clone(), job: self.job }
    }
}

/// What may be asked of a job while it runs.
#[derive(Debug, Clone)]
pub(crate) struct JobControl {
    handle: JobManagerHandle,
    job: JobId,
}

impl JobControl {
    /// Ends the sources; what was read is worked on to its end.
    pub(crate) async fn stop(&self) {
        if let Err(refusal) = self.handle.stop(self.job).await {
            tracing::debug!("the job was not stopped: {refusal}");
        }
    }

    /// Ends all tasks at once.
    pub(crate) async fn cancel(&self) {
        if let Err(refusal) = self.handle.cancel(self.job).await {
            tracing::debug!("the job was not cancelled: {refusal}");
        }
    }

    /// How far it has come; `None` when it is over.
    pub(crate) async fn progress(&self) -> Option<Progress> {
        self.handle.of_job(self.job, |job| job.progress()).await.ok()
    }
}
