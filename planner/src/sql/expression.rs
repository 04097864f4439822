//! Single expressions: what a pipeline's `filter`, `select` and `aggregate` say, and computed columns.
//!
//! They are the same language as in SQL programs, planned over one list of columns. Positions in errors are in the text of
//! the expression. Whoever calls these does so on [`crate::on_planning_thread`].

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion_common::{DFSchema, DataFusionError};
use datafusion_expr::expr::AggregateFunction as AggregateCall;
use datafusion_expr::{Expr, ExprSchemable};
use datafusion_sql::planner::PlannerContext;
use datafusion_sql::sqlparser::ast::{Expr as SqlExpr, SelectItem};
use datafusion_sql::sqlparser::tokenizer::Token;
use millstream_engine::aggregate::AggregateFunction;
use millstream_engine::operators::Expression;
use millstream_engine::sql_type::sql_name;

use super::aggregates::{Role, role, unsupported_distinct};
use super::check::{Windows, check};
use super::context::{Context, NoTables};
use super::plan_error::explained;
use super::registry::Functions;
use super::rewrite::rewrite;
use super::syntax::Syntax;
use super::typing;
use crate::error::{Error, Position, Result};
use crate::session::Session;

/// An expression that can be evaluated over batches of its input.
#[derive(Debug, Clone)]
pub struct PlannedExpression {
    /// Evaluates it.
    pub expression: Expression,
    /// Its name (what stands after `AS`, else the column's name, else the text), type and nullability.
    pub field: Field,
    /// The text in canonical form: one spelling for all white space. Ids are derived from it.
    pub text: String,
}

/// An aggregate call, and what its function is to see.
#[derive(Debug, Clone)]
pub struct PlannedAggregate {
    /// What is computed.
    pub function: AggregateFunction,
    /// Over which values; none for `COUNT(*)`.
    pub argument: Option<PlannedExpression>,
    /// The condition of `FILTER (WHERE …)`.
    pub filter: Option<PlannedExpression>,
    /// Whether each value counts once.
    pub distinct: bool,
    /// Name (what stands after `AS`, else the text), Flink's type, nullability.
    pub output: Field,
    /// The call in canonical form, without its name.
    pub text: String,
}

/// Plans `text`, an expression with or without `AS name`, over the columns of `input`.
///
/// Refuses aggregates, and names that are not known, with the nearest one and the position.
pub fn plan_expression(text: &str, input: &Schema, session: &Session) -> Result<PlannedExpression> {
    Planner::new(input, session)?.expression(text)
}

/// Plans `text`, a call of an aggregate function with or without `AS name`, over the columns of `input`.
pub fn plan_aggregate(text: &str, input: &Schema, session: &Session) -> Result<PlannedAggregate> {
    Planner::new(input, session)?.aggregate(text)
}

/// Plans several texts over one input: functions and schema are set up once.
#[derive(Debug)]
pub struct ExpressionPlanner<'a> {
    planner: Planner<'a>,
}

impl<'a> ExpressionPlanner<'a> {
    /// Over the columns of `input`.
    pub fn new(input: &Schema, session: &'a Session) -> Result<Self> {
        Ok(Self { planner: Planner::new(input, session)? })
    }

    /// See [`plan_expression`].
    pub fn expression(&self, text: &str) -> Result<PlannedExpression> {
        self.planner.expression(text)
    }

    /// See [`plan_aggregate`].
    pub fn aggregate(&self, text: &str) -> Result<PlannedAggregate> {
        self.planner.aggregate(text)
    }
}

#[derive(Debug)]
struct Planner<'a> {
    session: &'a Session,
    functions: Arc<Functions>,
    schema: DFSchema,
}

impl<'a> Planner<'a> {
    fn new(input: &Schema, session: &'a Session) -> Result<Self> {
        let schema = DFSchema::try_from(input.clone()).map_err(|error| explained(&error))?;
        Ok(Self { session, functions: Arc::new(Functions::of(session)?), schema })
    }

    fn expression(&self, text: &str) -> Result<PlannedExpression> {
        let item = Item::parse(text)?;
        let place = item.place;
        let planned = self.logical(item.expr, text).map_err(|error| error.or_at(place))?;
        if let Some(aggregate) = datafusion_expr::utils::find_aggregate_exprs([&planned]).first() {
            let message = format!("the aggregate {aggregate} cannot stand here, where each row is looked at by itself");
            return Err(Error::at(place, message));
        }
        let name = item.name.unwrap_or_else(|| plain_name(&planned).unwrap_or_else(|| item.text.clone()));
        self.finished(planned, name, item.text).map_err(|error| error.or_at(place))
    }

