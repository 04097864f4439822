//! What to run: a program as a graph of operators, and the graph of tasks that it becomes. Plain data, pure functions.
//!
//! The planner makes a [`StreamGraph`]: one node per source, operator and sink. [`chaining`] joins nodes that run in one
//! task and makes the [`JobGraph`] of it: vertices (chains) and edges (how rows are spread between them). Before that,
//! [`two_phase`] puts a local part in front of exchanges.

pub mod chaining;
pub mod explain;
pub mod ids;
pub mod job_graph;
pub mod slot_sharing;
pub mod stream_graph;
pub mod two_phase;

pub use ids::{AllocationId, AttemptId, JobId, OperatorId, SubtaskId, WorkerId};
pub use job_graph::{JobEdge, JobGraph, JobVertex};
pub use slot_sharing::{ExecutionSlot, execution_slots};
pub use stream_graph::{Input, NodeKind, Partitioning, StreamGraph, StreamNode};
