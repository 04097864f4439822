//! The times of a batch's rows, and its rows pane by pane.

use std::ops::Range;

use arrow::array::cast::AsArray;
use arrow::array::{Array, UInt32Array};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::TimestampMillisecondType;

use super::{TimeSource, TimeWindow, WindowAggregateSpec};
use crate::aggregate::RowNumbers;
use crate::batch::EventBatch;
use crate::error::{Error, Result};
use crate::operators::ProcessingTime;

/// The time of each row.
pub(super) fn times(spec: &WindowAggregateSpec, batch: &EventBatch, now: ProcessingTime) -> Result<ScalarBuffer<i64>> {
    let missing = || Error::NoEventTime { operator: spec.name.clone() };
    let times = match spec.time {
        TimeSource::Processing => return Ok(ScalarBuffer::from(vec![now.0; batch.num_rows()])),
        TimeSource::Record => batch.event_time.clone().ok_or_else(missing)?,
        TimeSource::Column(column) => milliseconds(batch, column).ok_or_else(missing)?,
    };
    if times.iter().any(|time| *time == i64::MIN) {
        return Err(missing());
    }
    Ok(times)
}

/// The values of a `Timestamp(ms)` column without nulls.
pub(super) fn milliseconds(batch: &EventBatch, column: usize) -> Option<ScalarBuffer<i64>> {
    let column = batch.rows.column(column).as_primitive_opt::<TimestampMillisecondType>()?;
    (column.null_count() == 0).then(|| column.values().clone())
}

/// A batch whose rows stand pane by pane.
#[derive(Debug)]
pub(super) struct Paned {
    pub(super) batch: EventBatch,
    /// Each pane once, and where its rows stand. `None`: rows that fall into no pane.
    pub(super) panes: Vec<(Option<TimeWindow>, Range<usize>)>,
    /// Where each row stood before. `None`: nothing has moved.
    order: Option<Vec<u32>>,
}

impl Paned {
    /// A batch whose rows all fall into one pane.
    pub(super) fn whole(batch: EventBatch, pane: Option<TimeWindow>) -> Self {
        let all = 0..batch.num_rows();
        Self { batch, panes: vec![(pane, all)], order: None }
    }

    /// The numbers of the rows in `range` by arrival, the first row of the batch being `first`.
    pub(super) fn numbers(&self, range: &Range<usize>, first: i64) -> RowNumbers<'_> {
        match &self.order {
            Some(order) => RowNumbers::Ordered { first, order: &order[range.clone()] },
            None => RowNumbers::Consecutive(first + i64::try_from(range.start).unwrap_or(i64::MAX)),
        }
    }
}

/// Orders the rows of `batch` by the pane that `pane` gives each. Nothing moves when all fall into one.
pub(super) fn by_pane(batch: EventBatch, pane: impl Fn(usize) -> Option<TimeWindow>) -> Result<Paned> {
    let rows = batch.num_rows();
    let mut found: Vec<(Option<TimeWindow>, usize)> = Vec::new();
    let mut places: Vec<u32> = Vec::with_capacity(rows);
    let mut last = 0;
    for row in 0..rows {
        let of = pane(row);
        if found.get(last).is_none_or(|(window, _)| *window != of) {
            last = found.iter().position(|(window, _)| *window == of).unwrap_or_else(|| {
                found.push((of, 0));
                found.len() - 1
            });
        }
        found[last].1 += 1;
        places.push(u32::try_from(last).unwrap_or(u32::MAX));
    }
    if let [(window, _)] = found.as_slice() {
        return Ok(Paned::whole(batch, *window));
    }
    let mut starts = Vec::with_capacity(found.len());
    let mut panes = Vec::with_capacity(found.len());
    let mut at = 0;
    for (window, length) in found {
        starts.push(at);
        panes.push((window, at..at + length));
        at += length;
    }
    let mut order = vec![0_u32; rows];
    for (row, &place) in (0_u32..).zip(&places) {
        let to = &mut starts[place as usize];
        order[*to] = row;
        *to += 1;
    }
    let batch = batch.take(&UInt32Array::from(order.clone()))?;
    Ok(Paned { batch, panes, order: Some(order) })
}
