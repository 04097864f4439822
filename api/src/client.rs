//! A typed client: a method for every endpoint of [`crate::openapi::ENDPOINTS`].
//!
//! Every request has its own connection. A client asks a few times a second at most, so that costs nothing that counts,
//! and a request never goes down a connection that a restarted JobMaster no longer knows: for `submit` nobody could say
//! then whether the job was taken.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Client as Http};
use hyper_util::rt::TokioExecutor;

use crate::submit::MANIFEST_CONTENT_TYPE;
use crate::{
    AggregatedMetric, CancelQuery, ConfigEntry, DashboardConfig, Empty, ExceptionsQuery, JobConfig, JobDetails,
    JobExceptions, JobIds, JobPlan, JobStatus, JobsOverview, Metric, MetricsQuery, Overview, SavepointStatus,
    StopRequest, SubmitResponse, SubtaskDetails, SubtaskMetricsQuery, TaskManagerDetails, TaskManagers, Triggered,
    VertexBackpressure, VertexDetails, paths,
};

mod address;
mod error;
#[cfg(test)]
mod tests;
mod transport;

use address::Address;
pub use error::ClientError;
use transport::Call;

/// Asks a JobMaster.
#[derive(Debug, Clone)]
pub struct Client {
    http: legacy::Client<HttpConnector, Full<Bytes>>,
    address: Address,
    options: ClientOptions,
}

/// How long a client waits and how much it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientOptions {
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long a request may take in all, from connecting to the last byte of the answer.
    pub request_timeout: Duration,
    /// How many bytes an answer may have.
    pub answer_bytes_max: usize,
}

impl Default for ClientOptions {
    /// 5 s, 30 s, 64 MiB.
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            answer_bytes_max: 64 << 20,
        }
    }
}

impl Client {
    /// A client of the JobMaster at `http://host:port` or `host:port`. A host alone is asked at port 8081. Nothing is
    /// sent yet.
    pub fn new(address: &str) -> Result<Self, ClientError> {
        Self::with_options(address, ClientOptions::default())
    }

