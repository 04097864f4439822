//! `CARDINALITY`, `ELEMENT`, `ARRAY_CONTAINS`, `SPLIT`, `STR_TO_MAP`.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, MapBuilder, MapFieldNames, NullBufferBuilder, StringArray, StringBuilder,
    UInt32Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, Fields, Int32Type};
use arrow::row::{RowConverter, SortField};
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};
use wide::u8x32;

use super::definition::{Call, Definition, Kind, Returns, Takes, exactly, optional};
use super::regex::Patterns;
use super::session::Session;

/// The functions of this file.
pub(super) fn definitions() -> Vec<Definition> {
    vec![
        Definition::new("cardinality", exactly(&[Kind::Collection]), DataType::Int32, cardinality),
        Definition::new("element", exactly(&[Kind::List]), Returns::Rule(type_of_element), element),
        Definition::new("array_contains", Takes::Rule(contains_arguments), DataType::Boolean, contains),
        Definition::new("split", exactly(&[Kind::Text; 2]), DataType::new_list(DataType::Utf8, true), split),
        Definition::new("str_to_map", optional(1, &[Kind::Text; 3]), text_map(), str_to_map)
            .checked(delimiters_are_valid),
    ]
}

/// `CARDINALITY(array or map)`: how many elements or entries.
fn cardinality(call: &Call<'_>) -> Result<ArrayRef> {
    let column = call.column(0)?;
    let values = column.values();
    let length: Box<dyn Fn(usize) -> i32> = match values.data_type() {
        DataType::Map(_, _) => {
            let map = values.as_map();
            Box::new(|row| map.value_length(row))
        }
        _ => {
            let list = values.as_list::<i32>();
            Box::new(|row| list.value_length(row))
        }
    };
    call.numbers::<Int32Type>(|row| {
        let row = if column.is_literal() { 0 } else { row };
        Ok(values.is_valid(row).then(|| length(row)))
    })
}

fn type_of_element(_: &Session, types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    match types {
        [DataType::List(item)] => Ok(item.data_type().clone()),
        _ => plan_err!("element takes an array"),
    }
}

/// `ELEMENT(array)`: its only element; null when it is empty, an error when it has several.
fn element(call: &Call<'_>) -> Result<ArrayRef> {
    let column = call.column(0)?;
    let list = column.values().as_list::<i32>();
    let positions: UInt32Array = (0..call.rows)
        .map(|row| {
            let row = if column.is_literal() { 0 } else { row };
            match (list.is_valid(row), list.value_length(row)) {
                (false, _) | (true, 0) => Ok(None),
                (true, 1) => Ok(u32::try_from(list.value_offsets()[row]).ok()),
                (true, length) => exec_err!("element takes an array of one element, but this one has {length}"),
            }
        })
        .collect::<Result<_>>()?;
    Ok(take(list.values(), &positions, None)?)
}

fn contains_arguments(given: &[DataType]) -> Result<Vec<DataType>> {
    let [list, needle] = given else {
        return plan_err!("array_contains takes 2 arguments, but {} are given", given.len());
    };
    match Kind::List.coerced(list) {
        Some(DataType::List(item)) if arrow::compute::can_cast_types(needle, item.data_type()) => {
            let needle = item.data_type().clone();
            Ok(vec![DataType::List(item), needle])
        }
        Some(_) => plan_err!("array_contains cannot look for {needle} in {list}: use CAST"),
        None => plan_err!("argument 1 of array_contains must be an array, but it is {list}"),
    }
}

/// `ARRAY_CONTAINS(array, value)`: a null value is looked for like any other; null for a null array.
fn contains(call: &Call<'_>) -> Result<ArrayRef> {
    let (lists, needles) = (call.column(0)?, call.column(1)?);
    let list = lists.values().as_list::<i32>();
    // Rows of bytes compare values of any type, nested ones and nulls included.
    let converter = RowConverter::new(vec![SortField::new(list.value_type())])?;
    let elements = converter.convert_columns(&[Arc::clone(list.values())])?;
    let needle_rows = converter.convert_columns(&[cast(needles.values(), &list.value_type())?])?;
    call.booleans(|row| {
        let at = if lists.is_literal() { 0 } else { row };
        let needle = needle_rows.row(if needles.is_literal() { 0 } else { row });
        if list.is_null(at) {
            return Ok(None);
        }
        let range = list.value_offsets()[at]..list.value_offsets()[at + 1];
        Ok(Some(
            range.filter_map(|element| usize::try_from(element).ok()).any(|element| elements.row(element) == needle),
        ))
    })
}

/// `SPLIT(text, delimiter)`: the pieces between the delimiters, empty ones too; an empty delimiter gives the characters.
fn split(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, delimiters) = (call.text(0)?, call.text(1)?);
    let mut pieces = Pieces::with_capacity(call.rows, texts.total_bytes());
    for row in 0..call.rows {
        let (Some(text), Some(delimiter)) = (texts.get(row), delimiters.get(row)) else {
            pieces.end_list(false);
            continue;
        };
        match delimiter.as_bytes() {
            [] if text.is_empty() => pieces.append(b""),
            [] => text.chars().for_each(|char| pieces.append(char.encode_utf8(&mut [0; 4]).as_bytes())),
            [byte] => pieces.append_split(text.as_bytes(), *byte),
            _ => text.split(delimiter).for_each(|piece| pieces.append(piece.as_bytes())),
        }
        pieces.end_list(true);
    }
    pieces.finish()
}

