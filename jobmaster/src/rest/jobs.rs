//! `GET /jobs` and below, and `PATCH /jobs/{jobid}`: what jobs there are and how they do, and the end of one.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use millstream_api::{
    CancelQuery, Empty, JobDetails, JobIdWithStatus, JobIds, JobOverview, JobStatus, JobTimestamps, JobType,
    JobsOverview, SchedulerType, StateCounts, TaskCounts, TerminationMode, VertexSummary, paths,
};
use millstream_graph::JobId;

use super::error::RestError;
use super::known::{KnownJob, job, job_state, jobs};
use super::measures::Moment;
use super::parameters::{InPath, InQuery, OfJob};
use super::plan::plan;
use super::vertices::{self, state_counts};
use super::{Answer, Rest};
use crate::execution_graph::AttemptState;
use crate::job_manager::{Job, JobManager, PastJob, Refusal};
use crate::job_master;

pub(super) fn routes() -> Router<Rest> {
    Router::new()
        .route(paths::JOBS, get(list))
        .route(paths::JOBS_OVERVIEW, get(list_overview))
        .route(paths::JOB, get(show).patch(cancel))
        .route(paths::JOB_STATUS, get(show_status))
}

async fn list(State(rest): State<Rest>) -> Answer<JobIds> {
    rest.answer(|manager| Ok(ids(manager))).await
}

async fn list_overview(State(rest): State<Rest>) -> Answer<JobsOverview> {
    rest.answer(|manager| Ok(overview(manager, Moment::now(manager)))).await
}

async fn show(State(rest): State<Rest>, InPath(of): InPath<OfJob>) -> Answer<JobDetails> {
    rest.answer(move |manager| Ok(details(manager, job(manager, of.jobid)?, Moment::now(manager)))).await
}

async fn show_status(State(rest): State<Rest>, InPath(of): InPath<OfJob>) -> Answer<JobStatus> {
    rest.answer(move |manager| Ok(JobStatus { status: job_state(job(manager, of.jobid)?.status()) })).await
}

/// A job that was cancelled before is cancelled.
async fn cancel(
    State(rest): State<Rest>,
    InPath(OfJob { jobid }): InPath<OfJob>,
    InQuery(CancelQuery { mode: TerminationMode::Cancel }): InQuery<CancelQuery>,
) -> Result<(StatusCode, Json<Empty>), RestError> {
    let cancelled = rest.handle.cancel(jobid).await;
    match rest.refused(cancelled, jobid).await {
        Ok(()) => {}
        Err(RestError::Refused(Refusal::WrongState { state, .. }))
            if state == job_master::JobStatus::Canceled.word() => {}
        Err(error) => return Err(error),
    }
    Ok((StatusCode::ACCEPTED, Json(Empty {})))
}

impl Rest {
    /// What was done to a job, or why not. Of a job that ended in an earlier process the loop says that it does not know it.
    pub(super) async fn refused(&self, done: Result<(), Refusal>, id: JobId) -> Result<(), RestError> {
        match done {
            Err(Refusal::UnknownJob(_)) => {
                let state = self.read(move |manager| job(manager, id).map(|job| job.status().word())).await?;
                Err(Refusal::WrongState { job: id, state, why: "it has ended" }.into())
            }
            done => Ok(done?),
        }
    }
}

fn ids(manager: &JobManager) -> JobIds {
    let line = |job: KnownJob<'_>| JobIdWithStatus { id: job.id().to_string(), status: job_state(job.status()) };
    JobIds { jobs: jobs(manager).map(line).collect() }
}

fn overview(manager: &JobManager, moment: Moment) -> JobsOverview {
    JobsOverview { jobs: jobs(manager).map(|job| line(manager, job, moment)).collect() }
}

fn line(manager: &JobManager, of: KnownJob<'_>, moment: Moment) -> JobOverview {
    let Times { start, end, duration } = times(of, moment);
    let tasks = match of {
        KnownJob::Led(job) => tasks(job),
        KnownJob::Awaited(_) | KnownJob::Past(_) => TaskCounts::default(),
    };
    JobOverview {
        jid: of.id().to_string(),
        name: of.name().to_owned(),
        job_type: JobType::Streaming,
        scheduler_type: SchedulerType::Default,
        start_time: start,
        end_time: end,
        duration,
        state: job_state(of.status()),
        last_modification: last_modification(of),
        tasks,
        pending_operators: 0,
        detail: detail(manager, of),
        restarts: restarts(of),
    }
}

