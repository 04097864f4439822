//! Times from text and numbers and back: `DATE_FORMAT`, `TO_TIMESTAMP`, `TO_TIMESTAMP_LTZ`, `TO_DATE`,
//! `UNIX_TIMESTAMP`, `FROM_UNIXTIME`, `CONVERT_TZ`.
//!
//! Text that cannot be read is null, as in Flink, except for `UNIX_TIMESTAMP`, which answers the smallest `BIGINT`.
//! A wrong pattern is an error while planning when it is a literal.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, TimeUnit, TimestampMillisecondType,
};
use datafusion_common::{DataFusionError, Result, ScalarValue, exec_err, plan_err};

use super::arguments::{Meaning, Texts};
use super::definition::{Call, Definition, Kind, Returns, Takes, exactly, optional};
use super::number::truncated;
use super::session::Session;
use super::time_format::{Style, TimeFormat, Wall};
use super::time_parse::{default_date, default_timestamp, sql_timestamp};
use super::zone::{Repeated, Zone};

/// The default pattern of everything that uses `SimpleDateFormat`.
const DEFAULT: &str = "yyyy-MM-dd HH:mm:ss";

/// 0000-01-01 00:00:00 and 9999-12-31 23:59:59.999 UTC: what a `TIMESTAMP_LTZ` may be.
const EPOCH_MILLIS: std::ops::RangeInclusive<i64> = -62_167_219_200_000..=253_402_300_799_999;

/// The functions of this file.
pub(super) fn definitions() -> Vec<Definition> {
    let timestamp = DataType::Timestamp(TimeUnit::Millisecond, None);
    vec![
        Definition::new("date_format", exactly(&[Kind::TemporalOrText, Kind::Text]), DataType::Utf8, date_format)
            .checked(|session, literals| check_format(session, literals, 1, Style::Formatter)),
        Definition::new("to_timestamp", optional(1, &[Kind::Text, Kind::Text]), timestamp, to_timestamp)
            .checked(|session, literals| check_format(session, literals, 1, Style::Formatter)),
        Definition::new("to_timestamp_ltz", Takes::Rule(ltz_arguments), Returns::Instant, to_timestamp_ltz),
        Definition::new("to_date", optional(1, &[Kind::Text, Kind::Text]), DataType::Date32, to_date)
            .checked(|session, literals| check_format(session, literals, 1, Style::Simple)),
        Definition::new("unix_timestamp", optional(0, &[Kind::Text, Kind::Text]), DataType::Int64, unix_timestamp)
            .volatile()
            .checked(|session, literals| check_format(session, literals, 1, Style::Simple)),
        Definition::new("from_unixtime", optional(1, &[Kind::Number, Kind::Text]), DataType::Utf8, from_unixtime)
            .checked(|session, literals| check_format(session, literals, 1, Style::Simple)),
        Definition::new("convert_tz", exactly(&[Kind::Text, Kind::Text, Kind::Text]), DataType::Utf8, convert_tz),
    ]
}

impl Session {
    /// The compiled pattern.
    fn format(&self, pattern: &str, style: Style) -> Result<Arc<TimeFormat>> {
        let key = match style {
            Style::Formatter => format!("F{pattern}"),
            Style::Simple => format!("S{pattern}"),
        };
        self.formats
            .get(&key, |_| TimeFormat::compile(pattern, style))
            .map_err(|error| DataFusionError::Plan(error.to_string()))
    }

    /// The zone of this name.
    pub(super) fn zone_named(&self, name: &str) -> Result<Arc<Zone>> {
        self.zones.get(name, Zone::parse)
    }
}

fn check_format(session: &Session, literals: &[Option<&ScalarValue>], index: usize, style: Style) -> Result<()> {
    match literals.get(index).copied().flatten().and_then(|scalar| scalar.try_as_str().flatten()) {
        Some(pattern) => session.format(pattern, style).map(|_| ()),
        None => Ok(()),
    }
}

/// Patterns of a column, each compiled once while it stays the same from row to row.
struct Formats<'a> {
    session: &'a Session,
    patterns: Option<Texts>,
    style: Style,
    last: Option<(String, Arc<TimeFormat>)>,
}

