//! Takes a batch apart by the values of its partition columns.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{cast, partition};
use arrow::datatypes::{DataType, SchemaRef};
use millstream_engine::batch::EventBatch;
use millstream_engine::error::{Error, Result};

use super::partition::append_escaped;
use crate::TableSpec;

/// Knows which columns are folders and which are in the files.
#[derive(Debug, Clone)]
pub(crate) struct PartitionColumns {
    /// Each partition column: its name and its place in the sink's rows, in the order of the folders.
    keys: Vec<(String, usize)>,
    /// The places of all others.
    file_columns: Vec<usize>,
    file_schema: SchemaRef,
    null_partition: String,
}

/// Rows of one partition, in their order.
#[derive(Debug)]
pub(crate) struct PartitionRows {
    /// The folders below the sink's path, `dt=2020-01-01/hour=7`; empty without partitions.
    pub(crate) partition: Arc<str>,
    /// The columns that the file has.
    pub(crate) rows: EventBatch,
}

impl PartitionColumns {
    /// The partition columns of `table`.
    pub(crate) fn new(table: &TableSpec, null_partition: &str) -> Result<Self, String> {
        let schema = table.physical_schema();
        let place = |key: &String| schema.index_of(key).map(|index| (key.clone(), index)).map_err(|e| e.to_string());
        let keys = table.partition_keys.iter().map(place).collect::<Result<Vec<_>, _>>()?;
        let file_columns: Vec<usize> =
            (0..schema.fields().len()).filter(|index| keys.iter().all(|(_, key)| key != index)).collect();
        let file_schema = Arc::new(schema.project(&file_columns).map_err(|error| error.to_string())?);
        Ok(Self { keys, file_columns, file_schema, null_partition: null_partition.to_owned() })
    }

    /// The columns of the files.
    pub(crate) fn file_schema(&self) -> &SchemaRef {
        &self.file_schema
    }

    /// The rows of `batch`, apart by partition, the partition of the first row first.
    pub(crate) fn split(&self, batch: EventBatch) -> Result<Vec<PartitionRows>> {
        if self.keys.is_empty() {
            return Ok(vec![PartitionRows { partition: Arc::from(""), rows: batch }]);
        }
        let values = self.values(&batch.rows)?;
        let rows = batch.with_rows(batch.rows.project(&self.file_columns)?);
        let mut found: Vec<(String, Vec<Range<usize>>)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for range in partition(&values)?.ranges() {
            let folder = self.folder(&values, range.start);
            let place = *places.entry(folder.clone()).or_insert_with(|| {
                found.push((folder, Vec::new()));
                found.len() - 1
            });
            found[place].1.push(range);
        }
        let part = |(folder, ranges): (String, Vec<Range<usize>>)| {
            Ok(PartitionRows { partition: Arc::from(folder), rows: rows_of(&rows, &ranges)? })
        };
        found.into_iter().map(part).collect()
    }

    /// The partition columns as text.
    fn values(&self, rows: &RecordBatch) -> Result<Vec<ArrayRef>> {
        let text = |(_, index): &(String, usize)| Ok(cast(rows.column(*index), &DataType::Utf8)?);
        self.keys.iter().map(text).collect()
    }

    fn folder(&self, values: &[ArrayRef], row: usize) -> String {
        let mut folder = String::new();
        for ((key, _), values) in self.keys.iter().zip(values) {
            if !folder.is_empty() {
                folder.push('/');
            }
            append_escaped(key, &mut folder);
            folder.push('=');
            // Nothing else can be in the columns that were cast to text.
            let text = values.as_any().downcast_ref::<StringArray>().filter(|texts| texts.is_valid(row));
            match text.map(|texts| texts.value(row)).filter(|text| !text.is_empty()) {
                Some(text) => append_escaped(text, &mut folder),
                None => folder.push_str(&self.null_partition),
            }
        }
        folder
    }
}

fn rows_of(batch: &EventBatch, ranges: &[Range<usize>]) -> Result<EventBatch> {
    match ranges {
        [range] if range.len() == batch.num_rows() => Ok(batch.clone()),
        [range] => Ok(batch.slice(range.start, range.len())),
        _ => {
            let indices = ranges.iter().cloned().flatten().map(u32::try_from).collect::<Result<Vec<_>, _>>();
            let indices = indices.map_err(|_| Error::internal("a batch has more than 2^32 rows"))?;
            batch.take(&UInt32Array::from(indices))
        }
    }
}
