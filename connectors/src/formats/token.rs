//! Where in the input a value stands, and what it looks like there.
//!
//! Scanning a record makes a [`Token`] for each wanted value; the tokens of one value over many records form a lane, and
//! a lane is what a column is converted from.

/// What a record says at one place. `Copy` and small: a lane of them is written once and read once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    /// Where its bytes start, see [`Source::bytes`].
    pub(crate) start: u32,
    /// Where they end.
    pub(crate) end: u32,
    /// How to read them.
    pub(crate) kind: Kind,
}

/// How the bytes of a [`Token`] are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// The record does not mention the value.
    Absent,
    /// The value lies in a row that is null: there is nothing to say, and nothing to check.
    Hole,
    /// Null in so many words.
    Null,
    /// A boolean literal.
    True,
    /// A boolean literal.
    False,
    /// A number as it stands in the input, of JSON's grammar.
    Number,
    /// Text as it stands in the input, without quotes and escapes.
    Text,
    /// Text that stood in the input with escapes; the bytes are in [`Source::unescaped`].
    Unescaped,
    /// An object with its braces.
    Object,
    /// An array with its brackets.
    Array,
}

impl Token {
    /// A value that is not mentioned.
    pub(crate) const ABSENT: Self = Self { start: 0, end: 0, kind: Kind::Absent };
    /// A value inside a row that is null.
    pub(crate) const HOLE: Self = Self { start: 0, end: 0, kind: Kind::Hole };

    /// The bytes `start .. end`. Offsets are below 2^32, see [`MAX_INPUT_BYTES`].
    #[inline]
    pub(crate) fn new(kind: Kind, start: usize, end: usize) -> Self {
        Self { start: offset(start), end: offset(end), kind }
    }
}

/// How much input is looked at in one call, so that offsets fit a [`Token`]. More is simply not taken.
pub(crate) const MAX_INPUT_BYTES: usize = 1 << 30;

/// An offset inside the input. Saturates above 2^32, which [`MAX_INPUT_BYTES`] rules out.
#[inline]
pub(crate) fn offset(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

/// The bytes that tokens point into.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    /// The input.
    pub(crate) input: &'a [u8],
    /// What became of texts with escapes.
    pub(crate) unescaped: &'a [u8],
}

impl<'a> Source<'a> {
    /// The bytes of `token`; empty for a token that does not point into this source.
    #[inline]
    pub(crate) fn bytes(&self, token: Token) -> &'a [u8] {
        let of = if token.kind == Kind::Unescaped { self.unescaped } else { self.input };
        of.get(token.start as usize..token.end as usize).unwrap_or_default()
    }
}
