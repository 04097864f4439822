//! `JSON_VALUE`, `JSON_EXISTS`, `JSON_QUERY`, `IS JSON`, `JSON_QUOTE`, `JSON_UNQUOTE`.
//!
//! The SQL front end puts the clauses of the standard into arguments, as upper-case literals: `json_value(text, path[,
//! on empty, default, on error, default])` with `NULL`, `ERROR` or `DEFAULT`; `json_exists(text, path[, on error])`
//! with `TRUE`, `FALSE`, `UNKNOWN` or `ERROR`; `json_query(text, path[, wrapper, on empty, on error])` with `WITHOUT`,
//! `CONDITIONAL` or `UNCONDITIONAL`, and `NULL`, `ERROR`, `EMPTY ARRAY` or `EMPTY OBJECT`; `is_json(text[, type])` with
//! `VALUE`, `SCALAR`, `ARRAY` or `OBJECT`. A `RETURNING` clause is a cast around the call. See `json_path` for paths
//! and modes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion_common::{DataFusionError, Result, ScalarValue, exec_err};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::arguments::Texts;
use super::definition::{Call, Definition, Kind, exactly, optional};
use super::json_path::{Found, JsonPath, Mode};
use super::number::big_decimal;
use super::session::Session;

/// How deep arrays and objects may be nested in what `JSON_QUERY` prints.
const DEEPEST: usize = 128;

/// The functions of this file.
pub(super) fn definitions() -> Vec<Definition> {
    const TEXT: Kind = Kind::Text;
    vec![
        Definition::new("json_value", optional(2, &[TEXT; 6]), DataType::Utf8, value).checked(path_compiles),
        Definition::new("json_exists", optional(2, &[TEXT; 3]), DataType::Boolean, exists).checked(path_compiles),
        Definition::new("json_query", optional(2, &[TEXT; 5]), DataType::Utf8, query).checked(path_compiles),
        Definition::new("is_json", optional(1, &[TEXT; 2]), DataType::Boolean, is_json).not_null(),
        Definition::new("json_quote", exactly(&[TEXT]), DataType::Utf8, quote),
        Definition::new("json_unquote", exactly(&[TEXT]), DataType::Utf8, unquote),
    ]
}

impl Session {
    fn json_path(&self, path: &str) -> Result<Arc<JsonPath>> {
        self.paths.get(path, JsonPath::compile).map_err(|error| DataFusionError::Plan(error.to_string()))
    }
}

fn path_compiles(session: &Session, literals: &[Option<&ScalarValue>]) -> Result<()> {
    match literals.get(1).copied().flatten().and_then(|scalar| scalar.try_as_str().flatten()) {
        Some(path) => session.json_path(path).map(|_| ()),
        None => Ok(()),
    }
}

/// The texts and the paths of a call.
struct Lookup<'a> {
    session: &'a Session,
    texts: Texts,
    paths: Texts,
    last: Option<(String, Arc<JsonPath>)>,
}

impl<'a> Lookup<'a> {
    fn of(call: &'a Call<'_>) -> Result<Self> {
        Ok(Self { session: call.session, texts: call.text(0)?, paths: call.text(1)?, last: None })
    }

    /// The mode of the row's path and what it found; `None` when text or path is null.
    fn get(&mut self, row: usize) -> Result<Option<(Mode, Found<'_>)>> {
        let (Some(text), Some(path)) = (self.texts.get(row), self.paths.get(row)) else { return Ok(None) };
        if self.last.as_ref().is_none_or(|(last, _)| last != path) {
            self.last = Some((path.to_owned(), self.session.json_path(path)?));
        }
        Ok(self.last.as_ref().map(|(_, path)| (path.mode, path.find(text))))
    }
}

