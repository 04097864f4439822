//! Formats: bytes to columns and back.
//!
//! A [`FormatSpec`] is what a table's options say. It makes a [`Decoder`], compiled for one list of columns, which takes
//! bytes as they come and finds the records in them by itself, or an [`Encoder`], which appends whole batches to a buffer.
//! A record that cannot be decoded is a [`BadRow`], one at a time, and what becomes of it is the reader's
//! [`BadRowPolicy`]. Parquet has no stream of records: [`parquet`] reads and writes whole files.
//!
//! ```text
//!            scan: where is what            convert: column by column
//!   bytes ──────────────────────► tokens ─────────────────────────────► columns ──flush──► RecordBatch
//!          json · csv · raw       (a lane for each wanted value)  values · columns · rows
//! ```
//!
//! The two steps are apart for speed: the scan looks at every byte once and knows no types, and a conversion is one tight
//! loop for a whole lane. They are apart for correctness too: a record that cannot be scanned never reaches a column.

use arrow::array::{Array, BinaryArray, RecordBatch};
use arrow::datatypes::SchemaRef;
use millstream_engine::batch::{EventBatch, RowKind};
use millstream_engine::error::{Error, Result};
use millstream_engine::memory;

mod cells;
mod columns;
pub mod csv;
pub mod json;
mod lines;
pub mod parquet;
mod raw;
mod rows;
mod spec;
mod token;
mod values;
mod wanted;

pub(crate) use columns::{MARKER, NO_TIME, no_time};
pub use spec::{Format, FormatSpec, TimeColumn};

/// Turns the bytes of one split into batches.
///
/// A reader gives it what it has, drops what was taken and gives the rest again with more behind it. Two rules hold for
/// whoever calls: when nothing was taken although records wait, flush first; and a position to go on from moves only with
/// records that were flushed, because bytes are also taken without making a record (blank lines, comments, a record
/// that is longer than allowed and is passed over in pieces).
pub trait Decoder: Send {
    /// Takes records from the front of `input` until `limit` records are waiting for [`Decoder::flush`] or no complete one
    /// is left, and answers how many bytes it took. With `last` nothing follows `input`, so a final record needs no end.
    fn decode(&mut self, input: &[u8], limit: usize, last: bool) -> Result<usize>;

    /// How many records wait, good and bad.
    fn waiting(&self) -> usize;

    /// Gives out what waits.
    fn flush(&mut self) -> Result<Decoded>;

    /// Bytes of memory that what waits and the room for it hold.
    fn memory_bytes(&self) -> usize;
}

/// What a decoder made of some records.
#[derive(Debug)]
pub struct Decoded {
    /// The good rows that meet the filters.
    pub rows: RecordBatch,
    /// The columns for the watermark, if they were asked for apart, one row for each good row whether a filter dropped it
    /// or not.
    pub watermark_rows: Option<RecordBatch>,
    /// Where rows are from, if that was asked for: see [`TimeColumn::Later`].
    pub origins: Option<Box<Origins>>,
    /// How many records were read, good and bad.
    pub records: usize,
    /// The bad ones, in order.
    pub bad: Vec<BadRow>,
}

impl Decoded {
    /// Bytes of memory held. Rows are often parts of larger batches.
    pub(crate) fn memory_bytes(&self) -> usize {
        let batches = std::iter::once(&self.rows).chain(&self.watermark_rows);
        let rows: usize = batches.map(|rows| memory::visible_parts(rows.columns())).sum();
        let origins = self.origins.as_ref().map_or(0, |of| memory::vec(&of.records) + of.raw.get_buffer_memory_size());
        rows + origins + self.bad.iter().map(BadRow::memory_bytes).sum::<usize>()
    }
}

/// Where the rows of a [`Decoded`] are from.
#[derive(Debug)]
pub struct Origins {
    /// Of each row, its place among the records, from 0.
    pub records: Vec<usize>,
    /// Of each good row, whether a filter dropped it or not, the record as it stood there.
    pub raw: BinaryArray,
}

/// A record that could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Its place among the records of this [`Decoded`], from 0.
    pub record: usize,
    /// What is wrong: names the column and the value.
    pub reason: String,
    /// The record as it stood there, without its line end. Of a record that is longer than allowed, the beginning.
    pub raw: Vec<u8>,
}

impl BadRow {
    fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.reason.capacity() + memory::vec(&self.raw)
    }
}

/// What becomes of rows that cannot be decoded: the option `scan.bad-rows`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BadRowPolicy {
    /// `fail`: the job fails with the split, the row's number, the reason and the row.
    #[default]
    Fail,
    /// `skip`: it is counted.
    Skip,
    /// `deadLetter`: it is counted and goes to the side output.
    DeadLetter,
}

/// Turns batches into the bytes of one file.
pub trait Encoder: Send {
    /// Appends what a file starts with: the header line of CSV, nothing for other text formats. Comes first.
    fn begin(&mut self, bytes: &mut Vec<u8>);

    /// Appends `batch` to `bytes`: for text formats a line for each row; Parquet may hold rows back. Fails without having
    /// appended anything.
    fn encode(&mut self, batch: &EventBatch, bytes: &mut Vec<u8>) -> Result<()>;

    /// Appends what a file ends with: what was held back, and the footer of Parquet. Comes last.
    fn finish(&mut self, bytes: &mut Vec<u8>) -> Result<()>;

    /// Bytes of memory that what it holds back takes.
    fn memory_bytes(&self) -> usize;
}

/// Refuses what an encoder for `schema` cannot write.
fn encoder_check(format: &str, schema: &SchemaRef, batch: &EventBatch) -> Result<()> {
    if batch.rows.schema_ref().fields().len() != schema.fields().len() {
        return Err(Error::internal("a batch does not have the columns that its encoder was made for"));
    }
    let updates = batch.row_kinds.as_ref().is_some_and(|kinds| kinds.iter().any(|&kind| kind != RowKind::Insert as u8));
    if updates {
        return Err(Error::data(
            format!("format '{format}'"),
            "the rows are changes of a table (updates or deletes), and this format can only write new rows",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
