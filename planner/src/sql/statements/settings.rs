//! `SET 'key' = 'value'` and `RESET 'key'`, with quotes or, as older scripts have it, without.

use datafusion_sql::sqlparser::parser::Parser;
use datafusion_sql::sqlparser::tokenizer::Token;

use super::{Parsed, Statement, ends};
use crate::error::Error;
use crate::sql::prepass::position;

pub(super) fn set(parser: &mut Parser<'_>) -> Parsed<Statement> {
    parser.advance_token();
    let place = position(parser.get_current_token().span.start);
    if ends(parser) {
        return Err(Error::unsupported(place, "SET without an option", "write SET 'key' = 'value'").into());
    }
    let key = until(parser, |token| *token == Token::Eq)?;
    parser.expect_token(&Token::Eq)?;
    let value = until(parser, |_| false)?;
    Ok(Statement::Set { key, value })
}

pub(super) fn reset(parser: &mut Parser<'_>) -> Parsed<Statement> {
    parser.advance_token();
    let key = if ends(parser) { None } else { Some(until(parser, |_| false)?) };
    Ok(Statement::Reset { key })
}

/// A quoted text, or all tokens up to the end or `stop`, as they stand there.
fn until(parser: &mut Parser<'_>, stop: fn(&Token) -> bool) -> Parsed<String> {
    if let Token::SingleQuotedString(text) = &parser.peek_token_ref().token {
        let text = text.clone();
        parser.advance_token();
        return Ok(text);
    }
    let mut text = String::new();
    let mut end = None;
    while !ends(parser) && !stop(&parser.peek_token_ref().token) {
        let token = parser.next_token();
        // Tokens that stood apart stay apart: `SET k = 10 min`.
        if end.is_some_and(|end| end != token.span.start) {
            text.push(' ');
        }
        text.push_str(&token.token.to_string());
        end = Some(token.span.end);
    }
    match text.is_empty() {
        true => Ok(parser.expected_ref("a name or a value", parser.peek_token_ref())?),
        false => Ok(text),
    }
}
