//! `CREATE TABLE name (columns, WATERMARK FOR …, PRIMARY KEY …) PARTITIONED BY (…) WITH (…) LIKE …`.

use datafusion_sql::sqlparser::ast::{DataType as SqlType, Expr, Ident};
use datafusion_sql::sqlparser::keywords::Keyword;
use datafusion_sql::sqlparser::parser::Parser;
use datafusion_sql::sqlparser::tokenizer::Token;

use super::{Name, Parsed, columns, comment, ends, expect_word, if_not_exists, word};
use crate::error::{Error, Position};
use crate::sql::dialect::is_word;
use crate::sql::prepass::position;

/// A table as it is written.
#[derive(Debug, Clone)]
pub(in crate::sql) struct CreateTable {
    pub(in crate::sql) name: Name,
    pub(in crate::sql) if_not_exists: bool,
    pub(in crate::sql) columns: Vec<ColumnDefinition>,
    /// `WATERMARK FOR column AS expression`.
    pub(in crate::sql) watermark: Option<(Ident, Expr)>,
    pub(in crate::sql) primary_key: Vec<Ident>,
    pub(in crate::sql) partitioned_by: Vec<Ident>,
    /// Keys and values of `WITH`, and where each key stands.
    pub(in crate::sql) options: Vec<(String, String, Option<Position>)>,
    /// `LIKE other`.
    pub(in crate::sql) like: Option<Name>,
}

/// A column as it is written.
#[derive(Debug, Clone)]
pub(in crate::sql) struct ColumnDefinition {
    pub(in crate::sql) name: Ident,
    pub(in crate::sql) kind: ColumnKind,
}

/// What a column holds.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a table has some tens of columns, each read once")]
pub(in crate::sql) enum ColumnKind {
    /// `name type [NOT NULL]`.
    Physical { sql_type: SqlType, type_place: Option<Position>, not_null: bool },
    /// `name type METADATA [FROM 'key'] [VIRTUAL]`.
    Metadata { sql_type: SqlType, type_place: Option<Position>, key: Option<String>, is_virtual: bool, not_null: bool },
    /// `name AS expression`.
    Computed(Expr),
}

pub(super) fn create_table(parser: &mut Parser<'_>) -> Parsed<CreateTable> {
    let if_not_exists = if_not_exists(parser);
    let mut table = CreateTable {
        name: Name::of(&parser.parse_object_name(false)?)?,
        if_not_exists,
        columns: Vec::new(),
        watermark: None,
        primary_key: Vec::new(),
        partitioned_by: Vec::new(),
        options: Vec::new(),
        like: None,
    };
    if parser.consume_token(&Token::LParen) && !parser.consume_token(&Token::RParen) {
        loop {
            element(parser, &mut table)?;
            if !parser.consume_token(&Token::Comma) {
                break;
            }
        }
        parser.expect_token(&Token::RParen)?;
    }
    comment(parser)?;
    clauses(parser, &mut table)?;
    Ok(table)
}

/// One of the things between the parentheses.
fn element(parser: &mut Parser<'_>, table: &mut CreateTable) -> Parsed<()> {
    let [first, second] = parser.peek_tokens_with_location::<2>();
    let place = position(first.span.start);
    if is_word(&first.token, "WATERMARK") && is_word(&second.token, "FOR") {
        parser.advance_token();
        parser.advance_token();
        let column = watermark_column(parser)?;
        parser.expect_keyword_is(Keyword::AS)?;
        if table.watermark.is_some() {
            return Err(Error::at(place, "a table has one WATERMARK, and this is the second").into());
        }
        table.watermark = Some((column, parser.parse_expr()?));
        return Ok(());
    }
    let named = is_word(&first.token, "CONSTRAINT");
    if named {
        parser.advance_token();
        parser.parse_identifier()?;
    }
    if named || (is_word(&first.token, "PRIMARY") && is_word(&second.token, "KEY")) {
        expect_word(parser, "PRIMARY")?;
        expect_word(parser, "KEY")?;
        let keys = columns(parser)?;
        return primary_key(parser, table, keys, place);
    }
    if is_word(&first.token, "UNIQUE") || is_word(&first.token, "PERIOD") {
        let what = format!("the constraint {}", first.token);
        return Err(Error::unsupported(place, &what, "use PRIMARY KEY (…) NOT ENFORCED").into());
    }
    let name = parser.parse_identifier()?;
    let kind = match parser.parse_keyword(Keyword::AS) {
        true => ColumnKind::Computed(parser.parse_expr()?),
        false => typed_column(parser)?,
    };
    if is_word(&parser.peek_token_ref().token, "PRIMARY") {
        parser.advance_token();
        expect_word(parser, "KEY")?;
        primary_key(parser, table, vec![name.clone()], place)?;
    }
    comment(parser)?;
    if let Some(earlier) = table.columns.iter().find(|earlier| earlier.name.value == name.value) {
        return Err(Error::at(place, format!("there are two columns called `{}`", earlier.name.value)).into());
    }
    table.columns.push(ColumnDefinition { name, kind });
    Ok(())
}

