//! Columns that grow by lanes of tokens.
//!
//! A [`Column`] appends the values of a lane in one loop that knows its type. A value that cannot be converted is a
//! [`Fault`]; a stand-in is appended for it, so that all columns stay equally long, and the row is dropped when the batch
//! is given out. Bad rows are rare, and this way good ones never pay for a roll-back.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, BooleanBufferBuilder, ListArray, MapArray, NullBufferBuilder, PrimitiveArray,
    StringArray, StructArray,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Field, FieldRef, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, Time32MillisecondType, Time32SecondType, Time64MicrosecondType,
    Time64NanosecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use millstream_engine::error::{Error, Result};
use millstream_engine::memory;
use millstream_engine::sql_type::sql_name;

mod append;
mod nested;

pub(crate) use append::{MARKER, NO_TIME, excerpt, no_time};

use super::values::timestamp::{Separator, TimestampReader};
use super::values::zone::Zone;

/// What a format decides about its values.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// How lists, maps and rows are written inside a value.
    pub(crate) nesting: Nesting,
    /// How timestamps are written.
    pub(crate) separator: Separator,
    /// What zone text without one is read in, for `TIMESTAMP_LTZ`.
    pub(crate) zone: Zone,
    /// Whether `BYTES` are written in base64; else they are what they are.
    pub(crate) base64: bool,
    /// A value that cannot be converted is null.
    pub(crate) null_for_errors: bool,
    /// A value that a record does not mention makes it bad; else it is null.
    pub(crate) fail_on_absent: bool,
    /// The column with the time of a row, which makes a row bad if it is null.
    pub(crate) time: Option<String>,
}

/// How lists, maps and rows are written inside a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Nesting {
    /// As JSON arrays and objects.
    Json,
    /// As elements with this between them; maps cannot be written, nor lists inside lists. `null` is what stands for null.
    Delimited {
        /// What stands between elements.
        delimiter: Vec<u8>,
        /// What stands for null.
        null: Option<Vec<u8>>,
    },
}

/// A value that cannot be what its column is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Its place in the lane.
    pub(crate) row: usize,
    /// What is wrong: names the column, the value and what it should be.
    pub(crate) reason: String,
}

/// A column that is being filled.
#[derive(Debug)]
pub(crate) struct Column {
    field: FieldRef,
    /// The column's name, with those of the rows around it, for messages.
    path: String,
    null: Null,
    nulls: NullBufferBuilder,
    values: Values,
}

/// What a null means in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Null {
    /// A value that is not there.
    Absent,
    /// A bad row: the column is `NOT NULL`.
    Refused,
    /// A bad row: the column is the time of rows.
    NoTime,
}

#[derive(Debug)]
enum Values {
    Boolean(BooleanBufferBuilder),
    Int8(Vec<i8>),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Decimal { values: Vec<i128>, precision: u8, scale: i8 },
    Date(Vec<i32>),
    Time32 { values: Vec<i32>, unit: TimeUnit },
    Time64 { values: Vec<i64>, unit: TimeUnit },
    Timestamp { values: Vec<i64>, unit: TimeUnit, reader: TimestampReader },
    Text(Blobs),
    Bytes(Blobs),
    Row { columns: Vec<Column>, length: usize },
    List { offsets: Vec<i32>, element: Box<Column> },
    Map { offsets: Vec<i32>, key: Box<Column>, value: Box<Column> },
}

/// Values of any length, one behind the other.
#[derive(Debug)]
struct Blobs {
    offsets: Vec<i32>,
    bytes: Vec<u8>,
}

impl Blobs {
    fn new() -> Self {
        Self { offsets: vec![0], bytes: Vec::new() }
    }

