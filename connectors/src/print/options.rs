//! The options of `print`.

use crate::{Options, Result, TableSpec};

/// What the options say.
#[derive(Debug, Clone)]
pub(crate) struct PrintOptions {
    /// `print-identifier`: stands before every row. Default: nothing.
    pub(crate) identifier: Option<String>,
    /// `standard-error`: to standard error instead of standard output. Default: false.
    pub(crate) standard_error: bool,
}

impl PrintOptions {
    pub(crate) fn read(table: &TableSpec) -> Result<Self> {
        let mut options = Options::of(table);
        let identifier = options.text("print-identifier").map(str::to_owned).filter(|text| !text.is_empty());
        let standard_error = options.boolean("standard-error")?.unwrap_or(false);
        options.finish()?;
        Ok(Self { identifier, standard_error })
    }
}
