//! Columns and null bits that are the same in every page: they are made once, and a block takes a slice.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int32Array, StructArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};

use super::projection::{Column, Projection};
use super::runs::{Block, Selection, row_number};
use crate::nexmark::generator::{EventKind, GeneratorConfig};

/// What is sliced. Lengths are those of a page.
#[derive(Debug)]
pub(super) struct Patterns {
    event_types: ArrayRef,
    /// For each kind, which rows are of it. `None`: all are.
    valid: [Option<NullBuffer>; 3],
    /// For each column, a struct that is always null, if it is of a kind that is not selected.
    absent: Vec<Option<ArrayRef>>,
    /// What all of these hold.
    bytes: usize,
}

impl Patterns {
    pub(super) fn new(config: &GeneratorConfig, projection: &Projection, selection: Selection) -> Self {
        let rows = row_number(config.page_events());
        let kinds: Vec<EventKind> = match selection {
            Selection::All => (0..config.page_events()).map(|event| config.kind(event)).collect(),
            Selection::Only(kind) => vec![kind; rows],
            Selection::Nothing => Vec::new(),
        };
        let valid = |kind| {
            let bits = BooleanBuffer::collect_bool(kinds.len(), |row| kinds[row] == kind);
            matches!(selection, Selection::All).then(|| NullBuffer::new(bits))
        };
        let absent = |column: &Column| -> Option<ArrayRef> {
            let Column::Struct(fields, wanted) = column else { return None };
            let has_rows = selection.has(wanted.kind());
            (!has_rows).then(|| Arc::new(StructArray::new_null(fields.clone(), kinds.len())) as ArrayRef)
        };
        let event_types: ArrayRef = Arc::new(Int32Array::from_iter_values(kinds.iter().map(|kind| kind.number())));
        let valid = EventKind::ALL.map(valid);
        let absent: Vec<Option<ArrayRef>> = projection.columns().iter().map(absent).collect();
        let arrays = absent.iter().flatten().chain([&event_types]).map(|array| array.get_buffer_memory_size());
        let bits = valid.iter().flatten().map(|valid| valid.buffer().capacity());
        let bytes = arrays.chain(bits).sum();
        Self { event_types, valid, absent, bytes }
    }

    /// Bytes of memory held.
    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes
    }

    /// The column `event_type`.
    pub(super) fn event_types(&self, block: &Block) -> ArrayRef {
        let start = if block.selection() == Selection::All { block.page_row() } else { 0 };
        self.event_types.slice(start, block.rows())
    }

    /// Which rows of the block are of `kind`. `None`: all are.
    pub(super) fn valid(&self, kind: EventKind, block: &Block) -> Option<NullBuffer> {
        let [person, auction, bid] = &self.valid;
        let valid = match kind {
            EventKind::Person => person,
            EventKind::Auction => auction,
            EventKind::Bid => bid,
        };
        valid.as_ref().map(|bits| bits.slice(block.page_row(), block.rows()))
    }

    /// The struct in column `place`, if it is always null.
    pub(super) fn absent(&self, place: usize, block: &Block) -> Option<ArrayRef> {
        self.absent[place].as_ref().map(|nulls| nulls.slice(0, block.rows()))
    }
}
