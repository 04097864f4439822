//! The tasks that a worker was sent, from then to their last report.

use std::sync::Arc;

use millstream_engine::error::{Error, Recovery};
use millstream_engine::metrics::OperatorMetrics;
use millstream_protocol::message::{OperatorCounts, TaskFailure, TaskMetrics, TaskState, TaskToDeploy};
use tokio::sync::watch;

use super::commits::TaskCommits;
use crate::memory::TaskUse;
use crate::slot::{Command, Outcome};
use crate::task::{Doing, SourceCommand, SourceControl, TaskError, TaskTimes};

/// What the loop sees of a task from the moment it is sent, and the task when it is made.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    /// What its sinks have finished.
    pub(super) commits: Arc<TaskCommits>,
    /// What its source is told, if it has one. It is the task's and not the job's: a try that follows reads again.
    pub(super) control: Arc<SourceControl>,
}

/// A task that has not reported its last state.
#[derive(Debug)]
pub(super) struct HeldTask {
    /// Where it was sent to.
    pub(super) to_deploy: TaskToDeploy,
    /// What it is told.
    pub(super) command: watch::Sender<Command>,
    /// What it and this worker's loop both see.
    pub(super) shared: Shared,
    /// What its operators count; none while it is being made.
    pub(super) metrics: Vec<Arc<OperatorMetrics>>,
    /// What it holds in memory, once it runs.
    pub(super) memory: Option<Arc<TaskUse>>,
    /// What it does with its time.
    pub(super) times: Arc<TaskTimes>,
}

impl HeldTask {
    /// Ends it at once.
    pub(super) fn cancel(&self) {
        self.command.send_replace(Command::Cancel);
    }

    /// Ends its source, if it has one, perhaps before it is made.
    pub(super) fn stop_source(&self) {
        self.shared.control.tell(SourceCommand::Stop);
    }

    /// What it has counted so far.
    pub(super) fn metrics(&self) -> TaskMetrics {
        TaskMetrics {
            operators: self.metrics.iter().map(|operator| counts(operator)).collect(),
            busy_ms: self.times.spent_ms(Doing::Work),
            back_pressured_ms: self.times.spent_ms(Doing::WaitForRoom),
            idle_ms: self.times.spent_ms(Doing::WaitForInput),
            memory_bytes: self.memory.as_ref().map_or(0, |memory| memory.total() as u64),
        }
    }
}

fn counts(operator: &OperatorMetrics) -> OperatorCounts {
    OperatorCounts {
        records_in: operator.records_in(),
        records_out: operator.records_out(),
        side_records_out: operator.side_records_out(),
        late_dropped: operator.late_dropped(),
        records_in_errors: operator.records_in_errors(),
        watermark: operator.watermark().0,
    }
}

/// What the JobMaster is told of a task that has ended so.
pub(super) fn last_state(outcome: &Outcome) -> TaskState {
    match outcome {
        Outcome::Finished(ended) => TaskState::Finished { waits_for_clock: ended.waits_for_clock },
        Outcome::Cancelled => TaskState::Canceled,
        Outcome::Failed(TaskError::Failed(error)) => TaskState::Failed(failure(error)),
        Outcome::Failed(error @ TaskError::InputLost) => {
            TaskState::Failed(TaskFailure { why: error.to_string(), may_recover: true, follows: true })
        }
    }
}

/// An error and its causes, each said once.
pub(super) fn failure(error: &Error) -> TaskFailure {
    let mut why = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(of) = cause {
        let said = of.to_string();
        if !why.contains(&said) {
            why.push_str(": ");
            why.push_str(&said);
        }
        cause = of.source();
    }
    let may_recover = match error.recovery() {
        Recovery::RetryOperation | Recovery::RestartTask => true,
        Recovery::FailJob => false,
    };
    TaskFailure { why, may_recover, follows: false }
}
