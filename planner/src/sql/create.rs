//! Makes a [`Table`] of a `CREATE TABLE`: types, computed columns, watermark, options.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Column, DFSchema, TableReference};
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, TableSource};
use datafusion_sql::planner::PlannerContext;
use datafusion_sql::sqlparser::ast::{DataType as SqlType, Expr as SqlExpr, Ident};
use millstream_connectors::options::parse_duration;
use millstream_connectors::{TableColumn, TableSpec};
use millstream_engine::sql_type::sql_name;

use super::catalog::{RawTable, Table, TableOptions, View, Watermark};
use super::check::{Windows, check};
use super::context::Context;
use super::marks::{self, TIME_ATTRIBUTE, Time, time_of};
use super::plan_error::explained;
use super::rewrite::rewrite;
use super::statements::{ColumnDefinition, ColumnKind, CreateTable};
use super::syntax::start;
use crate::error::{Error, Position, Result};
use crate::session::Session;

/// The table that `written` describes.
pub(super) fn table(written: CreateTable, text: &str, session: &Session, context: &Context<'_>) -> Result<Table> {
    let place = written.name.place;
    let name = written.name.text.clone();
    let primary_key = names(&written.primary_key, &written)?;
    let read = Read { context, text, primary_key: &primary_key };
    let (mut columns, writable) = read.columns(&written.columns)?;
    if columns.is_empty() {
        return Err(Error::at(place, format!("the table `{name}` has no columns")));
    }
    let rowtime = written.watermark.as_ref().map(|(column, _)| column.clone());
    mark_rowtime(&mut columns, rowtime.as_ref());
    let schema = Arc::new(Schema::new(columns.iter().map(|column| column.field.clone()).collect::<Vec<_>>()));
    let raw = Arc::new(RawTable { name: name.clone(), schema });
    let (plan, computed) = read.plan(&name, &raw, &written.columns, rowtime.as_ref())?;
    let watermark = match &written.watermark {
        Some((column, expr)) => Some(Watermark {
            column: column.value.clone(),
            computed: computed.get(&column.value).cloned(),
            expr: read.watermark(column, expr, &plan, &computed)?,
        }),
        None => None,
    };
    let source: Arc<dyn TableSource> = match computed.is_empty() {
        true => raw,
        false => Arc::new(View { plan }),
    };
    let (options, connector, ours) = options(&written)?;
    let partition_keys = names(&written.partitioned_by, &written)?;
    let time_zone = session.job().time_zone.clone();
    columns.iter_mut().for_each(|column| column.field = marks::plain(&column.field));
    let spec = TableSpec { name: name.clone(), columns, partition_keys, primary_key, options, time_zone };
    Ok(Table { name, place, written, spec, connector, writable, watermark, ours, source })
}

/// The names of columns, each of which must be declared.
fn names(idents: &[Ident], table: &CreateTable) -> Result<Vec<String>> {
    let known = || table.columns.iter().map(|column| column.name.value.as_str());
    let known_name = |ident: &Ident| match known().any(|name| name == ident.value) {
        true => Ok(ident.value.clone()),
        false => Err(Error::unknown("column", &ident.value, known()).or_at(start(ident.span))),
    };
    idents.iter().map(known_name).collect()
}

fn mark_rowtime(columns: &mut [TableColumn], rowtime: Option<&Ident>) {
    for column in columns {
        if rowtime.is_some_and(|rowtime| rowtime.value == *column.field.name()) {
            column.field = marks::rowtime(column.field.clone());
        }
    }
}

/// What a computed column is computed as, by its name.
type Computed = BTreeMap<String, Expr>;

struct Read<'a> {
    context: &'a Context<'a>,
    text: &'a str,
    primary_key: &'a [String],
}

