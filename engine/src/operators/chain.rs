//! Operators that run as one: rows go from one to the next without a queue between threads.
//!
//! A chain is a tree of operators with the head first. Each element is carried as deep as it goes before the next is
//! taken, so that at most one call's output waits anywhere; that is what bounds memory when an operator yields.
//!
//! ```text
//!  push ─► [head] ─┬─► [filter] ─► [project] ─► edge 0      rows go down, deepest first:
//!                  └─► [local aggregate] ─────► edge 1      the one with waiting input and the greatest depth runs next
//! ```
//!
//! Calls are not nested (a push through `&mut dyn Output`, as first planned): an operator that yields in the middle of a
//! deep call stack could not be resumed without unwinding those above it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::{InputId, OUTPUT_BUDGET_ROWS, Operator, OperatorContext, Output, PortId, ProcessingTime, Progress};
use crate::batch::EventBatch;
use crate::element::{Barrier, CheckpointId, StreamElement};
use crate::error::Result;
use crate::metrics::OperatorMetrics;
use crate::state::OperatorState;

/// Which outgoing edge of the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EdgeId(pub usize);

/// Where rows of a port go next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// To the operator at this place of the chain.
    Operator(usize),
    /// Out of the task.
    Edge(EdgeId),
}

/// One operator of a chain and where its rows go.
pub struct ChainLink {
    /// The step.
    pub operator: Box<dyn Operator>,
    /// What it counts.
    pub metrics: Arc<OperatorMetrics>,
    /// For each port that is used, the places where its rows go. Watermarks, barriers and the end go to all of them.
    pub routes: Vec<(PortId, Target)>,
}

/// The far end of a task: takes what leaves the chain.
pub trait ChainOutput {
    /// Whether every edge can take more. While not, `waker_cx` is woken when that changes.
    fn poll_room(&mut self, waker_cx: &mut Context<'_>) -> Poll<Result<()>>;
    /// Takes an element for an edge. Called only after room was promised; a single call's output may exceed it.
    fn send(&mut self, edge: EdgeId, element: StreamElement) -> Result<()>;
}

/// Why [`OperatorChain::poll_run`] returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChainState {
    /// It has made its share of calls and has more to do: run it again, once others had their turn.
    HasMore,
    /// All pushed elements are processed.
    Drained,
    /// The end of input has passed the last operator.
    Finished,
}

/// Calls of operators in one run. An element takes one for each operator, unless what it causes is more than an operator may
/// emit at once; so it takes a window that fires for very many keys to get here.
const CALLS_PER_RUN: usize = 32;

/// A tree of operators, run in one thread.
pub struct OperatorChain {
    nodes: Vec<Node>,
    output: Output,
    finished: usize,
    snapshots: Vec<(CheckpointId, Vec<OperatorState>)>,
}

struct Node {
    link: ChainLink,
    waiting: VecDeque<StreamElement>,
    running: Option<Running>,
}

/// The call that has yielded, and what follows when it is done.
enum Running {
    Rows,
    Time,
    PassOn(StreamElement),
    Prepare(Barrier),
}

impl OperatorChain {
    /// A chain of `links`, the head first and every other after the one that feeds it.
    pub fn new(links: Vec<ChainLink>) -> Self {
        let nodes = links.into_iter().map(|link| Node { link, waiting: VecDeque::new(), running: None }).collect();
        Self { nodes, output: Output::with_budget(OUTPUT_BUDGET_ROWS), finished: 0, snapshots: Vec::new() }
    }

    /// The same with another output budget, in rows.
    pub fn with_budget(mut self, rows: usize) -> Self {
        self.output = Output::with_budget(rows);
        self
    }

    /// Gives the head its next element. Call only when the chain is drained.
    pub fn push(&mut self, element: StreamElement) {
        self.nodes[0].waiting.push_back(element);
    }

    /// Sends `batch` on from the head's output `port`, as if the head had emitted it: what a source reads beside rows.
    /// Call only when the chain is drained.
    pub fn emit_from_head(&mut self, port: PortId, batch: EventBatch, out: &mut dyn ChainOutput) -> Result<()> {
        self.output.emit(port, batch);
        self.carry_on(0, out)
    }

