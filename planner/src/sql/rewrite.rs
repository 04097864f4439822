//! Turns expressions of Flink's into those that the planner plans rightly.
//!
//! | written | planned as |
//! |---|---|
//! | `CAST(x AS t)` | a call of `CAST AS t`, see [`super::cast`] |
//! | `INTERVAL '1:30' HOUR TO MINUTE` | `INTERVAL '5400000000000 NANOSECONDS'` |
//! | `FLOOR(ts TO HOUR)` | `floor_time('hour', ts)` |
//! | `TIMESTAMPDIFF(SECOND, a, b)` | `timestampdiff('SECOND', a, b)` |
//! | `TIMESTAMP '…'` | the same with the precision of its digits |
//! | `1e3` | `CAST('1e3' AS DOUBLE)`; the planner would make a decimal of it |
//!
//! New expressions take over the place of the old ones, so that errors still point at the text.

use std::ops::ControlFlow;

use arrow::datatypes::TimeUnit;
use datafusion_sql::sqlparser::ast::{
    CastKind, CeilFloorKind, CharacterLength, DataType as SqlType, DateTimeField, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, Interval, ObjectName, ObjectNamePart, Spanned,
    TimezoneInfo, TypedString, Value, ValueWithSpan, VisitMut, VisitorMut,
};
use datafusion_sql::sqlparser::tokenizer::Span;

use super::cast::{CAST_AS, TRY_CAST_AS, literal_unit};
use super::interval::{self, Length};
use super::syntax::start;
use super::types::Types;
use crate::error::{Error, Result};

/// Rewrites all expressions in `node`.
pub(super) fn rewrite(node: &mut impl VisitMut, types: &Types) -> Result<()> {
    match node.visit(&mut Rewrite { types }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Rewrite<'a> {
    types: &'a Types,
}

impl VisitorMut for Rewrite<'_> {
    type Break = Error;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        match self.rewritten(expr) {
            Ok(None) => ControlFlow::Continue(()),
            Ok(Some(new)) => {
                *expr = new;
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error.or_at(start(expr.span()))),
        }
    }
}

