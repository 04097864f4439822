//! Makes columns: each value from a row's number and the column's seed.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, ListArray, MapArray, RecordBatch, RecordBatchOptions, StringBuilder,
    StructArray, Time32MillisecondArray, Time32SecondArray, Time64MicrosecondArray, Time64NanosecondArray,
    TimestampMillisecondArray, make_array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer, OffsetBuffer};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, FieldRef, Fields, SchemaRef, TimeUnit};
use millstream_engine::error::{Error, Result};

const DAY_MS: i64 = 86_400_000;

/// Makes one column, or a part of one.
#[derive(Debug, Clone)]
pub(crate) struct Generator {
    /// Name, type, nullability.
    pub(crate) field: FieldRef,
    /// Tells its values from those of other columns.
    pub(crate) seed: u64,
    /// How many of 2^32 values are null.
    pub(crate) nulls: u64,
    /// What the others are.
    pub(crate) values: Values,
}

/// How values are made.
#[derive(Debug, Clone)]
pub(crate) enum Values {
    /// Either, equally often.
    Boolean,
    /// A whole number between two, both included, in any integer type.
    Integer { min: i64, max: i64 },
    /// A number between two.
    Float { min: f64, max: f64 },
    /// A decimal between two, both included; they are scaled.
    Decimal { min: i128, max: i128 },
    /// Hexadecimal digits. `any_length`: up to `length` of them, at least one.
    Text { length: usize, any_length: bool },
    /// Bytes.
    Bytes { length: usize, any_length: bool },
    /// The time of the row, or up to so many milliseconds before.
    Time { max_past_ms: i64 },
    /// `start + row`, in any type that a whole number can be cast to.
    Sequence { start: i64 },
    /// A row.
    Row(Vec<Generator>),
    /// `length` elements.
    List { element: Box<Generator>, length: usize },
    /// `length` entries.
    Map { key: Box<Generator>, value: Box<Generator>, length: usize },
}

/// Which rows to make.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    /// Their numbers.
    pub(crate) numbers: &'a [u64],
    /// The time of each, in milliseconds since 1970-01-01 UTC.
    pub(crate) times_ms: &'a [i64],
}

/// Makes a batch of `schema`, a generator for each column.
pub(crate) fn batch(schema: &SchemaRef, generators: &[Generator], rows: Rows<'_>) -> Result<RecordBatch> {
    let columns = generators.iter().map(|generator| generator.make(rows)).collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows.numbers.len()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}

impl Generator {
    /// The values of `rows`.
    pub(crate) fn make(&self, rows: Rows<'_>) -> Result<ArrayRef> {
        let values = self.values_of(rows)?;
        if self.nulls == 0 {
            return Ok(values);
        }
        let seed = mix(self.seed);
        let valid = rows.numbers.iter().map(|&number| random(seed, number) >> 32 >= self.nulls);
        let nulls = NullBuffer::new(valid.collect::<BooleanBuffer>());
        Ok(make_array(values.to_data().into_builder().nulls(Some(nulls)).build()?))
    }

    /// About how many bytes a value takes: what bounds batches.
    pub(crate) fn value_bytes(&self) -> u64 {
        match &self.values {
            Values::Boolean | Values::Integer { .. } | Values::Float { .. } | Values::Time { .. } => 8,
            Values::Decimal { .. } | Values::Sequence { .. } => 16,
            Values::Text { length, .. } | Values::Bytes { length, .. } => 4 + *length as u64,
            Values::Row(fields) => fields.iter().fold(0, |sum, field| field.value_bytes().saturating_add(sum)),
            Values::List { element, length } => element.value_bytes().saturating_mul(*length as u64),
            Values::Map { key, value, length } => {
                key.value_bytes().saturating_add(value.value_bytes()).saturating_mul(*length as u64)
            }
        }
    }

    fn values_of(&self, rows: Rows<'_>) -> Result<ArrayRef> {
        let randoms = rows.numbers.iter().map(|&number| random(self.seed, number));
        Ok(match &self.values {
            Values::Boolean => Arc::new(BooleanArray::new(randoms.map(|r| r >> 63 == 1).collect(), None)),
            Values::Integer { min, max } => self.integers(randoms.map(|r| between(r, *min, *max)))?,
            Values::Float { min, max } => self.floats(randoms.map(|r| float_between(r, *min, *max)))?,
            Values::Decimal { min, max } => {
                let values = randoms.map(|r| decimal_between(r, self.seed, *min, *max));
                let array = Decimal128Array::from_iter_values(values);
                Arc::new(array.with_data_type(self.field.data_type().clone()))
            }
            Values::Text { length, any_length } => texts(randoms, *length, *any_length),
            Values::Bytes { length, any_length } => byte_strings(randoms, *length, *any_length),
            Values::Time { max_past_ms } => self.times(rows, *max_past_ms)?,
            Values::Sequence { start } => {
                // Past the end of the numbers nobody asks: the source ends before.
                let values = rows.numbers.iter().map(|&number| start.wrapping_add_unsigned(number));
                self.casted(Arc::new(Int64Array::from_iter_values(values)))?
            }
            Values::Row(fields) => self.structure(fields, rows)?,
            Values::List { element, length } => self.list(element, *length, rows)?,
            Values::Map { key, value, length } => self.map(key, value, *length, rows)?,
        })
    }