/// What a lookup comes to, before the clauses of the call decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome<'j> {
    Value(&'j str),
    Empty,
    Failed(&'static str),
}

/// A JSON null is empty. What is missing, or is no JSON, is empty in lax mode and an error in strict mode; so is a
/// value that `wanted` refuses.
fn outcome<'j>(mode: Mode, found: Found<'j>, wanted: fn(&str) -> bool, refused: &'static str) -> Outcome<'j> {
    let (outcome, reason) = match found {
        Found::Value("null") => return Outcome::Empty,
        Found::Value(value) if wanted(value) => return Outcome::Value(value),
        Found::Value(_) => (Outcome::Empty, refused),
        Found::Missing => (Outcome::Empty, "the path names nothing"),
        Found::Malformed => (Outcome::Empty, "the text is not JSON"),
    };
    match mode {
        Mode::Lax => outcome,
        Mode::Strict => Outcome::Failed(reason),
    }
}

fn is_scalar(value: &str) -> bool {
    !is_composite(value)
}

fn is_composite(value: &str) -> bool {
    value.starts_with(['{', '['])
}

/// The literal in argument `index`, or the default when the argument is absent.
fn clause(call: &Call<'_>, index: usize, default: &str) -> Result<String> {
    match call.optional_text(index)? {
        None => Ok(default.to_owned()),
        Some(_) => Ok(call.literal_text(index, "a clause")?.to_ascii_uppercase()),
    }
}

/// `JSON_VALUE`: a string without its quotes, a number with its digits, `true` or `false`.
fn value(call: &Call<'_>) -> Result<ArrayRef> {
    let (on_empty, on_error) = (clause(call, 2, "NULL")?, clause(call, 4, "NULL")?);
    let (empties, errors) = (call.optional_text(3)?, call.optional_text(5)?);
    let mut lookup = Lookup::of(call)?;
    call.texts(|row| {
        let Some((mode, found)) = lookup.get(row)? else { return Ok(None) };
        let (clause, defaults, reason) = match outcome(mode, found, is_scalar, "the path names an array or object") {
            Outcome::Value(value) => return Ok(Some(scalar_text(value))),
            Outcome::Empty => (&on_empty, &empties, "the path names nothing"),
            Outcome::Failed(reason) => (&on_error, &errors, reason),
        };
        match clause.as_str() {
            "NULL" => Ok(None),
            "DEFAULT" => Ok(defaults.as_ref().and_then(|defaults| defaults.get(row)).map(str::to_owned)),
            "ERROR" => exec_err!("json_value has no value: {reason}"),
            other => exec_err!("unknown clause '{other}' of json_value: use NULL, ERROR or DEFAULT"),
        }
    })
}

fn scalar_text(value: &str) -> String {
    match value.starts_with('"') {
        // Lone surrogates are the one thing that is JSON and no string; they stay as they are written.
        true => serde_json::from_str(value).unwrap_or_else(|_| value.trim_matches('"').to_owned()),
        false => plain_text(value).into_owned(),
    }
}

/// A number, `true`, `false` or `null`.
fn plain_text(value: &str) -> Cow<'_, str> {
    if value.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
        Cow::Borrowed(value)
    } else {
        big_decimal(value)
    }
}

/// `JSON_EXISTS`: whether the path names a value that is not null.
fn exists(call: &Call<'_>) -> Result<ArrayRef> {
    let on_error = clause(call, 2, "FALSE")?;
    let mut lookup = Lookup::of(call)?;
    call.booleans(|row| {
        let Some((mode, found)) = lookup.get(row)? else { return Ok(None) };
        let reason = match outcome(mode, found, |_| true, "") {
            Outcome::Value(_) => return Ok(Some(true)),
            Outcome::Empty => return Ok(Some(false)),
            Outcome::Failed(reason) => reason,
        };
        match on_error.as_str() {
            "TRUE" => Ok(Some(true)),
            "FALSE" => Ok(Some(false)),
            "UNKNOWN" => Ok(None),
            "ERROR" => exec_err!("json_exists has no answer: {reason}"),
            other => exec_err!("unknown clause '{other}' of json_exists: use TRUE, FALSE, UNKNOWN or ERROR"),
        }
    })
}

