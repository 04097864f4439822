use super::super::testing::{Functions, d, i, l, no_int, no_text, t};
use datafusion_common::ScalarValue;

const SENTENCE: &str = "This is a test String.";

#[test]
fn parts_of_strings_are_flinks() {
    Functions::utc().check(&[
        ("substring", vec![t(SENTENCE), i(2)], "his is a test String."),
        ("substring", vec![t(SENTENCE), i(2), i(5)], "his i"),
        ("substring", vec![t(SENTENCE), i(1), i(3)], "Thi"),
        ("substr", vec![t(SENTENCE), i(2), i(100)], "his is a test String."),
        ("substr", vec![t(SENTENCE), i(100), i(10)], ""),
        ("substr", vec![t(SENTENCE), i(2), i(-1)], "NULL"),
        ("substr", vec![t(""), i(1), i(-1)], "NULL"),
        ("substr", vec![t(SENTENCE), i(-2)], "g."),
        ("substr", vec![t(SENTENCE), i(-2), i(1)], "g"),
        ("substr", vec![t(SENTENCE), i(-2), i(0)], ""),
        ("substr", vec![t(SENTENCE), i(-100)], ""),
        ("substr", vec![t(SENTENCE), i(0), i(4)], "This"),
        ("substr", vec![t("1世3"), i(1), i(2)], "1世"),
        ("substr", vec![t("1世3"), i(-2), i(1)], "世"),
        ("substr", vec![t("a😀b"), i(2), i(1)], "😀"),
        ("substr", vec![t("abc"), l(i64::MIN), l(i64::MAX)], ""),
        ("substr", vec![no_text(), i(2), i(3)], "NULL"),
        ("substr", vec![t("abc"), no_int(), i(3)], "NULL"),
        ("substr", vec![t("abc"), i(1), no_int()], "NULL"),
        ("left", vec![t(SENTENCE), i(2)], "Th"),
        ("left", vec![t(SENTENCE), i(100)], SENTENCE),
        ("left", vec![t(SENTENCE), i(-2)], ""),
        ("left", vec![t("äöü"), i(2)], "äö"),
        ("left", vec![no_text(), i(-2)], "NULL"),
        ("left", vec![t(SENTENCE), no_int()], "NULL"),
        ("right", vec![t(SENTENCE), i(2)], "g."),
        ("right", vec![t(SENTENCE), i(100)], SENTENCE),
        ("right", vec![t(SENTENCE), i(0)], ""),
        ("right", vec![t("äöü"), i(2)], "öü"),
        ("right", vec![t("äöü"), l(i64::MIN)], ""),
    ]);
}

#[test]
fn pieces_between_delimiters_count_from_zero() {
    Functions::utc().check(&[
        ("split_index", vec![t("AQIDBA=="), t("I"), i(0)], "AQ"),
        ("split_index", vec![t("AQIDBA=="), t("I"), i(2)], "NULL"),
        ("split_index", vec![t("AQIDBA=="), t("I"), i(-1)], "NULL"),
        ("split_index", vec![t("AQIDBA=="), i(73), i(0)], "AQ"),
        ("split_index", vec![t("AQIDBA=="), i(256), i(0)], "NULL"),
        ("split_index", vec![t("AQIDBA=="), i(0), i(0)], "NULL"),
        ("split_index", vec![t("Test"), t("e"), i(1)], "st"),
        ("split_index", vec![t("a,b,"), t(","), i(2)], ""),
        ("split_index", vec![t("a--b--c"), t("--"), i(1)], "b"),
        ("split_index", vec![t("a b\tc"), t(""), i(2)], "c"),
        ("split_index", vec![t(""), t(","), i(0)], "NULL"),
        ("split_index", vec![t("x→y→z"), t("→"), i(2)], "z"),
        ("split_index", vec![t("https://www.nexmark.com/a/b/c/item.htm?query=1"), t("/"), i(4)], "b"),
        ("split_index", vec![no_text(), t("e"), i(1)], "NULL"),
        ("split_index", vec![t("test"), no_text(), i(1)], "NULL"),
        ("split_index", vec![t("test"), t("e"), no_int()], "NULL"),
    ]);
}

