//! The format `parquet`.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray, StringViewArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use millstream_engine::batch::EventBatch;
use millstream_engine::error::Error;

use super::{MILLISECONDS, Table, field, instants, list, map, required, row, show_rows, spec};
use crate::formats::parquet::ParquetReader;

/// A file with `rows` in groups of some, as bytes.
fn file(options: &[(&str, &str)], batches: &[RecordBatch]) -> Vec<u8> {
    let options: Vec<_> = [("format", "parquet")].iter().chain(options).copied().collect();
    let schema = batches[0].schema();
    let mut encoder = spec(&options).expect("options").encoder(&schema).expect("an encoder");
    let mut bytes = Vec::new();
    encoder.begin(&mut bytes);
    for batch in batches {
        encoder.encode(&EventBatch::inserts(batch.clone()), &mut bytes).expect("encoded");
    }
    encoder.finish(&mut bytes).expect("a file");
    bytes
}

fn numbers(from: i64, count: i64) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + count));
    let text: ArrayRef = Arc::new(StringArray::from_iter_values((from..from + count).map(|n| format!("n{n}"))));
    RecordBatch::try_from_iter([("n", column), ("t", text)]).expect("a batch")
}

fn open(bytes: &[u8], rows: Vec<Field>, start: u64) -> millstream_engine::error::Result<ParquetReader> {
    let schema: SchemaRef = Arc::new(Schema::new(rows));
    ParquetReader::open(stored(bytes), "f.parquet", &schema, None, start)
}

fn stored(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).expect("written");
    file
}

/// All rows of a file, or what was read before the error.
fn read(bytes: &[u8], rows: Vec<Field>) -> String {
    let mut shown = String::new();
    let read = |shown: &mut String| {
        let mut reader = open(bytes, rows, 0)?;
        while let Some(decoded) = reader.next(5)? {
            assert!(decoded.records <= 5 && decoded.records == decoded.rows.num_rows());
            shown.push_str(&show_rows("", &decoded.rows));
        }
        Ok::<(), Error>(())
    };
    match read(&mut shown) {
        Ok(()) => shown,
        Err(error) => format!("{shown}error: {error}"),
    }
}

/// Rows that a JSON text describes.
fn rows(fields: Vec<Field>, json: &str) -> RecordBatch {
    let mut batches = Vec::new();
    let table = Table::new(&[("format", "json")], fields);
    table.decode_each(json.as_bytes(), json.len(), usize::MAX, |decoded| batches.push(decoded.rows)).expect("rows");
    batches.remove(0)
}

fn nested() -> Vec<Field> {
    let inner = row(vec![field("u", DataType::Utf8), field("v", DataType::Int64)]);
    vec![
        field("a", DataType::Int32),
        field("r", row(vec![field("x", DataType::Int64), field("y", inner), field("z", DataType::Utf8)])),
        field("l", list(row(vec![field("k", DataType::Int64)]))),
        field("m", map(DataType::Utf8)),
        field("t", instants()),
        field("d", DataType::Decimal128(10, 2)),
    ]
}

const NESTED: &str = r#"
{"a":1,"r":{"x":2,"y":{"u":"b","v":3},"z":"c"},"l":[{"k":4},null],"m":{"p":"q"},"t":"2020-01-01 00:00:00Z","d":1.25}
{"a":null,"r":{"x":null,"y":null,"z":"e"},"l":[],"m":{}}
{"r":null}
"#;

#[test]
fn what_is_written_is_read_again_in_every_compression() {
    let batch = rows(nested(), NESTED);
    for compression in ["uncompressed", "snappy", "GZIP", "zstd", "lz4_raw"] {
        let bytes = file(&[("parquet.compression", compression)], std::slice::from_ref(&batch));
        assert_eq!(read(&bytes, nested()), show_rows("", &batch), "{compression}");
    }
}

#[test]
fn only_what_is_wanted_is_read_and_in_the_wanted_order() {
    let bytes = file(&[], &[rows(nested(), NESTED)]);
    let inner = row(vec![field("v", DataType::Int64)]);
    let wanted = vec![field("d", DataType::Decimal128(10, 2)), field("r", row(vec![field("y", inner)]))];
    assert_eq!(read(&bytes, wanted), "[1.25, {y: {v: 3}}]\n[null, {y: null}]\n[null, null]\n");
    assert_eq!(read(&bytes, vec![]), "[]\n[]\n[]\n", "rows are counted when no column is wanted");
    let empty = row(vec![field("other", DataType::Int64)]);
    assert_eq!(read(&bytes, vec![field("r", empty)]), "[{other: null}]\n[{other: null}]\n[null]\n");
    assert_eq!(read(&bytes, vec![field("new", DataType::Utf8)]), "[null]\n[null]\n[null]\n");
}

