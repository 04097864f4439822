//! `'connector' = 'filesystem'`: files on this machine, read and written.
//!
//! ```text
//!   reading   files ─► enumerator ─► reader: open ─► Pump ─► records ─► columns ─► rows
//!   writing   rows ─► writer: partition_rows ─► encoding ─► Lane ─► part (hidden)
//!             committables ─► committer: publish (visible) ─► partition_commit (_SUCCESS)
//! ```

use std::sync::Arc;

use millstream_engine::io::sink::Sink;

use crate::{Connector, Result, TableSource, TableSpec};

mod columns;
mod committable;
mod committer;
mod encoding;
mod enumerator;
mod files;
mod open;
pub(crate) mod options;
mod parquet;
mod part;
mod partition;
mod partition_commit;
mod partition_rows;
mod partition_time;
mod publish;
mod reader;
mod sink;
mod source;
#[cfg(test)]
mod tests;
mod writer;

pub use sink::FilesystemSink;
pub use source::{FilesystemTable, WATERMARK_ROWS};

use options::FilesystemOptions;

/// The connector.
#[derive(Debug)]
pub struct Filesystem;

impl Connector for Filesystem {
    fn name(&self) -> &'static str {
        "filesystem"
    }

    fn table_source(&self, table: &TableSpec) -> Result<Arc<dyn TableSource>> {
        Ok(Arc::new(FilesystemTable::new(table, FilesystemOptions::read(table)?)?))
    }

    fn sink(&self, table: &TableSpec) -> Result<Arc<dyn Sink>> {
        Ok(Arc::new(FilesystemSink::new(table, FilesystemOptions::read(table)?)?))
    }
}