#[test]
fn positions_count_characters_from_one() {
    Functions::utc().check(&[
        ("position", vec![t("test"), t("xxxtest")], "4"),
        ("locate", vec![t("testx"), t("xxxtest")], "0"),
        ("locate", vec![t("aa"), t("aaads")], "1"),
        ("locate", vec![t("aa"), t("aaads"), i(2)], "2"),
        ("locate", vec![t("b"), t("äb")], "2"),
        ("locate", vec![t(""), t("abc")], "1"),
        ("locate", vec![t("a"), t("abc"), i(-5)], "1"),
        ("locate", vec![no_text(), t("a")], "NULL"),
        ("instr", vec![t("Corporate Floor"), t("or"), i(3), i(2)], "14"),
        ("instr", vec![t("Corporate Floor"), t("or"), i(-3), i(2)], "2"),
        ("instr", vec![t("Tech on the net"), t("e")], "2"),
        ("instr", vec![t("Tech on the net"), t("e"), i(1), i(2)], "11"),
        ("instr", vec![t("Tech on the net"), t("e"), i(1), i(3)], "14"),
        ("instr", vec![t("Tech on the net"), t("e"), i(-3), i(2)], "2"),
        ("instr", vec![t("myteststring"), t("st")], "5"),
        ("instr", vec![t("val_239"), t("_")], "4"),
        ("instr", vec![t("aaa"), t("a"), i(0)], "0"),
        ("instr", vec![t("aaa"), t(""), i(2), l(i64::MAX)], "1"),
        ("instr", vec![no_text(), t("e")], "NULL"),
        ("instr", vec![t("e"), no_text()], "NULL"),
        ("instr", vec![t("aaa"), t("a"), i(1), i(0)], "error: the occurrence 0 that instr looks for must be 1 or more"),
        ("char_length", vec![t(SENTENCE)], "22"),
        ("character_length", vec![t("äö😀")], "3"),
        ("char_length", vec![t("")], "0"),
        ("char_length", vec![no_text()], "NULL"),
        ("ascii", vec![t("efg")], "101"),
        ("ascii", vec![t("")], "0"),
        ("ascii", vec![no_text()], "NULL"),
    ]);
}

#[test]
fn characters_are_counted_as_nexmark_does() {
    Functions::utc().check(&[
        ("count_char", vec![t("abcabc"), t("c")], "2"),
        ("count_char", vec![t("cccc"), t("cx")], "4"),
        ("count_char", vec![t("ääb"), t("ä")], "2"),
        ("count_char", vec![t(""), t("c")], "0"),
        ("count_char", vec![no_text(), t("c")], "0"),
        ("count_char", vec![t("abc"), no_text()], "NULL"),
    ]);
}

#[test]
fn strings_are_tested_for_what_they_consist_of() {
    Functions::utc().check(&[
        ("is_alpha", vec![t("abc")], "TRUE"),
        ("is_alpha", vec![t("äß世")], "TRUE"),
        ("is_alpha", vec![t("11.4445")], "FALSE"),
        ("is_alpha", vec![t("")], "FALSE"),
        ("is_alpha", vec![no_text()], "FALSE"),
        ("is_alpha", vec![i(1)], "FALSE"),
        ("is_digit", vec![t("123")], "TRUE"),
        ("is_digit", vec![t("٣")], "TRUE"),
        ("is_digit", vec![t("½")], "FALSE"),
        ("is_digit", vec![t("11.4445")], "FALSE"),
        ("is_digit", vec![i(1)], "TRUE"),
        ("is_digit", vec![no_text()], "FALSE"),
        ("is_decimal", vec![t("1")], "TRUE"),
        ("is_decimal", vec![t("11.4445")], "TRUE"),
        ("is_decimal", vec![t("-1e5")], "TRUE"),
        ("is_decimal", vec![t("abc")], "FALSE"),
        ("is_decimal", vec![t("inf")], "FALSE"),
        ("is_decimal", vec![t("")], "FALSE"),
        ("is_decimal", vec![d(1.5)], "TRUE"),
        ("is_decimal", vec![no_text()], "FALSE"),
        ("startswith", vec![t("äbc"), t("ä")], "TRUE"),
        ("startswith", vec![t("abc"), t("")], "TRUE"),
        ("startswith", vec![t("abc"), t("bc")], "FALSE"),
        ("endswith", vec![t("abc"), t("bc")], "TRUE"),
        ("endswith", vec![t("abc"), no_text()], "NULL"),
        ("endswith", vec![ScalarValue::Binary(Some(vec![1, 2])), ScalarValue::Binary(Some(vec![2]))], "TRUE"),
    ]);
}

#[test]
fn wrong_arguments_are_refused_by_function_and_place() {
    Functions::utc().check(&[
        ("substring", vec![t("abc")], "error: substring takes 2 to 3 arguments, but 1 are given"),
        ("left", vec![i(5), i(2)], "error: argument 1 of left must be a string, but it is Int32: use CAST"),
        ("left", vec![t("abc"), d(1.5)], "error: argument 2 of left must be an integer, but it is Float64: use CAST"),
        (
            "split_index",
            vec![t("abc"), d(1.5), i(1)],
            "error: split_index takes (string, string or character number, integer), not [Utf8, Float64, Int32]",
        ),
    ]);
}
