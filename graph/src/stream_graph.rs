//! A program as a graph of operators, before it is cut into tasks.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use millstream_engine::io::sink::Sink;
use millstream_engine::io::source::Source;
use millstream_engine::key::key_group::MaxParallelism;
use millstream_engine::operators::PortId;
use millstream_engine::spec::{OperatorSpec, WatermarkSpec};

use crate::ids::OperatorId;

/// A program: nodes in an order in which each follows its inputs.
#[derive(Debug, Clone)]
pub struct StreamGraph {
    /// The job's name.
    pub name: String,
    /// Sources, operators and sinks. An [`Input`] names a node by its place here.
    pub nodes: Vec<StreamNode>,
    /// How many key groups the job has.
    pub max_parallelism: MaxParallelism,
}

/// A source, operator or sink.
#[derive(Debug, Clone)]
pub struct StreamNode {
    /// Names its state.
    pub id: OperatorId,
    /// What a person reads: `Source: flights`, `WindowAggregate(perCarrier)`.
    pub name: String,
    /// What it does.
    pub kind: NodeKind,
    /// Where its rows come from. Sources have none, unions several.
    pub inputs: Vec<Input>,
    /// The columns of its main output.
    pub schema: SchemaRef,
    /// How many subtasks it has.
    pub parallelism: u32,
    /// Subtasks of one group may share a slot.
    pub slot_sharing_group: Arc<str>,
    /// Whether it may run in the task of its input.
    pub chaining: bool,
}

/// What a node does.
#[derive(Debug, Clone)]
pub enum NodeKind {
    /// Reads rows.
    Source(SourceNode),
    /// Transforms rows.
    Operator(OperatorSpec),
    /// Writes rows.
    Sink(Arc<dyn Sink>),
}

/// A source and its time.
#[derive(Debug, Clone)]
pub struct SourceNode {
    /// What is read.
    pub source: Arc<dyn Source>,
    /// How watermarks are made; none in a program without event time.
    pub watermark: Option<WatermarkSpec>,
    /// The column that the event time of each record is taken from: `Timestamp(ms)` or `Int64` in milliseconds. Pipelines
    /// have it, SQL keeps time in its columns.
    pub event_time: Option<usize>,
    /// Whether rows that cannot be decoded leave by [`PortId::DEAD_LETTERS`].
    pub dead_letters: bool,
}

/// One input of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The node's place in [`StreamGraph::nodes`].
    pub node: usize,
    /// Which of its outputs.
    pub port: PortId,
    /// How rows are spread among the subtasks.
    pub partitioning: Partitioning,
}

/// How rows are spread among the subtasks that receive them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Partitioning {
    /// Subtask i sends to subtask i. Needs equal parallelism; between unequal ones it becomes `Rebalance`.
    Forward,
    /// By the key in these columns.
    Hash(Vec<usize>),
    /// In turn, batch by batch.
    Rebalance,
    /// To all.
    Broadcast,
    /// To the first.
    Global,
}
