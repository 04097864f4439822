//! Appending a lane of tokens to a column: one loop for each type.

use arrow::array::NullBufferBuilder;
use arrow::datatypes::DataType;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use millstream_engine::sql_type::{fraction_digits, sql_name};

use super::{Blobs, Column, Fault, Null, Rules, Values, nested};
use crate::formats::token::{Kind, Source, Token};
use crate::formats::values::{boolean, decimal, float, integer, time, trim};

/// The time that means that there is none.
pub(crate) const NO_TIME: i64 = i64::MIN;

/// What is wrong with a row that has it.
pub(crate) const MARKER: &str = "is Long.MIN, the marker of \"no timestamp\"";

/// Why a row without a time is bad.
pub(crate) fn no_time(column: &str, why: &str) -> String {
    format!("the row has no event time: `{column}` {why}")
}

/// With padding or without: both are found.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Column {
    /// Appends the values of `lane`, and a [`Fault`] for each that cannot be one. What is inside lists, maps and rows is
    /// taken apart here.
    pub(crate) fn append(&mut self, lane: &[Token], source: &Source<'_>, rules: &Rules, faults: &mut Vec<Fault>) {
        let (mut to, values) = self.open(source, rules, faults);
        match values {
            Values::Boolean(values) => to.each(lane, read_boolean, |value| values.append(value)),
            Values::Int8(values) => to.numbers(lane, values, |token, text| read_integer(token, text)?.try_into().ok()),
            Values::Int16(values) => to.numbers(lane, values, |token, text| read_integer(token, text)?.try_into().ok()),
            Values::Int32(values) => {
                to.numbers(lane, values, |token, text| read_whole(token, text, source.input)?.try_into().ok());
            }
            Values::Int64(values) if to.null == Null::NoTime => {
                to.numbers(lane, values, |token, text| {
                    read_whole(token, text, source.input).filter(|time| *time != NO_TIME)
                });
            }
            Values::Int64(values) => to.numbers(lane, values, |token, text| read_whole(token, text, source.input)),
            Values::Float32(values) => to.numbers(lane, values, |token, text| float::float(number(token, text)?)),
            Values::Float64(values) => to.numbers(lane, values, |token, text| float::float(number(token, text)?)),
            Values::Decimal { values, precision, scale } => {
                to.numbers(lane, values, |token, text| {
                    decimal::decimal(trim(number(token, text)?), *precision, *scale)
                });
            }
            Values::Date(values) => to.numbers(lane, values, |token, bytes| time::date(text(token, bytes)?)),
            Values::Time32 { values, unit } => {
                to.numbers(lane, values, |token, text| read_time(token, text, fraction_digits(*unit))?.try_into().ok());
            }
            Values::Time64 { values, unit } => {
                to.numbers(lane, values, |token, text| read_time(token, text, fraction_digits(*unit)));
            }
            Values::Timestamp { values, reader, .. } => {
                to.numbers(lane, values, |token, bytes| reader.read(text(token, bytes)?));
            }
            Values::Text(blobs) => to.texts(lane, blobs),
            Values::Bytes(blobs) => to.bytes(lane, blobs),
            Values::Row { columns, length } => nested::append_rows(&mut to, lane, columns, length),
            Values::List { offsets, element } => nested::append_lists(&mut to, lane, offsets, element),
            Values::Map { offsets, key, value } => nested::append_maps(&mut to, lane, offsets, key, value),
        }
    }

    /// Appends to a row column whether its rows are there. The lanes of its fields are appended apart, to
    /// [`Column::fields_mut`]; they have a hole wherever this lane has no object.
    pub(crate) fn append_presence(
        &mut self,
        lane: &[Token],
        source: &Source<'_>,
        rules: &Rules,
        faults: &mut Vec<Fault>,
    ) {
        let (mut to, values) = self.open(source, rules, faults);
        if let Values::Row { length, .. } = values {
            to.each(lane, |token, _| (token.kind == Kind::Object).then_some(()), |()| *length += 1);
        }
    }

    fn open<'a>(
        &'a mut self,
        source: &'a Source<'a>,
        rules: &'a Rules,
        faults: &'a mut Vec<Fault>,
    ) -> (Destination<'a>, &'a mut Values) {
        let (data_type, null) = (self.field.data_type(), self.null);
        let to = Destination { path: &self.path, data_type, null, nulls: &mut self.nulls, source, rules, faults };
        (to, &mut self.values)
    }
}

