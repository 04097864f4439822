//! What operators say they hold, against what they have really taken from the allocator.
//!
//! A binary of its own, since it counts every allocation.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod counting;

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use millstream_engine::aggregate::{AggregateFunction, AggregateSpec};
use millstream_engine::batch::EventBatch;
use millstream_engine::element::Watermark;
use millstream_engine::error::Result;
use millstream_engine::key::key_group::MaxParallelism;
use millstream_engine::memory::Bytes;
use millstream_engine::metrics::OperatorMetrics;
use millstream_engine::operators::{
    InputId, OUTPUT_BUDGET_ROWS, Operator, OperatorContext, Output, ProcessingTime, Progress,
};
use millstream_engine::spec::OperatorSpec;
use millstream_engine::testing::{aggregate, aggregation};
use millstream_engine::window::groups::partial_schema;
use millstream_engine::window::{
    EvictorSpec, Phase, SessionGap, TimeSource, TriggerSpec, WindowAggregateSpec, WindowSpec,
};

/// Keys of a test, each with a row or more.
const KEYS: u64 = 200_000;
/// Rows of a batch.
const BATCH: usize = 8_192;
/// Below this a figure is all that is the same however much comes, and does not have to be right.
const TOO_LITTLE: usize = 128 * 1024;

/// Columns of the input.
const USER: usize = 0;
const ITEM: usize = 1;
const CODE: usize = 2;
const PAGE: usize = 3;
const VALUE: usize = 4;
const PRICE: usize = 5;

fn input() -> SchemaRef {
    let field = |name: &str, of: DataType| Field::new(name, of, false);
    Arc::new(Schema::new(vec![
        field("user", DataType::Int64),
        field("item", DataType::Int64),
        field("code", DataType::Utf8),
        field("page", DataType::Utf8),
        field("value", DataType::Int64),
        field("price", DataType::Float64),
    ]))
}

/// A row for each of `numbers`, which are users, at the time that `time` says.
fn rows(numbers: &[u64], time: impl Fn(u64) -> i64) -> EventBatch {
    let integers =
        |of: fn(u64) -> i64| Arc::new(Int64Array::from_iter_values(numbers.iter().map(|n| of(*n)))) as ArrayRef;
    let texts =
        |of: fn(u64) -> String| Arc::new(StringArray::from_iter_values(numbers.iter().map(|n| of(*n)))) as ArrayRef;
    let columns = vec![
        integers(|n| n.cast_signed().wrapping_mul(7_919)),
        integers(|n| (n % 1_000).cast_signed()),
        texts(|n| format!("c{n}")),
        texts(|n| format!("https://example.org/shelf/{}/book/{n}", n % 97)),
        integers(|n| (n % 10_007).cast_signed()),
        Arc::new(Float64Array::from_iter_values(numbers.iter().map(|n| f64::from(u16::try_from(n % 10_007).unwrap())))),
    ];
    let event_time = Some(numbers.iter().map(|n| time(*n)).collect());
    EventBatch { event_time, ..EventBatch::inserts(RecordBatch::try_new(input(), columns).unwrap()) }
}

fn spec(keys: &[usize], window: WindowSpec, aggregates: Vec<AggregateSpec>) -> WindowAggregateSpec {
    aggregation(&input(), keys, TimeSource::Record, window, aggregates)
}

fn of(function: AggregateFunction, argument: usize) -> AggregateSpec {
    aggregate(&input(), function, Some(argument))
}

fn counts() -> Vec<AggregateSpec> {
    vec![aggregate(&input(), AggregateFunction::Count, None)]
}

const TUMBLING: WindowSpec = WindowSpec::Tumbling { size: 1_000, offset: 0 };

/// An operator, and what the thread held before it was made.
struct Measured {
    operator: Box<dyn Operator>,
    output: Output,
    metrics: OperatorMetrics,
    before: usize,
}

impl Measured {
    fn new(spec: WindowAggregateSpec) -> Self {
        let spec = OperatorSpec::WindowAggregate(spec);
        let (output, metrics) = (Output::with_budget(OUTPUT_BUDGET_ROWS), OperatorMetrics::default());
        let before = counting::held();
        let operator = spec.build(MaxParallelism::DEFAULT).unwrap();
        Self { operator, output, metrics, before }
    }

