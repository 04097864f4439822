//! The tables and views of a program, as its statements make them.
//!
//! A table's columns are what DataFusion sees: physical and metadata columns are read ([`RawTable`]), computed columns are
//! a projection over them. A view is its plan. The marks of time attributes are put on here.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion_common::{DataFusionError, Result as PlanResult, TableReference};
use datafusion_expr::{Expr, LogicalPlan, TableSource};
use millstream_connectors::{TableColumn, TableSpec};

use super::context::Tables;
use super::statements::{CreateTable, Dropped, Name};
use crate::error::{Error, Position, Result};

/// Tables and views by name.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    entries: BTreeMap<String, Entry>,
}

/// What a name stands for.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    /// A table.
    Table(Arc<Table>),
    /// A view: its plan.
    View(Arc<View>),
}

/// A table.
pub(super) struct Table {
    pub(super) name: String,
    pub(super) place: Option<Position>,
    /// As it was written: what `LIKE` copies.
    pub(super) written: CreateTable,
    /// What the connector is told.
    pub(super) spec: TableSpec,
    /// The name of the connector, and where the table's options have it.
    pub(super) connector: Option<String>,
    /// For each column of `spec`, whether `INSERT` writes it.
    pub(super) writable: Vec<bool>,
    /// The time of rows, and how the watermark follows from it.
    pub(super) watermark: Option<Watermark>,
    /// Options that are ours and not the connector's.
    pub(super) ours: TableOptions,
    /// What a query sees.
    pub(super) source: Arc<dyn TableSource>,
}

/// `WATERMARK FOR column AS expr`. Expressions are over the columns of [`Table::spec`].
pub(super) struct Watermark {
    /// The column's name.
    pub(super) column: String,
    /// What the column is computed as, if it is.
    pub(super) computed: Option<Expr>,
    /// What is promised.
    pub(super) expr: Expr,
}

/// Options of a table that are for the planner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TableOptions {
    /// `scan.bad-rows.dead-letter-table`.
    pub(super) dead_letters: Option<String>,
    /// `scan.watermark.idle-timeout`; 0 is never.
    pub(super) idle_timeout_ms: Option<i64>,
    /// `scan.parallelism`.
    pub(super) scan_parallelism: Option<u32>,
    /// `sink.parallelism`.
    pub(super) sink_parallelism: Option<u32>,
}

/// What a connector reads of a table: its physical and metadata columns.
#[derive(Debug)]
pub(super) struct RawTable {
    /// The table's name.
    pub(super) name: String,
    /// Its columns, the time attribute marked.
    pub(super) schema: SchemaRef,
}

/// A table with computed columns, or a view: a plan.
#[derive(Debug)]
pub(super) struct View {
    pub(super) plan: LogicalPlan,
}

impl TableSource for RawTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

impl TableSource for View {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.plan.schema().inner())
    }

    fn get_logical_plan(&self) -> Option<Cow<'_, LogicalPlan>> {
        Some(Cow::Borrowed(&self.plan))
    }
}

impl Catalog {
    /// Adds a table or view.
    pub(super) fn add(&mut self, name: &str, entry: Entry) {
        self.entries.insert(name.to_owned(), entry);
    }

    /// Whether nothing was created yet.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether there is something under this name already; `IF NOT EXISTS` makes that no error.
    pub(super) fn is_taken(&self, name: &Name, if_not_exists: bool) -> Result<bool> {
        match self.entries.contains_key(&name.text) {
            true if !if_not_exists => {
                let message = format!("there is a table or view called `{}` already; DROP it first", name.text);
                Err(Error::at(name.place, message))
            }
            taken => Ok(taken),
        }
    }

    /// The table called `name`. Views are refused.
    pub(super) fn table(&self, name: &Name) -> Result<Arc<Table>> {
        match self.entries.get(&name.text) {
            Some(Entry::Table(table)) => Ok(Arc::clone(table)),
            Some(Entry::View(_)) => {
                Err(Error::at(name.place, format!("`{}` is a view, and a table is needed here", name.text)))
            }
            None => Err(self.unknown(&name.text).or_at(name.place)),
        }
    }

    /// The table called `name`, if it is one.
    pub(super) fn find(&self, name: &str) -> Option<&Arc<Table>> {
        match self.entries.get(name) {
            Some(Entry::Table(table)) => Some(table),
            Some(Entry::View(_)) | None => None,
        }
    }

    /// Forgets a table or view.
    pub(super) fn drop(&mut self, what: Dropped, name: &Name, if_exists: bool) -> Result<()> {
        let found = match (what, self.entries.get(&name.text)) {
            (Dropped::Table, Some(Entry::Table(_))) | (Dropped::View, Some(Entry::View(_))) => true,
            (Dropped::Table | Dropped::View, Some(_)) => {
                return Err(Error::at(name.place, format!("`{}` is not of that sort; DROP it by its own", name.text)));
            }
            (Dropped::Function, _) | (Dropped::Table | Dropped::View, None) => false,
        };
        match found {
            true => drop(self.entries.remove(&name.text)),
            false if if_exists || what == Dropped::Function => {}
            false => return Err(self.unknown(&name.text).or_at(name.place)),
        }
        Ok(())
    }

    fn unknown(&self, name: &str) -> Error {
        Error::unknown("table", name, self.entries.keys().map(String::as_str))
    }
}

impl Tables for Catalog {
    fn table(&self, name: &TableReference) -> PlanResult<Arc<dyn TableSource>> {
        let default = name.schema().is_none_or(|schema| schema == "default_database")
            && name.catalog().is_none_or(|catalog| catalog == "default_catalog");
        match self.entries.get(name.table()).filter(|_| default) {
            Some(Entry::Table(table)) => Ok(Arc::clone(&table.source)),
            Some(Entry::View(view)) => Ok(Arc::clone(view) as Arc<dyn TableSource>),
            None => Err(DataFusionError::External(Box::new(self.unknown(&name.to_string())))),
        }
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("spec", &self.spec).finish_non_exhaustive()
    }
}

impl Table {
    /// Its name as plans have it.
    pub(super) fn reference(&self) -> TableReference {
        TableReference::bare(self.name.as_str())
    }

    /// The columns that a connector has.
    pub(super) fn spec_schema(&self) -> Schema {
        Schema::new(self.spec.columns.iter().map(|column| column.field.clone()).collect::<Vec<_>>())
    }

    /// The table as its sink sees it: with the columns that are written.
    pub(super) fn sink_spec(&self) -> TableSpec {
        TableSpec { columns: self.sink_columns().into_iter().cloned().collect(), ..self.spec.clone() }
    }

    /// The columns that `INSERT` writes, in order.
    pub(super) fn sink_columns(&self) -> Vec<&TableColumn> {
        self.spec
            .columns
            .iter()
            .zip(&self.writable)
            .filter_map(|(column, writable)| writable.then_some(column))
            .collect()
    }
}
