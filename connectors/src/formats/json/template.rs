//! The layout of an object that was seen before, and the fast way through objects that have it too.
//!
//! Rows of one writer mostly look the same but for their values: the same names in the same order with the same white
//! space. A [`Template`] is such a row with its values taken out. Reading by it means comparing what stands between
//! values with what stood there before, as a whole, and finding where each value ends:
//!
//! ```text
//!   seen      {"auction":1001,"channel":"Google","paid":null}
//!   template  {"auction":◻,"channel":◻,"paid":◻}
//! ```
//!
//! Anything unexpected makes [`Template::read`] give up, and the record is scanned exactly. So a template is never wrong, it
//! is only of no use. It accepts a value of any kind wherever a value stood, since what a column makes of it is not
//! decided here.

use super::scan::Scanner;
use super::text_end::text_end;
use crate::formats::rows::Block;
use crate::formats::token::{Kind, Token};
use crate::formats::values::integer::leading_digits;

/// An object without its values.
#[derive(Debug)]
pub(super) struct Template {
    steps: Vec<Step>,
    /// What stands behind the last value.
    tail: Literal,
    /// Tokens that do not depend on the input: of what is absent, and of rows whose fields have lanes.
    fixed: Vec<(usize, Token)>,
}

/// A value and what stands before it.
#[derive(Debug)]
struct Step {
    before: Literal,
    place: ValuePlace,
}

/// Where the value of an object goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct ValuePlace {
    /// The lane; 0, the lane of the record itself, if the value is not wanted.
    pub(super) lane: usize,
    /// It is a row whose fields have lanes, and it has no object here.
    pub(super) open: bool,
}

/// A value of an object that was scanned exactly.
#[derive(Debug, Clone, Copy)]
pub(super) struct SeenValue {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) place: ValuePlace,
}

impl Template {
    /// The template of the object at `start .. end`, which has `values` and for which each lane has one of `tokens`.
    pub(super) fn new(input: &[u8], start: usize, end: usize, values: &[SeenValue], tokens: &[Token]) -> Self {
        let mut from = start;
        let steps: Vec<Step> = values
            .iter()
            .map(|value| {
                let before = Literal::new(&input[from..value.start]);
                from = value.end;
                Step { before, place: value.place }
            })
            .collect();
        let written = |lane: usize| steps.iter().any(|step| step.place.lane == lane);
        let fixed = tokens.iter().copied().enumerate().skip(1).filter(|(lane, _)| !written(*lane)).collect();
        Self { tail: Literal::new(&input[from..end]), steps, fixed }
    }

    /// Sets the tokens of the object at `start` and answers where it ends, if it has this layout.
    #[inline]
    pub(super) fn read(&self, input: &[u8], start: usize, block: &mut Block) -> Option<usize> {
        let mut at = start;
        for step in &self.steps {
            at = step.before.pass(input, at)?;
            let (token, end) = value(input, at, &mut block.unescaped)?;
            if step.place.open && token.kind == Kind::Object {
                return None;
            }
            block.set(step.place.lane, token);
            at = end;
        }
        at = self.tail.pass(input, at)?;
        for &(lane, token) in &self.fixed {
            block.set(lane, token);
        }
        Some(at)
    }
}

/// Bytes that must stand at a place. The first sixteen are compared as one number.
#[derive(Debug)]
struct Literal {
    head: u128,
    mask: u128,
    length: usize,
    /// What follows the first sixteen.
    rest: Box<[u8]>,
}

/// How many bytes of a literal are compared as one number.
pub(super) const HEAD_BYTES: usize = 16;

impl Literal {
    fn new(bytes: &[u8]) -> Self {
        let (head, rest) = bytes.split_at(bytes.len().min(HEAD_BYTES));
        let mut word = [0; HEAD_BYTES];
        word[..head.len()].copy_from_slice(head);
        let mut mask = [0; HEAD_BYTES];
        mask[..head.len()].fill(0xff);
        Self {
            head: u128::from_le_bytes(word),
            mask: u128::from_le_bytes(mask),
            length: bytes.len(),
            rest: rest.into(),
        }
    }

    /// The end of these bytes, if they stand at `at`. Also `None` if less than [`HEAD_BYTES`] are left of the input: the
    /// exact scan sees to the rest.
    #[inline]
    fn pass(&self, input: &[u8], at: usize) -> Option<usize> {
        let (head, rest) = input.get(at..)?.split_first_chunk::<HEAD_BYTES>()?;
        let same = (u128::from_le_bytes(*head) ^ self.head) & self.mask == 0;
        (same && (self.rest.is_empty() || rest.starts_with(&self.rest))).then_some(at + self.length)
    }
}

/// The value at `at` and where it ends.
#[inline]
fn value(input: &[u8], at: usize, unescaped: &mut Vec<u8>) -> Option<(Token, usize)> {
    match *input.get(at)? {
        b'"' => text(input, at, unescaped),
        b'-' | b'0'..=b'9' => number(input, at),
        _ => exactly(input, at, unescaped),
    }
}

/// A text without escapes; any other is left to the exact scan.
#[inline]
fn text(input: &[u8], at: usize, unescaped: &mut Vec<u8>) -> Option<(Token, usize)> {
    match text_end(input, at + 1) {
        Some(end) if input[end] == b'"' => Some((Token::new(Kind::Text, at + 1, end), end + 1)),
        _ => exactly(input, at, unescaped),
    }
}

/// A number without point and exponent; any other is left to the exact scan.
#[inline]
fn number(input: &[u8], at: usize) -> Option<(Token, usize)> {
    let first = at + usize::from(input[at] == b'-');
    let mut end = first;
    loop {
        let digits = leading_digits(u64::from_le_bytes(*input.get(end..)?.first_chunk()?));
        end += digits;
        if digits < 8 {
            break;
        }
    }
    let leading_zero = input[first] == b'0' && end > first + 1;
    if end == first || leading_zero || matches!(input[end], b'.' | b'e' | b'E') {
        return exactly(input, at, &mut Vec::new());
    }
    Some((Token::new(Kind::Number, at, end), end))
}

/// The value at `at` and where it ends.
#[cold]
fn exactly(input: &[u8], at: usize, unescaped: &mut Vec<u8>) -> Option<(Token, usize)> {
    let mut scanner = Scanner::new(input, at);
    let token = scanner.value(unescaped).ok()?;
    Some((token, scanner.at()))
}
