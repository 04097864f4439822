//! The meeting point of a union: rows pass as they are; the task's input has merged the channels and their watermarks.

use super::RowFunction;
use crate::batch::EventBatch;
use crate::error::Result;

/// Hands on what comes.
#[derive(Debug)]
pub struct Union;

impl RowFunction for Union {
    fn apply(&mut self, batch: EventBatch) -> Result<EventBatch> {
        Ok(batch)
    }
}
