//! Why a request has no answer, as the client reads it: a status and [`Errors`]. All bodies of that kind are made here.

use std::time::Duration;

use axum::Json;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use millstream_api::Errors;
use millstream_graph::JobId;

use crate::job_manager::{Refusal, Unusable};

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum RestError {
    /// Nothing is there.
    #[error("Not found: {0}")]
    NoSuchPath(String),
    /// Something is there, but not for this method.
    #[error("{method} is not possible at {path}; the header `allow` says what is")]
    WrongMethod {
        /// What was tried.
        method: Method,
        /// Where.
        path: String,
    },
    /// The path, the query or the body says something that means nothing.
    #[error("{0}")]
    Unreadable(String),
    /// It cannot be done by this version.
    #[error("{0}")]
    NotPossible(String),
    /// A page of another site asks, in the browser of someone who may.
    #[error(
        "a page of {0} may not change anything here; send the request without a browser, or from a page of this server"
    )]
    OtherSite(String),
    /// The body is too long.
    #[error("{what} has more than {bytes_max} bytes, and that is the most that is taken")]
    TooLong {
        /// What was sent.
        what: &'static str,
        /// The limit.
        bytes_max: usize,
    },
    /// The body did not arrive in time.
    #[error("{what} did not arrive within {timeout:?}")]
    TooSlow {
        /// What was being sent.
        what: &'static str,
        /// The limit.
        timeout: Duration,
    },
    /// Others take up all that there is for requests like this.
    #[error("other manifests are being read and planned, and none of them was done within {0:?}; try again later")]
    Busy(Duration),
    /// The job is known, and has no such vertex.
    #[error("job {job} has no vertex {vertex}")]
    UnknownVertex {
        /// The job.
        job: JobId,
        /// What was asked for.
        vertex: String,
    },
    /// The vertex is known, and has no such subtask.
    #[error("the vertex {vertex} has {parallelism} subtasks, from 0 on, and none is {subtask}")]
    UnknownSubtask {
        /// The vertex.
        vertex: String,
        /// How many it has.
        parallelism: u32,
        /// What was asked for.
        subtask: u32,
    },
    /// No such operation was started, or that is too long ago.
    #[error("no operation on job {job} has the id {operation}, or it was forgotten")]
    UnknownOperation {
        /// The job.
        job: JobId,
        /// What was asked for.
        operation: String,
    },
    /// No such worker is registered.
    #[error("no TaskManager {0} is registered")]
    UnknownTaskManager(String),
    /// The text for Prometheus could not be made.
    #[error("the metrics could not be written: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The jobmaster says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl RestError {
    fn status(&self) -> StatusCode {
        match self {
            Self::NoSuchPath(_)
            | Self::UnknownVertex { .. }
            | Self::UnknownSubtask { .. }
            | Self::UnknownOperation { .. }
            | Self::UnknownTaskManager(_)
            | Self::Refused(Refusal::UnknownJob(_)) => StatusCode::NOT_FOUND,
            Self::WrongMethod { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unreadable(_) | Self::NotPossible(_) | Self::Refused(Refusal::Unusable(_)) => StatusCode::BAD_REQUEST,
            Self::OtherSite(_) => StatusCode::FORBIDDEN,
            Self::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::Refused(Refusal::Duplicate { .. } | Refusal::WrongState { .. }) => StatusCode::CONFLICT,
            Self::Metrics(_) | Self::Refused(Refusal::NotStored(_) | Refusal::PerhapsStored(_)) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Self::Busy(_) | Self::Refused(Refusal::Ending) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn into_errors(self) -> Errors {
        match self {
            Self::Refused(Refusal::Unusable(Unusable(errors))) => Errors { errors },
            other => Errors::one(other.to_string()),
        }
    }
}

impl IntoResponse for RestError {
    fn into_response(self) -> Response {
        (self.status(), Json(self.into_errors())).into_response()
    }
}

/// The answer where nothing is.
pub(super) async fn no_such_path(uri: Uri) -> RestError {
    RestError::NoSuchPath(uri.path().to_owned())
}

/// The answer where another method is expected.
pub(super) async fn wrong_method(method: Method, uri: Uri) -> RestError {
    RestError::WrongMethod { method, path: uri.path().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(error: RestError) -> (u16, Vec<String>) {
        (error.status().as_u16(), error.into_errors().errors)
    }

    #[test]
    fn every_problem_of_a_manifest_is_an_error_of_its_own() {
        let unusable = Unusable(vec!["line 1: a".to_owned(), "line 2: b".to_owned()]);
        let expected = (400, vec!["line 1: a".to_owned(), "line 2: b".to_owned()]);
        assert_eq!(answer(RestError::Refused(unusable.into())), expected);
    }

    #[test]
    fn refusals_have_the_status_that_tools_expect() {
        let job = JobId::from_bits(0xab);
        let status = |refusal: Refusal| RestError::from(refusal).status().as_u16();
        assert_eq!(status(Refusal::Duplicate { name: "x".to_owned(), state: "RUNNING", job }), 409);
        assert_eq!(status(Refusal::WrongState { job, state: "FINISHED", why: "it has ended" }), 409);
        assert_eq!(status(Refusal::NotStored("the disk is full".to_owned())), 500);
        assert_eq!(status(Refusal::Ending), 503);
        let (status, errors) = answer(Refusal::UnknownJob(job).into());
        assert_eq!((status, errors), (404, vec![format!("job {job} is not known")]));
    }
}
