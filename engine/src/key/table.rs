//! Gives keys dense numbers, so that accumulators can be columns addressed by them.
//!
//! A key is looked up once per row and batch; what follows works on the numbers. Three forms of table, chosen by the types
//! of the key columns: one integer-like column, two of them, and any other key as bytes (text as it is, the rest in Arrow's
//! row encoding, which never leaves memory). Numbers of removed keys are given out again.

use std::sync::Arc;

use arrow::array::builder::StringBuilder;
use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, Int64Array, PrimitiveArray, StringArray, make_array};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
};
use arrow::row::{RowConverter, Rows, SortField};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Error, Result};
use crate::memory;

/// The number of a key in its table.
pub type KeyIndex = u32;

/// Keys and their numbers.
#[derive(Debug)]
pub struct KeyTable {
    types: Vec<DataType>,
    form: Form,
    free: Vec<KeyIndex>,
}

#[derive(Debug)]
enum Form {
    /// No key columns: every row has the key 0, once there was one.
    Single {
        seen: bool,
    },
    Integer(Fixed<Option<i64>>),
    Pair(Fixed<(Option<i64>, Option<i64>)>),
    Bytes(ByteKeys, Encoding),
}

/// How a key becomes bytes.
#[derive(Debug)]
enum Encoding {
    /// One `Utf8` column; null is the key behind the marker.
    Text,
    /// Arrow's row encoding.
    Rows(RowConverter),
}

/// Keys of fixed size, stored by their number and looked up by value.
#[derive(Debug)]
struct Fixed<K> {
    lookup: HashTable<(K, KeyIndex)>,
    keys: Vec<K>,
}

impl KeyTable {
    /// An empty table for keys of these types.
    pub fn new(types: Vec<DataType>) -> Result<Self> {
        let form = match types.as_slice() {
            [] => Form::Single { seen: false },
            [one] if is_integer_like(one) => Form::Integer(Fixed::new()),
            [one, two] if is_integer_like(one) && is_integer_like(two) => Form::Pair(Fixed::new()),
            [DataType::Utf8] => Form::Bytes(ByteKeys::default(), Encoding::Text),
            _ => {
                let fields = types.iter().map(|of| SortField::new(of.clone())).collect();
                Form::Bytes(ByteKeys::default(), Encoding::Rows(RowConverter::new(fields)?))
            }
        };
        Ok(Self { types, form, free: Vec::new() })
    }

