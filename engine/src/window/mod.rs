//! Windows: rows of a key that are aggregated together, and when their result is given out.
//!
//! A window aggregation is an *assigner* (which windows a row falls into) × a *trigger* (when a window gives out its
//! result) × *aggregates* × how late a row may be. An *evictor* may leave rows out.
//!
//! ```text
//!            rows of a key, by time        ○ ○  ○ ○ ○     ○   ○ ○
//!  tumbling  [ 0, 10) [10, 20) …          ├─────┤├─────┤├─────┤     every row in one
//!  sliding   size 10, slide 5             ├─────┤ ├─────┤           every row in several; panes are shared
//!                                            ├─────┤ ├─────┤
//!  cumulating step 5, up to 10            ├──┤  ├──┤                grows, and gives out each step
//!                                         ├─────┤├─────┤
//!  session   until silent for a gap       ├───────────┤  ├──────┤   merge when they overlap or touch
//!  global    all of time                  ├─────────────────────►   for triggers that count rows
//!
//!  watermark ──────────────► passes a window's last millisecond: its result is given out, its rows are forgotten once the
//!                            allowed lateness is over too; a row for windows that are all forgotten is late
//! ```
//!
//! Three operators keep the same rules, and [`crate::spec::OperatorSpec`] takes the first that can run a program:
//! [`grid::GridWindows`] for windows on a grid that fire once, by panes; [`session::SessionWindows`] for sessions that fire
//! once, a column of open sessions; [`triggered::TriggeredWindows`] for everything else, row by row.

use arrow::datatypes::SchemaRef;
use xxhash_rust::xxh3::xxh3_64;

use crate::aggregate::AggregateSpec;
use crate::operators::ProcessingTime;

pub mod assigner;
mod calendar;
mod contents;
mod emission;
pub mod grid;
pub mod groups;
mod kept;
mod rows;
pub mod session;
mod stored;
mod trigger;
pub mod triggered;

pub use grid::GridWindows;
pub use session::SessionWindows;
pub use triggered::TriggeredWindows;

/// The time interval `[start, end)` in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeWindow {
    /// The first millisecond in it.
    pub start: i64,
    /// The first millisecond after it.
    pub end: i64,
}

impl TimeWindow {
    /// The one window of a global assigner: all of time.
    pub const GLOBAL: Self = Self { start: i64::MIN, end: i64::MAX };

    /// The last millisecond in it: the time of its result. `i64::MAX` for the global window.
    pub fn max_timestamp(self) -> i64 {
        if self == Self::GLOBAL { i64::MAX } else { self.end - 1 }
    }

    /// Whether the two overlap or touch, which is when session windows merge.
    pub fn intersects(self, other: Self) -> bool {
        self.start <= other.end && other.start <= self.end
    }

    /// The smallest window that has both in it.
    pub fn cover(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// A window aggregation over a stream, as it was planned.
///
/// The output's columns are the keys, `window_start`, `window_end` (`Timestamp(ms)`; absent for global windows) and the
/// aggregates, in this order. Records of the output have the window's [`TimeWindow::max_timestamp`] as their event time.
#[derive(Debug, Clone)]
pub struct WindowAggregateSpec {
    /// Named in errors.
    pub name: String,
    /// The columns of the input.
    pub input: SchemaRef,
    /// The columns of the output.
    pub output: SchemaRef,
    /// Key columns of the input; none: one group for all rows.
    pub keys: Vec<usize>,
    /// Which clock and which time of a row.
    pub time: TimeSource,
    /// Which windows a row falls into.
    pub window: WindowSpec,
    /// When a window gives out its result.
    pub trigger: TriggerSpec,
    /// Which rows of a window are seen by the aggregates; with one, a window keeps its rows.
    pub evictor: Option<EvictorSpec>,
    /// How long after its end a window still takes rows, in milliseconds. Not negative; ignored in processing time.
    pub allowed_lateness_ms: i64,
    /// Whether rows that come too late leave by [`crate::operators::PortId::LATE`]; they are counted in any case.
    pub late_output: bool,
    /// What is computed.
    pub aggregates: Vec<AggregateSpec>,
    /// Which part of the work is done here.
    pub phase: Phase,
}

/// An aggregation is done in one place, or in two: summed up before the exchange, finished after it.
///
/// Between the two go *partials*: the keys, `window_start` and `window_end` of a pane, how many rows there were, and the
/// states of the accumulators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// Rows in, results out.
    #[default]
    Single,
    /// Rows in, partials out.
    Local,
    /// Partials in, results out.
    Global,
}

/// Where the time of a row comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeSource {
    /// Event time in a `Timestamp(ms)` column: a time attribute of SQL.
    Column(usize),
    /// Event time of the record: a pipeline.
    Record,
    /// The wall clock when the row arrives.
    Processing,
}

