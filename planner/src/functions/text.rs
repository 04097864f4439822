//! Functions that look into strings: parts, positions, counts and tests.
//!
//! Positions count characters from 1. A character is a Unicode code point, as in Flink's own strings; where Flink falls
//! back to Java strings (`OVERLAY`, `LPAD`) it counts an emoji as two, and we do not. Texts of ASCII alone take a path
//! without decoding.

use std::sync::LazyLock;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, Int32Type, Int64Type};
use datafusion_common::{Result, exec_err, plan_err};
use regex::Regex;

use super::definition::{Call, Definition, Kind, Takes, exactly, optional};
use super::number::parse_double;

/// The functions of this file.
pub(super) fn definitions() -> Vec<Definition> {
    const TEXT: Kind = Kind::Text;
    const INTEGER: Kind = Kind::Integer;
    vec![
        Definition::new("substring", optional(2, &[TEXT, INTEGER, INTEGER]), DataType::Utf8, substring).alias("substr"),
        Definition::new("left", exactly(&[TEXT, INTEGER]), DataType::Utf8, left),
        Definition::new("right", exactly(&[TEXT, INTEGER]), DataType::Utf8, right),
        Definition::new("split_index", Takes::Rule(split_arguments), DataType::Utf8, split_index),
        Definition::new("char_length", exactly(&[TEXT]), DataType::Int32, char_length).alias("character_length"),
        Definition::new("locate", optional(2, &[TEXT, TEXT, INTEGER]), DataType::Int32, locate).alias("position"),
        Definition::new("instr", optional(2, &[TEXT, TEXT, INTEGER, INTEGER]), DataType::Int32, instr).alias("strpos"),
        Definition::new("ascii", exactly(&[TEXT]), DataType::Int32, ascii),
        Definition::new("startswith", exactly(&[Kind::TextOrBytes, Kind::TextOrBytes]), DataType::Boolean, |call| {
            compare_bytes(call, |text, part| text.starts_with(part))
        }),
        Definition::new("endswith", exactly(&[Kind::TextOrBytes, Kind::TextOrBytes]), DataType::Boolean, |call| {
            compare_bytes(call, |text, part| text.ends_with(part))
        }),
        Definition::new("count_char", exactly(&[TEXT, TEXT]), DataType::Int64, count_char),
        Definition::new("is_alpha", exactly(&[Kind::Any]), DataType::Boolean, |call| is(call, Sort::Letters))
            .not_null(),
        Definition::new("is_digit", exactly(&[Kind::Any]), DataType::Boolean, |call| is(call, Sort::Digits)).not_null(),
        Definition::new("is_decimal", exactly(&[Kind::Any]), DataType::Boolean, |call| is(call, Sort::Number))
            .not_null(),
    ]
}

/// How many characters the text has.
pub(super) fn count_chars(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

/// The byte at which character `index` (from 0) begins; the end of the text when it has fewer.
pub(super) fn byte_of_char(text: &str, index: usize) -> usize {
    if text.is_ascii() {
        return index.min(text.len());
    }
    text.char_indices().nth(index).map_or(text.len(), |(byte, _)| byte)
}

/// A count that may be negative or larger than memory, as a count.
pub(super) fn clamped(count: i64) -> usize {
    usize::try_from(count.max(0)).unwrap_or(usize::MAX)
}

/// `SUBSTRING(text, start[, length])`: a negative start counts from the end, 0 is the first character; outside the text
/// it is empty; a negative length gives null.
fn substring(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, starts, lengths) = (call.text(0)?, call.integer(1)?, call.optional_integer(2)?);
    call.texts(|row| {
        let (Some(text), Some(start)) = (texts.get(row), starts.get(row)) else { return Ok(None) };
        let length = match &lengths {
            Some(lengths) => lengths.get(row),
            None => Some(i64::MAX),
        };
        Ok(length.filter(|length| *length >= 0).map(|length| part(text, start, clamped(length))))
    })
}

fn part(text: &str, start: i64, length: usize) -> &str {
    let skipped = match start {
        0 => 0,
        1.. => clamped(start - 1),
        _ => match count_chars(text).checked_sub(clamped(start.saturating_neg())) {
            Some(skipped) => skipped,
            None => return "",
        },
    };
    let rest = &text[byte_of_char(text, skipped)..];
    &rest[..byte_of_char(rest, length)]
}

/// `LEFT(text, count)`: empty for a negative count.
fn left(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, counts) = (call.text(0)?, call.integer(1)?);
    call.texts(|row| {
        Ok(texts.get(row).zip(counts.get(row)).map(|(text, count)| &text[..byte_of_char(text, clamped(count))]))
    })
}