impl Rewrite<'_> {
    /// What `expr` becomes, if it becomes something else. Its children are rewritten already.
    fn rewritten(&self, expr: &mut Expr) -> Result<Option<Expr>> {
        let span = expr.span();
        match expr {
            Expr::Cast { kind, expr, data_type, .. } => self.cast(kind, expr, data_type, span).map(Some),
            Expr::Interval(interval) => plain_interval(interval).map(Some),
            Expr::TypedString(typed) => {
                self.types.arrow(&typed.data_type)?;
                precise(typed);
                Ok(None)
            }
            Expr::Floor { expr, field } => Ok(rounded("floor_time", expr, field, span)),
            Expr::Ceil { expr, field } => Ok(rounded("ceil_time", expr, field, span)),
            Expr::Function(function) => {
                unit_as_text(function);
                Ok(None)
            }
            Expr::Value(ValueWithSpan { value: Value::Number(digits, _), .. }) if digits.contains(['e', 'E']) => {
                Ok(Some(call(&format!("{CAST_AS}DOUBLE"), vec![text(digits, span)], span)))
            }
            Expr::Value(ValueWithSpan { value, .. }) => {
                if let Value::UnicodeStringLiteral(text) = value {
                    *value = Value::SingleQuotedString(std::mem::take(text));
                }
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    fn cast(&self, kind: &CastKind, expr: &Expr, to: &SqlType, span: Span) -> Result<Expr> {
        self.types.arrow(to)?;
        let prefix = match kind {
            CastKind::Cast | CastKind::DoubleColon => CAST_AS,
            CastKind::TryCast | CastKind::SafeCast => TRY_CAST_AS,
        };
        let cast = |to: &SqlType| call(&format!("{prefix}{to}"), vec![expr.clone()], span);
        Ok(match to {
            SqlType::Varchar(Some(length))
            | SqlType::CharVarying(Some(length))
            | SqlType::CharacterVarying(Some(length)) => {
                call("left", vec![cast(&SqlType::String(None)), number(characters(*length)?, span)], span)
            }
            SqlType::Char(length) | SqlType::Character(length) => {
                let length = length.map_or(Ok(1), characters)?;
                let cut = call("left", vec![cast(&SqlType::String(None)), number(length, span)], span);
                call("rpad", vec![cut, number(length, span), text(" ", span)], span)
            }
            SqlType::Timestamp(Some(0), zone) => {
                let finer = cast(&SqlType::Timestamp(Some(3), *zone));
                call("floor_time", vec![text("second", span), finer], span)
            }
            SqlType::Timestamp(Some(precision), _) if ![3, 6, 9].contains(precision) => {
                let advice = "use a precision of 0, 3, 6 or 9";
                return Err(Error::unsupported(start(span), &format!("CAST to {to}"), advice));
            }
            to => cast(to),
        })
    }
}

fn characters(length: CharacterLength) -> Result<u64> {
    match length {
        CharacterLength::IntegerLength { length: length @ 1..=2_147_483_647, .. } => Ok(length),
        CharacterLength::IntegerLength { .. } | CharacterLength::Max => {
            Err(Error::new("the length of CHAR and VARCHAR must be a number from 1 to 2147483647"))
        }
    }
}

/// An interval as the planner reads it without a doubt: months, or nanoseconds.
fn plain_interval(interval: &Interval) -> Result<Expr> {
    let words = match interval::length(interval).map_err(Error::new)? {
        Length::Months(months) => format!("{months} MONTHS"),
        Length::Nanos(nanos) => format!("{nanos} NANOSECONDS"),
    };
    let value = Box::new(text(&words, interval.value.span()));
    Ok(Expr::Interval(Interval {
        value,
        leading_field: None,
        leading_precision: None,
        last_field: None,
        fractional_seconds_precision: None,
    }))
}

/// `TIMESTAMP '…'` has as many digits as it is written with.
fn precise(typed: &mut TypedString) {
    if let (
        SqlType::Timestamp(precision @ None, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone),
        Value::SingleQuotedString(text),
    ) = (&mut typed.data_type, &typed.value.value)
    {
        *precision = Some(match literal_unit(text) {
            TimeUnit::Second | TimeUnit::Millisecond => 3,
            TimeUnit::Microsecond => 6,
            TimeUnit::Nanosecond => 9,
        });
    }
}

fn rounded(name: &str, expr: &Expr, field: &CeilFloorKind, span: Span) -> Option<Expr> {
    match field {
        CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) | CeilFloorKind::Scale(_) => None,
        CeilFloorKind::DateTimeField(unit) => {
            Some(call(name, vec![text(&unit.to_string().to_lowercase(), span), expr.clone()], span))
        }
    }
}

/// The unit of `TIMESTAMPADD(SECOND, …)` looks like a column.
fn unit_as_text(function: &mut Function) {
    let name = function.name.to_string().to_lowercase();
    if !["timestampadd", "timestampdiff"].contains(&name.as_str()) {
        return;
    }
    let FunctionArguments::List(FunctionArgumentList { args, .. }) = &mut function.args else { return };
    if let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(unit))) = args.first_mut()
        && let Expr::Identifier(Ident { value, quote_style: None, span }) = unit
    {
        *unit = text(value, *span);
    }
}

/// A call of the function with exactly this name.
pub(super) fn call(name: &str, args: Vec<Expr>, span: Span) -> Expr {
    let mut ident = Ident::with_span(span, name);
    if name.contains(' ') {
        ident.quote_style = Some('`');
    }
    let args = args.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))).collect();
    Expr::Function(Function {
        name: ObjectName(vec![ObjectNamePart::Identifier(ident)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

fn text(text: &str, span: Span) -> Expr {
    Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text.to_owned()), span })
}

fn number(number: u64, span: Span) -> Expr {
    Expr::Value(ValueWithSpan { value: Value::Number(number.to_string(), false), span })
}
