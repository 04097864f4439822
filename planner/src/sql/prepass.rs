//! What is changed in the stream of tokens before it is parsed, and what is refused there.
//!
//! Types are the one place where the parser cannot be told Flink's spelling, so they are respelled: `ROW<…>` as `STRUCT<…>`,
//! `TIMESTAMP(3) WITH LOCAL TIME ZONE` as `TIMESTAMP_LTZ(3)`. Nullability and comments of *nested* fields are dropped, for
//! the parser has no place for them: nested fields are nullable. Hints are comments to the tokenizer, which would drop them
//! without a word; they are refused here. Every token keeps its place in the text.

use datafusion_sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Whitespace, Word};
use datafusion_sql::sqlparser::{ast::Ident, keywords::Keyword};

use super::dialect::{FlinkDialect, is_word};
use crate::error::{Error, Position, Result};

/// How many operators one statement may have. Chains such as `a OR b OR …` nest in memory as deep as they are long.
const OPERATORS_PER_STATEMENT: usize = 10_000;

/// The tokens of `text` without white space, ready for the parser.
pub(super) fn tokens(text: &str) -> Result<Vec<TokenWithSpan>> {
    let dialect = FlinkDialect::new();
    let tokens = Tokenizer::new(&dialect, text)
        .tokenize_with_location()
        .map_err(|error| Error::at(position(error.location), lower_first(&error.message)))?;
    let mut kept = Vec::with_capacity(tokens.len());
    for token in tokens {
        match &token.token {
            Token::Whitespace(Whitespace::MultiLineComment(comment)) if comment.starts_with('+') => {
                let hint = comment.trim_start_matches('+').trim();
                let what = format!("the hint /*+ {hint} */");
                let advice = "remove it; options of a table belong into its WITH clause";
                return Err(Error::unsupported(position(token.span.start), &what, advice));
            }
            Token::Whitespace(_) => {}
            _ => kept.push(token),
        }
    }
    limit_operators(&kept)?;
    let kept = respell_types(kept)?;
    Ok(respell_time_zones(kept))
}

/// The place as we show it; none for the end of the text.
pub(super) fn position(location: Location) -> Option<Position> {
    (location.line > 0).then_some(Position { line: location.line, column: location.column })
}

/// The first letter in lower case, as messages begin, unless the word is an abbreviation.
pub(super) fn lower_first(message: &str) -> String {
    let mut letters = message.chars();
    match (letters.next(), message.chars().nth(1)) {
        (Some(first), Some(second)) if !second.is_uppercase() => first.to_lowercase().chain(letters).collect(),
        _ => message.to_owned(),
    }
}

fn limit_operators(tokens: &[TokenWithSpan]) -> Result<()> {
    let mut operators = 0;
    for token in tokens {
        match &token.token {
            Token::SemiColon => operators = 0,
            Token::Word(word) if matches!(word.keyword, Keyword::AND | Keyword::OR | Keyword::UNION) => operators += 1,
            Token::Plus | Token::Minus | Token::Mul | Token::Div | Token::Mod | Token::StringConcat | Token::Eq => {
                operators += 1;
            }
            Token::Neq | Token::Lt | Token::Gt | Token::LtEq | Token::GtEq | Token::DoubleEq => operators += 1,
            _ => {}
        }
        if operators > OPERATORS_PER_STATEMENT {
            let message = format!(
                "the statement has more than {OPERATORS_PER_STATEMENT} operators; write long chains of OR as IN (…), or \
                 split the statement"
            );
            return Err(Error::at(position(token.span.start), message));
        }
    }
    Ok(())
}

