//! The REST interface: what people, pages and tools ask of a jobmaster, in Flink's shapes (the crate `api`).
//!
//! ```text
//!  client ──► server: connections, limits ──► router ──► a resource: reads path, query and body
//!                                                          │ `JobManagerHandle::ask`
//!                                                          ▼
//!                                              the loop: a pure function over `&JobManager` makes the body
//! ```
//!
//! A resource is a file: its routes, its handlers, and the pure functions that make its bodies. Handlers decide nothing. What
//! cannot be answered becomes a body in one place, `error`. `server` keeps clients that are slow, many or wrong from doing
//! harm to the others.
//!
//! Not here: who may ask. Whoever reaches the port may start jobs, and a job reads and writes files.

mod body;
mod cluster;
mod error;
mod exceptions;
mod guard;
mod jobs;
mod known;
mod measures;
mod metrics;
mod openapi;
mod parameters;
mod plan;
mod scrape;
mod server;
mod stop;
mod submit;
mod taskmanagers;
#[cfg(test)]
mod tests;
mod vertices;

use std::sync::Arc;
use std::time::Duration;

use axum::{Json, Router, middleware};
use millstream_api::{ConfigEntry, paths};
use tokio::sync::Semaphore;

use crate::job_manager::{JobManager, JobManagerHandle, Refusal};
use error::RestError;
use stop::Stops;

pub use server::serve;

/// How the interface behaves.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// What a client may take up.
    pub limits: Limits,
    /// Settings of the process that only its `main` knows, such as addresses, for `/jobmanager/config`.
    pub shown: Vec<ConfigEntry>,
}

/// What clients may take up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time. Further ones wait until one of these ends.
    pub connections_max: usize,
    /// How long the head of a request may take to arrive, and how long a connection may be idle.
    pub head_timeout: Duration,
    /// How many bytes the head of a request may have; at least 8 KiB.
    pub head_bytes_max: usize,
    /// How long the body of a request may take to arrive.
    pub body_timeout: Duration,
    /// How many bytes a manifest may have.
    pub manifest_bytes_max: usize,
    /// Manifests that are read and planned at a time. Further ones wait.
    pub submissions_max: usize,
    /// After how long a connection takes no further request. Whoever does not read an answer is cut off after twice this.
    pub connection_age_max: Duration,
    /// How long requests may take to their end when the server ends.
    pub end_timeout: Duration,
}

impl Default for Limits {
    /// 256 connections, 10 s and 64 KiB for a head, 30 s for a body, 2 MiB for a manifest, 16 manifests, 60 s, 5 s.
    fn default() -> Self {
        Self {
            connections_max: 256,
            head_timeout: Duration::from_secs(10),
            head_bytes_max: 64 << 10,
            body_timeout: Duration::from_secs(30),
            manifest_bytes_max: 2 << 20,
            submissions_max: 16,
            connection_age_max: Duration::from_secs(60),
            end_timeout: Duration::from_secs(5),
        }
    }
}

/// What the handlers share.
#[derive(Debug, Clone)]
struct Rest {
    handle: JobManagerHandle,
    settings: Arc<Settings>,
    submissions: Arc<Semaphore>,
    stops: Arc<Stops>,
}

/// What a handler answers.
type Answer<T> = Result<Json<T>, RestError>;

impl Rest {
    fn new(handle: JobManagerHandle, settings: Settings) -> Self {
        let submissions = Arc::new(Semaphore::new(settings.limits.submissions_max));
        Self { handle, settings: Arc::new(settings), submissions, stops: Arc::default() }
    }

    fn limits(&self) -> Limits {
        self.settings.limits
    }

    /// Runs `read` in the jobmaster's loop, so it sees everything at one moment.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&JobManager) -> Result<T, RestError> + Send + 'static,
    ) -> Result<T, RestError> {
        self.handle.ask(move |manager| read(manager)).await.ok_or(Refusal::Ending)?
    }

    /// The same, as the body of an answer.
    async fn answer<T: Send + 'static>(
        &self,
        read: impl FnOnce(&JobManager) -> Result<T, RestError> + Send + 'static,
    ) -> Answer<T> {
        self.read(read).await.map(Json)
    }
}

/// All routes, each also below `/v1`.
fn router(rest: Rest) -> Router {
    let resources = Router::new()
        .merge(cluster::routes())
        .merge(taskmanagers::routes())
        .merge(jobs::routes())
        .merge(submit::routes())
        .merge(stop::routes())
        .merge(plan::routes())
        .merge(exceptions::routes())
        .merge(metrics::routes())
        .merge(vertices::routes())
        .merge(openapi::routes());
    Router::new()
        .nest(paths::VERSION_1, resources.clone())
        .merge(resources)
        .merge(scrape::routes())
        .fallback(error::no_such_path)
        .method_not_allowed_fallback(error::wrong_method)
        .layer(middleware::from_fn(guard::refuse_other_sites))
        .layer(middleware::from_fn(guard::log))
        .with_state(rest)
}
