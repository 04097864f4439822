//! A TaskManager with one slot, led by a jobmaster that the tests are.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use millstream_engine::aggregate::{AggregateFunction, AggregateSpec};
use millstream_engine::batch::EventBatch;
use millstream_engine::error::Result;
use millstream_engine::io::sink::{Committable, Committer, Sink, SinkWriter, WriterContext};
use millstream_engine::io::source::{
    Boundedness, ReaderContext, Source, SourceEvent, SourceReader, SourceRows, Split, SplitAnswer, SplitEnumerator,
};
use millstream_engine::key::key_group::MaxParallelism;
use millstream_engine::operators::{PortId, ProcessingTime};
use millstream_engine::spec::OperatorSpec;
use millstream_engine::window::{Phase, TimeSource, TriggerSpec, WindowAggregateSpec, WindowSpec};
use millstream_graph::chaining::job_graph;
use millstream_graph::explain::fingerprint;
use millstream_graph::stream_graph::SourceNode;
use millstream_graph::{
    AllocationId, AttemptId, Input, JobGraph, JobId, NodeKind, OperatorId, Partitioning, StreamGraph, StreamNode,
    SubtaskId, WorkerId, execution_slots,
};
use millstream_planner::options::OptionValues;
use millstream_planner::resolved::{Program, ResolvedProgram};
use millstream_protocol::link::{MasterLink, pair};
use millstream_protocol::message::{
    Allocation, Deployment, FromWorker, Heartbeats, JobRef, Peer, TaskId, TaskState, TaskToDeploy, ToWorker,
};
use millstream_worker::clock::SystemClock;
use millstream_worker::io::Io;
use millstream_worker::task_manager::{Registration, Settings, WorkerError, register_and_serve, serve};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// What a test waits at most.
const PATIENCE: Duration = Duration::from_secs(30);
/// Rows of a batch.
const BATCH: i64 = 1_000;
/// The one slot's stay with the job.
const STAY: AllocationId = AllocationId { epoch: 1, number: 1 };

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]))
}

fn job() -> JobRef {
    JobRef { job: JobId::from_bits(7), epoch: 1 }
}

/// Numbers from 0 on, each once, in so many batches; then it is silent, or at its end.
#[derive(Debug, Clone, Copy)]
struct Numbers {
    batches: i64,
    bounded: bool,
    /// A reader of it cannot be made.
    panics: bool,
}

impl Source for Numbers {
    fn boundedness(&self) -> Boundedness {
        if self.bounded { Boundedness::Bounded } else { Boundedness::Unbounded }
    }

    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn watermark_rows(&self) -> u64 {
        1
    }

    fn create_enumerator(&self) -> Result<Box<dyn SplitEnumerator>> {
        panic!("the test hands out splits");
    }

    fn create_reader(&self, _: ReaderContext) -> Result<Box<dyn SourceReader>> {
        assert!(!self.panics, "on purpose");
        Ok(Box::new(Reader { of: *self, split: None, asked: false, no_more: false, given: 0 }))
    }
}

struct Reader {
    of: Numbers,
    split: Option<Split>,
    asked: bool,
    no_more: bool,
    given: i64,
}

impl SourceReader for Reader {
    fn add_split(&mut self, split: Split) -> Result<()> {
        self.split = Some(split);
        self.asked = false;
        Ok(())
    }

    fn no_more_splits(&mut self) {
        self.no_more = true;
    }

