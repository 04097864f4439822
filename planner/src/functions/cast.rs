//! `CAST` and `TRY_CAST` as Flink does them, where DataFusion does something else.
//!
//! The SQL front end hands every cast of a plan, its own and those that type coercion put in, to [`rewrite_cast`].
//! Where Arrow's cast gives Flink's result it stays; elsewhere a call of [`FlinkCast`] takes its place. `cast_text`,
//! `cast_parse` and `cast_number` hold the rules. A cast drops the mark of a time attribute, as in Flink.
//!
//! A `TIMESTAMP_LTZ` carries its zone in its type (`Timestamp(unit, Some(zone))`), so nothing but the two types is
//! needed here.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, ListArray, MapArray, StructArray};
use arrow::compute::cast as arrow_cast;
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, TimeUnit};
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::arguments::per_second;
use super::cast_number::{is_integer, to_decimal, to_integer, width};
use super::cast_parse::{OnFailure, parse};
use super::cast_text::text_array;
use super::definition::{Call, Definition, Kind, exactly};
use super::type_name::type_name;
use super::zone::{Repeated, Zone};

/// `CAST(expr AS to)` in Flink's way, or `None` where Arrow's cast does the same.
///
/// `from` is the type of `expr`. The name of the new expression is that of the cast; whoever replaces a column of a
/// plan must keep the column's name.
pub fn rewrite_cast(expr: Expr, from: &DataType, to: &DataType) -> Option<Expr> {
    rewrite(expr, from, to, OnFailure::Fail)
}

/// `TRY_CAST(expr AS to)` in Flink's way: as [`rewrite_cast`], with null for what cannot be cast.
pub fn rewrite_try_cast(expr: Expr, from: &DataType, to: &DataType) -> Option<Expr> {
    rewrite(expr, from, to, OnFailure::Null)
}

/// Refuses the casts that Flink refuses although Arrow would do them. For casts that a user wrote.
pub fn check_cast(from: &DataType, to: &DataType) -> Result<()> {
    let is_time = |data_type: &DataType| matches!(data_type, DataType::Timestamp(_, _) | DataType::Date32);
    let is_number = |data_type: &DataType| data_type.is_numeric();
    let (from_name, to_name) = (type_name(from), type_name(to));
    match (from, to) {
        (number, DataType::Timestamp(_, Some(_))) if is_number(number) => {
            plan_err!("cannot cast {from_name} to {to_name}: use TO_TIMESTAMP_LTZ(number, precision)")
        }
        (number, DataType::Timestamp(_, None)) if is_number(number) => {
            plan_err!("cannot cast {from_name} to {to_name}: use TO_TIMESTAMP(FROM_UNIXTIME(number)), in seconds")
        }
        (DataType::Timestamp(_, _), number) if is_number(number) => {
            plan_err!("cannot cast {from_name} to {to_name}: use UNIX_TIMESTAMP(CAST(… AS STRING))")
        }
        (date, number) | (number, date) if is_time(date) && (is_number(number) || *number == DataType::Boolean) => {
            plan_err!("cannot cast {from_name} to {to_name}")
        }
        _ => Ok(()),
    }
}

/// The functions of this file: `cast_to_string(anything)`.
pub(super) fn definitions() -> Vec<Definition> {
    vec![Definition::new("cast_to_string", exactly(&[Kind::Any]), DataType::Utf8, cast_to_string)]
}

fn cast_to_string(call: &Call<'_>) -> Result<ArrayRef> {
    let column = call.column(0)?;
    let texts = text_array(column.values(), &call.session.zone)?;
    match column.is_literal() && call.rows != 1 {
        true => Ok(ScalarValue::try_from_array(&texts, 0)?.to_array_of_size(call.rows)?),
        false => Ok(texts),
    }
}

fn rewrite(expr: Expr, from: &DataType, to: &DataType, on_failure: OnFailure) -> Option<Expr> {
    if !differs(from, to) {
        return None;
    }
    let zone = match zone_of(from).or_else(|| zone_of(to)) {
        Some(name) => Zone::parse(&name).ok()?,
        None => Zone::utc(),
    };
    let signature = Signature::any(1, Volatility::Immutable);
    let function = FlinkCast { to: to.clone(), zone, on_failure, signature };
    let udf = Arc::new(ScalarUDF::new_from_impl(function));
    Some(Expr::ScalarFunction(ScalarFunction::new_udf(udf, vec![expr])))
}

fn zone_of(data_type: &DataType) -> Option<String> {
    match data_type {
        DataType::Timestamp(_, zone) => zone.as_ref().map(|zone| zone.to_string()),
        DataType::List(item) | DataType::Map(item, _) => zone_of(item.data_type()),
        DataType::Struct(fields) => fields.iter().find_map(|field| zone_of(field.data_type())),
        _ => None,
    }
}

