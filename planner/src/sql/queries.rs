//! Turns SELECTs of Flink's into those that the planner plans rightly.
//!
//! - Items without a name get Flink's: `EXPR$1`, or the last name of `person.city`. Without, two items that print alike are
//!   refused.
//! - `FROM t CROSS JOIN UNNEST(a) AS u(x)` becomes the table function `UNNEST((SELECT * FROM t), a, 'u', 'x')`, for it is no
//!   join: each row is looked at by itself.
//! - Grouping by the older `TUMBLE(ts, …)` becomes grouping by a window function, see [`super::legacy_windows`].

use std::ops::ControlFlow;

use datafusion_sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion_sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, Query, Select, SelectFlavor, SelectItem, SetExpr, Spanned, TableFactor, TableWithJoins,
    Value, ValueWithSpan, VisitMut, VisitorMut, WildcardAdditionalOptions,
};

use super::legacy_windows;
use super::rewrite::call;
use super::syntax::start;
use crate::error::{Error, Result};

/// Rewrites all SELECTs in `query`.
pub(super) fn rewrite(query: &mut Query) -> Result<()> {
    match query.visit(&mut Rewrite) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Rewrite;

impl VisitorMut for Rewrite {
    type Break = Error;

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        names(&mut select.projection);
        let outcome = select.from.iter_mut().try_for_each(unnest).and_then(|()| legacy_windows::rewrite(select));
        outcome.map_or_else(ControlFlow::Break, ControlFlow::Continue)
    }
}

/// Names all items; a name that there is already gets a number, as in Flink.
fn names(items: &mut [SelectItem]) {
    let has_all =
        items.iter().any(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(_, _)));
    let mut taken: Vec<String> = Vec::new();
    for (place, item) in items.iter_mut().enumerate() {
        if let SelectItem::UnnamedExpr(Expr::Identifier(ident)) = item {
            let again = has_all || taken.contains(&ident.value);
            if again {
                let mut numbers = 0_usize..;
                let free = |number: &usize| !taken.contains(&format!("{}{number}", ident.value));
                let number = numbers.find(free).unwrap_or_default();
                let alias = Ident::with_span(ident.span, format!("{}{number}", ident.value));
                *item = SelectItem::ExprWithAlias { expr: Expr::Identifier(ident.clone()), alias };
            }
        }
        name(item, place);
        match item {
            SelectItem::UnnamedExpr(Expr::Identifier(ident)) | SelectItem::ExprWithAlias { alias: ident, .. } => {
                taken.push(ident.value.clone());
            }
            SelectItem::UnnamedExpr(_)
            | SelectItem::ExprWithAliases { .. }
            | SelectItem::QualifiedWildcard(_, _)
            | SelectItem::Wildcard(_) => {}
        }
    }
}

fn name(item: &mut SelectItem, place: usize) {
    let SelectItem::UnnamedExpr(expr) = item else { return };
    let alias = match &*expr {
        Expr::Identifier(_) => return,
        Expr::CompoundIdentifier(parts) => match parts.last() {
            Some(last) => last.clone(),
            None => return,
        },
        other => Ident::with_span(other.span(), format!("EXPR${place}")),
    };
    let expr = std::mem::replace(expr, Expr::value(Value::Null));
    *item = SelectItem::ExprWithAlias { expr, alias };
}

/// The name of the table function that a cross join with UNNEST becomes.
pub(super) const UNNEST: &str = "unnest";

fn unnest(table: &mut TableWithJoins) -> Result<()> {
    for join in std::mem::take(&mut table.joins) {
        let span = join.relation.span();
        let TableFactor::UNNEST { alias, mut array_exprs, .. } = join.relation else {
            return Err(Error::unsupported(start(span), "a join", ""));
        };
        let Some(list) = array_exprs.pop() else {
            return Err(Error::at(start(span), "UNNEST takes an array"));
        };
        let from = TableWithJoins { relation: table.relation.clone(), joins: Vec::new() };
        let mut args = vec![Expr::Subquery(Box::new(all_of(vec![from], None))), list];
        if let Some(alias) = alias {
            args.push(text(&alias.name));
            args.extend(alias.columns.iter().map(|column| text(&column.name)));
        }
        table.relation = TableFactor::TableFunction { expr: call(UNNEST, args, span), alias: None };
    }
    Ok(())
}

fn text(ident: &Ident) -> Expr {
    Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(ident.value.clone()), span: ident.span })
}

/// `SELECT * FROM from WHERE selection`. As a table without an alias its columns keep their qualifiers.
pub(super) fn all_of(from: Vec<TableWithJoins>, selection: Option<Expr>) -> Query {
    let select = Select {
        select_token: AttachedToken::empty(),
        optimizer_hints: Vec::new(),
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection: vec![SelectItem::Wildcard(WildcardAdditionalOptions::default())],
        exclude: None,
        into: None,
        from,
        lateral_views: Vec::new(),
        prewhere: None,
        selection,
        connect_by: Vec::new(),
        group_by: GroupByExpr::Expressions(Vec::new(), Vec::new()),
        cluster_by: Vec::new(),
        distribute_by: Vec::new(),
        sort_by: Vec::new(),
        having: None,
        named_window: Vec::new(),
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: SelectFlavor::Standard,
    };
    Query {
        with: None,
        body: Box::new(SetExpr::Select(Box::new(select))),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}
