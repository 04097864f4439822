//! Makes the tasks of a deployment and the channels between them and to those in other workers.

use std::collections::HashMap;
use std::sync::Arc;

use millstream_engine::error::{Error, Result};
use millstream_engine::io::sink::WriterContext;
use millstream_engine::io::source::{IoRuntime, ReaderContext};
use millstream_engine::key::splitter::KeySplitter;
use millstream_engine::metrics::OperatorMetrics;
use millstream_engine::operators::chain::{ChainLink, EdgeId, OperatorChain, Target};
use millstream_engine::operators::sink::SinkOperator;
use millstream_engine::operators::union::Union;
use millstream_engine::operators::{Operator, PortId, Stateless};
use millstream_graph::stream_graph::SourceNode;
use millstream_graph::{AttemptId, JobEdge, JobGraph, NodeKind, Partitioning, SubtaskId, WorkerId};
use millstream_protocol::message::{Deployment, FromWorker, TaskId, TaskToDeploy};
use tokio::sync::mpsc;

use super::commits::TaskCommits;
use super::job::JobHere;
use super::splits::{OpenRequests, RemoteRequests};
use super::tasks::Shared;
use crate::clock::Clock;
use crate::exchange::remote::{ChannelId, Exchange, Peer};
use crate::exchange::{Channel, ChannelSender, Edge, InputGate, Outputs, Spread, gate};
use crate::memory::{Category, operators_of};
use crate::task::{GateInput, SourceControl, SourceInput, SourceParts, Task, TaskInput};

/// What tasks are made of, besides the job.
#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    /// This worker.
    pub(super) worker: WorkerId,
    /// The time.
    pub(super) clock: Arc<dyn Clock>,
    /// Runs what may block.
    pub(super) io: Arc<dyn IoRuntime>,
    /// The way to other workers; `None` if there are none.
    pub(super) exchange: Option<Exchange>,
    /// The way to the JobMaster.
    pub(super) master: mpsc::Sender<FromWorker>,
    /// Readers that wait for a split.
    pub(super) splits: OpenRequests,
}

/// A task that was made.
#[derive(Debug)]
pub(super) struct MadeTask {
    /// Where it is to run, and as what.
    pub(super) to_deploy: TaskToDeploy,
    /// The task.
    pub(super) task: Task,
    /// What its operators count, in the order of its chain.
    pub(super) metrics: Vec<Arc<OperatorMetrics>>,
    /// How many subtasks its vertex has.
    pub(super) parallelism: u32,
    /// What in it holds memory.
    pub(super) holders: Vec<(Category, String)>,
}

/// Makes the tasks of `deployment`, in its order; `shared` has an entry for each.
pub(super) fn tasks(
    job: &JobHere,
    deployment: &Deployment,
    shared: &[Shared],
    around: &Surroundings,
) -> Result<Vec<MadeTask>> {
    let mut made =
        Builder { job, graph: &job.graph, deployment, around, senders: HashMap::new(), gates: HashMap::new() };
    made.open_gates()?;
    deployment.tasks.iter().zip(shared).map(|(task, shared)| made.task(*task, shared)).collect()
}

/// A channel inside this deployment: the place of its edge, the sending and the receiving subtask.
type ChannelKey = (usize, u32, u32);

struct Builder<'a> {
    job: &'a JobHere,
    graph: &'a JobGraph,
    deployment: &'a Deployment,
    around: &'a Surroundings,
    /// Into the gates of this deployment's tasks, until the tasks that send take them.
    senders: HashMap<ChannelKey, ChannelSender>,
    gates: HashMap<SubtaskId, (InputGate, usize)>,
}

