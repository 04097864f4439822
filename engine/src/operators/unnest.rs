//! Makes a row of every element of a list column.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, LargeListArray, RecordBatch, UInt32Array};
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
        let repeated = batch.take(&rows_of_elements(lists)?)?;
        let element = elements(lists)?;
        let columns = repeated.rows.columns().iter().map(Arc::clone).chain([element]).collect();
        let rows = RecordBatch::try_new(SchemaRef::clone(&self.schema), columns)?;
        Ok(repeated.with_rows(rows))
    }
}

/// The row of each element.
fn rows_of_elements(lists: &LargeListArray) -> Result<UInt32Array> {
    let mut rows = Vec::with_capacity(lists.values().len());
    for (row, ends) in lists.value_offsets().windows(2).enumerate() {
        if lists.is_valid(row) {
            let elements = usize::try_from(ends[1] - ends[0]).unwrap_or_default();
            rows.resize(rows.len() + elements, index(row)?);
        }
    }
    Ok(UInt32Array::from(rows))
}

/// All elements in order. They mostly stand one after the other as they are; only a null list can have some that do not
/// count.
fn elements(lists: &LargeListArray) -> Result<ArrayRef> {
    let ends = lists.value_offsets();
    let place = |end: i64| usize::try_from(end).unwrap_or_default();
    if lists.null_count() == 0 {
        let (start, end) = (place(ends[0]), place(ends[lists.len()]));
        return Ok(lists.values().slice(start, end - start));
    }
    let valid = ends.windows(2).enumerate().filter(|(row, _)| lists.is_valid(*row));
    let kept = valid.flat_map(|(_, ends)| ends[0]..ends[1]);
    let kept = kept.map(|element| index(place(element))).collect::<Result<Vec<_>>>()?;
    Ok(take(lists.values(), &UInt32Array::from(kept), None)?)
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
