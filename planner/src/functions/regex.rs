//! The functions on regular expressions: `REGEXP`, `REGEXP_EXTRACT`, `REGEXP_REPLACE` and the smaller ones.
//!
//! A literal pattern is compiled once per registry, and a wrong one is an error while planning. A pattern from a column
//! is compiled when it changes; a wrong one gives null (false for `REGEXP`), as in Flink.

use std::sync::Arc;

use arrow::array::{ArrayRef, ListBuilder, StringBuilder};
use arrow::datatypes::{DataType, Field, Int32Type};
use datafusion_common::{DataFusionError, Result, ScalarValue};
use regex::{CaptureLocations, NoExpand, Regex};

use super::arguments::Texts;
use super::definition::{Call, Definition, Kind, exactly, optional};
use super::java_regex::{JavaRegex, RegexError};
use super::session::Session;
use super::text::count_chars;

/// The functions of this file.
pub(super) fn definitions() -> Vec<Definition> {
    const TEXT: Kind = Kind::Text;
    const GROUP: &[Kind] = &[TEXT, TEXT, Kind::Integer];
    let strings = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
    vec![
        Definition::new("regexp", exactly(&[TEXT, TEXT]), DataType::Boolean, regexp)
            .alias("rlike")
            .checked(must_be_valid),
        Definition::new("regexp_extract", optional(2, GROUP), DataType::Utf8, extract).checked(must_be_valid),
        Definition::new("regexp_replace", exactly(&[TEXT, TEXT, TEXT]), DataType::Utf8, replace).checked(must_be_valid),
        Definition::new("regexp_extract_all", optional(2, GROUP), strings, extract_all).checked(must_be_supported),
        Definition::new("regexp_count", exactly(&[TEXT, TEXT]), DataType::Int32, count).checked(must_be_supported),
        Definition::new("regexp_instr", exactly(&[TEXT, TEXT]), DataType::Int32, position).checked(must_be_supported),
        Definition::new("regexp_substr", exactly(&[TEXT, TEXT]), DataType::Utf8, first).checked(must_be_supported),
    ]
}

impl Session {
    /// The compiled pattern; an error when Java accepts it and we do not.
    pub(super) fn regex(&self, pattern: &str) -> Result<Arc<JavaRegex>> {
        self.regexes.get(pattern, JavaRegex::compile).map_err(plan_error)
    }
}

fn plan_error(error: RegexError) -> DataFusionError {
    DataFusionError::Plan(error.to_string())
}

fn literal_pattern(session: &Session, literals: &[Option<&ScalarValue>]) -> Result<Option<Arc<JavaRegex>>> {
    let pattern = literals.get(1).copied().flatten().and_then(|scalar| scalar.try_as_str().flatten());
    pattern.map(|pattern| session.regex(pattern)).transpose()
}

fn must_be_supported(session: &Session, literals: &[Option<&ScalarValue>]) -> Result<()> {
    literal_pattern(session, literals).map(|_| ())
}

fn must_be_valid(session: &Session, literals: &[Option<&ScalarValue>]) -> Result<()> {
    match literal_pattern(session, literals)? {
        Some(regex) => regex.valid().map(|_| ()).map_err(plan_error),
        None => Ok(()),
    }
}

/// The patterns of an argument, compiled when they change from one row to the next.
pub(super) struct Patterns<'a> {
    session: &'a Session,
    texts: Texts,
    last: Option<Compiled>,
}

struct Compiled {
    pattern: String,
    regex: Arc<JavaRegex>,
    /// Where the groups of a match are put: one for all rows, as making one costs more than most matches.
    groups: Option<CaptureLocations>,
}

impl<'a> Patterns<'a> {
    /// The patterns in argument `index`.
    pub(super) fn of(call: &'a Call<'_>, index: usize) -> Result<Self> {
        Ok(Self { session: call.session, texts: call.text(index)?, last: None })
    }

    /// The pattern of a row; `None` when it is null or wrong.
    pub(super) fn get(&mut self, row: usize) -> Result<Option<&Regex>> {
        Ok(self.compiled(row)?.and_then(|compiled| compiled.regex.regex.as_ref()))
    }