/// Lists of texts that are being made.
struct Pieces {
    bytes: Vec<u8>,
    ends: Vec<i32>,
    lists: Vec<i32>,
    nulls: NullBufferBuilder,
}

impl Pieces {
    fn with_capacity(lists: usize, bytes: usize) -> Self {
        let mut list_ends = Vec::with_capacity(lists + 1);
        list_ends.push(0);
        Self { bytes: Vec::with_capacity(bytes), ends: vec![0], lists: list_ends, nulls: NullBufferBuilder::new(lists) }
    }

    #[inline]
    fn append(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
        self.ends.push(offset(self.bytes.len()));
    }

    /// Appends the pieces of `text` between delimiters of one byte, which are looked for with vector instructions.
    fn append_split(&mut self, text: &[u8], delimiter: u8) {
        let wanted = u8x32::splat(delimiter);
        let mut start = 0;
        let mut base = 0;
        let (chunks, rest) = text.as_chunks::<32>();
        let mut last = [!delimiter; 32];
        last[..rest.len()].copy_from_slice(rest);
        for chunk in chunks.iter().chain([&last]) {
            let mut found = u8x32::new(*chunk).simd_eq(wanted).to_bitmask();
            while found != 0 {
                let end = base + found.trailing_zeros() as usize;
                self.append_from(text, start, end);
                start = end + 1;
                found &= found - 1;
            }
            base += 32;
        }
        self.append(&text[start..]);
    }

    /// Appends `text[start .. end]`. A short piece is copied with what follows it, which is cut off again: one move in place
    /// of a call.
    #[inline]
    fn append_from(&mut self, text: &[u8], start: usize, end: usize) {
        match text[start..].first_chunk::<16>() {
            Some(sixteen) if end - start <= 16 => {
                let before = self.bytes.len();
                self.bytes.extend_from_slice(sixteen);
                self.bytes.truncate(before + end - start);
                self.ends.push(offset(self.bytes.len()));
            }
            _ => self.append(&text[start..end]),
        }
    }

    fn end_list(&mut self, valid: bool) {
        self.lists.push(offset(self.ends.len() - 1));
        self.nulls.append(valid);
    }

    fn finish(mut self) -> Result<ArrayRef> {
        if i32::try_from(self.bytes.len().max(self.ends.len())).is_err() {
            return exec_err!("the pieces of a batch are more than an array can hold (2 GiB)");
        }
        let texts = StringArray::try_new(OffsetBuffer::new(self.ends.into()), self.bytes.into(), None)?;
        let field = Arc::new(Field::new_list_field(DataType::Utf8, true));
        let lists = OffsetBuffer::new(self.lists.into());
        Ok(Arc::new(ListArray::try_new(field, lists, Arc::new(texts), self.nulls.finish())?))
    }
}

fn offset(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

/// `MAP<STRING, STRING>`.
fn text_map() -> DataType {
    let entry = Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, true)]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entry), false)), false)
}

fn delimiters_are_valid(session: &Session, literals: &[Option<&ScalarValue>]) -> Result<()> {
    for pattern in literals.iter().skip(1).copied().flatten().filter_map(|scalar| scalar.try_as_str().flatten()) {
        let regex = session.regex(pattern)?;
        regex.valid().map_err(|error| datafusion_common::DataFusionError::Plan(error.to_string()))?;
    }
    Ok(())
}

/// `STR_TO_MAP(text[, between pairs, between key and value])`: both delimiters are regular expressions, `,` and `=` by
/// default. A pair without a delimiter has a null value; of several pairs with one key the last counts.
fn str_to_map(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    let mut pair_patterns = (call.given() > 1).then(|| Patterns::of(call, 1)).transpose()?;
    let mut value_patterns = (call.given() > 2).then(|| Patterns::of(call, 2)).transpose()?;
    let names = MapFieldNames { entry: "entries".to_owned(), key: "key".to_owned(), value: "value".to_owned() };
    let mut maps = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for row in 0..call.rows {
        let Some(text) = texts.get(row) else {
            maps.append(false)?;
            continue;
        };
        let pairs: Option<Vec<&str>> = match &mut pair_patterns {
            None => Some(text.split(',').collect()),
            Some(patterns) => patterns.get(row)?.map(|regex| regex.split(text).collect()),
        };
        let Some(mut pairs) = pairs else {
            maps.append(false)?;
            continue;
        };
        // As Java splits: empty pieces at the end do not count.
        while pairs.last().is_some_and(|pair| pair.is_empty()) {
            pairs.pop();
        }
        let mut entries: Vec<(&str, Option<&str>)> = Vec::with_capacity(pairs.len());
        for pair in pairs {
            let entry = match &mut value_patterns {
                None => pair.split_once('='),
                Some(patterns) => match patterns.get(row)? {
                    Some(regex) => regex.find(pair).map(|found| (&pair[..found.start()], &pair[found.end()..])),
                    None => None,
                },
            };
            let (key, value) = entry.map_or((pair, None), |(key, value)| (key, Some(value)));
            match entries.iter_mut().find(|(other, _)| *other == key) {
                Some(entry) => entry.1 = value,
                None => entries.push((key, value)),
            }
        }
        for (key, value) in entries {
            maps.keys().append_value(key);
            maps.values().append_option(value);
        }
        maps.append(true)?;
    }
    Ok(Arc::new(maps.finish()))
}

#[cfg(test)]
mod tests;
