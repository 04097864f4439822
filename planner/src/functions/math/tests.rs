use super::super::testing::{Functions, d, dec, i, l, no_int, t};
use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;

fn f(value: f32) -> ScalarValue {
    ScalarValue::from(value)
}

fn decimal(unscaled: i128, precision: u8, scale: i8) -> ScalarValue {
    ScalarValue::Decimal128(Some(unscaled), precision, scale)
}

#[test]
fn logarithms_and_constants_are_doubles() {
    Functions::utc().check(&[
        ("log", vec![d(4.6)], "1.5260563034950492"),
        ("log", vec![d(24.6)], "3.202746442938317"),
        ("log", vec![i(10)], "2.302585092994046"),
        ("log", vec![i(10), i(100)], "2.0"),
        ("log", vec![i(1), i(100)], "Infinity"),
        ("log", vec![i(-1)], "NaN"),
        ("log", vec![ScalarValue::Float64(None), i(1)], "NULL"),
        ("log2", vec![d(4.6)], "2.2016338611696504"),
        ("log2", vec![i(100)], "6.643856189774725"),
        ("log2", vec![ScalarValue::Float64(None)], "NULL"),
        ("ln", vec![i(10)], "2.302585092994046"),
        ("log10", vec![dec("100.0")], "2.0"),
        ("e", vec![], "2.718281828459045"),
        ("pi", vec![], "3.141592653589793"),
        ("power", vec![i(42), i(3)], "74088.0"),
        ("pow", vec![d(2.0), no_int()], "NULL"),
        ("sqrt", vec![i(25)], "5.0"),
        ("sqrt", vec![f(6.25)], "2.5"),
        ("cot", vec![d(1.0)], "0.6420926159343306"),
        ("atan2", vec![i(0), i(1)], "0.0"),
        ("degrees", vec![d(std::f64::consts::PI)], "180.0"),
        ("exp", vec![i(0)], "1.0"),
    ]);
    for name in ["exp", "sqrt", "sin", "degrees", "log10"] {
        assert_eq!(Functions::utc().call(name, &[f(1.0)]).unwrap().data_type(), DataType::Float64, "{name}");
    }
}

#[test]
fn floors_ceilings_and_signs_keep_the_type() {
    Functions::utc().check(&[
        ("floor", vec![f(4.5)], "4.0"),
        ("ceil", vec![f(4.5)], "5.0"),
        ("floor", vec![i(43)], "43"),
        ("ceiling", vec![l(43)], "43"),
        ("floor", vec![dec("-1231.1231231321321321111")], "-1232"),
        ("ceil", vec![dec("-1231.1231231321321321111")], "-1231"),
        ("ceil", vec![dec("1.01")], "2"),
        ("ceil", vec![dec("2.00")], "2"),
        ("sign", vec![l(44)], "1"),
        ("sign", vec![l(i64::MIN)], "-1"),
        ("sign", vec![d(4.6)], "1.0"),
        ("sign", vec![d(0.0)], "0.0"),
        ("sign", vec![dec("-1231.1231231321321321111")], "-1.0000000000000000000"),
        ("sign", vec![no_int()], "NULL"),
    ]);
    let functions = Functions::utc();
    assert_eq!(functions.call("floor", &[i(1)]).unwrap(), i(1));
    assert_eq!(functions.call("floor", &[f(1.5)]).unwrap(), f(1.0));
    assert_eq!(functions.call("ceil", &[decimal(987, 4, 3)]).unwrap(), decimal(1, 4, 0));
    assert_eq!(functions.call("sign", &[ScalarValue::Int8(Some(-5))]).unwrap(), ScalarValue::Int8(Some(-1)));
}

