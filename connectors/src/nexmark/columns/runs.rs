//! Which events of a block become which rows.

use crate::nexmark::generator::{EventKind, GeneratorConfig};

/// Which kinds of events are made at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::nexmark) enum Selection {
    /// All; the row of an event is its place in the block.
    All,
    /// One kind; its events follow each other without gaps.
    Only(EventKind),
    /// None: the filter that was taken over lets nothing through.
    Nothing,
}

/// Some events that follow each other and lie in one page, and the rows they become.
#[derive(Debug, Clone, Copy)]
pub(in crate::nexmark) struct Block {
    selection: Selection,
    first: u64,
    events: u64,
    rows: usize,
    page_row: usize,
}

/// The events of one kind in one epoch, as far as they lie in a block. Their rows follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// The epoch.
    pub(super) epoch: u64,
    /// The number of the first one.
    pub(super) first: u64,
    /// How many.
    pub(super) events: usize,
    /// The row of the first one.
    pub(super) row: usize,
}

impl Selection {
    /// Whether events of `kind` become rows.
    pub(super) fn has(self, kind: EventKind) -> bool {
        match self {
            Self::All => true,
            Self::Only(only) => only == kind,
            Self::Nothing => false,
        }
    }
}

impl Block {
    /// `events` events from number `first` on.
    pub(super) fn new(config: &GeneratorConfig, selection: Selection, first: u64, events: u64) -> Self {
        let page_row = row_number(first % config.page_events());
        debug_assert!(page_row + row_number(events) <= row_number(config.page_events()), "a block lies in one page");
        let rows = match selection {
            Selection::All => events,
            Selection::Only(kind) => config.count_before(kind, first + events) - config.count_before(kind, first),
            Selection::Nothing => 0,
        };
        Self { selection, first, events, rows: row_number(rows), page_row }
    }

    /// Which events become rows.
    pub(super) fn selection(&self) -> Selection {
        self.selection
    }

    /// The number of the first event, row or not.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// How many events, rows or not.
    pub(super) fn events(&self) -> u64 {
        self.events
    }

    /// How many rows.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Which event of its page the first one is.
    pub(super) fn page_row(&self) -> usize {
        self.page_row
    }

    /// The events of `kind` by epoch, in order; `kind` is selected.
    pub(super) fn runs<'a>(&'a self, config: &'a GeneratorConfig, kind: EventKind) -> impl Iterator<Item = Run> + 'a {
        let places = config.places(kind);
        let end = self.first + self.events;
        let before = config.count_before(kind, self.first);
        (self.first / config.epoch_events()..end.div_ceil(config.epoch_events())).filter_map(move |epoch| {
            let start = epoch * config.epoch_events();
            let first = (start + places.start).max(self.first);
            let behind = (start + places.end).min(end);
            let row = match self.selection {
                Selection::All => first - self.first,
                Selection::Only(_) | Selection::Nothing => config.count_before(kind, first) - before,
            };
            (first < behind).then(|| Run { epoch, first, events: row_number(behind - first), row: row_number(row) })
        })
    }
}

/// A number of rows or a place among the rows of a page.
#[expect(clippy::cast_possible_truncation, reason = "a page has some thousand events")]
pub(super) fn row_number(events: u64) -> usize {
    events as usize
}
