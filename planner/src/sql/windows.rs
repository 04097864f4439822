//! Turns grouping by windows into window aggregations, before anything is optimised.
//!
//! ```text
//! Aggregate: group [window_start, window_end, k], aggregates [sum(v)]
//!   … TABLE(TUMBLE(t, ts, …))
//! becomes
//! Projection: the columns of the Aggregate, under their names
//!   WindowAggregate: TUMBLE, keys [k0], sum(c0)
//!     Projection: k AS k0, ts AS t, v AS c0
//!       … t
//! ```
//!
//! Everything that would need retractions is refused here.

use std::sync::Arc;

use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Column, DataFusionError, ExprSchema, ScalarValue};
use datafusion_expr::expr::AggregateFunction as Call;
use datafusion_expr::utils::grouping_set_to_exprlist;
use datafusion_expr::{Distinct, Expr, ExprSchemable, GroupingSet, LogicalPlan, LogicalPlanBuilder, lit};
use millstream_engine::aggregate::AggregateFunction;
use millstream_engine::window::WindowSpec;

use super::aggregates::{Role, role, unsupported_distinct};
use super::expression::is_present;
use super::marks::{self, CLOCK, END, START, TIME_ATTRIBUTE, Time, WINDOW};
use super::nodes::{AggregateCall, GroupingSets, Kind, Step, WindowAggregation};
use super::plan_error::{explained, start};
use super::strip::{Stripped, strip};
use super::zone::{ZoneOffsets, local_time};
use crate::error::{Error, Position, Result};

/// `plan` with its aggregations as window aggregations. `sink` is the table that it is written to: part of ids.
pub(super) fn lower(plan: LogicalPlan, sink: &str, zone: &ZoneOffsets) -> Result<LogicalPlan> {
    let ours = |error: Error| DataFusionError::External(Box::new(error));
    let lowered = plan.transform_up(|plan| match &plan {
        LogicalPlan::Aggregate(aggregate) => {
            let grouped = Grouped {
                input: &aggregate.input,
                group: &aggregate.group_expr,
                calls: &aggregate.aggr_expr,
                outer: &plan,
                sink,
                zone,
            };
            grouped.lowered().map(Transformed::yes).map_err(ours)
        }
        LogicalPlan::Distinct(Distinct::All(input)) => {
            let group: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
            let grouped = Grouped { input, group: &group, calls: &[], outer: &plan, sink, zone };
            grouped.lowered().map(Transformed::yes).map_err(ours)
        }
        _ => Ok(Transformed::no(plan)),
    });
    let plan = lowered.map_err(|error| explained(&error))?.data;
    no_sessions_left(&plan)?;
    Ok(plan)
}

/// Rows cannot be given their session one by one: it is known only when it is over.
fn no_sessions_left(plan: &LogicalPlan) -> Result<()> {
    if let Some(step) = Step::of(plan)
        && let Kind::Windows(windows) = step.kind.as_ref()
        && windows.window.merges()
    {
        let advice = "group by window_start, window_end and its keys";
        return Err(Error::unsupported(windows.place, "SESSION without GROUP BY", advice));
    }
    plan.inputs().into_iter().try_for_each(no_sessions_left)
}

/// A grouping as it was planned.
struct Grouped<'a> {
    input: &'a LogicalPlan,
    group: &'a [Expr],
    calls: &'a [Expr],
    /// The node itself, whose columns must come out.
    outer: &'a LogicalPlan,
    sink: &'a str,
    zone: &'a ZoneOffsets,
}

/// What a grouping expression is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Start,
    End,
    WindowTime,
    /// The n-th key.
    Key(usize),
}

/// Where the windows come from.
enum Source {
    /// A window function, taken out.
    Function(Box<Stripped>),
    /// Columns of the input.
    Columns { start: Column, end: Column },
}

/// For each grouping set, which of the grouping expressions it has.
type Members = Vec<Vec<bool>>;

