use super::super::testing::{Functions, d, date, dec, i, l, no_int, no_text, t, ts};
use datafusion_common::ScalarValue;
use datafusion_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion_expr::{col, lit};

fn truth(value: bool) -> ScalarValue {
    ScalarValue::from(value)
}

#[test]
fn if_takes_the_second_branch_unless_the_condition_is_true() {
    Functions::utc().check(&[
        ("if", vec![truth(true), i(5), i(3)], "5"),
        ("if", vec![truth(false), i(-3), l(44)], "44"),
        ("if", vec![ScalarValue::Boolean(None), i(5), i(3)], "3"),
        ("if", vec![truth(true), no_int(), i(3)], "NULL"),
        ("if", vec![truth(false), t("a"), t(" b ")], " b "),
        ("if", vec![truth(true), date("1996-11-10"), date("1996-11-11")], "1996-11-10"),
        (
            "if",
            vec![truth(true), i(1), t("a")],
            "error: the arguments of if have no common type: INT, STRING: use CAST",
        ),
        ("if", vec![i(1), i(1), i(2)], "error: the condition of if must be a boolean, but it is INT"),
    ]);
    assert_eq!(Functions::utc().call("if", &[truth(true), i(5), l(3)]).unwrap(), l(5));
}

#[test]
fn if_becomes_a_case_so_that_only_the_needed_branch_is_computed() {
    let functions = Functions::utc();
    let arguments = vec![col("a"), lit(1), lit(2)];
    match functions.get("if").simplify(arguments, &SimplifyContext::default()).unwrap() {
        ExprSimplifyResult::Simplified(expr) => {
            assert_eq!(expr.to_string(), "CASE WHEN a THEN Int32(1) ELSE Int32(2) END");
        }
        ExprSimplifyResult::Original(arguments) => panic!("not rewritten: {arguments:?}"),
    }
    assert!(functions.get("if").short_circuits());
}

#[test]
fn extremes_are_null_when_any_value_is() {
    Functions::utc().check(&[
        ("greatest", vec![i(1), i(3), i(2)], "3"),
        ("greatest", vec![i(1), dec("3.14"), i(2)], "3.14"),
        ("greatest", vec![no_int(), i(1), i(2)], "NULL"),
        ("greatest", vec![i(1), i(2), no_int()], "NULL"),
        ("greatest", vec![t("hello"), t("world")], "world"),
        ("greatest", vec![ts("1970-01-01 00:00:03.001"), ts("1970-01-01 00:00:02.001")], "1970-01-01 00:00:03.001"),
        ("greatest", vec![i(1)], "1"),
        ("least", vec![i(1), d(0.5), i(2)], "0.5"),
        ("least", vec![no_text(), t("a")], "NULL"),
        ("least", vec![t("hello"), t("world")], "hello"),
        ("greatest", vec![i(1), t("a")], "error: the arguments of greatest have no common type: INT, STRING: use CAST"),
        (
            "least",
            vec![t("a"), ts("1970-01-01 00:00:03")],
            "error: the arguments of least have no common type: STRING, TIMESTAMP(3): use CAST",
        ),
        ("least", vec![], "error: least takes at least 1 argument"),
    ]);
}

#[test]
fn types_have_flinks_names() {
    let functions = Functions::utc();
    for (value, expected) in [
        (i(1), "INT"),
        (dec("1.20"), "DECIMAL(38, 2)"),
        (ts("1970-01-01 00:00:03.123456"), "TIMESTAMP(6)"),
        (t("a"), "STRING"),
        (super::super::testing::list(&[Some("a")]), "ARRAY<STRING>"),
    ] {
        let shown = functions.show_literal("typeof", &[value]);
        assert_eq!(shown, format!("{expected} NOT NULL"));
    }
    assert_eq!(functions.show_literal("typeof", &[no_int()]), "INT");
}
