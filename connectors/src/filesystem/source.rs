//! The table as it can be read, and a scan of it.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use millstream_engine::error::Result;
use millstream_engine::io::source::{Boundedness, ReaderContext, Source, SourceReader, SplitEnumerator};

use super::columns::{FileMetadata, Layout};
use super::enumerator::{FileEnumerator, FileSet};
use super::options::FilesystemOptions;
use super::parquet::ParquetRequest;
use super::reader::FileReader;
use crate::formats::{Decoder, Format, FormatSpec};
use crate::records::RecordSettings;
use crate::row_time::{TimeCheck, who_finds};
use crate::{ColumnFilter, Error, Scan, ScanRequest, TableSource, TableSpec};

/// After how many rows of a file the watermark may advance. In between, windows stay open a little longer; with too few
/// rows, batches are small. Some two days of the flights in our examples.
pub const WATERMARK_ROWS: u64 = 1_024;

/// Files that can be read as a table.
#[derive(Debug)]
pub struct FilesystemTable {
    spec: TableSpec,
    options: FilesystemOptions,
}

impl FilesystemTable {
    /// Reads `table` as `options` say.
    pub(crate) fn new(table: &TableSpec, options: FilesystemOptions) -> crate::Result<Self> {
        let keys = table.columns.iter().filter_map(|column| column.metadata.as_deref().map(|key| (column, key)));
        for (column, key) in keys {
            if FileMetadata::ALL.iter().all(|(known, _)| *known != key) {
                let known = FileMetadata::ALL.map(|(known, _)| known).join("', '");
                let message =
                    format!("column `{}`: there is no metadata '{key}'; there is '{known}'", column.field.name());
                return Err(Error::new(&table.name, message));
            }
        }
        Ok(Self { spec: table.clone(), options })
    }

    /// The columns that a record in a file has.
    fn record_schema(&self) -> SchemaRef {
        let physical = self.spec.physical_schema();
        let in_file = physical.fields().iter().filter(|field| !self.spec.partition_keys.contains(field.name()));
        Arc::new(Schema::new(in_file.cloned().collect::<Vec<_>>()))
    }
}

impl TableSource for FilesystemTable {
    fn boundedness(&self) -> Boundedness {
        match self.options.files.monitor_ms {
            Some(_) => Boundedness::Unbounded,
            None => Boundedness::Bounded,
        }
    }

    fn check_inputs(&self) -> crate::Result<()> {
        let found = self.options.files.list();
        found.map(drop).map_err(|error| Error::new(&self.spec.name, format!("the option 'path': {error}")))
    }

    fn scan(&self, request: ScanRequest) -> crate::Result<Scan> {
        let table = self.record_schema();
        let mut format = self.options.format.clone();
        let in_record = |column: &str| table.field_with_name(column).is_ok();
        let streams = !matches!(format.format, Format::Parquet(_));
        let (time, time_check) = who_finds(request.time, |column| streams && in_record(column));
        format.time = time;
        let takes = |filter: &ColumnFilter| in_record(&filter.column) && format.takes_filter(&table, filter);
        let filters_taken: Vec<bool> = request.filters.iter().map(takes).collect();
        let filters = request.filters.iter().zip(&filters_taken).filter(|(_, taken)| **taken);
        let filters = filters.map(|(filter, _)| filter.clone()).collect();
        let layout = |schema| Layout::new(&self.spec, schema, &self.options.null_partition);
        let watermark_rows = match self.boundedness() {
            Boundedness::Bounded => Some(WATERMARK_ROWS),
            Boundedness::Unbounded => None,
        };
        let bad_rows = format.bad_rows;
        let source = FilesystemSource {
            files: self.options.files.clone(),
            format,
            table,
            schema: Arc::clone(&request.rows),
            layout: layout(request.rows),
            watermark_layout: request.watermark.map(layout),
            filters,
            time_check,
            records: RecordSettings { bad_rows, watermark_rows },
            time_zone: self.spec.time_zone.clone(),
        };
        source.check().map_err(|error| Error::new(&self.spec.name, error.to_string()))?;
        Ok(Scan { source: Arc::new(source), filters_taken })
    }
}

/// A scan of files.
#[derive(Debug, Clone)]
pub(crate) struct FilesystemSource {
    files: FileSet,
    format: FormatSpec,
    table: SchemaRef,
    schema: SchemaRef,
    pub(crate) layout: Layout,
    pub(crate) watermark_layout: Option<Layout>,
    filters: Vec<ColumnFilter>,
    pub(crate) time_check: Option<TimeCheck>,
    pub(crate) records: RecordSettings,
    time_zone: String,
}

impl FilesystemSource {
    /// Whether the format can hold the columns.
    fn check(&self) -> Result<()> {
        if self.is_parquet() { Ok(()) } else { self.decoder().map(drop) }
    }

    /// Whether files are read as a whole and not record by record.
    pub(crate) fn is_parquet(&self) -> bool {
        matches!(self.format.format, Format::Parquet(_))
    }

    /// Whether a decoder must see the beginning of a file before it goes on in the middle.
    pub(crate) fn needs_beginning(&self) -> bool {
        self.format.needs_beginning()
    }

    /// What to read of the Parquet file `path` after its first `start` rows.
    pub(crate) fn parquet_request(&self, path: Arc<str>, start: u64) -> ParquetRequest {
        ParquetRequest {
            path,
            rows: Arc::clone(self.layout.format_schema()),
            watermark: self.watermark_layout.as_ref().map(|layout| Arc::clone(layout.format_schema())),
            start,
            settings: self.records,
        }
    }

    /// A decoder for one file.
    pub(crate) fn decoder(&self) -> Result<Box<dyn Decoder>> {
        let watermark = self.watermark_layout.as_ref().map(Layout::format_schema);
        self.format.decoder(self.layout.format_schema(), &self.table, watermark, &self.filters, &self.time_zone)
    }
}

impl Source for FilesystemSource {
    fn boundedness(&self) -> Boundedness {
        match self.files.monitor_ms {
            Some(_) => Boundedness::Unbounded,
            None => Boundedness::Bounded,
        }
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn watermark_rows(&self) -> u64 {
        WATERMARK_ROWS
    }

    fn create_enumerator(&self) -> Result<Box<dyn SplitEnumerator>> {
        Ok(Box::new(FileEnumerator::new(self.files.clone())?))
    }

    fn create_reader(&self, context: ReaderContext) -> Result<Box<dyn SourceReader>> {
        Ok(Box::new(FileReader::new(self.clone(), context.io)))
    }
}
