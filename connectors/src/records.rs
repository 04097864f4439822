//! The rows of one split whose bytes come in chunks: what every source of text has in common.
//!
//! ```text
//!   Pump ─► Window (the bytes not taken yet) ─► Decoder ─► SourceRows
//!           │ the record cut by a chunk's end is     │ bad rows by policy, batches end where
//!           │ joined in the next chunk's headroom    │ the watermark may advance
//! ```
//!
//! A reader's position is the byte after the last record that it gave out, and the count of records. Where bytes cannot be
//! addressed (a compressed file) it is the count alone, and restoring reads again and drops that many.
//!
//! # Bounds
//! The window holds at most one record that is not complete and a chunk; the decoder passes over a record that is longer
//! than allowed in pieces.

use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use millstream_engine::error::{Error, Result};
use millstream_engine::io::source::{SourceRows, dead_letter_schema};
use millstream_engine::memory;

use crate::blocking::{Buffers, ByteSource, Chunk, ChunkReader, HEADROOM, Pump};
use crate::formats::{BadRow, BadRowPolicy, Decoded, Decoder};

/// The most rows in a batch.
pub(crate) const BATCH_ROWS: usize = 8_192;
/// How much of a bad row an error shows, in characters.
const SHOWN_CHARS: usize = 200;

/// What is made of decoded rows before the bad ones among them are looked at: columns that the format has not, and whatever
/// only shows then.
pub(crate) type Completion = Box<dyn Fn(Decoded) -> Result<Decoded> + Send>;

/// How a split is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordSettings {
    /// What becomes of bad rows.
    pub(crate) bad_rows: BadRowPolicy,
    /// Batches end at multiples of so many rows of the split. `None`: at [`BATCH_ROWS`], or when nothing more is there yet.
    pub(crate) watermark_rows: Option<u64>,
}

impl RecordSettings {
    /// The most rows of a batch that begins after `rows` rows of the split.
    pub(crate) fn limit(&self, rows: u64) -> usize {
        let Some(every) = self.watermark_rows else { return BATCH_ROWS };
        usize::try_from(every - rows % every).unwrap_or(usize::MAX).min(BATCH_ROWS)
    }
}

/// How far a split was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Progress {
    /// The byte where the next record begins.
    pub(crate) offset: u64,
    /// How many records came before it.
    pub(crate) rows: u64,
}

/// Reads one split.
pub(crate) struct RecordReader<S: ByteSource> {
    split: Arc<str>,
    settings: RecordSettings,
    decoder: Box<dyn Decoder>,
    completion: Completion,
    pump: Pump<ChunkReader<S>>,
    buffers: Buffers,
    window: Window,
    /// No chunk follows.
    ended: bool,
    /// While the decoder is shown the beginning of the split: the bytes to go on with afterwards.
    resume: Option<Pump<ChunkReader<S>>>,
    /// How many records are still to be dropped, because they were given out before the restore.
    replay: u64,
    /// Where the window begins in the split.
    offset: u64,
    given: Progress,
}

impl<S: ByteSource> RecordReader<S> {
    /// Reads `split` from `start`, where `pump` begins.
    pub(crate) fn new(
        split: Arc<str>,
        settings: RecordSettings,
        decoder: Box<dyn Decoder>,
        pump: Pump<ChunkReader<S>>,
        buffers: Buffers,
        start: Progress,
    ) -> Self {
        let window = Window::default();
        let offset = start.offset;
        Self {
            split,
            settings,
            decoder,
            completion: Box::new(Ok),
            pump,
            buffers,
            window,
            ended: false,
            resume: None,
            replay: 0,
            offset,
            given: start,
        }
    }

    /// Completes what the decoder makes by `completion`.
    pub(crate) fn completed_by(mut self, completion: Completion) -> Self {
        self.completion = completion;
        self
    }

    /// Reads from the beginning, where `pump` begins, and drops the first `rows` records.
    pub(crate) fn replaying(mut self, rows: u64) -> Self {
        self.replay = rows;
        self
    }

    /// Shows the decoder the first bytes of `beginning`, and goes on where `pump` begins.
    pub(crate) fn beginning_with(mut self, beginning: Pump<ChunkReader<S>>) -> Self {
        self.resume = Some(std::mem::replace(&mut self.pump, beginning));
        self.offset = 0;
        self
    }

