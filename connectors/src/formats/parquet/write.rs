//! Writes a Parquet file into a buffer, row group by row group.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use millstream_engine::batch::EventBatch;
use millstream_engine::error::{Error, Result};
use millstream_engine::memory;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::ParquetOptions;
use crate::formats::{Encoder, encoder_check};

/// Room for a page that is being made: they have 1 MiB, and some buffers have grown beyond.
const PAGE_ROOM: usize = 3 * 512 * 1024;

/// The writer of one file. What it has written is moved out of its own buffer after every call.
pub(super) struct ParquetEncoder {
    schema: SchemaRef,
    writer: ArrowWriter<Vec<u8>>,
    /// Columns, those inside of others counted and those around them not.
    leaves: usize,
}

impl ParquetEncoder {
    /// Writes rows of `schema`. Fails if Parquet cannot hold a column.
    pub(super) fn new(options: &ParquetOptions, schema: &SchemaRef) -> Result<Self> {
        let properties = WriterProperties::builder()
            .set_compression(options.compression)
            .set_max_row_group_bytes(Some(options.block_bytes))
            .build();
        let writer = ArrowWriter::try_new(Vec::new(), Arc::clone(schema), Some(properties));
        let writer =
            writer.map_err(|error| Error::Invalid(format!("the format 'parquet' cannot hold the table: {error}")))?;
        let leaves = schema.flattened_fields().iter().filter(|field| !field.data_type().is_nested()).count();
        Ok(Self { schema: Arc::clone(schema), writer, leaves })
    }

    fn move_out(&mut self, bytes: &mut Vec<u8>) -> Result<()> {
        self.writer.sync().map_err(|error| Error::io("writing Parquet to memory", error))?;
        bytes.append(self.writer.inner_mut());
        Ok(())
    }
}

impl Encoder for ParquetEncoder {
    fn begin(&mut self, _: &mut Vec<u8>) {}

    fn encode(&mut self, batch: &EventBatch, bytes: &mut Vec<u8>) -> Result<()> {
        encoder_check("parquet", &self.schema, batch)?;
        self.writer.write(&batch.rows).map_err(failed)?;
        self.move_out(bytes)
    }

    /// The writer does not tell of the room in which it makes a page of each column.
    fn memory_bytes(&self) -> usize {
        let told = self.writer.memory_size();
        told + (told / 2).min(self.leaves * PAGE_ROOM) + memory::vec(self.writer.inner())
    }

    fn finish(&mut self, bytes: &mut Vec<u8>) -> Result<()> {
        self.writer.finish().map_err(failed)?;
        self.move_out(bytes)
    }
}

fn failed(error: ParquetError) -> Error {
    Error::data("format 'parquet'", error.to_string())
}

impl Debug for ParquetEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetEncoder").field("rows_waiting", &self.writer.in_progress_rows()).finish_non_exhaustive()
    }
}
