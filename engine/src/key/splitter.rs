//! Splits a batch by the subtask that owns each row's key.

use arrow::array::{ArrayRef, UInt32Array};

use super::hash::hash_rows;
use super::key_group::MaxParallelism;
use crate::batch::EventBatch;
use crate::error::Result;
use crate::memory;

/// Among so many targets a batch is put in order once and cut. A cut keeps all of it in memory as long as its target has not
/// read it, however little of it is its own; with more targets each gets rows of its own, which takes a little longer.
const CUT_AMONG_MAX: u32 = 4;

/// Splits batches by key among `parallelism` targets. Keeps its buffers from batch to batch.
#[derive(Debug)]
pub struct KeySplitter {
    keys: Vec<usize>,
    max_parallelism: MaxParallelism,
    parallelism: u32,
    hashes: Vec<u64>,
    targets: Vec<u32>,
}

impl KeySplitter {
    /// Splits by the columns `keys`.
    pub fn new(keys: Vec<usize>, max_parallelism: MaxParallelism, parallelism: u32) -> Self {
        Self { keys, max_parallelism, parallelism, hashes: Vec::new(), targets: Vec::new() }
    }

    /// Bytes of memory that its buffers hold.
    pub fn memory_bytes(&self) -> usize {
        memory::vec(&self.hashes) + memory::vec(&self.targets)
    }

    /// The part of `batch` for each target that gets rows, targets ascending, rows in their order.
    ///
    /// A counting sort by target and one `take`, of which the parts are slices, or one for each of many targets. Nothing is
    /// done for a single target.
    pub fn split(&mut self, batch: EventBatch) -> Result<Vec<(u32, EventBatch)>> {
        if self.parallelism == 1 {
            return Ok(vec![(0, batch)]);
        }
        let rows = batch.num_rows();
        let keys: Vec<ArrayRef> = self.keys.iter().map(|&key| ArrayRef::clone(batch.rows.column(key))).collect();
        hash_rows(&keys, rows, &mut self.hashes)?;
        let (groups, parallelism) = (self.max_parallelism, self.parallelism);
        self.targets.clear();
        self.targets.extend(self.hashes.iter().map(|&hash| groups.owner(groups.group_of(hash), parallelism)));
        let starts = self.starts();
        if let Some(target) = (0..self.parallelism).find(|&t| starts[t as usize + 1] - starts[t as usize] == rows) {
            return Ok(vec![(target, batch)]);
        }
        let order = self.order(&starts);
        let parts = (0..self.parallelism).zip(starts.windows(2).map(|ends| ends[0]..ends[1]));
        let parts = parts.filter(|(_, rows)| !rows.is_empty());
        if self.parallelism > CUT_AMONG_MAX {
            return parts
                .map(|(target, rows)| Ok((target, batch.take(&order.slice(rows.start, rows.len()))?)))
                .collect();
        }
        let sorted = batch.take(&order)?;
        Ok(parts.map(|(target, rows)| (target, sorted.slice(rows.start, rows.len()))).collect())
    }

    /// Where each target's rows start once sorted, and the end.
    fn starts(&self) -> Vec<usize> {
        let mut starts = vec![0; self.parallelism as usize + 1];
        for &target in &self.targets {
            starts[target as usize + 1] += 1;
        }
        for target in 1..starts.len() {
            starts[target] += starts[target - 1];
        }
        starts
    }

    fn order(&self, starts: &[usize]) -> UInt32Array {
        let mut next = starts.to_vec();
        let mut order = vec![0_u32; self.targets.len()];
        for (row, &target) in (0_u32..).zip(&self.targets) {
            order[next[target as usize]] = row;
            next[target as usize] += 1;
        }
        UInt32Array::from(order)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Int64Array, RecordBatch, StringArray};

    use super::*;
    use crate::memory;

    const ROWS: i64 = 4096;

    fn batch() -> EventBatch {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..ROWS));
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..ROWS).map(|row| format!("row {row:08}"))));
        EventBatch::inserts(RecordBatch::try_from_iter([("n", numbers), ("text", texts)]).unwrap())
    }

    fn parts(parallelism: u32) -> Vec<(u32, EventBatch)> {
        KeySplitter::new(vec![0], MaxParallelism::DEFAULT, parallelism).split(batch()).unwrap()
    }

    /// Whatever way the parts are made, they are the rows of each key's owner in their order.
    #[test]
    fn every_row_goes_to_the_owner_of_its_key_in_order() {
        let row = |batch: &EventBatch| -> Vec<i64> {
            let numbers = batch.rows.column(0).as_primitive::<arrow::datatypes::Int64Type>();
            numbers.values().to_vec()
        };
        let mut hashes = Vec::new();
        hash_rows(&[ArrayRef::clone(batch().rows.column(0))], batch().num_rows(), &mut hashes).unwrap();
        let groups = MaxParallelism::DEFAULT;
        for parallelism in [1, 2, CUT_AMONG_MAX, CUT_AMONG_MAX + 1, 64] {
            let mut all = Vec::new();
            for (target, part) in parts(parallelism) {
                let numbers = row(&part);
                assert!(numbers.is_sorted() && !numbers.is_empty());
                let owner =
                    |number: i64| groups.owner(groups.group_of(hashes[usize::try_from(number).unwrap()]), parallelism);
                assert!(numbers.iter().all(|number| owner(*number) == target), "{target} of {parallelism}");
                all.extend(numbers);
            }
            all.sort_unstable();
            assert!(all.into_iter().eq(0..ROWS), "{parallelism}");
        }
    }

    #[test]
    fn a_part_for_one_of_many_keeps_no_others_in_memory() {
        let held = |parts: &[(u32, EventBatch)]| -> usize {
            parts.iter().map(|(_, part)| memory::arrays(part.rows.columns())).max().unwrap()
        };
        let whole = memory::arrays(batch().rows.columns());
        assert!(held(&parts(64)) < whole / 16, "{}", held(&parts(64)));
        // Few of them are slices of one batch.
        assert!(held(&parts(2)) > whole / 2);
    }
}
