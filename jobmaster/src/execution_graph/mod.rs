//! A JobGraph times its parallelism: every subtask, and every try at it.
//!
//! It knows what is allowed and what has happened, and decides nothing: who may go on, restart or give up is for the
//! scheduler. Reports of tries that were given up are refused as [`Refused::Stale`], so that nothing a lost worker says has
//! an effect.

pub mod attempt;

use std::sync::Arc;

use millstream_graph::{AttemptId, JobGraph, SubtaskId};

pub use attempt::{Attempt, AttemptState};

/// How many earlier tries of a subtask are remembered.
const HISTORY: usize = 16;

/// Every subtask of a job.
#[derive(Debug, Clone)]
pub struct ExecutionGraph {
    graph: Arc<JobGraph>,
    vertices: Vec<Vec<ExecutionVertex>>,
    /// Kept with each change: it is looked at after every report.
    total: StateCounts,
}

/// One subtask: the try at hand, and those before it.
#[derive(Debug, Clone)]
pub struct ExecutionVertex {
    current: Attempt,
    earlier: Vec<Attempt>,
}

/// Why a report has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Another try has taken its place.
    #[error("{attempt} was given up; try {current} has taken its place")]
    Stale {
        /// The try that the report is of.
        attempt: AttemptId,
        /// The number of the try at hand.
        current: u32,
    },
    /// The state cannot follow.
    #[error("{attempt} is {from} and cannot become {to}")]
    Impossible {
        /// The try that the report is of.
        attempt: AttemptId,
        /// Where it stands.
        from: AttemptState,
        /// Where it cannot go.
        to: AttemptState,
    },
    /// The job has no such subtask or never made this try.
    #[error("the job has no {0}")]
    Unknown(AttemptId),
}

/// How many subtasks are in each state, in the order of [`AttemptState::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StateCounts([u32; AttemptState::ALL.len()]);

impl ExecutionGraph {
    /// The first try at every subtask of `graph`.
    pub fn new(graph: Arc<JobGraph>, now_ms: i64) -> Self {
        let first = |_| ExecutionVertex { current: Attempt::new(0, now_ms), earlier: Vec::new() };
        let vertices = graph.vertices.iter().map(|vertex| (0..vertex.parallelism).map(first).collect()).collect();
        let mut total = StateCounts::default();
        total.0[AttemptState::Created as usize] = graph.vertices.iter().map(|vertex| vertex.parallelism).sum();
        Self { graph, vertices, total }
    }

    /// What is run.
    pub fn graph(&self) -> &Arc<JobGraph> {
        &self.graph
    }

    /// All subtasks, vertex by vertex.
    pub fn subtasks(&self) -> impl Iterator<Item = SubtaskId> + '_ {
        self.vertices
            .iter()
            .enumerate()
            .flat_map(|(vertex, subtasks)| (0..).take(subtasks.len()).map(move |subtask| SubtaskId { vertex, subtask }))
    }

    /// The try at hand of a subtask.
    pub fn current(&self, of: SubtaskId) -> Option<&Attempt> {
        self.vertex(of).map(|vertex| &vertex.current)
    }

    /// The last tries before the one at hand, the oldest first.
    pub fn earlier(&self, of: SubtaskId) -> &[Attempt] {
        self.vertex(of).map_or(&[], |vertex| &vertex.earlier)
    }

    /// Takes note that a try came into a state.
    pub fn report(&mut self, attempt: AttemptId, to: AttemptState, now_ms: i64) -> Result<(), Refused> {
        let current = &mut self.vertex_mut(attempt.of).ok_or(Refused::Unknown(attempt))?.current;
        if attempt.number > current.number {
            return Err(Refused::Unknown(attempt));
        }
        if attempt.number < current.number {
            return Err(Refused::Stale { attempt, current: current.number });
        }
        let from = current.state();
        if !current.become_(to, now_ms) {
            return Err(Refused::Impossible { attempt, from, to });
        }
        self.total.moved(from, to);
        Ok(())
    }

    /// Takes note that a try failed, and why.
    pub fn fail(&mut self, attempt: AttemptId, why: String, now_ms: i64) -> Result<(), Refused> {
        self.report(attempt, AttemptState::Failed, now_ms)?;
        if let Some(vertex) = self.vertex_mut(attempt.of) {
            vertex.current.failure = Some(why);
        }
        Ok(())
    }

    /// Begins the next try at a subtask, whose last one is over.
    pub fn try_again(&mut self, of: SubtaskId, now_ms: i64) -> Result<AttemptId, Refused> {
        let attempt = |number| AttemptId { of, number };
        let vertex = self.vertex_mut(of).ok_or(Refused::Unknown(attempt(0)))?;
        let (number, from) = (vertex.current.number, vertex.current.state());
        if !from.is_terminal() {
            return Err(Refused::Impossible { attempt: attempt(number), from, to: AttemptState::Created });
        }
        let before = std::mem::replace(&mut vertex.current, Attempt::new(number + 1, now_ms));
        if vertex.earlier.len() == HISTORY {
            vertex.earlier.remove(0);
        }
        vertex.earlier.push(before);
        self.total.moved(from, AttemptState::Created);
        Ok(attempt(number + 1))
    }

    /// How many subtasks of a vertex are in each state.
    pub fn counts(&self, vertex: usize) -> StateCounts {
        let mut counts = StateCounts::default();
        for subtask in self.vertices.get(vertex).into_iter().flatten() {
            counts.0[subtask.current.state() as usize] += 1;
        }
        counts
    }

    /// The same of the whole job.
    pub fn total(&self) -> StateCounts {
        self.total
    }

    fn vertex(&self, of: SubtaskId) -> Option<&ExecutionVertex> {
        self.vertices.get(of.vertex)?.get(of.subtask as usize)
    }

    fn vertex_mut(&mut self, of: SubtaskId) -> Option<&mut ExecutionVertex> {
        self.vertices.get_mut(of.vertex)?.get_mut(of.subtask as usize)
    }
}

impl StateCounts {
    fn moved(&mut self, from: AttemptState, to: AttemptState) {
        self.0[from as usize] -= 1;
        self.0[to as usize] += 1;
    }

    /// How many are in `state`.
    pub fn of(&self, state: AttemptState) -> u32 {
        self.0[state as usize]
    }

    /// How many there are.
    pub fn total(&self) -> u32 {
        self.0.iter().sum()
    }

    /// Whether all are over.
    pub fn all_over(&self) -> bool {
        AttemptState::ALL.into_iter().all(|state| state.is_terminal() || self.of(state) == 0)
    }

    /// What a vertex is whose subtasks are in these states: the rule of Flink's `ExecutionJobVertex`.
    pub fn together(&self) -> AttemptState {
        use AttemptState as S;
        let first = [S::Failed, S::Canceling, S::Canceled, S::Initializing, S::Running];
        match first.into_iter().find(|state| self.of(*state) > 0) {
            Some(state) => state,
            None if self.of(S::Finished) == 0 => {
                [S::Deploying, S::Scheduled].into_iter().find(|state| self.of(*state) > 0).unwrap_or(S::Created)
            }
            None if self.of(S::Finished) == self.total() => S::Finished,
            None => S::Running,
        }
    }
}

#[cfg(test)]
mod tests;