/// `RIGHT(text, count)`: empty for a negative count.
fn right(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, counts) = (call.text(0)?, call.integer(1)?);
    call.texts(|row| {
        Ok(texts.get(row).zip(counts.get(row)).map(|(text, count)| {
            let skipped = count_chars(text).saturating_sub(clamped(count));
            &text[byte_of_char(text, skipped)..]
        }))
    })
}

/// The delimiter is a text or the number of a character.
fn split_arguments(given: &[DataType]) -> Result<Vec<DataType>> {
    let [text, delimiter, index] = given else {
        return plan_err!("split_index takes 3 arguments, but {} are given", given.len());
    };
    let delimiter_kind = if delimiter.is_integer() { Kind::Integer } else { Kind::Text };
    let coerced = [(text, Kind::Text), (delimiter, delimiter_kind), (index, Kind::Integer)]
        .into_iter()
        .map(|(given, kind)| kind.coerced(given))
        .collect::<Option<Vec<_>>>();
    match coerced {
        Some(types) => Ok(types),
        None => plan_err!("split_index takes (string, string or character number, integer), not {given:?}"),
    }
}

/// `SPLIT_INDEX(text, delimiter, index)`: the piece with this index from 0; null outside, for an empty text, and for a
/// character number that is not from 1 to 255. An empty delimiter splits at white space.
fn split_index(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, indexes) = (call.text(0)?, call.integer(2)?);
    if *call.column(1)?.values().data_type() == DataType::Int64 {
        let numbers = call.integer(1)?;
        return call.texts(|row| {
            let delimiter = numbers.get(row).and_then(|number| u8::try_from(number).ok()).filter(|number| *number > 0);
            let (Some(text), Some(index), Some(delimiter)) = (texts.get(row), indexes.get(row), delimiter) else {
                return Ok(None);
            };
            Ok(piece(text.split(char::from(delimiter)), text, index))
        });
    }
    let delimiters = call.text(1)?;
    call.texts(|row| {
        let (Some(text), Some(delimiter), Some(index)) = (texts.get(row), delimiters.get(row), indexes.get(row)) else {
            return Ok(None);
        };
        Ok(match delimiter.as_bytes() {
            [] => piece(text.split(char::is_whitespace), text, index),
            // One character is searched for without a searcher being built.
            [byte] if byte.is_ascii() => piece(text.split(char::from(*byte)), text, index),
            _ => piece(text.split(delimiter), text, index),
        })
    })
}

fn piece<'a>(mut pieces: impl Iterator<Item = &'a str>, text: &str, index: i64) -> Option<&'a str> {
    match usize::try_from(index) {
        Ok(index) if !text.is_empty() => pieces.nth(index),
        _ => None,
    }
}

/// `CHAR_LENGTH(text)`.
fn char_length(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    call.numbers::<Int32Type>(|row| Ok(texts.get(row).map(|text| int(count_chars(text)))))
}

/// Strings are shorter than 2 GiB, so their positions are INTs.
fn int(position: usize) -> i32 {
    i32::try_from(position).unwrap_or(i32::MAX)
}

/// Position from 1 of `part` in `text`, looked for from character `from` (from 0); 0 when it is not there.
fn position(text: &str, part: &str, from: usize) -> usize {
    if part.is_empty() {
        return 1;
    }
    let start = byte_of_char(text, from);
    match text[start..].find(part) {
        Some(at) => count_chars(&text[..start + at]) + 1,
        None => 0,
    }
}

/// `LOCATE(part, text[, from])`, `POSITION(part IN text)`: 0 when the part is not there.
fn locate(call: &Call<'_>) -> Result<ArrayRef> {
    let (parts, texts, starts) = (call.text(0)?, call.text(1)?, call.optional_integer(2)?);
    call.numbers::<Int32Type>(|row| {
        let from = match &starts {
            Some(starts) => starts.get(row),
            None => Some(1),
        };
        let (Some(part), Some(text), Some(from)) = (parts.get(row), texts.get(row), from) else { return Ok(None) };
        Ok(Some(int(position(text, part, clamped(from - 1)))))
    })
}