impl Grouped<'_> {
    fn lowered(&self) -> Result<LogicalPlan> {
        let (group, sets) = self.sets()?;
        if let Some(stripped) = strip(self.input)? {
            let roles = roles(&group, |column, bound| match bound {
                Part::Start => stripped.start.contains(column),
                Part::End => stripped.end.contains(column),
                Part::WindowTime | Part::Key(_) => stripped.window_time.contains(column),
            });
            let keys = keys_of(&group, &roles);
            let mut rest = keys.iter().chain(self.calls).flat_map(Expr::column_refs);
            if complete(&roles) && !stripped.looks_at_window(&mut rest) {
                return self.over_function(stripped, &group, &roles, sets);
            }
        }
        let schema = self.input.schema();
        let marked = |column: &Column, mark: &str| {
            schema.field_from_column(column).is_ok_and(|field| marks::is_bound(field, mark))
        };
        let roles = roles(&group, |column, bound| match bound {
            Part::Start => marked(column, START),
            Part::End => marked(column, END),
            Part::WindowTime | Part::Key(_) => false,
        });
        let column_of = |wanted: Part| {
            group.iter().zip(&roles).find_map(|(expr, role)| match expr {
                Expr::Column(column) if *role == wanted => Some(column.clone()),
                _ => None,
            })
        };
        match (column_of(Part::Start), column_of(Part::End)) {
            (Some(start), Some(end)) => {
                let source = Source::Columns { start, end };
                self.aggregation(self.input.clone(), &source, &group, &roles, sets)
            }
            (Some(_), None) => Err(self.refuse("GROUP BY window_start without window_end", "add window_end")),
            (None, Some(_)) => Err(self.refuse("GROUP BY window_end without window_start", "add window_start")),
            (None, None) => {
                let clock = |expr: &&Expr| matches!(expr, Expr::Column(column) if marked(column, CLOCK));
                if group.iter().any(|expr| clock(&expr)) {
                    return Err(
                        self.refuse("grouping the results of windows of the wall clock, or of local time, again", "")
                    );
                }
                let what = match (self.calls.is_empty(), self.outer) {
                    (true, LogicalPlan::Distinct(_)) => "SELECT DISTINCT without a window",
                    (_, _) if group.is_empty() => "an aggregate without GROUP BY",
                    _ => "GROUP BY without a window",
                };
                let advice = "its results would change with every row; group by window_start and window_end of TUMBLE, \
                              HOP, CUMULATE or SESSION";
                Err(self.refuse(what, advice))
            }
        }
    }

    fn refuse(&self, what: &str, advice: &str) -> Error {
        Error::unsupported(self.place(), what, advice)
    }

    /// The first place in the text that the grouping has.
    fn place(&self) -> Option<Position> {
        let columns = self.group.iter().chain(self.calls).flat_map(Expr::column_refs);
        columns.filter_map(|column| column.spans().first().map(start)).min()
    }

    /// The grouping expressions, each once, and which of them each grouping set has.
    fn sets(&self) -> Result<(Vec<Expr>, Option<Members>)> {
        let [Expr::GroupingSet(set)] = self.group else { return Ok((self.group.to_vec(), None)) };
        let all: Vec<Expr> =
            grouping_set_to_exprlist(self.group).map_err(|error| explained(&error))?.into_iter().cloned().collect();
        let members = match set {
            GroupingSet::GroupingSets(sets) => sets.clone(),
            GroupingSet::Rollup(exprs) => (0..=exprs.len()).rev().map(|n| exprs[..n].to_vec()).collect(),
            GroupingSet::Cube(exprs) => {
                let subset = |bits: usize| {
                    let chosen = exprs.iter().enumerate().filter(|(place, _)| bits >> place & 1 == 1);
                    chosen.map(|(_, expr)| expr.clone()).collect()
                };
                if exprs.len() > 10 {
                    return Err(self.refuse("CUBE of more than 10 columns", ""));
                }
                (0..1_usize << exprs.len()).rev().map(subset).collect()
            }
        };
        let has = |members: &Vec<Expr>| all.iter().map(|expr| members.contains(expr)).collect();
        let sets = members.iter().map(has).collect();
        Ok((all, Some(sets)))
    }

    fn over_function(
        &self,
        stripped: Stripped,
        group: &[Expr],
        roles: &[Part],
        sets: Option<Members>,
    ) -> Result<LogicalPlan> {
        let keys = keys_of(group, roles);
        if stripped.windows.window.merges() && (!stripped.groups_by_keys(&keys) || sets.is_some()) {
            let what = "SESSION whose PARTITION BY differs from the columns that are grouped by";
            let advice = "name the same columns in both";
            return Err(Error::unsupported(stripped.windows.place, what, advice));
        }
        let plan = stripped.plan.clone();
        self.aggregation(plan, &Source::Function(Box::new(stripped)), group, roles, sets)
    }

    fn aggregation(
        &self,
        input: LogicalPlan,
        source: &Source,
        group: &[Expr],
        roles: &[Part],
        sets: Option<Members>,
    ) -> Result<LogicalPlan> {
        let mut columns = Columns::default();
        let keys = keys_of(group, roles);
        for (place, key) in keys.iter().enumerate() {
            columns.push(key.clone(), format!("k{place}"));
        }
        let (window, time, time_column) = match source {
            Source::Function(stripped) => {
                let time = Expr::Column(stripped.time.clone());
                let column = (stripped.windows.time == Time::Event).then(|| columns.push(time, "t".to_owned()));
                (stripped.windows.window, stripped.windows.time, column)
            }
            Source::Columns { start, end } => {
                let start = columns.push(Expr::Column(start.clone()), "s".to_owned());
                let end = columns.push(Expr::Column(end.clone()), "e".to_owned());
                (WindowSpec::Attached { start, end }, Time::Event, Some(end))
            }
        };
        let (calls, groupings, outputs) = self.calls(&keys, &mut columns, sets.is_some())?;
        if let Some(sets) = &sets
            && !windows_in_all(sets, roles)
        {
            return Err(self.refuse("a grouping set without the window", "name window_start and window_end in each"));
        }
        let mut aggregation = WindowAggregation {
            id: self.id(source, &keys, sets.as_ref()),
            window,
            time,
            keys: keys.len(),
            time_column,
            calls,
        };
        let plan = project(input, columns.exprs)?;
        let plan = match sets {
            Some(sets) => {
                let sets = GroupingSets { sets: sets_of_keys(&sets, roles), groupings };
                expanded(plan, sets, &mut aggregation)?
            }
            None => plan,
        };
        let plan = Step::plan(Kind::Aggregate(aggregation), plan, Vec::new());
        let plan = plan.map_err(|error| explained(&error).or_at(self.place()))?;
        self.named(plan, source, roles, &outputs)
    }

    /// What the id of the aggregation follows from, before anything is optimised.
    fn id(&self, source: &Source, keys: &[Expr], sets: Option<&Vec<Vec<bool>>>) -> Vec<String> {
        let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let (view, window) = match source {
            Source::Function(stripped) => {
                let windows = &stripped.windows;
                (windows.view.clone(), format!("{:?} {:?} of {}", windows.window, windows.time, stripped.time.name))
            }
            Source::Columns { start, end } => (String::new(), format!("{} {}", start.name, end.name)),
        };
        let sets = sets.map_or_else(String::new, |sets| format!("{sets:?}"));
        vec![self.sink.to_owned(), view, keys.join(", "), sets, window]
    }

    /// The aggregates, and what each comes out as.
    fn calls(&self, keys: &[Expr], columns: &mut Columns, has_sets: bool) -> Result<Calls> {
        let (mut calls, mut groupings, mut outputs) = (Vec::new(), Vec::new(), Vec::new());
        for expr in self.calls {
            let Expr::AggregateFunction(Call { func, params }) = expr.clone().unalias_nested().data else {
                return Err(Error::internal(format!("{expr} is not an aggregate")));
            };
            if !params.order_by.is_empty() {
                return Err(self.refuse("ORDER BY inside an aggregate", ""));
            }
            let place = calls.len();
            match role(&func) {
                Some(Role::Grouping) => {
                    let of = |arg: &Expr| keys.iter().position(|key| key == arg);
                    let asked: Option<Vec<usize>> = params.args.iter().map(of).collect();
                    let Some(asked) = asked else {
                        return Err(Error::at(self.place(), "GROUPING asks for columns that are grouped by"));
                    };
                    groupings.push(asked);
                    let output = if has_sets { Output::Grouping(groupings.len()) } else { Output::Zero };
                    outputs.push(output);
                }
                Some(Role::Computes(function)) => {
                    let [argument] = params.args.as_slice() else {
                        return Err(Error::internal(format!("{expr} has {} arguments", params.args.len())));
                    };
                    if let Some((what, advice)) = unsupported_distinct(function, params.distinct) {
                        return Err(self.refuse(what, advice));
                    }
                    let counts = function == AggregateFunction::Count && is_present(argument);
                    let argument = (!counts).then(|| columns.push(argument.clone(), format!("c{place}")));
                    let filter =
                        params.filter.as_ref().map(|filter| columns.push(filter.as_ref().clone(), format!("f{place}")));
                    outputs.push(Output::Value(place));
                    calls.push(AggregateCall { function, argument, distinct: params.distinct, filter });
                }
                None => return Err(self.refuse(&format!("the aggregate {}", func.name()), "")),
            }
        }
        Ok((calls, groupings, outputs))
    }

    /// The columns of the grouping, under their names.
    fn named(&self, plan: LogicalPlan, source: &Source, roles: &[Part], outputs: &[Output]) -> Result<LogicalPlan> {
        let (event, zone, time_type) = match source {
            Source::Function(stripped) => {
                let field = stripped.plan.schema().field_from_column(&stripped.time);
                let time = field.map_or_else(|_| super::nodes::bound_type(), |field| field.data_type().clone());
                (stripped.windows.time == Time::Event, is_moment(&time, stripped.windows.time), time)
            }
            Source::Columns { .. } => (true, false, super::nodes::bound_type()),
        };
        let shifted = zone && !self.zone.is_utc();
        let column = |name: &str| Expr::Column(Column::new_unqualified(name));
        let bound = |name: &str| if shifted { local_time(column(name), self.zone) } else { column(name) };
        let bound_mark = |mark: &'static str| if event && !shifted { mark } else { CLOCK };
        let mut exprs = Vec::new();
        let names: Vec<Column> = self.outer.schema().columns();
        for (role, name) in roles.iter().zip(&names) {
            let (value, mark) = match role {
                Part::Start => (bound("window_start"), Some((WINDOW, bound_mark(START)))),
                Part::End => (bound("window_end"), Some((WINDOW, bound_mark(END)))),
                Part::WindowTime if event => {
                    let last = column("window_end") - lit(ScalarValue::new_interval_mdn(0, 0, 1_000_000));
                    (super::zone::moment(last, &time_type), Some((TIME_ATTRIBUTE, marks::ROWTIME)))
                }
                Part::WindowTime => {
                    (super::zone::moment(column("window_end"), &time_type), Some((TIME_ATTRIBUTE, marks::PROCTIME)))
                }
                Part::Key(place) => (column(&format!("k{place}")), None),
            };
            let mark = mark.map(|(key, value)| marks::mark(key, value));
            exprs.push(value.alias_qualified_with_metadata(name.relation.clone(), &name.name, mark));
        }
        let extra = names.len() - roles.len() - outputs.len();
        let keys = roles.iter().filter(|role| matches!(role, Part::Key(_))).count();
        for name in &names[roles.len()..roles.len() + extra] {
            // The planner's own number of the grouping set, which nothing asks for.
            let field = self.outer.schema().field_from_column(name).map_err(|error| explained(&error))?;
            let zero = lit(0).cast_to(field.data_type(), plan.schema().as_ref()).map_err(|error| explained(&error))?;
            exprs.push(zero.alias_qualified(name.relation.clone(), &name.name));
        }
        for (output, name) in outputs.iter().zip(&names[roles.len() + extra..]) {
            let value = match output {
                Output::Value(place) => column(&format!("a{place}")),
                Output::Grouping(place) => column(&format!("k{}", keys + place)),
                Output::Zero => lit(0_i64),
            };
            exprs.push(value.alias_qualified(name.relation.clone(), &name.name));
        }
        project(plan, exprs)
    }
}

