//! Finds the wanted values of CSV lines.

use arrow::datatypes::SchemaRef;
use memchr::memchr2;
use millstream_engine::error::{Error, Result};

use super::CsvOptions;
use crate::formats::columns::excerpt;
use crate::formats::lines::{Scan, Step, line_end};
use crate::formats::rows::Block;
use crate::formats::token::{Kind, Source, Token};
use crate::formats::wanted::Wanted;

/// The longest header line.
const MAX_HEADER_BYTES: usize = 1 << 20;

/// Finds lines and their wanted values.
#[derive(Debug)]
pub(crate) struct Records {
    options: CsvOptions,
    /// For each value of a line, in order, the lane of its tokens, if it is wanted.
    lanes: Vec<Option<usize>>,
    /// The name and the lane of each wanted column.
    wanted: Vec<(String, usize)>,
}

impl Records {
    /// Finds what is `wanted` of lines with the columns of `table`, or of a header.
    pub(crate) fn new(options: CsvOptions, table: &SchemaRef, wanted: &Wanted) -> Self {
        let wanted: Vec<(String, usize)> =
            wanted.nodes().iter().enumerate().skip(1).map(|(lane, node)| (node.name.clone(), lane)).collect();
        let lanes = table.fields().iter().map(|field| lane_of(&wanted, field.name())).collect();
        Self { options, lanes, wanted }
    }

    /// Takes the header line, if there is one, from `start` on.
    fn read_header(&mut self, input: &[u8], start: usize, last: bool) -> Result<Option<usize>> {
        let mut at = start;
        loop {
            match self.pass_empty(input, at, last) {
                Empty::Line { next } => at = next,
                Empty::Unknown => return header_needs_more(input).map(|()| None),
                Empty::No => break,
            }
        }
        let (mut unescaped, mut names) = (Vec::new(), Vec::new());
        let line = self.fields(input, at, last, &mut unescaped, |_, token| names.push(token));
        let next = match line {
            Line::End { next, .. } => next,
            Line::Unfinished => return header_needs_more(input).map(|()| None),
            Line::Wrong { reason, .. } => return Err(header_error(reason)),
        };
        let source = Source { input, unescaped: &unescaped };
        let names: Vec<String> = names.iter().map(|&name| String::from_utf8_lossy(source.bytes(name)).into()).collect();
        if let Some((missing, _)) = self.wanted.iter().find(|(wanted, _)| !names.contains(wanted)) {
            let known = names.iter().map(|name| excerpt(name.as_bytes())).collect::<Vec<_>>().join(", ");
            return Err(header_error(format!(
                "the header line does not name the column `{missing}`; it names: {known}; correct the table's columns, or \
                 leave out 'csv.header' if there is no header"
            )));
        }
        self.lanes = names.iter().map(|name| lane_of(&self.wanted, name)).collect();
        Ok(Some(next))
    }

    /// Whether a line that makes no row starts at `at`.
    fn pass_empty(&self, input: &[u8], at: usize, last: bool) -> Empty {
        let comment = self.options.allow_comments && input.get(at) == Some(&b'#');
        let blank = match &input[at..] {
            [] => return if last { Empty::No } else { Empty::Unknown },
            [b'\n', ..] | [b'\r', b'\n', ..] => true,
            [b'\r'] if !last => return Empty::Unknown,
            _ => false,
        };
        // An empty line of a table with one column is a row with an empty text.
        let nothing = comment || (blank && self.lanes.len() != 1);
        if !nothing {
            return Empty::No;
        }
        line_end(input, at, last).map_or(Empty::Unknown, |(_, next)| Empty::Line { next })
    }

