//! Aggregate functions as the planner sees them: names and Flink's result types.
//!
//! They only stand in for the engine's own aggregation and are never run by DataFusion. Their display shows casts inside
//! arguments, which DataFusion's own does not: `SUM(v)` and `SUM(CAST(v AS INT))` are two columns.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::{Result, not_impl_err, plan_err};
use datafusion_expr::expr::AggregateFunctionParams;
use datafusion_expr::function::AccumulatorArgs;
use datafusion_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use millstream_engine::aggregate::AggregateFunction;
use millstream_engine::sql_type::sql_name;

/// What Flink has beyond what is supported, so that it is refused by name and not as unknown.
pub(super) const UNSUPPORTED: &[&str] = &[
    "array_agg",
    "collect",
    "cume_dist",
    "dense_rank",
    "json_arrayagg",
    "json_objectagg",
    "lag",
    "lead",
    "listagg",
    "nth_value",
    "ntile",
    "percent_rank",
    "percentile",
    "rank",
    "row_number",
    "sign_agg",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "var_pop",
    "var_samp",
    "variance",
];

/// The aggregate functions by name.
pub(super) fn all() -> Vec<(&'static str, Arc<AggregateUDF>)> {
    use AggregateFunction as F;
    let named =
        |name, function| (name, Arc::new(AggregateUDF::new_from_impl(StandIn::new(name, Role::Computes(function)))));
    let grouping = Arc::new(AggregateUDF::new_from_impl(StandIn::new("grouping", Role::Grouping)));
    vec![
        named("count", F::Count),
        named("sum", F::Sum),
        named("min", F::Min),
        named("max", F::Max),
        named("avg", F::Avg),
        named("first_value", F::First),
        named("last_value", F::Last),
        named("first", F::First),
        named("last", F::Last),
        ("grouping", Arc::clone(&grouping)),
        ("grouping_id", grouping),
    ]
}

/// What a stand-in stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Role {
    /// An aggregate of the engine.
    Computes(AggregateFunction),
    /// `GROUPING(k, …)`: which keys the row's grouping set lacks, as bits.
    Grouping,
}

/// What is refused of a function over DISTINCT values, and what to do instead.
pub(super) fn unsupported_distinct(
    function: AggregateFunction,
    distinct: bool,
) -> Option<(&'static str, &'static str)> {
    let refused = distinct && function == AggregateFunction::Last;
    refused.then_some(("LAST_VALUE over DISTINCT values", "leave DISTINCT out"))
}

/// The role of a planned aggregate function.
pub(super) fn role(function: &AggregateUDF) -> Option<Role> {
    function.inner().downcast_ref::<StandIn>().map(|stand_in| stand_in.role)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct StandIn {
    name: &'static str,
    role: Role,
    signature: Signature,
}

impl StandIn {
    fn new(name: &'static str, role: Role) -> Self {
        Self { name, role, signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for StandIn {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        self.return_type(arguments)?;
        Ok(arguments.to_vec())
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let name = self.name.to_uppercase();
        match (self.role, arguments) {
            (Role::Grouping, [_, ..]) => Ok(DataType::Int64),
            (Role::Computes(function), [argument]) => match function.result_type(Some(argument)) {
                Some(result) => Ok(result),
                None => plan_err!("{name} cannot be computed over {}", sql_name(argument)),
            },
            (Role::Computes(_) | Role::Grouping, _) => {
                plan_err!("{name} takes one argument, but {} are given", arguments.len())
            }
        }
    }

    fn is_nullable(&self) -> bool {
        match self.role {
            Role::Computes(function) => function != AggregateFunction::Count,
            Role::Grouping => false,
        }
    }

    fn schema_name(&self, params: &AggregateFunctionParams) -> Result<String> {
        let arguments: Vec<String> = params.args.iter().map(ToString::to_string).collect();
        let distinct = if params.distinct { "DISTINCT " } else { "" };
        let filter = params.filter.as_ref().map_or_else(String::new, |filter| format!(" FILTER (WHERE {filter})"));
        Ok(format!("{}({distinct}{}){filter}", self.name, arguments.join(", ")))
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        not_impl_err!("{} is computed by the engine", self.name)
    }
}