    /// How many numbers were given out: each is below this.
    pub fn capacity_used(&self) -> usize {
        match &self.form {
            Form::Single { seen } => usize::from(*seen),
            Form::Integer(fixed) => fixed.keys.len(),
            Form::Pair(fixed) => fixed.keys.len(),
            Form::Bytes(keys, _) => keys.places.len(),
        }
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.capacity_used() - self.free.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The numbers of the keys in `columns`, a row each, into `indices`. New keys get new numbers.
    pub fn intern(&mut self, columns: &[ArrayRef], rows: usize, indices: &mut Vec<KeyIndex>) -> Result<()> {
        indices.clear();
        indices.reserve(rows);
        match &mut self.form {
            Form::Single { seen } => {
                *seen |= rows > 0;
                indices.resize(rows, 0);
            }
            Form::Integer(fixed) => intern_integers(fixed, &columns[0], &mut self.free, indices)?,
            Form::Pair(fixed) => {
                let (first, second) = (as_integers(&columns[0])?, as_integers(&columns[1])?);
                indices.extend(
                    first.iter().zip(second.iter()).map(|pair| fixed.intern(pair, pair_hash(pair), &mut self.free)),
                );
            }
            Form::Bytes(keys, Encoding::Text) => {
                intern_texts(keys, columns[0].as_string::<i32>(), &mut self.free, indices);
            }
            Form::Bytes(keys, Encoding::Rows(converter)) => {
                let columns: Vec<ArrayRef> = columns.iter().map(canonical).collect();
                let encoded = converter.convert_columns(&columns)?;
                indices.extend(encoded.iter().map(|row| keys.intern(Mark::of(row.data()), row.data(), &mut self.free)));
            }
        }
        Ok(())
    }

    /// The key columns of these numbers.
    pub fn columns(&self, indices: &[KeyIndex]) -> Result<Vec<ArrayRef>> {
        match &self.form {
            Form::Single { .. } => Ok(Vec::new()),
            Form::Integer(fixed) => {
                let values: Int64Array = indices.iter().map(|&at| fixed.keys[at as usize]).collect();
                Ok(vec![from_integers(values, &self.types[0])?])
            }
            Form::Pair(fixed) => {
                let first: Int64Array = indices.iter().map(|&at| fixed.keys[at as usize].0).collect();
                let second: Int64Array = indices.iter().map(|&at| fixed.keys[at as usize].1).collect();
                Ok(vec![from_integers(first, &self.types[0])?, from_integers(second, &self.types[1])?])
            }
            Form::Bytes(keys, Encoding::Text) => {
                let mut text = StringBuilder::with_capacity(indices.len(), indices.len() * 16);
                for &at in indices {
                    match keys.get(at) {
                        Some(bytes) => text.append_value(String::from_utf8_lossy(bytes)),
                        None => text.append_null(),
                    }
                }
                Ok(vec![Arc::new(text.finish())])
            }
            Form::Bytes(keys, Encoding::Rows(converter)) => {
                let parser = converter.parser();
                let rows = indices.iter().map(|&at| parser.parse(keys.get(at).unwrap_or_default()));
                Ok(converter.convert_rows(rows)?)
            }
        }
    }

    /// Takes a key out; its number is given out again.
    pub fn remove(&mut self, index: KeyIndex) {
        match &mut self.form {
            Form::Single { seen } => *seen = false,
            Form::Integer(fixed) => fixed.remove(index, integer_hash),
            Form::Pair(fixed) => fixed.remove(index, pair_hash),
            Form::Bytes(keys, _) => keys.remove(index),
        }
        if !self.types.is_empty() {
            self.free.push(index);
        }
    }

    /// Takes all keys out and keeps the memory.
    pub fn clear(&mut self) {
        self.free.clear();
        match &mut self.form {
            Form::Single { seen } => *seen = false,
            Form::Integer(fixed) => fixed.clear(),
            Form::Pair(fixed) => fixed.clear(),
            Form::Bytes(keys, _) => keys.clear(),
        }
    }

    /// Bytes of memory held.
    pub fn memory_bytes(&self) -> usize {
        let held = match &self.form {
            Form::Single { .. } => 0,
            Form::Integer(fixed) => fixed.memory_bytes(),
            Form::Pair(fixed) => fixed.memory_bytes(),
            Form::Bytes(keys, _) => keys.memory_bytes(),
        };
        held + memory::vec(&self.free)
    }

    /// The numbers in use, ascending.
    pub fn indices(&self) -> Vec<KeyIndex> {
        let used = self.capacity_used();
        let mut in_use = vec![true; used];
        for &free in &self.free {
            in_use[free as usize] = false;
        }
        (0..).zip(in_use).filter_map(|(index, used)| used.then_some(index)).collect()
    }
}

impl<K: Copy + Eq> Fixed<K> {
    fn new() -> Self {
        Self { lookup: HashTable::new(), keys: Vec::new() }
    }

    #[inline]
    fn intern(&mut self, key: K, hash: u64, free: &mut Vec<KeyIndex>) -> KeyIndex
    where
        K: Rehash,
    {
        match self.lookup.entry(hash, |(other, _)| *other == key, |(other, _)| other.rehash()) {
            Entry::Occupied(found) => found.get().1,
            Entry::Vacant(vacant) => {
                let index = place(&mut self.keys, key, free);
                vacant.insert((key, index));
                index
            }
        }
    }

    fn remove(&mut self, index: KeyIndex, hash: impl Fn(K) -> u64) {
        let key = self.keys[index as usize];
        if let Ok(found) = self.lookup.find_entry(hash(key), |(_, at)| *at == index) {
            found.remove();
        }
    }

    fn clear(&mut self) {
        self.lookup.clear();
        self.keys.clear();
    }

