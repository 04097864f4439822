//! The graph of tasks: chains of operators and how rows are spread between them.

use std::sync::Arc;

use millstream_engine::key::key_group::MaxParallelism;
use millstream_engine::operators::PortId;

use crate::slot_sharing::execution_slots;
use crate::stream_graph::{Partitioning, StreamGraph};

/// What is to be run: no copies, no places.
#[derive(Debug, Clone)]
pub struct JobGraph {
    /// The program that it was made from; vertices name its nodes by their place.
    pub program: StreamGraph,
    /// Chains, each after those that feed it.
    pub vertices: Vec<JobVertex>,
    /// How rows go between them.
    pub edges: Vec<JobEdge>,
}

/// A chain of operators that runs as one task per subtask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobVertex {
    /// The nodes of the chain, the head first and every other after the one that feeds it.
    pub nodes: Vec<usize>,
    /// How many subtasks it has.
    pub parallelism: u32,
    /// Subtasks of one group may share a slot.
    pub slot_sharing_group: Arc<str>,
}

/// Rows from one vertex to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEdge {
    /// The vertex that sends, by its place.
    pub from: usize,
    /// The node in it.
    pub from_node: usize,
    /// The output of that node.
    pub port: PortId,
    /// The vertex that receives; its head takes the rows.
    pub to: usize,
    /// How rows are spread.
    pub partitioning: Partitioning,
}

impl JobGraph {
    /// The number of key groups.
    pub fn max_parallelism(&self) -> MaxParallelism {
        self.program.max_parallelism
    }

    /// What a person reads of a vertex: the names of its chain.
    pub fn vertex_name(&self, vertex: usize) -> String {
        let names: Vec<&str> =
            self.vertices[vertex].nodes.iter().map(|&node| self.program.nodes[node].name.as_str()).collect();
        names.join(" -> ")
    }

    /// How many slots the job needs: the greatest parallelism of each sharing group, summed.
    pub fn slots_needed(&self) -> u32 {
        u32::try_from(execution_slots(self).len()).unwrap_or(u32::MAX)
    }
}
