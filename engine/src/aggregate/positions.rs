//! `FIRST_VALUE` and `LAST_VALUE`: by arrival, nulls left out.
//!
//! Each value is kept with the number of its row, so that states can be merged in any order. Numbers count the rows of one
//! subtask; where rows of several subtasks would have to be ordered, the planner does not aggregate in parts.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, UInt32Array, new_null_array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Int64Type};

use super::{Accumulator, GroupIndex, RowNumbers, is_seen};
use crate::error::{Error, Result};
use crate::key::table::RowBytes;
use crate::memory;

/// Which value is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    First,
    Last,
}

/// The first or last value of each group.
#[derive(Debug)]
pub(super) struct Position {
    rows: RowBytes,
    values: Vec<Option<(i64, Box<[u8]>)>>,
    /// Bytes of the blocks that `values` point to.
    value_bytes: usize,
    argument: DataType,
    end: End,
}

impl Position {
    pub(super) fn new(argument: &DataType, end: End) -> Result<Self> {
        let rows = RowBytes::new(std::slice::from_ref(argument))?;
        Ok(Self { rows, values: Vec::new(), value_bytes: 0, argument: argument.clone(), end })
    }

    fn offer(&mut self, group: GroupIndex, row: i64, value: &[u8]) {
        let held = &mut self.values[group as usize];
        let better = match (held.as_ref(), self.end) {
            (None, _) => true,
            (Some((at, _)), End::First) => row < *at,
            (Some((at, _)), End::Last) => row > *at,
        };
        if better {
            let before = held.replace((row, value.into()));
            self.value_bytes += memory::block(value.len());
            self.value_bytes -= before.map_or(0, |(_, before)| memory::block(before.len()));
        }
    }
}

impl Accumulator for Position {
    fn resize(&mut self, groups: usize) {
        self.values.resize(groups, None);
    }

    fn update(
        &mut self,
        groups: &[GroupIndex],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
        numbers: RowNumbers<'_>,
    ) -> Result<()> {
        let Some(argument) = argument else { return Err(Error::internal("FIRST or LAST without an argument")) };
        let encoded = self.rows.encode(std::slice::from_ref(argument))?;
        for (row, &group) in groups.iter().enumerate() {
            if is_seen(row, filter, Some(argument.as_ref())) {
                self.offer(group, numbers.of(row), encoded.row(row).data());
            }
        }
        Ok(())
    }

    fn merge(&mut self, groups: &[GroupIndex], states: &[ArrayRef]) -> Result<()> {
        let encoded = self.rows.encode(&states[..1])?;
        let numbers = states[1].as_primitive::<Int64Type>();
        for (row, &group) in groups.iter().enumerate() {
            if numbers.is_valid(row) {
                self.offer(group, numbers.value(row), encoded.row(row).data());
            }
        }
        Ok(())
    }

    fn retract(&mut self, _: &[GroupIndex], _: &[ArrayRef]) -> Result<()> {
        Err(Error::internal("FIRST and LAST cannot take a value away"))
    }

    fn is_invertible(&self) -> bool {
        false
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.argument.clone(), DataType::Int64]
    }

    fn states(&self, groups: &[GroupIndex]) -> Result<Vec<ArrayRef>> {
        let numbers: Int64Array =
            groups.iter().map(|&group| self.values[group as usize].as_ref().map(|(row, _)| *row)).collect();
        Ok(vec![self.values(groups)?, Arc::new(numbers)])
    }

    fn values(&self, groups: &[GroupIndex]) -> Result<ArrayRef> {
        let values = groups.iter().map(|&group| self.values[group as usize].as_ref().map(|(_, value)| value.as_ref()));
        nullable_rows(&self.rows, &self.argument, values)
    }

    fn reset(&mut self, group: GroupIndex) {
        let before = self.values[group as usize].take();
        self.value_bytes -= before.map_or(0, |(_, before)| memory::block(before.len()));
    }

    fn clear(&mut self) {
        self.values.clear();
        self.value_bytes = 0;
    }

    fn memory_bytes(&self) -> usize {
        memory::vec(&self.values) + self.value_bytes
    }
}

/// The column that `values` encode, null where there is none.
pub(super) fn nullable_rows<'a>(
    rows: &RowBytes,
    of: &DataType,
    values: impl Iterator<Item = Option<&'a [u8]>>,
) -> Result<ArrayRef> {
    let mut present = Vec::new();
    let mut places = Vec::new();
    for value in values {
        places.push(value.map(|value| {
            present.push(value);
            u32::try_from(present.len() - 1).unwrap_or(u32::MAX)
        }));
    }
    if present.is_empty() {
        return Ok(new_null_array(of, places.len()));
    }
    let decoded = rows.decode(present)?;
    Ok(take(&decoded[0], &UInt32Array::from(places), None)?)
}
