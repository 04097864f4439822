use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use expect_test::expect;
use millstream_engine::sql_type::sql_name;

use super::*;
use crate::error::Position;
use crate::session::Session;
use crate::thread::on_planning_thread;

fn input() -> Schema {
    let person = Fields::from(vec![Field::new("name", DataType::Utf8, true), Field::new("age", DataType::Int32, true)]);
    Schema::new(vec![
        Field::new("a", DataType::Int32, false),
        Field::new("b", DataType::Int64, true),
        Field::new("x", DataType::Float64, true),
        Field::new("d", DataType::Decimal128(10, 2), true),
        Field::new("s", DataType::Utf8, true),
        Field::new("ts", DataType::Timestamp(TimeUnit::Millisecond, None), true),
        Field::new("person", DataType::Struct(person), true),
        Field::new("itemName", DataType::Utf8, true),
        Field::new("tags", DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))), true),
    ])
}

fn planned(text: &str) -> String {
    let session = Session::default();
    match on_planning_thread(|| plan_expression(text, &input(), &session)) {
        Ok(planned) => format!(
            "{}: {}{} := {}",
            planned.field.name(),
            sql_name(planned.field.data_type()),
            if planned.field.is_nullable() { "" } else { " NOT NULL" },
            planned.expression
        ),
        Err(error) => format!("error: {error}"),
    }
}

fn aggregate(text: &str) -> String {
    let session = Session::default();
    match on_planning_thread(|| plan_aggregate(text, &input(), &session)) {
        Ok(planned) => {
            let argument = planned.argument.map_or_else(|| "*".to_owned(), |argument| argument.expression.to_string());
            let filter = planned.filter.map_or_else(String::new, |filter| format!(" if {}", filter.expression));
            format!(
                "{}: {}{} := {:?}({}{argument}){filter}",
                planned.output.name(),
                sql_name(planned.output.data_type()),
                if planned.output.is_nullable() { "" } else { " NOT NULL" },
                planned.function,
                if planned.distinct { "distinct " } else { "" },
            )
        }
        Err(error) => format!("error: {error}"),
    }
}

fn all(texts: &[&str], plan: fn(&str) -> String) -> String {
    texts.iter().map(|text| format!("{text}\n    {}\n", plan(text))).collect()
}

