//! Tasks of a job in one thread, step by step: checkpoints are taken and the job is thrown away at random moments, and goes on
//! from the last one, perhaps with another number of subtasks. What was committed is then what an unharmed job gives.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use arrow::array::cast::AsArray;
use arrow::datatypes::Int64Type;
use millstream_engine::batch::EventBatch;
use millstream_engine::element::{Barrier, CheckpointId};
use millstream_engine::error::Result;
use millstream_engine::io::sink::{CommitSender, Committable, Committer, Sink, SinkWriter, WriterContext};
use millstream_engine::io::source::{IoRuntime, ReaderContext, SplitEnumerator};
use millstream_engine::key::key_group::KeyGroupRange;
use millstream_engine::key::splitter::KeySplitter;
use millstream_engine::operators::chain::{ChainLink, EdgeId, OperatorChain, Target};
use millstream_engine::operators::sink::SinkOperator;
use millstream_engine::operators::union::Union;
use millstream_engine::operators::{Operator, ProcessingTime, Stateless};
use millstream_engine::state::OperatorState;
use millstream_engine::testing::random::{Random, rounds};
use millstream_graph::{JobGraph, NodeKind, OperatorId, Partitioning};
use millstream_planner::options::OptionValues;
use millstream_planner::resolved::{Program, ResolvedProgram, plan};
use millstream_worker::clock::ManualClock;
use millstream_worker::exchange::{ChannelSender, Edge, Outputs, Spread, gate};
use millstream_worker::task::{
    Asking, GateInput, SnapshotSink, SourceCommand, SourceControl, SourceInput, SourceParts, SplitRequests, Task,
    TaskInput, TaskSnapshot,
};

const ROWS: i64 = 60_000;

/// Counts and sums of numbers per remainder and five seconds of event time.
fn planned(parallelism: u32) -> JobGraph {
    let sql = format!(
        "SET 'parallelism.default' = '{parallelism}';
         CREATE TABLE numbers (n BIGINT, t AS TO_TIMESTAMP_LTZ(n, 3), WATERMARK FOR t AS t) WITH ('connector' = 'datagen',
           'number-of-rows' = '{ROWS}', 'rows-per-second' = '100000', 'fields.n.kind' = 'sequence', 'fields.n.start' = '1',
           'fields.n.end' = '{ROWS}');
         CREATE TABLE sums (k BIGINT, number BIGINT, sum_of BIGINT) WITH ('connector' = 'blackhole');
         INSERT INTO sums SELECT MOD(n, 5), COUNT(*), SUM(n) FROM TABLE(TUMBLE(TABLE numbers, DESCRIPTOR(t), INTERVAL '5' SECOND))
           GROUP BY MOD(n, 5), window_start, window_end;"
    );
    let program = ResolvedProgram {
        name: "test".to_owned(),
        program: Program::Sql(sql),
        options: OptionValues::default(),
        start_time_ms: 0,
        build: "test".to_owned(),
    };
    plan(&program, Arc::new(|| 0)).unwrap().graph
}

fn expected() -> Vec<String> {
    let mut windows: BTreeMap<(i64, i64), (i64, i64)> = BTreeMap::new();
    for n in 1..=ROWS {
        let of = windows.entry((n / 5_000, n % 5)).or_default();
        *of = (of.0 + 1, of.1 + n);
    }
    let mut lines: Vec<String> = windows.iter().map(|((_, k), (number, sum))| format!("{k},{number},{sum}")).collect();
    lines.sort();
    lines
}

/// Keeps what it is given until it is closed; each row is a committable.
#[derive(Debug)]
struct Rows;

#[derive(Default)]
struct RowsWriter(Vec<Committable>);

impl Sink for Rows {
    fn create_writer(&self, _: WriterContext) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::<RowsWriter>::default())
    }

    fn create_committer(&self) -> Result<Option<Box<dyn Committer>>> {
        panic!("the test commits");
    }
}

