//! Encoders of text formats.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, RecordBatch, StringArray, TimestampSecondArray};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use expect_test::expect;
use millstream_engine::batch::{EventBatch, RowKind};

use super::{MILLISECONDS, Table, field, instants, list, map, row, spec};

fn every_type() -> Vec<Field> {
    let inner = row(vec![field("x", DataType::Int64), field("y \"z\"", DataType::Utf8)]);
    vec![
        field("flag", DataType::Boolean),
        field("i8", DataType::Int8),
        field("i64", DataType::Int64),
        field("f64", DataType::Float64),
        field("dec", DataType::Decimal128(10, 2)),
        field("text", DataType::Utf8),
        field("bytes", DataType::Binary),
        field("day", DataType::Date32),
        field("clock", DataType::Time32(TimeUnit::Millisecond)),
        field("at", MILLISECONDS),
        field("instant", instants()),
        field("r", inner),
        field("l", list(DataType::Int64)),
    ]
}

const ROWS: &str = r#"
{"flag":true,"i8":-1,"i64":9007199254740993,"f64":1.5,"dec":-0.05,"text":"a \"b\",\n\u0001é\\","bytes":"aGk=","day":"2020-02-29",
 "clock":"12:30:00.250","at":"2020-01-01 00:00:00.120","instant":"2020-01-01 00:00:00Z","r":{"x":1,"y \"z\"":"q"},"l":[1,null]}
{"text":"","f64":"NaN","r":{},"l":[]}
"#;

fn batch(fields: Vec<Field>, json: &str) -> EventBatch {
    let mut batches = Vec::new();
    let table = Table::new(&[("format", "json")], fields);
    table.decode_each(json.as_bytes(), json.len(), usize::MAX, |decoded| batches.push(decoded.rows)).expect("rows");
    EventBatch::inserts(batches.remove(0))
}

/// A file with one batch.
fn encode(options: &[(&str, &str)], batch: &EventBatch) -> String {
    let encoded = spec(options).expect("options").encoder(&batch.rows.schema()).and_then(|mut encoder| {
        let mut bytes = Vec::new();
        encoder.begin(&mut bytes);
        encoder.encode(batch, &mut bytes)?;
        encoder.finish(&mut bytes)?;
        Ok(bytes)
    });
    encoded.map_or_else(|error| format!("error: {error}\n"), |bytes| String::from_utf8(bytes).expect("text"))
}

