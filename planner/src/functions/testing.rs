//! What the tests of all functions share: calling one by name, every way it can be called.
//!
//! A call is evaluated with literals, with columns, and with one literal at a time among columns; all must agree. The
//! columns have a null row and repeat the values, so that row numbers and nulls are checked on the way.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion_common::config::ConfigOptions;
use datafusion_common::{DataFusionError, Result, ScalarValue};
use datafusion_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, TypeSignature, Volatility};

use super::cast_text::texts;
use super::zone::Zone;

/// 2024-02-29 12:34:56.789 UTC: what the clock of tests shows.
pub(super) const NOW: i64 = 1_709_210_096_789;

/// Functions of a session in a zone.
pub(super) struct Functions {
    zone: Zone,
    functions: Vec<Arc<ScalarUDF>>,
}

impl Functions {
    pub(super) fn of(zone: &str) -> Self {
        let functions = super::all(zone, Arc::new(|| NOW)).unwrap();
        Self { zone: Zone::parse(zone).unwrap(), functions }
    }

    pub(super) fn utc() -> Self {
        Self::of("UTC")
    }

    pub(super) fn get(&self, name: &str) -> &Arc<ScalarUDF> {
        let named = |function: &&Arc<ScalarUDF>| {
            function.name() == name || function.aliases().iter().any(|alias| alias == name)
        };
        self.functions.iter().find(named).unwrap_or_else(|| panic!("no function {name}"))
    }

    /// The result as text, `NULL` for null; an error as `error: …`.
    pub(super) fn show(&self, name: &str, arguments: &[ScalarValue]) -> String {
        match self.call(name, arguments) {
            Ok(value) if value.is_null() => "NULL".to_owned(),
            Ok(value) => texts(&value.to_array().unwrap(), &self.zone).unwrap().value(0).to_owned(),
            Err(error) => format!("error: {}", error.message()),
        }
    }

    /// The result of a call whose arguments are literals, as text.
    pub(super) fn show_literal(&self, name: &str, arguments: &[ScalarValue]) -> String {
        let values = evaluate(self.get(name), arguments, &vec![true; arguments.len()]).unwrap();
        texts(&values, &self.zone).unwrap().value(0).to_owned()
    }

    /// Checks a table of calls.
    pub(super) fn check(&self, cases: &[(&str, Vec<ScalarValue>, &str)]) {
        for (name, arguments, expected) in cases {
            assert_eq!(self.show(name, arguments), *expected, "{name}({arguments:?})");
        }
    }

    /// The value of a call, after all ways to evaluate it agreed.
    pub(super) fn call(&self, name: &str, arguments: &[ScalarValue]) -> Result<ScalarValue> {
        let function = self.get(name);
        let given: Vec<DataType> = arguments.iter().map(ScalarValue::data_type).collect();
        let nullary = function.signature().type_signature == TypeSignature::Nullary;
        let types = if nullary { vec![] } else { function.coerce_types(&given)? };
        let arguments =
            arguments.iter().zip(&types).map(|(value, to)| value.cast_to(to)).collect::<Result<Vec<ScalarValue>>>()?;
        let literals: Vec<bool> = vec![true; arguments.len()];
        let expected = evaluate(function, &arguments, &literals);
        if function.signature().volatility == Volatility::Volatile {
            return expected.map(|values| ScalarValue::try_from_array(&values, 0).unwrap());
        }
        for column in 0..=arguments.len() {
            let literals: Vec<bool> = (0..arguments.len()).map(|at| column < arguments.len() && at != column).collect();
            compare(&expected, &evaluate(function, &arguments, &literals), name, &literals);
            let literals: Vec<bool> = literals.iter().map(|literal| !literal).collect();
            compare(&expected, &evaluate(function, &arguments, &literals), name, &literals);
        }
        expected.map(|values| ScalarValue::try_from_array(&values, 0).unwrap())
    }
}

fn compare(expected: &Result<ArrayRef>, actual: &Result<ArrayRef>, name: &str, literals: &[bool]) {
    match (expected, actual) {
        (Ok(expected), Ok(actual)) => {
            let (expected, actual) = (
                ScalarValue::try_from_array(expected, 0).unwrap(),
                ScalarValue::try_from_array(actual, actual.len() - 1).unwrap(),
            );
            // The scale of a rounded decimal is only known from a literal.
            let actual = actual.cast_to(&expected.data_type()).unwrap();
            assert_eq!(expected, actual, "{name} with literals {literals:?}");
        }
        (Err(_), Err(_)) => {}
        // Only a literal is looked at while planning.
        (Err(DataFusionError::Plan(_)), Ok(_)) => {}
        // Only a literal pattern, unit or clause can be used where one is demanded.
        (Ok(_), Err(error)) if error.to_string().contains("must be a literal") => {}
        (expected, actual) => panic!("{name} with literals {literals:?}: {expected:?} and {actual:?}"),
    }
}

