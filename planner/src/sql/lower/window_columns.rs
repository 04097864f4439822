//! A window function without an aggregation: its three columns are computed like any other.
//!
//! A row of a sliding or cumulating window falls into several: it is copied as often as it can have windows, and the copies
//! that have none are dropped.

use std::sync::Arc;

use arrow::array::{Array, Int64Array, TimestampMillisecondArray};
use arrow::datatypes::{DataType, TimeUnit};
use datafusion_common::cast::as_timestamp_millisecond_array;
use datafusion_common::{Result as PlanResult, ScalarValue, exec_err};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::{ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit};
use millstream_engine::spec::OperatorSpec;
use millstream_engine::window::{TimeWindow, WindowSpec};

use super::relation::Relation;
use super::{Lowering, arrow};
use crate::error::{Error, Result};
use crate::sql::marks::Time;
use crate::sql::nodes::{Step, WindowTable, bound_type, output};
use crate::sql::plan_error::explained;
use crate::sql::typing::physical;
use crate::sql::zone::{local_time, moment};

/// How many windows a row may fall into.
const COPIES: i64 = 10_000;

impl Lowering<'_> {
    pub(super) fn window_columns(&mut self, input: Relation, windows: &WindowTable, step: &Step) -> Result<Relation> {
        let input = self.flush(input)?;
        let columns = output(&step.kind, &step.exprs, &input.base).map_err(|error| explained(&error))?;
        let time = step.exprs.first().cloned().ok_or_else(|| Error::internal("a window function without a time"))?;
        let zoned = windows.time == Time::Processing || is_zoned(&time, &input);
        let copies = copies(windows.window);
        if copies > COPIES {
            let what = format!("a window function that puts a row into {copies} windows");
            return Err(Error::unsupported(windows.place, &what, "use a longer slide, or group by the windows"));
        }
        let time_type = columns.field(columns.fields().len() - 1).data_type().clone();
        let mut projections = Vec::new();
        for copy in 0..copies {
            let bound = |part: Bound| call(windows.window, copy, part, time.clone());
            let shown = |expr: Expr| match zoned && !self.zone.is_utc() {
                true => local_time(expr, &self.zone),
                false => expr,
            };
            let mut exprs: Vec<Expr> = input.base.columns().into_iter().map(Expr::Column).collect();
            exprs.push(shown(bound(Bound::Start)));
            exprs.push(shown(bound(Bound::End)));
            exprs.push(moment(bound(Bound::Last), &time_type));
            let computed = exprs.iter().map(|expr| physical(expr, &input.base)).collect::<PlanResult<Vec<_>>>();
            projections.push(computed.map_err(|error| explained(&error))?);
        }
        let schema = arrow(&nullable(&columns)?);
        let spec = OperatorSpec::Expand { projections, schema: Arc::clone(&schema) };
        let node = self.forward(input.node, "Windows", spec, schema);
        let relation = Relation::of(node, nullable(&columns)?);
        let start = relation.output.columns()[input.base.fields().len()].clone();
        self.filter(relation, Expr::Column(start).is_not_null())
    }
}

fn is_zoned(time: &Expr, input: &Relation) -> bool {
    use datafusion_expr::ExprSchemable;
    matches!(time.get_type(&input.base), Ok(DataType::Timestamp(_, Some(_))))
}

/// The window's columns are null in copies that have no window.
fn nullable(columns: &datafusion_common::DFSchema) -> Result<datafusion_common::DFSchema> {
    let first = columns.fields().len() - 3;
    let fields = columns.iter().enumerate().map(|(place, (relation, field))| match place >= first {
        true => (relation.cloned(), Arc::new(field.as_ref().clone().with_nullable(true))),
        false => (relation.cloned(), Arc::clone(field)),
    });
    super::relation::schema(fields.collect()).map_err(|error| explained(&error))
}

/// How many windows a row falls into at most.
fn copies(window: WindowSpec) -> i64 {
    match window {
        WindowSpec::Sliding { size, slide, .. } => (size + slide - 1) / slide,
        WindowSpec::Cumulating { max_size, step, .. } => max_size / step,
        WindowSpec::Tumbling { .. }
        | WindowSpec::Staggered { .. }
        | WindowSpec::Session { .. }
        | WindowSpec::Global
        | WindowSpec::Attached { .. } => 1,
    }
}

/// Which part of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Bound {
    Start,
    End,
    Last,
}

fn call(window: WindowSpec, copy: i64, part: Bound, time: Expr) -> Expr {
    let function = WindowBound {
        window: format!("{window:?}"),
        spec: window,
        part,
        signature: Signature::any(2, Volatility::Immutable),
    };
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(ScalarUDF::new_from_impl(function)), vec![time, lit(copy)]))
}

/// A bound of the n-th window of a time, or null if it has no such window.
#[derive(Debug)]
struct WindowBound {
    window: String,
    spec: WindowSpec,
    part: Bound,
    signature: Signature,
}

impl PartialEq for WindowBound {
    fn eq(&self, other: &Self) -> bool {
        self.window == other.window && self.part == other.part
    }
}

impl Eq for WindowBound {}

impl std::hash::Hash for WindowBound {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.window.hash(state);
        self.part.hash(state);
    }
}

impl ScalarUDFImpl for WindowBound {
    fn name(&self) -> &str {
        match self.part {
            Bound::Start => "window_start",
            Bound::End => "window_end",
            Bound::Last => "window_time",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> PlanResult<DataType> {
        Ok(bound_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> PlanResult<ColumnarValue> {
        let [time, copy] = args.args.as_slice() else { return exec_err!("a window takes a time") };
        let ColumnarValue::Scalar(ScalarValue::Int64(Some(copy))) = copy else {
            return exec_err!("a window takes a number");
        };
        let times = time.to_array(args.number_rows)?;
        let times = arrow::compute::cast(&times, &DataType::Timestamp(TimeUnit::Millisecond, zone(times.data_type())))?;
        let times = as_timestamp_millisecond_array(&times)?;
        let nth = usize::try_from(*copy).unwrap_or(usize::MAX);
        let mut windows = Vec::new();
        let values: Int64Array = (0..times.len())
            .map(|row| {
                windows.clear();
                let known = times.is_valid(row) && self.spec.assign(times.value(row), 0, &mut windows);
                windows.get(nth).filter(|_| known).map(|window| self.bound(*window))
            })
            .collect();
        let values = TimestampMillisecondArray::new(values.values().clone(), values.nulls().cloned());
        Ok(ColumnarValue::Array(Arc::new(values)))
    }
}

impl WindowBound {
    fn bound(&self, window: TimeWindow) -> i64 {
        match self.part {
            Bound::Start => window.start,
            Bound::End => window.end,
            Bound::Last => window.max_timestamp(),
        }
    }
}

fn zone(of: &DataType) -> Option<Arc<str>> {
    match of {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    }
}
