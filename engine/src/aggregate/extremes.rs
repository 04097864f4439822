//! `MIN` and `MAX`.

use std::cmp::Ordering;
use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::types::{
    Date32Type, Date64Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow::array::{Array, ArrayRef, ArrowNativeTypeOp, ArrowPrimitiveType, BooleanArray, PrimitiveArray};
use arrow::compute::{max, min};
use arrow::datatypes::{DataType, TimeUnit};

use super::{Accumulator, GroupIndex, RowNumbers, is_seen};
use crate::error::{Error, Result};
use crate::key::table::RowBytes;
use crate::memory;

/// Which end is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Least,
    Greatest,
}

/// The accumulators of `MIN` or `MAX` over `argument`.
pub(super) fn extreme(argument: &DataType, side: Side) -> Result<Box<dyn Accumulator>> {
    fn primitive<T: ArrowPrimitiveType + Debug>(argument: &DataType, side: Side) -> Box<dyn Accumulator> {
        Box::new(Primitive::<T> { values: Vec::new(), argument: argument.clone(), side })
    }
    use DataType as T;
    Ok(match argument {
        T::Int8 => primitive::<Int8Type>(argument, side),
        T::Int16 => primitive::<Int16Type>(argument, side),
        T::Int32 => primitive::<Int32Type>(argument, side),
        T::Int64 => primitive::<Int64Type>(argument, side),
        T::UInt8 => primitive::<UInt8Type>(argument, side),
        T::UInt16 => primitive::<UInt16Type>(argument, side),
        T::UInt32 => primitive::<UInt32Type>(argument, side),
        T::UInt64 => primitive::<UInt64Type>(argument, side),
        T::Float32 => primitive::<Float32Type>(argument, side),
        T::Float64 => primitive::<Float64Type>(argument, side),
        T::Decimal128(_, _) => primitive::<Decimal128Type>(argument, side),
        T::Date32 => primitive::<Date32Type>(argument, side),
        T::Date64 => primitive::<Date64Type>(argument, side),
        T::Time32(TimeUnit::Second) => primitive::<Time32SecondType>(argument, side),
        T::Time32(_) => primitive::<Time32MillisecondType>(argument, side),
        T::Time64(TimeUnit::Microsecond) => primitive::<Time64MicrosecondType>(argument, side),
        T::Time64(_) => primitive::<Time64NanosecondType>(argument, side),
        T::Timestamp(TimeUnit::Second, _) => primitive::<TimestampSecondType>(argument, side),
        T::Timestamp(TimeUnit::Millisecond, _) => primitive::<TimestampMillisecondType>(argument, side),
        T::Timestamp(TimeUnit::Microsecond, _) => primitive::<TimestampMicrosecondType>(argument, side),
        T::Timestamp(TimeUnit::Nanosecond, _) => primitive::<TimestampNanosecondType>(argument, side),
        T::Boolean | T::Utf8 | T::LargeUtf8 | T::Utf8View | T::Binary | T::LargeBinary | T::BinaryView => {
            Box::new(Ordered {
                rows: RowBytes::new(std::slice::from_ref(argument))?,
                values: Vec::new(),
                value_bytes: 0,
                argument: argument.clone(),
                side,
            })
        }
        other => return Err(Error::Invalid(format!("a column of type {other} has no least or greatest value"))),
    })
}

/// The extreme value of each group, of a type with a native representation.
#[derive(Debug)]
struct Primitive<T: ArrowPrimitiveType> {
    values: Vec<Option<T::Native>>,
    argument: DataType,
    side: Side,
}

impl<T: ArrowPrimitiveType + Debug> Primitive<T> {
    #[inline]
    fn offer(&mut self, group: GroupIndex, value: T::Native) {
        let held = &mut self.values[group as usize];
        let better = match (*held, self.side) {
            (None, _) => true,
            (Some(held), Side::Least) => value.is_lt(held),
            (Some(held), Side::Greatest) => value.is_gt(held),
        };
        if better {
            *held = Some(value);
        }
    }

    /// One group for the whole batch: the extreme of the column is found without looking at rows one by one.
    fn offer_all(&mut self, group: GroupIndex, column: &PrimitiveArray<T>) {
        let best = match self.side {
            Side::Least => min(column),
            Side::Greatest => max(column),
        };
        if let Some(best) = best {
            self.offer(group, best);
        }
    }
}

impl<T: ArrowPrimitiveType + Debug> Accumulator for Primitive<T> {
    fn resize(&mut self, groups: usize) {
        self.values.resize(groups, None);
    }

