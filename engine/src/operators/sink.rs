//! The last operator of a branch: hands rows to a [`SinkWriter`] and its committables to whoever commits.

use std::sync::Arc;
use std::task::{Context, Poll};

use super::{InputId, Operator, OperatorContext, ProcessingTime, Progress};
use crate::batch::EventBatch;
use crate::element::{Barrier, Watermark};
use crate::error::{Error, Result};
use crate::io::sink::{CommitSender, Committable, SinkWriter};
use crate::state::OperatorState;

const COMMITTABLES: &str = "committables";

/// The operator around a writer.
pub struct SinkOperator {
    writer: Box<dyn SinkWriter>,
    commits: Arc<dyn CommitSender>,
    closing: Closing,
}

/// How far closing has come.
#[derive(Debug, PartialEq, Eq)]
enum Closing {
    /// Rows may come.
    Open,
    /// `close` was called, for this; waiting for the writer.
    Wanted(Because),
    /// The writer has closed what it had.
    Closed(Vec<Committable>),
}

/// Why a sink closes what it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Because {
    /// A barrier has come: what is closed belongs to the checkpoint and is in the snapshot.
    Barrier,
    /// The input has ended: what is closed is handed over.
    End,
}

impl SinkOperator {
    /// Writes through `writer`; what is finished at the end of input goes to `commits`.
    pub fn new(writer: Box<dyn SinkWriter>, commits: Arc<dyn CommitSender>) -> Self {
        Self { writer, commits, closing: Closing::Open }
    }

    fn close(&mut self, because: Because, now: ProcessingTime) -> Result<Progress> {
        self.writer.close(now)?;
        self.closing = Closing::Wanted(because);
        Ok(Progress::Yield)
    }
}

impl Operator for SinkOperator {
    fn process_batch(&mut self, _: InputId, batch: EventBatch, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        self.writer.write(batch, cx.now)?;
        Ok(Progress::Done)
    }

    fn process_watermark(&mut self, watermark: Watermark, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        self.writer.watermark(watermark, cx.now)?;
        Ok(Progress::Done)
    }

    fn process_time(&mut self, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        self.writer.time(cx.now)?;
        Ok(Progress::Done)
    }

    /// Comes after [`Operator::poll_ready`], which has waited for the writer.
    fn resume(&mut self, _: &mut OperatorContext<'_>) -> Result<Progress> {
        match &self.closing {
            Closing::Open | Closing::Closed(_) => Ok(Progress::Done),
            Closing::Wanted(_) => Err(Error::internal("a sink was resumed before its writer had closed")),
        }
    }

    fn prepare_snapshot(&mut self, _: &Barrier, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        self.close(Because::Barrier, cx.now)
    }

    fn snapshot(&mut self) -> Result<OperatorState> {
        let mut state = OperatorState::default();
        if let Closing::Closed(committables) = std::mem::replace(&mut self.closing, Closing::Open) {
            for committable in committables {
                state.add_value(COMMITTABLES, committable.0.into_bytes());
            }
        }
        Ok(state)
    }

    fn restore(&mut self, _parts: Vec<OperatorState>) -> Result<()> {
        // What was closed before the checkpoint is committed by the master, which has the committables in its manifest.
        Ok(())
    }

    fn finish(&mut self, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        self.close(Because::End, cx.now)
    }

    fn next_time(&self) -> Option<ProcessingTime> {
        self.writer.next_time()
    }

    fn memory_bytes(&self) -> usize {
        let closed = match &self.closing {
            Closing::Open | Closing::Wanted(_) => 0,
            Closing::Closed(committables) => committables.iter().map(|of| of.0.capacity()).sum(),
        };
        self.writer.memory_bytes() + closed
    }

    fn poll_ready(&mut self, waker_cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Closing::Wanted(because) = self.closing else { return self.writer.poll_ready(waker_cx) };
        match self.writer.poll_closed(waker_cx)? {
            Poll::Pending => Poll::Pending,
            Poll::Ready(committables) => {
                self.closing = match because {
                    Because::Barrier => Closing::Closed(committables),
                    Because::End => {
                        self.commits.send(committables);
                        Closing::Closed(Vec::new())
                    }
                };
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl std::fmt::Debug for SinkOperator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SinkOperator").field("closing", &self.closing).finish_non_exhaustive()
    }
}