/// Which windows a row falls into. Milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowSpec {
    /// `[start, start + size)`, one after the other, from `offset`.
    Tumbling {
        /// Length.
        size: i64,
        /// Shift of the grid.
        offset: i64,
    },
    /// Tumbling windows of the wall clock on a grid that begins elsewhere in each subtask, so that not all fire at once.
    Staggered {
        /// Length.
        size: i64,
        /// Shift of the grid, before that of the subtask.
        offset: i64,
        /// The shift of the subtask, which its first row fixes.
        stagger: WindowStagger,
    },
    /// `size` long, one every `slide`.
    Sliding {
        /// Length.
        size: i64,
        /// Distance of the starts.
        slide: i64,
        /// Shift of the grid.
        offset: i64,
    },
    /// From the start of a tumbling window of `max_size`, one every `step` longer (`CUMULATE`).
    Cumulating {
        /// The longest; a multiple of `step`.
        max_size: i64,
        /// Growth.
        step: i64,
        /// Shift of the grid.
        offset: i64,
    },
    /// As long as rows of the key are no further apart than the gap.
    Session {
        /// The gap.
        gap: SessionGap,
    },
    /// One window for all of time.
    Global,
    /// The window that the row has been given before: an aggregation over the results of a windowed one.
    Attached {
        /// The `Timestamp(ms)` column with its start.
        start: usize,
        /// The `Timestamp(ms)` column with its end.
        end: usize,
    },
}

/// How far the grid of [`WindowSpec::Staggered`] windows is shifted in a subtask. ([`WindowSpec::Tumbling`] is Flink's
/// `ALIGNED`.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowStagger {
    /// So that the first row that comes is the first of its window.
    Natural,
    /// By a number that this seed and the time of the first row make up.
    Random(u64),
}

impl WindowStagger {
    /// The shift for windows of length `size` where the first row comes at `first`: at least 0 and less than `size`.
    pub fn shift(self, first: ProcessingTime, size: i64) -> i64 {
        match self {
            Self::Natural => first.0.rem_euclid(size),
            Self::Random(seed) => {
                let mixed = [seed.to_le_bytes(), first.0.to_le_bytes()].concat();
                let scaled = (u128::from(xxh3_64(&mixed)) * u128::from(size.unsigned_abs())) >> 64;
                i64::try_from(scaled).unwrap_or_default()
            }
        }
    }
}

/// How long a key must be silent for its session to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionGap {
    /// Milliseconds, more than 0.
    Fixed(i64),
    /// An `Int64` column with the gap of each row in milliseconds; a row with 0 or less fails the job.
    Column(usize),
}

/// When a window gives out its result.
#[derive(Debug, Clone, PartialEq)]
pub enum TriggerSpec {
    /// Once when the watermark passes the window's end, and for each late row within the allowed lateness.
    EventTime,
    /// Once when the wall clock passes the window's end.
    ProcessingTime,
    /// Every so many rows, and not at the end of the window.
    Count(u64),
    /// At each multiple of the interval after the first row, and at the window's end. Event time.
    ContinuousEventTime(i64),
    /// The same on the wall clock.
    ContinuousProcessingTime(i64),
    /// When a `Float64` column has moved by more than `threshold`, up or down, since the row that fired last (at first: since
    /// the first row).
    Delta {
        /// The column.
        column: usize,
        /// The distance.
        threshold: f64,
    },
    /// Fires as `inner`, or when no row came for `timeout_ms` of the wall clock.
    ProcessingTimeout {
        /// The trigger that is wrapped.
        inner: Box<Self>,
        /// How long.
        timeout_ms: i64,
    },
    /// At the end of a bounded input.
    EndOfStream,
    /// Never.
    Never,
    /// Fires as `inner` and forgets the window's contents each time.
    Purging(Box<Self>),
}

/// Which rows of a window the aggregates see, at each firing. The others are forgotten.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum EvictorSpec {
    /// The last so many.
    Count(u64),
    /// Those later than the latest row's time minus so many milliseconds.
    Time(i64),
    /// Those whose `Float64` column is less than `threshold` away from the last row's.
    Delta {
        /// The column.
        column: usize,
        /// The distance.
        threshold: f64,
    },
}
