//! `GET /jobs/{jobid}/vertices/{vertexid}` and below: a vertex, its subtasks, and what holds them up.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use millstream_api::{
    IoMetrics, StateCounts, StatusDuration, Subtask, SubtaskBackpressure, SubtaskDetails, VertexBackpressure,
    VertexDetails, VertexSummary, paths,
};
use millstream_graph::SubtaskId;

use super::error::RestError;
use super::exceptions::endpoint;
use super::known::{subtasks, task_state, vertex, vertex_id};
use super::measures::{MeasuredTask, Moment, io_metrics};
use super::parameters::{InPath, OfSubtask, OfVertex};
use super::{Answer, Rest};
use crate::execution_graph::{Attempt, AttemptState};
use crate::job_manager::{Job, JobManager};

pub(super) fn routes() -> Router<Rest> {
    Router::new()
        .route(paths::VERTEX, get(show))
        .route(paths::VERTEX_BACKPRESSURE, get(show_backpressure))
        .route(paths::SUBTASK, get(show_subtask))
}

async fn show(State(rest): State<Rest>, InPath(of): InPath<OfVertex>) -> Answer<VertexDetails> {
    let read = move |manager: &JobManager| {
        let (job, at) = vertex(manager, of.jobid, &of.vertexid)?;
        Ok(details(manager, job, at, Moment::now(manager)))
    };
    rest.answer(read).await
}

async fn show_backpressure(State(rest): State<Rest>, InPath(of): InPath<OfVertex>) -> Answer<VertexBackpressure> {
    let read = move |manager: &JobManager| {
        let (job, at) = vertex(manager, of.jobid, &of.vertexid)?;
        Ok(backpressure(job, at, Moment::now(manager)))
    };
    rest.answer(read).await
}

async fn show_subtask(State(rest): State<Rest>, InPath(of): InPath<OfSubtask>) -> Answer<SubtaskDetails> {
    let read = move |manager: &JobManager| {
        let (job, at) = vertex(manager, of.jobid, &of.vertexid)?;
        subtask_details(manager, job, SubtaskId { vertex: at, subtask: of.subtaskindex }, Moment::now(manager))
    };
    rest.answer(read).await
}

/// A vertex as it stands in the answer about its job.
pub(super) fn summary(job: &Job, at: usize, moment: Moment) -> VertexSummary {
    let (graph, tasks) = (job.graph(), job.master().execution_graph());
    let counts = tasks.counts(at);
    let Times { start, end, duration } = vertex_times(job, at, moment);
    VertexSummary {
        id: vertex_id(graph, at),
        slot_sharing_group_id: graph.vertices[at].slot_sharing_group.to_string(),
        name: graph.vertex_name(at),
        max_parallelism: max_parallelism(job),
        parallelism: graph.vertices[at].parallelism,
        status: task_state(counts.together()),
        start_time: start,
        end_time: end,
        duration,
        tasks: state_counts(|state| counts.of(state)),
        metrics: io_metrics(job, subtasks(job, at)),
    }
}

/// How many there are in each state, by `count`.
pub(super) fn state_counts(count: impl Fn(AttemptState) -> u32) -> StateCounts {
    let mut counts = StateCounts::default();
    for state in AttemptState::ALL {
        *counts.count_of(task_state(state)) = count(state);
    }
    counts
}

/// When a task, or the first of several, was deployed, when it, or the last of them, ended, and how long that was. −1 stands
/// for what has not happened.
#[derive(Debug, Clone, Copy)]
struct Times {
    start: i64,
    end: i64,
    duration: i64,
}

impl Times {
    fn new(start: Option<i64>, end: Option<i64>, moment: Moment) -> Self {
        let duration = start.map(|start| end.unwrap_or(moment.now_ms).saturating_sub(start));
        Self { start: start.unwrap_or(-1), end: end.unwrap_or(-1), duration: duration.unwrap_or(-1) }
    }

    fn of(attempt: &Attempt, moment: Moment) -> Self {
        Self::new(attempt.entered(AttemptState::Deploying), ended(attempt), moment)
    }
}

fn ended(attempt: &Attempt) -> Option<i64> {
    attempt.state().is_terminal().then(|| attempt.entered(attempt.state()))?
}

fn vertex_times(job: &Job, at: usize, moment: Moment) -> Times {
    let attempts = || subtasks(job, at).filter_map(|of| job.master().execution_graph().current(of));
    let start = attempts().filter_map(|attempt| attempt.entered(AttemptState::Deploying)).min();
    let all_ended = attempts().all(|attempt| attempt.state().is_terminal());
    let end = attempts().filter_map(ended).max().filter(|_| all_ended && start.is_some());
    Times::new(start, end, moment)
}

