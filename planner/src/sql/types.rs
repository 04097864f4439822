//! Flink's types as Arrow types, and back into Flink's words for messages.
//!
//! `STRING`, `CHAR(n)` and `VARCHAR(n)` are one type: lengths are not enforced in tables, as is Flink's default. Timestamps
//! are kept in milliseconds up to a precision of 3, in microseconds up to 6 and in nanoseconds beyond; `TIMESTAMP_LTZ` is
//! the one that carries a zone, the session's.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, IntervalUnit, TimeUnit};
use datafusion_common::{DataFusionError, Result as PlanResult, plan_datafusion_err};
use datafusion_expr::planner::TypePlanner;
use datafusion_sql::sqlparser::ast::{ArrayElemTypeDef, DataType as SqlType, ExactNumberInfo, TimezoneInfo};
use millstream_crds::check::did_you_mean;

use crate::error::{Error, Result};

/// The names of types, for suggestions.
const NAMES: &[&str] = &[
    "BOOLEAN",
    "TINYINT",
    "SMALLINT",
    "INT",
    "INTEGER",
    "BIGINT",
    "FLOAT",
    "DOUBLE",
    "DECIMAL",
    "NUMERIC",
    "CHAR",
    "VARCHAR",
    "STRING",
    "BINARY",
    "VARBINARY",
    "BYTES",
    "DATE",
    "TIME",
    "TIMESTAMP",
    "TIMESTAMP_LTZ",
    "ARRAY",
    "MAP",
    "ROW",
];

/// Turns types into Arrow types for a session's time zone. Every type goes through it: what it refuses is refused.
#[derive(Debug)]
pub(super) struct Types {
    zone: Arc<str>,
}

impl Types {
    pub(super) fn new(zone: &str) -> Self {
        Self { zone: zone.into() }
    }

    /// The Arrow type of `sql`. The error has no place: the type has none.
    pub(super) fn arrow(&self, sql: &SqlType) -> Result<DataType> {
        Ok(match sql {
            SqlType::Boolean | SqlType::Bool => DataType::Boolean,
            SqlType::TinyInt(None) => DataType::Int8,
            SqlType::SmallInt(None) => DataType::Int16,
            SqlType::Int(None) | SqlType::Integer(None) => DataType::Int32,
            SqlType::BigInt(None) => DataType::Int64,
            SqlType::Float(ExactNumberInfo::None) | SqlType::Real => DataType::Float32,
            SqlType::Double(ExactNumberInfo::None) | SqlType::DoublePrecision => DataType::Float64,
            SqlType::Decimal(info) | SqlType::Dec(info) | SqlType::Numeric(info) => decimal(*info)?,
            SqlType::Char(_)
            | SqlType::Character(_)
            | SqlType::Varchar(_)
            | SqlType::CharVarying(_)
            | SqlType::CharacterVarying(_)
            | SqlType::String(None) => DataType::Utf8,
            SqlType::Binary(_) | SqlType::Varbinary(_) | SqlType::Bytes(None) => DataType::Binary,
            SqlType::Date => DataType::Date32,
            SqlType::Time(precision, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
                time(precision.unwrap_or(0), "TIME")?
            }
            SqlType::Timestamp(precision, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
                DataType::Timestamp(unit(precision.unwrap_or(6), "TIMESTAMP")?, None)
            }
            SqlType::Custom(name, modifiers) => self.named(&name.to_string(), modifiers)?,
            SqlType::Array(ArrayElemTypeDef::AngleBracket(item)) => {
                DataType::List(Arc::new(Field::new_list_field(self.arrow(item)?, true)))
            }
            SqlType::Map(key, value) => map(self.arrow(key)?, self.arrow(value)?),
            SqlType::Struct(fields, _) => {
                let fields = fields.iter().enumerate().map(|(place, field)| {
                    let name = field.field_name.as_ref().map_or_else(|| format!("f{place}"), |name| name.value.clone());
                    Ok(Field::new(name, self.arrow(&field.field_type)?, true))
                });
                DataType::Struct(fields.collect::<Result<Fields>>()?)
            }
            SqlType::Timestamp(_, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) => {
                let advice = "use TIMESTAMP_LTZ, a moment that is shown in the session's time zone";
                return Err(Error::unsupported(None, &format!("the type {sql}"), advice));
            }
            // The parser knows the types of a dozen systems; none of the others is Flink's.
            other => return Err(unknown(&other.to_string())),
        })
    }

    fn named(&self, name: &str, modifiers: &[String]) -> Result<DataType> {
        if name.eq_ignore_ascii_case("ROW") {
            return Err(Error::new("the type ROW needs its fields in angle brackets: ROW<name TYPE, …>"));
        }
        if !name.eq_ignore_ascii_case("TIMESTAMP_LTZ") {
            return Err(unknown(name));
        }
        let precision = match modifiers {
            [] => 6,
            [digits] => {
                digits.parse().map_err(|_| Error::new(format!("the precision of {name}({digits}) is not a number")))?
            }
            [_, _, ..] => return Err(Error::new(format!("the type {name} takes one precision"))),
        };
        Ok(DataType::Timestamp(unit(precision, "TIMESTAMP_LTZ")?, Some(Arc::clone(&self.zone))))
    }
}

impl TypePlanner for Types {
    fn plan_type_field(&self, sql: &SqlType) -> PlanResult<Option<FieldRef>> {
        // An interval as a type comes up only inside INTERVAL literals with a field.
        let arrow = match sql {
            SqlType::Interval { fields: None, precision: None } => DataType::Interval(IntervalUnit::MonthDayNano),
            other => self.arrow(other).map_err(|error| plan_datafusion_err!("{}", error.message()))?,
        };
        Ok::<_, DataFusionError>(Some(Arc::new(Field::new("", arrow, true))))
    }
}

fn unknown(name: &str) -> Error {
    let bare = name.split(['(', '<', ' ']).next().unwrap_or(name);
    let hint = did_you_mean(bare, NAMES.iter().copied());
    Error::new(format!("the type {name} is not known{hint}"))
}

fn decimal(info: ExactNumberInfo) -> Result<DataType> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => (10, 0),
        ExactNumberInfo::Precision(precision) => (precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (precision, scale),
    };
    match (u8::try_from(precision), i8::try_from(scale)) {
        (Ok(p @ 1..=38), Ok(s)) if s >= 0 && s.unsigned_abs() <= p => Ok(DataType::Decimal128(p, s)),
        _ => {
            let why = "the precision must be from 1 to 38 and the scale from 0 to the precision";
            Err(Error::new(format!("the type DECIMAL({precision}, {scale}) cannot be: {why}")))
        }
    }
}

fn unit(precision: u64, name: &str) -> Result<TimeUnit> {
    match precision {
        0..=3 => Ok(TimeUnit::Millisecond),
        4..=6 => Ok(TimeUnit::Microsecond),
        7..=9 => Ok(TimeUnit::Nanosecond),
        _ => Err(Error::new(format!("the precision of {name}({precision}) must be from 0 to 9"))),
    }
}

fn time(precision: u64, name: &str) -> Result<DataType> {
    Ok(match unit(precision, name)? {
        TimeUnit::Second | TimeUnit::Millisecond => DataType::Time32(TimeUnit::Millisecond),
        unit @ (TimeUnit::Microsecond | TimeUnit::Nanosecond) => DataType::Time64(unit),
    })
}

fn map(key: DataType, value: DataType) -> DataType {
    let entries = Fields::from(vec![Field::new("key", key, false), Field::new("value", value, true)]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false)
}
