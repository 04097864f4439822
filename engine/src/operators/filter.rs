//! Keeps the rows for which a condition is true.

use arrow::array::Array;
use arrow::array::cast::AsArray;
use arrow::datatypes::DataType;

use super::{Expression, RowFunction};
use crate::batch::EventBatch;
use crate::error::{Error, Result};

/// Keeps the rows for which `condition` is true; false and null drop a row.
#[derive(Debug)]
pub struct Filter {
    condition: Expression,
}

impl Filter {
    /// `condition` answers `Boolean`; the planner has checked that.
    pub fn new(condition: Expression) -> Self {
        Self { condition }
    }
}

impl RowFunction for Filter {
    fn apply(&mut self, batch: EventBatch) -> Result<EventBatch> {
        let keep = self.condition.evaluate(&batch.rows).and_then(|value| value.into_array(batch.num_rows()));
        let keep = keep.map_err(|error| Error::computing("a condition", &error))?;
        if keep.data_type() != &DataType::Boolean {
            return Err(Error::internal(format!("the filter {} answers {}", self.condition, keep.data_type())));
        }
        let keep = keep.as_boolean();
        if keep.null_count() == 0 && keep.true_count() == keep.len() {
            return Ok(batch);
        }
        batch.filter(keep)
    }
}
