//! A whole SQL program: runs its statements one after the other and lowers what they insert.

use std::sync::Arc;

use arrow::datatypes::Field;
use datafusion_common::ScalarValue;
use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion_sql::sqlparser::ast::{Ident, Query, Statement as SqlStatement};
use millstream_engine::sql_type::sql_name;
use millstream_graph::StreamGraph;

use super::cast::{convert, implicit};
use super::catalog::{Catalog, Entry, Table, View};
use super::check::{Windows, check};
use super::context::Context;
use super::lower::{self, Connectors, Insert};
use super::plan_error::explained;
use super::registry::Functions;
use super::relation::Relations;
use super::statements::{CreateTable, Dropped, Name, Statement, statements};
use super::syntax::start;
use super::zone::ZoneOffsets;
use super::{check_query, create, optimise, queries, rewrite, windows};
use crate::error::{Error, Position, Result};
use crate::options::JobOptions;
use crate::session::Session;

/// A planned program.
#[derive(Debug)]
pub struct PlannedSql {
    /// What is to be run.
    pub graph: StreamGraph,
    /// What the options come to, those that the program has `SET` among them.
    pub options: JobOptions,
    /// What has no effect, for the user to know.
    pub warnings: Vec<String>,
}

/// The one class that functions can be created from, and the function that it is.
const COUNT_CHAR: (&str, &str) = ("com.github.nexmark.flink.udf.CountChar", "count_char");

/// Plans the statements of `text` for a job called `name`, unless the program sets `pipeline.name`.
///
/// Errors have their place in `text`. To be called on [`crate::on_planning_thread`].
pub fn plan_sql(name: &str, text: &str, session: Session, connectors: Connectors<'_>) -> Result<PlannedSql> {
    let mut program = Program {
        text,
        functions: Arc::new(Functions::of(&session)?),
        session,
        catalog: Catalog::default(),
        created_functions: Vec::new(),
        inserts: Vec::new(),
        warnings: Vec::new(),
    };
    for placed in statements(text)? {
        program.run(placed.statement, placed.place).map_err(|error| error.or_at(placed.place))?;
    }
    if program.inserts.is_empty() {
        return Err(Error::new("the program writes nothing; a job needs at least one INSERT INTO"));
    }
    let options = program.session.job().clone();
    let name = options.name.as_deref().unwrap_or(name);
    let context = program.context("")?;
    let graph = lower::lower(name, &program.inserts, &program.catalog, &context, &options, connectors)?;
    drop(context);
    Ok(PlannedSql { graph, options, warnings: program.warnings })
}

struct Program<'a> {
    text: &'a str,
    session: Session,
    functions: Arc<Functions>,
    catalog: Catalog,
    /// Names that `CREATE FUNCTION` has given, and whose they are.
    created_functions: Vec<(String, &'static str)>,
    inserts: Vec<Insert>,
    warnings: Vec<String>,
}

