//! Makes the tasks of a job and the channels between them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use millstream_engine::error::{Error, Result};
use millstream_engine::io::sink::WriterContext;
use millstream_engine::io::source::ReaderContext;
use millstream_engine::key::splitter::KeySplitter;
use millstream_engine::operators::chain::{ChainLink, EdgeId, OperatorChain, Target};
use millstream_engine::operators::sink::SinkOperator;
use millstream_engine::operators::union::Union;
use millstream_engine::operators::{Operator, PortId, Stateless};
use millstream_graph::stream_graph::SourceNode;
use millstream_graph::{ExecutionSlot, JobEdge, JobGraph, NodeKind, Partitioning, execution_slots};

use super::commits::Commits;
use super::metrics::JobMetrics;
use super::splits::Enumerator;
use super::{JobSpec, StartError};
use crate::exchange::{ChannelSender, Edge, InputGate, Outputs, Spread, gate};
use crate::io::Io;
use crate::slot::TaskName;
use crate::task::{GateInput, SourceInput, SourceParts, Task, TaskInput};

/// The tasks of a job, by slot.
pub(super) fn tasks(
    spec: &JobSpec,
    io: &Io,
    stop: &Arc<AtomicBool>,
    commits: &Commits,
    metrics: &Arc<JobMetrics>,
) -> Result<Vec<Vec<(TaskName, Task)>>, StartError> {
    let mut deployment = Deployment {
        spec,
        graph: &spec.graph,
        io,
        stop,
        commits,
        metrics,
        channels: Channels::between(&spec.graph),
        enumerators: enumerators(&spec.graph, io)?,
    };
    let tasks_of = |slot: ExecutionSlot| {
        let tasks = slot.subtasks.into_iter().map(|of| Ok(deployment.task(of.vertex, of.subtask)?));
        tasks.collect::<Result<_, StartError>>()
    };
    execution_slots(&spec.graph).into_iter().map(tasks_of).collect()
}

/// The enumerator of each source, by node. They look at the outside world first, so that what is missing is known before
/// anything runs.
fn enumerators(graph: &JobGraph, io: &Io) -> Result<HashMap<usize, Enumerator>, StartError> {
    let mut made = HashMap::new();
    for (node, of) in graph.program.nodes.iter().enumerate() {
        match &of.kind {
            NodeKind::Source(source) => {
                let missing = |error| StartError::Input { node: of.name.clone(), error };
                let enumerator = source.source.create_enumerator().map_err(missing)?;
                made.insert(node, Enumerator::new(enumerator, io.handle().clone()));
            }
            NodeKind::Operator(_) | NodeKind::Sink(_) => {}
        }
    }
    Ok(made)
}

struct Deployment<'a> {
    spec: &'a JobSpec,
    graph: &'a JobGraph,
    io: &'a Io,
    stop: &'a Arc<AtomicBool>,
    commits: &'a Commits,
    metrics: &'a Arc<JobMetrics>,
    channels: Channels,
    enumerators: HashMap<usize, Enumerator>,
}

