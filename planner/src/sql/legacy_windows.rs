//! The older way to group by windows: `GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE), k` with `TUMBLE_START(ts, …)`.
//!
//! It is turned into the newer one, which says the same: FROM and WHERE become the table of a window function, the group's
//! key becomes `window_start, window_end, window_time`, and `TUMBLE_START` and its like become these columns.
//!
//! ```text
//! SELECT TUMBLE_END(ts, i), k, COUNT(*) FROM t WHERE c GROUP BY TUMBLE(ts, i), k
//! SELECT window_end, k, COUNT(*) FROM TABLE(TUMBLE((SELECT * FROM t WHERE c), DESCRIPTOR(ts), i))
//!     GROUP BY window_start, window_end, window_time, k
//! ```

use std::ops::ControlFlow;

use datafusion_sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident, Select, Spanned, TableFactor,
    TableWithJoins, VisitMut, VisitorMut,
};
use datafusion_sql::sqlparser::tokenizer::Span;

use super::check::GROUP_WINDOW_PARTS;
use super::queries::all_of;
use super::rewrite::call;
use super::syntax::start;
use crate::error::{Error, Result};

/// The window function whose sessions are those of the keys that the query groups by.
pub(super) const GROUP_SESSION: &str = "group_session";

/// Rewrites `select` if it groups by a window in the older way.
pub(super) fn rewrite(select: &mut Select) -> Result<()> {
    let GroupByExpr::Expressions(keys, _) = &mut select.group_by else { return Ok(()) };
    let mut windows = Vec::new();
    keys.retain(|key| match Window::of(key) {
        Some(window) => {
            windows.push(window);
            false
        }
        None => true,
    });
    let window = match windows.len() {
        0 => return no_parts(select),
        1 => windows.remove(0),
        _ => return Err(Error::unsupported(start(windows[1].span), "grouping by two windows", "use a view for each")),
    };
    let names = ["window_start", "window_end", "window_time"];
    keys.extend(names.into_iter().map(|name| Expr::Identifier(Ident::with_span(window.span, name))));
    let mut parts = Parts { window: &window };
    let outcome = select.projection.visit(&mut parts);
    if let ControlFlow::Break(error) = outcome {
        return Err(error);
    }
    if let Some(having) = &mut select.having
        && let ControlFlow::Break(error) = having.visit(&mut parts)
    {
        return Err(error);
    }
    let all = all_of(std::mem::take(&mut select.from), select.selection.take());
    let relation =
        TableFactor::TableFunction { expr: window.table_function(Expr::Subquery(Box::new(all))), alias: None };
    select.from = vec![TableWithJoins { relation, joins: Vec::new() }];
    Ok(())
}

/// `TUMBLE_START` and its like have no meaning without a window to group by.
fn no_parts(select: &mut Select) -> Result<()> {
    struct Find;
    impl VisitorMut for Find {
        type Break = Error;
        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
            match part(expr) {
                Some((name, _)) => {
                    let (kind, _) = name.split_once('_').unwrap_or((&name, ""));
                    let kind = kind.to_uppercase();
                    let message = format!("{} needs GROUP BY {kind}(…) with the same arguments", name.to_uppercase());
                    ControlFlow::Break(Error::at(start(expr.span()), message))
                }
                None => ControlFlow::Continue(()),
            }
        }
    }
    let mut found = select.projection.visit(&mut Find);
    if let (ControlFlow::Continue(()), Some(having)) = (&found, &mut select.having) {
        found = having.visit(&mut Find);
    }
    match found {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// A window as a key of a group.
struct Window {
    name: String,
    args: Vec<Expr>,
    span: Span,
}

impl Window {
    fn of(key: &Expr) -> Option<Self> {
        let Expr::Function(function) = key else { return None };
        let name = function.name.to_string().to_lowercase();
        let is_window = ["tumble", "hop", "session"].contains(&name.as_str());
        is_window.then(|| Self { name, args: arguments(function), span: key.span() })
    }

    fn table_function(&self, table: Expr) -> Expr {
        let mut args = self.args.iter().cloned();
        let time = args.next().map(|time| call("descriptor", vec![time], self.span));
        let name = if self.name == "session" { GROUP_SESSION } else { &self.name };
        let args = [table].into_iter().chain(time).chain(args).collect();
        call(name, args, self.span)
    }
}

/// Replaces the parts of the window by its columns.
struct Parts<'a> {
    window: &'a Window,
}

impl VisitorMut for Parts<'_> {
    type Break = Error;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        let Some((name, args)) = part(expr) else { return ControlFlow::Continue(()) };
        let span = expr.span();
        let (kind, which) = name.split_once('_').unwrap_or((&name, ""));
        if kind != self.window.name || !same(&args, &self.window.args) {
            let window: Vec<String> = self.window.args.iter().map(ToString::to_string).collect();
            let message = format!(
                "{} does not name the window that the query groups by, {}({})",
                name.to_uppercase(),
                self.window.name.to_uppercase(),
                window.join(", ")
            );
            return ControlFlow::Break(Error::at(start(span), message));
        }
        *expr = match which {
            "start" => Expr::Identifier(Ident::with_span(span, "window_start")),
            "end" => Expr::Identifier(Ident::with_span(span, "window_end")),
            "rowtime" => Expr::Identifier(Ident::with_span(span, "window_time")),
            _ => call("proctime", Vec::new(), span),
        };
        ControlFlow::Continue(())
    }
}

/// Whether two lists of arguments are written alike, wherever they stand.
fn same(left: &[Expr], right: &[Expr]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(left, right)| left.to_string() == right.to_string())
}

/// The name and the arguments of `TUMBLE_START(…)` and its like.
fn part(expr: &Expr) -> Option<(String, Vec<Expr>)> {
    let Expr::Function(function) = expr else { return None };
    let name = function.name.to_string().to_lowercase();
    GROUP_WINDOW_PARTS.contains(&name.as_str()).then(|| (name, arguments(function)))
}

fn arguments(function: &Function) -> Vec<Expr> {
    let FunctionArguments::List(list) = &function.args else { return Vec::new() };
    let expr = |arg: &FunctionArg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        FunctionArg::Unnamed(_) | FunctionArg::Named { .. } | FunctionArg::ExprNamed { .. } => None,
    };
    list.args.iter().filter_map(expr).collect()
}
