//! Millstream's REST interface: the bodies, the paths, a document that describes them, and a typed client (feature
//! `client`).
//!
//! It is shaped like Flink's of version 2.3, field by field, so that dashboards, scripts and habits carry over. Words
//! that tools match on (states of jobs and tasks) are Flink's and no others. What Flink does not have stands in fields
//! of its own: [`JobOverview::detail`] and [`JobOverview::restarts`] (also of [`JobDetails`]),
//! [`SubtaskDetails::earlier_attempts`], [`Overview::millstream_version`], [`SubmitResponse::jid`] and
//! [`SubmitResponse::warnings`]. Left out is what only a JVM has (its memory model, serialised exceptions), what Flink
//! itself writes twice under an old name (`start_time`, `backpressure-level`), and what follows from the rest of an
//! answer (`aggregated`: the quartiles of a vertex's subtasks).
//!
//! A resource is a file: its bodies with their samples. [`paths`] names every route once, for the server and for the
//! client; [`openapi`] has the table of endpoints that `docs/openapi.json` is made from.
//!
//! Times are in milliseconds since 1970, durations in milliseconds; -1 stands for what is not known yet, as in Flink.

#[cfg(feature = "client")]
pub mod client;
pub mod config;
pub mod error;
pub mod exceptions;
pub mod jobs;
pub mod metrics;
pub mod openapi;
pub mod overview;
pub mod paths;
pub mod plan;
pub mod query;
pub mod stop;
pub mod submit;
pub mod taskmanagers;
#[cfg(test)]
mod testing;
pub mod vertices;

#[cfg(feature = "client")]
pub use client::{Client, ClientError, ClientOptions};
pub use config::{ConfigEntry, DashboardConfig, ExecutionConfig, Features, JobConfig};
pub use error::{Empty, Errors};
pub use exceptions::{ExceptionEntry, ExceptionHistory, JobExceptions, RootException};
pub use jobs::{
    JobDetails, JobIdWithStatus, JobIds, JobOverview, JobState, JobStatus, JobTimestamps, JobType, JobsOverview,
    SchedulerType, TaskCounts,
};
pub use metrics::{AggregatedMetric, Aggregation, IoMetrics, Metric};
pub use overview::Overview;
pub use plan::{JobPlan, Plan, PlanInput, PlanNode};
pub use query::{CancelQuery, ExceptionsQuery, MetricsQuery, SubtaskMetricsQuery, TerminationMode};
pub use stop::{FailureCause, OperationState, OperationStatus, Savepoint, SavepointStatus, StopRequest, Triggered};
pub use submit::SubmitResponse;
pub use taskmanagers::{
    AllocatedSlot, Hardware, ResourceProfile, TaskManager, TaskManagerDetails, TaskManagerMetrics, TaskManagers,
};
pub use vertices::{
    BackpressureLevel, StateCounts, StatusDuration, Subtask, SubtaskBackpressure, SubtaskDetails, TaskState,
    VertexBackpressure, VertexDetails, VertexSummary,
};
