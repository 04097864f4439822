use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, StructArray};
use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use datafusion_common::ScalarValue;
use datafusion_common::config::ConfigOptions;
use datafusion_expr::{ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, col};

use super::*;
use crate::functions::cast_text::texts;
use crate::functions::testing::{Functions, d, date, dec, i, l, list, ltz, ltz_type, no_text, t, time, ts};

const SHANGHAI: &str = "Asia/Shanghai";

/// The result of a cast as text, evaluated as literal and as column. Casts that are Arrow's are evaluated by Arrow.
fn show(value: &ScalarValue, to: &DataType, on_failure: OnFailure) -> String {
    let from = value.data_type();
    let array = ScalarValue::iter_to_array([value.clone(), ScalarValue::try_from(&from).unwrap()]).unwrap();
    let rewritten = rewrite(col("x"), &from, to, on_failure);
    let result: Result<ArrayRef> = match rewritten {
        None => arrow_cast(&array, to).map_err(Into::into),
        Some(Expr::ScalarFunction(call)) => evaluate(&call.func, &array, value),
        Some(other) => panic!("{other}"),
    };
    match result {
        Err(error) => format!("error: {error}"),
        Ok(array) if array.is_null(0) => "NULL".to_owned(),
        Ok(array) => {
            assert_eq!(array.data_type(), to);
            assert!(array.is_null(1), "null in, null out");
            texts(&array, &Zone::parse(SHANGHAI).unwrap()).unwrap().value(0).to_owned()
        }
    }
}

fn evaluate(function: &ScalarUDF, array: &ArrayRef, value: &ScalarValue) -> Result<ArrayRef> {
    let field = Arc::new(Field::new("x", value.data_type(), true));
    let return_field = function
        .return_field_from_args(ReturnFieldArgs { arg_fields: &[Arc::clone(&field)], scalar_arguments: &[None] })?;
    let call = |argument: ColumnarValue| {
        function.invoke_with_args(ScalarFunctionArgs {
            args: vec![argument],
            arg_fields: vec![Arc::clone(&field)],
            number_rows: 2,
            return_field: Arc::clone(&return_field),
            config_options: Arc::new(ConfigOptions::default()),
        })
    };
    let column = call(ColumnarValue::Array(Arc::clone(array)))?.to_array(2)?;
    let ColumnarValue::Scalar(literal) = call(ColumnarValue::Scalar(value.clone()))? else { panic!("not a literal") };
    assert_eq!(literal, ScalarValue::try_from_array(&column, 0)?);
    Ok(column)
}

fn check(to: &DataType, cases: &[(ScalarValue, &str)]) {
    for (value, expected) in cases {
        assert_eq!(show(value, to, OnFailure::Fail), *expected, "CAST({value:?} AS {})", type_name(to));
    }
}

/// `CAST` fails and `TRY_CAST` is null.
fn check_failures(to: &DataType, texts: &[&str]) {
    for text in texts {
        let expected = format!("cannot cast '{text}' to {}: use TRY_CAST to get NULL instead", type_name(to));
        let error = show(&t(text), to, OnFailure::Fail);
        assert!(error.contains(&expected), "{error}");
        assert_eq!(show(&t(text), to, OnFailure::Null), "NULL", "TRY_CAST('{text}')");
    }
}

fn f(value: f32) -> ScalarValue {
    ScalarValue::from(value)
}

fn small(value: i16) -> ScalarValue {
    ScalarValue::from(value)
}

fn decimal(unscaled: i128, precision: u8, scale: i8) -> ScalarValue {
    ScalarValue::Decimal128(Some(unscaled), precision, scale)
}