    /// Appends `input[start .. end]`. Short values are copied in pieces of a fixed size, of which too much is cut off again:
    /// a few vector moves in place of a call.
    #[inline]
    fn append_from(&mut self, input: &[u8], start: usize, end: usize) {
        const SHORT: usize = 32;
        const LONG: usize = 64;
        let (length, before) = (end - start, self.bytes.len());
        let rest = input.get(start..).unwrap_or_default();
        match (rest.first_chunk::<SHORT>(), rest.first_chunk::<LONG>()) {
            (Some(piece), _) if length <= SHORT => self.bytes.extend_from_slice(piece),
            (_, Some(piece)) if length <= LONG => self.bytes.extend_from_slice(piece),
            _ => return self.bytes.extend_from_slice(&rest[..length]),
        }
        self.bytes.truncate(before + length);
    }

    /// Ends the value whose bytes were appended.
    #[inline]
    fn end_value(&mut self) {
        self.offsets.push(length_offset(self.bytes.len()));
    }
}

/// An Arrow offset. A batch is far smaller than 2^31 bytes, see [`MAX_BATCH_BYTES`](super::rows::MAX_BATCH_BYTES).
#[inline]
fn length_offset(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

impl Column {
    /// An empty column for `field`. Fails for a type that the text formats cannot hold, naming it.
    pub(crate) fn new(field: &FieldRef, rules: &Rules) -> Result<Self> {
        Self::at(field.name().clone(), field, rules)
    }

    fn at(path: String, field: &FieldRef, rules: &Rules) -> Result<Self> {
        let values = Values::new(&path, field.data_type(), rules)?;
        let null = match field.is_nullable() {
            _ if rules.time.as_ref() == Some(&path) => Null::NoTime,
            true => Null::Absent,
            false => Null::Refused,
        };
        Ok(Self { field: Arc::clone(field), path, null, nulls: NullBufferBuilder::new(0), values })
    }

    /// The number of values.
    pub(crate) fn len(&self) -> usize {
        self.nulls.len()
    }

    /// The columns of the fields, if this is a row.
    pub(crate) fn fields_mut(&mut self) -> &mut [Self] {
        match &mut self.values {
            Values::Row { columns, .. } => columns,
            Values::Boolean(_)
            | Values::Int8(_)
            | Values::Int16(_)
            | Values::Int32(_)
            | Values::Int64(_)
            | Values::Float32(_)
            | Values::Float64(_)
            | Values::Decimal { .. }
            | Values::Date(_)
            | Values::Time32 { .. }
            | Values::Time64 { .. }
            | Values::Timestamp { .. }
            | Values::Text(_)
            | Values::Bytes(_)
            | Values::List { .. }
            | Values::Map { .. } => &mut [],
        }
    }

    /// Whether an integer fits the column's type, if it is a column of integers.
    pub(crate) fn holds(&self, number: i64) -> bool {
        match self.field.data_type() {
            DataType::Int8 => i8::try_from(number).is_ok(),
            DataType::Int16 => i16::try_from(number).is_ok(),
            DataType::Int32 => i32::try_from(number).is_ok(),
            DataType::Int64 => true,
            _ => false,
        }
    }

    /// Bytes of memory held.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.nulls.allocated_size() + self.values.memory_bytes()
    }

    /// The values as an array; the column is empty afterwards.
    pub(crate) fn finish(&mut self) -> Result<ArrayRef> {
        let nulls = self.nulls.finish();
        self.values.finish(self.field.data_type(), nulls)
    }
}

