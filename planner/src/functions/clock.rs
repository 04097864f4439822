//! The current time: `CURRENT_TIMESTAMP`, `NOW`, `LOCALTIMESTAMP`, `CURRENT_DATE`, `LOCALTIME`, `PROCTIME`.
//!
//! Nothing here reads a clock. The registry was given one ([`super::Clock`]); each call asks it once per batch, at run
//! time (the functions are volatile, so planning neither folds nor merges them). Whoever gives the clock decides
//! whether all calls of a batch see the same millisecond.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, TimestampMillisecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use datafusion_common::{Result, exec_err};

use super::definition::{Call, Definition, NOTHING, Returns};
use super::time_attribute::PROCTIME;

/// The functions of this file.
pub(super) fn definitions() -> Vec<Definition> {
    let local = DataType::Timestamp(TimeUnit::Millisecond, None);
    let time = DataType::Time32(TimeUnit::Millisecond);
    let clock = |name, returns: Returns, body| Definition::new(name, NOTHING, returns, body).volatile().not_null();
    vec![
        clock("current_timestamp", Returns::Instant, instant).alias("now").alias("current_row_timestamp"),
        clock("localtimestamp", Returns::Always(local), local_timestamp),
        clock("current_date", Returns::Always(DataType::Date32), date).alias("today"),
        clock("localtime", Returns::Always(time), time_of_day).alias("current_time"),
        clock("proctime", Returns::Instant, instant).time_attribute(PROCTIME),
    ]
}

/// `CURRENT_TIMESTAMP`, `NOW()`, `CURRENT_ROW_TIMESTAMP()`, `PROCTIME()`: a `TIMESTAMP_LTZ(3)`.
fn instant(call: &Call<'_>) -> Result<ArrayRef> {
    let now = (call.session.clock)();
    Ok(cast(&TimestampMillisecondArray::from_value(now, call.rows).with_timezone("UTC"), call.returns)?)
}

/// `LOCALTIMESTAMP`: a `TIMESTAMP(3)` on the session's clock.
fn local_timestamp(call: &Call<'_>) -> Result<ArrayRef> {
    Ok(Arc::new(TimestampMillisecondArray::from_value(local_millis(call), call.rows)))
}

/// `CURRENT_DATE`: on the session's clock.
fn date(call: &Call<'_>) -> Result<ArrayRef> {
    let days = local_millis(call).div_euclid(86_400_000);
    repeated(call, days)
}

/// `LOCALTIME`, `CURRENT_TIME`: a `TIME(0)` on the session's clock.
fn time_of_day(call: &Call<'_>) -> Result<ArrayRef> {
    let millis = local_millis(call).rem_euclid(86_400_000);
    repeated(call, millis - millis % 1_000)
}

fn local_millis(call: &Call<'_>) -> i64 {
    call.session.zone.local_ticks((call.session.clock)(), 1_000)
}

fn repeated(call: &Call<'_>, value: i64) -> Result<ArrayRef> {
    let Ok(value) = i32::try_from(value) else { return exec_err!("the clock shows a date beyond the calendar") };
    Ok(cast(&Int32Array::from_value(value, call.rows), call.returns)?)
}

#[cfg(test)]
mod tests;
