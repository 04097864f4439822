//! Operators without state, in every way of the harness.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, ListArray, RecordBatch, StringArray, UInt32Array};
use arrow::buffer::Buffer;
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, TimeUnit};
use datafusion_common::ScalarValue;
use datafusion_expr::Operator as Op;
use datafusion_physical_expr::expressions::{BinaryExpr, Column, Literal};
use expect_test::expect;

use super::Expression;
use crate::batch::EventBatch;
use crate::spec::OperatorSpec;
use crate::testing::{OperatorHarness, batch_of};

fn input() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("name", DataType::Utf8, true), Field::new("value", DataType::Int64, true)]))
}

fn column(name: &str, at: usize) -> Expression {
    Arc::new(Column::new(name, at))
}

fn number(value: i64) -> Expression {
    Arc::new(Literal::new(ScalarValue::Int64(Some(value))))
}

fn binary(left: Expression, operator: Op, right: Expression) -> Expression {
    Arc::new(BinaryExpr::new(left, operator, right))
}

/// Rows with times, and with kinds where there are some.
fn rows(kinds: Option<[u8; 3]>) -> EventBatch {
    let rows = [("a", Some(1), 10), ("b", None, 20), ("c", Some(3), 30)].map(Into::into);
    EventBatch { row_kinds: kinds.map(|kinds| Buffer::from_vec(kinds.to_vec())), ..batch_of(&input(), true, &rows) }
}