/// Where a lane goes, apart from the values themselves.
pub(super) struct Destination<'a> {
    path: &'a str,
    data_type: &'a DataType,
    null: Null,
    nulls: &'a mut NullBufferBuilder,
    pub(super) source: &'a Source<'a>,
    pub(super) rules: &'a Rules,
    pub(super) faults: &'a mut Vec<Fault>,
}

impl Destination<'_> {
    #[inline]
    fn each<T: Default>(
        &mut self,
        lane: &[Token],
        mut read: impl FnMut(Token, &[u8]) -> Option<T>,
        mut append: impl FnMut(T),
    ) {
        for (row, &token) in lane.iter().enumerate() {
            append(self.value(row, token, &mut read));
        }
    }

    #[inline]
    fn numbers<T: Default>(
        &mut self,
        lane: &[Token],
        values: &mut Vec<T>,
        mut read: impl FnMut(Token, &[u8]) -> Option<T>,
    ) {
        values.extend(lane.iter().enumerate().map(|(row, &token)| self.value(row, token, &mut read)));
    }

    /// What `read` makes of `token`, or a stand-in.
    #[inline]
    pub(super) fn value<T: Default>(
        &mut self,
        row: usize,
        token: Token,
        read: &mut impl FnMut(Token, &[u8]) -> Option<T>,
    ) -> T {
        if token.is_value() {
            if let Some(value) = read(token, self.source.bytes(token)) {
                self.nulls.append_non_null();
                return value;
            }
            self.wrong(row, token);
        } else {
            self.missing(row, token.kind);
        }
        T::default()
    }

    fn texts(&mut self, lane: &[Token], blobs: &mut Blobs) {
        blobs.offsets.reserve(lane.len());
        for (row, &token) in lane.iter().enumerate() {
            match token.kind {
                Kind::Text | Kind::Number | Kind::True | Kind::False => {
                    blobs.append_from(self.source.input, token.start as usize, token.end as usize);
                    self.nulls.append_non_null();
                }
                Kind::Unescaped => {
                    blobs.bytes.extend_from_slice(self.source.bytes(token));
                    self.nulls.append_non_null();
                }
                // A STRING column takes any JSON: its text, without white space.
                Kind::Object | Kind::Array => {
                    nested::append_compact(self.source.bytes(token), &mut blobs.bytes);
                    self.nulls.append_non_null();
                }
                Kind::Absent | Kind::Hole | Kind::Null => self.missing(row, token.kind),
            }
            blobs.end_value();
        }
    }

    fn bytes(&mut self, lane: &[Token], blobs: &mut Blobs) {
        for (row, &token) in lane.iter().enumerate() {
            if !token.is_value() {
                self.missing(row, token.kind);
            } else if append_bytes(token, self.source.bytes(token), self.rules.base64, &mut blobs.bytes) {
                self.nulls.append_non_null();
            } else {
                self.wrong(row, token);
            }
            blobs.end_value();
        }
    }

    /// There is no value.
    #[cold]
    fn missing(&mut self, row: usize, kind: Kind) {
        let reason = match kind {
            Kind::Absent if self.rules.fail_on_absent => {
                format!("field `{}` is missing (and 'json.fail-on-missing-field' is set)", self.path)
            }
            Kind::Absent | Kind::Null => match self.null {
                Null::Absent => return self.stand_in(),
                Null::Refused if kind == Kind::Absent => {
                    format!("field `{}` is missing, but the column is NOT NULL", self.path)
                }
                Null::Refused => format!("column `{}` is NOT NULL, but the value is null", self.path),
                Null::NoTime if kind == Kind::Absent => no_time(self.path, "is missing"),
                Null::NoTime => no_time(self.path, "is null"),
            },
            _ => return self.stand_in(),
        };
        self.fault(row, reason);
    }

    /// There is a value, but not one of this type.
    #[cold]
    fn wrong(&mut self, row: usize, token: Token) {
        if self.rules.null_for_errors && self.null == Null::Absent {
            return self.stand_in();
        }
        let value = excerpt(self.source.bytes(token));
        if self.null == Null::NoTime && value == NO_TIME.to_string() {
            return self.fault(row, no_time(self.path, MARKER));
        }
        let hint = hint(self.data_type);
        let type_name = sql_name(self.data_type);
        self.fault(row, format!("column `{}`: `{value}` is not a {type_name}{hint}", self.path));
    }

    /// Stands in for a value, with `reason` why the row is bad.
    fn fault(&mut self, row: usize, reason: String) {
        self.faults.push(Fault { row, reason });
        self.stand_in();
    }

    fn stand_in(&mut self) {
        self.nulls.append(self.null != Null::Absent);
    }
}

