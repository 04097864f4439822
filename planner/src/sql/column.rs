//! One column as `CREATE TABLE` has it: what the schema of a pipeline's source says.

use arrow::datatypes::Field;
use datafusion_sql::sqlparser::keywords::Keyword;
use datafusion_sql::sqlparser::parser::{Parser, ParserError};
use datafusion_sql::sqlparser::tokenizer::Token;
use millstream_connectors::TableColumn;

use super::dialect::is_word;
use super::prepass::position;
use super::syntax::Syntax;
use super::types::Types;
use crate::error::{Error, Result};
use crate::session::Session;

/// Plans `text`: `name TYPE [NOT NULL]` or `name TYPE METADATA [FROM 'key'] [NOT NULL]`.
pub(crate) fn plan_column(text: &str, session: &Session) -> Result<TableColumn> {
    let syntax = Syntax::of(text)?;
    let mut parser = syntax.parser();
    let parsed = |error: ParserError| syntax.error(&error);
    let name = parser.parse_identifier().map_err(parsed)?.value;
    let place = position(parser.peek_token_ref().span.start);
    let sql_type = parser.parse_data_type().map_err(parsed)?;
    let types = Types::new(&session.job().time_zone);
    let arrow = types.arrow(&sql_type).map_err(|error| error.or_at(place))?;
    let mut not_null = is_not_null(&mut parser);
    let metadata = metadata(&mut parser, &name).map_err(parsed)?;
    not_null |= is_not_null(&mut parser);
    let rest = parser.peek_token_ref();
    if rest.token != Token::EOF {
        let message = format!("unexpected `{}` after the column; it should be `name TYPE`", rest.token);
        return Err(Error::at(position(rest.span.start), message));
    }
    Ok(TableColumn { field: Field::new(name, arrow, !not_null), metadata })
}

fn is_not_null(parser: &mut Parser<'_>) -> bool {
    parser.parse_keywords(&[Keyword::NOT, Keyword::NULL])
}

/// The key of a metadata column, which is the column's name unless it says otherwise.
fn metadata(parser: &mut Parser<'_>, name: &str) -> std::result::Result<Option<String>, ParserError> {
    if !is_word(&parser.peek_token_ref().token, "METADATA") {
        return Ok(None);
    }
    parser.advance_token();
    match parser.parse_keyword(Keyword::FROM) {
        true => parser.parse_literal_string().map(Some),
        false => Ok(Some(name.to_owned())),
    }
}
