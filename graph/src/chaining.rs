//! Which operators share a task.
//!
//! A node runs in the task of its input when that is its only input, both have the same parallelism and slot-sharing
//! group, chaining is allowed, and rows need not be spread: a forward edge, or any edge between single subtasks (there is
//! one target; partitioning would change nothing).

use crate::job_graph::{JobEdge, JobGraph, JobVertex};
use crate::stream_graph::{Partitioning, StreamGraph, StreamNode};

/// Cuts a program into tasks.
pub fn job_graph(program: StreamGraph) -> JobGraph {
    let mut vertices: Vec<JobVertex> = Vec::new();
    let mut vertex_of: Vec<usize> = Vec::with_capacity(program.nodes.len());
    for (place, node) in program.nodes.iter().enumerate() {
        let vertex = match chained_to(&program, node) {
            Some(input) => {
                let vertex = vertex_of[input];
                vertices[vertex].nodes.push(place);
                vertex
            }
            None => {
                vertices.push(JobVertex {
                    nodes: vec![place],
                    parallelism: node.parallelism,
                    slot_sharing_group: std::sync::Arc::clone(&node.slot_sharing_group),
                });
                vertices.len() - 1
            }
        };
        vertex_of.push(vertex);
    }
    let edges = edges(&program, &vertex_of);
    JobGraph { program, vertices, edges }
}

/// The node whose task `node` runs in, if it can.
fn chained_to(program: &StreamGraph, node: &StreamNode) -> Option<usize> {
    let [input] = node.inputs.as_slice() else { return None };
    let from = &program.nodes[input.node];
    let one_target = from.parallelism == 1 || input.partitioning == Partitioning::Forward;
    let together = from.parallelism == node.parallelism && from.slot_sharing_group == node.slot_sharing_group;
    (node.chaining && together && one_target).then_some(input.node)
}

fn edges(program: &StreamGraph, vertex_of: &[usize]) -> Vec<JobEdge> {
    let mut edges = Vec::new();
    for (place, node) in program.nodes.iter().enumerate() {
        for input in &node.inputs {
            if chained_to(program, node).is_some() {
                continue;
            }
            let equal = program.nodes[input.node].parallelism == node.parallelism;
            let partitioning = match &input.partitioning {
                Partitioning::Forward if !equal => Partitioning::Rebalance,
                other => other.clone(),
            };
            edges.push(JobEdge {
                from: vertex_of[input.node],
                from_node: input.node,
                port: input.port,
                to: vertex_of[place],
                partitioning,
            });
        }
    }
    edges
}
