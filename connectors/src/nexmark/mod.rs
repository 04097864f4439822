//! `'connector' = 'nexmark'`: the events of the Nexmark benchmark, made here.
//!
//! The table has the schema, the options and the distributions of the benchmark's own connector, so that its SQL runs from
//! its own text; see [`generator`] for what the events are. What this connector adds:
//!
//! - **It repeats.** Events depend on the option `seed` and on nothing else: not on the parallelism, the batches, the
//!   moment (`base-time` is a constant unless it is set) or on what happened before.
//! - **It makes what is asked for**: columns and fields that the query reads, and with a filter `event_type = k` only the
//!   events of that kind. A generator must never be what a benchmark measures.
//!
//! ```text
//! numbers   0 … 8899 │ 8900 … 17799 │ 17800 … 26699 │ …
//! block     0        │ 1            │ 2             │ …      block b belongs to split b mod 8,
//! split     0        │ 1            │ 2             │ …      split s is read by subtask s mod parallelism
//! ```
//!
//! A subtask with several splits makes their blocks in the order of the stream, so that their watermarks go forward
//! together. [`generator`] tells what an event is, `columns` makes many of them, `source` deals them out.

mod columns;
pub mod generator;
pub(crate) mod options;
mod reader;
mod source;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use millstream_engine::io::sink::Sink;
use millstream_engine::io::source::Boundedness;

pub use self::columns::schema;
use self::columns::{Projection, Selection};
use self::generator::{EventKind, GeneratorConfig};
use self::options::NexmarkOptions;
use self::source::NexmarkSource;
use crate::error::{Error, Result};
use crate::options::Options;
use crate::{ColumnFilter, Connector, FilterValue, Scan, ScanRequest, TableSource, TableSpec};

/// The connector.
#[derive(Debug)]
pub struct Nexmark;

impl Connector for Nexmark {
    fn name(&self) -> &'static str {
        "nexmark"
    }

    fn table_source(&self, table: &TableSpec) -> Result<Arc<dyn TableSource>> {
        if let Some(column) = table.columns.iter().find(|column| column.metadata.is_some()) {
            let name = column.field.name();
            return Err(Error::new(
                &table.name,
                format!("the column `{name}` is METADATA, and this connector has none"),
            ));
        }
        let refused = |message| Error::new(&table.name, message);
        Projection::new(table.physical_schema()).map_err(refused)?;
        let options = NexmarkOptions::read(Options::of(table))?;
        let config = GeneratorConfig::new(options.settings).map_err(refused)?;
        Ok(Arc::new(NexmarkTable { name: table.name.clone(), config: Arc::new(config), options }))
    }

    fn sink(&self, table: &TableSpec) -> Result<Arc<dyn Sink>> {
        Err(crate::error::only_a_source(self, table))
    }
}

#[derive(Debug)]
struct NexmarkTable {
    name: String,
    config: Arc<GeneratorConfig>,
    options: NexmarkOptions,
}

impl TableSource for NexmarkTable {
    fn boundedness(&self) -> Boundedness {
        self.options.boundedness()
    }

    fn scan(&self, request: ScanRequest) -> Result<Scan> {
        let projection =
            |schema| Projection::new(schema).map(Arc::new).map_err(|message| Error::new(&self.name, message));
        let filters_taken: Vec<bool> = request.filters.iter().map(|filter| event_type(filter).is_some()).collect();
        let source = NexmarkSource {
            config: Arc::clone(&self.config),
            options: self.options,
            selection: selection(&request.filters),
            rows: projection(request.rows)?,
            watermark: request.watermark.map(projection).transpose()?,
        };
        Ok(Scan { source: Arc::new(source), filters_taken })
    }
}

/// What is left of the stream by all filters on the kind of event together.
fn selection(filters: &[ColumnFilter]) -> Selection {
    filters.iter().filter_map(event_type).fold(Selection::All, |selection, number| match EventKind::of(number) {
        Some(kind) if selection == Selection::All || selection == Selection::Only(kind) => Selection::Only(kind),
        Some(_) | None => Selection::Nothing,
    })
}

/// The number in `event_type = number`.
fn event_type(filter: &ColumnFilter) -> Option<i64> {
    match (filter.column.as_str(), &filter.value) {
        ("event_type", FilterValue::Integer(number)) => Some(*number),
        _ => None,
    }
}
