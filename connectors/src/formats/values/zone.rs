//! The session's time zone: what instant a local time is.

use chrono::{DateTime, FixedOffset, LocalResult, NaiveDateTime, Offset, TimeDelta, TimeZone};

/// A zone of the IANA database or a fixed offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zone {
    /// `Europe/Berlin`.
    Named(chrono_tz::Tz),
    /// `+02:00`, `GMT-3`.
    Fixed(FixedOffset),
}

impl Zone {
    /// The zone called `name`: an IANA name, or an offset as `+08:00`, `UTC+8` or `GMT-03:30`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        if let Ok(zone) = name.parse() {
            return Some(Self::Named(zone));
        }
        let offset = ["UTC", "GMT", "UT"].iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
        Some(Self::Fixed(FixedOffset::east_opt(offset_seconds(offset.as_bytes())?)?))
    }

    /// How many seconds local time is ahead of UTC at the local time `seconds` (counted as if it were UTC). A time that a
    /// clock change skips is read with the offset before it, a time that occurs twice is the first one, as Java has it.
    /// `None` beyond the calendar.
    pub(crate) fn offset_at_local(&self, seconds: i64) -> Option<i32> {
        match self {
            Self::Fixed(offset) => Some(offset.local_minus_utc()),
            Self::Named(zone) => {
                let local = DateTime::from_timestamp(seconds, 0)?.naive_utc();
                named_offset(*zone, local)
                    .or_else(|| named_offset(*zone, local.checked_sub_signed(TimeDelta::hours(3))?))
            }
        }
    }
}

fn named_offset(zone: chrono_tz::Tz, local: NaiveDateTime) -> Option<i32> {
    match zone.offset_from_local_datetime(&local) {
        LocalResult::Single(offset) | LocalResult::Ambiguous(offset, _) => Some(offset.fix().local_minus_utc()),
        LocalResult::None => None,
    }
}

/// Seconds of an offset from UTC: `+08:00`, `-0330`, `+8`.
pub(crate) fn offset_seconds(text: &[u8]) -> Option<i32> {
    let (sign, digits) = match text {
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| i32::from(byte - b'0'));
    let (hours, minutes) = match digits {
        [hour] => (digit(hour)?, 0),
        [h1, h2] => (digit(h1)? * 10 + digit(h2)?, 0),
        [h1, h2, m1, m2] | [h1, h2, b':', m1, m2] => (digit(h1)? * 10 + digit(h2)?, digit(m1)? * 10 + digit(m2)?),
        _ => return None,
    };
    (hours <= 18 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(text: &str) -> i64 {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").expect("a time").and_utc().timestamp()
    }

    #[test]
    fn clock_changes_are_read_as_java_reads_them() {
        let berlin = Zone::named("Europe/Berlin").expect("a zone");
        for (time, hours) in [
            ("2024-01-15 12:00", 1),
            ("2024-07-15 12:00", 2),
            ("2024-03-31 02:30", 1), // Skipped: the offset before the change.
            ("2024-10-27 02:30", 2), // Twice: the first.
        ] {
            assert_eq!(berlin.offset_at_local(local(time)), Some(hours * 3_600), "{time}");
        }
    }

    #[test]
    fn zones_are_found_by_name_and_by_offset() {
        for (name, seconds) in
            [("UTC", 0), ("+08:00", 28_800), ("GMT+8", 28_800), ("UTC-0330", -12_600), ("Asia/Tokyo", 32_400)]
        {
            let zone = Zone::named(name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(zone.offset_at_local(local("2024-01-15 12:00")), Some(seconds), "{name}");
        }
        for name in ["", "Nowhere/City", "+99:00", "UTC+", "8"] {
            assert_eq!(Zone::named(name), None, "{name}");
        }
    }
}