    /// How far the rows that were given out reach.
    pub(crate) fn progress(&self) -> Progress {
        self.given
    }

    /// Bytes of memory held, without the buffers that are not in use.
    pub(crate) fn memory_bytes(&self) -> usize {
        let pumps = self.pump.memory_bytes() + self.resume.as_ref().map_or(0, Pump::memory_bytes);
        pumps + memory::vec(&self.window.buffer) + self.decoder.memory_bytes()
    }

    /// The next rows; `None` at the end of the split.
    pub(crate) fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Result<Option<SourceRows>>> {
        loop {
            match self.step()? {
                Step::Again => {}
                Step::Rows(decoded) if self.replay > 0 => self.drop_replayed(&decoded)?,
                Step::Rows(decoded) => return Poll::Ready(self.give_out(decoded).map(Some)),
                Step::Finished => return Poll::Ready(self.finish().map(|()| None)),
                Step::NeedBytes => match self.pump.poll_item(cx)? {
                    Poll::Ready(Some(chunk)) => self.window.append(chunk, &self.buffers),
                    Poll::Ready(None) => self.ended = true,
                    Poll::Pending if self.gives_out_early() => {
                        let decoded = self.decoder.flush()?;
                        return Poll::Ready(self.give_out(decoded).map(Some));
                    }
                    Poll::Pending => return Poll::Pending,
                },
            }
        }
    }

    /// Nothing more is there yet, so whoever waits for rows gets what there is.
    fn gives_out_early(&self) -> bool {
        self.settings.watermark_rows.is_none() && self.replay == 0 && self.decoder.waiting() > 0
    }

    fn step(&mut self) -> Result<Step> {
        if self.window.is_empty() && !self.ended {
            return Ok(Step::NeedBytes);
        }
        if self.resume.is_some() {
            return self.begin();
        }
        if self.window.is_empty() {
            return Ok(if self.decoder.waiting() > 0 { Step::Rows(self.decoder.flush()?) } else { Step::Finished });
        }
        let limit = self.limit();
        let taken = self.decode(limit)?;
        let waiting = self.decoder.waiting();
        if waiting >= limit || (taken == 0 && waiting > 0) {
            return Ok(Step::Rows(self.decoder.flush()?));
        }
        self.go_on(taken)
    }

    /// Shows the decoder how the file begins, as its format needs it, and then goes on where reading is to begin.
    fn begin(&mut self) -> Result<Step> {
        let taken = self.decode(0)?;
        if taken == 0 {
            return self.go_on(taken);
        }
        if let Some(pump) = self.resume.take() {
            self.pump = pump;
        }
        let left = std::mem::take(&mut self.window);
        self.buffers.give(left.buffer);
        self.offset = self.given.offset;
        self.ended = false;
        Ok(Step::Again)
    }

    fn decode(&mut self, limit: usize) -> Result<usize> {
        let taken = self.decoder.decode(self.window.bytes(), limit, self.ended)?;
        self.window.take(taken);
        self.offset += taken as u64;
        Ok(taken)
    }

    /// What follows after the decoder took `taken` bytes and wants more.
    fn go_on(&self, taken: usize) -> Result<Step> {
        match (self.ended, taken) {
            (false, _) => Ok(Step::NeedBytes),
            (true, 1..) => Ok(Step::Again),
            (true, 0) => {
                let left = self.window.len();
                Err(Error::internal(format!("the decoder left {left} bytes at the end of `{}`", self.split)))
            }
        }
    }

    /// Up to how many records may wait.
    fn limit(&self) -> usize {
        if self.replay > 0 {
            return usize::try_from(self.replay).unwrap_or(usize::MAX).min(BATCH_ROWS);
        }
        self.settings.limit(self.given.rows)
    }

    fn drop_replayed(&mut self, decoded: &Decoded) -> Result<()> {
        self.replay = self.replay.checked_sub(decoded.records as u64).ok_or_else(|| {
            Error::internal(format!("the decoder gave out more records of `{}` than were asked for", self.split))
        })?;
        self.given.offset = self.offset;
        Ok(())
    }

