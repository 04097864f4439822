//! Computes new columns.

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{FieldRef, SchemaRef};

use super::{Expression, RowFunction};
use crate::batch::EventBatch;
use crate::error::{Error, Result};

/// Replaces the columns by expressions over them. Times and row kinds stay.
#[derive(Debug)]
pub struct Project {
    expressions: Vec<Expression>,
    schema: SchemaRef,
}

impl Project {
    /// One expression for each field of `schema`, with its type.
    pub fn new(expressions: Vec<Expression>, schema: SchemaRef) -> Self {
        Self { expressions, schema }
    }
}

impl RowFunction for Project {
    fn apply(&mut self, batch: EventBatch) -> Result<EventBatch> {
        let rows = batch.num_rows();
        let column = |(expression, field): (&Expression, &FieldRef)| {
            let computed = expression.evaluate(&batch.rows).and_then(|value| value.into_array(rows));
            computed.map_err(|error| Error::computing(format!("column `{}`", field.name()), &error))
        };
        let columns = self.expressions.iter().zip(self.schema.fields()).map(column).collect::<Result<Vec<_>>>()?;
        // A projection of no columns (`SELECT COUNT(*)`) keeps its number of rows.
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let projected = RecordBatch::try_new_with_options(SchemaRef::clone(&self.schema), columns, &options)?;
        Ok(batch.with_rows(projected))
    }
}
