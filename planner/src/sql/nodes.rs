//! The steps of a plan that DataFusion does not have: windows, aggregation in windows, grouping sets, UNNEST.
//!
//! One node for all of them. While it is planned and optimised, a step is a box with an input, some expressions over it and
//! a schema that follows from both; the optimiser looks no further into it.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion_common::{DFSchema, DFSchemaRef, Result, TableReference, internal_err, plan_err};
use datafusion_expr::{Expr, ExprSchemable, Extension, LogicalPlan, UserDefinedLogicalNodeCore};
use millstream_engine::aggregate::AggregateFunction;
use millstream_engine::sql_type::sql_name;
use millstream_engine::window::WindowSpec;

use super::marks::{self, CLOCK, END, START, Time};
use crate::error::Position;

/// A step over one input.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) kind: Arc<Kind>,
    pub(super) input: Arc<LogicalPlan>,
    /// What the step looks at, over the input. Their meaning is the kind's.
    pub(super) exprs: Vec<Expr>,
    schema: DFSchemaRef,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// Gives each row its windows, as three more columns. Expressions: the time, then the keys of sessions.
    Windows(WindowTable),
    /// Aggregates in windows. Expressions: none; the input has exactly the columns that it needs.
    Aggregate(WindowAggregation),
    /// Copies each row for each grouping set.
    Expand(GroupingSets),
    /// Makes a row of each element of a list. Expression: the list.
    Unnest {
        /// What the element is called.
        relation: Option<TableReference>,
        /// What the element is called.
        name: String,
    },
}

/// A window function in FROM.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WindowTable {
    /// Which windows.
    pub(super) window: WindowSpec,
    /// Event or processing time.
    pub(super) time: Time,
    /// The keys of sessions are those of the query that aggregates, as in the older syntax.
    pub(super) keys_of_group: bool,
    /// Before which name the window's columns stand, as in `Bid.window_start`.
    pub(super) relation: Option<TableReference>,
    /// The view that it is written in; empty outside of views. Part of ids.
    pub(super) view: String,
    /// Where it is written.
    pub(super) place: Option<Position>,
}

/// Aggregation in windows.
///
/// The input's columns are `k0, k1, …` (keys), then, found by their places, the time or the bounds of the window, and
/// arguments and filters. The output's are `k0, …, window_start, window_end, a0, a1, …`, as the engine has them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WindowAggregation {
    /// Names the state: see [`super::lower`].
    pub(super) id: Vec<String>,
    /// Which windows.
    pub(super) window: WindowSpec,
    /// Event or processing time.
    pub(super) time: Time,
    /// How many of the input's columns are keys; they are the first.
    pub(super) keys: usize,
    /// The column with the time of the row; with the end of the window, where windows were given before.
    pub(super) time_column: Option<usize>,
    /// What is computed.
    pub(super) calls: Vec<AggregateCall>,
}

/// One aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AggregateCall {
    pub(super) function: AggregateFunction,
    /// A column of the input; none for `COUNT(*)`.
    pub(super) argument: Option<usize>,
    pub(super) distinct: bool,
    /// A column of the input.
    pub(super) filter: Option<usize>,
}

/// `GROUPING SETS`, over an input that begins with the keys.
///
/// The output is the input with the keys that a set lacks as nulls, then `g0`, the number of the set, and `g1, g2, …`, the
/// values of `GROUPING(…)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GroupingSets {
    /// For each set, for each key, whether it is in it.
    pub(super) sets: Vec<Vec<bool>>,
    /// For each call of `GROUPING`, which keys it asks for.
    pub(super) groupings: Vec<Vec<usize>>,
}

impl GroupingSets {
    /// What a call of `GROUPING` answers for a set: a bit for each key, set where the set lacks it, the first key highest.
    pub(super) fn grouping(keys: &[usize], set: &[bool]) -> i64 {
        keys.iter().fold(0, |bits, key| (bits << 1) | i64::from(!set.get(*key).copied().unwrap_or(false)))
    }
}

impl Step {
    /// The step over `input` as a plan.
    pub(super) fn plan(kind: Kind, input: LogicalPlan, exprs: Vec<Expr>) -> Result<LogicalPlan> {
        let node = Self::new(Arc::new(kind), Arc::new(input), exprs)?;
        Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
    }

    /// The step that `plan` is, if it is one.
    pub(super) fn of(plan: &LogicalPlan) -> Option<&Self> {
        match plan {
            LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref(),
            _ => None,
        }
    }

    fn new(kind: Arc<Kind>, input: Arc<LogicalPlan>, exprs: Vec<Expr>) -> Result<Self> {
        let schema = Arc::new(output(&kind, &exprs, input.schema())?);
        Ok(Self { kind, input, exprs, schema })
    }
}

type Qualified = (Option<TableReference>, FieldRef);

/// The columns of a step's output over `input`. Lowering uses it too, over the columns that are really there.
pub(super) fn output(kind: &Kind, exprs: &[Expr], input: &DFSchema) -> Result<DFSchema> {
    let fields: Vec<Qualified> = match kind {
        Kind::Windows(windows) => window_columns(windows, exprs, input)?,
        Kind::Aggregate(aggregation) => aggregated(aggregation, input)?,
        Kind::Expand(sets) => expanded(sets, input),
        Kind::Unnest { relation, name } => {
            let [list] = exprs else { return internal_err!("UNNEST of {} expressions", exprs.len()) };
            let element = match list.get_type(input)? {
                DataType::List(element) => element.data_type().clone(),
                other => return plan_err!("UNNEST takes an ARRAY, not {}", sql_name(&other)),
            };
            let element = Arc::new(Field::new(name, element, true));
            input.iter().map(owned).chain([(relation.clone(), element)]).collect()
        }
    };
    DFSchema::new_with_metadata(fields, HashMap::new())
}

