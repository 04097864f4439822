//! How much memory containers hold.
//!
//! A slot has a budget of memory, so every part of a task that can grow answers how many bytes it holds. They are added up
//! here and not asked of the allocator, which knows the process but not whose its memory is.
//!
//! # What counts
//! - Room counts, not what is in it: a table that was cleared holds as much as before.
//! - An answer takes no longer the more rows or keys there are, since it is asked for every few batches. A container whose
//!   items hold memory of their own therefore keeps a running sum and changes it with each of them.
//! - What is the same however much comes (schemas, expressions, an empty operator) is left out.

use std::collections::VecDeque;
use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, GenericByteArray, OffsetSizeTrait};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{ByteArrayType, DataType};

/// A container that is empty and holds more than this gives it back; less is kept for the next rows.
pub const KEPT_WHEN_EMPTY: usize = 1024 * 1024;

/// The steps in which an allocator gives out small blocks. For large ones the difference does not show.
const BLOCK_STEP: usize = 16;
/// How many entries a node of the standard library's B-trees has room for.
const NODE_ENTRIES: usize = 11;

/// Bytes that a block of `bytes` takes.
#[inline]
pub fn block(bytes: usize) -> usize {
    bytes.next_multiple_of(BLOCK_STEP)
}

/// Bytes of a vector's own block.
#[inline]
pub fn vec<T>(of: &Vec<T>) -> usize {
    of.capacity() * size_of::<T>()
}

/// Bytes of a queue's own block.
#[inline]
pub fn queue<T>(of: &VecDeque<T>) -> usize {
    of.capacity() * size_of::<T>()
}

/// Bytes of the nodes of a B-tree with `entries` entries, about: it does not tell how many nodes it has.
///
/// A leaf has 6 entries, and every seventh is in a node above, where entries came in order; where they came in any order it is
/// between 8 and 9 for each leaf. This assumes 7.5.
pub fn tree<K, V>(entries: usize) -> usize {
    let leaf = NODE_ENTRIES * (size_of::<K>() + size_of::<V>()) + 2 * size_of::<usize>();
    let above = leaf + (NODE_ENTRIES + 1) * size_of::<usize>();
    let leaves = (2 * entries).div_ceil(15);
    leaves * leaf + leaves / 8 * above
}

/// Bytes of the buffers of arrays that nobody else holds.
pub fn arrays(of: &[ArrayRef]) -> usize {
    of.iter().map(|array| array.get_buffer_memory_size()).sum()
}

/// Bytes of the visible parts of arrays that share their buffers: a slice of a large buffer counts its own part, and a slice
/// of lists or maps the items of its own rows. Of strings in views only the views count: who shares their buffers is not known.
///
/// Asked for every batch that is sent, so numbers and texts are sized where they are, without `Array::to_data`.
pub fn visible_parts(of: &[ArrayRef]) -> usize {
    of.iter().map(|array| visible_part(array.as_ref())).sum()
}

fn visible_part(array: &dyn Array) -> usize {
    let rows = array.len();
    let values = match array.data_type() {
        DataType::Null => 0,
        DataType::Boolean => rows.div_ceil(8),
        DataType::Utf8 => texts(array.as_string::<i32>()),
        DataType::LargeUtf8 => texts(array.as_string::<i64>()),
        DataType::Binary => texts(array.as_binary::<i32>()),
        DataType::LargeBinary => texts(array.as_binary::<i64>()),
        DataType::Utf8View | DataType::BinaryView => rows * size_of::<u128>(),
        DataType::FixedSizeBinary(width) => rows * usize::try_from(*width).unwrap_or(0),
        DataType::List(_) => lists(array.as_list::<i32>().offsets(), array.as_list::<i32>().values().as_ref()),
        DataType::LargeList(_) => lists(array.as_list::<i64>().offsets(), array.as_list::<i64>().values().as_ref()),
        DataType::Map(..) => lists(array.as_map().offsets(), array.as_map().entries()),
        DataType::FixedSizeList(..) => visible_part(array.as_fixed_size_list().values().as_ref()),
        DataType::Struct(_) => visible_parts(array.as_struct().columns()),
        of => match of.primitive_width() {
            Some(width) => rows * width,
            None => return other(array),
        },
    };
    values + array.nulls().map_or(0, |_| rows.div_ceil(8))
}

fn texts<T: ByteArrayType>(of: &GenericByteArray<T>) -> usize {
    size_of_val(of.value_offsets()) + shown(of.offsets()).len()
}

fn lists<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>, values: &dyn Array) -> usize {
    let items = shown(offsets);
    let all = items.len() == values.len();
    let values = if all { visible_part(values) } else { visible_part(values.slice(items.start, items.len()).as_ref()) };
    size_of_val::<[O]>(offsets) + values
}

