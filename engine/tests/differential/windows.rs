//! Random rows and watermarks through every window operator, and through a model that keeps all rows.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use millstream_engine::aggregate::{AggregateFunction, AggregateSpec};
use millstream_engine::operators::Operator;
use millstream_engine::testing::random::{Random, rounds};
use millstream_engine::testing::{Cell, OperatorHarness, Outcome, Row, Step, aggregate, aggregation, batch_of};
use millstream_engine::window::groups::partial_schema;
use millstream_engine::window::{
    EvictorSpec, GridWindows, Phase, SessionGap, TimeSource, TriggerSpec, TriggeredWindows, WindowAggregateSpec,
    WindowSpec,
};

use super::model::{Expected, Model, Seen};
use crate::support::windows::operators;

/// Columns of the input: two that can be keys in several types, then these.
const TIME: usize = 2;
const VALUE: usize = 3;
const PRICE: usize = 4;
const AMOUNT: usize = 5;
const NAME: usize = 6;
const FLAG: usize = 7;
const GAP: usize = 8;

#[test]
fn every_operator_agrees_with_the_model() {
    for seed in rounds(150) {
        let mut random = Random::new(seed);
        let spec = spec(&mut random);
        let story = Story::new(&mut random, &spec);
        let expected = story.by_model(&spec);
        for (name, build) in operators(&spec) {
            let harness = OperatorHarness::window_by(&spec, build);
            compare(seed, name, &spec, &story.told(harness).outcome(), &expected);
        }
    }
}

#[test]
fn two_phases_come_to_the_same_as_one() {
    for seed in rounds(80) {
        let mut random = Random::new(seed.wrapping_add(1_000_000));
        let spec = WindowAggregateSpec { late_output: false, ..spec(&mut random) };
        let partial = partial_schema(&spec).expect("a schema");
        let local = WindowAggregateSpec { phase: Phase::Local, output: partial, ..spec.clone() };
        let in_order = |of: &AggregateSpec| matches!(of.function, AggregateFunction::First | AggregateFunction::Last);
        if !GridWindows::can_run(&local) || spec.aggregates.iter().any(in_order) {
            continue;
        }
        let global = Arc::new(WindowAggregateSpec { phase: Phase::Global, ..spec.clone() });
        let local = Arc::new(local);
        let harness = OperatorHarness::new(Arc::clone(&spec.input), spec.keys.clone(), move |groups| {
            let local: Box<dyn Operator> = Box::new(GridWindows::new(Arc::clone(&local), groups)?);
            Ok(vec![local, Box::new(GridWindows::new(Arc::clone(&global), groups)?)])
        });
        let harness = if spec.time == TimeSource::Record { harness.record_time() } else { harness };
        let story = Story::new(&mut random, &spec);
        let mut expected = story.by_model(&spec);
        let late = expected.iter_mut().map(|step| std::mem::take(&mut step.late)).sum();
        expected.last_mut().expect("a story has an end").late = late;
        compare(seed, "two phases", &spec, &story.told(harness.late_in_total()).outcome(), &expected);
    }
}

#[test]
fn every_trigger_and_evictor_is_the_same_in_every_way() {
    for seed in rounds(120) {
        let mut random = Random::new(seed.wrapping_add(2_000_000));
        let mut spec = spec(&mut random);
        if random.chance(30) {
            let aggregates = spec.aggregates.clone();
            spec = aggregation(&spec.input, &spec.keys, spec.time, WindowSpec::Global, aggregates);
        }
        spec.trigger = any_trigger(&mut random, spec.window.merges());
        spec.evictor = random.chance(40).then(|| any_evictor(&mut random));
        spec.allowed_lateness_ms = *random.pick(&[0, 3, 20]);
        let mut harness =
            OperatorHarness::window_by(&spec, |spec, groups| Ok(Box::new(TriggeredWindows::new(spec, groups)?)));
        let story = Story::new(&mut random, &spec);
        for (rows, clock) in &story.chapters {
            if !rows.is_empty() {
                harness = harness.batch(story.batch(rows));
            }
            harness = harness.time(*clock).watermark(*clock);
        }
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| harness.end().outcome()));
        assert!(outcome.is_ok(), "seed {seed}: {:?}, {:?}, {:?}", spec.window, spec.trigger, spec.evictor);
    }
}

