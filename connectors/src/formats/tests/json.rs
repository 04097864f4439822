//! The format `json`, reading.

use arrow::datatypes::{DataType, Field, TimeUnit};

use super::{MILLISECONDS, Table, field, instants, list, map, required, row};
use crate::FilterValue;

fn table(options: &[(&str, &str)], fields: Vec<Field>) -> Table {
    let options: Vec<_> = [("format", "json")].iter().chain(options).copied().collect();
    Table::new(&options, fields)
}

fn pair() -> Vec<Field> {
    vec![field("a", DataType::Int64), field("b", DataType::Utf8)]
}

#[test]
fn objects_are_rows_wherever_they_stand() {
    assert_eq!(
        table(&[], pair())
            .decode("{\"a\":1,\"b\":\"x\"}\n {\"b\" : \"y\" , \"a\":2}\r\n\n{}{\"a\":3}\t{\"a\":\n4,\n\"b\":null\n}"),
        "[1, x]\n[2, y]\n[null, null]\n[3, null]\n[4, null]\n"
    );
    assert_eq!(table(&[], pair()).decode(" \n"), "");
}

#[test]
fn of_a_name_that_occurs_twice_the_last_value_counts() {
    assert_eq!(
        table(&[], pair()).decode(
            "{\"a\":1,\"b\":\"x\",\"a\":2}\n{\"a\":1,\"b\":\"x\",\"a\":\"y\"}\n{\"a\":1,\"b\":\"x\",\"a\":3}\n"
        ),
        "[2, x]\n[3, x]\nbad 1: column `a`: `y` is not a BIGINT | {\"a\":1,\"b\":\"x\",\"a\":\"y\"}\n"
    );
    let nested = vec![field("r", row(vec![field("x", DataType::Int64), field("y", DataType::Int64)]))];
    assert_eq!(
        table(&[], nested).decode(
            "{\"r\":{\"x\":1,\"y\":2},\"r\":{\"x\":3}}\n{\"r\":{\"x\":1},\"r\":null}\n{\"r\":null,\"r\":{\"y\":5}}"
        ),
        "[{x: 3, y: null}]\n[null]\n[{x: null, y: 5}]\n"
    );
}

#[test]
fn escapes_are_read_in_names_and_texts() {
    assert_eq!(
        table(&[], pair()).decode(r#"{"\u0061":1,"b":"q\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}"#),
        "[1, q\"\\/\u{8}\u{c}\n\r\té😀]\n"
    );
}

#[test]
fn what_is_not_json_is_bad_up_to_its_line_end() {
    let rows = [
        r#"{"a":1,"b":"good"}"#,
        r#"{"a":1,"b":"x""#,
        r#"{"a":1,}"#,
        r#"{"a":01}"#,
        r#"{"a":1 "b":"x"}"#,
        r#"{"a":+1}"#,
        r#"{"b":"\x"}"#,
        r#"{"b":"\ud800"}"#,
        "{\"b\":\"tab\there\"}",
        r#"{"a":nul}"#,
        r#"{"c":[1,2}}"#,
        r#"{a:1}"#,
        r#"[1]"#,
        "x",
        r#"{"a":2,"b":"good"} x"#,
        r#"{"a":3}"#,
        r#"{"a":4"#,
    ];
    assert_eq!(
        table(&[], pair()).decode(rows.join("\n")),
        r#"[1, good]
[2, good]
[3, null]
bad 1: not a JSON object: expected a comma or } at position 15, found `{` | {"a":1,"b":"x"
bad 2: not a JSON object: expected the name of a field in quotes at position 7, found `}` | {"a":1,}
bad 3: not a JSON object: expected no digit after a leading zero at position 6, found `1` | {"a":01}
bad 4: not a JSON object: expected a comma or } at position 7, found `\"` | {"a":1 "b":"x"}
bad 5: not a JSON object: expected a value at position 5, found `+` | {"a":+1}
bad 6: not a JSON object: expected one of " \ / b f n r t u after a backslash at position 7, found `x` | {"b":"\x"}
bad 7: not a JSON object: expected a low surrogate after a high one, and only there at position 12, found `\"` | {"b":"\ud800"}
bad 8: not a JSON object: expected no bare control character inside a text at position 9, found `\t` | {"b":"tab	here"}
bad 9: not a JSON object: expected true, false or null at position 8, found `}` | {"a":nul}
bad 10: not a JSON object: expected a comma or ] at position 9, found `}` | {"c":[1,2}}
bad 11: not a JSON object: expected the name of a field in quotes at position 1, found `a` | {a:1}
bad 12: not a JSON object: expected an object at position 0, found `[` | [1]
bad 13: not a JSON object: expected an object at position 0, found `x` | x
bad 15: not a JSON object: expected an object at position 0, found `x` | x
bad 17: the JSON object does not end | {"a":4
"#
    );
}

