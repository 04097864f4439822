//! Timestamps in their fixed layouts, remembered by the minute.
//!
//! Rows that follow each other mostly lie in the same minute, and the first sixteen characters of a timestamp are its
//! minute. So these are compared with those of the last one, as one number, and only seconds and fraction are parsed anew.

use arrow::datatypes::TimeUnit;

use super::time;
use super::zone::{Zone, offset_seconds};

/// How timestamps are written: the option `json.timestamp-format.standard`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimestampStandard {
    /// `SQL`: `2020-01-01 12:00:00.123`.
    #[default]
    Sql,
    /// `ISO-8601`: `2020-01-01T12:00:00.123`.
    Iso8601,
}

/// What stands between date and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Separator {
    /// As the standard says.
    Of(TimestampStandard),
    /// A blank or a T.
    Either,
}

/// Reads timestamps for one column.
#[derive(Debug, Clone)]
pub(crate) struct TimestampReader {
    separator: Separator,
    digits: usize,
    per_second: i64,
    /// For `TIMESTAMP_LTZ`: the zone of text that names none.
    zone: Option<Zone>,
    minute: Minute,
}

/// A minute as text and as number.
#[derive(Debug, Clone, Copy)]
struct Minute {
    text: u128,
    /// Seconds since 1970, read as UTC.
    seconds: i64,
    /// What [`Zone::offset_at_local`] says for the whole minute, if it says one thing. 0 without a zone.
    offset: Option<i32>,
}

/// Bytes that no UTF-8 has: equal to the text of no minute.
const NO_TEXT: u128 = u128::MAX;

impl TimestampReader {
    /// Reads into units of `unit`. With a `zone` the column is `TIMESTAMP_LTZ`: text that ends with `Z` or an offset is
    /// that instant, other text is local time of the zone. Without one, such an end is an error.
    pub(crate) fn new(separator: Separator, unit: TimeUnit, zone: Option<Zone>) -> Self {
        let (digits, per_second) = match unit {
            TimeUnit::Second => (0, 1),
            TimeUnit::Millisecond => (3, 1_000),
            TimeUnit::Microsecond => (6, 1_000_000),
            TimeUnit::Nanosecond => (9, 1_000_000_000),
        };
        Self { separator, digits, per_second, zone, minute: Minute { text: NO_TEXT, seconds: 0, offset: None } }
    }

    /// The timestamp in all of `text`; digits below the unit are cut off.
    #[inline]
    pub(crate) fn read(&mut self, text: &[u8]) -> Option<i64> {
        let (head, rest) = text.split_first_chunk::<16>()?;
        let head = u128::from_le_bytes(*head);
        if head != self.minute.text {
            self.minute = self.read_minute(head)?;
        }
        let (seconds, fraction) = match rest {
            [] => (0, 0),
            _ => match time::seconds(rest, self.digits) {
                Some(parsed) => return self.local(parsed),
                None => return self.zoned(rest),
            },
        };
        self.local((seconds, fraction))
    }

    /// Text without a zone at its end.
    #[inline]
    fn local(&self, (second, fraction): (u32, u32)) -> Option<i64> {
        let seconds = self.minute.seconds + i64::from(second);
        let offset = match (self.minute.offset, self.zone) {
            (Some(offset), _) => offset,
            (None, Some(zone)) => zone.offset_at_local(seconds)?,
            (None, None) => 0,
        };
        self.in_units(seconds - i64::from(offset), fraction)
    }

    /// Text with `Z` or an offset at its end: only for a column with a zone.
    fn zoned(&self, rest: &[u8]) -> Option<i64> {
        self.zone?;
        let (rest, offset) = match rest {
            [rest @ .., b'Z' | b'z'] => (rest, 0),
            _ => {
                let sign = rest.iter().rposition(|byte| matches!(byte, b'+' | b'-'))?;
                (&rest[..sign], offset_seconds(&rest[sign..])?)
            }
        };
        let (second, fraction) = if rest.is_empty() { (0, 0) } else { time::seconds(rest, self.digits)? };
        self.in_units(self.minute.seconds + i64::from(second) - i64::from(offset), fraction)
    }

    #[inline]
    fn in_units(&self, seconds: i64, fraction: u32) -> Option<i64> {
        seconds.checked_mul(self.per_second)?.checked_add(i64::from(fraction))
    }