impl Token {
    /// Whether there is something to convert.
    #[inline]
    pub(crate) fn is_value(self) -> bool {
        !matches!(self.kind, Kind::Absent | Kind::Hole | Kind::Null)
    }
}

#[inline]
fn text(token: Token, bytes: &[u8]) -> Option<&[u8]> {
    matches!(token.kind, Kind::Text | Kind::Unescaped).then_some(bytes)
}

#[inline]
fn number(token: Token, bytes: &[u8]) -> Option<&[u8]> {
    matches!(token.kind, Kind::Number | Kind::Text | Kind::Unescaped).then_some(bytes)
}

fn read_boolean(token: Token, bytes: &[u8]) -> Option<bool> {
    match token.kind {
        Kind::True => Some(true),
        Kind::False => Some(false),
        Kind::Text | Kind::Unescaped => boolean(bytes),
        Kind::Absent | Kind::Hole | Kind::Null | Kind::Number | Kind::Object | Kind::Array => None,
    }
}

fn read_integer(token: Token, bytes: &[u8]) -> Option<i64> {
    integer::integer(trim(number(token, bytes)?))
}

/// A whole number. As in Flink, the fraction of a JSON number is cut off for INT and BIGINT.
#[expect(clippy::inline_always, reason = "a call for each number costs as much as reading it")]
#[inline(always)]
fn read_whole(token: Token, bytes: &[u8], input: &[u8]) -> Option<i64> {
    if token.kind == Kind::Number {
        let (start, end) = (token.start as usize, token.end as usize);
        integer::integer_within(input, start, end).or_else(|| whole_part(bytes))
    } else {
        whole_in_quotes(token, bytes)
    }
}

#[cold]
fn whole_part(number: &[u8]) -> Option<i64> {
    decimal::whole_part(number)
}

#[cold]
fn whole_in_quotes(token: Token, bytes: &[u8]) -> Option<i64> {
    integer::integer(trim(text(token, bytes)?))
}

fn read_time(token: Token, bytes: &[u8], digits: usize) -> Option<i64> {
    let time = time::time_of_day(text(token, bytes)?, digits)?;
    let per_second = 10_i64.pow(u32::try_from(digits).ok()?);
    Some(i64::from(time.seconds) * per_second + i64::from(time.fraction))
}

fn append_bytes(token: Token, bytes: &[u8], base64: bool, to: &mut Vec<u8>) -> bool {
    let Some(text) = text(token, bytes) else { return false };
    if !base64 {
        to.extend_from_slice(text);
        return true;
    }
    let before = to.len();
    let decoded = BASE64.decode_vec(text, to).is_ok();
    if !decoded {
        to.truncate(before);
    }
    decoded
}

/// The beginning of a value, for a message.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    const CHARACTERS: usize = 64;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * CHARACTERS)]);
    let mut shown: String = text.chars().take(CHARACTERS).collect();
    if shown.len() < bytes.len() && shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// What a value of the type looks like, where that is not obvious.
fn hint(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Date32 => " (it should look like 2020-01-31)",
        DataType::Time32(_) | DataType::Time64(_) => " (it should look like 12:30:59.123)",
        DataType::Timestamp(_, None) => {
            " (it should look like 2020-01-31 12:30:59.123, with a T for the blank if the format's timestamps are ISO-8601)"
        }
        DataType::Timestamp(_, Some(_)) => {
            " (it should look like 2020-01-31 12:30:59.123Z, with a T for the blank if the format's timestamps are ISO-8601)"
        }
        DataType::Binary => " (it should be base64)",
        DataType::Boolean => " (it should be true or false)",
        _ => "",
    }
}
