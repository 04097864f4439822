use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use expect_test::{Expect, expect};

use super::*;
use crate::testing::{Row, batch_of, lines_of};

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("key", DataType::Utf8, true), Field::new("value", DataType::Int64, true)]))
}

/// Four rows with times and kinds.
fn batch() -> EventBatch {
    let rows: [Row; 4] =
        [("a", 1, 10).into(), ("b", 2, 20).into(), (None::<&str>, 3, 30).into(), ("d", None::<i64>, 40).into()];
    let kinds = [RowKind::Insert, RowKind::UpdateBefore, RowKind::UpdateAfter, RowKind::Delete].map(|kind| kind as u8);
    EventBatch { row_kinds: Some(Buffer::from_vec(kinds.to_vec())), ..batch_of(&schema(), true, &rows) }
}

fn check(batch: &EventBatch, expected: Expect) {
    expected.assert_eq(&lines_of(batch).join("\n"));
}

#[test]
fn times_and_kinds_go_with_their_rows() {
    check(
        &batch(),
        expect![[r#"
        +I a 1 @10
        -U b 2 @20
        +U null 3 @30
        -D d null @40"#]],
    );
    check(
        &batch().slice(1, 2),
        expect![[r#"
        -U b 2 @20
        +U null 3 @30"#]],
    );
    let keep = BooleanArray::from(vec![Some(true), None, Some(false), Some(true)]);
    check(
        &batch().filter(&keep).unwrap(),
        expect![[r#"
        +I a 1 @10
        -D d null @40"#]],
    );
    check(
        &batch().take(&UInt32Array::from(vec![3, 0, 0])).unwrap(),
        expect![[r#"
        -D d null @40
        +I a 1 @10
        +I a 1 @10"#]],
    );
}

#[test]
fn a_slice_is_filtered_and_taken_like_a_whole_batch() {
    let slice = batch().slice(2, 2);
    check(&slice.filter(&BooleanArray::from(vec![false, true])).unwrap(), expect!["-D d null @40"]);
    // All rows kept: nothing is copied, and the slice stays one.
    check(
        &slice.filter(&BooleanArray::from(vec![true, true])).unwrap(),
        expect![[r#"
        +U null 3 @30
        -D d null @40"#]],
    );
    check(&slice.take(&UInt32Array::from(vec![0])).unwrap(), expect!["+U null 3 @30"]);
    check(&slice.slice(1, 1), expect!["-D d null @40"]);
}

#[test]
fn batches_with_and_without_times_and_kinds_join() {
    let plain = EventBatch::inserts(batch().rows.slice(0, 1));
    check(
        &EventBatch::concat(&[plain.clone(), batch().slice(3, 1)]).unwrap(),
        expect![[r#"
        +I a 1 @MIN
        -D d null @40"#]],
    );
    check(
        &EventBatch::concat(&[plain.clone(), plain]).unwrap(),
        expect![[r#"
        a 1
        a 1"#]],
    );
    assert!(EventBatch::concat(&[]).is_err());
}

#[test]
fn rows_without_columns_are_still_counted() {
    let options = RecordBatchOptions::new().with_row_count(Some(3));
    let rows = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).unwrap();
    let batch = EventBatch { event_time: Some(vec![1, 2, 3].into()), ..EventBatch::inserts(rows) };
    let keep = BooleanArray::from(vec![true, false, true]);
    let parts = [
        batch.slice(1, 2),
        batch.filter(&keep).unwrap(),
        batch.take(&UInt32Array::from(vec![2, 0])).unwrap(),
        EventBatch::concat(&[batch.slice(0, 1), batch.slice(2, 1)]).unwrap(),
    ];
    for part in parts {
        assert_eq!((part.num_rows(), part.event_time.as_ref().map(|times| times.len())), (2, Some(2)));
    }
}

#[test]
fn the_memory_of_a_slice_is_that_of_its_rows() {
    let one = batch().slice(0, 1).memory_bytes();
    assert!(one < batch().memory_bytes());
    // A text of one byte with two offsets, an integer, a time, a kind; and the bits of validity.
    assert!((26..80).contains(&one), "{one}");
}
