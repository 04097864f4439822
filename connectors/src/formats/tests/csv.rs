//! The format `csv`, reading.

use arrow::datatypes::{DataType, Field};

use super::{MILLISECONDS, Table, field, instants, list, required, row};
use crate::FilterValue;

fn flights(options: &[(&str, &str)]) -> Table {
    let options: Vec<_> = [("format", "csv")].iter().chain(options).copied().collect();
    Table::new(
        &options,
        vec![field("carrier", DataType::Utf8), field("flight", DataType::Int32), field("delay", DataType::Float64)],
    )
}

fn columns(count: usize) -> Vec<Field> {
    (0..count).map(|number| field(&format!("c{number}"), DataType::Utf8)).collect()
}

#[test]
fn values_are_matched_by_position() {
    assert_eq!(flights(&[]).decode("UA,1545,2\r\nAA,42,-7.5"), "[UA, 1545, 2.0]\n[AA, 42, -7.5]\n");
}

#[test]
fn quotes_hold_delimiters_line_ends_and_quotes() {
    let table = Table::new(&[("format", "csv")], columns(2));
    assert_eq!(
        table.decode("\"a,b\",\"say \"\"hi\"\"\"\n\"two\nlines\",\"\"\nplain\"quote,x\n"),
        "[a,b, say \"hi\"]\n[two\nlines, ]\n[plain\"quote, x]\n"
    );
}

#[test]
fn a_wrong_line_is_bad_and_its_neighbours_are_not() {
    assert_eq!(
        flights(&[]).decode("UA,1,1\nUA,1\nAA,2,2,2\nDL,x,3\n\"B6\"x,4,4\nB6,5,5\n"),
        "[UA, 1, 1.0]\n[B6, 5, 5.0]\n\
         bad 1: the line has 2 values, but the table has 3 columns | UA,1\n\
         bad 2: the line has 4 values, but the table has 3 columns | AA,2,2,2\n\
         bad 3: column `flight`: `x` is not a INT | DL,x,3\n\
         bad 4: a closing quote is not followed by a delimiter (a quote inside a value is written twice) | \"B6\"x,4,4\n"
    );
}

#[test]
fn a_quote_that_is_never_closed_costs_its_own_line_only() {
    assert_eq!(
        flights(&[]).decode("UA,1,1\n\"AA,2,2\nDL,3,3\n"),
        "[UA, 1, 1.0]\n[DL, 3, 3.0]\nbad 1: a quote is opened and never closed | \"AA,2,2\n"
    );
}

#[test]
fn the_null_literal_is_null_in_every_type() {
    let table = flights(&[("csv.null-literal", "NA")]);
    assert_eq!(table.decode("NA,NA,NA\nUA,1,NA\n\"NA\",2,2\n"), "[null, null, null]\n[UA, 1, null]\n[null, 2, 2.0]\n");
    assert_eq!(flights(&[]).decode("UA,,1\n"), "bad 0: column `flight`: `` is not a INT | UA,,1\n");
    assert_eq!(flights(&[("csv.null-literal", "")]).decode("UA,,1\n"), "[UA, null, 1.0]\n");
}

#[test]
fn a_header_names_the_columns() {
    let table = flights(&[("csv.header", "true")]);
    assert_eq!(
        table.decode("\u{feff}year,\"delay\",carrier,flight\n2013,2.5,UA,1\n2013,3,AA\n2013,4,DL,9\n"),
        "[UA, 1, 2.5]\n[DL, 9, 4.0]\nbad 1: the line has 3 values, but the header has 4 columns | 2013,3,AA\n"
    );
    assert_eq!(table.decode("carrier,flight,delay\n"), "");
    assert_eq!(table.decode(""), "");
}

#[test]
fn a_header_without_a_wanted_column_is_an_error_that_names_both() {
    let table = flights(&[("csv.header", "true")]);
    assert_eq!(
        table.decode("carrier,flights,delay\nUA,1,2\n"),
        "error: format 'csv': the header line does not name the column `flight`; it names: carrier, flights, delay; \
         correct the table's columns, or leave out 'csv.header' if there is no header\n"
    );
    assert_eq!(table.rows(&["carrier", "delay"]).decode("carrier,flights,delay\nUA,1,2\n"), "[UA, 2.0]\n");
}

