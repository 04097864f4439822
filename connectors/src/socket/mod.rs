//! `'connector' = 'socket'`: records that a server sends over TCP, for trying things out (`nc -l 9999`).
//!
//! Nothing can be asked of the server twice: after a restart the job goes on with what comes then. The source ends when the
//! server closes the connection, unless `scan.max-retries` says to connect again.

use std::sync::Arc;

use millstream_engine::io::sink::Sink;

use crate::{Connector, Result, TableSource, TableSpec};

mod connection;
pub(crate) mod options;
mod reader;
mod source;
#[cfg(test)]
mod tests;

pub use source::SocketTable;

/// The connector.
#[derive(Debug)]
pub struct Socket;

impl Connector for Socket {
    fn name(&self) -> &'static str {
        "socket"
    }

    fn table_source(&self, table: &TableSpec) -> Result<Arc<dyn TableSource>> {
        Ok(Arc::new(SocketTable::new(table)?))
    }

    fn sink(&self, table: &TableSpec) -> Result<Arc<dyn Sink>> {
        Err(crate::error::only_a_source(self, table))
    }
}