fn watermark_column(parser: &mut Parser<'_>) -> Parsed<Ident> {
    let place = position(parser.peek_token_ref().span.start);
    let name = parser.parse_object_name(false)?;
    match name.0.as_slice() {
        [only] => match only.as_ident() {
            Some(ident) => Ok(ident.clone()),
            None => Err(Error::at(place, format!("`{name}` is not a column")).into()),
        },
        _ => {
            let advice = "declare a computed column of it, and the watermark for that";
            Err(Error::unsupported(place, "a watermark for a nested field", advice).into())
        }
    }
}

fn typed_column(parser: &mut Parser<'_>) -> Parsed<ColumnKind> {
    let type_place = position(parser.peek_token_ref().span.start);
    let sql_type = parser.parse_data_type()?;
    let mut not_null = parser.parse_keywords(&[Keyword::NOT, Keyword::NULL]);
    if !not_null {
        let _ = parser.parse_keyword(Keyword::NULL);
    }
    if !word(parser, "METADATA") {
        return Ok(ColumnKind::Physical { sql_type, type_place, not_null });
    }
    let key = match parser.parse_keyword(Keyword::FROM) {
        true => Some(parser.parse_literal_string()?),
        false => None,
    };
    let is_virtual = word(parser, "VIRTUAL");
    not_null |= parser.parse_keywords(&[Keyword::NOT, Keyword::NULL]);
    Ok(ColumnKind::Metadata { sql_type, type_place, key, is_virtual, not_null })
}

fn primary_key(
    parser: &mut Parser<'_>,
    table: &mut CreateTable,
    keys: Vec<Ident>,
    place: Option<Position>,
) -> Parsed<()> {
    if !parser.parse_keywords(&[Keyword::NOT, Keyword::ENFORCED]) {
        let message = "PRIMARY KEY needs NOT ENFORCED after it: nothing here checks that keys are unique";
        return Err(Error::at(place, message).into());
    }
    if !table.primary_key.is_empty() {
        return Err(Error::at(place, "a table has one PRIMARY KEY, and this is the second").into());
    }
    table.primary_key = keys;
    Ok(())
}

/// What stands behind the parentheses.
fn clauses(parser: &mut Parser<'_>, table: &mut CreateTable) -> Parsed<()> {
    while !ends(parser) {
        let next = parser.next_token();
        let place = position(next.span.start);
        match &next.token {
            token if is_word(token, "PARTITIONED") => {
                expect_word(parser, "BY")?;
                table.partitioned_by = columns(parser)?;
            }
            token if is_word(token, "WITH") => {
                parser.expect_token(&Token::LParen)?;
                if !parser.consume_token(&Token::RParen) {
                    table.options = parser.parse_comma_separated(option)?;
                    parser.expect_token(&Token::RParen)?;
                }
            }
            token if is_word(token, "LIKE") => {
                table.like = Some(Name::of(&parser.parse_object_name(false)?)?);
                if parser.peek_token_ref().token == Token::LParen {
                    let what = "LIKE … (INCLUDING … EXCLUDING …)";
                    return Err(Error::unsupported(place, what, "all of the other table is included").into());
                }
            }
            token if is_word(token, "AS") => {
                return Err(Error::unsupported(place, "CREATE TABLE … AS SELECT", "use INSERT INTO").into());
            }
            token if is_word(token, "DISTRIBUTED") => {
                return Err(Error::unsupported(place, "DISTRIBUTED BY", "remove it").into());
            }
            _ => return Ok(parser.expected_ref("PARTITIONED BY, WITH, LIKE or ;", &next)?),
        }
    }
    Ok(())
}

type ParserResult<T> = Result<T, datafusion_sql::sqlparser::parser::ParserError>;

fn option(parser: &mut Parser<'_>) -> ParserResult<(String, String, Option<Position>)> {
    let place = position(parser.peek_token_ref().span.start);
    let key = parser.parse_literal_string()?;
    parser.expect_token(&Token::Eq)?;
    Ok((key, parser.parse_literal_string()?, place))
}
