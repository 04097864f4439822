//! Makes the rows of results.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, TimestampMillisecondArray};
use arrow::buffer::ScalarBuffer;

use super::groups::{Groups, Layout};
use super::{TimeSource, TimeWindow, WindowSpec};
use crate::aggregate::GroupIndex;
use crate::batch::EventBatch;
use crate::error::Result;

/// The results of `groups` in `window`.
pub(super) fn results(layout: &Layout, from: &Groups, groups: &[GroupIndex], window: TimeWindow) -> Result<EventBatch> {
    let windows = vec![window; groups.len()];
    rows(layout, from.key_columns(groups)?, &windows, from.values(groups)?)
}

/// Result rows from their parts: keys, the window of each row, the aggregates' values.
pub(super) fn rows(
    layout: &Layout,
    keys: Vec<ArrayRef>,
    windows: &[TimeWindow],
    values: Vec<ArrayRef>,
) -> Result<EventBatch> {
    let mut columns = keys;
    if layout.spec.window != WindowSpec::Global {
        columns.push(Arc::new(starts(windows)));
        columns.push(Arc::new(ends(windows)));
    }
    columns.extend(values);
    let rows = RecordBatch::try_new(Arc::clone(&layout.spec.output), columns)?;
    // SQL has its times in columns.
    let event_time = match layout.spec.time {
        TimeSource::Record | TimeSource::Processing => {
            Some(windows.iter().map(|window| window.max_timestamp()).collect::<ScalarBuffer<i64>>())
        }
        TimeSource::Column(_) => None,
    };
    Ok(EventBatch { rows, event_time, row_kinds: None })
}

/// Partial results of `groups` in the pane `pane`: see [`super::groups::partial_schema`].
pub(super) fn partials(layout: &Layout, from: &Groups, groups: &[GroupIndex], pane: TimeWindow) -> Result<EventBatch> {
    partial_rows(layout, from.key_columns(groups)?, pane, from.row_counts(groups), from.states(groups)?)
}

/// Partial results from their parts: keys, the pane of all, how many rows each stands for, the aggregates' states.
pub(super) fn partial_rows(
    layout: &Layout,
    keys: Vec<ArrayRef>,
    pane: TimeWindow,
    counts: ArrayRef,
    states: Vec<ArrayRef>,
) -> Result<EventBatch> {
    let panes = vec![pane; counts.len()];
    let mut columns = keys;
    columns.push(Arc::new(starts(&panes)));
    columns.push(Arc::new(ends(&panes)));
    columns.push(counts);
    columns.extend(states);
    Ok(EventBatch::inserts(RecordBatch::try_new(Arc::clone(&layout.partial), columns)?))
}

fn starts(windows: &[TimeWindow]) -> TimestampMillisecondArray {
    TimestampMillisecondArray::from_iter_values(windows.iter().map(|window| window.start))
}

fn ends(windows: &[TimeWindow]) -> TimestampMillisecondArray {
    TimestampMillisecondArray::from_iter_values(windows.iter().map(|window| window.end))
}