    fn update(
        &mut self,
        groups: &[GroupIndex],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
        _: RowNumbers<'_>,
    ) -> Result<()> {
        let Some(argument) = argument else { return Err(Error::internal("MIN or MAX without an argument")) };
        let column = argument.as_primitive::<T>();
        if filter.is_none() && self.values.len() == 1 {
            self.offer_all(0, column);
            return Ok(());
        }
        let nullable = (column.null_count() > 0).then_some(argument.as_ref());
        let always = filter.is_none() && nullable.is_none();
        for (row, (&group, &value)) in groups.iter().zip(column.values()).enumerate() {
            if always || is_seen(row, filter, nullable) {
                self.offer(group, value);
            }
        }
        Ok(())
    }

    fn merge(&mut self, groups: &[GroupIndex], states: &[ArrayRef]) -> Result<()> {
        for (&group, value) in groups.iter().zip(states[0].as_primitive::<T>()) {
            if let Some(value) = value {
                self.offer(group, value);
            }
        }
        Ok(())
    }

    fn retract(&mut self, _: &[GroupIndex], _: &[ArrayRef]) -> Result<()> {
        Err(Error::internal("MIN and MAX cannot take a value away"))
    }

    fn is_invertible(&self) -> bool {
        false
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.argument.clone()]
    }

    fn states(&self, groups: &[GroupIndex]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.values(groups)?])
    }

    fn values(&self, groups: &[GroupIndex]) -> Result<ArrayRef> {
        let values: PrimitiveArray<T> = groups.iter().map(|&group| self.values[group as usize]).collect();
        Ok(Arc::new(values.with_data_type(self.argument.clone())))
    }

    fn reset(&mut self, group: GroupIndex) {
        self.values[group as usize] = None;
    }

    fn clear(&mut self) {
        self.values.clear();
    }

    fn memory_bytes(&self) -> usize {
        memory::vec(&self.values)
    }
}

/// The extreme value of each group, of a type that is ordered as bytes in Arrow's row encoding.
#[derive(Debug)]
struct Ordered {
    rows: RowBytes,
    values: Vec<Option<Box<[u8]>>>,
    /// Bytes of the blocks that `values` point to.
    value_bytes: usize,
    argument: DataType,
    side: Side,
}

impl Ordered {
    fn offer(&mut self, group: GroupIndex, value: &[u8]) {
        let held = &mut self.values[group as usize];
        let better = match (held.as_deref().map(|held| value.cmp(held)), self.side) {
            (None, _) => true,
            (Some(order), Side::Least) => order == Ordering::Less,
            (Some(order), Side::Greatest) => order == Ordering::Greater,
        };
        if better {
            let before = held.replace(value.into());
            self.value_bytes += memory::block(value.len());
            self.value_bytes -= before.map_or(0, |before| memory::block(before.len()));
        }
    }
}

impl Accumulator for Ordered {
    fn resize(&mut self, groups: usize) {
        self.values.resize(groups, None);
    }

    fn update(
        &mut self,
        groups: &[GroupIndex],
        argument: Option<&ArrayRef>,
        filter: Option<&BooleanArray>,
        _: RowNumbers<'_>,
    ) -> Result<()> {
        let Some(argument) = argument else { return Err(Error::internal("MIN or MAX without an argument")) };
        let encoded = self.rows.encode(std::slice::from_ref(argument))?;
        for (row, &group) in groups.iter().enumerate() {
            if is_seen(row, filter, Some(argument.as_ref())) {
                self.offer(group, encoded.row(row).data());
            }
        }
        Ok(())
    }

    fn merge(&mut self, groups: &[GroupIndex], states: &[ArrayRef]) -> Result<()> {
        self.update(groups, Some(&states[0]), None, RowNumbers::Consecutive(0))
    }

    fn retract(&mut self, _: &[GroupIndex], _: &[ArrayRef]) -> Result<()> {
        Err(Error::internal("MIN and MAX cannot take a value away"))
    }

    fn is_invertible(&self) -> bool {
        false
    }

    fn state_types(&self) -> Vec<DataType> {
        vec![self.argument.clone()]
    }

    fn states(&self, groups: &[GroupIndex]) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.values(groups)?])
    }

    fn values(&self, groups: &[GroupIndex]) -> Result<ArrayRef> {
        super::positions::nullable_rows(
            &self.rows,
            &self.argument,
            groups.iter().map(|&group| self.values[group as usize].as_deref()),
        )
    }

    fn reset(&mut self, group: GroupIndex) {
        let before = self.values[group as usize].take();
        self.value_bytes -= before.map_or(0, |before| memory::block(before.len()));
    }

    fn clear(&mut self) {
        self.values.clear();
        self.value_bytes = 0;
    }

    fn memory_bytes(&self) -> usize {
        memory::vec(&self.values) + self.value_bytes
    }
}