/// `JSON_QUERY`: an array or object, printed without blanks and with its names in order.
fn query(call: &Call<'_>) -> Result<ArrayRef> {
    let wrapper = clause(call, 2, "WITHOUT")?;
    let (on_empty, on_error) = (clause(call, 3, "NULL")?, clause(call, 4, "NULL")?);
    let wrap: fn(&str) -> bool = match wrapper.as_str() {
        "WITHOUT" => |_| false,
        "CONDITIONAL" => |value| !value.starts_with('['),
        "UNCONDITIONAL" => |_| true,
        other => {
            return exec_err!("unknown wrapper '{other}' of json_query: use WITHOUT, CONDITIONAL or UNCONDITIONAL");
        }
    };
    let wanted: fn(&str) -> bool = if wrapper == "WITHOUT" { is_composite } else { |_| true };
    let mut lookup = Lookup::of(call)?;
    call.texts(|row| {
        let Some((mode, found)) = lookup.get(row)? else { return Ok(None) };
        let (clause, reason) = match outcome(mode, found, wanted, "the path names no array or object") {
            Outcome::Value(value) => match canonical(value) {
                Some(text) if wrap(value) => return Ok(Some(format!("[{text}]"))),
                Some(text) => return Ok(Some(text)),
                None => (&on_error, "it is nested too deeply"),
            },
            Outcome::Empty => (&on_empty, "the path names nothing"),
            Outcome::Failed(reason) => (&on_error, reason),
        };
        match clause.as_str() {
            "NULL" => Ok(None),
            "EMPTY ARRAY" => Ok(Some("[]".to_owned())),
            "EMPTY OBJECT" => Ok(Some("{}".to_owned())),
            "ERROR" => exec_err!("json_query has no value: {reason}"),
            other => exec_err!("unknown clause '{other}' of json_query: use NULL, ERROR, EMPTY ARRAY or EMPTY OBJECT"),
        }
    })
}

/// A JSON text without blanks, names in order, numbers as Java prints them. `None` when it is nested too deeply.
pub(super) fn canonical(value: &str) -> Option<String> {
    let mut out = String::with_capacity(value.len());
    push_canonical(value.trim(), 0, &mut out)?;
    Some(out)
}

fn push_canonical(value: &str, depth: usize, out: &mut String) -> Option<()> {
    if depth > DEEPEST {
        return None;
    }
    match value.as_bytes().first()? {
        b'{' => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(value).ok()?;
            out.push('{');
            for (index, (name, member)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&serde_json::to_string(name).ok()?);
                out.push(':');
                push_canonical(member.get(), depth + 1, out)?;
            }
            out.push('}');
        }
        b'[' => {
            let elements: Vec<&RawValue> = serde_json::from_str(value).ok()?;
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                push_canonical(element.get(), depth + 1, out)?;
            }
            out.push(']');
        }
        b'"' => out.push_str(&serde_json::to_string(&serde_json::from_str::<String>(value).ok()?).ok()?),
        _ => out.push_str(&plain_text(value)),
    }
    Some(())
}

/// `text IS JSON [type]`: false for null, as Flink documents it.
fn is_json(call: &Call<'_>) -> Result<ArrayRef> {
    let sort = clause(call, 1, "VALUE")?;
    let wanted: fn(&str) -> bool = match sort.as_str() {
        "VALUE" => |_| true,
        "SCALAR" => is_scalar,
        "ARRAY" => |text| text.starts_with('['),
        "OBJECT" => |text| text.starts_with('{'),
        other => return exec_err!("unknown JSON type '{other}': use VALUE, SCALAR, ARRAY or OBJECT"),
    };
    let texts = call.text(0)?;
    let blank = [' ', '\t', '\n', '\r'];
    call.booleans(|row| {
        let text = texts.get(row).map(|text| text.trim_start_matches(blank));
        Ok(Some(text.is_some_and(|text| wanted(text) && serde_json::from_str::<IgnoredAny>(text).is_ok())))
    })
}

/// `JSON_QUOTE(text)`: as a JSON string; slashes and non-ASCII characters are escaped too, as in Flink.
fn quote(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    call.texts(|row| {
        Ok(texts.get(row).map(|text| {
            let mut out = String::with_capacity(text.len() + 2);
            out.push('"');
            for letter in text.chars() {
                match letter {
                    '"' | '\\' | '/' => out.extend(['\\', letter]),
                    '\u{8}' => out.push_str("\\b"),
                    '\u{c}' => out.push_str("\\f"),
                    '\n' => out.push_str("\\n"),
                    '\r' => out.push_str("\\r"),
                    '\t' => out.push_str("\\t"),
                    ' '..='~' => out.push(letter),
                    other => {
                        other.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")))
                    }
                }
            }
            out.push('"');
            out
        }))
    })
}

/// `JSON_UNQUOTE(text)`: the string that a JSON string stands for; anything else stays.
fn unquote(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    call.texts(|row| {
        Ok(texts.get(row).map(|text| match text.starts_with('"') {
            true => serde_json::from_str(text).unwrap_or_else(|_| text.to_owned()),
            false => text.to_owned(),
        }))
    })
}

#[cfg(test)]
mod tests;