    /// Calls `visit` with the number and the token of each value of the line at `at`.
    fn fields(
        &self,
        input: &[u8],
        at: usize,
        last: bool,
        unescaped: &mut Vec<u8>,
        mut visit: impl FnMut(usize, Token),
    ) -> Line {
        let mut start = at;
        for number in 0.. {
            let field = match self.options.quote {
                Some(quote) if input.get(start) == Some(&quote) => self.quoted(input, start, quote, last, unescaped),
                _ => self.plain(input, start, last, unescaped),
            };
            match field {
                Field::Value { token, end } => {
                    visit(number, self.or_null(token, &Source { input, unescaped }));
                    match input.get(end) {
                        Some(&byte) if byte == self.options.delimiter => start = end + 1,
                        _ => return Line::End { end, next: after_line_end(input, end), count: number + 1 },
                    }
                }
                Field::Unfinished => return Line::Unfinished,
                Field::Wrong { at, reason } => return Line::Wrong { at, reason: reason.to_owned() },
            }
        }
        Line::Unfinished
    }

    /// A value without quotes.
    fn plain(&self, input: &[u8], start: usize, last: bool, unescaped: &mut Vec<u8>) -> Field {
        let before = unescaped.len();
        let (mut from, mut escaped) = (start, false);
        loop {
            let end = match self.plain_end(input, from) {
                Some(end) => end,
                None if last => input.len(),
                None => return Field::Unfinished,
            };
            if self.options.escape.is_some() && input.get(end).copied() == self.options.escape {
                let Some(&meant) = input.get(end + 1) else {
                    return if last { wrong(end, "nothing follows the escape character") } else { Field::Unfinished };
                };
                unescaped.extend_from_slice(&input[from..end]);
                unescaped.push(meant);
                (from, escaped) = (end + 2, true);
                continue;
            }
            // The carriage return of a line end is not part of the value.
            let end =
                if input.get(end) == Some(&b'\n') && end > from && input[end - 1] == b'\r' { end - 1 } else { end };
            let token = if escaped {
                unescaped.extend_from_slice(&input[from..end]);
                Token::new(Kind::Unescaped, before, unescaped.len())
            } else {
                Token::new(Kind::Text, start, end)
            };
            return Field::Value { token, end };
        }
    }

    /// The next delimiter, line end or escape character.
    #[inline]
    fn plain_end(&self, input: &[u8], from: usize) -> Option<usize> {
        let delimiter = self.options.delimiter;
        let rest = input.get(from..)?;
        let found = match self.options.escape {
            None => memchr2(delimiter, b'\n', rest),
            Some(escape) => memchr::memchr3(delimiter, b'\n', escape, rest),
        };
        found.map(|found| from + found)
    }

    /// A value in quotes.
    fn quoted(&self, input: &[u8], start: usize, quote: u8, last: bool, unescaped: &mut Vec<u8>) -> Field {
        let before = unescaped.len();
        let (mut from, mut escaped) = (start + 1, false);
        let needle = self.options.escape.unwrap_or(quote);
        loop {
            let Some(found) = memchr2(quote, needle, &input[from..]) else { return unclosed(start, last) };
            let end = from + found;
            let next = input.get(end + 1).copied();
            let literal = if input[end] == quote { next == Some(quote) } else { next.is_some() };
            if literal {
                unescaped.extend_from_slice(&input[from..end]);
                unescaped.extend(next);
                (from, escaped) = (end + 2, true);
                continue;
            }
            if input[end] != quote {
                return unclosed(start, last);
            }
            if next.is_none() && !last {
                return Field::Unfinished; // The quote may be the first of two.
            }
            let token = if escaped {
                unescaped.extend_from_slice(&input[from..end]);
                Token::new(Kind::Unescaped, before, unescaped.len())
            } else {
                Token::new(Kind::Text, from, end)
            };
            return self.after_quote(input, end + 1, last, token);
        }
    }

    /// A closing quote ends the value.
    fn after_quote(&self, input: &[u8], at: usize, last: bool, token: Token) -> Field {
        match &input[at..] {
            [] | [b'\n', ..] | [b'\r', b'\n', ..] => Field::Value { token, end: at },
            [byte, ..] if *byte == self.options.delimiter => Field::Value { token, end: at },
            [b'\r'] if last => Field::Value { token, end: at },
            [b'\r'] => Field::Unfinished,
            _ => wrong(at, "a closing quote is not followed by a delimiter (a quote inside a value is written twice)"),
        }
    }
}