    /// Runs until all is processed, something is not ready, or so much is done that whoever runs it should look around.
    pub fn poll_run(
        &mut self,
        now: ProcessingTime,
        out: &mut dyn ChainOutput,
        waker_cx: &mut Context<'_>,
    ) -> Poll<Result<ChainState>> {
        let mut calls = 0;
        while let Some(at) = self.deepest_with_work() {
            if calls == CALLS_PER_RUN {
                return Poll::Ready(Ok(ChainState::HasMore));
            }
            calls += 1;
            match out.poll_room(waker_cx)? {
                Poll::Ready(()) => {}
                Poll::Pending => return Poll::Pending,
            }
            match self.nodes[at].link.operator.poll_ready(waker_cx)? {
                Poll::Ready(()) => {}
                Poll::Pending => return Poll::Pending,
            }
            self.step(at, now, out)?;
        }
        let finished = self.finished == self.nodes.len();
        Poll::Ready(Ok(if finished { ChainState::Finished } else { ChainState::Drained }))
    }

    /// Tells every operator whose time has come. Call only when the chain is drained; run it afterwards.
    pub fn advance_time(&mut self, now: ProcessingTime) {
        for node in &mut self.nodes {
            if node.running.is_none() && node.link.operator.next_time().is_some_and(|at| at <= now) {
                node.running = Some(Running::Time);
            }
        }
    }

    /// The earliest time that an operator waits for.
    pub fn next_time(&self) -> Option<ProcessingTime> {
        self.nodes.iter().filter_map(|node| node.link.operator.next_time()).min()
    }

