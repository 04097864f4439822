//! The exact JSON scanner: RFC 8259 and nothing else, over bytes that are known to be UTF-8.
//!
//! It says where values stand and does not build them. What it refuses, it names with the position; what merely ends too
//! early is [`Stop::End`], because more input may come. The fast path of records must never disagree with it.

use crate::formats::token::{Kind, Source, Token};
use crate::formats::values::integer::leading_digits;

/// How deep arrays and objects may be nested.
const MAX_DEPTH: u32 = 127;

/// Why scanning stopped before the end of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The input ends inside the value.
    End,
    /// It is not JSON.
    Wrong {
        /// At this byte of the input.
        at: usize,
        /// What was expected.
        expected: &'static str,
    },
}

/// Reads values from the front of the rest of an input.
#[derive(Debug, Clone)]
pub(crate) struct Scanner<'a> {
    input: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    /// Starts at `at`.
    pub(crate) fn new(input: &'a [u8], at: usize) -> Self {
        Self { input, at }
    }

    /// Where it stands.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The next byte.
    #[inline]
    pub(crate) fn peek(&self) -> Result<u8, Stop> {
        self.input.get(self.at).copied().ok_or(Stop::End)
    }

    /// Passes white space.
    #[inline]
    pub(crate) fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.input.get(self.at) {
            self.at += 1;
        }
    }

    /// Passes `byte`, or stops.
    #[inline]
    pub(crate) fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), Stop> {
        if self.peek()? == byte {
            self.at += 1;
            Ok(())
        } else {
            self.wrong(expected)
        }
    }

    /// Passes `byte` if it is next.
    #[inline]
    pub(crate) fn pass(&mut self, byte: u8) -> Result<bool, Stop> {
        let next = self.peek()? == byte;
        self.at += usize::from(next);
        Ok(next)
    }

    /// Stops here.
    pub(crate) fn wrong<T>(&self, expected: &'static str) -> Result<T, Stop> {
        Err(Stop::Wrong { at: self.at, expected })
    }

    /// Reads a value of any kind. Text with escapes goes to `unescaped`.
    pub(crate) fn value(&mut self, unescaped: &mut Vec<u8>) -> Result<Token, Stop> {
        match self.peek()? {
            b'"' => self.text(unescaped),
            b'-' | b'0'..=b'9' => self.number(),
            b'{' => self.container(Kind::Object),
            b'[' => self.container(Kind::Array),
            b't' => self.literal(b"true", Kind::True),
            b'f' => self.literal(b"false", Kind::False),
            b'n' => self.literal(b"null", Kind::Null),
            _ => self.wrong("a value"),
        }
    }

    /// Reads text.
    pub(crate) fn text(&mut self, unescaped: &mut Vec<u8>) -> Result<Token, Stop> {
        self.expect(b'"', "a text in quotes")?;
        let start = self.at;
        if self.plain_text()? != b'"' {
            return self.escaped_text(start, unescaped);
        }
        let token = Token::new(Kind::Text, start, self.at);
        self.at += 1;
        Ok(token)
    }

    /// Passes text up to a quote or an escape, which stays next.
    fn plain_text(&mut self) -> Result<u8, Stop> {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let found = memchr::memchr2(b'"', b'\\', rest);
        let text = &rest[..found.unwrap_or(rest.len())];
        if has_control(text) {
            self.at += text.iter().position(|&byte| byte < b' ').unwrap_or_default();
            return self.wrong("no bare control character inside a text");
        }
        self.at += text.len();
        self.peek()
    }

    /// Text that started at `start` and has an escape here.
    fn escaped_text(&mut self, start: usize, unescaped: &mut Vec<u8>) -> Result<Token, Stop> {
        let before = unescaped.len();
        let mut plain = start;
        loop {
            unescaped.extend_from_slice(&self.input[plain..self.at]);
            if self.pass(b'"')? {
                return Ok(Token::new(Kind::Unescaped, before, unescaped.len()));
            }
            self.escape(unescaped)?;
            plain = self.at;
            self.plain_text()?;
        }
    }

    fn escape(&mut self, unescaped: &mut Vec<u8>) -> Result<(), Stop> {
        self.expect(b'\\', "an escape")?;
        let byte = match self.peek()? {
            byte @ (b'"' | b'\\' | b'/') => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.unicode_escape(unescaped),
            _ => return self.wrong("one of \" \\ / b f n r t u after a backslash"),
        };
        self.at += 1;
        unescaped.push(byte);
        Ok(())
    }

    /// `u` and four hexadecimal digits; a character beyond 16 bits is two of them.
    fn unicode_escape(&mut self, unescaped: &mut Vec<u8>) -> Result<(), Stop> {
        const LONE: &str = "a low surrogate after a high one, and only there";
        self.at += 1;
        let mut code = self.four_digits()?;
        if (0xd800..0xdc00).contains(&code) {
            self.expect(b'\\', LONE)?;
            self.expect(b'u', LONE)?;
            let low = self.four_digits()?;
            if !(0xdc00..0xe000).contains(&low) {
                return self.wrong(LONE);
            }
            code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
        let Some(character) = char::from_u32(code) else { return self.wrong(LONE) };
        unescaped.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    fn four_digits(&mut self) -> Result<u32, Stop> {
        let mut code = 0;
        for _ in 0..4 {
            let Some(digit) = char::from(self.peek()?).to_digit(16) else {
                return self.wrong("four hexadecimal digits");
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    /// Reads a number.
    pub(crate) fn number(&mut self) -> Result<Token, Stop> {
        let start = self.at;
        self.pass(b'-')?;
        if self.pass(b'0')? {
            if self.peek()?.is_ascii_digit() {
                return self.wrong("no digit after a leading zero");
            }
        } else {
            self.digits()?;
        }
        if self.pass(b'.')? {
            self.digits()?;
        }
        if matches!(self.peek()?, b'e' | b'E') {
            self.at += 1;
            let _ = self.pass(b'+')? || self.pass(b'-')?;
            self.digits()?;
        }
        Ok(Token::new(Kind::Number, start, self.at))
    }

    /// Passes at least one digit. What follows the last one is there.
    fn digits(&mut self) -> Result<(), Stop> {
        if !self.peek()?.is_ascii_digit() {
            return self.wrong("a digit");
        }
        while let Some(word) = self.input.get(self.at..).and_then(<[u8]>::first_chunk) {
            let digits = leading_digits(u64::from_le_bytes(*word));
            self.at += digits;
            if digits < 8 {
                return Ok(());
            }
        }
        while self.peek()?.is_ascii_digit() {
            self.at += 1;
        }
        Ok(())
    }

    fn literal(&mut self, word: &'static [u8], kind: Kind) -> Result<Token, Stop> {
        let start = self.at;
        for &letter in word {
            self.expect(letter, "true, false or null")?;
        }
        Ok(Token::new(kind, start, self.at))
    }

    /// Reads an array or an object, whichever is next, without looking for anything in it.
    pub(crate) fn container(&mut self, kind: Kind) -> Result<Token, Stop> {
        let start = self.at;
        let mut open = OpenBrackets::default();
        let mut scratch = Vec::new();
        'value: loop {
            match self.peek()? {
                bracket @ (b'{' | b'[') => {
                    let object = bracket == b'{';
                    if !open.push(object) {
                        return self.wrong("arrays and objects no deeper than 127 levels");
                    }
                    self.at += 1;
                    self.skip_space();
                    if !self.pass(if object { b'}' } else { b']' })? {
                        self.key_if(object, &mut scratch)?;
                        continue 'value;
                    }
                    open.pop();
                }
                _ => {
                    self.value(&mut scratch)?;
                    scratch.clear();
                }
            }
            while let Some(object) = open.innermost_is_object() {
                self.skip_space();
                match self.peek()? {
                    b',' => {
                        self.at += 1;
                        self.skip_space();
                        self.key_if(object, &mut scratch)?;
                        continue 'value;
                    }
                    b'}' if object => self.at += 1,
                    b']' if !object => self.at += 1,
                    _ if object => return self.wrong("a comma or }"),
                    _ => return self.wrong("a comma or ]"),
                }
                open.pop();
            }
            return Ok(Token::new(kind, start, self.at));
        }
    }

    fn key_if(&mut self, object: bool, scratch: &mut Vec<u8>) -> Result<(), Stop> {
        if object {
            self.key(scratch)?;
            scratch.clear();
        }
        Ok(())
    }

    /// Passes the name of a member and what stands between it and the value.
    pub(crate) fn key(&mut self, unescaped: &mut Vec<u8>) -> Result<Token, Stop> {
        if self.peek()? != b'"' {
            return self.wrong("the name of a field in quotes");
        }
        let key = self.text(unescaped)?;
        self.skip_space();
        self.expect(b':', "a colon")?;
        self.skip_space();
        Ok(key)
    }

    /// Reads the object that is next; `visit` gets the name and the value of each member.
    pub(crate) fn members(&mut self, unescaped: &mut Vec<u8>, mut visit: impl FnMut(&[u8], Token)) -> Result<(), Stop> {
        self.keyed_members(unescaped, |name, _, value| visit(name, value))
    }

    /// Reads the object that is next; `visit` gets the name, its token and the value of each member.
    pub(crate) fn keyed_members(
        &mut self,
        unescaped: &mut Vec<u8>,
        mut visit: impl FnMut(&[u8], Token, Token),
    ) -> Result<(), Stop> {
        self.expect(b'{', "an object")?;
        self.skip_space();
        if self.pass(b'}')? {
            return Ok(());
        }
        loop {
            let key = self.key(unescaped)?;
            let value = self.value(unescaped)?;
            visit(Source { input: self.input, unescaped }.bytes(key), key, value);
            if !self.another(b'}', "a comma or }")? {
                return Ok(());
            }
        }
    }

    /// Reads the array that is next.
    pub(crate) fn elements(&mut self, unescaped: &mut Vec<u8>, elements: &mut Vec<Token>) -> Result<(), Stop> {
        self.expect(b'[', "an array")?;
        self.skip_space();
        if self.pass(b']')? {
            return Ok(());
        }
        loop {
            elements.push(self.value(unescaped)?);
            if !self.another(b']', "a comma or ]")? {
                return Ok(());
            }
        }
    }

    /// Passes the comma before the next member or element, or the bracket behind the last one: whether there is another.
    pub(crate) fn another(&mut self, close: u8, expected: &'static str) -> Result<bool, Stop> {
        self.skip_space();
        if self.pass(close)? {
            return Ok(false);
        }
        self.expect(b',', expected)?;
        self.skip_space();
        Ok(true)
    }
}

/// Whether there is a byte below a blank, which no text may have bare. Without a branch for each byte, so that vector
/// instructions look at many at once.
fn has_control(text: &[u8]) -> bool {
    text.iter().fold(false, |any, &byte| any | (byte < b' '))
}

/// The brackets that are open around a value.
#[derive(Debug, Default)]
struct OpenBrackets {
    /// One bit for each, the innermost in the lowest: 1 for an object.
    objects: u128,
    depth: u32,
}

impl OpenBrackets {
    /// Opens one; `false` if that is too deep.
    fn push(&mut self, object: bool) -> bool {
        self.objects = self.objects << 1 | u128::from(object);
        self.depth += 1;
        self.depth <= MAX_DEPTH
    }

    fn pop(&mut self) {
        self.objects >>= 1;
        self.depth -= 1;
    }

    fn innermost_is_object(&self) -> Option<bool> {
        (self.depth > 0).then_some(self.objects & 1 == 1)
    }
}
