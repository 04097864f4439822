//! A job as a person reads it: tasks, their operators with ids, how rows are spread, and the slots that are needed.
//!
//! The text names everything that decides a result and nothing that differs from process to process, so that it also serves
//! as the canonical form of a graph: two processes that plan the same program print the same text.

use std::fmt::Write;

use millstream_engine::operators::PortId;
use millstream_engine::spec::OperatorSpec;
use millstream_engine::window::{Phase, TimeSource, WindowAggregateSpec};
use xxhash_rust::xxh3::xxh3_64;

use crate::job_graph::{JobEdge, JobGraph};
use crate::stream_graph::{NodeKind, Partitioning, StreamNode};

/// The text.
pub fn explain(graph: &JobGraph) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_job(&mut text, graph);
    text
}

/// A number that differs when the texts of two graphs do: XXH3-64 of the text.
pub fn fingerprint(graph: &JobGraph) -> u64 {
    xxh3_64(explain(graph).as_bytes())
}

fn write_job(text: &mut String, graph: &JobGraph) -> std::fmt::Result {
    let (slots, groups) = (graph.slots_needed(), graph.max_parallelism().get());
    writeln!(text, "job {}: {slots} slots, {groups} key groups", graph.program.name)?;
    for (number, vertex) in graph.vertices.iter().enumerate() {
        let group = &vertex.slot_sharing_group;
        writeln!(text, "\ntask {number}: parallelism {}, slot sharing group {group}", vertex.parallelism)?;
        for edge in graph.edges.iter().filter(|edge| edge.to == number) {
            writeln!(text, "  reads {}", read(graph, edge))?;
        }
        for &node in &vertex.nodes {
            let of = &graph.program.nodes[node];
            writeln!(text, "  {} [{}]", of.name, of.id)?;
            for line in essentials(graph, node, of) {
                writeln!(text, "    {line}")?;
            }
        }
    }
    Ok(())
}

fn read(graph: &JobGraph, edge: &JobEdge) -> String {
    let from = &graph.program.nodes[edge.from_node];
    let spread = match &edge.partitioning {
        Partitioning::Forward => "forward".to_owned(),
        Partitioning::Hash(keys) => {
            let schema = port_columns(from, edge.port);
            let names: Vec<String> =
                keys.iter().map(|&key| schema.get(key).cloned().unwrap_or_else(|| key.to_string())).collect();
            format!("hash({})", names.join(", "))
        }
        Partitioning::Rebalance => "rebalance".to_owned(),
        Partitioning::Broadcast => "broadcast".to_owned(),
        Partitioning::Global => "global".to_owned(),
    };
    format!("{} of task {}{}, {spread}", from.name, edge.from, port(edge.port))
}

fn port(port: PortId) -> &'static str {
    match port {
        PortId::LATE => " (late rows)",
        PortId::DEAD_LETTERS => " (dead letters)",
        _ => "",
    }
}

fn port_columns(from: &StreamNode, port: PortId) -> Vec<String> {
    if port != PortId::MAIN {
        return Vec::new();
    }
    from.schema.fields().iter().map(|field| field.name().clone()).collect()
}

/// What decides the node's result.
fn essentials(graph: &JobGraph, place: usize, node: &StreamNode) -> Vec<String> {
    let mut lines = Vec::new();
    for input in &node.inputs {
        if input.port != PortId::MAIN {
            lines.push(format!("takes{} of {}", port(input.port), graph.program.nodes[input.node].name));
        }
    }
    match &node.kind {
        NodeKind::Source(source) => {
            lines.push(format!("columns {}", columns(node)));
            if let Some(watermark) = &source.watermark {
                lines.push(format!("watermark {:?} of {}", watermark.strategy, watermark.expression));
            }
        }
        NodeKind::Operator(operator) => lines.extend(operator_lines(operator, node)),
        NodeKind::Sink(_) => {
            let input = node.inputs.first().map(|input| &graph.program.nodes[input.node]);
            lines.extend(input.filter(|_| place > 0).map(|input| format!("columns {}", columns(input))));
        }
    }
    lines
}

fn operator_lines(operator: &OperatorSpec, node: &StreamNode) -> Vec<String> {
    match operator {
        OperatorSpec::Filter { condition } => vec![format!("where {condition}")],
        OperatorSpec::Project { expressions, schema } => {
            let items = expressions.iter().zip(schema.fields());
            vec![format!("select {}", joined(items.map(|(of, field)| format!("{of} AS {}", field.name()))))]
        }
        OperatorSpec::Expand { projections, .. } => {
            projections.iter().map(|of| format!("copy {}", joined(of.iter().map(ToString::to_string)))).collect()
        }
        OperatorSpec::Unnest { list, .. } => vec![format!("unnest {list}")],
        OperatorSpec::AssignEventTime { column } => vec![format!("event time {}", node.schema.field(*column).name())],
        OperatorSpec::Union => Vec::new(),
        OperatorSpec::WindowAggregate(spec) => window_lines(spec),
    }
}

fn window_lines(spec: &WindowAggregateSpec) -> Vec<String> {
    let name = |column: usize| spec.input.field(column).name().clone();
    let time = match spec.time {
        TimeSource::Column(column) => format!("event time {}", name(column)),
        TimeSource::Record => "event time of the record".to_owned(),
        TimeSource::Processing => "processing time".to_owned(),
    };
    let phase = match spec.phase {
        Phase::Single => "",
        Phase::Local => ", summed up before the exchange",
        Phase::Global => ", finished after the exchange",
    };
    let mut lines = vec![
        format!("key ({})", joined(spec.keys.iter().map(|&key| name(key)))),
        format!("window {:?} in {time}{phase}", spec.window),
        format!("trigger {:?}", spec.trigger),
    ];
    lines.extend(spec.evictor.map(|evictor| format!("evictor {evictor:?}")));
    if spec.allowed_lateness_ms > 0 {
        lines.push(format!("allowed lateness {} ms", spec.allowed_lateness_ms));
    }
    if spec.late_output {
        lines.push("late rows go to an output of their own".to_owned());
    }
    for aggregate in &spec.aggregates {
        let distinct = if aggregate.distinct { "distinct " } else { "" };
        let argument = aggregate.argument.map_or_else(|| "*".to_owned(), name);
        let filter = aggregate.filter.map_or_else(String::new, |filter| format!(" filter {}", name(filter)));
        let output = &aggregate.output;
        lines.push(format!("{:?}({distinct}{argument}){filter} AS {}", aggregate.function, output.name()));
    }
    lines
}

fn columns(node: &StreamNode) -> String {
    joined(node.schema.fields().iter().map(|field| format!("{} {}", field.name(), field.data_type())))
}

fn joined(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}