/// Rows at the ends of time, one by one: a result or an error in words, and the same from every operator.
#[test]
fn nothing_overflows_at_the_ends_of_time() {
    let ends = [i64::MIN + 1, i64::MIN + 30, -5, 0, 5, i64::MAX - 30, i64::MAX - 1];
    for seed in rounds(300) {
        let mut random = Random::new(seed.wrapping_add(3_000_000));
        let mut spec = spec(&mut random);
        if spec.time == TimeSource::Processing {
            continue;
        }
        spec.window = match random.below(4) {
            0 => WindowSpec::Tumbling { size: i64::MAX, offset: random.within(-9..9) },
            1 => WindowSpec::Sliding { size: i64::MAX, slide: i64::MAX / 2, offset: random.within(-9..9) },
            2 => WindowSpec::Cumulating { max_size: i64::MAX - 1, step: i64::MAX / 2, offset: 0 },
            _ => spec.window,
        };
        let mut chapters: Vec<(Vec<Seen>, i64)> = Vec::new();
        let mut clock = i64::MIN;
        for number in 0..4 {
            let time = random.pick(&ends).saturating_add(random.within(-3..3)).max(i64::MIN + 1);
            let row = row(&mut random, &spec.input, 2, time);
            clock = clock.max(random.pick(&ends).saturating_add(random.within(0..3)));
            chapters.push((vec![Seen { row, time, number }], clock));
            clock = clock.saturating_add(1).min(i64::MAX - 1);
        }
        let story = Story { chapters, input: Arc::clone(&spec.input), time: spec.time };
        let outcomes: Vec<_> = operators(&spec)
            .into_iter()
            .map(|(_, build)| story.told(OperatorHarness::window_by(&spec, build)).try_outcome())
            .collect();
        assert!(outcomes.windows(2).all(|pair| pair[0] == pair[1]), "seed {seed}: {:?}\n{outcomes:#?}", spec.window);
    }
}

fn any_trigger(random: &mut Random, merges: bool) -> TriggerSpec {
    match random.below(10) {
        0 => TriggerSpec::EventTime,
        1 => TriggerSpec::ProcessingTime,
        2 => TriggerSpec::Count(random.number() % 3 + 1),
        3 => TriggerSpec::ContinuousEventTime(random.within(1..12)),
        4 => TriggerSpec::ContinuousProcessingTime(random.within(1..12)),
        5 if !merges => TriggerSpec::Delta { column: PRICE, threshold: 0.5 },
        6 => TriggerSpec::EndOfStream,
        7 => {
            let inner = Box::new(any_trigger(random, merges));
            TriggerSpec::ProcessingTimeout { inner, timeout_ms: random.within(1..20) }
        }
        8 => TriggerSpec::Purging(Box::new(any_trigger(random, merges))),
        _ => TriggerSpec::Never,
    }
}

fn any_evictor(random: &mut Random) -> EvictorSpec {
    match random.below(3) {
        0 => EvictorSpec::Count(random.number() % 4),
        1 => EvictorSpec::Time(random.within(0..20)),
        _ => EvictorSpec::Delta { column: PRICE, threshold: 1.0 },
    }
}

/// What happens: rows, and what the clock does after them.
struct Story {
    chapters: Vec<(Vec<Seen>, i64)>,
    input: SchemaRef,
    time: TimeSource,
}

impl Story {
    fn new(random: &mut Random, spec: &WindowAggregateSpec) -> Self {
        let mut clock = random.within(-40..40);
        let mut chapters = Vec::new();
        let mut number = 0;
        let keys = random.within(1..6);
        for _ in 0..random.within(2..9) {
            let rows = (0..random.within(0..9)).map(|_| {
                number += 1;
                let time = match spec.time {
                    TimeSource::Processing => clock,
                    TimeSource::Column(_) | TimeSource::Record => clock + random.within(-25..35),
                };
                Seen { row: row(random, &spec.input, keys, time), time, number }
            });
            let rows = rows.collect();
            let far = random.chance(10);
            let next = clock + random.within(if far { 30..200 } else { 1..15 });
            chapters.push((rows, next));
            clock = next;
        }
        Self { chapters, input: Arc::clone(&spec.input), time: spec.time }
    }

    /// What happens, told to an operator.
    fn told(&self, mut harness: OperatorHarness) -> OperatorHarness {
        if self.time == TimeSource::Processing {
            // Before the first rows it is the time that they come at.
            harness = harness.time(self.chapters[0].0.first().map_or(-1000, |seen| seen.time));
        }
        for (rows, clock) in &self.chapters {
            if !rows.is_empty() {
                harness = harness.batch(self.batch(rows));
            }
            harness = match self.time {
                TimeSource::Processing => harness.time(*clock),
                TimeSource::Column(_) | TimeSource::Record => harness.watermark(*clock),
            };
        }
        harness.step(Step::End)
    }

    fn batch(&self, rows: &[Seen]) -> millstream_engine::batch::EventBatch {
        let record_time = self.time == TimeSource::Record;
        let rows = rows.iter().map(|seen| {
            let mut row = seen.row.clone();
            row.0.extend(record_time.then_some(Cell::Int(seen.time)));
            row
        });
        batch_of(&self.input, record_time, &rows.collect::<Vec<_>>())
    }

    /// What comes of each step of `told`.
    fn by_model(&self, spec: &WindowAggregateSpec) -> Vec<Expected> {
        let mut model = Model::new(spec);
        let mut expected = Vec::new();
        let by_wall_clock = self.time == TimeSource::Processing;
        if by_wall_clock {
            expected.push(Expected::default());
        }
        for (rows, clock) in &self.chapters {
            if !rows.is_empty() {
                expected.push(model.rows(rows));
            }
            expected.push(model.advance(if by_wall_clock { clock - 1 } else { *clock }));
        }
        expected.push(if by_wall_clock { Expected::default() } else { model.advance(i64::MAX) });
        expected
    }
}