#[test]
fn numbers_are_rounded_and_truncated_by_decimal_digits() {
    Functions::utc().check(&[
        ("round", vec![d(0.46), i(1)], "0.5"),
        ("round", vec![d(0.285), i(2)], "0.29"),
        ("round", vec![d(1.005), i(2)], "1.01"),
        ("round", vec![d(-2.5)], "-3.0"),
        ("round", vec![l(44), i(-1)], "40"),
        ("round", vec![l(45), i(-1)], "50"),
        ("round", vec![l(45), l(-100)], "0"),
        ("round", vec![dec("125.315")], "125"),
        ("round", vec![dec("-125.315"), i(2)], "-125.32"),
        ("round", vec![dec("1.4"), i(1)], "1.4"),
        ("round", vec![d(1e300), i(400)], "1.0E300"),
        ("round", vec![d(f64::NAN), i(2)], "NaN"),
        ("truncate", vec![d(0.46), i(1)], "0.4"),
        ("truncate", vec![d(0.46)], "0.0"),
        ("truncate", vec![dec("-0.1231231321321321111"), i(3)], "-0.123"),
        ("truncate", vec![dec("-0.1231231321321321111")], "0"),
        ("truncate", vec![l(44), l(-1)], "40"),
        ("truncate", vec![i(42), i(-3)], "0"),
        ("truncate", vec![i(-42), i(-1)], "-40"),
        ("truncate", vec![f(0.45), i(1)], "0.4"),
        ("truncate", vec![d(42.324), i(2)], "42.32"),
        ("truncate", vec![no_int(), i(1)], "NULL"),
        ("truncate", vec![d(43.21), no_int()], "NULL"),
    ]);
    let functions = Functions::utc();
    assert_eq!(functions.call("round", &[l(i64::MAX), l(-1)]).unwrap(), l(-9_223_372_036_854_775_806));
    assert_eq!(functions.get("round").return_type(&[DataType::Decimal128(10, 5)]).unwrap(), DataType::Decimal128(6, 0));
}

#[test]
fn a_decimal_cut_to_a_literal_number_of_digits_has_flinks_type() {
    for (name, precision, scale, places, expected) in [
        ("round", 10, 5, 2, DataType::Decimal128(8, 2)),
        ("truncate", 6, 3, 2, DataType::Decimal128(6, 2)),
        ("round", 10, 5, -2, DataType::Decimal128(6, 0)),
        ("round", 10, 5, 7, DataType::Decimal128(10, 5)),
    ] {
        let function = Functions::utc();
        let function = function.get(name);
        let field =
            std::sync::Arc::new(arrow::datatypes::Field::new("x", DataType::Decimal128(precision, scale), true));
        let places_field = std::sync::Arc::new(arrow::datatypes::Field::new("n", DataType::Int64, false));
        let places = l(places);
        let args = datafusion_expr::ReturnFieldArgs {
            arg_fields: &[field, places_field],
            scalar_arguments: &[None, Some(&places)],
        };
        assert_eq!(*function.return_field_from_args(args).unwrap().data_type(), expected, "{name} {places}");
    }
}

#[test]
fn the_rest_has_the_sign_of_the_dividend_and_the_type_of_the_divisor() {
    Functions::utc().check(&[
        ("mod", vec![l(44), i(3)], "2"),
        ("mod", vec![i(-7), i(3)], "-1"),
        ("mod", vec![i(7), i(-3)], "1"),
        ("mod", vec![l(i64::MIN), i(-1)], "0"),
        ("mod", vec![dec("1514356320000"), i(6)], "0"),
        ("mod", vec![dec("7.5"), dec("2.00")], "1.50"),
        ("mod", vec![dec("-7.5"), i(2)], "-1.5"),
        ("mod", vec![no_int(), i(0)], "NULL"),
        ("mod", vec![i(1), no_int()], "NULL"),
        ("mod", vec![i(1), i(0)], "error: division by zero in mod"),
        ("mod", vec![dec("1.5"), dec("0.0")], "error: division by zero in mod"),
        ("mod", vec![d(1.5), i(1)], "error: mod takes integers or decimals, not Float64 and Int32: use CAST"),
        ("mod", vec![t("1"), i(1)], "error: mod takes integers or decimals, not Utf8 and Int32: use CAST"),
    ]);
    assert_eq!(Functions::utc().call("mod", &[l(44), i(3)]).unwrap(), i(2));
}

#[test]
fn random_numbers_stay_in_range_and_go_on_from_batch_to_batch() {
    let functions = Functions::utc();
    assert_eq!(functions.show("rand", &[i(1)]), "0.7308781907032909");
    assert_ne!(functions.show("rand", &[i(1)]), "0.7308781907032909");
    assert_eq!(functions.show("rand_integer", &[i(3), no_int()]), "NULL");
    for _ in 0..100 {
        let value: i32 = functions.show("rand_integer", &[i(10)]).parse().unwrap();
        assert!((0..10).contains(&value));
        let value: f64 = functions.show("rand", &[]).parse().unwrap();
        assert!((0.0..1.0).contains(&value));
    }
    assert_eq!(
        functions.show("rand_integer", &[i(0)]),
        "error: the bound 0 of rand_integer must be from 1 to 2147483647"
    );
    assert_eq!(functions.show("uuid", &[]).len(), 36);
}