fn details(manager: &JobManager, of: KnownJob<'_>, moment: Moment) -> JobDetails {
    let Times { start, end, duration } = times(of, moment);
    let vertices: Vec<VertexSummary> = match of {
        KnownJob::Led(job) => (0..job.graph().vertices.len()).map(|at| vertices::summary(job, at, moment)).collect(),
        KnownJob::Awaited(_) | KnownJob::Past(_) => Vec::new(),
    };
    let id = of.id().to_string();
    JobDetails {
        application_id: id.clone(),
        jid: id,
        name: of.name().to_owned(),
        // Without a savepoint is the only way yet.
        is_stoppable: of.status() == job_master::JobStatus::Running,
        state: job_state(of.status()),
        job_type: JobType::Streaming,
        scheduler_type: SchedulerType::Default,
        start_time: start,
        end_time: end,
        duration,
        max_parallelism: max_parallelism(of),
        now: moment.now_ms,
        timestamps: timestamps(of),
        status_counts: vertices.iter().map(|vertex| vertex.status).collect::<StateCounts>(),
        vertices,
        plan: plan(of),
        pending_operators: 0,
        detail: detail(manager, of),
        restarts: restarts(of),
    }
}

/// When a job was submitted and ended, and how long it has been there.
#[derive(Debug, Clone, Copy)]
struct Times {
    start: i64,
    /// −1 if it has not ended.
    end: i64,
    duration: i64,
}

fn times(of: KnownJob<'_>, moment: Moment) -> Times {
    let (start, ended) = match of {
        KnownJob::Led(job) => (job.submitted_ms(), ended(job)),
        KnownJob::Awaited(job) => (job.submitted_ms, None),
        KnownJob::Past(PastJob { submitted_ms, ended_ms, .. }) => (*submitted_ms, Some(*ended_ms)),
    };
    let duration = ended.unwrap_or(moment.now_ms).saturating_sub(start);
    Times { start, end: ended.unwrap_or(-1), duration }
}

fn ended(job: &Job) -> Option<i64> {
    let status = job.master().status();
    status.is_terminal().then(|| job.master().since(status))?
}

/// When the job or one of its tasks came into the state that it is in.
fn last_modification(of: KnownJob<'_>) -> i64 {
    match of {
        KnownJob::Led(job) => {
            let graph = job.master().execution_graph();
            let tasks = graph.subtasks().filter_map(|subtask| {
                let attempt = graph.current(subtask)?;
                attempt.entered(attempt.state())
            });
            tasks.chain(job.master().since(job.master().status())).max().unwrap_or(-1)
        }
        KnownJob::Awaited(job) => job.submitted_ms,
        KnownJob::Past(job) => job.ended_ms,
    }
}

fn tasks(job: &Job) -> TaskCounts {
    let total = job.master().execution_graph().total();
    state_counts(|state: AttemptState| total.of(state)).into()
}

fn timestamps(of: KnownJob<'_>) -> JobTimestamps {
    let mut timestamps = JobTimestamps::default();
    match of {
        KnownJob::Led(job) => {
            for status in job_master::JobStatus::ALL {
                *timestamps.time_of(job_state(status)) = job.master().since(status).unwrap_or(0);
            }
        }
        KnownJob::Awaited(job) => timestamps.initializing = job.submitted_ms,
        KnownJob::Past(job) => {
            timestamps.initializing = job.submitted_ms;
            *timestamps.time_of(job_state(of.status())) = job.ended_ms;
        }
    }
    timestamps
}

/// What there is to say besides the state.
fn detail(manager: &JobManager, of: KnownJob<'_>) -> Option<String> {
    match of {
        KnownJob::Led(job) => job.detail(manager.resources().lacking(job.id().job)),
        KnownJob::Awaited(job) => Some(job.detail.clone()),
        KnownJob::Past(_) => None,
    }
}

fn restarts(of: KnownJob<'_>) -> u32 {
    match of {
        KnownJob::Led(job) => job.master().restarts(),
        KnownJob::Awaited(_) | KnownJob::Past(_) => 0,
    }
}

/// What the manifest says, if it says anything.
fn max_parallelism(of: KnownJob<'_>) -> i64 {
    let set = match of {
        KnownJob::Led(job) => job.options().get("pipeline.max-parallelism").and_then(|set| set.parse().ok()),
        KnownJob::Awaited(_) | KnownJob::Past(_) => None,
    };
    set.unwrap_or(-1)
}

