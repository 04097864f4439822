//! The tasks of sources, put together by hand and polled step by step.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use millstream_engine::element::{StreamElement, WatermarkStatus};
use millstream_engine::error::Result;
use millstream_engine::io::source::{
    Boundedness, ReaderContext, Source, SourceEvent, SourceReader, SourceRows, Split, SplitEnumerator,
    dead_letter_schema,
};
use millstream_engine::operators::chain::{ChainLink, EdgeId, OperatorChain, Target};
use millstream_engine::operators::union::Union;
use millstream_engine::operators::{PortId, ProcessingTime, Stateless};
use millstream_engine::spec::WatermarkSpec;
use millstream_graph::NodeKind;
use millstream_planner::options::OptionValues;
use millstream_planner::resolved::{Program, ResolvedProgram, plan};
use millstream_worker::clock::ManualClock;
use millstream_worker::exchange::{
    CHANNEL_BYTES_MAX, CHANNEL_ROWS_MAX, Edge, GateElement, InputGate, Outputs, Spread, gate,
};
use millstream_worker::task::{Asking, Doing, SourceControl, SourceInput, SourceParts, SplitRequests, Task, TaskInput};

/// How long a split may be silent, in milliseconds.
const IDLE: i64 = 1_000;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("ts", DataType::Timestamp(TimeUnit::Millisecond, None), true)]))
}

/// What the reader has to say; nothing more until more is put in.
type Script = Arc<Mutex<VecDeque<SourceEvent>>>;

#[derive(Debug)]
struct Scripted(Script);

impl Source for Scripted {
    fn boundedness(&self) -> Boundedness {
        Boundedness::Unbounded
    }

    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn watermark_rows(&self) -> u64 {
        1
    }

    fn create_enumerator(&self) -> Result<Box<dyn SplitEnumerator>> {
        panic!("the reader says which splits there are");
    }

    fn create_reader(&self, _: ReaderContext) -> Result<Box<dyn SourceReader>> {
        panic!("the test makes it");
    }
}

impl SourceReader for Scripted {
    fn add_split(&mut self, _: Split) -> Result<()> {
        Ok(())
    }

    fn no_more_splits(&mut self) {}

    fn poll_next(&mut self, _: ProcessingTime, _: &mut Context<'_>) -> Poll<Result<SourceEvent>> {
        self.0.lock().unwrap().pop_front().map_or(Poll::Pending, |event| Poll::Ready(Ok(event)))
    }

    fn memory_bytes(&self) -> usize {
        0
    }

    fn snapshot(&self) -> Vec<Split> {
        Vec::new()
    }
}

#[derive(Debug)]
struct NoRequests;

impl SplitRequests for NoRequests {
    fn request(&self, _: ProcessingTime, _: &Arc<SourceControl>) -> Asking {
        panic!("the reader asks for nothing");
    }
}

/// `WATERMARK FOR ts AS ts`, as the planner makes it.
fn watermark() -> WatermarkSpec {
    let program = "CREATE TABLE s (ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'datagen');
        CREATE TABLE x (ts TIMESTAMP(3)) WITH ('connector' = 'blackhole');
        INSERT INTO x SELECT ts FROM s;";
    let program = ResolvedProgram {
        name: "test".to_owned(),
        program: Program::Sql(program.to_owned()),
        options: OptionValues::default(),
        start_time_ms: 0,
        build: "test".to_owned(),
    };
    let graph = plan(&program, Arc::new(|| 0)).unwrap().graph.program;
    let specs = graph.nodes.into_iter().find_map(|node| match node.kind {
        NodeKind::Source(source) => source.watermark,
        NodeKind::Operator(_) | NodeKind::Sink(_) => None,
    });
    WatermarkSpec { idle_timeout_ms: Some(IDLE), ..specs.unwrap() }
}

fn event(split: &str, rows: RecordBatch, dead_letters: Option<RecordBatch>) -> SourceEvent {
    SourceEvent::Rows(SourceRows {
        split: split.into(),
        rows,
        split_rows: 0,
        watermark_rows: None,
        dead_letters,
        errors: 0,
    })
}

/// Rows of a split, all at one time.
fn rows(split: &str, at: i64, count: usize) -> SourceEvent {
    let times: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![at; count]));
    event(split, RecordBatch::try_new(schema(), vec![times]).unwrap(), None)
}

/// Rows that cannot be decoded, and no others.
fn letters(count: usize) -> SourceEvent {
    let text = || -> ArrayRef { Arc::new(StringArray::from(vec!["?"; count])) };
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1; count]));
    let letters = RecordBatch::try_new(dead_letter_schema(), vec![text(), numbers, text(), text()]).unwrap();
    event("a", RecordBatch::new_empty(schema()), Some(letters))
}

/// A source's task with one edge.
struct Bench {
    script: Script,
    clock: Arc<ManualClock>,
    task: Task,
    gate: InputGate,
}

