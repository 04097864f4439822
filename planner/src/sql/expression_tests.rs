use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use expect_test::expect;

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
            types::flink_name(planned.field.data_type()),
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
                types::flink_name(planned.output.data_type()),
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
        "-1",
        "0.5 * x",
        "d * 2",
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
    ];
    expect![[r#""#]].assert_eq(&all(&texts, planned));
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
    expect![[r#""#]].assert_eq(&all(&texts, aggregate));
}

#[test]
fn what_is_wrong_in_an_expression_is_said_with_its_place() {
    let texts = [
        "a + itemname",
        "person.nam",
        "person.name.first",
        "uper(s)",
        "a +",
        "a + (1",
        "CASE WHEN a = 1 THEN 2 ESLE 3 END",
        "a b c",
        "s = \"x\"",
        "INTERVAL '5'",
        "ts + INTERVAL '5 minutes' SECOND",
        "CAST(a AS INTT)",
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
    expect![[r#""#]].assert_eq(&all(&texts, planned));
}

#[test]
fn what_is_wrong_in_an_aggregate_is_said_with_its_place() {
    let texts = ["a", "sum(s)", "sum(a) + 1", "sum(a, b)", "count(DISTINCT *)", "sum(*)", "listagg(s)", "sum(a) FILTER (WHERE a)", "avg(ts)"];
    expect![[r#""#]].assert_eq(&all(&texts, aggregate));
}

#[test]
fn a_planned_expression_computes() {
    let session = Session::default();
    let schema = Schema::new(vec![Field::new("a", DataType::Int32, false), Field::new("s", DataType::Utf8, true)]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(vec![1, 2, 3])),
        Arc::new(StringArray::from(vec![Some("x"), None, Some("z")])),
    ];
    let batch = RecordBatch::try_new(Arc::new(schema.clone()), columns).unwrap();
    let planned =
        on_planning_thread(|| plan_expression("CASE WHEN s IS NULL THEN 0 ELSE a * 10 END AS v", &schema, &session)).unwrap();
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
