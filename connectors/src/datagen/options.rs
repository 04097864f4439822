//! The options of `datagen`: Flink's, and `seed`.
//!
//! | option | default | meaning |
//! |---|---|---|
//! | `rows-per-second` | 10000 | of all splits together |
//! | `number-of-rows` | – | then it ends |
//! | `seed` | 0 | other seed, other values |
//! | `fields.#.kind` | random | or `sequence` |
//! | `fields.#.min`, `.max` | of the type | bounds of a random number, included |
//! | `fields.#.max-past` | 0 | how long before its row's time a random timestamp may be |
//! | `fields.#.length` | 100, collections 3 | of a random text, bytes, collection |
//! | `fields.#.var-len` | false | texts and bytes of any length up to that |
//! | `fields.#.start`, `.end` | – | of a sequence, both included; after `end` the source ends |
//! | `fields.#.null-rate` | 0 | share of values that are null |
//!
//! `#` is a column; of a row's field `column.field`, of a list's elements `column.element`, of a map `column.key` and
//! `column.value`.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use arrow::array::ArrowPrimitiveType;
use arrow::compute::kernels::cast_utils::parse_decimal;
use arrow::datatypes::{DataType, Decimal128Type, FieldRef, Int8Type, Int16Type, Int32Type, Int64Type};

use super::generator::{Generator, Values, column_seed};
use crate::options::parse_duration;
use crate::{Options, Result, TableSpec};

/// The most bytes of a row.
pub(crate) const MOST_ROW_BYTES: u64 = 16 << 20;

/// What the options say.
#[derive(Debug, Clone)]
pub(crate) struct DatagenOptions {
    /// `rows-per-second`, of all splits together.
    pub(crate) rows_per_second: u64,
    /// After how many rows it ends, if it does.
    pub(crate) rows: Option<u64>,
    /// A generator for each physical column.
    pub(crate) columns: Vec<Generator>,
}

impl DatagenOptions {
    pub(crate) fn read(table: &TableSpec) -> Result<Self> {
        let mut options = Options::of(table);
        let rows_per_second = options.parsed::<u64>("rows-per-second", "a whole number")?.unwrap_or(10_000);
        if rows_per_second == 0 {
            return Err(options.refuse("rows-per-second", "0", "it should be at least 1"));
        }
        let number_of_rows = options.parsed::<u64>("number-of-rows", "a whole number")?;
        let seed = options.parsed::<u64>("seed", "a whole number")?.unwrap_or(0);
        let left = options.with_prefix("fields.");
        let mut fields = FieldOptions { options: &options, left, longest: None, seed };
        let physical = table.physical_schema();
        let columns = physical.fields().iter().map(|field| fields.generator(field.name(), field));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        check_size(fields.options, &columns)?;
        let longest = fields.longest;
        fields.finish(physical.fields().iter().map(|field| field.name().as_str()).collect())?;
        options.finish()?;
        let rows = number_of_rows.into_iter().chain(longest).min();
        Ok(Self { rows_per_second, rows, columns })
    }
}

fn check_size(options: &Options<'_>, columns: &[Generator]) -> Result<()> {
    let bytes = columns.iter().fold(0_u64, |sum, column| sum.saturating_add(column.value_bytes()));
    if bytes <= MOST_ROW_BYTES {
        return Ok(());
    }
    let hint = "make some 'fields.#.length' smaller";
    Err(options.error(format!("a row would have {bytes} bytes, and {MOST_ROW_BYTES} is the most; {hint}")))
}

/// Options that start with `fields.`, while they are read.
struct FieldOptions<'o, 'a> {
    options: &'o Options<'a>,
    /// Without the prefix.
    left: BTreeMap<&'a str, &'a str>,
    /// How many rows the shortest sequence has.
    longest: Option<u64>,
    seed: u64,
}