    fn memory_bytes(&self) -> usize {
        self.lookup.allocation_size() + memory::vec(&self.keys)
    }
}

/// A free number, or the next one.
fn place<K>(keys: &mut Vec<K>, key: K, free: &mut Vec<KeyIndex>) -> KeyIndex {
    match free.pop() {
        Some(index) => {
            keys[index as usize] = key;
            index
        }
        None => {
            keys.push(key);
            next_index(keys.len() - 1)
        }
    }
}

fn next_index(length: usize) -> KeyIndex {
    KeyIndex::try_from(length).expect("a subtask's memory ends long before 2^32 keys do")
}

trait Rehash {
    fn rehash(&self) -> u64;
}

impl Rehash for Option<i64> {
    fn rehash(&self) -> u64 {
        integer_hash(*self)
    }
}

impl Rehash for (Option<i64>, Option<i64>) {
    fn rehash(&self) -> u64 {
        pair_hash(*self)
    }
}

/// A multiply and a fold: enough for keys that no adversary chooses more than once per batch, and a tenth of SipHash.
#[inline]
fn integer_hash(key: Option<i64>) -> u64 {
    fold(key.unwrap_or(i64::MIN).cast_unsigned() ^ 0x9E37_79B9_7F4A_7C15, 0xD6E8_FEB8_6659_FD93)
}

#[inline]
fn pair_hash((first, second): (Option<i64>, Option<i64>)) -> u64 {
    fold(integer_hash(first) ^ second.unwrap_or(i64::MAX).cast_unsigned(), 0xA076_1D64_78BD_642F)
}

#[inline]
fn fold(value: u64, by: u64) -> u64 {
    let product = u128::from(value) * u128::from(by);
    #[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
    let (low, high) = (product as u64, (product >> 64) as u64);
    low ^ high
}

fn intern_integers(
    fixed: &mut Fixed<Option<i64>>,
    column: &ArrayRef,
    free: &mut Vec<KeyIndex>,
    indices: &mut Vec<KeyIndex>,
) -> Result<()> {
    let keys = as_integers(column)?;
    if keys.null_count() > 0 {
        indices.extend(keys.iter().map(|key| fixed.intern(key, integer_hash(key), free)));
        return Ok(());
    }
    for &key in keys.values() {
        indices.push(fixed.intern(Some(key), integer_hash(Some(key)), free));
    }
    Ok(())
}

fn intern_texts(keys: &mut ByteKeys, texts: &StringArray, free: &mut Vec<KeyIndex>, indices: &mut Vec<KeyIndex>) {
    let bytes = texts.value_data();
    for (row, ends) in texts.value_offsets().windows(2).enumerate() {
        let place = |offset: i32| usize::try_from(offset).unwrap_or_default();
        let (start, end) = (place(ends[0]), place(ends[1]));
        indices.push(match texts.is_null(row) {
            true => keys.intern(Mark::NULL, &[], free),
            false => keys.intern(Mark::within(bytes, start, end), &bytes[start..end], free),
        });
    }
}

/// The column with one zero and one NaN, so that keys that hash alike for being equal are one key.
fn canonical(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Float32 => {
            let floats = column.as_primitive::<Float32Type>();
            Arc::new(floats.unary::<_, Float32Type>(|value| if value.is_nan() { f32::NAN } else { value + 0.0 }))
        }
        DataType::Float64 => {
            let floats = column.as_primitive::<Float64Type>();
            Arc::new(floats.unary::<_, Float64Type>(|value| if value.is_nan() { f64::NAN } else { value + 0.0 }))
        }
        _ => Arc::clone(column),
    }
}

/// Whether a column of this type is an integer of at most 64 bits in other clothes.
fn is_integer_like(data_type: &DataType) -> bool {
    use DataType as T;
    matches!(
        data_type,
        T::Int8
            | T::Int16
            | T::Int32
            | T::Int64
            | T::UInt8
            | T::UInt16
            | T::UInt32
            | T::Date32
            | T::Date64
            | T::Time32(_)
            | T::Time64(_)
            | T::Timestamp(_, _)
            | T::Boolean
    )
}

