//! Rows into the bytes of a part file.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use millstream_engine::batch::EventBatch;
use millstream_engine::error::Result;

use crate::formats::{Encoder, Format, FormatSpec};

/// How the parts of a sink are written.
#[derive(Debug, Clone)]
pub(crate) struct PartFormat {
    spec: FormatSpec,
}

impl PartFormat {
    /// Writes as `spec` says. Fails if the format cannot hold a column of `schema`.
    pub(crate) fn new(spec: FormatSpec, schema: &SchemaRef) -> Result<Self> {
        let format = Self { spec };
        format.begin(schema, &mut Vec::new())?;
        Ok(format)
    }

    /// Begins a part with the columns of `schema`; what stands at its front goes to `buffer`.
    pub(crate) fn begin(&self, schema: &SchemaRef, buffer: &mut Vec<u8>) -> Result<PartEncoder> {
        let mut encoder = self.spec.encoder(&Arc::clone(schema))?;
        encoder.begin(buffer);
        Ok(PartEncoder(encoder))
    }

    /// How many parts a writer may keep open: a text is written as it comes, Parquet holds a row group of each in memory.
    pub(crate) fn most_open(&self) -> usize {
        match self.spec.format {
            Format::Json(_) | Format::Csv(_) | Format::Raw => 128,
            Format::Parquet(_) => 8,
        }
    }

    /// How the names of parts end.
    pub(crate) fn extension(&self) -> &'static str {
        match self.spec.name() {
            "raw" => "txt",
            name => name,
        }
    }
}

/// The encoder of one part.
pub(crate) struct PartEncoder(Box<dyn Encoder>);

impl PartEncoder {
    /// Appends `rows` to `buffer`.
    pub(crate) fn encode(&mut self, rows: &EventBatch, buffer: &mut Vec<u8>) -> Result<()> {
        self.0.encode(rows, buffer)
    }

    /// Bytes of memory that what it holds back takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }

    /// Appends what stands at the part's end.
    pub(crate) fn finish(&mut self, buffer: &mut Vec<u8>) -> Result<()> {
        self.0.finish(buffer)
    }
}

impl std::fmt::Debug for PartEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PartEncoder")
    }
}
