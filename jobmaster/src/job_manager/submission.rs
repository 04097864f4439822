//! From a manifest to a job that can be started: planned, its inputs found, its committers made. All of it may block.

use std::fmt;
use std::sync::Arc;

use millstream_engine::io::sink::Committer;
use millstream_engine::io::source::{Boundedness, SplitEnumerator};
use millstream_graph::{JobGraph, NodeKind};
use millstream_planner::functions::Clock;
use millstream_planner::manifest::plan_manifest;
use millstream_planner::options::JobOptions;
use millstream_planner::resolved::{Plan, ResolvedProgram, build, plan};

/// The committer of each sink that has one, by its operator id.
pub(super) type Committers = Vec<(String, Box<dyn Committer>)>;

/// A job that can be started.
pub struct PreparedJob {
    pub(super) program: ResolvedProgram,
    pub(super) graph: Arc<JobGraph>,
    pub(super) options: JobOptions,
    pub(super) warnings: Vec<String>,
    /// The enumerator of each source, by its node.
    pub(super) sources: Vec<(usize, Box<dyn SplitEnumerator>)>,
    pub(super) sinks: Committers,
    pub(super) boundedness: Boundedness,
}

/// Why a job cannot be started: what is wrong, one problem each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Unusable(pub Vec<String>);

impl PreparedJob {
    /// The job in the text of a manifest.
    pub fn from_manifest(text: &str, now_ms: i64, clock: Clock) -> Result<Self, Unusable> {
        let (program, plan) = plan_manifest(text, now_ms, clock).map_err(Unusable)?;
        Self::new(program, plan)
    }

    /// A job that was submitted before, perhaps to another build: it starts from its beginning, so this one may plan it anew.
    pub(super) fn again(program: ResolvedProgram, clock: Clock) -> Result<Self, Unusable> {
        let (program, plan) = planned_again(program, clock)?;
        Self::new(program, plan)
    }

    /// The committers alone of a job that was submitted before. Its inputs may be gone.
    pub(super) fn committers(program: ResolvedProgram, clock: Clock) -> Result<Committers, Unusable> {
        let (_, plan) = planned_again(program, clock)?;
        committers(&plan.graph)
    }

    /// A job that is planned. Enumerators look at the outside world, so that what is missing is known before anything runs.
    pub fn new(program: ResolvedProgram, plan: Plan) -> Result<Self, Unusable> {
        let (mut sources, mut boundedness) = (Vec::new(), Boundedness::Bounded);
        for (node, of) in plan.graph.program.nodes.iter().enumerate() {
            if let NodeKind::Source(source) = &of.kind {
                let enumerator = source.source.create_enumerator();
                sources.push((node, enumerator.map_err(|error| unusable(&of.name, &error))?));
                if source.source.boundedness() == Boundedness::Unbounded {
                    boundedness = Boundedness::Unbounded;
                }
            }
        }
        let sinks = committers(&plan.graph)?;
        let Plan { graph, options, warnings } = plan;
        Ok(Self { program, graph: Arc::new(graph), options, warnings, sources, sinks, boundedness })
    }

    /// What is run.
    pub fn graph(&self) -> &Arc<JobGraph> {
        &self.graph
    }

    /// What the user should know.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What the job is called.
    pub fn name(&self) -> &str {
        self.options.name.as_deref().unwrap_or(&self.program.name)
    }
}

fn planned_again(mut program: ResolvedProgram, clock: Clock) -> Result<(ResolvedProgram, Plan), Unusable> {
    if program.build != build() {
        tracing::warn!(job = %program.name, submitted_to = %program.build, this = build(), "planning a job of another build anew");
        build().clone_into(&mut program.build);
    }
    let plan = plan(&program, clock).map_err(|problems| Unusable(vec![problems.to_string()]))?;
    Ok((program, plan))
}

fn committers(graph: &JobGraph) -> Result<Committers, Unusable> {
    let mut committers = Vec::new();
    for of in &graph.program.nodes {
        if let NodeKind::Sink(sink) = &of.kind {
            let committer = sink.create_committer().map_err(|error| unusable(&of.name, &error))?;
            committers.extend(committer.map(|committer| (of.id.to_string(), committer)));
        }
    }
    Ok(committers)
}

fn unusable(name: &str, error: &millstream_engine::error::Error) -> Unusable {
    Unusable(vec![format!("`{name}`: {error}")])
}

impl fmt::Debug for PreparedJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedJob").field("name", &self.name()).finish_non_exhaustive()
    }
}
