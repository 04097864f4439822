//! Single values to text: the other direction, for encoders.

use arrow::datatypes::TimeUnit;
use chrono::{DateTime, Datelike, NaiveDate, Timelike};

use super::timestamp::TimestampStandard;

/// A whole number.
pub(crate) fn integer(value: i64, to: &mut Vec<u8>) {
    let mut digits = [0_u8; 20];
    let mut start = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        start -= 1;
        digits[start] = b'0' + low_byte(rest % 10);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        to.push(b'-');
    }
    to.extend_from_slice(&digits[start..]);
}

/// A number below 256.
fn low_byte(value: u64) -> u8 {
    value.to_le_bytes()[0]
}

/// A floating-point number as Java's `toString` writes it: plain from 0.001 to 10,000,000, else with an exponent, and always
/// with a point. `shortest` is its shortest text that reads back as the same number, as `1.5e10`.
pub(crate) fn float(value: f64, shortest: &str, to: &mut Vec<u8>) {
    if value.is_nan() {
        return to.extend_from_slice(b"NaN");
    }
    if value.is_infinite() {
        return to.extend_from_slice(if value > 0.0 { b"Infinity" } else { b"-Infinity" });
    }
    let (digits, exponent) = shortest.split_once('e').unwrap_or((shortest, "0"));
    let (negative, digits) = digits.strip_prefix('-').map_or((false, digits), |digits| (true, digits));
    let digits = digits.replace('.', "");
    if negative {
        to.push(b'-');
    }
    let plain = value == 0.0 || (1e-3..1e7).contains(&value.abs());
    let exponent: i32 = exponent.parse().unwrap_or(0);
    point(&digits, if plain { exponent } else { 0 }, to);
    if !plain {
        to.push(b'E');
        integer(i64::from(exponent), to);
    }
}

/// `digits` with the point behind the first one moved by `exponent`.
fn point(digits: &str, exponent: i32, to: &mut Vec<u8>) {
    let digits = digits.as_bytes();
    match usize::try_from(exponent) {
        Ok(exponent) if digits.len() > exponent + 1 => {
            to.extend_from_slice(&digits[..=exponent]);
            to.push(b'.');
            to.extend_from_slice(&digits[exponent + 1..]);
        }
        Ok(exponent) => {
            to.extend_from_slice(digits);
            to.resize(to.len() + exponent + 1 - digits.len(), b'0');
            to.extend_from_slice(b".0");
        }
        Err(_) => {
            to.extend_from_slice(b"0.");
            to.resize(to.len() + usize::try_from(-1 - exponent).unwrap_or(0), b'0');
            to.extend_from_slice(digits);
        }
    }
}

/// A decimal: all digits of its scale, never an exponent.
pub(crate) fn decimal(value: i128, scale: i8, to: &mut Vec<u8>) {
    let digits = value.unsigned_abs().to_string();
    if value < 0 {
        to.push(b'-');
    }
    let Ok(scale) = usize::try_from(scale) else {
        to.extend_from_slice(digits.as_bytes());
        return to.resize(to.len() + usize::from(scale.unsigned_abs()), b'0');
    };
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    to.extend_from_slice(whole.as_bytes());
    if !fraction.is_empty() {
        to.push(b'.');
        to.extend_from_slice(fraction.as_bytes());
    }
}

/// `yyyy-MM-dd`, of days since 1970. `false`, and nothing is written, beyond the calendar.
pub(crate) fn date(days: i32, to: &mut Vec<u8>) -> bool {
    let Some(date) = NaiveDate::from_epoch_days(days) else { return false };
    year_month_day(date, to);
    true
}

/// `HH:mm:ss` and the fraction of a second without its last zeros, of units since midnight.
pub(crate) fn time(value: i64, unit: TimeUnit, to: &mut Vec<u8>) -> bool {
    let (second, nanosecond) = split(value, unit);
    if !(0..86_400).contains(&second) {
        return false;
    }
    clock(second, nanosecond, to);
    true
}

/// A timestamp as the standard has it, the fraction of a second without its last zeros; with `utc` a `Z` follows.
pub(crate) fn timestamp(value: i64, unit: TimeUnit, standard: TimestampStandard, utc: bool, to: &mut Vec<u8>) -> bool {
    let (second, nanosecond) = split(value, unit);
    let Some(moment) = DateTime::from_timestamp(second, nanosecond) else { return false };
    year_month_day(moment.date_naive(), to);
    to.push(match standard {
        TimestampStandard::Sql => b' ',
        TimestampStandard::Iso8601 => b'T',
    });
    clock(i64::from(moment.num_seconds_from_midnight()), nanosecond, to);
    if utc {
        to.push(b'Z');
    }
    true
}

