//! Finds the wanted values of JSON objects.
//!
//! [`Records`] walks an object by the tree of what is [`Wanted`] and sets a token for every node of it: what a record does
//! not mention is absent, what lies in a row that is null is a hole, and of a name that occurs twice the last one counts.

use std::collections::HashMap;

use millstream_engine::error::Result;

use super::scan::{Scanner, Stop};
use super::template::{HEAD_BYTES, SeenValue, Template, ValuePlace};
use crate::formats::lines::{Scan, Step, line_end};
use crate::formats::rows::Block;
use crate::formats::token::{Kind, Source, Token};
use crate::formats::wanted::Wanted;

/// From how many wanted fields on a name is looked up instead of compared with each.
const MANY_FIELDS: usize = 12;

/// How many layouts are remembered.
const TEMPLATES: usize = 4;

/// After so many records in a row that had no known layout, only one in so many is still tried and learned from.
const PATIENCE: u32 = 32;

/// Finds objects and their wanted values.
#[derive(Debug)]
pub(crate) struct Records {
    nodes: Vec<Node>,
    /// The tokens of the record that is being scanned, one for each node.
    tokens: Vec<Token>,
    /// Its values, and whether a name occurred twice.
    values: Vec<SeenValue>,
    /// Layouts seen lately, the one that was used last first.
    templates: Vec<Template>,
    /// How many records in a row had no known layout.
    misses: u32,
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
    pub(crate) fn new(wanted: &Wanted) -> Self {
        let nodes: Vec<Node> = (0..wanted.nodes().len()).map(|node| Node::new(wanted, node)).collect();
        let tokens = vec![Token::ABSENT; nodes.len()];
        Self { nodes, tokens, values: Vec::new(), templates: Vec::new(), misses: 0 }
    }

    /// Reads the object at `start` by a layout that is known.
    #[inline]
    fn scan_as_before(&mut self, input: &[u8], start: usize, block: &mut Block) -> Option<usize> {
        for place in 0..self.templates.len() {
            if let Some(end) = self.templates[place].read(input, start, block) {
                if place > 0 {
                    self.templates.swap(0, place);
                }
                self.misses = 0;
                return Some(end);
            }
        }
        None
    }

    #[cold]
    fn scan_exactly(&mut self, input: &[u8], start: usize, block: &mut Block) -> Result<usize, Stop> {
        self.values.clear();
        let mut walk = Walk {
            nodes: &self.nodes,
            tokens: &mut self.tokens,
            values: &mut self.values,
            twice: false,
            scanner: Scanner::new(input, start),
            input,
        };
        walk.object(0, &mut block.unescaped)?;
        let (end, twice) = (walk.scanner.at(), walk.twice);
        for (lane, &token) in self.tokens.iter().enumerate().skip(1) {
            block.set(lane, token);
        }
        // So near the end of the input that no layout could be compared, there is nothing new to learn.
        if input.len() - end >= HEAD_BYTES {
            if !twice && self.patient() {
                self.learn(input, start, end);
            }
            self.misses = self.misses.saturating_add(1);
        }
        Ok(end)
    }

    /// Whether layouts are tried and learned now: not for every record where none comes back.
    #[inline]
    fn patient(&self) -> bool {
        self.misses < PATIENCE || self.misses.is_multiple_of(PATIENCE)
    }

    fn learn(&mut self, input: &[u8], start: usize, end: usize) {
        let template = Template::new(input, start, end, &self.values, &self.tokens);
        self.templates.truncate(TEMPLATES - 1);
        self.templates.insert(0, template);
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

    #[inline]
    fn scan(&mut self, input: &[u8], at: usize, last: bool, block: &mut Block) -> Step {
        let mut scanner = Scanner::new(input, at);
        scanner.skip_space();
        let start = scanner.at();
        if start == input.len() {
            return Step::Nothing { next: start };
        }
        let unescaped = block.unescaped.len();
        if self.patient()
            && let Some(end) = self.scan_as_before(input, start, block)
        {
            return Step::Record { start, end, next: end };
        }
        block.unescaped.truncate(unescaped);
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
    /// The values it passed, in order; objects that it walked into are not among them.
    values: &'a mut Vec<SeenValue>,
    /// Whether a wanted name occurred twice.
    twice: bool,
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
            self.value(ValuePlace { lane: 0, open: false }, unescaped)?;
            unescaped.truncate(before);
            return Ok(());
        };
        self.twice |= self.tokens[field].kind != Kind::Absent;
        let open = self.nodes[field].open;
        if open && self.scanner.peek()? == b'{' {
            self.tokens[field] = Token { kind: Kind::Object, ..Token::ABSENT };
            return self.object(field, unescaped);
        }
        self.tokens[field] = self.value(ValuePlace { lane: field, open }, unescaped)?;
        if open {
            self.forget(field, Token::HOLE);
        }
        Ok(())
    }

    fn value(&mut self, place: ValuePlace, unescaped: &mut Vec<u8>) -> Result<Token, Stop> {
        let start = self.scanner.at();
        let token = self.scanner.value(unescaped)?;
        self.values.push(SeenValue { start, end: self.scanner.at(), place });
        Ok(token)
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
