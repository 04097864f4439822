//! The statements of a program, read one after the other.
//!
//! Flink's statements are its own (`CREATE TABLE` with computed columns and watermarks, `EXECUTE STATEMENT SET`, `SET`), so
//! they are read here, on the parser's own pieces: names, types, expressions and queries are the parser's. A statement that
//! Flink has and this version has not is refused by its name.

use datafusion_sql::sqlparser::ast::{Ident, ObjectName, Query, Spanned};
use datafusion_sql::sqlparser::keywords::Keyword;
use datafusion_sql::sqlparser::parser::{Parser, ParserError};
use datafusion_sql::sqlparser::tokenizer::Token;

use super::dialect::is_word;
use super::prepass::position;
use super::syntax::Syntax;
use crate::error::{Error, Position, Result};

mod create_table;
mod settings;

pub(super) use create_table::{ColumnDefinition, ColumnKind, CreateTable};

/// A statement and where it begins.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) place: Option<Position>,
    pub(super) statement: Statement,
}

/// What a program is made of.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a program has some tens of statements, each read once")]
pub(super) enum Statement {
    /// `CREATE TABLE`.
    CreateTable(CreateTable),
    /// `CREATE VIEW name [(columns)] AS query`.
    CreateView { name: Name, if_not_exists: bool, columns: Vec<Ident>, query: Box<Query> },
    /// `CREATE FUNCTION name AS 'class'`.
    CreateFunction { name: Name, class: String },
    /// `DROP TABLE | VIEW | FUNCTION [IF EXISTS] name`.
    Drop { what: Dropped, name: Name, if_exists: bool },
    /// `INSERT INTO name [(columns)] query`.
    Insert { table: Name, columns: Vec<Ident>, query: Box<Query> },
    /// `SET 'key' = 'value'`.
    Set { key: String, value: String },
    /// `RESET ['key']`.
    Reset { key: Option<String> },
}

/// What a `DROP` drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dropped {
    /// A table.
    Table,
    /// A view.
    View,
    /// A function.
    Function,
}

/// The name of a table, view or function, without the default catalog and database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) text: String,
    pub(super) place: Option<Position>,
}

impl Name {
    /// `name` as a bare name. Other catalogs and databases than the default ones are refused.
    pub(super) fn of(name: &ObjectName) -> Result<Self> {
        let place = position(name.span().start);
        let parts: Vec<&str> =
            name.0.iter().filter_map(|part| part.as_ident()).map(|ident| ident.value.as_str()).collect();
        match parts.as_slice() {
            [text] | ["default_database", text] | ["default_catalog", "default_database", text] => {
                Ok(Self { text: (*text).to_owned(), place })
            }
            _ => Err(Error::unsupported(place, &format!("a catalog or database, as in `{name}`,"), "use a plain name")),
        }
    }
}

/// Statements that Flink has, and what to do instead.
const REFUSED: &[(&str, &str)] = &[
    ("ADD", "functions in other languages cannot be loaded"),
    ("ALTER", "write the table as it is to be"),
    ("ANALYZE", "remove it"),
    ("CALL", "remove it"),
    ("COMPILE", "operator ids are stable by themselves; see millstream explain"),
    ("DELETE", ""),
    ("DESC", "remove it"),
    ("DESCRIBE", "remove it"),
    ("LOAD", "remove it"),
    ("MERGE", ""),
    ("REMOVE", "remove it"),
    ("REPLACE", ""),
    ("SHOW", "remove it"),
    ("STOP", "press Ctrl-C where the job runs"),
    ("TRUNCATE", ""),
    ("UNLOAD", "remove it"),
    ("UPDATE", ""),
    ("USE", "tables of a program need no catalog; remove it"),
];

/// What a parse comes to before its place is known.
pub(super) type Parsed<T> = std::result::Result<T, Trouble>;

/// What can be wrong with a statement.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The parser's own words.
    Syntax(ParserError),
    /// Ours.
    Ours(Error),
}

