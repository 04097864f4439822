//! `GET /jobs/{jobid}/vertices/{vertexid}` and below: a vertex, its subtasks and what holds them up.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metrics::IoMetrics;

#[cfg(test)]
pub(crate) mod tests;

/// The state of a task, which is a try at running a subtask. The words are Flink's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskState {
    /// Nothing has been done for it yet.
    Created,
    /// It waits for a slot.
    Scheduled,
    /// A TaskManager has been told to run it.
    Deploying,
    /// It reads its state.
    Initializing,
    /// It works.
    Running,
    /// It has worked on all its input.
    Finished,
    /// It is being ended.
    Canceling,
    /// It was ended.
    Canceled,
    /// It has failed.
    Failed,
    /// Flink's word while a new JobManager finds out what runs; not used here.
    Reconciling,
}

impl TaskState {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Created,
        Self::Scheduled,
        Self::Deploying,
        Self::Initializing,
        Self::Running,
        Self::Finished,
        Self::Canceling,
        Self::Canceled,
        Self::Failed,
        Self::Reconciling,
    ];
}

/// How many tasks, or vertices, are in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "each field is a state")]
pub struct StateCounts {
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

impl StateCounts {
    /// How many are in `state`, to be read or changed.
    pub fn count_of(&mut self, state: TaskState) -> &mut u32 {
        match state {
            TaskState::Created => &mut self.created,
            TaskState::Scheduled => &mut self.scheduled,
            TaskState::Deploying => &mut self.deploying,
            TaskState::Initializing => &mut self.initializing,
            TaskState::Running => &mut self.running,
            TaskState::Finished => &mut self.finished,
            TaskState::Canceling => &mut self.canceling,
            TaskState::Canceled => &mut self.canceled,
            TaskState::Failed => &mut self.failed,
            TaskState::Reconciling => &mut self.reconciling,
        }
    }
}

impl FromIterator<TaskState> for StateCounts {
    /// Counts the states.
    fn from_iter<I: IntoIterator<Item = TaskState>>(states: I) -> Self {
        states.into_iter().fold(Self::default(), |mut counts, state| {
            *counts.count_of(state) += 1;
            counts
        })
    }
}

/// A vertex as it stands in `GET /jobs/{jobid}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct VertexSummary {
    /// The vertex's id.
    pub id: String,
    /// Vertices with the same group may share slots.
    #[serde(rename = "slotSharingGroupId", default)]
    pub slot_sharing_group_id: String,
    /// What it does, in a few words.
    pub name: String,
    /// The greatest parallelism that it can have.
    #[serde(rename = "maxParallelism")]
    pub max_parallelism: i32,
    /// How many subtasks it has.
    pub parallelism: u32,
    /// The state that sums up those of its subtasks.
    pub status: TaskState,
    /// When its first subtask was deployed; -1 if none was.
    pub start_time: i64,
    /// When its last subtask ended; -1 while one has not.
    pub end_time: i64,
    /// For how long it has run; -1 before it has.
    pub duration: i64,
    /// How many of its subtasks are in each state.
    pub tasks: StateCounts,
    /// What has gone through it.
    pub metrics: IoMetrics,
}

/// `GET /jobs/{jobid}/vertices/{vertexid}`: a vertex with its subtasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VertexDetails {
    /// The vertex's id.
    pub id: String,
    /// What it does, in a few words.
    pub name: String,
    /// How many subtasks it has.
    pub parallelism: u32,
    /// The greatest parallelism that it can have.
    pub max_parallelism: i32,
    /// The time of this answer.
    pub now: i64,
    /// Its subtasks in order, each as its latest try.
    pub subtasks: Vec<Subtask>,
}