    fn poll_next(&mut self, _: ProcessingTime, _: &mut Context<'_>) -> Poll<Result<SourceEvent>> {
        let Some(split) = &self.split else {
            return match (self.no_more, std::mem::replace(&mut self.asked, true)) {
                (true, _) => Poll::Ready(Ok(SourceEvent::EndOfInput)),
                (false, false) => Poll::Ready(Ok(SourceEvent::NeedSplit)),
                (false, true) => Poll::Pending,
            };
        };
        let split = Arc::clone(&split.id);
        if self.given == self.of.batches {
            if !self.of.bounded {
                return Poll::Pending;
            }
            self.split = None;
            return Poll::Ready(Ok(SourceEvent::SplitFinished(split)));
        }
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(self.given * BATCH..(self.given + 1) * BATCH));
        self.given += 1;
        Poll::Ready(Ok(SourceEvent::Rows(SourceRows {
            split,
            rows: RecordBatch::try_new(schema(), vec![numbers])?,
            split_rows: u64::try_from(self.given * BATCH).unwrap(),
            watermark_rows: None,
            dead_letters: None,
            errors: 0,
        })))
    }

    fn memory_bytes(&self) -> usize {
        0
    }

    fn snapshot(&self) -> Vec<Split> {
        Vec::new()
    }
}

/// Counts what it is given, and has written so many files of it in the end.
#[derive(Debug, Clone, Default)]
struct Counted {
    rows: Arc<AtomicUsize>,
    files: usize,
}

impl Sink for Counted {
    fn create_writer(&self, _: WriterContext) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(self.clone()))
    }

    fn create_committer(&self) -> Result<Option<Box<dyn Committer>>> {
        Ok(None)
    }
}

impl SinkWriter for Counted {
    fn write(&mut self, batch: EventBatch, _: ProcessingTime) -> Result<()> {
        self.rows.fetch_add(batch.num_rows(), Ordering::Relaxed);
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        0
    }

    fn close(&mut self, _: ProcessingTime) -> Result<()> {
        Ok(())
    }

    fn poll_closed(&mut self, _: &mut Context<'_>) -> Poll<Result<Vec<Committable>>> {
        Poll::Ready(Ok((0..self.files).map(|file| Committable(file.to_string())).collect()))
    }
}

fn node(name: &str, kind: NodeKind, inputs: Vec<(usize, Partitioning)>) -> StreamNode {
    let input = |(node, partitioning)| Input { node, port: PortId::MAIN, partitioning };
    StreamNode {
        id: OperatorId::from_uid(name),
        name: name.to_owned(),
        kind,
        inputs: inputs.into_iter().map(input).collect(),
        schema: schema(),
        parallelism: 1,
        slot_sharing_group: "default".into(),
        chaining: false,
    }
}

fn source(numbers: Numbers) -> StreamNode {
    let source = SourceNode { source: Arc::new(numbers), watermark: None, event_time: None, dead_letters: false };
    node("numbers", NodeKind::Source(source), Vec::new())
}

fn graph(nodes: Vec<StreamNode>) -> Arc<JobGraph> {
    Arc::new(job_graph(StreamGraph { name: "test".to_owned(), nodes, max_parallelism: MaxParallelism::DEFAULT }))
}

/// A source that is counted.
fn counted(numbers: Numbers, sink: Counted) -> Arc<JobGraph> {
    graph(vec![source(numbers), node("counted", NodeKind::Sink(Arc::new(sink)), vec![(0, Partitioning::Rebalance)])])
}

/// Runs a test with the jobmaster's end of a worker's link; the worker runs the job of `graph`.
fn lead<F: Future<Output = ()>>(graph: Arc<JobGraph>, test: impl FnOnce(Master) -> F) {
    let io = Io::start().unwrap();
    let (worker, link) = pair();
    let planned = Arc::clone(&graph);
    let session = io.handle().spawn(serve(settings(Arc::new(move |_| Ok(Arc::clone(&planned)))), &io, worker));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, test(Master::of(link, graph).await)).await.expect("the test takes too long");
        tokio::time::timeout(PATIENCE, session).await.expect("the worker does not end").unwrap();
    });
    io.shut_down();
}

fn settings(planner: millstream_worker::task_manager::Planner) -> Settings {
    Settings {
        worker: WorkerId::new("w"),
        build: "test".to_owned(),
        slots: 1,
        slot_memory: None,
        planner,
        clock: Arc::new(SystemClock::default()),
        exchange: None,
    }
}

/// What the tests are.
struct Master {
    link: MasterLink,
    graph: Arc<JobGraph>,
}