#[cfg(test)]
mod tests {
    use millstream_api::JobState;

    use super::*;
    use crate::rest::tests::cluster::{Cluster, ROWS};

    const MOMENT: Moment = Moment { now_ms: i64::MAX, oldest_ms: 0 };

    async fn line_of(cluster: &Cluster, id: JobId) -> JobOverview {
        cluster.read(move |manager| line(manager, job(manager, id).unwrap(), Moment::now(manager))).await
    }

    async fn details_of(cluster: &Cluster, id: JobId) -> JobDetails {
        cluster.read(move |manager| details(manager, job(manager, id).unwrap(), Moment::now(manager))).await
    }

    #[tokio::test]
    async fn a_job_that_waits_says_for_what() {
        let cluster = Cluster::start();
        let id = cluster.submit("waiting", 4, ROWS).await;
        let line = line_of(&cluster, id).await;
        assert_eq!(line.state, JobState::Created);
        assert_eq!(line.detail.as_deref(), Some("waits for 4 of 4 slots"));
        assert_eq!((line.tasks.total, line.tasks.created, line.end_time), (8, 8, -1));
        let details = details_of(&cluster, id).await;
        assert_eq!((details.detail, details.is_stoppable), (line.detail, false));
        assert_eq!(details.status_counts, StateCounts { created: 2, ..StateCounts::default() });
        assert!(details.vertices.iter().all(|vertex| (vertex.start_time, vertex.duration) == (-1, -1)));
    }

    #[tokio::test]
    async fn a_job_that_runs_shows_its_tasks() {
        let mut cluster = Cluster::start();
        cluster.worker("w", 2).await;
        let id = cluster.run("running", 2).await;
        let line = line_of(&cluster, id).await;
        assert_eq!((line.state, line.tasks.running, line.detail), (JobState::Running, 4, None));
        let details = details_of(&cluster, id).await;
        assert!(details.is_stoppable);
        assert_eq!(details.status_counts, StateCounts { running: 2, ..StateCounts::default() });
        let JobTimestamps { initializing, created, running, failed, .. } = details.timestamps;
        assert!(initializing > 0 && initializing <= created && created <= running && failed == 0);
        assert_eq!(details.start_time, initializing);
        assert_eq!(details.plan.nodes.len(), details.vertices.len());
        assert!(details.vertices.iter().all(|vertex| vertex.start_time >= running && vertex.end_time == -1));
    }

    #[tokio::test]
    async fn a_job_that_was_started_again_counts_it() {
        let mut cluster = Cluster::start();
        cluster.worker("w", 1).await;
        let id = cluster.restart("restarting").await;
        let line = line_of(&cluster, id).await;
        assert_eq!((line.state, line.restarts), (JobState::Running, 1));
    }

    #[tokio::test]
    async fn jobs_that_have_ended_have_a_time_and_stay() {
        let mut cluster = Cluster::start();
        cluster.worker("w", 1).await;
        let failed = cluster.fail("failed").await;
        let finished = cluster.finish("finished").await;
        for (id, state) in [(failed, JobState::Failed), (finished, JobState::Finished)] {
            let line = line_of(&cluster, id).await;
            assert_eq!(line.state, state);
            assert!(line.end_time >= line.start_time && line.duration == line.end_time - line.start_time);
        }
        let details = details_of(&cluster, finished).await;
        assert!(details.vertices.iter().all(|vertex| vertex.end_time >= vertex.start_time));
        let listed = cluster.read(ids).await;
        assert_eq!(listed.jobs.len(), 2);
    }

    #[tokio::test]
    async fn jobs_of_an_earlier_process_are_known_by_their_ends() {
        let mut cluster = Cluster::start();
        cluster.worker("w", 1).await;
        let id = cluster.fail("failed").await;
        let cluster = cluster.started_again().await;
        let listed = cluster.read(|manager| overview(manager, MOMENT)).await;
        let [line] = listed.jobs.as_slice() else { panic!("{listed:?}") };
        assert_eq!((line.jid.as_str(), line.name.as_str()), (id.to_string().as_str(), "failed"));
        assert_eq!((line.state, line.tasks.total), (JobState::Failed, 0));
        let details = details_of(&cluster, id).await;
        assert!(details.vertices.is_empty() && details.plan.nodes.is_empty());
        assert_eq!((details.timestamps.initializing, details.timestamps.failed), (line.start_time, line.end_time));
    }
}
