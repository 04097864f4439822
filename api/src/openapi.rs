//! The table of endpoints, and the OpenAPI document that is made from it: `docs/openapi.json`.
//!
//! Schemas are generated from the bodies, paths come from [`crate::paths`]. Tests hold the table complete: every path
//! is in it, the client asks for nothing else, and the committed document is what it gives.

use schemars::generate::{Contract, SchemaSettings};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::error::Errors;
use crate::paths;

pub use table::ENDPOINTS;

mod schemas;
mod table;
#[cfg(test)]
mod tests;

/// Something that can be asked for.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint {
    /// How.
    pub method: Method,
    /// Where: one of the templates of [`crate::paths`].
    pub path: &'static str,
    /// Its name: that of the client's method.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// What may stand behind the `?`.
    pub query: &'static [QueryParameter],
    /// What is sent.
    pub request: Option<RequestBody>,
    /// The status of an answer that is a success.
    pub status: u16,
    /// The body of that answer.
    pub response: SchemaOf,
    /// Other statuses, and when they are answered. Their body is [`Errors`].
    pub errors: &'static [(u16, &'static str)],
}

/// A method of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Asks.
    Get,
    /// Starts something.
    Post,
    /// Changes something.
    Patch,
}

impl Method {
    /// As it stands in a request.
    pub fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
        }
    }
}

/// A parameter behind the `?`. None has to be there.
#[derive(Debug, Clone, Copy)]
pub struct QueryParameter {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub meaning: &'static str,
    /// What it may be.
    pub value: QueryValue,
}

/// What a query parameter may be.
#[derive(Debug, Clone, Copy)]
pub enum QueryValue {
    /// A whole number from 0.
    Number,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Any texts, separated by commas.
    Texts,
    /// Some of these words, separated by commas.
    Words(&'static [&'static str]),
}

/// What is sent with a request.
#[derive(Debug, Clone, Copy)]
pub struct RequestBody {
    /// Its content type.
    pub content_type: &'static str,
    /// What it is.
    pub meaning: &'static str,
    /// Whether it has to be there.
    pub required: bool,
    /// Its schema.
    pub schema: SchemaOf,
}

/// The schema of a type, as a reference to the document's components.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// The OpenAPI document.
pub fn document() -> Value {
    let mut written = generator(Contract::Serialize);
    let mut read = generator(Contract::Deserialize);
    let mut all = Map::new();
    for endpoint in ENDPOINTS {
        let operation = operation(endpoint, &mut written, &mut read);
        let path = all.entry(endpoint.path).or_insert_with(|| json!({}));
        path[endpoint.method.word().to_lowercase()] = operation;
    }
    let mut components = written.take_definitions(true);
    components.extend(read.take_definitions(true));
    schemas::sorted(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Millstream JobMaster REST API",
            "description": "The shape of Flink's REST API of version 2.3. Every path is also there below `/v1`.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache 2.0", "identifier": "Apache-2.0" },
        },
        "paths": all,
        "components": { "schemas": components },
    }))
}

/// The document as text: what is committed.
pub fn text() -> String {
    // The alternate form of a `Value` is indented JSON and cannot fail.
    format!("{:#}\n", document())
}

/// Schemas of answers say what is written, those of requests what is read: a field with a default is in every answer
/// and need not be in a request.
fn generator(contract: Contract) -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.contract = contract;
        settings.meta_schema = None;
    });
    settings.with_transform(schemas::Plain).into_generator()
}

fn operation(endpoint: &Endpoint, written: &mut SchemaGenerator, read: &mut SchemaGenerator) -> Value {
    let mut operation = json!({
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "responses": responses(endpoint, written),
    });
    let in_path = paths::parameters(endpoint.path).map(path_parameter);
    let parameters: Vec<Value> = in_path.chain(endpoint.query.iter().map(query_parameter)).collect();
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(body) = endpoint.request {
        operation["requestBody"] = json!({
            "description": body.meaning,
            "required": body.required,
            "content": { body.content_type: { "schema": (body.schema)(read) } },
        });
    }
    operation
}

fn responses(endpoint: &Endpoint, written: &mut SchemaGenerator) -> Value {
    let body = |schema: Schema| json!({ "application/json": { "schema": schema } });
    let mut responses = Map::new();
    let accepted = if endpoint.status == 202 { "It is accepted." } else { "The answer." };
    let answer = json!({ "description": accepted, "content": body((endpoint.response)(written)) });
    responses.insert(endpoint.status.to_string(), answer);
    for (status, when) in endpoint.errors {
        let errors = body(written.subschema_for::<Errors>());
        responses.insert(status.to_string(), json!({ "description": when, "content": errors }));
    }
    responses.into()
}

fn path_parameter(name: &str) -> Value {
    let (meaning, schema) = match name {
        "jobid" => ("The id of a job.", json!({ "type": "string" })),
        "vertexid" => ("The id of a vertex of the job.", json!({ "type": "string" })),
        "subtaskindex" => ("The index of a subtask of the vertex.", json!({ "type": "integer", "minimum": 0 })),
        "triggerid" => ("The `request-id` that the operation was answered with.", json!({ "type": "string" })),
        "taskmanagerid" => ("The id of a TaskManager.", json!({ "type": "string" })),
        // A test holds that there are no others.
        _ => ("", json!({})),
    };
    json!({ "name": name, "in": "path", "required": true, "description": meaning, "schema": schema })
}

fn query_parameter(parameter: &QueryParameter) -> Value {
    let schema = match parameter.value {
        QueryValue::Number => json!({ "type": "integer", "minimum": 0 }),
        QueryValue::Word(words) => json!({ "type": "string", "enum": words }),
        QueryValue::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        QueryValue::Words(words) => json!({ "type": "array", "items": { "type": "string", "enum": words } }),
    };
    let mut described = json!({
        "name": parameter.name, "in": "query", "required": false, "description": parameter.meaning, "schema": schema,
    });
    if matches!(parameter.value, QueryValue::Texts | QueryValue::Words(_)) {
        described["style"] = "form".into();
        described["explode"] = false.into();
    }
    described
}

/// The schema of a body.
fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}
