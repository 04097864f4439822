//! What DataFusion's planner complains about, in our words and with its place where it has one.

use datafusion_common::{Column, DataFusionError, SchemaError, Span};

use super::prepass::lower_first;
use crate::error::{Error, Position};

/// The error that `error` is for the user.
pub(super) fn explained(error: &DataFusionError) -> Error {
    let place = error.diagnostic().and_then(|diagnostic| diagnostic.span).map(start);
    cause(error).or_at(place)
}

/// The names of the column that `error` does not find, if that is what is wrong.
pub(super) fn unknown_column(error: &DataFusionError) -> Option<Vec<String>> {
    match error {
        DataFusionError::Diagnostic(_, inner) | DataFusionError::Context(_, inner) => unknown_column(inner),
        DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
            SchemaError::FieldNotFound { field, .. } | SchemaError::AmbiguousReference { field } => {
                let table = field.relation.as_ref().map(|relation| relation.table().to_owned());
                Some(table.into_iter().chain([field.name.clone()]).collect())
            }
            SchemaError::DuplicateQualifiedField { .. } | SchemaError::DuplicateUnqualifiedField { .. } => None,
        },
        _ => None,
    }
}

/// Where a span begins.
pub(super) fn start(span: Span) -> Position {
    Position { line: span.start.line, column: span.start.column }
}

fn cause(error: &DataFusionError) -> Error {
    match error {
        DataFusionError::Diagnostic(_, inner) | DataFusionError::Context(_, inner) => cause(inner),
        DataFusionError::Shared(inner) => cause(inner),
        DataFusionError::Collection(errors) => match errors.first() {
            Some(first) => explained(first),
            None => Error::internal("an error without a cause"),
        },
        DataFusionError::SchemaError(schema, _) => schema_error(schema),
        DataFusionError::NotImplemented(message) => Error::new(format!("not supported: {}", tidy(message))),
        DataFusionError::Internal(message) => Error::internal(tidy(message)),
        DataFusionError::External(source) => match source.downcast_ref::<Error>() {
            Some(ours) => ours.clone(),
            None => Error::new(tidy(&source.to_string())),
        },
        other => Error::new(tidy(&other.message())),
    }
}

fn schema_error(error: &SchemaError) -> Error {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let qualified = field.relation.is_some();
            let shown = |column: &Column| if qualified { flat(column) } else { column.name.clone() };
            let known: Vec<String> = valid_fields.iter().map(shown).collect();
            let plain: Vec<&str> =
                known.iter().map(String::as_str).chain(valid_fields.iter().map(Column::name)).collect();
            let place = field.spans().first().map(start);
            Error::unknown("column", &flat(field), plain).or_at(place)
        }
        SchemaError::AmbiguousReference { field } => {
            let message = format!("the column `{}` is ambiguous; write the table's name before it", field.name);
            Error::at(field.spans().first().map(start), message)
        }
        SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } => {
            Error::new(format!("there are two columns called `{name}`; give one of them another name with AS"))
        }
    }
}

/// `t.c` or `c`, as it is written.
fn flat(column: &Column) -> String {
    match &column.relation {
        Some(relation) => format!("{relation}.{}", column.name),
        None => column.name.clone(),
    }
}

/// Arrow's names of types, and ours.
const TYPES: &[(&str, &str)] = &[
    ("LargeUtf8", "STRING"),
    ("Utf8View", "STRING"),
    ("Utf8", "STRING"),
    ("Int8", "TINYINT"),
    ("Int16", "SMALLINT"),
    ("Int32", "INT"),
    ("Int64", "BIGINT"),
    ("Float32", "FLOAT"),
    ("Float64", "DOUBLE"),
    ("Decimal128", "DECIMAL"),
    ("Timestamp(ms)", "TIMESTAMP(3)"),
    ("Timestamp(µs)", "TIMESTAMP(6)"),
    ("Timestamp(ns)", "TIMESTAMP(9)"),
    ("Struct", "ROW"),
    ("Date32", "DATE"),
];

/// The first paragraph, without a full stop, without the planner's own prefixes, with our names of types.
fn tidy(message: &str) -> String {
    let message = message.split("\n\n").next().unwrap_or(message).trim();
    let message = ["Error during planning: ", "Execution error: ", "This feature is not implemented: ", "SQL error: "]
        .iter()
        .fold(message, |rest, prefix| rest.strip_prefix(prefix).unwrap_or(rest));
    let message = TYPES.iter().fold(message.replace('\n', " "), |text, (arrow, ours)| text.replace(arrow, ours));
    let message = message.trim_end_matches('.');
    about_types(message).unwrap_or_else(|| lower_first(message))
}

/// What is said of types that do not go together, with what to do about it; `None` if something else is said.
fn about_types(message: &str) -> Option<String> {
    const BOTH_SIDES: &str = "use CAST so that the types of both sides go together";
    if let Some(rest) = message.strip_prefix("Cannot coerce arithmetic expression ") {
        return Some(format!("{} cannot be computed; {BOTH_SIDES}", rest.strip_suffix(" to valid types")?));
    }
    if let Some(comparison) = message.strip_prefix("Cannot infer common argument type for comparison operation ") {
        return Some(format!("{comparison} cannot be compared; {BOTH_SIDES}"));
    }
    if let Some(rest) = message.strip_prefix("Cannot create filter with non-boolean predicate '") {
        let (condition, data_type) = rest.split_once("' returning ")?;
        return Some(format!("a condition is BOOLEAN, and `{condition}` is {data_type}; compare it with something"));
    }
    let (why, rest) = message.split_once("No function matches the given name and argument types '")?;
    let (call, _) = rest.split_once('\'')?;
    let why = why.trim().trim_end_matches('.');
    Some(match why.split_once("coercion failed with: Error during planning: ") {
        Some((_, ours)) => format!("{ours}; use CAST"),
        None if why.is_empty() => format!("there is no {call}; use CAST"),
        None => format!("there is no {call}: {}; use CAST", lower_first(why)),
    })
}
