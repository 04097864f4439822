//! Formats: bytes to columns and back.
//!
//! A [`Decoder`] is compiled for one list of columns and takes bytes as they come; it finds the records in them by itself.
//! A record that cannot be decoded is a [`BadRow`], one at a time, and what becomes of it is the reader's
//! [`BadRowPolicy`]. An [`Encoder`] appends whole batches to a buffer.

use arrow::array::RecordBatch;
use millstream_engine::batch::EventBatch;

/// Turns the bytes of one split into batches.
pub trait Decoder: Send {
    /// Takes records from the front of `input` until `limit` records are waiting for [`Decoder::flush`] or no complete one
    /// is left, and answers how many bytes it took. With `last` nothing follows `input`, so a final record needs no end.
    fn decode(&mut self, input: &[u8], limit: usize, last: bool) -> millstream_engine::error::Result<usize>;

    /// How many records wait, good and bad.
    fn waiting(&self) -> usize;

    /// Gives out what waits.
    fn flush(&mut self) -> millstream_engine::error::Result<Decoded>;
}

/// What a decoder made of some records.
#[derive(Debug)]
pub struct Decoded {
    /// The good rows.
    pub rows: RecordBatch,
    /// The columns for the watermark, if they were asked for apart, one row for each good row.
    pub watermark_rows: Option<RecordBatch>,
    /// How many records were read, good and bad.
    pub records: usize,
    /// The bad ones, in order.
    pub bad: Vec<BadRow>,
}

/// A record that could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Its place among the records of this [`Decoded`], from 0.
    pub record: usize,
    /// What is wrong: names the column and the value.
    pub reason: String,
    /// The record as it stood there.
    pub raw: Vec<u8>,
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

/// Turns batches into bytes.
pub trait Encoder: Send {
    /// Appends `batch` to `bytes`: for text formats a line for each row.
    fn encode(&mut self, batch: &EventBatch, bytes: &mut Vec<u8>) -> millstream_engine::error::Result<()>;
}