/// Whether Flink's cast is another than Arrow's.
fn differs(from: &DataType, to: &DataType) -> bool {
    use DataType::{
        Binary, Boolean, Date32, Decimal128, Duration, Float32, Float64, Interval, List, Map, Null, Struct, Time32,
        Time64, Timestamp, Utf8,
    };
    match (from, to) {
        (Null, _) => false,
        _ if from == to => false,
        (List(from), List(to)) => differs(from.data_type(), to.data_type()),
        (Map(from, _), Map(to, _)) => differs(from.data_type(), to.data_type()),
        (Struct(from), Struct(to)) => {
            from.len() == to.len() && from.iter().zip(to).any(|(from, to)| differs(from.data_type(), to.data_type()))
        }
        (
            Boolean
            | Float32
            | Float64
            | Binary
            | Time32(_)
            | Time64(_)
            | Timestamp(_, _)
            | Interval(_)
            | Duration(_)
            | List(_)
            | Map(_, _)
            | Struct(_),
            Utf8,
        ) => true,
        (
            from,
            Boolean | Float32 | Float64 | Decimal128(_, _) | Date32 | Time32(_) | Time64(_) | Timestamp(_, _) | Binary,
        ) if is_text(from) => true,
        (from, to) if is_text(from) && is_integer(to) => true,
        (from, to) if is_integer(from) && is_integer(to) => width(to) < width(from),
        (Float32 | Float64 | Decimal128(_, _), to) if is_integer(to) => true,
        (from, Decimal128(_, _)) => is_integer(from) || matches!(from, Boolean | Float32 | Float64 | Decimal128(_, _)),
        (Timestamp(from, from_zone), Timestamp(to, to_zone)) => {
            from_zone.is_some() != to_zone.is_some() || per_second(*to) < per_second(*from)
        }
        (Timestamp(_, _), Date32 | Time32(_) | Time64(_)) | (Time32(_) | Time64(_), Timestamp(_, _)) => true,
        (Date32, Timestamp(_, zone)) => zone.is_some(),
        _ => false,
    }
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// A cast as a function: `CAST(x AS BIGINT)`.
#[derive(Debug)]
struct FlinkCast {
    to: DataType,
    zone: Zone,
    on_failure: OnFailure,
    signature: Signature,
}

impl PartialEq for FlinkCast {
    fn eq(&self, other: &Self) -> bool {
        self.to == other.to && self.zone == other.zone && self.on_failure == other.on_failure
    }
}

impl Eq for FlinkCast {}

impl Hash for FlinkCast {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.to.hash(state);
        self.on_failure.hash(state);
    }
}

impl ScalarUDFImpl for FlinkCast {
    fn name(&self) -> &str {
        match self.on_failure {
            OnFailure::Fail => "flink_cast",
            OnFailure::Null => "flink_try_cast",
        }
    }

    // Two casts of one column to different types are different columns.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let word = match self.on_failure {
            OnFailure::Fail => "CAST",
            OnFailure::Null => "TRY_CAST",
        };
        let names: Vec<String> = args.iter().map(|arg| arg.schema_name().to_string()).collect();
        Ok(format!("{word}({} AS {})", names.join(", "), type_name(&self.to)))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let kept = args.arg_fields.iter().any(|field| field.is_nullable());
        let made = self.on_failure == OnFailure::Null || matches!(self.to, DataType::Decimal128(_, _));
        Ok(Arc::new(Field::new(self.name(), self.to.clone(), kept || made)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.first() {
            Some(ColumnarValue::Array(array)) => Ok(ColumnarValue::Array(self.cast(array, &self.to)?)),
            Some(ColumnarValue::Scalar(scalar)) => {
                let cast = self.cast(&scalar.to_array()?, &self.to)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&cast, 0)?))
            }
            None => exec_err!("a cast needs a value"),
        }
    }
}

impl FlinkCast {
    fn cast(&self, array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
        use DataType::{Date32, Decimal128, List, Map, Struct, Time32, Time64, Timestamp, Utf8};
        let from = array.data_type();
        match (from, to) {
            _ if !differs(from, to) => Ok(arrow_cast(array, to)?),
            (List(_), List(item)) => self.cast_list(array.as_list::<i32>(), item),
            (Map(_, _), Map(entries, _)) => self.cast_map(array.as_map(), entries),
            (Struct(_), Struct(fields)) => Ok(Arc::new(self.cast_struct(array.as_struct(), fields)?)),
            (_, Utf8) => text_array(array, &self.zone),
            (from, to) if is_text(from) => {
                let texts = arrow_cast(array, &Utf8)?;
                parse(texts.as_string::<i32>(), to, &self.zone, self.on_failure)
            }
            (_, to) if is_integer(to) => to_integer(array, to),
            (_, Decimal128(precision, scale)) => to_decimal(array, *precision, *scale),
            (Timestamp(_, _) | Date32 | Time32(_) | Time64(_), _) => self.cast_moments(array, to),
            (from, to) => exec_err!("cannot cast {} to {}", type_name(from), type_name(to)),
        }
    }