/// Three rows, of which the middle one is null in every column.
fn evaluate(function: &Arc<ScalarUDF>, arguments: &[ScalarValue], literals: &[bool]) -> Result<ArrayRef> {
    let fields: Vec<_> = arguments
        .iter()
        .enumerate()
        .map(|(at, value)| Arc::new(Field::new(format!("c{at}"), value.data_type(), value.is_null() || !literals[at])))
        .collect();
    let scalars: Vec<Option<&ScalarValue>> =
        arguments.iter().zip(literals).map(|(value, literal)| literal.then_some(value)).collect();
    let return_field =
        function.return_field_from_args(ReturnFieldArgs { arg_fields: &fields, scalar_arguments: &scalars })?;
    let columns = arguments
        .iter()
        .zip(literals)
        .map(|(value, literal)| match literal {
            true => Ok(ColumnarValue::Scalar(value.clone())),
            false => {
                let null = ScalarValue::try_from(value.data_type())?;
                Ok(ColumnarValue::Array(ScalarValue::iter_to_array([value.clone(), null, value.clone()])?))
            }
        })
        .collect::<Result<Vec<_>>>()?;
    let result = function.invoke_with_args(ScalarFunctionArgs {
        args: columns,
        arg_fields: fields,
        number_rows: 3,
        return_field: Arc::clone(&return_field),
        config_options: Arc::new(ConfigOptions::default()),
    })?;
    assert_eq!(result.data_type(), *return_field.data_type(), "{}", function.name());
    let array = result.to_array(3)?;
    if !return_field.is_nullable() {
        assert_eq!(array.null_count(), 0, "{} promised no nulls", function.name());
    }
    Ok(array)
}

/// A string.
pub(super) fn t(text: &str) -> ScalarValue {
    ScalarValue::from(text)
}

/// A null string.
pub(super) fn no_text() -> ScalarValue {
    ScalarValue::Utf8(None)
}

/// An `INT`.
pub(super) fn i(value: i32) -> ScalarValue {
    ScalarValue::from(value)
}

/// A `BIGINT`.
pub(super) fn l(value: i64) -> ScalarValue {
    ScalarValue::from(value)
}

/// A null `INT`.
pub(super) fn no_int() -> ScalarValue {
    ScalarValue::Int32(None)
}

/// A `DOUBLE`.
pub(super) fn d(value: f64) -> ScalarValue {
    ScalarValue::from(value)
}

/// A decimal, from its digits: `-12.30` is a `DECIMAL(38, 2)`.
pub(super) fn dec(text: &str) -> ScalarValue {
    let scale = text.split_once('.').map_or(0, |(_, fraction)| i8::try_from(fraction.len()).unwrap());
    let unscaled: i128 = text.replace('.', "").parse().unwrap();
    ScalarValue::Decimal128(Some(unscaled), 38, scale)
}

/// A `DATE`.
pub(super) fn date(text: &str) -> ScalarValue {
    ScalarValue::Date32(Some(super::time_parse::default_date(text).unwrap().try_into().unwrap()))
}

/// A `TIME`.
pub(super) fn time(text: &str) -> ScalarValue {
    ScalarValue::Time32Millisecond(Some(super::time_parse::default_time(text).unwrap().try_into().unwrap()))
}

/// A `TIMESTAMP` with as many digits as the text has.
pub(super) fn ts(text: &str) -> ScalarValue {
    let wall = super::time_parse::default_timestamp(text).unwrap_or_else(|| panic!("{text}"));
    match text.split_once('.').map_or(0, |(_, fraction)| fraction.len()) {
        0..=3 => ScalarValue::TimestampMillisecond(wall.ticks(1_000), None),
        4..=6 => ScalarValue::TimestampMicrosecond(wall.ticks(1_000_000), None),
        _ => ScalarValue::TimestampNanosecond(wall.ticks(1_000_000_000), None),
    }
}

/// A `TIMESTAMP_LTZ` in a zone, from what its clocks show.
pub(super) fn ltz(text: &str, zone: &str) -> ScalarValue {
    let rules = Zone::parse(zone).unwrap();
    let repeated = super::zone::Repeated::First;
    let named = Some(Arc::from(zone));
    match ts(text) {
        ScalarValue::TimestampMillisecond(Some(ticks), _) => {
            ScalarValue::TimestampMillisecond(Some(rules.instant_ticks(ticks, 1_000, repeated)), named)
        }
        ScalarValue::TimestampMicrosecond(Some(ticks), _) => {
            ScalarValue::TimestampMicrosecond(Some(rules.instant_ticks(ticks, 1_000_000, repeated)), named)
        }
        ScalarValue::TimestampNanosecond(Some(ticks), _) => {
            ScalarValue::TimestampNanosecond(Some(rules.instant_ticks(ticks, 1_000_000_000, repeated)), named)
        }
        other => other,
    }
}

/// A null `TIMESTAMP(3)`.
pub(super) fn no_ts() -> ScalarValue {
    ScalarValue::TimestampMillisecond(None, None)
}

/// A list of strings, of which some may be null.
pub(super) fn list(values: &[Option<&str>]) -> ScalarValue {
    let values: Vec<ScalarValue> = values.iter().map(|value| ScalarValue::Utf8(value.map(str::to_owned))).collect();
    ScalarValue::List(ScalarValue::new_list_nullable(&values, &DataType::Utf8))
}

/// The type of `TIMESTAMP_LTZ(3)` in a zone.
pub(super) fn ltz_type(zone: &str) -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some(zone.into()))
}