impl Read<'_> {
    /// The columns that a connector has, and which of them are written.
    fn columns(&self, written: &[ColumnDefinition]) -> Result<(Vec<TableColumn>, Vec<bool>)> {
        let (mut columns, mut writable) = (Vec::new(), Vec::new());
        for column in written {
            let name = &column.name.value;
            let (sql_type, place, not_null, metadata, is_written) = match &column.kind {
                ColumnKind::Computed(_) => continue,
                ColumnKind::Physical { sql_type, type_place, not_null } => (sql_type, type_place, not_null, None, true),
                ColumnKind::Metadata { sql_type, type_place, key, is_virtual, not_null } => {
                    let key = key.clone().unwrap_or_else(|| name.clone());
                    (sql_type, type_place, not_null, Some(key), !is_virtual)
                }
            };
            let not_null = *not_null || self.primary_key.contains(name);
            let field = Field::new(name, self.arrow(sql_type, *place)?, !not_null);
            columns.push(TableColumn { field, metadata });
            writable.push(is_written);
        }
        Ok((columns, writable))
    }

    fn arrow(&self, sql_type: &SqlType, place: Option<Position>) -> Result<DataType> {
        self.context.types().arrow(sql_type).map_err(|error| error.or_at(place))
    }

    /// The table as a plan: its columns in the order of their declaration.
    fn plan(
        &self,
        name: &str,
        raw: &Arc<RawTable>,
        written: &[ColumnDefinition],
        rowtime: Option<&Ident>,
    ) -> Result<(LogicalPlan, Computed)> {
        let scan = LogicalPlanBuilder::scan(TableReference::bare(name), Arc::clone(raw) as Arc<dyn TableSource>, None);
        let scan = scan.and_then(LogicalPlanBuilder::build).map_err(|error| explained(&error))?;
        let (mut exprs, mut computed) = (Vec::new(), Computed::new());
        for column in written {
            let column_name = &column.name.value;
            let ColumnKind::Computed(expr) = &column.kind else {
                exprs.push(Expr::Column(Column::new(Some(TableReference::bare(name)), column_name)));
                continue;
            };
            let planned = self.expression(expr, scan.schema())?;
            computed.insert(column_name.clone(), planned.clone());
            let is_rowtime = rowtime.is_some_and(|rowtime| rowtime.value == *column_name);
            let mark = is_rowtime.then(|| marks::mark(TIME_ATTRIBUTE, marks::ROWTIME));
            exprs.push(planned.alias_with_metadata(column_name, mark));
        }
        if computed.is_empty() {
            return Ok((scan, computed));
        }
        let plan = LogicalPlanBuilder::from(scan).project(exprs).and_then(LogicalPlanBuilder::build);
        Ok((plan.map_err(|error| explained(&error))?, computed))
    }

    fn expression(&self, expr: &SqlExpr, schema: &DFSchema) -> Result<Expr> {
        let place = start(datafusion_sql::sqlparser::ast::Spanned::span(expr));
        check(expr, self.context.functions(), Windows::Refused)?;
        let mut expr = expr.clone();
        rewrite(&mut expr, self.context.types())?;
        let planned = self.context.planner().sql_to_expr(expr, schema, &mut PlannerContext::new());
        planned.map_err(|error| self.context.explained(&error, self.text).or_at(place))
    }

    /// The watermark's expression over the columns that the connector has.
    fn watermark(&self, column: &Ident, expr: &SqlExpr, plan: &LogicalPlan, computed: &Computed) -> Result<Expr> {
        let place = start(column.span);
        let schema = plan.schema();
        let Ok((_, field)) = schema.qualified_field_with_unqualified_name(&column.value) else {
            let known = schema.fields().iter().map(|field| field.name().as_str());
            return Err(Error::unknown("column", &column.value, known).or_at(place));
        };
        if time_of(field) == Some(Time::Processing) {
            let message = format!("`{}` is processing time, for which there are no watermarks", column.value);
            return Err(Error::at(place, message));
        }
        is_time(field.data_type()).map_err(|what| {
            let message = format!(
                "a watermark is for a column of type TIMESTAMP(3) or TIMESTAMP_LTZ(3), and `{}` is {what}",
                column.value
            );
            Error::at(place, message)
        })?;
        let planned = self.expression(expr, schema)?;
        let place = start(datafusion_sql::sqlparser::ast::Spanned::span(expr));
        let answer = planned.get_type(schema.as_ref()).map_err(|error| explained(&error).or_at(place))?;
        is_time(&answer).map_err(|what| {
            Error::at(place, format!("a watermark is a TIMESTAMP(3) or TIMESTAMP_LTZ(3), and this is {what}"))
        })?;
        let inlined = planned.transform_up(|expr| {
            Ok(match &expr {
                Expr::Column(column) => match computed.get(&column.name) {
                    Some(computed) => Transformed::yes(computed.clone()),
                    None => Transformed::no(expr),
                },
                _ => Transformed::no(expr),
            })
        });
        Ok(inlined.map_err(|error| explained(&error))?.data)
    }
}

fn is_time(arrow: &DataType) -> std::result::Result<(), String> {
    match arrow {
        DataType::Timestamp(TimeUnit::Millisecond, _) => Ok(()),
        other => Err(sql_name(other)),
    }
}

type Options = (BTreeMap<String, String>, Option<String>, TableOptions);

/// The connector's options, its name, and what is ours.
fn options(written: &CreateTable) -> Result<Options> {
    let mut left = BTreeMap::new();
    let mut ours = TableOptions::default();
    for (key, value, place) in &written.options {
        let number = || match value.parse::<u32>() {
            Ok(number @ 1..=32_768) => Ok(number),
            Ok(_) | Err(_) => {
                let message = format!("the option '{key}' = '{value}' cannot be used: it should be from 1 to 32768");
                Err(Error::at(*place, message))
            }
        };
        match key.as_str() {
            "scan.bad-rows.dead-letter-table" => ours.dead_letters = Some(value.clone()),
            "scan.parallelism" => ours.scan_parallelism = Some(number()?),
            "sink.parallelism" => ours.sink_parallelism = Some(number()?),
            "scan.watermark.idle-timeout" => {
                let timeout = parse_duration(value).and_then(|duration| i64::try_from(duration.as_millis()).ok());
                let wrong = || {
                    let why = "it should be a duration such as '5 s'";
                    Error::at(*place, format!("the option '{key}' = '{value}' cannot be used: {why}"))
                };
                ours.idle_timeout_ms = Some(timeout.ok_or_else(wrong)?);
            }
            _ => {
                if left.insert(key.clone(), value.clone()).is_some() {
                    return Err(Error::at(*place, format!("the option '{key}' is given twice")));
                }
            }
        }
    }
    if ours.dead_letters.is_some() && left.get("scan.bad-rows").is_none_or(|policy| policy != "deadLetter") {
        let message = "'scan.bad-rows.dead-letter-table' needs 'scan.bad-rows' = 'deadLetter' beside it";
        return Err(Error::at(written.name.place, message));
    }
    if ours.dead_letters.is_none() && left.get("scan.bad-rows").is_some_and(|policy| policy == "deadLetter") {
        let message = "'scan.bad-rows' = 'deadLetter' needs a table for them: 'scan.bad-rows.dead-letter-table' = '…'";
        return Err(Error::at(written.name.place, message));
    }
    let connector = left.remove("connector");
    Ok((left, connector, ours))
}
