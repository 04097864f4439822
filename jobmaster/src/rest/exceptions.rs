//! `GET /jobs/{jobid}/exceptions`: what has failed, the latest first.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use millstream_api::{ExceptionEntry, ExceptionHistory, ExceptionsQuery, JobExceptions, RootException, paths};
use millstream_graph::{AttemptId, WorkerId};

use super::known::{KnownJob, job};
use super::parameters::{InPath, InQuery, OfJob};
use super::{Answer, Rest};
use crate::job_manager::{Job, JobManager, PastJob};
use crate::job_master;

pub(super) fn routes() -> Router<Rest> {
    Router::new().route(paths::JOB_EXCEPTIONS, get(show))
}

async fn show(
    State(rest): State<Rest>,
    InPath(of): InPath<OfJob>,
    InQuery(query): InQuery<ExceptionsQuery>,
) -> Answer<JobExceptions> {
    rest.answer(move |manager| Ok(exceptions(manager, job(manager, of.jobid)?, query))).await
}

fn exceptions(manager: &JobManager, job: KnownJob<'_>, query: ExceptionsQuery) -> JobExceptions {
    let mut history = match job {
        KnownJob::Led(job) => history(manager, job),
        KnownJob::Awaited(_) => ExceptionHistory { entries: Vec::new(), truncated: false },
        KnownJob::Past(job) => past(job),
    };
    let most = query.max_exceptions.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
    history.truncated |= history.entries.len() > most;
    history.entries.truncate(most);
    JobExceptions { exception_history: history }
}

fn history(manager: &JobManager, job: &Job) -> ExceptionHistory {
    let failures = job.master().exceptions();
    let mut entries: Vec<ExceptionEntry> =
        failures.entries().rev().map(|failure| entry(manager, job, failure)).collect();
    if let (Some(latest), Some(reason)) = (entries.first_mut(), failures.gave_up_because()) {
        latest.stacktrace = format!("{}\nthe job was not tried again: {reason}", latest.stacktrace);
    }
    let alone = |exception| RootException { exception, concurrent_exceptions: Vec::new() };
    ExceptionHistory { entries: entries.into_iter().map(alone).collect(), truncated: failures.is_truncated() }
}

fn entry(manager: &JobManager, job: &Job, failure: &job_master::ExceptionEntry) -> ExceptionEntry {
    ExceptionEntry {
        exception_name: if failure.task.is_some() { "task failed" } else { "job failed" }.to_owned(),
        stacktrace: failure.why.clone(),
        timestamp: failure.at_ms,
        failure_labels: Default::default(),
        task_name: failure.task.map(|attempt| task_name(job, attempt)),
        endpoint: failure.worker.as_ref().and_then(|worker| endpoint(manager, worker)),
        task_manager_id: failure.worker.as_ref().map(WorkerId::to_string),
    }
}

/// Of a job that ended in an earlier process only the reason is known.
fn past(job: &PastJob) -> ExceptionHistory {
    let entry = job.why.as_ref().map(|why| ExceptionEntry {
        exception_name: "job failed".to_owned(),
        stacktrace: why.clone(),
        timestamp: job.ended_ms,
        failure_labels: Default::default(),
        task_name: None,
        endpoint: None,
        task_manager_id: None,
    });
    let alone = |exception| RootException { exception, concurrent_exceptions: Vec::new() };
    ExceptionHistory { entries: entry.into_iter().map(alone).collect(), truncated: false }
}

/// A try as Flink writes it: `Source: s (1/2) - execution #0`.
fn task_name(job: &Job, AttemptId { of, number }: AttemptId) -> String {
    let graph = job.graph();
    let parallelism = graph.vertices[of.vertex].parallelism;
    format!("{} ({}/{parallelism}) - execution #{number}", graph.vertex_name(of.vertex), of.subtask + 1)
}

/// Host and data port of a worker that is registered.
pub(super) fn endpoint(manager: &JobManager, worker: &WorkerId) -> Option<String> {
    let known = manager.workers().find(|known| known.registration.worker == *worker)?;
    let (exchange, host) = (&known.registration.exchange, &known.registration.host);
    Some(if exchange.is_empty() { host.clone() } else { exchange.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::tests::cluster::Cluster;

    #[tokio::test]
    async fn a_failure_says_where_and_why_and_what_follows() {
        let mut cluster = Cluster::start();
        cluster.worker("w", 1).await;
        let id = cluster.fail("failed").await;
        let all = ExceptionsQuery::default();
        let shown = cluster.read(move |manager| exceptions(manager, job(manager, id).unwrap(), all)).await;
        let [failure] = shown.exception_history.entries.as_slice() else { panic!("{shown:?}") };
        let ExceptionEntry { exception_name, stacktrace, task_name, endpoint, task_manager_id, .. } =
            &failure.exception;
        assert_eq!(exception_name, "task failed");
        assert_eq!(stacktrace, "division by zero\nthe job was not tried again: it would fail the same way again");
        let task_name = task_name.as_deref().unwrap();
        assert!(task_name.starts_with("Source: t") && task_name.ends_with(" (1/1) - execution #0"), "{task_name}");
        assert_eq!((endpoint.as_deref(), task_manager_id.as_deref()), (Some("10.0.0.1:6122"), Some("w")));
        assert!(!shown.exception_history.truncated);
    }

    #[tokio::test]
    async fn no_more_are_shown_than_were_asked_for() {
        let mut cluster = Cluster::start();
        cluster.worker("w", 1).await;
        let id = cluster.fail("failed").await;
        let none = ExceptionsQuery { max_exceptions: Some(0) };
        let shown = cluster.read(move |manager| exceptions(manager, job(manager, id).unwrap(), none)).await;
        assert_eq!((shown.exception_history.entries.len(), shown.exception_history.truncated), (0, true));
    }
}
