//! The key hash: XXH3-64 over a specified encoding of the key.
//!
//! This is a file format. It decides the key group of every key and so which subtask finds its state after a restore; a
//! golden test pins it. Each key column is encoded in turn:
//!
//! ```text
//!  null                              00
//!  boolean                           01 | 00 or 01
//!  integer, date, time, timestamp    01 | value as i64, little endian (unsigned 64-bit: the same bits)
//!  float                             01 | value as f64 bits, little endian; -0.0 as 0.0, every NaN as one
//!  decimal                           01 | unscaled value as i128 (256-bit: i256), little endian
//!  text, bytes                       01 | length u32, little endian | bytes
//! ```
//! Integers of all widths encode alike, so that an `INT` and a `BIGINT` key with one value meet.

use arrow::array::cast::AsArray;
use arrow::array::types::{
    Date32Type, Date64Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType};
use arrow::datatypes::{DataType, TimeUnit};
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Error, Result};

/// Whether columns of this type can be keys.
pub fn is_hashable(data_type: &DataType) -> bool {
    use DataType as T;
    matches!(
        data_type,
        T::Boolean
            | T::Int8
            | T::Int16
            | T::Int32
            | T::Int64
            | T::UInt8
            | T::UInt16
            | T::UInt32
            | T::UInt64
            | T::Float32
            | T::Float64
            | T::Date32
            | T::Date64
            | T::Time32(_)
            | T::Time64(_)
            | T::Timestamp(_, _)
            | T::Decimal128(_, _)
            | T::Decimal256(_, _)
            | T::Utf8
            | T::LargeUtf8
            | T::Utf8View
            | T::Binary
            | T::LargeBinary
            | T::BinaryView
    )
}

/// The hash of the key that `columns` hold in each of `rows` rows, into `hashes`.
pub fn hash_rows(columns: &[ArrayRef], rows: usize, hashes: &mut Vec<u64>) -> Result<()> {
    hashes.clear();
    if let [column] = columns
        && column.data_type() == &DataType::Int64
        && column.null_count() == 0
    {
        hash_int64(column.as_primitive::<Int64Type>().values(), hashes);
        return Ok(());
    }
    hashes.reserve(rows);
    let mut keys: Vec<Vec<u8>> = vec![Vec::new(); rows.min(ROWS_AT_ONCE)];
    for start in (0..rows).step_by(ROWS_AT_ONCE) {
        let length = ROWS_AT_ONCE.min(rows - start);
        keys[..length].iter_mut().for_each(Vec::clear);
        for column in columns {
            encode(column.slice(start, length).as_ref(), &mut keys[..length])?;
        }
        hashes.extend(keys[..length].iter().map(|key| xxh3_64(key)));
    }
    Ok(())
}

/// Keys that are encoded together: few enough for their buffers to stay in the cache.
const ROWS_AT_ONCE: usize = 256;

fn hash_int64(values: &[i64], hashes: &mut Vec<u64>) {
    hashes.extend(values.iter().map(|value| {
        let mut key = [1_u8; 9];
        key[1..].copy_from_slice(&value.to_le_bytes());
        xxh3_64(&key)
    }));
}

