//! Where a task's elements come from: a source's reader, or the channels of other tasks.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use millstream_engine::batch::EventBatch;
use millstream_engine::element::StreamElement;
use millstream_engine::error::{Error, Result};
use millstream_engine::memory;
use millstream_engine::operators::ProcessingTime;
use millstream_engine::time::merger::{Passed, WatermarkMerger};

use super::run_loop::TaskError;
use super::source::SourceInput;
use crate::exchange::{GateElement, InputGate};

/// The head of a task.
#[derive(Debug)]
pub enum TaskInput {
    /// It reads a source.
    Source(Box<SourceInput>),
    /// It reads other tasks.
    Gate(GateInput),
}

/// What an input gives out.
#[derive(Debug)]
pub enum InputElement {
    /// For the head of the chain.
    Element(StreamElement),
    /// Rows that could not be decoded, for the head's side output.
    DeadLetters(RecordBatch),
}

impl InputElement {
    /// Bytes of memory that it holds: those of its rows.
    pub fn memory_bytes(&self) -> usize {
        match self {
            Self::Element(element) => element.memory_bytes(),
            Self::DeadLetters(rows) => memory::visible_parts(rows.columns()),
        }
    }
}

impl TaskInput {
    /// What comes next. `Pending` wakes the task.
    pub fn poll_next(
        &mut self,
        now: ProcessingTime,
        waker_cx: &mut Context<'_>,
    ) -> Poll<Result<InputElement, TaskError>> {
        match self {
            Self::Source(source) => source.poll_next(now, waker_cx),
            Self::Gate(gate) => gate.poll_next(waker_cx).map(|element| element.map(InputElement::Element)),
        }
    }

    /// Bytes that the reader of a source holds.
    pub fn source_bytes(&self) -> usize {
        match self {
            Self::Source(source) => source.reader_bytes(),
            Self::Gate(_) => 0,
        }
    }

    /// Bytes that wait in the channels from other tasks.
    pub fn exchange_bytes(&self) -> usize {
        match self {
            Self::Source(_) => 0,
            Self::Gate(gate) => gate.gate.queued_bytes(),
        }
    }

    /// Bytes of what was taken from there and not given out.
    pub fn waiting_bytes(&self) -> usize {
        match self {
            Self::Source(source) => source.waiting_bytes(),
            Self::Gate(gate) => gate.waiting_bytes(),
        }
    }

    /// When `poll_next` is wanted again though nothing woke the task.
    pub fn next_time(&self) -> Option<ProcessingTime> {
        match self {
            Self::Source(source) => source.next_time(),
            Self::Gate(_) => None,
        }
    }
}

/// Rows that are gathered into one batch after a shuffle has cut them small.
const COALESCED_ROWS: usize = 4096;

/// Channels from other tasks, merged: small batches become larger ones, watermarks become one clock.
///
/// Nothing is taken from a channel beyond its first element before every channel has spoken. A channel that has not said
/// yet that it is idle or at its end would hold the clock back, for as long as it happens to take, and rows that are late
/// would be on time.
#[derive(Debug)]
pub struct GateInput {
    gate: InputGate,
    /// Which channels have spoken; empty once all have.
    spoken: Vec<bool>,
    merger: WatermarkMerger,
    gathered: Vec<EventBatch>,
    gathered_rows: usize,
    outgoing: VecDeque<StreamElement>,
}

impl GateInput {
    /// The input over `gate`, which has `channels` channels.
    pub fn new(gate: InputGate, channels: usize) -> Self {
        Self {
            gate,
            spoken: vec![false; channels],
            merger: WatermarkMerger::new(channels),
            gathered: Vec::new(),
            gathered_rows: 0,
            outgoing: VecDeque::new(),
        }
    }

    fn poll_next(&mut self, waker_cx: &Context<'_>) -> Poll<Result<StreamElement, TaskError>> {
        loop {
            if let Some(element) = self.outgoing.pop_front() {
                return Poll::Ready(Ok(element));
            }
            match self.gate.poll_next(waker_cx) {
                Poll::Ready(GateElement::Element(channel, element)) => {
                    self.hear(channel);
                    self.take(channel, element)?;
                }
                Poll::Ready(GateElement::Lost(_)) => return Poll::Ready(Err(TaskError::InputLost)),
                Poll::Ready(GateElement::Broken(_, error)) => return Poll::Ready(Err(error.into())),
                // Nothing else is there: what was gathered goes on at once.
                Poll::Pending if self.gathered.is_empty() => return Poll::Pending,
                Poll::Pending => self.hand_on_gathered()?,
            }
        }
    }

    /// Between two calls of `poll_next` nothing is gathered.
    fn waiting_bytes(&self) -> usize {
        let gathered: usize = self.gathered.iter().map(EventBatch::memory_bytes).sum();
        gathered + self.outgoing.iter().map(StreamElement::memory_bytes).sum::<usize>()
    }

    /// `channel` has spoken: it waits for the others to.
    fn hear(&mut self, channel: usize) {
        if self.spoken.is_empty() {
            return;
        }
        self.spoken[channel] = true;
        if self.spoken.iter().all(|spoken| *spoken) {
            self.spoken.clear();
            self.gate.resume();
        } else {
            self.gate.pause(channel);
        }
    }

    fn take(&mut self, channel: usize, element: StreamElement) -> Result<()> {
        match element {
            StreamElement::Batch(batch) => self.gather(batch),
            StreamElement::Watermark(watermark) => {
                let passed = self.merger.on_watermark(channel, watermark);
                self.pass_on(passed)
            }
            StreamElement::Status(status) => {
                let passed = self.merger.on_status(channel, status);
                self.pass_on(passed)
            }
            StreamElement::EndOfInput => {
                let passed = self.merger.on_end(channel);
                self.pass_on(passed)
            }
            StreamElement::Barrier(barrier) => {
                Err(Error::internal(format!("barrier {} in a job that takes no checkpoints", barrier.id.0)))
            }
        }
    }

    fn gather(&mut self, batch: EventBatch) -> Result<()> {
        self.gathered_rows += batch.num_rows();
        self.gathered.push(batch);
        if self.gathered_rows >= COALESCED_ROWS {
            self.hand_on_gathered()?;
        }
        Ok(())
    }

    fn hand_on_gathered(&mut self) -> Result<()> {
        let batch = match self.gathered.len() {
            0 => return Ok(()),
            1 => self.gathered.pop(),
            _ => Some(EventBatch::concat(&self.gathered)?),
        };
        self.gathered.clear();
        self.gathered_rows = 0;
        self.outgoing.extend(batch.map(StreamElement::Batch));
        Ok(())
    }

    /// Rows before the watermark that speaks of them.
    fn pass_on(&mut self, passed: Passed) -> Result<()> {
        if passed == Passed::default() {
            return Ok(());
        }
        self.hand_on_gathered()?;
        self.outgoing.extend(passed.watermark.map(StreamElement::Watermark));
        self.outgoing.extend(passed.status.map(StreamElement::Status));
        if passed.end {
            self.outgoing.push_back(StreamElement::EndOfInput);
        }
        Ok(())
    }
}
