//! `SUM` and `AVG`.
//!
//! Integers and decimals are added up in 128 bits, so that nothing is lost on the way, and only a result that does not fit
//! its type is an error. (Flink wraps around silently.) Floating-point sums are not invertible: taking a value away again
//! would leave its rounding behind.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::types::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow::array::{Array, ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType};

use super::{Accumulator, GroupIndex, RowNumbers, is_seen};
use crate::error::{Error, Result};
use crate::memory;
use crate::sql_type::sql_name;

/// The accumulators of `SUM` over `argument`, with results of type `output`.
pub(super) fn sum(argument: &DataType, output: &DataType) -> Result<Box<dyn Accumulator>> {
    make(argument, output, Kind::Sum)
}

/// The accumulators of `AVG` over `argument`, with results of type `output`.
pub(super) fn average(argument: &DataType, output: &DataType) -> Result<Box<dyn Accumulator>> {
    make(argument, output, Kind::Average)
}

fn make(argument: &DataType, output: &DataType, kind: Kind) -> Result<Box<dyn Accumulator>> {
    match argument {
        of if of.is_integer() => Ok(Box::new(Total::<i128>::new(argument, output, kind))),
        DataType::Decimal128(_, _) => Ok(Box::new(Total::<i128>::new(argument, output, kind))),
        of if of.is_floating() => Ok(Box::new(Total::<f64>::new(argument, output, kind))),
        other => Err(Error::Invalid(format!("a column of type {other} cannot be summed up"))),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sum,
    Average,
}

/// A number that sums are kept in.
trait Number: Copy + Default + Debug + Send + 'static {
    const INVERTIBLE: bool;
    /// The sum, and whether it has grown too large for the type.
    fn plus(self, other: Self) -> (Self, bool);
    fn minus(self, other: Self) -> (Self, bool);
    fn state_type() -> DataType;
    fn read(column: &ArrayRef, each: impl FnMut(usize, Self)) -> Result<()>;
    fn state(values: Vec<Self>) -> Result<ArrayRef>;
    /// The results: `None` where nothing was seen.
    fn results(
        totals: Vec<Option<(Self, i64)>>,
        kind: Kind,
        argument: &DataType,
        output: &DataType,
    ) -> Result<ArrayRef>;
}

/// Sum and number of values of each group.
#[derive(Debug)]
struct Total<N> {
    sums: Vec<N>,
    counts: Vec<i64>,
    argument: DataType,
    output: DataType,
    kind: Kind,
}

impl<N: Number> Total<N> {
    fn new(argument: &DataType, output: &DataType, kind: Kind) -> Self {
        Self { sums: Vec::new(), counts: Vec::new(), argument: argument.clone(), output: output.clone(), kind }
    }

    fn combine(&mut self, groups: &[GroupIndex], sums: &ArrayRef, by: impl Fn(N, N) -> (N, bool)) -> Result<()> {
        let mut too_large = false;
        N::read(sums, |row, value| {
            let group = groups[row] as usize;
            let (sum, overflows) = by(self.sums[group], value);
            self.sums[group] = sum;
            too_large |= overflows;
        })?;
        self.refuse_if(too_large)
    }

    fn refuse_if(&self, too_large: bool) -> Result<()> {
        if too_large {
            let message = format!("the sum of {} values does not fit 128 bits; cast them to DOUBLE", self.argument);
            return Err(Error::data("SUM or AVG", message));
        }
        Ok(())
    }
}

impl<N: Number> Accumulator for Total<N> {
    fn resize(&mut self, groups: usize) {
        self.sums.resize(groups, N::default());
        self.counts.resize(groups, 0);
    }

    fn update(
        &mut self,
        groups: &[GroupIndex],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
        _: RowNumbers<'_>,
    ) -> Result<()> {
        let Some(argument) = argument else { return Err(Error::internal("a sum without an argument")) };
        let nullable = (argument.null_count() > 0).then_some(argument.as_ref());
        let always = filter.is_none() && nullable.is_none();
        let mut too_large = false;
        N::read(argument, |row, value| {
            if always || is_seen(row, filter, nullable) {
                let group = groups[row] as usize;
                let (sum, overflows) = self.sums[group].plus(value);
                self.sums[group] = sum;
                self.counts[group] += 1;
                too_large |= overflows;
            }
        })?;
        self.refuse_if(too_large)
    }

