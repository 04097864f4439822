//! Values as text, the way `CAST(x AS STRING)` prints them in Flink.
//!
//! A printer is built once per array, by its type, and then asked row by row: nested types are printers of printers.
//! Timestamps show the digits of their precision (`2021-09-24 12:34:56.100`), a `TIMESTAMP_LTZ` on the clock of the
//! given zone; a time of day shows a fraction only when it has one.

use std::fmt::{Result as Printed, Write};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int64Type, IntervalMonthDayNanoType, IntervalUnit,
    TimeUnit,
};
use datafusion_common::{Result, exec_err};

use super::arguments::per_second;
use super::calendar::Civil;
use super::number::{write_decimal, write_double, write_float};
use super::zone::Zone;

/// Writes the value of a row; never asked for a null.
type Print<'a> = Box<dyn Fn(usize, &mut String) -> Printed + 'a>;

/// The texts of all values.
pub(super) fn texts(array: &ArrayRef, zone: &Zone) -> Result<StringArray> {
    let print = printer(array, zone)?;
    let mut builder = StringBuilder::with_capacity(array.len(), array.len() * 16);
    let mut text = String::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            builder.append_null();
            continue;
        }
        text.clear();
        if print(row, &mut text).is_err() {
            return exec_err!("a value could not be printed");
        }
        if i32::try_from(builder.values_slice().len() + text.len()).is_err() {
            return exec_err!("the strings that a cast makes of one batch exceed 2 GiB");
        }
        builder.append_value(&text);
    }
    Ok(builder.finish())
}

fn printer<'a>(array: &'a ArrayRef, zone: &'a Zone) -> Result<Print<'a>> {
    Ok(match array.data_type() {
        DataType::Null => Box::new(|_, out| out.write_str("NULL")),
        DataType::Boolean => {
            let values = array.as_boolean();
            Box::new(move |row, out| out.write_str(if values.value(row) { "TRUE" } else { "FALSE" }))
        }
        DataType::Float32 => {
            let values = array.as_primitive::<Float32Type>();
            Box::new(move |row, out| write_float(values.value(row), out))
        }
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>();
            Box::new(move |row, out| write_double(values.value(row), out))
        }
        DataType::Decimal128(_, scale) => {
            let (values, scale) = (array.as_primitive::<Decimal128Type>(), *scale);
            Box::new(move |row, out| write_decimal(values.value(row), scale, out))
        }
        DataType::Utf8 => {
            let values = array.as_string::<i32>();
            Box::new(move |row, out| out.write_str(values.value(row)))
        }
        DataType::Binary => {
            let values = array.as_binary::<i32>();
            Box::new(move |row, out| out.write_str(&String::from_utf8_lossy(values.value(row))))
        }
        DataType::Date32 => {
            let values = array.as_primitive::<Date32Type>();
            Box::new(move |row, out| write_date(i64::from(values.value(row)), out))
        }
        DataType::Time32(unit) | DataType::Time64(unit) => print_time(array, *unit)?,
        DataType::Timestamp(unit, named) => print_timestamp(array, *unit, named.is_some().then_some(zone))?,
        DataType::Interval(_) | DataType::Duration(_) => print_interval(array)?,
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let elements = element_printer(list.values(), zone)?;
            Box::new(move |row, out| {
                let offsets = list.value_offsets();
                write_sequence("[", "]", offsets[row]..offsets[row + 1], out, |at, out| elements(at, out))
            })
        }
        DataType::Map(_, _) => {
            let map = array.as_map();
            let (keys, values) = (element_printer(map.keys(), zone)?, element_printer(map.values(), zone)?);
            Box::new(move |row, out| {
                let offsets = map.value_offsets();
                write_sequence("{", "}", offsets[row]..offsets[row + 1], out, |at, out| {
                    keys(at, out)?;
                    out.write_char('=')?;
                    values(at, out)
                })
            })
        }
        DataType::Struct(_) => {
            let fields = array
                .as_struct()
                .columns()
                .iter()
                .map(|field| element_printer(field, zone))
                .collect::<Result<Vec<_>>>()?;
            Box::new(move |row, out| {
                let fields = fields.iter();
                out.write_char('(')?;
                for (index, field) in fields.enumerate() {
                    out.write_str(if index > 0 { ", " } else { "" })?;
                    field(row, out)?;
                }
                out.write_char(')')
            })
        }
        other => match arrow::compute::can_cast_types(other, &DataType::Utf8) {
            // Integers, and other forms of strings and bytes.
            true => {
                let values = cast(array, &DataType::Utf8)?;
                Box::new(move |row, out| out.write_str(values.as_string::<i32>().value(row)))
            }
            false => return exec_err!("a value of type {other} has no text"),
        },
    })
}

