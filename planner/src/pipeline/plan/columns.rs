//! The columns of a source, from their texts.

use millstream_connectors::TableColumn;
use millstream_crds::Path;

use super::super::spec::{Columns, Source};
use crate::problem::{Problem, Problems};
use crate::session::Session;
use crate::sql::plan_column;

/// Formats that find columns by place and not by name, so that a mapping, which has no order, would be a guess.
const BY_PLACE: &[&str] = &["csv", "raw"];

/// The columns that `source` declares. `path`: of the source.
pub(super) fn columns(source: &Source, path: &Path, session: &Session) -> Result<Vec<TableColumn>, Problems> {
    let path = path.field("schema");
    let texts: Vec<(Path, String)> = match &source.schema {
        Columns::List(columns) => {
            columns.iter().enumerate().map(|(index, text)| (path.index(index), text.clone())).collect()
        }
        Columns::Mapping(columns) => {
            let format = source.format.as_deref().unwrap_or_default();
            if columns.len() > 1 && BY_PLACE.contains(&format) {
                let message =
                    format!("the format {format} finds columns by their place: write a list such as `- name STRING`");
                return Err(Problem::new(path, message).into());
            }
            columns.iter().map(|(name, kind)| (path.field(name), format!("{} {kind}", quoted(name)))).collect()
        }
    };
    let mut columns: Vec<TableColumn> = Vec::new();
    let mut problems = Vec::new();
    for (path, text) in texts {
        match plan_column(&text, session) {
            Err(error) => problems.push(Problem::in_text(path, &error)),
            Ok(column) if columns.iter().any(|other| other.field.name() == column.field.name()) => {
                problems.push(Problem::new(path, format!("there are two columns called `{}`", column.field.name())));
            }
            Ok(column) => columns.push(column),
        }
    }
    Problems::check(problems)?;
    if columns.is_empty() {
        return Err(Problem::new(path, "a source needs at least one column").into());
    }
    Ok(columns)
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
