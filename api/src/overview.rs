//! `GET /overview`: what there is to run on, and what runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The cluster in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Overview {
    /// How many TaskManagers are registered.
    pub taskmanagers: u32,
    /// How many slots they have.
    pub slots_total: u32,
    /// How many of the slots no job holds.
    pub slots_available: u32,
    /// How many jobs have not ended.
    pub jobs_running: u32,
    /// How many jobs have worked on all their input.
    pub jobs_finished: u32,
    /// How many jobs someone has cancelled.
    pub jobs_cancelled: u32,
    /// How many jobs have failed.
    pub jobs_failed: u32,
    /// The version of Flink that these answers are shaped like; tools decide by it what they may ask for.
    pub flink_version: String,
    /// The commit that the JobMaster was built from.
    pub flink_commit: String,
    /// The version of Millstream. Flink does not have this field.
    #[serde(default)]
    pub millstream_version: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::is_written_and_read_as;

    const RECORDED: &str = r#"{"taskmanagers":1,"slots-total":4,"slots-available":2,"jobs-running":1,
        "jobs-finished":0,"jobs-cancelled":0,"jobs-failed":0,"flink-version":"2.3.0","flink-commit":"c0f8d1a"}"#;

    fn sample(millstream_version: &str) -> Overview {
        Overview {
            taskmanagers: 1,
            slots_total: 4,
            slots_available: 2,
            jobs_running: 1,
            jobs_finished: 0,
            jobs_cancelled: 0,
            jobs_failed: 0,
            flink_version: "2.3.0".to_owned(),
            flink_commit: "c0f8d1a".to_owned(),
            millstream_version: millstream_version.to_owned(),
        }
    }

    #[test]
    fn body_has_flinks_shape_and_our_version() {
        let ours = RECORDED.replace('}', r#","millstream-version":"0.1.0"}"#);
        is_written_and_read_as(&sample("0.1.0"), &ours);
        assert_eq!(serde_json::from_str::<Overview>(RECORDED).unwrap(), sample(""));
    }
}
