//! The connector as a job uses it, on real files.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};

use crate::{TableColumn, TableSpec};

mod reading;
mod writing;

/// A table of text columns, read or written under `path`.
fn table(path: &Path, columns: &[&str], options: &[(&str, &str)]) -> TableSpec {
    let column = |name: &&str| TableColumn { field: Field::new(*name, DataType::Utf8, true), metadata: None };
    let path = ("path".to_owned(), path.to_str().unwrap().to_owned());
    let given = options.iter().map(|&(key, value)| (key.to_owned(), value.to_owned()));
    TableSpec {
        name: "files".to_owned(),
        columns: columns.iter().map(column).collect(),
        partition_keys: Vec::new(),
        primary_key: Vec::new(),
        options: [path].into_iter().chain(given).collect::<BTreeMap<_, _>>(),
        time_zone: "UTC".to_owned(),
    }
}

/// Rows of text columns.
fn rows(columns: &[&str], rows: &[&[&str]]) -> RecordBatch {
    let schema = Schema::new(columns.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect::<Vec<_>>());
    let column = |index: usize| -> ArrayRef {
        let values = rows.iter().map(|row| (row[index] != "null").then_some(row[index]));
        Arc::new(values.collect::<StringArray>())
    };
    RecordBatch::try_new(Arc::new(schema), (0..columns.len()).map(column).collect()).unwrap()
}

/// All that lies under `folder`, hidden or not: `name: content`, by name.
fn tree(folder: &Path) -> String {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                let content = fs::read_to_string(&path).unwrap_or_else(|_| "(binary)".to_owned());
                found.push(format!("{name}: {}", content.replace('\n', " ")).trim_end().to_owned());
            }
        }
    }
    found.sort();
    found.join("\n")
}