#[test]
fn json_has_all_fields_in_flinks_forms() {
    expect![[r#"
        {"flag":true,"i8":-1,"i64":9007199254740993,"f64":1.5,"dec":-0.05,"text":"a \"b\",\n\u0001é\\","bytes":"aGk=","day":"2020-02-29","clock":"12:30:00.25","at":"2020-01-01 00:00:00.12","instant":"2020-01-01 00:00:00Z","r":{"x":1,"y \"z\"":"q"},"l":[1,null]}
        {"flag":null,"i8":null,"i64":null,"f64":"NaN","dec":null,"text":"","bytes":null,"day":null,"clock":null,"at":null,"instant":null,"r":{"x":null,"y \"z\"":null},"l":[]}
    "#]]
    .assert_eq(&encode(&[("format", "json")], &batch(every_type(), ROWS)));
}

#[test]
fn json_times_follow_the_standard_and_maps_are_objects() {
    let fields = vec![field("at", MILLISECONDS), field("instant", instants()), field("m", map(DataType::Int64))];
    let rows = r#"{"at":"2020-01-01 12:00:00","instant":"2020-01-01 12:00:00.5Z","m":{"a":1,"b":null}}"#;
    let options = [("format", "json"), ("json.timestamp-format.standard", "ISO-8601")];
    assert_eq!(
        encode(&options, &batch(fields, rows)),
        "{\"at\":\"2020-01-01T12:00:00\",\"instant\":\"2020-01-01T12:00:00.5Z\",\"m\":{\"a\":1,\"b\":null}}\n"
    );
}

#[test]
fn csv_quotes_what_would_be_read_as_something_else() {
    expect![[r#"
        true,-1,9007199254740993,1.5,-0.05,"a ""b"",
        é\",aGk=,2020-02-29,12:30:00.25,2020-01-01 00:00:00.12,2020-01-01 00:00:00Z,1;q,1;
        ,,,NaN,,"",,,,,,;,""
    "#]]
    .assert_eq(&encode(&[("format", "csv")], &batch(every_type(), ROWS)).replace('\u{1}', ""));
}

#[test]
fn csv_options_change_how_it_is_written() {
    let fields = || vec![field("a", DataType::Utf8), field("b", DataType::Utf8)];
    let rows = batch(fields(), r#"{"a":"x,y","b":null}{"a":" NA","b":"NA"}{"a":"it's|so","b":"\\"}"#);
    let options = [
        ("format", "csv"),
        ("csv.header", "true"),
        ("csv.null-literal", "NA"),
        ("csv.field-delimiter", "|"),
        ("csv.quote-character", "'"),
    ];
    assert_eq!(encode(&options, &rows), "a|b\nx,y|NA\n' NA'|'NA'\n'it''s|so'|\\\n");
    let bare = [("format", "csv"), ("csv.disable-quote-character", "true"), ("csv.escape-character", "\\")];
    assert_eq!(encode(&bare, &rows), "x\\,y,\n NA,NA\nit's|so,\\\\\n");
    assert_eq!(
        encode(&bare[..2], &rows),
        "error: column `a`: the value `x,y` has a delimiter or a line end in it, which cannot be written without quotes; \
         leave out 'csv.disable-quote-character'\n"
    );
}

#[test]
fn what_is_written_is_read_again() {
    let fields: Vec<Field> = every_type().into_iter().filter(|field| field.name() != "f64").collect();
    let original = batch(fields.clone(), ROWS);
    for options in
        [vec![("format", "json")], vec![("format", "csv"), ("csv.null-literal", "\u{1}null"), ("csv.header", "true")]]
    {
        let written = encode(&options, &original);
        let expected = super::show_rows("", &original.rows);
        assert_eq!(Table::new(&options, fields.clone()).decode(&written), expected, "{options:?}");
    }
}

#[test]
fn raw_writes_a_line_for_each_value() {
    let rows = batch(vec![field("line", DataType::Utf8)], r#"{"line":"one"}{"line":null}{"line":"three"}"#);
    assert_eq!(encode(&[("format", "raw")], &rows), "one\n\nthree\n");
}

#[test]
fn changes_of_a_table_are_refused() {
    let mut rows = batch(vec![field("line", DataType::Utf8)], r#"{"line":"one"}"#);
    for (kind, refused) in [(RowKind::Insert, false), (RowKind::UpdateAfter, true), (RowKind::Delete, true)] {
        rows.row_kinds = Some(Buffer::from_vec(vec![kind as u8]));
        for format in ["json", "csv", "raw"] {
            assert_eq!(encode(&[("format", format)], &rows).starts_with("error: format"), refused, "{format} {kind:?}");
        }
    }
}

#[test]
fn a_value_beyond_the_calendar_is_an_error_and_leaves_nothing_behind() {
    let column: ArrayRef = Arc::new(TimestampSecondArray::from(vec![0, i64::MAX]));
    let batch = EventBatch::inserts(RecordBatch::try_from_iter([("at", column)]).expect("a batch"));
    for format in ["json", "csv"] {
        let mut encoder =
            spec(&[("format", format)]).expect("options").encoder(&batch.rows.schema()).expect("an encoder");
        let mut bytes = b"before".to_vec();
        let error = encoder.encode(&batch, &mut bytes).expect_err("refused").to_string();
        assert_eq!(error, "column `at`: the value 9223372036854775807 of type TIMESTAMP(0) lies beyond the calendar");
        assert_eq!(bytes, b"before");
    }
}

#[test]
fn types_that_a_format_cannot_hold_are_refused_by_name() {
    for (format, data_type, expected) in [
        (
            "csv",
            map(DataType::Int64),
            "column `a`: the format 'csv' cannot hold the type MAP<STRING, BIGINT>; cast it to STRING",
        ),
        ("json", DataType::UInt64, "column `a`: the format 'json' cannot hold the type UInt64; cast it to STRING"),
    ] {
        let schema = Arc::new(Schema::new(vec![field("a", data_type)]));
        let error = spec(&[("format", format)]).expect("options").encoder(&schema).err().expect("refused");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn single_precision_numbers_are_written_with_their_own_digits() {
    let column: ArrayRef = Arc::new(Float32Array::from(vec![0.1, 16_777_216.0]));
    let text: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
    let batch = EventBatch::inserts(RecordBatch::try_from_iter([("f", column), ("t", text)]).expect("a batch"));
    assert_eq!(encode(&[("format", "csv")], &batch), "0.1,a\n1.6777216E7,b\n");
}