impl Builder<'_> {
    /// Makes the gates of all tasks. What comes from other workers is announced.
    fn open_gates(&mut self) -> Result<()> {
        for TaskToDeploy { attempt, .. } in &self.deployment.tasks {
            let to = attempt.of;
            let incoming = self.graph.edges.iter().enumerate().filter(|(_, edge)| edge.to == to.vertex);
            let channels: Vec<(usize, SubtaskId)> = incoming
                .flat_map(|(place, edge)| {
                    let from = senders_to(self.graph, edge, to.subtask);
                    from.map(move |subtask| (place, SubtaskId { vertex: edge.from, subtask }))
                })
                .collect();
            if channels.is_empty() {
                continue;
            }
            let (gate, senders) = gate(channels.len());
            self.gates.insert(to, (gate, channels.len()));
            for ((place, from), sender) in channels.into_iter().zip(senders) {
                match self.peer_of(from)? {
                    None => {
                        self.senders.insert((place, from.subtask, to.subtask), sender);
                    }
                    Some(peer) => {
                        let channel = self.channel(*attempt, place, from.subtask, to.subtask)?;
                        self.exchange()?.receive(&peer, channel, sender);
                    }
                }
            }
        }
        Ok(())
    }

    /// The worker of a subtask; `None` if it is this one.
    fn peer_of(&self, subtask: SubtaskId) -> Result<Option<Peer>> {
        let unknown = || Error::internal(format!("nobody knows where {subtask} is"));
        let slot = self.job.slot_of(subtask).ok_or_else(unknown)?;
        let holder = *self.deployment.holders.get(slot).ok_or_else(unknown)?;
        let peer = self.deployment.peers.get(holder as usize).ok_or_else(unknown)?;
        Ok((peer.worker != self.around.worker).then(|| peer.clone()))
    }

    /// The name of a channel that is the same at both ends. Tasks that are joined are always tried again together, so that
    /// the number of the try is that of both.
    fn channel(&self, attempt: AttemptId, edge: usize, from: u32, to: u32) -> Result<ChannelId> {
        let edge = u32::try_from(edge).map_err(|_| Error::internal("too many edges"))?;
        let job = self.deployment.job;
        Ok(ChannelId { job: job.job, epoch: job.epoch, attempt: attempt.number, edge, from, to })
    }

    fn exchange(&self) -> Result<&Exchange> {
        self.around.exchange.as_ref().ok_or_else(|| Error::internal("a worker without an exchange has peers"))
    }

    fn task(&mut self, to_deploy: TaskToDeploy, shared: &Shared) -> Result<MadeTask> {
        let of = to_deploy.attempt.of;
        let vertex = self.graph.vertices.get(of.vertex).filter(|vertex| of.subtask < vertex.parallelism);
        let vertex = vertex.ok_or_else(|| Error::internal(format!("the job has no {of}")))?;
        let metrics: Vec<Arc<OperatorMetrics>> = vertex.nodes.iter().map(|_| Arc::default()).collect();
        let input = self.input(to_deploy.attempt, &metrics, shared)?;
        let chain = self.chain(to_deploy.attempt, &metrics, &shared.commits)?;
        let outputs = self.outputs(to_deploy.attempt)?;
        let task = Task::new(input, chain, outputs, Arc::clone(&self.around.clock));
        let (parallelism, holders) = (vertex.parallelism, operators_of(self.graph, of.vertex));
        Ok(MadeTask { to_deploy, task, metrics, parallelism, holders })
    }

    fn input(&mut self, attempt: AttemptId, metrics: &[Arc<OperatorMetrics>], shared: &Shared) -> Result<TaskInput> {
        let head = self.graph.vertices[attempt.of.vertex].nodes[0];
        match &self.graph.program.nodes[head].kind {
            NodeKind::Source(source) => {
                self.source(head, source, attempt, &metrics[0], &shared.control).map(TaskInput::Source)
            }
            NodeKind::Operator(_) | NodeKind::Sink(_) => {
                let missing = || Error::internal(format!("{} has no input", attempt.of));
                let (gate, channels) = self.gates.remove(&attempt.of).ok_or_else(missing)?;
                Ok(TaskInput::Gate(Box::new(GateInput::new(gate, channels))))
            }
        }
    }

    fn source(
        &self,
        node: usize,
        of: &SourceNode,
        attempt: AttemptId,
        metrics: &Arc<OperatorMetrics>,
        control: &Arc<SourceControl>,
    ) -> Result<Box<SourceInput>> {
        let (subtask, parallelism) = (attempt.of.subtask, self.graph.program.nodes[node].parallelism);
        let reader =
            of.source.create_reader(ReaderContext { subtask, parallelism, io: Arc::clone(&self.around.io) })?;
        let requests = RemoteRequests {
            open: self.around.splits.clone(),
            master: self.around.master.clone(),
            task: TaskId { job: self.deployment.job, attempt },
            node,
            parallelism,
        };
        let parts = SourceParts {
            source: Arc::clone(&of.source),
            watermark: of.watermark.clone(),
            event_time: of.event_time,
            requests: Box::new(requests),
            control: Arc::clone(control),
            metrics: Arc::clone(metrics),
        };
        Ok(Box::new(SourceInput::new(parts, reader)))
    }

    fn chain(
        &self,
        attempt: AttemptId,
        metrics: &[Arc<OperatorMetrics>],
        commits: &Arc<TaskCommits>,
    ) -> Result<OperatorChain> {
        let vertex = attempt.of.vertex;
        let link = |(&node, metrics): (&usize, &Arc<OperatorMetrics>)| {
            Ok(ChainLink {
                operator: self.operator(node, attempt, commits)?,
                metrics: Arc::clone(metrics),
                routes: self.routes(vertex, node),
            })
        };
        let links = self.graph.vertices[vertex].nodes.iter().zip(metrics).map(link).collect::<Result<Vec<_>>>()?;
        Ok(OperatorChain::new(links))
    }

    fn operator(&self, node: usize, attempt: AttemptId, commits: &Arc<TaskCommits>) -> Result<Box<dyn Operator>> {
        let of = &self.graph.program.nodes[node];
        match &of.kind {
            // The task's input reads; in the chain the source stands for its outputs.
            NodeKind::Source(_) => Ok(Box::new(Stateless(Union))),
            NodeKind::Operator(operator) => operator.build(self.graph.max_parallelism()),
            NodeKind::Sink(sink) => {
                let commits = commits.sender(node);
                let context = WriterContext {
                    subtask: attempt.of.subtask,
                    parallelism: of.parallelism,
                    attempt: self.attempt_name(attempt),
                    io: Arc::clone(&self.around.io),
                    commits: Arc::clone(&commits),
                };
                Ok(Box::new(SinkOperator::new(sink.create_writer(context)?, commits)))
            }
        }
    }

    /// What a try calls what it has written and what is not visible yet: no other try, of this job or another, says the same.
    fn attempt_name(&self, attempt: AttemptId) -> Arc<str> {
        let job = self.deployment.job;
        format!("{:.16}-{}-{}", job.job.to_string(), job.epoch, attempt.number).into()
    }

    /// Where the rows of `node` go: to the operators of its chain that read it, and to edges.
    fn routes(&self, vertex: usize, node: usize) -> Vec<(PortId, Target)> {
        let nodes = &self.graph.vertices[vertex].nodes;
        let inside = nodes.iter().enumerate().skip(1).flat_map(|(place, &other)| {
            let inputs = self.graph.program.nodes[other].inputs.iter();
            inputs.filter(|input| input.node == node).map(move |input| (input.port, Target::Operator(place)))
        });
        let outside = self.graph.edges.iter().filter(|edge| edge.from == vertex).enumerate();
        let outside = outside
            .filter(|(_, edge)| edge.from_node == node)
            .map(|(place, edge)| (edge.port, Target::Edge(EdgeId(place))));
        inside.chain(outside).collect()
    }

    fn outputs(&mut self, attempt: AttemptId) -> Result<Outputs> {
        let graph = self.graph;
        let edges = graph.edges.iter().enumerate().filter(|(_, edge)| edge.from == attempt.of.vertex);
        Ok(Outputs::new(edges.map(|(place, edge)| self.edge(place, edge, attempt)).collect::<Result<_>>()?))
    }

    fn edge(&mut self, place: usize, edge: &JobEdge, attempt: AttemptId) -> Result<Edge> {
        let from = attempt.of.subtask;
        let parallelism = self.graph.vertices[edge.to].parallelism;
        let mut channels = Vec::new();
        for to in receivers_of(&edge.partitioning, from, parallelism) {
            channels.push(match self.peer_of(SubtaskId { vertex: edge.to, subtask: to })? {
                None => {
                    let missing = || Error::internal(format!("a task of {} is not here", edge.to));
                    Channel::Local(self.senders.remove(&(place, from, to)).ok_or_else(missing)?)
                }
                Some(peer) => {
                    let channel = self.channel(attempt, place, from, to)?;
                    Channel::Remote(self.exchange()?.sender(&peer, channel))
                }
            });
        }
        let spread = match &edge.partitioning {
            _ if channels.len() == 1 => Spread::One,
            Partitioning::Forward | Partitioning::Global => Spread::One,
            Partitioning::Hash(keys) => {
                Spread::Hash(KeySplitter::new(keys.clone(), self.graph.max_parallelism(), parallelism))
            }
            Partitioning::Rebalance => Spread::Rebalance(from as usize % channels.len()),
            Partitioning::Broadcast => Spread::Broadcast,
        };
        Ok(Edge::new(channels, spread))
    }
}

/// The subtasks that send to subtask `receiver` over `edge`.
fn senders_to(graph: &JobGraph, edge: &JobEdge, receiver: u32) -> std::ops::Range<u32> {
    let all = 0..graph.vertices[edge.from].parallelism;
    match edge.partitioning {
        Partitioning::Forward => receiver..receiver + 1,
        Partitioning::Hash(_) | Partitioning::Rebalance | Partitioning::Broadcast => all,
        // The first subtask receives from all, the others from nobody: the planner gives such a vertex one subtask only.
        Partitioning::Global => {
            if receiver == 0 {
                all
            } else {
                0..0
            }
        }
    }
}

/// The subtasks, of `parallelism`, that subtask `from` sends to: the other side of [`senders_to`].
fn receivers_of(partitioning: &Partitioning, from: u32, parallelism: u32) -> std::ops::Range<u32> {
    match partitioning {
        Partitioning::Forward => from..from + 1,
        Partitioning::Hash(_) | Partitioning::Rebalance | Partitioning::Broadcast => 0..parallelism,
        Partitioning::Global => 0..1,
    }
}