impl<'a> Formats<'a> {
    fn of(call: &'a Call<'_>, index: usize, style: Style) -> Result<Self> {
        Ok(Self { session: call.session, patterns: call.optional_text(index)?, style, last: None })
    }

    /// The pattern of a row; `None` when it is null.
    fn get(&mut self, row: usize) -> Result<Option<&TimeFormat>> {
        let pattern = match &self.patterns {
            Some(patterns) => patterns.get(row),
            None => Some(DEFAULT),
        };
        let Some(pattern) = pattern else { return Ok(None) };
        if self.last.as_ref().is_none_or(|(last, _)| last != pattern) {
            self.last = Some((pattern.to_owned(), self.session.format(pattern, self.style)?));
        }
        Ok(self.last.as_ref().map(|(_, format)| &**format))
    }
}

/// `DATE_FORMAT(time, pattern)`: a date or timestamp in `DateTimeFormatter`'s way, a `TIMESTAMP_LTZ` on the session's
/// clock, a string (`yyyy-MM-dd HH:mm:ss`) in `SimpleDateFormat`'s way.
fn date_format(call: &Call<'_>) -> Result<ArrayRef> {
    if *call.column(0)?.values().data_type() == DataType::Utf8 {
        return reformat(call);
    }
    let moments = call.moments(0)?;
    let per_second = moments.per_second();
    let zone = &call.session.zone;
    let mut formats = Formats::of(call, 1, Style::Formatter)?;
    call.write_texts(|row, out| {
        let (Some(ticks), Some(format)) = (moments.get(row), formats.get(row)?) else { return Ok(None) };
        let ticks = match moments.meaning {
            Meaning::Instant => zone.local_ticks(ticks, per_second),
            Meaning::Date | Meaning::Time | Meaning::Local => ticks,
        };
        format.print(Wall::of_ticks(ticks, per_second, 0), out).map_err(unprintable)?;
        Ok(Some(()))
    })
}

fn reformat(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    let from = call.session.format(DEFAULT, Style::Simple)?;
    let utc = Zone::utc();
    let mut formats = Formats::of(call, 1, Style::Simple)?;
    call.write_texts(|row, out| {
        let (Some(text), Some(format)) = (texts.get(row), formats.get(row)?) else { return Ok(None) };
        let Some(millis) = from.parse_millis(text, &utc) else { return Ok(None) };
        format.print(Wall::of_ticks(millis, 1_000, 0), out).map_err(unprintable)?;
        Ok(Some(()))
    })
}

fn unprintable(_: std::fmt::Error) -> DataFusionError {
    DataFusionError::Execution("a time could not be printed".to_owned())
}

/// `TO_TIMESTAMP(text[, pattern])`: a `TIMESTAMP(3)`, whatever finer digits the text has.
fn to_timestamp(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    if call.given() == 1 {
        return call.numbers::<TimestampMillisecondType>(|row| {
            Ok(texts.get(row).and_then(default_timestamp).and_then(|time| time.ticks(1_000)))
        });
    }
    let mut formats = Formats::of(call, 1, Style::Formatter)?;
    call.numbers::<TimestampMillisecondType>(|row| {
        let (Some(text), Some(format)) = (texts.get(row), formats.get(row)?) else { return Ok(None) };
        Ok(format.parse_wall(text).or_else(|| sql_timestamp(text)).and_then(|time| time.ticks(1_000)))
    })
}

/// `(number[, precision])` or `(text[, pattern[, zone]])`.
fn ltz_arguments(given: &[DataType]) -> Result<Vec<DataType>> {
    let kinds: &[Kind] = match given.first() {
        Some(first) if Kind::Text.coerced(first).is_some() && !first.is_null() => &[Kind::Text, Kind::Text, Kind::Text],
        Some(_) => &[Kind::Number, Kind::Integer],
        None => &[],
    };
    if given.is_empty() || given.len() > kinds.len() {
        return plan_err!(
            "to_timestamp_ltz takes (number[, precision]) or (string[, pattern[, time zone]]), not {} arguments",
            given.len()
        );
    }
    let coerced = given.iter().zip(kinds).map(|(given, kind)| kind.coerced(given)).collect::<Option<Vec<_>>>();
    match coerced {
        Some(types) => Ok(types),
        None => {
            plan_err!("to_timestamp_ltz takes (number[, precision]) or (string[, pattern[, time zone]]), not {given:?}")
        }
    }
}

