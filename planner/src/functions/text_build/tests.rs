use super::super::testing::{Functions, i, l, no_int, no_text, t};

#[test]
fn strings_are_joined_with_flinks_null_rules() {
    Functions::utc().check(&[
        ("concat", vec![t("AA"), t("BB"), t("CC"), t("---")], "AABBCC---"),
        ("concat", vec![t("xx"), no_text()], "NULL"),
        ("concat", vec![t("a")], "a"),
        ("concat_ws", vec![no_text(), t("AA")], "NULL"),
        ("concat_ws", vec![t("~~~~"), t("AA")], "AA"),
        ("concat_ws", vec![t("~"), t("AA"), t("BB")], "AA~BB"),
        ("concat_ws", vec![t("~"), no_text(), t("AA"), t("BB"), t(""), no_text(), t("CC")], "AA~BB~~CC"),
        ("concat_ws", vec![t("~"), no_text()], ""),
        ("concat_ws", vec![t("||"), t("a"), t("b"), no_text()], "a||b"),
    ]);
}

#[test]
fn strings_are_padded_to_a_number_of_characters() {
    Functions::utc().check(&[
        ("lpad", vec![t("a"), i(1), t("??")], "a"),
        ("lpad", vec![t("a"), i(5), t("??")], "????a"),
        ("lpad", vec![t("hi"), i(1), t("??")], "h"),
        ("lpad", vec![t("hi"), i(5), t("??")], "???hi"),
        ("lpad", vec![t(""), i(1), t("??")], "?"),
        ("lpad", vec![t("111"), i(-2), t("??")], "NULL"),
        ("lpad", vec![t("⎨⎨"), i(1), t("??")], "⎨"),
        ("lpad", vec![t("äääääääää"), i(10), t("??")], "?äääääääää"),
        ("lpad", vec![t("ab"), i(5), t("")], "NULL"),
        ("lpad", vec![t("äää"), i(13), t("12345")], "1234512345äää"),
        ("lpad", vec![t("a"), i(4), t("äö")], "äöäa"),
        ("lpad", vec![t("a"), no_int(), t("??")], "NULL"),
        ("lpad", vec![t("Hello"), i(0), t("x")], ""),
        ("rpad", vec![t("hi"), i(5), t("??")], "hi???"),
        ("rpad", vec![t("üö"), i(1), t("??")], "ü"),
        ("rpad", vec![t("äää"), i(13), t("12345")], "äää1234512345"),
        ("rpad", vec![t("abcd"), i(5), t("")], "NULL"),
        ("rpad", vec![no_text(), i(5), t("x")], "NULL"),
        (
            "rpad",
            vec![t("a"), l(i64::MAX), t("x")],
            "error: rpad would make a string of 18446744073709551615 bytes: the largest is 67108864",
        ),
        ("repeat", vec![t("ab"), i(3)], "ababab"),
        ("repeat", vec![t("ab"), i(0)], ""),
        ("repeat", vec![t("ab"), i(-1)], ""),
        ("repeat", vec![t(""), l(i64::MAX)], ""),
        ("repeat", vec![no_text(), i(2)], "NULL"),
        (
            "repeat",
            vec![t("ab"), i(1_000_000_000)],
            "error: repeat would make a string of 2000000000 bytes: the largest is 67108864",
        ),
    ]);
}

#[test]
fn characters_of_a_set_are_trimmed() {
    Functions::utc().check(&[
        ("trim", vec![t(" This is a test String. ")], "This is a test String."),
        ("btrim", vec![t("abcddcba"), t("abc")], "dd"),
        ("btrim", vec![t("abcddcba"), t("abd")], "cddc"),
        ("btrim", vec![t("心情开开心心"), t("开心")], "情"),
        ("btrim", vec![t("example"), t("xyz")], "example"),
        ("ltrim", vec![t("  example  ")], "example  "),
        ("ltrim", vec![t("abcddcba"), t("abc")], "ddcba"),
        ("ltrim", vec![t("心情开开心心"), t("开心")], "情开开心心"),
        ("ltrim", vec![t("This is a test String."), t("This ")], "a test String."),
        ("rtrim", vec![t("  example  ")], "  example"),
        ("rtrim", vec![t("This is a test String."), t("String. ")], "This is a tes"),
        ("rtrim", vec![t("abcddcba"), no_text()], "NULL"),
        ("rtrim", vec![no_text(), t("abc")], "NULL"),
    ]);
}