#[test]
fn values_print_as_flink_prints_them() {
    let duration = |millis: i64| ScalarValue::new_interval_mdn(0, 0, millis * 1_000_000);
    check(
        &DataType::Utf8,
        &[
            (t("Apache Flink"), "Apache Flink"),
            (ScalarValue::from(true), "TRUE"),
            (ScalarValue::from(false), "FALSE"),
            (ScalarValue::Binary(Some(b"foo".to_vec())), "foo"),
            (decimal(9_870, 4, 3), "9.870"),
            (decimal(100_000, 10, 5), "1.00000"),
            (ScalarValue::Int8(Some(-5)), "-5"),
            (l(-12_345_678_901), "-12345678901"),
            (f(123.456), "123.456"),
            (d(-123.456789), "-123.456789"),
            (d(1e10), "1.0E10"),
            (date("2021-09-24"), "2021-09-24"),
            (time("12:34:56"), "12:34:56"),
            (time("12:34:56.120"), "12:34:56.12"),
            (ts("2021-09-24 12:34:56.123456"), "2021-09-24 12:34:56.123456"),
            (ts("2021-09-24 12:34:56.123456700"), "2021-09-24 12:34:56.123456700"),
            (ts("2021-09-24 12:34:56.1"), "2021-09-24 12:34:56.100"),
            (ts("1969-12-31 23:59:59.999"), "1969-12-31 23:59:59.999"),
            (ltz("2021-09-25 07:54:56.1", SHANGHAI), "2021-09-25 07:54:56.100"),
            (ScalarValue::new_interval_mdn(84, 0, 0), "+7-00"),
            (ScalarValue::new_interval_mdn(12_334, 0, 0), "+1027-10"),
            (ScalarValue::new_interval_mdn(-24, 0, 0), "-2-00"),
            (duration(10), "+0 00:00:00.010"),
            (duration(123_456_789), "+1 10:17:36.789"),
            (duration(-10_000), "-0 00:00:10.000"),
            (ScalarValue::new_interval_mdn(0, 36, 0), "+36 00:00:00.000"),
            (list(&[Some("a"), None]), "[a, NULL]"),
            (no_text(), "NULL"),
        ],
    );
}

#[test]
fn booleans_are_read_from_words() {
    check(
        &DataType::Boolean,
        &[
            (t("true"), "TRUE"),
            (t("FalsE"), "FALSE"),
            (t(" y "), "TRUE"),
            (t("no"), "FALSE"),
            (t("1"), "TRUE"),
            (i(-5), "TRUE"),
            (i(0), "FALSE"),
        ],
    );
    check_failures(&DataType::Boolean, &["foo", "Apache Flink", "", "10"]);
}

#[test]
fn integers_are_read_cut_and_wrapped_as_in_java() {
    check(
        &DataType::Int8,
        &[
            (t("1.234"), "1"),
            (t(" 123 "), "123"),
            (decimal(9_870, 4, 3), "9"),
            (decimal(9_123_870, 10, 3), "-93"),
            (small(12_345), "57"),
            (small(-12_345), "-57"),
            (i(1_234_567), "-121"),
            (l(12_345_678_901), "53"),
            (f(-123.456), "-123"),
            (d(123.456789), "123"),
        ],
    );
    check_failures(&DataType::Int8, &["foo", "-130", "128", "", "-", "1.x", "1e2", "+", "1 2"]);
    check(
        &DataType::Int16,
        &[
            (decimal(91_235_870, 10, 3), "25699"),
            (i(1_234_567), "-10617"),
            (l(-12_345_678_901), "-7221"),
            (f(123_456.78), "-7616"),
            (d(123_456.789), "-7616"),
        ],
    );
    check(
        &DataType::Int32,
        &[
            (t("+5"), "5"),
            (t("-2147483648"), "-2147483648"),
            (decimal(3_276_913_443_134_870, 20, 3), "-146603714"),
            (l(12_345_678_901), "-539222987"),
            (l(-12_345_678_901), "539222987"),
            (d(9_234_567_891.123_45), "2147483647"),
            (d(-1e300), "-2147483648"),
            (d(f64::NAN), "0"),
            (small(7), "7"),
            (ScalarValue::from(true), "1"),
        ],
    );
    check_failures(&DataType::Int32, &["-3276913443134", "2147483648"]);
    check(
        &DataType::Int64,
        &[
            (t("-3276913443134"), "-3276913443134"),
            (t("-9223372036854775808"), "-9223372036854775808"),
            (decimal(3_276_913_443_134_870, 20, 3), "3276913443134"),
            (d(9_234_567_891.123_45), "9234567891"),
            (d(1e300), "9223372036854775807"),
        ],
    );
    check_failures(&DataType::Int64, &["9223372036854775808", "Apache"]);
}

#[test]
fn floating_point_numbers_are_read() {
    check(
        &DataType::Float32,
        &[
            (t("1.234"), "1.234"),
            (t("-3276913443134"), "-3.2769135E12"),
            (d(-f64::MAX), "-Infinity"),
            (dec("9.87"), "9.87"),
        ],
    );
    check(&DataType::Float64, &[(t("1.234"), "1.234"), (t(" 123 "), "123.0"), (t("NaN"), "NaN"), (i(5), "5.0")]);
    check_failures(&DataType::Float64, &["foo", "", "inf"]);
}

