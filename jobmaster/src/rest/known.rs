//! Finds what a path names, and the words for where it stands.

use millstream_api::{JobState, TaskState};
use millstream_graph::{JobGraph, JobId, SubtaskId};

use super::error::RestError;
use crate::execution_graph::AttemptState;
use crate::job_manager::{AwaitedJob, Job, JobManager, PastJob, Refusal};
use crate::job_master::JobStatus;

/// A job that this process knows.
#[derive(Debug, Clone, Copy)]
pub(super) enum KnownJob<'a> {
    /// It leads it, or led it until it ended.
    Led(&'a Job),
    /// An earlier process led it, and it is not taken up yet.
    Awaited(&'a AwaitedJob),
    /// It ended in an earlier process.
    Past(&'a PastJob),
}

impl KnownJob<'_> {
    /// The job's id.
    pub(super) fn id(&self) -> JobId {
        match self {
            Self::Led(job) => job.id().job,
            Self::Awaited(job) => job.job,
            Self::Past(job) => job.job,
        }
    }

    /// What people call it.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Led(job) => job.name(),
            Self::Awaited(job) => &job.name,
            Self::Past(job) => &job.name,
        }
    }

    /// Where it stands.
    pub(super) fn status(&self) -> JobStatus {
        match self {
            Self::Led(job) => job.master().status(),
            Self::Awaited(_) => JobStatus::Initializing,
            Self::Past(job) => past_status(job),
        }
    }
}

/// All jobs: those that ended in an earlier process first.
pub(super) fn jobs(manager: &JobManager) -> impl Iterator<Item = KnownJob<'_>> {
    let past = manager.past_jobs().iter().map(KnownJob::Past);
    past.chain(manager.awaited_jobs().map(KnownJob::Awaited)).chain(manager.jobs().map(KnownJob::Led))
}

/// The job with this id.
pub(super) fn job(manager: &JobManager, id: JobId) -> Result<KnownJob<'_>, RestError> {
    let led = manager.job(id).map(KnownJob::Led);
    let awaited = || manager.awaited_jobs().find(|job| job.job == id).map(KnownJob::Awaited);
    let past = || manager.past_jobs().iter().find(|job| job.job == id).map(KnownJob::Past);
    led.or_else(awaited).or_else(past).ok_or_else(|| Refusal::UnknownJob(id).into())
}

/// The vertex of this id, and its job. Of jobs that only an earlier process led no vertex is known.
pub(super) fn vertex<'a>(manager: &'a JobManager, id: JobId, vertex: &str) -> Result<(&'a Job, usize), RestError> {
    let unknown = || RestError::UnknownVertex { job: id, vertex: vertex.to_owned() };
    match job(manager, id)? {
        KnownJob::Awaited(_) | KnownJob::Past(_) => Err(unknown()),
        KnownJob::Led(job) => {
            let graph = job.graph();
            let mut vertices = 0..graph.vertices.len();
            let named = vertices.find(|at| vertex_id(graph, *at).eq_ignore_ascii_case(vertex));
            named.map(|at| (job, at)).ok_or_else(unknown)
        }
    }
}

/// A vertex's id: that of the operator at its head, so it stays the same when the job is submitted again.
pub(super) fn vertex_id(graph: &JobGraph, vertex: usize) -> String {
    graph.vertices[vertex].nodes.first().map_or_else(String::new, |head| graph.program.nodes[*head].id.to_string())
}

/// The subtasks of a vertex.
pub(super) fn subtasks(job: &Job, vertex: usize) -> impl Iterator<Item = SubtaskId> + use<> {
    (0..job.graph().vertices[vertex].parallelism).map(move |subtask| SubtaskId { vertex, subtask })
}

/// Flink's word for a job.
pub(super) fn job_state(status: JobStatus) -> JobState {
    match status {
        JobStatus::Initializing => JobState::Initializing,
        JobStatus::Created => JobState::Created,
        JobStatus::Running => JobState::Running,
        JobStatus::Failing => JobState::Failing,
        JobStatus::Failed => JobState::Failed,
        JobStatus::Cancelling => JobState::Cancelling,
        JobStatus::Canceled => JobState::Canceled,
        JobStatus::Finished => JobState::Finished,
        JobStatus::Restarting => JobState::Restarting,
    }
}

/// Flink's word for a task.
pub(super) fn task_state(state: AttemptState) -> TaskState {
    match state {
        AttemptState::Created => TaskState::Created,
        AttemptState::Scheduled => TaskState::Scheduled,
        AttemptState::Deploying => TaskState::Deploying,
        AttemptState::Initializing => TaskState::Initializing,
        AttemptState::Running => TaskState::Running,
        AttemptState::Finished => TaskState::Finished,
        AttemptState::Canceling => TaskState::Canceling,
        AttemptState::Canceled => TaskState::Canceled,
        AttemptState::Failed => TaskState::Failed,
    }
}

/// The record of an end holds the word that the status was written as. One that is not an end is none that was ever written.
fn past_status(job: &PastJob) -> JobStatus {
    let named = JobStatus::ALL.into_iter().find(|status| status.word() == job.state);
    named.filter(|status| status.is_terminal()).unwrap_or(JobStatus::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_flinks() {
        let word = |value: serde_json::Value| value.as_str().unwrap().to_owned();
        for status in JobStatus::ALL {
            assert_eq!(word(serde_json::to_value(job_state(status)).unwrap()), status.word());
        }
        for state in AttemptState::ALL {
            assert_eq!(word(serde_json::to_value(task_state(state)).unwrap()), state.word());
        }
    }
}
