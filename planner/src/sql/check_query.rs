//! Refuses queries that cannot be planned, by name and place.
//!
//! Joins, Top-N, `OVER`, sorting, limits and sets other than `UNION ALL` need state or retractions that are not there yet.
//! The planner would plan most of them, and some of them as something else (`FOR SYSTEM_TIME AS OF` as an ordinary join).

use std::ops::ControlFlow;

use datafusion_sql::sqlparser::ast::{
    Distinct, GroupByExpr, Join, JoinConstraint, JoinOperator, LimitClause, OrderByKind, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, SetOperator, SetQuantifier, Spanned, TableFactor, TableWithJoins, Visit,
    Visitor, WildcardAdditionalOptions,
};

use super::check::WINDOW_FUNCTIONS;
use super::syntax::start;
use crate::error::{Error, Position, Result};

/// How many queries a statement may have joined by `UNION ALL` or nested in each other.
const QUERIES: usize = 200;

/// Refuses what is in `query`.
pub(super) fn check(query: &Query) -> Result<()> {
    match query.visit(&mut Check::default()) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

#[derive(Debug, Default)]
struct Check {
    selects: usize,
}

impl Visitor for Check {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Error> {
        flow(clauses(query).and_then(|()| body(&query.body)))
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Error> {
        self.selects += 1;
        let place = start(select.select_token.0.span);
        flow(match self.selects > QUERIES {
            true => {
                Err(Error::at(place, format!("a statement may have {QUERIES} SELECTs at most; use several INSERTs")))
            }
            false => self::select(select, place),
        })
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Error> {
        flow(table_factor(factor))
    }
}

fn flow(outcome: Result<()>) -> ControlFlow<Error> {
    outcome.map_or_else(ControlFlow::Break, ControlFlow::Continue)
}

fn refuse<T>(place: Option<Position>, what: &str, advice: &str) -> Result<T> {
    Err(Error::unsupported(place, what, advice))
}

fn clauses(query: &Query) -> Result<()> {
    let begin = start(query.span());
    if let Some(with) = query.with.as_ref().filter(|with| with.recursive) {
        return refuse(start(with.with_token.0.span), "WITH RECURSIVE", "");
    }
    if let Some(order) = &query.order_by {
        let place = match &order.kind {
            OrderByKind::Expressions(keys) => keys.first().and_then(|key| start(key.expr.span())),
            OrderByKind::All(_) => begin,
        };
        return refuse(place, "ORDER BY", "a stream has no end to sort at; sort what the sink has written");
    }
    if let Some(limit) = &query.limit_clause {
        let place = match limit {
            LimitClause::LimitOffset { limit, offset, .. } => limit
                .as_ref()
                .map(Spanned::span)
                .or_else(|| offset.as_ref().map(|offset| offset.value.span()))
                .and_then(start),
            LimitClause::OffsetCommaLimit { limit, .. } => start(limit.span()),
        };
        return refuse(place, "LIMIT", "a stream has no first rows; aggregate over a window of time instead");
    }
    if query.fetch.is_some() {
        return refuse(begin, "FETCH FIRST", "a stream has no first rows; aggregate over a window of time instead");
    }
    let other = [
        ("FOR UPDATE", !query.locks.is_empty()),
        ("FOR XML, JSON or BROWSE", query.for_clause.is_some()),
        ("SETTINGS", query.settings.is_some()),
        ("FORMAT", query.format_clause.is_some()),
        ("|>", !query.pipe_operators.is_empty()),
    ];
    none_of(&other, begin)
}

fn none_of(clauses: &[(&str, bool)], place: Option<Position>) -> Result<()> {
    match clauses.iter().find(|(_, there)| *there) {
        Some((name, _)) => refuse(place, name, "remove it"),
        None => Ok(()),
    }
}

fn body(body: &SetExpr) -> Result<()> {
    // Only sets nest here without being queries; their left side is as deep as there are operators.
    let mut body = body;
    loop {
        match body {
            SetExpr::Select(_) | SetExpr::Query(_) => return Ok(()),
            SetExpr::SetOperation { op, set_quantifier, left, right } => {
                set_operation(*op, *set_quantifier, start(right.span()))?;
                if let SetExpr::SetOperation { .. } = right.as_ref() {
                    self::body(right)?;
                }
                body = left;
            }
            SetExpr::Values(values) => {
                let place =
                    values.rows.first().and_then(|row| row.content.first()).and_then(|value| start(value.span()));
                return refuse(place, "VALUES", "read the rows from a file or a generator");
            }
            SetExpr::Table(_) => return refuse(None, "TABLE t as a query", "write SELECT * FROM t"),
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                return refuse(None, "a statement inside a query", "");
            }
        }
    }
}

fn set_operation(op: SetOperator, quantifier: SetQuantifier, place: Option<Position>) -> Result<()> {
    match (op, quantifier) {
        (SetOperator::Union, SetQuantifier::All) => Ok(()),
        (SetOperator::Union, SetQuantifier::None | SetQuantifier::Distinct) => {
            refuse(place, "UNION without ALL", "it needs every row that ever was; use UNION ALL")
        }
        (SetOperator::Union, SetQuantifier::ByName | SetQuantifier::AllByName | SetQuantifier::DistinctByName) => {
            refuse(place, "UNION … BY NAME", "name the columns and use UNION ALL")
        }
        (SetOperator::Intersect, _) => refuse(place, "INTERSECT", "it is a join"),
        (SetOperator::Except | SetOperator::Minus, _) => refuse(place, "EXCEPT", "it is a join"),
    }
}

fn select(select: &Select, place: Option<Position>) -> Result<()> {
    if let Some(Distinct::On(keys)) = &select.distinct {
        let place = keys.first().and_then(|key| start(key.span())).or(place);
        return refuse(place, "DISTINCT ON", "use FIRST_VALUE over a window");
    }
    if let Some(qualify) = &select.qualify {
        return refuse(start(qualify.span()), "QUALIFY", "");
    }
    if let Some(window) = select.named_window.first() {
        return refuse(start(window.0.span), "WINDOW … AS", "OVER is not supported yet");
    }
    match &select.group_by {
        GroupByExpr::All(_) => return refuse(place, "GROUP BY ALL", "name the columns"),
        GroupByExpr::Expressions(_, modifiers) if !modifiers.is_empty() => {
            return refuse(place, "GROUP BY … WITH", "use GROUPING SETS, CUBE or ROLLUP");
        }
        GroupByExpr::Expressions(_, _) => {}
    }
    let other = [
        ("TOP", select.top.is_some()),
        ("SELECT … INTO", select.into.is_some()),
        ("LATERAL VIEW", !select.lateral_views.is_empty()),
        ("CONNECT BY", !select.connect_by.is_empty()),
        ("CLUSTER BY", !select.cluster_by.is_empty()),
        ("DISTRIBUTE BY", !select.distribute_by.is_empty()),
        ("SORT BY", !select.sort_by.is_empty()),
        ("PREWHERE", select.prewhere.is_some()),
        ("EXCLUDE", select.exclude.is_some()),
        ("SELECT AS", select.value_table_mode.is_some()),
        ("this modifier of SELECT", select.select_modifiers.is_some()),
    ];
    none_of(&other, place)?;
    select.projection.iter().try_for_each(projection)?;
    if select.from.is_empty() {
        return refuse(place, "SELECT without FROM", "there is nothing to stream");
    }
    match select.from.as_slice() {
        [_, second, ..] => refuse(start(second.relation.span()), "a join", "FROM takes one table"),
        _ => select.from.iter().try_for_each(joins),
    }
}

fn projection(item: &SelectItem) -> Result<()> {
    let plain = |options: &WildcardAdditionalOptions| {
        options.opt_ilike.is_none()
            && options.opt_exclude.is_none()
            && options.opt_except.is_none()
            && options.opt_replace.is_none()
            && options.opt_rename.is_none()
            && options.opt_alias.is_none()
    };
    let place = start(item.span());
    match item {
        SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. } => Ok(()),
        SelectItem::ExprWithAliases { .. } => refuse(place, "one expression with several names", ""),
        SelectItem::Wildcard(options) if plain(options) => Ok(()),
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(_), options) if plain(options) => {
            Ok(())
        }
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(_), _) => {
            refuse(place, "all fields of an expression by .*", "name the fields")
        }
        SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(_, _) => {
            refuse(place, "* with EXCEPT, REPLACE or the like", "name the columns")
        }
    }
}

