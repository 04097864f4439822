//! The messages on the wire → ours. Of a message that lacks something it is said in the log what, and the connection that it
//! came on is closed; the other end is not told why.

use std::time::Duration;

use millstream_engine::io::source::{Split, SplitAnswer};
use millstream_engine::operators::ProcessingTime;
use millstream_graph::{AllocationId, AttemptId, JobId, SubtaskId, WorkerId};

use super::wire;
use crate::message::{
    Allocation, Committables, Deployment, FromWorker, Heartbeat, Heartbeats, JobRef, OperatorCounts, Peer,
    Registration, SlotReport, SplitRequest, TaskFailure, TaskId, TaskMetrics, TaskReport, TaskState, TaskToDeploy,
    ToWorker,
};

/// A message that lacks something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message has no `{0}`")]
pub(super) struct Missing(&'static str);

/// The shortest interval of heartbeats, of whichever was said: no timer can have one of 0.
const INTERVAL_MIN: Duration = Duration::from_millis(1);

type Decoded<T> = Result<T, Missing>;

pub(super) fn from_worker(message: wire::FromWorker) -> Decoded<FromWorker> {
    use wire::from_worker::Message as M;
    Ok(match message.message.ok_or(Missing("message"))? {
        M::Registration(of) => FromWorker::Register(registration(of)?),
        M::Heartbeat(of) => FromWorker::Heartbeat(heartbeat(of)?),
        M::SlotOffered(of) => FromWorker::OfferSlot(allocation(of)?),
        M::Task(of) => FromWorker::Task(task_report(of)?),
        M::SplitRequest(of) => FromWorker::RequestSplit(split_request(of)?),
        M::Committables(of) => FromWorker::Committables(Committables {
            task: task_id(of.task)?,
            node: of.node as usize,
            committables: of.committables,
        }),
    })
}

pub(super) fn to_worker(message: wire::ToWorker) -> Decoded<ToWorker> {
    use wire::to_worker::Message as M;
    Ok(match message.message.ok_or(Missing("message"))? {
        M::Registered(of) => ToWorker::Registered(Heartbeats {
            interval: Duration::from_millis(of.heartbeat_interval_ms).max(INTERVAL_MIN),
            timeout: Duration::from_millis(of.heartbeat_timeout_ms),
        }),
        M::Refused(of) => ToWorker::Refused(of.why),
        M::Alive(wire::Alive {}) => ToWorker::Alive,
        M::RequestSlot(of) => ToWorker::RequestSlot(allocation(of)?),
        M::FreeSlot(of) => ToWorker::FreeSlot(allocation(of)?),
        M::Deployment(of) => ToWorker::Deploy(deployment(of)?),
        M::Cancel(of) => {
            ToWorker::Cancel(of.tasks.into_iter().map(|task| task_id(Some(task))).collect::<Decoded<_>>()?)
        }
        M::StopSources(of) => ToWorker::StopSources(job_ref(Some(of))?),
        M::SplitAnswer(of) => {
            ToWorker::Split { request: of.request, answer: split_answer(of.answer.ok_or(Missing("answer"))?) }
        }
        M::Leave(of) => ToWorker::Leave(of.why),
    })
}

fn job_id(id: Option<wire::JobId>) -> Decoded<JobId> {
    let id = id.ok_or(Missing("job"))?;
    Ok(JobId::from_bits(u128::from(id.high) << 64 | u128::from(id.low)))
}

fn allocation_id(id: Option<wire::AllocationId>) -> Decoded<AllocationId> {
    let id = id.ok_or(Missing("allocation"))?;
    Ok(AllocationId { epoch: id.epoch, number: id.number })
}

fn job_ref(of: Option<wire::JobRef>) -> Decoded<JobRef> {
    let of = of.ok_or(Missing("job"))?;
    Ok(JobRef { job: job_id(of.job)?, epoch: of.epoch })
}

fn task_id(task: Option<wire::TaskId>) -> Decoded<TaskId> {
    let task = task.ok_or(Missing("task"))?;
    let of = SubtaskId { vertex: task.vertex as usize, subtask: task.subtask };
    Ok(TaskId { job: job_ref(task.job)?, attempt: AttemptId { of, number: task.attempt } })
}

fn allocation(of: wire::Allocation) -> Decoded<Allocation> {
    Ok(Allocation { slot: of.slot, job: job_ref(of.job)?, id: allocation_id(of.id)? })
}

fn registration(of: wire::Registration) -> Decoded<Registration> {
    Ok(Registration {
        worker: WorkerId::new(of.worker),
        build: of.build,
        exchange: of.exchange,
        slots: slots(of.slots)?,
        slot_memory: of.slot_memory,
        process: of.process,
        host: of.host,
    })
}

fn slots(reports: Vec<wire::Slot>) -> Decoded<Vec<SlotReport>> {
    let report = |of: wire::Slot| {
        let held = of.held.map(allocation).transpose()?.map(|of| (of.job.job, of.id));
        Ok(SlotReport { slot: of.slot, held })
    };
    reports.into_iter().map(report).collect()
}

fn heartbeat(of: wire::Heartbeat) -> Decoded<Heartbeat> {
    let counted = |of: wire::TaskMetricsOf| Ok((task_id(of.task)?, metrics(of.metrics)?));
    Ok(Heartbeat {
        slots: slots(of.slots)?,
        tasks: of.tasks.into_iter().map(counted).collect::<Decoded<_>>()?,
        resident_bytes: of.resident_bytes,
    })
}

fn metrics(of: Option<wire::TaskMetrics>) -> Decoded<TaskMetrics> {
    let of = of.ok_or(Missing("metrics"))?;
    let counts = |of: wire::OperatorCounts| OperatorCounts {
        records_in: of.records_in,
        records_out: of.records_out,
        side_records_out: of.side_records_out,
        late_dropped: of.late_dropped,
        records_in_errors: of.records_in_errors,
        watermark: of.watermark,
    };
    Ok(TaskMetrics {
        operators: of.operators.into_iter().map(counts).collect(),
        busy_ms: of.busy_ms,
        back_pressured_ms: of.back_pressured_ms,
        idle_ms: of.idle_ms,
        memory_bytes: of.memory_bytes,
    })
}

fn task_report(of: wire::TaskReport) -> Decoded<TaskReport> {
    use wire::task_report::State as S;
    let state = match of.state.ok_or(Missing("state"))? {
        S::Initializing(wire::Nothing {}) => TaskState::Initializing,
        S::Running(wire::Nothing {}) => TaskState::Running,
        S::Finished(wire::Finished { waits_for_clock }) => TaskState::Finished { waits_for_clock },
        S::Canceled(wire::Nothing {}) => TaskState::Canceled,
        S::Failed(wire::Failed { why, may_recover, follows }) => {
            TaskState::Failed(TaskFailure { why, may_recover, follows })
        }
    };
    Ok(TaskReport { task: task_id(of.task)?, state, metrics: metrics(of.metrics)? })
}

fn split_request(of: wire::SplitRequest) -> Decoded<SplitRequest> {
    Ok(SplitRequest {
        task: task_id(of.task)?,
        node: of.node as usize,
        request: of.request,
        parallelism: of.parallelism,
        now_ms: of.now_ms,
    })
}

fn split_answer(answer: wire::split_answer::Answer) -> Result<SplitAnswer, String> {
    use wire::split_answer::Answer as A;
    match answer {
        A::Assigned(wire::Split { id, position, rows }) => {
            Ok(SplitAnswer::Assigned(Split { id: id.into(), position, rows }))
        }
        A::AskAgainMs(at) => Ok(SplitAnswer::AskAgain(ProcessingTime(at))),
        A::NoMore(wire::Nothing {}) => Ok(SplitAnswer::NoMore),
        A::Failed(why) => Err(why),
    }
}

fn deployment(of: wire::Deployment) -> Decoded<Deployment> {
    let task = |of: wire::TaskToDeploy| {
        let allocation = allocation_id(of.allocation)?;
        Ok(TaskToDeploy { attempt: task_id(of.task)?.attempt, slot: of.slot, allocation })
    };
    let peer = |of: wire::Peer| Peer { worker: WorkerId::new(of.worker), address: of.exchange };
    Ok(Deployment {
        job: job_ref(of.job)?,
        program: of.program.into(),
        peers: of.peers.into_iter().map(peer).collect(),
        graph: of.graph,
        holders: of.holders,
        tasks: of.tasks.into_iter().map(task).collect::<Decoded<_>>()?,
    })
}