#[test]
fn expressions_have_flinks_names_and_types() {
    let texts = [
        "a",
        "`a` + 1 AS next",
        "a + 1",
        "b % 2",
        "a / 2",
        "1 + 1",
        "3000000000",
        "1e3",
        "-1",
        "0.5 * x",
        "d * 2",
        "d / 3",
        "7 / d / d",
        "1.00 / 3",
        "CASE WHEN a > 1 THEN d / 3 ELSE d END",
        "d / x",
        "CAST(1 AS DECIMAL(38, 0)) + d",
        "99999999999999999999999999999999999999 + a",
        "b * CAST(2 AS DECIMAL(20, 2))",
        "b * 1.5",
        "CASE WHEN a > 1 THEN 0 ELSE d END / 3",
        "d / 10000000000000000000",
        "d - NULL",
        "d + 1 > 5",
        "CASE WHEN a > 1 THEN 1 ELSE 0 END AS flag",
        "person.age",
        "person.name AS who",
        "tags[1]",
        "s || '!'",
        "s LIKE 'a%'",
        "ts + INTERVAL '1:30' HOUR TO MINUTE",
        "ts >= TIMESTAMP '2020-01-01 00:00:00'",
        "CAST(a AS BIGINT)",
        "CAST(s AS INT)",
        "TRY_CAST(s AS INT)",
        "CAST(x AS DECIMAL(10, 2))",
        "a BETWEEN 1 AND 3 AND s IN ('a', 'b')",
        "COALESCE(b, 1)",
        "itemName IS NOT NULL",
        "s = 5",
        "ARRAY_REMOVE(tags, 'x')",
    ];
    expect![[r#"
        a
            a: INT NOT NULL := a@0
        `a` + 1 AS next
            next: INT NOT NULL := a@0 + 1
        a + 1
            a + 1: INT NOT NULL := a@0 + 1
        b % 2
            b % 2: BIGINT := b@1 % 2
        a / 2
            a / 2: INT NOT NULL := a@0 / 2
        1 + 1
            1 + 1: INT NOT NULL := 2
        3000000000
            3000000000: BIGINT NOT NULL := 3000000000
        1e3
            1e3: DOUBLE NOT NULL := 1000
        -1
            -1: INT NOT NULL := -1
        0.5 * x
            0.5 * x: DOUBLE := 0.5 * x@2
        d * 2
            d * 2: DECIMAL(21, 2) := *(d@3, 2)
        d / 3
            d / 3: DECIMAL(21, 13) := /(d@3, 3)
        7 / d / d
            7 / d / d: DECIMAL(36, 22) := /(/(7, d@3), d@3)
        1.00 / 3
            1.00 / 3: DECIMAL(14, 13) NOT NULL := 0.3333333333333
        CASE WHEN a > 1 THEN d / 3 ELSE d END
            CASE WHEN a > 1 THEN d / 3 ELSE d END: DECIMAL(21, 13) := CASE WHEN a@0 > 1 THEN /(d@3, 3) ELSE flink_cast(d@3) END
        d / x
            d / x: DOUBLE := CAST(d@3 AS Float64) / x@2
        CAST(1 AS DECIMAL(38, 0)) + d
            CAST(1 AS DECIMAL(38,0)) + d: DECIMAL(38, 2) := +(1, d@3)
        99999999999999999999999999999999999999 + a
            99999999999999999999999999999999999999 + a: DECIMAL(38, 0) := +(99999999999999999999999999999999999999, flink_cast(a@0))
        b * CAST(2 AS DECIMAL(20, 2))
            b * CAST(2 AS DECIMAL(20,2)): DECIMAL(38, 2) := *(flink_cast(b@1), 2.00)
        b * 1.5
            b * 1.5: DECIMAL(22, 1) := *(flink_cast(b@1), 1.5)
        CASE WHEN a > 1 THEN 0 ELSE d END / 3
            CASE WHEN a > 1 THEN 0 ELSE d END / 3: DECIMAL(23, 13) := /(CASE WHEN a@0 > 1 THEN 0.00 ELSE flink_cast(d@3) END, 3)
        d / 10000000000000000000
            d / 10000000000000000000: DECIMAL(31, 23) := /(d@3, 10000000000000000000)
        d - NULL
            d - NULL: DECIMAL(11, 2) := -(d@3, NULL)
        d + 1 > 5
            d + 1 > 5: BOOLEAN := +(d@3, 1) > 5.00
        CASE WHEN a > 1 THEN 1 ELSE 0 END AS flag
            flag: INT NOT NULL := CASE WHEN a@0 > 1 THEN 1 ELSE 0 END
        person.age
            age: INT := get_field(person@6, age)
        person.name AS who
            who: STRING := get_field(person@6, name)
        tags[1]
            tags[1]: STRING := array_element(tags@8, 1)
        s || '!'
            s || '!': STRING := s@4 || !
        s LIKE 'a%'
            s LIKE 'a%': BOOLEAN := s@4 LIKE a%
        ts + INTERVAL '1:30' HOUR TO MINUTE
            ts + INTERVAL '1:30' HOUR TO MINUTE: TIMESTAMP(3) := ts@5 + 5400000
        ts >= TIMESTAMP '2020-01-01 00:00:00'
            ts >= TIMESTAMP '2020-01-01 00:00:00': BOOLEAN := ts@5 >= 1577836800000
        CAST(a AS BIGINT)
            CAST(a AS BIGINT): BIGINT NOT NULL := CAST(a@0 AS Int64)
        CAST(s AS INT)
            CAST(s AS INT): INT := flink_cast(s@4)
        TRY_CAST(s AS INT)
            TRY_CAST(s AS INT): INT := flink_try_cast(s@4)
        CAST(x AS DECIMAL(10, 2))
            CAST(x AS DECIMAL(10,2)): DECIMAL(10, 2) := flink_cast(x@2)
        a BETWEEN 1 AND 3 AND s IN ('a', 'b')
            a BETWEEN 1 AND 3 AND s IN ('a', 'b'): BOOLEAN := a@0 >= 1 AND a@0 <= 3 AND (s@4 = a OR s@4 = b)
        COALESCE(b, 1)
            COALESCE(b, 1): BIGINT NOT NULL := CASE WHEN b@1 IS NOT NULL THEN b@1 ELSE 1 END
        itemName IS NOT NULL
            itemName IS NOT NULL: BOOLEAN NOT NULL := itemName@7 IS NOT NULL
        s = 5
            s = 5: BOOLEAN := flink_cast(s@4) = 5
        ARRAY_REMOVE(tags, 'x')
            ARRAY_REMOVE(tags, 'x'): ARRAY<STRING> := array_remove_all(tags@8, x)
    "#]]
    .assert_eq(&all(&texts, planned));
}

#[test]
fn aggregates_have_flinks_types() {
    let texts = [
        "count(*) AS flights",
        "COUNT(1)",
        "count(DISTINCT s) FILTER (WHERE a > 1) AS n",
        "sum(a)",
        "sum(d) AS total",
        "avg(a) AS delay",
        "avg(x)",
        "max(a + b) AS m",
        "min(ts)",
        "first_value(s)",
        "last_value(CAST(s AS INT))",
    ];
    expect![[r#"
        count(*) AS flights
            flights: BIGINT NOT NULL := Count(*)
        COUNT(1)
            COUNT(1): BIGINT NOT NULL := Count(*)
        count(DISTINCT s) FILTER (WHERE a > 1) AS n
            n: BIGINT NOT NULL := Count(distinct s@4) if a@0 > 1
        sum(a)
            sum(a): INT := Sum(a@0)
        sum(d) AS total
            total: DECIMAL(38, 2) := Sum(d@3)
        avg(a) AS delay
            delay: INT := Avg(a@0)
        avg(x)
            avg(x): DOUBLE := Avg(x@2)
        max(a + b) AS m
            m: BIGINT := Max(CAST(a@0 AS Int64) + b@1)
        min(ts)
            min(ts): TIMESTAMP(3) := Min(ts@5)
        first_value(s)
            first_value(s): STRING := First(s@4)
        last_value(CAST(s AS INT))
            last_value(CAST(s AS INT)): INT := Last(flink_cast(s@4))
    "#]]
    .assert_eq(&all(&texts, aggregate));
}

#[test]
fn what_is_wrong_in_an_expression_is_said_with_its_place() {
    let texts = [
        "a + itemname",
        "person.nam",
        "person.name.first",
        "uper(s)",
        "array_position(tags, 'x')",
        "a +",
        "a + (1",
        "CASE WHEN a = 1 THEN 2 ESLE 3 END",
        "a b c",
        "s = \"x\"",
        "INTERVAL '5'",
        "ts + INTERVAL '5 minutes' SECOND",
        "CAST(a AS INTT)",
        "CAST(person AS ROW(a INT))",
        "CAST(ts AS BIGINT)",
        "upper(DISTINCT s)",
        "upper(s) FILTER (WHERE a > 1)",
        "sum(a) OVER (PARTITION BY b)",
        "sum(a)",
        "a IN (SELECT 1)",
        "EXISTS (SELECT 1)",
        "(SELECT 1)",
        "s SIMILAR TO 'a%'",
        "ts AT TIME ZONE 'UTC'",
        "a, b",
        "*",
        "",
        "a > ?",
        "tumble(ts, INTERVAL '1' SECOND)",
        "person + 1",
        "s + 1",
        "a = 1 /*+ HINT */",
        "\n  a +\n  zz",
    ];
    expect![[r#"
        a + itemname
            error: line 1, column 5: unknown column `itemname`; did you mean `itemName`?
        person.nam
            error: line 1, column 8: unknown field `nam`; did you mean `name`?
        person.name.first
            error: line 1, column 13: there is no field `first`, for it would be one of STRING
        uper(s)
            error: line 1, column 1: unknown function `uper`; did you mean `upper`?
        array_position(tags, 'x')
            error: line 1, column 1: unknown function `array_position`; did you mean `array_positions`?
        a +
            error: line 1, column 4: expected an expression, found the end of the text
        a + (1
            error: line 1, column 7: expected ), found the end of the text
        CASE WHEN a = 1 THEN 2 ESLE 3 END
            error: line 1, column 24: unexpected `ESLE`
        a b c
            error: line 1, column 5: expected the end of the expression, found c
        s = "x"
            error: line 1, column 5: "x" is neither text nor a name; write 'x' for text and `x` for a name
        INTERVAL '5'
            error: line 1, column 10: unexpected `'5'`
        ts + INTERVAL '5 minutes' SECOND
            error: line 1, column 15: '5 minutes' is not an interval of SECOND
        CAST(a AS INTT)
            error: line 1, column 6: the type INTT is not known; did you mean `INT`?
        CAST(person AS ROW(a INT))
            error: line 1, column 6: the type ROW needs its fields in angle brackets: ROW<name TYPE, …>
        CAST(ts AS BIGINT)
            error: line 1, column 1: cannot cast TIMESTAMP(3) to BIGINT: use UNIX_TIMESTAMP(CAST(… AS STRING))
        upper(DISTINCT s)
            error: line 1, column 1: DISTINCT belongs to aggregates, and UPPER is none
        upper(s) FILTER (WHERE a > 1)
            error: line 1, column 1: FILTER belongs to aggregates, and UPPER is none
        sum(a) OVER (PARTITION BY b)
            error: line 1, column 1: SUM(…) OVER (…) is not supported yet; aggregate over a window of time instead
        sum(a)
            error: line 1, column 1: the aggregate sum(a) cannot stand here, where each row is looked at by itself
        a IN (SELECT 1)
            error: line 1, column 1: IN (SELECT …) is not supported yet; it is a join; use IN with a list
        EXISTS (SELECT 1)
            error: line 1, column 9: EXISTS (SELECT …) is not supported yet; it is a join
        (SELECT 1)
            error: line 1, column 2: a scalar subquery is not supported yet; it is a join
        s SIMILAR TO 'a%'
            error: line 1, column 1: SIMILAR TO is not supported yet; use REGEXP(text, pattern)
        ts AT TIME ZONE 'UTC'
            error: line 1, column 1: AT TIME ZONE is not supported yet; use CONVERT_TZ, or CAST between TIMESTAMP and TIMESTAMP_LTZ
        a, b
            error: line 1, column 2: expected the end of the expression, found ,
        *
            error: line 1, column 1: one expression is expected here, not a list of columns

            error: expected an expression, found the end of the text
        a > ?
            error: line 1, column 5: the parameter ? is not supported yet; write the value
        tumble(ts, INTERVAL '1' SECOND)
            error: line 1, column 1: TUMBLE names a window, and there are none in a single expression
        person + 1
            error: line 1, column 1: ROW("name": STRING, "age": INT) + INT cannot be computed; use CAST so that the types of both sides go together
        s + 1
            error: line 1, column 1: STRING + INT cannot be computed; use CAST so that the types of both sides go together
        a = 1 /*+ HINT */
            error: line 1, column 7: the hint /*+ HINT */ is not supported yet; remove it; options of a table belong into its WITH clause

          a +
          zz
            error: line 3, column 3: unknown column `zz`
    "#]].assert_eq(&all(&texts, planned));
}

#[test]
fn what_is_wrong_in_an_aggregate_is_said_with_its_place() {
    let texts = [
        "a",
        "sum(s)",
        "sum(a) + 1",
        "sum(a, b)",
        "count(DISTINCT *)",
        "sum(*)",
        "listagg(s)",
        "sum(a) FILTER (WHERE a)",
        "avg(ts)",
        "last_value(DISTINCT a)",
    ];
    expect![[r#"
        a
            error: line 1, column 1: `a` is not a call of an aggregate function such as SUM(x)
        sum(s)
            error: line 1, column 1: SUM cannot be computed over STRING
        sum(a) + 1
            error: line 1, column 1: `sum(a) + 1` is not a call of an aggregate function such as SUM(x)
        sum(a, b)
            error: line 1, column 1: `sum(a, b)` is not a call of an aggregate function such as SUM(x)
        count(DISTINCT *)
            error: line 1, column 1: COUNT(DISTINCT *) is not supported; name the columns
        sum(*)
            error: line 1, column 1: SUM(*) has no meaning; only COUNT counts rows
        listagg(s)
            error: line 1, column 1: the function LISTAGG is not supported yet
        sum(a) FILTER (WHERE a)
            error: line 1, column 1: FILTER (WHERE …) must be a condition, and `a` is INT
        avg(ts)
            error: line 1, column 1: AVG cannot be computed over TIMESTAMP(3)
        last_value(DISTINCT a)
            error: line 1, column 1: LAST_VALUE over DISTINCT values is not supported yet; leave DISTINCT out
    "#]]
    .assert_eq(&all(&texts, aggregate));
}

#[test]
fn a_planned_expression_computes() {
    let session = Session::default();
    let schema = Schema::new(vec![Field::new("a", DataType::Int32, false), Field::new("s", DataType::Utf8, true)]);
    let columns: Vec<ArrayRef> =
        vec![Arc::new(Int32Array::from(vec![1, 2, 3])), Arc::new(StringArray::from(vec![Some("x"), None, Some("z")]))];
    let batch = RecordBatch::try_new(Arc::new(schema.clone()), columns).unwrap();
    let planned =
        on_planning_thread(|| plan_expression("CASE WHEN s IS NULL THEN 0 ELSE a * 10 END AS v", &schema, &session))
            .unwrap();
    let values = planned.expression.evaluate(&batch).unwrap().into_array(3).unwrap();
    assert_eq!(values.as_ref(), &Int32Array::from(vec![10, 0, 30]));
}

#[test]
fn a_long_chain_is_planned_and_a_longer_one_is_refused() {
    let session = Session::default();
    let chain = |n: usize| vec!["a = 1"; n].join(" OR ");
    let plan = |text: String| on_planning_thread(|| plan_expression(&text, &input(), &session).map(|_| ()));
    assert_eq!(plan(chain(900)), Ok(()));
    assert!(plan(chain(1_500)).unwrap_err().message().contains("1000 levels"), "nesting");
    assert!(plan(chain(20_000)).unwrap_err().message().contains("10000 operators"), "operators");
}

#[test]
fn deep_nesting_is_refused_and_not_a_crash() {
    let session = Session::default();
    let nested = |n: usize| format!("{}a{}", "(".repeat(n), ")".repeat(n));
    let plan = |text: String| on_planning_thread(|| plan_expression(&text, &input(), &session).map(|_| ()));
    assert_eq!(plan(nested(60)), Ok(()));
    let error = plan(nested(10_000)).unwrap_err();
    assert!(error.message().contains("nests more than 200 levels"), "{error}");
}

#[test]
fn a_position_counts_lines_and_characters() {
    let session = Session::default();
    let error = on_planning_thread(|| plan_expression("'ä' || 'ö'\n || zz", &input(), &session)).unwrap_err();
    assert_eq!(error.position(), Some(Position { line: 2, column: 5 }));
    assert_eq!(error.nearest(), None);
}
