//! Cases of window operators: each is run by every operator that can, in every way of the harness.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use millstream_engine::aggregate::AggregateFunction;
use millstream_engine::element::Watermark;
use millstream_engine::error::Result;
use millstream_engine::key::key_group::MaxParallelism;
use millstream_engine::operators::Operator;
use millstream_engine::testing::case::{Case, CaseStep, number};
use millstream_engine::testing::{Cell, OperatorHarness, Row, aggregate, aggregation, count_per};
use millstream_engine::time::merger::WatermarkMerger;
use millstream_engine::window::{
    EvictorSpec, GridWindows, SessionGap, SessionWindows, TimeSource, TriggerSpec, TriggeredWindows,
    WindowAggregateSpec, WindowSpec, WindowStagger,
};

const VALUE: usize = 1;
/// The value once more as a floating-point number, for delta triggers and evictors.
const AMOUNT: usize = 2;

type Build = fn(Arc<WindowAggregateSpec>, MaxParallelism) -> Result<Box<dyn Operator>>;

/// The operators that can run `spec`, by name.
pub(crate) fn operators(spec: &WindowAggregateSpec) -> Vec<(&'static str, Build)> {
    let mut operators: Vec<(&'static str, Build)> = Vec::new();
    if GridWindows::can_run(spec) {
        operators.push(("GridWindows", |spec, groups| Ok(Box::new(GridWindows::new(spec, groups)?))));
    }
    if SessionWindows::can_run(spec) {
        operators.push(("SessionWindows", |spec, groups| Ok(Box::new(SessionWindows::new(spec, groups)?))));
    }
    if !matches!(spec.window, WindowSpec::Attached { .. } | WindowSpec::Staggered { .. }) {
        operators.push(("TriggeredWindows", |spec, groups| Ok(Box::new(TriggeredWindows::new(spec, groups)?))));
    }
    operators
}

pub(crate) fn windows(case: &Case) {
    let spec = spec_of(case);
    for (name, build) in operators(&spec) {
        let mut harness = OperatorHarness::window_by(&spec, build);
        let mut merger = WatermarkMerger::new(1);
        let mut steps = Vec::new();
        for step in &case.steps {
            harness = match step.verb.as_str() {
                "rows" => harness.rows(step.words.iter().map(|row| row_of(&spec, row))),
                "time" => harness.time(number(&step.words[0])),
                "end" => harness.end(),
                // A task's input swallows watermarks that do not advance.
                "watermark" => match merger.on_watermark(0, Watermark(number(&step.words[0]))).watermark {
                    Some(watermark) => harness.watermark(watermark.0),
                    None => {
                        case.compare(step, "the merger, which swallows it", Vec::new());
                        continue;
                    }
                },
                other => case.fail(step, &format!("`{other}` is no step of a window")),
            };
            steps.push(step);
        }
        compare(case, name, &steps, &harness);
    }
}

fn compare(case: &Case, name: &str, steps: &[&CaseStep], harness: &OperatorHarness) {
    for (step, outcome) in steps.iter().zip(harness.outcome().steps) {
        let late = step.expected.iter().filter(|line| line.starts_with("late ")).count();
        assert_eq!(outcome.late, late as u64, "case {}, line {}, by {name}: rows counted as late", case.id, step.line);
        case.compare(step, name, outcome.lines);
    }
}

/// The windows that the operators make of one row at `time`, by the operators' names.
pub(crate) fn windows_of_one_row(window: WindowSpec, time: i64) -> Vec<(&'static str, Vec<String>)> {
    let spec = count_per(window);
    let run = |(name, build): (&'static str, Build)| {
        let outcome = OperatorHarness::window_by(&spec, build).rows([("key", time)]).end().outcome();
        let lines = outcome.steps.iter().flat_map(|step| &step.lines);
        let windows = lines.map(|line| line.split(' ').nth(1).expect("a window").to_owned()).collect();
        (name, windows)
    };
    operators(&spec).into_iter().map(run).collect()
}

/// The windows of rows that arrive at these times by the wall clock, a row each.
pub(crate) fn windows_of_arrivals(window: WindowSpec, times: &[i64]) -> Vec<String> {
    let counts = count_per(window);
    let spec = aggregation(&counts.input, &counts.keys, TimeSource::Processing, window, counts.aggregates.clone());
    let mut harness = OperatorHarness::window(spec);
    for time in times {
        harness = harness.time(*time).rows([("key",)]);
    }
    let outcome = harness.time(i64::MAX).outcome();
    let mut windows = Vec::new();
    for line in outcome.steps.iter().flat_map(|step| &step.lines) {
        let words: Vec<&str> = line.split(' ').collect();
        windows.extend(std::iter::repeat_n(words[1].to_owned(), words[2].parse().expect("a number of rows")));
    }
    windows
}

fn spec_of(case: &Case) -> WindowAggregateSpec {
    let time = match case.setting("time") {
        Some("processing") => TimeSource::Processing,
        Some(other) => panic!("case {}: `{other}` is no time", case.id),
        None => TimeSource::Record,
    };
    let needs_amount = ["trigger", "evictor"].iter().any(|of| case.setting(of).is_some_and(|of| of.contains("delta")));
    let input = input(needs_amount);
    let aggregates = case.setting("aggregates").unwrap_or("sum").split(' ').map(|name| match name {
        "count" => aggregate(&input, AggregateFunction::Count, None),
        "sum" => aggregate(&input, AggregateFunction::Sum, Some(VALUE)),
        "min" => aggregate(&input, AggregateFunction::Min, Some(VALUE)),
        "max" => aggregate(&input, AggregateFunction::Max, Some(VALUE)),
        "first" => aggregate(&input, AggregateFunction::First, Some(VALUE)),
        "last" => aggregate(&input, AggregateFunction::Last, Some(VALUE)),
        other => panic!("case {}: `{other}` is no aggregate", case.id),
    });
    let mut spec = aggregation(&input, &[0], time, window_of(case), aggregates.collect());
    spec.allowed_lateness_ms = case.number("lateness").unwrap_or(0);
    if let Some(trigger) = case.setting("trigger") {
        spec.trigger = trigger_of(trigger);
    }
    spec.evictor = case.setting("evictor").map(evictor_of);
    spec
}

fn input(with_amount: bool) -> SchemaRef {
    let mut fields = vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Int64, false)];
    if with_amount {
        fields.push(Field::new("amount", DataType::Float64, false));
    }
    Arc::new(Schema::new(fields))
}