/// The column's values as 64-bit integers; free of copies for 64-bit columns.
fn as_integers(column: &ArrayRef) -> Result<Int64Array> {
    fn widen<T: ArrowPrimitiveType>(column: &dyn Array) -> Int64Array
    where
        T::Native: Into<i64>,
    {
        column.as_primitive::<T>().unary(Into::into)
    }
    use DataType as T;
    Ok(match column.data_type() {
        T::Int64 => column.as_primitive::<Int64Type>().clone(),
        T::Int32 => widen::<Int32Type>(column),
        T::Int16 => widen::<Int16Type>(column),
        T::Int8 => widen::<Int8Type>(column),
        T::UInt32 => widen::<UInt32Type>(column),
        T::UInt16 => widen::<UInt16Type>(column),
        T::UInt8 => widen::<UInt8Type>(column),
        T::Date64 | T::Time64(_) | T::Timestamp(_, _) => {
            let data = column.to_data().into_builder().data_type(DataType::Int64).build()?;
            PrimitiveArray::<Int64Type>::from(data)
        }
        _ => cast(&cast_to_int32(column)?, &DataType::Int64)?.as_primitive::<Int64Type>().clone(),
    })
}

fn cast_to_int32(column: &ArrayRef) -> Result<ArrayRef> {
    Ok(cast(column, &DataType::Int32)?)
}

/// Puts integers back into the clothes of `data_type`.
fn from_integers(values: Int64Array, data_type: &DataType) -> Result<ArrayRef> {
    use DataType as T;
    match data_type {
        T::Int64 => Ok(Arc::new(values)),
        T::Date64 | T::Time64(_) | T::Timestamp(_, _) => {
            Ok(make_array(values.into_data().into_builder().data_type(data_type.clone()).build()?))
        }
        T::Date32 | T::Time32(_) => Ok(cast(&cast(&values, &DataType::Int32)?, data_type)?),
        other => Ok(cast(&values, other).map_err(|error| Error::internal(error.to_string()))?),
    }
}

/// Keys of any length: their bytes stand one after the other in `bytes`.
#[derive(Debug, Default)]
struct ByteKeys {
    lookup: HashTable<Slot>,
    places: Vec<Place>,
    bytes: Vec<u8>,
    wasted: usize,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    start: usize,
    length: usize,
    is_null: bool,
}

impl Place {
    #[inline]
    fn bytes(self, of: &[u8]) -> &[u8] {
        &of[self.start..self.start + self.length]
    }
}

/// What a key is told by. Up to sixteen bytes it is the whole key, so that looking it up touches nothing else; of a longer
/// key it is a hash and the last eight bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    low: u64,
    high: u64,
    /// Of the key, or [`NO_KEY`].
    length: u32,
}

/// A mark and the number of its key.
#[derive(Debug, Clone, Copy)]
struct Slot {
    low: u64,
    high: u64,
    length: u32,
    index: KeyIndex,
}

/// Longer than any key.
const NO_KEY: u32 = u32::MAX;

impl Slot {
    #[inline]
    fn mark(&self) -> Mark {
        Mark { low: self.low, high: self.high, length: self.length }
    }
}

impl Mark {
    const WHOLE: usize = 16;
    const NULL: Self = Self { low: 0, high: 0, length: NO_KEY };

    fn of(key: &[u8]) -> Self {
        let mut padded = [0; Self::WHOLE];
        match padded.get_mut(..key.len()) {
            Some(front) => {
                front.copy_from_slice(key);
                Self::of_padded(padded, key.len())
            }
            None => Self::of_long(key),
        }
    }

    /// The mark of `bytes[start .. end]`. Bytes behind the key are read and cut off again where there are any: cheaper than
    /// to ask how long the key is.
    #[inline]
    fn within(bytes: &[u8], start: usize, end: usize) -> Self {
        match bytes.get(start..).and_then(<[u8]>::first_chunk) {
            Some(padded) if end - start <= Self::WHOLE => Self::of_padded(*padded, end - start),
            _ => Self::of(&bytes[start..end]),
        }
    }

    /// The mark of the first `length` of these bytes.
    #[inline]
    fn of_padded(padded: [u8; Self::WHOLE], length: usize) -> Self {
        let both = u128::from_le_bytes(padded);
        let kept = if length < Self::WHOLE { both & ((1 << (8 * length)) - 1) } else { both };
        #[expect(clippy::cast_possible_truncation, reason = "both halves are taken, and the length is at most 16")]
        Self { low: kept as u64, high: (kept >> 64) as u64, length: length as u32 }
    }

