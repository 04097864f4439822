//! Refuses expressions that cannot be planned rightly, by name and place, before anything is planned.
//!
//! The parser reads the expressions of a dozen systems, and the planner drops parts of some of them without a word
//! (`DISTINCT` or `OVER` of a plain function, the window's name in `OVER (w …)`). What is let through here is what is known
//! to be planned as Flink means it.

use std::ops::ControlFlow;

use datafusion_sql::sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, NullTreatment, Query, Spanned,
    TableFactor, UnaryOperator, Value, ValueWithSpan, Visit, Visitor,
};

use super::aggregates;
use super::dialect::TABLE_ARGUMENT;
use super::registry::Functions;
use super::syntax::start;
use crate::error::{Error, Position, Result};

/// How deep an expression may nest. A chain of n operators is n deep.
const DEPTH: usize = 1_000;

/// Functions that stand for windows: legal in FROM, or in GROUP BY and its like.
pub(super) const WINDOW_FUNCTIONS: &[&str] = &["tumble", "hop", "cumulate", "session"];

/// Functions that name a part of the window that a query is grouped by.
pub(super) const GROUP_WINDOW_PARTS: &[&str] = &[
    "tumble_start",
    "tumble_end",
    "tumble_rowtime",
    "tumble_proctime",
    "hop_start",
    "hop_end",
    "hop_rowtime",
    "hop_proctime",
    "session_start",
    "session_end",
    "session_rowtime",
    "session_proctime",
];

/// What [`super::rewrite`] turns into something else.
const SYNTACTIC: &[&str] = &["descriptor", "make_map", "unnest"];

/// Whether window functions may stand in what is checked: they may in queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Windows {
    /// In FROM and GROUP BY.
    Allowed,
    /// Nowhere: it is a single expression.
    Refused,
}