    fn integers(&self, values: impl Iterator<Item = i64>) -> Result<ArrayRef> {
        /// The bounds were checked against the type.
        fn narrow<T: TryFrom<i64> + Default>(value: i64) -> T {
            T::try_from(value).unwrap_or_default()
        }
        Ok(match self.field.data_type() {
            DataType::Int8 => Arc::new(Int8Array::from_iter_values(values.map(narrow::<i8>))),
            DataType::Int16 => Arc::new(Int16Array::from_iter_values(values.map(narrow::<i16>))),
            DataType::Int32 => Arc::new(Int32Array::from_iter_values(values.map(narrow::<i32>))),
            _ => self.casted(Arc::new(Int64Array::from_iter_values(values)))?,
        })
    }

    fn floats(&self, values: impl Iterator<Item = f64>) -> Result<ArrayRef> {
        #[allow(clippy::cast_possible_truncation, reason = "rounding to the column's type is what is wanted")]
        let rounded = |value: f64| value as f32;
        Ok(match self.field.data_type() {
            DataType::Float32 => Arc::new(Float32Array::from_iter_values(values.map(rounded))),
            _ => self.casted(Arc::new(Float64Array::from_iter_values(values)))?,
        })
    }

    fn times(&self, rows: Rows<'_>, max_past_ms: i64) -> Result<ArrayRef> {
        let past = |number| between(random(self.seed, number), 0, max_past_ms);
        let times = rows.numbers.iter().zip(rows.times_ms).map(|(&number, &time)| time.saturating_sub(past(number)));
        let of_day = |time: i64| i32::try_from(time.rem_euclid(DAY_MS)).unwrap_or(0);
        Ok(match self.field.data_type() {
            DataType::Date32 => {
                let days = times.map(|time| i32::try_from(time.div_euclid(DAY_MS)).unwrap_or(0));
                Arc::new(Date32Array::from_iter_values(days))
            }
            DataType::Time32(TimeUnit::Second) => {
                Arc::new(Time32SecondArray::from_iter_values(times.map(|time| of_day(time) / 1_000)))
            }
            DataType::Time32(_) => Arc::new(Time32MillisecondArray::from_iter_values(times.map(of_day))),
            DataType::Time64(TimeUnit::Microsecond) => {
                Arc::new(Time64MicrosecondArray::from_iter_values(times.map(|time| i64::from(of_day(time)) * 1_000)))
            }
            DataType::Time64(_) => {
                Arc::new(Time64NanosecondArray::from_iter_values(times.map(|time| i64::from(of_day(time)) * 1_000_000)))
            }
            _ => self.timestamps(times)?,
        })
    }

    fn timestamps(&self, times_ms: impl Iterator<Item = i64>) -> Result<ArrayRef> {
        let DataType::Timestamp(_, zone) = self.field.data_type() else {
            return Err(Error::internal(format!("column `{}` is no time", self.field.name())));
        };
        let values = TimestampMillisecondArray::from_iter_values(times_ms).with_timezone_opt(zone.clone());
        self.casted(Arc::new(values))
    }

    /// `values` in the type of the column.
    fn casted(&self, values: ArrayRef) -> Result<ArrayRef> {
        let wanted = self.field.data_type();
        if values.data_type() == wanted {
            return Ok(values);
        }
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        cast_with_options(&values, wanted, &strict)
            .map_err(|error| Error::data(format!("datagen, column `{}`", self.field.name()), error.to_string()))
    }

    fn structure(&self, fields: &[Self], rows: Rows<'_>) -> Result<ArrayRef> {
        let columns = fields.iter().map(|field| field.make(rows)).collect::<Result<Vec<_>>>()?;
        let fields: Fields = fields.iter().map(|field| Arc::clone(&field.field)).collect();
        let length = rows.numbers.len();
        Ok(Arc::new(StructArray::try_new_with_length(fields, columns, None, length)?))
    }

    fn list(&self, element: &Self, length: usize, rows: Rows<'_>) -> Result<ArrayRef> {
        let elements = elements(rows, length);
        let values = element.make(elements.rows())?;
        let list = ListArray::try_new(Arc::clone(&element.field), offsets(rows, length), values, None)?;
        self.casted(Arc::new(list))
    }

