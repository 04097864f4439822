//! `GET /config`, `GET /jobmanager/config`, `GET /jobs/{jobid}/config`: what the page, the process and a job are set
//! to.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `GET /config`: what the web page asks for first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct DashboardConfig {
    /// After how many milliseconds the page asks again.
    pub refresh_interval: i64,
    /// The name of the server's time zone.
    pub timezone_name: String,
    /// Its distance from UTC, in milliseconds.
    pub timezone_offset: i32,
    /// The version of Flink that these answers are shaped like.
    pub flink_version: String,
    /// The commit that the JobMaster was built from, and when.
    pub flink_revision: String,
    /// What the page may offer.
    pub features: Features,
}

/// What the web page may offer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::struct_excessive_bools, reason = "the shape is Flink's")]
pub struct Features {
    /// Whether jobs can be submitted.
    pub web_submit: bool,
    /// Whether jobs can be cancelled.
    pub web_cancel: bool,
    /// Whether the parallelism of a job can be changed.
    pub web_rescale: bool,
    /// Whether this is a history server, which shows jobs that have ended and runs none.
    pub web_history: bool,
}

/// A setting of the JobMaster; `GET /jobmanager/config` answers with a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigEntry {
    /// Its name.
    pub key: String,
    /// What it is set to; `******` for a secret.
    pub value: String,
}

/// `GET /jobs/{jobid}/config`: how a job is run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct JobConfig {
    /// The job's id.
    pub jid: String,
    /// The job's name.
    pub name: String,
    /// How it is run.
    pub execution_config: ExecutionConfig,
}

/// How a job is run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ExecutionConfig {
    /// The restart strategy in words.
    pub restart_strategy: String,
    /// The parallelism of operators that do not have their own.
    pub job_parallelism: u32,
    /// Whether operators hand rows on without copying them. Always so here.
    pub object_reuse_mode: bool,
    /// The options that were set for the job, by name; `******` for a secret.
    pub user_config: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::is_written_and_read_as;

    #[test]
    fn dashboard_has_flinks_shape() {
        let body = DashboardConfig {
            refresh_interval: 3000,
            timezone_name: "Coordinated Universal Time".to_owned(),
            timezone_offset: 0,
            flink_version: "2.3.0".to_owned(),
            flink_revision: "c0f8d1a @ 2026-06-14T16:29:03+02:00".to_owned(),
            features: Features { web_submit: true, web_cancel: true, web_rescale: true, web_history: false },
        };
        let recorded = r#"{"refresh-interval":3000,"timezone-name":"Coordinated Universal Time","timezone-offset":0,
            "flink-version":"2.3.0","flink-revision":"c0f8d1a @ 2026-06-14T16:29:03+02:00",
            "features":{"web-submit":true,"web-cancel":true,"web-rescale":true,"web-history":false}}"#;
        is_written_and_read_as(&body, recorded);
    }

    #[test]
    fn settings_of_the_process_have_flinks_shape() {
        let entry = |key: &str, value: &str| ConfigEntry { key: key.to_owned(), value: value.to_owned() };
        let body = vec![entry("rest.port", "8081"), entry("taskmanager.numberOfTaskSlots", "4")];
        let recorded = r#"[{"key":"rest.port","value":"8081"},{"key":"taskmanager.numberOfTaskSlots","value":"4"}]"#;
        is_written_and_read_as(&body, recorded);
    }

    #[test]
    fn settings_of_a_job_have_flinks_shape() {
        let body = JobConfig {
            jid: "9c067a173e760c1c11186670f61795bf".to_owned(),
            name: "counts".to_owned(),
            execution_config: ExecutionConfig {
                restart_strategy: "Cluster level default restart strategy".to_owned(),
                job_parallelism: 2,
                object_reuse_mode: false,
                user_config: BTreeMap::from([("table.local-time-zone".to_owned(), "UTC".to_owned())]),
            },
        };
        let recorded = r#"{"jid":"9c067a173e760c1c11186670f61795bf","name":"counts","execution-config":{
            "restart-strategy":"Cluster level default restart strategy","job-parallelism":2,"object-reuse-mode":false,
            "user-config":{"table.local-time-zone":"UTC"}}}"#;
        is_written_and_read_as(&body, recorded);
    }
}
