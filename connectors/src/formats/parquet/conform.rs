//! Makes a column of a file the column that a table declares.
//!
//! Files are written by others, with wider or narrower numbers, other units of time, other layouts of text. Where each
//! value has one meaning it is converted, and a value that does not fit is an error, not a null.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, MapArray, StructArray, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Int64Type, TimeUnit};
use millstream_engine::sql_type::sql_name;

/// The values of `array` as those of `field`. `path` names the column. Fails with what does not fit.
pub(super) fn conform(path: &str, array: &ArrayRef, field: &Field) -> Result<ArrayRef, String> {
    if !field.is_nullable() && array.null_count() > 0 {
        return Err(format!("column `{path}` is NOT NULL, but the file has nulls in it"));
    }
    let (from, to) = (array.data_type(), field.data_type());
    if from == to {
        return Ok(Arc::clone(array));
    }
    match (from, to) {
        (DataType::Struct(_), DataType::Struct(_)) => conform_row(path, array.as_struct(), to),
        (DataType::List(_), DataType::List(element)) => conform_list(path, array.as_list(), element),
        (DataType::Map(_, _), DataType::Map(entries, sorted)) => conform_map(path, array.as_map(), entries, *sorted),
        (DataType::Timestamp(_, _), DataType::Timestamp(_, _)) => conform_timestamp(path, array, to),
        _ if fits(from, to) => cast(path, array, to),
        _ => Err(mismatch(path, from, to)),
    }
}

fn conform_row(path: &str, row: &StructArray, to: &DataType) -> Result<ArrayRef, String> {
    let DataType::Struct(fields) = to else { return Err(mismatch(path, row.data_type(), to)) };
    let columns = fields.iter().map(|field| {
        let path = format!("{path}.{}", field.name());
        match row.column_by_name(field.name()) {
            // Where the row itself is null, its fields may be.
            Some(column) if row.null_count() > 0 => conform(&path, column, &field.as_ref().clone().with_nullable(true)),
            Some(column) => conform(&path, column, field),
            None if field.is_nullable() => Ok(new_null_array(field.data_type(), row.len())),
            None => Err(format!("it has no field `{path}`, which is NOT NULL")),
        }
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let row = StructArray::try_new_with_length(fields.clone(), columns, row.nulls().cloned(), row.len());
    row.map(|row| Arc::new(row) as ArrayRef).map_err(|error| format!("column `{path}`: {error}"))
}

fn conform_list(path: &str, list: &ListArray, element: &Arc<Field>) -> Result<ArrayRef, String> {
    let values = conform(&format!("{path}[]"), list.values(), element)?;
    let list = ListArray::try_new(Arc::clone(element), list.offsets().clone(), values, list.nulls().cloned());
    list.map(|list| Arc::new(list) as ArrayRef).map_err(|error| format!("column `{path}`: {error}"))
}

fn conform_map(path: &str, map: &MapArray, entries: &Arc<Field>, sorted: bool) -> Result<ArrayRef, String> {
    let DataType::Struct(fields) = entries.data_type() else {
        return Err(mismatch(path, map.data_type(), entries.data_type()));
    };
    let [key, value] = fields.as_ref() else { return Err(mismatch(path, map.data_type(), entries.data_type())) };
    // Keys and values are matched by place: writers call them differently.
    let keys = conform(&format!("{path} (key)"), map.keys(), key)?;
    let values = conform(&format!("{path} (value)"), map.values(), value)?;
    let pairs = StructArray::try_new(fields.clone(), vec![keys, values], None);
    let map = pairs.and_then(|pairs| {
        MapArray::try_new(Arc::clone(entries), map.offsets().clone(), pairs, map.nulls().cloned(), sorted)
    });
    map.map(|map| Arc::new(map) as ArrayRef).map_err(|error| format!("column `{path}`: {error}"))
}

/// Another unit, and another zone: what counts from 1970 stays what it is. Digits below the unit are cut off.
fn conform_timestamp(path: &str, array: &ArrayRef, to: &DataType) -> Result<ArrayRef, String> {
    let (from, to_digits) = (unit_digits(array.data_type()), unit_digits(to));
    let factor = 10_i64.pow(from.abs_diff(to_digits));
    let counts = cast(path, array, &DataType::Int64)?;
    let counts = counts.as_primitive::<Int64Type>();
    let counts: Int64Array = if from > to_digits {
        counts.unary(|count| count.div_euclid(factor))
    } else {
        let scaled = counts.try_unary(|count| count.checked_mul(factor).ok_or(count));
        scaled.map_err(|count| {
            format!("column `{path}` has the value {count}, which is too large for a {}", sql_name(to))
        })?
    };
    cast(path, &(Arc::new(counts) as ArrayRef), to)
}

/// How many digits of a second a timestamp holds.
fn unit_digits(timestamp: &DataType) -> u32 {
    match timestamp {
        DataType::Timestamp(TimeUnit::Nanosecond, _) => 9,
        DataType::Timestamp(TimeUnit::Microsecond, _) => 6,
        DataType::Timestamp(TimeUnit::Millisecond, _) => 3,
        _ => 0,
    }
}

/// Whether values of one type mean something as another. Numbers must still be small enough, one by one.
fn fits(from: &DataType, to: &DataType) -> bool {
    let text = |data_type: &DataType| matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    let bytes = |data_type: &DataType| {
        matches!(
            data_type,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_)
        )
    };
    let decimal = |data_type: &DataType| {
        matches!(
            data_type,
            DataType::Decimal32(_, _)
                | DataType::Decimal64(_, _)
                | DataType::Decimal128(_, _)
                | DataType::Decimal256(_, _)
        )
    };
    let time = |data_type: &DataType| matches!(data_type, DataType::Time32(_) | DataType::Time64(_));
    if let DataType::Dictionary(_, value) = from {
        return fits(value, to) || value.as_ref() == to;
    }
    (text(from) && text(to))
        || (bytes(from) && bytes(to))
        || (from.is_integer() && (to.is_integer() || decimal(to)))
        || (decimal(from) && decimal(to))
        || (from.is_floating() && to.is_floating())
        || (time(from) && time(to))
}

fn cast(path: &str, array: &ArrayRef, to: &DataType) -> Result<ArrayRef, String> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, to, &options)
        .map_err(|error| format!("column `{path}` has a value that is not a {}: {error}", sql_name(to)))
}

fn mismatch(path: &str, from: &DataType, to: &DataType) -> String {
    format!(
        "column `{path}` is a {} in the file, not a {}; declare it as what it is and cast it",
        sql_name(from),
        sql_name(to)
    )
}
