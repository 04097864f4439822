//! Rows as text, as a Java program that prints Flink's rows shows them.
//!
//! Every type has the text of the Java object that Flink makes of it: a timestamp without seconds ends at the minutes, a
//! double always has a point, a row inside a row shows its kind. So the output of a job can be compared with Flink's line
//! by line.

use std::fmt::{Arguments, Write};

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, FixedSizeListArray, GenericListArray, MapArray, OffsetSizeTrait,
    PrimitiveArray, StructArray,
};
use arrow::datatypes::{
    ArrowNativeType, DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Time32MillisecondType,
    Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use millstream_engine::batch::{EventBatch, RowKind};
use millstream_engine::error::{Error, Result};

/// Appends the value at a row to a text.
type Cell<'a> = Box<dyn Fn(usize, &mut String) + 'a>;

/// Appends a line for each row of `batch`.
pub(crate) fn append_rows(batch: &EventBatch, prefix: &str, text: &mut String) -> Result<()> {
    let cells = batch.rows.columns().iter().map(|column| cell(column)).collect::<Result<Vec<_>>>()?;
    for row in 0..batch.num_rows() {
        text.push_str(prefix);
        text.push_str(kind_text(batch, row)?);
        append_fields(&cells, row, text);
        text.push('\n');
    }
    Ok(())
}

fn kind_text(batch: &EventBatch, row: usize) -> Result<&'static str> {
    let Some(kinds) = &batch.row_kinds else { return Ok("+I") };
    let number = kinds.as_slice().get(row).copied();
    const KINDS: [(RowKind, &str); 4] =
        [(RowKind::Insert, "+I"), (RowKind::UpdateBefore, "-U"), (RowKind::UpdateAfter, "+U"), (RowKind::Delete, "-D")];
    let known = KINDS.iter().find(|(kind, _)| Some(*kind as u8) == number);
    known.map(|(_, text)| *text).ok_or_else(|| Error::internal(format!("a row has the kind {number:?}")))
}

fn append_fields(cells: &[Cell<'_>], row: usize, text: &mut String) {
    text.push('[');
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        cell(row, text);
    }
    text.push(']');
}

/// How the values of `array` are shown.
fn cell(array: &ArrayRef) -> Result<Cell<'_>> {
    let shown: Cell<'_> = match array.data_type() {
        DataType::Utf8 => strings(array.as_string::<i32>()),
        DataType::LargeUtf8 => strings(array.as_string::<i64>()),
        DataType::Utf8View => strings(array.as_string_view()),
        DataType::Binary => bytes(array.as_binary::<i32>()),
        DataType::LargeBinary => bytes(array.as_binary::<i64>()),
        DataType::BinaryView => bytes(array.as_binary_view()),
        DataType::Float32 => primitive::<Float32Type>(array, |value, text| {
            append_float(f64::from(value), &format!("{value:e}"), text);
        }),
        DataType::Float64 => primitive::<Float64Type>(array, |value, text| {
            append_float(value, &format!("{value:e}"), text);
        }),
        DataType::Decimal128(_, scale) => {
            let scale = *scale;
            primitive::<Decimal128Type>(array, move |value, text| append_decimal(value, scale, text))
        }
        DataType::Date32 => primitive::<Date32Type>(array, append_date),
        DataType::Time32(TimeUnit::Second) => primitive::<Time32SecondType>(array, |value, text| {
            append_time_of_day(i128::from(value) * 1_000_000_000, text);
        }),
        DataType::Time32(_) => primitive::<Time32MillisecondType>(array, |value, text| {
            append_time_of_day(i128::from(value) * 1_000_000, text);
        }),
        DataType::Time64(TimeUnit::Microsecond) => primitive::<Time64MicrosecondType>(array, |value, text| {
            append_time_of_day(i128::from(value) * 1_000, text);
        }),
        DataType::Time64(_) => primitive::<Time64NanosecondType>(array, |value, text| {
            append_time_of_day(i128::from(value), text);
        }),
        DataType::Timestamp(unit, zone) => timestamps(array, *unit, zone.is_some()),
        DataType::List(_) => list(array.as_list::<i32>())?,
        DataType::LargeList(_) => list(array.as_list::<i64>())?,
        DataType::FixedSizeList(_, _) => fixed_list(array.as_fixed_size_list())?,
        DataType::Map(_, _) => map(array.as_map())?,
        DataType::Struct(_) => structure(array.as_struct())?,
        // Whole numbers, booleans, intervals and what SQL has no name for: their plain text.
        _ => plain(array)?,
    };
    Ok(if array.null_count() == 0 { shown } else { or_null(array, shown) })
}

