//! `AGG(DISTINCT x)`: shows each value of a group to the aggregate inside it once.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, ListArray, UInt32Array, new_empty_array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Int64Type};
use hashbrown::HashMap;

use super::{Accumulator, GroupIndex, RowNumbers, is_seen};
use crate::error::{Error, Result};
use crate::key::table::RowBytes;
use crate::memory;

/// The values that each group has seen and how often, and the aggregate over them.
///
/// How often is kept so that values can be taken away again: one that is left by a pane of a sliding window is gone when no
/// other pane has it. The state is two lists of equal length: the values in the order of their encoding, and how often.
#[derive(Debug)]
pub(super) struct Distinct {
    inner: Box<dyn Accumulator>,
    /// Another of the same kind, to find out what taking a value away from `inner` means.
    scratch: Box<dyn Accumulator>,
    rows: RowBytes,
    seen: Vec<Seen>,
    /// Bytes that `seen` points to.
    seen_bytes: usize,
    argument: DataType,
}

/// The values of a group and how often each was seen.
type Seen = HashMap<Box<[u8]>, i64>;

impl Distinct {
    /// `inner` and `scratch` are two accumulators of the same kind, over arguments of type `argument`.
    pub(super) fn new(inner: [Box<dyn Accumulator>; 2], argument: &DataType) -> Result<Self> {
        let [inner, scratch] = inner;
        let rows = RowBytes::new(std::slice::from_ref(argument))?;
        Ok(Self { inner, scratch, rows, seen: Vec::new(), seen_bytes: 0, argument: argument.clone() })
    }

    fn element(&self) -> Arc<Field> {
        Arc::new(Field::new_list_field(self.argument.clone(), true))
    }

    /// Counts the rows of `column` for which `times` answers a number other than 0 so many times more (or fewer), and shows
    /// those whose value has come to its group, or has left it, to the aggregate inside.
    fn count(&mut self, groups: &[GroupIndex], column: &ArrayRef, times: impl Fn(usize) -> i64) -> Result<()> {
        let encoded = self.rows.encode(std::slice::from_ref(column))?;
        let (mut came, mut left) = (Vec::with_capacity(groups.len()), Vec::new());
        for (row, &group) in groups.iter().enumerate() {
            let (value, more) = (encoded.row(row), times(row));
            let seen = &mut self.seen[group as usize];
            let before = if more == 0 { 0 } else { add(seen, value.data(), more, &mut self.seen_bytes) };
            came.push(more > 0 && before == 0);
            if more < 0 && before + more == 0 {
                left.push(u32::try_from(row).unwrap_or(u32::MAX));
            }
        }
        if came.contains(&true) {
            let came = BooleanArray::from(came);
            self.inner.update(groups, Some(column), Some(&came), RowNumbers::Consecutive(0))?;
        }
        self.take_from_inner(groups, column, left)
    }

    fn take_from_inner(&mut self, groups: &[GroupIndex], column: &ArrayRef, left: Vec<u32>) -> Result<()> {
        if left.is_empty() {
            return Ok(());
        }
        let from: Vec<GroupIndex> = left.iter().map(|&row| groups[row as usize]).collect();
        let each: Vec<GroupIndex> = (0..).take(left.len()).collect();
        let values = take(column, &UInt32Array::from(left), None)?;
        self.scratch.clear();
        self.scratch.resize(each.len());
        self.scratch.update(&each, Some(&values), None, RowNumbers::Consecutive(0))?;
        self.inner.retract(&from, &self.scratch.states(&each)?)
    }

    /// Counts the values of stored lists `sign` times as often as they say.
    fn count_states(&mut self, groups: &[GroupIndex], states: &[ArrayRef], sign: i64) -> Result<()> {
        let (values, times) = (states[0].as_list::<i32>(), states[1].as_list::<i32>());
        let mut owners = Vec::with_capacity(values.values().len());
        for (row, &group) in groups.iter().enumerate() {
            owners.resize(owners.len() + usize::try_from(values.value_length(row)).unwrap_or(0), group);
        }
        let first = |list: &ListArray| usize::try_from(list.value_offsets()[0]).unwrap_or(0);
        let all = values.values().slice(first(values), owners.len());
        let times = times.values().slice(first(times), owners.len());
        let times = times.as_primitive::<Int64Type>().values();
        self.count(&owners, &all, |row| sign * times[row])
    }
}