/// Appends the encoding of each row of `column` to its key.
fn encode(column: &dyn Array, keys: &mut [Vec<u8>]) -> Result<()> {
    use DataType as T;
    match column.data_type() {
        T::Boolean => put(column, keys, |row, key| key.push(u8::from(column.as_boolean().value(row)))),
        T::Int8 => integers::<Int8Type>(column, keys),
        T::Int16 => integers::<Int16Type>(column, keys),
        T::Int32 => integers::<Int32Type>(column, keys),
        T::Int64 => integers::<Int64Type>(column, keys),
        T::UInt8 => integers::<UInt8Type>(column, keys),
        T::UInt16 => integers::<UInt16Type>(column, keys),
        T::UInt32 => integers::<UInt32Type>(column, keys),
        T::UInt64 => put(column, keys, |row, key| {
            key.extend_from_slice(&column.as_primitive::<UInt64Type>().value(row).to_le_bytes());
        }),
        T::Date32 => integers::<Date32Type>(column, keys),
        T::Date64 => integers::<Date64Type>(column, keys),
        T::Time32(TimeUnit::Second) => integers::<Time32SecondType>(column, keys),
        T::Time32(_) => integers::<Time32MillisecondType>(column, keys),
        T::Time64(TimeUnit::Microsecond) => integers::<Time64MicrosecondType>(column, keys),
        T::Time64(_) => integers::<Time64NanosecondType>(column, keys),
        T::Timestamp(TimeUnit::Second, _) => integers::<TimestampSecondType>(column, keys),
        T::Timestamp(TimeUnit::Millisecond, _) => integers::<TimestampMillisecondType>(column, keys),
        T::Timestamp(TimeUnit::Microsecond, _) => integers::<TimestampMicrosecondType>(column, keys),
        T::Timestamp(TimeUnit::Nanosecond, _) => integers::<TimestampNanosecondType>(column, keys),
        T::Float32 => put(column, keys, |row, key| {
            put_float(f64::from(column.as_primitive::<Float32Type>().value(row)), key);
        }),
        T::Float64 => put(column, keys, |row, key| put_float(column.as_primitive::<Float64Type>().value(row), key)),
        T::Decimal128(_, _) => put(column, keys, |row, key| {
            key.extend_from_slice(&column.as_primitive::<Decimal128Type>().value(row).to_le_bytes());
        }),
        T::Decimal256(_, _) => put(column, keys, |row, key| {
            key.extend_from_slice(&column.as_primitive::<Decimal256Type>().value(row).to_le_bytes());
        }),
        T::Utf8 => texts(column, keys, |row| column.as_string::<i32>().value(row).as_bytes()),
        T::LargeUtf8 => texts(column, keys, |row| column.as_string::<i64>().value(row).as_bytes()),
        T::Utf8View => texts(column, keys, |row| column.as_string_view().value(row).as_bytes()),
        T::Binary => texts(column, keys, |row| column.as_binary::<i32>().value(row)),
        T::LargeBinary => texts(column, keys, |row| column.as_binary::<i64>().value(row)),
        T::BinaryView => texts(column, keys, |row| column.as_binary_view().value(row)),
        other => Err(Error::Invalid(format!("a column of type {other} cannot be a key"))),
    }
}

fn put(column: &dyn Array, keys: &mut [Vec<u8>], value: impl Fn(usize, &mut Vec<u8>)) -> Result<()> {
    for (row, key) in keys.iter_mut().enumerate() {
        if column.is_null(row) {
            key.push(0);
        } else {
            key.push(1);
            value(row, key);
        }
    }
    Ok(())
}

fn integers<T: ArrowPrimitiveType>(column: &dyn Array, keys: &mut [Vec<u8>]) -> Result<()>
where
    T::Native: TryInto<i64>,
{
    let values = column.as_primitive::<T>().values();
    put(column, keys, |row, key| {
        // Every type that comes here is at most 64 bits wide and signed, or narrower; none of its values is refused.
        let wide: i64 = values[row].try_into().unwrap_or_default();
        key.extend_from_slice(&wide.to_le_bytes());
    })
}

fn put_float(value: f64, key: &mut Vec<u8>) {
    let canonical = if value.is_nan() { f64::NAN } else { value + 0.0 };
    key.extend_from_slice(&canonical.to_bits().to_le_bytes());
}