#[test]
fn a_filter_keeps_rows_for_which_its_condition_is_true_with_time_and_kind() {
    let condition = binary(column("value", 1), Op::Gt, number(1));
    OperatorHarness::operator(OperatorSpec::Filter { condition }, input())
        .batch(rows(Some([0, 1, 2])))
        .batch(rows(None))
        .watermark(30)
        .end()
        .verify(expect![[r#"
            rows: +U c 3 @30
            rows: c 3 @30
        "#]]);
}

#[test]
fn a_projection_computes_columns_and_keeps_time_and_kind() {
    let schema: SchemaRef = Arc::new(Schema::new(vec![
        Field::new("next", DataType::Int64, true),
        Field::new("constant", DataType::Int64, false),
    ]));
    let expressions = vec![binary(column("value", 1), Op::Plus, number(1)), number(7)];
    OperatorHarness::operator(OperatorSpec::Project { expressions, schema }, input())
        .batch(rows(Some([3, 0, 0])))
        .verify(expect![[r#"
            rows: +I 4 7 @30
            rows: +I null 7 @20
            rows: -D 2 7 @10
        "#]]);
}

#[test]
fn a_projection_to_no_columns_keeps_the_number_of_rows() {
    let project = OperatorSpec::Project { expressions: vec![], schema: Arc::new(Schema::empty()) };
    OperatorHarness::operator(project, input()).batch(rows(None)).verify(expect![[r#"
        rows: @10
        rows: @20
        rows: @30
    "#]]);
}

#[test]
fn an_expansion_copies_each_row_for_each_list_of_expressions() {
    let null: Expression = Arc::new(Literal::new(ScalarValue::Utf8(None)));
    let projections = vec![vec![column("name", 0), number(0)], vec![null, number(1)]];
    let schema: SchemaRef = Arc::new(Schema::new(vec![
        Field::new("name", DataType::Utf8, true),
        Field::new("grouping", DataType::Int64, false),
    ]));
    OperatorHarness::operator(OperatorSpec::Expand { projections, schema }, input())
        .batch(rows(Some([0, 3, 0])).slice(0, 2))
        .verify(expect![[r#"
            rows: +I a 0 @10
            rows: +I null 1 @10
            rows: -D b 0 @20
            rows: -D null 1 @20
        "#]]);
}

/// Rows with a list each: of two, none, null, and three with a null in it.
fn lists() -> EventBatch {
    let lists = ListArray::from_iter_primitive::<Int64Type, _, _>([
        Some(vec![Some(1), Some(2)]),
        Some(vec![]),
        None,
        Some(vec![Some(4), None, Some(6)]),
    ]);
    let names: ArrayRef = Arc::new(StringArray::from(vec!["two", "empty", "null", "three"]));
    let schema = Schema::new(vec![
        Field::new("name", DataType::Utf8, false),
        Field::new("list", arrow::array::Array::data_type(&lists).clone(), true),
    ]);
    let rows = RecordBatch::try_new(Arc::new(schema), vec![names, Arc::new(lists)]).unwrap();
    let kinds = Buffer::from_vec(vec![0_u8, 1, 2, 3]);
    EventBatch { rows, event_time: Some(vec![1, 2, 3, 4].into()), row_kinds: Some(kinds) }
}

fn unnest(batch: &EventBatch) -> OperatorSpec {
    let mut fields: Vec<Field> = batch.rows.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    fields.push(Field::new("element", DataType::Int64, true));
    OperatorSpec::Unnest { list: column("list", 1), repeated: vec![0, 1], schema: Arc::new(Schema::new(fields)) }
}

#[test]
fn every_element_of_a_list_becomes_a_row_with_time_and_kind_of_its_own() {
    let batch = lists();
    let expected = expect![[r#"
        rows: +I two [1, 2] 1 @1
        rows: +I two [1, 2] 2 @1
        rows: -D three [4, null, 6] 4 @4
        rows: -D three [4, null, 6] 6 @4
        rows: -D three [4, null, 6] null @4
    "#]];
    OperatorHarness::operator(unnest(&batch), batch.rows.schema()).batch(batch.clone()).verify(expected);
    // A slice, and a list that is empty although its values are not.
    let swapped = batch.take(&UInt32Array::from(vec![3, 2, 1, 0])).unwrap();
    let slice = swapped.slice(1, 3);
    OperatorHarness::operator(unnest(&batch), batch.rows.schema()).batch(slice).verify(expect![[r#"
        rows: +I two [1, 2] 1 @1
        rows: +I two [1, 2] 2 @1
    "#]]);
}

#[test]
fn event_times_come_from_a_column() {
    let times: ArrayRef = Arc::new(Int64Array::from(vec![Some(5), None, Some(-7)]));
    for data_type in [DataType::Int64, DataType::Timestamp(TimeUnit::Millisecond, None)] {
        let column = arrow::compute::cast(&times, &data_type).unwrap();
        let schema = Arc::new(Schema::new(vec![Field::new("at", data_type, true)]));
        let rows = RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap();
        // In another order, so that the buffer is not that of the column.
        let rows = RecordBatch::try_new(
            Arc::clone(&schema),
            vec![take(rows.column(0), &UInt32Array::from(vec![2, 1, 0]), None).unwrap()],
        );
        OperatorHarness::operator(OperatorSpec::AssignEventTime { column: 0 }, schema)
            .batch(EventBatch::inserts(rows.unwrap()))
            .verify(expect![[r#"
                rows: -7 @-7
                rows: 5 @5
                rows: null @MIN
            "#]]);
    }
}

#[test]
fn a_row_without_event_time_fails_a_window_in_words() {
    use crate::testing::count_per;
    use crate::window::WindowSpec;
    OperatorHarness::window(count_per(WindowSpec::Tumbling { size: 10, offset: 0 }))
        .rows([("a", None::<i64>)])
        .fails(expect![[r#"operator `window`: a row has no event time (the timestamp is Long.MIN, the marker of "no timestamp"); give the source an event time or a watermark, or filter such rows out"#]]);
    for window in [
        WindowSpec::Tumbling { size: 1000, offset: 0 },
        WindowSpec::Sliding { size: 1000, slide: 500, offset: 0 },
        WindowSpec::Cumulating { max_size: 1000, step: 500, offset: 0 },
    ] {
        OperatorHarness::window(count_per(window)).rows([("a", i64::MIN + 10)]).fails(expect!["operator `window`: a row's time -9223372036854775798 ms lies so far from 1970 that its window cannot be represented; filter such rows out"]);
    }
}
