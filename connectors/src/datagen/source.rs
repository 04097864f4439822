//! The table, and a scan of it.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use millstream_engine::error::Result;
use millstream_engine::io::source::{Boundedness, ReaderContext, Source, SourceReader, SplitEnumerator};

use super::generator::{Generator, Values};
use super::options::{DatagenOptions, MOST_ROW_BYTES};
use super::reader::DatagenReader;
use crate::fixed_splits::FixedSplits;
use crate::records::BATCH_ROWS;
use crate::{Error, RowTime, Scan, ScanRequest, TableSource, TableSpec};

/// How many splits there are. Part of what a seed means: with another number the rows of a split would be others.
pub(crate) const SPLITS: u32 = 8;
/// After how many rows of a split the watermark may advance.
pub(crate) const WATERMARK_ROWS: u64 = 1_024;

/// A table of made-up rows.
#[derive(Debug)]
pub struct DatagenTable {
    name: String,
    options: DatagenOptions,
}

impl DatagenTable {
    /// The rows that the options of `table` describe.
    pub(crate) fn new(table: &TableSpec) -> crate::Result<Self> {
        if let Some(column) = table.columns.iter().find(|column| column.metadata.is_some()) {
            let message = format!("column `{}`: the connector 'datagen' has no metadata", column.field.name());
            return Err(Error::new(&table.name, message));
        }
        Ok(Self { name: table.name.clone(), options: DatagenOptions::read(table)? })
    }

    fn generators(&self, wanted: &Schema) -> crate::Result<Vec<Generator>> {
        let find = |field: &FieldRef| {
            let found = self.options.columns.iter().find(|column| column.field.name() == field.name());
            let pruned = found.and_then(|column| prune(column, field));
            pruned.ok_or_else(|| Error::new(&self.name, format!("there is no column `{}`", field.name())))
        };
        wanted.fields().iter().map(find).collect()
    }

    /// Made-up rows that are bad have no meaning.
    fn check_time(&self, time: Option<&RowTime>) -> crate::Result<()> {
        let Some(RowTime::Column(name)) = time else { return Ok(()) };
        match self.options.columns.iter().find(|column| column.field.name() == name) {
            Some(column) if column.nulls > 0 => {
                let message = format!(
                    "the option 'fields.{name}.null-rate' cannot be used: `{name}` is the time of rows, which is never null"
                );
                Err(Error::new(&self.name, message))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// `generator` with only the fields of rows that `wanted` has.
fn prune(generator: &Generator, wanted: &FieldRef) -> Option<Generator> {
    let values = match (&generator.values, wanted.data_type()) {
        (Values::Row(parts), DataType::Struct(fields)) => {
            let part = |field: &FieldRef| {
                parts.iter().find(|part| part.field.name() == field.name()).and_then(|part| prune(part, field))
            };
            Values::Row(fields.iter().map(part).collect::<Option<_>>()?)
        }
        (values, _) => values.clone(),
    };
    Some(Generator { field: Arc::clone(wanted), values, ..generator.clone() })
}

impl TableSource for DatagenTable {
    fn boundedness(&self) -> Boundedness {
        match self.options.rows {
            Some(_) => Boundedness::Bounded,
            None => Boundedness::Unbounded,
        }
    }

    fn scan(&self, request: ScanRequest) -> crate::Result<Scan> {
        self.check_time(request.time.as_ref())?;
        let generators = self.generators(&request.rows)?;
        let row_bytes = generators.iter().map(Generator::value_bytes).sum::<u64>().max(1);
        let plan = DatagenPlan {
            generators,
            batch_rows: (MOST_ROW_BYTES / row_bytes).clamp(1, BATCH_ROWS as u64),
            watermark: match &request.watermark {
                Some(schema) => Some((Arc::clone(schema), self.generators(schema)?)),
                None => None,
            },
            schema: request.rows,
            rows_per_second: self.options.rows_per_second,
            rows: self.options.rows,
        };
        let filters_taken = vec![false; request.filters.len()];
        Ok(Scan { source: Arc::new(DatagenSource { plan: Arc::new(plan) }), filters_taken })
    }
}

/// What a scan makes.
#[derive(Debug)]
pub(crate) struct DatagenPlan {
    /// The columns.
    pub(crate) schema: SchemaRef,
    /// How each is made.
    pub(crate) generators: Vec<Generator>,
    /// The same for the watermark, if it is wanted apart.
    pub(crate) watermark: Option<(SchemaRef, Vec<Generator>)>,
    /// Of all splits together.
    pub(crate) rows_per_second: u64,
    /// Of all splits together, if it ends.
    pub(crate) rows: Option<u64>,
    /// The most rows of a batch.
    pub(crate) batch_rows: u64,
}

#[derive(Debug)]
struct DatagenSource {
    plan: Arc<DatagenPlan>,
}

impl Source for DatagenSource {
    fn boundedness(&self) -> Boundedness {
        match self.plan.rows {
            Some(_) => Boundedness::Bounded,
            None => Boundedness::Unbounded,
        }
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.plan.schema)
    }

    fn watermark_rows(&self) -> u64 {
        WATERMARK_ROWS
    }

    fn create_enumerator(&self) -> Result<Box<dyn SplitEnumerator>> {
        Ok(Box::new(FixedSplits::new("datagen", SPLITS)))
    }

    fn create_reader(&self, _: ReaderContext) -> Result<Box<dyn SourceReader>> {
        Ok(Box::new(DatagenReader::new(Arc::clone(&self.plan))))
    }
}
