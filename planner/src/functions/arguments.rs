//! Reading arguments and writing results, one row at a time over Arrow buffers.
//!
//! A literal is an array of length one read at every row: the row number is masked with 0, so the inner loops have one
//! shape and no branch for it, and a literal is never repeated into a column.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, PrimitiveArray, StringArray, StringBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{ArrowPrimitiveType, DataType, TimeUnit};
use datafusion_common::cast::{as_binary_array, as_boolean_array, as_float64_array, as_int64_array, as_string_array};
use datafusion_common::{Result, exec_err};
use datafusion_expr::ColumnarValue;

use super::definition::Call;

/// A column, or a literal that every row sees.
pub(super) struct Column<A> {
    values: A,
    mask: usize,
}

/// Strings.
pub(super) type Texts = Column<StringArray>;
/// 64-bit integers.
pub(super) type Integers = Column<Int64Array>;
/// Doubles.
pub(super) type Doubles = Column<Float64Array>;
/// Booleans.
pub(super) type Booleans = Column<BooleanArray>;

impl<A: Array> Column<A> {
    fn at(&self, row: usize) -> Option<usize> {
        let at = row & self.mask;
        self.values.is_valid(at).then_some(at)
    }

    /// The array behind: of length one for a literal.
    pub(super) fn values(&self) -> &A {
        &self.values
    }

    /// Whether every row sees the same value.
    pub(super) fn is_literal(&self) -> bool {
        self.mask == 0
    }
}

impl Texts {
    /// The string of a row, or `None` for null.
    pub(super) fn get(&self, row: usize) -> Option<&str> {
        self.at(row).map(|at| self.values.value(at))
    }

    /// How many bytes all rows have together; of a literal, its own.
    pub(super) fn total_bytes(&self) -> usize {
        let offsets = self.values.value_offsets();
        offsets.last().zip(offsets.first()).and_then(|(end, start)| usize::try_from(end - start).ok()).unwrap_or(0)
    }
}

impl Integers {
    /// The integer of a row, or `None` for null.
    pub(super) fn get(&self, row: usize) -> Option<i64> {
        self.at(row).map(|at| self.values.value(at))
    }
}

impl Doubles {
    /// The number of a row, or `None` for null.
    pub(super) fn get(&self, row: usize) -> Option<f64> {
        self.at(row).map(|at| self.values.value(at))
    }
}

impl Booleans {
    /// The truth of a row, or `None` for null.
    pub(super) fn get(&self, row: usize) -> Option<bool> {
        self.at(row).map(|at| self.values.value(at))
    }
}

/// Strings or bytes, read as bytes.
pub(super) enum Bytes {
    /// The bytes of UTF-8 text.
    Text(Texts),
    /// Bytes.
    Binary(Column<BinaryArray>),
}

impl Bytes {
    /// The bytes of a row, or `None` for null.
    pub(super) fn get(&self, row: usize) -> Option<&[u8]> {
        match self {
            Self::Text(texts) => texts.get(row).map(str::as_bytes),
            Self::Binary(bytes) => bytes.at(row).map(|at| bytes.values.value(at)),
        }
    }
}

/// What a temporal value means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A calendar day; ticks are milliseconds from 1970-01-01 to its midnight.
    Date,
    /// A time of day; ticks count from midnight.
    Time,
    /// Wall-clock time without a zone.
    Local,
    /// A point in time, `TIMESTAMP_LTZ`; ticks count from the epoch in UTC.
    Instant,
}

/// Dates, times or timestamps as ticks.
pub(super) struct Moments {
    ticks: Integers,
    /// What the ticks mean.
    pub(super) meaning: Meaning,
    /// How long a tick is.
    pub(super) unit: TimeUnit,
}

impl Moments {
    /// The ticks of a row, or `None` for null.
    pub(super) fn get(&self, row: usize) -> Option<i64> {
        self.ticks.get(row)
    }

    /// Ticks in a second.
    pub(super) fn per_second(&self) -> i64 {
        per_second(self.unit)
    }
}

/// Ticks of `unit` in a second.
pub(super) fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