/// `ROW<` to `STRUCT<`, and in between the angle brackets no `NOT NULL` and no comments.
fn respell_types(tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>> {
    let mut out = Vec::with_capacity(tokens.len());
    let mut depth = 0_usize;
    let mut tokens = tokens.into_iter().peekable();
    while let Some(mut token) = tokens.next() {
        let opens = tokens.peek().is_some_and(|next| next.token == Token::Lt);
        match &mut token.token {
            Token::Word(word) if opens && is_type_constructor(word) => {
                if word.value.eq_ignore_ascii_case("MULTISET") {
                    return Err(Error::unsupported(
                        position(token.span.start),
                        "the type MULTISET",
                        "use ARRAY or MAP",
                    ));
                }
                if word.value.eq_ignore_ascii_case("ROW") {
                    *word = Word { value: "STRUCT".to_owned(), quote_style: None, keyword: Keyword::STRUCT };
                }
                out.push(token);
                out.extend(tokens.next());
                depth += 1;
                continue;
            }
            Token::Gt => depth = depth.saturating_sub(1),
            Token::ShiftRight => depth = depth.saturating_sub(2),
            Token::SemiColon => depth = 0,
            Token::SingleQuotedString(_) if depth > 0 => continue,
            Token::Word(word) if depth > 0 && word.keyword == Keyword::NOT => {
                tokens.next_if(|next| is_word(&next.token, "NULL"));
                continue;
            }
            _ => {}
        }
        out.push(token);
    }
    Ok(out)
}

fn is_type_constructor(word: &Word) -> bool {
    let names = ["ROW", "ARRAY", "MAP", "MULTISET", "STRUCT"];
    word.quote_style.is_none() && names.iter().any(|name| word.value.eq_ignore_ascii_case(name))
}

/// `TIMESTAMP[(p)] WITH LOCAL TIME ZONE` to `TIMESTAMP_LTZ[(p)]`.
fn respell_time_zones(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    const ZONE: [&str; 4] = ["WITH", "LOCAL", "TIME", "ZONE"];
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let is_zone = tokens.len() - at >= 4 && (0..4).all(|i| is_word(&tokens[at + i].token, ZONE[i]));
        match is_zone.then(|| timestamp_before(&out)).flatten() {
            Some(place) => {
                let ident = Ident::new("TIMESTAMP_LTZ");
                out[place].token =
                    Token::Word(Word { value: ident.value, quote_style: None, keyword: Keyword::NoKeyword });
                at += 4;
            }
            None => {
                out.push(tokens[at].clone());
                at += 1;
            }
        }
    }
    out
}

/// The place of the word TIMESTAMP at the end of `tokens`, before `(p)` or not.
fn timestamp_before(tokens: &[TokenWithSpan]) -> Option<usize> {
    let last = tokens.len().checked_sub(1)?;
    let place = if tokens[last].token == Token::RParen { last.checked_sub(3)? } else { last };
    is_word(&tokens[place].token, "TIMESTAMP").then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn respelled(text: &str) -> String {
        let words: Vec<String> = tokens(text).unwrap().iter().map(|token| token.token.to_string()).collect();
        words.join(" ")
    }

    #[test]
    fn types_are_respelled_and_comparisons_are_not() {
        for (text, expected) in [
            ("ROW<a INT NOT NULL 'first', b ROW<c STRING>>", "STRUCT < a INT , b STRUCT < c STRING >>"),
            ("TIMESTAMP(3) WITH LOCAL TIME ZONE", "TIMESTAMP_LTZ ( 3 )"),
            ("TIMESTAMP WITH LOCAL TIME ZONE NOT NULL", "TIMESTAMP_LTZ NOT NULL"),
            ("CAST(x AS ROW<a INT>) = ROW(1) -- ROW<", "CAST ( x AS STRUCT < a INT > ) = ROW ( 1 )"),
            ("`row` < 3 AND x IS NOT NULL", "`row` < 3 AND x IS NOT NULL"),
            ("a < b AND c = 'x'", "a < b AND c = 'x'"),
        ] {
            assert_eq!(respelled(text), expected, "{text}");
        }
    }

    #[test]
    fn a_hint_is_refused_and_a_comment_is_not() {
        let error = tokens("SELECT *\nFROM t /*+ OPTIONS('a'='b') */").unwrap_err();
        assert_eq!(error.position(), Some(Position { line: 2, column: 8 }));
        assert!(error.message().contains("OPTIONS('a'='b')"), "{error}");
        assert_eq!(respelled("a /* + b */ /* c */ -- d"), "a");
    }
}