#[test]
fn bytes_that_are_not_utf8_are_named_by_their_place() {
    assert_eq!(
        table(&[], pair())
            .rows(&["a"])
            .decode(b"{\"a\":1}\n{\"a\":2,\"b\":\"\xff\"}\n{\"a\":3}\n{\"a\":4,\"b\":\"\xc3"),
        "[1]\n[3]\nbad 1: the byte 0xff at position 12 is not UTF-8 | {\"a\":2,\"b\":\"\u{fffd}\"}\n\
         bad 3: the byte 0xc3 at position 12 is not UTF-8 | {\"a\":4,\"b\":\"\u{fffd}\n"
    );
}

#[test]
fn numbers_may_be_in_quotes_and_fractions_of_integers_are_cut() {
    let fields = vec![
        field("i8", DataType::Int8),
        field("i16", DataType::Int16),
        field("i32", DataType::Int32),
        field("i64", DataType::Int64),
        field("f32", DataType::Float32),
        field("f64", DataType::Float64),
        field("d", DataType::Decimal128(10, 3)),
        field("flag", DataType::Boolean),
    ];
    let table = table(&[], fields);
    assert_eq!(
        table.decode(
            r#"{"i8":-128,"i16":32767,"i32":2.9,"i64":-1e3,"f32":1,"f64":1e400,"d":1.0005,"flag":true}
               {"i8":" 7 ","i16":"+8","i32":"-9","i64":"10","f32":"NaN","f64":"2.5","d":" 3.1 ","flag":"False"}"#
        ),
        "[-128, 32767, 2, -1000, 1.0, inf, 1.001, true]\n[7, 8, -9, 10, NaN, 2.5, 3.100, false]\n"
    );
    for (value, reason) in [
        (r#""i8":128"#, "column `i8`: `128` is not a TINYINT"),
        (r#""i8":1.5"#, "column `i8`: `1.5` is not a TINYINT"),
        (r#""i32":2147483648"#, "column `i32`: `2147483648` is not a INT"),
        (r#""i64":"1.5""#, "column `i64`: `1.5` is not a BIGINT"),
        (r#""i64":9223372036854775808"#, "column `i64`: `9223372036854775808` is not a BIGINT"),
        (r#""i64":true"#, "column `i64`: `true` is not a BIGINT"),
        (r#""i64":[1]"#, "column `i64`: `[1]` is not a BIGINT"),
        (r#""f64":"x""#, "column `f64`: `x` is not a DOUBLE"),
        (r#""d":12345678"#, "column `d`: `12345678` is not a DECIMAL(10, 3)"),
        (r#""flag":1"#, "column `flag`: `1` is not a BOOLEAN (it should be true or false)"),
    ] {
        let shown = table.decode(format!("{{{value}}}"));
        assert!(shown.starts_with(&format!("bad 0: {reason} | ")), "{shown}");
    }
}

#[test]
fn a_text_column_takes_any_value_as_its_text() {
    assert_eq!(
        table(&[], pair()).rows(&["b"]).decode(r#"{"b":1.50}{"b":true}{"b":{"x" : [1, "a b\" c" ], "y":{}}}{"b":[ ]}"#),
        "[1.50]\n[true]\n[{\"x\":[1,\"a b\\\" c\"],\"y\":{}}]\n[[]]\n"
    );
}

#[test]
fn missing_fields_are_null_or_bad_as_told() {
    let fields = vec![field("a", DataType::Int64), field("r", row(vec![field("x", DataType::Int64)]))];
    let input = "{\"a\":1}\n{\"r\":{}}\n{\"a\":2,\"r\":null}\n{\"a\":null,\"r\":{\"x\":null}}\n";
    assert_eq!(
        table(&[], fields.clone()).decode(input),
        "[1, null]\n[null, {x: null}]\n[2, null]\n[null, {x: null}]\n"
    );
    assert_eq!(
        table(&[("json.fail-on-missing-field", "true")], fields).decode(input),
        "[2, null]\n[null, {x: null}]\n\
         bad 0: field `r` is missing (and 'json.fail-on-missing-field' is set) | {\"a\":1}\n\
         bad 1: field `a` is missing (and 'json.fail-on-missing-field' is set) | {\"r\":{}}\n"
    );
}

#[test]
fn required_columns_refuse_null_and_absence() {
    let inner = row(vec![required("x", DataType::Int64)]);
    let fields = vec![required("a", DataType::Int64), field("r", inner)];
    assert_eq!(
        table(&[], fields).decode(
            "{\"a\":1,\"r\":null}\n{\"a\":null}\n{\"r\":{\"x\":1}}\n{\"a\":2,\"r\":{}}\n{\"a\":3,\"r\":{\"x\":4}}\n"
        ),
        "[1, null]\n[3, {x: 4}]\n\
         bad 1: column `a` is NOT NULL, but the value is null | {\"a\":null}\n\
         bad 2: field `a` is missing, but the column is NOT NULL | {\"r\":{\"x\":1}}\n\
         bad 3: field `r.x` is missing, but the column is NOT NULL | {\"a\":2,\"r\":{}}\n"
    );
}

#[test]
fn ignoring_parse_errors_makes_values_null() {
    let fields = vec![field("a", DataType::Int64), field("l", list(DataType::Int64)), required("n", DataType::Int32)];
    assert_eq!(
        table(&[("json.ignore-parse-errors", "true")], fields).decode(
            "{\"a\":\"x\",\"l\":[1,\"y\"],\"n\":1}\n{\"a\":1,\"l\":5,\"n\":2}\n{\"n\":\"z\"}\nbroken\n{\"n\":3}\n"
        ),
        "[null, [1, null], 1]\n[1, null, 2]\n[null, null, 3]\n\
         bad 2: column `n`: `z` is not a INT | {\"n\":\"z\"}\n\
         bad 3: not a JSON object: expected an object at position 0, found `b` | broken\n"
    );
}

#[test]
fn nested_types_are_read_and_pruned() {
    let deep = row(vec![
        field("x", DataType::Int64),
        field("y", DataType::Utf8),
        field("z", row(vec![field("t", MILLISECONDS), field("u", DataType::Utf8)])),
    ]);
    let fields = vec![
        field("r", deep),
        field("l", list(row(vec![field("k", DataType::Utf8), field("v", list(DataType::Int32))]))),
        field("m", map(DataType::Float64)),
    ];
    let input = r#"{"r":{"x":1,"y":"a","z":{"u":"b","t":"2020-01-01 00:00:00"}},"l":[{"k":"p","v":[1,2]},null,{"v":[]},{"q":1}],"m":{"one":1,"t\u0077o":null,"one":2}}
{"r":{"z":null},"l":[],"m":{}}
{"r":null,"l":null,"m":null}
{"r":{"z":7}}
{"l":[1]}
{"l":[{"k":"a","v":[1,"b"]}]}
{"m":[]}
{"m":{"a":"x"}}
{"r":{"x":9}}
"#;
    assert_eq!(
        table(&[], fields.clone()).decode(input),
        r#"[{x: 1, y: a, z: {t: 2020-01-01T00:00:00, u: b}}, [{k: p, v: [1, 2]}, null, {k: null, v: []}, {k: null, v: null}], {one: 2.0, two: null}]
[{x: null, y: null, z: null}, [], {}]
[null, null, null]
[{x: 9, y: null, z: null}, null, null]
bad 3: column `r.z`: `7` is not a ROW<`t` TIMESTAMP(3), `u` STRING> | {"r":{"z":7}}
bad 4: column `l[]`: `1` is not a ROW<`k` STRING, `v` ARRAY<INT>> | {"l":[1]}
bad 5: column `l[].v[]`: `b` is not a INT | {"l":[{"k":"a","v":[1,"b"]}]}
bad 6: column `m`: `[]` is not a MAP<STRING, DOUBLE> | {"m":[]}
bad 7: column `m (value)`: `x` is not a DOUBLE | {"m":{"a":"x"}}
"#
    );
    let pruned =
        vec![field("r", row(vec![field("z", row(vec![field("u", DataType::Utf8)])), field("x", DataType::Int64)]))];
    assert_eq!(
        table(&[], fields).pruned(pruned).decode(input),
        r#"[{z: {u: b}, x: 1}]
[{z: null, x: null}]
[null]
[null]
[null]
[null]
[null]
[{z: null, x: 9}]
bad 3: column `r.z`: `7` is not a ROW<`u` STRING> | {"r":{"z":7}}
"#
    );
}

#[test]
fn times_are_read_in_the_standard_that_was_asked_for() {
    let fields = || {
        vec![
            field("ts", DataType::Timestamp(TimeUnit::Microsecond, None)),
            field("ltz", instants()),
            field("d", DataType::Date32),
            field("t", DataType::Time64(TimeUnit::Microsecond)),
        ]
    };
    let sql = r#"{"ts":"2020-01-01 12:00:00.123456789","ltz":"2020-01-01 12:00:00Z","d":"2020-01-01","t":"12:00:00.5"}
{"ltz":"2020-01-01 12:00:00"}
"#;
    assert_eq!(
        table(&[], fields()).zone("Asia/Tokyo").decode(sql),
        "[2020-01-01T12:00:00.123456, 2020-01-01T12:00:00Z, 2020-01-01, 12:00:00.500]\n[null, 2020-01-01T03:00:00Z, null, null]\n"
    );
    let iso = sql.replace("1 1", "1T1");
    assert_eq!(
        table(&[("json.timestamp-format.standard", "ISO-8601")], fields()).zone("Asia/Tokyo").decode(&iso),
        "[2020-01-01T12:00:00.123456, 2020-01-01T12:00:00Z, 2020-01-01, 12:00:00.500]\n[null, 2020-01-01T03:00:00Z, null, null]\n"
    );
    assert_eq!(
        table(&[], fields()).rows(&["ts"]).decode(r#"{"ts":"2020-01-01T12:00:00"}"#),
        "bad 0: column `ts`: `2020-01-01T12:00:00` is not a TIMESTAMP(6) (it should look like 2020-01-31 12:30:59.123, \
         with a T for the blank if the format's timestamps are ISO-8601) | {\"ts\":\"2020-01-01T12:00:00\"}\n"
    );
}

#[test]
fn bytes_are_base64_with_or_without_padding() {
    let table = table(&[], vec![field("b", DataType::Binary)]);
    assert_eq!(table.decode("{\"b\":\"aGk=\"}{\"b\":\"aGk\"}{\"b\":\"\"}"), "[6869]\n[6869]\n[]\n");
    assert_eq!(
        table.decode("{\"b\":\"a*\"}\n{\"b\":\"aA==\"}"),
        "[68]\nbad 0: column `b`: `a*` is not a BYTES (it should be base64) | {\"b\":\"a*\"}\n"
    );
}

#[test]
fn filters_keep_what_equals_as_the_column_reads_it() {
    let fields = vec![field("a", DataType::Int32), field("b", DataType::Utf8), field("c", DataType::Int64)];
    let input = r#"{"a":7,"b":"x","c":1}
{"a":"7","b":"x","c":2}
{"a":7.9,"b":"x","c":3}
{"a":8,"b":"x","c":4}
{"a":null,"b":"x","c":5}
{"a":"y","b":"x","c":6}
{"a":7,"b":"\u0078","c":"bad"}
{"a":8,"b":"x","c":"bad but dropped"}
{"a":7,"b":"z","c":9}
{"b":"x"}
"#;
    let filtered = table(&[], fields)
        .rows(&["c"])
        .filter("a", FilterValue::Integer(7))
        .filter("b", FilterValue::Text("x".to_owned()));
    assert_eq!(
        filtered.decode(input),
        "[1]\n[2]\n[3]\n\
         bad 5: column `a`: `y` is not a INT | {\"a\":\"y\",\"b\":\"x\",\"c\":6}\n\
         bad 6: column `c`: `bad` is not a BIGINT | {\"a\":7,\"b\":\"\\u0078\",\"c\":\"bad\"}\n"
    );
}

#[test]
fn the_watermark_sees_every_good_row_once() {
    let fields = vec![field("a", DataType::Int32), field("t", DataType::Int64), field("s", DataType::Utf8)];
    let filtered = table(&[], fields).rows(&["s"]).watermark(&["t"]).filter("a", FilterValue::Integer(1));
    let input = b"{\"a\":1,\"t\":1,\"s\":\"x\"}{\"a\":2,\"t\":2}{\"a\":1,\"t\":\"bad\"}{\"a\":1,\"t\":4,\"s\":\"y\"}";
    assert_eq!(
        filtered.decode(input),
        "[x]\n[y]\nwatermark [1]\nwatermark [2]\nwatermark [4]\n\
         bad 2: column `t`: `bad` is not a BIGINT | {\"a\":1,\"t\":\"bad\"}\n"
    );
}

#[test]
fn a_record_that_is_too_long_is_bad_and_the_next_one_is_not() {
    let long = "x".repeat(300);
    let input = format!("{{\"a\":1}}\n{{\"b\":\"{long}\"}}\n{{\"a\":2}}\n[{long}]\n{{\"a\":3}}");
    let shown = table(&[], pair()).max_record(64).decode(&input);
    assert!(shown.starts_with("[1, null]\n[2, null]\n[3, null]\nbad 1: the record is longer than 64 bytes"), "{shown}");
    assert_eq!(shown.matches("bad").count(), 2, "{shown}");
}

#[test]
fn nesting_has_a_limit_that_is_a_bad_row_and_no_overflow() {
    let deep = format!("{{\"x\":{}{}}}\n{{\"a\":1}}\n", "[".repeat(100_000), "]".repeat(100_000));
    let shown = table(&[], pair()).rows(&["a"]).decode_in(deep.as_bytes(), deep.len(), usize::MAX);
    assert!(
        shown.starts_with("[1]\nbad 0: not a JSON object: expected arrays and objects no deeper than 127 levels"),
        "{}",
        &shown[..200]
    );
}

#[test]
fn names_are_found_among_many_columns_in_any_order() {
    let fields: Vec<_> = (0..40).map(|number| field(&format!("c{number}"), DataType::Int64)).collect();
    let object = |order: &mut dyn Iterator<Item = usize>| {
        let members: Vec<_> = order.map(|number| format!("\"c{number}\":{number},\"other{number}\":0")).collect();
        format!("{{{}}}", members.join(","))
    };
    let expected = format!("[{}]\n", (0..40).map(|number| number.to_string()).collect::<Vec<_>>().join(", "));
    let input = format!("{}{}", object(&mut (0..40)), object(&mut (0..40).rev()));
    assert_eq!(table(&[], fields).decode(input), expected.repeat(2));
}
