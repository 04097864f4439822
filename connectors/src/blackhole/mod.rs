//! `'connector' = 'blackhole'`: a sink that takes everything and keeps nothing, for measuring what comes before it.

use std::sync::Arc;

use millstream_engine::io::sink::Sink;

use crate::{Connector, Options, Result, TableSource, TableSpec};

mod sink;

pub use sink::BlackholeSink;

/// The connector.
#[derive(Debug)]
pub struct Blackhole;

impl Connector for Blackhole {
    fn name(&self) -> &'static str {
        "blackhole"
    }

    fn table_source(&self, table: &TableSpec) -> Result<Arc<dyn TableSource>> {
        Err(crate::error::only_a_sink(self, table))
    }

    fn sink(&self, table: &TableSpec) -> Result<Arc<dyn Sink>> {
        Options::of(table).finish()?;
        Ok(Arc::new(BlackholeSink))
    }
}