    /// The same with other limits.
    pub fn with_options(address: &str, options: ClientOptions) -> Result<Self, ClientError> {
        let address = Address::parse(address)?;
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(options.connect_timeout));
        connector.set_nodelay(true);
        let http = Http::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Ok(Self { http, address, options })
    }

    /// Whom it asks, as `host:port`.
    pub fn address(&self) -> &str {
        self.address.authority()
    }

    /// What there is to run on, and how many jobs there are.
    pub async fn overview(&self) -> Result<Overview, ClientError> {
        self.ask(Call::get(paths::overview())).await
    }

    /// What the web page is set to.
    pub async fn dashboard_config(&self) -> Result<DashboardConfig, ClientError> {
        self.ask(Call::get(paths::config())).await
    }

    /// The settings of the JobMaster.
    pub async fn jobmanager_config(&self) -> Result<Vec<ConfigEntry>, ClientError> {
        self.ask(Call::get(paths::jobmanager_config())).await
    }

    /// The ids and states of all jobs, those that have ended too.
    pub async fn jobs(&self) -> Result<JobIds, ClientError> {
        self.ask(Call::get(paths::jobs())).await
    }

    /// Starts the job that a manifest describes. The text is sent as it is.
    pub async fn submit(&self, manifest: &str) -> Result<SubmitResponse, ClientError> {
        let body = Bytes::copy_from_slice(manifest.as_bytes());
        self.ask(Call::post(paths::jobs(), MANIFEST_CONTENT_TYPE, body)).await
    }

    /// All jobs, each with its state and counts of its tasks.
    pub async fn jobs_overview(&self) -> Result<JobsOverview, ClientError> {
        self.ask(Call::get(paths::jobs_overview())).await
    }

    /// A job with its vertices and its plan.
    pub async fn job(&self, jobid: &str) -> Result<JobDetails, ClientError> {
        self.ask(Call::get(paths::job(jobid))).await
    }

    /// Ends a job at once and without a savepoint.
    pub async fn cancel(&self, jobid: &str) -> Result<Empty, ClientError> {
        self.ask(Call::patch(paths::job(jobid) + &CancelQuery::default().to_query())).await
    }

    /// In which state a job is.
    pub async fn job_status(&self, jobid: &str) -> Result<JobStatus, ClientError> {
        self.ask(Call::get(paths::job_status(jobid))).await
    }

    /// The vertices of a job and what flows between them.
    pub async fn job_plan(&self, jobid: &str) -> Result<JobPlan, ClientError> {
        self.ask(Call::get(paths::job_plan(jobid))).await
    }

    /// How a job is run.
    pub async fn job_config(&self, jobid: &str) -> Result<JobConfig, ClientError> {
        self.ask(Call::get(paths::job_config(jobid))).await
    }

    /// The failures of a job, the latest first.
    pub async fn job_exceptions(&self, jobid: &str, query: &ExceptionsQuery) -> Result<JobExceptions, ClientError> {
        self.ask(Call::get(paths::job_exceptions(jobid) + &query.to_query())).await
    }

    /// Metrics of a job; their names if none is named.
    pub async fn job_metrics(&self, jobid: &str, query: &MetricsQuery) -> Result<Vec<Metric>, ClientError> {
        self.ask(Call::get(paths::job_metrics(jobid) + &query.to_query())).await
    }

    /// Ends a job with a savepoint. [`Client::savepoint`] says how far it is.
    pub async fn stop(&self, jobid: &str, request: &StopRequest) -> Result<Triggered, ClientError> {
        // Written to a text, a body of texts and booleans cannot fail.
        let body = serde_json::to_vec(request).unwrap_or_default().into();
        self.ask(Call::post(paths::job_stop(jobid), "application/json", body)).await
    }

    /// How far a savepoint is.
    pub async fn savepoint(&self, jobid: &str, triggerid: &str) -> Result<SavepointStatus, ClientError> {
        self.ask(Call::get(paths::job_savepoint(jobid, triggerid))).await
    }

    /// A vertex with its subtasks.
    pub async fn vertex(&self, jobid: &str, vertexid: &str) -> Result<VertexDetails, ClientError> {
        self.ask(Call::get(paths::vertex(jobid, vertexid))).await
    }

    /// What the subtasks of a vertex spend their time on.
    pub async fn vertex_backpressure(&self, jobid: &str, vertexid: &str) -> Result<VertexBackpressure, ClientError> {
        self.ask(Call::get(paths::vertex_backpressure(jobid, vertexid))).await
    }

    /// The watermarks that the subtasks of a vertex have reached.
    pub async fn vertex_watermarks(&self, jobid: &str, vertexid: &str) -> Result<Vec<Metric>, ClientError> {
        self.ask(Call::get(paths::vertex_watermarks(jobid, vertexid))).await
    }

    /// Metrics of the subtasks of a vertex; their names if none is named.
    pub async fn vertex_metrics(
        &self,
        jobid: &str,
        vertexid: &str,
        query: &MetricsQuery,
    ) -> Result<Vec<Metric>, ClientError> {
        self.ask(Call::get(paths::vertex_metrics(jobid, vertexid) + &query.to_query())).await
    }

    /// Metrics summed up over the subtasks of a vertex; their names if none is named.
    pub async fn subtask_metrics(
        &self,
        jobid: &str,
        vertexid: &str,
        query: &SubtaskMetricsQuery,
    ) -> Result<Vec<AggregatedMetric>, ClientError> {
        self.ask(Call::get(paths::subtask_metrics(jobid, vertexid) + &query.to_query())).await
    }

    /// A subtask and the tries to run it.
    pub async fn subtask(&self, jobid: &str, vertexid: &str, index: u32) -> Result<SubtaskDetails, ClientError> {
        self.ask(Call::get(paths::subtask(jobid, vertexid, &index.to_string()))).await
    }

    /// The TaskManagers.
    pub async fn taskmanagers(&self) -> Result<TaskManagers, ClientError> {
        self.ask(Call::get(paths::taskmanagers())).await
    }

    /// A TaskManager.
    pub async fn taskmanager(&self, taskmanagerid: &str) -> Result<TaskManagerDetails, ClientError> {
        self.ask(Call::get(paths::taskmanager(taskmanagerid))).await
    }
}
