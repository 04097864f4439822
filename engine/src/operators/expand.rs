//! Makes a copy of each row for each of several projections: `GROUPING SETS`.

use super::project::Project;
use super::{Expression, RowFunction};
use crate::batch::EventBatch;
use crate::error::Result;
use arrow::datatypes::SchemaRef;

/// Applies several projections to each batch; their results follow each other.
#[derive(Debug)]
pub struct Expand {
    projections: Vec<Project>,
}

impl Expand {
    /// Each list has one expression for each field of `schema`.
    pub fn new(projections: Vec<Vec<Expression>>, schema: &SchemaRef) -> Self {
        let projections =
            projections.into_iter().map(|expressions| Project::new(expressions, SchemaRef::clone(schema))).collect();
        Self { projections }
    }
}

impl RowFunction for Expand {
    fn apply(&mut self, batch: EventBatch) -> Result<EventBatch> {
        let copies = self
            .projections
            .iter_mut()
            .map(|projection| projection.apply(batch.clone()))
            .collect::<Result<Vec<_>>>()?;
        EventBatch::concat(&copies)
    }
}