#[test]
fn what_does_not_fit_a_decimal_is_null() {
    check(
        &DataType::Decimal128(5, 3),
        &[
            (t("1.234"), "1.234"),
            (t(" 1.2 "), "1.200"),
            (ScalarValue::from(true), "1.000"),
            (decimal(9_870, 4, 3), "9.870"),
            (i(42), "42.000"),
            (f(-12.345), "-12.345"),
            (d(12.678), "12.678"),
        ],
    );
    check(
        &DataType::Decimal128(8, 4),
        &[
            (d(3.123456), "3.1235"),
            (decimal(1_234_561_234, 10, 8), "12.3456"),
            (decimal(-1_234_565_000, 10, 8), "-12.3457"),
            (i(12_345), "NULL"),
            (f(12_345.679), "NULL"),
            (d(f64::MAX), "NULL"),
            (d(f64::NAN), "NULL"),
        ],
    );
    check(&DataType::Decimal128(38, 0), &[(l(i64::MIN), "-9223372036854775808")]);
    check_failures(&DataType::Decimal128(8, 4), &["12345.6789", "foo", ""]);
}

#[test]
fn dates_and_times_are_read_and_converted() {
    check(
        &DataType::Date32,
        &[
            (t("123"), "0123-01-01"),
            (t("2021-09-27"), "2021-09-27"),
            (t("2021-09-27 12:34:56.123456789"), "2021-09-27"),
            (ts("2021-09-24 12:34:56.1234567"), "2021-09-24"),
            (ts("1969-12-31 23:59:59"), "1969-12-31"),
            (ltz("2021-09-24 01:00:00", SHANGHAI), "2021-09-24"),
        ],
    );
    check_failures(&DataType::Date32, &["foo", "2021/09/27", "2021-02-30"]);
    let millis = DataType::Time32(TimeUnit::Millisecond);
    check(
        &millis,
        &[
            (t("123:45"), "03:45:00"),
            (t("12:34:56.123456789"), "12:34:56.123"),
            (ts("2021-09-24 12:34:56.5"), "12:34:56.5"),
            (ts("1969-12-31 23:59:59"), "23:59:59"),
            (ltz("2021-09-25 07:54:56", SHANGHAI), "07:54:56"),
        ],
    );
    check_failures(&millis, &["Flink", "2021-09-27", "2021-09-27 12:34:56"]);
}

#[test]
fn timestamps_are_read_converted_and_cut() {
    let (millis, nanos) =
        (DataType::Timestamp(TimeUnit::Millisecond, None), DataType::Timestamp(TimeUnit::Nanosecond, None));
    check(
        &nanos,
        &[
            (t("2021-09-27"), "2021-09-27 00:00:00.000000000"),
            (t("2021-09-27 12:34:56.123456789"), "2021-09-27 12:34:56.123456789"),
            (date("2021-09-24"), "2021-09-24 00:00:00.000000000"),
            (time("12:34:56"), "1970-01-01 12:34:56.000000000"),
            (ts("2021-09-24 12:34:56.123456"), "2021-09-24 12:34:56.123456000"),
            (ltz("2021-09-25 07:54:56.1234", SHANGHAI), "2021-09-25 07:54:56.123400000"),
        ],
    );
    check(
        &millis,
        &[
            (ts("1970-01-01 00:00:00.123456789"), "1970-01-01 00:00:00.123"),
            (ts("1969-12-31 23:59:59.999999"), "1969-12-31 23:59:59.999"),
            (t("1500-04-30 12:00:00"), "1500-04-30 12:00:00.000"),
        ],
    );
    check_failures(&nanos, &["foo", "123", "2021/09/27", "2021-09-27T12:34:56"]);
    check(
        &ltz_type(SHANGHAI),
        &[
            (t("2021-09-27 12:34:56.123"), "2021-09-27 12:34:56.123"),
            (date("2021-09-24"), "2021-09-24 00:00:00.000"),
            (time("12:34:56"), "1970-01-01 12:34:56.000"),
            (ts("2021-09-24 12:34:56.123456"), "2021-09-24 12:34:56.123"),
        ],
    );
    assert_eq!(
        show(&ltz("1970-01-01 08:00:00", SHANGHAI), &ltz_type(SHANGHAI), OnFailure::Fail),
        "1970-01-01 08:00:00.000",
        "the same type stays"
    );
}

