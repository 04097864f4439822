//! YAML as a tree in which every field and value knows where it stands.
//!
//! Reads what `kubectl` reads, and refuses what the two might read differently: a bare `on` is a boolean to `kubectl` and
//! text elsewhere. Everything is bounded: the depth, and the size to which aliases may blow a document up.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use serde_json::{Map, Number, Value};

use super::Position;
use crate::path::Step;

/// The deepest nesting that is read.
const DEPTH_MAX: usize = 100;

/// The most values a document may have, aliases written out.
const VALUES_MAX: usize = 100_000;

/// A value of a document.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Where it begins.
    pub(super) position: Position,
    data: Data,
}

#[derive(Debug, Clone)]
enum Data {
    Leaf { value: Value, literal: bool },
    List(Vec<Node>),
    Mapping(Vec<Field>),
}

/// A field of a mapping.
#[derive(Debug, Clone)]
struct Field {
    name: String,
    position: Position,
    value: Node,
}

/// Something that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) position: Position,
    pub(super) message: String,
}

/// The documents of `text` that are not empty; or all that is wrong with it, if only its beginning could be read.
pub(super) fn read(text: &str) -> Result<Vec<Node>, Vec<Problem>> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                let position = Position::of(*error.marker());
                builder.problems.push(Problem { position, message: syntax(text, position, error.info()) });
                break;
            }
        };
        if builder.take(event, span).is_err() {
            break;
        }
    }
    if builder.problems.is_empty() { Ok(builder.documents) } else { Err(builder.problems) }
}

/// The parser's words, or clearer ones for the mistake that people make most.
fn syntax(text: &str, position: Position, info: &str) -> String {
    let line = text.lines().nth(position.line.saturating_sub(1)).unwrap_or_default();
    let indent: String = line.chars().take_while(|letter| letter.is_whitespace()).collect();
    if indent.contains('\t') {
        return "a tab indents this line; YAML allows only spaces there".to_owned();
    }
    format!("not valid YAML: {}", info.trim_end_matches('.'))
}

impl Node {
    /// The value without its places.
    pub(super) fn to_value(&self) -> Value {
        match &self.data {
            Data::Leaf { value, .. } => value.clone(),
            Data::List(elements) => Value::Array(elements.iter().map(Self::to_value).collect()),
            Data::Mapping(fields) => {
                let fields = fields.iter().map(|field| (field.name.clone(), field.value.to_value()));
                Value::Object(fields.collect::<Map<_, _>>())
            }
        }
    }

    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        matches!(&self.data, Data::Leaf { value: Value::Null, .. })
    }

    /// The value that `steps` lead to, or the last one on the way there that exists.
    pub(super) fn nearest(&self, steps: &[Step]) -> &Self {
        let Some((step, rest)) = steps.split_first() else { return self };
        let next = match (&self.data, step) {
            (Data::Mapping(fields), Step::Field(name)) => {
                fields.iter().find(|field| field.name == *name).map(|field| &field.value)
            }
            (Data::List(elements), Step::Index(index)) => elements.get(*index),
            (Data::Leaf { .. } | Data::Mapping(_) | Data::List(_), Step::Field(_) | Step::Index(_)) => None,
        };
        next.map_or(self, |next| next.nearest(rest))
    }

    /// Where the name of the field stands that `steps` lead to.
    pub(super) fn key(&self, steps: &[Step]) -> Option<Position> {
        let (last, parents) = steps.split_last()?;
        match (&self.nearest(parents).data, last) {
            (Data::Mapping(fields), Step::Field(name)) => {
                fields.iter().find(|field| field.name == *name).map(|field| field.position)
            }
            (Data::Leaf { .. } | Data::Mapping(_) | Data::List(_), Step::Field(_) | Step::Index(_)) => None,
        }
    }

    /// The text, if it stands as a block after `|`, whose lines are the lines of the file.
    pub(super) fn literal_text(&self) -> Option<&str> {
        match &self.data {
            Data::Leaf { value: Value::String(text), literal: true } => Some(text),
            Data::Leaf { .. } | Data::List(_) | Data::Mapping(_) => None,
        }
    }

    fn values(&self) -> usize {
        match &self.data {
            Data::Leaf { .. } => 1,
            Data::List(elements) => 1 + elements.iter().map(Self::values).sum::<usize>(),
            Data::Mapping(fields) => 1 + fields.iter().map(|field| field.value.values()).sum::<usize>(),
        }
    }
}

/// Puts events together, without recursion.
#[derive(Default)]
struct Builder {
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    values: usize,
    problems: Vec<Problem>,
}

/// A list or mapping whose end has not come yet.
struct Open {
    position: Position,
    anchor: usize,
    data: OpenData,
}

enum OpenData {
    List(Vec<Node>),
    Mapping { fields: Vec<Field>, key: Option<(String, Position)> },
}