impl Master {
    /// Takes the worker and its slot.
    async fn of(link: MasterLink, graph: Arc<JobGraph>) -> Self {
        let mut master = Self { link, graph };
        assert!(matches!(master.hear().await, FromWorker::Register(_)));
        let heartbeats = Heartbeats { interval: Duration::from_secs(1), timeout: 2 * PATIENCE };
        master.tell(ToWorker::Registered(heartbeats)).await;
        let slot = Allocation { slot: 0, job: job(), id: STAY };
        master.tell(ToWorker::RequestSlot(slot)).await;
        assert_eq!(master.hear().await, FromWorker::OfferSlot(slot));
        master
    }

    async fn tell(&self, message: ToWorker) {
        self.link.sender.send(message).await.unwrap();
    }

    /// The next thing that is said, but for heartbeats.
    async fn hear(&mut self) -> FromWorker {
        loop {
            match self.link.receiver.recv().await.unwrap() {
                FromWorker::Heartbeat(_) => {}
                said => return said,
            }
        }
    }

    /// Deploys all tasks in try `number`.
    async fn deploy(&self, number: u32) {
        self.deploy_as(number, fingerprint(&self.graph)).await;
    }

    /// The same for a graph of this fingerprint.
    async fn deploy_as(&self, number: u32, graph: u64) {
        let program = ResolvedProgram {
            name: "test".to_owned(),
            program: Program::Sql(String::new()),
            options: OptionValues::default(),
            start_time_ms: 0,
            build: "test".to_owned(),
        };
        let attempts = (0..self.graph.vertices.len()).map(|vertex| attempt(vertex, number));
        self.tell(ToWorker::Deploy(Deployment {
            job: job(),
            program: serde_json::to_string(&program).unwrap().into(),
            peers: vec![Peer { worker: WorkerId::new("w"), address: String::new() }],
            graph,
            holders: vec![0; execution_slots(&self.graph).len()],
            tasks: attempts.map(|attempt| TaskToDeploy { attempt, slot: 0, allocation: STAY }).collect(),
        }))
        .await;
    }

    /// Waits until the source's reader has asked for a split, and answers.
    async fn hand_out(&mut self, answer: Result<SplitAnswer, String>) -> AttemptId {
        loop {
            match self.hear().await {
                FromWorker::RequestSplit(asked) => {
                    self.tell(ToWorker::Split { request: asked.request, answer }).await;
                    return asked.task.attempt;
                }
                FromWorker::Task(report) => assert!(!is_last(&report.state), "{report:?}"),
                said => panic!("{said:?}"),
            }
        }
    }

    /// Waits until all tasks of a try have ended. Answers how, by vertex; no try says it twice.
    async fn ends(&mut self) -> Vec<TaskState> {
        let mut ended = Vec::new();
        let mut seen = HashSet::new();
        while ended.len() < self.graph.vertices.len() {
            match self.hear().await {
                FromWorker::Task(report) if is_last(&report.state) => {
                    assert!(seen.insert(report.task), "{:?} ends twice", report.task);
                    ended.push((report.task.attempt.of.vertex, report.state));
                }
                FromWorker::Task(_) => {}
                said => panic!("{said:?}"),
            }
        }
        ended.sort_by_key(|(vertex, _)| *vertex);
        ended.into_iter().map(|(_, state)| state).collect()
    }
}

fn attempt(vertex: usize, number: u32) -> AttemptId {
    AttemptId { of: SubtaskId { vertex, subtask: 0 }, number }
}

fn is_last(state: &TaskState) -> bool {
    match state {
        TaskState::Initializing | TaskState::Running => false,
        TaskState::Finished { .. } | TaskState::Canceled | TaskState::Failed(_) => true,
    }
}

fn split() -> Result<SplitAnswer, String> {
    Ok(SplitAnswer::Assigned(Split { id: "all".into(), position: String::new(), rows: 0 }))
}

const FINISHED: TaskState = TaskState::Finished { waits_for_clock: false };