impl Call<'_> {
    /// How many arguments were given.
    pub(super) fn given(&self) -> usize {
        self.args.len()
    }

    /// Argument `index` as an array (of length one for a literal) and its row mask.
    pub(super) fn column(&self, index: usize) -> Result<Column<ArrayRef>> {
        match self.args.get(index) {
            Some(ColumnarValue::Array(array)) => Ok(Column { values: Arc::clone(array), mask: usize::MAX }),
            Some(ColumnarValue::Scalar(scalar)) => Ok(Column { values: scalar.to_array()?, mask: 0 }),
            None => exec_err!("{} has no argument {}", self.name, index + 1),
        }
    }

    /// Argument `index`, which was coerced to `Utf8`.
    pub(super) fn text(&self, index: usize) -> Result<Texts> {
        let column = self.column(index)?;
        Ok(Column { values: as_string_array(&column.values)?.clone(), mask: column.mask })
    }

    /// Argument `index`, any string type.
    pub(super) fn cast_text(&self, index: usize) -> Result<Texts> {
        let column = self.column(index)?;
        let values = cast(&column.values, &DataType::Utf8)?;
        Ok(Column { values: as_string_array(&values)?.clone(), mask: column.mask })
    }

    /// Argument `index` if it was given.
    pub(super) fn optional_text(&self, index: usize) -> Result<Option<Texts>> {
        (index < self.given()).then(|| self.text(index)).transpose()
    }

    /// Argument `index`, which was coerced to `Int64`.
    pub(super) fn integer(&self, index: usize) -> Result<Integers> {
        let column = self.column(index)?;
        Ok(Column { values: as_int64_array(&column.values)?.clone(), mask: column.mask })
    }

    /// Argument `index` if it was given.
    pub(super) fn optional_integer(&self, index: usize) -> Result<Option<Integers>> {
        (index < self.given()).then(|| self.integer(index)).transpose()
    }

    /// Argument `index`, any integer type, as 64-bit integers.
    pub(super) fn any_integer(&self, index: usize) -> Result<Integers> {
        let column = self.column(index)?;
        let values = cast(&column.values, &DataType::Int64)?;
        Ok(Column { values: as_int64_array(&values)?.clone(), mask: column.mask })
    }

    /// Argument `index`, which was coerced to `Float64`.
    pub(super) fn double(&self, index: usize) -> Result<Doubles> {
        let column = self.column(index)?;
        Ok(Column { values: as_float64_array(&column.values)?.clone(), mask: column.mask })
    }

    /// Argument `index`, which is `Boolean`.
    pub(super) fn boolean(&self, index: usize) -> Result<Booleans> {
        let column = self.column(index)?;
        Ok(Column { values: as_boolean_array(&column.values)?.clone(), mask: column.mask })
    }

    /// Argument `index`, which was coerced to `Utf8` or `Binary`.
    pub(super) fn bytes(&self, index: usize) -> Result<Bytes> {
        let column = self.column(index)?;
        match column.values.data_type() {
            DataType::Binary => {
                Ok(Bytes::Binary(Column { values: as_binary_array(&column.values)?.clone(), mask: column.mask }))
            }
            _ => Ok(Bytes::Text(self.text(index)?)),
        }
    }

    /// Argument `index`, a date, time or timestamp.
    pub(super) fn moments(&self, index: usize) -> Result<Moments> {
        let column = self.column(index)?;
        let (meaning, unit) = match column.values.data_type() {
            DataType::Date32 => (Meaning::Date, TimeUnit::Millisecond),
            DataType::Time32(unit) | DataType::Time64(unit) => (Meaning::Time, *unit),
            DataType::Timestamp(unit, None) => (Meaning::Local, *unit),
            DataType::Timestamp(unit, Some(_)) => (Meaning::Instant, *unit),
            other => return exec_err!("argument {} of {} is {other}, which is no point in time", index + 1, self.name),
        };
        let ticks = match column.values.data_type() {
            DataType::Date32 => {
                let days: PrimitiveArray<arrow::datatypes::Date32Type> =
                    datafusion_common::cast::as_date32_array(&column.values)?.clone();
                days.unary(|days| i64::from(days) * 86_400_000)
            }
            DataType::Time32(_) => {
                let values = cast(&cast(&column.values, &DataType::Int32)?, &DataType::Int64)?;
                as_int64_array(&values)?.clone()
            }
            _ => as_int64_array(&cast(&column.values, &DataType::Int64)?)?.clone(),
        };
        Ok(Moments { ticks: Column { values: ticks, mask: column.mask }, meaning, unit })
    }

    /// The literal text of argument `index`, for patterns and units that must not vary.
    pub(super) fn literal_text(&self, index: usize, what: &str) -> Result<String> {
        let texts = self.text(index)?;
        match (texts.is_literal(), texts.get(0)) {
            (true, Some(text)) => Ok(text.to_owned()),
            (true, None) => exec_err!("{what} of {} is null", self.name),
            (false, _) => exec_err!("{what} of {} must be a literal", self.name),
        }
    }

    /// A string per row. A row writes its string in as many pieces as it likes and answers `Some`, or writes nothing
    /// and answers `None` for null. The strings of one batch may not exceed 2 GiB together.
    pub(super) fn write_texts(
        &self,
        mut row: impl FnMut(usize, &mut TextWriter) -> Result<Option<()>>,
    ) -> Result<ArrayRef> {
        let mut writer = TextWriter { builder: StringBuilder::with_capacity(self.rows, self.rows * 16) };
        for at in 0..self.rows {
            let written = row(at, &mut writer)?;
            if i32::try_from(writer.builder.values_slice().len()).is_err() {
                return exec_err!("the strings that {} makes of one batch exceed 2 GiB", self.name);
            }
            match written {
                Some(()) => writer.builder.append_value(""),
                None => writer.builder.append_null(),
            }
        }
        Ok(Arc::new(writer.builder.finish()))
    }

    /// A string or null per row.
    pub(super) fn texts<S: AsRef<str>>(&self, mut row: impl FnMut(usize) -> Result<Option<S>>) -> Result<ArrayRef> {
        self.write_texts(|at, out| Ok(row(at)?.map(|text| out.push(text.as_ref()))))
    }

    /// A number or null per row.
    pub(super) fn numbers<T: ArrowPrimitiveType>(
        &self,
        mut row: impl FnMut(usize) -> Result<Option<T::Native>>,
    ) -> Result<ArrayRef> {
        let values: PrimitiveArray<T> = (0..self.rows).map(&mut row).collect::<Result<_>>()?;
        Ok(Arc::new(values.with_data_type(self.returns.clone())))
    }

    /// A 64-bit integer or null per row, for the caller to narrow.
    pub(super) fn wide_integers(&self, row: impl FnMut(usize) -> Result<Option<i64>>) -> Result<ArrayRef> {
        Ok(Arc::new((0..self.rows).map(row).collect::<Result<Int64Array>>()?))
    }

    /// A boolean or null per row.
    pub(super) fn booleans(&self, mut row: impl FnMut(usize) -> Result<Option<bool>>) -> Result<ArrayRef> {
        let values: BooleanArray = (0..self.rows).map(&mut row).collect::<Result<_>>()?;
        Ok(Arc::new(values))
    }

    /// Bytes or null per row.
    pub(super) fn binaries<B: AsRef<[u8]>>(&self, mut row: impl FnMut(usize) -> Result<Option<B>>) -> Result<ArrayRef> {
        let values: Vec<Option<B>> = (0..self.rows).map(&mut row).collect::<Result<_>>()?;
        if values.iter().flatten().map(|bytes| bytes.as_ref().len()).sum::<usize>() > i32::MAX.unsigned_abs() as usize {
            return exec_err!("the bytes that {} makes of one batch exceed 2 GiB", self.name);
        }
        Ok(Arc::new(values.iter().map(Option::as_ref).collect::<BinaryArray>()))
    }
}

/// Takes the pieces of the string of a row.
pub(super) struct TextWriter {
    builder: StringBuilder,
}

impl TextWriter {
    /// Appends to the string of the row.
    pub(super) fn push(&mut self, piece: &str) {
        // A StringBuilder grows its buffer; it has no way to fail.
        let _ = self.builder.write_str(piece);
    }
}

impl Write for TextWriter {
    fn write_str(&mut self, piece: &str) -> std::fmt::Result {
        self.builder.write_str(piece)
    }
}
