//! What an operator is built from. A description never leaves its process: the program does, and is planned again.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use crate::error::{Error, Result};
use crate::key::key_group::MaxParallelism;
use crate::operators::event_time::AssignEventTime;
use crate::operators::expand::Expand;
use crate::operators::filter::Filter;
use crate::operators::project::Project;
use crate::operators::union::Union;
use crate::operators::unnest::Unnest;
use crate::operators::{Expression, Operator, Stateless};
use crate::time::generator::WatermarkStrategy;
use crate::window::{GridWindows, Phase, SessionWindows, TriggeredWindows, WindowAggregateSpec};

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
        /// The columns of the input that each element's row repeats.
        repeated: Vec<usize>,
        /// These columns, and the element as the last one.
        schema: SchemaRef,
    },
    /// Takes the event time of each record from a column.
    AssignEventTime {
        /// A column of type `Timestamp(ms)` or `Int64` in milliseconds.
        column: usize,
    },
    /// Passes rows on as they are: the meeting point of a union.
    Union,
    /// Aggregates rows by key and window.
    WindowAggregate(WindowAggregateSpec),
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

impl OperatorSpec {
    /// The operator for one subtask of a job with `max_parallelism` key groups.
    pub fn build(&self, max_parallelism: MaxParallelism) -> Result<Box<dyn Operator>> {
        Ok(match self {
            Self::Filter { condition } => Box::new(Stateless(Filter::new(Arc::clone(condition)))),
            Self::Project { expressions, schema } => {
                Box::new(Stateless(Project::new(expressions.clone(), Arc::clone(schema))))
            }
            Self::Expand { projections, schema } => Box::new(Stateless(Expand::new(projections.clone(), schema))),
            Self::Unnest { list, repeated, schema } => {
                Box::new(Stateless(Unnest::new(Arc::clone(list), repeated.clone(), Arc::clone(schema))))
            }
            Self::AssignEventTime { column } => Box::new(Stateless(AssignEventTime::new(*column))),
            Self::Union => Box::new(Stateless(Union)),
            Self::WindowAggregate(spec) => window_operator(spec, max_parallelism)?,
        })
    }
}

/// The fastest operator that can do what `spec` asks for.
fn window_operator(spec: &WindowAggregateSpec, max_parallelism: MaxParallelism) -> Result<Box<dyn Operator>> {
    let shared = Arc::new(spec.clone());
    if GridWindows::can_run(spec) {
        return Ok(Box::new(GridWindows::new(shared, max_parallelism)?));
    }
    if SessionWindows::can_run(spec) {
        return Ok(Box::new(SessionWindows::new(shared, max_parallelism)?));
    }
    match spec.phase {
        Phase::Single => Ok(Box::new(TriggeredWindows::new(shared, max_parallelism)?)),
        Phase::Local | Phase::Global => {
            Err(Error::internal(format!("`{}` cannot be aggregated in two phases", spec.name)))
        }
    }
}