fn compare(seed: u64, name: &str, spec: &WindowAggregateSpec, found: &Outcome, expected: &[Expected]) {
    assert_eq!(found.steps.len(), expected.len());
    for (found, expected) in found.steps.iter().zip(expected) {
        assert!(
            found.lines == expected.lines && found.late == expected.late,
            "seed {seed}, {name}: {:?} keys {:?} over {:?}, {:?}\nat `{}` expected {:#?} (late {})\nfound {:#?} (late {})",
            spec.window,
            spec.keys,
            spec.time,
            spec.aggregates.iter().map(|of| (of.function, of.argument, of.distinct, of.filter)).collect::<Vec<_>>(),
            found.step,
            expected.lines,
            expected.late,
            found.lines,
            found.late
        );
    }
}

fn spec(random: &mut Random) -> WindowAggregateSpec {
    let key_types = [DataType::Utf8, DataType::Int64, DataType::Utf8View, DataType::Int32, DataType::Boolean];
    let input: SchemaRef = Arc::new(Schema::new(vec![
        Field::new("first_key", random.pick(&key_types).clone(), true),
        Field::new("second_key", random.pick(&key_types).clone(), true),
        Field::new("time", DataType::Timestamp(TimeUnit::Millisecond, None), false),
        Field::new("value", DataType::Int64, true),
        Field::new("price", DataType::Float64, true),
        Field::new("amount", DataType::Decimal128(10, 2), true),
        Field::new("name", DataType::Utf8, true),
        Field::new("flag", DataType::Boolean, true),
        Field::new("gap", DataType::Int64, false),
    ]));
    let keys = random.pick(&[vec![0], vec![1, 0], vec![], vec![0]]).clone();
    let time =
        *random.pick(&[TimeSource::Record, TimeSource::Column(TIME), TimeSource::Record, TimeSource::Processing]);
    let aggregates = (0..random.within(1..5)).map(|_| any_aggregate(random, &input)).collect();
    let window = window(random);
    aggregation(&input, &keys, time, window, aggregates)
}

fn window(random: &mut Random) -> WindowSpec {
    let size = random.within(1..24);
    match random.below(9) {
        0 | 1 => WindowSpec::Tumbling { size, offset: random.within(1 - size..size) },
        2..=4 => {
            let slide = random.within(1..28);
            WindowSpec::Sliding { size, slide, offset: random.within(1 - slide..slide) }
        }
        5 | 6 => {
            let step = random.within(1..7);
            let max_size = step * random.within(1..6);
            WindowSpec::Cumulating { max_size, step, offset: random.within(1 - max_size..max_size) }
        }
        7 => WindowSpec::Session { gap: SessionGap::Fixed(random.within(1..15)) },
        _ => WindowSpec::Session { gap: SessionGap::Column(GAP) },
    }
}

fn any_aggregate(random: &mut Random, input: &SchemaRef) -> AggregateSpec {
    use AggregateFunction as F;
    let function = *random.pick(&[F::Count, F::Sum, F::Min, F::Max, F::Avg, F::First, F::Last]);
    let argument = match function {
        F::Count if random.chance(40) => None,
        F::Sum | F::Avg => Some(*random.pick(&[VALUE, PRICE, AMOUNT])),
        F::Count | F::Min | F::Max | F::First | F::Last => Some(*random.pick(&[VALUE, PRICE, AMOUNT, NAME, FLAG])),
    };
    let distinct = argument.is_some() && function != F::Last && random.chance(25);
    let filter = random.chance(25).then_some(FLAG);
    AggregateSpec { distinct, filter, ..aggregate(input, function, argument) }
}

fn row(random: &mut Random, input: &SchemaRef, keys: i64, time: i64) -> Row {
    let mut key = |at: usize| {
        let key = random.within(0..keys);
        match input.field(at).data_type() {
            _ if random.chance(8) => Cell::Null,
            DataType::Int64 | DataType::Int32 => Cell::Int(key * 7 - 3),
            DataType::Boolean => Cell::Bool(key % 2 == 0),
            // One that does not fit into a view.
            _ if key == 2 => Cell::Text("a key that is longer than twelve bytes".to_owned()),
            _ => Cell::Text(format!("k{key}")),
        }
    };
    let keys = [key(0), key(1)];
    let value = random.within(-9..10);
    let mut or_null = |cell: Cell| if random.chance(15) { Cell::Null } else { cell };
    let others = [
        or_null(Cell::Int(value)),
        // A multiple of a quarter: sums are exact in whatever order.
        or_null(Cell::Float(f64::from(i32::try_from(value).expect("a small number")) * 0.25)),
        or_null(Cell::Text(format!("{}.{:02}", value, value.unsigned_abs() * 7))),
        or_null(Cell::Text(format!("name {}", value % 4))),
        or_null(Cell::Bool(value % 3 == 0)),
        Cell::Int(random.within(1..15)),
    ];
    Row(keys.into_iter().chain([Cell::Int(time)]).chain(others).collect())
}
