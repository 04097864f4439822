//! The messages.

use std::sync::Arc;
use std::time::Duration;

use millstream_engine::io::source::SplitAnswer;
use millstream_graph::{AllocationId, AttemptId, JobId, WorkerId};

/// A job as one JobMaster leads it. Whoever takes a job over has a higher epoch, and what belongs to a lower one is void.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobRef {
    /// The job.
    pub job: JobId,
    /// Counted up with each JobMaster that leads it.
    pub epoch: u64,
}

/// A try at a subtask of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// Whose.
    pub job: JobRef,
    /// Which.
    pub attempt: AttemptId,
}

impl std::fmt::Display for TaskId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of job {}", self.attempt, self.job.job)
    }
}

/// A slot's stay with a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allocation {
    /// Which slot of the worker.
    pub slot: u32,
    /// The job.
    pub job: JobRef,
    /// Names the stay.
    pub id: AllocationId,
}

/// What a worker says of one of its slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotReport {
    /// Its number.
    pub slot: u32,
    /// The job that has it, if one does.
    pub held: Option<(JobId, AllocationId)>,
}

/// What a worker says.
#[derive(Debug, Clone, PartialEq)]
pub enum FromWorker {
    /// It is there, with these slots.
    Register(Registration),
    /// It is still there.
    Heartbeat(Heartbeat),
    /// It gives a job a slot, as it was told to.
    OfferSlot(Allocation),
    /// A task came into a state.
    Task(TaskReport),
    /// A reader asks for a split.
    RequestSplit(SplitRequest),
    /// A sink's writer has finished something.
    Committables(Committables),
}

/// What a worker is told.
#[derive(Debug, Clone, PartialEq)]
pub enum ToWorker {
    /// It is registered, and how often both sides are to say that they are there.
    Registered(Heartbeats),
    /// It cannot be used, and why.
    Refused(String),
    /// The jobmaster is there.
    Alive,
    /// Give a slot to a job.
    RequestSlot(Allocation),
    /// Take a slot back from a job, and end what still runs in it.
    FreeSlot(Allocation),
    /// Start tasks.
    Deploy(Deployment),
    /// End tasks.
    Cancel(Vec<TaskId>),
    /// End the sources of a job; what was read is worked on to its end.
    StopSources(JobRef),
    /// The answer to a [`FromWorker::RequestSplit`].
    Split {
        /// Its number.
        request: u64,
        /// The answer, or why there is none.
        answer: Result<SplitAnswer, String>,
    },
    /// It is not needed any more and should end.
    Leave(String),
}

/// A worker introduces itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Its name.
    pub worker: WorkerId,
    /// The build it is of. One of another build might plan a job otherwise.
    pub build: String,
    /// Where its exchange listens, `host:port`; empty if it exchanges with nobody.
    pub exchange: String,
    /// Its slots.
    pub slots: Vec<SlotReport>,
    /// The memory of each, in bytes; 0 if it is not bounded.
    pub slot_memory: u64,
    /// Its process.
    pub process: u32,
    /// The machine it is on.
    pub host: String,
}

/// How often both sides say that they are there, and when silence means that the other is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeats {
    /// `heartbeat.interval`.
    pub interval: Duration,
    /// `heartbeat.timeout`.
    pub timeout: Duration,
}

/// A worker is still there.
#[derive(Debug, Clone, PartialEq)]
pub struct Heartbeat {
    /// Its slots, all of them.
    pub slots: Vec<SlotReport>,
    /// What its running tasks count.
    pub tasks: Vec<(TaskId, TaskMetrics)>,
    /// The resident memory of its process.
    pub resident_bytes: u64,
}

/// What a task counts, since it was deployed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskMetrics {
    /// By operator, in the order of its chain.
    pub operators: Vec<OperatorCounts>,
    /// How long it worked.
    pub busy_ms: u64,
    /// How long it waited for room in its outputs.
    pub back_pressured_ms: u64,
    /// How long it waited for input.
    pub idle_ms: u64,
    /// What it holds in memory.
    pub memory_bytes: u64,
}

/// What an operator counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperatorCounts {
    /// `numRecordsIn`.
    pub records_in: u64,
    /// `numRecordsOut`.
    pub records_out: u64,
    /// Rows that left by a port other than the main one.
    pub side_records_out: u64,
    /// `numLateRecordsDropped`.
    pub late_dropped: u64,
    /// `numRecordsInErrors`.
    pub records_in_errors: u64,
    /// `currentInputWatermark`, in milliseconds since 1970.
    pub watermark: i64,
}

/// A task came into a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskReport {
    /// Which task.
    pub task: TaskId,
    /// Into which state.
    pub state: TaskState,
    /// What it has counted.
    pub metrics: TaskMetrics,
}

/// The states that a worker knows of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskState {
    /// Its operators are being made.
    Initializing,
    /// It takes rows.
    Running,
    /// Its input ended and all of it was worked on.
    Finished {
        /// Windows of the wall clock were still open; they give no result.
        waits_for_clock: bool,
    },
    /// It was ended.
    Canceled,
    /// It failed.
    Failed(TaskFailure),
}

/// Why a task failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskFailure {
    /// In words.
    pub why: String,
    /// Whether it may work when it is started again.
    pub may_recover: bool,
    /// Whether another task is the cause, which says more.
    pub follows: bool,
}

/// A reader asks for a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplitRequest {
    /// Whose reader.
    pub task: TaskId,
    /// Of which node of the program.
    pub node: usize,
    /// Counted by the worker; the answer has it too.
    pub request: u64,
    /// How many subtasks read.
    pub parallelism: u32,
    /// The reader's time, in milliseconds since 1970.
    pub now_ms: i64,
}

/// What a sink's writer has finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committables {
    /// Whose writer.
    pub task: TaskId,
    /// Of which node of the program.
    pub node: usize,
    /// In the sink's own words.
    pub committables: Vec<String>,
}

/// Tasks to start together, and where the others of the job are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// The job.
    pub job: JobRef,
    /// Its resolved program as JSON.
    pub program: Arc<str>,
    /// The fingerprint of the graph that the JobMaster has planned of it, and that the worker must plan too.
    pub graph: u64,
    /// The workers of the job.
    pub peers: Vec<Peer>,
    /// For each execution slot of the job, in order: the place in `peers` of the worker that holds it.
    pub holders: Vec<u32>,
    /// What this worker is to start.
    pub tasks: Vec<TaskToDeploy>,
}

/// Another worker of a job.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Peer {
    /// Its name.
    pub worker: WorkerId,
    /// Where its exchange listens, `host:port`.
    pub address: String,
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.worker, self.address)
    }
}

/// A task to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskToDeploy {
    /// The try.
    pub attempt: AttemptId,
    /// In which slot.
    pub slot: u32,
    /// The slot's stay with the job.
    pub allocation: AllocationId,
}
