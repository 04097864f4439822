//! What an operator is: the contract that every step of a program keeps.
//!
//! An operator is told what arrives, one element at a time, and emits rows to numbered [`PortId`]s. It never blocks, never
//! reads a clock (the time comes with the call) and does no IO. Operators that are joined by forward edges run as one
//! [`chain::OperatorChain`], which calls them in turn.
//!
//! # Flow
//! 1. [`Operator::restore`] with the parts of the last snapshot that belong here; only after a restart.
//! 2. Any number of `process_…` calls. One that answers [`Progress::Yield`] is continued by [`Operator::resume`] until it
//!    answers `Done`; no other `process_…` call comes in between.
//! 3. At a barrier [`Operator::prepare_snapshot`] (may emit), then [`Operator::snapshot`] (may not), and later
//!    [`Operator::checkpoint_completed`] if all tasks made it.
//! 4. [`Operator::finish`] once, after the watermark [`Watermark::MAX`] of a bounded input.
//!
//! # Guarantees
//! - Everything that a watermark causes is emitted before the watermark is passed on (the chain does that).
//! - An operator that is given the same calls in the same order emits the same rows in the same order.
//!
//! # What can go wrong
//! An error fails the task; a panic fails the task and not the process.

use std::sync::Arc;
use std::task::{Context, Poll};

use crate::batch::EventBatch;
use crate::element::{Barrier, CheckpointId, Watermark};
use crate::error::{Error, Result};
use crate::metrics::OperatorMetrics;
use crate::state::OperatorState;

pub mod chain;
pub mod event_time;
pub mod expand;
pub mod filter;
pub mod project;
pub mod sink;
pub mod union;
pub mod unnest;

/// Wall-clock time in milliseconds since 1970-01-01 UTC, as the runtime or a test tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessingTime(pub i64);

/// Which of an operator's inputs an element came by: 0, or 0 and 1 for a join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InputId(pub u8);

impl InputId {
    /// The only input of most operators.
    pub const FIRST: Self = Self(0);
}

/// Which of an operator's outputs rows leave by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId(pub u8);

impl PortId {
    /// Results.
    pub const MAIN: Self = Self(0);
    /// Rows that came too late for their window, as they came.
    pub const LATE: Self = Self(1);
    /// What could not be decoded, with the reason.
    pub const DEAD_LETTERS: Self = Self(2);
    /// How many ports there are.
    pub const COUNT: usize = 3;
}

/// Whether a call has done all that it caused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// All of it.
    Done,
    /// The budget of this call is used up. Call [`Operator::resume`] once there is room for more.
    Yield,
}

