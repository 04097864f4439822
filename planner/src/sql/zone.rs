//! Windows over a `TIMESTAMP_LTZ` begin where the session's clock says so: a day begins at midnight in Berlin.
//!
//! The engine cuts time in UTC. A zone whose clock is always the same distance away from UTC, as far as windows of this
//! length can tell, is a shift of the grid: windows of an hour in any zone with whole hours, windows of any length in a zone
//! without summer time. Where the distance changes (days in Berlin) there is no such grid, and the window is refused.

use std::sync::Arc;

use arrow::array::TimestampMillisecondArray;
use arrow::datatypes::{DataType, TimeUnit};
use chrono::{Offset, TimeZone, Utc};
use chrono_tz::Tz;
use datafusion_common::cast::as_timestamp_millisecond_array;
use datafusion_common::{Result as PlanResult, exec_err};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::{Cast, ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use millstream_engine::window::WindowSpec;

use crate::error::{Error, Result};

/// The distances of a zone's clock from UTC that occur.
#[derive(Debug, Clone)]
pub(super) struct ZoneOffsets {
    name: String,
    /// Milliseconds east of UTC, each once.
    offsets: Vec<i64>,
}

/// From when and until when the distances are looked at, in days since 1970-01-01, and in which steps.
const DAYS: std::ops::Range<i64> = 0..47_500;

impl ZoneOffsets {
    /// Of the zone with this IANA name. The options have checked the name.
    pub(super) fn of(name: &str) -> Result<Self> {
        let offsets = match (name, name.parse::<Tz>()) {
            ("UTC", _) => vec![0],
            (_, Ok(zone)) => {
                let mut offsets: Vec<i64> = DAYS.filter_map(|day| offset(zone, day)).collect();
                offsets.sort_unstable();
                offsets.dedup();
                offsets
            }
            (_, Err(_)) => return Err(Error::new(format!("the time zone '{name}' is not known"))),
        };
        Ok(Self { name: name.to_owned(), offsets })
    }

    /// Whether local time is UTC.
    pub(super) fn is_utc(&self) -> bool {
        self.offsets.iter().all(|offset| *offset == 0)
    }

    /// `window` over a column of this type, as the engine cuts it.
    pub(super) fn shifted(&self, window: WindowSpec, time: &DataType) -> Result<WindowSpec> {
        match time {
            DataType::Timestamp(_, Some(_)) => self.shifted_clock(window),
            _ => Ok(window),
        }
    }

    /// `window` over moments in time.
    pub(super) fn shifted_clock(&self, window: WindowSpec) -> Result<WindowSpec> {
        match window {
            WindowSpec::Tumbling { size, offset } => {
                Ok(WindowSpec::Tumbling { size, offset: self.shift(offset, size)? })
            }
            WindowSpec::Sliding { size, slide, offset } => {
                Ok(WindowSpec::Sliding { size, slide, offset: self.shift(offset, slide)? })
            }
            WindowSpec::Cumulating { max_size, step, offset } => {
                Ok(WindowSpec::Cumulating { max_size, step, offset: self.shift(offset, max_size)? })
            }
            WindowSpec::Staggered { .. }
            | WindowSpec::Session { .. }
            | WindowSpec::Global
            | WindowSpec::Attached { .. } => Ok(window),
        }
    }

    /// The shift of a grid with this step.
    fn shift(&self, offset: i64, step: i64) -> Result<i64> {
        let mut shifts = self.offsets.iter().map(|zone| (offset - zone).rem_euclid(step));
        let first = shifts.next().unwrap_or(offset);
        if self.is_utc() {
            return Ok(offset);
        }
        match shifts.all(|shift| shift == first) {
            true => Ok(first),
            false => Err(Error::new(format!(
                "windows of this length over TIMESTAMP_LTZ are not supported yet in the time zone '{}', where the clock is \
                 put forward and back; set 'table.local-time-zone' to 'UTC', or use shorter windows",
                self.name
            ))),
        }
    }
}

/// `moment`, a window's bound in UTC, as the zone's clock shows it.
pub(super) fn local_time(moment: Expr, zone: &ZoneOffsets) -> Expr {
    let function = LocalTime { zone: zone.name.clone(), signature: Signature::any(1, Volatility::Immutable) };
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(ScalarUDF::new_from_impl(function)), vec![moment]))
}

/// `utc`, milliseconds in UTC, in the type of a time attribute.
pub(super) fn moment(utc: Expr, time: &DataType) -> Expr {
    match time {
        DataType::Timestamp(TimeUnit::Millisecond, Some(zone)) => {
            // A cast would take it for the zone's local time; by way of a number the moment stays what it is.
            let number = Expr::Cast(Cast::new(Box::new(utc), DataType::Int64));
            Expr::Cast(Cast::new(Box::new(number), DataType::Timestamp(TimeUnit::Millisecond, Some(Arc::clone(zone)))))
        }
        _ => utc,
    }
}

/// Shows moments on a zone's clock.
#[derive(Debug, PartialEq, Eq, Hash)]
struct LocalTime {
    zone: String,
    signature: Signature,
}

impl ScalarUDFImpl for LocalTime {
    fn name(&self) -> &str {
        "window_bound_on_clock"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> PlanResult<DataType> {
        Ok(DataType::Timestamp(TimeUnit::Millisecond, None))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> PlanResult<ColumnarValue> {
        let Ok(zone) = self.zone.parse::<Tz>() else { return exec_err!("the time zone '{}' is not known", self.zone) };
        let moments = match args.args.first() {
            Some(value) => value.to_array(args.number_rows)?,
            None => return exec_err!("a window's bound is missing"),
        };
        let local = |millis: i64| {
            let at = Utc.timestamp_millis_opt(millis).single();
            at.map_or(millis, |at| millis + i64::from(at.with_timezone(&zone).offset().fix().local_minus_utc()) * 1_000)
        };
        let shown: TimestampMillisecondArray = as_timestamp_millisecond_array(&moments)?.unary(local);
        Ok(ColumnarValue::Array(Arc::new(shown)))
    }
}

fn offset(zone: Tz, day: i64) -> Option<i64> {
    let at = Utc.timestamp_opt(day * 86_400, 0).single()?.with_timezone(&zone);
    Some(i64::from(at.offset().fix().local_minus_utc()) * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn day(zone: &str) -> Result<WindowSpec> {
        ZoneOffsets::of(zone)?.shifted_clock(WindowSpec::Tumbling { size: 24 * HOUR, offset: 0 })
    }

    #[test]
    fn a_day_begins_at_midnight_of_the_zone_or_is_refused() {
        assert_eq!(day("UTC").unwrap(), WindowSpec::Tumbling { size: 24 * HOUR, offset: 0 });
        assert_eq!(day("Etc/GMT-8").unwrap(), WindowSpec::Tumbling { size: 24 * HOUR, offset: 16 * HOUR });
        assert!(day("Europe/Berlin").unwrap_err().message().contains("Europe/Berlin"));
    }

    #[test]
    fn an_hour_is_an_hour_also_where_there_is_summer_time() {
        let hours = WindowSpec::Tumbling { size: HOUR, offset: 0 };
        assert_eq!(ZoneOffsets::of("Europe/Berlin").unwrap().shifted_clock(hours).unwrap(), hours);
    }
}