/// `window: tumbling SIZE`, `sliding SIZE SLIDE`, `session GAP`, `global`; then perhaps `offset OFFSET`.
pub(crate) fn window_of(case: &Case) -> WindowSpec {
    let text = case.setting("window").expect("a case says its window");
    let words: Vec<&str> = text.split(' ').collect();
    let of = |at: usize| number(words[at]);
    let offset = words.iter().position(|word| *word == "offset").map_or(0, |at| of(at + 1));
    match words[0] {
        "tumbling" => WindowSpec::Tumbling { size: of(1), offset },
        "staggered" => WindowSpec::Staggered { size: of(1), offset, stagger: WindowStagger::Natural },
        "sliding" => WindowSpec::Sliding { size: of(1), slide: of(2), offset },
        "session" => WindowSpec::Session { gap: SessionGap::Fixed(of(1)) },
        "global" => WindowSpec::Global,
        other => panic!("case {}: `{other}` is no window", case.id),
    }
}

fn trigger_of(text: &str) -> TriggerSpec {
    let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
    match name {
        "event-time" => TriggerSpec::EventTime,
        "count" => TriggerSpec::Count(number(rest).cast_unsigned()),
        "continuous" => TriggerSpec::ContinuousEventTime(number(rest)),
        "delta" => TriggerSpec::Delta { column: AMOUNT, threshold: rest.parse().expect("a distance") },
        "end-of-stream" => TriggerSpec::EndOfStream,
        "never" => TriggerSpec::Never,
        "purging" => TriggerSpec::Purging(Box::new(trigger_of(rest))),
        other => panic!("`{other}` is no trigger"),
    }
}

fn evictor_of(text: &str) -> EvictorSpec {
    match text.split_once(' ').expect("an evictor has a number") {
        ("count", keep) => EvictorSpec::Count(number(keep).cast_unsigned()),
        ("time", keep) => EvictorSpec::Time(number(keep)),
        ("delta", threshold) => {
            EvictorSpec::Delta { column: AMOUNT, threshold: threshold.parse().expect("a distance") }
        }
        (other, _) => panic!("`{other}` is no evictor"),
    }
}

/// `KEY@TIME:VALUE`, with a value of 1 where there is none; without a time on the wall clock.
fn row_of(spec: &WindowAggregateSpec, text: &str) -> Row {
    let (place, value) = text.split_once(':').map_or((text, 1), |(place, value)| (place, number(value)));
    let (key, time) = place.split_once('@').map_or((place, None), |(key, time)| (key, Some(number(time))));
    let mut cells = vec![Cell::from(key), Cell::from(value)];
    if spec.input.fields().len() > AMOUNT {
        cells.push(Cell::Float(value.to_string().parse().expect("an integer is a number")));
    }
    cells.extend(time.map(Cell::Int));
    Row(cells)
}