/// Seconds and nanoseconds.
fn split(value: i64, unit: TimeUnit) -> (i64, u32) {
    let (per_second, nanoseconds) = match unit {
        TimeUnit::Second => (1, 1_000_000_000),
        TimeUnit::Millisecond => (1_000, 1_000_000),
        TimeUnit::Microsecond => (1_000_000, 1_000),
        TimeUnit::Nanosecond => (1_000_000_000, 1),
    };
    let fraction = value.rem_euclid(per_second) * nanoseconds;
    (value.div_euclid(per_second), u32::try_from(fraction).unwrap_or(0))
}

fn year_month_day(date: NaiveDate, to: &mut Vec<u8>) {
    let year = date.year();
    if !(0..=9_999).contains(&year) {
        // As Java writes years that have no four digits.
        to.push(if year < 0 { b'-' } else { b'+' });
    }
    let year = u64::from(year.unsigned_abs());
    if year > 9_999 {
        integer(i64::try_from(year).unwrap_or(0), to);
    } else {
        two(year / 100, to);
        two(year % 100, to);
    }
    to.push(b'-');
    two(u64::from(date.month()), to);
    to.push(b'-');
    two(u64::from(date.day()), to);
}

fn clock(second: i64, nanosecond: u32, to: &mut Vec<u8>) {
    let second = second.unsigned_abs();
    two(second / 3_600, to);
    to.push(b':');
    two(second / 60 % 60, to);
    to.push(b':');
    two(second % 60, to);
    if nanosecond > 0 {
        to.push(b'.');
        let (mut rest, mut place) = (nanosecond, 100_000_000);
        while rest > 0 {
            to.push(b'0' + low_byte(u64::from(rest / place)));
            rest %= place;
            place /= 10;
        }
    }
}

fn two(value: u64, to: &mut Vec<u8>) {
    to.push(b'0' + low_byte(value / 10 % 10));
    to.push(b'0' + low_byte(value % 10));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut bytes = Vec::new();
        write(&mut bytes);
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn numbers_are_written_as_java_writes_them() {
        for (value, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-2.5, "-2.5"),
            (0.001, "0.001"),
            (0.0001, "1.0E-4"),
            (1234567.0, "1234567.0"),
            (10_000_000.0, "1.0E7"),
            (12_345_678.9, "1.23456789E7"),
            (1e100, "1.0E100"),
            (0.1, "0.1"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(written(|to| float(value, &format!("{value:e}"), to)), expected);
        }
        for value in [0, 7, -7, 1_000_000, i64::MAX, i64::MIN] {
            assert_eq!(written(|to| integer(value, to)), value.to_string());
        }
    }

    #[test]
    fn decimals_keep_their_scale() {
        for (value, scale, expected) in [
            (125, 2, "1.25"),
            (-5, 2, "-0.05"),
            (0, 2, "0.00"),
            (12, 0, "12"),
            (12, -3, "12000"),
            (i128::MIN + 1, 0, "-170141183460469231731687303715884105727"),
        ] {
            assert_eq!(written(|to| decimal(value, scale, to)), expected);
        }
    }

    #[test]
    fn timestamps_lose_the_last_zeros_of_their_fraction() {
        use TimeUnit::{Millisecond, Nanosecond, Second};
        let standard = TimestampStandard::Sql;
        for (value, unit, expected) in [
            (1_577_880_000_123, Millisecond, "2020-01-01 12:00:00.123"),
            (1_577_880_000_120, Millisecond, "2020-01-01 12:00:00.12"),
            (1_577_880_000_000, Millisecond, "2020-01-01 12:00:00"),
            (-1, Millisecond, "1969-12-31 23:59:59.999"),
            (1_577_880_000_000_000_001, Nanosecond, "2020-01-01 12:00:00.000000001"),
            (253_402_300_800, Second, "+10000-01-01 00:00:00"),
            (-62_198_755_200, Second, "-0001-01-01 00:00:00"),
        ] {
            assert_eq!(written(|to| assert!(timestamp(value, unit, standard, false, to))), expected);
        }
        let iso = written(|to| assert!(timestamp(1_500, Millisecond, TimestampStandard::Iso8601, true, to)));
        assert_eq!(iso, "1970-01-01T00:00:01.5Z");
        assert!(!timestamp(i64::MAX, Second, standard, false, &mut Vec::new()));
    }

    #[test]
    fn dates_and_times_are_written_in_their_layouts() {
        assert_eq!(written(|to| assert!(date(18_262, to))), "2020-01-01");
        assert_eq!(written(|to| assert!(time(45_015_500, TimeUnit::Millisecond, to))), "12:30:15.5");
        assert!(!time(86_400, TimeUnit::Second, &mut Vec::new()));
        assert!(!time(-1, TimeUnit::Second, &mut Vec::new()));
    }
}