impl<'a> FieldOptions<'_, 'a> {
    /// How the column or part at `path` is made.
    fn generator(&mut self, path: &str, field: &FieldRef) -> Result<Generator> {
        let nulls = self.null_rate(path, field)?;
        let values = match self.text(path, "kind").unwrap_or("random") {
            "random" => self.random(path, field)?,
            "sequence" => self.sequence(path, field)?,
            other => return Err(self.refuse(path, "kind", other, "it should be random or sequence")),
        };
        Ok(Generator { field: Arc::clone(field), seed: column_seed(self.seed, path), nulls, values })
    }

    fn null_rate(&mut self, path: &str, field: &FieldRef) -> Result<u64> {
        let Some(rate) = self.parsed::<f64>(path, "null-rate", "a number from 0 to 1")? else { return Ok(0) };
        if !(0.0..=1.0).contains(&rate) {
            return Err(self.refuse(path, "null-rate", &rate.to_string(), "it should be a number from 0 to 1"));
        }
        if rate > 0.0 && !field.is_nullable() {
            return Err(self.refuse(path, "null-rate", &rate.to_string(), "the column is NOT NULL"));
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 2^32 was checked")]
        let nulls = (rate * (1_u64 << 32) as f64) as u64;
        Ok(nulls)
    }

    fn random(&mut self, path: &str, field: &FieldRef) -> Result<Values> {
        Ok(match field.data_type() {
            DataType::Boolean => Values::Boolean,
            DataType::Int8 => self.integer::<Int8Type>(path)?,
            DataType::Int16 => self.integer::<Int16Type>(path)?,
            DataType::Int32 => self.integer::<Int32Type>(path)?,
            DataType::Int64 => self.integer::<Int64Type>(path)?,
            DataType::Float32 => self.float(path, f64::from(f32::MIN_POSITIVE), f64::from(f32::MAX))?,
            DataType::Float64 => self.float(path, f64::MIN_POSITIVE, f64::MAX)?,
            DataType::Decimal128(precision, scale) => self.decimal(path, *precision, *scale)?,
            DataType::Utf8 => {
                let (length, any_length) = self.length(path, 100)?;
                Values::Text { length, any_length }
            }
            DataType::Binary => {
                let (length, any_length) = self.length(path, 100)?;
                Values::Bytes { length, any_length }
            }
            DataType::Date32 | DataType::Time32(_) | DataType::Time64(_) => Values::Time { max_past_ms: 0 },
            DataType::Timestamp(_, _) => Values::Time { max_past_ms: self.max_past(path)? },
            DataType::Struct(fields) => {
                let part = |field: &FieldRef| self.generator(&format!("{path}.{}", field.name()), field);
                Values::Row(fields.iter().map(part).collect::<Result<_>>()?)
            }
            DataType::List(element) => {
                let length = self.parsed_length(path)?.unwrap_or(3);
                Values::List { element: Box::new(self.generator(&format!("{path}.element"), element)?), length }
            }
            DataType::Map(entries, _) => self.map(path, entries)?,
            other => {
                let name = field.name();
                return Err(self.options.error(format!("column `{name}`: values of type {other} cannot be made up")));
            }
        })
    }

    fn integer<T>(&mut self, path: &str) -> Result<Values>
    where
        T: ArrowPrimitiveType,
        T::Native: FromStr + Into<i64>,
        <T::Native as FromStr>::Err: std::fmt::Display,
    {
        let what = "a whole number of the column's type";
        let (least, greatest) = (range_start::<T>(), range_end::<T>());
        let min = self.parsed::<T::Native>(path, "min", what)?.map_or(least, Into::into);
        let max = self.parsed::<T::Native>(path, "max", what)?.map_or(greatest, Into::into);
        self.check_order(path, &min, &max)?;
        Ok(Values::Integer { min, max })
    }

    fn float(&mut self, path: &str, least: f64, greatest: f64) -> Result<Values> {
        let min = self.parsed::<f64>(path, "min", "a number")?.unwrap_or(least);
        let max = self.parsed::<f64>(path, "max", "a number")?.unwrap_or(greatest);
        self.check_order(path, &min, &max)?;
        Ok(Values::Float { min, max })
    }

    fn decimal(&mut self, path: &str, precision: u8, scale: i8) -> Result<Values> {
        let greatest = 10_i128.checked_pow(u32::from(precision)).map_or(i128::MAX, |power| power - 1);
        let min = self.decimal_bound(path, "min", precision, scale)?.unwrap_or(-greatest);
        let max = self.decimal_bound(path, "max", precision, scale)?.unwrap_or(greatest);
        self.check_order(path, &min, &max)?;
        Ok(Values::Decimal { min, max })
    }

    fn decimal_bound(&mut self, path: &str, what: &str, precision: u8, scale: i8) -> Result<Option<i128>> {
        let Some(text) = self.text(path, what) else { return Ok(None) };
        match parse_decimal::<Decimal128Type>(text, precision, scale) {
            Ok(bound) => Ok(Some(bound)),
            Err(_) => Err(self.refuse(path, what, text, &format!("it should be a DECIMAL({precision}, {scale})"))),
        }
    }

    fn check_order<T: PartialOrd + ToString>(&self, path: &str, min: &T, max: &T) -> Result<()> {
        if min <= max {
            return Ok(());
        }
        Err(self.refuse(path, "min", &min.to_string(), &format!("it is more than the max, {}", max.to_string())))
    }

    fn length(&mut self, path: &str, default: usize) -> Result<(usize, bool)> {
        let length = self.parsed_length(path)?.unwrap_or(default);
        let any_length = self.parsed::<bool>(path, "var-len", "true or false")?.unwrap_or(false);
        Ok((length, any_length))
    }

    fn parsed_length(&mut self, path: &str) -> Result<Option<usize>> {
        self.parsed::<usize>(path, "length", "a whole number")
    }

    fn max_past(&mut self, path: &str) -> Result<i64> {
        let Some(text) = self.text(path, "max-past") else { return Ok(0) };
        let duration = parse_duration(text).and_then(|duration| i64::try_from(duration.as_millis()).ok());
        duration.ok_or_else(|| self.refuse(path, "max-past", text, "it should be a duration such as '5 s' or '1 min'"))
    }

    fn map(&mut self, path: &str, entries: &FieldRef) -> Result<Values> {
        let DataType::Struct(fields) = entries.data_type() else {
            return Err(self.options.error(format!("column `{path}`: its type is no map")));
        };
        let [key, value] = fields.as_ref() else {
            return Err(self.options.error(format!("column `{path}`: its type is no map")));
        };
        let length = self.parsed_length(path)?.unwrap_or(3);
        let key = Box::new(self.generator(&format!("{path}.key"), key)?);
        let value = Box::new(self.generator(&format!("{path}.value"), value)?);
        Ok(Values::Map { key, value, length })
    }

    fn sequence(&mut self, path: &str, field: &FieldRef) -> Result<Values> {
        let start = self.bound(path, "start")?;
        let end = self.bound(path, "end")?;
        self.check_order(path, &start, &end)
            .map_err(|_| self.refuse(path, "start", &start.to_string(), &format!("it is more than the end, {end}")))?;
        let (least, greatest) = match field.data_type() {
            DataType::Int8 => (i64::from(i8::MIN), i64::from(i8::MAX)),
            DataType::Int16 => (i64::from(i16::MIN), i64::from(i16::MAX)),
            DataType::Int32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
            DataType::Int64 | DataType::Float32 | DataType::Float64 | DataType::Utf8 => (i64::MIN, i64::MAX),
            DataType::Decimal128(precision, scale) => {
                let digits = u32::from(precision.saturating_sub(scale.unsigned_abs()));
                let greatest = 10_i64.checked_pow(digits).map_or(i64::MAX, |power| power - 1);
                (-greatest, greatest)
            }
            other => return Err(self.refuse(path, "kind", "sequence", &format!("a column of type {other} has none"))),
        };
        if start < least || end > greatest {
            let why = format!("the column holds numbers from {least} to {greatest}");
            return Err(self.refuse(path, "end", &end.to_string(), &why));
        }
        let rows = end.abs_diff(start).saturating_add(1);
        self.longest = Some(self.longest.map_or(rows, |other| other.min(rows)));
        Ok(Values::Sequence { start })
    }

    fn bound(&mut self, path: &str, what: &str) -> Result<i64> {
        let bound = self.parsed::<i64>(path, what, "a whole number")?;
        bound.ok_or_else(|| self.options.error(format!("the option 'fields.{path}.{what}' is missing")))
    }

    fn text(&mut self, path: &str, what: &str) -> Option<&'a str> {
        #[cfg(test)]
        assert!(crate::reference::is_described(&format!("fields.{path}.{what}")), "'fields.#.{what}' is not described");
        self.left.remove(format!("{path}.{what}").as_str())
    }

    fn parsed<T: FromStr>(&mut self, path: &str, what: &str, should_be: &str) -> Result<Option<T>>
    where
        T::Err: std::fmt::Display,
    {
        let Some(text) = self.text(path, what) else { return Ok(None) };
        match text.trim().parse() {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(self.refuse(path, what, text, &format!("it should be {should_be} ({error})"))),
        }
    }

    fn refuse(&self, path: &str, what: &str, value: &str, why: &str) -> crate::Error {
        self.options.refuse(&format!("fields.{path}.{what}"), value, why)
    }

    /// Refuses what was not read, with the nearest column if it names none.
    fn finish(self, columns: Vec<&str>) -> Result<()> {
        let Some(unknown) = self.left.keys().next() else { return Ok(()) };
        let column = unknown.split('.').next().unwrap_or_default();
        let hint = if columns.contains(&column) {
            "a column of its kind and type has no such option".to_owned()
        } else {
            let near = columns.iter().min_by_key(|known| strsim::damerau_levenshtein(known, column));
            near.map_or_else(String::new, |near| format!("there is no such column; did you mean `{near}`?"))
        };
        Err(self.options.error(format!("the option 'fields.{unknown}' is not known here: {hint}")))
    }
}

fn range_start<T: ArrowPrimitiveType>() -> i64
where
    T::Native: Into<i64>,
{
    use arrow::datatypes::ArrowNativeTypeOp;
    T::Native::MIN_TOTAL_ORDER.into()
}

fn range_end<T: ArrowPrimitiveType>() -> i64
where
    T::Native: Into<i64>,
{
    use arrow::datatypes::ArrowNativeTypeOp;
    T::Native::MAX_TOTAL_ORDER.into()
}
