//! JSON paths (`lax $.orders[0].id`) and finding what they name in a text.
//!
//! A path is followed while the text is read, once and without building a tree: what is not on the path is skipped (and
//! checked to be JSON), and the answer is a slice of the text, so that a number keeps its digits. Paths that name one
//! value are supported: members (`.name`, `['name']`) and elements (`[0]`, `[-1]` from the end). Wildcards, slices,
//! filters and deep scans are refused by name.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use thiserror::Error;

/// How missing things are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// What is missing or wrong is empty.
    Lax,
    /// What is missing or wrong is an error. Paths without a mode are strict, as in Flink.
    Strict,
}

/// A compiled path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JsonPath {
    /// The mode before the path.
    pub(super) mode: Mode,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Member(String),
    Element(i64),
}

/// Why a path does not compile.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub(super) enum PathError {
    /// Flink knows it, we do not.
    #[error(
        "the JSON path '{path}' uses {what} at position {position}, which is not supported: name one value, as in \
         $.a[0].b"
    )]
    Unsupported { path: String, what: &'static str, position: usize },
    /// No path at all.
    #[error("the JSON path '{path}' is wrong at position {position}: {message}")]
    Invalid { path: String, message: &'static str, position: usize },
}

/// What a path found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found<'j> {
    /// The text of a value.
    Value(&'j str),
    /// The text is JSON without such a value.
    Missing,
    /// The text is not JSON.
    Malformed,
}

impl JsonPath {
    /// Compiles a path.
    pub(super) fn compile(path: &str) -> Result<Self, PathError> {
        let trimmed = path.trim_start();
        let word = |mode: &str| {
            let rest = trimmed.get(..mode.len()).filter(|word| word.eq_ignore_ascii_case(mode));
            rest.and(trimmed.get(mode.len()..)).filter(|rest| rest.starts_with(char::is_whitespace)).map(str::trim)
        };
        let (mode, steps) = match (word("lax"), word("strict")) {
            (Some(rest), _) => (Mode::Lax, rest),
            (None, Some(rest)) => (Mode::Strict, rest),
            (None, None) => (Mode::Strict, path.trim()),
        };
        let offset = path.len() - path.trim_start().len() + trimmed.find(steps).unwrap_or(0);
        let mut parser = PathParser { path, rest: steps, offset, length: steps.len() };
        Ok(Self { mode, steps: parser.steps()? })
    }

    /// Follows the path in a text.
    pub(super) fn find<'j>(&self, json: &'j str) -> Found<'j> {
        let mut reader = serde_json::Deserializer::from_str(json);
        let follow = Follow { steps: &self.steps };
        match follow.deserialize(&mut reader).and_then(|found| reader.end().map(|()| found)) {
            Ok(Some(value)) => Found::Value(value.get()),
            Ok(None) => Found::Missing,
            Err(_) => Found::Malformed,
        }
    }
}

struct PathParser<'a> {
    path: &'a str,
    rest: &'a str,
    offset: usize,
    length: usize,
}

impl PathParser<'_> {
    fn position(&self) -> usize {
        self.offset + self.length - self.rest.len() + 1
    }

    fn invalid<T>(&self, message: &'static str) -> Result<T, PathError> {
        Err(PathError::Invalid { path: self.path.to_owned(), message, position: self.position() })
    }

    fn unsupported<T>(&self, what: &'static str) -> Result<T, PathError> {
        Err(PathError::Unsupported { path: self.path.to_owned(), what, position: self.position() })
    }

    fn eat(&mut self, prefix: &str) -> bool {
        match self.rest.strip_prefix(prefix) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn steps(&mut self) -> Result<Vec<Step>, PathError> {
        let mut steps = Vec::new();
        if self.rest.is_empty() {
            return self.invalid("it is empty");
        }
        // `a.b` is short for `$.a.b`.
        if !self.eat("$") && !self.rest.starts_with(['[', '.']) {
            steps.push(self.member()?);
        }
        while !self.rest.is_empty() {
            if self.rest.starts_with("..") {
                return self.unsupported("a deep scan");
            }
            if self.eat("[") {
                steps.push(self.bracket()?);
            } else if self.eat(".") {
                let step = if self.eat("[") { self.bracket()? } else { self.member()? };
                steps.push(step);
            } else {
                return self.invalid("expected '.' or '['");
            }
        }
        Ok(steps)
    }

    fn member(&mut self) -> Result<Step, PathError> {
        if self.rest.starts_with('*') {
            return self.unsupported("a wildcard");
        }
        let end = self.rest.find(['.', '[', '(', ' ']).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        match (name, rest.chars().next()) {
            ("", _) => self.invalid("a member needs a name"),
            (_, Some('(')) => self.unsupported("a function"),
            (_, Some(' ')) => self.invalid("a name with blanks is written ['…']"),
            _ => {
                self.rest = rest;
                Ok(Step::Member(name.to_owned()))
            }
        }
    }

    /// Behind an opening bracket.
    fn bracket(&mut self) -> Result<Step, PathError> {
        self.rest = self.rest.trim_start();
        let step = match self.rest.chars().next() {
            Some('*') => return self.unsupported("a wildcard"),
            Some('?') => return self.unsupported("a filter"),
            Some('(') => return self.unsupported("an expression"),
            Some(quote @ ('\'' | '"')) => self.quoted(quote)?,
            Some(_) => self.element()?,
            None => return self.invalid("the bracket is not closed"),
        };
        self.rest = self.rest.trim_start();
        match self.rest.chars().next() {
            Some(',') => self.unsupported("several names in brackets"),
            Some(':') => self.unsupported("a slice"),
            _ if self.eat("]") => Ok(step),
            _ => self.invalid("expected ']'"),
        }
    }

    fn quoted(&mut self, quote: char) -> Result<Step, PathError> {
        let mut name = String::new();
        let mut letters = self.rest.char_indices().skip(1);
        while let Some((at, letter)) = letters.next() {
            match letter {
                '\\' => name.extend(letters.next().map(|(_, letter)| letter)),
                letter if letter == quote => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(Step::Member(name));
                }
                letter => name.push(letter),
            }
        }
        self.invalid("the quote is not closed")
    }

    fn element(&mut self) -> Result<Step, PathError> {
        let end = self.rest.find(|letter: char| letter != '-' && !letter.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        if digits.is_empty() && rest.starts_with(':') {
            return self.unsupported("a slice");
        }
        match digits.parse() {
            Ok(index) => {
                self.rest = rest;
                Ok(Step::Element(index))
            }
            Err(_) => self.invalid("expected a name in quotes or a number"),
        }
    }
}

