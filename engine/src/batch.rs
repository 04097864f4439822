//! Rows in columns: the unit that every operator works on.
//!
//! ```text
//!            rows: RecordBatch                 beside the schema
//!   ┌──────────┬──────────┬──────────┐   ┌────────────┬───────────┐
//!   │ carrier  │ origin   │ delay    │   │ event_time │ row_kinds │
//!   │ Utf8     │ Utf8     │ Int64    │   │ i64 ms     │ u8        │
//!   └──────────┴──────────┴──────────┘   └────────────┴───────────┘
//! ```
//!
//! Event time and row kind stand beside the schema and not in it, so that no projection can drop them; both are absent
//! where a job does not use them, and then they cost nothing. SQL keeps its time attributes in ordinary columns; the
//! `event_time` buffer is what the records of a pipeline carry.

use arrow::array::cast::AsArray;
use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions, UInt8Array, UInt32Array,
};
use arrow::buffer::{Buffer, ScalarBuffer};
use arrow::compute::{filter, filter_record_batch, take};
use arrow::datatypes::{Int64Type, UInt8Type};

use crate::error::{Error, Result};
use crate::memory;

/// Rows, their event times and their kinds. Cloning is cheap: buffers are shared.
#[derive(Debug, Clone)]
pub struct EventBatch {
    /// The rows that a user sees.
    pub rows: RecordBatch,
    /// Event time of each row in milliseconds; `i64::MIN` means that a row has none. Absent: no row has one.
    pub event_time: Option<ScalarBuffer<i64>>,
    /// [`RowKind`] of each row as its number. Absent: all are inserts.
    pub row_kinds: Option<Buffer>,
}

/// What a row does to the table that a stream describes. The numbers are Flink's and are part of what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RowKind {
    /// A new row.
    Insert = 0,
    /// The old content of a row that the next one replaces.
    UpdateBefore = 1,
    /// The new content of a row.
    UpdateAfter = 2,
    /// A row that is gone.
    Delete = 3,
}

impl EventBatch {
    /// Inserts without event time.
    pub fn inserts(rows: RecordBatch) -> Self {
        Self { rows, event_time: None, row_kinds: None }
    }

    /// How many rows there are.
    pub fn num_rows(&self) -> usize {
        self.rows.num_rows()
    }

    /// Other rows with the same times and kinds: what a projection makes.
    pub fn with_rows(&self, rows: RecordBatch) -> Self {
        debug_assert_eq!(rows.num_rows(), self.num_rows(), "a projection keeps every row");
        Self { rows, event_time: self.event_time.clone(), row_kinds: self.row_kinds.clone() }
    }

    /// The rows `offset .. offset + length`, sharing the buffers.
    pub fn slice(&self, offset: usize, length: usize) -> Self {
        Self {
            rows: self.rows.slice(offset, length),
            event_time: self.event_time.as_ref().map(|times| times.slice(offset, length)),
            row_kinds: self.row_kinds.as_ref().map(|kinds| kinds.slice_with_length(offset, length)),
        }
    }

    /// The rows where `keep` is true (null counts as false).
    pub fn filter(&self, keep: &BooleanArray) -> Result<Self> {
        let rows = filter_record_batch(&self.rows, keep)?;
        let event_time = match &self.event_time {
            Some(times) => Some(as_primitive::<Int64Type>(&filter(&times_array(times), keep)?)),
            None => None,
        };
        let row_kinds = match &self.row_kinds {
            Some(kinds) => Some(as_primitive::<UInt8Type>(&filter(&kinds_array(kinds), keep)?).into_inner()),
            None => None,
        };
        Ok(Self { rows, event_time, row_kinds })
    }

    /// The rows at `indices`, in that order.
    pub fn take(&self, indices: &UInt32Array) -> Result<Self> {
        let columns = self.rows.columns().iter().map(|column| take(column, indices, None)).collect::<Result<_, _>>()?;
        // Rows without columns (`COUNT(*)` alone) are still so many.
        let options = RecordBatchOptions::new().with_row_count(Some(indices.len()));
        let rows = RecordBatch::try_new_with_options(self.rows.schema(), columns, &options)?;
        let event_time =
            self.event_time.as_ref().map(|times| indices.values().iter().map(|&i| times[i as usize]).collect());
        let row_kinds = match &self.row_kinds {
            Some(kinds) => Some(as_primitive::<UInt8Type>(&take(&kinds_array(kinds), indices, None)?).into_inner()),
            None => None,
        };
        Ok(Self { rows, event_time, row_kinds })
    }

    /// All rows of `batches`, which share a schema, in order. Fails on an empty slice.
    pub fn concat(batches: &[Self]) -> Result<Self> {
        let Some(first) = batches.first() else {
            return Err(Error::internal("concat of no batches"));
        };
        let rows = arrow::compute::concat_batches(first.rows.schema_ref(), batches.iter().map(|b| &b.rows))?;
        let any_time = batches.iter().any(|b| b.event_time.is_some());
        let event_time = any_time.then(|| {
            let mut times = Vec::with_capacity(rows.num_rows());
            for batch in batches {
                match &batch.event_time {
                    Some(own) => times.extend_from_slice(own),
                    None => times.resize(times.len() + batch.num_rows(), i64::MIN),
                }
            }
            ScalarBuffer::from(times)
        });
        let any_kind = batches.iter().any(|b| b.row_kinds.is_some());
        let row_kinds = any_kind.then(|| {
            let mut kinds = Vec::with_capacity(rows.num_rows());
            for batch in batches {
                match &batch.row_kinds {
                    Some(own) => kinds.extend_from_slice(own.as_slice()),
                    None => kinds.resize(kinds.len() + batch.num_rows(), RowKind::Insert as u8),
                }
            }
            Buffer::from_vec(kinds)
        });
        Ok(Self { rows, event_time, row_kinds })
    }

    /// Bytes of memory that the buffers of this batch hold, shared ones counted in full: what queues are bounded by.
    pub fn memory_bytes(&self) -> usize {
        let times = self.event_time.as_ref().map_or(0, |t| t.len() * size_of::<i64>());
        let kinds = self.row_kinds.as_ref().map_or(0, Buffer::len);
        memory::visible_parts(self.rows.columns()) + times + kinds
    }
}

fn times_array(times: &ScalarBuffer<i64>) -> Int64Array {
    Int64Array::new(times.clone(), None)
}

fn kinds_array(kinds: &Buffer) -> UInt8Array {
    UInt8Array::new(ScalarBuffer::from(kinds.clone()), None)
}

fn as_primitive<T: ArrowPrimitiveType>(array: &ArrayRef) -> ScalarBuffer<T::Native> {
    array.as_primitive::<T>().values().clone()
}

#[cfg(test)]
mod tests;
