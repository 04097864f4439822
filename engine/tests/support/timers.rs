//! Cases of timers, run by a small operator that is nothing but timers, in every way of the harness.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use millstream_engine::batch::EventBatch;
use millstream_engine::element::{Barrier, Watermark};
use millstream_engine::error::Result;
use millstream_engine::key::hash::hash_rows;
use millstream_engine::key::key_group::{KeyGroup, MaxParallelism};
use millstream_engine::operators::{InputId, Operator, OperatorContext, PortId, Progress};
use millstream_engine::state::{OperatorState, decode_numbers, encode_numbers};
use millstream_engine::testing::OperatorHarness;
use millstream_engine::testing::case::{Case, number};
use millstream_engine::time::merger::WatermarkMerger;
use millstream_engine::time::timers::Timers;

pub(crate) fn timers(case: &Case) {
    let input = Arc::new(Schema::new(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("register", DataType::Boolean, false),
        Field::new("time", DataType::Int64, false),
    ]));
    let build = |max_parallelism| Ok(vec![Box::new(TimerOperator::new(max_parallelism)) as Box<dyn Operator>]);
    let mut harness = OperatorHarness::new(input, vec![0], build);
    let mut merger = WatermarkMerger::new(1);
    let mut steps = Vec::new();
    for step in &case.steps {
        let rows = |register: bool| step.words.iter().map(move |time| ("key", register, number(time)));
        harness = match step.verb.as_str() {
            "register" => harness.rows(rows(true)),
            "delete" => harness.rows(rows(false)),
            "watermark" => match merger.on_watermark(0, Watermark(number(&step.words[0]))).watermark {
                Some(watermark) => harness.watermark(watermark.0),
                None => {
                    case.compare(step, "the merger, which swallows it", Vec::new());
                    continue;
                }
            },
            "end" => harness.end(),
            other => case.fail(step, &format!("`{other}` is no step of timers")),
        };
        steps.push(step);
    }
    for (step, outcome) in steps.into_iter().zip(harness.outcome().steps) {
        case.compare(step, "timers", outcome.lines);
    }
}

/// Fires each timer as a row with its time.
struct TimerOperator {
    timers: Timers<String>,
    watermark: i64,
    max_parallelism: MaxParallelism,
    output: SchemaRef,
}

impl TimerOperator {
    fn new(max_parallelism: MaxParallelism) -> Self {
        let output = Arc::new(Schema::new(vec![Field::new("time", DataType::Int64, false)]));
        Self { timers: Timers::new(), watermark: i64::MIN, max_parallelism, output }
    }
}

impl Operator for TimerOperator {
    fn process_batch(&mut self, _: InputId, batch: EventBatch, _: &mut OperatorContext<'_>) -> Result<Progress> {
        let keys = batch.rows.column(0).as_string::<i32>();
        let register = batch.rows.column(1).as_boolean();
        let times = batch.rows.column(2).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let key = keys.value(row).to_owned();
            if register.value(row) {
                self.timers.register(times.value(row), key);
            } else {
                self.timers.delete(times.value(row), &key);
            }
        }
        Ok(Progress::Done)
    }

    fn process_watermark(&mut self, watermark: Watermark, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        self.watermark = watermark.0;
        self.resume(cx)
    }

    fn process_time(&mut self, _: &mut OperatorContext<'_>) -> Result<Progress> {
        Ok(Progress::Done)
    }

    fn resume(&mut self, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        while !cx.out.is_full() {
            let Some((time, _)) = self.timers.pop_due(self.watermark) else { return Ok(Progress::Done) };
            let column: ArrayRef = Arc::new(Int64Array::from(vec![time]));
            let rows = RecordBatch::try_new(Arc::clone(&self.output), vec![column])?;
            cx.out.emit(PortId::MAIN, EventBatch::inserts(rows));
        }
        Ok(Progress::Yield)
    }

    fn prepare_snapshot(&mut self, _: &Barrier, _: &mut OperatorContext<'_>) -> Result<Progress> {
        Ok(Progress::Done)
    }

    fn snapshot(&mut self) -> Result<OperatorState> {
        let mut state = OperatorState::default();
        state.add_value("clock", encode_numbers([self.watermark]));
        if self.timers.is_empty() {
            return Ok(state);
        }
        let keys: ArrayRef = Arc::new(self.timers.iter().map(|(_, key)| Some(key.as_str())).collect::<StringArray>());
        let times: ArrayRef = Arc::new(Int64Array::from_iter_values(self.timers.iter().map(|(time, _)| time)));
        let mut hashes = Vec::new();
        hash_rows(&[Arc::clone(&keys)], keys.len(), &mut hashes)?;
        let groups: Vec<KeyGroup> = hashes.into_iter().map(|hash| self.max_parallelism.group_of(hash)).collect();
        let field = |name: &str, of: &ArrayRef| Field::new(name, of.data_type().clone(), false);
        let columns = vec![(field("key", &keys), keys), (field("time", &times), times)];
        state.add_keyed("timers", groups, columns)?;
        Ok(state)
    }

    fn restore(&mut self, parts: Vec<OperatorState>) -> Result<()> {
        for part in &parts {
            if let Some([watermark]) = decode_numbers("timers", "clock", part.value("clock"))? {
                self.watermark = self.watermark.max(watermark);
            }
            for rows in part.keyed("timers") {
                let keys = rows.column(1).as_string::<i32>();
                let times = rows.column(2).as_primitive::<Int64Type>();
                for row in 0..rows.num_rows() {
                    self.timers.register(times.value(row), keys.value(row).to_owned());
                }
            }
        }
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.timers.memory_bytes()
    }
}
