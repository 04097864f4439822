//! `POST /jobs`: a new job.
//!
//! Flink takes a serialised graph and jars. Here the body is the manifest of a `StreamJob`, as text of the content type
//! [`MANIFEST_CONTENT_TYPE`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The content type of a manifest.
pub const MANIFEST_CONTENT_TYPE: &str = "application/yaml";

/// The answer to a manifest that can be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubmitResponse {
    /// Where the job is from now on: `/jobs/<id>`.
    #[serde(rename = "jobUrl")]
    pub job_url: String,
    /// The job's id. Flink does not have this field.
    #[serde(default)]
    pub jid: String,
    /// What the person who wrote the manifest should know, such as settings without effect. Flink does not have this
    /// field.
    #[serde(default)]
    pub warnings: Vec<String>,
}

impl SubmitResponse {
    /// The answer for the job with this id.
    pub fn of(jid: impl Into<String>, warnings: Vec<String>) -> Self {
        let jid = jid.into();
        Self { job_url: crate::paths::job(&jid), jid, warnings }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::is_written_and_read_as;

    #[test]
    fn body_has_flinks_field_and_ours() {
        let body = SubmitResponse::of("9c067a173e760c1c11186670f61795bf", vec!["`x` has no effect yet".to_owned()]);
        let expected = r#"{"jobUrl":"/jobs/9c067a173e760c1c11186670f61795bf",
            "jid":"9c067a173e760c1c11186670f61795bf","warnings":["`x` has no effect yet"]}"#;
        is_written_and_read_as(&body, expected);
    }

    #[test]
    fn answer_of_flink_can_be_read() {
        let body: SubmitResponse = serde_json::from_str(r#"{"jobUrl":"/jobs/9c06"}"#).unwrap();
        assert_eq!(body.job_url, "/jobs/9c06");
        assert_eq!((body.jid.as_str(), body.warnings.len()), ("", 0));
    }
}