impl Records {
    /// The null that `token` stands for, or `token`.
    #[inline]
    fn or_null(&self, token: Token, source: &Source<'_>) -> Token {
        match &self.options.null_literal {
            Some(null) if source.bytes(token) == null.as_bytes() => Token { kind: Kind::Null, ..token },
            _ => token,
        }
    }

    /// A line with `count` values is complete.
    fn end_line(&self, start: usize, end: usize, next: usize, count: usize, block: &mut Block) -> Step {
        let expected = self.lanes.len();
        if count != expected && !self.options.ignore_parse_errors {
            let of = if self.options.header { "the header" } else { "the table" };
            let reason = format!("the line has {count} values, but {of} has {expected} columns");
            return Step::Bad { start, end, next, reason };
        }
        for lane in self.lanes.iter().skip(count).flatten() {
            block.set(*lane, Token::ABSENT);
        }
        Step::Record { start, end, next }
    }
}

impl Scan for Records {
    fn begin(&mut self, input: &[u8], last: bool) -> Result<Option<usize>> {
        const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
        let start = if input.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        if !last && input.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(input) {
            return Ok(None);
        }
        match self.options.header {
            true if input.is_empty() => Ok(Some(0)),
            true => self.read_header(input, start, last),
            false => Ok(Some(start)),
        }
    }

    fn scan(&mut self, input: &[u8], at: usize, last: bool, block: &mut Block) -> Step {
        match self.pass_empty(input, at, last) {
            Empty::Line { next } => return Step::Nothing { next },
            Empty::Unknown => return Step::Unfinished { start: at },
            Empty::No => {}
        }
        let mut unescaped = std::mem::take(&mut block.unescaped);
        let before = unescaped.len();
        let line = self.fields(input, at, last, &mut unescaped, |number, token| {
            if let Some(Some(lane)) = self.lanes.get(number) {
                block.set(*lane, token);
            }
        });
        block.unescaped = unescaped;
        match line {
            Line::End { end, next, count } => self.end_line(at, end, next, count, block),
            Line::Unfinished => {
                block.unescaped.truncate(before);
                Step::Unfinished { start: at }
            }
            Line::Wrong { at: wrong, reason } => {
                block.unescaped.truncate(before);
                match line_end(input, wrong, last) {
                    Some((end, next)) => Step::Bad { start: at, end, next, reason },
                    None => Step::Unfinished { start: at },
                }
            }
        }
    }
}

/// Whether a line makes no row.
enum Empty {
    /// It does not.
    Line {
        /// Where the next one starts.
        next: usize,
    },
    /// It does.
    No,
    /// More input must tell.
    Unknown,
}

/// What stands at the place of a value.
enum Field {
    /// A value, which ends at a delimiter, a line end or the end of the input.
    Value {
        token: Token,
        end: usize,
    },
    Unfinished,
    Wrong {
        at: usize,
        reason: &'static str,
    },
}

/// A line.
enum Line {
    /// It ends before `next` and has `count` values.
    End {
        end: usize,
        next: usize,
        count: usize,
    },
    Unfinished,
    /// It cannot be read from `at` on.
    Wrong {
        at: usize,
        reason: String,
    },
}

fn wrong(at: usize, reason: &'static str) -> Field {
    Field::Wrong { at, reason }
}

/// A quote without its partner: everything that follows would be one value. Only the line of the quote is given up.
fn unclosed(start: usize, last: bool) -> Field {
    if last { wrong(start, "a quote is opened and never closed") } else { Field::Unfinished }
}

fn after_line_end(input: &[u8], end: usize) -> usize {
    match &input[end..] {
        [b'\r', b'\n', ..] => end + 2,
        [] => end,
        _ => end + 1,
    }
}

fn lane_of(wanted: &[(String, usize)], name: &str) -> Option<usize> {
    wanted.iter().find(|(wanted, _)| wanted == name).map(|(_, lane)| *lane)
}

fn header_error(message: String) -> Error {
    Error::data("format 'csv'", message)
}

fn header_needs_more(input: &[u8]) -> Result<()> {
    if input.len() < MAX_HEADER_BYTES {
        return Ok(());
    }
    Err(header_error(format!(
        "the header line does not end within {MAX_HEADER_BYTES} bytes: this is not a CSV file with a header"
    )))
}
