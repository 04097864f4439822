//! Splits window aggregations into a local part before the exchange and a global part after it.
//!
//! The local part sums up rows by key and pane where they are, so that a key crosses the exchange once per pane and not once
//! per row, and a hot key is no longer hot. It is put in wherever that changes no result: windows on a grid in event time,
//! and aggregates that do not depend on the order of rows. The operator's id stays with the global part, which has the
//! state.

use std::sync::Arc;

use millstream_engine::aggregate::{AggregateFunction, AggregateSpec};
use millstream_engine::error::Result;
use millstream_engine::operators::PortId;
use millstream_engine::spec::OperatorSpec;
use millstream_engine::window::groups::partial_schema;
use millstream_engine::window::{GridWindows, Phase, TimeSource, WindowAggregateSpec};

use crate::ids::OperatorId;
use crate::stream_graph::{Input, NodeKind, Partitioning, StreamGraph, StreamNode};

/// The same program with local parts where they help.
pub fn two_phase(program: StreamGraph) -> Result<StreamGraph> {
    let mut nodes: Vec<StreamNode> = Vec::with_capacity(program.nodes.len());
    let mut places: Vec<usize> = Vec::with_capacity(program.nodes.len());
    for mut node in program.nodes {
        for input in &mut node.inputs {
            input.node = places[input.node];
        }
        if let Some(spec) = splittable(&nodes, &node) {
            let local = local_node(&nodes, &node, &spec)?;
            nodes.push(local);
            node = global_node(node, spec, nodes.len() - 1);
        }
        places.push(nodes.len());
        nodes.push(node);
    }
    Ok(StreamGraph { nodes, ..program })
}

/// The aggregation of `node`, if it can be split and rows are exchanged in front of it.
fn splittable(nodes: &[StreamNode], node: &StreamNode) -> Option<WindowAggregateSpec> {
    let NodeKind::Operator(OperatorSpec::WindowAggregate(spec)) = &node.kind else { return None };
    let [input] = node.inputs.as_slice() else { return None };
    let exchanged = matches!(input.partitioning, Partitioning::Hash(_) | Partitioning::Global);
    let parallel = nodes[input.node].parallelism > 1;
    let on_time = spec.time != TimeSource::Processing && !spec.late_output;
    let can_be_split = spec.phase == Phase::Single && GridWindows::can_run(spec);
    let orderless = spec.aggregates.iter().all(is_orderless);
    (exchanged && parallel && on_time && can_be_split && orderless).then(|| spec.clone())
}

/// Whether partial results of different subtasks can be merged in any order. Distinct values could, but their partials are
/// lists that may be longer than the rows.
fn is_orderless(aggregate: &AggregateSpec) -> bool {
    match aggregate.function {
        AggregateFunction::First | AggregateFunction::Last => false,
        AggregateFunction::Count
        | AggregateFunction::Sum
        | AggregateFunction::Min
        | AggregateFunction::Max
        | AggregateFunction::Avg => !aggregate.distinct,
    }
}

fn local_node(nodes: &[StreamNode], node: &StreamNode, spec: &WindowAggregateSpec) -> Result<StreamNode> {
    let from = &nodes[node.inputs[0].node];
    let schema = partial_schema(spec)?;
    let local = WindowAggregateSpec { phase: Phase::Local, output: Arc::clone(&schema), ..spec.clone() };
    Ok(StreamNode {
        id: OperatorId::derived(&[&node.id.to_string(), "local"]),
        name: format!("Local{}", node.name),
        kind: NodeKind::Operator(OperatorSpec::WindowAggregate(local)),
        inputs: vec![Input { partitioning: Partitioning::Forward, ..node.inputs[0].clone() }],
        schema,
        parallelism: from.parallelism,
        slot_sharing_group: Arc::clone(&from.slot_sharing_group),
        chaining: true,
    })
}

fn global_node(node: StreamNode, spec: WindowAggregateSpec, local: usize) -> StreamNode {
    let partitioning = match &node.inputs[0].partitioning {
        Partitioning::Hash(_) => Partitioning::Hash((0..spec.keys.len()).collect()),
        other @ (Partitioning::Forward | Partitioning::Rebalance | Partitioning::Broadcast | Partitioning::Global) => {
            other.clone()
        }
    };
    let global = WindowAggregateSpec { phase: Phase::Global, ..spec };
    StreamNode {
        kind: NodeKind::Operator(OperatorSpec::WindowAggregate(global)),
        inputs: vec![Input { node: local, port: PortId::MAIN, partitioning }],
        ..node
    }
}
