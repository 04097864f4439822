//! Compares a document with a schema and says everything that is wrong with it, in words.
//!
//! Not a general validator: it reads the keywords that [`crate::schema`] generates (a test holds the two together), and it
//! exists for its messages. A field that the schema does not know is an error here although Kubernetes would drop it
//! silently, because a misspelt field must not be one that has no effect.

use serde_json::{Map, Value};

use crate::path::Path;

/// Something wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The value that is meant; for an unknown field, the field.
    pub path: Path,
    /// Which place to point at.
    pub at: At,
    /// What is wrong, without the path.
    pub message: String,
}

/// What a [`Finding`] points at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The name of the field at the path.
    Key,
    /// The value at the path.
    Value,
}

/// Everything that is wrong with `value`, from the top down.
pub fn check(value: &Value, schema: &Value) -> Vec<Finding> {
    let mut checker = Checker { root: schema, findings: Vec::new() };
    checker.value(value, schema, &Path::root());
    checker.findings
}

/// What the name nearest to `name` is, if one is near enough to have been meant.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase();
    let (distance, nearest) = known
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(&plain(known), &plain(name)), known))
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= nearest.chars().count().min(name.chars().count()).div_ceil(2).min(6)).then_some(nearest)
}

/// `; did you mean …?` after an unknown name, or nothing.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known).map_or_else(String::new, |nearest| format!("; did you mean `{nearest}`?"))
}