    fn map(&self, key: &Self, value: &Self, length: usize, rows: Rows<'_>) -> Result<ArrayRef> {
        let DataType::Map(entries, sorted) = self.field.data_type() else {
            return Err(Error::internal(format!("column `{}` is no map", self.field.name())));
        };
        let elements = elements(rows, length);
        let columns = vec![key.make(elements.rows())?, value.make(elements.rows())?];
        let fields: Fields = vec![Arc::clone(&key.field), Arc::clone(&value.field)].into();
        let pairs = StructArray::try_new(fields, columns, None)?;
        Ok(Arc::new(MapArray::try_new(Arc::clone(entries), offsets(rows, length), pairs, None, *sorted)?))
    }
}

/// Elements as rows of their own: element *j* of row *g* has the number `g · length + j`.
struct Elements {
    numbers: Vec<u64>,
    times_ms: Vec<i64>,
}

impl Elements {
    fn rows(&self) -> Rows<'_> {
        Rows { numbers: &self.numbers, times_ms: &self.times_ms }
    }
}

fn elements(rows: Rows<'_>, length: usize) -> Elements {
    let count = length as u64;
    let numbers = rows.numbers.iter().flat_map(|&row| (0..count).map(move |j| row.wrapping_mul(count).wrapping_add(j)));
    let times_ms = rows.times_ms.iter().flat_map(|&time| std::iter::repeat_n(time, length));
    Elements { numbers: numbers.collect(), times_ms: times_ms.collect() }
}

fn offsets(rows: Rows<'_>, length: usize) -> OffsetBuffer<i32> {
    OffsetBuffer::from_lengths(std::iter::repeat_n(length, rows.numbers.len()))
}

fn texts(randoms: impl Iterator<Item = u64>, length: usize, any_length: bool) -> ArrayRef {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut builder = StringBuilder::new();
    let mut text = String::new();
    for first in randoms {
        text.clear();
        let digits = made_length(first, length, any_length);
        let words = (0..).map(|word| random(first, word));
        let nibbles = words.flat_map(|word| (0..16).map(move |nibble| word >> (4 * nibble) & 15));
        text.extend(nibbles.take(digits).map(|nibble| char::from(DIGITS[usize::try_from(nibble).unwrap_or(0)])));
        builder.append_value(&text);
    }
    Arc::new(builder.finish())
}

fn byte_strings(randoms: impl Iterator<Item = u64>, length: usize, any_length: bool) -> ArrayRef {
    let mut builder = BinaryBuilder::new();
    let mut bytes = Vec::new();
    for first in randoms {
        bytes.clear();
        let count = made_length(first, length, any_length);
        bytes.extend((0..).flat_map(|word| random(first, word).to_le_bytes()).take(count));
        builder.append_value(&bytes);
    }
    Arc::new(builder.finish())
}

fn made_length(random: u64, length: usize, any_length: bool) -> usize {
    if !any_length || length == 0 {
        return length;
    }
    let most = i64::try_from(length).unwrap_or(i64::MAX);
    usize::try_from(between(mix(random), 1, most)).unwrap_or(length)
}

/// Number `index` of the sequence that `seed` begins.
pub(crate) fn random(seed: u64, index: u64) -> u64 {
    mix(seed.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

/// Spreads every bit of `x` over all bits of the answer (the finaliser of SplitMix64).
pub(crate) fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// `random` scaled to `min ..= max`.
pub(crate) fn between(random: u64, min: i64, max: i64) -> i64 {
    let width = u128::from(max.abs_diff(min)) + 1;
    let offset = (u128::from(random) * width) >> 64;
    min.wrapping_add_unsigned(u64::try_from(offset).unwrap_or(0))
}

fn float_between(random: u64, min: f64, max: f64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "53 bits fit the mantissa")]
    let share = (random >> 11) as f64 / (1_u64 << 53) as f64;
    // In two products, for max − min may be more than a double can hold.
    min.mul_add(1.0 - share, max * share)
}

fn decimal_between(first: u64, seed: u64, min: i128, max: i128) -> i128 {
    let width = max.abs_diff(min).saturating_add(1);
    let wide = u128::from(first) << 64 | u128::from(random(seed, first));
    min.wrapping_add_unsigned(wide % width)
}

/// The seed of the column at `path` for a source with `seed`. Depends on the name and not on the place, so that other
/// columns may come and go.
pub(crate) fn column_seed(seed: u64, path: &str) -> u64 {
    // FNV-1a; all it has to do is tell names apart.
    let name = path
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    mix(mix(seed) ^ name)
}

/// Numbers `first, first + step, …`.
pub(crate) fn numbers(first: u64, step: u64, count: usize) -> Vec<u64> {
    (0..count as u64).map(|row| first.wrapping_add(row.wrapping_mul(step))).collect()
}
