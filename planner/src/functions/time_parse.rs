//! Reading times from text: with a compiled pattern, or in the forms that Flink reads without one.

use super::calendar::{Civil, days_in_month};
use super::time_format::{Field, Item, MONTHS, Style, TimeFormat, WEEKDAYS};
use super::zone::{Repeated, Zone};

/// A wall-clock time that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WallTime {
    /// Seconds since 1970-01-01 00:00:00 on its own clock.
    pub(super) seconds: i64,
    /// Nanoseconds of the second.
    pub(super) nanos: i64,
}

impl WallTime {
    /// Ticks of which `per_second` make a second, rounded down. `None` when they do not fit 64 bits.
    pub(super) fn ticks(self, per_second: i64) -> Option<i64> {
        self.seconds.checked_mul(per_second)?.checked_add(self.nanos / (1_000_000_000 / per_second))
    }
}

/// What fields said, before it is put together.
#[derive(Debug, Clone, Copy, Default)]
struct Fields {
    year: Option<i64>,
    before_christ: bool,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    /// 0 to 23, or 24.
    hour: Option<i64>,
    /// 0 to 11.
    half_hour: Option<i64>,
    afternoon: Option<bool>,
    minute: Option<i64>,
    second: Option<i64>,
    nanos: Option<i64>,
    nanos_of_day: Option<i64>,
    /// Seconds ahead of UTC that the text itself names.
    offset: Option<i64>,
}

impl TimeFormat {
    /// Reads the whole text as `DateTimeFormatter` does; what the pattern does not say is that of 1970-01-01 00:00:00.
    pub(super) fn parse_wall(&self, text: &str) -> Option<WallTime> {
        let mut reader = Reader { text, at: 0, style: self.style, fields: Fields::default() };
        reader.items(&self.items)?;
        (reader.at == text.len()).then_some(())?;
        reader.fields.strict()
    }

    /// Reads the beginning of the text as a lenient `SimpleDateFormat` in `zone` does; answers milliseconds since the
    /// epoch.
    pub(super) fn parse_millis(&self, text: &str, zone: &Zone) -> Option<i64> {
        let mut reader = Reader { text, at: 0, style: self.style, fields: Fields::default() };
        reader.items(&self.items)?;
        let local = reader.fields.lenient()?;
        match reader.fields.offset {
            Some(offset) => local.checked_sub(offset.checked_mul(1_000)?),
            None => Some(zone.instant_ticks(local, 1_000, Repeated::Second)),
        }
    }
}

impl Fields {
    /// Java's SMART resolution: values must be in range, the last days of a short month excepted.
    fn strict(self) -> Option<WallTime> {
        let year = if self.before_christ { 1 - self.year.unwrap_or(1) } else { self.year.unwrap_or(1_970) };
        let in_range = |value: Option<i64>, least, most| value.is_none_or(|value| (least..=most).contains(&value));
        let ranges = in_range(self.month, 1, 12)
            && in_range(self.day, 1, 31)
            && in_range(self.day_of_year, 1, 366)
            && in_range(self.minute, 0, 59)
            && in_range(self.second, 0, 59)
            && in_range(self.hour, 0, 24)
            && in_range(self.half_hour, 0, 11);
        if !ranges || !(-999_999_999..=999_999_999).contains(&year) {
            return None;
        }
        let days = match (self.day_of_year, self.month) {
            (Some(day), None) => {
                let days = Civil { year, month: 1, day }.days();
                (Civil::of_days(days).year == year).then_some(days)?
            }
            (_, month) => {
                let month = month.unwrap_or(1);
                Civil { year, month, day: self.day.unwrap_or(1).min(days_in_month(year, month)) }.days()
            }
        };
        if let Some(nanos) = self.nanos_of_day {
            let (seconds, nanos) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
            return (seconds < 86_400).then_some(WallTime { seconds: days * 86_400 + seconds, nanos });
        }
        let hour = match (self.hour, self.half_hour, self.afternoon) {
            (Some(hour), _, _) => hour,
            (None, Some(hour), Some(afternoon)) => hour + if afternoon { 12 } else { 0 },
            (None, _, _) => 0,
        };
        let (minute, second, nanos) = (self.minute.unwrap_or(0), self.second.unwrap_or(0), self.nanos.unwrap_or(0));
        if hour == 24 && (minute, second, nanos) != (0, 0, 0) {
            return None;
        }
        Some(WallTime { seconds: days * 86_400 + hour * 3_600 + minute * 60 + second, nanos })
    }

