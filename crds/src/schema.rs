//! The schemas that are generated from types: of a manifest here, and of a pipeline for the planner.
//!
//! They are *structural* in the sense of Kubernetes: every subschema is written out where it is used (only recursion is a
//! reference), no field is nullable, and unknown fields are not mentioned. Objects are sorted by key, so that the text is
//! the same whatever order a map has.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::{Map, Value};

use crate::stream_job::StreamJob;

/// The schema of a [`StreamJob`].
pub fn stream_job() -> Value {
    of::<StreamJob>()
}

/// The text of `streamjob.schema.json`: what editors and tests read.
pub fn stream_job_text() -> String {
    // The alternate form of a `Value` is indented JSON and cannot fail.
    format!("{:#}\n", stream_job())
}

/// The schema of any type, in the form that [`crate::check`] reads.
pub fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let schema = settings.with_transform(Structural).into_generator().into_root_schema_for::<T>();
    sorted(schema.to_value())
}

/// Takes out what a structural schema does not have: "or null", the formats of Rust's numbers, defaults that are null.
#[derive(Debug, Clone)]
struct Structural;

impl Transform for Structural {
    fn transform(&mut self, schema: &mut schemars::Schema) {
        if let Some(object) = schema.as_object_mut() {
            not_null(object);
            object.remove("format");
            if object.get("default").is_some_and(|default| default.is_null() || is_empty_object(default)) {
                object.remove("default");
            }
            for text in ["title", "description"] {
                if let Some(Value::String(text)) = object.get_mut(text) {
                    *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
                }
            }
        }
        transform_subschemas(self, schema);
    }
}

/// An absent field says what null would say, so "T or null" is T.
fn not_null(object: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    let Some(Value::Array(choices)) = object.get_mut("anyOf") else { return };
    choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
    if choices.len() == 1
        && let Some(Value::Object(only)) = choices.pop()
    {
        object.remove("anyOf");
        for (key, value) in only {
            object.entry(key).or_insert(value);
        }
    }
}

fn is_empty_object(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty)
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut fields: Vec<(String, Value)> = object.into_iter().collect();
            fields.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(fields.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(sorted).collect()),
        leaf @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => leaf,
    }
}
