//! Arithmetic functions with Flink's types: what it computes in `DOUBLE` is `DOUBLE` here whatever the argument, and
//! what keeps its argument's type (`FLOOR`, `ROUND`, `SIGN`, …) does so.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Float32Type, Float64Type, Int64Type};
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};

use super::decimal::{data_type, digits_of};
use super::definition::{Call, Definition, Kind, NOTHING, Returns, Takes, exactly, optional};
use super::number::{Cut, cut_double, cut_float, cut_integer, divide};
use super::session::Session;

/// The functions of this file.
pub(super) fn definitions() -> Vec<Definition> {
    let double = |name, body| Definition::new(name, exactly(&[Kind::Double]), DataType::Float64, body);
    let two_doubles =
        |name, body| Definition::new(name, exactly(&[Kind::Double, Kind::Double]), DataType::Float64, body);
    let whole = |name, body| Definition::new(name, exactly(&[Kind::Number]), Returns::Rule(type_of_whole), body);
    let digits = |name, body| {
        Definition::new(name, optional(1, &[Kind::Number, Kind::Integer]), Returns::Rule(type_of_digits), body)
    };
    vec![
        double("exp", |call| map(call, f64::exp)),
        double("ln", |call| map(call, f64::ln)),
        double("log10", |call| map(call, f64::log10)),
        double("log2", |call| map(call, |x| x.ln() / std::f64::consts::LN_2)),
        Definition::new("log", optional(1, &[Kind::Double, Kind::Double]), DataType::Float64, log),
        double("sqrt", |call| map(call, f64::sqrt)),
        double("sin", |call| map(call, f64::sin)),
        double("cos", |call| map(call, f64::cos)),
        double("tan", |call| map(call, f64::tan)),
        double("cot", |call| map(call, |x| 1.0 / x.tan())),
        double("asin", |call| map(call, f64::asin)),
        double("acos", |call| map(call, f64::acos)),
        double("atan", |call| map(call, f64::atan)),
        double("sinh", |call| map(call, f64::sinh)),
        double("cosh", |call| map(call, f64::cosh)),
        double("tanh", |call| map(call, f64::tanh)),
        double("degrees", |call| map(call, f64::to_degrees)),
        double("radians", |call| map(call, f64::to_radians)),
        two_doubles("atan2", |call| zip(call, f64::atan2)),
        two_doubles("power", |call| zip(call, f64::powf)).alias("pow"),
        Definition::new("pi", NOTHING, DataType::Float64, |call| constant(call, std::f64::consts::PI)),
        Definition::new("e", NOTHING, DataType::Float64, |call| constant(call, std::f64::consts::E)),
        Definition::new("sign", exactly(&[Kind::Number]), Returns::SameAs(0), sign).alias("signum"),
        whole("floor", |call| round_whole(call, f64::floor, |value, unit| value.div_euclid(unit))),
        whole("ceil", |call| round_whole(call, f64::ceil, |value, unit| -(-value).div_euclid(unit))).alias("ceiling"),
        digits("round", |call| cut(call, Cut::HalfUp)),
        digits("truncate", |call| cut(call, Cut::Down)),
        Definition::new("mod", Takes::Rule(mod_arguments), Returns::Rule(type_of_mod), modulo),
    ]
}

fn map(call: &Call<'_>, function: impl Fn(f64) -> f64) -> Result<ArrayRef> {
    let numbers = call.double(0)?;
    Ok(Arc::new(numbers.values().unary::<_, Float64Type>(function)))
}

fn zip(call: &Call<'_>, function: impl Fn(f64, f64) -> f64) -> Result<ArrayRef> {
    let (left, right) = (call.double(0)?, call.double(1)?);
    call.numbers::<Float64Type>(|row| Ok(left.get(row).zip(right.get(row)).map(|(left, right)| function(left, right))))
}

fn constant(call: &Call<'_>, value: f64) -> Result<ArrayRef> {
    Ok(Arc::new(Float64Array::from_value(value, call.rows)))
}

/// `LOG(x)`: natural. `LOG(base, x)`.
fn log(call: &Call<'_>) -> Result<ArrayRef> {
    match call.given() {
        1 => map(call, f64::ln),
        _ => zip(call, |base, x| x.ln() / base.ln()),
    }
}

