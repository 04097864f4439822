//! Sources: who finds the input, who reads it, and how far each got.
//!
//! A source's input is cut into [`Split`]s (a file, a partition, a share of a generator). One [`SplitEnumerator`] per
//! source finds them and hands them out in a defined order; it lives with the job's master. In every subtask a
//! [`SourceReader`] asks for splits, reads them and says how far it got. A split carries its position, so that what a
//! reader holds at a barrier can be given to any other.
//!
//! # Flow
//! 1. The reader answers [`SourceEvent::NeedSplit`]; the runtime asks the enumerator and calls [`SourceReader::add_split`]
//!    or [`SourceReader::no_more_splits`].
//! 2. Each [`SourceEvent::Rows`] names its split and the position after it.
//! 3. The runtime computes the watermark of each split from the rows and merges them by minimum.
//!
//! # Guarantees
//! A reader's batches of a bounded split never cross a multiple of [`Source::watermark_rows`] rows: there the watermark
//! advances, whatever batches the rows travel in.

use std::fmt::Debug;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::error::Result;
use crate::operators::ProcessingTime;

/// Whether a source ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boundedness {
    /// It ends, and with it event time.
    Bounded,
    /// It goes on until the job is stopped.
    Unbounded,
}

/// A source as it was planned: which columns of which outside thing. Shared by all subtasks.
pub trait Source: Send + Sync + Debug {
    /// Whether it ends.
    fn boundedness(&self) -> Boundedness;

    /// The columns of the batches that readers make.
    fn schema(&self) -> SchemaRef;

    /// At which multiples of rows of a bounded split the watermark advances. At least 1.
    fn watermark_rows(&self) -> u64;

    /// The one enumerator of a job for this source. May do IO (list files); the job's master calls it.
    fn create_enumerator(&self) -> Result<Box<dyn SplitEnumerator>>;

    /// A reader for one subtask.
    fn create_reader(&self, context: ReaderContext) -> Result<Box<dyn SourceReader>>;
}

/// What a reader may use.
#[derive(Debug, Clone)]
pub struct ReaderContext {
    /// Which subtask it reads for.
    pub subtask: u32,
    /// How many subtasks read.
    pub parallelism: u32,
    /// Runs blocking reads away from the slot's thread.
    pub io: Arc<dyn IoRuntime>,
}

/// Runs blocking work away from the slot's thread. The runtime implements it; a test may run work in place.
pub trait IoRuntime: Send + Sync + Debug {
    /// Runs `work` to its end on a thread that may block.
    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>);
}

/// A part of a source's input that one reader reads at a time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Split {
    /// Names the part, the same in every run over the same input: a path, `topic-3`.
    pub id: Arc<str>,
    /// Where to go on, in the source's own words (JSON); empty for the beginning.
    pub position: String,
    /// How many rows of it were read before `position`.
    pub rows: u64,
}

/// An enumerator's answer to a reader without a split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SplitAnswer {
    /// Read this one.
    Assigned(Split),
    /// There may be one later; ask again at that time.
    AskAgain(ProcessingTime),
    /// There will never be another.
    NoMore,
}

/// Finds splits and hands them out in a defined order. Its state and the readers' positions belong to one checkpoint.
pub trait SplitEnumerator: Send {
    /// A split for the reader of subtask `subtask` of `parallelism`. May do IO (watching a folder).
    fn next_split(&mut self, subtask: u32, parallelism: u32, now: ProcessingTime) -> Result<SplitAnswer>;

    /// Splits of a reader that failed or that was rescaled away come back, each with its position.
    fn add_back(&mut self, splits: Vec<Split>);

    /// What it must remember: which splits were handed out and are finished. JSON.
    fn snapshot(&self) -> Result<String>;

    /// Goes on from a snapshot. Comes before any other call.
    fn restore(&mut self, snapshot: &str) -> Result<()>;
}

/// What a reader has to say.
#[derive(Debug)]
pub enum SourceEvent {
    /// Rows of a split.
    Rows(SourceRows),
    /// Nothing more comes of this split.
    SplitFinished(Arc<str>),
    /// It could read another split. Said once; the answer is `add_split` or `no_more_splits`.
    NeedSplit,
    /// `no_more_splits` was said and all splits are finished.
    EndOfInput,
}

/// A batch of a split. See [`Source::watermark_rows`] for where batches end.
#[derive(Debug)]
pub struct SourceRows {
    /// The split they are of.
    pub split: Arc<str>,
    /// The rows that were asked for, perhaps fewer than were read (filters, bad rows), perhaps none.
    pub rows: RecordBatch,
    /// How many rows of the split were read up to and with this batch, good and bad ones.
    pub split_rows: u64,
    /// The columns that the watermark needs, of every good row whether a filter dropped it or not, or of rows that stand
    /// for them (the last one, where rows are in order of time). Absent: `rows` themselves.
    pub watermark_rows: Option<RecordBatch>,
    /// Rows that could not be decoded, or have no time, and are to go to the side output, in the schema of [`dead_letter_schema`].
    pub dead_letters: Option<RecordBatch>,
    /// How many rows could not be decoded or have no time, dead letters or not.
    pub errors: u64,
}

/// Reads splits for one subtask. Called by its task only.
pub trait SourceReader: Send {
    /// Reads this split too, from its position.
    fn add_split(&mut self, split: Split) -> Result<()>;

    /// No split follows.
    fn no_more_splits(&mut self);

    /// What comes next. `Pending` wakes `waker_cx` when there is something; a reader that can make rows at once never
    /// answers `Pending`. An error fails the task.
    fn poll_next(&mut self, now: ProcessingTime, waker_cx: &mut Context<'_>) -> Poll<Result<SourceEvent>>;

    /// When [`SourceReader::poll_next`] is wanted again though nothing woke the reader: the next row of a source that makes
    /// so many rows a second, the next try of a connection that was refused. Asked after a `Pending`. `None`: when woken.
    fn next_time(&self) -> Option<ProcessingTime> {
        None
    }

    /// Bytes of memory that its read and decode buffers hold now, without what it has given out; see [`crate::memory`]. Asked
    /// every few batches.
    fn memory_bytes(&self) -> usize;

    /// The splits it holds, each with the position after the last rows that it gave out.
    fn snapshot(&self) -> Vec<Split>;
}

/// The columns of dead letters: `split` (text), `row` (number of the row in its split from 1), `reason` (text) and `raw`
/// (the row as it stood there; bytes that are not UTF-8 are replaced).
pub fn dead_letter_schema() -> SchemaRef {
    use arrow::datatypes::{DataType, Field, Schema};
    Arc::new(Schema::new(vec![
        Field::new("split", DataType::Utf8, false),
        Field::new("row", DataType::Int64, false),
        Field::new("reason", DataType::Utf8, false),
        Field::new("raw", DataType::Utf8, false),
    ]))
}