/// `TO_TIMESTAMP_LTZ`: epoch seconds (precision 0) or milliseconds (3, the default), or text in a zone (UTC by
/// default). Beyond the years 0000 to 9999 it is null.
fn to_timestamp_ltz(call: &Call<'_>) -> Result<ArrayRef> {
    match call.column(0)?.values().data_type() {
        DataType::Utf8 => instant_of_text(call),
        _ => instant_of_number(call),
    }
}

fn instant_of_number(call: &Call<'_>) -> Result<ArrayRef> {
    let millis = match call.column(0)?.values().data_type() {
        DataType::Float32 | DataType::Float64 => instants_of_floats(call)?,
        DataType::Decimal128(_, _) => instants_of_decimals(call)?,
        _ => instants_of_integers(call)?,
    };
    Ok(cast(&millis, call.returns)?)
}

/// Milliseconds per unit of a precision.
fn scale_of(precision: i64) -> Result<i64> {
    match precision {
        0 => Ok(1_000),
        3 => Ok(1),
        other => exec_err!(
            "the precision {other} of to_timestamp_ltz is not supported: 0 means seconds and 3 means milliseconds"
        ),
    }
}

fn instants(call: &Call<'_>, mut millis: impl FnMut(usize, i64) -> Option<i64>) -> Result<ArrayRef> {
    let precisions = call.optional_integer(1)?;
    call.wide_integers(|row| {
        let precision = precisions.as_ref().map_or(Some(3), |precisions| precisions.get(row));
        let Some(precision) = precision else { return Ok(None) };
        Ok(millis(row, scale_of(precision)?).filter(|millis| EPOCH_MILLIS.contains(millis)))
    })
}

fn instants_of_integers(call: &Call<'_>) -> Result<ArrayRef> {
    let numbers = call.any_integer(0)?;
    instants(call, |row, scale| numbers.get(row)?.checked_mul(scale))
}

fn instants_of_floats(call: &Call<'_>) -> Result<ArrayRef> {
    let column = call.column(0)?;
    let numbers = cast(column.values(), &DataType::Float64)?;
    let numbers = numbers.as_primitive::<Float64Type>();
    let single = *column.values().data_type() == DataType::Float32;
    instants(call, |row, scale| {
        let row = if column.is_literal() { 0 } else { row };
        let number = numbers.is_valid(row).then(|| numbers.value(row))?;
        // A FLOAT is read as its decimal digits: 100.01 means 100,010 ms and not 100,010.002.
        let number = if single { number.to_string().parse().unwrap_or(number) } else { number };
        #[expect(clippy::cast_precision_loss, reason = "the scale is 1 or 1,000")]
        Some(truncated(number * scale as f64))
    })
}

fn instants_of_decimals(call: &Call<'_>) -> Result<ArrayRef> {
    let column = call.column(0)?;
    let numbers = column.values().as_primitive::<Decimal128Type>();
    let DataType::Decimal128(_, digits) = column.values().data_type() else {
        return exec_err!("to_timestamp_ltz expected a decimal");
    };
    let divisor = 10_i128.checked_pow(u32::try_from(*digits).unwrap_or(0)).unwrap_or(i128::MAX);
    instants(call, |row, scale| {
        let row = if column.is_literal() { 0 } else { row };
        let number = numbers.is_valid(row).then(|| numbers.value(row))?;
        // Cut to a whole number before it is scaled, as Flink does.
        i64::try_from(number / divisor).ok()?.checked_mul(scale)
    })
}