/// As [`printer`], for values inside others: a null is `NULL`.
fn element_printer<'a>(array: &'a ArrayRef, zone: &'a Zone) -> Result<Print<'a>> {
    let print = printer(array, zone)?;
    Ok(Box::new(move |row, out| if array.is_null(row) { out.write_str("NULL") } else { print(row, out) }))
}

fn write_sequence(
    open: &str,
    close: &str,
    range: std::ops::Range<i32>,
    out: &mut String,
    element: impl Fn(usize, &mut String) -> Printed,
) -> Printed {
    out.write_str(open)?;
    for (index, at) in range.filter_map(|at| usize::try_from(at).ok()).enumerate() {
        out.write_str(if index > 0 { ", " } else { "" })?;
        element(at, out)?;
    }
    out.write_str(close)
}

/// `2021-09-24`.
pub(super) fn write_date(days: i64, out: &mut impl Write) -> Printed {
    let date = Civil::of_days(days);
    match date.year {
        0.. => write!(out, "{:04}-{:02}-{:02}", date.year, date.month, date.day),
        _ => write!(out, "-{:04}-{:02}-{:02}", date.year.unsigned_abs(), date.month, date.day),
    }
}

/// `12:34:56`, from seconds of a day.
pub(super) fn write_clock(seconds: i64, out: &mut impl Write) -> Printed {
    write!(out, "{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

/// Digits of a fraction of a second in this unit.
pub(super) fn fraction_digits(unit: TimeUnit) -> usize {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

fn print_time<'a>(array: &'a ArrayRef, unit: TimeUnit) -> Result<Print<'a>> {
    let ticks = match unit {
        TimeUnit::Second | TimeUnit::Millisecond => cast(&cast(array, &DataType::Int32)?, &DataType::Int64)?,
        TimeUnit::Microsecond | TimeUnit::Nanosecond => cast(array, &DataType::Int64)?,
    };
    let (per_second, digits) = (per_second(unit), fraction_digits(unit));
    Ok(Box::new(move |row, out| {
        let ticks = ticks.as_primitive::<Int64Type>().value(row).rem_euclid(86_400 * per_second);
        write_clock(ticks / per_second, out)?;
        match ticks % per_second {
            0 => Ok(()),
            fraction => out.write_str(format!(".{fraction:0digits$}").trim_end_matches('0')),
        }
    }))
}

fn print_timestamp<'a>(array: &'a ArrayRef, unit: TimeUnit, zone: Option<&'a Zone>) -> Result<Print<'a>> {
    let ticks = cast(array, &DataType::Int64)?;
    let (per_second, digits) = (per_second(unit), fraction_digits(unit));
    Ok(Box::new(move |row, out| {
        let ticks = ticks.as_primitive::<Int64Type>().value(row);
        let local = zone.map_or(ticks, |zone| zone.local_ticks(ticks, per_second));
        let seconds = local.div_euclid(per_second);
        write_date(seconds.div_euclid(86_400), out)?;
        out.write_char(' ')?;
        write_clock(seconds.rem_euclid(86_400), out)?;
        match digits {
            0 => Ok(()),
            digits => write!(out, ".{:0digits$}", local.rem_euclid(per_second)),
        }
    }))
}

/// `+1-02` for months and `+3 04:05:06.789` for the rest; both when an interval has both.
fn print_interval<'a>(array: &'a ArrayRef) -> Result<Print<'a>> {
    let intervals = cast(array, &DataType::Interval(IntervalUnit::MonthDayNano))?;
    Ok(Box::new(move |row, out| {
        let interval = intervals.as_primitive::<IntervalMonthDayNanoType>().value(row);
        let months = i64::from(interval.months);
        let millis = i64::from(interval.days) * 86_400_000 + interval.nanoseconds / 1_000_000;
        if months != 0 {
            let (sign, months) = (if months < 0 { '-' } else { '+' }, months.abs());
            write!(out, "{sign}{}-{:02}", months / 12, months % 12)?;
            if millis == 0 {
                return Ok(());
            }
            out.write_char(' ')?;
        }
        let (sign, millis) = (if millis < 0 { '-' } else { '+' }, millis.abs());
        write!(out, "{sign}{} ", millis / 86_400_000)?;
        write_clock(millis % 86_400_000 / 1_000, out)?;
        write!(out, ".{:03}", millis % 1_000)
    }))
}

/// The texts as an array.
pub(super) fn text_array(array: &ArrayRef, zone: &Zone) -> Result<ArrayRef> {
    Ok(Arc::new(texts(array, zone)?))
}
