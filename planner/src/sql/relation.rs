//! Functions in FROM: `TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' MINUTE))` and its like, and UNNEST.
//!
//! DataFusion asks this planner first for everything in FROM. A window function becomes a [`Step`] over the plan of its
//! table; it has no windows yet, only what they are.

use std::sync::Arc;

use datafusion_common::{Column, DataFusionError, ExprSchema, Result as PlanResult, plan_err};
use datafusion_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion_sql::sqlparser::ast::{
    Expr as SqlExpr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, Spanned, TableAlias,
    TableFactor, Value, ValueWithSpan, WindowType,
};
use millstream_engine::window::{SessionGap, WindowSpec};

use super::check::WINDOW_FUNCTIONS;
use super::dialect::TABLE_ARGUMENT;
use super::interval::{Length, plain};
use super::legacy_windows::GROUP_SESSION;
use super::marks::{Time, time_of};
use super::nodes::{Kind, Step, WindowTable};
use super::queries::UNNEST;
use super::registry::Functions;
use super::syntax::start;
use super::zone::ZoneOffsets;
use crate::error::{Error, Position, Result};

/// Plans functions in FROM.
#[derive(Debug)]
pub(super) struct Relations {
    functions: Arc<Functions>,
    zone: ZoneOffsets,
    /// The view that is being planned.
    view: String,
}

impl Relations {
    pub(super) fn new(functions: Arc<Functions>, zone: ZoneOffsets, view: &str) -> Self {
        Self { functions, zone, view: view.to_owned() }
    }
}

impl RelationPlanner for Relations {
    fn plan_relation(
        &self,
        relation: TableFactor,
        cx: &mut dyn RelationPlannerContext,
    ) -> PlanResult<RelationPlanning> {
        let (name, args, alias) = match relation {
            TableFactor::TableFunction { expr: SqlExpr::Function(function), alias } => {
                (function.name.clone(), arguments(&function), alias)
            }
            TableFactor::Table { name, alias, args: Some(args), .. } => (name, args.args, alias),
            other => return Ok(RelationPlanning::Original(Box::new(other))),
        };
        let plan = self.function(&name, args, cx)?;
        Ok(planned(plan, alias))
    }
}

fn planned(plan: LogicalPlan, alias: Option<TableAlias>) -> RelationPlanning {
    RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias)))
}

