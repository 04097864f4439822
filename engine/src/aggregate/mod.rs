//! Aggregate functions: many accumulators of one kind, in columns.

use arrow::datatypes::{DataType, Field};

/// One aggregate of an aggregation, over columns of its input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AggregateSpec {
    /// What is computed.
    pub function: AggregateFunction,
    /// The column it is computed over; none for `COUNT(*)`.
    pub argument: Option<usize>,
    /// Whether each value counts once (`COUNT(DISTINCT x)`).
    pub distinct: bool,
    /// The `Boolean` column of `FILTER (WHERE …)`: only rows where it is true are seen.
    pub filter: Option<usize>,
    /// Name, type and nullability of the result. The type is Flink's and may be narrower than the accumulator.
    pub output: Field,
}

/// The functions there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AggregateFunction {
    /// Rows, or values that are not null.
    Count,
    /// Sum of the values that are not null; null without any.
    Sum,
    /// Least value; null without any.
    Min,
    /// Greatest value; null without any.
    Max,
    /// Mean; for integers rounded towards zero, as Flink has it. Null without any.
    Avg,
    /// The first value to arrive that is not null.
    First,
    /// The last value to arrive that is not null.
    Last,
}

impl AggregateFunction {
    /// The type that Flink gives the result over an argument of type `argument`, or `None` if there is no such aggregate.
    ///
    /// Integers keep their type in SUM and AVG; `DECIMAL(p, s)` sums to `DECIMAL(38, s)` and averages to
    /// `DECIMAL(38, max(6, s))`.
    pub fn result_type(self, argument: Option<&DataType>) -> Option<DataType> {
        use DataType as T;
        match (self, argument) {
            (Self::Count, _) => Some(T::Int64),
            (_, None) => None,
            (Self::Sum, Some(T::Decimal128(_, scale))) => Some(T::Decimal128(38, *scale)),
            (Self::Avg, Some(T::Decimal128(_, scale))) => Some(T::Decimal128(38, (*scale).max(6))),
            (Self::Sum | Self::Avg, Some(of)) if of.is_integer() || of.is_floating() => Some(of.clone()),
            (Self::Sum | Self::Avg, Some(_)) => None,
            (Self::Min | Self::Max, Some(of)) if of.is_nested() => None,
            (Self::Min | Self::Max | Self::First | Self::Last, Some(of)) => Some(of.clone()),
        }
    }
}

mod counts;
mod distinct;
mod extremes;
mod positions;
mod sums;

pub use set::AccumulatorSet;
mod set;

use arrow::array::{ArrayRef, BooleanArray};

use crate::error::{Error, Result};

/// The number of a group: accumulators are columns addressed by it.
pub type GroupIndex = u32;

/// The numbers of a batch's rows in the order of their arrival at the subtask, so that the first and the last are known
/// however rows are ordered and merged afterwards.
#[derive(Debug, Clone, Copy)]
pub enum RowNumbers<'a> {
    /// This one, and one more for each row.
    Consecutive(i64),
    /// `first` and the place that each row had in its batch.
    Ordered {
        /// The number of the batch's first row.
        first: i64,
        /// The place of each row.
        order: &'a [u32],
    },
}

impl RowNumbers<'_> {
    /// The number of row `row`.
    #[inline]
    pub fn of(self, row: usize) -> i64 {
        match self {
            Self::Consecutive(first) => first + i64::try_from(row).unwrap_or(i64::MAX),
            Self::Ordered { first, order } => first + i64::from(order[row]),
        }
    }
}

/// The accumulators of one aggregate, one for each group.
///
/// `groups[i]` is the group of row `i` of the other arguments. Every index is below what [`Accumulator::resize`] made room
/// for. States are plain columns: they are what is stored, exchanged between partial and final aggregation, and merged.
pub trait Accumulator: Send + std::fmt::Debug {
    /// Room for groups below `groups`; new ones are empty.
    fn resize(&mut self, groups: usize);