/// Writing to a string cannot fail.
fn put(text: &mut String, what: Arguments<'_>) {
    let _ = text.write_fmt(what);
}

fn or_null<'a>(array: &'a ArrayRef, shown: Cell<'a>) -> Cell<'a> {
    Box::new(move |row, text| if array.is_null(row) { text.push_str("null") } else { shown(row, text) })
}

fn plain(array: &ArrayRef) -> Result<Cell<'_>> {
    const OPTIONS: FormatOptions<'static> = FormatOptions::new().with_null("null");
    let formatter = ArrayFormatter::try_new(array.as_ref(), &OPTIONS)?;
    Ok(Box::new(move |row, text| put(text, format_args!("{}", formatter.value(row)))))
}

fn strings<'a>(array: impl arrow::array::ArrayAccessor<Item = &'a str> + 'a) -> Cell<'a> {
    Box::new(move |row, text| text.push_str(array.value(row)))
}

fn bytes<'a>(array: impl arrow::array::ArrayAccessor<Item = &'a [u8]> + 'a) -> Cell<'a> {
    Box::new(move |row, text| {
        // As Java shows its bytes: signed.
        let numbers = array.value(row).iter().map(|byte| byte.cast_signed().to_string()).collect::<Vec<_>>();
        put(text, format_args!("[{}]", numbers.join(", ")));
    })
}

fn primitive<T: ArrowPrimitiveType>(array: &ArrayRef, append: impl Fn(T::Native, &mut String) + 'static) -> Cell<'_> {
    let array: &PrimitiveArray<T> = array.as_primitive::<T>();
    Box::new(move |row, text| append(array.value(row), text))
}

fn list<O: OffsetSizeTrait>(array: &GenericListArray<O>) -> Result<Cell<'_>> {
    let cells = [cell(array.values())?];
    Ok(Box::new(move |row, text| {
        let offsets = array.value_offsets();
        append_elements(&cells[0], offsets[row].as_usize()..offsets[row + 1].as_usize(), text);
    }))
}

fn fixed_list(array: &FixedSizeListArray) -> Result<Cell<'_>> {
    let element = cell(array.values())?;
    let length = usize::try_from(array.value_length()).unwrap_or(0);
    Ok(Box::new(move |row, text| append_elements(&element, row * length..(row + 1) * length, text)))
}

fn append_elements(element: &Cell<'_>, range: std::ops::Range<usize>, text: &mut String) {
    text.push('[');
    for index in range.clone() {
        if index > range.start {
            text.push_str(", ");
        }
        element(index, text);
    }
    text.push(']');
}

fn map(array: &MapArray) -> Result<Cell<'_>> {
    let (key, value) = (cell(array.keys())?, cell(array.values())?);
    Ok(Box::new(move |row, text| {
        let offsets = array.value_offsets();
        text.push('{');
        for (count, index) in (offsets[row].as_usize()..offsets[row + 1].as_usize()).enumerate() {
            if count > 0 {
                text.push_str(", ");
            }
            key(index, text);
            text.push('=');
            value(index, text);
        }
        text.push('}');
    }))
}

fn structure(array: &StructArray) -> Result<Cell<'_>> {
    let cells = array.columns().iter().map(cell).collect::<Result<Vec<_>>>()?;
    Ok(Box::new(move |row, text| {
        text.push_str("+I");
        append_fields(&cells, row, text);
    }))
}

fn timestamps(array: &ArrayRef, unit: TimeUnit, zoned: bool) -> Cell<'_> {
    let append = move |nanoseconds: i128, text: &mut String| append_timestamp(nanoseconds, zoned, text);
    match unit {
        TimeUnit::Second => {
            primitive::<TimestampSecondType>(array, move |v, t| append(i128::from(v) * 1_000_000_000, t))
        }
        TimeUnit::Millisecond => {
            primitive::<TimestampMillisecondType>(array, move |v, t| append(i128::from(v) * 1_000_000, t))
        }
        TimeUnit::Microsecond => {
            primitive::<TimestampMicrosecondType>(array, move |v, t| append(i128::from(v) * 1_000, t))
        }
        TimeUnit::Nanosecond => primitive::<TimestampNanosecondType>(array, move |v, t| append(i128::from(v), t)),
    }
}

