//! `GET /jobs`, `GET /jobs/overview`, `GET /jobs/{jobid}` and `GET /jobs/{jobid}/status`: what jobs there are and how
//! they do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::Plan;
use crate::vertices::{StateCounts, VertexSummary};

#[cfg(test)]
mod tests;

/// The state of a job. The words are Flink's and no others; what a job waits for stands beside it, in `detail`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobState {
    /// It is planned and stored.
    Initializing,
    /// It waits for slots.
    Created,
    /// Its tasks are deployed or run.
    Running,
    /// It has failed for good, and what still runs is being ended.
    Failing,
    /// It has failed.
    Failed,
    /// Someone has cancelled it, and what still runs is being ended.
    Cancelling,
    /// Someone has cancelled it.
    Canceled,
    /// It has worked on all its input.
    Finished,
    /// Something has failed, and it starts anew as soon as the restart strategy lets it.
    Restarting,
    /// This JobMaster no longer leads it; another one may.
    Suspended,
    /// Flink's word while a new JobManager finds out what runs; not used here.
    Reconciling,
}

impl JobState {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Initializing,
        Self::Created,
        Self::Running,
        Self::Failing,
        Self::Failed,
        Self::Cancelling,
        Self::Canceled,
        Self::Finished,
        Self::Restarting,
        Self::Suspended,
        Self::Reconciling,
    ];

    /// Whether the job has ended and will not run again.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Failed | Self::Canceled | Self::Finished)
    }
}

/// Whether the input of a job ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobType {
    /// It is planned for input that ends.
    Batch,
    /// It is planned for input that may go on for ever.
    Streaming,
}

/// How slots are found for a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SchedulerType {
    /// It runs when it has all the slots that it asks for.
    Default,
    /// It runs with the slots that there are.
    Adaptive,
    /// Each stage is given the parallelism that its input asks for.
    AdaptiveBatch,
}

/// `GET /jobs`: all jobs, those that have ended too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobIds {
    /// The jobs.
    pub jobs: Vec<JobIdWithStatus>,
}

/// A job's id and state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobIdWithStatus {
    /// The job's id.
    pub id: String,
    /// Where it stands.
    pub status: JobState,
}

/// `GET /jobs/{jobid}/status`: a job's state and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobStatus {
    /// Where it stands.
    pub status: JobState,
}

/// `GET /jobs/overview`: a line for each job, those that have ended too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JobsOverview {
    /// The jobs.
    pub jobs: Vec<JobOverview>,
}

/// A job in a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct JobOverview {
    /// The job's id.
    pub jid: String,
    /// The job's name.
    pub name: String,
    /// Whether its input ends.
    #[serde(rename = "jobType")]
    pub job_type: JobType,
    /// How slots are found for it.
    #[serde(rename = "schedulerType")]
    pub scheduler_type: SchedulerType,
    /// When it was submitted.
    pub start_time: i64,
    /// When it ended; -1 while it has not.
    pub end_time: i64,
    /// For how long it has been there.
    pub duration: i64,
    /// Where it stands.
    pub state: JobState,
    /// When one of its tasks last changed its state.
    pub last_modification: i64,
    /// How many of its tasks are in each state.
    pub tasks: TaskCounts,
    /// How many operators have not been planned yet; 0 but for Flink's adaptive batch jobs.
    #[serde(default)]
    pub pending_operators: u32,
    /// What there is to say besides the state, such as `waits for 2 of 4 slots`; absent when there is nothing. Flink
    /// does not have this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How many times the job, or a part of it, was started again. Flink does not have this field.
    #[serde(default)]
    pub restarts: u32,
}

/// How many tasks of a job are in each state, and in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "each field is a state, but for the total")]
pub struct TaskCounts {
    pub total: u32,
    pub created: u32,
    pub scheduled: u32,
    pub deploying: u32,
    pub initializing: u32,
    pub running: u32,
    pub finished: u32,
    pub canceling: u32,
    pub canceled: u32,
    pub failed: u32,
    pub reconciling: u32,
}

impl From<StateCounts> for TaskCounts {
    fn from(counts: StateCounts) -> Self {
        let StateCounts {
            created,
            scheduled,
            deploying,
            initializing,
            running,
            finished,
            canceling,
            canceled,
            failed,
            reconciling,
        } = counts;
        let alive = created + scheduled + deploying + initializing + running + reconciling;
        let total = alive + finished + canceling + canceled + failed;
        Self {
            total,
            created,
            scheduled,
            deploying,
            initializing,
            running,
            finished,
            canceling,
            canceled,
            failed,
            reconciling,
        }
    }
}

/// `GET /jobs/{jobid}`: a job with its vertices and its plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct JobDetails {
    /// The job's id.
    pub jid: String,
    /// The id of the application that submitted it: the job's own, as for every job that is submitted by itself.
    #[serde(default)]
    pub application_id: String,
    /// The job's name.
    pub name: String,
    /// Whether it can be stopped without a savepoint. Never, in Flink 2.
    #[serde(rename = "isStoppable")]
    pub is_stoppable: bool,
    /// Where it stands.
    pub state: JobState,
    /// Whether its input ends.
    pub job_type: JobType,
    /// How slots are found for it.
    #[serde(rename = "schedulerType")]
    pub scheduler_type: SchedulerType,
    /// When it was submitted.
    pub start_time: i64,
    /// When it ended; -1 while it has not.
    pub end_time: i64,
    /// For how long it has been there.
    pub duration: i64,
    /// The greatest parallelism that it was given; -1 if it was given none.
    #[serde(rename = "maxParallelism")]
    pub max_parallelism: i64,
    /// The time of this answer.
    pub now: i64,
    /// When it came into each state.
    pub timestamps: JobTimestamps,
    /// Its vertices, each after those that it reads from.
    pub vertices: Vec<VertexSummary>,
    /// How many of its vertices are in each state.
    pub status_counts: StateCounts,
    /// Its vertices and what flows between them.
    pub plan: Plan,
    /// How many operators have not been planned yet; 0 but for Flink's adaptive batch jobs.
    #[serde(default)]
    pub pending_operators: u32,
    /// What there is to say besides the state, such as `waits for 2 of 4 slots`; absent when there is nothing. Flink
    /// does not have this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How many times the job, or a part of it, was started again. Flink does not have this field.
    #[serde(default)]
    pub restarts: u32,
}

/// When a job came into each state for the last time, in milliseconds since 1970; 0 for a state that it was never in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "each field is a state")]
pub struct JobTimestamps {
    pub initializing: i64,
    pub created: i64,
    pub running: i64,
    pub failing: i64,
    pub failed: i64,
    pub cancelling: i64,
    pub canceled: i64,
    pub finished: i64,
    pub restarting: i64,
    pub suspended: i64,
    pub reconciling: i64,
}

impl JobTimestamps {
    /// The time of `state`, to be read or changed.
    pub fn time_of(&mut self, state: JobState) -> &mut i64 {
        match state {
            JobState::Initializing => &mut self.initializing,
            JobState::Created => &mut self.created,
            JobState::Running => &mut self.running,
            JobState::Failing => &mut self.failing,
            JobState::Failed => &mut self.failed,
            JobState::Cancelling => &mut self.cancelling,
            JobState::Canceled => &mut self.canceled,
            JobState::Finished => &mut self.finished,
            JobState::Restarting => &mut self.restarting,
            JobState::Suspended => &mut self.suspended,
            JobState::Reconciling => &mut self.reconciling,
        }
    }
}