/// Our error in DataFusion's hands.
fn ours(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

impl Relations {
    fn function(
        &self,
        name: &ObjectName,
        args: Vec<FunctionArg>,
        cx: &mut dyn RelationPlannerContext,
    ) -> PlanResult<LogicalPlan> {
        let place = start(name.span());
        match name.to_string().to_lowercase().as_str() {
            UNNEST => self.unnest(args, cx),
            kind if WINDOW_FUNCTIONS.contains(&kind) || kind == GROUP_SESSION => {
                let call = WindowCall::read(kind, args, place).map_err(ours)?;
                self.windows(call, cx)
            }
            other => plan_err!("{other} is not a table function"),
        }
    }

    fn windows(&self, call: WindowCall, cx: &mut dyn RelationPlannerContext) -> PlanResult<LogicalPlan> {
        let input = cx.plan(call.table)?;
        let place = start(call.time.span());
        let time = cx.sql_to_expr(call.time, input.schema())?;
        let Expr::Column(column) = &time else {
            return Err(ours(Error::at(place, "DESCRIPTOR names a column of the table")));
        };
        let field = input.schema().field_from_column(column)?;
        let Some(attribute) = time_of(field) else {
            let message = format!(
                "`{}` is not a time attribute, and windows need one: declare WATERMARK FOR it where the table is created, or \
                 a column AS PROCTIME() (a computed column is no time attribute; behind a window it is `window_time`)",
                column.name
            );
            return Err(ours(Error::at(place, message)));
        };
        let window = match attribute {
            Time::Event => {
                self.zone.shifted(call.window, field.data_type()).map_err(|error| ours(error.or_at(call.place)))?
            }
            Time::Processing => self.zone.shifted_clock(call.window).map_err(|error| ours(error.or_at(call.place)))?,
        };
        let relation = column.relation.clone();
        let mut exprs = vec![time];
        for key in call.keys {
            let place = start(key.span());
            let key = cx.sql_to_expr(key, input.schema())?;
            if !matches!(key, Expr::Column(_)) {
                return Err(ours(Error::at(place, "PARTITION BY of a window function names columns")));
            }
            exprs.push(key);
        }
        let windows = WindowTable {
            window,
            time: attribute,
            keys_of_group: call.keys_of_group,
            relation,
            view: self.view.clone(),
            place: call.place,
        };
        Step::plan(Kind::Windows(windows), input, exprs)
    }

    /// `UNNEST((SELECT * FROM t), list, 'u', 'x', …)`. The elements of a list of rows become as many columns as they have
    /// fields.
    fn unnest(&self, args: Vec<FunctionArg>, cx: &mut dyn RelationPlannerContext) -> PlanResult<LogicalPlan> {
        const ELEMENT: &str = "__element";
        let mut args = args.into_iter().filter_map(positional);
        let (Some(table), Some(list)) = (args.next(), args.next()) else { return plan_err!("UNNEST takes an array") };
        let names: Vec<String> = args.filter_map(|arg| literal(&arg)).collect();
        let place = start(list.span());
        let input = cx.plan(table_factor(table).map_err(ours)?)?;
        let list = cx.sql_to_expr(list, input.schema())?;
        let relation = names.first().map(|name| datafusion_common::TableReference::bare(name.as_str()));
        let names = names.get(1..).unwrap_or_default();
        let unnest = Kind::Unnest { relation: relation.clone(), name: ELEMENT.to_owned() };
        let plan = Step::plan(unnest, input.clone(), vec![list])?;
        let element = Expr::Column(Column::new(relation.clone(), ELEMENT));
        let columns: Vec<(String, Expr)> = match element.get_type(plan.schema())? {
            arrow::datatypes::DataType::Struct(fields) => fields
                .iter()
                .map(|field| {
                    let value = self.functions.call("get_field", vec![element.clone(), lit(field.name().as_str())])?;
                    Ok((field.name().clone(), value))
                })
                .collect::<PlanResult<_>>()?,
            _ => vec![("f0".to_owned(), element)],
        };
        if !names.is_empty() && names.len() != columns.len() {
            let message = format!("UNNEST makes {} columns, and {} names are given", columns.len(), names.len());
            return Err(ours(Error::at(place, message)));
        }
        let before = input.schema().columns().into_iter().map(Expr::Column);
        let named = columns.into_iter().enumerate().map(|(place, (name, value))| {
            value.alias_qualified(relation.clone(), names.get(place).cloned().unwrap_or(name))
        });
        LogicalPlanBuilder::from(plan).project(before.chain(named).collect::<Vec<_>>())?.build()
    }
}

/// The arguments of a window function, by their meaning.
struct WindowCall {
    table: TableFactor,
    time: SqlExpr,
    keys: Vec<SqlExpr>,
    window: WindowSpec,
    keys_of_group: bool,
    place: Option<Position>,
}

impl WindowCall {
    fn read(kind: &str, args: Vec<FunctionArg>, place: Option<Position>) -> Result<Self> {
        let names: &[&str] = match kind {
            "tumble" => &["data", "timecol", "size", "offset"],
            "hop" => &["data", "timecol", "slide", "size", "offset"],
            "cumulate" => &["data", "timecol", "step", "size", "offset"],
            _ => &["data", "timecol", "gap"],
        };
        let shown = kind.trim_start_matches("group_").to_uppercase();
        let mut values = by_name(&shown, names, args, place)?;
        let mut take = |name: &str| {
            let at = names.iter().position(|known| *known == name)?;
            values.get_mut(at).and_then(Option::take)
        };
        let missing = |name: &str| Error::at(place, format!("{shown} needs the argument {}", name.to_uppercase()));
        let (table, keys) = table_argument(take("data").ok_or_else(|| missing("data"))?)?;
        let time = descriptor(take("timecol").ok_or_else(|| missing("timecol"))?)?;
        let mut length = |name: &str| take(name).map(|expr| millis(&expr)).transpose();
        let offset = length("offset")?.unwrap_or(0);
        let window = match kind {
            "tumble" => WindowSpec::Tumbling { size: length("size")?.ok_or_else(|| missing("size"))?, offset },
            "hop" => WindowSpec::Sliding {
                slide: length("slide")?.ok_or_else(|| missing("slide"))?,
                size: length("size")?.ok_or_else(|| missing("size"))?,
                offset,
            },
            "cumulate" => WindowSpec::Cumulating {
                step: length("step")?.ok_or_else(|| missing("step"))?,
                max_size: length("size")?.ok_or_else(|| missing("size"))?,
                offset,
            },
            _ => WindowSpec::Session { gap: SessionGap::Fixed(length("gap")?.ok_or_else(|| missing("gap"))?) },
        };
        window.check().map_err(|error| Error::at(place, error.to_string()))?;
        if !keys.is_empty() && kind != "session" {
            return Err(Error::unsupported(place, &format!("PARTITION BY in {shown}"), "only SESSION takes it"));
        }
        Ok(Self { table, time, keys, window, keys_of_group: kind == GROUP_SESSION, place })
    }
}

/// Arguments in the order of `names`, whether they were given by name or by place.
fn by_name(
    shown: &str,
    names: &[&str],
    args: Vec<FunctionArg>,
    place: Option<Position>,
) -> Result<Vec<Option<SqlExpr>>> {
    let mut values: Vec<Option<SqlExpr>> = vec![None; names.len()];
    for (nth, arg) in args.into_iter().enumerate() {
        let (at, value) = match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => (Some(nth), value),
            FunctionArg::Named { name, arg: FunctionArgExpr::Expr(value), .. } => {
                let at = names.iter().position(|known| known.eq_ignore_ascii_case(&name.value));
                if at.is_none() {
                    let error = Error::unknown(&format!("argument of {shown},"), &name.value, names.iter().copied());
                    return Err(error.or_at(start(name.span)));
                }
                (at, value)
            }
            other => return Err(Error::at(place, format!("`{other}` cannot be an argument of {shown}"))),
        };
        match at.and_then(|at| values.get_mut(at)) {
            Some(slot @ None) => *slot = Some(value),
            Some(Some(_)) => {
                return Err(Error::at(start(value.span()), format!("an argument of {shown} is given twice")));
            }
            None => {
                let message = format!("{shown} takes {} arguments at most", names.len());
                return Err(Error::at(start(value.span()).or(place), message));
            }
        }
    }
    Ok(values)
}

