//! Checkpoints of a job: when one is made, when it counts, and what its record says.
//!
//! A checkpoint is a cut through all tasks of a job at one point of its streams. The [`coordinator`] decides everything about
//! it and does no IO; the [`manifest`] is the record that makes it count; the [`statistics`] are what people and tools see.
//!
//! # The sequence of records is the truth
//! A checkpoint is completed when its manifest was created as the next record of the job, and at no other moment. Before that
//! nothing outside of the job has seen it and it can be aborted. While the record is being written nobody knows, so it is
//! neither aborted nor does it expire, whatever becomes of the job meanwhile: the answer is waited for.
//!
//! # Savepoints
//! A savepoint is a checkpoint that someone asked for. It commits like every other, so a job that starts again starts from
//! the latest one of either kind. It is never forgotten, and does not put off the next checkpoint. (Flink's savepoints commit
//! nothing and are not restored from, because users delete them as files; here they are deleted through the job's store.)

pub mod coordinator;
pub mod manifest;
pub mod statistics;

use serde::{Deserialize, Serialize};

pub use coordinator::{Action, CheckpointCoordinator, Event, RequestId, Stage, TriggerAnswer};
pub use manifest::{Manifest, OperatorManifest, StatePart};
pub use statistics::{CheckpointCounts, CheckpointStatistics, CheckpointStatus, CheckpointSummary, RestoredCheckpoint};

/// `execution.checkpointing.max-concurrent-checkpoints`: how many checkpoints may be in flight. No other number is supported.
pub const MAX_CONCURRENT_CHECKPOINTS: u32 = 1;

/// What a checkpoint is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CheckpointKind {
    /// To start again from after a failure; forgotten when there are newer ones.
    Checkpoint,
    /// To be kept until someone deletes it.
    Savepoint,
}

/// When checkpoints are made and kept. Names are Flink's; times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointSettings {
    /// `execution.checkpointing.interval`: how long after one is triggered the next one is. None: only when someone asks.
    pub interval_ms: Option<i64>,
    /// `execution.checkpointing.timeout`: how long one may take until all tasks have acknowledged it.
    pub timeout_ms: i64,
    /// `execution.checkpointing.min-pause`: how long after the end of one no other is triggered by itself.
    pub min_pause_ms: i64,
    /// `execution.checkpointing.num-retained`: how many completed checkpoints are kept, savepoints not counted. At least 1.
    pub num_retained: usize,
    /// `execution.checkpointing.tolerable-failed-checkpoints`: how many may fail in a row until the job fails. None: any
    /// number, which unlike Flink's 0 lets no job fail only because its checkpoints are slow.
    pub tolerable_failed: Option<u32>,
}

impl Default for CheckpointSettings {
    fn default() -> Self {
        Self {
            interval_ms: Some(10_000),
            timeout_ms: 600_000,
            min_pause_ms: 0,
            num_retained: 2,
            tolerable_failed: None,
        }
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