/// The items that offsets speak of.
fn shown<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>) -> Range<usize> {
    offsets[0].as_usize()..offsets[offsets.len() - 1].as_usize()
}

/// Of types that no column of a program has, but those of others may.
fn other(array: &dyn Array) -> usize {
    array.to_data().get_slice_memory_size().unwrap_or_else(|_| array.get_array_memory_size())
}

/// A number of bytes, for people: `71.3 MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub usize);

impl std::fmt::Display for Bytes {
    #[expect(clippy::cast_precision_loss, reason = "one digit behind the point is shown")]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const UNITS: [(usize, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match UNITS.into_iter().find(|(unit, _)| self.0 >= *unit) {
            None => write!(f, "{} bytes", self.0),
            Some((unit, name)) if self.0.is_multiple_of(unit) => write!(f, "{} {name}", self.0 / unit),
            Some((unit, name)) => write!(f, "{:.1} {name}", self.0 as f64 / unit as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        BooleanArray, Decimal128Array, DictionaryArray, FixedSizeListArray, Int32Array, Int64Array, ListArray,
        MapArray, NullArray, StringArray, StringViewArray, StructArray,
    };
    use arrow::datatypes::{Field, Int32Type};

    use super::*;

    const ROWS: i32 = 100;

    fn numbers() -> ArrayRef {
        Arc::new(Int32Array::from_iter_values(0..ROWS))
    }

    fn texts() -> StringArray {
        (0..ROWS).map(|row| (row % 3 != 0).then(|| row.to_string())).collect()
    }

    /// As Arrow counts what it can cut.
    fn by_arrow(array: &ArrayRef) -> usize {
        array.to_data().get_slice_memory_size().unwrap()
    }

    #[test]
    fn a_slice_counts_what_it_shows() {
        let pairs = StructArray::try_from(vec![("n", numbers()), ("text", Arc::new(texts()) as ArrayRef)]).unwrap();
        let twos = Arc::new(Field::new("item", DataType::Int32, true));
        let columns: Vec<ArrayRef> = vec![
            numbers(),
            Arc::new(Int64Array::from_iter((0..i64::from(ROWS)).map(|row| (row % 2 == 0).then_some(row)))),
            Arc::new(Decimal128Array::from_iter_values((0..ROWS).map(i128::from))),
            Arc::new(BooleanArray::from_iter((0..ROWS).map(|row| Some(row % 2 == 0)))),
            Arc::new(texts()),
            Arc::new(texts().iter().collect::<StringViewArray>()),
            Arc::new(texts().iter().collect::<DictionaryArray<Int32Type>>()),
            Arc::new(NullArray::new(100)),
            Arc::new(pairs),
            Arc::new(FixedSizeListArray::new(twos, 2, Arc::new(Int32Array::from_iter_values(0..2 * ROWS)), None)),
        ];
        for column in columns {
            for part in [column.slice(0, 100), column.slice(13, 29), column.slice(0, 0)] {
                let said = visible_parts(std::slice::from_ref(&part));
                assert_eq!(said, by_arrow(&part), "{} rows of {}", part.len(), part.data_type());
            }
        }
    }

    #[test]
    fn a_slice_of_lists_or_maps_counts_its_own_items() {
        let items = (0..ROWS).map(|row| Some((0..row % 10).map(Some).collect::<Vec<_>>()));
        let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(items));
        let entries = StructArray::try_from(vec![("key", numbers()), ("value", numbers())]).unwrap();
        let entries_field = Arc::new(Field::new("entries", entries.data_type().clone(), false));
        let offsets = OffsetBuffer::from_repeated_length(2, 50);
        let maps: ArrayRef = Arc::new(MapArray::new(entries_field, offsets, entries, None, false));
        for whole in [lists, maps] {
            let bytes = |part: ArrayRef| visible_parts(&[part]);
            assert_eq!(bytes(Arc::clone(&whole)), by_arrow(&whole));
            let tenths: usize =
                (0..10).map(|tenth| bytes(whole.slice(tenth * whole.len() / 10, whole.len() / 10))).sum();
            // Each slice has an offset more than rows, as the whole has.
            assert_eq!(tenths, bytes(Arc::clone(&whole)) + 9 * size_of::<i32>());
        }
    }

    #[test]
    fn bytes_are_shown_in_the_largest_unit_that_fits() {
        let shown = [0, 1023, 1024, 1536, 64 << 20, (71 << 20) + (300 << 10), 3 << 30].map(|of| Bytes(of).to_string());
        assert_eq!(shown, ["0 bytes", "1023 bytes", "1 KiB", "1.5 KiB", "64 MiB", "71.3 MiB", "3 GiB"]);
    }
}