impl Program<'_> {
    fn run(&mut self, statement: Statement, place: Option<Position>) -> Result<()> {
        match statement {
            Statement::Set { key, value } => {
                let before = self.session.job().time_zone.clone();
                let remark = self.session.set(&key, &value)?;
                self.warnings.extend(remark);
                self.session_has_changed(&before)
            }
            Statement::Reset { key } => {
                let before = self.session.job().time_zone.clone();
                self.session.reset(key.as_deref())?;
                self.session_has_changed(&before)
            }
            Statement::CreateTable(table) => self.create_table(table),
            Statement::CreateView { name, if_not_exists, columns, query } => {
                self.create_view(&name, if_not_exists, &columns, *query, place)
            }
            Statement::CreateFunction { name, class } => self.create_function(&name, &class),
            Statement::Drop { what: Dropped::Function, name, .. } => {
                self.created_functions.retain(|(created, _)| *created != name.text.to_lowercase());
                self.functions_again()
            }
            Statement::Drop { what, name, if_exists } => self.catalog.drop(what, &name, if_exists),
            Statement::Insert { table, columns, query } => self.insert(&table, &columns, *query, place),
        }
    }

    /// The time zone is part of the types of columns, so it cannot change under tables that are there.
    fn session_has_changed(&mut self, zone_before: &str) -> Result<()> {
        if self.session.job().time_zone != zone_before && !self.catalog.is_empty() {
            return Err(Error::new("the time zone must be SET before the first table is created"));
        }
        self.functions_again()
    }

    /// The functions for the session as it is now.
    fn functions_again(&mut self) -> Result<()> {
        let mut functions = Functions::of(&self.session)?;
        self.created_functions.iter().for_each(|(name, of)| functions.alias(name, of));
        self.functions = Arc::new(functions);
        Ok(())
    }

    /// What is planned against now, inside of the view of this name.
    fn context(&self, view: &str) -> Result<Context<'_>> {
        let zone = ZoneOffsets::of(&self.session.job().time_zone)?;
        let relations = Relations::new(Arc::clone(&self.functions), zone, view);
        Ok(Context::new(&self.session, Arc::clone(&self.functions), &self.catalog, vec![Arc::new(relations)]))
    }

    fn create_table(&mut self, mut written: CreateTable) -> Result<()> {
        if self.catalog.is_taken(&written.name, written.if_not_exists)? {
            return Ok(());
        }
        if let Some(other) = written.like.take() {
            like(&mut written, &self.catalog.table(&other)?.written)?;
        }
        let name = written.name.text.clone();
        let table = create::table(written, self.text, &self.session, &self.context("")?)?;
        self.catalog.add(&name, Entry::Table(Arc::new(table)));
        Ok(())
    }

    fn create_view(
        &mut self,
        name: &Name,
        if_not_exists: bool,
        columns: &[Ident],
        query: Query,
        place: Option<Position>,
    ) -> Result<()> {
        if self.catalog.is_taken(name, if_not_exists)? {
            return Ok(());
        }
        let plan = self.query(query, &self.context(&name.text)?, place)?;
        let plan = if columns.is_empty() { plan } else { renamed(plan, columns, name)? };
        self.catalog.add(&name.text, Entry::View(Arc::new(View { plan })));
        Ok(())
    }

    fn create_function(&mut self, name: &Name, class: &str) -> Result<()> {
        let (known, function) = COUNT_CHAR;
        if class != known {
            let what = format!("the function `{}` of the class {class}", name.text);
            return Err(Error::unsupported(name.place, &what, "functions in other languages cannot be loaded"));
        }
        self.created_functions.push((name.text.to_lowercase(), function));
        self.functions_again()
    }

    /// A query as a plan, names resolved.
    fn query(&self, mut query: Query, context: &Context<'_>, place: Option<Position>) -> Result<LogicalPlan> {
        check_query::check(&query)?;
        check(&query, context.functions(), Windows::Allowed)?;
        queries::rewrite(&mut query)?;
        rewrite::rewrite(&mut query, context.types())?;
        let plan = context.planner().sql_statement_to_plan(SqlStatement::Query(Box::new(query)));
        plan.map_err(|error| context.explained(&error, self.text).or_at(place))
    }

    fn insert(&mut self, table: &Name, columns: &[Ident], query: Query, place: Option<Position>) -> Result<()> {
        let table = self.catalog.table(table)?;
        let context = self.context("")?;
        let zone = ZoneOffsets::of(&self.session.job().time_zone)?;
        let plan = self.query(query, &context, place)?;
        let plan = windows::lower(plan, &table.name, &zone)?;
        let at = |error| explained(&error).or_at(place);
        let typed = optimise::typed(plan, &context).map_err(at)?;
        let plan = self.as_table_rows(typed, &table, columns, place)?;
        let plan = optimise::optimised(plan, &context).map_err(at)?;
        drop(context);
        self.inserts.push(Insert { table, plan });
        Ok(())
    }

    /// The columns of `plan`, by their places, as those of `table`.
    fn as_table_rows(
        &self,
        plan: LogicalPlan,
        table: &Table,
        columns: &[Ident],
        place: Option<Position>,
    ) -> Result<LogicalPlan> {
        let targets = table.sink_columns();
        let given = chosen(columns, table)?;
        let schema = Arc::clone(plan.schema());
        let wanted = given.as_ref().map_or(targets.len(), Vec::len);
        if schema.fields().len() != wanted {
            let message = format!(
                "the query has {} columns ({}), and {wanted} of the table `{}` are written ({})",
                schema.fields().len(),
                types(schema.fields().iter().map(AsRef::as_ref)),
                table.name,
                types(targets.iter().map(|column| &column.field)),
            );
            return Err(Error::at(place, message));
        }
        let mut exprs = Vec::with_capacity(targets.len());
        for (nth, target) in targets.iter().enumerate() {
            let from = match &given {
                None => Some(nth),
                Some(given) => given.iter().position(|column| *column == nth),
            };
            let to = target.field.data_type();
            let Some(from) = from else {
                if !target.field.is_nullable() {
                    let message = format!("the column `{}` is NOT NULL and is not written", target.field.name());
                    return Err(Error::at(place, message));
                }
                let null = ScalarValue::try_from(to).map_err(|error| explained(&error))?;
                exprs.push(Expr::Literal(null, None).alias(target.field.name()));
                continue;
            };
            let (column, of) = (schema.columns()[from].clone(), schema.field(from).data_type());
            if !implicit(of, to) {
                let message = format!(
                    "column {} of the query, `{}`, is {}, and the column `{}` of the table `{}` is {}; use CAST",
                    from + 1,
                    column.name,
                    sql_name(of),
                    target.field.name(),
                    table.name,
                    sql_name(to)
                );
                return Err(Error::at(place, message));
            }
            let value = convert(Expr::Column(column), of, to, false, &self.functions);
            exprs.push(value.map_err(|error| explained(&error).or_at(place))?.alias(target.field.name()));
        }
        let projected = LogicalPlanBuilder::from(plan).project(exprs).and_then(LogicalPlanBuilder::build);
        projected.map_err(|error| explained(&error).or_at(place))
    }
}

