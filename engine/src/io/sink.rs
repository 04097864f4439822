//! Sinks: where results go, and when they are seen.
//!
//! A [`SinkWriter`] writes what its subtask is given. What it has written becomes visible only when it is committed: at a
//! barrier or at the end the writer hands out [`Committable`]s, and once they are safe (the checkpoint is complete, or the
//! bounded job has ended) the sink's one [`Committer`] makes them visible. Committing may be repeated.

use std::fmt::Debug;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::source::IoRuntime;
use crate::batch::EventBatch;
use crate::element::Watermark;
use crate::error::Result;
use crate::operators::ProcessingTime;

/// A sink as it was planned. Shared by all subtasks.
pub trait Sink: Send + Sync + Debug {
    /// A writer for one subtask.
    fn create_writer(&self, context: WriterContext) -> Result<Box<dyn SinkWriter>>;

    /// The one committer of a job for this sink; the job's master calls it. `None`: rows are visible once written.
    fn create_committer(&self) -> Result<Option<Box<dyn Committer>>>;
}

/// What a writer may use.
#[derive(Debug, Clone)]
pub struct WriterContext {
    /// Which subtask it writes for.
    pub subtask: u32,
    /// How many subtasks write.
    pub parallelism: u32,
    /// Names this try of this job; part of the names of what is not committed yet.
    pub attempt: Arc<str>,
    /// Runs blocking writes away from the slot's thread.
    pub io: Arc<dyn IoRuntime>,
    /// Takes what may be made visible at once, where there are no checkpoints to wait for.
    pub commits: Arc<dyn CommitSender>,
}

/// Takes what a writer has finished, to be committed when it is safe.
pub trait CommitSender: Send + Sync + Debug {
    /// Hands over `committables`; never blocks.
    fn send(&self, committables: Vec<Committable>);

    /// Whether what is sent is committed without waiting for a checkpoint. If so a writer sends what it finishes (a file
    /// that is full) when it is finished; otherwise all of it is answered by [`SinkWriter::poll_closed`].
    fn at_once(&self) -> bool {
        true
    }
}

/// Something written and not yet visible, in the sink's own words (JSON).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committable(pub String);

/// Writes for one subtask. Called by its task only; never blocks.
pub trait SinkWriter: Send {
    /// Whether it can take more. `Pending` wakes `_waker_cx` later. An error of an earlier write comes out here.
    fn poll_ready(&mut self, _waker_cx: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Writes rows.
    fn write(&mut self, batch: EventBatch, now: ProcessingTime) -> Result<()>;

    /// The watermark has advanced.
    fn watermark(&mut self, _watermark: Watermark, _now: ProcessingTime) -> Result<()> {
        Ok(())
    }

    /// The time that `next_time` named has come (rolling, flushing).
    fn time(&mut self, _now: ProcessingTime) -> Result<()> {
        Ok(())
    }

    /// When `time` is wanted next.
    fn next_time(&self) -> Option<ProcessingTime> {
        None
    }

    /// Bytes of memory that its encoders and what waits to be written hold now; see [`crate::memory`]. Asked every few batches.
    fn memory_bytes(&self) -> usize;

    /// Begins to close what is open, at a barrier or at the end of input; `poll_closed` says when it is done.
    fn close(&mut self, now: ProcessingTime) -> Result<()>;

    /// After `close`: all that is written since the last close is safe on its way, as these committables.
    fn poll_closed(&mut self, waker_cx: &mut Context<'_>) -> Poll<Result<Vec<Committable>>>;
}

/// Makes committables visible.
pub trait Committer: Send {
    /// Makes all of them visible, or none if the error is one that repeating does not mend ([`Recovery::FailJob`]). They may
    /// be visible already: a repeated commit changes nothing. `again` says that an earlier process may have committed them to
    /// the end, since when readers may have taken away what was visible. May block.
    ///
    /// [`Recovery::FailJob`]: crate::error::Recovery::FailJob
    fn commit(&mut self, committables: &[Committable], again: bool) -> Result<()>;
}
