//! `AGG(DISTINCT x)`: shows each value of a group to the aggregate inside it once.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, BooleanArray, ListArray, new_empty_array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use hashbrown::HashSet;

use super::{Accumulator, GroupIndex, RowNumbers, is_seen};
use crate::error::{Error, Result};
use crate::key::table::RowBytes;

/// The values that each group has seen, and the aggregate over them. The state is the list of values alone.
#[derive(Debug)]
pub(super) struct Distinct {
    inner: Box<dyn Accumulator>,
    rows: RowBytes,
    seen: Vec<HashSet<Box<[u8]>>>,
    argument: DataType,
    /// Numbers the values in the order in which they were first seen here.
    next_row: i64,
}

impl Distinct {
    pub(super) fn new(inner: Box<dyn Accumulator>, argument: &DataType) -> Result<Self> {
        let rows = RowBytes::new(std::slice::from_ref(argument))?;
        Ok(Self { inner, rows, seen: Vec::new(), argument: argument.clone(), next_row: 0 })
    }

    fn element(&self) -> Arc<Field> {
        Arc::new(Field::new_list_field(self.argument.clone(), true))
    }

    /// Shows the rows of `column` for which `is_seen` is true and the value is new to its group.
    fn show(&mut self, groups: &[GroupIndex], column: &ArrayRef, filter: Option<&BooleanArray>) -> Result<()> {
        let encoded = self.rows.encode(std::slice::from_ref(column))?;
        let new: BooleanArray = groups
            .iter()
            .enumerate()
            .map(|(row, &group)| {
                let visible = is_seen(row, filter, Some(column.as_ref()));
                let seen = &mut self.seen[group as usize];
                let value = encoded.row(row);
                let is_new = visible && !seen.contains(value.data()) && seen.insert(value.data().into());
                Some(is_new)
            })
            .collect();
        self.inner.update(groups, Some(column), Some(&new), RowNumbers::Consecutive(self.next_row))?;
        self.next_row += i64::try_from(groups.len()).unwrap_or(i64::MAX);
        Ok(())
    }
}

impl Accumulator for Distinct {
    fn resize(&mut self, groups: usize) {
        self.inner.resize(groups);
        self.seen.resize_with(groups, HashSet::new);
    }

    fn update(
        &mut self,
        groups: &[GroupIndex],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
        _: RowNumbers<'_>,
    ) -> Result<()> {
        let Some(argument) = argument else { return Err(Error::internal("DISTINCT without an argument")) };
        self.show(groups, argument, filter)
    }

    fn merge(&mut self, groups: &[GroupIndex], states: &[ArrayRef]) -> Result<()> {
        let lists = states[0].as_list::<i32>();
        let mut owners = Vec::with_capacity(lists.values().len());
        for (row, &group) in groups.iter().enumerate() {
            owners.resize(owners.len() + usize::try_from(lists.value_length(row)).unwrap_or(0), group);
        }
        let first = usize::try_from(lists.value_offsets()[0]).unwrap_or(0);
        let values = lists.values().slice(first, owners.len());
        self.show(&owners, &values, None)
    }

    fn retract(&mut self, _: &[GroupIndex], _: &[ArrayRef]) -> Result<()> {
        Err(Error::internal("a DISTINCT aggregate cannot take a value away"))
    }

    fn is_invertible(&self) -> bool {
        false
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![DataType::List(self.element())]
    }

    fn states(&self, groups: &[GroupIndex]) -> Result<Vec<ArrayRef>> {
        let mut sorted: Vec<&[u8]> = Vec::new();
        let mut lengths = Vec::with_capacity(groups.len());
        for &group in groups {
            let from = sorted.len();
            sorted.extend(self.seen[group as usize].iter().map(AsRef::as_ref));
            // A set's order differs from process to process; what is stored must not.
            sorted[from..].sort_unstable();
            lengths.push(sorted.len() - from);
        }
        let values = if sorted.is_empty() {
            new_empty_array(&self.argument)
        } else {
            let decoded = self.rows.decode(sorted)?;
            Arc::clone(&decoded[0])
        };
        let lists = ListArray::try_new(self.element(), OffsetBuffer::from_lengths(lengths), values, None)?;
        Ok(vec![Arc::new(lists)])
    }

    fn values(&self, groups: &[GroupIndex]) -> Result<ArrayRef> {
        self.inner.values(groups)
    }

    fn reset(&mut self, group: GroupIndex) {
        self.inner.reset(group);
        self.seen[group as usize] = HashSet::new();
    }

    fn clear(&mut self) {
        self.inner.clear();
        self.seen.clear();
    }

    fn memory_bytes(&self) -> usize {
        let held: usize = self.seen.iter().flatten().map(|value| value.len() + size_of::<Box<[u8]>>()).sum();
        held + self.inner.memory_bytes()
    }
}
