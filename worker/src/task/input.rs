//! Where a task's elements come from: a source's reader, or the channels of other tasks.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use millstream_engine::batch::EventBatch;
use millstream_engine::element::{Barrier, CheckpointId, StreamElement, WatermarkStatus};
use millstream_engine::error::Result;
use millstream_engine::memory;
use millstream_engine::operators::ProcessingTime;
use millstream_engine::time::merger::{Passed, WatermarkMerger};

use super::cut::{Cuts, InputCut};
use super::run_loop::TaskError;
use super::source::SourceInput;
use crate::exchange::{GateElement, InputGate};

/// The head of a task.
#[derive(Debug)]
pub enum TaskInput {
    /// It reads a source.
    Source(Box<SourceInput>),
    /// It reads other tasks.
    Gate(Box<GateInput>),
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

    /// Goes on from a checkpoint. Comes before anything is read.
    pub(super) fn restore(&mut self, cut: InputCut, now: ProcessingTime) -> Result<()> {
        match self {
            Self::Source(source) => source.restore(cut, now),
            Self::Gate(gate) => {
                gate.restore(&cut);
                Ok(())
            }
        }
    }

    /// What a checkpoint holds of it, once its barrier was given out.
    pub(super) fn take_cut(&mut self, checkpoint: CheckpointId) -> Option<InputCut> {
        match self {
            Self::Source(source) => source.take_cut(checkpoint),
            Self::Gate(gate) => gate.cuts.take(checkpoint),
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
/// keep rows for long, and without watermarks they would say nothing until then. (A barrier is a first word too: a checkpoint
/// does not wait for a source to find its first split.)
#[derive(Debug)]
pub struct GateInput {
    gate: InputGate,
    /// Which channels have spoken; empty once all have.
    spoken: Vec<bool>,
    merger: WatermarkMerger,
    gathered: Vec<EventBatch>,
    gathered_rows: usize,
    outgoing: VecDeque<StreamElement>,
    /// Which channels have ended.
    ended: Vec<bool>,
    /// A barrier that has come by some channels and not by all.
    aligning: Option<Aligning>,
    /// The last barrier that was given out.
    aligned: Option<CheckpointId>,
    /// What a checkpoint holds of it, for barriers that were given out.
    cuts: Cuts,
}

/// A barrier waits for the other channels; those that it has come by are paused.
#[derive(Debug)]
struct Aligning {
    barrier: Barrier,
    arrived: Vec<bool>,
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
            ended: vec![false; channels],
            aligning: None,
            aligned: None,
            cuts: Cuts::default(),
        }
    }

    /// Goes on from a checkpoint. Comes before anything is read.
    fn restore(&mut self, cut: &InputCut) {
        self.merger.restore(cut.watermark);
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
                    if all_have_spoken && !self.outgoing.iter().any(is_of_time) {
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
            self.resume();
        } else {
            self.gate.pause(channel);
        }
        all
    }

    /// Takes from all channels again but from those that wait for others: to speak, or to deliver a barrier.
    fn resume(&mut self) {
        self.gate.resume();
        let aligning = self.aligning.as_ref().map(|aligning| aligning.arrived.as_slice()).unwrap_or_default();
        for (channel, waits) in self.spoken.iter().enumerate().chain(aligning.iter().enumerate()) {
            if *waits {
                self.gate.pause(channel);
            }
        }
    }

    /// A barrier has come by `channel`, which waits for the others to deliver it. A later one takes the place of an earlier one,
    /// whose checkpoint was given up.
    fn align(&mut self, channel: usize, barrier: Barrier) -> Result<()> {
        if self.aligned.is_some_and(|aligned| aligned >= barrier.id) {
            return Ok(());
        }
        match &mut self.aligning {
            Some(aligning) if aligning.barrier == barrier => aligning.arrived[channel] = true,
            Some(aligning) if aligning.barrier.id > barrier.id => return Ok(()),
            Some(_) | None => {
                let mut arrived = vec![false; self.ended.len()];
                arrived[channel] = true;
                self.aligning = Some(Aligning { barrier, arrived });
                self.resume();
            }
        }
        self.gate.pause(channel);
        self.pass_on_barrier()
    }

    /// Passes the barrier on when it has come by every channel that has not ended. What came before it is before it.
    fn pass_on_barrier(&mut self) -> Result<()> {
        let Some(Aligning { barrier, arrived }) = &self.aligning else { return Ok(()) };
        if !arrived.iter().zip(&self.ended).all(|(arrived, ended)| *arrived || *ended) {
            return Ok(());
        }
        let barrier = *barrier;
        self.aligning = None;
        self.aligned = Some(barrier.id);
        self.hand_on_gathered()?;
        let cut = InputCut { watermark: self.merger.watermark(), splits: Vec::new() };
        self.cuts.keep(barrier.id, cut);
        self.outgoing.push_back(StreamElement::Barrier(barrier));
        self.resume();
        Ok(())
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
                self.ended[channel] = true;
                // The end comes after a barrier that this channel was the last to hold up.
                self.pass_on_barrier()?;
                let passed = self.merger.on_end(channel);
                self.pass_on(passed)
            }
            StreamElement::Barrier(barrier) => self.align(channel, barrier),
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

/// Whether it says how far event time is, or that it does not count.
fn is_of_time(element: &StreamElement) -> bool {
    match element {
        StreamElement::Watermark(_) | StreamElement::Status(_) | StreamElement::EndOfInput => true,
        StreamElement::Batch(_) | StreamElement::Barrier(_) => false,
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
    fn a_barrier_waits_for_all_channels_and_holds_those_back_that_it_has_come_by() {
        let barrier = |id| StreamElement::Barrier(Barrier { id: CheckpointId(id) });
        let (active, mark) =
            (StreamElement::Status(WatermarkStatus::Active), |at| StreamElement::Watermark(Watermark(at)));
        let (mut input, senders) = input(3);
        senders.iter().for_each(|sender| sender.send(active.clone()));
        assert_eq!(shown(&out(&mut input)), ["Active"]);
        for element in [rows(1), barrier(1), rows(10), mark(5)] {
            senders[0].send(element);
        }
        assert_eq!(shown(&out(&mut input)), ["1 rows"]);
        for element in [mark(7), rows(2), mark(9), barrier(1), rows(20), mark(11)] {
            senders[1].send(element);
        }
        assert_eq!(shown(&out(&mut input)), ["2 rows"], "what follows the barrier waits");
        // One that ends counts as one that has delivered it, and its end comes after the barrier.
        for element in [mark(8), StreamElement::Watermark(Watermark::MAX), rows(3), StreamElement::EndOfInput] {
            senders[2].send(element);
        }
        let released = shown(&out(&mut input));
        assert_eq!(released[..2], ["3 rows", "Barrier { id: CheckpointId(1) }"]);
        assert_eq!(
            input.cuts.take(CheckpointId(1)).unwrap().watermark,
            Watermark::MIN,
            "channel 0 held the clock back"
        );
        assert_eq!(released[2..], ["30 rows", "watermark 5"]);
        // The next one does not wait for the channel that has ended.
        senders[1].send(barrier(2));
        assert!(out(&mut input).is_empty());
        senders[0].send(barrier(2));
        assert_eq!(shown(&out(&mut input)), ["Barrier { id: CheckpointId(2) }"]);
        assert_eq!(input.cuts.take(CheckpointId(2)).unwrap().watermark, Watermark(5));
    }

    #[test]
    fn a_later_barrier_takes_the_place_of_one_whose_checkpoint_was_given_up() {
        let barrier = |id| StreamElement::Barrier(Barrier { id: CheckpointId(id) });
        let (mut input, senders) = input(2);
        senders.iter().for_each(|sender| sender.send(StreamElement::Status(WatermarkStatus::Active)));
        assert_eq!(shown(&out(&mut input)), ["Active"]);
        senders[0].send(barrier(1));
        senders[1].send(barrier(2));
        assert!(out(&mut input).is_empty());
        senders[0].send(rows(1));
        senders[0].send(barrier(2));
        assert_eq!(shown(&out(&mut input)), ["1 rows", "Barrier { id: CheckpointId(2) }"]);
        senders[1].send(barrier(1));
        senders[1].send(rows(2));
        assert_eq!(shown(&out(&mut input)), ["2 rows"], "one that is late changes nothing");
    }

    #[test]
    fn a_checkpoint_does_not_wait_for_a_channel_to_say_anything_but_its_barrier() {
        let barrier = || StreamElement::Barrier(Barrier { id: CheckpointId(1) });
        let (mut input, senders) = input(2);
        senders[0].send(StreamElement::Status(WatermarkStatus::Active));
        senders[0].send(barrier());
        assert!(out(&mut input).is_empty(), "channel 0 waits for channel 1 to speak");
        senders[1].send(barrier());
        assert_eq!(shown(&out(&mut input)), ["Active", "Barrier { id: CheckpointId(1) }"]);
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
