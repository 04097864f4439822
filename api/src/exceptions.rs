//! `GET /jobs/{jobid}/exceptions`: the failures of a job, the latest first.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The failures of a job. (Flink 1 had a `root-exception` beside the history; it is gone.)
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobExceptions {
    /// What has failed.
    pub exception_history: ExceptionHistory,
}

/// The latest failures that are remembered, or as many of them as were asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExceptionHistory {
    /// The failures, the latest first.
    pub entries: Vec<RootException>,
    /// Whether there were more.
    pub truncated: bool,
}

/// A failure that made the job, or a region of it, start again or end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RootException {
    /// What failed first.
    #[serde(flatten)]
    pub exception: ExceptionEntry,
    /// What failed besides, before the tasks were ended.
    #[serde(default)]
    pub concurrent_exceptions: Vec<ExceptionEntry>,
}

/// One thing that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionEntry {
    /// The kind of failure in a word or two. (The name of a Java class in Flink.)
    pub exception_name: String,
    /// The error in full, with its causes. (A Java stack trace in Flink.)
    pub stacktrace: String,
    /// When it happened, in milliseconds since 1970.
    pub timestamp: i64,
    /// Words to find or group failures by.
    #[serde(default)]
    pub failure_labels: BTreeMap<String, String>,
    /// Which task failed, as `name (1/2) - execution #0`; absent if it was the job as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_name: Option<String>,
    /// Host and data port of the TaskManager that ran it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The TaskManager that ran it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_manager_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::is_written_and_read_as;

    fn entry(task: Option<&str>) -> ExceptionEntry {
        ExceptionEntry {
            exception_name: "java.lang.NumberFormatException".to_owned(),
            stacktrace: "java.lang.NumberFormatException: For input string: 'x8'.\n\tat …\n".to_owned(),
            timestamp: 1_795_612_778_985,
            failure_labels: BTreeMap::new(),
            task_name: task.map(str::to_owned),
            endpoint: task.map(|_| "localhost:45285".to_owned()),
            task_manager_id: task.map(|_| "127.0.0.1:44625-31901e".to_owned()),
        }
    }

    #[test]
    fn job_without_failures_has_flinks_shape() {
        is_written_and_read_as(&JobExceptions::default(), r#"{"exceptionHistory":{"entries":[],"truncated":false}}"#);
    }

    #[test]
    fn failures_have_flinks_shape() {
        let mut labelled = entry(Some("Source: s[1] (1/2) - execution #2"));
        labelled.failure_labels.insert("type".to_owned(), "user".to_owned());
        let failure = RootException { exception: labelled, concurrent_exceptions: vec![entry(None)] };
        let history = ExceptionHistory { entries: vec![failure], truncated: true };
        let recorded = r#"{"exceptionHistory":{"entries":[{"exceptionName":"java.lang.NumberFormatException",
            "stacktrace":"java.lang.NumberFormatException: For input string: 'x8'.\n\tat …\n","timestamp":1795612778985,
            "failureLabels":{"type":"user"},"taskName":"Source: s[1] (1/2) - execution #2",
            "endpoint":"localhost:45285","taskManagerId":"127.0.0.1:44625-31901e","concurrentExceptions":[
              {"exceptionName":"java.lang.NumberFormatException",
               "stacktrace":"java.lang.NumberFormatException: For input string: 'x8'.\n\tat …\n",
               "timestamp":1795612778985,"failureLabels":{}}]}],"truncated":true}}"#;
        is_written_and_read_as(&JobExceptions { exception_history: history }, recorded);
    }
}
