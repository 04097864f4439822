//! The head of a source's task: splits, rows and watermarks.
//!
//! Each split has its own watermark generator; a merger makes one clock of them. On a bounded source the watermark is
//! looked at only where a split's row number is a multiple of [`Source::watermark_rows`] and at a split's end, so that it
//! does not matter in which batches rows travel. On an unbounded one it is looked at after each batch, at most every 50 ms
//! or 65,536 rows, and at once when there is nothing to read.

use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch};
use arrow::compute::max;
use millstream_engine::batch::EventBatch;
use millstream_engine::element::{CheckpointId, StreamElement, Watermark, WatermarkStatus};
use millstream_engine::error::Result;
use millstream_engine::io::source::{Boundedness, Source, SourceEvent, SourceReader, SourceRows, Split, SplitAnswer};
use millstream_engine::metrics::OperatorMetrics;
use millstream_engine::operators::ProcessingTime;
use millstream_engine::operators::event_time::event_times;
use millstream_engine::spec::WatermarkSpec;
use millstream_engine::time::generator::WatermarkGenerator;
use millstream_engine::time::merger::{Passed, WatermarkMerger};

use super::control::{SourceCommand, SourceControl};
use super::cut::{Cuts, InputCut, SplitCut};
use super::input::InputElement;
use super::run_loop::TaskError;

/// The longest that a watermark of an unbounded source is held back, in milliseconds.
const WATERMARK_INTERVAL_MS: i64 = 50;
/// The rows after which it is not held back any longer.
const WATERMARK_INTERVAL_ROWS: usize = 65_536;

/// Asks the enumerator of a source for splits, wherever it lives.
pub trait SplitRequests: Send + Debug {
    /// Asks for this reader. The answer is told to `answer_to` as a [`SourceCommand::Split`], after as long as listing a folder
    /// may take; the future ends when it was asked for.
    fn request(&self, now: ProcessingTime, answer_to: &Arc<SourceControl>) -> Asking;
}

/// A request that is on its way.
pub type Asking = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// What a [`SourceInput`] is made of.
#[derive(Debug)]
pub struct SourceParts {
    /// What is read.
    pub source: Arc<dyn Source>,
    /// How watermarks are made.
    pub watermark: Option<WatermarkSpec>,
    /// The column that gives each record its event time.
    pub event_time: Option<usize>,
    /// Where splits come from.
    pub requests: Box<dyn SplitRequests>,
    /// What it is told.
    pub control: Arc<SourceControl>,
    /// What the source counts.
    pub metrics: Arc<OperatorMetrics>,
}

/// The input of a source's task.
pub struct SourceInput {
    parts: SourceParts,
    reader: Box<dyn SourceReader>,
    asking: Option<Asking>,
    ask_again: Option<ProcessingTime>,
    clock: EventClock,
    outgoing: VecDeque<InputElement>,
    /// Whether anything was said of having splits.
    has_spoken: bool,
    ended: bool,
    /// What a checkpoint holds of it, for barriers that were given out.
    cuts: Cuts,
}

/// The event time of a reader: one generator for each split, merged.
#[derive(Debug)]
struct EventClock {
    bounded: bool,
    positions: u64,
    splits: HashMap<Arc<str>, SplitClock>,
    merger: WatermarkMerger,
    passed_at: ProcessingTime,
    rows_since: usize,
}

#[derive(Debug)]
struct SplitClock {
    channel: usize,
    generator: WatermarkGenerator,
    /// When its last rows came, moved on by the time in which none could.
    rows_at: ProcessingTime,
    idle: bool,
}

impl SourceInput {
    /// The input that reads by `reader`.
    pub fn new(parts: SourceParts, reader: Box<dyn SourceReader>) -> Self {
        let clock = EventClock {
            bounded: parts.source.boundedness() == Boundedness::Bounded,
            positions: parts.source.watermark_rows().max(1),
            splits: HashMap::new(),
            merger: WatermarkMerger::new(0),
            passed_at: ProcessingTime(i64::MIN),
            rows_since: 0,
        };
        Self {
            parts,
            reader,
            asking: None,
            ask_again: None,
            clock,
            outgoing: VecDeque::new(),
            has_spoken: false,
            ended: false,
            cuts: Cuts::default(),
        }
    }