impl SinkWriter for RowsWriter {
    fn write(&mut self, batch: EventBatch, _: ProcessingTime) -> Result<()> {
        let columns: Vec<_> = batch.rows.columns().iter().map(|column| column.as_primitive::<Int64Type>()).collect();
        for row in 0..batch.num_rows() {
            let values: Vec<String> = columns.iter().map(|column| column.value(row).to_string()).collect();
            self.0.push(Committable(values.join(",")));
        }
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        0
    }

    fn close(&mut self, _: ProcessingTime) -> Result<()> {
        Ok(())
    }

    fn poll_closed(&mut self, _: &mut Context<'_>) -> Poll<Result<Vec<Committable>>> {
        Poll::Ready(Ok(std::mem::take(&mut self.0)))
    }
}

/// Runs blocking work in place.
#[derive(Debug)]
struct InPlace;

impl IoRuntime for InPlace {
    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        work();
    }
}

/// What sinks hand over when their input has ended.
#[derive(Debug, Default)]
struct HandedOver(Mutex<Vec<String>>);

impl HandedOver {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl CommitSender for HandedOver {
    fn send(&self, committables: Vec<Committable>) {
        self.0.lock().unwrap().extend(committables.into_iter().map(|of| of.0));
    }

    fn at_once(&self) -> bool {
        false
    }
}

/// Asks an enumerator that is in the test's hands.
struct Requests {
    enumerator: Arc<Mutex<Box<dyn SplitEnumerator>>>,
    subtask: u32,
    parallelism: u32,
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Requests")
    }
}

impl SplitRequests for Requests {
    fn request(&self, now: ProcessingTime, answer_to: &Arc<SourceControl>) -> Asking {
        let answer = self.enumerator.lock().unwrap().next_split(self.subtask, self.parallelism, now);
        answer_to.tell(SourceCommand::Split(answer));
        Box::pin(std::future::ready(Ok(())))
    }
}

#[derive(Debug, Default)]
struct Taken(Mutex<Vec<TaskSnapshot>>);

impl SnapshotSink for Taken {
    fn taken(&self, snapshot: TaskSnapshot) {
        self.0.lock().unwrap().push(snapshot);
    }
}

/// A subtask of a vertex.
type Subtask = (usize, u32);

struct Running {
    task: Task,
    control: Arc<SourceControl>,
    taken: Arc<Taken>,
    handed_over: Arc<HandedOver>,
    finished: bool,
}

/// What a checkpoint holds, by the ids of operators, which are the same at every parallelism.
#[derive(Debug, Clone, Default)]
struct Checkpoint {
    enumerator: Option<String>,
    /// By the head of the vertex.
    inputs: BTreeMap<OperatorId, Vec<OperatorState>>,
    operators: BTreeMap<OperatorId, Vec<OperatorState>>,
}

struct Job {
    graph: JobGraph,
    tasks: BTreeMap<Subtask, Running>,
    clock: Arc<ManualClock>,
    enumerator: Arc<Mutex<Box<dyn SplitEnumerator>>>,
    /// Its number, the enumerator's snapshot, and what tasks have said.
    pending: Option<(CheckpointId, String, BTreeMap<Subtask, TaskSnapshot>)>,
}

impl Job {
    fn start(parallelism: u32, from: &Checkpoint) -> Self {
        let graph = planned(parallelism);
        let source = graph.program.nodes.iter().find_map(|node| match &node.kind {
            NodeKind::Source(source) => Some(Arc::clone(&source.source)),
            NodeKind::Operator(_) | NodeKind::Sink(_) => None,
        });
        let mut enumerator = source.unwrap().create_enumerator().unwrap();
        if let Some(snapshot) = &from.enumerator {
            enumerator.restore(snapshot).unwrap();
        }
        let mut job = Self {
            tasks: BTreeMap::new(),
            clock: Arc::new(ManualClock::new(ProcessingTime(0))),
            enumerator: Arc::new(Mutex::new(enumerator)),
            pending: None,
            graph,
        };
        job.make_tasks(from);
        job
    }