    fn merge(&mut self, groups: &[GroupIndex], states: &[ArrayRef]) -> Result<()> {
        let counts = states[1].as_primitive::<Int64Type>().values();
        groups.iter().zip(counts).for_each(|(&group, count)| self.counts[group as usize] += count);
        self.combine(groups, &states[0], N::plus)
    }

    fn retract(&mut self, groups: &[GroupIndex], states: &[ArrayRef]) -> Result<()> {
        let counts = states[1].as_primitive::<Int64Type>().values();
        groups.iter().zip(counts).for_each(|(&group, count)| self.counts[group as usize] -= count);
        self.combine(groups, &states[0], N::minus)
    }

    fn is_invertible(&self) -> bool {
        N::INVERTIBLE
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![N::state_type(), DataType::Int64]
    }

    fn states(&self, groups: &[GroupIndex]) -> Result<Vec<ArrayRef>> {
        let sums = N::state(groups.iter().map(|&group| self.sums[group as usize]).collect())?;
        let counts = Int64Array::from_iter_values(groups.iter().map(|&group| self.counts[group as usize]));
        Ok(vec![sums, Arc::new(counts)])
    }

    fn values(&self, groups: &[GroupIndex]) -> Result<ArrayRef> {
        let totals = groups
            .iter()
            .map(|&group| (self.sums[group as usize], self.counts[group as usize]))
            .map(|total| (total.1 > 0).then_some(total))
            .collect();
        N::results(totals, self.kind, &self.argument, &self.output)
    }

    fn reset(&mut self, group: GroupIndex) {
        self.sums[group as usize] = N::default();
        self.counts[group as usize] = 0;
    }

    fn clear(&mut self) {
        self.sums.clear();
        self.counts.clear();
    }

    fn memory_bytes(&self) -> usize {
        memory::vec(&self.sums) + memory::vec(&self.counts)
    }
}

/// Calls `each` with every row's value; what a null row holds is of no meaning.
fn each_value<T: ArrowPrimitiveType, N>(
    column: &ArrayRef,
    convert: impl Fn(T::Native) -> N,
    mut each: impl FnMut(usize, N),
) -> Result<()> {
    for (row, &value) in column.as_primitive::<T>().values().iter().enumerate() {
        each(row, convert(value));
    }
    Ok(())
}

impl Number for i128 {
    const INVERTIBLE: bool = true;

    fn plus(self, other: Self) -> (Self, bool) {
        self.overflowing_add(other)
    }

    fn minus(self, other: Self) -> (Self, bool) {
        self.overflowing_sub(other)
    }

    fn state_type() -> DataType {
        DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0)
    }

    fn read(column: &ArrayRef, each: impl FnMut(usize, Self)) -> Result<()> {
        use DataType as T;
        match column.data_type() {
            T::Int8 => each_value::<Int8Type, _>(column, Self::from, each),
            T::Int16 => each_value::<Int16Type, _>(column, Self::from, each),
            T::Int32 => each_value::<Int32Type, _>(column, Self::from, each),
            T::Int64 => each_value::<Int64Type, _>(column, Self::from, each),
            T::UInt8 => each_value::<UInt8Type, _>(column, Self::from, each),
            T::UInt16 => each_value::<UInt16Type, _>(column, Self::from, each),
            T::UInt32 => each_value::<UInt32Type, _>(column, Self::from, each),
            T::UInt64 => each_value::<UInt64Type, _>(column, Self::from, each),
            T::Decimal128(_, _) => each_value::<Decimal128Type, _>(column, |value| value, each),
            other => Err(Error::internal(format!("an exact sum over {other}"))),
        }
    }

    fn state(values: Vec<Self>) -> Result<ArrayRef> {
        Ok(Arc::new(Decimal128Array::from(values).with_data_type(Self::state_type())))
    }

    fn results(
        totals: Vec<Option<(Self, i64)>>,
        kind: Kind,
        argument: &DataType,
        output: &DataType,
    ) -> Result<ArrayRef> {
        let scale_of = |of: &DataType| if let DataType::Decimal128(_, scale) = of { *scale } else { 0 };
        let scale_up = 10_i128.checked_pow(u32::from((scale_of(output) - scale_of(argument)).max(0).unsigned_abs()));
        let scaled = |sum: Self| scale_up.and_then(|by| sum.checked_mul(by));
        let result = |(sum, count): (Self, i64)| match (kind, output) {
            (Kind::Sum, _) => scaled(sum),
            (Kind::Average, DataType::Decimal128(_, _)) => scaled(sum).map(|sum| rounded(sum, Self::from(count))),
            (Kind::Average, _) => Some(sum / Self::from(count)),
        };
        let mut exact = Vec::with_capacity(totals.len());
        for total in totals {
            exact.push(match total {
                None => None,
                Some(total) => Some(result(total).ok_or_else(|| overflow(total.0, output))?),
            });
        }
        if let DataType::Decimal128(precision, scale) = output {
            let array = Decimal128Array::from(exact).with_precision_and_scale(*precision, *scale)?;
            array.validate_decimal_precision(*precision)?;
            return Ok(Arc::new(array));
        }
        narrow(&exact, output)
    }
}

