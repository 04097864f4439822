//! Columns that a file's rows have in common: its metadata and what its folders say (`/dt=2020-01-01/`).
//!
//! The format never sees them. Their values are made once for each file, as long as the longest batch, and each batch
//! takes a slice.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray, TimestampMillisecondArray,
};
use arrow::array::{UInt32Array, new_null_array};
use arrow::compute::{CastOptions, cast_with_options, take};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use millstream_engine::error::{Error, Result};

use super::files::FoundFile;
use super::partition::value_in_path;
use crate::TableSpec;
use crate::records::BATCH_ROWS;

/// What can be said of a file: the keys of metadata columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileMetadata {
    /// `file.path`
    Path,
    /// `file.name`
    Name,
    /// `file.size`, in bytes.
    Size,
    /// `file.modification-time`
    ModificationTime,
}

impl FileMetadata {
    /// All, with their keys.
    pub(crate) const ALL: [(&'static str, Self); 4] = [
        ("file.path", Self::Path),
        ("file.name", Self::Name),
        ("file.size", Self::Size),
        ("file.modification-time", Self::ModificationTime),
    ];

    fn value(self, file: &FoundFile) -> ArrayRef {
        match self {
            Self::Path => Arc::new(StringArray::from(vec![file.path.as_str()])),
            Self::Name => {
                let name = file.path.rsplit('/').next().unwrap_or_default();
                Arc::new(StringArray::from(vec![name]))
            }
            Self::Size => Arc::new(Int64Array::from(vec![i64::try_from(file.size).unwrap_or(i64::MAX)])),
            Self::ModificationTime => {
                Arc::new(TimestampMillisecondArray::from(vec![file.modified_ms]).with_timezone("UTC"))
            }
        }
    }
}

/// Where a column comes from.
#[derive(Debug, Clone)]
enum Origin {
    /// The column of the format's batch at this place.
    Format(usize),
    /// The file.
    Metadata(FileMetadata),
    /// A folder's name.
    Partition,
}

/// How the batches of a scan are put together.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    schema: SchemaRef,
    origins: Vec<Origin>,
    format: SchemaRef,
    /// The folder's name that stands for null.
    null_partition: String,
}

impl Layout {
    /// The batches of `schema`, whose columns are some of `table`'s.
    pub(crate) fn new(table: &TableSpec, schema: SchemaRef, null_partition: &str) -> Self {
        let mut format = Vec::new();
        let origins = schema
            .fields()
            .iter()
            .map(|field| {
                let origin = origin(table, field.name(), format.len());
                if matches!(origin, Origin::Format(_)) {
                    format.push(Arc::clone(field));
                }
                origin
            })
            .collect();
        Self { schema, origins, format: Arc::new(Schema::new(format)), null_partition: null_partition.to_owned() }
    }

    /// The columns that the format is to decode.
    pub(crate) fn format_schema(&self) -> &SchemaRef {
        &self.format
    }

    /// What the rows of `file` have in common.
    pub(crate) fn of_file(&self, file: &FoundFile) -> Result<FileLayout> {
        let columns = self.origins.iter().zip(self.schema.fields());
        let constants = columns.map(|(origin, field)| self.constant(origin, field, file)).collect::<Result<_>>()?;
        Ok(FileLayout { layout: self.clone(), constants })
    }

    fn constant(&self, origin: &Origin, field: &FieldRef, file: &FoundFile) -> Result<Option<ArrayRef>> {
        let value = match origin {
            Origin::Format(_) => return Ok(None),
            Origin::Metadata(metadata) => metadata.value(file),
            Origin::Partition => match self.partition_text(field.name(), &file.path)? {
                None => return Ok(Some(new_null_array(field.data_type(), BATCH_ROWS))),
                Some(text) => Arc::new(StringArray::from(vec![text])),
            },
        };
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        let value = cast_with_options(&value, field.data_type(), &strict)
            .map_err(|error| Error::data(format!("`{}`", file.path), format!("column `{}`: {error}", field.name())))?;
        Ok(Some(take(&value, &UInt32Array::from(vec![0; BATCH_ROWS]), None)?))
    }

    fn partition_text(&self, key: &str, path: &str) -> Result<Option<String>> {
        let Some(text) = value_in_path(path, key) else {
            let hint = format!("the table is PARTITIONED BY `{key}`, so it must lie in a folder `{key}=…`");
            return Err(Error::data(format!("`{path}`"), hint));
        };
        Ok((text != self.null_partition).then_some(text))
    }
}

fn origin(table: &TableSpec, name: &str, next_format: usize) -> Origin {
    if table.partition_keys.iter().any(|key| key == name) {
        return Origin::Partition;
    }
    let column = table.columns.iter().find(|column| column.field.name() == name);
    let key = column.and_then(|column| column.metadata.as_deref());
    let known = FileMetadata::ALL.iter().find(|(known, _)| Some(*known) == key);
    known.map_or(Origin::Format(next_format), |(_, metadata)| Origin::Metadata(*metadata))
}

/// A [`Layout`] with the values of one file.
#[derive(Debug)]
pub(crate) struct FileLayout {
    layout: Layout,
    constants: Vec<Option<ArrayRef>>,
}

impl FileLayout {
    /// The batch around what the format has decoded.
    pub(crate) fn assemble(&self, decoded: RecordBatch) -> Result<RecordBatch> {
        if self.constants.iter().all(Option::is_none) {
            return Ok(decoded);
        }
        let rows = decoded.num_rows();
        let column = |(origin, constant): (&Origin, &Option<ArrayRef>)| match (origin, constant) {
            (Origin::Format(index), _) => Ok(Arc::clone(decoded.column(*index))),
            (_, Some(constant)) if rows <= constant.len() => Ok(constant.slice(0, rows)),
            _ => Err(Error::internal(format!("a batch of {rows} rows is longer than a reader may make"))),
        };
        let columns = self.layout.origins.iter().zip(&self.constants).map(column).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.layout.schema), columns, &options)?)
    }
}