/// One step of a program, for one subtask. See the [module](self) for the contract.
pub trait Operator: Send {
    /// Rows arrive. The batch is never empty.
    fn process_batch(&mut self, input: InputId, batch: EventBatch, cx: &mut OperatorContext<'_>) -> Result<Progress>;

    /// The merged watermark of all inputs has advanced to `watermark`. It is passed on when this has answered `Done`.
    fn process_watermark(&mut self, watermark: Watermark, cx: &mut OperatorContext<'_>) -> Result<Progress>;

    /// The time that [`Operator::next_time`] named has come: `cx.now` is at or after it.
    fn process_time(&mut self, cx: &mut OperatorContext<'_>) -> Result<Progress>;

    /// Go on with the call that answered [`Progress::Yield`].
    fn resume(&mut self, cx: &mut OperatorContext<'_>) -> Result<Progress>;

    /// A barrier has come by; it is passed on when this has answered `Done`. May emit.
    fn prepare_snapshot(&mut self, barrier: &Barrier, cx: &mut OperatorContext<'_>) -> Result<Progress>;

    /// What must be known to go on from here in another process. Follows [`Operator::prepare_snapshot`] at once.
    fn snapshot(&mut self) -> Result<OperatorState>;

    /// Take up the state in `parts`: the snapshots of all former subtasks of this operator, cut to this subtask's key
    /// groups. Comes before any other call.
    fn restore(&mut self, parts: Vec<OperatorState>) -> Result<()>;

    /// Checkpoint `_id` is durable everywhere; most operators do not care. May be told again, and may be told of a later one only.
    fn checkpoint_completed(&mut self, _id: CheckpointId) -> Result<()> {
        Ok(())
    }

    /// The input has ended and its last watermark is processed. Afterwards only `resume` and snapshots may come.
    fn finish(&mut self, _cx: &mut OperatorContext<'_>) -> Result<Progress> {
        Ok(Progress::Done)
    }

    /// When [`Operator::process_time`] is wanted next, if at all.
    fn next_time(&self) -> Option<ProcessingTime> {
        None
    }

    /// Bytes of memory that its state and what it has still to emit hold now; see [`crate::memory`] for what counts. Asked
    /// every few batches, so it must not take longer the more rows or keys there are.
    fn memory_bytes(&self) -> usize;

    /// Whether a call may be made now. `Pending` wakes `_waker_cx` later. Only operators with an outside end (sinks)
    /// are ever not ready.
    fn poll_ready(&mut self, _waker_cx: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What an operator is told with each call, and where it emits.
#[derive(Debug)]
pub struct OperatorContext<'a> {
    /// The time of this call.
    pub now: ProcessingTime,
    /// Where rows go.
    pub out: &'a mut Output,
    /// What is counted.
    pub metrics: &'a OperatorMetrics,
}

/// The rows that one call has emitted, in order. The chain carries them on when the call returns.
#[derive(Debug)]
pub struct Output {
    batches: Vec<(PortId, EventBatch)>,
    rows: usize,
    budget_rows: usize,
}

/// Rows that an operator may emit in one call before it must yield.
pub const OUTPUT_BUDGET_ROWS: usize = 32 * 1024;

impl Output {
    /// Room for `budget_rows` rows in a call; [`OUTPUT_BUDGET_ROWS`] in production, fewer in tests.
    pub fn with_budget(budget_rows: usize) -> Self {
        Self { batches: Vec::new(), rows: 0, budget_rows }
    }

    /// Hands on `batch`; an empty one is dropped.
    pub fn emit(&mut self, port: PortId, batch: EventBatch) {
        if batch.num_rows() > 0 {
            self.rows += batch.num_rows();
            self.batches.push((port, batch));
        }
    }

    /// Whether the budget is used up, so that a call with more to emit should answer [`Progress::Yield`].
    pub fn is_full(&self) -> bool {
        self.rows >= self.budget_rows
    }

    /// How many more rows fit the budget, at least one.
    pub fn room(&self) -> usize {
        self.budget_rows.saturating_sub(self.rows).max(1)
    }

    /// What was emitted since the last call.
    pub fn drain(&mut self) -> impl Iterator<Item = (PortId, EventBatch)> + '_ {
        self.rows = 0;
        self.batches.drain(..)
    }
}

/// A step without state: rows in, rows out. [`Stateless`] makes an operator of it.
pub trait RowFunction: Send {
    /// The rows that `batch` becomes.
    fn apply(&mut self, batch: EventBatch) -> Result<EventBatch>;
}

/// The operator that a [`RowFunction`] is.
#[derive(Debug)]
pub struct Stateless<F>(pub F);

impl<F: RowFunction> Operator for Stateless<F> {
    fn process_batch(&mut self, _: InputId, batch: EventBatch, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        let rows = self.0.apply(batch)?;
        cx.out.emit(PortId::MAIN, rows);
        Ok(Progress::Done)
    }

    fn process_watermark(&mut self, _: Watermark, _: &mut OperatorContext<'_>) -> Result<Progress> {
        Ok(Progress::Done)
    }

    fn process_time(&mut self, _: &mut OperatorContext<'_>) -> Result<Progress> {
        Ok(Progress::Done)
    }

    fn resume(&mut self, _: &mut OperatorContext<'_>) -> Result<Progress> {
        Ok(Progress::Done)
    }

    fn prepare_snapshot(&mut self, _: &Barrier, _: &mut OperatorContext<'_>) -> Result<Progress> {
        Ok(Progress::Done)
    }

    fn snapshot(&mut self) -> Result<OperatorState> {
        Ok(OperatorState::default())
    }

    fn restore(&mut self, parts: Vec<OperatorState>) -> Result<()> {
        match parts.iter().find(|part| !part.is_empty()) {
            None => Ok(()),
            Some(_) => Err(Error::internal("a stateless operator was given state")),
        }
    }

    fn memory_bytes(&self) -> usize {
        0
    }
}

/// An expression over the columns of a batch, shared by the subtasks that run it.
pub type Expression = Arc<dyn datafusion_physical_expr::PhysicalExpr>;

#[cfg(test)]
mod tests;