/// Reads one value of the text and goes on into it by the steps.
#[derive(Clone, Copy)]
struct Follow<'p> {
    steps: &'p [Step],
}

impl<'de> DeserializeSeed<'de> for Follow<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        match self.steps.split_first() {
            None => serde::Deserialize::deserialize(reader).map(Some),
            Some((step, rest)) => reader.deserialize_any(Enter { step, rest: Follow { steps: rest } }),
        }
    }
}

struct Enter<'p> {
    step: &'p Step,
    rest: Follow<'p>,
}

impl<'de> Visitor<'de> for Enter<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    // The last of several members of one name counts, as in Java's maps.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(wanted) = map.next_key_seed(IsStep(self.step))? {
            match wanted {
                true => found = map.next_value_seed(self.rest)?,
                false => map.next_value::<IgnoredAny>().map(|_| ())?,
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let wanted = match self.step {
            Step::Member(_) => None,
            Step::Element(index) if *index < 0 => return self.element_from_the_end(seq, *index),
            Step::Element(index) => usize::try_from(*index).ok(),
        };
        let mut found = None;
        for at in 0.. {
            let more = match wanted == Some(at) {
                true => seq.next_element_seed(self.rest)?.map(|value| found = value).is_some(),
                false => seq.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                break;
            }
        }
        Ok(found)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

impl Enter<'_> {
    fn element_from_the_end<'de, A: SeqAccess<'de>>(
        self,
        mut seq: A,
        index: i64,
    ) -> Result<Option<&'de RawValue>, A::Error> {
        let mut elements: Vec<&'de RawValue> = Vec::new();
        while let Some(element) = seq.next_element()? {
            elements.push(element);
        }
        let back = usize::try_from(index.unsigned_abs()).ok();
        let Some(element) = back.and_then(|back| elements.len().checked_sub(back)).and_then(|at| elements.get(at))
        else {
            return Ok(None);
        };
        let mut reader = serde_json::Deserializer::from_str(element.get());
        self.rest.deserialize(&mut reader).map_err(A::Error::custom)
    }
}

/// Whether a key is the wanted one; no string is made for the others.
struct IsStep<'p>(&'p Step);

impl<'de> DeserializeSeed<'de> for IsStep<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<bool, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for IsStep<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(matches!(self.0, Step::Member(name) if name == key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_finds_the_text_of_one_value() {
        let json =
            r#"{"a": {"b": [10, 2.50, {"c d": "x"}, null]}, "a.b": 1e400, "k\u00e9y": true, "a": {"b": [1, 2.50]}}"#;
        for (path, expected) in [
            ("$.a.b[0]", Found::Value("1")),
            ("a.b[1]", Found::Value("2.50")),
            ("lax $['a'][\"b\"][-1]", Found::Value("2.50")),
            ("strict $.['a.b']", Found::Value("1e400")),
            ("$.kéy", Found::Value("true")),
            ("$.a.b[2]", Found::Missing),
            ("$.a.b[-3]", Found::Missing),
            ("$.a.b.c", Found::Missing),
            ("$.a[0]", Found::Missing),
            ("$.x", Found::Missing),
            ("  LAX   $.a.b[ 1 ]", Found::Value("2.50")),
        ] {
            assert_eq!(JsonPath::compile(path).unwrap().find(json), expected, "{path}");
        }
        for broken in ["", "{", "{\"a\": 1} x", "{\"a\": }", "[1,]", "{\"b\": tru, \"a\": 1}"] {
            assert_eq!(JsonPath::compile("$.a").unwrap().find(broken), Found::Malformed, "{broken}");
        }
        assert_eq!(JsonPath::compile("$").unwrap().find(" [1, 2] "), Found::Value("[1, 2]"));
    }

    #[test]
    fn paths_for_many_values_are_refused_by_name_and_position() {
        for (path, expected) in [
            ("$..a", "a deep scan at position 2"),
            ("$.*", "a wildcard at position 3"),
            ("lax $.a[*]", "a wildcard at position 9"),
            ("$[0:2]", "a slice at position 4"),
            ("$[:2]", "a slice at position 3"),
            ("$['a','b']", "several names in brackets at position 6"),
            ("$[?(@.x)]", "a filter at position 3"),
            ("$.a.length()", "a function at position 5"),
        ] {
            let error = JsonPath::compile(path).unwrap_err();
            assert!(matches!(error, PathError::Unsupported { .. }), "{error}");
            assert!(error.to_string().contains(expected), "{error}");
        }
        for path in ["", "$[", "$.", "$a", "$['a", "$[x]", "$.a b", "$[1", "lax "] {
            assert!(matches!(JsonPath::compile(path), Err(PathError::Invalid { .. })), "{path}");
        }
    }
}
