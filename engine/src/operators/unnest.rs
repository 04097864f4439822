//! Makes a row of every element of a list column.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, LargeListArray, RecordBatch, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, SchemaRef};

use super::{Expression, RowFunction};
use crate::batch::EventBatch;
use crate::error::{Error, Result};

/// Makes, for each element of the list that `list` answers, a row with some of the old columns and the element as the last
/// one. A row whose list is null or empty makes no row. Times and row kinds are repeated too.
#[derive(Debug)]
pub struct Unnest {
    list: Expression,
    repeated: Vec<usize>,
    schema: SchemaRef,
}

impl Unnest {
    /// `schema`: the columns `repeated` of the input and one more, of the list's element type.
    pub fn new(list: Expression, repeated: Vec<usize>, schema: SchemaRef) -> Self {
        Self { list, repeated, schema }
    }
}

impl RowFunction for Unnest {
    fn apply(&mut self, batch: EventBatch) -> Result<EventBatch> {
        let lists = self.list.evaluate(&batch.rows)?.into_array(batch.num_rows())?;
        let lists = as_list(&lists)?;
        let lists = lists.as_list::<i64>();
        let kept = batch.with_rows(batch.rows.project(&self.repeated)?);
        let repeated = kept.take(&rows_of_elements(lists)?)?;
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

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, ListArray, UInt8Array};
    use arrow::datatypes::{Field, Int32Type, Int64Type, Schema};
    use datafusion_physical_expr::expressions::Column;

    use super::*;

    /// Numbers 0, 1, … beside `lists`; what comes out, as pairs.
    fn unnested(lists: ListArray) -> Vec<(i64, Option<i32>)> {
        let rows = i64::try_from(lists.len()).unwrap();
        let schema = Arc::new(Schema::new(vec![
            Field::new("list", lists.data_type().clone(), true),
            Field::new("n", DataType::Int64, false),
        ]));
        let numbers = Arc::new(Int64Array::from_iter_values(0..rows));
        let mut batch = EventBatch::inserts(RecordBatch::try_new(schema, vec![Arc::new(lists), numbers]).unwrap());
        batch.event_time = Some((100..100 + rows).collect());
        let out =
            Schema::new(vec![Field::new("n", DataType::Int64, false), Field::new("element", DataType::Int32, true)]);
        let mut unnest = Unnest::new(Arc::new(Column::new("list", 0)), vec![1], Arc::new(out));
        let out = unnest.apply(batch).unwrap();
        let numbers = out.rows.column(0).as_primitive::<Int64Type>().values().to_vec();
        let times: Vec<i64> = out.event_time.unwrap().iter().map(|time| time - 100).collect();
        assert_eq!(times, numbers, "an element has the time of its row");
        numbers.into_iter().zip(out.rows.column(1).as_primitive::<Int32Type>()).collect()
    }

    fn lists() -> ListArray {
        ListArray::from_iter_primitive::<Int32Type, _, _>([
            Some(vec![Some(1), None]),
            Some(vec![]),
            None,
            Some(vec![Some(3)]),
        ])
    }

    #[test]
    fn elements_have_the_columns_of_their_row() {
        assert_eq!(unnested(lists()), [(0, Some(1)), (0, None), (3, Some(3))]);
    }

    #[test]
    fn a_part_of_a_batch_gives_the_elements_of_its_rows() {
        assert_eq!(unnested(lists().slice(3, 1)), [(0, Some(3))]);
        assert_eq!(unnested(lists().slice(1, 1)), []);
    }

    #[test]
    fn what_stands_behind_a_null_list_does_not_come_out() {
        let (field, offsets, values, _) = lists().into_parts();
        let nulls = vec![true, true, true, false].into();
        assert_eq!(unnested(ListArray::new(field, offsets, values, Some(nulls))), [(0, Some(1)), (0, None)]);
    }

    #[test]
    fn rows_without_columns_are_still_so_many() {
        let list: ArrayRef = Arc::new(lists());
        let schema = Arc::new(Schema::new(vec![Field::new("list", list.data_type().clone(), true)]));
        let mut batch = EventBatch::inserts(RecordBatch::try_new(schema, vec![list]).unwrap());
        batch.row_kinds = Some(UInt8Array::from(vec![0, 1, 2, 3]).into_parts().1.into_inner());
        let out = Arc::new(Schema::new(vec![Field::new("element", DataType::Int32, true)]));
        let out = Unnest::new(Arc::new(Column::new("list", 0)), Vec::new(), out).apply(batch).unwrap();
        assert_eq!(out.num_rows(), 3);
        assert_eq!(out.row_kinds.unwrap().as_slice(), [0, 0, 3]);
    }
}
