//! Makes a row of every element of a list column.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, SchemaRef};

use super::{Expression, RowFunction};
use crate::batch::EventBatch;
use crate::error::{Error, Result};

/// Appends, for each element of the list that `list` answers, a row with the old columns and the element as the last one.
/// A row whose list is null or empty makes no row. Other columns, times and row kinds are repeated.
#[derive(Debug)]
pub struct Unnest {
    list: Expression,
    schema: SchemaRef,
}

impl Unnest {
    /// `schema`: the columns of the input and one more, of the list's element type.
    pub fn new(list: Expression, schema: SchemaRef) -> Self {
        Self { list, schema }
    }
}

impl RowFunction for Unnest {
    fn apply(&mut self, batch: EventBatch) -> Result<EventBatch> {
        let lists = self.list.evaluate(&batch.rows)?.into_array(batch.num_rows())?;
        let lists = as_list(&lists)?;
        let lists = lists.as_list::<i64>();
        let offsets = lists.value_offsets();
        let mut rows = Vec::with_capacity(lists.values().len());
        let mut elements = Vec::with_capacity(lists.values().len());
        for row in 0..lists.len() {
            if lists.is_null(row) {
                continue;
            }
            for element in offsets[row]..offsets[row + 1] {
                rows.push(index(row)?);
                elements.push(index(usize::try_from(element).unwrap_or(usize::MAX))?);
            }
        }
        let rows = UInt32Array::from(rows);
        let repeated = batch.take(&rows)?;
        let element = take(lists.values(), &UInt32Array::from(elements), None)?;
        let columns = repeated.rows.columns().iter().map(Arc::clone).chain([element]).collect();
        let rows = RecordBatch::try_new(SchemaRef::clone(&self.schema), columns)?;
        Ok(repeated.with_rows(rows))
    }
}

fn as_list(array: &ArrayRef) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::LargeList(_) => Ok(Arc::clone(array)),
        DataType::List(element) => Ok(cast(array, &DataType::LargeList(Arc::clone(element)))?),
        other => Err(Error::internal(format!("flatMap over a column of type {other}"))),
    }
}

fn index(value: usize) -> Result<u32> {
    u32::try_from(value).map_err(|_| Error::internal("a batch of more than 2^32 rows"))
}
