//! Parts of times and arithmetic with them: `EXTRACT` and its short forms, `FLOOR … TO`, `CEIL … TO`, `TIMESTAMPADD`,
//! `TIMESTAMPDIFF`.
//!
//! Units are string literals in the first argument; the SQL front end turns `EXTRACT(HOUR FROM ts)` into
//! `extract('hour', ts)`, `FLOOR(ts TO HOUR)` into `floor_time('hour', ts)` and so on. A `TIMESTAMP_LTZ` is looked at
//! on the clock of the session's time zone, except by differences and sums, which need no clock.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Int32Type, Int64Type, IntervalMonthDayNanoType, TimeUnit};
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};

use super::arguments::{Meaning, per_second};
use super::calendar::{DAY_MILLIS, Unit, add_months, months_between};
use super::definition::{Call, Definition, Kind, Returns, exactly};
use super::session::Session;

/// The functions of this file.
pub(super) fn definitions() -> Vec<Definition> {
    let part = |name, body| Definition::new(name, exactly(&[Kind::TemporalOrInterval]), DataType::Int64, body);
    vec![
        Definition::new("extract", exactly(&[Kind::Text, Kind::TemporalOrInterval]), DataType::Int64, extract)
            .alias("date_part")
            .checked(unit_is_known),
        part("year", |call| extract_unit(call, 0, Unit::Year)),
        part("quarter", |call| extract_unit(call, 0, Unit::Quarter)),
        part("month", |call| extract_unit(call, 0, Unit::Month)),
        part("week", |call| extract_unit(call, 0, Unit::Week)),
        part("dayofyear", |call| extract_unit(call, 0, Unit::DayOfYear)),
        part("dayofmonth", |call| extract_unit(call, 0, Unit::Day)),
        part("dayofweek", |call| extract_unit(call, 0, Unit::DayOfWeek)),
        part("hour", |call| extract_unit(call, 0, Unit::Hour)),
        part("minute", |call| extract_unit(call, 0, Unit::Minute)),
        part("second", |call| extract_unit(call, 0, Unit::Second)),
        Definition::new("floor_time", exactly(&[Kind::Text, Kind::Temporal]), Returns::SameAs(1), |call| {
            round(call, Direction::Down)
        })
        .checked(unit_is_known),
        Definition::new("ceil_time", exactly(&[Kind::Text, Kind::Temporal]), Returns::SameAs(1), |call| {
            round(call, Direction::Up)
        })
        .checked(unit_is_known),
        Definition::new(
            "timestampadd",
            exactly(&[Kind::Text, Kind::Integer, Kind::Temporal]),
            Returns::Rule(type_of_sum),
            timestampadd,
        )
        .checked(unit_is_known),
        Definition::new(
            "timestampdiff",
            exactly(&[Kind::Text, Kind::Temporal, Kind::Temporal]),
            DataType::Int32,
            timestampdiff,
        )
        .checked(unit_is_known),
    ]
}

/// The literal unit in the first argument, if it is one.
fn literal_unit(literals: &[Option<&ScalarValue>]) -> Result<Option<Unit>> {
    match literals.first() {
        Some(Some(scalar)) => match scalar.try_as_str().flatten() {
            Some(name) => Unit::parse(name).map(Some),
            None => plan_err!("a time unit must not be null"),
        },
        _ => Ok(None),
    }
}

fn unit_is_known(_: &Session, literals: &[Option<&ScalarValue>]) -> Result<()> {
    literal_unit(literals).map(|_| ())
}

/// `EXTRACT(unit FROM time)`: the part as a `BIGINT`.
fn extract(call: &Call<'_>) -> Result<ArrayRef> {
    let unit = Unit::parse(&call.literal_text(0, "the unit")?)?;
    extract_unit(call, 1, unit)
}

fn extract_unit(call: &Call<'_>, index: usize, unit: Unit) -> Result<ArrayRef> {
    if matches!(call.column(index)?.values().data_type(), DataType::Interval(_)) {
        return extract_interval(call, index, unit);
    }
    let moments = call.moments(index)?;
    let finer_than_day = unit >= Unit::Hour && unit != Unit::Epoch;
    match moments.meaning {
        Meaning::Date if finer_than_day => {
            return plan_err!("{} cannot take {unit:?} of a date: cast it to TIMESTAMP", call.name);
        }
        Meaning::Time if !finer_than_day => {
            return plan_err!("{} cannot take {unit:?} of a time of day", call.name);
        }
        _ => {}
    }
    let per_second = moments.per_second();
    let zone = &call.session.zone;
    call.numbers::<Int64Type>(|row| {
        Ok(moments.get(row).map(|ticks| match moments.meaning {
            Meaning::Instant => unit.of_ticks(zone.local_ticks(ticks, per_second), per_second),
            Meaning::Date | Meaning::Time | Meaning::Local => unit.of_ticks(ticks, per_second),
        }))
    })
}

