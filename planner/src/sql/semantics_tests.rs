//! What windows in SQL mean: the cases under `cases/`, planned, and run by the operators that a job would get.
//!
//! ```text
//!   rows of the table ─► what has no state (projections, copies for grouping sets) ─► rows that are exchanged by key
//!                                                                                        │
//!                                       window operators and what follows them: the harness, which tries every way
//! ```

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use arrow::datatypes::SchemaRef;
use millstream_engine::batch::EventBatch;
use millstream_engine::element::StreamElement;
use millstream_engine::error::Result;
use millstream_engine::key::key_group::MaxParallelism;
use millstream_engine::metrics::OperatorMetrics;
use millstream_engine::operators::chain::{ChainLink, ChainOutput, EdgeId, OperatorChain, Target};
use millstream_engine::operators::{Operator, PortId, ProcessingTime};
use millstream_engine::spec::OperatorSpec;
use millstream_engine::testing::case::{Case, CaseStep, number, parse};
use millstream_engine::testing::{Cell, OperatorHarness, Row, batch_of};
use millstream_engine::window::{Phase, TriggeredWindows};
use millstream_graph::two_phase::two_phase;
use millstream_graph::{NodeKind, StreamNode};

use super::plan_sql;
use crate::narrow::narrow;
use crate::session::Session;
use crate::thread::on_planning_thread;

const CASES: &str = include_str!("cases/windows.txt");

/// What a query writes, unless its case says otherwise.
const COLUMNS: &str = "k STRING, window_start TIMESTAMP(3), window_end TIMESTAMP(3), n BIGINT";

#[test]
fn windows_in_sql_mean_what_they_should() {
    for case in &parse(CASES) {
        Query::planned(case, 1).check(case, "the operators of one subtask", OperatorSpec::build);
        Query::planned(case, 1).check(case, "TriggeredWindows", row_by_row);
        Query::planned(case, 2).check(case, "the operators of two subtasks", OperatorSpec::build);
    }
}

#[test]
fn no_case_is_missing() {
    let ids: Vec<String> = parse(CASES).into_iter().map(|case| case.id).collect();
    assert_eq!(ids, ["H1", "H2", "H3", "H4", "H5", "H20"]);
}

/// Makes an operator.
type Build = fn(&OperatorSpec, MaxParallelism) -> Result<Box<dyn Operator>>;

/// The general window operator in place of the fast ones.
fn row_by_row(spec: &OperatorSpec, groups: MaxParallelism) -> Result<Box<dyn Operator>> {
    match spec {
        OperatorSpec::WindowAggregate(window) => Ok(Box::new(TriggeredWindows::new(Arc::new(window.clone()), groups)?)),
        other => other.build(groups),
    }
}

/// A query as it was planned.
struct Query {
    /// The columns that are read of the table.
    table: SchemaRef,
    before: Vec<OperatorSpec>,
    /// The columns of the rows that are exchanged, and those that they are exchanged by.
    exchanged: SchemaRef,
    keys: Vec<usize>,
    after: Vec<OperatorSpec>,
}

impl Query {
    fn planned(case: &Case, parallelism: u32) -> Self {
        let text = format!(
            "SET 'parallelism.default' = '{parallelism}';
             CREATE TABLE s (k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts)
             WITH ('connector' = 'filesystem', 'path' = '/in', 'format' = 'json');
             CREATE TABLE o ({}) WITH ('connector' = 'print');
             INSERT INTO o {};",
            case.setting("columns").unwrap_or(COLUMNS),
            case.setting("sql").expect("a case has a query")
        );
        let plan = || plan_sql("case", &text, Session::default(), &millstream_connectors::connector);
        let mut graph = on_planning_thread(plan).unwrap_or_else(|error| panic!("case {}: {error}", case.id)).graph;
        narrow(&mut graph).expect("a graph that can be narrowed");
        Self::cut(two_phase(graph).expect("a graph that can be split").nodes)
    }

