//! From planned expressions to typed ones: literals, coercion, casts, simplification.

use std::sync::Arc;

use arrow::datatypes::{DataType, IntervalMonthDayNano, TimeUnit};
use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{DFSchema, Result, ScalarValue};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion_expr::simplify::SimplifyContext;
use datafusion_expr::{BinaryExpr, Expr, ExprSchemable, Operator};
use datafusion_optimizer::simplify_expressions::ExprSimplifier;
use datafusion_physical_expr::create_physical_expr;
use datafusion_physical_expr::execution_props::ExecutionProps;
use millstream_engine::operators::Expression;

use super::cast;
use super::context::Context;
use super::registry::Functions;

/// Functions whose result has the type of their arguments, so that the type of a literal among them matters. The others
/// coerce their arguments by themselves, and some look at literals while planning.
const TYPED_BY_ARGUMENTS: &[&str] = &[
    "*",
    "+",
    "-",
    "/",
    "abs",
    "coalesce",
    "greatest",
    "if",
    "ifnull",
    "least",
    "make_array",
    "mod",
    "named_struct",
    "nullif",
    "nvl",
    "struct",
];

/// `expr` over `schema` with types settled and constants folded.
pub(super) fn finish(expr: Expr, schema: &DFSchema, context: &Context<'_>) -> Result<Expr> {
    let simplify = SimplifyContext::builder()
        .with_schema(Arc::new(schema.clone()))
        .with_config_options(Arc::clone(context.config()))
        .build();
    let simplifier = ExprSimplifier::new(simplify);
    let coerced = simplifier.coerce(literals(expr)?, schema)?;
    simplifier.simplify(casts(coerced, schema, context.functions())?)
}

/// The expression that the engine evaluates.
pub(super) fn physical(expr: &Expr, schema: &DFSchema) -> Result<Expression> {
    let expr = durations(expr.clone(), schema)?;
    create_physical_expr(&expr, schema, &ExecutionProps::new(), &PhysicalPlanningContext::default())
}

/// Puts a duration in the place of an interval without months that is added to a timestamp or taken from it. Both mean the
/// same, but an interval is added by way of the calendar, row by row, and a duration as the number it is.
fn durations(expr: Expr, schema: &DFSchema) -> Result<Expr> {
    let changed = expr.transform_up(|expr| match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::Plus | Operator::Minus), right }) => {
            let duration = match (timestamp_unit(&left, schema), right.as_ref()) {
                (Some(unit), Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(length)), _)) => {
                    duration(*length, unit)
                }
                _ => None,
            };
            let changed = duration.is_some();
            let right = duration.map_or(right, |duration| Box::new(Expr::Literal(duration, None)));
            Ok(Transformed::new_transformed(Expr::BinaryExpr(BinaryExpr { left, op, right }), changed))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(changed.data)
}

fn timestamp_unit(expr: &Expr, schema: &DFSchema) -> Option<TimeUnit> {
    match expr.get_type(schema) {
        Ok(DataType::Timestamp(unit, _)) => Some(unit),
        _ => None,
    }
}

/// An interval as a whole number of `unit`, if it is one. Those of the language have their days in nanoseconds.
fn duration(length: IntervalMonthDayNano, unit: TimeUnit) -> Option<ScalarValue> {
    let IntervalMonthDayNano { months: 0, days: 0, nanoseconds } = length else { return None };
    let whole = |nanos_each: i64| (nanoseconds % nanos_each == 0).then_some(nanoseconds / nanos_each);
    Some(match unit {
        TimeUnit::Second => ScalarValue::DurationSecond(Some(whole(1_000_000_000)?)),
        TimeUnit::Millisecond => ScalarValue::DurationMillisecond(Some(whole(1_000_000)?)),
        TimeUnit::Microsecond => ScalarValue::DurationMicrosecond(Some(whole(1_000)?)),
        TimeUnit::Nanosecond => ScalarValue::DurationNanosecond(Some(nanoseconds)),
    })
}

/// Whole numbers are INT where they fit, else BIGINT, else DECIMAL; the planner makes BIGINT or an unsigned type of them.
pub(super) fn literals(expr: Expr) -> Result<Expr> {
    let typed = expr.transform_down(|expr| match expr {
        Expr::Literal(ScalarValue::Int64(Some(number)), metadata) => Ok(match i32::try_from(number) {
            Ok(number) => Transformed::yes(Expr::Literal(ScalarValue::Int32(Some(number)), metadata)),
            Err(_) => Transformed::no(Expr::Literal(ScalarValue::Int64(Some(number)), metadata)),
        }),
        Expr::Literal(ScalarValue::UInt64(Some(number)), metadata) => {
            let decimal = ScalarValue::Decimal128(Some(i128::from(number)), 20, 0);
            Ok(Transformed::yes(Expr::Literal(decimal, metadata)))
        }
        Expr::ScalarFunction(ScalarFunction { func, args }) if !TYPED_BY_ARGUMENTS.contains(&func.name()) => {
            let args = args.into_iter().map(|arg| match arg {
                literal @ Expr::Literal(_, _) => Ok(literal),
                other => literals(other),
            });
            let args = args.collect::<Result<Vec<_>>>()?;
            let call = Expr::ScalarFunction(ScalarFunction { func, args });
            Ok(Transformed::new(call, true, TreeNodeRecursion::Jump))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(typed.data)
}

/// Puts computations in the place of casts. Types are settled.
pub(super) fn casts(expr: Expr, schema: &DFSchema, functions: &Functions) -> Result<Expr> {
    let resolved = expr.transform_up(|expr| {
        Ok(match cast::resolve(&expr, schema, functions)? {
            Some(computed) => Transformed::yes(computed),
            None => Transformed::no(expr),
        })
    })?;
    Ok(resolved.data)
}
