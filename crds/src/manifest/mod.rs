//! Reads a manifest as a person wrote it, and says everything that is wrong with it.
//!
//! The file that `kubectl apply` takes is the file that `millstream run` takes. Here it is checked more strictly than a
//! cluster would: a field that nobody knows is an error with its path, its line and the nearest name that there is.

use std::fmt;

use saphyr_parser::Marker;
use serde::Deserialize;
use serde_json::Value;

use crate::check::{At, Finding, check, without_nulls};
use crate::path::Path;
use crate::schema;
use crate::stream_job::StreamJob;

mod yaml;

#[cfg(test)]
mod tests;

/// The longest manifest that is read, in bytes. A cluster stores at most 1.5 MB.
pub const TEXT_MAX: usize = 1_500_000;

/// Fields of Kubernetes that stand in an object that was read from a cluster. They mean nothing here.
const SET_BY_KUBERNETES: &[&str] = &[
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// A checked manifest, and where everything in it stands.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// What it says.
    pub job: StreamJob,
    document: yaml::Node,
}

/// A place in a text. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in it.
    pub column: usize,
}

/// Something wrong with a manifest: `line 7, column 3: spec.paralelism: unknown field; did you mean …?`
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{position}: {}{message}", prefix(.path))]
pub struct ManifestError {
    /// Where it stands.
    pub position: Position,
    /// What it is about; empty for the document as a whole.
    pub path: Path,
    /// What is wrong and what to do.
    pub message: String,
}

/// The job in `text`, or everything that is wrong with it in the order of the lines.
pub fn check_manifest(text: &str) -> Result<StreamJob, Vec<ManifestError>> {
    read_manifest(text).map(|manifest| manifest.job)
}

/// As [`check_manifest`], and keeps the places for whoever checks what is opaque here.
pub fn read_manifest(text: &str) -> Result<Manifest, Vec<ManifestError>> {
    let document = only_document(text)?;
    let mut value = document.to_value();
    forget_what_kubernetes_sets(&mut value);
    let mut findings = check(&value, &schema::stream_job());
    findings.extend(check_name(&value));
    if !findings.is_empty() {
        return Err(located(&document, findings));
    }
    match StreamJob::deserialize(without_nulls(value)) {
        Ok(job) => Ok(Manifest { job, document }),
        Err(error) => Err(vec![ManifestError::at(document.position, error.to_string())]),
    }
}

impl Manifest {
    /// Where the value at `path` stands, or the nearest one around it.
    pub fn position(&self, path: &Path) -> Position {
        self.document.nearest(path.steps()).position
    }

    /// An error about the value at `path`, found by whoever checks it further.
    pub fn error(&self, path: &Path, message: impl Into<String>) -> ManifestError {
        ManifestError { position: self.position(path), path: path.clone(), message: message.into() }
    }

    /// An error about the field whose name is the last step of `path`.
    pub fn error_at_key(&self, path: &Path, message: impl Into<String>) -> ManifestError {
        let position = self.document.key(path.steps()).unwrap_or_else(|| self.position(path));
        ManifestError { position, path: path.clone(), message: message.into() }
    }

    /// Where a place inside the text at `path` stands in the file, such as a line and column of the SQL. Exact for a
    /// block after `|` and for a text on one line; where that cannot be told, the place where the text begins.
    pub fn position_in_text(&self, path: &Path, inside: Position) -> Position {
        let node = self.document.nearest(path.steps());
        let start = node.position;
        match node.literal_text() {
            // The position of a block is that of its first letter, below any empty lines that belong to the text.
            Some(text) => {
                let empty = text.bytes().take_while(|byte| *byte == b'\n').count();
                Position { line: start.line + inside.line - 1 - empty, column: start.column + inside.column - 1 }
            }
            None if inside.line == 1 => Position { column: start.column + inside.column - 1, ..start },
            None => start,
        }
    }
}

impl Position {
    fn of(marker: Marker) -> Self {
        Self { line: marker.line(), column: marker.col() + 1 }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

impl ManifestError {
    fn at(position: Position, message: impl Into<String>) -> Self {
        Self { position, path: Path::root(), message: message.into() }
    }
}

fn only_document(text: &str) -> Result<yaml::Node, Vec<ManifestError>> {
    let top = Position { line: 1, column: 1 };
    if text.len() > TEXT_MAX {
        let message = format!("the manifest has {} bytes; at most {TEXT_MAX} are read", text.len());
        return Err(vec![ManifestError::at(top, message)]);
    }
    let problems = |problems: Vec<yaml::Problem>| {
        problems.into_iter().map(|problem| ManifestError::at(problem.position, problem.message)).collect::<Vec<_>>()
    };
    let mut documents = yaml::read(text).map_err(problems)?;
    documents.retain(|document| !document.is_empty());
    match documents.as_slice() {
        [] => Err(vec![ManifestError::at(top, "the manifest is empty; it should be a StreamJob")]),
        [_] => Ok(documents.remove(0)),
        [_, second, ..] => {
            let message = format!(
                "a second document begins here, of {}; a manifest is one StreamJob: put each in a file of its own",
                documents.len()
            );
            Err(vec![ManifestError::at(second.position, message)])
        }
    }
}

/// An object that `kubectl get -o yaml` has written may be run as it is.
fn forget_what_kubernetes_sets(document: &mut Value) {
    let Some(document) = document.as_object_mut() else { return };
    document.remove("status");
    if let Some(metadata) = document.get_mut("metadata").and_then(Value::as_object_mut) {
        for name in SET_BY_KUBERNETES {
            metadata.remove(*name);
        }
    }
}

/// Kubernetes' rule for names of objects, which no schema of ours may state.
fn check_name(document: &Value) -> Option<Finding> {
    let name = document.get("metadata")?.get("name")?.as_str()?;
    let is_letter = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let fits = name.len() <= 253
        && name.split('.').all(|part| {
            part.starts_with(is_letter)
                && part.ends_with(is_letter)
                && part.chars().all(|letter| is_letter(letter) || letter == '-')
        });
    let message = format!(
        "`{name}` cannot name an object: use lower-case letters, digits, `-` and `.`, at most 253 of them, with a letter or \
         digit at both ends"
    );
    (!fits).then(|| Finding { path: Path::of(&["metadata", "name"]), at: At::Value, message })
}

fn located(document: &yaml::Node, findings: Vec<Finding>) -> Vec<ManifestError> {
    let place = |finding: &Finding| match finding.at {
        At::Key => document.key(finding.path.steps()),
        At::Value => None,
    };
    let mut errors: Vec<ManifestError> = findings
        .into_iter()
        .map(|finding| ManifestError {
            position: place(&finding).unwrap_or_else(|| document.nearest(finding.path.steps()).position),
            path: finding.path,
            message: finding.message,
        })
        .collect();
    errors.sort_by_key(|error| error.position);
    errors
}

fn prefix(path: &Path) -> String {
    if path.steps().is_empty() { String::new() } else { format!("{path}: ") }
}
