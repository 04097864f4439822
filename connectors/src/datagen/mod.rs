//! `'connector' = 'datagen'`: rows made up column by column, the same in every run.
//!
//! A row's values follow from its number, its column's name and the seed alone, so any row can be made without the ones
//! before it: splits are free, and neither parallelism nor batches show. Row *g* belongs to split *g mod 8*; it is due at
//! `start + g / rows-per-second`, and that is also the time its timestamps are about. Time comes from whoever polls. A job
//! that was stopped for a while has rows due when it goes on, as if a log had kept them.

use std::sync::Arc;

use millstream_engine::io::sink::Sink;

use crate::{Connector, Result, TableSource, TableSpec};

mod generator;
pub(crate) mod options;
mod reader;
mod source;

pub use source::DatagenTable;

/// The connector.
#[derive(Debug)]
pub struct Datagen;

impl Connector for Datagen {
    fn name(&self) -> &'static str {
        "datagen"
    }

    fn table_source(&self, table: &TableSpec) -> Result<Arc<dyn TableSource>> {
        Ok(Arc::new(DatagenTable::new(table)?))
    }

    fn sink(&self, table: &TableSpec) -> Result<Arc<dyn Sink>> {
        Err(crate::error::only_a_source(self, table))
    }
}