    fn of_long(key: &[u8]) -> Self {
        let length = u32::try_from(key.len()).expect("Arrow's offsets keep a key below 4 GiB");
        let last = key.last_chunk().copied().unwrap_or_default();
        Self { low: xxh3_64(key), high: u64::from_le_bytes(last), length }
    }

    #[inline]
    fn says_all(self) -> bool {
        self.length as usize <= Self::WHOLE || self == Self::NULL
    }

    #[inline]
    fn hash(self) -> u64 {
        let low = fold(self.low ^ 0x9E37_79B9_7F4A_7C15, 0xD6E8_FEB8_6659_FD93);
        fold(low ^ self.high ^ u64::from(self.length), 0xA076_1D64_78BD_642F)
    }
}

/// Room below which wasted bytes are not worth a copy.
const COMPACT_FROM: usize = 64 * 1024;

impl ByteKeys {
    fn get(&self, index: KeyIndex) -> Option<&[u8]> {
        let place = self.places[index as usize];
        (!place.is_null).then(|| place.bytes(&self.bytes))
    }

    /// The number of `key`, whose mark is `mark`.
    #[inline]
    fn intern(&mut self, mark: Mark, key: &[u8], free: &mut Vec<KeyIndex>) -> KeyIndex {
        let (places, bytes) = (&self.places, &self.bytes);
        let equal =
            |slot: &Slot| slot.mark() == mark && (mark.says_all() || places[slot.index as usize].bytes(bytes) == key);
        match self.lookup.entry(mark.hash(), equal, |slot| slot.mark().hash()) {
            Entry::Occupied(found) => found.get().index,
            Entry::Vacant(vacant) => {
                let is_null = mark == Mark::NULL;
                let place = Place { start: self.bytes.len(), length: key.len(), is_null };
                self.bytes.extend_from_slice(key);
                let index = self::place(&mut self.places, place, free);
                vacant.insert(Slot { low: mark.low, high: mark.high, length: mark.length, index });
                index
            }
        }
    }

    fn remove(&mut self, index: KeyIndex) {
        let hash = self.get(index).map_or(Mark::NULL, Mark::of).hash();
        if let Ok(found) = self.lookup.find_entry(hash, |slot| slot.index == index) {
            found.remove();
        }
        self.wasted += self.places[index as usize].length;
        self.places[index as usize] = Place { start: 0, length: 0, is_null: true };
        if self.wasted > COMPACT_FROM && self.wasted > self.bytes.len() / 2 {
            self.compact();
        }
    }

    fn compact(&mut self) {
        let mut compacted = Vec::with_capacity(self.bytes.len() - self.wasted);
        for place in &mut self.places {
            let text = place.bytes(&self.bytes);
            place.start = compacted.len();
            compacted.extend_from_slice(text);
        }
        self.bytes = compacted;
        self.wasted = 0;
    }

    fn clear(&mut self) {
        self.lookup.clear();
        self.places.clear();
        self.bytes.clear();
        self.wasted = 0;
    }

    fn memory_bytes(&self) -> usize {
        self.lookup.allocation_size() + memory::vec(&self.places) + memory::vec(&self.bytes)
    }
}

/// Values of any type as bytes, for what is kept row by row. The encoding never leaves memory.
#[derive(Debug)]
pub struct RowBytes {
    converter: RowConverter,
}

impl RowBytes {
    /// For columns of these types.
    pub fn new(types: &[DataType]) -> Result<Self> {
        Ok(Self { converter: RowConverter::new(types.iter().map(|of| SortField::new(of.clone())).collect())? })
    }

    /// The rows of `columns`.
    pub fn encode(&self, columns: &[ArrayRef]) -> Result<Rows> {
        Ok(self.converter.convert_columns(columns)?)
    }

    /// The columns of `rows`, each as [`RowBytes::encode`] made it.
    pub fn decode<'a>(&self, rows: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>> {
        let parser = self.converter.parser();
        Ok(self.converter.convert_rows(rows.into_iter().map(|row| parser.parse(row)))?)
    }
}
