//! Functions that make strings: joining, padding, replacing, changing case, trimming.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err};

use super::arguments::{TextWriter, Texts};
use super::definition::{Call, Definition, Kind, Takes, exactly, optional};
use super::text::{byte_of_char, clamped, count_chars};

/// How large one string may become, in bytes: functions that multiply their argument must not take the machine's
/// memory.
const LARGEST: usize = 64 << 20;

/// The functions of this file.
pub(super) fn definitions() -> Vec<Definition> {
    const TEXT: Kind = Kind::Text;
    const INTEGER: Kind = Kind::Integer;
    let text = |name, body| Definition::new(name, exactly(&[TEXT]), DataType::Utf8, body);
    let trim = |name, body| Definition::new(name, optional(1, &[TEXT, TEXT]), DataType::Utf8, body);
    let pad = |name, body| Definition::new(name, exactly(&[TEXT, INTEGER, TEXT]), DataType::Utf8, body);
    vec![
        Definition::new("concat", Takes::Many { kind: TEXT, least: 1 }, DataType::Utf8, concat),
        Definition::new("concat_ws", Takes::Many { kind: TEXT, least: 1 }, DataType::Utf8, concat_ws),
        text("upper", |call| changed(call, str::to_uppercase)),
        text("lower", |call| changed(call, str::to_lowercase)),
        text("initcap", |call| changed(call, capitalised)),
        text("reverse", |call| changed(call, |text| text.chars().rev().collect())),
        trim("btrim", |call| trimmed(call, true, true)).alias("trim"),
        trim("ltrim", |call| trimmed(call, true, false)),
        trim("rtrim", |call| trimmed(call, false, true)),
        pad("lpad", |call| padded(call, Side::Left)),
        pad("rpad", |call| padded(call, Side::Right)),
        Definition::new("repeat", exactly(&[TEXT, INTEGER]), DataType::Utf8, repeat),
        Definition::new("replace", exactly(&[TEXT, TEXT, TEXT]), DataType::Utf8, replace),
        Definition::new("overlay", optional(3, &[TEXT, TEXT, INTEGER, INTEGER]), DataType::Utf8, overlay),
        Definition::new("translate", exactly(&[TEXT, TEXT, TEXT]), DataType::Utf8, translate).alias("translate3"),
        Definition::new("chr", exactly(&[INTEGER]), DataType::Utf8, chr),
    ]
}

/// `CONCAT(text, …)`: null if any is null.
fn concat(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = (0..call.given()).map(|index| call.text(index)).collect::<Result<Vec<Texts>>>()?;
    call.write_texts(|row, out| {
        if texts.iter().any(|texts| texts.get(row).is_none()) {
            return Ok(None);
        }
        texts.iter().filter_map(|texts| texts.get(row)).for_each(|text| out.push(text));
        Ok(Some(()))
    })
}

/// `CONCAT_WS(separator, text, …)`: null texts are left out; null if the separator is null.
fn concat_ws(call: &Call<'_>) -> Result<ArrayRef> {
    let separators = call.text(0)?;
    let texts = (1..call.given()).map(|index| call.text(index)).collect::<Result<Vec<Texts>>>()?;
    call.write_texts(|row, out| {
        let Some(separator) = separators.get(row) else { return Ok(None) };
        for (index, text) in texts.iter().filter_map(|texts| texts.get(row)).enumerate() {
            if index > 0 {
                out.push(separator);
            }
            out.push(text);
        }
        Ok(Some(()))
    })
}

fn changed(call: &Call<'_>, change: fn(&str) -> String) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    call.texts(|row| Ok(texts.get(row).map(change)))
}

/// The first letter of each word large and the others small; a word is a run of letters and digits.
fn capitalised(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for letter in text.chars() {
        match inside {
            true => out.extend(letter.to_lowercase()),
            false => out.extend(letter.to_uppercase()),
        }
        inside = letter.is_alphanumeric();
    }
    out
}