type Calls = (Vec<AggregateCall>, Vec<Vec<usize>>, Vec<Output>);

/// What an aggregate comes out as.
#[derive(Debug, Clone, Copy)]
enum Output {
    /// The n-th value of the aggregation.
    Value(usize),
    /// The n-th call of `GROUPING`, from 1.
    Grouping(usize),
    /// `GROUPING` where there are no grouping sets.
    Zero,
}

/// The columns that an aggregation needs.
#[derive(Default)]
struct Columns {
    exprs: Vec<Expr>,
}

impl Columns {
    /// The place of the new column.
    fn push(&mut self, expr: Expr, name: String) -> usize {
        self.exprs.push(expr.alias(name));
        self.exprs.len() - 1
    }
}

fn roles(group: &[Expr], is: impl Fn(&Column, Part) -> bool) -> Vec<Part> {
    let mut keys = 0..;
    let role = |expr: &Expr| {
        let bound = match expr {
            Expr::Column(column) => {
                [Part::Start, Part::End, Part::WindowTime].into_iter().find(|bound| is(column, *bound))
            }
            _ => None,
        };
        bound.unwrap_or_else(|| Part::Key(keys.next().unwrap_or_default()))
    };
    group.iter().map(role).collect()
}

fn complete(roles: &[Part]) -> bool {
    roles.contains(&Part::Start) && roles.contains(&Part::End)
}