/// Java's `Double.toString`: plain from 0.001 to 10,000,000, else with an exponent; always a point. `scientific` is the
/// shortest text that reads back as the value, as `1.5e10`.
fn append_float(value: f64, scientific: &str, text: &mut String) {
    if value.is_nan() {
        return text.push_str("NaN");
    }
    if value.is_infinite() {
        return text.push_str(if value > 0.0 { "Infinity" } else { "-Infinity" });
    }
    let magnitude = value.abs();
    let Some((digits, exponent)) = scientific.split_once('e') else { return text.push_str(scientific) };
    if magnitude != 0.0 && !(1e-3..1e7).contains(&magnitude) {
        let point = if digits.contains('.') { "" } else { ".0" };
        return put(text, format_args!("{digits}{point}E{exponent}"));
    }
    append_plain(digits, exponent.parse().unwrap_or(0), text);
}

/// `-1.25` and 2 become `-125.0`.
fn append_plain(digits: &str, exponent: i32, text: &mut String) {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
    let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
    text.push_str(sign);
    match usize::try_from(exponent) {
        Ok(exponent) if exponent + 1 >= digits.len() => {
            put(text, format_args!("{digits:0<width$}.0", width = exponent + 1))
        }
        Ok(exponent) => put(text, format_args!("{}.{}", &digits[..=exponent], &digits[exponent + 1..])),
        Err(_) => {
            let zeros = usize::try_from(-(exponent + 1)).unwrap_or(0);
            put(text, format_args!("0.{}{digits}", "0".repeat(zeros)));
        }
    }
}

fn append_decimal(value: i128, scale: i8, text: &mut String) {
    let Ok(scale @ 1..) = usize::try_from(scale) else {
        let zeros = usize::from(scale.unsigned_abs());
        return put(text, format_args!("{value}{}", "0".repeat(zeros)));
    };
    let sign = if value < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    put(text, format_args!("{sign}{whole}.{fraction}"));
}

fn append_date(days: i32, text: &mut String) {
    match NaiveDate::from_epoch_days(days) {
        Some(date) => append_year_month_day(date, text),
        None => put(text, format_args!("day {days}")),
    }
}

fn append_year_month_day(date: NaiveDate, text: &mut String) {
    let year = date.year();
    let sign = if year < 0 { "-" } else { "" };
    put(text, format_args!("{sign}{:04}-{:02}-{:02}", year.unsigned_abs(), date.month(), date.day()));
}

fn append_time_of_day(nanoseconds: i128, text: &mut String) {
    match moment(nanoseconds) {
        Some(moment) => append_clock(moment.time(), false, text),
        None => put(text, format_args!("{nanoseconds} ns")),
    }
}

fn append_timestamp(nanoseconds: i128, zoned: bool, text: &mut String) {
    let Some(moment) = moment(nanoseconds) else {
        // No calendar reaches so far; the number is all that can be said.
        return put(text, format_args!("{} ms", nanoseconds.div_euclid(1_000_000)));
    };
    append_year_month_day(moment.date(), text);
    text.push('T');
    append_clock(moment.time(), zoned, text);
    if zoned {
        text.push('Z');
    }
}

fn moment(nanoseconds: i128) -> Option<NaiveDateTime> {
    let seconds = i64::try_from(nanoseconds.div_euclid(1_000_000_000)).ok()?;
    let rest = u32::try_from(nanoseconds.rem_euclid(1_000_000_000)).ok()?;
    DateTime::from_timestamp(seconds, rest).map(|moment| moment.naive_utc())
}

/// Java's `LocalTime.toString`: seconds only if there are any (or `always`), then 3, 6 or 9 digits as needed.
fn append_clock(time: NaiveTime, always: bool, text: &mut String) {
    put(text, format_args!("{:02}:{:02}", time.hour(), time.minute()));
    let nanoseconds = time.nanosecond();
    if always || time.second() > 0 || nanoseconds > 0 {
        put(text, format_args!(":{:02}", time.second()));
    }
    if nanoseconds == 0 {
    } else if nanoseconds.is_multiple_of(1_000_000) {
        put(text, format_args!(".{:03}", nanoseconds / 1_000_000));
    } else if nanoseconds.is_multiple_of(1_000) {
        put(text, format_args!(".{:06}", nanoseconds / 1_000));
    } else {
        put(text, format_args!(".{nanoseconds:09}"));
    }
}
