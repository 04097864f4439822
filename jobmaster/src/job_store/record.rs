//! The records of a job: one sequence, each created once and never changed.
//!
//! ```text
//!  jobs/<job id>/00000000000000000001.json   {"number":1,"epoch":1,"nonce":"…","event":{"submitted":{…}}}
//!  jobs/<job id>/00000000000000000002.json   {"number":2,"epoch":2,"nonce":"…","event":{"takenOver":{}}}
//!  jobs/<job id>/00000000000000000003.json   {"number":3,"epoch":2,"nonce":"…","event":{"publish":{"sinks":[…]}}}
//!  jobs/<job id>/00000000000000000004.json   {"number":4,"epoch":2,"nonce":"…","event":{"ended":{…}}}
//! ```

use millstream_planner::resolved::ResolvedProgram;
use serde::{Deserialize, Serialize};

/// A record of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Its place in the sequence, from 1.
    pub number: u64,
    /// Of the JobMaster that wrote it.
    pub epoch: u64,
    /// Names the JobMaster that wrote it, so that it knows its own record when the answer to the write was lost.
    pub nonce: String,
    /// What it says.
    pub event: RecordedEvent,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RecordedEvent {
    /// The job was submitted. The first record, and no other.
    Submitted(Box<Submission>),
    /// A JobMaster has taken the job over: those before it have a lower epoch and collide with this record.
    TakenOver {},
    /// The results are to be made visible. From here on they are, whoever does it.
    Publish(Publication),
    /// The job has ended. The last record.
    Ended(JobEnd),
}

/// A job as it was submitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Submission {
    /// What is run.
    pub program: ResolvedProgram,
    /// When it was submitted, in milliseconds since 1970.
    pub at_ms: i64,
}

/// What all sinks of a job have written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Publication {
    /// By sink.
    pub sinks: Vec<SinkPublication>,
}

/// What a sink has written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SinkPublication {
    /// The sink's operator id: a place would mean another sink once the program is planned by another build.
    pub sink: String,
    /// In its own words.
    pub committables: Vec<String>,
}

/// How a job has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobEnd {
    /// Flink's word: `FINISHED`, `CANCELED` or `FAILED`.
    pub state: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Why, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}
