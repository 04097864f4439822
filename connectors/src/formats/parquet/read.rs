//! Reads a Parquet file from a row on: only the wanted columns, and of rows inside them only the wanted fields.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use millstream_engine::error::{Error, Result};
use millstream_engine::memory;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderBuilder, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::ChunkReader;

use super::conform::conform;
use crate::formats::Decoded;

/// How many rows are read at a time.
const READ_ROWS: usize = 8_192;
/// How large a page of a column is that most writers make, in bytes.
const PAGE_BYTES: usize = 1024 * 1024;

/// The rows of one file. Reading blocks.
pub struct ParquetReader {
    /// Names the file, for messages.
    file: String,
    reader: ParquetRecordBatchReader,
    rows: SchemaRef,
    watermark: Option<SchemaRef>,
    /// What was read and not yet given out.
    pending: Option<RecordBatch>,
    /// What Parquet's reader holds, about.
    working_bytes: usize,
}

impl ParquetReader {
    /// Reads the file `input`, called `file`, from row `start` (counted from 0) on. `rows` and `watermark` are the wanted
    /// columns, as in [`FormatSpec::decoder`](crate::formats::FormatSpec::decoder); they are matched by name. A column that
    /// the file does not have is null.
    ///
    /// Fails if the bytes are not Parquet, or if a column of the file has another type than the wanted one and its values
    /// do not fit it for sure.
    pub fn open<R: ChunkReader + 'static>(
        input: R,
        file: &str,
        rows: &SchemaRef,
        watermark: Option<&SchemaRef>,
        start: u64,
    ) -> Result<Self> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(input)
            .map_err(|error| Error::data(format!("file `{file}`"), format!("it cannot be read as Parquet: {error}")))?;
        let wanted = [Some(rows), watermark];
        let leaves = wanted_leaves(builder.schema().fields(), &wanted);
        let working_bytes = leaves.iter().map(|&leaf| working_bytes(builder.metadata(), leaf)).sum();
        let mask = ProjectionMask::leaves(builder.parquet_schema(), leaves);
        let reader = start_at(builder, start)
            .with_projection(mask)
            .with_batch_size(READ_ROWS)
            .build()
            .map_err(|error| Error::data(format!("file `{file}`"), error.to_string()))?;
        Ok(Self {
            file: file.to_owned(),
            reader,
            rows: Arc::clone(rows),
            watermark: watermark.map(Arc::clone),
            pending: None,
            working_bytes,
        })
    }

    /// Bytes of memory that reading takes, about.
    pub(crate) fn working_bytes(&self) -> usize {
        let pending = self.pending.as_ref().map_or(0, |rows| memory::visible_parts(rows.columns()));
        self.working_bytes + pending
    }

    /// The next rows, at most `limit`; `None` after the last one. Blocks.
    pub fn next(&mut self, limit: usize) -> Result<Option<Decoded>> {
        let Some(batch) = self.pending()? else { return Ok(None) };
        let records = batch.num_rows().min(limit);
        if records < batch.num_rows() {
            self.pending = Some(batch.slice(records, batch.num_rows() - records));
        }
        let batch = batch.slice(0, records);
        let watermark_rows = match &self.watermark {
            Some(schema) => Some(self.select(&batch, schema)?),
            None => None,
        };
        let rows = self.select(&batch, &self.rows)?;
        Ok(Some(Decoded { rows, watermark_rows, origins: None, records, bad: Vec::new() }))
    }

    fn pending(&mut self) -> Result<Option<RecordBatch>> {
        match self.pending.take() {
            Some(batch) => Ok(Some(batch)),
            None => match self.reader.find(|batch| !matches!(batch, Ok(batch) if batch.num_rows() == 0)) {
                None => Ok(None),
                Some(read) => read.map(Some).map_err(|error| self.error(&error.to_string())),
            },
        }
    }

    fn select(&self, batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
        let columns = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
            Some(column) => conform(field.name(), column, field),
            None if field.is_nullable() => Ok(new_null_array(field.data_type(), batch.num_rows())),
            None => Err(format!("it has no column `{}`, which is NOT NULL", field.name())),
        });
        let columns = columns.collect::<Result<Vec<_>, String>>().map_err(|message| self.error(&message))?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
    }

    fn error(&self, message: &str) -> Error {
        Error::data(format!("file `{}`", self.file), message)
    }
}

