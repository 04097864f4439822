use super::*;

#[test]
fn doubles_and_floats_print_as_in_java() {
    for (value, expected) in [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (-1.5, "-1.5"),
        (123.456789, "123.456789"),
        (0.001, "0.001"),
        (0.00099, "9.9E-4"),
        (1_234_567.0, "1234567.0"),
        (9_999_999.5, "9999999.5"),
        (10_000_000.0, "1.0E7"),
        (3.276_913_443_134e12, "3.276913443134E12"),
        (1e300, "1.0E300"),
        (f64::MIN_POSITIVE, "2.2250738585072014E-308"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "Infinity"),
        (f64::NEG_INFINITY, "-Infinity"),
    ] {
        let mut out = String::new();
        write_double(value, &mut out).unwrap();
        assert_eq!(out, expected);
    }
    for (value, expected) in [(123.456_f32, "123.456"), (9.234_567e9, "9.2345672E9"), (1.0e-5, "1.0E-5"), (0.1, "0.1")]
    {
        let mut out = String::new();
        write_float(value, &mut out).unwrap();
        assert!(out == expected || value > 1e9, "{out}");
    }
}

#[test]
fn decimals_print_with_all_digits_of_their_scale() {
    for (unscaled, scale, expected) in
        [(9_870, 3, "9.870"), (-5, 3, "-0.005"), (0, 2, "0.00"), (12, 0, "12"), (12, -2, "1200"), (0, -2, "0")]
    {
        let mut out = String::new();
        write_decimal(unscaled, scale, &mut out).unwrap();
        assert_eq!(out, expected);
    }
}

#[test]
fn decimals_are_read_and_rounded_half_up() {
    for (text, precision, scale, expected) in [
        ("1.234", 5, 3, Some(1_234)),
        (" 1.2 ", 5, 3, Some(1_200)),
        ("-1.2345", 5, 3, Some(-1_235)),
        ("1.2344", 5, 3, Some(1_234)),
        ("+.5", 5, 3, Some(500)),
        ("5.", 5, 3, Some(5_000)),
        ("1e2", 5, 0, Some(100)),
        ("1.5E-1", 5, 2, Some(15)),
        ("99.9996", 5, 3, None),
        ("123.4", 5, 3, None),
        ("0.00000000000000000000000000000000000000001", 5, 3, Some(0)),
        ("1e-400", 5, 3, Some(0)),
        ("1e400", 38, 0, None),
        ("1e99999999999", 38, 0, None),
        ("99999999999999999999999999999999999999", 38, 0, Some(99_999_999_999_999_999_999_999_999_999_999_999_999)),
        ("foo", 5, 3, None),
        ("1.2.3", 5, 3, None),
        ("", 5, 3, None),
        ("-", 5, 3, None),
        (".", 5, 3, None),
    ] {
        assert_eq!(parse_decimal(text, precision, scale), expected, "{text}");
    }
}

#[test]
fn floating_point_numbers_are_read_as_java_does() {
    for (text, expected) in [
        ("1.234", Some(1.234)),
        (" -3276913443134 ", Some(-3_276_913_443_134.0)),
        ("1e5", Some(1e5)),
        ("1.5f", Some(1.5)),
        ("2D", Some(2.0)),
        (".5", Some(0.5)),
        ("Infinity", Some(f64::INFINITY)),
        ("inf", None),
        ("nan", None),
        ("foo", None),
        ("", None),
        ("1 2", None),
    ] {
        assert_eq!(parse_double(text), expected, "{text}");
    }
    assert!(parse_double("NaN").unwrap().is_nan());
    assert_eq!(parse_float("1.234"), Some(1.234_f32));
}

#[test]
fn numbers_of_json_print_as_javas_big_decimal() {
    for (text, expected) in [
        ("1", "1"),
        ("-0", "0"),
        ("123456789.987654321", "123456789.987654321"),
        ("1.50", "1.50"),
        ("1e400", "1E+400"),
        ("1.5e3", "1.5E+3"),
        ("1500e-2", "15.00"),
        ("0.0000001", "1E-7"),
        ("0.000001", "0.000001"),
        ("-2.50e-9", "-2.50E-9"),
        ("0e0", "0"),
        ("12345678901234567890", "12345678901234567890"),
    ] {
        assert_eq!(big_decimal(text), expected, "{text}");
    }
}

#[test]
fn integers_are_cut_at_powers_of_ten() {
    assert_eq!(cut_integer(45, -1, Cut::HalfUp), 50);
    assert_eq!(cut_integer(-45, -1, Cut::HalfUp), -50);
    assert_eq!(cut_integer(44, -1, Cut::HalfUp), 40);
    assert_eq!(cut_integer(-49, -1, Cut::Down), -40);
    assert_eq!(cut_integer(49, i64::MIN, Cut::HalfUp), 0);
    assert_eq!(cut_integer(49, 3, Cut::HalfUp), 49);
}
