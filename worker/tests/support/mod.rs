//! Small programs for the tests of jobs: a source over given rows, a sink that collects.

mod collect;
mod source;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion_physical_expr::expressions::Column;
use millstream_engine::aggregate::{AggregateFunction, AggregateSpec};
use millstream_engine::key::key_group::MaxParallelism;
use millstream_engine::operators::{PortId, ProcessingTime};
use millstream_engine::spec::{OperatorSpec, WatermarkSpec};
use millstream_engine::time::generator::WatermarkStrategy;
use millstream_engine::window::{Phase, TimeSource, TriggerSpec, WindowAggregateSpec, WindowSpec};
use millstream_graph::chaining::job_graph;
use millstream_graph::stream_graph::SourceNode;
use millstream_graph::two_phase::two_phase;
use millstream_graph::{Input, NodeKind, OperatorId, Partitioning, StreamGraph, StreamNode};
use millstream_worker::clock::{Clock, SystemClock};
use millstream_worker::io::Io;
use millstream_worker::job::{self, JobEnd, JobError, JobSpec, RunningJob};

pub(crate) use collect::{Behaviour, Collected};
pub(crate) use source::{TestSource, rows};

/// `key BIGINT, at TIMESTAMP(3)`.
pub(crate) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("key", DataType::Int64, false),
        Field::new("at", DataType::Timestamp(TimeUnit::Millisecond, None), false),
    ]))
}

/// A chain of nodes, each with the one before as its input.
pub(crate) struct Program {
    nodes: Vec<StreamNode>,
    parallelism: u32,
    spread: Partitioning,
}

impl Program {
    pub(crate) fn new(parallelism: u32) -> Self {
        Self { nodes: Vec::new(), parallelism, spread: Partitioning::Forward }
    }

    fn push(mut self, name: &str, kind: NodeKind, schema: SchemaRef) -> Self {
        let spread = std::mem::replace(&mut self.spread, Partitioning::Forward);
        let input = |node| vec![Input { node, port: PortId::MAIN, partitioning: spread }];
        let inputs = self.nodes.len().checked_sub(1).map_or_else(Vec::new, input);
        self.nodes.push(StreamNode {
            id: OperatorId::from_uid(name),
            name: name.to_owned(),
            kind,
            inputs,
            schema,
            parallelism: self.parallelism,
            slot_sharing_group: "default".into(),
            chaining: true,
        });
        self
    }

    /// Reads these splits; the watermark is the greatest time − `delay`.
    pub(crate) fn source(self, splits: Vec<Vec<(i64, i64)>>, delay: i64) -> Self {
        self.read(TestSource::bounded(splits), delay)
    }

    /// Reads rows that never end, a millisecond of event time each.
    pub(crate) fn endless_source(self) -> Self {
        self.read(TestSource::endless(), 0)
    }

    fn read(self, source: TestSource, delay: i64) -> Self {
        let watermark = WatermarkSpec {
            strategy: WatermarkStrategy::BoundedOutOfOrderness(delay),
            expression: Arc::new(Column::new("at", 1)),
            idle_timeout_ms: None,
        };
        let node =
            SourceNode { source: Arc::new(source), watermark: Some(watermark), event_time: None, dead_letters: false };
        self.push("source", NodeKind::Source(node), schema())
    }

    /// The next node gets its rows in turn, so that it is not chained.
    pub(crate) fn rebalanced(mut self) -> Self {
        self.spread = Partitioning::Rebalance;
        self
    }

    /// One aggregate per key and tumbling window.
    pub(crate) fn tumbling(mut self, size: i64, function: AggregateFunction) -> Self {
        let time = |name: &str| Field::new(name, DataType::Timestamp(TimeUnit::Millisecond, None), false);
        let result = Field::new("result", DataType::Int64, true);
        let output = Arc::new(Schema::new(vec![
            Field::new("key", DataType::Int64, false),
            time("window_start"),
            time("window_end"),
            result.clone(),
        ]));
        let spec = WindowAggregateSpec {
            name: "window".to_owned(),
            input: schema(),
            output: Arc::clone(&output),
            keys: vec![0],
            time: TimeSource::Column(1),
            window: WindowSpec::Tumbling { size, offset: 0 },
            trigger: TriggerSpec::EventTime,
            evictor: None,
            allowed_lateness_ms: 0,
            late_output: false,
            aggregates: vec![AggregateSpec { function, argument: None, distinct: false, filter: None, output: result }],
            phase: Phase::Single,
        };
        self.spread = Partitioning::Hash(vec![0]);
        self.push("window", NodeKind::Operator(OperatorSpec::WindowAggregate(spec)), output)
    }

    /// Ends in `collected`.
    pub(crate) fn sink(self, collected: &Collected) -> Self {
        let schema = self.nodes.last().map_or_else(schema, |node| Arc::clone(&node.schema));
        self.push("sink", NodeKind::Sink(Arc::new(collected.clone())), schema)
    }
}

/// Starts the program.
pub(crate) fn start(program: Program) -> (RunningJob, Io) {
    let graph = StreamGraph { name: "test".to_owned(), nodes: program.nodes, max_parallelism: MaxParallelism::DEFAULT };
    let graph = job_graph(two_phase(graph).unwrap());
    let io = Io::start().unwrap();
    let spec = JobSpec { graph: Arc::new(graph), clock: Arc::new(SystemClock::default()), attempt: "attempt".into() };
    (job::start(spec, &io).unwrap(), io)
}

/// Runs the program to its end.
pub(crate) fn run(program: Program) -> Result<JobEnd, JobError> {
    let (job, io) = start(program);
    io.handle().block_on(job.wait())
}

/// The value of `count` once it has not changed for half a second.
pub(crate) fn settled(count: impl Fn() -> u64, deadline: Duration) -> u64 {
    let clock = SystemClock::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let started = Instant::now();
    runtime.block_on(async {
        let mut before = count();
        loop {
            clock.sleep_until(ProcessingTime(clock.now().0 + 500)).await;
            let now = count();
            if (now == before && now > 0) || started.elapsed() > deadline {
                return now;
            }
            before = now;
        }
    })
}