/// `INSTR(text, part[, from[, nth]])`: a negative `from` counts from the end and searches backwards.
fn instr(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, parts) = (call.text(0)?, call.text(1)?);
    let (starts, counts) = (call.optional_integer(2)?, call.optional_integer(3)?);
    call.numbers::<Int32Type>(|row| {
        let from = starts.as_ref().map_or(Some(1), |starts| starts.get(row));
        let nth = counts.as_ref().map_or(Some(1), |counts| counts.get(row));
        let (Some(text), Some(part), Some(from), Some(nth)) = (texts.get(row), parts.get(row), from, nth) else {
            return Ok(None);
        };
        if nth <= 0 {
            return exec_err!("the occurrence {nth} that instr looks for must be 1 or more");
        }
        Ok(Some(int(if from < 0 {
            instr_backwards(text, part, from, nth)
        } else {
            instr_forwards(text, part, from, nth)
        })))
    })
}

fn instr_forwards(text: &str, part: &str, from: i64, nth: i64) -> usize {
    let Some(mut from) = usize::try_from(from).ok().and_then(|from| from.checked_sub(1)) else { return 0 };
    let mut found = 0;
    for _ in 0..nth {
        found = position(text, part, from);
        // The next search begins behind the first character of what was found.
        if found == 0 || found == from && part.is_empty() {
            break;
        }
        from = found;
    }
    found
}

fn instr_backwards(text: &str, part: &str, from: i64, nth: i64) -> usize {
    let reversed = |text: &str| text.chars().rev().collect::<String>();
    match instr_forwards(&reversed(text), &reversed(part), from.saturating_neg(), nth) {
        0 => 0,
        found => (count_chars(text) + 2).saturating_sub(found + count_chars(part)),
    }
}

/// `ASCII(text)`: the number of the first character; 0 for an empty text.
fn ascii(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    call.numbers::<Int32Type>(|row| {
        Ok(texts
            .get(row)
            .map(|text| text.chars().next().map_or(0, |first| i32::try_from(u32::from(first)).unwrap_or(0))))
    })
}

fn compare_bytes(call: &Call<'_>, compare: impl Fn(&[u8], &[u8]) -> bool) -> Result<ArrayRef> {
    let (texts, parts) = (call.bytes(0)?, call.bytes(1)?);
    call.booleans(|row| Ok(texts.get(row).zip(parts.get(row)).map(|(text, part)| compare(text, part))))
}

/// `COUNT_CHAR(text, character)`, Nexmark's function: how often the first character of the second argument is in the
/// text; 0 for a null text.
fn count_char(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, characters) = (call.text(0)?, call.text(1)?);
    call.numbers::<Int64Type>(|row| {
        let Some(character) = characters.get(row) else { return Ok(None) };
        let (Some(text), Some(character)) = (texts.get(row), character.chars().next()) else { return Ok(Some(0)) };
        let count = match u8::try_from(character) {
            // Counting equal bytes is a loop that the compiler turns into vector instructions.
            Ok(byte) if byte.is_ascii() => text.bytes().filter(|other| *other == byte).count(),
            _ => text.chars().filter(|other| *other == character).count(),
        };
        Ok(Some(i64::try_from(count).unwrap_or(i64::MAX)))
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Letters,
    Digits,
    Number,
}

/// Java's letters and decimal digits of all scripts.
static LETTERS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\p{L}+$").ok());
static DIGITS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\p{Nd}+$").ok());

/// `IS_ALPHA`, `IS_DIGIT`, `IS_DECIMAL`: false for null and for an empty text; a number is its own answer.
fn is(call: &Call<'_>, sort: Sort) -> Result<ArrayRef> {
    let column = call.column(0)?;
    let data_type = column.values().data_type();
    if Kind::Text.coerced(data_type).is_none() {
        let answer = match sort {
            Sort::Letters => false,
            Sort::Digits => data_type.is_integer(),
            Sort::Number => data_type.is_numeric(),
        };
        return call.booleans(|row| {
            let row = if column.is_literal() { 0 } else { row };
            Ok(Some(answer && column.values().is_valid(row)))
        });
    }
    let texts = call.cast_text(0)?;
    call.booleans(|row| Ok(Some(texts.get(row).is_some_and(|text| consists_of(text, sort)))))
}

fn consists_of(text: &str, sort: Sort) -> bool {
    let matches = |regex: &Option<Regex>| regex.as_ref().is_some_and(|regex| regex.is_match(text));
    match sort {
        _ if text.is_empty() => false,
        Sort::Letters if text.is_ascii() => text.bytes().all(|byte| byte.is_ascii_alphabetic()),
        Sort::Digits if text.is_ascii() => text.bytes().all(|byte| byte.is_ascii_digit()),
        Sort::Letters => matches(&LETTERS),
        Sort::Digits => matches(&DIGITS),
        Sort::Number => parse_double(text).is_some(),
    }
}

#[cfg(test)]
mod tests;
