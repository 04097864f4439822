//! Text as values, the way `CAST(text AS …)` reads it in Flink: blanks around a number do not count, `1.9` is the
//! integer 1, `t`, `yes` and `1` are true, months and hours may have one digit.
//!
//! What cannot be read fails the cast, or is null for `TRY_CAST`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryArray, BooleanArray, PrimitiveArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimeUnit,
};
use datafusion_common::{Result, exec_err};

use super::arguments::per_second;
use super::number::{parse_decimal, parse_double, parse_float};
use super::time_parse::{default_date, default_time, default_timestamp};
use super::type_name::type_name;
use super::zone::{Repeated, Zone};

/// How much of a text an error shows.
const SHOWN: usize = 100;

/// What happens to a text that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum OnFailure {
    /// The cast fails.
    Fail,
    /// The value is null.
    Null,
}

/// The texts as values of a type. Timestamps with a zone are read on the clock of `zone`.
pub(super) fn parse(texts: &StringArray, to: &DataType, zone: &Zone, on_failure: OnFailure) -> Result<ArrayRef> {
    let parser = Parser { texts, to, on_failure };
    match to {
        DataType::Boolean => parser.booleans(),
        DataType::Int8 => parser.numbers::<Int8Type>(|text| parse_integer(text)?.try_into().ok()),
        DataType::Int16 => parser.numbers::<Int16Type>(|text| parse_integer(text)?.try_into().ok()),
        DataType::Int32 => parser.numbers::<Int32Type>(|text| parse_integer(text)?.try_into().ok()),
        DataType::Int64 => parser.numbers::<Int64Type>(parse_integer),
        DataType::Float32 => parser.numbers::<Float32Type>(parse_float),
        DataType::Float64 => parser.numbers::<Float64Type>(parse_double),
        DataType::Decimal128(precision, scale) => {
            parser.numbers::<Decimal128Type>(|text| parse_decimal(text, *precision, *scale))
        }
        DataType::Date32 => parser.numbers::<Date32Type>(|text| i32::try_from(default_date(text)?).ok()),
        DataType::Time32(unit) | DataType::Time64(unit) => parser.times(*unit),
        DataType::Timestamp(unit, named) => parser.timestamps(*unit, named.is_some().then_some(zone)),
        DataType::Binary => Ok(Arc::new(texts.iter().map(|text| text.map(str::as_bytes)).collect::<BinaryArray>())),
        other => exec_err!("a string cannot be cast to {}", type_name(other)),
    }
}

struct Parser<'a> {
    texts: &'a StringArray,
    to: &'a DataType,
    on_failure: OnFailure,
}

impl Parser<'_> {
    fn each<T>(&self, read: impl Fn(&str) -> Option<T>) -> impl Iterator<Item = Result<Option<T>>> {
        (0..self.texts.len()).map(move |row| {
            if self.texts.is_null(row) {
                return Ok(None);
            }
            let text = self.texts.value(row);
            match (read(text), self.on_failure) {
                (None, OnFailure::Fail) => {
                    let shown: String = text.chars().take(SHOWN).collect();
                    exec_err!("cannot cast '{shown}' to {}: use TRY_CAST to get NULL instead", type_name(self.to))
                }
                (value, _) => Ok(value),
            }
        })
    }

    fn numbers<T: ArrowPrimitiveType>(&self, read: impl Fn(&str) -> Option<T::Native>) -> Result<ArrayRef> {
        let values: PrimitiveArray<T> = self.each(read).collect::<Result<_>>()?;
        Ok(Arc::new(values.with_data_type(self.to.clone())))
    }

    fn booleans(&self) -> Result<ArrayRef> {
        Ok(Arc::new(self.each(parse_boolean).collect::<Result<BooleanArray>>()?))
    }

    fn times(&self, unit: TimeUnit) -> Result<ArrayRef> {
        let per_second = per_second(unit);
        let ticks = |text: &str| default_time(text).map(|millis| millis * per_second / 1_000);
        match unit {
            TimeUnit::Second | TimeUnit::Millisecond => {
                let values: PrimitiveArray<Int32Type> =
                    self.each(|text| i32::try_from(ticks(text)?).ok()).collect::<Result<_>>()?;
                Ok(cast(&values, self.to)?)
            }
            TimeUnit::Microsecond | TimeUnit::Nanosecond => {
                let values: PrimitiveArray<Int64Type> = self.each(ticks).collect::<Result<_>>()?;
                Ok(cast(&values, self.to)?)
            }
        }
    }

    fn timestamps(&self, unit: TimeUnit, zone: Option<&Zone>) -> Result<ArrayRef> {
        let per_second = per_second(unit);
        let ticks = |text: &str| {
            let local = default_timestamp(text.trim_matches(' '))?.ticks(per_second)?;
            Some(zone.map_or(local, |zone| zone.instant_ticks(local, per_second, Repeated::First)))
        };
        let values: PrimitiveArray<Int64Type> = self.each(ticks).collect::<Result<_>>()?;
        Ok(cast(&values, self.to)?)
    }
}

/// `t`, `true`, `y`, `yes`, `1` and their opposites, in any case.
fn parse_boolean(text: &str) -> Option<bool> {
    match text.trim_matches(' ').to_ascii_lowercase().as_str() {
        "t" | "true" | "y" | "yes" | "1" => Some(true),
        "f" | "false" | "n" | "no" | "0" => Some(false),
        _ => None,
    }
}

/// A sign and digits; digits behind a point are checked and dropped.
fn parse_integer(text: &str) -> Option<i64> {
    let text = text.trim_matches(' ');
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = whole.strip_prefix(['-', '+']).unwrap_or(whole);
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match (all_digits(digits) && all_digits(fraction), digits.is_empty()) {
        (false, _) => None,
        // `.5` is 0, but a sign or nothing alone is no number.
        (true, true) => (text.len() > whole.len()).then_some(0),
        (true, false) => whole.parse().ok(),
    }
}
