//! Takes the window function out from under a query, so that the aggregation above can make the windows itself.
//!
//! `SELECT … FROM TABLE(TUMBLE(…)) WHERE … GROUP BY window_start, window_end` first gives each row its windows and then
//! groups by them. The engine does both at once and keeps one sum per pane. That is the same as long as nothing in between
//! looks at the window: filters and projections that do not are kept, the window's columns are left out of them.

use std::collections::HashSet;

use datafusion_common::{Column, TableReference};
use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use millstream_engine::window::WindowSpec;

use super::marks::Time;
use super::nodes::{Kind, Step, WindowTable};
use super::plan_error::explained;
use crate::error::{Error, Result};

/// A query without its window function.
#[derive(Debug)]
pub(super) struct Stripped {
    pub(super) plan: LogicalPlan,
    /// The column with the time of the row.
    pub(super) time: Column,
    /// The function that was taken out.
    pub(super) windows: WindowTable,
    /// Under which names the query had the window's columns.
    pub(super) start: Vec<Column>,
    pub(super) end: Vec<Column>,
    pub(super) window_time: Vec<Column>,
    /// The keys of sessions that are still among the columns.
    pub(super) keys: Vec<Column>,
    /// How many keys sessions have.
    pub(super) key_count: usize,
}

/// The name of the time where a projection would have lost it.
const HIDDEN_TIME: &str = "__window_time_of_row";

/// `plan` without its window function; `None` where something in between looks at the window.
pub(super) fn strip(plan: &LogicalPlan) -> Result<Option<Stripped>> {
    match plan {
        LogicalPlan::SubqueryAlias(alias) => {
            let Some(inner) = strip(&alias.input)? else { return Ok(None) };
            let plan = LogicalPlanBuilder::from(inner.plan.clone()).alias(alias.alias.clone());
            let plan = plan.and_then(LogicalPlanBuilder::build).map_err(|error| explained(&error))?;
            Ok(Some(inner.renamed(plan, &alias.alias)))
        }
        LogicalPlan::Filter(filter) => {
            let Some(inner) = strip(&filter.input)? else { return Ok(None) };
            let columns = filter.predicate.column_refs();
            if inner.looks_at_window(columns.iter().copied()) {
                return inner.none_or_refused("a condition on the window of a session");
            }
            let only_keys = columns.iter().all(|column| inner.keys.contains(column));
            if matches!(inner.windows.window, WindowSpec::Session { .. }) && !only_keys {
                let advice = "put the condition into a subquery inside SESSION(…)";
                return Err(Error::unsupported(
                    inner.windows.place,
                    "a condition between SESSION and GROUP BY",
                    advice,
                ));
            }
            let plan = LogicalPlanBuilder::from(inner.plan.clone()).filter(filter.predicate.clone());
            let plan = plan.and_then(LogicalPlanBuilder::build).map_err(|error| explained(&error))?;
            Ok(Some(Stripped { plan, ..inner }))
        }
        LogicalPlan::Projection(projection) => {
            let Some(inner) = strip(&projection.input)? else { return Ok(None) };
            inner.projected(&projection.expr, plan)
        }
        _ => match Step::of(plan) {
            Some(step) => match step.kind.as_ref() {
                Kind::Windows(windows) => Ok(Stripped::of(step, windows)),
                Kind::Aggregate(_) | Kind::Expand(_) | Kind::Unnest { .. } => Ok(None),
            },
            None => Ok(None),
        },
    }
}

impl Stripped {
    fn of(step: &Step, windows: &WindowTable) -> Option<Self> {
        let column = |name: &str| vec![Column::new(windows.relation.clone(), name)];
        let mut columns = step.exprs.iter().filter_map(|expr| match expr {
            Expr::Column(column) => Some(column.clone()),
            _ => None,
        });
        let time = columns.next()?;
        let keys: Vec<Column> = columns.collect();
        Some(Self {
            plan: step.input.as_ref().clone(),
            time,
            windows: windows.clone(),
            start: column("window_start"),
            end: column("window_end"),
            window_time: column("window_time"),
            key_count: keys.len(),
            keys,
        })
    }