#[test]
fn a_try_after_the_job_was_stopped_reads_again() {
    let sink = Counted::default();
    let numbers = Numbers { batches: 3, bounded: false, panics: false };
    lead(counted(numbers, sink.clone()), async |mut master: Master| {
        master.deploy(0).await;
        master.hand_out(split()).await;
        master.tell(ToWorker::StopSources(job())).await;
        assert_eq!(master.ends().await, [FINISHED, FINISHED]);
        let read = sink.rows.load(Ordering::Relaxed);
        // Something has failed meanwhile, and what is stopped now is nothing that runs.
        master.tell(ToWorker::StopSources(job())).await;
        master.deploy(1).await;
        assert_eq!(master.hand_out(split()).await, attempt(0, 1), "it asks for something to read");
        while sink.rows.load(Ordering::Relaxed) < read + 3_000 {
            tokio::task::yield_now().await;
        }
        master.tell(ToWorker::StopSources(job())).await;
        assert_eq!(master.ends().await, [FINISHED, FINISHED], "it can be stopped as the first was");
    });
}

#[test]
fn a_task_that_is_stopped_before_it_is_made_reads_nothing() {
    let sink = Counted::default();
    let numbers = Numbers { batches: 3, bounded: false, panics: false };
    lead(counted(numbers, sink.clone()), async |mut master: Master| {
        master.deploy(0).await;
        master.tell(ToWorker::StopSources(job())).await;
        let mut ended = 0;
        while ended < 2 {
            match master.hear().await {
                FromWorker::Task(report) => ended += usize::from(is_last(&report.state)),
                // The task may have been made before.
                FromWorker::RequestSplit(_) => {}
                said => panic!("{said:?}"),
            }
        }
        assert_eq!(sink.rows.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn tasks_that_cannot_be_made_without_a_panic_have_failed() {
    let numbers = Numbers { batches: 0, bounded: true, panics: true };
    lead(counted(numbers, Counted::default()), async |mut master: Master| {
        master.deploy(0).await;
        for ended in master.ends().await {
            let TaskState::Failed(failure) = ended else { panic!("{ended:?}") };
            assert!(failure.why.contains("the making of a task panicked: on purpose"), "{}", failure.why);
            assert!(!failure.may_recover);
        }
    });
}

#[test]
fn a_job_that_this_worker_plans_otherwise_than_the_jobmaster_is_not_run() {
    let sink = Counted::default();
    lead(counted(Numbers { batches: 1, bounded: true, panics: false }, sink), async |mut master: Master| {
        master.deploy_as(0, 0xABCD).await;
        for state in master.ends().await {
            let TaskState::Failed(failure) = state else { panic!("{state:?}") };
            assert!(failure.why.contains("than the jobmaster (000000000000abcd)"), "{}", failure.why);
            assert!(!failure.may_recover);
        }
    });
}

#[test]
fn a_source_whose_splits_cannot_be_found_now_may_be_tried_again() {
    let numbers = Numbers { batches: 0, bounded: true, panics: false };
    lead(counted(numbers, Counted::default()), async |mut master: Master| {
        master.deploy(0).await;
        master.hand_out(Err("the folder does not answer".to_owned())).await;
        let ended = master.ends().await;
        let [TaskState::Failed(source), TaskState::Failed(sink)] = &ended[..] else { panic!("{ended:?}") };
        assert!(source.why.ends_with(": the folder does not answer"), "{}", source.why);
        assert!(source.may_recover && !source.follows);
        assert!(sink.may_recover && sink.follows);
    });
}

/// Counts rows of each number, and says so when there are a thousand: never.
fn thousands() -> OperatorSpec {
    let count = Field::new("count", DataType::Int64, false);
    OperatorSpec::WindowAggregate(WindowAggregateSpec {
        name: "thousands".to_owned(),
        input: schema(),
        output: Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false), count.clone()])),
        keys: vec![0],
        time: TimeSource::Record,
        window: WindowSpec::Global,
        trigger: TriggerSpec::Purging(Box::new(TriggerSpec::Count(1_000))),
        evictor: None,
        allowed_lateness_ms: 0,
        late_output: false,
        aggregates: vec![AggregateSpec {
            function: AggregateFunction::Count,
            argument: None,
            distinct: false,
            filter: None,
            output: count,
        }],
        phase: Phase::Single,
    })
}

