//! `POST /jobs/{jobid}/stop` and `GET /jobs/{jobid}/savepoints/{triggerid}`: ending a job with a savepoint, and how far
//! that is.
//!
//! Such an operation takes its time. The first request is answered at once with an id; the second asks for its outcome.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a job is to be stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StopRequest {
    /// The folder that the savepoint is written below; the configured one unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_directory: Option<String>,
    /// Whether event time goes to its end first, so that every window fires. Not for jobs that are to go on later.
    #[serde(default)]
    pub drain: bool,
}

/// The answer to a request that starts an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Triggered {
    /// What to ask for its outcome with: the `triggerid` of `/jobs/{jobid}/savepoints/{triggerid}`.
    pub request_id: String,
}

/// How far an operation is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SavepointStatus {
    /// Whether it has ended.
    pub status: OperationStatus,
    /// What came of it; null while it is under way.
    pub operation: Option<Savepoint>,
}

impl SavepointStatus {
    /// An operation that is under way.
    pub fn in_progress() -> Self {
        Self { status: OperationStatus { id: OperationState::InProgress }, operation: None }
    }

    /// An operation that has ended, well or not.
    pub fn completed(outcome: Savepoint) -> Self {
        Self { status: OperationStatus { id: OperationState::Completed }, operation: Some(outcome) }
    }
}

/// The state of an operation, wrapped as Flink wraps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OperationStatus {
    /// The state.
    pub id: OperationState,
}

/// The state of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OperationState {
    /// It is under way.
    InProgress,
    /// It has ended: there is a savepoint or a reason why not.
    Completed,
}

/// What came of an operation: one of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Savepoint {
    /// There is a savepoint.
    Written {
        /// Where.
        location: String,
    },
    /// There is none.
    #[serde(rename_all = "kebab-case")]
    Failed {
        /// Why.
        failure_cause: FailureCause,
    },
}

/// Why an operation failed. (Flink adds the serialised exception, which only Java can read.)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct FailureCause {
    /// The kind of failure in a word or two. (The name of a Java class in Flink.)
    pub class: String,
    /// The error in full, with its causes.
    pub stack_trace: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::is_written_and_read_as;

    #[test]
    fn request_has_flinks_shape() {
        let request = StopRequest { target_directory: Some("s3://b/savepoints".to_owned()), drain: true };
        is_written_and_read_as(&request, r#"{"targetDirectory":"s3://b/savepoints","drain":true}"#);
        let triggered = Triggered { request_id: "592a03250b942ca68d066c2fbb035c34".to_owned() };
        is_written_and_read_as(&triggered, r#"{"request-id":"592a03250b942ca68d066c2fbb035c34"}"#);
    }

    #[test]
    fn everything_in_a_request_may_be_left_out() {
        assert_eq!(serde_json::from_str::<StopRequest>("{}").unwrap(), StopRequest::default());
        let more = r#"{"formatType":"CANONICAL","targetDirectory":null}"#;
        assert_eq!(serde_json::from_str::<StopRequest>(more).unwrap(), StopRequest::default());
    }

    #[test]
    fn outcomes_have_flinks_shape() {
        is_written_and_read_as(&SavepointStatus::in_progress(), r#"{"status":{"id":"IN_PROGRESS"},"operation":null}"#);
        let written = Savepoint::Written { location: "file:/sp/savepoint-9c067a-04f8423060b0".to_owned() };
        is_written_and_read_as(
            &SavepointStatus::completed(written),
            r#"{"status":{"id":"COMPLETED"},"operation":{"location":"file:/sp/savepoint-9c067a-04f8423060b0"}}"#,
        );
        let failure_cause = FailureCause { class: "CheckpointException".to_owned(), stack_trace: "no disk".to_owned() };
        is_written_and_read_as(
            &SavepointStatus::completed(Savepoint::Failed { failure_cause }),
            r#"{"status":{"id":"COMPLETED"},"operation":{"failure-cause":{"class":"CheckpointException",
                "stack-trace":"no disk"}}}"#,
        );
    }
}