fn max_parallelism(job: &Job) -> i32 {
    i32::try_from(job.graph().max_parallelism().get()).unwrap_or(i32::MAX)
}

fn details(manager: &JobManager, job: &Job, at: usize, moment: Moment) -> VertexDetails {
    let graph = job.graph();
    let tries = subtasks(job, at).filter_map(|of| latest(manager, job, of, moment));
    VertexDetails {
        id: vertex_id(graph, at),
        name: graph.vertex_name(at),
        parallelism: graph.vertices[at].parallelism,
        max_parallelism: max_parallelism(job),
        now: moment.now_ms,
        subtasks: tries.collect(),
    }
}

fn subtask_details(
    manager: &JobManager,
    job: &Job,
    of: SubtaskId,
    moment: Moment,
) -> Result<SubtaskDetails, RestError> {
    let unknown = || RestError::UnknownSubtask {
        vertex: vertex_id(job.graph(), of.vertex),
        parallelism: job.graph().vertices[of.vertex].parallelism,
        subtask: of.subtask,
    };
    let latest = latest(manager, job, of, moment).ok_or_else(unknown)?;
    // What they counted and where they ran is forgotten with them.
    let earlier = job.master().execution_graph().earlier(of).iter().rev();
    let earlier = earlier.map(|attempt| subtask(of, attempt, IoMetrics::default(), Place::unassigned(), moment));
    Ok(SubtaskDetails { latest, earlier_attempts: earlier.collect() })
}

/// The try at hand.
fn latest(manager: &JobManager, job: &Job, of: SubtaskId, moment: Moment) -> Option<Subtask> {
    let attempt = job.master().execution_graph().current(of)?;
    let metrics = io_metrics(job, std::iter::once(of));
    Some(subtask(of, attempt, metrics, Place::of(manager, job, of), moment))
}

/// Where a task runs, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    endpoint: String,
    worker: String,
}

impl Place {
    fn unassigned() -> Self {
        Self { endpoint: Subtask::UNASSIGNED.to_owned(), worker: Subtask::UNASSIGNED.to_owned() }
    }

    fn of(manager: &JobManager, job: &Job, of: SubtaskId) -> Self {
        let Some(worker) = job.master().worker_of(of) else { return Self::unassigned() };
        let endpoint = endpoint(manager, worker).unwrap_or_else(|| Subtask::UNASSIGNED.to_owned());
        Self { endpoint, worker: worker.to_string() }
    }
}

fn subtask(of: SubtaskId, attempt: &Attempt, metrics: IoMetrics, place: Place, moment: Moment) -> Subtask {
    let Times { start, end, duration } = Times::of(attempt, moment);
    Subtask {
        subtask: of.subtask,
        status: task_state(attempt.state()),
        attempt: attempt.number,
        endpoint: place.endpoint,
        start_time: start,
        end_time: end,
        duration,
        metrics,
        taskmanager_id: place.worker,
        status_duration: status_duration(attempt, moment),
    }
}

/// For how long a try was in each state: from when it came into it to when it came into the next.
fn status_duration(attempt: &Attempt, moment: Moment) -> StatusDuration {
    let spent = |state: AttemptState| {
        let after = AttemptState::ALL.into_iter().filter(|after| *after > state);
        let left = after.filter_map(|after| attempt.entered(after)).min().unwrap_or(moment.now_ms);
        attempt.entered(state).map_or(-1, |entered| left.saturating_sub(entered))
    };
    StatusDuration {
        created: spent(AttemptState::Created),
        scheduled: spent(AttemptState::Scheduled),
        deploying: spent(AttemptState::Deploying),
        initializing: spent(AttemptState::Initializing),
        running: spent(AttemptState::Running),
    }
}

