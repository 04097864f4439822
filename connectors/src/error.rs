//! What is wrong with a table's declaration.

use crate::{Connector, TableSpec};

/// The answer of everything here that is called while a program is planned.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A table that cannot be made as declared. The message names the option or column, its value and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("table `{table}`: {message}")]
pub struct Error {
    /// The table.
    pub table: String,
    /// What is wrong with it.
    pub message: String,
}

impl Error {
    /// An error about `table`.
    pub fn new(table: &str, message: impl Into<String>) -> Self {
        Self { table: table.to_owned(), message: message.into() }
    }
}

/// `table` is read, but `connector` only writes.
pub(crate) fn only_a_sink(connector: &dyn Connector, table: &TableSpec) -> Error {
    let name = connector.name();
    Error::new(
        &table.name,
        format!("the connector '{name}' cannot be read, it is only a sink; use the table after INSERT INTO"),
    )
}

/// `table` is written, but `connector` only reads.
pub(crate) fn only_a_source(connector: &dyn Connector, table: &TableSpec) -> Error {
    let name = connector.name();
    Error::new(
        &table.name,
        format!("the connector '{name}' cannot be written to, it is only a source; use the table after FROM"),
    )
}
