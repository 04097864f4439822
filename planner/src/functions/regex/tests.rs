use super::super::testing::{Functions, i, no_int, no_text, t};

#[test]
fn texts_are_searched_with_javas_patterns() {
    Functions::utc().check(&[
        ("regexp", vec![t("100-200"), t(r"(\d+)")], "TRUE"),
        ("regexp", vec![t("abc-def"), t(r"(\d+)")], "FALSE"),
        ("regexp", vec![t("abc"), t("")], "FALSE"),
        ("regexp", vec![no_text(), t(r"(\d+)")], "NULL"),
        ("regexp", vec![t("100"), no_text()], "NULL"),
        ("regexp_extract", vec![t("foothebar"), t("foo(.*?)(bar)"), i(2)], "bar"),
        ("regexp_extract", vec![t("foothebar"), t("foo(.*?)(bar)"), i(0)], "foothebar"),
        ("regexp_extract", vec![t("foothebar"), t("foo(.*?)(bar)"), i(1)], "the"),
        ("regexp_extract", vec![t("foothebar"), t(r"foo([\w]+)"), i(1)], "thebar"),
        ("regexp_extract", vec![t("foothebar"), t(r"foo([\d]+)"), i(1)], "NULL"),
        ("regexp_extract", vec![t("foothebar"), t("foo(.*?)(bar)")], "foothebar"),
        ("regexp_extract", vec![t("foothebar"), t("foo(.*?)(bar)"), i(3)], "NULL"),
        ("regexp_extract", vec![t("foothebar"), t("foo(.*?)(bar)"), i(-1)], "NULL"),
        ("regexp_extract", vec![t("b"), t("(a)|b"), i(1)], "NULL"),
        ("regexp_extract", vec![t("Hello"), t("H(.+?)l(.+?)$"), i(2)], "lo"),
        ("regexp_extract", vec![t("22"), t("[A-Z]+")], "NULL"),
        (
            "regexp_extract",
            vec![t("https://www.nexmark.com/x.htm?query=1&channel_id=1025"), t("(&|^)channel_id=([^&]*)"), i(2)],
            "1025",
        ),
        ("regexp_extract", vec![no_text(), t("a"), i(1)], "NULL"),
        ("regexp_extract", vec![t("a"), t("a"), no_int()], "NULL"),
        ("regexp_count", vec![t("hello world! Hello everyone!"), t("Hello")], "1"),
        ("regexp_count", vec![t("abc123xyz456"), t(r"\d")], "6"),
        ("regexp_count", vec![t("abc"), t("(")], "NULL"),
        ("regexp_instr", vec![t("Helloworld! Hello everyone!"), t(r"\bHello\b")], "13"),
        ("regexp_instr", vec![t("äb1"), t(r"\d")], "3"),
        ("regexp_instr", vec![t("100-200"), t("[a-z]")], "0"),
        ("regexp_instr", vec![t("abc"), t("(")], "NULL"),
        ("regexp_substr", vec![t("100-200"), t(r"\d+$")], "200"),
        ("regexp_substr", vec![t("abc"), t(r"\d")], "NULL"),
    ]);
}

#[test]
fn every_match_is_replaced_and_the_replacement_is_plain_text() {
    Functions::utc().check(&[
        ("regexp_replace", vec![t("foobar"), t("oo|ar"), t("abc")], "fabcbabc"),
        ("regexp_replace", vec![t("foofar"), t("^f"), t("")], "oofar"),
        ("regexp_replace", vec![t("foobar"), t("^f*.*r$"), t("")], ""),
        ("regexp_replace", vec![t("foo1bar2"), t(r"\d"), t("")], "foobar"),
        ("regexp_replace", vec![t("foobar"), t(r"\w"), t("")], ""),
        ("regexp_replace", vec![t("fooobar"), t("oo"), t("$")], "f$obar"),
        ("regexp_replace", vec![t("foobar"), t("(oo)"), t("$1\\")], "f$1\\bar"),
        ("regexp_replace", vec![t("abc"), t("x*"), t("-")], "-a-b-c-"),
        ("regexp_replace", vec![no_text(), t("oo|ar"), t("")], "NULL"),
        ("regexp_replace", vec![t("foobar"), no_text(), t("")], "NULL"),
        ("regexp_replace", vec![t("foobar"), t("oo|ar"), no_text()], "NULL"),
    ]);
}

#[test]
fn all_matches_of_a_group_make_an_array() {
    let (abc, numbers) = ("abcdeabde", "100-200, 300-400");
    Functions::utc().check(&[
        ("regexp_extract_all", vec![t(numbers), t(r"(\d+)-(\d+)"), i(0)], "[100-200, 300-400]"),
        ("regexp_extract_all", vec![t(numbers), t(r"(\d+)-(\d+)")], "[100, 300]"),
        ("regexp_extract_all", vec![t(numbers), t(r"(\d+)-(\d+)"), i(2)], "[200, 400]"),
        ("regexp_extract_all", vec![t(abc), t("ab((c)|(.?))de"), i(2)], "[c, NULL]"),
        ("regexp_extract_all", vec![t(abc), t(""), i(0)], "[, , , , , , , , , ]"),
        ("regexp_extract_all", vec![t(numbers), t("[a-z]"), i(0)], "[]"),
        ("regexp_extract_all", vec![t(abc), t("(abcdeabde)"), i(-1)], "NULL"),
        ("regexp_extract_all", vec![t(abc), t("abcdeabde")], "NULL"),
        ("regexp_extract_all", vec![t(abc), t("(abcdeabde)"), i(2)], "NULL"),
        ("regexp_extract_all", vec![t(abc), t("(")], "NULL"),
        ("regexp_extract_all", vec![no_text(), t("a")], "NULL"),
    ]);
}

#[test]
fn a_literal_pattern_that_cannot_be_is_refused_while_planning() {
    let functions = Functions::utc();
    let wrong = functions.show("regexp_extract", &[t("a"), t("(a")]);
    assert!(wrong.starts_with("error: the regular expression '(a' is wrong: "), "{wrong}");
    let unsupported = functions.show("regexp_count", &[t("a"), t("a(?=b)")]);
    assert_eq!(
        unsupported,
        "error: the regular expression 'a(?=b)' uses look-ahead at position 2, which is not supported"
    );
}
