//! Our messages → those on the wire.

use millstream_engine::io::source::{Split, SplitAnswer};
use millstream_graph::{AllocationId, JobId};

use super::wire;
use crate::message::{
    Allocation, Committables, Deployment, FromWorker, Heartbeat, JobRef, OperatorCounts, Registration, SlotReport,
    SplitRequest, TaskId, TaskMetrics, TaskReport, TaskState, ToWorker,
};

pub(super) fn from_worker(message: FromWorker) -> wire::FromWorker {
    use wire::from_worker::Message as M;
    let message = match message {
        FromWorker::Register(registration) => M::Registration(self::registration(registration)),
        FromWorker::Heartbeat(heartbeat) => M::Heartbeat(self::heartbeat(heartbeat)),
        FromWorker::OfferSlot(allocation) => M::SlotOffered(self::allocation(allocation)),
        FromWorker::Task(report) => M::Task(task_report(report)),
        FromWorker::RequestSplit(request) => M::SplitRequest(split_request(request)),
        FromWorker::Committables(committables) => M::Committables(self::committables(committables)),
    };
    wire::FromWorker { message: Some(message) }
}

pub(super) fn to_worker(message: ToWorker) -> wire::ToWorker {
    use wire::to_worker::Message as M;
    let message = match message {
        ToWorker::Registered(of) => M::Registered(wire::Registered {
            heartbeat_interval_ms: u64::try_from(of.interval.as_millis()).unwrap_or(u64::MAX),
            heartbeat_timeout_ms: u64::try_from(of.timeout.as_millis()).unwrap_or(u64::MAX),
        }),
        ToWorker::Refused(why) => M::Refused(wire::Refused { why }),
        ToWorker::Alive => M::Alive(wire::Alive {}),
        ToWorker::RequestSlot(of) => M::RequestSlot(allocation(of)),
        ToWorker::FreeSlot(of) => M::FreeSlot(allocation(of)),
        ToWorker::Deploy(deployment) => M::Deployment(self::deployment(deployment)),
        ToWorker::Cancel(tasks) => {
            M::Cancel(wire::TaskIds { tasks: tasks.into_iter().map(|task| task_id(&task)).collect() })
        }
        ToWorker::StopSources(job) => M::StopSources(job_ref(job)),
        ToWorker::Split { request, answer } => {
            M::SplitAnswer(wire::SplitAnswer { request, answer: Some(split_answer(answer)) })
        }
        ToWorker::Leave(why) => M::Leave(wire::Leave { why }),
    };
    wire::ToWorker { message: Some(message) }
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves")]
fn job_id(job: JobId) -> wire::JobId {
    wire::JobId { high: (job.bits() >> 64) as u64, low: job.bits() as u64 }
}

fn allocation_id(id: AllocationId) -> wire::AllocationId {
    wire::AllocationId { epoch: id.epoch, number: id.number }
}

fn job_ref(of: JobRef) -> wire::JobRef {
    wire::JobRef { job: Some(job_id(of.job)), epoch: of.epoch }
}

fn task_id(task: &TaskId) -> wire::TaskId {
    wire::TaskId {
        job: Some(job_ref(task.job)),
        vertex: count(task.attempt.of.vertex),
        subtask: task.attempt.of.subtask,
        attempt: task.attempt.number,
    }
}

fn allocation(of: Allocation) -> wire::Allocation {
    wire::Allocation { job: Some(job_ref(of.job)), slot: of.slot, id: Some(allocation_id(of.id)) }
}

fn registration(of: Registration) -> wire::Registration {
    wire::Registration {
        worker: of.worker.as_str().to_owned(),
        build: of.build,
        exchange: of.exchange,
        slots: of.slots.into_iter().map(slot).collect(),
        slot_memory: of.slot_memory,
        process: of.process,
        host: of.host,
    }
}

fn slot(of: SlotReport) -> wire::Slot {
    let held = of.held.map(|(job, id)| allocation(Allocation { slot: of.slot, job: JobRef { job, epoch: 0 }, id }));
    wire::Slot { slot: of.slot, held }
}

fn heartbeat(of: Heartbeat) -> wire::Heartbeat {
    let tasks = of.tasks.into_iter();
    wire::Heartbeat {
        slots: of.slots.into_iter().map(slot).collect(),
        tasks: tasks
            .map(|(task, counted)| wire::TaskMetricsOf { task: Some(task_id(&task)), metrics: Some(metrics(counted)) })
            .collect(),
        resident_bytes: of.resident_bytes,
    }
}

fn metrics(of: TaskMetrics) -> wire::TaskMetrics {
    wire::TaskMetrics {
        operators: of.operators.into_iter().map(counts).collect(),
        busy_ms: of.busy_ms,
        back_pressured_ms: of.back_pressured_ms,
        idle_ms: of.idle_ms,
        memory_bytes: of.memory_bytes,
    }
}

fn counts(of: OperatorCounts) -> wire::OperatorCounts {
    wire::OperatorCounts {
        records_in: of.records_in,
        records_out: of.records_out,
        side_records_out: of.side_records_out,
        late_dropped: of.late_dropped,
        records_in_errors: of.records_in_errors,
        watermark: of.watermark,
    }
}

fn task_report(of: TaskReport) -> wire::TaskReport {
    use wire::task_report::State as S;
    let state = match of.state {
        TaskState::Initializing => S::Initializing(wire::Nothing {}),
        TaskState::Running => S::Running(wire::Nothing {}),
        TaskState::Finished { waits_for_clock } => S::Finished(wire::Finished { waits_for_clock }),
        TaskState::Canceled => S::Canceled(wire::Nothing {}),
        TaskState::Failed(failure) => {
            S::Failed(wire::Failed { why: failure.why, may_recover: failure.may_recover, follows: failure.follows })
        }
    };
    wire::TaskReport { task: Some(task_id(&of.task)), state: Some(state), metrics: Some(metrics(of.metrics)) }
}

fn split_request(of: SplitRequest) -> wire::SplitRequest {
    wire::SplitRequest {
        task: Some(task_id(&of.task)),
        node: count(of.node),
        request: of.request,
        parallelism: of.parallelism,
        now_ms: of.now_ms,
    }
}

fn split_answer(answer: Result<SplitAnswer, String>) -> wire::split_answer::Answer {
    use wire::split_answer::Answer as A;
    match answer {
        Ok(SplitAnswer::Assigned(Split { id, position, rows })) => {
            A::Assigned(wire::Split { id: id.to_string(), position, rows })
        }
        Ok(SplitAnswer::AskAgain(at)) => A::AskAgainMs(at.0),
        Ok(SplitAnswer::NoMore) => A::NoMore(wire::Nothing {}),
        Err(why) => A::Failed(why),
    }
}

fn committables(of: Committables) -> wire::Committables {
    wire::Committables { task: Some(task_id(&of.task)), node: count(of.node), committables: of.committables }
}

fn deployment(of: Deployment) -> wire::Deployment {
    let peer =
        |peer: crate::message::Peer| wire::Peer { worker: peer.worker.as_str().to_owned(), exchange: peer.address };
    let task = |task: crate::message::TaskToDeploy| wire::TaskToDeploy {
        task: Some(task_id(&TaskId { job: of.job, attempt: task.attempt })),
        slot: task.slot,
        allocation: Some(allocation_id(task.allocation)),
    };
    wire::Deployment {
        job: Some(job_ref(of.job)),
        program: of.program.as_ref().to_owned(),
        peers: of.peers.into_iter().map(peer).collect(),
        graph: of.graph,
        holders: of.holders,
        tasks: of.tasks.into_iter().map(task).collect(),
    }
}

/// Places in a graph, which has far fewer than 2^32 of anything.
fn count(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
