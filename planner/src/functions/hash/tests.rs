use super::super::testing::{Functions, i, l, no_int, no_text, t};
use datafusion_common::ScalarValue;

fn bytes(text: &str) -> ScalarValue {
    ScalarValue::Binary(Some(text.as_bytes().to_vec()))
}

const SHA224: &str = "90a3ed9e32b2aaf4c61c410eb925426119e1a9dc53d4286ade99a809";
const SHA256: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const SHA384: &str = "768412320f7b0aa5812fce428dc4706b3cae50e02a64caa16a782249bfe8efc4b7ef1ccb126255d196047dfedf17a0a9";
const SHA512: &str = "ee26b0dd4af7e749aa1a8ee3c10ae9923f618980772e473f8819a5d4940e0db27ac185f8a0e1d5f84f88bc887fd67b143732c304cc5fa9ad8e6f57f50028a8ff";

#[test]
fn digests_are_lower_case_hexadecimal_strings() {
    Functions::utc().check(&[
        ("md5", vec![t("test")], "098f6bcd4621d373cade4e832627b4f6"),
        ("md5", vec![t("")], "d41d8cd98f00b204e9800998ecf8427e"),
        ("md5", vec![bytes("test")], "098f6bcd4621d373cade4e832627b4f6"),
        ("md5", vec![no_text()], "NULL"),
        ("sha1", vec![t("test")], "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3"),
        ("sha1", vec![bytes("test")], "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3"),
        ("sha224", vec![t("test")], SHA224),
        ("sha256", vec![t("test")], SHA256),
        ("sha384", vec![t("test")], SHA384),
        ("sha512", vec![t("test")], SHA512),
        ("sha512", vec![no_text()], "NULL"),
        ("sha2", vec![t("test"), i(224)], SHA224),
        ("sha2", vec![t("test"), i(256)], SHA256),
        ("sha2", vec![bytes("test"), i(384)], SHA384),
        ("sha2", vec![t("test"), i(512)], SHA512),
        ("sha2", vec![t("test"), no_int()], "NULL"),
        ("sha2", vec![t("test"), i(1)], "error: sha2 has no digest of 1 bits: use 224, 256, 384 or 512"),
        ("hash_code", vec![t("abc")], "96354"),
        ("hash_code", vec![t("polygenelubricants")], "-2147483648"),
        ("hash_code", vec![no_text()], "NULL"),
    ]);
}

#[test]
fn numbers_and_texts_are_written_in_other_bases() {
    Functions::utc().check(&[
        ("hex", vec![i(100)], "64"),
        ("hex", vec![i(12)], "C"),
        ("hex", vec![i(0)], "0"),
        ("hex", vec![l(-1)], "FFFFFFFFFFFFFFFF"),
        ("hex", vec![t("ö")], "C3B6"),
        ("hex", vec![t("hello,world")], "68656C6C6F2C776F726C64"),
        ("hex", vec![no_int()], "NULL"),
        ("hex", vec![ScalarValue::from(1.5)], "error: hex takes an integer or a string, not Float64: use CAST"),
        ("unhex", vec![t("466C696E6B")], "Flink"),
        ("unhex", vec![t("F41")], "\0A"),
        ("unhex", vec![t("xy")], "NULL"),
        ("unhex", vec![no_text()], "NULL"),
        ("bin", vec![i(42)], "101010"),
        ("bin", vec![i(0)], "0"),
        ("bin", vec![l(-1)], "1111111111111111111111111111111111111111111111111111111111111111"),
        ("bin", vec![no_int()], "NULL"),
    ]);
}

#[test]
fn base_64_is_written_and_read() {
    Functions::utc().check(&[
        ("to_base64", vec![t("This is a test String.")], "VGhpcyBpcyBhIHRlc3QgU3RyaW5nLg=="),
        ("to_base64", vec![t("")], ""),
        ("to_base64", vec![t("你好")], "5L2g5aW9"),
        ("to_base64", vec![ScalarValue::Binary(Some(vec![1, 2, 3, 4]))], "AQIDBA=="),
        ("to_base64", vec![no_text()], "NULL"),
        ("from_base64", vec![t("aGVsbG8gd29ybGQ=")], "hello world"),
        ("from_base64", vec![t("aGVsbG8gd29ybGQ")], "hello world"),
        ("from_base64", vec![t("5L2g5aW9")], "你好"),
        ("from_base64", vec![bytes("aGVsbG8gd29ybGQ=")], "hello world"),
        ("from_base64", vec![no_text()], "NULL"),
    ]);
    let wrong = Functions::utc().show("from_base64", &[t("a*b")]);
    assert!(wrong.starts_with("error: from_base64 cannot read 'a*b': "), "{wrong}");
}

#[test]
fn texts_are_encoded_in_flinks_character_sets_and_back() {
    let functions = Functions::utc();
    for charset in ["US-ASCII", "ISO-8859-1", "utf-8", "UTF-16BE", "UTF-16LE", "UTF-16"] {
        let text = if charset == "US-ASCII" { "aabbef" } else { "aäb" };
        for text in [text, ""] {
            let encoded = functions.call("encode", &[t(text), t(charset)]).unwrap();
            assert_eq!(functions.show("decode", &[encoded, t(charset)]), text, "{charset}");
        }
    }
    let encoded = functions.call("encode", &[t("中国"), t("UTF-16LE")]).unwrap();
    assert_eq!(encoded, ScalarValue::Binary(Some(vec![0x2D, 0x4E, 0xFD, 0x56])));
    assert_eq!(functions.call("encode", &[t("a中"), t("ISO-8859-1")]).unwrap(), bytes("a?"));
    functions.check(&[
        ("encode", vec![no_text(), t("utf-8")], "NULL"),
        ("encode", vec![t("a"), no_text()], "NULL"),
        ("decode", vec![ScalarValue::Null, t("utf-8")], "NULL"),
        ("decode", vec![ScalarValue::Binary(Some(vec![0xFF])), t("utf-8")], "\u{FFFD}"),
        (
            "encode",
            vec![t("a"), t("EBCDIC")],
            "error: unknown character set 'EBCDIC': use US-ASCII, ISO-8859-1, UTF-8, UTF-16BE, UTF-16LE or UTF-16",
        ),
        (
            "decode",
            vec![t("a"), t("utf-8")],
            "error: decode takes bytes and the name of a character set, not [Utf8, Utf8]",
        ),
    ]);
}