/// `SIGN(x)`: -1, 0 or 1 in the type of the argument.
fn sign(call: &Call<'_>) -> Result<ArrayRef> {
    let column = call.column(0)?;
    let values = column.values();
    match values.data_type() {
        DataType::Float32 => Ok(Arc::new(
            values
                .as_primitive::<Float32Type>()
                .unary::<_, Float32Type>(|x| if x == 0.0 || x.is_nan() { x } else { x.signum() }),
        )),
        DataType::Float64 => Ok(Arc::new(
            values
                .as_primitive::<Float64Type>()
                .unary::<_, Float64Type>(|x| if x == 0.0 || x.is_nan() { x } else { x.signum() }),
        )),
        DataType::Decimal128(precision, scale) => {
            let unit = power_of_ten(*scale);
            decimals(values, *precision, *scale, |value| Some(value.signum().saturating_mul(unit)))
        }
        _ => integers(call, values, |value| value.signum()),
    }
}

/// Floors and ceilings of decimals have no digits after the point; other types stay.
fn type_of_whole(_: &Session, types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    match types.first() {
        Some(DataType::Decimal128(precision, _)) => Ok(DataType::Decimal128(*precision, 0)),
        Some(other) => Ok(other.clone()),
        None => plan_err!("a number is missing"),
    }
}

fn round_whole(call: &Call<'_>, double: fn(f64) -> f64, decimal: fn(i128, i128) -> i128) -> Result<ArrayRef> {
    let column = call.column(0)?;
    let values = column.values();
    match values.data_type() {
        // Widening and narrowing again is exact: floors of floats are floats.
        DataType::Float32 | DataType::Float64 => {
            let doubles = cast(values, &DataType::Float64)?;
            let rounded = doubles.as_primitive::<Float64Type>().unary::<_, Float64Type>(double);
            Ok(cast(&rounded, call.returns)?)
        }
        DataType::Decimal128(precision, scale) => {
            let unit = power_of_ten(*scale);
            decimals(values, *precision, 0, |value| Some(decimal(value, unit)))
        }
        _ => Ok(Arc::clone(values)),
    }
}

/// Flink's `DECIMAL(1 + p - s + r, r)` for a decimal cut to a literal number `r` of digits; other types stay.
fn type_of_digits(_: &Session, types: &[DataType], literals: &[Option<&ScalarValue>]) -> Result<DataType> {
    let Some(DataType::Decimal128(precision, scale)) = types.first() else {
        return match types.first() {
            Some(other) => Ok(other.clone()),
            None => plan_err!("a number is missing"),
        };
    };
    let places = match literals.get(1) {
        None => 0,
        Some(Some(ScalarValue::Int64(Some(places)))) => *places,
        Some(Some(_) | None) => return Ok(DataType::Decimal128(*precision, *scale)),
    };
    let (p, s) = (i64::from(*precision), i64::from(*scale));
    let (precision, scale) = match places {
        places if places >= s => (p, s),
        places if places < 0 => ((1 + p - s).min(38), 0),
        places => ((1 + p - s + places).min(38), places),
    };
    Ok(DataType::Decimal128(u8::try_from(precision).unwrap_or(38), i8::try_from(scale).unwrap_or(0)))
}

