//! The keys of one window or pane and their accumulators.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};

use super::{Phase, WindowAggregateSpec};
use crate::aggregate::{AccumulatorSet, GroupIndex, RowNumbers};
use crate::batch::EventBatch;
use crate::error::Result;
use crate::key::hash::hash_rows;
use crate::key::key_group::{KeyGroup, MaxParallelism};
use crate::key::table::KeyTable;
use crate::memory;

/// What is the same for all groups of an aggregation.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) spec: Arc<WindowAggregateSpec>,
    pub(super) key_fields: Vec<Field>,
    pub(super) state_fields: Vec<Field>,
    pub(super) partial: SchemaRef,
    pub(super) max_parallelism: MaxParallelism,
}

impl Layout {
    pub(super) fn new(spec: Arc<WindowAggregateSpec>, max_parallelism: MaxParallelism) -> Result<Self> {
        let key_fields = spec.keys.iter().map(|&key| spec.input.field(key).clone()).collect();
        let state_fields = AccumulatorSet::new(&spec.aggregates, &spec.input)?.state_fields();
        let partial = partial_schema(&spec)?;
        Ok(Self { spec, key_fields, state_fields, partial, max_parallelism })
    }

    pub(super) fn key_columns(&self, batch: &RecordBatch) -> Vec<ArrayRef> {
        self.spec.keys.iter().map(|&key| ArrayRef::clone(batch.column(key))).collect()
    }

    /// The key group of each row of `keys`.
    pub(super) fn key_groups(&self, keys: &[ArrayRef], rows: usize) -> Result<Vec<KeyGroup>> {
        let mut hashes = Vec::new();
        hash_rows(keys, rows, &mut hashes)?;
        Ok(hashes.into_iter().map(|hash| self.max_parallelism.group_of(hash)).collect())
    }
}

/// The columns of partial results: keys, pane, number of rows, states. The exchange carries them in this order.
pub fn partial_schema(spec: &WindowAggregateSpec) -> Result<SchemaRef> {
    let mut fields: Vec<Field> = spec.keys.iter().map(|&key| spec.input.field(key).clone()).collect();
    fields.push(window_field("window_start"));
    fields.push(window_field("window_end"));
    fields.push(Field::new("rows", DataType::Int64, false));
    fields.extend(AccumulatorSet::new(&spec.aggregates, &spec.input)?.state_fields());
    Ok(Arc::new(Schema::new(fields)))
}

pub(crate) fn window_field(name: &str) -> Field {
    Field::new(name, DataType::Timestamp(arrow::datatypes::TimeUnit::Millisecond, None), false)
}

/// What was known of some keys: see [`Groups::recall`].
#[derive(Debug)]
pub(super) struct Recollection {
    keys: Vec<ArrayRef>,
    rows: ArrayRef,
    states: Vec<ArrayRef>,
}

impl Recollection {
    pub(super) fn memory_bytes(&self) -> usize {
        memory::arrays(&self.keys) + self.rows.get_buffer_memory_size() + memory::arrays(&self.states)
    }
}

/// A table with room for so many times the groups that there are is not worth keeping.
const OVERSIZED: usize = 8;

/// Keys, and what is known of each.
#[derive(Debug)]
pub(super) struct Groups {
    keys: KeyTable,
    accumulators: AccumulatorSet,
    /// How many rows each group has; 0 where a number is free.
    rows: Vec<i64>,
    found: Vec<GroupIndex>,
}