fn texts<'a>(column: &dyn Array, keys: &mut [Vec<u8>], bytes: impl Fn(usize) -> &'a [u8]) -> Result<()> {
    put(column, keys, |row, key| {
        let bytes = bytes(row);
        // Arrow's own offsets keep a value below 4 GiB wherever a batch can hold it.
        key.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        key.extend_from_slice(bytes);
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        BinaryArray, BooleanArray, Decimal128Array, Decimal256Array, Float64Array, Int32Array, Int64Array, StringArray,
        StringViewArray, TimestampMillisecondArray, UInt64Array,
    };
    use arrow::datatypes::i256;

    use super::*;

    fn hashes(columns: &[ArrayRef]) -> Vec<u64> {
        let mut hashes = Vec::new();
        hash_rows(columns, columns[0].len(), &mut hashes).unwrap();
        hashes
    }

    #[test]
    fn the_hash_of_every_kind_of_key_stays_what_it_was() {
        let long: ArrayRef = Arc::new(Int64Array::from(vec![Some(0), Some(1), Some(-1), Some(i64::MAX), None]));
        let text: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), Some("key1"), Some("hello"), Some(""), None]));
        let decimal: ArrayRef =
            Arc::new(Decimal128Array::from(vec![Some(1), Some(-1), Some(0), None, Some(i128::MAX)]));
        let rows: Vec<String> = [vec![Arc::clone(&long)], vec![Arc::clone(&text)], vec![decimal], vec![long, text]]
            .iter()
            .map(|columns| hashes(columns).iter().map(|hash| format!("{hash:016x}")).collect::<Vec<_>>().join(" "))
            .collect();
        // The same values as the reference implementation (python-xxhash) gives over the encoding above.
        expect_test::expect![[r#"
            313c2dd2ec996e80 a048b5cb82162577 53a5f4bc2fc0168c ba0e0da8d48b9d86 c44bdff4074eecdb
            b901fd8f00047977 a96e71506da81720 de21d42c982f32d3 d1dd927ed529f768 c44bdff4074eecdb
            8a640bfe3ddaf9be 3192ebced8da1530 a5950f9c4c7a9188 c44bdff4074eecdb 0baaa9b3e9a96c83
            0df49d4a971ae2e3 ea38382363619f8f 8e5a7774dfc9a809 bd5a0646e66cfe7b 3325230e1f285505"#]]
        .assert_eq(&rows.join("\n"));
    }

    #[test]
    fn the_hash_of_the_rarer_kinds_of_key_stays_what_it_was() {
        let columns: [ArrayRef; 6] = [
            Arc::new(BooleanArray::from(vec![Some(false), Some(true), None])),
            Arc::new(Float64Array::from(vec![1.5, -0.0, -f64::NAN])),
            Arc::new(UInt64Array::from(vec![Some(1), Some(u64::MAX), None])),
            Arc::new(TimestampMillisecondArray::from(vec![Some(1_470_902_048_450), Some(-1), None])),
            Arc::new(BinaryArray::from(vec![Some(&b"\x00\xff"[..]), Some(b""), None])),
            Arc::new(Decimal256Array::from(vec![Some(i256::ONE), Some(i256::MINUS_ONE), None])),
        ];
        let rows = columns
            .map(|column| hashes(&[column]).iter().map(|hash| format!("{hash:016x}")).collect::<Vec<_>>().join(" "));
        expect_test::expect![[r#"
            ab94ac0ace7276c0 070d80d6a76865f3 c44bdff4074eecdb
            2b68e3d95bc408b8 313c2dd2ec996e80 6a33929ce40a04d7
            a048b5cb82162577 53a5f4bc2fc0168c c44bdff4074eecdb
            d25723c11fd49524 53a5f4bc2fc0168c c44bdff4074eecdb
            b14060278d553cc4 d1dd927ed529f768 c44bdff4074eecdb
            a0cb7ac274aab990 487e2722781141e3 c44bdff4074eecdb"#]]
        .assert_eq(&rows.join("\n"));
    }

    #[test]
    fn rows_without_a_key_column_have_one_key() {
        let mut hashes = Vec::new();
        hash_rows(&[], 2, &mut hashes).unwrap();
        assert_eq!(hashes, [0x2d06800538d394c2; 2]);
    }

    #[test]
    fn equal_values_of_different_types_hash_alike() {
        let wide: ArrayRef = Arc::new(Int64Array::from(vec![Some(7), None]));
        let narrow: ArrayRef = Arc::new(Int32Array::from(vec![Some(7), None]));
        assert_eq!(hashes(&[wide]), hashes(&[narrow]));
        let text: ArrayRef = Arc::new(StringArray::from(vec!["a longer text than fits a view"]));
        let view: ArrayRef = Arc::new(StringViewArray::from(vec!["a longer text than fits a view"]));
        assert_eq!(hashes(&[text]), hashes(&[view]));
        let zeros: ArrayRef = Arc::new(Float64Array::from(vec![0.0, -0.0, f64::NAN, -f64::NAN]));
        let hashed = hashes(&[zeros]);
        assert_eq!((hashed[0], hashed[2]), (hashed[1], hashed[3]));
    }

    #[test]
    fn a_column_boundary_is_part_of_the_key() {
        let left: ArrayRef = Arc::new(StringArray::from(vec!["ab", "a"]));
        let right: ArrayRef = Arc::new(StringArray::from(vec!["c", "bc"]));
        let hashed = hashes(&[left, right]);
        assert_ne!(hashed[0], hashed[1]);
    }
}
