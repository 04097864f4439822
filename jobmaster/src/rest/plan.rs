//! `GET /jobs/{jobid}/plan`: the vertices of a job and what flows between them; `GET /jobs/{jobid}/config`: how it is run.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use millstream_api::{ExecutionConfig, JobConfig, JobPlan, JobType, Plan, PlanInput, PlanNode, paths};
use millstream_graph::{JobGraph, Partitioning};

use super::cluster::{restart_word, shown_value};
use super::known::{KnownJob, job, vertex_id};
use super::parameters::{InPath, OfJob};
use super::{Answer, Rest};
use crate::job_manager::{Job, JobManager};

pub(super) fn routes() -> Router<Rest> {
    Router::new().route(paths::JOB_PLAN, get(show)).route(paths::JOB_CONFIG, get(show_config))
}

async fn show(State(rest): State<Rest>, InPath(of): InPath<OfJob>) -> Answer<JobPlan> {
    rest.answer(move |manager| Ok(JobPlan { plan: plan(job(manager, of.jobid)?) })).await
}

async fn show_config(State(rest): State<Rest>, InPath(of): InPath<OfJob>) -> Answer<JobConfig> {
    rest.answer(move |manager| Ok(config(manager, job(manager, of.jobid)?))).await
}

/// A job as a graph. Nothing is known of the vertices of a job that only an earlier process led.
pub(super) fn plan(job: KnownJob<'_>) -> Plan {
    let nodes = match job {
        KnownJob::Led(job) => (0..job.graph().vertices.len()).map(|vertex| node(job.graph(), vertex)).collect(),
        KnownJob::Awaited(_) | KnownJob::Past(_) => Vec::new(),
    };
    Plan { jid: job.id().to_string(), name: job.name().to_owned(), job_type: JobType::Streaming, nodes }
}

fn node(graph: &JobGraph, vertex: usize) -> PlanNode {
    let edges = graph.edges.iter().filter(|edge| edge.to == vertex);
    let inputs = (0..).zip(edges).map(|(num, edge)| PlanInput {
        id: vertex_id(graph, edge.from),
        num,
        exchange: "pipelined_bounded".to_owned(),
        ship_strategy: Some(ship_strategy(&edge.partitioning).to_owned()),
    });
    PlanNode {
        id: vertex_id(graph, vertex),
        parallelism: graph.vertices[vertex].parallelism,
        description: description(graph, vertex),
        inputs: inputs.collect(),
        ..PlanNode::default()
    }
}

/// The operators of a chain, a line each. It is HTML, as in Flink.
fn description(graph: &JobGraph, vertex: usize) -> String {
    let names = graph.vertices[vertex].nodes.iter().map(|node| escaped(&graph.program.nodes[*node].name));
    names.collect::<Vec<_>>().join("<br/>+- ")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Flink's word for how rows are spread.
fn ship_strategy(partitioning: &Partitioning) -> &'static str {
    match partitioning {
        Partitioning::Forward => "FORWARD",
        Partitioning::Hash(_) => "HASH",
        Partitioning::Rebalance => "REBALANCE",
        Partitioning::Broadcast => "BROADCAST",
        Partitioning::Global => "GLOBAL",
    }
}

fn config(manager: &JobManager, of: KnownJob<'_>) -> JobConfig {
    let execution_config = match of {
        KnownJob::Led(job) => execution_config(manager, job),
        KnownJob::Awaited(_) | KnownJob::Past(_) => ExecutionConfig {
            restart_strategy: "not known any more: the job ended in an earlier process".to_owned(),
            job_parallelism: 0,
            object_reuse_mode: true,
            user_config: Default::default(),
        },
    };
    JobConfig { jid: of.id().to_string(), name: of.name().to_owned(), execution_config }
}

fn execution_config(manager: &JobManager, job: &Job) -> ExecutionConfig {
    let options = job.options();
    let restart_strategy = match options.get("restart-strategy.type") {
        Some(set) => set.clone(),
        None => format!("{} (the JobMaster's default)", restart_word(manager.settings().default_restart)),
    };
    let set = options.get("parallelism.default").and_then(|set| set.parse().ok());
    let greatest = || job.graph().vertices.iter().map(|vertex| vertex.parallelism).max();
    ExecutionConfig {
        restart_strategy,
        // A program may set it too, and then its vertices show it.
        job_parallelism: set.or_else(greatest).unwrap_or(1),
        object_reuse_mode: true,
        user_config: options.iter().map(|(key, value)| (key.clone(), shown_value(key, value.clone()))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::tests::cluster::{Cluster, ROWS};

    #[tokio::test]
    async fn edges_have_flinks_words() {
        let cluster = Cluster::start();
        let id = cluster.submit("counts", 2, ROWS).await;
        let plan = cluster.read(move |manager| job(manager, id).map(plan)).await.unwrap();
        let [source, window] = plan.nodes.as_slice() else { panic!("{plan:?}") };
        assert!(source.inputs.is_empty());
        assert!(source.description.starts_with("Source: t<br/>+- "), "{}", source.description);
        let [input] = window.inputs.as_slice() else { panic!("{window:?}") };
        assert_eq!(
            (input.id.as_str(), input.num, input.ship_strategy.as_deref()),
            (source.id.as_str(), 0, Some("HASH"))
        );
        assert_eq!((source.parallelism, window.parallelism), (2, 2));
    }

    #[test]
    fn names_are_text_and_not_html() {
        assert_eq!(escaped("a<b> & \"c\""), "a&lt;b&gt; &amp; &quot;c&quot;");
    }

    #[tokio::test]
    async fn a_jobs_settings_are_shown() {
        let cluster = Cluster::start();
        let id = cluster.submit("counts", 2, ROWS).await;
        let config = cluster.read(move |manager| config(manager, job(manager, id).unwrap())).await;
        assert_eq!((config.name.as_str(), config.execution_config.job_parallelism), ("counts", 2));
        assert_eq!(config.execution_config.restart_strategy, "exponential-delay (the JobMaster's default)");
        assert_eq!(config.execution_config.user_config["parallelism.default"], "2");
    }
}
