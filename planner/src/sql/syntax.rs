//! Makes a parser over a text, and places of what it complains about.

use datafusion_sql::sqlparser::parser::{Parser, ParserError};
use datafusion_sql::sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan};

use super::dialect::FlinkDialect;
use super::prepass::{self, lower_first, position};
use crate::error::{Error, Position, Result};

/// How deep parentheses and subqueries may nest.
const NESTING: usize = 200;

/// A text that is being parsed.
#[derive(Debug)]
pub(super) struct Syntax {
    dialect: FlinkDialect,
    tokens: Vec<TokenWithSpan>,
}

impl Syntax {
    pub(super) fn of(text: &str) -> Result<Self> {
        Ok(Self { dialect: FlinkDialect::new(), tokens: prepass::tokens(text)? })
    }

    /// A parser at the beginning.
    pub(super) fn parser(&self) -> Parser<'_> {
        Parser::new(&self.dialect).with_recursion_limit(NESTING).with_tokens_with_locations(self.tokens.clone())
    }

    /// What the parser complained about, at the place that is most likely meant.
    pub(super) fn error(&self, error: &ParserError) -> Error {
        let text = match error {
            ParserError::RecursionLimitExceeded => {
                let message = format!("the text nests more than {NESTING} levels deep; use views to take it apart");
                return Error::at(position(self.dialect.farthest()), message);
            }
            ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
        };
        let (message, reported) = split(text);
        let farthest = self.dialect.farthest();
        let at_end = reported.line == 0 && message.ends_with("EOF");
        if farthest > reported
            && !at_end
            && let Some(token) = self.tokens.iter().find(|token| token.span.start == farthest)
        {
            return Error::at(position(farthest), format!("unexpected `{}`", token.token));
        }
        let message = message.replace("found: EOF", "found the end of the text").replace("Expected: ", "expected ");
        let place = if at_end { self.end() } else { position(reported) };
        Error::at(place, lower_first(&message.replace(", found: ", ", found ")))
    }

    /// The end of the text.
    fn end(&self) -> Option<Position> {
        self.tokens.iter().rev().find(|token| token.token != Token::EOF).and_then(|last| position(last.span.end))
    }
}

/// `message at Line: L, Column: C` apart.
fn split(text: &str) -> (&str, Location) {
    let apart = text.rsplit_once(" at Line: ").and_then(|(message, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        Some((message, Location::new(line.trim().parse().ok()?, column.trim().parse().ok()?)))
    });
    apart.unwrap_or((text, Location::empty()))
}

/// Where a piece of the text begins.
pub(super) fn start(span: Span) -> Option<Position> {
    position(span.start)
}
