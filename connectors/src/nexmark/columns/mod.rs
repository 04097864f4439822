//! Blocks of the stream as batches, made column by column: only what is asked for, down to the fields of a struct.
//!
//! A block is some events that follow each other and lie in one page. With a [`Selection`] of one kind its rows are that
//! kind's events; with all, a row stands for each event and the structs of the other two kinds are null in it. A struct's
//! fields are filled run by run, a run being the events of one kind in one epoch ([`runs`]). What does not change from page
//! to page (which rows are null) is made once and sliced ([`patterns`]); what does is written into memory that comes back
//! from the batches before ([`buffers`]).

mod auctions;
mod bids;
mod buffers;
mod kind;
mod patterns;
mod persons;
mod projection;
mod runs;

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StructArray};
use arrow::datatypes::SchemaRef;
use millstream_engine::error::Result;

use self::bids::BidScratch;
use self::buffers::Buffers;
use self::kind::KindMaker;
use self::patterns::Patterns;
pub(super) use self::projection::Projection;
pub use self::projection::schema;
use self::projection::{Column, StructFields};
use self::runs::Block;
pub(super) use self::runs::Selection;
use super::generator::{EventKind, GeneratorConfig};

/// Makes the batches of one projection. Each reader has its own: it keeps buffers from block to block.
#[derive(Debug)]
pub(super) struct ColumnMaker {
    config: Arc<GeneratorConfig>,
    projection: Arc<Projection>,
    selection: Selection,
    patterns: Patterns,
    /// One set for each kind: buffers of a kind always come back to rows of that kind.
    buffers: [Buffers; 3],
    bid_scratch: BidScratch,
}

impl ColumnMaker {
    /// For these columns of the events of `selection`.
    pub(super) fn new(config: Arc<GeneratorConfig>, projection: Arc<Projection>, selection: Selection) -> Self {
        let patterns = Patterns::new(&config, &projection, selection);
        let buffers = [Buffers::default(), Buffers::default(), Buffers::default()];
        Self { config, projection, selection, patterns, buffers, bid_scratch: BidScratch::default() }
    }

    /// The rows of `events` events from number `first` on, which lie in one page.
    pub(super) fn make(&mut self, first: u64, events: u64) -> Result<RecordBatch> {
        let block = Block::new(&self.config, self.selection, first, events);
        let projection = Arc::clone(&self.projection);
        let columns = projection.columns().iter().enumerate();
        let arrays = columns.map(|(place, column)| self.column(place, column, &block)).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(block.rows()));
        Ok(RecordBatch::try_new_with_options(SchemaRef::clone(projection.schema()), arrays, &options)?)
    }

    /// Bytes of memory held, without what others still use.
    pub(super) fn memory_bytes(&self) -> usize {
        let buffers: usize = self.buffers.iter().map(Buffers::memory_bytes).sum();
        buffers + self.bid_scratch.memory_bytes() + self.patterns.memory_bytes()
    }

    fn column(&mut self, place: usize, column: &Column, block: &Block) -> Result<ArrayRef> {
        let (fields, wanted) = match column {
            Column::EventType => return Ok(self.patterns.event_types(block)),
            Column::Struct(fields, wanted) => (fields, wanted),
        };
        if let Some(absent) = self.patterns.absent(place, block) {
            return Ok(absent);
        }
        let valid = self.patterns.valid(wanted.kind(), block);
        let children = self.children(wanted, block);
        Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), children, valid, block.rows())?))
    }

    fn children(&mut self, wanted: &StructFields, block: &Block) -> Vec<ArrayRef> {
        let [person_buffers, auction_buffers, bid_buffers] = &mut self.buffers;
        match wanted {
            StructFields::Person(fields) => {
                let mut maker = KindMaker::new(&self.config, block, EventKind::Person, person_buffers);
                fields.iter().map(|&field| persons::column(&mut maker, field)).collect()
            }
            StructFields::Auction(fields) => {
                let mut maker = KindMaker::new(&self.config, block, EventKind::Auction, auction_buffers);
                fields.iter().map(|&field| auctions::column(&mut maker, field)).collect()
            }
            StructFields::Bid(fields) => {
                let mut maker = KindMaker::new(&self.config, block, EventKind::Bid, bid_buffers);
                bids::columns(&mut maker, fields, &mut self.bid_scratch)
            }
        }
    }
}