    fn make_tasks(&mut self, from: &Checkpoint) {
        let mut senders: HashMap<(usize, u32, u32), ChannelSender> = HashMap::new();
        let mut gates = HashMap::new();
        for (vertex, of) in self.graph.vertices.iter().enumerate() {
            for subtask in 0..of.parallelism {
                let edges = self.graph.edges.iter().enumerate().filter(|(_, edge)| edge.to == vertex);
                let channels: Vec<(usize, u32, u32)> = edges
                    .flat_map(|(place, edge)| {
                        let all = 0..self.graph.vertices[edge.from].parallelism;
                        let from = if edge.partitioning == Partitioning::Forward { subtask..subtask + 1 } else { all };
                        from.map(move |from| (place, from, subtask))
                    })
                    .collect();
                if !channels.is_empty() {
                    let (gate, ends) = gate(channels.len());
                    gates.insert((vertex, subtask), GateInput::new(gate, channels.len()));
                    senders.extend(channels.into_iter().zip(ends));
                }
            }
        }
        for (vertex, of) in self.graph.vertices.iter().enumerate() {
            for subtask in 0..of.parallelism {
                let (control, taken) = (Arc::<SourceControl>::default(), Arc::<Taken>::default());
                let handed_over = Arc::<HandedOver>::default();
                let input = match gates.remove(&(vertex, subtask)) {
                    Some(gate) => TaskInput::Gate(Box::new(gate)),
                    None => TaskInput::Source(Box::new(self.source(of.nodes[0], subtask, &control))),
                };
                let links = of.nodes.iter().map(|node| self.link(vertex, *node, subtask, &handed_over));
                let chain = OperatorChain::new(links.collect());
                let mut edges = Vec::new();
                for (place, edge) in self.graph.edges.iter().enumerate().filter(|(_, edge)| edge.from == vertex) {
                    let to = self.graph.vertices[edge.to].parallelism;
                    let receivers =
                        if edge.partitioning == Partitioning::Forward { subtask..subtask + 1 } else { 0..to };
                    let channels: Vec<ChannelSender> =
                        receivers.map(|receiver| senders.remove(&(place, subtask, receiver)).unwrap()).collect();
                    let spread = match &edge.partitioning {
                        Partitioning::Hash(keys) if channels.len() > 1 => {
                            Spread::Hash(KeySplitter::new(keys.clone(), self.graph.max_parallelism(), to))
                        }
                        _ => Spread::One,
                    };
                    edges.push(Edge::new(channels, spread));
                }
                let clock = Arc::clone(&self.clock);
                let mut task = Task::new(input, chain, Outputs::new(edges), clock)
                    .with_snapshots(Arc::clone(&taken) as Arc<dyn SnapshotSink>);
                self.restore(&mut task, (vertex, subtask), from);
                let running = Running { task, control, taken, handed_over, finished: false };
                self.tasks.insert((vertex, subtask), running);
            }
        }
    }

    fn restore(&self, task: &mut Task, (vertex, subtask): Subtask, from: &Checkpoint) {
        let of = &self.graph.vertices[vertex];
        let range: KeyGroupRange = self.graph.max_parallelism().range(subtask, of.parallelism);
        let is_source = matches!(self.graph.program.nodes[of.nodes[0]].kind, NodeKind::Source(_));
        // The splits of a source's former subtasks are dealt out; a clock is that of all of them.
        let mine =
            |(place, _): &(usize, &OperatorState)| !is_source || place % of.parallelism as usize == subtask as usize;
        let id = |node: usize| self.graph.program.nodes[node].id;
        let parts = from.inputs.get(&id(of.nodes[0])).into_iter().flatten();
        let input: Vec<OperatorState> = parts.enumerate().filter(mine).map(|(_, part)| part.clone()).collect();
        let operators = of.nodes.iter().map(|node| {
            let is_sink = matches!(self.graph.program.nodes[*node].kind, NodeKind::Sink(_));
            let parts = from.operators.get(&id(*node)).into_iter().flatten().filter(|_| !is_sink);
            parts.map(|part| part.restrict(range)).collect()
        });
        task.restore("task", &input, operators.collect()).unwrap();
    }