/// Adds to how often `value` was seen; answers how often it had been before. What was seen no more is forgotten. `bytes` is
/// what is held.
fn add(seen: &mut Seen, value: &[u8], more: i64, bytes: &mut usize) -> i64 {
    let Some(times) = seen.get_mut(value) else {
        *bytes -= seen.allocation_size();
        seen.insert(value.into(), more);
        *bytes += seen.allocation_size() + memory::block(value.len());
        return 0;
    };
    let before = *times;
    *times += more;
    if *times == 0 {
        seen.remove(value);
        *bytes -= memory::block(value.len());
    }
    before
}

impl Accumulator for Distinct {
    fn resize(&mut self, groups: usize) {
        self.inner.resize(groups);
        self.seen.resize_with(groups, HashMap::new);
    }

    fn update(
        &mut self,
        groups: &[GroupIndex],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
        _: RowNumbers<'_>,
    ) -> Result<()> {
        let Some(argument) = argument else { return Err(Error::internal("DISTINCT without an argument")) };
        self.count(groups, argument, |row| i64::from(is_seen(row, filter, Some(argument.as_ref()))))
    }

    fn merge(&mut self, groups: &[GroupIndex], states: &[ArrayRef]) -> Result<()> {
        self.count_states(groups, states, 1)
    }

    fn retract(&mut self, groups: &[GroupIndex], states: &[ArrayRef]) -> Result<()> {
        self.count_states(groups, states, -1)
    }

    fn is_invertible(&self) -> bool {
        self.inner.is_invertible()
    }

    fn state_types(&self) -> Vec<DataType> {
        let times = Arc::new(Field::new_list_field(DataType::Int64, false));
        vec![DataType::List(self.element()), DataType::List(times)]
    }

    fn states(&self, groups: &[GroupIndex]) -> Result<Vec<ArrayRef>> {
        let mut sorted: Vec<(&[u8], i64)> = Vec::new();
        let mut lengths = Vec::with_capacity(groups.len());
        for &group in groups {
            let from = sorted.len();
            sorted.extend(self.seen[group as usize].iter().map(|(value, times)| (value.as_ref(), *times)));
            // A map's order differs from process to process; what is stored must not.
            sorted[from..].sort_unstable();
            lengths.push(sorted.len() - from);
        }
        let times: Int64Array = sorted.iter().map(|(_, times)| *times).collect::<Vec<_>>().into();
        let values = if sorted.is_empty() {
            new_empty_array(&self.argument)
        } else {
            let decoded = self.rows.decode(sorted.into_iter().map(|(value, _)| value))?;
            Arc::clone(&decoded[0])
        };
        let offsets = OffsetBuffer::from_lengths(lengths);
        let field = Arc::new(Field::new_list_field(DataType::Int64, false));
        let times = ListArray::try_new(field, offsets.clone(), Arc::new(times), None)?;
        let values = ListArray::try_new(self.element(), offsets, values, None)?;
        Ok(vec![Arc::new(values), Arc::new(times)])
    }

    fn values(&self, groups: &[GroupIndex]) -> Result<ArrayRef> {
        self.inner.values(groups)
    }

    fn reset(&mut self, group: GroupIndex) {
        self.inner.reset(group);
        let seen = std::mem::take(&mut self.seen[group as usize]);
        self.seen_bytes -= seen.allocation_size() + seen.keys().map(|value| memory::block(value.len())).sum::<usize>();
    }

    fn clear(&mut self) {
        self.inner.clear();
        self.seen.clear();
        self.seen_bytes = 0;
    }

    fn memory_bytes(&self) -> usize {
        let own = memory::vec(&self.seen) + self.seen_bytes;
        own + self.inner.memory_bytes() + self.scratch.memory_bytes()
    }
}