impl Values {
    fn new(path: &str, data_type: &DataType, rules: &Rules) -> Result<Self> {
        let nested = |path: String, field: &FieldRef| Column::at(path, field, rules);
        Ok(match data_type {
            DataType::Boolean => Self::Boolean(BooleanBufferBuilder::new(0)),
            DataType::Int8 => Self::Int8(Vec::new()),
            DataType::Int16 => Self::Int16(Vec::new()),
            DataType::Int32 => Self::Int32(Vec::new()),
            DataType::Int64 => Self::Int64(Vec::new()),
            DataType::Float32 => Self::Float32(Vec::new()),
            DataType::Float64 => Self::Float64(Vec::new()),
            DataType::Decimal128(precision, scale) => {
                Self::Decimal { values: Vec::new(), precision: *precision, scale: *scale }
            }
            DataType::Date32 => Self::Date(Vec::new()),
            DataType::Time32(unit) => Self::Time32 { values: Vec::new(), unit: *unit },
            DataType::Time64(unit) => Self::Time64 { values: Vec::new(), unit: *unit },
            DataType::Timestamp(unit, zone) => {
                let reader = TimestampReader::new(rules.separator, *unit, zone.is_some().then_some(rules.zone));
                Self::Timestamp { values: Vec::new(), unit: *unit, reader }
            }
            DataType::Utf8 => Self::Text(Blobs::new()),
            DataType::Binary => Self::Bytes(Blobs::new()),
            DataType::Struct(fields) => {
                let columns = fields.iter().map(|field| nested(format!("{path}.{}", field.name()), field));
                Self::Row { columns: columns.collect::<Result<_>>()?, length: 0 }
            }
            DataType::List(element) => {
                Self::List { offsets: vec![0], element: Box::new(nested(format!("{path}[]"), element)?) }
            }
            DataType::Map(entries, _) => map(path, entries, rules)?,
            _ => return Err(unsupported(path, data_type)),
        })
    }

    fn finish(&mut self, data_type: &DataType, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        Ok(match self {
            Self::Boolean(values) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            Self::Int8(values) => primitive::<Int8Type>(values, nulls, data_type),
            Self::Int16(values) => primitive::<Int16Type>(values, nulls, data_type),
            Self::Int32(values) => primitive::<Int32Type>(values, nulls, data_type),
            Self::Int64(values) => primitive::<Int64Type>(values, nulls, data_type),
            Self::Float32(values) => primitive::<Float32Type>(values, nulls, data_type),
            Self::Float64(values) => primitive::<Float64Type>(values, nulls, data_type),
            Self::Decimal { values, .. } => primitive::<Decimal128Type>(values, nulls, data_type),
            Self::Date(values) => primitive::<Date32Type>(values, nulls, data_type),
            Self::Time32 { values, unit } => match unit {
                TimeUnit::Second => primitive::<Time32SecondType>(values, nulls, data_type),
                _ => primitive::<Time32MillisecondType>(values, nulls, data_type),
            },
            Self::Time64 { values, unit } => match unit {
                TimeUnit::Nanosecond => primitive::<Time64NanosecondType>(values, nulls, data_type),
                _ => primitive::<Time64MicrosecondType>(values, nulls, data_type),
            },
            Self::Timestamp { values, unit, .. } => match unit {
                TimeUnit::Second => primitive::<TimestampSecondType>(values, nulls, data_type),
                TimeUnit::Millisecond => primitive::<TimestampMillisecondType>(values, nulls, data_type),
                TimeUnit::Microsecond => primitive::<TimestampMicrosecondType>(values, nulls, data_type),
                TimeUnit::Nanosecond => primitive::<TimestampNanosecondType>(values, nulls, data_type),
            },
            Self::Text(blobs) => {
                let (offsets, bytes) = finish_blobs(blobs);
                Arc::new(StringArray::try_new(offsets, bytes, nulls)?)
            }
            Self::Bytes(blobs) => {
                let (offsets, bytes) = finish_blobs(blobs);
                Arc::new(BinaryArray::try_new(offsets, bytes, nulls)?)
            }
            Self::Row { columns, length } => {
                let DataType::Struct(fields) = data_type else { return Err(mismatch(data_type)) };
                let arrays = columns.iter_mut().map(Column::finish).collect::<Result<_>>()?;
                Arc::new(StructArray::try_new_with_length(fields.clone(), arrays, nulls, std::mem::take(length))?)
            }
            Self::List { offsets, element } => {
                let DataType::List(field) = data_type else { return Err(mismatch(data_type)) };
                let offsets = finish_offsets(offsets);
                Arc::new(ListArray::try_new(Arc::clone(field), offsets, element.finish()?, nulls)?)
            }
            Self::Map { offsets, key, value } => {
                let DataType::Map(entries, sorted) = data_type else { return Err(mismatch(data_type)) };
                let DataType::Struct(fields) = entries.data_type() else { return Err(mismatch(data_type)) };
                let pairs = StructArray::try_new(fields.clone(), vec![key.finish()?, value.finish()?], None)?;
                let offsets = finish_offsets(offsets);
                Arc::new(MapArray::try_new(Arc::clone(entries), offsets, pairs, nulls, *sorted)?)
            }
        })
    }
}