    fn source(&self, node: usize, subtask: u32, control: &Arc<SourceControl>) -> SourceInput {
        let of = &self.graph.program.nodes[node];
        let NodeKind::Source(source) = &of.kind else { panic!("{} is no source", of.name) };
        let parallelism = of.parallelism;
        let context = ReaderContext { subtask, parallelism, io: Arc::new(InPlace) };
        let requests = Requests { enumerator: Arc::clone(&self.enumerator), subtask, parallelism };
        let parts = SourceParts {
            source: Arc::clone(&source.source),
            watermark: source.watermark.clone(),
            event_time: source.event_time,
            requests: Box::new(requests),
            control: Arc::clone(control),
            metrics: Arc::default(),
        };
        SourceInput::new(parts, source.source.create_reader(context).unwrap())
    }

    fn link(&self, vertex: usize, node: usize, subtask: u32, handed_over: &Arc<HandedOver>) -> ChainLink {
        let of = &self.graph.program.nodes[node];
        let operator: Box<dyn Operator> = match &of.kind {
            NodeKind::Source(_) => Box::new(Stateless(Union)),
            NodeKind::Operator(operator) => operator.build(self.graph.max_parallelism()).unwrap(),
            NodeKind::Sink(_) => {
                let commits: Arc<dyn CommitSender> = Arc::clone(handed_over) as Arc<dyn CommitSender>;
                let (attempt, io) = ("a".into(), Arc::new(InPlace));
                let context =
                    WriterContext { subtask, parallelism: of.parallelism, attempt, io, commits: Arc::clone(&commits) };
                Box::new(SinkOperator::new(Rows.create_writer(context).unwrap(), commits))
            }
        };
        let nodes = &self.graph.vertices[vertex].nodes;
        let inside = nodes.iter().enumerate().skip(1).flat_map(|(place, other)| {
            let inputs = self.graph.program.nodes[*other].inputs.iter();
            inputs.filter(|input| input.node == node).map(move |input| (input.port, Target::Operator(place)))
        });
        let outside = self.graph.edges.iter().filter(|edge| edge.from == vertex).enumerate();
        let outside = outside.filter(|(_, edge)| edge.from_node == node);
        let outside = outside.map(|(place, edge)| (edge.port, Target::Edge(EdgeId(place))));
        ChainLink { operator, metrics: Arc::default(), routes: inside.chain(outside).collect() }
    }

    /// Lets one task run for a turn.
    fn step(&mut self, random: &mut Random) {
        let live: Vec<Subtask> = self.tasks.iter().filter(|(_, task)| !task.finished).map(|(of, _)| *of).collect();
        let of = *random.pick(&live);
        let running = self.tasks.get_mut(&of).unwrap();
        if let Poll::Ready(ended) = running.task.poll(&mut Context::from_waker(Waker::noop())) {
            ended.unwrap();
            running.finished = true;
        }
        let taken: Vec<TaskSnapshot> = running.taken.0.lock().unwrap().drain(..).collect();
        for snapshot in taken {
            if let Some((id, _, said)) = &mut self.pending
                && *id == snapshot.checkpoint
            {
                assert!(said.insert(of, snapshot).is_none(), "{of:?} says it once");
            }
        }
    }

    fn is_finished(&self) -> bool {
        self.tasks.values().all(|task| task.finished)
    }

    /// First the enumerator's snapshot, then the sources are told: what it hands out later belongs after the barrier.
    fn begin_checkpoint(&mut self, id: CheckpointId) {
        let snapshot = self.enumerator.lock().unwrap().snapshot().unwrap();
        self.tasks.values().for_each(|task| task.control.tell(SourceCommand::Barrier(Barrier { id })));
        self.pending = Some((id, snapshot, BTreeMap::new()));
    }