/// Of an interval: years and months of its months, days and smaller parts of the rest.
fn extract_interval(call: &Call<'_>, index: usize, unit: Unit) -> Result<ArrayRef> {
    let column = call.column(index)?;
    let intervals = column.values().as_primitive::<IntervalMonthDayNanoType>();
    call.numbers::<Int64Type>(|row| {
        let row = if column.is_literal() { 0 } else { row };
        if intervals.is_null(row) {
            return Ok(None);
        }
        let interval = intervals.value(row);
        let months = i64::from(interval.months);
        let millis = i64::from(interval.days) * DAY_MILLIS + interval.nanoseconds / 1_000_000;
        Ok(Some(match unit {
            Unit::Year => months / 12,
            Unit::Quarter => months % 12 / 3 + 1,
            Unit::Month => months % 12,
            Unit::Day => millis / DAY_MILLIS,
            Unit::Hour => millis % DAY_MILLIS / 3_600_000,
            Unit::Minute => millis % 3_600_000 / 60_000,
            Unit::Second => millis % 60_000 / 1_000,
            Unit::Millisecond => millis % 1_000,
            Unit::Epoch => millis / 1_000,
            _ => return exec_err!("{} cannot take {unit:?} of an interval", call.name),
        }))
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Down,
    Up,
}

/// `FLOOR(time TO unit)` and `CEIL(time TO unit)`: the type stays.
fn round(call: &Call<'_>, direction: Direction) -> Result<ArrayRef> {
    let unit = Unit::parse(&call.literal_text(0, "the unit")?)?;
    let moments = call.moments(1)?;
    let zone = &call.session.zone;
    let per_second = moments.per_second();
    let ticks = |row: usize| -> Result<Option<i64>> {
        let Some(ticks) = moments.get(row) else { return Ok(None) };
        match moments.meaning {
            Meaning::Date => Ok(Some(round_date(ticks / DAY_MILLIS, unit, direction).saturating_mul(DAY_MILLIS))),
            Meaning::Time if unit < Unit::Hour => exec_err!("{} cannot round a time of day to {unit:?}", call.name),
            Meaning::Time => Ok(Some(round_local(ticks, per_second, unit, direction)?.rem_euclid(86_400 * per_second))),
            Meaning::Local => round_local(ticks, per_second, unit, direction).map(Some),
            Meaning::Instant => {
                // As Flink: back with the offset of the time that was rounded.
                let local = zone.local_ticks(ticks, per_second);
                let rounded = round_local(local, per_second, unit, direction)?;
                Ok(Some(ticks.saturating_add(rounded.saturating_sub(local))))
            }
        }
    };
    to_temporal(call, per_second, ticks)
}

/// A date is its own floor and ceiling for units below a day; `CEIL(date TO DAY)` is the next day, as in Flink.
fn round_date(days: i64, unit: Unit, direction: Direction) -> i64 {
    match direction {
        Direction::Down => unit.floor_day(days),
        Direction::Up if unit == Unit::Day => days + 1,
        Direction::Up => unit.ceil_day(days),
    }
}

fn round_local(ticks: i64, per_second: i64, unit: Unit, direction: Direction) -> Result<i64> {
    // Weeks, months and longer look at the day alone: CEIL(TIMESTAMP '2018-03-01 21:00:01' TO MONTH) is that day.
    if unit < Unit::Day {
        let days = ticks.div_euclid(86_400 * per_second);
        return Ok(round_date(days, unit, direction).saturating_mul(86_400 * per_second));
    }
    let length = match (unit.seconds(), unit.per_second()) {
        (Some(seconds), _) => seconds * per_second,
        (None, Some(parts)) => (per_second / parts).max(1),
        (None, None) => return exec_err!("{unit:?} is no unit to round to"),
    };
    let rest = ticks.rem_euclid(length);
    let floor = ticks.saturating_sub(rest);
    Ok(if direction == Direction::Up && rest > 0 { floor.saturating_add(length) } else { floor })
}

/// Ticks, of which `per_second` make a second, as the type that the call promised.
fn to_temporal(call: &Call<'_>, per_second: i64, ticks: impl FnMut(usize) -> Result<Option<i64>>) -> Result<ArrayRef> {
    let ticks: Int64Array = (0..call.rows).map(ticks).collect::<Result<_>>()?;
    let narrow: ArrayRef = match call.returns {
        DataType::Date32 => {
            let per_day = 86_400 * per_second;
            Arc::new(ticks.unary_opt::<_, Date32Type>(|ticks| i32::try_from(ticks.div_euclid(per_day)).ok()))
        }
        DataType::Time32(_) => Arc::new(ticks.unary_opt::<_, Int32Type>(|ticks| i32::try_from(ticks).ok())),
        _ => Arc::new(ticks),
    };
    Ok(cast(&narrow, call.returns)?)
}

/// A date plus hours is a timestamp; everything else keeps its type.
fn type_of_sum(_: &Session, types: &[DataType], literals: &[Option<&ScalarValue>]) -> Result<DataType> {
    let Some(data_type) = types.get(2) else { return plan_err!("timestampadd needs a point in time") };
    let below_day = literal_unit(literals)?.is_some_and(|unit| unit >= Unit::Hour);
    Ok(match data_type {
        DataType::Date32 if below_day => DataType::Timestamp(TimeUnit::Microsecond, None),
        other => other.clone(),
    })
}

/// `TIMESTAMPADD(unit, count, time)`. Months end where the shorter month ends; a time of day turns over at midnight.
fn timestampadd(call: &Call<'_>) -> Result<ArrayRef> {
    let unit = Unit::parse(&call.literal_text(0, "the unit")?)?;
    let (counts, moments) = (call.integer(1)?, call.moments(2)?);
    let per_second = match call.returns {
        DataType::Timestamp(unit, _) => per_second(*unit),
        _ => moments.per_second(),
    };
    let scale = per_second / moments.per_second();
    to_temporal(call, per_second, |row| {
        let (Some(count), Some(ticks)) = (counts.get(row), moments.get(row)) else { return Ok(None) };
        let ticks = ticks.saturating_mul(scale);
        match moments.meaning {
            Meaning::Time if unit.months().is_some() => Ok(Some(ticks)),
            Meaning::Time => Ok(add(ticks, count, unit, per_second)?.map(|sum| sum.rem_euclid(86_400 * per_second))),
            Meaning::Date | Meaning::Local | Meaning::Instant => add(ticks, count, unit, per_second),
        }
    })
}

/// `None` when the sum is beyond what 64 bits of ticks can say.
fn add(ticks: i64, count: i64, unit: Unit, per_second: i64) -> Result<Option<i64>> {
    let per_day = 86_400 * per_second;
    if let Some(months) = unit.months() {
        let (day, rest) = (ticks.div_euclid(per_day), ticks.rem_euclid(per_day));
        let sum = count.checked_mul(months).map(|months| add_months(day, months));
        return Ok(sum.and_then(|day| day.checked_mul(per_day)?.checked_add(rest)));
    }
    let added = match (unit.seconds(), unit.per_second()) {
        (Some(seconds), _) => count.checked_mul(seconds * per_second),
        (None, Some(parts)) if parts <= per_second => count.checked_mul(per_second / parts),
        (None, Some(_)) => {
            return exec_err!("cannot add {unit:?}s to a timestamp of this precision: cast it to TIMESTAMP(9)");
        }
        (None, None) => return exec_err!("{unit:?} is no unit to add"),
    };
    Ok(added.and_then(|added| ticks.checked_add(added)))
}

/// `TIMESTAMPDIFF(unit, from, to)`: whole units from the first to the second, cut towards zero. A `TIMESTAMP_LTZ` is
/// only compared with its like.
fn timestampdiff(call: &Call<'_>) -> Result<ArrayRef> {
    let unit = Unit::parse(&call.literal_text(0, "the unit")?)?;
    let (from, to) = (call.moments(1)?, call.moments(2)?);
    if (from.meaning == Meaning::Instant) != (to.meaning == Meaning::Instant) {
        return plan_err!("{} of a TIMESTAMP_LTZ and another type: cast one of them", call.name);
    }
    // Both in the finer of the two precisions.
    let per_second = from.per_second().max(to.per_second());
    let (from_scale, to_scale) = (per_second / from.per_second(), per_second / to.per_second());
    call.numbers::<Int32Type>(|row| {
        let (Some(from), Some(to)) = (from.get(row), to.get(row)) else { return Ok(None) };
        let (from, to) = (from.saturating_mul(from_scale), to.saturating_mul(to_scale));
        let difference = match (unit.months(), unit.seconds(), unit.per_second()) {
            (Some(months), _, _) => months_between(from, to, 86_400 * per_second) / months,
            (None, Some(seconds), _) => to.saturating_sub(from) / (seconds * per_second),
            (None, None, Some(parts)) => {
                let ticks = i128::from(to.saturating_sub(from)) * i128::from(parts) / i128::from(per_second);
                i64::try_from(ticks).unwrap_or(if ticks < 0 { i64::MIN } else { i64::MAX })
            }
            (None, None, None) => return exec_err!("{unit:?} is no unit of a difference"),
        };
        match i32::try_from(difference) {
            Ok(difference) => Ok(Some(difference)),
            Err(_) => exec_err!("the difference of {difference} {unit:?}s does not fit an INT: use a larger unit"),
        }
    })
}

#[cfg(test)]
mod tests;
