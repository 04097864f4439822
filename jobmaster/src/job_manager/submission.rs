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

/// A job that can be started.
pub struct PreparedJob {
    pub(super) program: ResolvedProgram,
    pub(super) graph: Arc<JobGraph>,
    pub(super) options: JobOptions,
    pub(super) warnings: Vec<String>,
    /// The enumerator of each source, by its node.
    pub(super) sources: Vec<(usize, Box<dyn SplitEnumerator>)>,
    /// The committer of each sink that has one, by its node.
    pub(super) sinks: Vec<(usize, Box<dyn Committer>)>,
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
    pub(super) fn again(mut program: ResolvedProgram, clock: Clock) -> Result<Self, Unusable> {
        if program.build != build() {
            tracing::warn!(job = %program.name, submitted_to = %program.build, this = build(), "planning a job of another build anew");
            build().clone_into(&mut program.build);
        }
        let plan = plan(&program, clock).map_err(|problems| Unusable(vec![problems.to_string()]))?;
        Self::new(program, plan)
    }

    /// A job that is planned. Enumerators look at the outside world, so that what is missing is known before anything runs.
    pub fn new(program: ResolvedProgram, plan: Plan) -> Result<Self, Unusable> {
        let mut job = Self {
            program,
            graph: Arc::new(plan.graph),
            options: plan.options,
            warnings: plan.warnings,
            sources: Vec::new(),
            sinks: Vec::new(),
            boundedness: Boundedness::Bounded,
        };
        let graph = Arc::clone(&job.graph);
        for (node, of) in graph.program.nodes.iter().enumerate() {
            let unusable = |error: millstream_engine::error::Error| Unusable(vec![format!("`{}`: {error}", of.name)]);
            match &of.kind {
                NodeKind::Source(source) => {
                    job.sources.push((node, source.source.create_enumerator().map_err(unusable)?));
                    if source.source.boundedness() == Boundedness::Unbounded {
                        job.boundedness = Boundedness::Unbounded;
                    }
                }
                NodeKind::Sink(sink) => {
                    job.sinks.extend(sink.create_committer().map_err(unusable)?.map(|committer| (node, committer)));
                }
                NodeKind::Operator(_) => {}
            }
        }
        Ok(job)
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

impl fmt::Debug for PreparedJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedJob").field("name", &self.name()).finish_non_exhaustive()
    }
}
