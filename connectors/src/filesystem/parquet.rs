//! The rows of a Parquet file, read on an IO thread.
//!
//! Columns are decoded there too: they come as large pages that only Parquet's own reader understands, so there are no bytes
//! to hand over. A position is a count of rows; row groups before it are passed over unread.

use std::fs::File;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::datatypes::SchemaRef;
use millstream_engine::error::{Error, Result};
use millstream_engine::io::source::{IoRuntime, SourceRows};

use crate::blocking::{Producer, Pump};
use crate::formats::Decoded;
use crate::formats::parquet::ParquetReader;
use crate::records::{Completion, RecordSettings, source_rows};

/// Which columns of which file, from which row on.
#[derive(Debug, Clone)]
pub(crate) struct ParquetRequest {
    /// The file.
    pub(crate) path: Arc<str>,
    /// The columns.
    pub(crate) rows: SchemaRef,
    /// Those for the watermark, if they are wanted apart.
    pub(crate) watermark: Option<SchemaRef>,
    /// How many rows were given out before.
    pub(crate) start: u64,
    /// Where batches end.
    pub(crate) settings: RecordSettings,
}

/// Reads one file.
pub(crate) struct ParquetRows {
    path: Arc<str>,
    settings: RecordSettings,
    completion: Completion,
    pump: Pump<ParquetBatches>,
    rows: u64,
}

impl ParquetRows {
    /// Reads what `request` asks for, completed by `completion`.
    pub(crate) fn new(request: ParquetRequest, completion: Completion, io: Arc<dyn IoRuntime>) -> Self {
        let (path, settings, rows) = (Arc::clone(&request.path), request.settings, request.start);
        Self { path, settings, completion, pump: Pump::new(ParquetBatches { request, reader: None }, io), rows }
    }

    /// How many rows were given out, also before.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes of memory held.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.pump.memory_bytes()
    }

    /// The next rows; `None` at the end.
    pub(crate) fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Result<Option<SourceRows>>> {
        self.pump.poll_item(cx)?.map(|decoded| {
            let Some(decoded) = decoded else { return Ok(None) };
            let decoded = (self.completion)(decoded)?;
            let rows = source_rows(&self.path, self.rows, decoded, self.settings.bad_rows)?;
            self.rows = rows.split_rows;
            Ok(Some(rows))
        })
    }
}

impl std::fmt::Debug for ParquetRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetRows").field("path", &self.path).field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// The IO thread's side. `request.start` moves on.
struct ParquetBatches {
    request: ParquetRequest,
    reader: Option<ParquetReader>,
}

impl ParquetBatches {
    fn open(&self) -> Result<ParquetReader> {
        let ParquetRequest { path, rows, watermark, start, .. } = &self.request;
        let file = File::open(&**path).map_err(|error| Error::io(format!("opening `{path}`"), error))?;
        ParquetReader::open(file, path, rows, watermark.as_ref(), *start)
    }
}

impl Producer for ParquetBatches {
    type Item = Decoded;

    const MAKING_BYTES: usize = 0;

    fn produce(&mut self) -> Result<Option<Decoded>> {
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => self.open()?,
        };
        let limit = self.request.settings.limit(self.request.start);
        let decoded = reader.next(limit)?;
        self.request.start += decoded.as_ref().map_or(0, |decoded| decoded.records as u64);
        self.reader = Some(reader);
        Ok(decoded)
    }

    fn item_bytes(decoded: &Decoded) -> usize {
        decoded.memory_bytes()
    }

    fn working_bytes(&self) -> usize {
        self.reader.as_ref().map_or(0, ParquetReader::working_bytes)
    }
}
