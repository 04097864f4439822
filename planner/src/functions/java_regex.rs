//! Java's regular expressions on the `regex` crate.
//!
//! The two dialects differ in ways that would silently change results, so a pattern is translated: `\d`, `\w`, `\s` and
//! `\p{Alpha}` are ASCII in Java, `.` stops at more line ends, `\Q…\E` quotes, `--` in a class is no operator. What the
//! crate cannot do because it never backtracks (look-around, back-references, possessive and atomic groups) is refused
//! by name; in return no pattern can take exponential time. Two differences stay: `$` is the very end of the text, also
//! when it ends with a line break, and `(?i)` knows the letters of all scripts.

use regex::Regex;
use thiserror::Error;

/// A compiled pattern, or why there is none.
#[derive(Debug)]
pub(super) struct JavaRegex {
    /// The compiled pattern; `None` when Java itself would refuse it.
    pub(super) regex: Option<Regex>,
    error: Option<RegexError>,
}

/// Why a pattern does not compile.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub(super) enum RegexError {
    /// Java knows it, we do not.
    #[error("the regular expression '{pattern}' uses {what} at position {position}, which is not supported")]
    Unsupported { pattern: String, what: &'static str, position: usize },
    /// Java refuses it too.
    #[error("the regular expression '{pattern}' is wrong: {message}")]
    Invalid { pattern: String, message: String },
}

impl JavaRegex {
    /// Compiles a pattern. Only what Java accepts and we do not is an error here; [`JavaRegex::valid`] tells the rest.
    pub(super) fn compile(pattern: &str) -> Result<Self, RegexError> {
        let compiled = Translator::new(pattern).translate().and_then(|translated| {
            let invalid = |error: regex::Error| RegexError::Invalid {
                pattern: pattern.to_owned(),
                message: last_line(&error.to_string()),
            };
            Regex::new(&translated).map_err(invalid)
        });
        match compiled {
            Ok(regex) => Ok(Self { regex: Some(regex), error: None }),
            Err(error @ RegexError::Unsupported { .. }) => Err(error),
            Err(error @ RegexError::Invalid { .. }) => Ok(Self { regex: None, error: Some(error) }),
        }
    }

    /// The pattern if it is one.
    pub(super) fn valid(&self) -> Result<&Regex, RegexError> {
        match (&self.regex, &self.error) {
            (Some(regex), _) => Ok(regex),
            (None, Some(error)) => Err(error.clone()),
            (None, None) => Err(RegexError::Invalid { pattern: String::new(), message: "unknown reason".to_owned() }),
        }
    }
}

/// The crate's message ends with the reason; the lines before draw the pattern.
fn last_line(message: &str) -> String {
    message.lines().last().unwrap_or(message).trim_start_matches("error: ").to_owned()
}

const LINE_ENDS: &str = r"\n\r\x{85}\x{2028}\x{2029}";
const HORIZONTAL: &str = r" \t\x{A0}\x{1680}\x{180E}\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}";
const VERTICAL: &str = r"\n\x0B\f\r\x{85}\x{2028}\x{2029}";

struct Translator<'a> {
    pattern: &'a str,
    letters: Vec<char>,
    at: usize,
    out: String,
    /// Whether `.` matches line ends, per open group.
    dot_all: Vec<bool>,
}

impl<'a> Translator<'a> {
    fn new(pattern: &'a str) -> Self {
        Self { pattern, letters: pattern.chars().collect(), at: 0, out: String::new(), dot_all: vec![false] }
    }

    fn translate(mut self) -> Result<String, RegexError> {
        while let Some(letter) = self.next() {
            match letter {
                '\\' => self.escape(false)?,
                '[' => self.class()?,
                '(' => self.group()?,
                ')' => {
                    if self.dot_all.len() > 1 {
                        self.dot_all.pop();
                    }
                    self.out.push(')');
                }
                '.' if self.dot_all.last() == Some(&false) => self.push_class(&format!("^{LINE_ENDS}")),
                '*' | '+' | '?' | '}' => {
                    self.out.push(letter);
                    self.after_quantifier(letter)?;
                }
                other => self.out.push(other),
            }
        }
        Ok(self.out)
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.letters.get(self.at).copied();
        self.at += 1;
        letter
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.letters.get(self.at + ahead).copied()
    }

    fn push_class(&mut self, content: &str) {
        self.out.push('[');
        self.out.push_str(content);
        self.out.push(']');
    }

    fn unsupported<T>(&self, what: &'static str) -> Result<T, RegexError> {
        Err(RegexError::Unsupported { pattern: self.pattern.to_owned(), what, position: self.at })
    }

