//! `POST /jobs/{jobid}/stop` and `GET /jobs/{jobid}/savepoints/{triggerid}`: the end of a job's sources, and how far that is.
//!
//! Flink's stop writes a savepoint. There are none yet: what can be had is that the sources end and what they have read is
//! worked on to its end. A request for more is refused. The outcome is asked for as in Flink, and has no location.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use millstream_api::{
    FailureCause, OperationState, OperationStatus, Savepoint, SavepointStatus, StopRequest, Triggered, paths,
};
use millstream_graph::JobId;

use super::body::{self, BodyLimit};
use super::error::RestError;
use super::known::{KnownJob, job};
use super::parameters::{InPath, OfJob, OfOperation};
use super::{Answer, Rest};
use crate::job_manager::{Job, JobManager};
use crate::job_master::JobStatus;

/// How many bytes a request may have.
const REQUEST_BYTES_MAX: usize = 64 << 10;
/// How many stops are remembered.
const STOPS_MAX: usize = 1024;

/// The last stops that were asked for.
#[derive(Debug, Default)]
pub(super) struct Stops(Mutex<VecDeque<Stop>>);

/// A stop that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stop {
    /// What its outcome is asked for with.
    request_id: String,
    job: JobId,
}

pub(super) fn routes() -> Router<Rest> {
    Router::new().route(paths::JOB_STOP, post(stop)).route(paths::JOB_SAVEPOINT, get(show))
}

async fn stop(
    State(rest): State<Rest>,
    InPath(OfJob { jobid }): InPath<OfJob>,
    request: Request,
) -> Result<(StatusCode, Json<Triggered>), RestError> {
    let timeout = rest.limits().body_timeout;
    let limit = BodyLimit { what: "the request", bytes_max: REQUEST_BYTES_MAX, timeout };
    let asked = read_request(&body::read(request, limit).await?)?;
    // A job that is not there is said first.
    rest.read(move |manager| job(manager, jobid).map(|_| ())).await?;
    check(asked)?;
    let stopped = rest.handle.stop(jobid).await;
    rest.refused(stopped, jobid).await?;
    Ok((StatusCode::ACCEPTED, Json(Triggered { request_id: rest.stops.note(jobid) })))
}

async fn show(State(rest): State<Rest>, InPath(of): InPath<OfOperation>) -> Answer<SavepointStatus> {
    let OfOperation { jobid, triggerid } = of;
    let known = rest.stops.knows(jobid, &triggerid);
    let read = move |manager: &JobManager| match (job(manager, jobid)?, known) {
        (KnownJob::Led(job), true) => Ok(status(job)),
        (of @ KnownJob::Past(job), true) => Ok(ended(of.status(), job.why.clone())),
        // What was asked of an earlier process is not known here.
        (KnownJob::Awaited(_), _) | (KnownJob::Led(_) | KnownJob::Past(_), false) => {
            Err(RestError::UnknownOperation { job: jobid, operation: triggerid })
        }
    };
    rest.answer(read).await
}

/// An empty body asks for the plain thing.
fn read_request(body: &[u8]) -> Result<StopRequest, RestError> {
    if body.is_empty() {
        return Ok(StopRequest::default());
    }
    serde_json::from_slice(body).map_err(|error| RestError::Unreadable(format!("the request cannot be read: {error}")))
}

/// Refuses what a stop cannot do yet.
fn check(StopRequest { target_directory, drain }: StopRequest) -> Result<(), RestError> {
    if let Some(folder) = target_directory {
        return Err(RestError::NotPossible(format!(
            "no savepoint can be written to `{folder}`: there are no savepoints yet. Without `targetDirectory` the sources \
             end, what they have read is worked on to its end, and its results are published; the job starts from its \
             beginning when it is submitted again"
        )));
    }
    if drain {
        return Err(RestError::NotPossible(
            "`drain` is not possible yet: event time is not driven to its end. Without it the sources end, what they have \
             read is worked on to its end, and windows that are still open then give no result"
                .to_owned(),
        ));
    }
    Ok(())
}

