//! The time that a partition's values name: `dt=2020-01-01, hm=07:30` under the pattern `$dt $hm:00`.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeZone};
use chrono_tz::Tz;

/// Makes a time of a partition's values.
#[derive(Debug, Clone)]
pub(crate) struct TimeExtractor {
    pieces: Vec<Piece>,
    formatter: Option<DateTimePattern>,
}

/// A piece of the text that the time is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// The value of the partition key at this place.
    Key(usize),
}

impl TimeExtractor {
    /// Reads `pattern`, in which `$key` stands for a value. Without one, the first key is the time. The error says why the
    /// pattern cannot be used.
    pub(crate) fn new(
        pattern: Option<&str>,
        formatter: Option<DateTimePattern>,
        keys: &[String],
    ) -> Result<Self, String> {
        let pieces = match pattern {
            Some(pattern) => pieces(pattern, keys)?,
            None => vec![Piece::Key(0)],
        };
        Ok(Self { pieces, formatter })
    }

    /// The time that `values` name, in milliseconds since 1970-01-01 UTC. A time that a clock change left out counts as
    /// the one an hour later, one that came twice as the first.
    pub(crate) fn time_ms(&self, values: &[Option<&str>], zone: Tz) -> Result<i64, String> {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(own) => text.push_str(own),
                Piece::Key(index) => {
                    let value = values.get(*index).copied().flatten();
                    text.push_str(value.ok_or("a partition whose value is null has no time")?);
                }
            }
        }
        let local = match &self.formatter {
            Some(formatter) => formatter.read(&text),
            None => read_default(&text),
        };
        let local = local.ok_or_else(|| format!("'{text}' is not a time"))?;
        Ok(to_utc_ms(local, zone))
    }
}

fn to_utc_ms(local: NaiveDateTime, zone: Tz) -> i64 {
    let found = zone.from_local_datetime(&local).earliest();
    let found = found.or_else(|| zone.from_local_datetime(&(local + chrono::TimeDelta::hours(1))).earliest());
    found.map_or_else(|| local.and_utc().timestamp_millis(), |time| time.timestamp_millis())
}