    /// Cuts a program without branches where its rows are exchanged, which is before its first window.
    fn cut(nodes: Vec<StreamNode>) -> Self {
        let is_chain = nodes.iter().enumerate().all(|(place, node)| match node.inputs.as_slice() {
            [] => place == 0,
            inputs => inputs.len() == 1 && inputs[0].node + 1 == place,
        });
        assert!(is_chain, "a query of one table is a chain");
        let table = Arc::clone(&nodes[0].schema);
        let mut before = Vec::new();
        let mut after = Vec::new();
        let mut exchange = None;
        for node in nodes {
            let NodeKind::Operator(spec) = node.kind else { continue };
            if let (OperatorSpec::WindowAggregate(window), None) = (&spec, &exchange) {
                exchange = Some((Arc::clone(&window.input), window.keys.clone()));
            }
            if exchange.is_none() { before.push(spec) } else { after.push(spec) }
        }
        let (exchanged, keys) = exchange.expect("a query with a window");
        Self { table, before, exchanged, keys, after }
    }

    /// Runs `case`, its operators made by `build`, in every way.
    fn check(&self, case: &Case, by: &str, build: Build) {
        let (after, keys) = (self.after.clone(), self.keys.clone());
        let operators = move |groups| after.iter().map(|spec| build(spec, groups)).collect();
        let mut harness = OperatorHarness::new(Arc::clone(&self.exchanged), keys, operators);
        for step in &case.steps {
            harness = match step.verb.as_str() {
                "rows" => harness.batch(self.exchanged(step)),
                "watermark" => harness.watermark(number(&step.words[0])),
                "end" => harness.end(),
                other => case.fail(step, &format!("`{other}` is no step of a query")),
            };
        }
        let late = |step: &CaseStep| step.expected.iter().find_map(|line| line.strip_prefix("late ")).map_or(0, number);
        // In two phases late rows are found when the partials move on, and so counted in total.
        let in_two_phases = self.after.iter().any(is_local);
        let harness = if in_two_phases { harness.late_in_total() } else { harness };
        let outcome = harness.outcome();
        let counted: u64 = outcome.steps.iter().map(|step| step.late).sum();
        let expected: i64 = case.steps.iter().map(late).sum();
        assert_eq!(counted.cast_signed(), expected, "case {}, by {by}: rows counted as late", case.id);
        for (step, outcome) in case.steps.iter().zip(outcome.steps) {
            let late = if in_two_phases { late(step) } else { outcome.late.cast_signed() };
            let counted = (late > 0).then(|| format!("late {late}"));
            case.compare(step, by, outcome.lines.into_iter().chain(counted).collect());
        }
    }

    /// The rows of a step, as they are exchanged.
    fn exchanged(&self, step: &CaseStep) -> EventBatch {
        let rows: Vec<Row> = step.words.iter().map(|row| self.row(row)).collect();
        let mut sent = Sent(Vec::new());
        let groups = MaxParallelism::DEFAULT;
        let links = self.before.iter().enumerate().map(|(at, spec)| {
            let last = at + 1 == self.before.len();
            let target = if last { Target::Edge(EdgeId(0)) } else { Target::Operator(at + 1) };
            let operator = spec.build(groups).expect("an operator");
            ChainLink { operator, metrics: Arc::new(OperatorMetrics::default()), routes: vec![(PortId::MAIN, target)] }
        });
        let mut chain = OperatorChain::new(links.collect());
        chain.push(StreamElement::Batch(batch_of(&self.table, false, &rows)));
        let mut cx = Context::from_waker(Waker::noop());
        let run = chain.poll_run(ProcessingTime(0), &mut sent, &mut cx);
        assert!(matches!(run, Poll::Ready(Ok(_))), "what has no state has done all");
        EventBatch::concat(&sent.0).expect("batches of the same columns")
    }

    /// `K@TIME:V`, in the columns that are read.
    fn row(&self, text: &str) -> Row {
        let (key, rest) = text.split_once('@').expect("a row has a time");
        let (time, value) = rest.split_once(':').expect("a row has a value");
        let cell = |name: &str| match name {
            "k" => Cell::from(key),
            "v" => Cell::Int(number(value)),
            "ts" => Cell::Int(number(time)),
            other => panic!("the table has no column `{other}`"),
        };
        Row(self.table.fields().iter().map(|field| cell(field.name())).collect())
    }
}

fn is_local(spec: &OperatorSpec) -> bool {
    matches!(spec, OperatorSpec::WindowAggregate(window) if window.phase == Phase::Local)
}

/// What a chain has sent.
struct Sent(Vec<EventBatch>);

impl ChainOutput for Sent {
    fn poll_room(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn send(&mut self, _: EdgeId, element: StreamElement) -> Result<()> {
        if let StreamElement::Batch(batch) = element {
            self.0.push(batch);
        }
        Ok(())
    }
}
