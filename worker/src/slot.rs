//! A slot: one thread that runs one subtask of every vertex of its sharing group.
//!
//! The tasks of a slot share nothing with other slots but channels. They run on an executor of their own, so that a task
//! that waits costs nothing, and blocking work goes elsewhere.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use millstream_engine::error::Error;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;

use crate::task::{Ended, Task, TaskError};

/// Names a task of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskName {
    /// The names of the chain's operators.
    pub vertex: Arc<str>,
    /// Which subtask, from 0.
    pub subtask: u32,
    /// Of how many.
    pub parallelism: u32,
}

impl std::fmt::Display for TaskName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` ({}/{})", self.vertex, self.subtask + 1, self.parallelism)
    }
}

/// What a job asks of its tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Command {
    /// Go on.
    Run,
    /// End the sources; what was read is worked on to its end.
    Stop,
    /// End at once.
    Cancel,
}

/// How a task ended.
#[derive(Debug)]
pub enum Outcome {
    /// Its input ended.
    Finished(Ended),
    /// It was told to.
    Cancelled,
    /// It failed, or a task that it reads from did.
    Failed(TaskError),
}

/// A task's last word.
#[derive(Debug)]
pub struct Report {
    /// Whose.
    pub task: TaskName,
    /// How it ended.
    pub outcome: Outcome,
}

/// Starts the thread of slot `number` with these tasks. Each task reports once.
pub fn start(
    number: u32,
    tasks: Vec<(TaskName, Task)>,
    command: &watch::Receiver<Command>,
    reports: &mpsc::Sender<Report>,
) -> Result<(), Error> {
    let (command, reports) = (command.clone(), reports.clone());
    let run = move || match Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => LocalSet::new().block_on(&runtime, run_all(tasks, command, reports)),
        Err(error) => {
            let failed = Error::io("starting the executor of a slot", error);
            let report =
                tasks.into_iter().next().map(|(task, _)| Report { task, outcome: Outcome::Failed(failed.into()) });
            // A job that is gone needs no report.
            let _ = report.map(|report| reports.blocking_send(report));
        }
    };
    match std::thread::Builder::new().name(format!("slot-{number}")).spawn(run) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::io(format!("starting the thread of slot {number}"), error)),
    }
}

async fn run_all(tasks: Vec<(TaskName, Task)>, command: watch::Receiver<Command>, reports: mpsc::Sender<Report>) {
    let running: Vec<_> = tasks
        .into_iter()
        .map(|(name, task)| {
            let (command, reports) = (command.clone(), reports.clone());
            tokio::task::spawn_local(async move {
                let outcome = drive(task, command).await;
                // A job that is gone needs no report.
                let _ = reports.send(Report { task: name, outcome }).await;
            })
        })
        .collect();
    for task in running {
        // `drive` catches panics; the executor does not end tasks otherwise.
        let _ = task.await;
    }
}

/// Runs a task to its end or until it is cancelled.
async fn drive(mut task: Task, mut command: watch::Receiver<Command>) -> Outcome {
    loop {
        let polled = std::future::poll_fn(|waker_cx| {
            // A panic fails the task and not the process. The task is dropped afterwards, whatever state it is in.
            match std::panic::catch_unwind(AssertUnwindSafe(|| task.poll(waker_cx))) {
                Ok(poll) => poll,
                Err(panic) => std::task::Poll::Ready(Err(Error::internal(describe(panic.as_ref())).into())),
            }
        });
        tokio::select! {
            biased;
            changed = command.changed() => match changed {
                Ok(()) if *command.borrow() < Command::Cancel => {}
                Ok(()) | Err(_) => return Outcome::Cancelled,
            },
            ended = polled => return match ended {
                Ok(ended) => Outcome::Finished(ended),
                Err(error) => Outcome::Failed(error),
            },
        }
    }
}

fn describe(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("a task panicked: {}", text.unwrap_or_else(|| "no message".to_owned()))
}
