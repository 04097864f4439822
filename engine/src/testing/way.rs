//! The ways in which a harness runs the same steps.
//!
//! ```text
//!  step ─► elements ─► rows by key ──► [chain of subtask 0] ─┐
//!                      the rest to all [chain of subtask 1] ─┴─► lines
//!                                            │
//!                  after every element:  barrier ─► encode ─► decode ─► restrict ─► new chains, perhaps more or fewer
//! ```

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::harness::{OperatorHarness, Step};
use super::outcome::{Outcome, StepOutcome, lines_of};
use crate::batch::EventBatch;
use crate::element::{Barrier, CheckpointId, StreamElement, Watermark};
use crate::error::Result;
use crate::key::splitter::KeySplitter;
use crate::metrics::OperatorMetrics;
use crate::operators::chain::{ChainLink, ChainOutput, ChainState, EdgeId, OperatorChain, Target};
use crate::operators::{PortId, ProcessingTime};
use crate::state::OperatorState;

/// How steps are run.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) name: &'static str,
    row_by_row: bool,
    /// After every element the operators are restored at the next of these parallelisms, over and over. None: never.
    restored_at: &'static [u32],
    /// Rows that a call may emit before it must yield.
    budget: Option<usize>,
    /// Whether the output has room only every other time.
    stutters: bool,
}

/// All ways; what comes out by the first is what must come out by the others.
pub(super) const WAYS: [Way; 7] = [
    Way { name: "whole", row_by_row: false, restored_at: &[], budget: None, stutters: false },
    Way { name: "row by row", row_by_row: true, restored_at: &[], budget: None, stutters: false },
    Way { name: "with a full output", row_by_row: false, restored_at: &[], budget: Some(1), stutters: true },
    Way { name: "restored after every batch", row_by_row: false, restored_at: &[1], budget: None, stutters: false },
    Way { name: "restored after every row", row_by_row: true, restored_at: &[1], budget: None, stutters: false },
    Way { name: "rescaled after every batch", row_by_row: false, restored_at: RESCALED, budget: None, stutters: false },
    Way {
        name: "rescaled after every row, with a full output",
        row_by_row: true,
        restored_at: RESCALED,
        budget: Some(2),
        stutters: true,
    },
];

/// To 2, to 3 and back, starting at 1.
const RESCALED: &[u32] = &[2, 3, 2, 1];
/// More than any test emits: an operator that does so has lost its way.
const ROWS_MAX: usize = 1_000_000;
const POLLS_MAX: usize = 10_000_000;

/// Runs the steps of `harness`.
pub(super) fn run(harness: &OperatorHarness, way: &Way) -> Result<Outcome> {
    let mut run = Run { harness, way, subtasks: Vec::new(), now: ProcessingTime(0), elements: 0, late_before: 0 };
    run.start(1, &[])?;
    let steps = harness.steps.iter().map(|step| run.step(step)).collect::<Result<_>>()?;
    Ok(Outcome { steps })
}

struct Run<'a> {
    harness: &'a OperatorHarness,
    way: &'a Way,
    subtasks: Vec<Subtask>,
    now: ProcessingTime,
    elements: usize,
    /// Late rows that subtasks of earlier restores have counted.
    late_before: u64,
}

struct Subtask {
    chain: OperatorChain,
    metrics: Vec<Arc<OperatorMetrics>>,
    output: Collected,
}

