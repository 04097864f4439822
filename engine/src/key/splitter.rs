//! Splits a batch by the subtask that owns each row's key.

use arrow::array::{ArrayRef, UInt32Array};

use super::hash::hash_rows;
use super::key_group::MaxParallelism;
use crate::batch::EventBatch;
use crate::error::Result;

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

    /// The part of `batch` for each target that gets rows, targets ascending, rows in their order.
    ///
    /// A counting sort by target and one `take`; the parts are slices of the result. Nothing is done for a single target.
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
        let sorted = batch.take(&self.order(&starts))?;
        Ok((0..self.parallelism)
            .filter_map(|target| {
                let (from, to) = (starts[target as usize], starts[target as usize + 1]);
                (to > from).then(|| (target, sorted.slice(from, to - from)))
            })
            .collect())
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