    #[cold]
    fn read_minute(&self, text: u128) -> Option<Minute> {
        let bytes = text.to_le_bytes();
        let separated = match self.separator {
            Separator::Of(TimestampStandard::Sql) => bytes[10] == b' ',
            Separator::Of(TimestampStandard::Iso8601) => bytes[10] == b'T',
            Separator::Either => matches!(bytes[10], b' ' | b'T'),
        };
        if !separated {
            return None;
        }
        let days = time::date(&bytes[..10])?;
        let minutes = time::minutes_of_day(bytes[11..].first_chunk()?)?;
        let seconds = i64::from(days) * 86_400 + i64::from(minutes) * 60;
        Some(Minute { text, seconds, offset: self.offset_of_minute(seconds) })
    }

    fn offset_of_minute(&self, seconds: i64) -> Option<i32> {
        let Some(zone) = self.zone else { return Some(0) };
        let (first, last) = (zone.offset_at_local(seconds)?, zone.offset_at_local(seconds + 59)?);
        (first == last).then_some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(separator: Separator, unit: TimeUnit, zone: Option<&str>, text: &str) -> Option<i64> {
        let zone = zone.map(|name| Zone::named(name).expect("a zone"));
        TimestampReader::new(separator, unit, zone).read(text.as_bytes())
    }

    #[test]
    fn timestamps_are_read_in_the_layout_that_was_asked_for() {
        const SQL: Separator = Separator::Of(TimestampStandard::Sql);
        const ISO: Separator = Separator::Of(TimestampStandard::Iso8601);
        for (separator, text, expected) in [
            (SQL, "2020-01-01 12:00:00.123", Some(1_577_880_000_123)),
            (SQL, "2020-01-01 12:00:00", Some(1_577_880_000_000)),
            (SQL, "2020-01-01 12:00:00.123456789", Some(1_577_880_000_123)),
            (SQL, "1969-12-31 23:59:59.999", Some(-1)),
            (SQL, "2020-01-01T12:00:00", None),
            (SQL, "2020-01-01 12:00:00Z", None),
            (SQL, "2020-01-01 12:00:00.", None),
            (SQL, "2020-01-01 12:00:60", None),
            (SQL, "2020-02-30 12:00:00", None),
            (SQL, "2020-01-01", None),
            (SQL, "", None),
            (ISO, "2020-01-01T12:00:00.5", Some(1_577_880_000_500)),
            (ISO, "2020-01-01T12:00", Some(1_577_880_000_000)),
            (ISO, "2020-01-01 12:00:00", None),
            (Separator::Either, "2020-01-01T12:00:00", Some(1_577_880_000_000)),
            (Separator::Either, "2020-01-01 12:00:00", Some(1_577_880_000_000)),
        ] {
            assert_eq!(read(separator, TimeUnit::Millisecond, None, text), expected, "{text}");
        }
    }

    #[test]
    fn units_decide_how_many_digits_are_kept() {
        let text = "2020-01-01 00:00:01.123456789";
        for (unit, expected) in [
            (TimeUnit::Second, 1_577_836_801),
            (TimeUnit::Millisecond, 1_577_836_801_123),
            (TimeUnit::Microsecond, 1_577_836_801_123_456),
            (TimeUnit::Nanosecond, 1_577_836_801_123_456_789),
        ] {
            assert_eq!(read(Separator::Either, unit, None, text), Some(expected), "{unit:?}");
        }
        assert_eq!(read(Separator::Either, TimeUnit::Nanosecond, None, "9999-01-01 00:00:00"), None, "beyond 64 bits");
    }

    #[test]
    fn text_without_a_zone_is_local_time_and_text_with_one_is_an_instant() {
        for (text, expected) in [
            ("2020-07-01 12:00:00", 1_593_597_600_000),
            ("2020-07-01 12:00:00Z", 1_593_604_800_000),
            ("2020-07-01 12:00:00.5Z", 1_593_604_800_500),
            ("2020-07-01 12:00:00+01:00", 1_593_601_200_000),
            ("2020-07-01 12:00:00.25-0100", 1_593_608_400_250),
            ("2020-07-01 12:00Z", 1_593_604_800_000),
        ] {
            let zone = Some("Europe/Berlin");
            assert_eq!(read(Separator::Either, TimeUnit::Millisecond, zone, text), Some(expected), "{text}");
        }
    }

    #[test]
    fn the_remembered_minute_changes_nothing() {
        let mut reader = TimestampReader::new(Separator::Either, TimeUnit::Millisecond, Zone::named("Europe/Berlin"));
        let texts = [
            "2020-07-01 12:00:00",
            "2020-07-01 12:00:59.9",
            "x",
            "2020-07-01 12:00:61",
            "2020-07-01 12:01:00Z",
            "2020-07-01 12:01:01",
        ];
        for text in texts.iter().cycle().take(100) {
            let fresh = read(Separator::Either, TimeUnit::Millisecond, Some("Europe/Berlin"), text);
            assert_eq!(reader.read(text.as_bytes()), fresh, "{text}");
        }
    }
}