    /// Whether one of `columns` is a column of the window.
    pub(super) fn looks_at_window<'a>(&self, mut columns: impl Iterator<Item = &'a Column>) -> bool {
        columns.any(|column| [&self.start, &self.end, &self.window_time].iter().any(|names| names.contains(column)))
    }

    /// Windows that stay apart can be given to rows before; sessions cannot.
    fn none_or_refused(&self, what: &str) -> Result<Option<Self>> {
        match self.windows.window {
            WindowSpec::Session { .. } => Err(Error::unsupported(self.windows.place, what, "use HAVING")),
            _ => Ok(None),
        }
    }

    fn renamed(self, plan: LogicalPlan, alias: &TableReference) -> Self {
        let rename = |columns: Vec<Column>| -> Vec<Column> {
            columns.into_iter().map(|column| Column::new(Some(alias.clone()), column.name)).collect()
        };
        Self {
            plan,
            time: Column::new(Some(alias.clone()), self.time.name),
            start: rename(self.start),
            end: rename(self.end),
            window_time: rename(self.window_time),
            keys: rename(self.keys),
            ..self
        }
    }

    fn projected(self, exprs: &[Expr], outer: &LogicalPlan) -> Result<Option<Self>> {
        let mut kept: Vec<Expr> = Vec::new();
        let (mut start, mut end, mut window_time, mut keys) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut time = None;
        for (expr, (relation, field)) in exprs.iter().zip(outer.schema().iter()) {
            let name = Column::new(relation.cloned(), field.name());
            let plain = match expr.clone().unalias_nested().data {
                Expr::Column(column) => Some(column),
                _ => None,
            };
            let lists = [(&self.start, &mut start), (&self.end, &mut end), (&self.window_time, &mut window_time)];
            let bound = plain.as_ref().and_then(|column| lists.into_iter().find(|(names, _)| names.contains(column)));
            if let Some((_, names)) = bound {
                names.push(name);
                continue;
            }
            if self.looks_at_window(expr.column_refs().into_iter()) {
                return self.none_or_refused("an expression over the window of a session");
            }
            if plain.as_ref() == Some(&self.time) {
                time = Some(name.clone());
            }
            if plain.as_ref().is_some_and(|column| self.keys.contains(column)) {
                keys.push(name);
            }
            kept.push(expr.clone());
        }
        let time = match (time, self.windows.time) {
            (Some(time), _) => time,
            (None, Time::Processing) if kept.is_empty() => self.hide_time(&mut kept),
            (None, Time::Processing) => self.time.clone(),
            (None, Time::Event) => self.hide_time(&mut kept),
        };
        let plan = LogicalPlanBuilder::from(self.plan.clone()).project(kept).and_then(LogicalPlanBuilder::build);
        let plan = plan.map_err(|error| explained(&error))?;
        Ok(Some(Self { plan, time, start, end, window_time, keys, ..self }))
    }

    fn hide_time(&self, kept: &mut Vec<Expr>) -> Column {
        kept.push(Expr::Column(self.time.clone()).alias(HIDDEN_TIME));
        Column::new_unqualified(HIDDEN_TIME)
    }

    /// Whether sessions are kept by the same keys as rows are grouped by.
    pub(super) fn groups_by_keys(&self, group: &[Expr]) -> bool {
        let columns: Option<HashSet<&Column>> = group
            .iter()
            .map(|key| match key {
                Expr::Column(column) => Some(column),
                _ => None,
            })
            .collect();
        self.windows.keys_of_group
            || columns.is_some_and(|columns| {
                let keys: HashSet<&Column> = self.keys.iter().collect();
                columns == keys && self.key_count == keys.len()
            })
    }
}
