//! Columns as the encoders see them: typed views, made once for a batch, that write the text of one value.

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, BooleanArray, ListArray, MapArray, StringArray,
};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Schema, Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use millstream_engine::error::{Error, Result};
use millstream_engine::sql_type::sql_name;

use super::values::timestamp::TimestampStandard;
use super::values::write;

/// The values of a column.
#[derive(Debug)]
pub(super) struct Cells<'a> {
    array: &'a dyn Array,
    name: &'a str,
    values: Values<'a>,
}

#[derive(Debug)]
enum Values<'a> {
    Boolean(&'a BooleanArray),
    Int8(&'a [i8]),
    Int16(&'a [i16]),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    Float32(&'a [f32]),
    Float64(&'a [f64]),
    Decimal(&'a [i128], i8),
    Date(&'a [i32]),
    Time32(&'a [i32], TimeUnit),
    Time64(&'a [i64], TimeUnit),
    Timestamp { values: &'a [i64], unit: TimeUnit, utc: bool },
    Text(&'a StringArray),
    Bytes(&'a BinaryArray),
    Row(Vec<Cells<'a>>),
    List(&'a ListArray, Box<Cells<'a>>),
    Map(&'a MapArray, Box<Cells<'a>>, Box<Cells<'a>>),
}

/// One value.
#[derive(Debug)]
pub(super) enum Cell<'c> {
    Null,
    /// Its text was written: a number or a boolean.
    Bare,
    /// Its text was written: a number that JSON has no literal for, a date, a time, or bytes in base64.
    Plain,
    /// Text, not yet written.
    Text(&'c str),
    /// A row: its fields with their names.
    Row(&'c [Cells<'c>]),
    /// A list: elements from and to.
    List(&'c Cells<'c>, usize, usize),
    /// A map: keys and values, entries from and to.
    Map(&'c Cells<'c>, &'c Cells<'c>, usize, usize),
}

/// Refuses a schema with types that text formats cannot hold; with `maps` also maps, which only JSON can.
pub(super) fn check(schema: &Schema, maps: bool, format: &str) -> Result<()> {
    match schema.fields().iter().find(|field| !can_hold(field.data_type(), maps)) {
        None => Ok(()),
        Some(field) => Err(Error::Invalid(format!(
            "column `{}`: the format '{format}' cannot hold the type {}; cast it to STRING",
            field.name(),
            sql_name(field.data_type())
        ))),
    }
}

fn can_hold(data_type: &DataType, maps: bool) -> bool {
    match data_type {
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Decimal128(_, _)
        | DataType::Date32
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Timestamp(_, _)
        | DataType::Utf8
        | DataType::Binary => true,
        DataType::Struct(fields) => fields.iter().all(|field| can_hold(field.data_type(), maps)),
        DataType::List(element) => can_hold(element.data_type(), maps),
        DataType::Map(entries, _) => {
            maps && matches!(entries.data_type(), DataType::Struct(fields)
            if fields.len() == 2
                && *fields[0].data_type() == DataType::Utf8
                && can_hold(fields[1].data_type(), maps))
        }
        _ => false,
    }
}

impl<'a> Cells<'a> {
    /// The values of `array`, which is the column `field` of a schema that passed [`check`].
    pub(super) fn new(field: &'a Field, array: &'a ArrayRef) -> Result<Self> {
        let values = match array.data_type() {
            DataType::Boolean => Values::Boolean(array.as_boolean()),
            DataType::Int8 => Values::Int8(primitives::<Int8Type>(array)),
            DataType::Int16 => Values::Int16(primitives::<Int16Type>(array)),
            DataType::Int32 => Values::Int32(primitives::<Int32Type>(array)),
            DataType::Int64 => Values::Int64(primitives::<Int64Type>(array)),
            DataType::Float32 => Values::Float32(primitives::<Float32Type>(array)),
            DataType::Float64 => Values::Float64(primitives::<Float64Type>(array)),
            DataType::Decimal128(_, scale) => Values::Decimal(primitives::<Decimal128Type>(array), *scale),
            DataType::Date32 => Values::Date(primitives::<Date32Type>(array)),
            DataType::Time32(unit) => Values::Time32(
                match unit {
                    TimeUnit::Second => primitives::<Time32SecondType>(array),
                    _ => primitives::<Time32MillisecondType>(array),
                },
                *unit,
            ),
            DataType::Time64(unit) => Values::Time64(
                match unit {
                    TimeUnit::Nanosecond => primitives::<Time64NanosecondType>(array),
                    _ => primitives::<Time64MicrosecondType>(array),
                },
                *unit,
            ),
            DataType::Timestamp(unit, zone) => {
                let values = match unit {
                    TimeUnit::Second => primitives::<TimestampSecondType>(array),
                    TimeUnit::Millisecond => primitives::<TimestampMillisecondType>(array),
                    TimeUnit::Microsecond => primitives::<TimestampMicrosecondType>(array),
                    TimeUnit::Nanosecond => primitives::<TimestampNanosecondType>(array),
                };
                Values::Timestamp { values, unit: *unit, utc: zone.is_some() }
            }
            DataType::Utf8 => Values::Text(array.as_string()),
            DataType::Binary => Values::Bytes(array.as_binary()),
            DataType::Struct(fields) => {
                let columns = fields.iter().zip(array.as_struct().columns());
                Values::Row(columns.map(|(field, column)| Self::new(field, column)).collect::<Result<_>>()?)
            }
            DataType::List(element) => {
                let list = array.as_list();
                Values::List(list, Box::new(Self::new(element, list.values())?))
            }
            DataType::Map(_, _) => {
                let map = array.as_map();
                let (keys, values) = (Self::new(field, map.keys())?, Self::new(field, map.values())?);
                Values::Map(map, Box::new(keys), Box::new(values))
            }
            other => {
                return Err(Error::internal(format!("column `{}`: the type {other} cannot be encoded", field.name())));
            }
        };
        Ok(Self { array: array.as_ref(), name: field.name(), values })
    }

    /// The column's name.
    pub(super) fn name(&self) -> &'a str {
        self.name
    }

    /// The value at `row`. The text of a simple one is appended to `to`.
    #[inline]
    pub(super) fn write(&self, row: usize, standard: TimestampStandard, to: &mut Vec<u8>) -> Result<Cell<'_>> {
        if self.array.is_null(row) {
            return Ok(Cell::Null);
        }
        let written = match &self.values {
            Values::Boolean(values) => {
                to.extend_from_slice(if values.value(row) { b"true" } else { b"false" });
                Cell::Bare
            }
            Values::Int8(values) => {
                write::integer(values[row].into(), to);
                Cell::Bare
            }
            Values::Int16(values) => {
                write::integer(values[row].into(), to);
                Cell::Bare
            }
            Values::Int32(values) => {
                write::integer(values[row].into(), to);
                Cell::Bare
            }
            Values::Int64(values) => {
                write::integer(values[row], to);
                Cell::Bare
            }
            Values::Float32(values) => float(values[row].into(), &format!("{:e}", values[row]), to),
            Values::Float64(values) => float(values[row], &format!("{:e}", values[row]), to),
            Values::Decimal(values, scale) => {
                write::decimal(values[row], *scale, to);
                Cell::Bare
            }
            Values::Date(values) => self.plain(write::date(values[row], to), i64::from(values[row]))?,
            Values::Time32(values, unit) => {
                self.plain(write::time(values[row].into(), *unit, to), i64::from(values[row]))?
            }
            Values::Time64(values, unit) => self.plain(write::time(values[row], *unit, to), values[row])?,
            Values::Timestamp { values, unit, utc } => {
                self.plain(write::timestamp(values[row], *unit, standard, *utc, to), values[row])?
            }
            Values::Text(values) => Cell::Text(values.value(row)),
            Values::Bytes(values) => {
                to.extend_from_slice(STANDARD.encode(values.value(row)).as_bytes());
                Cell::Plain
            }
            Values::Row(fields) => Cell::Row(fields),
            Values::List(list, elements) => {
                let (from, until) = range(list.value_offsets(), row);
                Cell::List(elements, from, until)
            }
            Values::Map(map, keys, values) => {
                let (from, until) = range(map.value_offsets(), row);
                Cell::Map(keys, values, from, until)
            }
        };
        Ok(written)
    }

    fn plain(&self, written: bool, value: i64) -> Result<Cell<'_>> {
        if written {
            return Ok(Cell::Plain);
        }
        let type_name = sql_name(self.array.data_type());
        Err(Error::data(
            format!("column `{}`", self.name),
            format!("the value {value} of type {type_name} lies beyond the calendar"),
        ))
    }
}

fn float<'c>(value: f64, shortest: &str, to: &mut Vec<u8>) -> Cell<'c> {
    write::float(value, shortest, to);
    if value.is_finite() { Cell::Bare } else { Cell::Plain }
}

fn primitives<T: ArrowPrimitiveType>(array: &ArrayRef) -> &[T::Native] {
    array.as_primitive::<T>().values()
}

fn range(offsets: &[i32], row: usize) -> (usize, usize) {
    // Offsets are never negative.
    let offset = |place: usize| usize::try_from(offsets[place]).unwrap_or(0);
    (offset(row), offset(row + 1))
}
