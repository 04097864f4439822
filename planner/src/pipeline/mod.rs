//! A pipeline → a graph of operators.
//!
//! ```text
//! YAML ─ schema ─► spec (what is written) ─ wiring ─► order, warnings ─ plan ─► nodes ─ needed ─► plan again, fewer columns
//! ```
//!
//! A pipeline is the three parts of every streaming program, sources, transformations and sinks, wired by name. It says
//! what SQL cannot: count windows, triggers, evictors, late rows as a stream. Its expressions are SQL's, and both end in the
//! same graph of the same operators. Everything wrong with it is reported with its path.

use millstream_crds::check::{At, check, without_nulls};
use millstream_crds::{Path, reference};
use millstream_engine::key::key_group::MaxParallelism;
use millstream_graph::StreamGraph;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::problem::{Problem, Problems};
use crate::session::Session;

mod needed;
mod plan;
pub mod spec;
mod wiring;

#[cfg(test)]
mod tests;

use spec::Pipeline;
use wiring::Wiring;

/// A pipeline as a graph, and what its author should know.
#[derive(Debug)]
pub struct PlannedPipeline {
    /// Sources, operators and sinks.
    pub graph: StreamGraph,
    /// What has no effect: streams that nothing reads.
    pub warnings: Vec<String>,
}

/// Plans the pipeline of the job called `name`. Paths of problems begin at the pipeline. To be called on
/// [`crate::on_planning_thread`].
pub fn plan_pipeline(
    pipeline: &Map<String, Value>,
    name: &str,
    session: &Session,
) -> Result<PlannedPipeline, Problems> {
    let pipeline = read(pipeline)?;
    let (wiring, warnings) = Wiring::of(&pipeline).map_err(|problems| match Problems::check(problems) {
        Err(problems) => problems,
        Ok(()) => Problem::new(Path::root(), "internal error: an error without a problem").into(),
    })?;
    let whole = plan::plan(&pipeline, &wiring, session, None)?;
    let needed = needed::needed(&pipeline, &wiring, &whole.usages);
    let planned = plan::plan(&pipeline, &wiring, session, Some(&needed))?;
    let max_parallelism = session.job().max_parallelism;
    let Some(max_parallelism) = MaxParallelism::new(max_parallelism) else {
        let message =
            format!("the job's maxParallelism is {max_parallelism}; it must be from 1 to {}", MaxParallelism::LIMIT);
        return Err(Problem::new(Path::root(), message).into());
    };
    let graph = StreamGraph { name: name.to_owned(), nodes: planned.nodes, max_parallelism };
    Ok(PlannedPipeline { graph, warnings })
}

/// The schema of a pipeline.
pub fn schema() -> Value {
    millstream_crds::schema::of::<Pipeline>()
}

/// The page `docs/pipeline.md`.
pub fn reference() -> String {
    include_str!("reference.md").replace("{fields}\n", &reference::fields(&schema(), ""))
}

fn read(pipeline: &Map<String, Value>) -> Result<Pipeline, Problems> {
    let value = without_nulls(Value::Object(pipeline.clone()));
    let findings = check(&value, &schema())
        .into_iter()
        .map(|finding| Problem { at_key: finding.at == At::Key, ..Problem::new(finding.path, finding.message) });
    Problems::check(findings.collect())?;
    Pipeline::deserialize(value).map_err(|error| Problem::new(Path::root(), error.to_string()).into())
}