#[test]
fn options_change_what_characters_mean() {
    let tabs = Table::new(&[("format", "csv"), ("csv.field-delimiter", "\\t")], columns(2));
    assert_eq!(tabs.decode("a,b\tc\n"), "[a,b, c]\n");
    let quoted = Table::new(&[("format", "csv"), ("csv.quote-character", "'")], columns(2));
    assert_eq!(quoted.decode("'a,b',\"c\n"), "[a,b, \"c]\n");
    let bare = Table::new(&[("format", "csv"), ("csv.disable-quote-character", "true")], columns(2));
    assert_eq!(bare.decode("\"a\",b\"\n"), "[\"a\", b\"]\n");
    let escaped = Table::new(&[("format", "csv"), ("csv.escape-character", "\\")], columns(2));
    assert_eq!(escaped.decode("a\\,b,\"c\\\"d\"\"e\"\nx\\\ny,z\\\\\n"), "[a,b, c\"d\"e]\n[x\ny, z\\]\n");
}

#[test]
fn comments_and_blank_lines_make_no_rows() {
    let table = flights(&[("csv.allow-comments", "true")]);
    assert_eq!(table.decode("# first\nUA,1,1\n\n#\r\nAA,2,2\n# last"), "[UA, 1, 1.0]\n[AA, 2, 2.0]\n");
    let one = Table::new(&[("format", "csv")], columns(1));
    assert_eq!(one.decode("a\n\nb\n"), "[a]\n[]\n[b]\n", "of one column, an empty line is a row");
}

#[test]
fn ignoring_parse_errors_makes_them_null() {
    let table = flights(&[("csv.ignore-parse-errors", "true")]);
    assert_eq!(table.decode("UA,x,1\nAA\nDL,3,3,3\n"), "[UA, null, 1.0]\n[AA, null, null]\n[DL, 3, 3.0]\n");
}

#[test]
fn lists_and_rows_are_delimited() {
    let fields = vec![
        field("numbers", list(DataType::Int64)),
        field("pair", row(vec![field("name", DataType::Utf8), field("size", DataType::Int32)])),
    ];
    let table = Table::new(&[("format", "csv"), ("csv.null-literal", "null")], fields);
    assert_eq!(
        table.decode("1;2;null,a;7\n,b;null\nnull,null\n\"4;5\",c;x\n6,d\n"),
        "[[1, 2, null], {name: a, size: 7}]\n[[], {name: b, size: null}]\n[null, null]\n\
         bad 3: column `pair.size`: `x` is not a INT | \"4;5\",c;x\n\
         bad 4: column `pair`: `d` is not a ROW<`name` STRING, `size` INT> | 6,d\n"
    );
}

#[test]
fn every_type_reads_its_text() {
    let fields = vec![
        field("flag", DataType::Boolean),
        field("tiny", DataType::Int8),
        field("price", DataType::Decimal128(10, 2)),
        field("day", DataType::Date32),
        field("clock", DataType::Time32(arrow::datatypes::TimeUnit::Millisecond)),
        field("at", MILLISECONDS),
        field("instant", instants()),
        field("bytes", DataType::Binary),
    ];
    let table = Table::new(&[("format", "csv")], fields).zone("+02:00");
    assert_eq!(
        table.decode("TRUE, 7 ,1.005,2020-02-29,12:30:01.5,2020-01-01 12:00:00.25,2020-01-01 12:00:00,aGk=\n"),
        "[true, 7, 1.01, 2020-02-29, 12:30:01.500, 2020-01-01T12:00:00.250, 2020-01-01T10:00:00Z, 6869]\n"
    );
    assert_eq!(
        table.decode("f,1,1,2020-01-01,00:00,2020-01-01T00:00,2020-01-01T00:00Z,\n"),
        "bad 0: column `flag`: `f` is not a BOOLEAN (it should be true or false) | f,1,1,2020-01-01,00:00,2020-01-01T00:00,2020-01-01T00:00Z,\n"
    );
}

#[test]
fn required_columns_refuse_null() {
    let options = [("format", "csv"), ("csv.null-literal", "NA")];
    let table = Table::new(&options, vec![required("a", DataType::Int64), field("b", DataType::Utf8)]);
    assert_eq!(
        table.decode("1,x\nNA,y\n3,z\n"),
        "[1, x]\n[3, z]\nbad 1: column `a` is NOT NULL, but the value is null | NA,y\n"
    );
}

#[test]
fn filters_drop_rows_early_but_never_hide_bad_ones_or_watermarks() {
    let table = flights(&[]).rows(&["carrier"]).watermark(&["delay"]).filter("flight", FilterValue::Integer(7));
    assert_eq!(
        table.decode("UA,7,1\nAA,8,2\nDL,x,3\nB6,7,4\n"),
        "[UA]\n[B6]\nwatermark [1.0]\nwatermark [2.0]\nwatermark [4.0]\nbad 2: column `flight`: `x` is not a INT | DL,x,3\n"
    );
}