/// `TABLE t [PARTITION BY k]`, `t` or `(SELECT …)`.
fn table_argument(expr: SqlExpr) -> Result<(TableFactor, Vec<SqlExpr>)> {
    match expr {
        SqlExpr::Function(function) if function.name.to_string() == TABLE_ARGUMENT => {
            let keys = match &function.over {
                Some(WindowType::WindowSpec(spec)) => spec.partition_by.clone(),
                Some(WindowType::NamedWindow(_)) | None => Vec::new(),
            };
            let keys = keys.into_iter().flat_map(|key| match key {
                SqlExpr::Tuple(keys) => keys,
                SqlExpr::Nested(key) => vec![*key],
                key => vec![key],
            });
            let table = arguments(&function).into_iter().find_map(positional);
            let table =
                table.ok_or_else(|| Error::at(start(function.span()), "TABLE is followed by a table's name"))?;
            Ok((table_factor(table)?, keys.collect()))
        }
        other => Ok((table_factor(other)?, Vec::new())),
    }
}

fn table_factor(expr: SqlExpr) -> Result<TableFactor> {
    let named = |idents: Vec<Ident>| TableFactor::Table {
        name: ObjectName::from(idents),
        alias: None,
        args: None,
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    };
    match expr {
        SqlExpr::Identifier(ident) => Ok(named(vec![ident])),
        SqlExpr::CompoundIdentifier(idents) => Ok(named(idents)),
        SqlExpr::Subquery(query) => {
            Ok(TableFactor::Derived { lateral: false, subquery: query, alias: None, sample: None })
        }
        SqlExpr::Nested(inner) => table_factor(*inner),
        other => Err(Error::at(start(other.span()), format!("a table is expected here, as in TABLE t, not {other}"))),
    }
}

/// The column in `DESCRIPTOR(ts)`.
fn descriptor(expr: SqlExpr) -> Result<SqlExpr> {
    let place = start(expr.span());
    let wrong = || Error::at(place, "the time of a window is named by DESCRIPTOR(column)");
    let SqlExpr::Function(function) = expr else { return Err(wrong()) };
    let args = arguments(&function);
    if !function.name.to_string().eq_ignore_ascii_case("descriptor") || args.len() != 1 {
        return Err(wrong());
    }
    args.into_iter().find_map(positional).ok_or_else(wrong)
}

fn millis(expr: &SqlExpr) -> Result<i64> {
    let place = start(expr.span());
    let SqlExpr::Interval(interval) = expr else {
        return Err(Error::at(place, format!("an INTERVAL is expected here, not {expr}")));
    };
    match plain(interval) {
        Some(Length::Months(_)) => {
            Err(Error::at(place, "a window's length cannot be in months, which differ in length"))
        }
        Some(length @ Length::Nanos(_)) => {
            length.millis().ok_or_else(|| Error::at(place, "a window's length is in whole milliseconds"))
        }
        None => Err(Error::at(place, "an INTERVAL that is a literal is expected here")),
    }
}

fn arguments(function: &Function) -> Vec<FunctionArg> {
    match &function.args {
        FunctionArguments::List(list) => list.args.clone(),
        FunctionArguments::None | FunctionArguments::Subquery(_) => Vec::new(),
    }
}

fn positional(arg: FunctionArg) -> Option<SqlExpr> {
    match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        FunctionArg::Unnamed(_) | FunctionArg::Named { .. } | FunctionArg::ExprNamed { .. } => None,
    }
}

fn literal(expr: &SqlExpr) -> Option<String> {
    match expr {
        SqlExpr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => Some(text.clone()),
        _ => None,
    }
}
