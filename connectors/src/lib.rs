//! The outside systems that jobs read from and write to, a folder each, and the formats of what they hold.
//!
//! A [`Connector`] is found by the name that `'connector' = '…'` gives; [`CONNECTORS`] is the one list. It makes a
//! [`TableSource`] or a [`Sink`] of a [`TableSpec`]. The planner tells a table source which columns it needs and gets the
//! engine's [`Source`].

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use millstream_engine::io::sink::Sink;
use millstream_engine::io::source::{Boundedness, Source};
use millstream_engine::operators::Expression;

pub mod blackhole;
mod blocking;
#[cfg(test)]
mod conformance;
pub mod datagen;
pub mod error;
pub mod filesystem;
mod fixed_splits;
pub mod formats;
pub mod nexmark;
pub mod options;
pub mod print;
mod records;
#[cfg(test)]
mod reference;
mod row_time;
pub mod socket;

pub use error::{Error, Result};
pub use options::Options;

/// All connectors, in the order in which they are listed to people.
pub static CONNECTORS: &[&dyn Connector] = &[
    &blackhole::Blackhole,
    &datagen::Datagen,
    &filesystem::Filesystem,
    &nexmark::Nexmark,
    &print::Print,
    &socket::Socket,
];

/// The connector called `name`.
pub fn connector(name: &str) -> Option<&'static dyn Connector> {
    CONNECTORS.iter().copied().find(|connector| connector.name() == name)
}

/// An outside system. Adding one: a folder, and a line in [`CONNECTORS`].
pub trait Connector: Sync {
    /// What `'connector' = '…'` says.
    fn name(&self) -> &'static str;

    /// Reads `table`. Checks every option; opens nothing.
    fn table_source(&self, table: &TableSpec) -> Result<Arc<dyn TableSource>>;

    /// Writes `table`. Checks every option; opens nothing.
    fn sink(&self, table: &TableSpec) -> Result<Arc<dyn Sink>>;
}

/// A table as it was declared: its physical and metadata columns and its options.
#[derive(Debug, Clone)]
pub struct TableSpec {
    /// The table's name, for messages and for names of things that are written.
    pub name: String,
    /// Columns in the order of their declaration; computed columns are not among them.
    pub columns: Vec<TableColumn>,
    /// `PARTITIONED BY`: names of columns.
    pub partition_keys: Vec<String>,
    /// `PRIMARY KEY … NOT ENFORCED`: names of columns; empty without.
    pub primary_key: Vec<String>,
    /// `WITH (…)`, without `connector`.
    pub options: BTreeMap<String, String>,
    /// The session's time zone, an IANA name: in it text without a zone is read as `TIMESTAMP_LTZ`.
    pub time_zone: String,
}

/// A column of a [`TableSpec`].
#[derive(Debug, Clone)]
pub struct TableColumn {
    /// Name, type, nullability.
    pub field: Field,
    /// `METADATA [FROM 'key']`: the key. `None` for a physical column.
    pub metadata: Option<String>,
}

impl TableSpec {
    /// The physical columns.
    pub fn physical_schema(&self) -> SchemaRef {
        let physical = self.columns.iter().filter(|column| column.metadata.is_none());
        Arc::new(Schema::new(physical.map(|column| column.field.clone()).collect::<Vec<_>>()))
    }
}

/// A table that can be read.
pub trait TableSource: Send + Sync + Debug {
    /// Whether it ends.
    fn boundedness(&self) -> Boundedness;

    /// Looks whether what it reads is there, so that a missing file is told before a job starts. Does IO; called once, where
    /// the job is submitted. The source finds the same by itself later.
    fn check_inputs(&self) -> Result<()> {
        Ok(())
    }

    /// Plans to read what is asked for, and no more.
    fn scan(&self, request: ScanRequest) -> Result<Scan>;
}

/// What of a table is wanted.
#[derive(Debug, Clone)]
pub struct ScanRequest {
    /// The columns that batches are to have: some of the table's (physical and metadata), in any order. A struct column may
    /// have fewer fields than the table's.
    pub rows: SchemaRef,
    /// The columns that the watermark's expression needs, pruned alike. `None`: no watermark, or `rows` has them all and
    /// every row counts.
    pub watermark: Option<SchemaRef>,
    /// The time of rows, if they must have one: a row without it is a bad row.
    pub time: Option<RowTime>,
    /// Conditions that rows must meet. The source may drop rows that do not meet them and says which it takes over in full.
    pub filters: Vec<ColumnFilter>,
}

/// The event time of rows.
#[derive(Debug, Clone)]
pub enum RowTime {
    /// A column of this name, among [`ScanRequest::watermark`] if that is wanted apart, else among [`ScanRequest::rows`].
    Column(String),
    /// A column that is computed over those.
    Computed {
        /// What it is called.
        name: String,
        /// Its value.
        expression: Expression,
    },
}

/// `column = value`, where the column is top-level.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnFilter {
    /// The column's name.
    pub column: String,
    /// An integer or text.
    pub value: FilterValue,
}

/// The right side of a [`ColumnFilter`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilterValue {
    /// An integer of any width.
    Integer(i64),
    /// Text.
    Text(String),
}

/// A source that reads what was asked for.
#[derive(Debug)]
pub struct Scan {
    /// Its batches have the columns of [`ScanRequest::rows`].
    pub source: Arc<dyn Source>,
    /// For each filter of the request, whether all rows that come out meet it.
    pub filters_taken: Vec<bool>,
}