/// Names in a sentence: `` `a`, `b` or `c` ``.
pub fn either(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// `document` without the fields that are empty: an empty optional field is an absent one.
pub fn without_nulls(document: Value) -> Value {
    match document {
        Value::Object(fields) => {
            let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(fields.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        Value::Array(elements) => Value::Array(elements.into_iter().map(without_nulls).collect()),
        leaf @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => leaf,
    }
}

struct Checker<'a> {
    root: &'a Value,
    findings: Vec<Finding>,
}

impl<'a> Checker<'a> {
    fn value(&mut self, value: &Value, schema: &'a Value, path: &Path) {
        let schema = self.resolved(schema);
        if let Some(choices) = list(schema, "anyOf") {
            return match choices.iter().find(|choice| self.has_type(value, choice)) {
                Some(choice) => self.value(value, choice, path),
                None => self.wrong(path, &self.expected(schema), value),
            };
        }
        if let (Some(choices), None) = (list(schema, "oneOf"), schema.get("properties")) {
            return self.variant(value, &Variants::of(choices), path);
        }
        if !self.has_type(value, schema) {
            return self.wrong(path, &self.expected(schema), value);
        }
        match value {
            Value::Object(fields) => self.object(fields, schema, path),
            Value::Array(elements) => self.array(elements, schema, path),
            Value::String(text) => self.text(text, schema, path),
            Value::Number(number) => self.number(number, schema, path),
            Value::Bool(_) | Value::Null => {}
        }
    }

    fn object(&mut self, fields: &Map<String, Value>, schema: &'a Value, path: &Path) {
        if schema.get("x-kubernetes-preserve-unknown-fields").is_some() {
            return;
        }
        let known = schema.get("properties").and_then(Value::as_object);
        let required: Vec<&str> = list(schema, "required").into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, value) in fields {
            let field = path.field(name);
            match known.and_then(|known| known.get(name)).or_else(|| schema.get("additionalProperties")) {
                // An empty optional field says nothing, as in Kubernetes.
                Some(_) if value.is_null() && !required.contains(&name.as_str()) => {}
                Some(schema) => self.value(value, schema, &field),
                None => self.unknown(&field, name, known),
            }
        }
        for name in required.iter().filter(|name| !fields.contains_key(**name)) {
            self.say(path, At::Value, format!("the field `{name}` is missing"));
        }
        self.exactly_one(fields, schema, path);
    }

    /// `oneOf: [{required: [a]}, {required: [b]}]` beside `properties`.
    fn exactly_one(&mut self, fields: &Map<String, Value>, schema: &Value, path: &Path) {
        let Some(choices) = list(schema, "oneOf") else { return };
        let names: Vec<&str> = choices.iter().filter_map(|choice| choice["required"][0].as_str()).collect();
        let is_set = |name: &str| fields.get(name).is_some_and(|value| !value.is_null());
        let found: Vec<&str> = names.iter().copied().filter(|name| is_set(name)).collect();
        if found.len() != 1 {
            self.say(path, At::Value, format!("expected exactly one of {}, found {}", all(&names), all(&found)));
        }
    }

    fn array(&mut self, elements: &[Value], schema: &'a Value, path: &Path) {
        if let Some(least) = schema.get("minItems").and_then(Value::as_u64)
            && (elements.len() as u64) < least
        {
            self.say(
                path,
                At::Value,
                format!("expected at least {least} element{}", if least == 1 { "" } else { "s" }),
            );
        }
        let Some(items) = schema.get("items") else { return };
        for (index, element) in elements.iter().enumerate() {
            self.value(element, items, &path.index(index));
        }
    }

    fn text(&mut self, text: &str, schema: &Value, path: &Path) {
        if text.is_empty() && schema.get("minLength").is_some() {
            return self.say(path, At::Value, "expected text that is not empty".to_owned());
        }
        let Some(known) = words(schema) else { return };
        if !known.contains(&text) {
            let hint = did_you_mean(text, known.iter().copied());
            self.say(path, At::Value, format!("expected {}, found {}{hint}", either(&known), described(&text.into())));
        }
    }

    fn number(&mut self, number: &serde_json::Number, schema: &Value, path: &Path) {
        let Some(value) = number.as_f64() else { return };
        let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
        if bound("minimum").is_some_and(|least| value < least) || bound("maximum").is_some_and(|most| value > most) {
            self.wrong(path, &self.expected(schema), &Value::Number(number.clone()));
        }
    }

    /// One of several variants: a bare word, or a mapping of one field.
    fn variant(&mut self, value: &Value, variants: &Variants<'a>, path: &Path) {
        let names = variants.names();
        match value {
            Value::String(word) if variants.words.contains(&word.as_str()) => {}
            Value::String(word) if variants.tagged.iter().any(|(name, _)| name == word) => {
                self.say(path, At::Value, format!("`{word}` needs settings: write `{word}: …` inside a mapping"));
            }
            Value::String(word) => {
                let hint = did_you_mean(word, names.iter().copied());
                self.say(path, At::Value, format!("expected one of {}, found `{word}`{hint}", either(&names)));
            }
            Value::Object(fields) => self.tagged(fields, variants, path),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                self.wrong(path, &format!("one of {}", either(&names)), value);
            }
        }
    }

    fn tagged(&mut self, fields: &Map<String, Value>, variants: &Variants<'a>, path: &Path) {
        let names = variants.names();
        for (name, value) in fields {
            let field = path.field(name);
            match variants.tagged.iter().find(|(tag, _)| tag == name) {
                Some((_, schema)) => self.value(value, schema, &field),
                None if variants.words.contains(&name.as_str()) => {
                    self.say(&field, At::Key, format!("`{name}` has no settings: write the bare word `{name}`"));
                }
                None => {
                    let hint = did_you_mean(name, names.iter().copied());
                    self.say(&field, At::Key, format!("unknown field, expected one of {}{hint}", either(&names)));
                }
            }
        }
        if fields.len() != 1 {
            let found: Vec<&str> = fields.keys().map(String::as_str).collect();
            self.say(path, At::Value, format!("expected exactly one of {}, found {}", all(&names), all(&found)));
        }
    }

    fn unknown(&mut self, field: &Path, name: &str, known: Option<&Map<String, Value>>) {
        let names: Vec<&str> = known.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        let hint = match nearest(name, names.iter().copied()) {
            Some(near) => format!("; did you mean `{near}`?"),
            None if names.is_empty() => "; nothing can be set here".to_owned(),
            None => format!("; known here: {}", names.join(", ")),
        };
        self.say(field, At::Key, format!("unknown field{hint}"));
    }

    fn wrong(&mut self, path: &Path, expected: &str, found: &Value) {
        let hint = match found {
            Value::Number(_) | Value::Bool(_) if expected == "text" => "; put it in quotes",
            Value::String(text) if expected.starts_with("a whole number") && text.parse::<i64>().is_ok() => {
                "; take the quotes away"
            }
            Value::String(text) if expected == "true or false" && text.parse::<bool>().is_ok() => {
                "; take the quotes away"
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                ""
            }
        };
        self.say(path, At::Value, format!("expected {expected}, found {}{hint}", described(found)));
    }

    fn say(&mut self, path: &Path, at: At, message: String) {
        self.findings.push(Finding { path: path.clone(), at, message });
    }

    /// Whether `value` is of the type that `schema` has at its top, whatever is inside.
    fn has_type(&self, value: &Value, schema: &'a Value) -> bool {
        let schema = self.resolved(schema);
        if let Some(choices) = list(schema, "anyOf") {
            return choices.iter().any(|choice| self.has_type(value, choice));
        }
        if schema.get("oneOf").is_some() && schema.get("properties").is_none() {
            return value.is_string() || value.is_object();
        }
        types(schema).is_empty() || types(schema).iter().any(|name| is_of_type(value, name))
    }

    /// What `schema` wants, for a sentence that begins with "expected".
    fn expected(&self, schema: &'a Value) -> String {
        let schema = self.resolved(schema);
        if let Some(choices) = list(schema, "anyOf") {
            let mut names: Vec<String> = choices.iter().map(|choice| self.expected(choice)).collect();
            names.dedup();
            return names.join(" or ");
        }
        let names: Vec<String> = types(schema).iter().map(|name| type_in_words(name, schema)).collect();
        if names.is_empty() { "a mapping or a word".to_owned() } else { names.join(" or ") }
    }

    fn resolved(&self, schema: &'a Value) -> &'a Value {
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
        target.and_then(|pointer| self.root.pointer(pointer)).unwrap_or(schema)
    }
}

/// The branches of a `oneOf` that an enum's schema is.
struct Variants<'a> {
    words: Vec<&'a str>,
    tagged: Vec<(&'a str, &'a Value)>,
}