impl Run<'_> {
    /// Starts `parallelism` subtasks from the state of all subtasks before: a list for each operator.
    fn start(&mut self, parallelism: u32, state: &[Vec<OperatorState>]) -> Result<()> {
        self.subtasks.clear();
        for index in 0..parallelism {
            let mut subtask = self.subtask()?;
            if !state.is_empty() {
                let range = self.harness.max_parallelism.range(index, parallelism);
                let own = |parts: &Vec<OperatorState>| parts.iter().map(|part| part.restrict(range)).collect();
                subtask.chain.restore(state.iter().map(own).collect())?;
            }
            self.subtasks.push(subtask);
        }
        Ok(())
    }

    fn subtask(&self) -> Result<Subtask> {
        let operators = (self.harness.build)(self.harness.max_parallelism)?;
        let last = operators.len() - 1;
        let mut metrics = Vec::new();
        let mut links = Vec::new();
        for (at, operator) in operators.into_iter().enumerate() {
            let of: Arc<OperatorMetrics> = Arc::default();
            metrics.push(Arc::clone(&of));
            let edges = [(PortId::MAIN, MAIN), (PortId::LATE, LATE), (PortId::DEAD_LETTERS, DEAD)];
            let routes = if at == last {
                edges.map(|(port, edge)| (port, Target::Edge(edge))).to_vec()
            } else {
                vec![(PortId::MAIN, Target::Operator(at + 1))]
            };
            links.push(ChainLink { operator, metrics: of, routes });
        }
        let chain = OperatorChain::new(links);
        let chain = match self.way.budget {
            None => chain,
            Some(rows) => chain.with_budget(rows),
        };
        Ok(Subtask { chain, metrics, output: Collected::new(self.way) })
    }

    fn step(&mut self, step: &Step) -> Result<StepOutcome> {
        let late_before = self.late();
        let mut lines = Vec::new();
        match step {
            Step::Rows(batch) if self.way.row_by_row => {
                for row in 0..batch.num_rows() {
                    self.rows(batch.slice(row, 1), &mut lines)?;
                }
            }
            Step::Rows(batch) => self.rows(batch.clone(), &mut lines)?,
            Step::Watermark(time) => self.tell_all(StreamElement::Watermark(Watermark(*time)), &mut lines)?,
            Step::Time(time) => self.time(ProcessingTime(*time), &mut lines)?,
            Step::End => {
                self.tell_all(StreamElement::Watermark(Watermark::MAX), &mut lines)?;
                self.drain_all(StreamElement::EndOfInput, &mut lines)?;
            }
        }
        lines.sort_unstable();
        Ok(StepOutcome { step: step.to_string(), lines, late: self.late() - late_before })
    }

    fn rows(&mut self, batch: EventBatch, lines: &mut Vec<String>) -> Result<()> {
        let parallelism = u32::try_from(self.subtasks.len()).unwrap_or(u32::MAX);
        let keys = self.harness.keys.clone();
        let mut splitter = KeySplitter::new(keys, self.harness.max_parallelism, parallelism);
        for (target, part) in splitter.split(batch)? {
            let subtask = &mut self.subtasks[target as usize];
            subtask.output.unbounded = true;
            subtask.chain.push(StreamElement::Batch(part));
            subtask.drain(self.now, lines)?;
            subtask.output.unbounded = false;
        }
        self.restore(lines)
    }

    fn time(&mut self, now: ProcessingTime, lines: &mut Vec<String>) -> Result<()> {
        self.now = now;
        for subtask in &mut self.subtasks {
            subtask.chain.advance_time(now);
            subtask.drain(now, lines)?;
        }
        self.restore(lines)
    }

    fn tell_all(&mut self, element: StreamElement, lines: &mut Vec<String>) -> Result<()> {
        self.drain_all(element, lines)?;
        self.restore(lines)
    }

    fn drain_all(&mut self, element: StreamElement, lines: &mut Vec<String>) -> Result<()> {
        for subtask in &mut self.subtasks {
            subtask.output.passed.clear();
            subtask.chain.push(element.clone());
            subtask.drain(self.now, lines)?;
            let passed = std::mem::take(&mut subtask.output.passed);
            // It leaves by the main output, the late one and the one for dead letters.
            assert_eq!(passed.len(), 3, "{}: {element:?} is passed on once by each output", self.way.name);
        }
        Ok(())
    }

    /// Stores all operators and goes on with new ones, if that is what the way is about.
    fn restore(&mut self, lines: &mut Vec<String>) -> Result<()> {
        if self.way.restored_at.is_empty() {
            return Ok(());
        }
        self.elements += 1;
        let id = CheckpointId(self.elements as u64);
        self.drain_all(StreamElement::Barrier(Barrier { id }), lines)?;
        self.late_before = self.late();
        let mut state: Vec<Vec<OperatorState>> = Vec::new();
        for subtask in &mut self.subtasks {
            let mut snapshots = subtask.chain.take_snapshots();
            assert_eq!(snapshots.len(), 1, "one snapshot for one barrier");
            let (of, operators) = snapshots.remove(0);
            assert_eq!(of, id);
            state.resize(operators.len(), Vec::new());
            for (at, stored) in operators.iter().enumerate() {
                state[at].push(OperatorState::decode("harness", &stored.encode()?)?);
            }
        }
        let turn = (self.elements - 1) % self.way.restored_at.len();
        self.start(self.way.restored_at[turn], &state)
    }

    fn late(&self) -> u64 {
        let counted = self.subtasks.iter().flat_map(|subtask| &subtask.metrics).map(|metrics| metrics.late_dropped());
        self.late_before + counted.sum::<u64>()
    }
}