#[test]
fn strings_are_changed_by_character() {
    Functions::utc().check(&[
        ("upper", vec![t("straße")], "STRASSE"),
        ("lower", vec![t("ÄÖÜ")], "äöü"),
        ("initcap", vec![t("this is a test String.")], "This Is A Test String."),
        ("initcap", vec![t("fLinK")], "Flink"),
        ("initcap", vec![t("a B")], "A B"),
        ("initcap", vec![t("äpfel-1ab")], "Äpfel-1ab"),
        ("reverse", vec![t("AQIDBA==")], "==ABDIQA"),
        ("reverse", vec![t("aä😀")], "😀äa"),
        ("reverse", vec![no_text()], "NULL"),
        ("replace", vec![t("hello world"), t("world"), t("flink")], "hello flink"),
        ("replace", vec![t("ababab"), t("abab"), t("z")], "zab"),
        ("replace", vec![t("This is a test String."), t("i"), t("")], "Ths s a test Strng."),
        ("replace", vec![t("ab"), t(""), t("-")], "-a-b-"),
        ("replace", vec![t("ab"), no_text(), t("-")], "NULL"),
        ("translate", vec![t("www.apache.org"), t("abcde."), t("123")], "www1p13horg"),
        ("translate", vec![t("www.apache.org"), t("abcae"), t("12345")], "www.1p13h5.org"),
        ("translate", vec![t("www.apache.org"), no_text(), t("123")], "www.apache.org"),
        ("translate", vec![t("www.apache.org"), t("abc"), no_text()], "www.phe.org"),
        ("translate", vec![t("翻译test，测试"), t("翻译测试test，"), t("测试翻译tset。")], "测试tset。翻译"),
        ("translate3", vec![no_text(), t("a"), t("b")], "NULL"),
        ("chr", vec![i(65)], "A"),
        ("chr", vec![i(300)], ","),
        ("chr", vec![i(353)], "a"),
        ("chr", vec![i(149)], "\u{95}"),
        ("chr", vec![i(0)], "\0"),
        ("chr", vec![i(-9)], ""),
        ("chr", vec![no_int()], "NULL"),
    ]);
}

#[test]
fn a_part_is_laid_over_as_flink_does() {
    let text = "This is a test String.";
    Functions::utc().check(&[
        ("overlay", vec![t("xxxxxtest"), t("xxxx"), i(6)], "xxxxxxxxx"),
        ("overlay", vec![t("xxxxxtest"), t("xxxx"), i(6), i(2)], "xxxxxxxxxst"),
        ("overlay", vec![t("123456789"), t("It"), i(-1), i(4)], "123456789"),
        ("overlay", vec![t("123456789"), t("abc"), i(2), i(100)], "1abc"),
        ("overlay", vec![t("123456789"), t("abc"), i(2), i(-1)], "1abc"),
        ("overlay", vec![t("123456789"), t("abc"), i(100), i(-1)], "123456789"),
        ("overlay", vec![t(text), t("It"), i(1), i(4)], "It is a test String."),
        ("overlay", vec![t(text), t("IS"), i(6), i(100)], "This IS"),
        ("overlay", vec![t("äöüß"), t("x"), i(2), i(1)], "äxüß"),
        ("overlay", vec![t("abc"), t("x"), i(2), l(i64::MAX)], "ax"),
        ("overlay", vec![no_text(), t("It"), i(1), i(2)], "NULL"),
    ]);
}