    /// Sees a value for each row. `arguments` is the argument column, if the function has one; where `filter` is there, only
    /// rows for which it is true are seen. `numbers` numbers them by
    /// arrival.
    fn update(
        &mut self,
        groups: &[GroupIndex],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
        numbers: RowNumbers<'_>,
    ) -> Result<()>;

    /// Adds states that [`Accumulator::states`] gave out.
    fn merge(&mut self, groups: &[GroupIndex], states: &[ArrayRef]) -> Result<()>;

    /// Takes states away that were merged before. Only for accumulators that are [`Accumulator::is_invertible`].
    fn retract(&mut self, groups: &[GroupIndex], states: &[ArrayRef]) -> Result<()>;

    /// Whether [`Accumulator::retract`] works.
    fn is_invertible(&self) -> bool;

    /// The types of the state's columns.
    fn state_types(&self) -> Vec<DataType>;

    /// The states of these groups. Nothing changes.
    fn states(&self, groups: &[GroupIndex]) -> Result<Vec<ArrayRef>>;

    /// The results of these groups, in the type of the aggregate's output. Nothing changes.
    fn values(&self, groups: &[GroupIndex]) -> Result<ArrayRef>;

    /// Makes the group empty again.
    fn reset(&mut self, group: GroupIndex);

    /// Makes room for none; memory is kept.
    fn clear(&mut self);

    /// Bytes of memory held. Takes no longer the more groups there are.
    fn memory_bytes(&self) -> usize;
}

/// The accumulators of `spec` over an argument of type `argument`.
pub fn accumulator(spec: &AggregateSpec, argument: Option<&DataType>) -> Result<Box<dyn Accumulator>> {
    match (spec.distinct, spec.function) {
        // The least of distinct values is the least value, and the first of them the first.
        (false, _) | (true, AggregateFunction::Min | AggregateFunction::Max | AggregateFunction::First) => {
            plain(spec, argument)
        }
        (true, AggregateFunction::Count | AggregateFunction::Sum | AggregateFunction::Avg) => {
            let inner = [plain(spec, argument)?, plain(spec, argument)?];
            Ok(Box::new(distinct::Distinct::new(inner, required(spec, argument)?)?))
        }
        // The last value to come for the first time: nothing that parts of a window could be merged to.
        (true, AggregateFunction::Last) => {
            Err(Error::Invalid("LAST_VALUE over DISTINCT values is not supported; leave DISTINCT out".to_owned()))
        }
    }
}

/// The accumulators of `spec` over all values.
fn plain(spec: &AggregateSpec, argument: Option<&DataType>) -> Result<Box<dyn Accumulator>> {
    let output = spec.output.data_type();
    Ok(match spec.function {
        AggregateFunction::Count => Box::new(counts::Count::default()),
        AggregateFunction::Sum => sums::sum(required(spec, argument)?, output)?,
        AggregateFunction::Avg => sums::average(required(spec, argument)?, output)?,
        AggregateFunction::Min => extremes::extreme(required(spec, argument)?, extremes::Side::Least)?,
        AggregateFunction::Max => extremes::extreme(required(spec, argument)?, extremes::Side::Greatest)?,
        AggregateFunction::First => {
            Box::new(positions::Position::new(required(spec, argument)?, positions::End::First)?)
        }
        AggregateFunction::Last => Box::new(positions::Position::new(required(spec, argument)?, positions::End::Last)?),
    })
}

fn required<'a>(spec: &AggregateSpec, argument: Option<&'a DataType>) -> Result<&'a DataType> {
    argument.ok_or_else(|| Error::internal(format!("{:?} without an argument", spec.function)))
}

/// Whether row `row` is seen: its filter is true (null counts as false) and its argument is not null.
#[inline]
fn is_seen(row: usize, filter: Option<&BooleanArray>, argument: Option<&dyn arrow::array::Array>) -> bool {
    use arrow::array::Array;
    filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
        && argument.is_none_or(|argument| argument.is_valid(row))
}
