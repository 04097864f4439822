//! `JSON_STRING`: any value as JSON text.
//!
//! Rows and maps are objects with their names in order; bytes are base 64; dates and times are ISO 8601 strings, a
//! `TIMESTAMP_LTZ` in UTC (`1990-06-02T13:37:42.001Z`).

use std::collections::BTreeMap;
use std::fmt::{Result as Printed, Write};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Float32Type, Float64Type, Int64Type, TimeUnit};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use datafusion_common::{Result, exec_err};

use super::arguments::per_second;
use super::cast_text::{fraction_digits, texts, write_clock, write_date};
use super::definition::{Call, Definition, Kind, exactly};
use super::number::{write_double, write_float};
use super::zone::Zone;

/// The functions of this file.
pub(super) fn definitions() -> Vec<Definition> {
    vec![Definition::new("json_string", exactly(&[Kind::Any]), DataType::Utf8, json_string)]
}

/// `JSON_STRING(value)`: null for null.
fn json_string(call: &Call<'_>) -> Result<ArrayRef> {
    let column = call.column(0)?;
    let values = column.values();
    let print = printer(values)?;
    call.write_texts(|row, out| {
        let row = if column.is_literal() { 0 } else { row };
        if values.is_null(row) {
            return Ok(None);
        }
        let mut text = String::new();
        match print(row, &mut text) {
            Ok(()) => out.push(&text),
            Err(_) => return exec_err!("a value could not be printed as JSON"),
        }
        Ok(Some(()))
    })
}

type Print<'a> = Box<dyn Fn(usize, &mut String) -> Printed + 'a>;

/// Writes a value; a null inside another value is `null`.
fn printer(array: &ArrayRef) -> Result<Print<'_>> {
    let print = value_printer(array)?;
    Ok(Box::new(move |row, out| if array.is_null(row) { out.write_str("null") } else { print(row, out) }))
}

fn value_printer(array: &ArrayRef) -> Result<Print<'_>> {
    Ok(match array.data_type() {
        DataType::Boolean => {
            let values = array.as_boolean();
            Box::new(move |row, out| write!(out, "{}", values.value(row)))
        }
        DataType::Float32 => {
            let values = array.as_primitive::<Float32Type>();
            Box::new(move |row, out| {
                write_number(values.value(row).is_finite(), out, |out| write_float(values.value(row), out))
            })
        }
        DataType::Float64 => {
            let values = array.as_primitive::<Float64Type>();
            Box::new(move |row, out| {
                write_number(values.value(row).is_finite(), out, |out| write_double(values.value(row), out))
            })
        }
        DataType::Binary => {
            let values = array.as_binary::<i32>();
            Box::new(move |row, out| write_string(&BASE64_STANDARD.encode(values.value(row)), out))
        }
        DataType::Date32 => {
            let values = array.as_primitive::<Date32Type>();
            Box::new(move |row, out| {
                out.write_char('"')?;
                write_date(i64::from(values.value(row)), out)?;
                out.write_char('"')
            })
        }
        DataType::Timestamp(unit, zone) => print_timestamp(array, *unit, zone.is_some())?,
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let elements = printer(list.values())?;
            Box::new(move |row, out| {
                let range = list.value_offsets()[row]..list.value_offsets()[row + 1];
                out.write_char('[')?;
                for (index, at) in range.filter_map(|at| usize::try_from(at).ok()).enumerate() {
                    out.write_str(if index > 0 { "," } else { "" })?;
                    elements(at, out)?;
                }
                out.write_char(']')
            })
        }
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            let mut printers = BTreeMap::new();
            for (field, column) in fields.iter().zip(columns) {
                printers.insert(field.name().clone(), printer(column)?);
            }
            Box::new(move |row, out| {
                write_object(printers.iter().map(|(name, print)| (name, move |out: &mut String| print(row, out))), out)
            })
        }
        DataType::Map(_, _) => print_map(array)?,
        DataType::Time32(_) | DataType::Time64(_) | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let values = texts(array, &Zone::utc())?;
            Box::new(move |row, out| write_string(values.value(row), out))
        }
        DataType::Null => Box::new(|_, out| out.write_str("null")),
        other if other.is_numeric() => {
            let values = texts(array, &Zone::utc())?;
            Box::new(move |row, out| out.write_str(values.value(row)))
        }
        other => return exec_err!("json_string cannot print a value of type {other}"),
    })
}

/// What is no number to JSON is a string.
fn write_number(finite: bool, out: &mut String, write: impl Fn(&mut String) -> Printed) -> Printed {
    let quote = if finite { "" } else { "\"" };
    out.write_str(quote)?;
    write(out)?;
    out.write_str(quote)
}

fn write_string(text: &str, out: &mut String) -> Printed {
    let quoted = serde_json::to_string(text).map_err(|_| std::fmt::Error)?;
    out.write_str(&quoted)
}

fn write_object<'n, W: FnOnce(&mut String) -> Printed>(
    members: impl Iterator<Item = (&'n String, W)>,
    out: &mut String,
) -> Printed {
    out.write_char('{')?;
    for (index, (name, write)) in members.enumerate() {
        out.write_str(if index > 0 { "," } else { "" })?;
        write_string(name, out)?;
        out.write_char(':')?;
        write(out)?;
    }
    out.write_char('}')
}

fn print_map(array: &ArrayRef) -> Result<Print<'_>> {
    let map = array.as_map();
    let names = texts(map.keys(), &Zone::utc())?;
    let values = printer(map.values())?;
    Ok(Box::new(move |row, out| {
        let range = map.value_offsets()[row]..map.value_offsets()[row + 1];
        let entries: BTreeMap<String, usize> = range
            .filter_map(|at| usize::try_from(at).ok())
            .map(|at| (if names.is_null(at) { "null".to_owned() } else { names.value(at).to_owned() }, at))
            .collect();
        let values = &values;
        write_object(entries.iter().map(|(name, at)| (name, move |out: &mut String| values(*at, out))), out)
    }))
}

/// A local timestamp has the digits that it needs, an instant 0, 3, 6 or 9: as Java's two formatters do.
fn print_timestamp(array: &ArrayRef, unit: TimeUnit, instant: bool) -> Result<Print<'_>> {
    let ticks = cast(array, &DataType::Int64)?;
    let (per_second, digits) = (per_second(unit), fraction_digits(unit));
    Ok(Box::new(move |row, out| {
        let ticks = ticks.as_primitive::<Int64Type>().value(row);
        let seconds = ticks.div_euclid(per_second);
        out.write_char('"')?;
        write_date(seconds.div_euclid(86_400), out)?;
        out.write_char('T')?;
        write_clock(seconds.rem_euclid(86_400), out)?;
        let fraction = ticks.rem_euclid(per_second);
        if fraction != 0 {
            let text = format!("{fraction:0digits$}");
            let mut shown = text.trim_end_matches('0').to_owned();
            while instant && shown.len() % 3 != 0 {
                shown.push('0');
            }
            write!(out, ".{shown}")?;
        }
        out.write_str(if instant { "Z\"" } else { "\"" })
    }))
}

#[cfg(test)]
mod tests;