/// A try at running a subtask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Subtask {
    /// The index of the subtask, from 0.
    pub subtask: u32,
    /// Where the try stands.
    pub status: TaskState,
    /// The number of the try, from 0.
    pub attempt: u32,
    /// Host and data port of the TaskManager; `(unassigned)` as long as there is none.
    pub endpoint: String,
    /// When it was deployed; -1 if it was not.
    pub start_time: i64,
    /// When it ended; -1 while it has not.
    pub end_time: i64,
    /// For how long it has run; -1 before it has.
    pub duration: i64,
    /// What has gone through it.
    pub metrics: IoMetrics,
    /// The TaskManager that runs it; `(unassigned)` as long as there is none.
    pub taskmanager_id: String,
    /// For how long it was in each state.
    #[serde(default)]
    pub status_duration: StatusDuration,
}

impl Subtask {
    /// What stands for the TaskManager of a task that has none.
    pub const UNASSIGNED: &str = "(unassigned)";
}

/// For how many milliseconds a task was in each of the states that it does not end in; -1 for one that it has not
/// reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "each field is a state")]
pub struct StatusDuration {
    pub created: i64,
    pub scheduled: i64,
    pub deploying: i64,
    pub initializing: i64,
    pub running: i64,
}

impl Default for StatusDuration {
    /// No state reached.
    fn default() -> Self {
        Self { created: -1, scheduled: -1, deploying: -1, initializing: -1, running: -1 }
    }
}

/// `GET /jobs/{jobid}/vertices/{vertexid}/subtasks/{subtaskindex}`: a subtask and the tries to run it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct SubtaskDetails {
    /// The latest try.
    #[serde(flatten)]
    pub latest: Subtask,
    /// The tries before it that are remembered, the latest first. Flink does not have this field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier_attempts: Vec<Subtask>,
}

/// `GET /jobs/{jobid}/vertices/{vertexid}/backpressure`: what holds the subtasks up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "status", rename_all_fields = "kebab-case")]
pub enum VertexBackpressure {
    /// It has been measured.
    #[serde(rename = "ok")]
    Measured {
        /// The worst of the subtasks' levels.
        #[serde(rename = "backpressureLevel")]
        backpressure_level: BackpressureLevel,
        /// When it was measured.
        end_timestamp: i64,
        /// The subtasks in order.
        subtasks: Vec<SubtaskBackpressure>,
    },
    /// There are no measurements, or none that are still true.
    #[serde(rename = "deprecated")]
    Unknown,
}

impl VertexBackpressure {
    /// What was measured of the subtasks at a time; unknown if there are none.
    pub fn of(end_timestamp: i64, subtasks: Vec<SubtaskBackpressure>) -> Self {
        match subtasks.iter().map(|subtask| subtask.backpressure_level).max() {
            Some(backpressure_level) => Self::Measured { backpressure_level, end_timestamp, subtasks },
            None => Self::Unknown,
        }
    }
}

/// What a subtask did with its time: the three ratios are of the last seconds and come to about 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubtaskBackpressure {
    /// The index of the subtask, from 0.
    pub subtask: u32,
    /// `ratio` in a word.
    pub backpressure_level: BackpressureLevel,
    /// It waited for those that read from it.
    pub ratio: f64,
    /// It waited for rows.
    pub idle_ratio: f64,
    /// It worked.
    pub busy_ratio: f64,
}

impl SubtaskBackpressure {
    /// What was measured of a subtask, with the level that follows.
    pub fn of(subtask: u32, ratio: f64, idle_ratio: f64, busy_ratio: f64) -> Self {
        let backpressure_level = BackpressureLevel::of(ratio);
        Self { subtask, backpressure_level, ratio, idle_ratio, busy_ratio }
    }
}

/// How much of its time a subtask waits for those that read from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BackpressureLevel {
    /// Up to a tenth.
    Ok,
    /// Up to a half.
    Low,
    /// More.
    High,
}

impl BackpressureLevel {
    /// The level of a ratio, by Flink's bounds.
    pub fn of(ratio: f64) -> Self {
        match ratio {
            _ if ratio <= 0.1 => Self::Ok,
            _ if ratio <= 0.5 => Self::Low,
            _ => Self::High,
        }
    }
}