impl Values {
    fn memory_bytes(&self) -> usize {
        match self {
            Self::Boolean(values) => values.capacity() / 8,
            Self::Int8(values) => memory::vec(values),
            Self::Int16(values) => memory::vec(values),
            Self::Int32(values) | Self::Date(values) | Self::Time32 { values, .. } => memory::vec(values),
            Self::Int64(values) | Self::Time64 { values, .. } | Self::Timestamp { values, .. } => memory::vec(values),
            Self::Float32(values) => memory::vec(values),
            Self::Float64(values) => memory::vec(values),
            Self::Decimal { values, .. } => memory::vec(values),
            Self::Text(blobs) | Self::Bytes(blobs) => memory::vec(&blobs.offsets) + memory::vec(&blobs.bytes),
            Self::Row { columns, .. } => columns.iter().map(Column::memory_bytes).sum(),
            Self::List { offsets, element } => memory::vec(offsets) + element.memory_bytes(),
            Self::Map { offsets, key, value } => memory::vec(offsets) + key.memory_bytes() + value.memory_bytes(),
        }
    }
}

fn map(path: &str, entries: &Field, rules: &Rules) -> Result<Values> {
    let unsupported = || unsupported(path, &DataType::Map(Arc::new(entries.clone()), false));
    let DataType::Struct(fields) = entries.data_type() else { return Err(unsupported()) };
    let [key, value] = fields.as_ref() else { return Err(unsupported()) };
    if key.data_type() != &DataType::Utf8 || rules.nesting != Nesting::Json {
        return Err(unsupported());
    }
    let key = Column::at(format!("{path} (key)"), key, rules)?;
    let value = Column::at(format!("{path} (value)"), value, rules)?;
    Ok(Values::Map { offsets: vec![0], key: Box::new(key), value: Box::new(value) })
}

fn primitive<T: ArrowPrimitiveType>(
    values: &mut Vec<T::Native>,
    nulls: Option<NullBuffer>,
    data_type: &DataType,
) -> ArrayRef {
    let values = ScalarBuffer::from(take_full(values));
    Arc::new(PrimitiveArray::<T>::new(values, nulls).with_data_type(data_type.clone()))
}

fn finish_blobs(blobs: &mut Blobs) -> (OffsetBuffer<i32>, Buffer) {
    (finish_offsets(&mut blobs.offsets), Buffer::from_vec(take_full(&mut blobs.bytes)))
}

fn finish_offsets(offsets: &mut Vec<i32>) -> OffsetBuffer<i32> {
    let full = take_full(offsets);
    offsets.push(0);
    OffsetBuffer::new(ScalarBuffer::from(full))
}

/// The values, and room for as many in their place: the next batch will be about as large as this one, and growing by
/// doubling would copy it once more.
fn take_full<T>(values: &mut Vec<T>) -> Vec<T> {
    let room = values.len() + values.len() / 8;
    std::mem::replace(values, Vec::with_capacity(room))
}

fn unsupported(path: &str, data_type: &DataType) -> Error {
    let name = sql_name(data_type);
    Error::Invalid(format!(
        "column `{path}`: this format cannot hold the type {name}; declare it as STRING and cast it"
    ))
}

fn mismatch(data_type: &DataType) -> Error {
    Error::internal(format!("a decoded column is not of its type {data_type}"))
}
