//! `CAST(x AS t)` as Flink computes it.
//!
//! The planner's own cast has two faults here: it does not show in column names, so that `CAST(a AS INT)` and `CAST(a AS
//! STRING)` collide, and it computes in Arrow's ways. So a cast in the text becomes a call of [`CastTo`], a function that
//! exists only while planning; once types are known, [`resolve`] puts the right computation in its place.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, TimeUnit};
use datafusion_common::{DFSchema, Result, ScalarValue, internal_err, plan_err};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::{
    Case, Cast, ColumnarValue, Expr, ExprSchemable, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TryCast,
    Volatility, lit,
};
use millstream_engine::sql_type::sql_name;

use super::registry::Functions;
use crate::functions::{check_cast, rewrite_cast, rewrite_try_cast};

/// What the name of a cast's function begins with; the type follows. No function of the language can have it.
pub(super) const CAST_AS: &str = "CAST AS ";

/// The same for `TRY_CAST`, which answers null where `CAST` fails.
pub(super) const TRY_CAST_AS: &str = "TRY_CAST AS ";

/// A cast to one type, not computed yet.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct CastTo {
    name: String,
    to: DataType,
    nulls: bool,
    signature: Signature,
}

impl CastTo {
    /// The function called `name` (one of the prefixes and the type's text), which casts to `to`.
    pub(super) fn function(name: &str, to: DataType) -> Arc<ScalarUDF> {
        let nulls = name.starts_with(TRY_CAST_AS);
        let signature = Signature::user_defined(Volatility::Immutable);
        Arc::new(ScalarUDF::new_from_impl(Self { name: name.to_owned(), to, nulls, signature }))
    }
}

impl ScalarUDFImpl for CastTo {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arguments.to_vec())
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("{} was not resolved", self.name)
    }
}

/// The computation of `expr` if it is a cast, one of the text or one that the planner has put in. Types are settled.
pub(super) fn resolve(expr: &Expr, schema: &DFSchema, functions: &Functions) -> Result<Option<Expr>> {
    match expr {
        Expr::ScalarFunction(ScalarFunction { func, args }) => {
            let Some(cast) = func.inner().downcast_ref::<CastTo>() else { return Ok(None) };
            let [argument] = args.as_slice() else { return plan_err!("CAST takes one argument") };
            convert(argument.clone(), &argument.get_type(schema)?, &cast.to, cast.nulls, functions).map(Some)
        }
        Expr::Cast(Cast { expr, field }) => {
            Ok(rewrite_cast(expr.as_ref().clone(), &expr.get_type(schema)?, field.data_type()))
        }
        Expr::TryCast(TryCast { expr, field }) => {
            Ok(rewrite_try_cast(expr.as_ref().clone(), &expr.get_type(schema)?, field.data_type()))
        }
        _ => Ok(None),
    }
}

/// `expr` of type `from` as `to`, as Flink computes it. With `nulls` it is null where the conversion fails.
pub(super) fn convert(expr: Expr, from: &DataType, to: &DataType, nulls: bool, functions: &Functions) -> Result<Expr> {
    if from == to {
        return Ok(expr);
    }
    check_cast(from, to)?;
    let flinks = if nulls { rewrite_try_cast(expr.clone(), from, to) } else { rewrite_cast(expr.clone(), from, to) };
    match (flinks, from, to) {
        (Some(computed), _, _) => Ok(computed),
        // DataFusion takes the fields by name.
        (None, DataType::Struct(from_fields), DataType::Struct(to_fields)) => {
            if from_fields.len() != to_fields.len() {
                return plan_err!("{} cannot be cast to {}", sql_name(from), sql_name(to));
            }
            row(&expr, from_fields, to_fields, nulls, functions)
        }
        (None, _, _) => Ok(plain(expr, to, nulls)),
    }
}

fn plain(expr: Expr, to: &DataType, nulls: bool) -> Expr {
    match nulls {
        true => Expr::TryCast(TryCast::new(Box::new(expr), to.clone())),
        false => Expr::Cast(Cast::new(Box::new(expr), to.clone())),
    }
}

/// Fields go by position, whatever their names.
fn row(expr: &Expr, from: &[FieldRef], to: &[FieldRef], nulls: bool, functions: &Functions) -> Result<Expr> {
    let mut arguments = Vec::with_capacity(2 * to.len());
    for (from, to) in from.iter().zip(to) {
        let value = functions.call("get_field", vec![expr.clone(), lit(from.name().as_str())])?;
        arguments.push(lit(to.name().as_str()));
        arguments.push(convert(value, from.data_type(), to.data_type(), nulls, functions)?);
    }
    let built = functions.call("named_struct", arguments)?;
    let when = vec![(Box::new(expr.clone().is_not_null()), Box::new(built))];
    Ok(Expr::Case(Case::new(None, when, Some(Box::new(lit(ScalarValue::Null))))))
}

/// The precision that a literal such as `TIMESTAMP '2020-01-01 00:00:00.123'` has: that of its digits.
pub(super) fn literal_unit(text: &str) -> TimeUnit {
    let digits = text.rsplit_once('.').map_or(0, |(_, fraction)| fraction.trim().len());
    match digits {
        0..=3 => TimeUnit::Millisecond,
        4..=6 => TimeUnit::Microsecond,
        _ => TimeUnit::Nanosecond,
    }
}

/// Whether Flink puts a value of type `from` into a column of type `to` without being asked to.
pub(super) fn implicit(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    match (from, to) {
        _ if from == to => true,
        (T::Null, _) => true,
        (T::Int8, T::Int16 | T::Int32 | T::Int64)
        | (T::Int16, T::Int32 | T::Int64)
        | (T::Int32, T::Int64)
        | (T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::Decimal128(_, _), T::Float32 | T::Float64)
        | (T::Float32, T::Float64) => true,
        (from, T::Decimal128(_, _)) => from.is_numeric(),
        (T::Timestamp(_, _), T::Timestamp(_, _)) => true,
        (T::Timestamp(_, None), T::Date32 | T::Time32(_) | T::Time64(_)) => true,
        (T::Time32(_) | T::Time64(_), T::Time32(_) | T::Time64(_)) => true,
        (T::List(from), T::List(to)) => implicit(from.data_type(), to.data_type()),
        (T::Struct(from), T::Struct(to)) => {
            from.len() == to.len() && from.iter().zip(to).all(|(from, to)| implicit(from.data_type(), to.data_type()))
        }
        (T::Map(from, _), T::Map(to, _)) => implicit(from.data_type(), to.data_type()),
        _ => false,
    }
}