    /// The split has ended; it must have had the records that were given out before.
    fn finish(&self) -> Result<()> {
        if self.replay == 0 {
            return Ok(());
        }
        let (had, wanted) = (self.given.rows - self.replay, self.given.rows);
        let message = format!("it has {had} rows, but {wanted} were read before; the file was changed since");
        Err(Error::data(format!("`{}`", self.split), message))
    }

    fn give_out(&mut self, decoded: Decoded) -> Result<SourceRows> {
        let decoded = (self.completion)(decoded)?;
        let rows = source_rows(&self.split, self.given.rows, decoded, self.settings.bad_rows)?;
        self.given = Progress { offset: self.offset, rows: rows.split_rows };
        Ok(rows)
    }
}

/// What the next thing to do is.
enum Step {
    /// The same again.
    Again,
    /// Wait for a chunk.
    NeedBytes,
    /// Give these out.
    Rows(Decoded),
    /// Nothing is left.
    Finished,
}

/// What a source gives out for `decoded`, before which `before` records of `split` came.
pub(crate) fn source_rows(split: &Arc<str>, before: u64, decoded: Decoded, policy: BadRowPolicy) -> Result<SourceRows> {
    let dead_letters = match policy {
        BadRowPolicy::Fail => match decoded.bad.first() {
            Some(bad) => return Err(failure(split, before, bad)),
            None => None,
        },
        BadRowPolicy::Skip => None,
        BadRowPolicy::DeadLetter => dead_letters(split, before, &decoded.bad)?,
    };
    Ok(SourceRows {
        split: Arc::clone(split),
        rows: decoded.rows,
        split_rows: before + decoded.records as u64,
        watermark_rows: decoded.watermark_rows,
        dead_letters,
        errors: decoded.bad.len() as u64,
    })
}

/// What the policy `fail` says about a bad row of a split of which `before` rows came before its batch.
fn failure(split: &str, before: u64, bad: &BadRow) -> Error {
    let row = before + bad.record as u64 + 1;
    let text = String::from_utf8_lossy(&bad.raw);
    let shown: String = text.chars().take(SHOWN_CHARS).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    let hint = "set 'scan.bad-rows' (`badRows` in a pipeline) to 'skip' or 'deadLetter' to go on without such rows";
    Error::data(format!("`{split}`, row {row}"), format!("{}; the row is `{shown}{more}`; {hint}", bad.reason))
}

/// The side output of bad rows; see [`dead_letter_schema`].
fn dead_letters(split: &str, before: u64, bad: &[BadRow]) -> Result<Option<RecordBatch>> {
    if bad.is_empty() {
        return Ok(None);
    }
    let number = |row: &BadRow| i64::try_from(before + row.record as u64 + 1).unwrap_or(i64::MAX);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(bad.iter().map(|_| split))),
        Arc::new(Int64Array::from_iter_values(bad.iter().map(number))),
        Arc::new(StringArray::from_iter_values(bad.iter().map(|row| &row.reason))),
        Arc::new(StringArray::from_iter_values(bad.iter().map(|row| String::from_utf8_lossy(&row.raw)))),
    ];
    Ok(Some(RecordBatch::try_new(dead_letter_schema(), columns)?))
}

/// The bytes that were read and not taken yet.
#[derive(Debug, Default)]
struct Window {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Window {
    fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    fn len(&self) -> usize {
        self.end - self.start
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn take(&mut self, bytes: usize) {
        self.start += bytes;
    }

    /// Adds the bytes of `chunk`. A short rest moves into the chunk's headroom; a long one (a record of more than a chunk)
    /// grows in place.
    fn append(&mut self, mut chunk: Chunk, buffers: &Buffers) {
        let rest = self.len();
        if rest <= HEADROOM {
            let start = HEADROOM - rest;
            chunk.buffer[start..HEADROOM].copy_from_slice(self.bytes());
            buffers.give(std::mem::replace(&mut self.buffer, chunk.buffer));
            (self.start, self.end) = (start, chunk.end);
        } else {
            self.buffer.truncate(self.end);
            self.buffer.drain(..self.start);
            self.buffer.extend_from_slice(&chunk.buffer[HEADROOM..chunk.end]);
            (self.start, self.end) = (0, self.buffer.len());
            buffers.give(chunk.buffer);
        }
    }
}

impl<S: ByteSource> std::fmt::Debug for RecordReader<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordReader").field("split", &self.split).field("given", &self.given).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