fn pieces(pattern: &str, keys: &[String]) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = pattern;
    while let Some(at) = rest.find('$') {
        let (text, after) = (&rest[..at], &rest[at + 1..]);
        if !text.is_empty() {
            pieces.push(Piece::Text(text.to_owned()));
        }
        let named = keys.iter().enumerate().filter(|(_, key)| after.starts_with(key.as_str()));
        let Some((index, key)) = named.max_by_key(|(_, key)| key.len()) else {
            return Err(format!("after '$' it should name one of PARTITIONED BY ({})", keys.join(", ")));
        };
        pieces.push(Piece::Key(index));
        rest = &after[key.len()..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Ok(pieces)
}

/// `2020-01-01`, with or without ` 07:30`, seconds and their fraction; `T` may stand for the blank.
fn read_default(text: &str) -> Option<NaiveDateTime> {
    let text = text.trim();
    let (date, time) = text.split_once([' ', 'T']).unwrap_or((text, "00:00"));
    let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
    let time = ["%H:%M:%S%.f", "%H:%M"].iter().find_map(|format| NaiveTime::parse_from_str(time, format).ok())?;
    Some(date.and_time(time))
}

/// A Java date pattern such as `yyyyMMdd HH`, in the letters `y M d H m s S`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DateTimePattern(String);

impl DateTimePattern {
    /// Reads `pattern`; the error says what in it cannot be used.
    pub(crate) fn parse(pattern: &str) -> Result<Self, String> {
        let mut format = String::new();
        let mut rest = pattern;
        while let Some(first) = rest.chars().next() {
            let length = rest.chars().take_while(|other| *other == first).map(char::len_utf8).sum::<usize>();
            let (run, after) = rest.split_at(length);
            match (first, run.len()) {
                ('y', 4) => format.push_str("%Y"),
                ('M', 2) => format.push_str("%m"),
                ('d', 2) => format.push_str("%d"),
                ('H', 2) => format.push_str("%H"),
                ('m', 2) => format.push_str("%M"),
                ('s', 2) => format.push_str("%S"),
                ('S', 3) => format.push_str("%3f"),
                ('%', _) => format.push_str(&run.replace('%', "%%")),
                ('\'', 1) => {
                    let (quoted, behind) = after.split_once('\'').ok_or("a quote is not closed")?;
                    format.push_str(&quoted.replace('%', "%%"));
                    rest = behind;
                    continue;
                }
                (letter, _) if letter.is_ascii_alphabetic() || letter == '\'' => {
                    return Err(format!("'{run}' is not supported; use yyyy MM dd HH mm ss SSS and quoted text"));
                }
                _ => format.push_str(run),
            }
            rest = after;
        }
        Ok(Self(format))
    }

    fn read(&self, text: &str) -> Option<NaiveDateTime> {
        // What the pattern leaves out is the beginning: midnight, the full hour.
        let mut parsed = chrono::format::Parsed::new();
        chrono::format::parse(&mut parsed, text, chrono::format::StrftimeItems::new(&self.0)).ok()?;
        let date = parsed.to_naive_date().ok()?;
        if parsed.hour_mod_12().is_some() && parsed.minute().is_none() {
            parsed.set_minute(0).ok()?;
        }
        let time = if parsed.hour_mod_12().is_some() { parsed.to_naive_time().ok()? } else { NaiveTime::MIN };
        Some(date.and_time(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(pattern: Option<&str>, formatter: Option<&str>, values: &[(&str, &str)], zone: &str) -> String {
        let keys: Vec<String> = values.iter().map(|(key, _)| (*key).to_owned()).collect();
        let values: Vec<_> = values.iter().map(|(_, value)| (*value != "null").then_some(*value)).collect();
        let formatter = match formatter.map(DateTimePattern::parse).transpose() {
            Ok(formatter) => formatter,
            Err(why) => return why,
        };
        let time =
            TimeExtractor::new(pattern, formatter, &keys).and_then(|x| x.time_ms(&values, zone.parse().unwrap()));
        match time {
            Ok(ms) => chrono::DateTime::from_timestamp_millis(ms).unwrap().naive_utc().to_string(),
            Err(why) => why,
        }
    }

    #[test]
    fn values_name_a_time() {
        let (day, hour) = (("dt", "2020-05-01"), ("hm", "07:30"));
        let cases = [
            (time(None, None, &[day], "UTC"), "2020-05-01 00:00:00"),
            (time(None, None, &[("t", "2020-05-01T07:30:15.5")], "UTC"), "2020-05-01 07:30:15.500"),
            (time(Some("$dt $hm:00"), None, &[day, hour], "UTC"), "2020-05-01 07:30:00"),
            (time(Some("$dt $hm:00"), None, &[day, hour], "Europe/Zurich"), "2020-05-01 05:30:00"),
            (time(Some("$y-$m-$d"), None, &[("y", "2020"), ("m", "5"), ("d", "1")], "UTC"), "2020-05-01 00:00:00"),
            (time(Some("$dt $dth:00"), None, &[day, ("dth", "9")], "UTC"), "2020-05-01 09:00:00"),
            (time(None, Some("yyyyMMdd"), &[("dt", "20200501")], "UTC"), "2020-05-01 00:00:00"),
            (time(None, Some("yyyyMMdd'T'HH"), &[("dt", "20200501T07")], "UTC"), "2020-05-01 07:00:00"),
            (time(None, Some("dd.MM.yyyy HH:mm:ss"), &[("dt", "01.05.2020 07:30:15")], "UTC"), "2020-05-01 07:30:15"),
            // The clocks went from 02:00 to 03:00 then.
            (time(None, None, &[("t", "2020-03-29 02:30")], "Europe/Zurich"), "2020-03-29 01:30:00"),
        ];
        for (index, (found, expected)) in cases.iter().enumerate() {
            assert_eq!(found, expected, "case {index}");
        }
    }

    #[test]
    fn what_names_no_time_is_an_error() {
        let day = ("dt", "2020-05-01");
        assert_eq!(time(None, None, &[("dt", "May")], "UTC"), "'May' is not a time");
        assert_eq!(time(None, None, &[("dt", "null")], "UTC"), "a partition whose value is null has no time");
        assert_eq!(time(Some("$day"), None, &[day], "UTC"), "after '$' it should name one of PARTITIONED BY (dt)");
        assert_eq!(
            time(None, Some("dd MMM"), &[day], "UTC"),
            "'MMM' is not supported; use yyyy MM dd HH mm ss SSS and quoted text"
        );
        assert_eq!(time(None, Some("dd 'x"), &[day], "UTC"), "a quote is not closed");
    }
}
