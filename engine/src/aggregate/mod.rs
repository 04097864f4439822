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