impl Subtask {
    fn drain(&mut self, now: ProcessingTime, lines: &mut Vec<String>) -> Result<()> {
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..POLLS_MAX {
            match self.chain.poll_run(now, &mut self.output, &mut cx)? {
                Poll::Pending | Poll::Ready(ChainState::HasMore) => {}
                Poll::Ready(ChainState::Drained | ChainState::Finished) => {
                    lines.append(&mut self.output.lines);
                    return Ok(());
                }
            }
        }
        panic!("the operators do not come to an end");
    }
}

const MAIN: EdgeId = EdgeId(0);
const LATE: EdgeId = EdgeId(1);
const DEAD: EdgeId = EdgeId(2);

/// The far end of a chain.
struct Collected {
    lines: Vec<String>,
    /// What else than rows has come, since the element before.
    passed: Vec<(EdgeId, StreamElement)>,
    stutters: bool,
    asked: usize,
    budget: usize,
    /// Rows since there was room last.
    rows_in_call: usize,
    /// Whether a call may emit more than its budget: one that is given rows may for each of them.
    unbounded: bool,
}

impl Collected {
    fn new(way: &Way) -> Self {
        Self {
            lines: Vec::new(),
            passed: Vec::new(),
            stutters: way.stutters,
            asked: 0,
            budget: way.budget.unwrap_or(usize::MAX),
            rows_in_call: 0,
            unbounded: false,
        }
    }

    fn take_rows(&mut self, edge: EdgeId, batch: &EventBatch) {
        let closed = self.passed.iter().any(|(of, _)| *of == edge);
        assert!(!closed, "rows come after what they belong before: {:?}", lines_of(batch));
        self.rows_in_call += batch.num_rows();
        let within = self.unbounded || self.rows_in_call <= self.budget;
        assert!(within, "a call emits {} rows with a budget of {}", self.rows_in_call, self.budget);
        let prefix = match edge {
            LATE => "late ",
            DEAD => "dead letter ",
            EdgeId(_) => "",
        };
        self.lines.extend(lines_of(batch).into_iter().map(|line| format!("{prefix}{line}")));
        assert!(self.lines.len() <= ROWS_MAX, "the operators emit without end");
    }
}

impl ChainOutput for Collected {
    fn poll_room(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        self.asked += 1;
        if self.stutters && self.asked % 2 == 1 {
            return Poll::Pending;
        }
        self.rows_in_call = 0;
        Poll::Ready(Ok(()))
    }

    fn send(&mut self, edge: EdgeId, element: StreamElement) -> Result<()> {
        match element {
            StreamElement::Batch(batch) => self.take_rows(edge, &batch),
            StreamElement::Watermark(_)
            | StreamElement::Status(_)
            | StreamElement::Barrier(_)
            | StreamElement::EndOfInput => self.passed.push((edge, element)),
        }
        Ok(())
    }
}