/// `TRIM`, `LTRIM`, `RTRIM`: takes away the characters of the second argument, a blank when there is none.
fn trimmed(call: &Call<'_>, start: bool, end: bool) -> Result<ArrayRef> {
    let (texts, sets) = (call.text(0)?, call.optional_text(1)?);
    call.texts(|row| {
        let set = sets.as_ref().map_or(Some(" "), |sets| sets.get(row));
        let (Some(text), Some(set)) = (texts.get(row), set) else { return Ok(None) };
        let taken = |letter: char| set.contains(letter);
        let text = if start { text.trim_start_matches(taken) } else { text };
        Ok(Some(if end { text.trim_end_matches(taken) } else { text }))
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// `LPAD(text, length, pad)`, `RPAD(text, length, pad)`: exactly `length` characters; null for a negative length or
/// nothing to pad with.
fn padded(call: &Call<'_>, side: Side) -> Result<ArrayRef> {
    let (texts, lengths, pads) = (call.text(0)?, call.integer(1)?, call.text(2)?);
    call.write_texts(|row, out| {
        let (Some(text), Some(length), Some(pad)) = (texts.get(row), lengths.get(row), pads.get(row)) else {
            return Ok(None);
        };
        if length < 0 || pad.is_empty() {
            return Ok(None);
        }
        let length = clamped(length);
        let missing = length.saturating_sub(count_chars(text));
        check_size(call, text.len().saturating_add(missing.saturating_mul(4)))?;
        let kept = &text[..byte_of_char(text, length)];
        if side == Side::Right {
            out.push(kept);
        }
        push_pad(out, pad, missing);
        if side == Side::Left {
            out.push(kept);
        }
        Ok(Some(()))
    })
}

fn push_pad(out: &mut TextWriter, pad: &str, missing: usize) {
    let length = count_chars(pad);
    (0..missing / length).for_each(|_| out.push(pad));
    out.push(&pad[..byte_of_char(pad, missing % length)]);
}

fn check_size(call: &Call<'_>, bytes: usize) -> Result<()> {
    match bytes <= LARGEST {
        true => Ok(()),
        false => exec_err!("{} would make a string of {bytes} bytes: the largest is {LARGEST}", call.name),
    }
}

/// `REPEAT(text, count)`: empty for a count of 0 or less.
fn repeat(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, counts) = (call.text(0)?, call.integer(1)?);
    call.write_texts(|row, out| {
        let (Some(text), Some(count)) = (texts.get(row), counts.get(row)) else { return Ok(None) };
        check_size(call, text.len().saturating_mul(clamped(count)))?;
        if !text.is_empty() {
            (0..count).for_each(|_| out.push(text));
        }
        Ok(Some(()))
    })
}

/// `REPLACE(text, old, new)`.
fn replace(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, olds, news) = (call.text(0)?, call.text(1)?, call.text(2)?);
    call.texts(|row| match (texts.get(row), olds.get(row), news.get(row)) {
        (Some(text), Some(old), Some(new)) => {
            let pieces = if old.is_empty() { count_chars(text) + 1 } else { text.len() / old.len() };
            check_size(call, text.len().saturating_add(pieces.saturating_mul(new.len())))?;
            Ok(Some(text.replace(old, new)))
        }
        _ => Ok(None),
    })
}

/// `OVERLAY(text PLACING new FROM start [FOR length])`: a start outside the text leaves it; a length that reaches its
/// end or is not positive drops the rest.
fn overlay(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, news, starts, lengths) = (call.text(0)?, call.text(1)?, call.integer(2)?, call.optional_integer(3)?);
    call.write_texts(|row, out| {
        let (Some(text), Some(new), Some(start)) = (texts.get(row), news.get(row), starts.get(row)) else {
            return Ok(None);
        };
        let length = match &lengths {
            Some(lengths) => lengths.get(row),
            None => i64::try_from(count_chars(new)).ok(),
        };
        let Some(length) = length else { return Ok(None) };
        let size = i64::try_from(count_chars(text)).unwrap_or(i64::MAX);
        if start <= 0 || start > size {
            out.push(text);
            return Ok(Some(()));
        }
        out.push(&text[..byte_of_char(text, clamped(start - 1))]);
        out.push(new);
        if length > 0 && start.saturating_add(length) <= size {
            out.push(&text[byte_of_char(text, clamped(start - 1 + length))..]);
        }
        Ok(Some(()))
    })
}

/// `TRANSLATE(text, from, to)`: each character of `from` becomes the one at its place in `to`, or goes when there is
/// none. A null `from` leaves the text, a null `to` is empty.
fn translate(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, froms, tos) = (call.text(0)?, call.text(1)?, call.text(2)?);
    call.texts(|row| {
        let Some(text) = texts.get(row) else { return Ok(None) };
        let from: Vec<char> = froms.get(row).unwrap_or_default().chars().collect();
        let to: Vec<char> = tos.get(row).unwrap_or_default().chars().collect();
        let change = |letter: char| match from.iter().position(|other| *other == letter) {
            Some(at) => to.get(at).copied(),
            None => Some(letter),
        };
        Ok(Some(text.chars().filter_map(change).collect::<String>()))
    })
}

/// `CHR(number)`: the character of the number's last 8 bits; empty for a negative number.
fn chr(call: &Call<'_>) -> Result<ArrayRef> {
    let numbers = call.integer(0)?;
    call.write_texts(|row, out| {
        let Some(number) = numbers.get(row) else { return Ok(None) };
        if let (0.., Ok(byte)) = (number, u8::try_from(number.rem_euclid(256))) {
            out.push(char::from(byte).encode_utf8(&mut [0; 4]));
        }
        Ok(Some(()))
    })
}

#[cfg(test)]
mod tests;
