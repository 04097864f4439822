//! Floating-point numbers, as Java's `parseDouble` reads them, without its hexadecimal form and type suffixes.

use std::str::FromStr;

use super::trim;

/// The number written in all of `text`, white space around it aside.
pub(crate) fn float<F: FromStr>(text: &[u8]) -> Option<F> {
    let text = std::str::from_utf8(trim(text)).ok()?;
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    // The standard library also takes `inf` and any case; Java takes these two words.
    let starts_as_number = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    if starts_as_number || unsigned == "NaN" || unsigned == "Infinity" { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_the_two_words_are_read_and_nothing_else() {
        for (text, expected) in [
            ("1", Some(1.0)),
            (" -2.5e3 ", Some(-2500.0)),
            ("+.5", Some(0.5)),
            ("5.", Some(5.0)),
            ("Infinity", Some(f64::INFINITY)),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            ("inf", None),
            ("nan", None),
            ("", None),
            ("1x", None),
            ("0x10", None),
        ] {
            assert_eq!(float::<f64>(text.as_bytes()), expected, "{text}");
        }
        assert!(float::<f64>(b"NaN").is_some_and(f64::is_nan));
    }
}
