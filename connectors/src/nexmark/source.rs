//! The stream as a source: blocks of events, dealt to splits in turn, dealt to subtasks in turn.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use millstream_engine::error::{Error, Result};
use millstream_engine::io::source::{Boundedness, ReaderContext, Source, SourceReader, Split, SplitEnumerator};
use serde::{Deserialize, Serialize};

use super::columns::{Projection, Selection};
use super::generator::{GeneratorConfig, MAX_EVENTS};
use super::options::NexmarkOptions;
use super::reader::NexmarkReader;
use crate::fixed_splits::{FixedSplits, split_number};

/// Splits are called `split-0` and so on.
const SPLIT: &str = "split";

/// At an event's own pace, a block comes about so many times a second.
const BLOCKS_PER_SECOND: u64 = 100;

/// How fast events come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// As fast as they are read.
    Fastest,
    /// An event comes when as much time has passed as lies between it and the reader's first event in event time.
    EventTime,
}

impl NexmarkOptions {
    /// Whether the source ends by itself.
    pub(super) fn boundedness(&self) -> Boundedness {
        if self.events.is_some() && !self.keep_alive { Boundedness::Bounded } else { Boundedness::Unbounded }
    }
}

/// See the [module](super).
#[derive(Debug)]
pub(super) struct NexmarkSource {
    pub(super) config: Arc<GeneratorConfig>,
    pub(super) options: NexmarkOptions,
    pub(super) selection: Selection,
    pub(super) rows: Arc<Projection>,
    pub(super) watermark: Option<Arc<Projection>>,
}

impl Source for NexmarkSource {
    fn boundedness(&self) -> Boundedness {
        self.options.boundedness()
    }

    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(self.rows.schema())
    }

    fn watermark_rows(&self) -> u64 {
        self.deal().block_events
    }

    fn create_enumerator(&self) -> Result<Box<dyn SplitEnumerator>> {
        Ok(Box::new(FixedSplits::new(SPLIT, self.options.splits)))
    }

    fn create_reader(&self, _context: ReaderContext) -> Result<Box<dyn SourceReader>> {
        Ok(Box::new(NexmarkReader::new(self, self.deal())))
    }
}

impl NexmarkSource {
    fn deal(&self) -> Deal {
        let page = self.config.page_epochs();
        let epochs = match self.options.pace {
            Pace::Fastest => page,
            Pace::EventTime => {
                let rate = u64::from(self.config.settings().events_per_second);
                let wanted = rate / BLOCKS_PER_SECOND / self.config.epoch_events();
                // A block must not cross a page.
                (1..=wanted.clamp(1, page)).rev().find(|epochs| page.is_multiple_of(*epochs)).unwrap_or(1)
            }
        };
        Deal {
            block_events: epochs * self.config.epoch_events(),
            events: self.options.events.unwrap_or(MAX_EVENTS),
            splits: u64::from(self.options.splits),
        }
    }
}

/// How events are dealt to splits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Deal {
    /// Events in a block; only the stream's last one may have fewer.
    pub(super) block_events: u64,
    /// Events in the stream.
    pub(super) events: u64,
    /// Splits.
    pub(super) splits: u64,
}

/// What a split's position is, as JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Position {
    /// The number of the first event of the split's next block.
    next_event: u64,
}

impl Deal {
    /// The split called `id` from event `next` on.
    pub(super) fn split_at(&self, id: &Arc<str>, next: u64) -> Split {
        Split { id: Arc::clone(id), position: format!("{{\"nextEvent\":{next}}}"), rows: self.rows_before(next) }
    }

    /// With which event a split goes on. The error says why it cannot.
    pub(super) fn next_event(&self, split: &Split) -> Result<u64> {
        let cannot = |why: &str| {
            Error::Invalid(format!(
                "the nexmark split `{}` cannot go on from `{}`: {why}; the options of the table must stay what they were when \
                 this was stored",
                split.id, split.position
            ))
        };
        let index = u64::from(split_number(&split.id)?);
        if index >= self.splits {
            return Err(cannot(&format!("there are {} splits, counted from 0", self.splits)));
        }
        if split.position.is_empty() {
            return Ok(index * self.block_events);
        }
        let Position { next_event } =
            serde_json::from_str(&split.position).map_err(|error| cannot(&error.to_string()))?;
        if next_event / self.block_events % self.splits != index {
            return Err(cannot(&format!(
                "that event is in another split when blocks have {} events",
                self.block_events
            )));
        }
        Ok(next_event)
    }

    /// How many events can be given out together from event `next` on: those left of its block.
    pub(super) fn events_from(&self, next: u64) -> u64 {
        self.events.saturating_sub(next).min(self.block_events - next % self.block_events)
    }

    /// The split's next event after those `events` from event `next` on, which are in one block.
    pub(super) fn after(&self, next: u64, events: u64) -> u64 {
        let end = next + events;
        if end.is_multiple_of(self.block_events) { end + (self.splits - 1) * self.block_events } else { end }
    }

    /// How many events of the same split come before event `next`.
    pub(super) fn rows_before(&self, next: u64) -> u64 {
        next / self.block_events / self.splits * self.block_events + next % self.block_events
    }
}