impl Deployment<'_> {
    fn task(&mut self, vertex: usize, subtask: u32) -> Result<(TaskName, Task)> {
        let parallelism = self.graph.vertices[vertex].parallelism;
        let input = self.input(vertex, subtask)?;
        let chain = self.chain(vertex, subtask)?;
        let outputs = self.outputs(vertex, subtask);
        let name = TaskName { vertex: self.graph.vertex_name(vertex).into(), subtask, parallelism };
        Ok((name, Task::new(input, chain, outputs, Arc::clone(&self.spec.clock))))
    }

    fn input(&mut self, vertex: usize, subtask: u32) -> Result<TaskInput> {
        let head = self.graph.vertices[vertex].nodes[0];
        match &self.graph.program.nodes[head].kind {
            NodeKind::Source(source) => self.source(head, source, subtask).map(TaskInput::Source),
            NodeKind::Operator(_) | NodeKind::Sink(_) => {
                let (gate, channels) = self.channels.take_gate(vertex, subtask)?;
                Ok(TaskInput::Gate(GateInput::new(gate, channels)))
            }
        }
    }

    fn source(&self, node: usize, of: &SourceNode, subtask: u32) -> Result<Box<SourceInput>> {
        let parallelism = self.graph.program.nodes[node].parallelism;
        let missing = || Error::internal(format!("source {node} has no enumerator"));
        let enumerator = self.enumerators.get(&node).ok_or_else(missing)?;
        let reader = of.source.create_reader(ReaderContext { subtask, parallelism, io: self.io.blocking() })?;
        let parts = SourceParts {
            source: Arc::clone(&of.source),
            watermark: of.watermark.clone(),
            event_time: of.event_time,
            requests: enumerator.requests(subtask, parallelism),
            stop: Arc::clone(self.stop),
            metrics: Arc::clone(self.metrics.operator(node, subtask)),
        };
        Ok(Box::new(SourceInput::new(parts, reader)))
    }

    fn chain(&self, vertex: usize, subtask: u32) -> Result<OperatorChain> {
        let nodes = &self.graph.vertices[vertex].nodes;
        let links = nodes
            .iter()
            .map(|&node| {
                Ok(ChainLink {
                    operator: self.operator(node, subtask)?,
                    metrics: Arc::clone(self.metrics.operator(node, subtask)),
                    routes: self.routes(vertex, node),
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(OperatorChain::new(links))
    }

    fn operator(&self, node: usize, subtask: u32) -> Result<Box<dyn Operator>> {
        let of = &self.graph.program.nodes[node];
        match &of.kind {
            // The task's input reads; in the chain the source stands for its outputs.
            NodeKind::Source(_) => Ok(Box::new(Stateless(Union))),
            NodeKind::Operator(operator) => operator.build(self.graph.max_parallelism()),
            NodeKind::Sink(sink) => {
                let sender = || Error::internal("a sink without a place for its commits");
                let commits = self.commits.sender(node).ok_or_else(sender)?;
                let context = WriterContext {
                    subtask,
                    parallelism: of.parallelism,
                    attempt: Arc::clone(&self.spec.attempt),
                    io: self.io.blocking(),
                    commits: Arc::clone(&commits),
                };
                Ok(Box::new(SinkOperator::new(sink.create_writer(context)?, commits)))
            }
        }
    }

    /// Where the rows of `node` go: to the operators of its chain that read it, and to edges.
    fn routes(&self, vertex: usize, node: usize) -> Vec<(PortId, Target)> {
        let nodes = &self.graph.vertices[vertex].nodes;
        let inside = nodes.iter().enumerate().skip(1).flat_map(|(place, &other)| {
            let inputs = self.graph.program.nodes[other].inputs.iter();
            inputs.filter(|input| input.node == node).map(move |input| (input.port, Target::Operator(place)))
        });
        let outside = edges_from(self.graph, vertex)
            .filter(|(_, edge)| edge.from_node == node)
            .map(|(place, edge)| (edge.port, Target::Edge(EdgeId(place))));
        inside.chain(outside).collect()
    }

    fn outputs(&mut self, vertex: usize, subtask: u32) -> Outputs {
        let edges = edges_from(self.graph, vertex).map(|(_, edge)| edge.clone()).collect::<Vec<_>>();
        Outputs::new(edges.iter().map(|edge| self.edge(edge, subtask)).collect())
    }

    fn edge(&mut self, edge: &JobEdge, subtask: u32) -> Edge {
        let receivers = self.graph.vertices[edge.to].parallelism;
        let channels = self.channels.take_senders(self.graph, edge, subtask);
        let spread = match &edge.partitioning {
            _ if channels.len() == 1 => Spread::One,
            Partitioning::Forward | Partitioning::Global => Spread::One,
            Partitioning::Hash(keys) => {
                Spread::Hash(KeySplitter::new(keys.clone(), self.graph.max_parallelism(), receivers))
            }
            Partitioning::Rebalance => Spread::Rebalance(subtask as usize % channels.len()),
            Partitioning::Broadcast => Spread::Broadcast,
        };
        Edge::new(channels, spread)
    }
}

/// The edges that leave a vertex, each with its number in the vertex's tasks.
fn edges_from(graph: &JobGraph, vertex: usize) -> impl Iterator<Item = (usize, &JobEdge)> {
    graph.edges.iter().filter(move |edge| edge.from == vertex).enumerate()
}

/// The gates of all tasks and the senders into them, until the tasks take them.
struct Channels {
    gates: HashMap<(usize, u32), (InputGate, usize)>,
    /// By receiving vertex and subtask.
    senders: HashMap<(usize, u32), Vec<Incoming>>,
}

/// The edge and the sending subtask of a channel, and its sending end.
type Incoming = (usize, u32, ChannelSender);

impl Channels {
    fn between(graph: &JobGraph) -> Self {
        let mut channels = Self { gates: HashMap::new(), senders: HashMap::new() };
        for (vertex, of) in graph.vertices.iter().enumerate() {
            for subtask in 0..of.parallelism {
                let sending: Vec<(usize, u32)> = graph
                    .edges
                    .iter()
                    .enumerate()
                    .filter(|(_, edge)| edge.to == vertex)
                    .flat_map(|(place, edge)| senders_to(graph, edge, subtask).map(move |from| (place, from)))
                    .collect();
                if sending.is_empty() {
                    continue;
                }
                let (gate, senders) = gate(sending.len());
                channels.gates.insert((vertex, subtask), (gate, sending.len()));
                let senders = sending.into_iter().zip(senders).map(|((edge, from), sender)| (edge, from, sender));
                channels.senders.insert((vertex, subtask), senders.collect());
            }
        }
        channels
    }

    fn take_gate(&mut self, vertex: usize, subtask: u32) -> Result<(InputGate, usize)> {
        let missing = || Error::internal(format!("vertex {vertex} has no input"));
        self.gates.remove(&(vertex, subtask)).ok_or_else(missing)
    }

    /// The channels of `edge` that subtask `from` sends on, by receiving subtask.
    fn take_senders(&mut self, graph: &JobGraph, edge: &JobEdge, from: u32) -> Vec<ChannelSender> {
        let place = graph.edges.iter().position(|other| std::ptr::eq(other, edge) || other == edge);
        let mut taken = Vec::new();
        for receiver in 0..graph.vertices[edge.to].parallelism {
            if let Some(senders) = self.senders.get_mut(&(edge.to, receiver)) {
                let mine = senders.iter().position(|(edge, sender, _)| Some(*edge) == place && *sender == from);
                taken.extend(mine.map(|at| senders.swap_remove(at).2));
            }
        }
        taken
    }
}

/// The subtasks that send to subtask `receiver` over `edge`.
fn senders_to(graph: &JobGraph, edge: &JobEdge, receiver: u32) -> std::ops::Range<u32> {
    let all = 0..graph.vertices[edge.from].parallelism;
    match edge.partitioning {
        Partitioning::Forward => receiver..receiver + 1,
        Partitioning::Hash(_) | Partitioning::Rebalance | Partitioning::Broadcast => all,
        // The first subtask receives from all; the others only learn that nothing comes.
        Partitioning::Global => {
            if receiver == 0 {
                all
            } else {
                0..0
            }
        }
    }
}