fn instant_of_text(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    let zones = call.optional_text(2)?;
    let mut formats = (call.given() > 1).then(|| Formats::of(call, 1, Style::Formatter)).transpose()?;
    let values = call.wide_integers(|row| {
        let Some(text) = texts.get(row) else { return Ok(None) };
        let wall = match &mut formats {
            None => default_timestamp(text),
            Some(formats) => match formats.get(row)? {
                Some(format) => format.parse_wall(text).or_else(|| sql_timestamp(text)),
                None => None,
            },
        };
        let zone = match &zones {
            None => Arc::new(Zone::utc()),
            Some(zones) => match zones.get(row) {
                Some(name) => call.session.zone_named(name)?,
                None => return Ok(None),
            },
        };
        let local = wall.and_then(|wall| wall.ticks(1_000));
        Ok(local.map(|local| zone.instant_ticks(local, 1_000, Repeated::First)))
    })?;
    Ok(cast(&values, call.returns)?)
}

/// `TO_DATE(text[, pattern])`.
fn to_date(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    if call.given() == 1 {
        return call.numbers::<Date32Type>(|row| {
            Ok(texts.get(row).and_then(default_date).and_then(|days| i32::try_from(days).ok()))
        });
    }
    let mut formats = Formats::of(call, 1, Style::Simple)?;
    let utc = Zone::utc();
    call.numbers::<Date32Type>(|row| {
        let (Some(text), Some(format)) = (texts.get(row), formats.get(row)?) else { return Ok(None) };
        let millis = format.parse_millis(text, &utc);
        Ok(millis.and_then(|millis| i32::try_from(millis.div_euclid(86_400_000)).ok()))
    })
}

/// `UNIX_TIMESTAMP()`: now, in seconds. `UNIX_TIMESTAMP(text[, pattern])`: the text on the session's clock.
fn unix_timestamp(call: &Call<'_>) -> Result<ArrayRef> {
    if call.given() == 0 {
        let now = (call.session.clock)().div_euclid(1_000);
        return call.numbers::<Int64Type>(|_| Ok(Some(now)));
    }
    let texts = call.text(0)?;
    let mut formats = Formats::of(call, 1, Style::Simple)?;
    call.numbers::<Int64Type>(|row| {
        let (Some(text), Some(format)) = (texts.get(row), formats.get(row)?) else { return Ok(None) };
        let millis = format.parse_millis(text, &call.session.zone);
        Ok(Some(millis.map_or(i64::MIN, |millis| millis / 1_000)))
    })
}

/// `FROM_UNIXTIME(seconds[, pattern])`: on the session's clock.
fn from_unixtime(call: &Call<'_>) -> Result<ArrayRef> {
    let column = call.column(0)?;
    let seconds = match column.values().data_type() {
        DataType::Float32 | DataType::Float64 => {
            let numbers = cast(column.values(), &DataType::Float64)?;
            Arc::new(numbers.as_primitive::<Float64Type>().unary::<_, Int64Type>(truncated))
        }
        _ => cast(column.values(), &DataType::Int64)?,
    };
    let seconds = seconds.as_primitive::<Int64Type>();
    let zone = &call.session.zone;
    let mut formats = Formats::of(call, 1, Style::Simple)?;
    call.write_texts(|row, out| {
        let at = if column.is_literal() { 0 } else { row };
        let (true, Some(format)) = (seconds.is_valid(at), formats.get(row)?) else { return Ok(None) };
        // Java multiplies without looking.
        let millis = seconds.value(at).wrapping_mul(1_000);
        let local = zone.local_ticks(millis, 1_000);
        let wall = Wall::of_ticks(local, 1_000, zone.offset_at(millis.div_euclid(1_000)));
        format.print(wall, out).map_err(unprintable)?;
        Ok(Some(()))
    })
}

/// `CONVERT_TZ(text, from, to)`: a wall-clock time of one zone on the clock of another.
fn convert_tz(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, from, to) = (call.text(0)?, call.text(1)?, call.text(2)?);
    let format = call.session.format(DEFAULT, Style::Simple)?;
    call.write_texts(|row, out| {
        let (Some(text), Some(from), Some(to)) = (texts.get(row), from.get(row), to.get(row)) else {
            return Ok(None);
        };
        let (from, to) = (call.session.zone_named(from)?, call.session.zone_named(to)?);
        let Some(millis) = format.parse_millis(text, &from) else { return Ok(None) };
        format.print(Wall::of_ticks(to.local_ticks(millis, 1_000), 1_000, 0), out).map_err(unprintable)?;
        Ok(Some(()))
    })
}

#[cfg(test)]
mod tests;
