//! What an operator is built from. A description never leaves its process: the program does, and is planned again.

use arrow::datatypes::SchemaRef;

use crate::aggregate::AggregateSpec;
use crate::operators::Expression;
use crate::time::generator::WatermarkStrategy;
use crate::window::WindowAggregateSpec;

/// One operator, to be built once per subtask.
#[derive(Debug, Clone)]
pub enum OperatorSpec {
    /// Keeps rows for which `condition` is true.
    Filter {
        /// Answers `Boolean`.
        condition: Expression,
    },
    /// Computes new columns.
    Project {
        /// One for each field of `schema`.
        expressions: Vec<Expression>,
        /// The columns that come out.
        schema: SchemaRef,
    },
    /// Makes a copy of each row for each list of expressions: `GROUPING SETS`.
    Expand {
        /// Each list has one expression for each field of `schema`.
        projections: Vec<Vec<Expression>>,
        /// The columns that come out.
        schema: SchemaRef,
    },
    /// Makes a row of every element of a list.
    Unnest {
        /// Answers a list.
        list: Expression,
        /// The columns of the input and the element.
        schema: SchemaRef,
    },
    /// Sets the event time of each record from a column, and makes watermarks where the source makes none.
    AssignEventTime {
        /// A column of type `Timestamp(ms)` or `Int64` in milliseconds.
        column: usize,
    },
    /// Passes rows on as they are: the meeting point of a union.
    Union,
    /// Aggregates rows by key and window.
    WindowAggregate(WindowAggregateSpec),
    /// Sums up rows by key and pane before the exchange; [`OperatorSpec::WindowAggregate`] in its global phase follows.
    LocalWindowAggregate(WindowAggregateSpec),
}

/// How the watermark of a source is made.
#[derive(Debug, Clone)]
pub struct WatermarkSpec {
    /// What is promised, given the greatest time seen.
    pub strategy: WatermarkStrategy,
    /// The time of a row, over `SourceRows::watermark_rows` if the source gives them, else over its rows. Answers
    /// `Timestamp(ms)` or `Int64` in milliseconds; a null follows the source's policy for bad rows.
    pub expression: Expression,
    /// After how many milliseconds without rows a split counts as idle. `None`: never.
    pub idle_timeout_ms: Option<i64>,
}

/// Aggregation that the window does not matter to: shared by the phases.
pub type Aggregates = Vec<AggregateSpec>;
