//! What a [`GridWindows`] stores, and how it reads it back.
//!
//! - section `panes`: a row for each key of each pane, with how many rows it had and the states of its aggregates;
//! - section `running`: the same for the steps of a cumulating window that have fired, which are no longer kept apart. What
//!   sliding windows carry on is not stored: it follows from the panes;
//! - value `clock`: the clock, up to where windows have fired, and the number of the next row;
//! - value `shift`: how far a staggered grid was shifted. After a rescale a subtask takes up one of those that there were.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, RecordBatch, TimestampMillisecondArray, UInt32Array};
use arrow::compute::{concat, take_record_batch};
use arrow::datatypes::{DataType, Field, TimestampMillisecondType};

use super::super::TimeWindow;
use super::super::groups::{Groups, Layout, window_field};
use super::arithmetic::Grid;
use super::{GridWindows, Running};
use crate::error::Result;
use crate::key::key_group::KeyGroup;
use crate::state::{OperatorState, decode_numbers, encode_numbers};

const PANES: &str = "panes";
const RUNNING: &str = "running";
const CLOCK: &str = "clock";
const SHIFT: &str = "shift";

impl GridWindows {
    pub(super) fn store(&self) -> Result<OperatorState> {
        let mut state = OperatorState::default();
        add_section(&mut state, PANES, &self.layout, self.panes.iter())?;
        if let Some(window) = self.cumulated() {
            add_section(&mut state, RUNNING, &self.layout, std::iter::once((window, self.running.groups())))?;
        }
        state.add_value(CLOCK, encode_numbers([self.clock, self.fired, self.next_row]));
        if let Some(shift) = self.shift {
            state.add_value(SHIFT, encode_numbers([shift]));
        }
        Ok(state)
    }

    /// The part of a cumulating window that has fired, if steps are to follow.
    fn cumulated(&self) -> Option<TimeWindow> {
        let Grid::Cumulating { max_size, .. } = self.grid else { return None };
        let Running { start, end, .. } = self.running;
        (!self.running.groups().is_empty() && end - start < max_size).then_some(TimeWindow { start, end })
    }

    pub(super) fn load(&mut self, parts: &[OperatorState]) -> Result<()> {
        let operator = Arc::clone(&self.layout.spec);
        let fields = fields(&self.layout);
        for part in parts {
            if let Some([clock, fired, next_row]) = decode_numbers(&operator.name, CLOCK, part.value(CLOCK))? {
                // All former subtasks had seen the same watermarks before the barrier.
                self.clock = self.clock.max(clock);
                self.fired = self.fired.max(fired);
                self.next_row = self.next_row.max(next_row);
            }
            if let Some([shift]) = decode_numbers(&operator.name, SHIFT, part.value(SHIFT))? {
                self.stagger(|_, _| shift);
            }
            for rows in part.keyed_as(&operator.name, PANES, &fields)? {
                self.load_panes(rows)?;
            }
            for rows in part.keyed_as(&operator.name, RUNNING, &fields)? {
                self.load_running(rows)?;
            }
        }
        self.cumulate_late_rows()
    }

    fn load_panes(&mut self, rows: &RecordBatch) -> Result<()> {
        for ((end, start), rows) in pane_by_pane(rows, self.layout.key_fields.len())? {
            let (keys, counts, states) = split_section(&rows, self.layout.key_fields.len());
            let make = || Groups::new(&self.layout);
            self.panes.change(TimeWindow { start, end }, make, |groups| groups.merge(&keys, &counts, &states))?;
        }
        Ok(())
    }

    fn load_running(&mut self, rows: &RecordBatch) -> Result<()> {
        for ((end, start), rows) in pane_by_pane(rows, self.layout.key_fields.len())? {
            let (keys, counts, states) = split_section(&rows, self.layout.key_fields.len());
            self.running.merge_states(&keys, &counts, &states)?;
            (self.running.start, self.running.end) = (start, end);
        }
        Ok(())
    }

    /// A subtask that had cumulated nothing yet keeps a row for a fired step as a pane. Beside what another subtask has
    /// cumulated there must be none.
    fn cumulate_late_rows(&mut self) -> Result<()> {
        if self.cumulated().is_none() {
            return Ok(());
        }
        let covered: Vec<TimeWindow> =
            self.panes.iter().map(|(pane, _)| pane).filter(|pane| self.running.covers(pane.start)).collect();
        for pane in covered {
            if let Some(groups) = self.panes.remove(pane) {
                self.running.merge(&groups)?;
            }
        }
        Ok(())
    }
}

/// The columns of a section after that of the key group.
fn fields(layout: &Layout) -> Vec<Field> {
    let own = [window_field("window_start"), window_field("window_end"), Field::new("rows", DataType::Int64, false)];
    layout.key_fields.iter().cloned().chain(own).chain(layout.state_fields.iter().cloned()).collect()
}

/// Adds all groups of some panes to a snapshot.
fn add_section<'a>(
    state: &mut OperatorState,
    name: &str,
    layout: &Layout,
    panes: impl Iterator<Item = (TimeWindow, &'a Groups)>,
) -> Result<()> {
    let mut key_groups: Vec<KeyGroup> = Vec::new();
    let mut parts: Vec<Vec<ArrayRef>> = Vec::new();
    for (pane, groups) in panes.filter(|(_, groups)| !groups.is_empty()) {
        let live = groups.live();
        let keys = groups.key_columns(&live)?;
        key_groups.extend(layout.key_groups(&keys, live.len())?);
        let times = |time: i64| -> ArrayRef { Arc::new(TimestampMillisecondArray::from_value(time, live.len())) };
        let own = [times(pane.start), times(pane.end), groups.row_counts(&live)];
        parts.push(keys.into_iter().chain(own).chain(groups.states(&live)?).collect());
    }
    if parts.is_empty() {
        return Ok(());
    }
    let columns = fields(layout).into_iter().enumerate().map(|(at, field)| {
        let column: Vec<&dyn Array> = parts.iter().map(|part| part[at].as_ref()).collect();
        Ok((field, concat(&column)?))
    });
    state.add_keyed(name, key_groups, columns.collect::<Result<_>>()?)
}

/// The rows of a section, pane by pane.
fn pane_by_pane(rows: &RecordBatch, keys: usize) -> Result<BTreeMap<(i64, i64), RecordBatch>> {
    let starts = rows.column(keys + 1).as_primitive::<TimestampMillisecondType>().values();
    let ends = rows.column(keys + 2).as_primitive::<TimestampMillisecondType>().values();
    let mut places: BTreeMap<(i64, i64), Vec<u32>> = BTreeMap::new();
    for (row, pane) in (0_u32..).zip(ends.iter().copied().zip(starts.iter().copied())) {
        places.entry(pane).or_default().push(row);
    }
    places
        .into_iter()
        .map(|(pane, rows_of)| Ok((pane, take_record_batch(rows, &UInt32Array::from(rows_of))?)))
        .collect()
}

/// Keys, numbers of rows and states of a stored section.
fn split_section(rows: &RecordBatch, keys: usize) -> (Vec<ArrayRef>, ArrayRef, Vec<ArrayRef>) {
    let columns = &rows.columns()[1..];
    (columns[..keys].to_vec(), Arc::clone(&columns[keys + 2]), columns[keys + 3..].to_vec())
}