impl From<ParserError> for Trouble {
    fn from(error: ParserError) -> Self {
        Self::Syntax(error)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

/// All statements of `text`.
pub(super) fn statements(text: &str) -> Result<Vec<Placed>> {
    let syntax = Syntax::of(text)?;
    let mut parser = syntax.parser();
    let mut statements = Vec::new();
    let parsed = program(&mut parser, &mut statements);
    match parsed {
        Ok(()) => Ok(statements),
        Err(Trouble::Syntax(error)) => Err(syntax.error(&error)),
        Err(Trouble::Ours(error)) => Err(error),
    }
}

fn program(parser: &mut Parser<'_>, out: &mut Vec<Placed>) -> Parsed<()> {
    loop {
        while parser.consume_token(&Token::SemiColon) {}
        if parser.peek_token_ref().token == Token::EOF {
            return Ok(());
        }
        statement(parser, out)?;
        if !ends(parser) {
            return Ok(parser.expected_ref("; after the statement", parser.peek_token_ref())?);
        }
    }
}

fn ends(parser: &Parser<'_>) -> bool {
    matches!(parser.peek_token_ref().token, Token::SemiColon | Token::EOF)
}

fn statement(parser: &mut Parser<'_>, out: &mut Vec<Placed>) -> Parsed<()> {
    let first = parser.peek_token_ref();
    let place = position(first.span.start);
    let one = |statement: Statement| Placed { place, statement };
    let Token::Word(word) = &first.token else {
        return Ok(parser.expected_ref("a statement", first)?);
    };
    match word.value.to_ascii_uppercase().as_str() {
        "CREATE" => out.push(one(create(parser)?)),
        "DROP" => out.push(one(drop_statement(parser)?)),
        "INSERT" => out.push(one(insert(parser)?)),
        "EXECUTE" | "BEGIN" => statement_set(parser, out)?,
        "SET" => out.push(one(settings::set(parser)?)),
        "RESET" => out.push(one(settings::reset(parser)?)),
        "SELECT" | "WITH" | "VALUES" | "TABLE" => {
            let message = "a query by itself has nowhere to write to; put INSERT INTO and a table before it, whose \
                           connector may be 'print'";
            return Err(Error::at(place, message).into());
        }
        "EXPLAIN" => {
            return Err(Error::unsupported(place, "EXPLAIN inside a program", "use `millstream explain FILE`").into());
        }
        other => {
            let message = match REFUSED.iter().find(|(name, _)| *name == other) {
                Some((name, advice)) => Error::unsupported(place, &format!("the statement {name}"), advice),
                None => {
                    let known = ["CREATE", "DROP", "INSERT", "EXECUTE", "BEGIN", "SET", "RESET"];
                    Error::unknown("statement", other, known).or_at(place)
                }
            };
            return Err(message.into());
        }
    }
    Ok(())
}

fn create(parser: &mut Parser<'_>) -> Parsed<Statement> {
    parser.advance_token();
    let replace = parser.parse_keywords(&[Keyword::OR, Keyword::REPLACE]);
    let temporary = parser.parse_keyword(Keyword::TEMPORARY) && !word(parser, "SYSTEM");
    let _ = temporary; // Every table of a program lives as long as the program.
    let what = parser.next_token();
    let place = position(what.span.start);
    let refuse = |what: &str, advice: &str| Err(Error::unsupported(place, what, advice).into());
    if replace {
        return refuse("CREATE OR REPLACE", "use DROP … IF EXISTS and CREATE");
    }
    match &what.token {
        Token::Word(word) => match word.value.to_ascii_uppercase().as_str() {
            "TABLE" => Ok(Statement::CreateTable(create_table::create_table(parser)?)),
            "VIEW" => create_view(parser),
            "FUNCTION" => create_function(parser),
            "MATERIALIZED" => refuse("CREATE MATERIALIZED TABLE", "use CREATE TABLE and INSERT INTO"),
            other @ ("CATALOG" | "DATABASE" | "MODEL" | "CONNECTION") => {
                refuse(&format!("CREATE {other}"), "remove it")
            }
            _ => Ok(parser.expected_ref("TABLE, VIEW or FUNCTION", &what)?),
        },
        _ => Ok(parser.expected_ref("TABLE, VIEW or FUNCTION", &what)?),
    }
}

fn if_not_exists(parser: &mut Parser<'_>) -> bool {
    parser.parse_keywords(&[Keyword::IF, Keyword::NOT, Keyword::EXISTS])
}

fn create_view(parser: &mut Parser<'_>) -> Parsed<Statement> {
    let if_not_exists = if_not_exists(parser);
    let name = Name::of(&parser.parse_object_name(false)?)?;
    let columns = columns(parser)?;
    comment(parser)?;
    parser.expect_keyword_is(Keyword::AS)?;
    Ok(Statement::CreateView { name, if_not_exists, columns, query: parser.parse_query()? })
}

fn create_function(parser: &mut Parser<'_>) -> Parsed<Statement> {
    if_not_exists(parser);
    let name = Name::of(&parser.parse_object_name(false)?)?;
    parser.expect_keyword_is(Keyword::AS)?;
    let class = parser.parse_literal_string()?;
    if parser.parse_keyword(Keyword::LANGUAGE) {
        parser.advance_token();
    }
    if !ends(parser) {
        let place = position(parser.peek_token_ref().span.start);
        return Err(Error::unsupported(place, "CREATE FUNCTION … USING", "functions cannot be loaded").into());
    }
    Ok(Statement::CreateFunction { name, class })
}

fn drop_statement(parser: &mut Parser<'_>) -> Parsed<Statement> {
    parser.advance_token();
    let _ = parser.parse_keyword(Keyword::TEMPORARY) && word(parser, "SYSTEM");
    let what = parser.next_token();
    let dropped = match &what.token {
        token if is_word(token, "TABLE") => Dropped::Table,
        token if is_word(token, "VIEW") => Dropped::View,
        token if is_word(token, "FUNCTION") => Dropped::Function,
        Token::Word(other) => {
            let what = format!("DROP {}", other.value.to_uppercase());
            return Err(Error::unsupported(position(other_place(parser)), &what, "remove it").into());
        }
        _ => return Ok(parser.expected_ref("TABLE, VIEW or FUNCTION", &what)?),
    };
    let if_exists = parser.parse_keywords(&[Keyword::IF, Keyword::EXISTS]);
    let name = Name::of(&parser.parse_object_name(false)?)?;
    Ok(Statement::Drop { what: dropped, name, if_exists })
}

fn other_place(parser: &Parser<'_>) -> datafusion_sql::sqlparser::tokenizer::Location {
    parser.get_current_token().span.start
}

fn insert(parser: &mut Parser<'_>) -> Parsed<Statement> {
    parser.advance_token();
    let place = position(parser.peek_token_ref().span.start);
    if word(parser, "OVERWRITE") {
        return Err(Error::unsupported(place, "INSERT OVERWRITE", "a stream only adds rows; use INSERT INTO").into());
    }
    parser.expect_keyword_is(Keyword::INTO)?;
    let table = Name::of(&parser.parse_object_name(false)?)?;
    let place = position(parser.peek_token_ref().span.start);
    if parser.parse_keyword(Keyword::PARTITION) {
        let advice = "select the partition's columns like all others";
        return Err(Error::unsupported(place, "INSERT INTO … PARTITION (…)", advice).into());
    }
    let columns = match parser.peek_tokens_ref::<2>() {
        [open, next] if open.token == Token::LParen && !begins_query(&next.token) => columns(parser)?,
        _ => Vec::new(),
    };
    Ok(Statement::Insert { table, columns, query: parser.parse_query()? })
}

fn begins_query(token: &Token) -> bool {
    ["SELECT", "WITH", "VALUES"].iter().any(|word| is_word(token, word)) || *token == Token::LParen
}

/// `EXECUTE STATEMENT SET BEGIN …; END`, `BEGIN STATEMENT SET; …; END` and `EXECUTE INSERT …`.
fn statement_set(parser: &mut Parser<'_>, out: &mut Vec<Placed>) -> Parsed<()> {
    let executes = word(parser, "EXECUTE");
    if executes && is_word(&parser.peek_token_ref().token, "INSERT") {
        let place = position(parser.peek_token_ref().span.start);
        out.push(Placed { place, statement: insert(parser)? });
        return Ok(());
    }
    let place = position(parser.peek_token_ref().span.start);
    if executes && !is_word(&parser.peek_token_ref().token, "STATEMENT") {
        return Err(Error::unsupported(place, "EXECUTE of anything but INSERT or STATEMENT SET", "").into());
    }
    if !executes {
        expect_word(parser, "BEGIN")?;
    }
    expect_word(parser, "STATEMENT")?;
    expect_word(parser, "SET")?;
    match executes {
        true => expect_word(parser, "BEGIN")?,
        false => drop(parser.expect_token(&Token::SemiColon)?),
    }
    let mut inserts = 0;
    loop {
        while parser.consume_token(&Token::SemiColon) {}
        if word(parser, "END") {
            break;
        }
        let place = position(parser.peek_token_ref().span.start);
        if !is_word(&parser.peek_token_ref().token, "INSERT") {
            return Ok(parser.expected_ref("INSERT or END in a statement set", parser.peek_token_ref())?);
        }
        out.push(Placed { place, statement: insert(parser)? });
        inserts += 1;
        if !ends(parser) && !is_word(&parser.peek_token_ref().token, "END") {
            return Ok(parser.expected_ref("; after the statement", parser.peek_token_ref())?);
        }
    }
    match inserts {
        0 => Err(Error::at(place, "a statement set needs at least one INSERT").into()),
        _ => Ok(()),
    }
}

/// `(a, b)`, or nothing.
fn columns(parser: &mut Parser<'_>) -> Parsed<Vec<Ident>> {
    if !parser.consume_token(&Token::LParen) {
        return Ok(Vec::new());
    }
    let columns = parser.parse_comma_separated(|parser| {
        let column = parser.parse_identifier()?;
        if is_word(&parser.peek_token_ref().token, "COMMENT") {
            parser.advance_token();
            parser.parse_literal_string()?;
        }
        Ok(column)
    })?;
    parser.expect_token(&Token::RParen)?;
    Ok(columns)
}

/// `COMMENT '…'`, which says nothing to us.
fn comment(parser: &mut Parser<'_>) -> Parsed<()> {
    if word(parser, "COMMENT") {
        parser.parse_literal_string()?;
    }
    Ok(())
}

/// Takes `word` if it comes next.
fn word(parser: &mut Parser<'_>, word: &str) -> bool {
    let found = is_word(&parser.peek_token_ref().token, word);
    if found {
        parser.advance_token();
    }
    found
}

fn expect_word(parser: &mut Parser<'_>, expected: &str) -> Parsed<()> {
    match word(parser, expected) {
        true => Ok(()),
        false => Ok(parser.expected_ref(expected, parser.peek_token_ref())?),
    }
}
