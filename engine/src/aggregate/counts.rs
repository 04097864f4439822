//! `COUNT(*)` and `COUNT(x)`.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array};
use arrow::datatypes::{DataType, Int64Type};

use super::{Accumulator, GroupIndex, RowNumbers, is_seen};
use crate::error::Result;
use crate::memory;

/// How many rows or values each group has.
#[derive(Debug, Default)]
pub(super) struct Count {
    counts: Vec<i64>,
}

impl Accumulator for Count {
    fn resize(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
    }

    fn update(
        &mut self,
        groups: &[GroupIndex],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
        _: RowNumbers<'_>,
    ) -> Result<()> {
        let nullable = argument.filter(|argument| argument.null_count() > 0);
        if filter.is_none() && nullable.is_none() {
            groups.iter().for_each(|&group| self.counts[group as usize] += 1);
            return Ok(());
        }
        for (row, &group) in groups.iter().enumerate() {
            self.counts[group as usize] += i64::from(is_seen(row, filter, nullable.map(AsRef::as_ref)));
        }
        Ok(())
    }

    fn merge(&mut self, groups: &[GroupIndex], states: &[ArrayRef]) -> Result<()> {
        let counts = states[0].as_primitive::<Int64Type>().values();
        groups.iter().zip(counts).for_each(|(&group, count)| self.counts[group as usize] += count);
        Ok(())
    }

    fn retract(&mut self, groups: &[GroupIndex], states: &[ArrayRef]) -> Result<()> {
        let counts = states[0].as_primitive::<Int64Type>().values();
        groups.iter().zip(counts).for_each(|(&group, count)| self.counts[group as usize] -= count);
        Ok(())
    }

    fn is_invertible(&self) -> bool {
        true
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::Int64]
    }

    fn states(&self, groups: &[GroupIndex]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.values(groups)?])
    }

    fn values(&self, groups: &[GroupIndex]) -> Result<ArrayRef> {
        Ok(Arc::new(Int64Array::from_iter_values(groups.iter().map(|&group| self.counts[group as usize]))))
    }

    fn reset(&mut self, group: GroupIndex) {
        self.counts[group as usize] = 0;
    }

    fn clear(&mut self) {
        self.counts.clear();
    }

    fn memory_bytes(&self) -> usize {
        memory::vec(&self.counts)
    }
}