/// Refuses what is in `node` (an expression, a query).
pub(super) fn check(node: &impl Visit, functions: &Functions, windows: Windows) -> Result<()> {
    match node.visit(&mut Check { functions, windows, depth: 0, in_table_function: vec![false] }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Check<'a> {
    functions: &'a Functions,
    windows: Windows,
    depth: usize,
    /// For each query around this place: whether the place is inside the call of a table function.
    in_table_function: Vec<bool>,
}

impl Visitor for Check<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<Error> {
        self.in_table_function.push(false);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<Error> {
        self.in_table_function.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Error> {
        if let Some(inside) = self.in_table_function.last_mut() {
            *inside = matches!(factor, TableFactor::TableFunction { .. } | TableFactor::Table { args: Some(_), .. });
        }
        ControlFlow::Continue(())
    }

    fn post_visit_table_factor(&mut self, _: &TableFactor) -> ControlFlow<Error> {
        if let Some(inside) = self.in_table_function.last_mut() {
            *inside = false;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Error> {
        self.depth += 1;
        let outcome = match self.depth > DEPTH {
            true => {
                let message = format!(
                    "the expression nests more than {DEPTH} levels deep; write long chains of OR as IN (…), or split it"
                );
                Err(Error::at(start(expr.span()), message))
            }
            false => self.expression(expr),
        };
        outcome.map_or_else(ControlFlow::Break, ControlFlow::Continue)
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<Error> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

impl Check<'_> {
    fn expression(&self, expr: &Expr) -> Result<()> {
        let refuse = |what: &str, advice: &str| Err(Error::unsupported(start(expr.span()), what, advice));
        match expr {
            Expr::Function(function) => self.function(function),
            Expr::Value(value) => literal(value),
            Expr::Subquery(_) if self.in_table_function.last() == Some(&true) => Ok(()),
            Expr::Subquery(_) => refuse("a scalar subquery", "it is a join"),
            Expr::InSubquery { .. } => refuse("IN (SELECT …)", "it is a join; use IN with a list"),
            Expr::Exists { .. } => refuse("EXISTS (SELECT …)", "it is a join"),
            Expr::AnyOp { .. } | Expr::AllOp { .. } => refuse("a comparison with ANY, SOME or ALL", ""),
            Expr::SimilarTo { .. } => refuse("SIMILAR TO", "use REGEXP(text, pattern)"),
            Expr::ILike { .. } | Expr::RLike { .. } => {
                refuse("this form of LIKE", "use LIKE over LOWER(…), or REGEXP(text, pattern)")
            }
            Expr::AtTimeZone { .. } => {
                refuse("AT TIME ZONE", "use CONVERT_TZ, or CAST between TIMESTAMP and TIMESTAMP_LTZ")
            }
            Expr::Cast { format: Some(_), .. } => refuse("CAST with FORMAT", "use DATE_FORMAT or TO_TIMESTAMP"),
            Expr::Identifier(ident) if ident.value.starts_with('@') => refuse("a variable", ""),
            Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus | UnaryOperator::Not, .. }
            | Expr::Identifier(_)
            | Expr::CompoundIdentifier(_)
            | Expr::CompoundFieldAccess { .. }
            | Expr::IsFalse(_)
            | Expr::IsNotFalse(_)
            | Expr::IsTrue(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotUnknown(_)
            | Expr::IsDistinctFrom(_, _)
            | Expr::IsNotDistinctFrom(_, _)
            | Expr::InList { .. }
            | Expr::Between { .. }
            | Expr::BinaryOp { .. }
            | Expr::Like { any: false, .. }
            | Expr::Cast { array: false, .. }
            | Expr::Extract { .. }
            | Expr::Ceil { .. }
            | Expr::Floor { .. }
            | Expr::Position { .. }
            | Expr::Substring { .. }
            | Expr::Trim { .. }
            | Expr::Overlay { .. }
            | Expr::Nested(_)
            | Expr::TypedString(_)
            | Expr::Case { .. }
            | Expr::GroupingSets(_)
            | Expr::Cube(_)
            | Expr::Rollup(_)
            | Expr::Tuple(_)
            | Expr::Struct { .. }
            | Expr::Array(_)
            | Expr::Interval(_)
            | Expr::Wildcard(_)
            | Expr::QualifiedWildcard(_, _) => Ok(()),
            // The parser knows many more, of other systems; none of them is Flink's.
            other => refuse(&format!("the expression {other}"), ""),
        }
    }

    fn function(&self, function: &Function) -> Result<()> {
        let place = function.name.0.first().and_then(|part| start(part.span()));
        let name = function.name.to_string().to_lowercase();
        let shown = name.to_uppercase();
        let refuse = |what: String, advice: &str| Err(Error::unsupported(place, &what, advice));
        if name.eq_ignore_ascii_case(TABLE_ARGUMENT) {
            return Ok(());
        }
        if function.over.is_some() {
            return refuse(format!("{shown}(…) OVER (…)"), "aggregate over a window of time instead");
        }
        if aggregates::UNSUPPORTED.contains(&name.as_str()) {
            return refuse(format!("the function {shown}"), "");
        }
        let aggregate = self.functions.aggregate(&name).is_some();
        self.known(&name, aggregate, place)?;
        if !function.within_group.is_empty() {
            return refuse(format!("{shown}(…) WITHIN GROUP"), "");
        }
        if !matches!(function.parameters, FunctionArguments::None) {
            return refuse(format!("{shown}(…)(…)"), "");
        }
        if function.filter.is_some() && !aggregate {
            return Err(Error::at(place, format!("FILTER belongs to aggregates, and {shown} is none")));
        }
        if function.null_treatment == Some(NullTreatment::RespectNulls) {
            return refuse(format!("{shown}(…) RESPECT NULLS"), "nulls are ignored, as in Flink");
        }
        arguments(function, aggregate, &shown, place)
    }

    fn known(&self, name: &str, aggregate: bool, place: Option<Position>) -> Result<()> {
        let windows = [WINDOW_FUNCTIONS, GROUP_WINDOW_PARTS];
        let is_window = windows.iter().any(|names| names.contains(&name));
        if is_window && self.windows == Windows::Refused {
            let message = format!("{} names a window, and there are none in a single expression", name.to_uppercase());
            return Err(Error::at(place, message));
        }
        let special = [WINDOW_FUNCTIONS, GROUP_WINDOW_PARTS, SYNTACTIC];
        if aggregate || self.functions.scalar(name).is_some() || special.iter().any(|names| names.contains(&name)) {
            return Ok(());
        }
        Err(Error::unknown("function", name, self.functions.names()).or_at(place))
    }
}

fn arguments(function: &Function, aggregate: bool, shown: &str, place: Option<Position>) -> Result<()> {
    let list = match &function.args {
        FunctionArguments::None => return Ok(()),
        FunctionArguments::Subquery(_) => {
            return Err(Error::unsupported(place, &format!("a subquery as the argument of {shown}"), ""));
        }
        FunctionArguments::List(list) => list,
    };
    if list.duplicate_treatment == Some(DuplicateTreatment::Distinct) && !aggregate {
        return Err(Error::at(place, format!("DISTINCT belongs to aggregates, and {shown} is none")));
    }
    if let Some(clause) = list.clauses.first() {
        return Err(Error::unsupported(place, &format!("`{clause}` in {shown}(…)"), ""));
    }
    let all_rows = |arg: &FunctionArg| {
        let (FunctionArg::Unnamed(arg) | FunctionArg::Named { arg, .. } | FunctionArg::ExprNamed { arg, .. }) = arg;
        !matches!(arg, FunctionArgExpr::Expr(_))
    };
    if list.args.iter().any(all_rows) && shown != "COUNT" {
        return Err(Error::at(place, format!("{shown}(*) has no meaning; only COUNT counts rows")));
    }
    Ok(())
}

fn literal(value: &ValueWithSpan) -> Result<()> {
    let place = start(value.span);
    match &value.value {
        Value::DoubleQuotedString(text) => Err(Error::at(
            place,
            format!("\"{text}\" is neither text nor a name; write '{text}' for text and `{text}` for a name"),
        )),
        Value::Placeholder(name) => Err(Error::unsupported(place, &format!("the parameter {name}"), "write the value")),
        Value::Number(_, _)
        | Value::SingleQuotedString(_)
        | Value::UnicodeStringLiteral(_)
        | Value::HexStringLiteral(_)
        | Value::Boolean(_)
        | Value::Null => Ok(()),
        // Literals of other systems.
        other => Err(Error::unsupported(place, &format!("the literal {other}"), "")),
    }
}