fn keys_of(group: &[Expr], roles: &[Part]) -> Vec<Expr> {
    let is_key = |role: &Part| matches!(role, Part::Key(_));
    group.iter().zip(roles).filter(|(_, role)| is_key(role)).map(|(expr, _)| expr.clone()).collect()
}

fn windows_in_all(sets: &[Vec<bool>], roles: &[Part]) -> bool {
    let has = |set: &Vec<bool>, wanted: Part| set.iter().zip(roles).any(|(member, role)| *member && *role == wanted);
    sets.iter().all(|set| has(set, Part::Start) && has(set, Part::End))
}

fn sets_of_keys(sets: &[Vec<bool>], roles: &[Part]) -> Vec<Vec<bool>> {
    let keys = |set: &Vec<bool>| {
        set.iter().zip(roles).filter(|(_, role)| matches!(role, Part::Key(_))).map(|(member, _)| *member).collect()
    };
    sets.iter().map(keys).collect()
}

/// Whether the window's bounds are moments that people read on the session's clock.
fn is_moment(time: &arrow::datatypes::DataType, sort: Time) -> bool {
    sort == Time::Processing || matches!(time, arrow::datatypes::DataType::Timestamp(_, Some(_)))
}

/// Copies rows for each set and makes the set's number, and the answers of `GROUPING`, keys as well.
fn expanded(plan: LogicalPlan, sets: GroupingSets, aggregation: &mut WindowAggregation) -> Result<LogicalPlan> {
    let (keys, more) = (aggregation.keys, sets.groupings.len() + 1);
    let names: Vec<String> = plan.schema().fields().iter().map(|field| field.name().clone()).collect();
    let plan = Step::plan(Kind::Expand(sets), plan, Vec::new()).map_err(|error| explained(&error))?;
    let column = |name: &str| Expr::Column(Column::new_unqualified(name));
    let mut exprs: Vec<Expr> = names[..keys].iter().map(|name| column(name)).collect();
    exprs.extend((0..more).map(|place| column(&format!("g{place}")).alias(format!("k{}", keys + place))));
    exprs.extend(names[keys..].iter().map(|name| column(name)));
    let shift = |column: usize| column + more;
    aggregation.keys += more;
    aggregation.time_column = aggregation.time_column.map(shift);
    if let WindowSpec::Attached { start, end } = &mut aggregation.window {
        (*start, *end) = (shift(*start), shift(*end));
    }
    for call in &mut aggregation.calls {
        call.argument = call.argument.map(shift);
        call.filter = call.filter.map(shift);
    }
    project(plan, exprs)
}

fn project(plan: LogicalPlan, exprs: Vec<Expr>) -> Result<LogicalPlan> {
    let projected = LogicalPlanBuilder::from(Arc::new(plan)).project(exprs).and_then(LogicalPlanBuilder::build);
    projected.map_err(|error| explained(&error))
}