fn joins(table: &TableWithJoins) -> Result<()> {
    table.joins.iter().try_for_each(join)
}

fn join(join: &Join) -> Result<()> {
    let place = start(join.relation.span());
    if let (JoinOperator::CrossJoin(JoinConstraint::None), TableFactor::UNNEST { .. }) =
        (&join.join_operator, &join.relation)
    {
        return Ok(());
    }
    let what = match &join.relation {
        TableFactor::Table { version: Some(_), .. } => "a temporal join (FOR SYSTEM_TIME AS OF)",
        TableFactor::TableFunction { .. } | TableFactor::Function { .. } => "LATERAL TABLE(…)",
        TableFactor::UNNEST { .. } => "a join with UNNEST other than CROSS JOIN",
        _ => "a join",
    };
    refuse(place, what, "")
}

fn table_factor(factor: &TableFactor) -> Result<()> {
    let place = start(factor.span());
    match factor {
        TableFactor::Table { version: Some(_), .. } => {
            refuse(place, "FOR SYSTEM_TIME AS OF", "read the table as it is")
        }
        TableFactor::Table { args: Some(_), name, .. } => window_function(&name.to_string(), place),
        TableFactor::Table { with_hints, partitions, sample, with_ordinality, json_path, index_hints, .. } => none_of(
            &[
                ("WITH (…) after a table", !with_hints.is_empty()),
                ("PARTITION (…) after a table", !partitions.is_empty()),
                ("TABLESAMPLE", sample.is_some()),
                ("WITH ORDINALITY", *with_ordinality),
                ("a path into a table", json_path.is_some()),
                ("an index hint", !index_hints.is_empty()),
            ],
            place,
        ),
        TableFactor::Derived { lateral: true, .. } => refuse(place, "LATERAL (SELECT …)", ""),
        TableFactor::Derived { sample: Some(_), .. } => refuse(place, "TABLESAMPLE", ""),
        TableFactor::Derived { .. } => Ok(()),
        TableFactor::TableFunction { expr, .. } => {
            let name = expr.to_string();
            window_function(name.split('(').next().unwrap_or(&name), place)
        }
        TableFactor::Function { .. } => refuse(place, "LATERAL TABLE(…)", ""),
        TableFactor::UNNEST { array_exprs, with_offset: false, with_ordinality: false, .. }
            if array_exprs.len() == 1 =>
        {
            Ok(())
        }
        TableFactor::UNNEST { .. } => refuse(place, "UNNEST with an ordinal, or of several arrays", ""),
        TableFactor::NestedJoin { table_with_joins, .. } => joins(table_with_joins),
        TableFactor::MatchRecognize { .. } => refuse(place, "MATCH_RECOGNIZE", ""),
        TableFactor::Pivot { .. } | TableFactor::Unpivot { .. } => refuse(place, "PIVOT and UNPIVOT", ""),
        TableFactor::JsonTable { .. }
        | TableFactor::OpenJsonTable { .. }
        | TableFactor::XmlTable { .. }
        | TableFactor::SemanticView { .. } => refuse(place, "this table function", ""),
    }
}

fn window_function(name: &str, place: Option<Position>) -> Result<()> {
    if WINDOW_FUNCTIONS.contains(&name.trim().to_lowercase().as_str()) {
        return Ok(());
    }
    let what = format!("the table function {}", name.trim());
    refuse(place, &what, "TUMBLE, HOP, CUMULATE and SESSION are")
}
