//! The times of a batch's rows, and its rows pane by pane.

use std::ops::Range;

use arrow::array::cast::AsArray;
use arrow::array::{Array, UInt32Array};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::TimestampMillisecondType;
use hashbrown::HashMap;

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
    if times.contains(&i64::MIN) {
        return Err(missing());
    }
    Ok(times)
}

/// The values of a `Timestamp(ms)` column without nulls.
pub(super) fn milliseconds(batch: &EventBatch, column: usize) -> Option<ScalarBuffer<i64>> {
    let column = batch.rows.column(column).as_primitive_opt::<TimestampMillisecondType>()?;
    (column.null_count() == 0).then(|| column.values().clone())
}

/// The error for a row whose window cannot be represented.
pub(super) fn too_far(spec: &WindowAggregateSpec, time: i64) -> Error {
    Error::data(
        format!("operator `{}`", spec.name),
        format!(
            "a row's time {time} ms lies so far from 1970 that its window cannot be represented; filter such rows out"
        ),
    )
}

/// A batch whose rows stand pane by pane.
#[derive(Debug)]
pub(super) struct Paned {
    pub(super) batch: EventBatch,
    /// Each pane once, and where its rows stand.
    pub(super) panes: Vec<(TimeWindow, Range<usize>)>,
    /// Where each row stood before. `None`: nothing has moved.
    order: Option<Vec<u32>>,
}

impl Paned {
    /// A batch whose rows all fall into one pane.
    fn whole(batch: EventBatch, pane: TimeWindow) -> Self {
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

/// Orders the rows of `batch` by the pane of their time. `pane_of` is asked as seldom as possible: twice for a batch that
/// lies in one pane, which nearly every batch does.
pub(super) fn by_time(batch: EventBatch, times: &[i64], pane_of: impl Fn(i64) -> Result<TimeWindow>) -> Result<Paned> {
    let least = times.iter().copied().min().unwrap_or_default();
    let greatest = times.iter().copied().max().unwrap_or_default();
    let (first, last) = (pane_of(least)?, pane_of(greatest)?);
    if first == last {
        return Ok(Paned::whole(batch, first));
    }
    let contains = |pane: &TimeWindow, time: i64| pane.start <= time && time < pane.end;
    by_pane(batch, |row, before, found| match before {
        Some(pane) if contains(&pane, times[row]) => Ok(pane),
        // Rows out of order go to and fro between a few panes: looking is cheaper than dividing.
        Some(_) | None => match found.iter().take(PANES_LOOKED_AT).find(|(pane, _)| contains(pane, times[row])) {
            Some((pane, _)) => Ok(*pane),
            None => pane_of(times[row]),
        },
    })
}

/// Panes of a batch that are looked at before the pane of a row is computed.
const PANES_LOOKED_AT: usize = 8;

/// Orders the rows of `batch` by pane, in the order in which panes come up. `pane_of` is told the row, the pane of the row
/// before, and all panes so far with their numbers of rows. Nothing moves when all fall into one.
pub(super) fn by_pane(
    batch: EventBatch,
    pane_of: impl Fn(usize, Option<TimeWindow>, &[(TimeWindow, usize)]) -> Result<TimeWindow>,
) -> Result<Paned> {
    let rows = batch.num_rows();
    let mut places: HashMap<TimeWindow, usize> = HashMap::new();
    let mut found: Vec<(TimeWindow, usize)> = Vec::new();
    let mut place_of_row: Vec<usize> = Vec::with_capacity(rows);
    let mut last = 0;
    for row in 0..rows {
        let before = found.get(last).map(|(pane, _)| *pane);
        let pane = pane_of(row, before, &found)?;
        if before != Some(pane) {
            last = *places.entry(pane).or_insert(found.len());
            if last == found.len() {
                found.push((pane, 0));
            }
        }
        found[last].1 += 1;
        place_of_row.push(last);
    }
    if let [(pane, _)] = found.as_slice() {
        return Ok(Paned::whole(batch, *pane));
    }
    let mut starts = Vec::with_capacity(found.len());
    let mut panes = Vec::with_capacity(found.len());
    let mut at = 0;
    for (pane, length) in found {
        starts.push(at);
        panes.push((pane, at..at + length));
        at += length;
    }
    let mut order = vec![0_u32; rows];
    for (row, &place) in (0_u32..).zip(&place_of_row) {
        let to = &mut starts[place];
        order[*to] = row;
        *to += 1;
    }
    let batch = batch.take(&UInt32Array::from(order.clone()))?;
    Ok(Paned { batch, panes, order: Some(order) })
}
