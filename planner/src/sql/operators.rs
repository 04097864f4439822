//! Syntax that is a function call underneath: `a.b`, `arr[1]`, `EXTRACT`, `SUBSTRING … FROM`, `COUNT(*)`.
//!
//! The functions are looked up by name, so that Flink's own are found where there are any.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::{DataType, Field};
use datafusion_common::tree_node::TreeNode;
use datafusion_common::{Column, DFSchema, DataFusionError, Result, TableReference, plan_err};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::planner::{ExprPlanner, PlannerResult, RawAggregateExpr, RawBinaryExpr, RawFieldAccessExpr};
use datafusion_expr::simplify::SimplifyContext;
use datafusion_expr::utils::COUNT_STAR_EXPANSION;
use datafusion_expr::{Expr, ExprSchemable, Operator, lit};
use datafusion_functions::core::planner::CoreFunctionPlanner;
use datafusion_functions_nested::planner::{FieldAccessPlanner, NestedFunctionPlanner};
use datafusion_optimizer::simplify_expressions::ExprSimplifier;
use datafusion_sql::sqlparser::ast::BinaryOperator;
use datafusion_sql::sqlparser::tokenizer::Token;
use millstream_engine::sql_type::sql_name;

use super::dialect::is_word;
use super::plan_error;
use super::prepass;
use super::registry::Functions;
use crate::error::{Error, Position};
use crate::functions::decimal_arithmetic;

/// Plans the syntax over the functions of a session.
#[derive(Debug)]
pub(super) struct Operators {
    functions: Arc<Functions>,
    unknown_field: Mutex<Option<UnknownField>>,
}

/// A field that a row does not have. The planner swallows errors about these, so it is kept here.
#[derive(Debug)]
struct UnknownField {
    path: Vec<String>,
    error: Error,
}

impl Operators {
    pub(super) fn new(functions: Arc<Functions>) -> Self {
        Self { functions, unknown_field: Mutex::new(None) }
    }

    /// What `error`, which came of planning `text`, is for the user.
    pub(super) fn explained(&self, error: &DataFusionError, text: &str) -> Error {
        let noted = self.unknown_field.lock().unwrap_or_else(PoisonError::into_inner).take();
        match noted {
            Some(UnknownField { path, error }) => error.or_at(find_path(&path, text)),
            None => {
                let explained = plan_error::explained(error);
                match plan_error::unknown_column(error) {
                    Some(path) if explained.position().is_none() => explained.or_at(find_path(&path, text)),
                    Some(_) | None => explained,
                }
            }
        }
    }

    fn note<T>(&self, path: Vec<String>, error: Error) -> Result<T> {
        let message = error.to_string();
        *self.unknown_field.lock().unwrap_or_else(PoisonError::into_inner) = Some(UnknownField { path, error });
        plan_err!("{message}")
    }

    fn planned(&self, name: &str, arguments: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(self.functions.call(name, arguments)?))
    }
}

