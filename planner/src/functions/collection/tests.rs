use super::super::testing::{Functions, i, list, no_text, t};
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;

fn numbers(values: &[Option<i32>]) -> ScalarValue {
    let values: Vec<ScalarValue> = values.iter().map(|value| ScalarValue::Int32(*value)).collect();
    ScalarValue::List(ScalarValue::new_list_nullable(&values, &DataType::Int32))
}

fn no_numbers() -> ScalarValue {
    ScalarValue::try_from(&DataType::new_list(DataType::Int32, true)).unwrap()
}

#[test]
fn arrays_and_maps_are_counted() {
    let functions = Functions::utc();
    let map = functions.call("str_to_map", &[t("k1=v1,k2=v2")]).unwrap();
    functions.check(&[
        ("cardinality", vec![numbers(&[Some(1), None])], "2"),
        ("cardinality", vec![list(&[])], "0"),
        ("cardinality", vec![no_numbers()], "NULL"),
        ("cardinality", vec![map], "2"),
        ("element", vec![numbers(&[Some(7)])], "7"),
        ("element", vec![numbers(&[None])], "NULL"),
        ("element", vec![numbers(&[])], "NULL"),
        ("element", vec![no_numbers()], "NULL"),
        (
            "element",
            vec![numbers(&[Some(1), Some(2)])],
            "error: element takes an array of one element, but this one has 2",
        ),
        (
            "cardinality",
            vec![i(1)],
            "error: argument 1 of cardinality must be an array or a map, but it is Int32: use CAST",
        ),
    ]);
}

#[test]
fn elements_are_found_nulls_included() {
    Functions::utc().check(&[
        ("array_contains", vec![numbers(&[Some(1), Some(2)]), i(2)], "TRUE"),
        ("array_contains", vec![numbers(&[Some(1), Some(2)]), i(3)], "FALSE"),
        ("array_contains", vec![numbers(&[Some(1), None]), ScalarValue::Int32(None)], "TRUE"),
        ("array_contains", vec![numbers(&[Some(1)]), ScalarValue::Int32(None)], "FALSE"),
        ("array_contains", vec![no_numbers(), i(1)], "NULL"),
        ("array_contains", vec![list(&[Some("ä"), None]), t("ä")], "TRUE"),
        ("array_contains", vec![numbers(&[Some(1)]), ScalarValue::Int64(Some(1))], "TRUE"),
    ]);
}

#[test]
fn texts_become_maps() {
    let functions = Functions::utc();
    functions.check(&[
        ("str_to_map", vec![t("k1=v1,k2=v2")], "{k1=v1, k2=v2}"),
        ("str_to_map", vec![t("k1:v1;k2: v2"), t(";"), t(":")], "{k1=v1, k2= v2}"),
        ("str_to_map", vec![t("test1=1,test2=2,test3=3")], "{test1=1, test2=2, test3=3}"),
        ("str_to_map", vec![t("a=1=2,b,c=,a=3,,")], "{a=3, b=NULL, c=}"),
        (
            "str_to_map",
            vec![t("a1$$b2$$"), t(r"\$\$"), t(r"(?=x)|\d")],
            "error: the regular expression '(?=x)|\\d' uses look-ahead at position 1, which is not supported",
        ),
        ("str_to_map", vec![t("a-1|b-2"), t(r"\|"), t("-")], "{a=1, b=2}"),
        ("str_to_map", vec![t("")], "{}"),
        ("str_to_map", vec![no_text()], "NULL"),
        ("str_to_map", vec![t("a=1"), no_text()], "NULL"),
    ]);
    let wrong = functions.show("str_to_map", &[t("a"), t("(")]);
    assert!(wrong.starts_with("error: the regular expression '(' is wrong"), "{wrong}");
}

#[test]
fn texts_are_split_into_all_their_pieces() {
    Functions::utc().check(&[
        ("split", vec![t("to be or"), t(" ")], "[to, be, or]"),
        ("split", vec![t("word"), t(",")], "[word]"),
        ("split", vec![t(",a,,b,"), t(",")], "[, a, , b, ]"),
        ("split", vec![t("a--b--c"), t("--")], "[a, b, c]"),
        ("split", vec![t("größe"), t("ö")], "[gr, ße]"),
        ("split", vec![t("né"), t("")], "[n, é]"),
        ("split", vec![t(""), t(",")], "[]"),
        ("split", vec![no_text(), t(",")], "NULL"),
        ("split", vec![t("a,b"), no_text()], "NULL"),
    ]);
}
