//! What a person writes: a job, its program and how it is to run.
//!
//! The comments of the fields are what `kubectl explain` shows. Field types are lenient on purpose: what is not known is
//! ignored, and what can be checked apart (names, options, the program) is text here.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The only version of [`StreamJob`] there is.
pub const API_VERSION: &str = "millstream.dev/v1alpha1";

/// The kind of [`StreamJob`].
pub const KIND: &str = "StreamJob";

/// A streaming job: a program that reads sources, transforms rows and writes sinks until its input ends or it is stopped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StreamJob {
    /// The version of this format.
    #[schemars(extend("enum" = [API_VERSION]))]
    pub api_version: String,
    /// What this object is.
    #[schemars(extend("enum" = [KIND]))]
    pub kind: String,
    /// Names the object.
    pub metadata: Metadata,
    /// What is wanted.
    pub spec: StreamJobSpec,
}

/// The part of Kubernetes' object metadata that a person writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The job's name: lower-case letters, digits, `-` and `.`, at most 253 of them.
    pub name: String,
    /// The Kubernetes namespace that the object lives in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Words to find the object by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Notes for people and tools.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// What a job computes and how it is to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StreamJobSpec {
    /// How many subtasks each operator has, and so how many slots the job needs. 1 unless this or the option
    /// `parallelism.default` says otherwise.
    #[schemars(range(min = 1, max = 32768))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<u32>,
    /// The number of key groups, which is the greatest parallelism that the job can ever be given. 4096 unless this or the
    /// option `pipeline.max-parallelism` says otherwise.
    #[schemars(range(min = 1, max = 32768))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallelism: Option<u32>,
    /// What the job computes.
    pub program: Program,
    /// The time zone, by its IANA name such as `Europe/Berlin`, in which text without a zone is read and local times are
    /// shown. UTC unless this or the option `table.local-time-zone` says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Whether and when the job is started again after a failure. If nothing says so: after a wait that grows with each failure;
    /// `millstream run` ends with the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_strategy: Option<RestartStrategy>,
    /// Options by their Flink names, each a text. A field of this manifest wins over the option with the same meaning.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, String>,
}

/// A program, as SQL or as a pipeline: exactly one of the two.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("oneOf" = [json!({"required": ["sql"]}), json!({"required": ["pipeline"]})]))]
pub struct Program {
    /// Statements in Flink's dialect of SQL, each ended by a semicolon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// Sources, transformations and sinks. See the pipeline reference for what stands in it.
    #[schemars(schema_with = "opaque")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<Map<String, Value>>,
}

/// When a failed job is started again: exactly one of these.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("oneOf" = [
    json!({"required": ["none"]}), json!({"required": ["fixedDelay"]}),
    json!({"required": ["exponentialDelay"]}), json!({"required": ["failureRate"]}),
]))]
pub struct RestartStrategy {
    /// The first failure ends the job. This is the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub none: Option<NoRestart>,
    /// So many times, each after the same wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed_delay: Option<FixedDelay>,
    /// After a wait that grows with each failure and falls back once the job has run well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exponential_delay: Option<ExponentialDelay>,
    /// As long as failures are rare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_rate: Option<FailureRate>,
}

/// Nothing to set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NoRestart {}

/// Settings of `fixedDelay`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FixedDelay {
    /// How many times the job is started again before it fails for good. 1 unless set.
    #[schemars(range(min = 0, max = 2147483647))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// How long to wait before each, as `10 s`. 1 s unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<String>,
}

/// Settings of `exponentialDelay`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExponentialDelay {
    /// The first wait. 1 s unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_backoff: Option<String>,
    /// The longest wait. 1 min unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_backoff: Option<String>,
    /// By how much the wait grows with each failure. 1.5 unless set.
    #[schemars(range(min = 1))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff_multiplier: Option<f64>,
    /// How long the job must run without a failure for the wait to fall back to the first one. 1 h unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset_backoff_threshold: Option<String>,
    /// The share of the wait that is added or taken away at random, so that jobs that failed together do not start
    /// together. 0.1 unless set.
    #[schemars(range(min = 0, max = 1))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter_factor: Option<f64>,
    /// How many times the job is started again without having run well in between, before it fails for good. Without
    /// limit unless set.
    #[schemars(range(min = 0, max = 2147483647))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts_before_reset_backoff: Option<u32>,
}

/// Settings of `failureRate`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailureRate {
    /// How many failures in an interval are borne. 1 unless set.
    #[schemars(range(min = 0, max = 2147483647))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_failures_per_interval: Option<u32>,
    /// The interval. 1 min unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_rate_interval: Option<String>,
    /// How long to wait before each start. 1 s unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<String>,
}

/// A mapping whose fields somebody else checks.
fn opaque(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}
