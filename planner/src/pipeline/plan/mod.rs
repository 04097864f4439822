//! Plans a pipeline whose names are right: every source, transformation and sink becomes one node or a few.
//!
//! It is planned twice. The first run, over all columns, finds mistakes and what each expression names; the second reads
//! only the columns that are needed. Problems are gathered: one step that cannot be planned does not hide another, but what
//! follows it is left alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use millstream_crds::Path;
use millstream_engine::operators::PortId;
use millstream_graph::{Input, NodeKind, OperatorId, Partitioning, StreamNode};

use super::needed::{Usage, Wanted};
use super::spec::{Chaining, Pipeline, Placement};
use super::wiring::{Output, Wiring};
use crate::problem::{Problem, Problems};
use crate::session::Session;

mod columns;
mod projection;
mod sink;
mod source;
mod transformation;
mod window;
mod window_settings;

/// What came of a run.
#[derive(Debug)]
pub(super) struct Planned {
    /// The nodes, each after its inputs.
    pub(super) nodes: Vec<StreamNode>,
    /// What each transformation does with columns.
    pub(super) usages: BTreeMap<usize, Usage>,
}

/// Plans `pipeline`. `keep` says which columns of each source are needed; without it all are read.
pub(super) fn plan(
    pipeline: &Pipeline,
    wiring: &Wiring,
    session: &Session,
    keep: Option<&BTreeMap<usize, Wanted>>,
) -> Result<Planned, Problems> {
    let mut run = Run {
        pipeline,
        wiring,
        session,
        keep,
        nodes: Vec::new(),
        never_chained: Vec::new(),
        uids: BTreeMap::new(),
        streams: BTreeMap::new(),
        usages: BTreeMap::new(),
        problems: Vec::new(),
    };
    for place in &wiring.sources {
        run.source(*place);
    }
    for place in &wiring.transformations {
        run.transformation(*place);
    }
    for place in 0..pipeline.sinks.len() {
        run.sink(place);
    }
    run.cut_chains();
    Problems::check(run.problems)?;
    Ok(Planned { nodes: run.nodes, usages: run.usages })
}

struct Run<'a> {
    pipeline: &'a Pipeline,
    wiring: &'a Wiring,
    session: &'a Session,
    keep: Option<&'a BTreeMap<usize, Wanted>>,
    nodes: Vec<StreamNode>,
    /// Nodes that nothing that reads them may share a task with.
    never_chained: Vec<usize>,
    /// Which name has which `uid`.
    uids: BTreeMap<&'a str, &'a str>,
    /// Streams that could be planned.
    streams: BTreeMap<Output, Stream>,
    usages: BTreeMap<usize, Usage>,
    problems: Vec<Problem>,
}

/// Rows that a step can read.
#[derive(Debug, Clone)]
struct Stream {
    node: usize,
    port: PortId,
    schema: SchemaRef,
    time: StreamTime,
}

/// What is known of the time of a stream's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct StreamTime {
    /// Each row has an event time that windows can work with.
    rows: bool,
    /// Watermarks come.
    watermarks: bool,
}

impl StreamTime {
    const NONE: Self = Self { rows: false, watermarks: false };

    fn and(self, other: Self) -> Self {
        Self { rows: self.rows && other.rows, watermarks: self.watermarks && other.watermarks }
    }

    fn is_event_time(self) -> bool {
        self.rows && self.watermarks
    }
}

/// A step while it is planned: what its nodes have in common.
#[derive(Clone)]
struct Step<'a> {
    name: &'a str,
    path: Path,
    placement: &'a Placement,
    parallelism: u32,
    group: Arc<str>,
}

