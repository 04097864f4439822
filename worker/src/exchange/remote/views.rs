//! Strings and bytes in views, gathered before they are sent.
//!
//! A view says where in which buffer its string is. A slice keeps all buffers, and so does a `take`, so that a batch that was
//! split among 16 subtasks would send all its strings 16 times. Where less than half of what is held is shown, the strings
//! are copied together.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListArray, GenericByteViewArray, GenericListArray, MapArray, OffsetSizeTrait,
    RecordBatch, RecordBatchOptions, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{ByteViewType, DataType};
use arrow::error::ArrowError;

/// Whether columns of this type may hold more than they show.
pub(super) fn has_views(of: &DataType) -> bool {
    match of {
        DataType::Utf8View | DataType::BinaryView => true,
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => has_views(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_views(field.data_type())),
        _ => false,
    }
}

/// Bytes that the views of `rows` show, beside the views themselves.
pub(super) fn bytes_of(rows: &RecordBatch) -> usize {
    rows.columns().iter().map(|column| array_bytes(column.as_ref())).sum()
}

fn array_bytes(array: &dyn Array) -> usize {
    match array.data_type() {
        of if !has_views(of) => 0,
        DataType::Utf8View => array.as_string_view().total_buffer_bytes_used(),
        DataType::BinaryView => array.as_binary_view().total_buffer_bytes_used(),
        DataType::List(_) => array_bytes(&shown_values(array.as_list::<i32>())),
        DataType::LargeList(_) => array_bytes(&shown_values(array.as_list::<i64>())),
        DataType::FixedSizeList(..) => array_bytes(array.as_fixed_size_list().values()),
        DataType::Map(..) => {
            let map = array.as_map();
            let (_, (from, length)) = from_zero(map.offsets());
            array_bytes(&map.entries().slice(from, length))
        }
        DataType::Struct(_) => array.as_struct().columns().iter().map(|column| array_bytes(column)).sum(),
        _ => 0,
    }
}

/// The same rows, holding little more than they show.
pub(super) fn gathered(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns = rows.columns().iter().map(gathered_array).collect::<Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(rows.schema(), columns, &options)
}

fn gathered_array(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    Ok(match array.data_type() {
        of if !has_views(of) => Arc::clone(array),
        DataType::Utf8View => gathered_views(array.as_string_view()),
        DataType::BinaryView => gathered_views(array.as_binary_view()),
        DataType::List(_) => Arc::new(gathered_list(array.as_list::<i32>())?),
        DataType::LargeList(_) => Arc::new(gathered_list(array.as_list::<i64>())?),
        DataType::FixedSizeList(item, size) => {
            let list = array.as_fixed_size_list();
            let values = gathered_array(list.values())?;
            Arc::new(FixedSizeListArray::try_new(Arc::clone(item), *size, values, list.nulls().cloned())?)
        }
        DataType::Map(entries, sorted) => {
            let map = array.as_map();
            let (offsets, (from, length)) = from_zero(map.offsets());
            let shown: ArrayRef = Arc::new(map.entries().slice(from, length));
            let shown = gathered_array(&shown)?.as_struct().clone();
            Arc::new(MapArray::try_new(Arc::clone(entries), offsets, shown, map.nulls().cloned(), *sorted)?)
        }
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns().iter().map(gathered_array).collect::<Result<_, _>>()?;
            Arc::new(StructArray::try_new(fields.clone(), columns, array.nulls().cloned())?)
        }
        _ => Arc::clone(array),
    })
}

fn gathered_views<T: ByteViewType + ?Sized>(array: &GenericByteViewArray<T>) -> ArrayRef {
    let held: usize = array.data_buffers().iter().map(|buffer| buffer.len()).sum();
    if held > 2 * array.total_buffer_bytes_used() { Arc::new(array.gc()) } else { Arc::new(array.clone()) }
}

fn gathered_list<O: OffsetSizeTrait>(list: &GenericListArray<O>) -> Result<GenericListArray<O>, ArrowError> {
    let (DataType::List(item) | DataType::LargeList(item)) = list.data_type() else {
        return Ok(list.clone());
    };
    let (offsets, _) = from_zero(list.offsets());
    let values = gathered_array(&shown_values(list))?;
    GenericListArray::try_new(Arc::clone(item), offsets, values, list.nulls().cloned())
}

fn shown_values<O: OffsetSizeTrait>(list: &GenericListArray<O>) -> ArrayRef {
    let (_, (from, length)) = from_zero(list.offsets());
    list.values().slice(from, length)
}

/// The offsets counted from the first one, and which values they speak of.
fn from_zero<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>) -> (OffsetBuffer<O>, (usize, usize)) {
    let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
    let moved = OffsetBuffer::new(offsets.iter().map(|offset| *offset - first).collect());
    (moved, (first.as_usize(), (last - first).as_usize()))
}
