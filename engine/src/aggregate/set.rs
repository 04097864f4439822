//! All aggregates of one aggregation, addressed by the same groups.

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};

use super::{Accumulator, AggregateSpec, GroupIndex, RowNumbers, accumulator};
use crate::error::Result;

/// The accumulators of several aggregates over one input.
#[derive(Debug)]
pub struct AccumulatorSet {
    specs: Vec<AggregateSpec>,
    accumulators: Vec<Box<dyn Accumulator>>,
    groups: usize,
}

impl AccumulatorSet {
    /// The accumulators of `specs` over columns of `input`.
    pub fn new(specs: &[AggregateSpec], input: &Schema) -> Result<Self> {
        let accumulators = specs
            .iter()
            .map(|spec| accumulator(spec, spec.argument.map(|at| input.field(at).data_type())))
            .collect::<Result<_>>()?;
        Ok(Self { specs: specs.to_vec(), accumulators, groups: 0 })
    }

    /// Room for groups below `groups`.
    pub fn resize(&mut self, groups: usize) {
        if groups > self.groups {
            self.groups = groups;
            self.accumulators.iter_mut().for_each(|of| of.resize(groups));
        }
    }

    /// Sees the rows of `batch`, row `i` in group `groups[i]`. `numbers` numbers them by arrival.
    pub fn update(&mut self, groups: &[GroupIndex], batch: &RecordBatch, numbers: RowNumbers<'_>) -> Result<()> {
        for (spec, accumulator) in self.specs.iter().zip(&mut self.accumulators) {
            let filter: Option<&BooleanArray> = spec.filter.map(|at| batch.column(at).as_boolean());
            accumulator.update(groups, spec.argument.map(|at| batch.column(at)), filter, numbers)?;
        }
        Ok(())
    }

    /// Adds states in the columns of [`AccumulatorSet::states`].
    pub fn merge(&mut self, groups: &[GroupIndex], states: &[ArrayRef]) -> Result<()> {
        let mut at = 0;
        for accumulator in &mut self.accumulators {
            let width = accumulator.state_types().len();
            accumulator.merge(groups, &states[at..at + width])?;
            at += width;
        }
        Ok(())
    }

    /// Takes states away. Only if [`AccumulatorSet::is_invertible`].
    pub fn retract(&mut self, groups: &[GroupIndex], states: &[ArrayRef]) -> Result<()> {
        let mut at = 0;
        for accumulator in &mut self.accumulators {
            let width = accumulator.state_types().len();
            accumulator.retract(groups, &states[at..at + width])?;
            at += width;
        }
        Ok(())
    }

    /// Whether every aggregate can take states away.
    pub fn is_invertible(&self) -> bool {
        self.accumulators.iter().all(|of| of.is_invertible())
    }

    /// Name and type of each state column, in order. A name is the aggregate's place and the column's place in its state.
    pub fn state_fields(&self) -> Vec<Field> {
        let types: Vec<Vec<DataType>> = self.accumulators.iter().map(|of| of.state_types()).collect();
        let mut fields = Vec::new();
        for (aggregate, types) in types.into_iter().enumerate() {
            for (part, of) in types.into_iter().enumerate() {
                fields.push(Field::new(format!("aggregate_{aggregate}_{part}"), of, true));
            }
        }
        fields
    }

    /// The states of `groups`, all aggregates' columns in order.
    pub fn states(&self, groups: &[GroupIndex]) -> Result<Vec<ArrayRef>> {
        let mut columns = Vec::new();
        for accumulator in &self.accumulators {
            columns.extend(accumulator.states(groups)?);
        }
        Ok(columns)
    }

    /// The results of `groups`, a column for each aggregate.
    pub fn values(&self, groups: &[GroupIndex]) -> Result<Vec<ArrayRef>> {
        self.accumulators.iter().map(|of| of.values(groups)).collect()
    }

    /// Makes a group empty again.
    pub fn reset(&mut self, group: GroupIndex) {
        self.accumulators.iter_mut().for_each(|of| of.reset(group));
    }

    /// Makes room for none; memory is kept.
    pub fn clear(&mut self) {
        self.groups = 0;
        self.accumulators.iter_mut().for_each(|of| of.clear());
    }

    /// Bytes of memory held.
    pub fn memory_bytes(&self) -> usize {
        self.accumulators.iter().map(|of| of.memory_bytes()).sum()
    }
}
