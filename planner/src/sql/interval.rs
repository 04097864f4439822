//! `INTERVAL '1:30' HOUR TO MINUTE` and its kin as a length of time.
//!
//! Two kinds that do not mix: months, and a length in nanoseconds. A day here is 24 hours, as Flink's are, also where a
//! zone's clock is put back.

use datafusion_sql::sqlparser::ast::{DateTimeField, Expr, Interval, UnaryOperator, Value, ValueWithSpan};

/// What a literal comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    /// Calendar months.
    Months(i64),
    /// Nanoseconds.
    Nanos(i64),
}

const SECOND: i128 = 1_000_000_000;

/// The length that a literal says, or what is wrong with it.
pub(super) fn length(interval: &Interval) -> Result<Length, String> {
    let (negative, text) = literal(&interval.value)?;
    let (minus, digits) = match text.trim().strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.trim().trim_start_matches('+')),
    };
    let Some(leading) = &interval.leading_field else {
        return Err("an interval needs a unit, as in INTERVAL '5' MINUTE".to_owned());
    };
    let unsigned = match &interval.last_field {
        None => single(digits, leading),
        Some(last) => range(digits, leading, last),
    };
    let unit = interval.last_field.as_ref().map_or_else(String::new, |last| format!(" TO {last}"));
    let length = unsigned.ok_or_else(|| format!("'{text}' is not an interval of {leading}{unit}"))?;
    Ok(if negative == minus { length } else { length.negated() })
}

/// The length of an interval that [`super::rewrite`] has made plain: `5 MONTHS`, `1000000 NANOSECONDS`.
pub(super) fn plain(interval: &Interval) -> Option<Length> {
    let (negative, text) = literal(&interval.value).ok()?;
    let (number, unit) = text.split_once(' ')?;
    let number: i64 = number.parse().ok()?;
    let length = match unit {
        "MONTHS" => Length::Months(number),
        "NANOSECONDS" => Length::Nanos(number),
        _ => return None,
    };
    Some(if negative { length.negated() } else { length })
}

impl Length {
    fn negated(self) -> Self {
        match self {
            Self::Months(months) => Self::Months(-months),
            Self::Nanos(nanos) => Self::Nanos(-nanos),
        }
    }

    /// The length in whole milliseconds, if it is one.
    pub(super) fn millis(self) -> Option<i64> {
        match self {
            Self::Months(_) => None,
            Self::Nanos(nanos) => (nanos % 1_000_000 == 0).then_some(nanos / 1_000_000),
        }
    }
}

fn literal(value: &Expr) -> Result<(bool, &str), String> {
    match value {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text) | Value::Number(text, _), .. }) => {
            Ok((false, text))
        }
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => literal(expr).map(|(negative, text)| (!negative, text)),
        Expr::UnaryOp { op: UnaryOperator::Plus, expr } => literal(expr),
        other => Err(format!("an interval must be a literal, not {other}; use TIMESTAMPADD")),
    }
}

fn single(digits: &str, unit: &DateTimeField) -> Option<Length> {
    use DateTimeField as F;
    let months = |each: i64| digits.parse::<i64>().ok()?.checked_mul(each).map(Length::Months);
    let nanos = |each: i128| nanos(i128::from(digits.parse::<i64>().ok()?).checked_mul(each)?);
    match unit {
        F::Year | F::Years => months(12),
        F::Quarter => months(3),
        F::Month | F::Months => months(1),
        F::Week(None) | F::Weeks => nanos(7 * 86_400 * SECOND),
        F::Day | F::Days => nanos(86_400 * SECOND),
        F::Hour | F::Hours => nanos(3_600 * SECOND),
        F::Minute | F::Minutes => nanos(60 * SECOND),
        F::Second | F::Seconds => self::nanos(seconds(digits)?),
        F::Millisecond | F::Milliseconds => nanos(1_000_000),
        // The parser knows units of many systems; the others have no length.
        _ => None,
    }
}

