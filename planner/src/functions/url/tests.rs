use super::super::testing::{Functions, no_text, t};

#[test]
fn urls_are_taken_apart_as_java_does() {
    let functions = Functions::utc();
    let names = ["HOST", "PATH", "QUERY", "REF", "PROTOCOL", "FILE", "AUTHORITY", "USERINFO"];
    for (url, parts, value) in [
        (
            "http://userinfo@flink.apache.org/path?query=1#Ref",
            [
                "flink.apache.org",
                "/path",
                "query=1",
                "Ref",
                "http",
                "/path?query=1",
                "userinfo@flink.apache.org",
                "userinfo",
            ],
            "1",
        ),
        (
            "https://use%20r:pas%20s@example.com/dir%20/pa%20th.HTML?query=x%20y&q2=2#Ref%20two",
            [
                "example.com",
                "/dir%20/pa%20th.HTML",
                "query=x%20y&q2=2",
                "Ref%20two",
                "https",
                "/dir%20/pa%20th.HTML?query=x%20y&q2=2",
                "use%20r:pas%20s@example.com",
                "use%20r:pas%20s",
            ],
            "x%20y",
        ),
        ("http://user:pass@host", ["host", "", "NULL", "NULL", "http", "", "user:pass@host", "user:pass"], "NULL"),
        ("http://user:pass@host/", ["host", "/", "NULL", "NULL", "http", "/", "user:pass@host", "user:pass"], "NULL"),
        ("http://user:pass@host/?#", ["host", "/", "", "", "http", "/?", "user:pass@host", "user:pass"], "NULL"),
        (
            "http://user:pass@host/file;param?query;p2",
            ["host", "/file;param", "query;p2", "NULL", "http", "/file;param?query;p2", "user:pass@host", "user:pass"],
            "NULL",
        ),
        ("http://[::1]:8080/x", ["[::1]", "/x", "NULL", "NULL", "http", "/x", "[::1]:8080", "NULL"], "NULL"),
        ("invalid://user:pass@host/file;param?query;p2", ["NULL"; 8], "NULL"),
        ("http://host:port/", ["NULL"; 8], "NULL"),
        ("no url", ["NULL"; 8], "NULL"),
        ("", ["NULL"; 8], "NULL"),
    ] {
        for (name, expected) in names.into_iter().zip(parts) {
            assert_eq!(functions.show("parse_url", &[t(url), t(name)]), expected, "{name} of {url}");
        }
        assert_eq!(functions.show("parse_url", &[t(url), t("QUERY"), t("query")]), value, "{url}");
    }
    functions.check(&[
        ("parse_url", vec![t("http://h/?k1=v1&k2=v2"), t("QUERY"), t("k2")], "v2"),
        ("parse_url", vec![t("http://h/?k1=v1&k2=v2"), t("HOST"), t("k2")], "NULL"),
        ("parse_url", vec![t("http://h/"), t("host")], "NULL"),
        ("parse_url", vec![no_text(), t("HOST")], "NULL"),
        ("parse_url", vec![t("http://h/?k=v"), t("QUERY"), no_text()], "NULL"),
    ]);
}

#[test]
fn urls_are_encoded_and_decoded_as_forms_are() {
    Functions::utc().check(&[
        ("url_encode", vec![t("https://flink.apache.org/")], "https%3A%2F%2Fflink.apache.org%2F"),
        (
            "url_encode",
            vec![t("inva lid://user:pass@host/file;param?query;p2")],
            "inva+lid%3A%2F%2Fuser%3Apass%40host%2Ffile%3Bparam%3Fquery%3Bp2",
        ),
        ("url_encode", vec![t("äß")], "%C3%A4%C3%9F"),
        ("url_encode", vec![t("")], ""),
        ("url_encode", vec![no_text()], "NULL"),
        ("url_decode", vec![t("https%3A%2F%2Fflink.apache.org%2F")], "https://flink.apache.org/"),
        ("url_decode", vec![t("inva+lid%3A%c3%A4")], "inva lid:ä"),
        ("url_decode", vec![t("illegal escape pattern test%")], "NULL"),
        ("url_decode", vec![t("%zz")], "NULL"),
        ("url_decode", vec![t("")], ""),
        ("url_decode", vec![no_text()], "NULL"),
    ]);
}