    fn aggregate(&self, text: &str) -> Result<PlannedAggregate> {
        let item = Item::parse(text)?;
        let (place, canonical) = (item.place, item.text);
        let planned = self.logical(item.expr, text).map_err(|error| error.or_at(place))?;
        let name = item.name.unwrap_or_else(|| canonical.clone());
        let at = |error: Error| error.or_at(place);
        let not_one =
            || Error::at(place, format!("`{canonical}` is not a call of an aggregate function such as SUM(x)"));
        let Expr::AggregateFunction(AggregateCall { func, params }) = &planned else { return Err(not_one()) };
        let Some(Role::Computes(function)) = role(func) else { return Err(not_one()) };
        if !params.order_by.is_empty() {
            return Err(Error::unsupported(place, "ORDER BY inside an aggregate", ""));
        }
        if let Some((what, advice)) = unsupported_distinct(function, params.distinct) {
            return Err(Error::unsupported(place, what, advice));
        }
        let [argument] = params.args.as_slice() else { return Err(not_one()) };
        let counts_rows = function == AggregateFunction::Count && is_present(argument);
        let argument = match counts_rows {
            true => None,
            false => Some(self.finished(argument.clone(), argument.to_string(), argument.to_string()).map_err(at)?),
        };
        let condition = |filter: &Expr| {
            let planned = self.finished(filter.clone(), filter.to_string(), filter.to_string()).map_err(at)?;
            must_be_boolean(&planned, "FILTER (WHERE …)").map_err(at)?;
            Ok(planned)
        };
        let filter = params.filter.as_deref().map(condition).transpose()?;
        let of = argument.as_ref().map(|argument| argument.field.data_type());
        let Some(result) = function.result_type(of) else {
            let of = of.map_or_else(String::new, sql_name);
            return Err(Error::at(place, format!("{} cannot be computed over {of}", func.name().to_uppercase())));
        };
        let output = Field::new(name, result, function != AggregateFunction::Count);
        Ok(PlannedAggregate { function, argument, filter, distinct: params.distinct, output, text: canonical })
    }

    /// Resolves names. Types are not settled yet.
    fn logical(&self, mut expr: SqlExpr, text: &str) -> Result<Expr> {
        check(&expr, &self.functions, Windows::Refused)?;
        let context = self.context();
        rewrite(&mut expr, context.types())?;
        let planned = context.planner().sql_to_expr(expr, &self.schema, &mut PlannerContext::new());
        planned.map_err(|error| context.explained(&error, text))
    }

    fn finished(&self, expr: Expr, name: String, text: String) -> Result<PlannedExpression> {
        let plan = || -> Result<_, DataFusionError> {
            let expr = typing::finish(expr, &self.schema, &self.context())?;
            let (_, field) = expr.to_field(&self.schema)?;
            Ok((typing::physical(&expr, &self.schema)?, field))
        };
        let (expression, field) = plan().map_err(|error| explained(&error))?;
        Ok(PlannedExpression { expression, field: field.as_ref().clone().with_name(name), text })
    }

    fn context(&self) -> Context<'_> {
        Context::new(self.session, Arc::clone(&self.functions), &NoTables, Vec::new())
    }
}

/// `expr [AS name]`.
struct Item {
    expr: SqlExpr,
    name: Option<String>,
    text: String,
    place: Option<Position>,
}

impl Item {
    fn parse(text: &str) -> Result<Self> {
        let syntax = Syntax::of(text)?;
        let mut parser = syntax.parser();
        let place = super::prepass::position(parser.peek_token_ref().span.start);
        let item = parser.parse_select_item().map_err(|error| syntax.error(&error))?;
        let rest = parser.peek_token_ref();
        if rest.token != Token::EOF {
            let expected: Result<(), _> = parser.expected_ref("the end of the expression", rest);
            return expected
                .map_err(|error| syntax.error(&error))
                .and(Err(Error::internal("no error where one was made")));
        }
        match item {
            SelectItem::UnnamedExpr(expr) => Ok(Self { text: expr.to_string(), expr, name: None, place }),
            SelectItem::ExprWithAlias { expr, alias } => {
                Ok(Self { text: expr.to_string(), expr, name: Some(alias.value), place })
            }
            SelectItem::ExprWithAliases { .. } | SelectItem::QualifiedWildcard(_, _) | SelectItem::Wildcard(_) => {
                Err(Error::at(place, "one expression is expected here, not a list of columns"))
            }
        }
    }
}

/// The name of a column or of a field, if the expression is nothing more.
fn plain_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Column(column) => Some(column.name.clone()),
        Expr::ScalarFunction(call) if call.func.name() == "get_field" => match call.args.last() {
            Some(Expr::Literal(field, _)) => field.try_as_str().flatten().map(str::to_owned),
            Some(_) | None => None,
        },
        _ => None,
    }
}

/// Whether it is a literal that is not null: `COUNT(1)` counts rows.
pub(super) fn is_present(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(value, _) if !value.is_null())
}

/// Refuses a condition that does not answer true or false.
pub(super) fn must_be_boolean(condition: &PlannedExpression, what: &str) -> Result<()> {
    match condition.field.data_type() {
        DataType::Boolean => Ok(()),
        other => {
            Err(Error::new(format!("{what} must be a condition, and `{}` is {}", condition.text, sql_name(other))))
        }
    }
}