/// The places of the columns that an `INSERT INTO t (a, b)` names.
fn chosen(columns: &[Ident], table: &Table) -> Result<Option<Vec<usize>>> {
    if columns.is_empty() {
        return Ok(None);
    }
    let targets = table.sink_columns();
    let mut places = Vec::with_capacity(columns.len());
    for ident in columns {
        let Some(place) = targets.iter().position(|column| *column.field.name() == ident.value) else {
            let known = targets.iter().map(|column| column.field.name().as_str());
            return Err(Error::unknown("column", &ident.value, known).or_at(start(ident.span)));
        };
        if places.contains(&place) {
            return Err(Error::at(start(ident.span), format!("the column `{}` is named twice", ident.value)));
        }
        places.push(place);
    }
    Ok(Some(places))
}

fn types<'a>(fields: impl Iterator<Item = &'a Field>) -> String {
    let described: Vec<String> =
        fields.map(|field| format!("`{}` {}", field.name(), sql_name(field.data_type()))).collect();
    described.join(", ")
}

/// The view's own names for its columns.
fn renamed(plan: LogicalPlan, columns: &[Ident], name: &Name) -> Result<LogicalPlan> {
    let of = plan.schema().columns();
    if of.len() != columns.len() {
        let message =
            format!("the view `{}` names {} columns, and its query has {}", name.text, columns.len(), of.len());
        return Err(Error::at(name.place, message));
    }
    let exprs = of.into_iter().zip(columns).map(|(column, name)| Expr::Column(column).alias(&name.value));
    let plan = LogicalPlanBuilder::from(plan).project(exprs.collect::<Vec<_>>()).and_then(LogicalPlanBuilder::build);
    plan.map_err(|error| explained(&error))
}

/// Puts what `other` has before what `table` has of its own; options of its own win.
fn like(table: &mut CreateTable, other: &CreateTable) -> Result<()> {
    let own = std::mem::take(&mut table.columns);
    for column in &own {
        if other.columns.iter().any(|there| there.name.value == column.name.value) {
            let message = format!("the column `{}` is in the other table already", column.name.value);
            return Err(Error::at(start(column.name.span), message));
        }
    }
    table.columns = other.columns.iter().cloned().chain(own).collect();
    let inherited = other.options.iter().filter(|(key, _, _)| !table.options.iter().any(|(own, _, _)| own == key));
    let inherited: Vec<_> = inherited.cloned().collect();
    table.options.extend(inherited);
    table.watermark = table.watermark.take().or_else(|| other.watermark.clone());
    if table.primary_key.is_empty() {
        table.primary_key.clone_from(&other.primary_key);
    }
    if table.partitioned_by.is_empty() {
        table.partitioned_by.clone_from(&other.partitioned_by);
    }
    Ok(())
}