fn range(text: &str, from: &DateTimeField, to: &DateTimeField) -> Option<Length> {
    use DateTimeField as F;
    if let (F::Year, F::Month) = (from, to) {
        let (years, months) = text.split_once('-')?;
        return years.parse::<i64>().ok()?.checked_mul(12)?.checked_add(within(months, 12)?).map(Length::Months);
    }
    let (days, clock) = match from {
        F::Day => text.split_once(' ').map(|(days, clock)| (days, clock.trim()))?,
        _ => ("0", text),
    };
    let mut parts = clock.split(':');
    let mut next = || parts.next();
    let first = |part: Option<&str>| part?.parse::<u32>().ok().map(i128::from);
    let (hours, minutes, seconds_text) = match (from, to) {
        (F::Day, F::Hour) => (first(next())?, 0, "0"),
        (F::Day | F::Hour, F::Minute) => (first(next())?, i128::from(within(next()?, 60)?), "0"),
        (F::Day | F::Hour, F::Second) => (first(next())?, i128::from(within(next()?, 60)?), next()?),
        (F::Minute, F::Second) => (0, first(next())?, next()?),
        _ => return None,
    };
    let seconds = seconds(seconds_text).filter(|nanos| *nanos < 60 * SECOND)?;
    if next().is_some() || (from == &F::Day && hours >= 24) {
        return None;
    }
    let days = i128::from(days.parse::<u32>().ok()?);
    nanos((days * 86_400 + hours * 3_600 + minutes * 60) * SECOND + seconds)
}

fn within(digits: &str, limit: i64) -> Option<i64> {
    digits.parse::<u32>().ok().map(i64::from).filter(|value| *value < limit)
}

/// `1.5` in nanoseconds.
fn seconds(text: &str) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 9 || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let fraction: i128 = format!("{fraction:0<9}").parse().ok()?;
    Some(i128::from(whole.parse::<u32>().ok()?) * SECOND + fraction)
}

fn nanos(nanos: i128) -> Option<Length> {
    i64::try_from(nanos).ok().map(Length::Nanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::syntax::Syntax;

    fn of(text: &str) -> Result<Length, String> {
        let syntax = Syntax::of(text).unwrap();
        match syntax.parser().parse_expr().map_err(|error| error.to_string())? {
            Expr::Interval(interval) => length(&interval),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn every_form_of_interval_has_its_length() {
        let millis = |millis: i64| Ok(Length::Nanos(millis * 1_000_000));
        for (text, expected) in [
            ("INTERVAL '10' MINUTE", millis(600_000)),
            ("INTERVAL '10' MINUTES", millis(600_000)),
            ("INTERVAL -'5' SECOND", millis(-5_000)),
            ("INTERVAL '-5' SECOND", millis(-5_000)),
            ("INTERVAL -'-5' SECOND", millis(5_000)),
            ("INTERVAL '1.250' SECOND", millis(1_250)),
            ("INTERVAL '2' WEEK", millis(14 * 86_400_000)),
            ("INTERVAL '400' DAY(3)", millis(400 * 86_400_000)),
            ("INTERVAL '1:30' HOUR TO MINUTE", millis(5_400_000)),
            ("INTERVAL '1:30' MINUTE TO SECOND", millis(90_000)),
            ("INTERVAL '1 02:03:04.567' DAY TO SECOND(3)", millis(93_784_567)),
            ("INTERVAL '3 4' DAY TO HOUR", millis(273_600_000)),
            ("INTERVAL '1-2' YEAR TO MONTH", Ok(Length::Months(14))),
            ("INTERVAL '3' QUARTER", Ok(Length::Months(9))),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_interval_is_refused() {
        for text in [
            "INTERVAL '10 minutes' SECOND",
            "INTERVAL '1:61' HOUR TO MINUTE",
            "INTERVAL '25' HOUR TO MINUTE",
            "INTERVAL '1 25' DAY TO HOUR",
            "INTERVAL '9999999999999' DAY",
            "INTERVAL x MINUTE",
            "INTERVAL '5'",
        ] {
            assert!(of(text).is_err(), "{text}");
        }
    }
}
