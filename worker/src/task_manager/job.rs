//! A job as a worker knows it: what it runs, planned from the program that it was sent.

use std::collections::HashMap;
use std::sync::Arc;

use millstream_graph::explain::fingerprint;
use millstream_graph::{JobGraph, SubtaskId, execution_slots};
use millstream_planner::resolved::ResolvedProgram;

/// Plans a program. The same in every process of a build.
pub type Planner = Arc<dyn Fn(&ResolvedProgram) -> Result<Arc<JobGraph>, String> + Send + Sync>;

/// A job of which this worker has slots.
#[derive(Debug)]
pub(super) struct JobHere {
    /// What is run.
    pub(super) graph: Arc<JobGraph>,
    /// The place of each subtask's execution slot.
    slot_of: HashMap<SubtaskId, usize>,
}

impl JobHere {
    /// Plans the program, a ResolvedProgram as JSON, which must give the graph of this fingerprint.
    pub(super) fn plan(program: &str, graph_wanted: u64, planner: &Planner) -> Result<Self, String> {
        let program: ResolvedProgram =
            serde_json::from_str(program).map_err(|error| format!("the program cannot be read: {error}"))?;
        let graph = planner(&program)?;
        let planned = fingerprint(&graph);
        if planned != graph_wanted {
            return Err(format!(
                "this worker plans another graph ({planned:016x}) than the jobmaster ({graph_wanted:016x}): they are not of the \
                 same build"
            ));
        }
        let slots = execution_slots(&graph);
        let placed = slots.iter().enumerate().flat_map(|(at, slot)| slot.subtasks.iter().map(move |of| (*of, at)));
        Ok(Self { slot_of: placed.collect(), graph })
    }

    /// The place of the execution slot that a subtask is in.
    pub(super) fn slot_of(&self, subtask: SubtaskId) -> Option<usize> {
        self.slot_of.get(&subtask).copied()
    }
}