    /// Goes on from a checkpoint. Comes before anything is read.
    pub(super) fn restore(&mut self, cut: InputCut, now: ProcessingTime) -> Result<()> {
        self.clock.merger.restore(cut.watermark);
        for SplitCut { split, greatest } in cut.splits {
            if let Some(clock) = self.clock_of(&split.id, now) {
                clock.generator.restore(greatest);
            }
            self.say_active();
            self.reader.add_split(split)?;
        }
        Ok(())
    }

    /// What a checkpoint holds of it, once its barrier was given out.
    pub(super) fn take_cut(&mut self, checkpoint: CheckpointId) -> Option<InputCut> {
        self.cuts.take(checkpoint)
    }

    pub(super) fn poll_next(
        &mut self,
        now: ProcessingTime,
        waker_cx: &mut Context<'_>,
    ) -> Poll<Result<InputElement, TaskError>> {
        loop {
            if let Some(element) = self.outgoing.pop_front() {
                return Poll::Ready(Ok(element));
            }
            if self.ended {
                return Poll::Pending;
            }
            if let Poll::Ready(command) = self.parts.control.poll_told(waker_cx) {
                self.obey(command, now)?;
                continue;
            }
            self.poll_asking(now, waker_cx)?;
            match self.reader.poll_next(now, waker_cx)? {
                Poll::Ready(event) => {
                    self.take(event, now)?;
                    self.mark_idle(now);
                }
                Poll::Pending => {
                    self.mark_idle(now);
                    self.pass_on_promises(now, true);
                    if self.outgoing.is_empty() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// The reader was not asked for `ms` milliseconds, since there was no room for more: its splits were not silent.
    pub(super) fn held_up(&mut self, ms: i64) {
        for split in self.clock.splits.values_mut() {
            split.rows_at.0 = split.rows_at.0.saturating_add(ms);
        }
    }

    pub(super) fn next_time(&self) -> Option<ProcessingTime> {
        let idle = self.idle_timeout().and_then(|timeout| {
            let active = self.clock.splits.values().filter(|split| !split.idle);
            active.map(|split| ProcessingTime(split.rows_at.0.saturating_add(timeout))).min()
        });
        [idle, self.ask_again, self.reader.next_time()].into_iter().flatten().min()
    }

    pub(super) fn reader_bytes(&self) -> usize {
        self.reader.memory_bytes()
    }

    pub(super) fn waiting_bytes(&self) -> usize {
        self.outgoing.iter().map(InputElement::memory_bytes).sum()
    }

    /// A bounded split is never idle: it will end.
    fn idle_timeout(&self) -> Option<i64> {
        let timeout = self.parts.watermark.as_ref().and_then(|watermark| watermark.idle_timeout_ms);
        timeout.filter(|_| !self.clock.bounded)
    }

    fn take(&mut self, event: SourceEvent, now: ProcessingTime) -> Result<()> {
        match event {
            SourceEvent::Rows(rows) => self.take_rows(rows, now),
            SourceEvent::SplitFinished(split) => {
                self.pass_on_promise(&split);
                if let Some(split) = self.clock.splits.remove(&split) {
                    let passed = self.clock.merger.on_end(split.channel);
                    // Another split may follow: the reader says when nothing does.
                    self.pass_on(Passed { end: false, ..passed });
                }
                Ok(())
            }
            SourceEvent::NeedSplit => {
                self.asking = Some(self.parts.requests.request(now, &self.parts.control));
                Ok(())
            }
            SourceEvent::EndOfInput => {
                self.end(Some(Watermark::MAX));
                Ok(())
            }
        }
    }

    /// Ends the input; with it event time, unless the job is stopped.
    fn end(&mut self, watermark: Option<Watermark>) {
        self.outgoing.extend(watermark.map(|watermark| InputElement::Element(StreamElement::Watermark(watermark))));
        self.outgoing.push_back(InputElement::Element(StreamElement::EndOfInput));
        self.ended = true;
    }

    /// Does what it was told. Everything that it read before has been given out.
    fn obey(&mut self, command: SourceCommand, now: ProcessingTime) -> Result<()> {
        match command {
            SourceCommand::Split(answer) => self.take_split(answer?, now),
            SourceCommand::Barrier(barrier) => {
                self.cuts.keep(barrier.id, self.cut());
                self.outgoing.push_back(InputElement::Element(StreamElement::Barrier(barrier)));
                Ok(())
            }
            SourceCommand::Stop => {
                self.end(None);
                Ok(())
            }
        }
    }

    fn cut(&self) -> InputCut {
        let greatest = |split: &Split| self.clock.splits.get(&split.id).and_then(|clock| clock.generator.greatest());
        let splits = self.reader.snapshot().into_iter().map(|split| SplitCut { greatest: greatest(&split), split });
        InputCut { watermark: self.clock.merger.watermark(), splits: splits.collect() }
    }

    /// Asks for a split again when that is due, and sees that what is asked for is sent.
    fn poll_asking(&mut self, now: ProcessingTime, waker_cx: &mut Context<'_>) -> Result<()> {
        if self.ask_again.is_some_and(|at| at <= now) {
            self.ask_again = None;
            self.asking = Some(self.parts.requests.request(now, &self.parts.control));
        }
        let Some(asking) = &mut self.asking else { return Ok(()) };
        if let Poll::Ready(asked) = asking.as_mut().poll(waker_cx) {
            self.asking = None;
            asked?;
        }
        Ok(())
    }

    /// Takes the enumerator's answer.
    fn take_split(&mut self, answer: SplitAnswer, now: ProcessingTime) -> Result<()> {
        match answer {
            SplitAnswer::Assigned(split) => {
                self.say_active();
                self.clock_of(&split.id, now);
                self.reader.add_split(split)
            }
            SplitAnswer::AskAgain(at) => {
                self.ask_again = Some(at);
                let passed = self.clock.merger.wait_for_channels();
                self.has_spoken |= passed.status.is_some();
                self.pass_on(passed);
                Ok(())
            }
            SplitAnswer::NoMore => {
                self.reader.no_more_splits();
                Ok(())
            }
        }
    }

    /// The first thing that a reader says is whether it has a split: whoever reads it waits for that.
    fn say_active(&mut self) {
        if !std::mem::replace(&mut self.has_spoken, true) {
            self.pass_on(Passed { status: Some(WatermarkStatus::Active), ..Passed::default() });
        }
    }

    fn take_rows(&mut self, rows: SourceRows, now: ProcessingTime) -> Result<()> {
        self.parts.metrics.count_errors(rows.errors);
        self.observe(&rows, now)?;
        self.outgoing.extend(rows.dead_letters.map(InputElement::DeadLetters));
        self.clock.rows_since += rows.rows.num_rows();
        if rows.rows.num_rows() > 0 {
            let batch = self.with_event_time(rows.rows)?;
            self.outgoing.push_back(InputElement::Element(StreamElement::Batch(batch)));
        }
        if self.clock.bounded && rows.split_rows.is_multiple_of(self.clock.positions) {
            self.pass_on_promise(&rows.split);
        }
        self.pass_on_promises(now, false);
        Ok(())
    }

    fn with_event_time(&self, rows: RecordBatch) -> Result<EventBatch> {
        let event_time = self.parts.event_time.map(|column| event_times(rows.column(column))).transpose()?;
        Ok(EventBatch { rows, event_time, row_kinds: None })
    }

    /// Shows the times of the rows to the generator of their split.
    fn observe(&mut self, rows: &SourceRows, now: ProcessingTime) -> Result<()> {
        let greatest = match &self.parts.watermark {
            None => None,
            Some(spec) => {
                let seen = rows.watermark_rows.as_ref().unwrap_or(&rows.rows);
                greatest(&spec.expression.evaluate(seen)?.into_array(seen.num_rows())?)?
            }
        };
        let Some(split) = self.clock_of(&rows.split, now) else { return Ok(()) };
        let was_idle = std::mem::replace(&mut split.idle, false);
        let channel = split.channel;
        split.rows_at = now;
        if let Some(greatest) = greatest {
            split.generator.observe(greatest);
        }
        if was_idle {
            let passed = self.clock.merger.on_status(channel, WatermarkStatus::Active);
            self.pass_on(passed);
        }
        Ok(())
    }

    /// The clock of a split, which is new the first time.
    fn clock_of(&mut self, split: &Arc<str>, now: ProcessingTime) -> Option<&mut SplitClock> {
        let strategy = self.parts.watermark.as_ref()?.strategy;
        if !self.clock.splits.contains_key(split) {
            let (channel, passed) = self.clock.merger.add_channel();
            self.pass_on(passed);
            let generator = WatermarkGenerator::new(strategy);
            let clock = SplitClock { channel, generator, rows_at: now, idle: false };
            self.clock.splits.insert(Arc::clone(split), clock);
        }
        self.clock.splits.get_mut(split)
    }

    /// Declares idle what has been silent for long. Called when the reader has had its say, so that what it had ready while
    /// the task worked counts first.
    fn mark_idle(&mut self, now: ProcessingTime) {
        let Some(timeout) = self.idle_timeout() else { return };
        let silent = |split: &SplitClock| !split.idle && split.rows_at.0.saturating_add(timeout) <= now.0;
        let channels: Vec<usize> = self
            .clock
            .splits
            .values_mut()
            .filter(|split| silent(split))
            .map(|split| {
                split.idle = true;
                split.channel
            })
            .collect();
        for channel in channels {
            let passed = self.clock.merger.on_status(channel, WatermarkStatus::Idle);
            self.pass_on(passed);
        }
    }

    /// Passes on what the generators of an unbounded source promise, if that is due.
    fn pass_on_promises(&mut self, now: ProcessingTime, due: bool) {
        let held_long = now.0 >= self.clock.passed_at.0.saturating_add(WATERMARK_INTERVAL_MS);
        if self.clock.bounded || !(due || held_long || self.clock.rows_since >= WATERMARK_INTERVAL_ROWS) {
            return;
        }
        (self.clock.passed_at, self.clock.rows_since) = (now, 0);
        let splits: Vec<Arc<str>> = self.clock.splits.keys().map(Arc::clone).collect();
        splits.iter().for_each(|split| self.pass_on_promise(split));
    }

    /// Passes on what the generator of one split promises.
    fn pass_on_promise(&mut self, split: &Arc<str>) {
        if let Some(split) = self.clock.splits.get(split) {
            let passed = self.clock.merger.on_watermark(split.channel, split.generator.current());
            self.pass_on(passed);
        }
    }

    fn pass_on(&mut self, passed: Passed) {
        let watermark = passed.watermark.map(StreamElement::Watermark);
        let status = passed.status.map(StreamElement::Status);
        self.outgoing.extend(watermark.into_iter().chain(status).map(InputElement::Element));
    }
}

/// The greatest time of a column, in milliseconds; nulls have none.
fn greatest(column: &ArrayRef) -> Result<Option<i64>> {
    let times = event_times(column)?;
    if column.null_count() == column.len() && !column.is_empty() {
        return Ok(None);
    }
    Ok(max(&Int64Array::new(times, None)))
}

impl Debug for SourceInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourceInput").field("parts", &self.parts).field("ended", &self.ended).finish_non_exhaustive()
    }
}
