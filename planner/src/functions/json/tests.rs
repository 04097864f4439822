use super::super::testing::{Functions, no_text, t};

const DOCUMENT: &str = r#"{
    "type": "account", "activated": true, "age": 42, "balance": 13.37, "longBalance": 123456789.987654321,
    "nullField": null, "contains blank": "right", "k\u00e9y": "\u00e9\n", "list": [1, [2, 3], {"b": 1e400, "a": "x y"}]
}"#;

#[test]
fn scalars_are_found_as_text() {
    Functions::utc().check(&[
        ("json_value", vec![t(DOCUMENT), t("$.longBalance")], "123456789.987654321"),
        ("json_value", vec![t(DOCUMENT), t("$.balance")], "13.37"),
        ("json_value", vec![t(DOCUMENT), t("$.type")], "account"),
        ("json_value", vec![t(DOCUMENT), t("$.activated")], "true"),
        ("json_value", vec![t(DOCUMENT), t("$.age")], "42"),
        ("json_value", vec![t(DOCUMENT), t("$.nullField")], "NULL"),
        ("json_value", vec![t(DOCUMENT), t("strict $.['contains blank']")], "right"),
        ("json_value", vec![t(DOCUMENT), t("$.kéy")], "é\n"),
        ("json_value", vec![t(DOCUMENT), t("$.list[2].b")], "1E+400"),
        ("json_value", vec![t(DOCUMENT), t("$.list[1][-1]")], "3"),
        ("json_value", vec![t(DOCUMENT), t("$.list")], "NULL"),
        ("json_value", vec![t(DOCUMENT), t("lax $.invalid")], "NULL"),
        ("json_value", vec![t("{"), t("$.a")], "NULL"),
        ("json_value", vec![t(""), t("$.a")], "NULL"),
        ("json_value", vec![no_text(), t("$.a")], "NULL"),
        ("json_value", vec![t("{}"), no_text()], "NULL"),
        ("json_value", vec![t(r#"{"a.b": [0.998,0.996]}"#), t(r#"$.["a.b"][0]"#)], "0.998"),
    ]);
}

#[test]
fn clauses_decide_what_empty_and_wrong_values_become() {
    let value = |path: &str, on_empty: &str, empty: &str, on_error: &str, error: &str| {
        Functions::utc().show("json_value", &[t(DOCUMENT), t(path), t(on_empty), t(empty), t(on_error), t(error)])
    };
    assert_eq!(value("lax $.invalid", "DEFAULT", "42", "ERROR", ""), "42");
    assert_eq!(value("lax $.list", "default", "42", "ERROR", ""), "42");
    assert_eq!(value("strict $.invalid", "NULL", "", "DEFAULT", "42"), "42");
    assert_eq!(value("strict $.invalid", "ERROR", "", "NULL", ""), "NULL");
    assert_eq!(value("$.nullField", "DEFAULT", "x", "ERROR", ""), "x");
    assert_eq!(
        value("lax $.invalid", "ERROR", "", "NULL", ""),
        "error: json_value has no value: the path names nothing"
    );
    assert_eq!(
        value("$.list", "NULL", "", "ERROR", ""),
        "error: json_value has no value: the path names an array or object"
    );
    Functions::utc().check(&[
        ("json_exists", vec![t(DOCUMENT), t("lax $")], "TRUE"),
        ("json_exists", vec![t(DOCUMENT), t("$.list[2].a")], "TRUE"),
        ("json_exists", vec![t(DOCUMENT), t("lax $.list[3]")], "FALSE"),
        ("json_exists", vec![t(DOCUMENT), t("$.nullField")], "FALSE"),
        ("json_exists", vec![t(DOCUMENT), t("$.invalid")], "FALSE"),
        ("json_exists", vec![t(DOCUMENT), t("strict $.invalid"), t("TRUE")], "TRUE"),
        ("json_exists", vec![t(DOCUMENT), t("lax $.invalid"), t("TRUE")], "FALSE"),
        ("json_exists", vec![t(DOCUMENT), t("strict $.invalid"), t("UNKNOWN")], "NULL"),
        (
            "json_exists",
            vec![t(DOCUMENT), t("strict $.invalid"), t("ERROR")],
            "error: json_exists has no answer: the path names nothing",
        ),
        ("json_exists", vec![no_text(), t("lax $")], "NULL"),
    ]);
}

#[test]
fn arrays_and_objects_are_printed_in_one_form() {
    let json = r#"{ "a": "[1,2]", "b": [ 1, 2 ], "items": [{"itemId":1234, "count": 10.50}, null], "o": {}, "n": 1}"#;
    Functions::utc().check(&[
        ("json_query", vec![t(json), t("$.b")], "[1,2]"),
        ("json_query", vec![t(json), t("$.items")], r#"[{"count":10.50,"itemId":1234},null]"#),
        ("json_query", vec![t(json), t("$.b"), t("CONDITIONAL")], "[1,2]"),
        ("json_query", vec![t(json), t("$.b"), t("UNCONDITIONAL")], "[[1,2]]"),
        ("json_query", vec![t(json), t("$.o"), t("CONDITIONAL")], "[{}]"),
        ("json_query", vec![t(json), t("$.a"), t("CONDITIONAL")], r#"["[1,2]"]"#),
        ("json_query", vec![t(json), t("$.n"), t("CONDITIONAL")], "[1]"),
        ("json_query", vec![t(json), t("$.a")], "NULL"),
        ("json_query", vec![t(json), t("lax $.x"), t("WITHOUT"), t("EMPTY ARRAY")], "[]"),
        ("json_query", vec![t(json), t("lax $.x"), t("WITHOUT"), t("EMPTY OBJECT")], "{}"),
        ("json_query", vec![t(json), t("strict $.x"), t("WITHOUT"), t("NULL"), t("EMPTY ARRAY")], "[]"),
        (
            "json_query",
            vec![t(json), t("$.a"), t("WITHOUT"), t("NULL"), t("ERROR")],
            "error: json_query has no value: the path names no array or object",
        ),
        ("json_query", vec![no_text(), t("$")], "NULL"),
    ]);
    // Nested beyond any use: an error and not an overflow of the stack.
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(Functions::utc().show("json_query", &[t(&deep), t("$")]), "NULL");
}

#[test]
fn texts_are_recognised_as_json_of_a_sort() {
    Functions::utc().check(&[
        ("is_json", vec![t("1")], "TRUE"),
        ("is_json", vec![t("[]")], "TRUE"),
        ("is_json", vec![t("\"abc\"")], "TRUE"),
        ("is_json", vec![t("abc")], "FALSE"),
        ("is_json", vec![t("{\"a\": 1} x")], "FALSE"),
        ("is_json", vec![t("")], "FALSE"),
        ("is_json", vec![no_text()], "FALSE"),
        ("is_json", vec![t(" 1"), t("SCALAR")], "TRUE"),
        ("is_json", vec![t("1"), t("ARRAY")], "FALSE"),
        ("is_json", vec![t("{}"), t("SCALAR")], "FALSE"),
        ("is_json", vec![t("{}"), t("OBJECT")], "TRUE"),
        ("is_json", vec![t("[1]"), t("array")], "TRUE"),
        ("json_quote", vec![t("V")], "\"V\""),
        ("json_quote", vec![t("a\"b/c\\d\n\té😀")], r#""a\"b\/c\\d\n\t\u00e9\ud83d\ude00""#),
        ("json_quote", vec![no_text()], "NULL"),
        ("json_unquote", vec![t(r#""a\"b\u00e9""#)], "a\"bé"),
        ("json_unquote", vec![t("[1, 2]")], "[1, 2]"),
        ("json_unquote", vec![t("\"broken")], "\"broken"),
    ]);
}

#[test]
fn a_wrong_literal_path_is_refused_while_planning() {
    let functions = Functions::utc();
    assert_eq!(
        functions.show("json_value", &[t("{}"), t("lax $.a[*]")]),
        "error: the JSON path 'lax $.a[*]' uses a wildcard at position 9, which is not supported: \
         name one value, as in $.a[0].b"
    );
    assert!(functions.show("json_exists", &[t("{}"), t("$[")]).starts_with("error: the JSON path '$[' is wrong"));
}
