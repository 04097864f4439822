//! Casts between numbers as Flink, that is Java, does them.
//!
//! An integer that does not fit a narrower type **wraps**: `CAST(3000000000 AS INT)` is -1294967296, as in Flink, which
//! has a ticket but no check (FLINK-24420). A floating-point number is cut towards zero and held at the ends of `INT`
//! and `BIGINT`; narrower types take the last bits of that `INT`. A decimal is cut to a `BIGINT` of its last 64 bits
//! and then wraps. What does not fit a decimal is null, also for `CAST`; digits behind its scale are rounded half up.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use datafusion_common::{Result, exec_err};

use super::number::{Cut, divide, parse_decimal, truncated};
use super::type_name::type_name;

/// A number as an integer type.
pub(super) fn to_integer(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            let doubles = cast(array, &DataType::Float64)?;
            let doubles = doubles.as_primitive::<Float64Type>();
            match to {
                DataType::Int64 => Ok(Arc::new(doubles.unary::<_, Int64Type>(truncated))),
                _ => narrowed(
                    &doubles.unary::<_, Int64Type>(|value| truncated(value).clamp(i32::MIN.into(), i32::MAX.into())),
                    to,
                ),
            }
        }
        DataType::Decimal128(_, scale) => {
            let unit = power_of_ten(*scale);
            narrowed(&array.as_primitive::<Decimal128Type>().unary::<_, Int64Type>(|value| low_64(value / unit)), to)
        }
        _ => narrowed(cast(array, &DataType::Int64)?.as_primitive::<Int64Type>(), to),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the last bits are what Java's casts keep")]
fn narrowed(values: &PrimitiveArray<Int64Type>, to: &DataType) -> Result<ArrayRef> {
    Ok(match to {
        DataType::Int8 => Arc::new(values.unary::<_, Int8Type>(|value| value as i8)),
        DataType::Int16 => Arc::new(values.unary::<_, Int16Type>(|value| value as i16)),
        DataType::Int32 => Arc::new(values.unary::<_, Int32Type>(|value| value as i32)),
        DataType::Int64 => Arc::new(values.clone()),
        other => return exec_err!("{} is no integer type", type_name(other)),
    })
}

#[expect(clippy::cast_possible_truncation, reason = "the last 64 bits are what Java's longValue() keeps")]
fn low_64(value: i128) -> i64 {
    value as i64
}

/// A number or a boolean as a decimal; null when it does not fit.
pub(super) fn to_decimal(array: &ArrayRef, precision: u8, scale: i8) -> Result<ArrayRef> {
    let limit = power_of_ten(i8::try_from(precision).unwrap_or(i8::MAX));
    let fits = |value: i128| (value.unsigned_abs() < limit.unsigned_abs()).then_some(value);
    let unit = power_of_ten(scale);
    match array.data_type() {
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            let doubles = cast(array, &DataType::Float64)?;
            let doubles = doubles.as_primitive::<Float64Type>();
            let read = |value: f64| parse_decimal(&format!("{value:e}"), precision, scale).and_then(fits);
            decimals(doubles.unary_opt(read), precision, scale)
        }
        DataType::Decimal128(_, from) => {
            let (wider, narrower) =
                (power_of_ten(scale.saturating_sub(*from)), power_of_ten(from.saturating_sub(scale)));
            let rescaled = |value: i128| divide(value, narrower, Cut::HalfUp).checked_mul(wider).and_then(fits);
            decimals(array.as_primitive::<Decimal128Type>().unary_opt(rescaled), precision, scale)
        }
        _ => {
            let integers = cast(array, &DataType::Int64)?;
            let scaled = |value: i64| i128::from(value).checked_mul(unit).and_then(fits);
            decimals(integers.as_primitive::<Int64Type>().unary_opt(scaled), precision, scale)
        }
    }
}

fn decimals(values: PrimitiveArray<Decimal128Type>, precision: u8, scale: i8) -> Result<ArrayRef> {
    Ok(Arc::new(values.with_precision_and_scale(precision, scale)?))
}

/// `10^exponent`; 1 for a negative exponent, held at what 128 bits can say.
fn power_of_ten(exponent: i8) -> i128 {
    10_i128.checked_pow(u32::try_from(exponent).unwrap_or(0)).unwrap_or(i128::MAX)
}

/// Whether a type is one of the integers that tables have.
pub(super) fn is_integer(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64)
}

/// Bytes of an integer type.
pub(super) fn width(data_type: &DataType) -> usize {
    data_type.primitive_width().unwrap_or(0)
}