fn backpressure(job: &Job, at: usize, moment: Moment) -> VertexBackpressure {
    let tasks: Vec<(u32, MeasuredTask<'_>)> =
        subtasks(job, at).filter_map(|of| Some((of.subtask, MeasuredTask::of(job, of)?))).collect();
    let measured = tasks.iter().filter_map(|(subtask, task)| {
        let rates = task.rates(moment)?;
        let ratio = |ms: f64| ms / 1000.0;
        let (ratio, idle, busy) = (ratio(rates.back_pressured_ms), ratio(rates.idle_ms), ratio(rates.busy_ms));
        Some(SubtaskBackpressure::of(*subtask, ratio, idle, busy))
    });
    let measured_at = tasks.iter().map(|(_, task)| task.at_ms()).max().unwrap_or(-1);
    VertexBackpressure::of(measured_at, measured.collect())
}

#[cfg(test)]
mod tests {
    use millstream_api::{BackpressureLevel, TaskState};

    use super::*;
    use crate::rest::tests::cluster::{Cluster, counts, metrics};

    #[tokio::test]
    async fn a_subtask_shows_where_it_runs_and_what_it_counts() {
        let mut cluster = Cluster::start();
        cluster.worker("w", 2).await;
        let id = cluster.run("running", 2).await;
        let window = SubtaskId { vertex: 1, subtask: 1 };
        cluster.count(id, window, metrics(&[counts(7, 3), counts(3, 0)], 600, 300, 100)).await;
        let details = cluster.read(move |manager| {
            let job = manager.job(id).unwrap();
            details(manager, job, 1, Moment::now(manager))
        });
        let details = details.await;
        let [first, second] = details.subtasks.as_slice() else { panic!("{details:?}") };
        assert_eq!((second.status, second.attempt), (TaskState::Running, 0));
        assert_eq!((second.endpoint.as_str(), second.taskmanager_id.as_str()), ("10.0.0.1:6122", "w"));
        assert_eq!((second.metrics.read_records, second.metrics.accumulated_busy_time), (7, Some(600.0)));
        assert!(second.metrics.read_records_complete && !second.metrics.read_bytes_complete);
        assert_eq!(first.metrics.read_records, 0);
        let StatusDuration { created, scheduled, deploying, initializing, running } = second.status_duration;
        assert!([created, scheduled, deploying, initializing, running].into_iter().all(|spent| spent >= 0));
    }

    #[tokio::test]
    async fn what_holds_a_vertex_up_is_the_worst_of_its_subtasks() {
        let mut cluster = Cluster::start();
        cluster.worker("w", 2).await;
        let id = cluster.run("running", 2).await;
        let source = |subtask| SubtaskId { vertex: 0, subtask };
        cluster.count(id, source(0), metrics(&[counts(0, 5)], 900, 50, 50)).await;
        cluster.count(id, source(1), metrics(&[counts(0, 5)], 200, 0, 800)).await;
        let read = move |manager: &JobManager| backpressure(manager.job(id).unwrap(), 0, Moment::now(manager));
        let VertexBackpressure::Measured { backpressure_level, subtasks, .. } = cluster.read(read).await else {
            panic!()
        };
        assert_eq!(backpressure_level, BackpressureLevel::High);
        let ratios: Vec<_> = subtasks.iter().map(|of| (of.busy_ratio, of.idle_ratio, of.ratio)).collect();
        assert_eq!(ratios, [(0.9, 0.05, 0.05), (0.2, 0.0, 0.8)]);
    }

    #[tokio::test]
    async fn nothing_is_said_of_what_was_not_measured() {
        let mut cluster = Cluster::start();
        cluster.worker("w", 2).await;
        let id = cluster.run("running", 2).await;
        let read = move |manager: &JobManager| backpressure(manager.job(id).unwrap(), 1, Moment::now(manager));
        assert_eq!(cluster.read(read).await, VertexBackpressure::Unknown);
    }

    #[tokio::test]
    async fn earlier_tries_are_listed_with_the_latest_first() {
        let mut cluster = Cluster::start();
        cluster.worker("w", 1).await;
        let id = cluster.restart("restarting").await;
        let read = move |manager: &JobManager| {
            let of = SubtaskId { vertex: 0, subtask: 0 };
            subtask_details(manager, manager.job(id).unwrap(), of, Moment::now(manager))
        };
        let details = cluster.read(read).await.unwrap();
        assert_eq!((details.latest.attempt, details.latest.status), (1, TaskState::Running));
        let [earlier] = details.earlier_attempts.as_slice() else { panic!("{details:?}") };
        assert_eq!((earlier.attempt, earlier.status), (0, TaskState::Failed));
        assert!(earlier.end_time >= earlier.start_time && earlier.start_time > 0);
    }

    #[tokio::test]
    async fn a_subtask_that_is_not_there_is_named() {
        let mut cluster = Cluster::start();
        cluster.worker("w", 1).await;
        let id = cluster.run("running", 1).await;
        let read = move |manager: &JobManager| {
            let of = SubtaskId { vertex: 0, subtask: 3 };
            subtask_details(manager, manager.job(id).unwrap(), of, Moment::now(manager))
        };
        let error = cluster.read(read).await.unwrap_err().to_string();
        assert!(error.ends_with(" has 1 subtasks, from 0 on, and none is 3"), "{error}");
    }
}
