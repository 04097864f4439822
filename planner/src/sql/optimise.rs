//! Settles the types of a plan and makes it cheaper.
//!
//! Only rules that suit unbounded streams are chosen from DataFusion's. Left out are those for limits, sorts and joins; those
//! that make state out of none (`COUNT(DISTINCT)` as two aggregations); and those that turn `WHERE FALSE` into a plan without
//! a source, for such a job still has to run. Nothing is frozen at planning time: `NOW()` is asked while the job runs.

use std::fmt;
use std::sync::Arc;

use datafusion_common::config::ConfigOptions;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Column, DFSchema, Result as PlanResult, ScalarValue};
use datafusion_expr::expr_rewriter::NamePreserver;
use datafusion_expr::utils::{merge_schema, split_conjunction};
use datafusion_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, Union};
use datafusion_optimizer::analyzer::type_coercion::TypeCoercion;
use datafusion_optimizer::common_subexpr_eliminate::CommonSubexprEliminate;
use datafusion_optimizer::optimize_projections::OptimizeProjections;
use datafusion_optimizer::push_down_filter::PushDownFilter;
use datafusion_optimizer::simplify_expressions::SimplifyExpressions;
use datafusion_optimizer::{
    Analyzer, AnalyzerRule, ApplyOrder, Optimizer, OptimizerConfig, OptimizerContext, OptimizerRule,
};

use super::context::Context;
use super::registry::Functions;
use super::typing;

/// How often the rules are tried; they stop by themselves when nothing changes.
const PASSES: u8 = 8;

/// `plan` with types settled: literals, coercions, casts.
pub(super) fn typed(plan: LogicalPlan, context: &Context<'_>) -> PlanResult<LogicalPlan> {
    let casts = Casts { functions: Arc::clone(context.functions()) };
    let analyzer = Analyzer::with_rules(vec![Arc::new(Literals), Arc::new(TypeCoercion::new()), Arc::new(casts)]);
    analyzer.execute_and_check(plan, context.config(), |_, _| {})
}

/// `plan`, cheaper.
pub(super) fn optimised(plan: LogicalPlan, context: &Context<'_>) -> PlanResult<LogicalPlan> {
    let rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> = vec![
        Arc::new(SimplifyExpressions::new()),
        Arc::new(PushDownFilter::new()),
        Arc::new(KnownColumns),
        Arc::new(CommonSubexprEliminate::new()),
        Arc::new(OptimizeProjections::new()),
    ];
    let config = OptimizerContext::new_with_config_options(Arc::clone(context.config()))
        .without_query_execution_start_time()
        .with_skip_failing_rules(false)
        .with_max_passes(PASSES);
    Optimizer::with_rules(rules).optimize(plan, &config, |_, _| {})
}

/// Applies `change` to all expressions of a plan, each over the columns of its node's inputs. Names stay.
fn change_expressions(
    plan: LogicalPlan,
    change: impl Fn(Expr, &DFSchema) -> PlanResult<Expr>,
) -> PlanResult<LogicalPlan> {
    let changed = plan.transform_up(|plan| {
        let schema = merge_schema(&plan.inputs());
        let names = NamePreserver::new(&plan);
        let changed = plan.map_expressions(|expr| {
            let name = names.save(&expr);
            change(expr, &schema).map(|expr| Transformed::yes(name.restore(expr)))
        })?;
        changed.map_data(|plan| match plan {
            // As it is, a union keeps the types that its inputs had before.
            LogicalPlan::Union(union) => Union::try_new_with_loose_types(union.inputs).map(LogicalPlan::Union),
            other => other.recompute_schema(),
        })
    })?;
    Ok(changed.data)
}

/// Gives whole numbers Flink's types.
#[derive(Debug)]
struct Literals;

impl AnalyzerRule for Literals {
    fn name(&self) -> &str {
        "flink_literals"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> PlanResult<LogicalPlan> {
        change_expressions(plan, |expr, _| typing::literals(expr))
    }
}

/// Puts Flink's computations in the place of casts.
struct Casts {
    functions: Arc<Functions>,
}

impl fmt::Debug for Casts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Casts")
    }
}

impl AnalyzerRule for Casts {
    fn name(&self) -> &str {
        "flink_casts"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> PlanResult<LogicalPlan> {
        change_expressions(plan, |expr, schema| typing::casts(expr, schema, &self.functions))
    }
}

/// Above `WHERE kind = 2` the column `kind` is 2. What is computed from it becomes simpler: of a CASE over kinds of rows one
/// branch is left, and the others need not be read.
#[derive(Debug)]
struct KnownColumns;

impl OptimizerRule for KnownColumns {
    fn name(&self) -> &str {
        "known_columns"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> PlanResult<Transformed<LogicalPlan>> {
        let LogicalPlan::Projection(projection) = &plan else { return Ok(Transformed::no(plan)) };
        let LogicalPlan::Filter(filter) = projection.input.as_ref() else { return Ok(Transformed::no(plan)) };
        let schema = Arc::clone(filter.input.schema());
        let known: Vec<(Column, ScalarValue)> = split_conjunction(&filter.predicate)
            .into_iter()
            .filter_map(equality)
            .filter(|(column, value)| {
                let expr = Expr::Column(column.clone());
                expr.get_type(schema.as_ref()).is_ok_and(|of| of == value.data_type() && !of.is_floating())
            })
            .collect();
        if known.is_empty() {
            return Ok(Transformed::no(plan));
        }
        let names = NamePreserver::new(&plan);
        plan.map_expressions(|expr| {
            let name = names.save(&expr);
            let changed = expr.transform_up(|expr| {
                let value = match &expr {
                    Expr::Column(column) => {
                        known.iter().find(|(known, _)| known == column).map(|(_, value)| value.clone())
                    }
                    _ => None,
                };
                Ok(match value {
                    Some(value) => Transformed::yes(Expr::Literal(value, None)),
                    None => Transformed::no(expr),
                })
            })?;
            Ok(match changed.transformed {
                true => changed.update_data(|expr| name.restore(expr)),
                false => changed,
            })
        })
    }

    fn supports_rewrite(&self) -> bool {
        true
    }
}

/// `column = literal`, either way round.
pub(super) fn equality(condition: &Expr) -> Option<(Column, ScalarValue)> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = condition else { return None };
    match (left.as_ref(), right.as_ref()) {
        (Expr::Column(column), Expr::Literal(value, _)) | (Expr::Literal(value, _), Expr::Column(column)) => {
            (!value.is_null()).then(|| (column.clone(), value.clone()))
        }
        _ => None,
    }
}