impl Debug for ParquetReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetReader").field("file", &self.file).finish_non_exhaustive()
    }
}

/// What reading column `leaf` takes: a decompressed page. Parquet's reader does not tell, and how large pages are is not known
/// before they are read.
fn working_bytes(metadata: &ParquetMetaData, leaf: usize) -> usize {
    let sizes = metadata.row_groups().iter().map(|group| group.column(leaf).uncompressed_size());
    let largest = usize::try_from(sizes.max().unwrap_or(0)).unwrap_or(0);
    largest.min(PAGE_BYTES)
}

/// Passes over the row groups before row `start` without reading them, and over the rows before it in its own.
fn start_at<T>(builder: ArrowReaderBuilder<T>, start: u64) -> ArrowReaderBuilder<T> {
    let (first, rest) = group_of(builder.metadata(), start);
    let groups = (first..builder.metadata().num_row_groups()).collect();
    builder.with_row_groups(groups).with_offset(rest)
}

/// The row group that row `start` is in, and its place there.
fn group_of(metadata: &ParquetMetaData, start: u64) -> (usize, usize) {
    let mut rest = start;
    for (number, group) in metadata.row_groups().iter().enumerate() {
        let rows = u64::try_from(group.num_rows()).unwrap_or(0);
        if rest < rows {
            return (number, usize::try_from(rest).unwrap_or(usize::MAX));
        }
        rest -= rows;
    }
    (metadata.num_row_groups(), 0)
}

/// The numbers of the leaves that hold anything wanted.
fn wanted_leaves(fields: &Fields, wanted: &[Option<&SchemaRef>]) -> Vec<usize> {
    let mut leaves = Leaves { next: 0, wanted: Vec::new() };
    for field in fields {
        let same: Vec<&DataType> = wanted.iter().flatten().filter_map(|schema| type_of(schema, field.name())).collect();
        leaves.add(field, &same);
    }
    leaves.wanted
}

fn type_of<'a>(schema: &'a Schema, name: &str) -> Option<&'a DataType> {
    schema.fields().iter().find(|field| field.name() == name).map(|field| field.data_type())
}

/// A walk over the fields of a file that counts its leaves.
struct Leaves {
    next: usize,
    wanted: Vec<usize>,
}

impl Leaves {
    /// Walks over `field`, which is wanted as each of `types`, or not at all.
    fn add(&mut self, field: &Field, types: &[&DataType]) {
        let before = self.wanted.len();
        let first = self.next;
        match field.data_type() {
            DataType::Struct(fields) => self.add_fields(fields, types),
            other => {
                let leaves = count_leaves(other);
                if !types.is_empty() {
                    self.wanted.extend(self.next..self.next + leaves);
                }
                self.next += leaves;
            }
        }
        // A row of which no field is wanted, or is in the file, is still null or not: one leaf knows.
        if !types.is_empty() && self.wanted.len() == before && self.next > first {
            self.wanted.push(first);
        }
    }

    fn add_fields(&mut self, fields: &[FieldRef], types: &[&DataType]) {
        for field in fields {
            let mut same = Vec::new();
            for data_type in types {
                match data_type {
                    DataType::Struct(wanted) => {
                        same.extend(wanted.iter().find(|wanted| wanted.name() == field.name()).map(|f| f.data_type()));
                    }
                    // Wanted as something else: that fails later, with the names of both types.
                    other => same.push(*other),
                }
            }
            self.add(field, &same);
        }
    }
}

fn count_leaves(data_type: &DataType) -> usize {
    match data_type {
        DataType::Struct(fields) => fields.iter().map(|field| count_leaves(field.data_type())).sum(),
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => count_leaves(field.data_type()),
        _ => 1,
    }
}
