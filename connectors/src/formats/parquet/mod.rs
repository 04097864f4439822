//! Parquet: whole files of columns.
//!
//! A file has no stream of records, so it is not decoded piece by piece: [`ParquetReader`] reads it where it lies, blocking,
//! and gives out what a [`Decoder`](super::Decoder) would. Writing is an [`Encoder`] like any other: row groups appear in
//! its buffer as they fill, and [`Encoder::finish`] writes the footer.

use arrow::datatypes::SchemaRef;
use millstream_engine::error::Result;
use parquet::basic::{Compression, ZstdLevel};

mod conform;
mod read;
mod write;

pub use read::ParquetReader;

use super::Encoder;
use crate::Options;

/// How many bytes of rows are gathered before a row group is written.
const DEFAULT_BLOCK_BYTES: usize = 32 << 20;

/// The options of the format `parquet`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParquetOptions {
    /// `parquet.compression`, for writing: `UNCOMPRESSED`, `SNAPPY`, `GZIP`, `ZSTD` or `LZ4_RAW`.
    pub compression: Compression,
    /// `parquet.block.size`, for writing: how many bytes a row group has at most, encoded; so many are held in memory.
    pub block_bytes: usize,
}

impl Default for ParquetOptions {
    fn default() -> Self {
        Self { compression: Compression::SNAPPY, block_bytes: DEFAULT_BLOCK_BYTES }
    }
}

impl ParquetOptions {
    /// Reads them from the options of a table.
    pub fn read(options: &mut Options<'_>) -> crate::Result<Self> {
        Ok(Self { compression: read_compression(options)?, block_bytes: read_block_bytes(options)? })
    }
}

fn read_compression(options: &mut Options<'_>) -> crate::Result<Compression> {
    const KEY: &str = "parquet.compression";
    let Some(name) = options.text(KEY) else { return Ok(ParquetOptions::default().compression) };
    Ok(match name.to_ascii_uppercase().as_str() {
        "UNCOMPRESSED" => Compression::UNCOMPRESSED,
        "SNAPPY" => Compression::SNAPPY,
        "GZIP" => Compression::GZIP(parquet::basic::GzipLevel::default()),
        "ZSTD" => Compression::ZSTD(ZstdLevel::default()),
        "LZ4_RAW" => Compression::LZ4_RAW,
        _ => return Err(options.refuse(KEY, name, "it should be UNCOMPRESSED, SNAPPY, GZIP, ZSTD or LZ4_RAW")),
    })
}

fn read_block_bytes(options: &mut Options<'_>) -> crate::Result<usize> {
    const KEY: &str = "parquet.block.size";
    let Some(bytes) = options.bytes(KEY)? else { return Ok(DEFAULT_BLOCK_BYTES) };
    match usize::try_from(bytes) {
        Ok(size) if (1 << 20..=1 << 30).contains(&bytes) => Ok(size),
        _ => Err(options.refuse(KEY, &format!("{bytes} bytes"), "it should be between 1 mb and 1 gb")),
    }
}

/// Makes an encoder.
pub(super) fn encoder(options: &ParquetOptions, schema: &SchemaRef) -> Result<Box<dyn Encoder>> {
    Ok(Box::new(write::ParquetEncoder::new(options, schema)?))
}
