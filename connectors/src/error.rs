//! What is wrong with a table's declaration.

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