impl ExprPlanner for Operators {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        if let Some(computed) = decimal_operation(&expr, schema) {
            return Ok(PlannerResult::Planned(computed));
        }
        NestedFunctionPlanner.plan_binary_op(expr, schema)
    }

    fn plan_field_access(
        &self,
        expr: RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        FieldAccessPlanner.plan_field_access(expr, schema)
    }

    fn plan_array_literal(&self, exprs: Vec<Expr>, schema: &DFSchema) -> Result<PlannerResult<Vec<Expr>>> {
        NestedFunctionPlanner.plan_array_literal(exprs, schema)
    }

    fn plan_make_map(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        NestedFunctionPlanner.plan_make_map(args)
    }

    fn plan_struct_literal(&self, args: Vec<Expr>, is_named_struct: bool) -> Result<PlannerResult<Vec<Expr>>> {
        CoreFunctionPlanner::default().plan_struct_literal(args, is_named_struct)
    }

    fn plan_position(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        self.planned("strpos", args)
    }

    fn plan_substring(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        self.planned("substring", args)
    }

    fn plan_overlay(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        self.planned("overlay", args)
    }

    fn plan_extract(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        self.planned("extract", args)
    }

    /// Fields of rows are found as their names are written; the error of a wrong one names those that there are.
    fn plan_compound_identifier(
        &self,
        field: &Field,
        qualifier: Option<&TableReference>,
        nested_names: &[String],
    ) -> Result<PlannerResult<Vec<Expr>>> {
        let mut expr = Expr::Column(Column::from((qualifier, field)));
        let mut of = field.data_type();
        for (depth, name) in nested_names.iter().enumerate() {
            let path = || [field.name()].into_iter().chain(&nested_names[..=depth]).cloned().collect();
            let DataType::Struct(fields) = of else {
                let error = Error::new(format!("there is no field `{name}`, for it would be one of {}", sql_name(of)));
                return self.note(path(), error);
            };
            let Some((_, found)) = fields.find(name) else {
                let known = fields.iter().map(|field| field.name().as_str());
                return self.note(path(), Error::unknown("field", name, known));
            };
            of = found.data_type();
            let get_field = datafusion_functions::core::get_field();
            expr = Expr::ScalarFunction(ScalarFunction::new_udf(get_field, vec![expr, lit(name.as_str())]));
        }
        Ok(PlannerResult::Planned(expr))
    }

    #[expect(deprecated, reason = "the parser still makes a wildcard of the * in COUNT(*)")]
    fn plan_aggregate(&self, mut expr: RawAggregateExpr) -> Result<PlannerResult<RawAggregateExpr>> {
        let counts_rows = matches!(expr.args.as_slice(), [] | [Expr::Wildcard { .. }]);
        if expr.func.name() == "count" && counts_rows {
            if expr.distinct {
                return plan_err!("COUNT(DISTINCT *) is not supported; name the columns");
            }
            expr.args = vec![Expr::Literal(COUNT_STAR_EXPANSION, None)];
        }
        Ok(PlannerResult::Original(expr))
    }
}

/// The operation as one of ours, if it is arithmetic with a decimal.
fn decimal_operation(expr: &RawBinaryExpr, schema: &DFSchema) -> Option<Expr> {
    let op = match expr.op {
        BinaryOperator::Plus => Operator::Plus,
        BinaryOperator::Minus => Operator::Minus,
        BinaryOperator::Multiply => Operator::Multiply,
        BinaryOperator::Divide => Operator::Divide,
        _ => return None,
    };
    // The types of names that are wrong are nobody's business yet.
    let (left, right) = (settled_type(&expr.left, schema).ok()?, settled_type(&expr.right, schema).ok()?);
    decimal_arithmetic(&expr.left, op, &expr.right, [&left, &right])
}

/// The type that an operand will have. A CASE says the type of its first branch until all branches are of one.
fn settled_type(operand: &Expr, schema: &DFSchema) -> Result<DataType> {
    if !operand.exists(|part| Ok(matches!(part, Expr::Case(_))))? {
        return operand.get_type(schema);
    }
    let simplifier = ExprSimplifier::new(SimplifyContext::builder().with_schema(Arc::new(schema.clone())).build());
    simplifier.coerce(operand.clone(), schema)?.get_type(schema)
}

/// Where the last name of `a.b.c` stands in `text`.
fn find_path(path: &[String], text: &str) -> Option<Position> {
    let tokens = prepass::tokens(text).ok()?;
    let names = |start: usize| {
        path.iter().enumerate().all(|(place, name)| {
            tokens
                .get(start + 2 * place)
                .is_some_and(|token| is_word(&token.token, name) || is_quoted(&token.token, name))
        })
    };
    let found = (0..tokens.len()).find(|start| names(*start))?;
    prepass::position(tokens.get(found + 2 * (path.len() - 1))?.span.start)
}

fn is_quoted(token: &Token, name: &str) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_some() && word.value == name)
}
