//! What is known of a job's checkpoints, for people and tools to read: REST shows it as `/jobs/:id/checkpoints`, with Flink's
//! words. It is of this coordinator: one that takes the job over counts anew.

use std::collections::VecDeque;

use millstream_engine::element::CheckpointId;

use super::CheckpointKind;

/// How a checkpoint stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckpointStatus {
    /// It was triggered and is not over.
    InProgress,
    /// Its manifest was recorded.
    Completed,
    /// It was aborted.
    Failed,
}

impl CheckpointStatus {
    /// Flink's word, as REST shows it.
    pub fn word(self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
        }
    }
}

/// How many checkpoints there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CheckpointCounts {
    /// How often the job started from one.
    pub restored: u64,
    /// Triggered, however they ended.
    pub total: u64,
    /// Not over: 0 or 1.
    pub in_progress: u64,
    /// Recorded.
    pub completed: u64,
    /// Aborted.
    pub failed: u64,
}

/// A checkpoint as it stands or has ended. Times are in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointSummary {
    /// Which one.
    pub id: CheckpointId,
    /// What it is for.
    pub kind: CheckpointKind,
    /// How it stands.
    pub status: CheckpointStatus,
    /// When it was triggered.
    pub triggered_ms: i64,
    /// When the last task so far acknowledged it or finished.
    pub latest_ack_ms: Option<i64>,
    /// When it ended.
    pub ended_ms: Option<i64>,
    /// How many subtasks the job has.
    pub subtasks: usize,
    /// How many of them have acknowledged it or finished.
    pub acknowledged: usize,
    /// Why it failed.
    pub why: Option<String>,
}

impl CheckpointSummary {
    /// From its trigger to its end, in milliseconds; of one that is not over, to now.
    pub fn duration_ms(&self, now_ms: i64) -> i64 {
        self.ended_ms.unwrap_or(now_ms).saturating_sub(self.triggered_ms).max(0)
    }
}

/// From which checkpoint the job started last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestoredCheckpoint {
    /// Which one.
    pub id: CheckpointId,
    /// What it was for.
    pub kind: CheckpointKind,
    /// When it was restored, in milliseconds since 1970.
    pub at_ms: i64,
}

/// What is known of a job's checkpoints.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckpointStatistics {
    counts: CheckpointCounts,
    history: VecDeque<CheckpointSummary>,
    latest_completed: Option<CheckpointSummary>,
    latest_failed: Option<CheckpointSummary>,
    latest_savepoint: Option<CheckpointSummary>,
    latest_restored: Option<RestoredCheckpoint>,
}

impl CheckpointStatistics {
    /// `web.checkpoints.history`: how many are shown.
    pub const HISTORY: usize = 10;

    /// How many there were.
    pub fn counts(&self) -> CheckpointCounts {
        self.counts
    }

    /// The last ones, the oldest first; one that is not over is the last.
    pub fn history(&self) -> impl DoubleEndedIterator<Item = &CheckpointSummary> {
        self.history.iter()
    }

    /// The last completed one that is no savepoint.
    pub fn latest_completed(&self) -> Option<&CheckpointSummary> {
        self.latest_completed.as_ref()
    }

    /// The last failed one of either kind.
    pub fn latest_failed(&self) -> Option<&CheckpointSummary> {
        self.latest_failed.as_ref()
    }

    /// The last completed savepoint.
    pub fn latest_savepoint(&self) -> Option<&CheckpointSummary> {
        self.latest_savepoint.as_ref()
    }

    /// From which one the job started last.
    pub fn latest_restored(&self) -> Option<RestoredCheckpoint> {
        self.latest_restored
    }

    /// One was triggered, of a job with so many subtasks and so many of them finished.
    pub(super) fn begun(&mut self, id: CheckpointId, kind: CheckpointKind, tasks: Tasks, now_ms: i64) {
        self.counts.total += 1;
        self.counts.in_progress += 1;
        if self.history.len() == Self::HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(CheckpointSummary {
            id,
            kind,
            status: CheckpointStatus::InProgress,
            triggered_ms: now_ms,
            latest_ack_ms: None,
            ended_ms: None,
            subtasks: tasks.total,
            acknowledged: tasks.acknowledged,
            why: None,
        });
    }

    /// A task has acknowledged the one in progress or finished.
    pub(super) fn acknowledged(&mut self, now_ms: i64) {
        if let Some(current) = self.in_progress() {
            current.acknowledged += 1;
            current.latest_ack_ms = Some(now_ms);
        }
    }

    /// The one in progress was recorded.
    pub(super) fn completed(&mut self, now_ms: i64) {
        let Some(current) = self.in_progress() else { return };
        current.status = CheckpointStatus::Completed;
        current.ended_ms = Some(now_ms);
        let summary = current.clone();
        match summary.kind {
            CheckpointKind::Checkpoint => self.latest_completed = Some(summary),
            CheckpointKind::Savepoint => self.latest_savepoint = Some(summary),
        }
        self.counts.in_progress -= 1;
        self.counts.completed += 1;
    }

    /// The one in progress was aborted.
    pub(super) fn failed(&mut self, why: &str, now_ms: i64) {
        let Some(current) = self.in_progress() else { return };
        current.status = CheckpointStatus::Failed;
        current.ended_ms = Some(now_ms);
        current.why = Some(why.to_owned());
        self.latest_failed = Some(current.clone());
        self.counts.in_progress -= 1;
        self.counts.failed += 1;
    }

    /// The job starts from one.
    pub(super) fn restored(&mut self, restored: RestoredCheckpoint) {
        self.counts.restored += 1;
        self.latest_restored = Some(restored);
    }

    fn in_progress(&mut self) -> Option<&mut CheckpointSummary> {
        self.history.back_mut().filter(|last| last.status == CheckpointStatus::InProgress)
    }
}

/// How many tasks a checkpoint is of when it is triggered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tasks {
    /// All of the job.
    pub(super) total: usize,
    /// Those that have finished, which need not acknowledge it.
    pub(super) acknowledged: usize,
}