/// `ROUND(x[, digits])` and `TRUNCATE(x[, digits])`, by decimal digits also for floating-point numbers.
fn cut(call: &Call<'_>, cut: Cut) -> Result<ArrayRef> {
    let column = call.column(0)?;
    let values = column.values();
    let places = call.optional_integer(1)?;
    let places_of = |row: usize| places.as_ref().map_or(Some(0), |places| places.get(row));
    let at = |row: usize| if column.is_literal() { 0 } else { row };
    match values.data_type() {
        DataType::Float32 => {
            let values = values.as_primitive::<Float32Type>();
            call.numbers::<Float32Type>(|row| {
                let value = values.is_valid(at(row)).then(|| values.value(at(row)));
                Ok(value.zip(places_of(row)).map(|(value, places)| cut_float(value, places, cut)))
            })
        }
        DataType::Float64 => {
            let values = values.as_primitive::<Float64Type>();
            call.numbers::<Float64Type>(|row| {
                let value = values.is_valid(at(row)).then(|| values.value(at(row)));
                Ok(value.zip(places_of(row)).map(|(value, places)| cut_double(value, places, cut)))
            })
        }
        DataType::Decimal128(_, from) => {
            let (values, from) = (values.as_primitive::<Decimal128Type>(), i64::from(*from));
            let DataType::Decimal128(_, to) = call.returns else { return exec_err!("{} lost its type", call.name) };
            call.numbers::<Decimal128Type>(|row| {
                let value = values.is_valid(at(row)).then(|| values.value(at(row)));
                Ok(value.zip(places_of(row)).map(|(value, places)| {
                    let kept = cut_integer(value, places.saturating_sub(from), cut);
                    divide(kept, power_of_ten(i8::try_from(from - i64::from(*to)).unwrap_or(0)), Cut::Down)
                }))
            })
        }
        _ => {
            let numbers = call.any_integer(0)?;
            let cut = call.wide_integers(|row| {
                let value = numbers.get(row).zip(places_of(row));
                // Wraps like Java's longValue() when rounding up leaves 64 bits.
                Ok(value.map(|(value, places)| low_64(cut_integer(i128::from(value), places, cut))))
            })?;
            Ok(cast(&cut, call.returns)?)
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the lower 64 bits are what Java's longValue() takes")]
fn low_64(value: i128) -> i64 {
    value as i64
}

/// Integers with integers, or decimals of one scale.
fn mod_arguments(given: &[DataType]) -> Result<Vec<DataType>> {
    let [left, right] = given else { return plan_err!("mod takes 2 arguments, but {} are given", given.len()) };
    let exact = |given: &DataType| {
        Kind::Number.coerced(given).filter(|number| number.is_integer() || matches!(number, DataType::Decimal128(_, _)))
    };
    let (Some(left), Some(right)) = (exact(left), exact(right)) else {
        return plan_err!("mod takes integers or decimals, not {left} and {right}: use CAST");
    };
    Ok(vec![left, right])
}

/// The type of the divisor when neither side has digits after the point, else a decimal that holds any rest.
fn type_of_mod(_: &Session, types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    let [left, right] = types else { return plan_err!("mod takes 2 arguments") };
    let (Some((p1, s1)), Some((p2, s2))) = (digits_of(left), digits_of(right)) else {
        return plan_err!("mod takes integers or decimals, not {left} and {right}: use CAST");
    };
    if s1 == 0 && s2 == 0 {
        return Ok(right.clone());
    }
    let scale = s1.max(s2);
    data_type((((p1 - s1).min(p2 - s2) + scale).clamp(1, 38), scale))
}

/// `MOD(x, y)`: the rest has the sign of `x`; a zero divisor is an error.
fn modulo(call: &Call<'_>) -> Result<ArrayRef> {
    let (left, right) = (call.column(0)?, call.column(1)?);
    if left.values().data_type().is_integer() && right.values().data_type().is_integer() {
        let (left, right) = (call.any_integer(0)?, call.any_integer(1)?);
        let rests = call.wide_integers(|row| match (left.get(row), right.get(row)) {
            (Some(_), Some(0)) => exec_err!("division by zero in mod"),
            (Some(left), Some(right)) => Ok(Some(left.wrapping_rem(right))),
            (None, _) | (_, None) => Ok(None),
        })?;
        return Ok(cast(&rests, call.returns)?);
    }
    decimal_modulo(call)
}

fn decimal_modulo(call: &Call<'_>) -> Result<ArrayRef> {
    let (left, right) = (call.column(0)?, call.column(1)?);
    let scale_of = |of: &DataType| digits_of(of).map_or(0, |(_, scale)| scale);
    let widened = data_type((38, scale_of(left.values().data_type()).max(scale_of(right.values().data_type()))))?;
    let (lefts, rights) = (cast(left.values(), &widened)?, cast(right.values(), &widened)?);
    let (lefts, rights) = (lefts.as_primitive::<Decimal128Type>(), rights.as_primitive::<Decimal128Type>());
    let rests: arrow::array::Decimal128Array = (0..call.rows)
        .map(|row| {
            let (l, r) = (if left.is_literal() { 0 } else { row }, if right.is_literal() { 0 } else { row });
            if lefts.is_null(l) || rights.is_null(r) {
                return Ok(None);
            }
            match rights.value(r) {
                0 => exec_err!("division by zero in mod"),
                divisor => Ok(Some(lefts.value(l).wrapping_rem(divisor))),
            }
        })
        .collect::<Result<_>>()?;
    Ok(cast(&rests.with_data_type(widened), call.returns)?)
}

/// `10^scale`, held at what 128 bits can say.
fn power_of_ten(scale: i8) -> i128 {
    10_i128.checked_pow(u32::try_from(scale).unwrap_or(0)).unwrap_or(i128::MAX)
}

fn decimals(values: &ArrayRef, precision: u8, scale: i8, function: impl Fn(i128) -> Option<i128>) -> Result<ArrayRef> {
    let result = values.as_primitive::<Decimal128Type>().unary_opt::<_, Decimal128Type>(function);
    Ok(Arc::new(result.with_precision_and_scale(precision, scale)?))
}

fn integers(call: &Call<'_>, values: &ArrayRef, function: impl Fn(i64) -> i64) -> Result<ArrayRef> {
    let wide = cast(values, &DataType::Int64)?;
    Ok(cast(&wide.as_primitive::<Int64Type>().unary::<_, Int64Type>(function), call.returns)?)
}

#[cfg(test)]
mod tests;