    fn call(&mut self, call: impl FnOnce(&mut dyn Operator, &mut OperatorContext<'_>) -> Result<Progress>) {
        let now = ProcessingTime(0);
        let mut cx = OperatorContext { now, out: &mut self.output, metrics: &self.metrics };
        let mut progress = call(self.operator.as_mut(), &mut cx).unwrap();
        while progress == Progress::Yield {
            cx.out.drain().for_each(drop);
            progress = self.operator.resume(&mut cx).unwrap();
        }
        self.output = Output::with_budget(OUTPUT_BUDGET_ROWS);
    }

    /// Rows arrive for users in `from .. to`, each at the time that `time` says.
    fn take(&mut self, numbers: std::ops::Range<u64>, time: impl Fn(u64) -> i64) {
        let numbers: Vec<u64> = numbers.collect();
        for part in numbers.chunks(BATCH) {
            let batch = rows(part, &time);
            self.call(|operator, cx| operator.process_batch(InputId::FIRST, batch, cx));
        }
    }

    fn watermark(&mut self, time: i64) {
        self.call(|operator, cx| operator.process_watermark(Watermark(time), cx));
    }

    /// What the operator says it holds, which is right within 15 %.
    fn accounted(&self, when: &str) -> usize {
        let (held, said) = (counting::held() - self.before, self.operator.memory_bytes());
        let near = said.abs_diff(held) * 100 <= held * 15;
        assert!(near || held.max(said) < TOO_LITTLE, "{when}: holds {} and says {}", Bytes(held), Bytes(said));
        said
    }
}

/// Users in one window after the other, each of them in every window. Answers what is said when all are in, and when the
/// window has fired and the next has taken up a few.
fn one_window_after_the_other(spec: WindowAggregateSpec) -> (usize, usize) {
    let mut measured = Measured::new(spec);
    measured.take(0..KEYS / 2, |_| 500);
    let half = measured.accounted("half of the keys");
    measured.take(KEYS / 2..KEYS, |_| 500);
    let all = measured.accounted("all keys");
    assert!(all > half, "more keys take more memory");
    measured.watermark(999);
    measured.accounted("fired");
    measured.take(0..KEYS, |_| 1_500);
    measured.accounted("all keys once more");
    measured.watermark(1_999);
    measured.take(0..100, |_| 2_500);
    measured.watermark(3_900);
    (all, measured.accounted("a few keys fired"))
}

fn falls(spec: WindowAggregateSpec) {
    let (all, few) = one_window_after_the_other(spec);
    assert!(few < all / 10, "what many keys took is given back: {all} bytes, then {few}");
}

#[test]
fn a_count_per_number() {
    falls(spec(&[USER], TUMBLING, counts()));
}

#[test]
fn sums_per_two_numbers() {
    falls(spec(&[USER, ITEM], TUMBLING, vec![of(AggregateFunction::Sum, VALUE), of(AggregateFunction::Avg, PRICE)]));
}

#[test]
fn a_count_per_short_text() {
    falls(spec(&[CODE], TUMBLING, counts()));
}

#[test]
fn a_count_per_long_text() {
    falls(spec(&[PAGE], TUMBLING, counts()));
}

#[test]
fn texts_per_text_and_number() {
    let aggregates = vec![of(AggregateFunction::Min, PAGE), of(AggregateFunction::Last, CODE)];
    falls(spec(&[CODE, ITEM], TUMBLING, aggregates));
}

#[test]
fn distinct_values() {
    let distinct = AggregateSpec { distinct: true, ..of(AggregateFunction::Count, USER) };
    falls(spec(&[ITEM], TUMBLING, vec![distinct.clone()]));
    // Few values for each of many keys.
    falls(spec(&[USER], TUMBLING, vec![AggregateSpec { argument: Some(PAGE), ..distinct }]));
}

#[test]
fn values_that_are_replaced_and_keys_that_come_back() {
    let aggregates = vec![of(AggregateFunction::Max, PAGE), of(AggregateFunction::First, PAGE)];
    let mut measured = Measured::new(spec(&[ITEM], TUMBLING, aggregates));
    measured.take(0..KEYS, |_| 500);
    measured.accounted("a thousand keys");
}

/// Moves windows over users that come a second long each, and looks each time.
fn move_on(spec: WindowAggregateSpec) {
    let mut measured = Measured::new(spec);
    let mut most = 0;
    for second in 0..8 {
        let from = second * KEYS / 10;
        measured.take(from..from + KEYS / 5, |_| second.cast_signed() * 1_000);
        measured.accounted("taken");
        measured.watermark(second.cast_signed() * 1_000 + 999);
        most = most.max(measured.accounted("moved on"));
    }
    measured.watermark(1_000_000);
    let left = measured.accounted("all fired");
    assert!(left < most * 2 / 3, "what many panes took is given back: {most} bytes, then {left}");
}

#[test]
fn counts_that_are_carried_from_window_to_window() {
    move_on(spec(&[USER], WindowSpec::Sliding { size: 4_000, slide: 1_000, offset: 0 }, counts()));
}

#[test]
fn maxima_that_are_put_together_anew() {
    let max = vec![of(AggregateFunction::Max, VALUE), of(AggregateFunction::Max, PAGE)];
    move_on(spec(&[USER], WindowSpec::Sliding { size: 4_000, slide: 1_000, offset: 0 }, max));
}

#[test]
fn windows_that_grow() {
    move_on(spec(&[USER], WindowSpec::Cumulating { max_size: 4_000, step: 1_000, offset: 0 }, counts()));
}

#[test]
fn panes_by_the_thousand() {
    let mut measured = Measured::new(spec(&[USER], WindowSpec::Sliding { size: 3_000, slide: 1, offset: 0 }, counts()));
    measured.take(0..KEYS, |user| (user % 3_000).cast_signed());
    measured.accounted("taken");
    measured.watermark(100);
    measured.accounted("moved on");
}

#[test]
fn a_local_table_and_what_goes_past_it() {
    let single = WindowAggregateSpec { late_output: false, ..spec(&[USER], TUMBLING, counts()) };
    let output = partial_schema(&single).unwrap();
    let mut measured = Measured::new(WindowAggregateSpec { phase: Phase::Local, output, ..single });
    measured.take(0..KEYS / 2, |_| 500);
    measured.accounted("taken");
    measured.watermark(999);
    measured.accounted("sent on");
    measured.take(0..KEYS, |_| 1_500);
    measured.accounted("past the table");
}

fn sessions(gap: SessionGap) -> WindowAggregateSpec {
    spec(&[USER], WindowSpec::Session { gap }, counts())
}

#[test]
fn a_session_of_each_user() {
    let mut measured = Measured::new(sessions(SessionGap::Fixed(10_000)));
    measured.take(0..KEYS, |user| user.cast_signed() / 20);
    let open = measured.accounted("opened");
    measured.take(0..KEYS, |user| user.cast_signed() / 20 + 9_000);
    measured.watermark(15_000);
    measured.accounted("gone on");
    measured.watermark(24_000);
    measured.accounted("half of them ended");
    measured.watermark(1_000_000);
    let left = measured.accounted("all ended");
    assert!(left < open / 10, "what open sessions took is given back: {open} bytes, then {left}");
}

#[test]
fn several_sessions_of_a_user() {
    let mut measured = Measured::new(sessions(SessionGap::Fixed(10)));
    for part in 0..6 {
        measured.take(0..KEYS / 5, |user| ((user + part * 5) % 6).cast_signed() * 100);
    }
    measured.accounted("opened");
    measured.watermark(250);
    measured.accounted("half of them ended");
}

#[test]
fn windows_with_timers_fall_too() {
    falls(WindowAggregateSpec { allowed_lateness_ms: 100, ..spec(&[USER], TUMBLING, counts()) });
}

#[test]
fn sliding_windows_with_timers() {
    let sliding = WindowSpec::Sliding { size: 4_000, slide: 1_000, offset: 0 };
    move_on(WindowAggregateSpec { allowed_lateness_ms: 100, ..spec(&[USER], sliding, counts()) });
}

#[test]
fn sessions_with_a_gap_of_each_row() {
    let spec = sessions(SessionGap::Column(VALUE));
    let mut measured = Measured::new(spec);
    // The value is the user's number, less so many thousands; 0 is no gap.
    measured.take(1..10_000, |user| user.cast_signed());
    measured.take(1..10_000, |user| user.cast_signed() + 50_000);
    measured.accounted("opened");
    measured.watermark(1_000_000);
    measured.accounted("all ended");
}

#[test]
fn counted_windows_without_end() {
    let counted = WindowAggregateSpec {
        trigger: TriggerSpec::Purging(Box::new(TriggerSpec::Count(2))),
        ..spec(&[USER], WindowSpec::Global, counts())
    };
    let mut measured = Measured::new(counted);
    measured.take(0..KEYS, |_| 0);
    let full = measured.accounted("one of two");
    measured.take(0..KEYS, |_| 0);
    let left = measured.accounted("two of two");
    assert!(left < full / 10, "what many windows took is given back: {full} bytes, then {left}");
}

#[test]
fn windows_that_keep_their_rows() {
    let kept = WindowAggregateSpec {
        evictor: Some(EvictorSpec::Count(2)),
        ..spec(&[ITEM], TUMBLING, vec![of(AggregateFunction::Last, PAGE)])
    };
    let mut measured = Measured::new(kept);
    measured.take(0..KEYS, |_| 500);
    let all = measured.accounted("taken");
    measured.take(0..10, |_| 1_500);
    measured.watermark(999);
    let few = measured.accounted("fired");
    assert!(few < all / 10, "what many rows took is given back: {all} bytes, then {few}");
}
