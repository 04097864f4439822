//! Reads the options of a table, each once, and refuses those that nobody has read.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use crate::TableSpec;
use crate::error::{Error, Result};

/// The options of one table while they are read. [`Options::finish`] refuses what is left.
#[derive(Debug)]
pub struct Options<'a> {
    table: &'a str,
    left: BTreeMap<&'a str, &'a str>,
    known: Vec<&'static str>,
}

impl<'a> Options<'a> {
    /// The options of `table`, none read yet.
    pub fn of(table: &'a TableSpec) -> Self {
        let left = table.options.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        Self { table: &table.name, left, known: Vec::new() }
    }

    /// The text of `key`, if it is set.
    pub fn text(&mut self, key: &'static str) -> Option<&'a str> {
        #[cfg(test)]
        assert!(crate::reference::is_described(key), "the option '{key}' is not in connectors/src/reference.rs");
        self.known.push(key);
        self.left.remove(key)
    }

    /// The text of `key`, which must be set.
    pub fn required(&mut self, key: &'static str) -> Result<&'a str> {
        self.text(key).ok_or_else(|| Error::new(self.table, format!("the option '{key}' is missing")))
    }

    /// The value of `key`, if it is set. `what` says what it should be: `a whole number`.
    pub fn parsed<T: FromStr>(&mut self, key: &'static str, what: &str) -> Result<Option<T>>
    where
        T::Err: Display,
    {
        let Some(text) = self.text(key) else { return Ok(None) };
        match text.trim().parse() {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(self.refuse(key, text, &format!("it should be {what} ({error})"))),
        }
    }

    /// The boolean under `key`, if it is set.
    pub fn boolean(&mut self, key: &'static str) -> Result<Option<bool>> {
        self.parsed(key, "true or false")
    }

    /// The duration under `key`, if it is set: `5 s`, `1min`, `200 ms`, `1 d`, as Flink writes them; a bare number is
    /// milliseconds.
    pub fn duration(&mut self, key: &'static str) -> Result<Option<Duration>> {
        let Some(text) = self.text(key) else { return Ok(None) };
        match parse_duration(text) {
            Some(duration) => Ok(Some(duration)),
            None => Err(self.refuse(key, text, "it should be a duration such as '5 s', '1 min' or '200 ms'")),
        }
    }

    /// The number of bytes under `key`, if it is set: `128mb`, `1 kb`, as Flink writes them; a bare number is bytes.
    pub fn bytes(&mut self, key: &'static str) -> Result<Option<u64>> {
        let Some(text) = self.text(key) else { return Ok(None) };
        match parse_bytes(text) {
            Some(bytes) => Ok(Some(bytes)),
            None => Err(self.refuse(key, text, "it should be a size such as '128 mb' or '1 kb'")),
        }
    }

    /// All options that start with `prefix`, the prefix cut off (`fields.name.kind`).
    pub fn with_prefix(&mut self, prefix: &str) -> BTreeMap<&'a str, &'a str> {
        let keys: Vec<&'a str> = self.left.keys().copied().filter(|key| key.starts_with(prefix)).collect();
        keys.into_iter().filter_map(|key| Some((&key[prefix.len()..], self.left.remove(key)?))).collect()
    }

    /// An error about the value of `key`.
    pub fn refuse(&self, key: &str, value: &str, why: &str) -> Error {
        Error::new(self.table, format!("the option '{key}' = '{value}' cannot be used: {why}"))
    }

    /// An error about the table.
    pub fn error(&self, message: impl Into<String>) -> Error {
        Error::new(self.table, message)
    }

    /// Refuses options that were not read, each with the nearest name that there is.
    pub fn finish(self) -> Result<()> {
        let Some(unknown) = self.left.keys().next() else { return Ok(()) };
        let near = self
            .known
            .iter()
            .map(|known| (strsim::damerau_levenshtein(known, unknown), known))
            .min()
            .filter(|(distance, known)| *distance <= known.len() / 2);
        let hint = near.map_or_else(String::new, |(_, known)| format!("; did you mean '{known}'?"));
        Err(Error::new(self.table, format!("the option '{unknown}' is not known here{hint}")))
    }
}

/// Flink's durations: a number and a unit (`ns us ms s min h d` and their long names). A bare number is milliseconds.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = number_and_unit(text)?;
    Some(match unit.as_str() {
        "" | "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => Duration::from_millis(number),
        "ns" | "nano" | "nanos" | "nanosecond" | "nanoseconds" => Duration::from_nanos(number),
        "us" | "µs" | "micro" | "micros" | "microsecond" | "microseconds" => Duration::from_micros(number),
        "s" | "sec" | "secs" | "second" | "seconds" => Duration::from_secs(number),
        "m" | "min" | "mins" | "minute" | "minutes" => Duration::from_secs(number.checked_mul(60)?),
        "h" | "hour" | "hours" => Duration::from_secs(number.checked_mul(3_600)?),
        "d" | "day" | "days" => Duration::from_secs(number.checked_mul(86_400)?),
        _ => return None,
    })
}

/// Flink's sizes: a number and a unit (`b kb mb gb tb` and their long names). A bare number is bytes.
pub fn parse_bytes(text: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
    let shift = match unit.as_str() {
        "" | "b" | "bytes" => 0,
        "k" | "kb" | "kibibytes" => 10,
        "m" | "mb" | "mebibytes" => 20,
        "g" | "gb" | "gibibytes" => 30,
        "t" | "tb" | "tebibytes" => 40,
        _ => return None,
    };
    number.checked_mul(1 << shift)
}

fn number_and_unit(text: &str) -> Option<(u64, String)> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number = text[..digits].parse().ok()?;
    Some((number, text[digits..].trim().to_lowercase()))
}
