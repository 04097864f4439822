//! Parquet: whole files of columns, read by row groups and written by batches.

use crate::Options;

/// The options of the format `parquet`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ParquetOptions {}

impl ParquetOptions {
    /// Reads them from the options of a table.
    pub fn read(_: &mut Options<'_>) -> crate::Result<Self> {
        Ok(Self {})
    }
}