    /// The checkpoint, and the rows that it commits, once every task that has not finished has passed the barrier.
    fn completed(&mut self) -> Option<(Checkpoint, Vec<String>)> {
        let (_, _, said) = self.pending.as_ref()?;
        let waits = |(of, task): (&Subtask, &Running)| !task.finished && !said.contains_key(of);
        if self.tasks.iter().any(waits) {
            return None;
        }
        let (_, enumerator, said) = self.pending.take()?;
        let mut checkpoint = Checkpoint { enumerator: Some(enumerator), ..Checkpoint::default() };
        // A task that had finished before the barrier has handed over what belongs to the checkpoint; what others hand over when
        // they have passed it belongs to the next one.
        let before = self.tasks.iter().filter(|(of, _)| !said.contains_key(of));
        let mut rows: Vec<String> = before.flat_map(|(_, task)| task.handed_over.take()).collect();
        for ((vertex, _), snapshot) in said {
            let nodes = &self.graph.vertices[vertex].nodes;
            checkpoint.inputs.entry(self.graph.program.nodes[nodes[0]].id).or_default().push(snapshot.input);
            for (node, state) in nodes.iter().zip(snapshot.operators) {
                if matches!(self.graph.program.nodes[*node].kind, NodeKind::Sink(_)) {
                    rows.extend(state.values_of("committables").map(|row| String::from_utf8(row.to_vec()).unwrap()));
                }
                checkpoint.operators.entry(self.graph.program.nodes[*node].id).or_default().push(state);
            }
        }
        Some((checkpoint, rows))
    }
}

#[test]
fn a_job_that_is_thrown_away_at_any_moment_goes_on_from_its_last_checkpoint() {
    let expected = expected();
    let mut seen = BTreeSet::new();
    for seed in rounds(60) {
        let mut random = Random::new(seed);
        let (mut committed, mut last): (Vec<String>, _) = (Vec::new(), Checkpoint::default());
        let mut job = Job::start(*random.pick(&[1, 2, 3]), &last);
        let (mut id, mut crashes, mut completed, mut now) = (0, 0, 0, 0);
        let mut log = VecDeque::new();
        for step in 0.. {
            assert!(step < 200_000, "seed {seed}: the job does not end: {log:?}");
            if job.is_finished() {
                break;
            }
            match random.below(1_000) {
                0..150 => {
                    now += random.within(1..30);
                    job.clock.set(ProcessingTime(now));
                }
                150..170 if job.pending.is_none() => {
                    id += 1;
                    log.push_back(format!("{step}: checkpoint {id} begins"));
                    job.begin_checkpoint(CheckpointId(id));
                }
                170..172 if crashes < 6 => {
                    crashes += 1;
                    let parallelism = *random.pick(&[1, 2, 3]);
                    log.push_back(format!("{step}: goes on with {parallelism} subtasks"));
                    job = Job::start(parallelism, &last);
                    job.clock.set(ProcessingTime(now));
                }
                _ => job.step(&mut random),
            }
            if let Some((checkpoint, rows)) = job.completed() {
                log.push_back(format!("{step}: checkpoint {id} is complete with {} rows", rows.len()));
                completed += 1;
                committed.extend(rows);
                last = checkpoint;
            }
        }
        job.tasks.values().for_each(|task| committed.extend(task.handed_over.take()));
        committed.sort();
        let differs = committed.iter().zip(&expected).find(|(found, expected)| found != expected);
        assert_eq!(differs, None, "seed {seed}: {log:#?}");
        assert_eq!(committed.len(), expected.len(), "seed {seed}: {log:#?}");
        seen.insert((crashes.min(2), completed.min(2)));
    }
    assert!(seen.contains(&(2, 2)), "jobs crashed and went on from checkpoints: {seen:?}");
}