/// ```text
/// numbers ─┬──────────────────────┬─► union
///          └─► thousands ─────────┘
/// ```
/// `thousands` keeps all rows and there is no watermark, so it has nothing to say until its end.
#[test]
fn a_union_does_not_wait_for_an_operator_that_has_nothing_to_say() {
    let sink = Counted::default();
    let numbers = Numbers { batches: 200, bounded: true, panics: false };
    let graph = graph(vec![
        source(numbers),
        node("thousands", NodeKind::Operator(thousands()), vec![(0, Partitioning::Hash(vec![0]))]),
        node(
            "counted",
            NodeKind::Sink(Arc::new(sink.clone())),
            vec![(0, Partitioning::Rebalance), (1, Partitioning::Rebalance)],
        ),
    ]);
    lead(graph, async |mut master: Master| {
        master.deploy(0).await;
        master.hand_out(split()).await;
        master.hand_out(Ok(SplitAnswer::NoMore)).await;
        assert_eq!(master.ends().await, [FINISHED, FINISHED, FINISHED]);
        assert_eq!(sink.rows.load(Ordering::Relaxed), 200_000);
    });
}

#[test]
fn what_a_sink_has_finished_is_handed_over_in_messages_of_limited_size() {
    let numbers = Numbers { batches: 1, bounded: true, panics: false };
    let graph = counted(numbers, Counted { files: 25_000, ..Counted::default() });
    lead(graph, async |mut master: Master| {
        master.deploy(0).await;
        master.hand_out(split()).await;
        master.hand_out(Ok(SplitAnswer::NoMore)).await;
        let (mut files, mut ended) = (Vec::new(), 0);
        while ended < 2 {
            match master.hear().await {
                FromWorker::Committables(part) => {
                    assert_eq!(part.task, TaskId { job: job(), attempt: attempt(1, 0) });
                    assert!(part.committables.len() <= 10_000, "{}", part.committables.len());
                    files.extend(part.committables);
                }
                FromWorker::Task(report) if is_last(&report.state) => {
                    ended += 1;
                    let all = if report.task.attempt.of.vertex == 1 { 25_000 } else { files.len() };
                    assert_eq!(files.len(), all, "before the last report of the sink");
                }
                FromWorker::Task(_) => {}
                said => panic!("{said:?}"),
            }
        }
        assert!(files.iter().enumerate().all(|(at, file)| *file == at.to_string()), "in order");
    });
}

#[test]
fn a_worker_that_is_connected_and_never_registered_gives_up() {
    let io = Io::start().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let jobmaster = listener.local_addr().unwrap().to_string();
        let (connected, mut links) = mpsc::channel(1);
        tokio::spawn(millstream_protocol::serve(listener, connected));
        let hangs_up = async {
            let mut calls = 0;
            while links.recv().await.is_some() {
                calls += 1;
                if calls == 1_000 {
                    break;
                }
            }
        };
        let registration = Registration { jobmaster: jobmaster.clone(), timeout: Duration::from_millis(100) };
        let settings = settings(Arc::new(|_| Err("nothing is planned".to_owned())));
        let gives_up = async {
            tokio::select! {
                ended = register_and_serve(&settings, &io, &registration) => ended.unwrap_err(),
                () = hangs_up => panic!("it tries for ever"),
            }
        };
        let error = tokio::time::timeout(PATIENCE, gives_up).await.unwrap();
        assert!(matches!(&error, WorkerError::NotRegistered { .. }), "{error}");
        assert_eq!(
            error.to_string(),
            format!(
                "the jobmaster at {jobmaster} does not take this worker: the connection is closed; this worker has tried \
                 for 100ms ('taskmanager.registration.timeout')"
            )
        );
    });
    io.shut_down();
}