impl<'a> Run<'a> {
    /// The common part of a step that reads `inputs`.
    fn step(&mut self, name: &'a str, path: Path, placement: &'a Placement, inputs: &[Stream]) -> Step<'a> {
        let job = self.session.job();
        let parallelism = placement.parallelism.unwrap_or(job.parallelism);
        if parallelism == 0 || parallelism > job.max_parallelism {
            let message = format!(
                "the parallelism {parallelism} must be from 1 to the job's maxParallelism, {}",
                job.max_parallelism
            );
            // A step without a parallelism of its own has the job's, which is checked once for all.
            if placement.parallelism.is_some() {
                self.problems.push(Problem::new(path.field("parallelism"), message));
            }
        }
        if let Some(uid) = &placement.uid
            && let Some(other) = self.uids.insert(uid, name)
        {
            let message = format!("the uid `{uid}` is taken already, by `{other}`: each names the state of one step");
            self.problems.push(Problem::new(path.field("uid"), message));
        }
        let group = match &placement.slot_sharing_group {
            Some(group) => Arc::from(group.as_str()),
            None => self.inherited_group(inputs),
        };
        Step { name, path, placement, parallelism, group }
    }

    /// The group of the inputs if they agree, as in Flink.
    fn inherited_group(&self, inputs: &[Stream]) -> Arc<str> {
        let mut groups = inputs.iter().map(|input| &self.nodes[input.node].slot_sharing_group);
        match groups.next() {
            Some(first) if groups.all(|group| group == first) => Arc::clone(first),
            Some(_) | None => Arc::from("default"),
        }
    }

    /// Adds a node of `step`. `is_first`: it reads other steps, so that the step's `chaining` is about its inputs.
    fn add(&mut self, step: &Step<'_>, is_first: bool, node: NewNode) -> usize {
        let may_chain = match step.placement.chaining {
            None | Some(Chaining::Always) => true,
            Some(Chaining::Head | Chaining::Never) => !is_first,
        };
        self.nodes.push(StreamNode {
            id: node.id,
            name: node.name,
            kind: node.kind,
            inputs: node.inputs,
            schema: node.schema,
            parallelism: step.parallelism,
            slot_sharing_group: Arc::clone(&step.group),
            chaining: self.session.job().operator_chaining && may_chain,
        });
        self.nodes.len() - 1
    }

    /// Makes a planned stream known. `step`'s chaining is about what will read it.
    fn give(&mut self, step: &Step<'_>, output: Output, stream: Stream) {
        if step.placement.chaining == Some(Chaining::Never) {
            self.never_chained.push(stream.node);
        }
        self.streams.insert(output, stream);
    }

    /// The stream called `name`, if it could be planned.
    fn stream(&self, name: &str) -> Option<Stream> {
        self.streams.get(&self.wiring.output(name)?).cloned()
    }

    fn is_read(&self, output: Output) -> bool {
        self.wiring.read.contains(&output)
    }

    /// Carries out `chaining: never` on the side of the readers.
    fn cut_chains(&mut self) {
        for node in &mut self.nodes {
            if node.inputs.iter().any(|input| self.never_chained.contains(&input.node)) {
                node.chaining = false;
            }
        }
    }
}

/// What differs between the nodes of a step.
struct NewNode {
    id: OperatorId,
    name: String,
    kind: NodeKind,
    inputs: Vec<Input>,
    schema: SchemaRef,
}

impl Stream {
    fn input(&self, partitioning: Partitioning) -> Input {
        Input { node: self.node, port: self.port, partitioning }
    }
}

impl Step<'_> {
    /// The id of the step's main node: its `uid`, or what follows from `parts`.
    fn id(&self, kind: &str, parts: &[&str]) -> OperatorId {
        match &self.placement.uid {
            Some(uid) => OperatorId::from_uid(uid),
            None => self.helper_id(kind, parts),
        }
    }

    /// The id of a node without state that a step needs beside its main one.
    fn helper_id(&self, kind: &str, parts: &[&str]) -> OperatorId {
        let parts: Vec<&str> = ["pipeline", kind, self.name].into_iter().chain(parts.iter().copied()).collect();
        OperatorId::derived(&parts)
    }
}
