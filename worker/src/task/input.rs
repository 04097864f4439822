//! Where a task's elements come from: a source's reader, or the channels of other tasks.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use millstream_engine::batch::EventBatch;
use millstream_engine::element::{StreamElement, WatermarkStatus};
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

    /// Nothing was asked of it for `ms` milliseconds, since there was no room for more.
    pub(super) fn held_up(&mut self, ms: i64) {
        match self {
            Self::Source(source) => source.held_up(ms),
            Self::Gate(_) => {}
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
/// would be on time. So that nobody waits for this task either, it says that it is active once it knows: its operators may
/// keep rows for long, and without watermarks they would say nothing until then.
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
                    let all_have_spoken = self.hear(channel);
                    self.take(channel, element)?;
                    // What came of it may say more: that all are idle, or at their end.
                    if all_have_spoken && self.outgoing.iter().all(is_rows) {
                        self.outgoing.push_back(StreamElement::Status(WatermarkStatus::Active));
                    }
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

    /// `channel` has spoken: it waits for the others to. Answers whether it was the last.
    fn hear(&mut self, channel: usize) -> bool {
        if self.spoken.is_empty() {
            return false;
        }
        self.spoken[channel] = true;
        let all = self.spoken.iter().all(|spoken| *spoken);
        if all {
            self.spoken.clear();
            self.gate.resume();
        } else {
            self.gate.pause(channel);
        }
        all
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

    /// Batches that are large enough are not copied.
    fn gather(&mut self, batch: EventBatch) -> Result<()> {
        if batch.num_rows() >= COALESCED_ROWS {
            self.hand_on_gathered()?;
            self.outgoing.push_back(StreamElement::Batch(batch));
            return Ok(());
        }
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

fn is_rows(element: &StreamElement) -> bool {
    match element {
        StreamElement::Batch(_) => true,
        StreamElement::Watermark(_)
        | StreamElement::Status(_)
        | StreamElement::Barrier(_)
        | StreamElement::EndOfInput => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Waker;

    use arrow::array::{Array, ArrayRef, Int64Array};
    use millstream_engine::element::Watermark;

    use super::*;
    use crate::exchange::{ChannelSender, gate};

    fn input(channels: usize) -> (GateInput, Vec<ChannelSender>) {
        let (gate, senders) = gate(channels);
        (GateInput::new(gate, channels), senders)
    }

    fn rows(count: usize) -> StreamElement {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1; count]));
        StreamElement::Batch(EventBatch::inserts(RecordBatch::try_from_iter([("n", column)]).unwrap()))
    }

    /// What comes out until nothing more does.
    fn out(input: &mut GateInput) -> Vec<StreamElement> {
        let mut elements = Vec::new();
        while let Poll::Ready(element) = input.poll_next(&Context::from_waker(Waker::noop())) {
            elements.push(element.unwrap());
        }
        elements
    }

    fn shown(elements: &[StreamElement]) -> Vec<String> {
        let show = |element: &StreamElement| match element {
            StreamElement::Batch(batch) => format!("{} rows", batch.num_rows()),
            StreamElement::Watermark(of) => format!("watermark {of}"),
            StreamElement::Status(of) => format!("{of:?}"),
            StreamElement::Barrier(of) => format!("{of:?}"),
            StreamElement::EndOfInput => "end".to_owned(),
        };
        elements.iter().map(show).collect()
    }

    #[test]
    fn once_all_channels_have_spoken_the_task_speaks() {
        let (active, idle) =
            (StreamElement::Status(WatermarkStatus::Active), StreamElement::Status(WatermarkStatus::Idle));
        let (mark, end) = (StreamElement::Watermark(Watermark(7)), StreamElement::EndOfInput);
        let cases: [(StreamElement, StreamElement, &[&str]); 8] = [
            (active.clone(), active.clone(), &["Active"]),
            (idle.clone(), active.clone(), &["Active"]),
            (active.clone(), end.clone(), &["Active"]),
            (rows(1), active, &["1 rows", "Active"]),
            (rows(COALESCED_ROWS), rows(2), &["4096 rows", "Active", "2 rows"]),
            // These say more.
            (mark.clone(), mark, &["watermark 7"]),
            (idle.clone(), idle, &["Idle"]),
            (end.clone(), end, &["end"]),
        ];
        for (first, second, expected) in cases {
            let what = format!("{:?}", shown(&[first.clone(), second.clone()]));
            let (mut input, senders) = input(2);
            senders[0].send(first);
            let mut heard = shown(&out(&mut input));
            assert!(heard.iter().all(|line| line.ends_with("rows")), "{what}: {heard:?}");
            senders[1].send(second);
            heard.extend(shown(&out(&mut input)));
            assert_eq!(heard, expected, "{what}");
            // It is said once.
            senders.iter().for_each(|sender| sender.send(rows(3)));
            assert!(!shown(&out(&mut input)).contains(&"Active".to_owned()), "{what}");
        }
    }

    #[test]
    fn large_batches_are_handed_on_as_they_are() {
        let (mut input, senders) = input(1);
        let large = rows(COALESCED_ROWS);
        let StreamElement::Batch(sent) = &large else { panic!("it is rows") };
        for element in [rows(10), rows(20), large.clone(), rows(30), rows(COALESCED_ROWS - 1)] {
            senders[0].send(element);
        }
        let out = out(&mut input);
        assert_eq!(shown(&out), ["Active", "30 rows", "4096 rows", "4125 rows"]);
        let StreamElement::Batch(arrived) = &out[2] else { panic!("it is rows") };
        assert!(arrived.rows.column(0).to_data().ptr_eq(&sent.rows.column(0).to_data()), "it is not a copy");
    }
}
