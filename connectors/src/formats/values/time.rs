//! Dates and times of day in their fixed layouts.

/// The days since 1970-01-01 of `yyyy-MM-dd`. `None` if `text` is not such a date of the calendar.
pub(crate) fn date(text: &[u8]) -> Option<i32> {
    let text: &[u8; 10] = text.try_into().ok()?;
    if text[4] != b'-' || text[7] != b'-' {
        return None;
    }
    let year = two(text[0], text[1])? * 100 + two(text[2], text[3])?;
    let (month, day) = (two(text[5], text[6])?, two(text[8], text[9])?);
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    Some(days_since_1970(year, month, day))
}

/// A time of day: seconds since midnight, and its fraction in units of ten to the minus `digits` seconds, further digits cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeOfDay {
    /// Seconds since midnight.
    pub(crate) seconds: u32,
    /// The fraction of a second.
    pub(crate) fraction: u32,
}

/// Reads `HH:mm:ss` with up to nine digits of a second behind it; the seconds may be left out.
pub(crate) fn time_of_day(text: &[u8], digits: usize) -> Option<TimeOfDay> {
    let (clock, rest) = text.split_at_checked(5)?;
    let minutes = minutes_of_day(clock.first_chunk()?)?;
    let (second, fraction) = if rest.is_empty() { (0, 0) } else { seconds(rest, digits)? };
    Some(TimeOfDay { seconds: minutes * 60 + second, fraction })
}

/// `HH:mm` in minutes.
#[inline]
pub(crate) fn minutes_of_day(clock: &[u8; 5]) -> Option<u32> {
    let (hour, minute) = (two(clock[0], clock[1])?, two(clock[3], clock[4])?);
    let minutes = u32::try_from(hour * 60 + minute).ok()?;
    (clock[2] == b':' && hour < 24 && minute < 60).then_some(minutes)
}

/// `:ss` with an optional fraction: the seconds, and the fraction cut to `digits` digits.
#[inline]
pub(crate) fn seconds(text: &[u8], digits: usize) -> Option<(u32, u32)> {
    let [b':', tens, ones, rest @ ..] = text else { return None };
    let second = u32::try_from(two(*tens, *ones)?).ok()?;
    if second > 59 {
        return None;
    }
    match rest {
        [b'.', a, b, c] if digits == 3 => Some((second, milliseconds(*a, *b, *c)?)),
        [] => Some((second, 0)),
        [b'.', fraction @ ..] => Some((second, fraction_of_second(fraction, digits)?)),
        _ => None,
    }
}

/// Three digits: the fraction that most timestamps have.
#[inline]
fn milliseconds(a: u8, b: u8, c: u8) -> Option<u32> {
    let digits = [a.wrapping_sub(b'0'), b.wrapping_sub(b'0'), c.wrapping_sub(b'0')];
    let [a, b, c] = digits.map(u32::from);
    (a < 10 && b < 10 && c < 10).then_some(a * 100 + b * 10 + c)
}

fn fraction_of_second(text: &[u8], digits: usize) -> Option<u32> {
    if text.is_empty() || text.len() > 9 {
        return None;
    }
    let mut fraction = 0;
    for place in 0..digits.max(text.len()) {
        let digit = text.get(place).map_or(0, |byte| byte.wrapping_sub(b'0'));
        if digit > 9 {
            return None;
        }
        if place < digits {
            fraction = fraction * 10 + u32::from(digit);
        }
    }
    Some(fraction)
}

#[inline]
fn two(tens: u8, ones: u8) -> Option<i32> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens < 10 && ones < 10).then(|| i32::from(tens) * 10 + i32::from(ones))
}

fn days_in_month(year: i32, month: i32) -> i32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Howard Hinnant's `days_from_civil`: the year is made to start in March, so that the leap day is its last.
fn days_since_1970(year: i32, month: i32, day: i32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike, NaiveDate};

    use super::*;

    #[test]
    fn every_day_of_the_calendar_is_read_as_chrono_reads_it() {
        let first = NaiveDate::from_ymd_opt(0, 1, 1).expect("a date");
        for day in first.iter_days().step_by(3).take_while(|day| day.year() < 10_000) {
            let text = day.format("%Y-%m-%d").to_string();
            assert_eq!(date(text.as_bytes()), Some(day.to_epoch_days()), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "2023-02-29",
            "1900-02-29",
            "2023-13-01",
            "2023-00-10",
            "2023-01-00",
            "2023-04-31",
            "2023-1-1",
            "20230101",
            "2023-01-01x",
            "",
        ] {
            assert_eq!(date(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn times_of_day_are_cut_to_the_wanted_digits() {
        for (text, digits, expected) in [
            ("00:00:00", 3, Some((0, 0))),
            ("23:59:59.999", 3, Some((86_399, 999))),
            ("12:30:15.5", 3, Some((45_015, 500))),
            ("12:30:15.123456789", 3, Some((45_015, 123))),
            ("12:30:15.123456789", 9, Some((45_015, 123_456_789))),
            ("12:30:15.1", 0, Some((45_015, 0))),
            ("12:30", 3, Some((45_000, 0))),
            ("24:00:00", 3, None),
            ("12:60:00", 3, None),
            ("12:30:60", 3, None),
            ("12:30:15.", 3, None),
            ("12:30:15.1234567890", 3, None),
            ("12:30:15.12x", 0, None),
            ("12:30:15.12x", 3, None),
            ("12:30:15.x12", 3, None),
            ("1:30:15", 3, None),
        ] {
            let expected = expected.map(|(seconds, fraction)| TimeOfDay { seconds, fraction });
            assert_eq!(time_of_day(text.as_bytes(), digits), expected, "{text}");
        }
    }
}