impl Bench {
    fn new(port: PortId) -> Self {
        let (script, clock) = (Script::default(), Arc::new(ManualClock::new(ProcessingTime(0))));
        let parts = SourceParts {
            source: Arc::new(Scripted(Arc::clone(&script))),
            watermark: Some(watermark()),
            event_time: None,
            requests: Box::new(NoRequests),
            control: Arc::default(),
            metrics: Arc::default(),
        };
        let input = SourceInput::new(parts, Box::new(Scripted(Arc::clone(&script))));
        let chain = OperatorChain::new(vec![ChainLink {
            operator: Box::new(Stateless(Union)),
            metrics: Arc::default(),
            routes: vec![(port, Target::Edge(EdgeId(0)))],
        }]);
        let (gate, senders) = gate(1);
        let outputs = Outputs::new(vec![Edge::new(senders, Spread::One)]);
        let timer = Arc::clone(&clock);
        let task = Task::new(TaskInput::Source(Box::new(input)), chain, outputs, timer);
        Self { script, clock, task, gate }
    }

    fn say(&self, event: SourceEvent) {
        self.script.lock().unwrap().push_back(event);
    }

    /// Lets it run until it waits.
    fn run(&mut self) -> Doing {
        loop {
            assert!(self.task.poll(&mut Context::from_waker(Waker::noop())).is_pending());
            if self.task.doing() != Doing::Work {
                return self.task.doing();
            }
        }
    }

    /// Everything that has come out, in short.
    fn read(&mut self) -> Vec<String> {
        let mut read = Vec::new();
        while let Poll::Ready(element) = self.gate.poll_next(&Context::from_waker(Waker::noop())) {
            read.push(match element {
                GateElement::Element(_, StreamElement::Batch(batch)) => format!("{} rows", batch.num_rows()),
                GateElement::Element(_, StreamElement::Watermark(of)) => format!("watermark {of}"),
                GateElement::Element(_, StreamElement::Status(WatermarkStatus::Idle)) => "idle".to_owned(),
                GateElement::Element(_, StreamElement::Status(WatermarkStatus::Active)) => "active".to_owned(),
                other => panic!("{other:?}"),
            });
        }
        read
    }
}

#[test]
fn a_source_that_is_held_up_is_not_idle() {
    let mut bench = Bench::new(PortId::MAIN);
    // The first batch fills the channel, and nothing more is asked for.
    (1..=2).for_each(|at| bench.say(rows("a", at, CHANNEL_ROWS_MAX)));
    assert_eq!(bench.run(), Doing::WaitForRoom);
    bench.clock.set(ProcessingTime(5 * IDLE));
    assert_eq!(bench.run(), Doing::WaitForRoom);
    assert_eq!(bench.read(), ["65536 rows"]);
    assert_eq!(bench.run(), Doing::WaitForRoom, "the second batch has filled it again");
    assert_eq!(bench.read(), ["watermark 1", "65536 rows"]);
    // Now it has nothing more, and had no time to say so before.
    bench.clock.set(ProcessingTime(9 * IDLE));
    assert_eq!(bench.run(), Doing::WaitForInput);
    assert_eq!(bench.read(), ["watermark 2"]);
    bench.clock.set(ProcessingTime(10 * IDLE - 1));
    assert_eq!(bench.run(), Doing::WaitForInput);
    assert!(bench.read().is_empty());
    bench.clock.set(ProcessingTime(10 * IDLE));
    assert_eq!(bench.run(), Doing::WaitForInput);
    assert_eq!(bench.read(), ["idle"], "the silence counts from when there was room");
}

#[test]
fn a_silent_split_does_not_hold_the_clock_back_while_another_is_busy() {
    let mut bench = Bench::new(PortId::MAIN);
    bench.say(rows("silent", 1, 1));
    let mut read = Vec::new();
    for turn in 0..20 {
        bench.clock.set(ProcessingTime(turn * IDLE / 10));
        // More than it takes in a turn, so that the reader is never found without anything.
        (0..10).for_each(|_| bench.say(rows("busy", 1_000, 1)));
        assert!(bench.task.poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(bench.task.doing(), Doing::Work);
        read.extend(bench.read());
        let passed = read.contains(&"watermark 1000".to_owned());
        assert_eq!(passed, turn >= 10, "turn {turn}: {read:?}");
    }
}

#[test]
fn dead_letters_wait_for_room_as_rows_do() {
    let mut bench = Bench::new(PortId::DEAD_LETTERS);
    let (batches, rows) = (1_000, 1_000);
    (0..batches).for_each(|_| bench.say(letters(rows)));
    assert_eq!(bench.run(), Doing::WaitForRoom);
    let read_ahead = batches - bench.script.lock().unwrap().len();
    // What fills the channel, and the one that waits.
    assert_eq!(read_ahead, CHANNEL_ROWS_MAX.div_ceil(rows) + 1);
    assert!(bench.gate.queued_bytes() < 2 * CHANNEL_BYTES_MAX, "{}", bench.gate.queued_bytes());
    let mut arrived = 0;
    while bench.run() == Doing::WaitForRoom {
        arrived += bench.read().iter().filter(|line| *line == "1000 rows").count();
    }
    arrived += bench.read().iter().filter(|line| *line == "1000 rows").count();
    assert_eq!(arrived, batches);
}