#[test]
fn columns_for_the_watermark_are_read_beside() {
    let bytes = file(&[], &[rows(nested(), NESTED)]);
    let schema = |fields: Vec<Field>| Arc::new(Schema::new(fields));
    let deep = |name: &str, data_type| field("r", row(vec![field(name, data_type)]));
    let (rows, watermark) = (schema(vec![deep("x", DataType::Int64)]), schema(vec![deep("z", DataType::Utf8)]));
    let mut reader = ParquetReader::open(stored(&bytes), "f", &rows, Some(&watermark), 1).expect("a reader");
    let decoded = reader.next(1).expect("rows").expect("rows");
    assert_eq!(show_rows("", &decoded.rows), "[{x: null}]\n");
    assert_eq!(show_rows("", &decoded.watermark_rows.expect("rows")), "[{z: e}]\n");
}

#[test]
fn reading_starts_at_any_row_and_ends_where_it_is_told() {
    // Rows enough for several row groups of the smallest size.
    let batches: Vec<_> = (0..40).map(|part| numbers(part * 5_000, 5_000)).collect();
    let bytes = file(&[("parquet.block.size", "1 mb"), ("parquet.compression", "uncompressed")], &batches);
    let groups = {
        use parquet::file::reader::{FileReader, SerializedFileReader};
        SerializedFileReader::new(stored(&bytes)).expect("a file").num_row_groups()
    };
    assert!(groups > 2, "{groups} row groups");
    let wanted = || vec![field("n", DataType::Int64)];
    for start in [0_u64, 1, 4_999, 70_000, 123_456, 199_999, 200_000, 300_000] {
        let mut reader = open(&bytes, wanted(), start).expect("a reader");
        let mut next = i64::try_from(start).expect("small");
        for limit in [1, 10, 9_000, 4_096].iter().cycle() {
            let Some(decoded) = reader.next(*limit).expect("rows") else { break };
            assert!((1..=*limit).contains(&decoded.records));
            let column = decoded.rows.column(0).as_primitive::<Int64Type>();
            for value in column.values() {
                assert_eq!(*value, next);
                next += 1;
            }
        }
        assert_eq!(next, 200_000.max(i64::try_from(start).expect("small")));
    }
}

#[test]
fn other_types_are_converted_where_every_value_has_one_meaning() {
    let zone: Option<Arc<str>> = Some("UTC".into());
    let times = vec![1_577_880_000_123_456, -1];
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("small", Arc::new(Int32Array::from(vec![1, 2]))),
        ("local", Arc::new(TimestampMicrosecondArray::from(times.clone()))),
        ("instant", Arc::new(TimestampMicrosecondArray::from(times).with_timezone_opt(zone))),
        ("text", Arc::new(StringViewArray::from(vec!["a", "b"]))),
    ];
    let bytes = file(&[], &[RecordBatch::try_from_iter(columns).expect("a batch")]);
    let wanted = vec![
        field("small", DataType::Int64),
        field("local", instants()),
        field("instant", MILLISECONDS),
        field("text", DataType::Utf8),
    ];
    assert_eq!(
        read(&bytes, wanted),
        "[1, 2020-01-01T12:00:00.123Z, 2020-01-01T12:00:00.123, a]\n[2, 1969-12-31T23:59:59.999Z, 1969-12-31T23:59:59.999, b]\n"
    );
    assert_eq!(
        read(&bytes, vec![field("text", DataType::Int64)]),
        "error: file `f.parquet`: column `text` is a STRING in the file, not a BIGINT; declare it as what it is and cast it"
    );
    assert_eq!(read(&bytes, vec![field("small", DataType::Int8)]), "[1]\n[2]\n");
    let large = file(&[], &[numbers(127, 2)]);
    let shown = read(&large, vec![field("n", DataType::Int8)]);
    assert!(shown.starts_with("error: file `f.parquet`: column `n` has a value that is not a TINYINT: "), "{shown}");
}

#[test]
fn nulls_and_absence_in_required_columns_are_errors() {
    let bytes = file(&[], &[rows(nested(), NESTED)]);
    assert_eq!(
        read(&bytes, vec![required("a", DataType::Int32)]),
        "error: file `f.parquet`: column `a` is NOT NULL, but the file has nulls in it"
    );
    assert_eq!(
        read(&bytes, vec![required("new", DataType::Int32)]),
        "error: file `f.parquet`: it has no column `new`, which is NOT NULL"
    );
}

#[test]
fn what_is_not_parquet_is_an_error_that_names_the_file() {
    let shown = read(b"a,b,c", vec![field("a", DataType::Int32)]);
    assert!(shown.starts_with("error: file `f.parquet`: it cannot be read as Parquet: "), "{shown}");
    let mut cut = file(&[], &[numbers(0, 1_000)]);
    cut.truncate(cut.len() / 2);
    let shown = read(&cut, vec![field("n", DataType::Int64)]);
    assert!(shown.starts_with("error: file `f.parquet`: it cannot be read as Parquet: "), "{shown}");
}

#[test]
fn options_are_checked() {
    for (key, value, reason) in [
        ("parquet.compression", "brotli", "it should be UNCOMPRESSED, SNAPPY, GZIP, ZSTD or LZ4_RAW"),
        ("parquet.block.size", "4 kb", "it should be between 1 mb and 1 gb"),
    ] {
        let message = spec(&[("format", "parquet"), (key, value)]).expect_err("refused").message;
        assert!(message.ends_with(reason), "{message}");
    }
}
