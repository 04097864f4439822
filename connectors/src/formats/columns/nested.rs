//! Lists, maps and rows inside a value.
//!
//! What is inside is scanned again, its tokens are gathered for the whole lane, and then the columns inside get them as
//! lanes of their own.

use std::collections::HashMap;

use super::append::Destination;
use super::{Column, Fault, Nesting, length_offset};
use crate::formats::json::scan::Scanner;
use crate::formats::token::{Kind, Source, Token};

/// Appends rows that stand inside a value.
pub(super) fn append_rows(to: &mut Destination<'_>, lane: &[Token], columns: &mut [Column], length: &mut usize) {
    let mut unescaped = Vec::new();
    let mut lanes = vec![Vec::with_capacity(lane.len()); columns.len()];
    for (row, &token) in lane.iter().enumerate() {
        let fields = if token.is_value() { read_row(to, token, columns, &mut unescaped) } else { None };
        let present = fields.is_some();
        for (index, lane) in lanes.iter_mut().enumerate() {
            lane.push(fields.as_ref().and_then(|fields| fields.get(index).copied()).unwrap_or(Token::HOLE));
        }
        to.value(row, token, &mut |_, _| present.then_some(()));
        *length += 1;
    }
    let source = Source { input: to.source.input, unescaped: inner_text(to, &unescaped) };
    for (column, lane) in columns.iter_mut().zip(&lanes) {
        column.append(lane, &source, to.rules, to.faults);
    }
}

/// Appends lists.
pub(super) fn append_lists(to: &mut Destination<'_>, lane: &[Token], offsets: &mut Vec<i32>, element: &mut Column) {
    let mut unescaped = Vec::new();
    let mut elements = Vec::new();
    let mut ends = Vec::with_capacity(lane.len());
    let before = element.len();
    for (row, &token) in lane.iter().enumerate() {
        let start = elements.len();
        let present = token.is_value() && read_list(to, token, &mut elements, &mut unescaped).is_some();
        if !present {
            elements.truncate(start);
        }
        to.value(row, token, &mut |_, _| present.then_some(()));
        ends.push(elements.len());
        offsets.push(length_offset(before + elements.len()));
    }
    let source = Source { input: to.source.input, unescaped: inner_text(to, &unescaped) };
    append_inside(to, &ends, element, &elements, &source);
}

/// Appends maps. A key that occurs twice has its last value, in the place of its first.
pub(super) fn append_maps(
    to: &mut Destination<'_>,
    lane: &[Token],
    offsets: &mut Vec<i32>,
    key: &mut Column,
    value: &mut Column,
) {
    let mut unescaped = Vec::new();
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    let mut ends = Vec::with_capacity(lane.len());
    let before = key.len();
    for (row, &token) in lane.iter().enumerate() {
        let start = keys.len();
        let present =
            token.kind == Kind::Object && read_map(to, token, &mut keys, &mut values, &mut unescaped).is_some();
        if !present {
            keys.truncate(start);
            values.truncate(start);
        }
        to.value(row, token, &mut |_, _| present.then_some(()));
        ends.push(keys.len());
        offsets.push(length_offset(before + keys.len()));
    }
    let source = Source { input: to.source.input, unescaped: inner_text(to, &unescaped) };
    append_inside(to, &ends, key, &keys, &source);
    append_inside(to, &ends, value, &values, &source);
}

/// Appends what is inside the values of a lane. `ends` says which elements belong to which row.
fn append_inside(to: &mut Destination<'_>, ends: &[usize], column: &mut Column, lane: &[Token], source: &Source<'_>) {
    let mut faults = Vec::new();
    column.append(lane, source, to.rules, &mut faults);
    for fault in faults {
        let row = ends.partition_point(|&end| end <= fault.row);
        to.faults.push(Fault { row, reason: fault.reason });
    }
}

/// Where the inner texts of nested values are: JSON's are unescaped once more, delimited ones lie where the value lies.
fn inner_text<'a>(to: &Destination<'a>, unescaped: &'a [u8]) -> &'a [u8] {
    match to.rules.nesting {
        Nesting::Json => unescaped,
        Nesting::Delimited { .. } => to.source.unescaped,
    }
}

fn read_row(to: &Destination<'_>, token: Token, columns: &[Column], unescaped: &mut Vec<u8>) -> Option<Vec<Token>> {
    match &to.rules.nesting {
        Nesting::Json => {
            let mut fields = vec![Token::ABSENT; columns.len()];
            let mut scanner = Scanner::new(to.source.input, object(token)?);
            let read = scanner.members(unescaped, |name, value| {
                if let Some(index) = columns.iter().position(|column| column.field.name().as_bytes() == name) {
                    fields[index] = value;
                }
            });
            read.ok().map(|()| fields)
        }
        Nesting::Delimited { delimiter, null } => {
            let mut fields = Vec::with_capacity(columns.len());
            split(to.source, token, delimiter, null.as_deref(), &mut fields)?;
            (fields.len() == columns.len()).then_some(fields)
        }
    }
}

fn read_list(to: &Destination<'_>, token: Token, elements: &mut Vec<Token>, unescaped: &mut Vec<u8>) -> Option<()> {
    match &to.rules.nesting {
        Nesting::Json if token.kind == Kind::Array => {
            Scanner::new(to.source.input, token.start as usize).elements(unescaped, elements).ok()
        }
        Nesting::Json => None,
        Nesting::Delimited { .. } if token.start == token.end => Some(()),
        Nesting::Delimited { delimiter, null } => split(to.source, token, delimiter, null.as_deref(), elements),
    }
}

fn read_map(
    to: &Destination<'_>,
    token: Token,
    keys: &mut Vec<Token>,
    values: &mut Vec<Token>,
    unescaped: &mut Vec<u8>,
) -> Option<()> {
    let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut scanner = Scanner::new(to.source.input, token.start as usize);
    scanner
        .keyed_members(unescaped, |name, key, value| match places.get(name) {
            Some(&place) => values[place] = value,
            None => {
                places.insert(name.to_vec(), keys.len());
                keys.push(key);
                values.push(value);
            }
        })
        .ok()
}

fn object(token: Token) -> Option<usize> {
    (token.kind == Kind::Object).then_some(token.start as usize)
}

/// The parts of a delimited text.
fn split(
    source: &Source<'_>,
    token: Token,
    delimiter: &[u8],
    null: Option<&[u8]>,
    parts: &mut Vec<Token>,
) -> Option<()> {
    let text = matches!(token.kind, Kind::Text | Kind::Unescaped).then(|| source.bytes(token))?;
    let mut start = 0;
    loop {
        let found = memchr::memmem::find(&text[start..], delimiter);
        let end = found.map_or(text.len(), |found| start + found);
        let kind = if null == Some(&text[start..end]) { Kind::Null } else { token.kind };
        parts.push(Token::new(kind, token.start as usize + start, token.start as usize + end));
        match found {
            Some(_) => start = end + delimiter.len(),
            None => return Some(()),
        }
    }
}

/// Appends JSON text without the white space between its tokens. `json` is well-formed.
pub(super) fn append_compact(json: &[u8], to: &mut Vec<u8>) {
    let (mut in_text, mut escaped) = (false, false);
    for &byte in json {
        if in_text {
            in_text = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
            continue;
        } else {
            in_text = byte == b'"';
        }
        to.push(byte);
    }
}