impl Groups {
    pub(super) fn new(layout: &Layout) -> Result<Self> {
        let types = layout.key_fields.iter().map(|field| field.data_type().clone()).collect();
        let accumulators = AccumulatorSet::new(&layout.spec.aggregates, &layout.spec.input)?;
        Ok(Self { keys: KeyTable::new(types)?, accumulators, rows: Vec::new(), found: Vec::new() })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// How many rows all groups have together.
    pub(super) fn num_rows(&self) -> usize {
        usize::try_from(self.rows.iter().sum::<i64>()).unwrap_or(usize::MAX)
    }

    pub(super) fn is_invertible(&self) -> bool {
        self.accumulators.is_invertible()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let addressed = self.accumulators.memory_bytes() + memory::vec(&self.rows);
        self.keys.memory_bytes() + addressed + memory::vec(&self.found)
    }

    /// Whether it has room for far more groups than there were since it was cleared.
    pub(super) fn is_oversized(&self) -> bool {
        self.rows.len() < self.rows.capacity() / OVERSIZED && self.memory_bytes() > memory::KEPT_WHEN_EMPTY
    }

    /// Adds rows, or partials in the global phase.
    pub(super) fn take_in(&mut self, layout: &Layout, part: &EventBatch, numbers: RowNumbers<'_>) -> Result<()> {
        match layout.spec.phase {
            Phase::Single | Phase::Local => self.update(&layout.key_columns(&part.rows), &part.rows, numbers),
            Phase::Global => {
                let columns = part.rows.columns();
                let keys = layout.key_fields.len();
                self.merge(&columns[..keys], &columns[keys + 2], &columns[keys + 3..])
            }
        }
    }

    /// Adds rows.
    fn update(&mut self, keys: &[ArrayRef], batch: &RecordBatch, numbers: RowNumbers<'_>) -> Result<()> {
        self.find(keys, batch.num_rows())?;
        self.found.iter().for_each(|&group| self.rows[group as usize] += 1);
        self.accumulators.update(&self.found, batch, numbers)
    }

    /// Adds states: keys, how many rows, and the columns of [`AccumulatorSet::states`].
    pub(super) fn merge(&mut self, keys: &[ArrayRef], rows: &ArrayRef, states: &[ArrayRef]) -> Result<()> {
        self.find(keys, rows.len())?;
        let counts = rows.as_primitive::<Int64Type>().values();
        self.found.iter().zip(counts).for_each(|(&group, count)| self.rows[group as usize] += count);
        self.accumulators.merge(&self.found, states)
    }

    /// Adds all of `other`.
    pub(super) fn merge_groups(&mut self, other: &Self) -> Result<()> {
        let groups = other.live();
        self.merge(&other.key_columns(&groups)?, &other.row_counts(&groups), &other.states(&groups)?)
    }

    /// Takes all of `other` away; keys without rows are forgotten.
    pub(super) fn retract_groups(&mut self, other: &Self) -> Result<()> {
        let groups = other.live();
        self.find(&other.key_columns(&groups)?, groups.len())?;
        self.accumulators.retract(&self.found, &other.states(&groups)?)?;
        for (&group, &from) in self.found.iter().zip(&groups) {
            self.rows[group as usize] -= other.rows[from as usize];
            if self.rows[group as usize] == 0 {
                self.accumulators.reset(group);
                self.keys.remove(group);
            }
        }
        Ok(())
    }

    /// What is known here of the keys of `other`. Keys that are not known are so after [`Groups::put_back`] too.
    pub(super) fn recall(&mut self, other: &Self) -> Result<Recollection> {
        let groups = other.live();
        let keys = other.key_columns(&groups)?;
        self.find(&keys, groups.len())?;
        let (rows, states) = (self.row_counts(&self.found), self.states(&self.found)?);
        Ok(Recollection { keys, rows, states })
    }

    /// Makes what is known of the keys in `known` what it was when they were recalled.
    pub(super) fn put_back(&mut self, known: Recollection) -> Result<()> {
        self.find(&known.keys, known.rows.len())?;
        let rows = known.rows.as_primitive::<Int64Type>();
        let mut returning = Vec::with_capacity(rows.len());
        for (place, (&group, &rows)) in (0_u32..).zip(self.found.iter().zip(rows.values())) {
            self.rows[group as usize] = 0;
            self.accumulators.reset(group);
            if rows > 0 {
                returning.push(place);
            } else {
                self.keys.remove(group);
            }
        }
        let returning = UInt32Array::from(returning);
        let of = |column: &ArrayRef| take(column, &returning, None);
        let keys = known.keys.iter().map(of).collect::<Result<Vec<_>, _>>()?;
        let states = known.states.iter().map(of).collect::<Result<Vec<_>, _>>()?;
        self.merge(&keys, &of(&known.rows)?, &states)
    }

    fn find(&mut self, keys: &[ArrayRef], rows: usize) -> Result<()> {
        self.keys.intern(keys, rows, &mut self.found)?;
        let used = self.keys.capacity_used();
        self.accumulators.resize(used);
        self.rows.resize(used, 0);
        Ok(())
    }

    /// The groups that have rows, ascending.
    pub(super) fn live(&self) -> Vec<GroupIndex> {
        (0..).zip(&self.rows).filter_map(|(group, rows)| (*rows > 0).then_some(group)).collect()
    }

    pub(super) fn key_columns(&self, groups: &[GroupIndex]) -> Result<Vec<ArrayRef>> {
        self.keys.columns(groups)
    }

    pub(super) fn values(&self, groups: &[GroupIndex]) -> Result<Vec<ArrayRef>> {
        self.accumulators.values(groups)
    }

    pub(super) fn states(&self, groups: &[GroupIndex]) -> Result<Vec<ArrayRef>> {
        self.accumulators.states(groups)
    }

    pub(super) fn row_counts(&self, groups: &[GroupIndex]) -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(groups.iter().map(|&group| self.rows[group as usize])))
    }

    /// Forgets everything and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.accumulators.clear();
        self.rows.clear();
    }
}