fn owned((relation, field): (Option<&TableReference>, &FieldRef)) -> Qualified {
    (relation.cloned(), Arc::clone(field))
}

/// After a window function the window's time is the time attribute; the old one is an ordinary column.
fn window_columns(windows: &WindowTable, exprs: &[Expr], input: &DFSchema) -> Result<Vec<Qualified>> {
    let Some(time) = exprs.first() else { return internal_err!("a window function without a time") };
    let time = Field::new("window_time", time.get_type(input)?, false);
    let time = match windows.time {
        Time::Event => marks::rowtime(time),
        Time::Processing => marks::proctime(time),
    };
    let before = input.iter().map(|(relation, field)| (relation.cloned(), Arc::new(marks::plain(field))));
    let (start, end) = match windows.time {
        Time::Event => (START, END),
        Time::Processing => (CLOCK, CLOCK),
    };
    let window = [marks::bound("window_start", start), marks::bound("window_end", end), time];
    Ok(before.chain(window.map(|field| (windows.relation.clone(), Arc::new(field)))).collect())
}

fn aggregated(aggregation: &WindowAggregation, input: &DFSchema) -> Result<Vec<Qualified>> {
    let mut fields: Vec<Qualified> = Vec::new();
    for key in 0..aggregation.keys {
        fields.push((None, Arc::new(input.field(key).as_ref().clone().with_name(format!("k{key}")))));
    }
    fields.push((None, Arc::new(marks::bound("window_start", START))));
    fields.push((None, Arc::new(marks::bound("window_end", END))));
    for (place, call) in aggregation.calls.iter().enumerate() {
        let argument = call.argument.map(|column| input.field(column).data_type());
        let Some(result) = call.function.result_type(argument) else {
            let of = argument.map_or_else(String::new, sql_name);
            return plan_err!("{:?} cannot be computed over {of}", call.function);
        };
        let nullable = call.function != AggregateFunction::Count;
        fields.push((None, Arc::new(Field::new(format!("a{place}"), result, nullable))));
    }
    Ok(fields)
}

fn expanded(sets: &GroupingSets, input: &DFSchema) -> Vec<Qualified> {
    let keys = sets.sets.first().map_or(0, Vec::len);
    let mut fields: Vec<Qualified> = input
        .iter()
        .enumerate()
        .map(|(place, (relation, field))| match place < keys {
            true => (relation.cloned(), Arc::new(field.as_ref().clone().with_nullable(true))),
            false => (relation.cloned(), Arc::clone(field)),
        })
        .collect();
    fields.push((None, Arc::new(Field::new("g0", DataType::Int32, false))));
    for place in 1..=sets.groupings.len() {
        fields.push((None, Arc::new(Field::new(format!("g{place}"), DataType::Int64, false))));
    }
    fields
}

/// The type of a window's bounds.
pub(super) fn bound_type() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, None)
}

impl UserDefinedLogicalNodeCore for Step {
    fn name(&self) -> &str {
        match self.kind.as_ref() {
            Kind::Windows(_) => "Windows",
            Kind::Aggregate(_) => "WindowAggregate",
            Kind::Expand(_) => "Expand",
            Kind::Unnest { .. } => "Unnest",
        }
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        self.exprs.clone()
    }

    /// Filters over the rows of a table go below a window function that keeps rows apart, and below nothing else: they would
    /// change what a session is.
    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        let all = || self.schema.fields().iter().map(|field| field.name().clone()).collect();
        match self.kind.as_ref() {
            Kind::Windows(windows) if !windows.window.merges() => {
                ["window_start", "window_end", "window_time"].map(str::to_owned).into()
            }
            Kind::Unnest { name, .. } => [name.clone()].into(),
            Kind::Windows(_) | Kind::Aggregate(_) | Kind::Expand(_) => all(),
        }
    }

    fn necessary_children_exprs(&self, output: &[usize]) -> Option<Vec<Vec<usize>>> {
        let width = self.input.schema().fields().len();
        match self.kind.as_ref() {
            Kind::Windows(_) | Kind::Unnest { .. } => {
                Some(vec![output.iter().copied().filter(|column| *column < width).collect()])
            }
            Kind::Aggregate(_) | Kind::Expand(_) => None,
        }
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?} {:?}", self.name(), self.kind, self.exprs)
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        match inputs.pop() {
            Some(input) if inputs.is_empty() => Self::new(Arc::clone(&self.kind), Arc::new(input), exprs),
            Some(_) | None => internal_err!("{} takes one input", self.name()),
        }
    }
}

impl PartialEq for Step {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.exprs == other.exprs && self.input == other.input
    }
}

impl Eq for Step {}

impl Hash for Step {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
        self.exprs.hash(state);
        self.input.hash(state);
    }
}

impl PartialOrd for Step {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match self == other {
            true => Some(Ordering::Equal),
            false => self.name().partial_cmp(other.name()).filter(|order| order.is_ne()),
        }
    }
}
