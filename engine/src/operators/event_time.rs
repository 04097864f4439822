//! Gives each record its event time.

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMillisecondType};

use super::RowFunction;
use crate::batch::EventBatch;
use crate::error::{Error, Result};

/// Takes the event time of each record from a column of type `Timestamp(ms)` or `Int64` (milliseconds).
#[derive(Debug)]
pub struct AssignEventTime {
    column: usize,
}

impl AssignEventTime {
    /// From the column at this place.
    pub fn new(column: usize) -> Self {
        Self { column }
    }
}

impl RowFunction for AssignEventTime {
    fn apply(&mut self, batch: EventBatch) -> Result<EventBatch> {
        let times = event_times(batch.rows.column(self.column))?;
        Ok(EventBatch { event_time: Some(times), ..batch })
    }
}

/// The column's values in milliseconds; a null is `i64::MIN`, the marker of "no time".
pub fn event_times(column: &ArrayRef) -> Result<ScalarBuffer<i64>> {
    let values = match column.data_type() {
        DataType::Int64 => column.as_primitive::<Int64Type>().values(),
        DataType::Timestamp(TimeUnit::Millisecond, _) => column.as_primitive::<TimestampMillisecondType>().values(),
        other => return Err(Error::internal(format!("an event time of type {other}"))),
    };
    if column.null_count() == 0 {
        return Ok(values.clone());
    }
    Ok(values.iter().enumerate().map(|(row, &time)| if column.is_null(row) { i64::MIN } else { time }).collect())
}