    /// Everything rolls over: month 13 is January of the next year, minute 90 is half past the next hour.
    fn lenient(self) -> Option<i64> {
        let year =
            if self.before_christ { 1_i64.checked_sub(self.year.unwrap_or(1))? } else { self.year.unwrap_or(1_970) };
        let (month, day) = match (self.day_of_year, self.month, self.day) {
            (Some(day), None, None) => (1, day),
            (_, month, day) => (month.unwrap_or(1), day.unwrap_or(1)),
        };
        let days = Civil { year, month, day }.days();
        let hour = match (self.hour, self.half_hour) {
            (Some(hour), _) => hour,
            (None, Some(hour)) => hour.checked_add(if self.afternoon == Some(true) { 12 } else { 0 })?,
            (None, None) if self.afternoon == Some(true) => 12,
            (None, None) => 0,
        };
        let minutes = hour.checked_mul(60)?.checked_add(self.minute.unwrap_or(0))?;
        let seconds = minutes.checked_mul(60)?.checked_add(self.second.unwrap_or(0))?;
        let millis = seconds.checked_mul(1_000)?.checked_add(self.nanos.unwrap_or(0) / 1_000_000)?;
        days.checked_mul(86_400_000)?.checked_add(millis)
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    style: Style,
    fields: Fields,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn items(&mut self, items: &[Item]) -> Option<()> {
        for (index, item) in items.iter().enumerate() {
            match item {
                Item::Literal(literal) => self.literal(literal)?,
                Item::Field { field, count } => {
                    self.field(*field, *count, items.get(index + 1..).unwrap_or_default())?
                }
                Item::Optional(inner) => {
                    let (at, fields) = (self.at, self.fields);
                    if self.items(inner).is_none() {
                        (self.at, self.fields) = (at, fields);
                    }
                }
            }
        }
        Some(())
    }

    fn literal(&mut self, literal: &str) -> Option<()> {
        self.rest().starts_with(literal).then(|| self.at += literal.len())
    }

    fn field(&mut self, field: Field, count: usize, next: &[Item]) -> Option<()> {
        let fields = match field {
            Field::Era => {
                self.fields.before_christ = self.name(&["AD", "BC"], 2)? == 1;
                return Some(());
            }
            Field::Weekday => return self.name(&WEEKDAYS, if count >= 4 { usize::MAX } else { 3 }).map(|_| ()),
            Field::AmPm => {
                self.fields.afternoon = Some(self.name(&["AM", "PM"], 2)? == 1);
                return Some(());
            }
            Field::Month if count >= 3 => {
                let length = if count == 3 { 3 } else { usize::MAX };
                self.fields.month = Some(i64::try_from(self.name(&MONTHS, length)?).ok()? + 1);
                return Some(());
            }
            Field::IsoOffset | Field::RfcOffset | Field::ZoneName => {
                self.fields.offset = Some(self.offset(field, count)?);
                return Some(());
            }
            _ => &self.fields,
        };
        let mut fields = *fields;
        let (digits, value) = self.number(field, count, next)?;
        match field {
            Field::YearOfEra | Field::Year => fields.year = Some(self.year(count, digits, value)?),
            Field::Month => fields.month = Some(value),
            Field::DayOfMonth => fields.day = Some(value),
            Field::DayOfYear => fields.day_of_year = Some(value),
            Field::Hour => fields.hour = Some(value),
            Field::ClockHour => fields.hour = Some(if value == 24 { 0 } else { value }),
            Field::HalfHour => fields.half_hour = Some(value),
            Field::HalfClockHour => fields.half_hour = Some(if value == 12 { 0 } else { value }),
            Field::Minute => fields.minute = Some(value),
            Field::Second => fields.second = Some(value),
            Field::Fraction => {
                fields.nanos = Some(value.checked_mul(10_i64.checked_pow(u32::try_from(9 - digits).ok()?)?)?);
            }
            Field::Millisecond => fields.nanos = Some(value.checked_mul(1_000_000)?),
            Field::Nano => fields.nanos = Some(value),
            Field::NanoOfDay => fields.nanos_of_day = Some(value),
            Field::MilliOfDay => fields.nanos_of_day = Some(value.checked_mul(1_000_000)?),
            // Read and not used: they repeat what other fields say, or need several of them to mean a day.
            Field::WeekYear
            | Field::Quarter
            | Field::WeekOfYear
            | Field::WeekOfMonth
            | Field::WeekdayInMonth
            | Field::WeekdayNumber => {}
            Field::Era | Field::Weekday | Field::AmPm | Field::IsoOffset | Field::RfcOffset | Field::ZoneName => {
                return None;
            }
        }
        self.fields = fields;
        Some(())
    }

    /// Two letters mean a two-digit year: from 2000 on for a formatter, from 1946 to 2045 for a simple format (Java's
    /// window moves with the clock, and results must not).
    fn year(&self, count: usize, digits: usize, value: i64) -> Option<i64> {
        match (self.style, count, digits) {
            (Style::Formatter, 2, _) => value.checked_add(2_000),
            (Style::Simple, 1..=2, 2) => value.checked_add(if value < 46 { 2_000 } else { 1_900 }),
            (Style::Formatter | Style::Simple, _, _) => Some(value),
        }
    }

    /// A number and how many digits it has.
    fn number(&mut self, field: Field, count: usize, next: &[Item]) -> Option<(usize, i64)> {
        if self.style == Style::Simple {
            let blanks = self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
            self.at += blanks;
        }
        let negative = self.style == Style::Simple && self.rest().starts_with('-');
        self.at += usize::from(negative);
        let available = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let (least, most) = self.widths(field, count);
        // Digits that the following fields of fixed width need are not ours: yyyyMMdd reads 4 + 2 + 2.
        let wanted = if least == most { most } else { most.min(available.saturating_sub(reserved(self.style, next))) };
        let adjacent = matches!(next.first(), Some(Item::Field { field, count }) if is_number(*field, *count));
        let wanted = match self.style {
            Style::Simple if adjacent => count.min(available),
            Style::Simple => available,
            Style::Formatter => wanted,
        };
        if wanted == 0 || wanted > available || (self.style == Style::Formatter && wanted < least) {
            return None;
        }
        let value: i64 = self.rest().get(..wanted)?.parse().ok()?;
        self.at += wanted;
        Some((wanted, if negative { -value } else { value }))
    }

    /// How few and how many digits a formatter reads.
    fn widths(&self, field: Field, count: usize) -> (usize, usize) {
        match (field, count) {
            (Field::Fraction, _) => (count, count),
            (Field::YearOfEra | Field::Year | Field::WeekYear, 2) => (2, 2),
            (Field::YearOfEra | Field::Year, 4) => (4, 4),
            (Field::YearOfEra | Field::Year | Field::WeekYear, _) => (count, 10),
            (Field::DayOfYear, 2) => (2, 3),
            (_, 1) => (1, 19),
            _ => (count, count),
        }
    }

    /// The index of the name that the text goes on with, in any case; only the first `length` letters of names count.
    fn name(&mut self, names: &[&str], length: usize) -> Option<usize> {
        let rest = self.rest();
        // A simple format takes the short name wherever it takes the full one, and the other way round.
        let length = if self.style == Style::Simple { length.min(3) } else { length };
        let matches = |name: &&str| {
            let name = name.get(..length.min(name.len())).unwrap_or(name);
            let found = rest.get(..name.len()).is_some_and(|found| match self.style {
                Style::Formatter => found == name,
                Style::Simple => found.eq_ignore_ascii_case(name),
            });
            found.then_some(name.len())
        };
        let full = |name: &&str| {
            (self.style == Style::Simple && rest.get(..name.len())?.eq_ignore_ascii_case(name)).then_some(name.len())
        };
        let (index, length) =
            names.iter().enumerate().find_map(|(index, name)| Some((index, full(name).or_else(|| matches(name))?)))?;
        self.at += length;
        Some(index)
    }

    /// Seconds ahead of UTC: `Z`, `+08`, `+0800`, `+08:00`, `GMT+08:00` or the name of a zone with one offset.
    fn offset(&mut self, field: Field, count: usize) -> Option<i64> {
        if field == Field::IsoOffset && self.rest().starts_with('Z') {
            self.at += 1;
            return Some(0);
        }
        for name in ["GMT", "UTC"] {
            if field != Field::IsoOffset && self.rest().starts_with(name) {
                self.at += name.len();
                if !self.rest().starts_with(['+', '-']) {
                    return Some(0);
                }
            }
        }
        let sign = match self.rest().as_bytes().first()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        self.at += 1;
        let hours = self.two_digits()?;
        if field == Field::IsoOffset && count == 1 {
            return Some(sign * hours * 3_600);
        }
        let colon = self.rest().starts_with(':');
        self.at += usize::from(colon);
        let minutes = self.two_digits()?;
        Some(sign * (hours * 3_600 + minutes * 60))
    }

    fn two_digits(&mut self) -> Option<i64> {
        let digits = self.rest().get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        let value = digits.parse().ok()?;
        self.at += 2;
        Some(value)
    }
}

/// Digits that the fields right after a number of variable width need.
fn reserved(style: Style, next: &[Item]) -> usize {
    let width = |item: &Item| match item {
        Item::Field { field, count } if is_number(*field, *count) && (*count > 1 || *field == Field::Fraction) => {
            Some(*count)
        }
        _ => None,
    };
    match style {
        Style::Formatter => next.iter().map_while(width).sum(),
        Style::Simple => 0,
    }
}

fn is_number(field: Field, count: usize) -> bool {
    match field {
        Field::Month => count < 3,
        Field::Era | Field::Weekday | Field::AmPm | Field::IsoOffset | Field::RfcOffset | Field::ZoneName => false,
        _ => true,
    }
}

/// A timestamp in Flink's default form, `2021-09-27 12:34:56.789`: one-digit months, days and hours are accepted, the
/// time may be absent, the fraction has up to nine digits.
pub(super) fn default_timestamp(text: &str) -> Option<WallTime> {
    let (date, time) = match text.split_once(' ') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let year = digits(year, 4, 4)?;
    let (month, day) = (digits(month, 1, 2)?, digits(day, 1, 2)?);
    let mut fields = Fields { year: Some(year), month: Some(month), day: Some(day), ..Fields::default() };
    if parts.next().is_some() {
        return None;
    }
    if let Some(time) = time {
        let (time, fraction) = match time.split_once('.') {
            Some((time, fraction)) => (time, fraction),
            None => (time, ""),
        };
        let mut parts = time.split(':');
        fields.hour = Some(digits(parts.next()?, 1, 2)?);
        fields.minute = Some(digits(parts.next()?, 1, 2)?);
        fields.second = Some(digits(parts.next()?, 1, 2)?);
        if parts.next().is_some() {
            return None;
        }
        fields.nanos = Some(nanos(fraction)?);
    }
    fields.strict()
}

/// What `TO_TIMESTAMP(text, pattern)` reads besides its pattern: `java.sql.Timestamp.valueOf` when there is a space,
/// `java.sql.Date.valueOf` when there is none.
pub(super) fn sql_timestamp(text: &str) -> Option<WallTime> {
    let text = text.trim();
    // Both demand a time after the space, which the default form does not; otherwise they are it.
    if text.ends_with('.') { None } else { default_timestamp(text) }
}

/// A date as Flink's `TO_DATE` and `CAST` read it: `2017-09-15`, `2017-9`, `2017`, or the date of a timestamp.
pub(super) fn default_date(text: &str) -> Option<i64> {
    let date = match text.find(' ') {
        Some(space) if space > 0 => text.get(..space)?,
        _ => text,
    };
    let mut parts = date.splitn(3, '-').map(|part| digits(part.trim(), 1, 9));
    let year = parts.next()??;
    let month = parts.next().unwrap_or(Some(1))?;
    let day = parts.next().unwrap_or(Some(1))?;
    let valid =
        (0..=9_999).contains(&year) && (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
    valid.then(|| Civil { year, month, day }.days())
}

/// A time of day as Flink's `CAST` reads it, in milliseconds from midnight: `12:34:56.789`, `12:34` or `12`, with an
/// offset (`+01:00`) that is added. Hours beyond 23 start over.
pub(super) fn default_time(text: &str) -> Option<i64> {
    let sign_at = text.find('-').or_else(|| text.find('+'));
    let (time, zone) = match sign_at {
        Some(at) => (text.get(..at)?, text.get(at + 1..)?),
        None => (text, "0"),
    };
    let sign = if sign_at.is_some_and(|at| text.as_bytes()[at] == b'+') { 1 } else { -1 };
    let number = |text: &str| digits(text.trim(), 1, 9);
    let zone_minutes = match zone.split_once(':') {
        Some((hours, minutes)) => number(hours)? * 60 + number(minutes)?,
        None => number(zone)? * 60,
    };
    let mut parts = time.splitn(3, ':');
    let hours = number(parts.next()?)?;
    let minutes = parts.next().map_or(Some(0), number)?;
    let (seconds, millis) = match parts.next().map(|seconds| seconds.split_once('.').unwrap_or((seconds, ""))) {
        Some((seconds, fraction)) => (number(seconds)?, rounded_millis(fraction.trim())),
        None => (0, 0),
    };
    let minutes = hours * 60 + minutes + sign * zone_minutes;
    Some(((minutes * 60 + seconds) * 1_000 + millis).rem_euclid(86_400_000))
}

/// Milliseconds of a fraction, rounded by its fourth digit; anything but a digit counts as 0.
fn rounded_millis(fraction: &str) -> i64 {
    let digit = |at: usize| {
        fraction.as_bytes().get(at).filter(|byte| byte.is_ascii_digit()).map_or(0, |byte| i64::from(byte - b'0'))
    };
    digit(0) * 100 + digit(1) * 10 + digit(2) + i64::from(digit(3) >= 5)
}

/// A number of `least` to `most` digits and nothing else.
fn digits(text: &str, least: usize, most: usize) -> Option<i64> {
    let fits = (least..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.parse().ok())?
}

/// Nanoseconds of a fraction of up to nine digits; none is zero.
fn nanos(fraction: &str) -> Option<i64> {
    if fraction.is_empty() {
        return Some(0);
    }
    let value = digits(fraction, 1, 9)?;
    Some(value * 10_i64.pow(u32::try_from(9 - fraction.len()).ok()?))
}

#[cfg(test)]
mod tests;