    /// Bytes of memory that each operator holds, in the order of the links.
    pub fn operator_bytes(&self) -> impl Iterator<Item = usize> + '_ {
        self.nodes.iter().map(|node| node.link.operator.memory_bytes())
    }

    /// Bytes of what waits between the operators, and of snapshots that nobody has taken.
    pub fn waiting_bytes(&self) -> usize {
        let waiting = self.nodes.iter().flat_map(|node| &node.waiting).map(StreamElement::memory_bytes);
        let snapshots = self.snapshots.iter().flat_map(|(_, operators)| operators).map(OperatorState::memory_bytes);
        waiting.chain(snapshots).sum()
    }

    /// Bytes of memory held.
    pub fn memory_bytes(&self) -> usize {
        self.operator_bytes().sum::<usize>() + self.waiting_bytes()
    }

    /// The snapshots of all operators for checkpoints whose barrier has passed the chain, in the order of the links.
    pub fn take_snapshots(&mut self) -> Vec<(CheckpointId, Vec<OperatorState>)> {
        std::mem::take(&mut self.snapshots)
    }

    /// Gives each operator its state; `parts` has an entry for every link.
    pub fn restore(&mut self, parts: Vec<Vec<OperatorState>>) -> Result<()> {
        for (node, parts) in self.nodes.iter_mut().zip(parts) {
            node.link.operator.restore(parts)?;
        }
        Ok(())
    }

    /// Passes on that checkpoint `id` is durable.
    pub fn checkpoint_completed(&mut self, id: CheckpointId) -> Result<()> {
        self.nodes.iter_mut().try_for_each(|node| node.link.operator.checkpoint_completed(id))
    }

    fn deepest_with_work(&self) -> Option<usize> {
        self.nodes.iter().rposition(|node| node.running.is_some() || !node.waiting.is_empty())
    }

    /// Makes one call of the operator at `at` and carries on what it emitted.
    fn step(&mut self, at: usize, now: ProcessingTime, out: &mut dyn ChainOutput) -> Result<()> {
        let node = &mut self.nodes[at];
        let metrics = Arc::clone(&node.link.metrics);
        let mut cx = OperatorContext { now, out: &mut self.output, metrics: &metrics };
        let (running, progress) = match node.running.take() {
            // A timer call starts like any other and is resumed like any other.
            Some(Running::Time) => (Running::Rows, node.link.operator.process_time(&mut cx)?),
            Some(running) => {
                let progress = node.link.operator.resume(&mut cx)?;
                (running, progress)
            }
            None => match node.waiting.pop_front() {
                Some(element) => start(node.link.operator.as_mut(), element, &mut cx)?,
                None => return Ok(()),
            },
        };
        self.carry_on(at, out)?;
        match progress {
            Progress::Yield => self.nodes[at].running = Some(running),
            Progress::Done => self.complete(at, running, out)?,
        }
        Ok(())
    }

    /// Moves what the operator at `at` has emitted to where it goes.
    fn carry_on(&mut self, at: usize, out: &mut dyn ChainOutput) -> Result<()> {
        let mut emitted = std::mem::replace(&mut self.output, Output::with_budget(0));
        for (port, batch) in emitted.drain() {
            self.nodes[at].link.metrics.count_out(port, batch.num_rows());
            for route in 0..self.nodes[at].link.routes.len() {
                let (from, target) = self.nodes[at].link.routes[route];
                if from == port {
                    self.deliver(target, StreamElement::Batch(batch.clone()), out)?;
                }
            }
        }
        self.output = emitted;
        Ok(())
    }

    /// What follows a call that is done: nothing after rows, the element itself after the others.
    fn complete(&mut self, at: usize, running: Running, out: &mut dyn ChainOutput) -> Result<()> {
        match running {
            Running::Rows | Running::Time => Ok(()),
            Running::PassOn(element) => {
                if matches!(element, StreamElement::EndOfInput) {
                    self.finished += 1;
                }
                self.pass_on(at, &element, out)
            }
            Running::Prepare(barrier) => {
                let state = self.nodes[at].link.operator.snapshot()?;
                self.record_snapshot(at, barrier.id, state);
                self.pass_on(at, &StreamElement::Barrier(barrier), out)
            }
        }
    }

    fn record_snapshot(&mut self, at: usize, id: CheckpointId, state: OperatorState) {
        let nodes = self.nodes.len();
        let place = self.snapshots.iter().position(|(of, _)| *of == id).unwrap_or_else(|| {
            self.snapshots.push((id, vec![OperatorState::default(); nodes]));
            self.snapshots.len() - 1
        });
        self.snapshots[place].1[at] = state;
    }

    /// Sends `element` to every distinct target, whatever the port.
    fn pass_on(&mut self, at: usize, element: &StreamElement, out: &mut dyn ChainOutput) -> Result<()> {
        for route in 0..self.nodes[at].link.routes.len() {
            let (_, target) = self.nodes[at].link.routes[route];
            let first = self.nodes[at].link.routes[..route].iter().all(|(_, earlier)| *earlier != target);
            if first {
                self.deliver(target, element.clone(), out)?;
            }
        }
        Ok(())
    }

    fn deliver(&mut self, target: Target, element: StreamElement, out: &mut dyn ChainOutput) -> Result<()> {
        match target {
            Target::Operator(to) => {
                self.nodes[to].waiting.push_back(element);
                Ok(())
            }
            Target::Edge(edge) => out.send(edge, element),
        }
    }
}

/// Makes the first call for `element`.
fn start(
    operator: &mut dyn Operator,
    element: StreamElement,
    cx: &mut OperatorContext<'_>,
) -> Result<(Running, Progress)> {
    Ok(match element {
        StreamElement::Batch(batch) => {
            cx.metrics.count_in(batch.num_rows());
            (Running::Rows, operator.process_batch(InputId::FIRST, batch, cx)?)
        }
        StreamElement::Watermark(watermark) => {
            cx.metrics.set_watermark(watermark);
            let progress = operator.process_watermark(watermark, cx)?;
            (Running::PassOn(StreamElement::Watermark(watermark)), progress)
        }
        StreamElement::Status(status) => (Running::PassOn(StreamElement::Status(status)), Progress::Done),
        StreamElement::Barrier(barrier) => (Running::Prepare(barrier), operator.prepare_snapshot(&barrier, cx)?),
        StreamElement::EndOfInput => (Running::PassOn(StreamElement::EndOfInput), operator.finish(cx)?),
    })
}

impl std::fmt::Debug for OperatorChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OperatorChain").field("operators", &self.nodes.len()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for ChainLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChainLink").field("routes", &self.routes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
