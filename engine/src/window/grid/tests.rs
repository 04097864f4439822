//! What the cases and the random tests of this crate do not reach: attached windows, clocks that go back, what is left over.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use expect_test::expect;

use super::*;
use crate::aggregate::AggregateFunction;
use crate::metrics::OperatorMetrics;
use crate::operators::{OUTPUT_BUDGET_ROWS, Output};
use crate::testing::{OperatorHarness, aggregate, aggregation, batch_of, count_per};
use crate::window::groups::partial_schema;
use crate::window::{SessionGap, SessionWindows, TriggeredWindows};

/// The greatest `value` per window that rows have been given, by event time.
fn attached() -> WindowAggregateSpec {
    let time = || DataType::Timestamp(TimeUnit::Millisecond, None);
    let input: SchemaRef = Arc::new(Schema::new(vec![
        Field::new("start", time(), false),
        Field::new("end", time(), false),
        Field::new("value", DataType::Int64, false),
    ]));
    let greatest = aggregate(&input, AggregateFunction::Max, Some(2));
    aggregation(&input, &[], TimeSource::Column(0), WindowSpec::Attached { start: 0, end: 1 }, vec![greatest])
}

#[test]
fn rows_that_were_given_a_window_are_aggregated_in_it() {
    let rows = [(0, 10, 5), (0, 20, 3), (0, 10, 7), (10, 20, 1)];
    OperatorHarness::window(attached()).rows(rows).watermark(9).rows([(0, 10, 9), (0, 20, 4)]).watermark(19).verify(
        expect![[r#"
            watermark 9: [0,10) 7
            rows: late 0 10 9
            watermark 19: [0,20) 4
            watermark 19: [10,20) 1
        "#]],
    );
}

#[test]
fn attached_windows_are_aggregated_in_two_phases_too() {
    let spec = WindowAggregateSpec { late_output: false, ..attached() };
    let partial = partial_schema(&spec).unwrap();
    let local = Arc::new(WindowAggregateSpec { phase: Phase::Local, output: partial, ..spec.clone() });
    let global = Arc::new(WindowAggregateSpec { phase: Phase::Global, ..spec.clone() });
    OperatorHarness::new(Arc::clone(&spec.input), vec![], move |groups| {
        let local: Box<dyn Operator> = Box::new(GridWindows::new(Arc::clone(&local), groups)?);
        Ok(vec![local, Box::new(GridWindows::new(Arc::clone(&global), groups)?)])
    })
    .rows([(0, 10, 5), (0, 20, 3), (0, 10, 7)])
    .watermark(9)
    .end()
    .verify(expect![[r#"
        watermark 9: [0,10) 7
        end: [0,20) 3
    "#]]);
}

/// By the wall clock: rows at 12, then the machine's clock goes back to 3.
#[test]
fn a_clock_that_goes_back_opens_no_window_again() {
    let counts = count_per(WindowSpec::Tumbling { size: 10, offset: 0 });
    let spec = aggregation(&counts.input, &[0], TimeSource::Processing, counts.window, counts.aggregates.clone());
    type Build = fn(Arc<WindowAggregateSpec>, MaxParallelism) -> Result<Box<dyn Operator>>;
    let operators: [Build; 2] = [
        |spec, groups| Ok(Box::new(GridWindows::new(spec, groups)?)),
        |spec, groups| Ok(Box::new(TriggeredWindows::new(spec, groups)?)),
    ];
    for build in operators {
        OperatorHarness::window_by(&spec, build)
            .time(2)
            .rows([("a",)])
            .time(12)
            .rows([("a",)])
            .time(3)
            .rows([("a",)])
            .time(20)
            .verify(expect![[r#"
                time 12: a [0,10) 1 @9
                time 20: a [10,20) 2 @19
            "#]]);
    }
}

#[test]
fn windows_that_cannot_come_in_time_are_not_aggregated_in_two_phases() {
    let event_time = count_per(WindowSpec::Tumbling { size: 10, offset: 0 });
    let local = |spec: &WindowAggregateSpec| WindowAggregateSpec { phase: Phase::Local, ..spec.clone() };
    assert!(!GridWindows::can_run(&local(&event_time)), "late partials are no late rows");
    assert!(GridWindows::can_run(&local(&WindowAggregateSpec { late_output: false, ..event_time.clone() })));
    let wall_clock =
        aggregation(&event_time.input, &[0], TimeSource::Processing, event_time.window, event_time.aggregates.clone());
    assert!(GridWindows::can_run(&wall_clock));
    assert!(!GridWindows::can_run(&local(&wall_clock)));
}

/// An operator and how many rows it stores.
fn stored_rows(operator: &mut dyn Operator) -> usize {
    let state = operator.snapshot().unwrap();
    ["panes", "running", "sessions", "windows", "contents", "rows", "timers"]
        .iter()
        .map(|name| state.keyed(name).map(RecordBatch::num_rows).sum::<usize>())
        .sum()
}

#[test]
fn windows_that_are_over_leave_nothing_behind() {
    let windows = [
        WindowSpec::Tumbling { size: 10, offset: 0 },
        WindowSpec::Sliding { size: 10, slide: 3, offset: 0 },
        WindowSpec::Cumulating { max_size: 12, step: 4, offset: 0 },
        WindowSpec::Session { gap: SessionGap::Fixed(10) },
    ];
    for window in windows {
        let counts = count_per(window);
        // One aggregate that can take away, one that cannot.
        let greatest = aggregate(&counts.input, AggregateFunction::Max, Some(0));
        for aggregates in [counts.aggregates.clone(), vec![greatest]] {
            let spec = Arc::new(aggregation(&counts.input, &[0], TimeSource::Record, window, aggregates));
            let groups = MaxParallelism::DEFAULT;
            let mut operators: Vec<Box<dyn Operator>> =
                vec![Box::new(TriggeredWindows::new(Arc::clone(&spec), groups).unwrap())];
            operators.push(match window {
                WindowSpec::Session { .. } => Box::new(SessionWindows::new(spec, groups).unwrap()),
                _ => Box::new(GridWindows::new(spec, groups).unwrap()),
            });
            for mut operator in operators {
                let metrics = OperatorMetrics::default();
                let mut out = Output::with_budget(OUTPUT_BUDGET_ROWS);
                let mut cx = OperatorContext { now: ProcessingTime(0), out: &mut out, metrics: &metrics };
                for round in 0..20 {
                    let rows = (0..50).map(|row| (format!("key {round} {row}"), round * 100 + row).into());
                    let batch = batch_of(&counts.input, true, &rows.collect::<Vec<_>>());
                    operator.process_batch(InputId::FIRST, batch, &mut cx).unwrap();
                    assert!(stored_rows(operator.as_mut()) >= 50, "{window:?}");
                    operator.process_watermark(Watermark(round * 100 + 90), &mut cx).unwrap();
                    cx.out.drain().for_each(drop);
                    assert_eq!(stored_rows(operator.as_mut()), 0, "{window:?} after round {round}");
                }
            }
        }
    }
}

/// What comes out of `operator` for `batch`, and for a watermark behind it where there is one.
fn given_out(operator: &mut GridWindows, batch: EventBatch, watermark: Option<i64>) -> Vec<EventBatch> {
    let metrics = OperatorMetrics::default();
    let mut out = Output::with_budget(OUTPUT_BUDGET_ROWS);
    let mut given = Vec::new();
    let mut cx = OperatorContext { now: ProcessingTime(0), out: &mut out, metrics: &metrics };
    let mut progress = operator.process_batch(InputId::FIRST, batch, &mut cx).unwrap();
    if let (Progress::Done, Some(watermark)) = (progress, watermark) {
        progress = operator.process_watermark(Watermark(watermark), &mut cx).unwrap();
    }
    given.extend(cx.out.drain().map(|(_, batch)| batch));
    while progress == Progress::Yield {
        progress = operator.resume(&mut cx).unwrap();
        given.extend(cx.out.drain().map(|(_, batch)| batch));
    }
    given
}

#[test]
fn a_local_table_that_does_not_reduce_is_left_out_and_tried_again() {
    const ROWS: usize = 8_192;
    let counts = WindowAggregateSpec { late_output: false, ..count_per(WindowSpec::Tumbling { size: 10, offset: 0 }) };
    let partial = partial_schema(&counts).unwrap();
    let local = WindowAggregateSpec { phase: Phase::Local, output: Arc::clone(&partial), ..counts.clone() };
    let mut local = GridWindows::new(Arc::new(local), MaxParallelism::DEFAULT).unwrap();
    let global = WindowAggregateSpec { phase: Phase::Global, ..counts.clone() };
    let mut global = GridWindows::new(Arc::new(global), MaxParallelism::DEFAULT).unwrap();
    let mut past_the_table = Vec::new();
    // Each round is a window. Every key comes twice in the first two, and once in the others.
    for round in 0..140 {
        let key = |row: usize| if round < 2 { row / 2 } else { row }.to_string();
        let rows = (0..ROWS).map(|row| (key(row), round * 10 + 5).into());
        let batch = batch_of(&counts.input, true, &rows.collect::<Vec<_>>());
        let at_once = given_out(&mut local, batch, None);
        match at_once.iter().map(EventBatch::num_rows).sum() {
            0 => {}
            ROWS => past_the_table.push(round),
            other => panic!("{other} rows of a batch went past the table"),
        }
        let end = Some(round * 10 + 9);
        let at_end = given_out(&mut local, batch_of(&counts.input, true, &[]), end);
        let results = at_once.into_iter().chain(at_end).flat_map(|batch| given_out(&mut global, batch, None));
        assert_eq!(results.count(), 0, "the window has not ended");
        let no_partials = EventBatch::inserts(RecordBatch::new_empty(Arc::clone(&partial)));
        let results = given_out(&mut global, no_partials, end);
        let counts =
            results.iter().flat_map(|batch| batch.rows.column(3).as_primitive::<Int64Type>().values().to_vec());
        assert_eq!(counts.sum::<i64>(), 8_192, "round {round} counts every row once");
    }
    // The first tables pay. The next one does not, nor the one that is tried after a million rows.
    let expected: Vec<i64> = (3..131).chain(132..140).collect();
    assert_eq!(past_the_table, expected);
}