    /// What a group of the first match in `text` matched; group 0 is the whole match.
    fn group<'t>(&mut self, row: usize, text: &'t str, group: usize) -> Result<Option<&'t str>> {
        let Some(Compiled { regex, groups, .. }) = self.compiled(row)? else { return Ok(None) };
        let Some(regex) = &regex.regex else { return Ok(None) };
        if group == 0 {
            return Ok(regex.find(text).map(|found| found.as_str()));
        }
        let groups = groups.get_or_insert_with(|| regex.capture_locations());
        let range = regex.captures_read(groups, text).and_then(|_| groups.get(group));
        Ok(range.and_then(|(start, end)| text.get(start..end)))
    }

    fn compiled(&mut self, row: usize) -> Result<Option<&mut Compiled>> {
        let Some(pattern) = self.texts.get(row) else { return Ok(None) };
        if self.last.as_ref().is_none_or(|last| last.pattern != pattern) {
            let regex = self.session.regex(pattern)?;
            self.last = Some(Compiled { pattern: pattern.to_owned(), regex, groups: None });
        }
        Ok(self.last.as_mut())
    }
}

/// `REGEXP(text, pattern)`: whether any part of the text matches; never for an empty pattern.
fn regexp(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, raw) = (call.text(0)?, call.text(1)?);
    let mut patterns = Patterns::of(call, 1)?;
    call.booleans(|row| {
        let (Some(text), Some(raw)) = (texts.get(row), raw.get(row)) else { return Ok(None) };
        let regex = patterns.get(row)?;
        Ok(Some(!raw.is_empty() && regex.is_some_and(|regex| regex.is_match(text))))
    })
}

/// `REGEXP_EXTRACT(text, pattern[, group])`: null when nothing matches, or the group took no part or does not exist.
fn extract(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, groups) = (call.text(0)?, call.optional_integer(2)?);
    let mut patterns = Patterns::of(call, 1)?;
    call.texts(|row| {
        let group = groups.as_ref().map_or(Some(0), |groups| groups.get(row));
        match (texts.get(row), group.map(usize::try_from)) {
            (Some(text), Some(Ok(group))) => patterns.group(row, text, group),
            (None, _) | (_, None | Some(Err(_))) => Ok(None),
        }
    })
}

/// `REGEXP_REPLACE(text, pattern, replacement)`: every match; the replacement stands for itself (`$1` is no group), as
/// in Flink.
fn replace(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, replacements) = (call.text(0)?, call.text(2)?);
    let mut patterns = Patterns::of(call, 1)?;
    call.texts(|row| match (texts.get(row), patterns.get(row)?, replacements.get(row)) {
        (Some(text), Some(regex), Some(replacement)) => Ok(Some(regex.replace_all(text, NoExpand(replacement)))),
        _ => Ok(None),
    })
}

/// `REGEXP_EXTRACT_ALL(text, pattern[, group])`: group 1 unless said otherwise; null when the group does not exist.
fn extract_all(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, groups) = (call.text(0)?, call.optional_integer(2)?);
    let mut patterns = Patterns::of(call, 1)?;
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in 0..call.rows {
        let group =
            groups.as_ref().map_or(Some(1), |groups| groups.get(row)).and_then(|group| usize::try_from(group).ok());
        match (texts.get(row), patterns.get(row)?, group) {
            (Some(text), Some(regex), Some(group)) if group < regex.captures_len() => {
                for captures in regex.captures_iter(text) {
                    lists.values().append_option(captures.get(group).map(|found| found.as_str()));
                }
                lists.append(true);
            }
            _ => lists.append(false),
        }
    }
    Ok(Arc::new(lists.finish()))
}

/// `REGEXP_COUNT(text, pattern)`.
fn count(call: &Call<'_>) -> Result<ArrayRef> {
    per_match(call, |regex, text| i32::try_from(regex.find_iter(text).count()).unwrap_or(i32::MAX))
}

/// `REGEXP_INSTR(text, pattern)`: the position from 1 of the first match; 0 without one.
fn position(call: &Call<'_>) -> Result<ArrayRef> {
    per_match(call, |regex, text| {
        let position = regex.find(text).map_or(0, |found| count_chars(&text[..found.start()]) + 1);
        i32::try_from(position).unwrap_or(i32::MAX)
    })
}

fn per_match(call: &Call<'_>, answer: impl Fn(&Regex, &str) -> i32) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    let mut patterns = Patterns::of(call, 1)?;
    call.numbers::<Int32Type>(|row| Ok(texts.get(row).zip(patterns.get(row)?).map(|(text, regex)| answer(regex, text))))
}

/// `REGEXP_SUBSTR(text, pattern)`: the first match.
fn first(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    let mut patterns = Patterns::of(call, 1)?;
    call.texts(|row| {
        let found = texts.get(row).zip(patterns.get(row)?).and_then(|(text, regex)| regex.find(text));
        Ok(found.map(|found| found.as_str()))
    })
}

#[cfg(test)]
mod tests;
