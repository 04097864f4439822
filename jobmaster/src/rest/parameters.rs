//! What stands in a path and behind its `?`, read into types; what cannot be read is answered with [`RestError::Unreadable`].

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use millstream_graph::JobId;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};

use super::error::RestError;

/// The parameters in a path.
#[derive(Debug)]
pub(super) struct InPath<T>(pub(super) T);

/// What stands behind the `?`.
#[derive(Debug)]
pub(super) struct InQuery<T>(pub(super) T);

/// A path below a job's.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct OfJob {
    #[serde(deserialize_with = "job_id")]
    pub(super) jobid: JobId,
}

/// A path below a vertex's.
#[derive(Debug, Deserialize)]
pub(super) struct OfVertex {
    #[serde(deserialize_with = "job_id")]
    pub(super) jobid: JobId,
    pub(super) vertexid: String,
}

/// The path of a subtask.
#[derive(Debug, Deserialize)]
pub(super) struct OfSubtask {
    #[serde(deserialize_with = "job_id")]
    pub(super) jobid: JobId,
    pub(super) vertexid: String,
    pub(super) subtaskindex: u32,
}

/// The path of an operation.
#[derive(Debug, Deserialize)]
pub(super) struct OfOperation {
    #[serde(deserialize_with = "job_id")]
    pub(super) jobid: JobId,
    pub(super) triggerid: String,
}

/// The path of a worker.
#[derive(Debug, Deserialize)]
pub(super) struct OfTaskManager {
    pub(super) taskmanagerid: String,
}

fn job_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<JobId, D::Error> {
    let text = String::deserialize(deserializer)?;
    let wrong = || D::Error::custom(format!("`{text}` is not the id of a job, which has 32 hexadecimal digits"));
    JobId::parse(&text).ok_or_else(wrong)
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for InPath<T> {
    type Rejection = RestError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, RestError> {
        let read = Path::from_request_parts(parts, state).await;
        read.map(|Path(read)| Self(read)).map_err(|rejection| RestError::Unreadable(rejection.body_text()))
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for InQuery<T> {
    type Rejection = RestError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, RestError> {
        let read = Query::from_request_parts(parts, state).await;
        read.map(|Query(read)| Self(read)).map_err(|rejection| RestError::Unreadable(rejection.body_text()))
    }
}