    fn cast_list(&self, list: &ListArray, item: &FieldRef) -> Result<ArrayRef> {
        let values = self.cast(list.values(), item.data_type())?;
        Ok(Arc::new(ListArray::try_new(Arc::clone(item), list.offsets().clone(), values, list.nulls().cloned())?))
    }

    fn cast_map(&self, map: &MapArray, entries: &FieldRef) -> Result<ArrayRef> {
        let DataType::Struct(fields) = entries.data_type() else { return exec_err!("a map without entries") };
        let cast = self.cast_struct(map.entries(), fields)?;
        let offsets = map.offsets().clone();
        Ok(Arc::new(MapArray::try_new(Arc::clone(entries), offsets, cast, map.nulls().cloned(), false)?))
    }

    fn cast_struct(&self, row: &StructArray, fields: &arrow::datatypes::Fields) -> Result<StructArray> {
        let columns = row
            .columns()
            .iter()
            .zip(fields)
            .map(|(column, field)| self.cast(column, field.data_type()))
            .collect::<Result<Vec<_>>>()?;
        Ok(StructArray::try_new(fields.clone(), columns, row.nulls().cloned())?)
    }

    /// Between dates, times and timestamps, over ticks on the clock of the zone.
    fn cast_moments(&self, array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
        let (ticks, from_per_second) = local_ticks(array, &self.zone)?;
        let convert = |to_per_second: i64, of_day: bool, zone: Option<&Zone>| -> Int64Array {
            ticks.unary_opt::<_, Int64Type>(|ticks| {
                let ticks = if of_day { ticks.rem_euclid(86_400 * from_per_second) } else { ticks };
                let ticks = rescaled(ticks, from_per_second, to_per_second)?;
                Some(zone.map_or(ticks, |zone| zone.instant_ticks(ticks, to_per_second, Repeated::First)))
            })
        };
        match to {
            DataType::Date32 => {
                let per_day = 86_400 * from_per_second;
                let days: Int32Array = ticks.unary_opt(|ticks| i32::try_from(ticks.div_euclid(per_day)).ok());
                Ok(arrow_cast(&days, to)?)
            }
            DataType::Time32(unit) => {
                let ticks = convert(per_second(*unit), true, None);
                Ok(arrow_cast(&arrow_cast(&ticks, &DataType::Int32)?, to)?)
            }
            DataType::Time64(unit) => Ok(arrow_cast(&convert(per_second(*unit), true, None), to)?),
            DataType::Timestamp(unit, zone) => {
                Ok(arrow_cast(&convert(per_second(*unit), false, zone.is_some().then_some(&self.zone)), to)?)
            }
            other => exec_err!("cannot cast a point in time to {}", type_name(other)),
        }
    }
}

/// Ticks since 1970-01-01 00:00:00 on the wall, and how many make a second. A time of day is one of 1970-01-01.
fn local_ticks(array: &ArrayRef, zone: &Zone) -> Result<(Int64Array, i64)> {
    let wide = |array: &ArrayRef| -> Result<Int64Array> {
        Ok(arrow_cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
    };
    match array.data_type() {
        DataType::Date32 => {
            let days = wide(&arrow_cast(array, &DataType::Int32)?)?;
            Ok((days.unary(|days| days * 86_400_000), per_second(TimeUnit::Millisecond)))
        }
        DataType::Time32(unit) => Ok((wide(&arrow_cast(array, &DataType::Int32)?)?, per_second(*unit))),
        DataType::Time64(unit) | DataType::Timestamp(unit, None) => Ok((wide(array)?, per_second(*unit))),
        DataType::Timestamp(unit, Some(_)) => {
            let per_second = per_second(*unit);
            Ok((wide(array)?.unary(|ticks| zone.local_ticks(ticks, per_second)), per_second))
        }
        other => exec_err!("{} is no point in time", type_name(other)),
    }
}

/// Ticks of another length, cut downwards; `None` when they do not fit 64 bits.
fn rescaled(ticks: i64, from_per_second: i64, to_per_second: i64) -> Option<i64> {
    match to_per_second >= from_per_second {
        true => ticks.checked_mul(to_per_second / from_per_second),
        false => Some(ticks.div_euclid(from_per_second / to_per_second)),
    }
}

#[cfg(test)]
mod tests;
