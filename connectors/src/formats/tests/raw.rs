//! The format `raw`.

use arrow::datatypes::{DataType, Schema};
use std::sync::Arc;

use super::{Table, field, spec};
use crate::FilterValue;

fn lines() -> Table {
    Table::new(&[("format", "raw")], vec![field("line", DataType::Utf8)])
}

#[test]
fn each_line_is_a_row_whatever_ends_it() {
    assert_eq!(lines().decode("one\ntwo\r\n\nfour"), "[one]\n[two]\n[]\n[four]\n");
    assert_eq!(lines().decode("one\n"), "[one]\n");
    assert_eq!(lines().decode(""), "");
}

#[test]
fn a_line_that_is_not_utf8_is_bad_and_its_neighbours_are_not() {
    assert_eq!(
        lines().decode(b"gr\xc3\xbc\xc3\x9fe\nab\xffcd\nlast\nhalf \xc3"),
        "[grüße]\n[last]\nbad 1: the byte 0xff at position 2 is not UTF-8 | ab\u{fffd}cd\n\
         bad 3: the byte 0xc3 at position 5 is not UTF-8 | half \u{fffd}\n"
    );
}

#[test]
fn bytes_may_be_anything() {
    let table = Table::new(&[("format", "raw")], vec![field("line", DataType::Binary)]);
    assert_eq!(table.decode(b"a\xff\nb\n"), "[61ff]\n[62]\n");
}

#[test]
fn a_line_that_is_too_long_is_bad_and_is_never_held() {
    let table = lines().max_record(8);
    assert_eq!(
        table.decode("12345678\n123456789\nnext\n0123456789abcdef"),
        "[12345678]\n[next]\n\
         bad 1: the record is longer than 8 bytes; if it should be, raise 'scan.max-record-size' | 12345678\n\
         bad 3: the record is longer than 8 bytes; if it should be, raise 'scan.max-record-size' | 01234567\n"
    );
}

#[test]
fn rows_are_counted_when_no_column_is_wanted() {
    let table = lines().rows(&[]);
    let mut count = 0;
    table.decode_each(b"a\nb\nc", 100, usize::MAX, |decoded| count += decoded.rows.num_rows()).expect("rows");
    assert_eq!(count, 3);
}

#[test]
fn lines_can_be_filtered() {
    let table = lines().filter("line", FilterValue::Text("b".to_owned()));
    assert_eq!(table.decode("a\nb\nc\nb\n"), "[b]\n[b]\n");
}

#[test]
fn a_table_with_other_columns_is_refused() {
    let decoder = |fields| {
        let schema = Arc::new(Schema::new(fields));
        let spec = spec(&[("format", "raw")]).expect("options");
        spec.decoder(&schema, &schema, None, &[], "UTC").err().map(|error| error.to_string())
    };
    let fields: Vec<_> = vec![field("a", DataType::Utf8), field("b", DataType::Utf8)];
    assert_eq!(
        decoder(fields).as_deref(),
        Some(
            "the format 'raw' holds one column, but the table has 2; use 'json' or 'csv', or declare one STRING column"
        )
    );
    assert_eq!(
        decoder(vec![field("a", DataType::Int64)]).as_deref(),
        Some("column `a`: the format 'raw' holds STRING or BYTES, not BIGINT; declare it as STRING and cast it")
    );
}
