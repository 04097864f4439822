//! `'connector' = 'print'`: a sink that shows rows to a person, as Flink prints them.
//!
//! ```text
//! flights:2> +I[2013-01-01T05:00, UA, 11]
//! │       │  └ kind of the row and its columns
//! │       └ subtask, from 1, when there are several
//! └ 'print-identifier'
//! ```

use std::sync::Arc;

use millstream_engine::io::sink::Sink;

use crate::{Connector, Result, TableSource, TableSpec};

pub(crate) mod options;
mod sink;
pub(crate) mod text;

pub use sink::PrintSink;

/// The connector.
#[derive(Debug)]
pub struct Print;

impl Connector for Print {
    fn name(&self) -> &'static str {
        "print"
    }

    fn table_source(&self, table: &TableSpec) -> Result<Arc<dyn TableSource>> {
        Err(crate::error::only_a_sink(self, table))
    }

    fn sink(&self, table: &TableSpec) -> Result<Arc<dyn Sink>> {
        Ok(Arc::new(PrintSink::new(options::PrintOptions::read(table)?)))
    }
}