/// How far the stop of a job is.
fn status(job: &Job) -> SavepointStatus {
    let master = job.master();
    match master.status() {
        JobStatus::Finished | JobStatus::Failed | JobStatus::Canceled => ended(master.status(), job.failure()),
        JobStatus::Failing | JobStatus::Cancelling => SavepointStatus::in_progress(),
        JobStatus::Initializing | JobStatus::Created | JobStatus::Running | JobStatus::Restarting => {
            if master.is_stopping() {
                return SavepointStatus::in_progress();
            }
            let why = job.failure().unwrap_or_else(|| "a task failed".to_owned());
            failed(
                "not stopped",
                format!("the job failed before it had ended, and is started again; stop it again: {why}"),
            )
        }
    }
}

/// What came of the stop of a job that has ended like this. `why` is its last failure, if there was one.
fn ended(status: JobStatus, why: Option<String>) -> SavepointStatus {
    match (status, why) {
        (JobStatus::Finished, _) => {
            SavepointStatus { status: OperationStatus { id: OperationState::Completed }, operation: None }
        }
        (JobStatus::Failed, Some(why)) => failed("job failed", why),
        (status, _) => failed("job ended", format!("the job is {}: it ended before its sources had", status.word())),
    }
}

fn failed(class: &str, why: String) -> SavepointStatus {
    let failure_cause = FailureCause { class: class.to_owned(), stack_trace: why };
    SavepointStatus::completed(Savepoint::Failed { failure_cause })
}

impl Stops {
    /// Remembers a stop, and forgets the oldest of too many. Answers with its id.
    fn note(&self, job: JobId) -> String {
        let request_id = uuid::Uuid::new_v4().simple().to_string();
        let mut stops = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if stops.len() == STOPS_MAX {
            stops.pop_front();
        }
        stops.push_back(Stop { request_id: request_id.clone(), job });
        request_id
    }

    fn knows(&self, job: JobId, request_id: &str) -> bool {
        let stops = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stops.iter().any(|stop| stop.job == job && stop.request_id == request_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::tests::cluster::Cluster;

    #[test]
    fn what_a_stop_cannot_do_is_refused_with_what_it_can() {
        let refused = |text: &str| check(read_request(text.as_bytes()).unwrap()).unwrap_err().to_string();
        let savepoint = refused(r#"{"targetDirectory":"s3://b/s","drain":false}"#);
        assert!(
            savepoint.starts_with("no savepoint can be written to `s3://b/s`: there are no savepoints yet"),
            "{savepoint}"
        );
        let drain = refused(r#"{"drain":true}"#);
        assert!(drain.starts_with("`drain` is not possible yet"), "{drain}");
        for plain in ["", "{}", r#"{"drain":false,"formatType":"CANONICAL"}"#] {
            check(read_request(plain.as_bytes()).unwrap()).unwrap();
        }
        assert!(matches!(read_request(b"[1]"), Err(RestError::Unreadable(_))));
    }

    #[test]
    fn the_oldest_of_too_many_stops_is_forgotten() {
        let stops = Stops::default();
        let job = JobId::from_bits(1);
        let first = stops.note(job);
        assert!(stops.knows(job, &first) && !stops.knows(JobId::from_bits(2), &first));
        for _ in 0..STOPS_MAX {
            stops.note(job);
        }
        assert!(!stops.knows(job, &first));
    }

    #[tokio::test]
    async fn a_stop_is_under_way_until_the_job_has_ended() {
        let mut cluster = Cluster::start();
        cluster.worker("w", 1).await;
        let id = cluster.run("stopped", 1).await;
        cluster.handle().stop(id).await.unwrap();
        let read = move |manager: &JobManager| status(manager.job(id).unwrap());
        assert_eq!(cluster.read(read).await, SavepointStatus::in_progress());
        cluster.end_tasks(id).await;
        let done = cluster.read(read).await;
        assert_eq!((done.status.id, done.operation), (OperationState::Completed, None));
    }

    #[tokio::test]
    async fn a_stop_that_a_failure_undid_says_so() {
        let mut cluster = Cluster::start();
        cluster.worker("w", 1).await;
        let id = cluster.restart("restarting").await;
        let undone = cluster.read(move |manager| status(manager.job(id).unwrap())).await;
        let Some(Savepoint::Failed { failure_cause }) = undone.operation else { panic!("{undone:?}") };
        assert_eq!(failure_cause.class, "not stopped");
        assert!(failure_cause.stack_trace.contains("stop it again"), "{}", failure_cause.stack_trace);
    }
}
