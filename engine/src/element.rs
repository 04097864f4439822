//! What travels along a channel, in order with everything else on it.

use crate::batch::EventBatch;

/// One thing that travels along a channel.
///
/// The order on a channel is the meaning: a watermark speaks of the batches before it, a barrier cuts the stream where it
/// stands. Every `match` on this type names all variants, so that a new one is a list of compile errors and not a silent
/// drop.
#[derive(Debug, Clone)]
pub enum StreamElement {
    /// Rows.
    Batch(EventBatch),
    /// No row with an event time at or below this is to come.
    Watermark(Watermark),
    /// Whether this channel takes part in the event-time clock of whoever reads it.
    Status(WatermarkStatus),
    /// The cut of a checkpoint.
    Barrier(Barrier),
    /// Nothing follows on this channel.
    EndOfInput,
}

impl StreamElement {
    /// Bytes of memory that it holds: those of its rows.
    pub fn memory_bytes(&self) -> usize {
        match self {
            Self::Batch(batch) => batch.memory_bytes(),
            Self::Watermark(_) | Self::Status(_) | Self::Barrier(_) | Self::EndOfInput => 0,
        }
    }
}

/// A promise: no more rows with an event time at or below this one. Milliseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Watermark(pub i64);

impl Watermark {
    /// Nothing is promised yet.
    pub const MIN: Self = Self(i64::MIN);
    /// The end of time: sent once, by a bounded input that has ended.
    pub const MAX: Self = Self(i64::MAX);
}

/// Whether a channel's watermark counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatermarkStatus {
    /// The channel holds the merged watermark back until it advances.
    Active,
    /// The channel is silent for now and holds nobody back.
    Idle,
}

/// The cut of checkpoint `id`: what stands before it on a channel belongs to the checkpoint, what follows does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Barrier {
    /// The checkpoint that this barrier belongs to.
    pub id: CheckpointId,
}

/// The number of a checkpoint, counted from 1 for each job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckpointId(pub u64);

impl std::fmt::Display for Watermark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::MIN => f.write_str("MIN"),
            Self::MAX => f.write_str("MAX"),
            Self(ms) => write!(f, "{ms}"),
        }
    }
}