/// `sum / count` rounded half away from zero, as Flink rounds decimals.
fn rounded(sum: i128, count: i128) -> i128 {
    let (quotient, remainder) = (sum / count, sum % count);
    if remainder.unsigned_abs() * 2 >= count.unsigned_abs() { quotient + sum.signum() } else { quotient }
}

/// The values in an integer type that all of them must fit.
fn narrow(values: &[Option<i128>], output: &DataType) -> Result<ArrayRef> {
    use DataType as T;
    match output {
        T::Int8 => fitting::<Int8Type>(values, output),
        T::Int16 => fitting::<Int16Type>(values, output),
        T::Int32 => fitting::<Int32Type>(values, output),
        T::Int64 => fitting::<Int64Type>(values, output),
        T::UInt8 => fitting::<UInt8Type>(values, output),
        T::UInt16 => fitting::<UInt16Type>(values, output),
        T::UInt32 => fitting::<UInt32Type>(values, output),
        T::UInt64 => fitting::<UInt64Type>(values, output),
        other => Err(Error::internal(format!("an exact sum as {other}"))),
    }
}

fn fitting<T: ArrowPrimitiveType>(values: &[Option<i128>], output: &DataType) -> Result<ArrayRef>
where
    T::Native: TryFrom<i128>,
{
    let fit = |value: i128| T::Native::try_from(value).map_err(|_| overflow(value, output));
    let fitting = values.iter().map(|value| value.map(fit).transpose()).collect::<Result<PrimitiveArray<T>>>()?;
    Ok(Arc::new(fitting))
}

fn overflow(value: i128, output: &DataType) -> Error {
    let output = sql_name(output);
    Error::data(
        "SUM or AVG",
        format!("the result {value} does not fit {output}; cast the argument to a wider type, such as DECIMAL(38, 0)"),
    )
}

impl Number for f64 {
    const INVERTIBLE: bool = false;

    fn plus(self, other: Self) -> (Self, bool) {
        (self + other, false)
    }

    fn minus(self, other: Self) -> (Self, bool) {
        (self - other, false)
    }

    fn state_type() -> DataType {
        DataType::Float64
    }

    fn read(column: &ArrayRef, each: impl FnMut(usize, Self)) -> Result<()> {
        match column.data_type() {
            DataType::Float32 => each_value::<Float32Type, _>(column, Self::from, each),
            DataType::Float64 => each_value::<Float64Type, _>(column, |value| value, each),
            DataType::Float16 => Self::read(&cast(column, &DataType::Float64)?, each),
            other => Err(Error::internal(format!("a floating-point sum over {other}"))),
        }
    }

    fn state(values: Vec<Self>) -> Result<ArrayRef> {
        Ok(Arc::new(Float64Array::from(values)))
    }

    fn results(totals: Vec<Option<(Self, i64)>>, kind: Kind, _: &DataType, output: &DataType) -> Result<ArrayRef> {
        #[expect(clippy::cast_precision_loss, reason = "a mean over 2^53 values is not exact anyway")]
        let result = |(sum, count): (Self, i64)| match kind {
            Kind::Sum => sum,
            Kind::Average => sum / count as Self,
        };
        let values: Float64Array = totals.into_iter().map(|total| total.map(result)).collect();
        Ok(cast(&values, output)?)
    }
}