impl<'a> Variants<'a> {
    fn of(choices: &'a [Value]) -> Self {
        let words = choices.iter().filter_map(words).flatten().collect();
        let fields = choices.iter().filter_map(|choice| choice.get("properties")?.as_object()).flatten();
        Self { words, tagged: fields.map(|(name, schema)| (name.as_str(), schema)).collect() }
    }

    fn names(&self) -> Vec<&'a str> {
        self.words.iter().copied().chain(self.tagged.iter().map(|(name, _)| *name)).collect()
    }
}

/// The words that a text may be, if not any.
fn words(schema: &Value) -> Option<Vec<&str>> {
    match schema.get("const").and_then(Value::as_str) {
        Some(word) => Some(vec![word]),
        None => Some(list(schema, "enum")?.iter().filter_map(Value::as_str).collect()),
    }
}

fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => Vec::new(),
    }
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

fn type_in_words(name: &str, schema: &Value) -> String {
    let words = match name {
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a mapping",
        other => other,
    };
    if !matches!(name, "integer" | "number") {
        return words.to_owned();
    }
    match (schema.get("minimum"), schema.get("maximum")) {
        (Some(least), Some(most)) => format!("{words} from {least} to {most}"),
        (Some(least), None) => format!("{words} of at least {least}"),
        (None, Some(most)) => format!("{words} of at most {most}"),
        (None, None) => words.to_owned(),
    }
}

/// A value in a sentence, cut to a readable length.
pub fn described(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => format!("the boolean {value}"),
        Value::Number(value) => format!("the number {value}"),
        Value::String(text) if text.chars().count() > 60 => {
            format!("the text {:?}", format!("{}…", text.chars().take(60).collect::<String>()))
        }
        Value::String(text) => format!("the text {text:?}"),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    }
}

fn all(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => "none".to_owned(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn list<'a>(schema: &'a Value, key: &str) -> Option<&'a [Value]> {
    schema.get(key).and_then(Value::as_array).map(Vec::as_slice)
}
