//! How Flink's SQL is spelled, where it differs from what the parser takes by itself.
//!
//! The parser asks its dialect at every turn. Besides flags there are two hooks. [`Dialect::parse_prefix`] reads what no
//! other SQL has (`TABLE t PARTITION BY k` as an argument of a window function, `MAP['a', 1]`) into ordinary expressions
//! that the planner knows again. And all hooks note how far the parser has come: it tries alternatives and goes back, so
//! the place that it reports in the end is often only the opening of the thing that is wrong inside.

use std::any::TypeId;
use std::cell::Cell;

use datafusion_sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, ObjectName,
    ObjectNamePart, WindowSpec, WindowType,
};
use datafusion_sql::sqlparser::dialect::{Dialect, GenericDialect};
use datafusion_sql::sqlparser::keywords::Keyword;
use datafusion_sql::sqlparser::parser::{Parser, ParserError};
use datafusion_sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Word};

/// The name of the function that `TABLE t` becomes where an expression is expected.
pub(super) const TABLE_ARGUMENT: &str = "TABLE";

/// Flink's dialect, for one parse.
#[derive(Debug)]
pub(super) struct FlinkDialect {
    farthest: Cell<Location>,
}

impl FlinkDialect {
    pub(super) fn new() -> Self {
        Self { farthest: Cell::new(Location::empty()) }
    }

    /// The farthest place that the parser has looked at.
    pub(super) fn farthest(&self) -> Location {
        self.farthest.get()
    }

    fn note(&self, parser: &Parser<'_>) {
        let at = parser.peek_token_ref().span.start;
        if at > self.farthest.get() {
            self.farthest.set(at);
        }
    }
}

/// Words that begin a clause and are never a column, unless in backticks. The parser itself would take `SELECT a, FROM t`
/// as a column called FROM.
const CLAUSES: &[Keyword] = &[
    Keyword::FROM,
    Keyword::WHERE,
    Keyword::GROUP,
    Keyword::HAVING,
    Keyword::ORDER,
    Keyword::UNION,
    Keyword::JOIN,
    Keyword::ON,
    Keyword::AND,
    Keyword::OR,
    Keyword::THEN,
    Keyword::WHEN,
    Keyword::ELSE,
    Keyword::AS,
    Keyword::SELECT,
];

impl Dialect for FlinkDialect {
    // The parser unlocks UNNEST, MATCH_RECOGNIZE and the like for the generic dialect by its type.
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '`'
    }

    fn identifier_quote_style(&self, _: &str) -> Option<char> {
        Some('`')
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_' || ch == '$'
    }

    fn supports_unicode_string_literal(&self) -> bool {
        true
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_match_recognize(&self) -> bool {
        true
    }

    fn supports_table_versioning(&self) -> bool {
        true
    }

    fn supports_struct_literal(&self) -> bool {
        true
    }

    fn supports_map_literal_with_angle_brackets(&self) -> bool {
        true
    }

    fn supports_parens_around_table_factor(&self) -> bool {
        true
    }

    fn supports_window_function_null_treatment_arg(&self) -> bool {
        true
    }

    // `INTERVAL '5'` would be five seconds.
    fn require_interval_qualifier(&self) -> bool {
        true
    }

    fn parse_prefix(&self, parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        self.note(parser);
        let [first, second] = parser.peek_tokens_ref::<2>();
        let Token::Word(word) = &first.token else { return None };
        if word.quote_style.is_some() {
            return None;
        }
        match (word.keyword, &second.token) {
            (Keyword::TABLE, Token::Word(_) | Token::LParen) => Some(table_argument(parser)),
            (Keyword::MAP, Token::LBracket) => Some(map_constructor(parser)),
            (keyword, _) if CLAUSES.contains(&keyword) => Some(parser.expected_ref("an expression", first)),
            _ => None,
        }
    }

    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Result<u8, ParserError>> {
        self.note(parser);
        None
    }

    fn is_select_item_alias(&self, explicit: bool, keyword: &Keyword, parser: &mut Parser<'_>) -> bool {
        self.note(parser);
        explicit || self.is_column_alias(keyword, parser)
    }

    fn is_table_factor_alias(&self, explicit: bool, keyword: &Keyword, parser: &mut Parser<'_>) -> bool {
        self.note(parser);
        explicit || self.is_table_alias(keyword, parser)
    }
}

/// `TABLE t [PARTITION BY k]` as `TABLE(t) OVER (PARTITION BY k)`.
fn table_argument(parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
    let keyword = parser.next_token();
    let table = if parser.consume_token(&Token::LParen) {
        let query = parser.parse_query()?;
        parser.expect_token(&Token::RParen)?;
        Expr::Subquery(query)
    } else {
        compound(parser.parse_object_name(false)?)
    };
    let partition_by = match parser.parse_keywords(&[Keyword::PARTITION, Keyword::BY]) {
        true => partition_keys(parser)?,
        false => Vec::new(),
    };
    let over = (!partition_by.is_empty()).then(|| {
        WindowType::WindowSpec(WindowSpec { window_name: None, partition_by, order_by: Vec::new(), window_frame: None })
    });
    Ok(call(TABLE_ARGUMENT, &keyword, vec![table], over))
}

/// The keys of `PARTITION BY`, in parentheses or not. Keys and the arguments that follow share the comma: an argument is
/// known by being a call or having a name.
fn partition_keys(parser: &mut Parser<'_>) -> Result<Vec<Expr>, ParserError> {
    if parser.consume_token(&Token::LParen) {
        let keys = parser.parse_comma_separated(Parser::parse_expr)?;
        parser.expect_token(&Token::RParen)?;
        return Ok(keys);
    }
    let mut keys = vec![parser.parse_expr()?];
    loop {
        let [comma, word, after] = parser.peek_tokens_ref::<3>();
        let is_argument = !matches!(word.token, Token::Word(_)) || matches!(after.token, Token::LParen | Token::RArrow);
        if comma.token != Token::Comma || is_argument {
            return Ok(keys);
        }
        parser.advance_token();
        keys.push(parser.parse_expr()?);
    }
}

/// `MAP[k, v, …]` as `make_map(k, v, …)`.
fn map_constructor(parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
    let keyword = parser.next_token();
    parser.expect_token(&Token::LBracket)?;
    let entries = parser.parse_comma_separated(Parser::parse_expr)?;
    parser.expect_token(&Token::RBracket)?;
    Ok(call("make_map", &keyword, entries, None))
}

fn compound(name: ObjectName) -> Expr {
    let mut idents: Vec<Ident> = name.0.into_iter().filter_map(|part| part.as_ident().cloned()).collect();
    match idents.len() {
        1 => Expr::Identifier(idents.remove(0)),
        _ => Expr::CompoundIdentifier(idents),
    }
}

fn call(name: &str, at: &TokenWithSpan, args: Vec<Expr>, over: Option<WindowType>) -> Expr {
    let args = args.into_iter().map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))).collect();
    Expr::Function(Function {
        name: ObjectName(vec![ObjectNamePart::Identifier(Ident::with_span(at.span, name))]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() }),
        filter: None,
        null_treatment: None,
        over,
        within_group: Vec::new(),
    })
}

/// Whether `token` is this word, without quotes, whatever its case.
pub(super) fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(Word { value, quote_style: None, .. }) if value.eq_ignore_ascii_case(word))
}
