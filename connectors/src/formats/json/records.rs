//! Finds the wanted values of JSON objects.
//!
//! [`Records`] walks an object by the tree of what is [`Wanted`] and sets a token for every node of it: what a record does
//! not mention is absent, what lies in a row that is null is a hole, and of a name that occurs twice the last one counts.

use std::collections::HashMap;

use millstream_engine::error::Result;

use super::scan::{Scanner, Stop};
use crate::formats::lines::{Scan, Step, line_end};
use crate::formats::rows::Block;
use crate::formats::token::{Kind, Source, Token};
use crate::formats::wanted::Wanted;

/// From how many wanted fields on a name is looked up instead of compared with each.
const MANY_FIELDS: usize = 12;

/// Finds objects and their wanted values.
#[derive(Debug)]
pub(crate) struct Records {
    nodes: Vec<Node>,
    /// The tokens of the record that is being scanned, one for each node.
    tokens: Vec<Token>,
}

/// A wanted value, see [`Wanted`].
#[derive(Debug)]
struct Node {
    name: Vec<u8>,
    open: bool,
    fields: Vec<usize>,
    /// Where in `fields` a name stands, if there are many.
    by_name: HashMap<Vec<u8>, usize>,
}

impl Records {
    /// Finds what is `wanted`.
    pub(crate) fn new(wanted: Wanted) -> Self {
        let nodes: Vec<Node> = (0..wanted.nodes().len()).map(|node| Node::new(&wanted, node)).collect();
        let tokens = vec![Token::ABSENT; nodes.len()];
        Self { nodes, tokens }
    }

    fn scan_exactly(&mut self, input: &[u8], start: usize, block: &mut Block) -> Result<usize, Stop> {
        let mut walk =
            Walk { nodes: &self.nodes, tokens: &mut self.tokens, scanner: Scanner::new(input, start), input };
        walk.object(0, &mut block.unescaped)?;
        let end = walk.scanner.at();
        for (lane, &token) in self.tokens.iter().enumerate().skip(1) {
            block.set(lane, token);
        }
        Ok(end)
    }
}

impl Node {
    fn new(wanted: &Wanted, node: usize) -> Self {
        let nodes = wanted.nodes();
        let fields = nodes[node].fields.clone();
        let many = fields.len() >= MANY_FIELDS;
        let named = fields.iter().filter(|_| many).enumerate();
        let named = named.map(|(place, &field)| (nodes[field].name.clone().into_bytes(), place));
        Self { name: nodes[node].name.clone().into_bytes(), open: nodes[node].open, by_name: named.collect(), fields }
    }
}

impl Scan for Records {
    fn begin(&mut self, _: &[u8], _: bool) -> Result<Option<usize>> {
        Ok(Some(0))
    }

    fn scan(&mut self, input: &[u8], at: usize, last: bool, block: &mut Block) -> Step {
        let mut scanner = Scanner::new(input, at);
        scanner.skip_space();
        let start = scanner.at();
        if start == input.len() {
            return Step::Nothing { next: start };
        }
        let unescaped = block.unescaped.len();
        match self.scan_exactly(input, start, block) {
            Ok(end) => Step::Record { start, end, next: end },
            Err(stop) => {
                block.unescaped.truncate(unescaped);
                refuse(input, start, stop, last)
            }
        }
    }
}

/// A record that is not JSON is bad up to the end of its first line: what follows may be good again.
#[cold]
fn refuse(input: &[u8], start: usize, stop: Stop, last: bool) -> Step {
    let reason = match stop {
        Stop::End if !last => return Step::Unfinished { start },
        Stop::End => "the JSON object does not end".to_owned(),
        Stop::Wrong { at, expected } => {
            let found = String::from_utf8_lossy(&input[at..input.len().min(at + 4)]).chars().next().unwrap_or(' ');
            format!(
                "not a JSON object: expected {expected} at position {}, found `{}`",
                at - start,
                found.escape_debug()
            )
        }
    };
    match line_end(input, start, last) {
        Some((end, next)) => Step::Bad { start, end, next, reason },
        None => Step::Unfinished { start },
    }
}

/// One walk through an object.
struct Walk<'a> {
    nodes: &'a [Node],
    tokens: &'a mut [Token],
    scanner: Scanner<'a>,
    input: &'a [u8],
}

impl Walk<'_> {
    /// Reads the object that is next as the row `node`.
    fn object(&mut self, node: usize, unescaped: &mut Vec<u8>) -> Result<(), Stop> {
        self.forget(node, Token::ABSENT);
        self.scanner.expect(b'{', "an object")?;
        self.scanner.skip_space();
        if self.scanner.pass(b'}')? {
            return Ok(());
        }
        let mut expected = 0;
        loop {
            let key = self.scanner.key(unescaped)?;
            let found = self.find(node, Source { input: self.input, unescaped }.bytes(key), &mut expected);
            self.member(found, unescaped)?;
            if !self.scanner.another(b'}', "a comma or }")? {
                return Ok(());
            }
        }
    }

    fn member(&mut self, field: Option<usize>, unescaped: &mut Vec<u8>) -> Result<(), Stop> {
        let Some(field) = field else {
            let before = unescaped.len();
            self.scanner.value(unescaped)?;
            unescaped.truncate(before);
            return Ok(());
        };
        if !self.nodes[field].open {
            self.tokens[field] = self.scanner.value(unescaped)?;
        } else if self.scanner.peek()? == b'{' {
            self.tokens[field] = Token { kind: Kind::Object, ..Token::ABSENT };
            self.object(field, unescaped)?;
        } else {
            self.tokens[field] = self.scanner.value(unescaped)?;
            self.forget(field, Token::HOLE);
        }
        Ok(())
    }

    /// Nothing is known of the fields of `node`: they are `token`, and what is inside them has nowhere to be.
    fn forget(&mut self, node: usize, token: Token) {
        for &field in &self.nodes[node].fields {
            self.tokens[field] = token;
            self.forget(field, Token::HOLE);
        }
    }

    /// The wanted field of `node` that is called `name`. Fields mostly come in the order in which they were declared, so
    /// the one after the last found one is tried first.
    fn find(&self, node: usize, name: &[u8], expected: &mut usize) -> Option<usize> {
        let Node { fields, by_name, .. } = &self.nodes[node];
        let called = |&field: &usize| self.nodes[field].name == name;
        let place = match fields.get(*expected) {
            Some(field) if called(field) => *expected,
            _ if by_name.is_empty() => fields.iter().position(called)?,
            _ => *by_name.get(name)?,
        };
        *expected = place + 1;
        Some(fields[place])
    }
}