/// Reading cannot go on; the reason is among the problems.
struct GiveUp;

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), GiveUp> {
        let position = Position::of(span.start);
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                Ok(())
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(node) => {
                    let node = node.clone();
                    self.add(Node { position, ..node }, 0)
                }
                None => self.give_up(position, "an alias inside the value that it stands for"),
            },
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref(), position),
            Event::SequenceStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), position);
                self.begin(Open { position, anchor, data: OpenData::List(Vec::new()) })
            }
            Event::MappingStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), position);
                self.begin(Open { position, anchor, data: OpenData::Mapping { fields: Vec::new(), key: None } })
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
        }
    }

    fn begin(&mut self, open: Open) -> Result<(), GiveUp> {
        if self.open.len() == DEPTH_MAX {
            return self.give_up(open.position, &format!("values are nested more than {DEPTH_MAX} deep"));
        }
        self.open.push(open);
        Ok(())
    }

    fn end(&mut self) -> Result<(), GiveUp> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let data = match open.data {
            OpenData::List(elements) => Data::List(elements),
            OpenData::Mapping { fields, .. } => Data::Mapping(fields),
        };
        self.add(Node { position: open.position, data }, open.anchor)
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        position: Position,
    ) -> Result<(), GiveUp> {
        let is_text = self.check_tag(tag, position) || style != ScalarStyle::Plain;
        if !is_text && let Some(message) = ambiguous(text) {
            self.problems.push(Problem { position, message });
        }
        let value = if is_text { Value::from(text) } else { plain(text) };
        let literal = style == ScalarStyle::Literal;
        // A key is the text as it stands there.
        if let Some(Open { data: OpenData::Mapping { key: key @ None, .. }, .. }) = self.open.last_mut() {
            *key = Some((text.to_owned(), position));
            return Ok(());
        }
        self.add(Node { position, data: Data::Leaf { value, literal } }, anchor)
    }

    /// Puts a finished value where it belongs.
    fn add(&mut self, node: Node, anchor: usize) -> Result<(), GiveUp> {
        self.values += if matches!(node.data, Data::Leaf { .. }) { 1 } else { node.values() };
        if self.values > VALUES_MAX {
            return self.give_up(node.position, &format!("the document has more than {VALUES_MAX} values"));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.data) {
            None => self.documents.push(node),
            Some(OpenData::List(elements)) => elements.push(node),
            Some(OpenData::Mapping { fields, key }) => match key.take() {
                Some((name, position)) => {
                    if let Some(message) = refused_key(&name, fields) {
                        self.problems.push(Problem { position, message });
                    }
                    fields.push(Field { name, position, value: node });
                }
                None => return self.give_up(node.position, "the name of a field must be text"),
            },
        }
        Ok(())
    }

    /// Whether the tag says that the value is text.
    fn check_tag(&mut self, tag: Option<&Tag>, position: Position) -> bool {
        let Some(tag) = tag else { return false };
        let is_core = tag.is_yaml_core_schema();
        if is_core && tag.suffix == "str" {
            return true;
        }
        if !(is_core && matches!(tag.suffix.as_str(), "map" | "seq" | "int" | "float" | "bool" | "null")) {
            self.problems
                .push(Problem { position, message: format!("the tag `{tag}` means nothing here; leave it out") });
        }
        false
    }

    fn give_up(&mut self, position: Position, message: &str) -> Result<(), GiveUp> {
        self.problems.push(Problem { position, message: message.to_owned() });
        Err(GiveUp)
    }
}

fn refused_key(name: &str, before: &[Field]) -> Option<String> {
    if name == "<<" {
        return Some("merge keys (`<<`) are not supported; write the fields out".to_owned());
    }
    let first = before.iter().find(|field| field.name == name)?;
    Some(format!("the field `{name}` stands here a second time; the first is on line {}", first.position.line))
}

/// Why a bare word or number is not the same to every reader of YAML.
fn ambiguous(text: &str) -> Option<String> {
    let is_case = |word: &str| {
        let capital: String = word[..1].to_uppercase() + &word[1..];
        text == word || text == word.to_uppercase() || text == capital
    };
    for (words, meaning) in [(["y", "yes", "on"], true), (["n", "no", "off"], false)] {
        if words.into_iter().any(is_case) {
            return Some(format!(
                "a bare `{text}` is {meaning} to kubectl and text to others: write `{meaning}`, or put it in quotes"
            ));
        }
    }
    let digits = text.trim_start_matches(['-', '+']);
    let octal = digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|digit| digit.is_ascii_digit());
    let other = (digits.starts_with("0o") || digits.starts_with("0b"))
        || (digits.starts_with(|digit: char| digit.is_ascii_digit())
            && digits.contains('_')
            && digits.bytes().all(|digit| digit.is_ascii_digit() || digit == b'_'));
    (octal || other).then(|| {
        format!("a bare `{text}` is not the same number to every reader: write it in full, or put it in quotes")
    })
}

/// What an unquoted text stands for.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    if let Some(hexadecimal) = text.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok()) {
        return Value::from(hexadecimal);
    }
    let number = text.strip_prefix('+').unwrap_or(text);
    if let Ok(integer) = number.parse::<i64>() {
        return Value::from(integer);
    }
    if let Ok(integer) = number.parse::<u64>() {
        return Value::from(integer);
    }
    // Rust would also read `inf`, `nan` and `infinity` here, which are text in YAML.
    let is_decimal =
        number.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    let decimal = if is_decimal { number.parse().ok().and_then(Number::from_f64) } else { None };
    decimal.map_or_else(|| Value::from(text), Value::Number)
}
