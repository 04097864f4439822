//! The table, and a scan of it.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use millstream_engine::error::Result;
use millstream_engine::io::source::{Boundedness, ReaderContext, Source, SourceReader, SplitEnumerator};

use super::options::SocketOptions;
use super::reader::SocketReader;
use crate::fixed_splits::FixedSplits;
use crate::formats::Decoder;
use crate::row_time::{TimeCheck, who_finds};
use crate::{ColumnFilter, Error, Scan, ScanRequest, TableSource, TableSpec};

/// A table of what a server sends.
#[derive(Debug)]
pub struct SocketTable {
    spec: TableSpec,
    options: SocketOptions,
}

impl SocketTable {
    /// Reads `table` as its options say.
    pub(crate) fn new(table: &TableSpec) -> crate::Result<Self> {
        if let Some(column) = table.columns.iter().find(|column| column.metadata.is_some()) {
            let message = format!("column `{}`: the connector 'socket' has no metadata", column.field.name());
            return Err(Error::new(&table.name, message));
        }
        Ok(Self { spec: table.clone(), options: SocketOptions::read(table)? })
    }
}

impl TableSource for SocketTable {
    fn boundedness(&self) -> Boundedness {
        Boundedness::Unbounded
    }

    fn scan(&self, request: ScanRequest) -> crate::Result<Scan> {
        let table = self.spec.physical_schema();
        let mut options = self.options.clone();
        let (time, time_check) = who_finds(request.time, |column| table.field_with_name(column).is_ok());
        options.format.time = time;
        let takes = |filter: &ColumnFilter| options.format.takes_filter(&table, filter);
        let filters_taken: Vec<bool> = request.filters.iter().map(takes).collect();
        let filters = request.filters.into_iter().zip(&filters_taken).filter(|(_, taken)| **taken);
        let plan = SocketPlan {
            options,
            table,
            rows: request.rows,
            watermark: request.watermark,
            filters: filters.map(|(filter, _)| filter).collect(),
            time_check,
            time_zone: self.spec.time_zone.clone(),
        };
        plan.decoder().map_err(|error| Error::new(&self.spec.name, error.to_string()))?;
        Ok(Scan { source: Arc::new(SocketSource { plan: Arc::new(plan) }), filters_taken })
    }
}

/// What a scan reads.
#[derive(Debug)]
pub(crate) struct SocketPlan {
    pub(crate) options: SocketOptions,
    table: SchemaRef,
    rows: SchemaRef,
    watermark: Option<SchemaRef>,
    filters: Vec<ColumnFilter>,
    pub(crate) time_check: Option<TimeCheck>,
    time_zone: String,
}

impl SocketPlan {
    /// A decoder for one connection.
    pub(crate) fn decoder(&self) -> Result<Box<dyn Decoder>> {
        let watermark = self.watermark.as_ref();
        self.options.format.decoder(&self.rows, &self.table, watermark, &self.filters, &self.time_zone)
    }
}

#[derive(Debug)]
struct SocketSource {
    plan: Arc<SocketPlan>,
}

impl Source for SocketSource {
    fn boundedness(&self) -> Boundedness {
        Boundedness::Unbounded
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.plan.rows)
    }

    fn watermark_rows(&self) -> u64 {
        1
    }

    fn create_enumerator(&self) -> Result<Box<dyn SplitEnumerator>> {
        let SocketOptions { hostname, port, .. } = &self.plan.options;
        Ok(Box::new(FixedSplits::new(&format!("{hostname}:{port}"), 1)))
    }

    fn create_reader(&self, context: ReaderContext) -> Result<Box<dyn SourceReader>> {
        Ok(Box::new(SocketReader::new(Arc::clone(&self.plan), context.io)))
    }
}