    fn invalid<T>(&self, message: impl Into<String>) -> Result<T, RegexError> {
        Err(RegexError::Invalid { pattern: self.pattern.to_owned(), message: message.into() })
    }

    /// `a*+` never gives back what it took. A plus behind a brace or another quantifier means that; behind `a+` too.
    fn after_quantifier(&mut self, letter: char) -> Result<(), RegexError> {
        match (letter, self.peek(0)) {
            (_, Some('+')) if letter != '}' || self.pattern.contains('{') => {
                self.unsupported("a possessive quantifier")
            }
            (_, Some('?')) if letter != '}' || self.pattern.contains('{') => {
                self.at += 1;
                self.out.push('?');
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn group(&mut self) -> Result<(), RegexError> {
        let dot_all = self.dot_all.last().copied().unwrap_or(false);
        self.out.push('(');
        if self.peek(0) != Some('?') {
            self.dot_all.push(dot_all);
            return Ok(());
        }
        match (self.peek(1), self.peek(2)) {
            (Some('=' | '!'), _) => return self.unsupported("look-ahead"),
            (Some('<'), Some('=' | '!')) => return self.unsupported("look-behind"),
            (Some('>'), _) => return self.unsupported("an atomic group"),
            (Some('<'), _) => {
                self.dot_all.push(dot_all);
                self.at += 2;
                self.out.push_str("?<");
                return Ok(());
            }
            _ => {}
        }
        self.at += 1;
        self.out.push('?');
        self.flags(dot_all)
    }

    /// `(?i)`, `(?is-m)` or `(?s:…)`, behind the question mark.
    fn flags(&mut self, mut dot_all: bool) -> Result<(), RegexError> {
        let mut on = true;
        let mut kept = String::new();
        loop {
            match self.next() {
                Some('-') => {
                    on = false;
                    kept.push('-');
                }
                Some('s') => {
                    dot_all = on;
                    kept.push('s');
                }
                Some(flag @ ('i' | 'm' | 'x')) => kept.push(flag),
                // Case folding by Unicode is the crate's only one; Unix line ends are what it knows anyway.
                Some('u' | 'd') => {}
                Some('U') => return self.unsupported("the flag U (UNICODE_CHARACTER_CLASS)"),
                Some(':') => {
                    self.dot_all.push(dot_all);
                    self.out.push_str(kept.trim_end_matches('-'));
                    self.out.push(':');
                    return Ok(());
                }
                Some(')') => {
                    if let Some(last) = self.dot_all.last_mut() {
                        *last = dot_all;
                    }
                    // The crate has no empty list of flags; an empty group says the same.
                    match kept.trim_end_matches('-') {
                        "" => self.out.push(':'),
                        flags => self.out.push_str(flags),
                    }
                    self.out.push(')');
                    return Ok(());
                }
                _ => return self.invalid("unknown inline modifier"),
            }
        }
    }

    /// A character class, behind its bracket.
    fn class(&mut self) -> Result<(), RegexError> {
        self.out.push('[');
        if self.peek(0) == Some('^') {
            self.at += 1;
            self.out.push('^');
        }
        if self.peek(0) == Some(']') {
            self.at += 1;
            self.out.push_str(r"\]");
        }
        loop {
            match (self.next(), self.peek(0)) {
                (None, _) => return self.invalid("unclosed character class"),
                (Some(']'), _) => {
                    self.out.push(']');
                    return Ok(());
                }
                (Some('['), _) => self.class()?,
                (Some('\\'), _) => self.escape(true)?,
                (Some('&'), Some('&')) => {
                    self.at += 1;
                    self.out.push_str("&&");
                }
                // No operators in Java.
                (Some(letter @ ('~' | '&')), _) => self.out.extend(['\\', letter]),
                (Some('-'), Some('-')) => self.out.push_str(r"\-"),
                (Some(':'), _) => self.out.push_str(r"\:"),
                (Some(letter), _) => self.out.push(letter),
            }
        }
    }

    /// Behind a backslash. In a class the content of a set is pushed, outside a set of its own.
    fn escape(&mut self, in_class: bool) -> Result<(), RegexError> {
        let Some(letter) = self.next() else { return self.invalid("a backslash at the end") };
        let set = |content: &str| if in_class { content.to_owned() } else { format!("[{content}]") };
        let piece = match letter {
            'd' => set("0-9"),
            'w' => set("0-9A-Za-z_"),
            's' => set(r" \t\n\x0B\f\r"),
            'h' => set(HORIZONTAL),
            'v' => set(VERTICAL),
            'D' => "[^0-9]".to_owned(),
            'W' => "[^0-9A-Za-z_]".to_owned(),
            'S' => r"[^ \t\n\x0B\f\r]".to_owned(),
            'H' => format!("[^{HORIZONTAL}]"),
            'V' => format!("[^{VERTICAL}]"),
            'R' if !in_class => format!(r"(?:\r\n|[{VERTICAL}])"),
            't' | 'n' | 'r' | 'f' | 'a' => format!("\\{letter}"),
            'e' => r"\x1B".to_owned(),
            'b' | 'B' | 'A' | 'z' if !in_class => format!("\\{letter}"),
            'Z' => return self.unsupported(r"\Z (use \z)"),
            'G' => return self.unsupported(r"\G"),
            'X' => return self.unsupported(r"\X"),
            'k' | '1'..='9' => return self.unsupported("a back-reference"),
            'Q' => {
                self.quoted();
                return Ok(());
            }
            'E' => String::new(),
            'p' | 'P' => self.property(letter == 'P')?,
            'x' => self.hexadecimal()?,
            'u' => self.code_unit()?,
            '0' => self.octal()?,
            'c' => match self.next() {
                Some(control) => code_point(u32::from(control) ^ 64),
                None => return self.invalid("a control character is missing"),
            },
            other if other.is_ascii_alphabetic() => return self.invalid(format!("unknown escape \\{other}")),
            other => regex::escape(other.encode_utf8(&mut [0; 4])),
        };
        self.out.push_str(&piece);
        Ok(())
    }

    fn quoted(&mut self) {
        while let Some(letter) = self.next() {
            if letter == '\\' && self.peek(0) == Some('E') {
                self.at += 1;
                return;
            }
            self.out.push_str(&regex::escape(letter.encode_utf8(&mut [0; 4])));
        }
    }

    /// `\p{Alpha}` and its kind: ASCII where Java's are.
    fn property(&mut self, negated: bool) -> Result<String, RegexError> {
        let name = match self.next() {
            Some('{') => {
                let name: String = self.letters[self.at..].iter().take_while(|letter| **letter != '}').collect();
                self.at += name.chars().count() + 1;
                name
            }
            Some(letter) => letter.to_string(),
            None => return self.invalid("a property is missing"),
        };
        let posix = match name.as_str() {
            "Lower" | "Upper" | "ASCII" | "Alpha" | "Digit" | "Alnum" | "Punct" | "Graph" | "Print" | "Blank"
            | "Cntrl" | "XDigit" | "Space" => Some(name.to_ascii_lowercase()),
            _ => None,
        };
        if let Some(posix) = posix {
            return Ok(format!("[[:{}{posix}:]]", if negated { "^" } else { "" }));
        }
        if name.starts_with("In") || name.starts_with("blk=") || name.starts_with("block=") {
            return self.unsupported("a Unicode block");
        }
        let name = match name.as_str() {
            "javaLowerCase" => "Lowercase",
            "javaUpperCase" => "Uppercase",
            "javaWhitespace" => "White_Space",
            other => other.strip_prefix("Is").unwrap_or(other),
        };
        Ok(format!("\\{}{{{name}}}", if negated { 'P' } else { 'p' }))
    }

    fn hexadecimal(&mut self) -> Result<String, RegexError> {
        let braced = self.peek(0) == Some('{');
        let digits: String = if braced {
            self.at += 1;
            let digits: String = self.letters[self.at..].iter().take_while(|letter| **letter != '}').collect();
            self.at += digits.chars().count() + 1;
            digits
        } else {
            self.take(2)
        };
        match u32::from_str_radix(&digits, 16) {
            Ok(number) if braced || digits.len() == 2 => Ok(code_point(number)),
            Ok(_) | Err(_) => self.invalid("illegal hexadecimal escape"),
        }
    }

    /// `\uhhhh`; two surrogates make one character.
    fn code_unit(&mut self) -> Result<String, RegexError> {
        let mut units = vec![self.four_digits()];
        if matches!(units[0], Some(0xD800..=0xDBFF)) && (self.peek(0), self.peek(1)) == (Some('\\'), Some('u')) {
            self.at += 2;
            units.push(self.four_digits());
        }
        let units: Option<Vec<u16>> = units.into_iter().collect();
        match units.and_then(|units| String::from_utf16(&units).ok()) {
            Some(text) => Ok(text.chars().map(|letter| code_point(u32::from(letter))).collect()),
            None => self.invalid("illegal Unicode escape"),
        }
    }

    fn four_digits(&mut self) -> Option<u16> {
        let digits = self.take(4);
        if digits.len() == 4 { u16::from_str_radix(&digits, 16).ok() } else { None }
    }

    fn octal(&mut self) -> Result<String, RegexError> {
        let longest = if self.peek(0).is_some_and(|digit| ('0'..='3').contains(&digit)) { 3 } else { 2 };
        let digits: String =
            self.letters[self.at..].iter().take(longest).take_while(|digit| ('0'..='7').contains(*digit)).collect();
        self.at += digits.len();
        match u32::from_str_radix(&digits, 8) {
            Ok(number) => Ok(code_point(number)),
            Err(_) => self.invalid("illegal octal escape"),
        }
    }

    fn take(&mut self, count: usize) -> String {
        let taken: String = self.letters.get(self.at..).unwrap_or_default().iter().take(count).collect();
        self.at += count;
        taken
    }
}

fn code_point(number: u32) -> String {
    format!("\\x{{{number:X}}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, text: &str) -> Option<String> {
        let regex = JavaRegex::compile(pattern).unwrap();
        regex.valid().unwrap().find(text).map(|found| found.as_str().to_owned())
    }

    #[test]
    fn patterns_mean_what_they_mean_in_java() {
        for (pattern, text, expected) in [
            (r"\d+", "٣4", Some("4")),
            (r"\w+", "ä_b1", Some("_b1")),
            (r"\s", "a\u{a0}b", None),
            (r"\h", "a\u{a0}b", Some("\u{a0}")),
            (r".+", "ab\rcd", Some("ab")),
            (r"(?s).+", "ab\ncd", Some("ab\ncd")),
            (r"(?s:.+).", "ab\ncd", Some("ab\ncd")),
            (r"(?s:a.)b.", "a\nb\n", None),
            (r"\Qa.b\E+", "xa.bb", Some("a.bb")),
            (r"\Qa.b", "a.b", Some("a.b")),
            (r"[\d~x]+", "1~x", Some("1~x")),
            (r"[a-c--]+", "b-", Some("b-")),
            (r"[[:x]]+", ":x[", Some(":x")),
            (r"[a-z&&[^bc]]+", "bcdef", Some("def")),
            (r"\p{Alpha}+", "äab", Some("ab")),
            (r"\P{Alpha}+", "ab12", Some("12")),
            (r"\p{IsAlphabetic}+", "äab", Some("äab")),
            (r"\pL+", "äab1", Some("äab")),
            (r"\u00e4\x41\x{42}\0103", "äABC", Some("äABC")),
            (r"\ud83d\ude00", "x😀", Some("😀")),
            (r"a{2,3}?", "aaaa", Some("aa")),
            (r"(?i)HELLO", "say hello", Some("hello")),
            (r"(?u)x", "x", Some("x")),
            (r"(?<year>\d{4})-", "in 2021-", Some("2021-")),
            (r"\.\-\/\<", ".-/<", Some(".-/<")),
            (r"[]x]+", "x]", Some("x]")),
            (r"\bHello\b", "Helloworld! Hello", Some("Hello")),
            (r"(&|^)channel_id=([^&]*)", "http://x/?a=1&channel_id=abc", Some("&channel_id=abc")),
        ] {
            assert_eq!(found(pattern, text).as_deref(), expected, "{pattern} in {text}");
        }
    }

    #[test]
    fn what_java_alone_can_do_is_refused_by_name() {
        for (pattern, what) in [
            ("a(?=b)", "look-ahead"),
            ("(?<!a)b", "look-behind"),
            (r"(a)\1", "a back-reference"),
            ("a*+b", "a possessive quantifier"),
            ("a{2}+", "a possessive quantifier"),
            ("(?>a)", "an atomic group"),
            (r"a\Z", r"\Z (use \z)"),
            (r"\p{InGreek}", "a Unicode block"),
            ("(?U)a", "the flag U (UNICODE_CHARACTER_CLASS)"),
        ] {
            let error = JavaRegex::compile(pattern).unwrap_err().to_string();
            assert!(error.contains(what) && error.contains(pattern), "{pattern}: {error}");
        }
    }

    #[test]
    fn what_java_refuses_too_is_invalid_and_never_a_panic() {
        for pattern in [
            "(",
            "[a",
            "a**b(",
            r"\",
            r"\y",
            r"\u12",
            r"\xg1",
            "a{3,2}",
            "(?q)",
            r"\p{NoSuch}",
            r"\p",
            r"\c",
            "(?<",
            "(?",
        ] {
            let regex = JavaRegex::compile(pattern).unwrap();
            assert!(regex.valid().is_err(), "{pattern}");
        }
    }
}