#[test]
fn strings_and_bytes_are_each_others_utf_8() {
    assert_eq!(show(&t("äb"), &DataType::Binary, OnFailure::Fail), "äb");
    assert_eq!(show(&ScalarValue::Binary(Some(vec![0x61, 0xFF])), &DataType::Utf8, OnFailure::Fail), "a\u{FFFD}");
}

#[test]
fn nested_values_are_cast_inside() {
    let numbers = DataType::new_list(DataType::Int32, true);
    assert_eq!(show(&list(&[Some("1"), None, Some("3.9")]), &numbers, OnFailure::Fail), "[1, NULL, 3]");
    assert_eq!(show(&list(&[Some("x")]), &numbers, OnFailure::Null), "[NULL]");
    let values: ArrayRef = Arc::new(Int32Array::from(vec![Some(12)]));
    let row = StructArray::from(vec![(Arc::new(Field::new("a", DataType::Int32, true)), values)]);
    let to = DataType::Struct(Fields::from(vec![Field::new("b", DataType::Decimal128(5, 2), true)]));
    assert_eq!(show(&ScalarValue::Struct(Arc::new(row)), &to, OnFailure::Fail), "(12.00)");
    let map = Functions::utc().call("str_to_map", &[t("1=2")]).unwrap();
    let entries =
        Fields::from(vec![Field::new("key", DataType::Int32, false), Field::new("value", DataType::Int64, true)]);
    let to = DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false);
    assert_eq!(show(&map, &to, OnFailure::Fail), "{1=2}");
}

#[test]
fn only_casts_that_differ_are_replaced_and_they_print_as_casts() {
    for (from, to) in [
        (DataType::Int32, DataType::Int64),
        (DataType::Int32, DataType::Utf8),
        (DataType::Int64, DataType::Float64),
        (DataType::Date32, DataType::Timestamp(TimeUnit::Millisecond, None)),
        (DataType::Timestamp(TimeUnit::Millisecond, None), DataType::Timestamp(TimeUnit::Microsecond, None)),
        (DataType::Null, DataType::Int32),
    ] {
        assert!(rewrite_cast(col("x"), &from, &to).is_none(), "{from} to {to}");
    }
    let name = |expr: Option<Expr>| expr.unwrap().schema_name().to_string();
    assert_eq!(name(rewrite_cast(col("x"), &DataType::Utf8, &DataType::Int64)), "CAST(x AS BIGINT)");
    assert_eq!(name(rewrite_try_cast(col("x"), &DataType::Utf8, &DataType::Int32)), "TRY_CAST(x AS INT)");
}

#[test]
fn casts_between_numbers_and_times_are_refused_with_advice() {
    let (local, instant) = (DataType::Timestamp(TimeUnit::Millisecond, None), ltz_type("UTC"));
    for (from, to, expected) in [
        (
            DataType::Int64,
            instant.clone(),
            "cannot cast BIGINT to TIMESTAMP_LTZ(3): use TO_TIMESTAMP_LTZ(number, precision)",
        ),
        (
            DataType::Int32,
            local.clone(),
            "cannot cast INT to TIMESTAMP(3): use TO_TIMESTAMP(FROM_UNIXTIME(number)), in seconds",
        ),
        (local.clone(), DataType::Int64, "cannot cast TIMESTAMP(3) to BIGINT: use UNIX_TIMESTAMP(CAST(… AS STRING))"),
        (DataType::Date32, DataType::Int32, "cannot cast DATE to INT"),
    ] {
        let error = check_cast(&from, &to).unwrap_err().message().to_string();
        assert_eq!(error, expected);
    }
    assert!(check_cast(&local, &instant).is_ok());
    assert!(check_cast(&DataType::Utf8, &local).is_ok());
}

#[test]
fn cast_to_string_is_a_function_too() {
    Functions::of(SHANGHAI).check(&[
        ("cast_to_string", vec![ScalarValue::from(true)], "TRUE"),
        ("cast_to_string", vec![ltz("2021-09-25 07:54:56.1", SHANGHAI)], "2021-09-25 07:54:56.100"),
        ("cast_to_string", vec![i(5)], "5"),
        ("cast_to_string", vec![no_text()], "NULL"),
    ]);
}
