//! A job in one process: its tasks deployed into slots, its splits handed out, its results committed.
//!
//! # Flow
//! 1. `deploy::tasks` makes the tasks of every vertex and the channels between them.
//! 2. Each slot's thread starts; [`RunningJob::wait`] listens to the tasks' reports.
//! 3. The first failure cancels the others and is the job's answer.
//! 4. When all tasks have ended, what the sinks have closed is committed. A job without end commits as it goes, since there
//!    is no later moment; a bounded one that fails leaves nothing visible.

mod commits;
mod deploy;
mod metrics;
mod splits;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use millstream_engine::error::{Error, Result};
use millstream_engine::io::source::Boundedness;
use millstream_graph::{JobGraph, NodeKind};
use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::io::Io;
use crate::slot::{self, Command, Outcome, Report, TaskName};
use crate::task::TaskError;
use commits::Commits;

pub use metrics::{JobMetrics, Progress};

/// What a job needs to run.
#[derive(Debug)]
pub struct JobSpec {
    /// What is run.
    pub graph: Arc<JobGraph>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Names this try; part of the names of what is not committed yet.
    pub attempt: Arc<str>,
}

/// A job whose tasks are running.
#[derive(Debug)]
pub struct RunningJob {
    metrics: Arc<JobMetrics>,
    stop: Arc<AtomicBool>,
    command: watch::Sender<Command>,
    reports: mpsc::Receiver<Report>,
    tasks: usize,
    commits: Commits,
}

/// How a job ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobEnd {
    /// All input was read.
    Finished,
    /// It was stopped; what was read is in the results.
    Stopped,
    /// It was cancelled at once.
    Cancelled,
}

/// Why a job failed.
#[derive(Debug, thiserror::Error)]
#[error("task {task} failed: {source}")]
pub struct JobFailure {
    /// The task that failed first.
    pub task: TaskName,
    /// Why.
    #[source]
    pub source: TaskError,
}

/// Tells a running job what to do.
#[derive(Debug, Clone)]
pub struct JobControl {
    stop: Arc<AtomicBool>,
    command: watch::Sender<Command>,
}

impl JobControl {
    /// Ends the sources. What was read is worked on to its end, event time is not: open windows stay open.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.raise(Command::Stop);
    }

    /// Ends all tasks at once.
    pub fn cancel(&self) {
        self.raise(Command::Cancel);
    }

    fn raise(&self, to: Command) {
        self.command.send_if_modified(|command| {
            let raised = *command < to;
            *command = to.max(*command);
            raised
        });
    }
}

/// Why a job could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What a source names cannot be read: a missing file, a pattern that matches nothing.
    #[error("`{node}`: {error}")]
    Input {
        /// The source, as messages call it.
        node: String,
        /// Why.
        error: Error,
    },
    /// Anything else.
    #[error(transparent)]
    Other(#[from] Error),
}

/// Deploys a job and starts its slots.
pub fn start(spec: JobSpec, io: &Io) -> Result<RunningJob, StartError> {
    let stop = Arc::new(AtomicBool::new(false));
    let commits = Commits::of(&spec.graph, is_unbounded(&spec.graph), io)?;
    let metrics = Arc::new(JobMetrics::new(&spec.graph));
    let deployed = deploy::tasks(&spec, io, &stop, &commits, &metrics)?;
    let tasks = deployed.iter().map(|slot| slot.len()).sum();
    let (command, commands) = watch::channel(Command::Run);
    let (report, reports) = mpsc::channel(tasks);
    for (number, tasks) in (0..).zip(deployed) {
        slot::start(number, tasks, &commands, &report)?;
    }
    Ok(RunningJob { metrics, stop, command, reports, tasks, commits })
}

fn is_unbounded(graph: &JobGraph) -> bool {
    graph.program.nodes.iter().any(|node| match &node.kind {
        NodeKind::Source(of) => of.source.boundedness() == Boundedness::Unbounded,
        NodeKind::Operator(_) | NodeKind::Sink(_) => false,
    })
}

impl RunningJob {
    /// What the tasks count.
    pub fn metrics(&self) -> Arc<JobMetrics> {
        Arc::clone(&self.metrics)
    }

    /// A handle that tells the job what to do.
    pub fn control(&self) -> JobControl {
        JobControl { stop: Arc::clone(&self.stop), command: self.command.clone() }
    }

    /// Waits until all tasks have ended and results are committed.
    pub async fn wait(mut self) -> Result<JobEnd, JobError> {
        let control = self.control();
        let mut failure: Option<JobError> = None;
        let mut cancelled = false;
        let mut left = self.tasks;
        while left > 0 {
            tokio::select! {
                report = self.reports.recv() => {
                    let Some(Report { task, outcome }) = report else { break };
                    left -= 1;
                    match outcome {
                        Outcome::Finished(ended) => {
                            tracing::debug!(%task, "finished");
                            if ended.waits_for_clock {
                                tracing::warn!(%task, "windows of the wall clock were still open at the end; they give no result");
                            }
                        }
                        Outcome::Cancelled => cancelled = true,
                        Outcome::Failed(source) => {
                            control.cancel();
                            failure = Some(worse(failure, JobFailure { task, source }));
                        }
                    }
                }
                error = self.commits.go_on(), if failure.is_none() => {
                    control.cancel();
                    failure = Some(JobError::Commit(error));
                }
            }
        }
        if let Some(failure) = failure {
            return Err(failure);
        }
        if cancelled {
            return Ok(JobEnd::Cancelled);
        }
        self.commits.finish().await.map_err(JobError::Commit)?;
        Ok(if self.stop.load(Ordering::Relaxed) { JobEnd::Stopped } else { JobEnd::Finished })
    }
}

/// The failure that explains the others: the first one with a cause of its own.
fn worse(first: Option<JobError>, second: JobFailure) -> JobError {
    match first {
        None => JobError::Task(second),
        Some(JobError::Task(JobFailure { source: TaskError::InputLost, .. })) => JobError::Task(second),
        Some(first @ (JobError::Task(_) | JobError::Commit(_))) => first,
    }
}

/// Why a job did not end well.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// A task failed.
    #[error(transparent)]
    Task(#[from] JobFailure),
    /// Results could not be made visible.
    #[error("results could not be committed: {0}")]
    Commit(#[source] Error),
}
