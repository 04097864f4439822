//! Makes the blocks of the splits of one subtask, in the order of the stream.
//!
//! It first asks until it is told that no split follows, since the order of blocks depends on which splits it has. At the
//! pace of event time a block comes when its last event is due; time starts with the first block that is asked for, after a
//! restart anew, so that nothing is hurried to make up for the pause.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use millstream_engine::error::Result;
use millstream_engine::io::source::{SourceEvent, SourceReader, SourceRows, Split};
use millstream_engine::operators::ProcessingTime;

use super::columns::{ColumnMaker, Selection};
use super::generator::GeneratorConfig;
use super::source::{Deal, NexmarkSource, Pace};

/// Reads for one subtask.
#[derive(Debug)]
pub(super) struct NexmarkReader {
    config: Arc<GeneratorConfig>,
    deal: Deal,
    pace: Pace,
    keep_alive: bool,
    rows: ColumnMaker,
    watermark: Option<ColumnMaker>,
    /// The splits it has, by the number of their next event.
    splits: BTreeMap<u64, Arc<str>>,
    /// Splits without a next event, of which that is still to be said.
    finished: VecDeque<Arc<str>>,
    asking: Asking,
    /// At [`Pace::EventTime`]: when event time was the base time, in processing time.
    started: Option<i64>,
    /// When the next block is due, if it was not yet.
    due: Option<ProcessingTime>,
    /// To be woken by the answer to a request for splits.
    waker: Option<Waker>,
}

/// How far it is with asking for splits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asking {
    /// It will ask.
    NotYet,
    /// It has asked and waits for the answer.
    Asked,
    /// None follows.
    Over,
}

impl NexmarkReader {
    pub(super) fn new(source: &NexmarkSource, deal: Deal) -> Self {
        let maker = |projection: &Arc<_>, selection| {
            ColumnMaker::new(Arc::clone(&source.config), Arc::clone(projection), selection)
        };
        Self {
            config: Arc::clone(&source.config),
            deal,
            pace: source.options.pace,
            keep_alive: source.options.keep_alive,
            rows: maker(&source.rows, source.selection),
            watermark: source.watermark.as_ref().map(|projection| maker(projection, Selection::All)),
            splits: BTreeMap::new(),
            finished: VecDeque::new(),
            asking: Asking::NotYet,
            started: None,
            due: None,
            waker: None,
        }
    }

    /// Keeps a split to go on with event `next`, if there is one.
    fn keep(&mut self, id: Arc<str>, next: u64) {
        // A source that is kept alive has its splits in snapshots to the last, behind all that go on.
        if next < self.deal.events || self.keep_alive {
            self.splits.insert(next, id);
        } else {
            self.finished.push_back(id);
        }
    }

    /// When the block with these events may be given out. `None`: now.
    fn due(&mut self, first: u64, events: u64, now: ProcessingTime) -> Option<ProcessingTime> {
        if self.pace == Pace::Fastest {
            return None;
        }
        let started = *self.started.get_or_insert(now.0 - self.config.time(first));
        let due = started.saturating_add(self.config.time(first + events - 1));
        (due > now.0).then_some(ProcessingTime(due))
    }

    fn block(&mut self, split: Arc<str>, first: u64, events: u64) -> Result<SourceEvent> {
        let rows = self.rows.make(first, events)?;
        let last = first + events - 1;
        let watermark_rows = self.watermark.as_mut().map(|maker| maker.make(last, 1)).transpose()?;
        let split_rows = self.deal.rows_before(first) + events;
        self.splits.remove(&first);
        self.keep(Arc::clone(&split), self.deal.after(first, events));
        Ok(SourceEvent::Rows(SourceRows { split, rows, split_rows, watermark_rows, dead_letters: None, errors: 0 }))
    }

    fn answered(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl SourceReader for NexmarkReader {
    fn add_split(&mut self, split: Split) -> Result<()> {
        let next = self.deal.next_event(&split)?;
        self.keep(split.id, next);
        if self.asking == Asking::Asked {
            self.asking = Asking::NotYet;
        }
        self.answered();
        Ok(())
    }

    fn no_more_splits(&mut self) {
        self.asking = Asking::Over;
        self.answered();
    }

    fn poll_next(&mut self, now: ProcessingTime, cx: &mut Context<'_>) -> Poll<Result<SourceEvent>> {
        match self.asking {
            Asking::NotYet => {
                self.asking = Asking::Asked;
                return Poll::Ready(Ok(SourceEvent::NeedSplit));
            }
            Asking::Asked => {
                self.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
            Asking::Over => {}
        }
        if let Some(id) = self.finished.pop_front() {
            return Poll::Ready(Ok(SourceEvent::SplitFinished(id)));
        }
        let Some((&first, id)) = self.splits.first_key_value() else {
            return Poll::Ready(Ok(SourceEvent::EndOfInput));
        };
        let id = Arc::clone(id);
        let events = self.deal.events_from(first);
        if events == 0 {
            return Poll::Pending; // Kept alive, until the job is stopped.
        }
        self.due = self.due(first, events, now);
        if self.due.is_some() {
            return Poll::Pending;
        }
        Poll::Ready(self.block(id, first, events))
    }

    fn next_time(&self) -> Option<ProcessingTime> {
        self.due
    }

    fn memory_bytes(&self) -> usize {
        self.rows.memory_bytes() + self.watermark.as_ref().map_or(0, ColumnMaker::memory_bytes)
    }

    fn snapshot(&self) -> Vec<Split> {
        self.splits.iter().map(|(&next, id)| self.deal.split_at(id, next)).collect()
    }
}
