//! What is said at one end of a link is heard at the other, inside a process and over a socket.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::time::Duration;

use millstream_engine::io::source::{Split, SplitAnswer};
use millstream_engine::operators::ProcessingTime;
use millstream_graph::{AllocationId, AttemptId, JobId, SubtaskId, WorkerId};
use millstream_protocol::link::{MasterLink, WorkerLink, pair};
use millstream_protocol::message::{
    Allocation, Committables, Deployment, FromWorker, Heartbeat, Heartbeats, JobRef, OperatorCounts, Peer,
    Registration, SlotReport, SplitRequest, TaskFailure, TaskId, TaskMetrics, TaskReport, TaskState, TaskToDeploy,
    ToWorker,
};
use millstream_protocol::{ConnectError, connect, serve};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const TIMEOUT: Duration = Duration::from_secs(20);

fn job() -> JobRef {
    JobRef { job: JobId::from_bits(u128::MAX - 5), epoch: 3 }
}

fn task(subtask: u32) -> TaskId {
    TaskId { job: job(), attempt: AttemptId { of: SubtaskId { vertex: 2, subtask }, number: 7 } }
}

fn allocation() -> Allocation {
    Allocation { slot: 1, job: job(), id: AllocationId { epoch: 9, number: 4 } }
}

fn metrics() -> TaskMetrics {
    let counts = OperatorCounts {
        records_in: 1,
        records_out: 2,
        side_records_out: 3,
        late_dropped: 4,
        records_in_errors: 5,
        watermark: i64::MIN,
    };
    TaskMetrics { operators: vec![counts], busy_ms: 6, back_pressured_ms: 7, idle_ms: 8, memory_bytes: 9 }
}

/// One of each kind.
fn said_by_workers() -> Vec<FromWorker> {
    let registration = Registration {
        worker: WorkerId::new("w-1"),
        build: "0.1.0".to_owned(),
        exchange: "127.0.0.1:7".to_owned(),
        slots: vec![SlotReport { slot: 0, held: None }],
        slot_memory: 1 << 40,
        process: 77,
        host: "here".to_owned(),
    };
    let slots = vec![SlotReport { slot: 1, held: Some((job().job, allocation().id)) }];
    let states = [
        TaskState::Initializing,
        TaskState::Running,
        TaskState::Finished { waits_for_clock: true },
        TaskState::Canceled,
        TaskState::Failed(TaskFailure { why: "ü".to_owned(), may_recover: true, follows: true }),
    ];
    let mut said = vec![
        FromWorker::Register(registration),
        FromWorker::Heartbeat(Heartbeat { slots, tasks: vec![(task(1), metrics())], resident_bytes: 5 }),
        FromWorker::OfferSlot(allocation()),
        FromWorker::RequestSplit(SplitRequest { task: task(0), node: 3, request: 8, parallelism: 2, now_ms: -1 }),
        FromWorker::Committables(Committables { task: task(0), node: 3, committables: vec!["{}".to_owned()] }),
    ];
    said.extend(states.map(|state| FromWorker::Task(TaskReport { task: task(0), state, metrics: metrics() })));
    said
}

/// One of each kind.
fn told_to_workers() -> Vec<ToWorker> {
    let to_deploy = TaskToDeploy { attempt: task(4).attempt, slot: 1, allocation: allocation().id };
    let deployment = Deployment {
        job: job(),
        program: "{}".into(),
        peers: vec![Peer { worker: WorkerId::new("w-1"), address: "127.0.0.1:7".to_owned() }],
        graph: 0xFEDC_BA98_7654_3210,
        holders: vec![0, 0],
        tasks: vec![to_deploy],
    };
    let split = Split { id: "a".into(), position: "b".to_owned(), rows: 3 };
    let answers = [
        Ok(SplitAnswer::Assigned(split)),
        Ok(SplitAnswer::AskAgain(ProcessingTime(5))),
        Ok(SplitAnswer::NoMore),
        Err("gone".to_owned()),
    ];
    let heartbeats = Heartbeats { interval: Duration::from_secs(1), timeout: Duration::from_millis(1500) };
    let mut told = vec![
        ToWorker::Registered(heartbeats),
        ToWorker::Refused("no".to_owned()),
        ToWorker::Alive,
        ToWorker::RequestSlot(allocation()),
        ToWorker::FreeSlot(allocation()),
        ToWorker::Deploy(deployment),
        ToWorker::Cancel(vec![task(0), task(1)]),
        ToWorker::StopSources(job()),
        ToWorker::Leave("enough".to_owned()),
    ];
    told.extend(answers.map(|answer| ToWorker::Split { request: 8, answer }));
    told
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(TIMEOUT, test).await.expect("the test takes too long") });
}

/// Both ends of a link over a socket.
async fn over_a_socket() -> (WorkerLink, MasterLink) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (connected, mut links) = mpsc::channel(1);
    tokio::spawn(serve(listener, connected));
    let worker = connect(&address, TIMEOUT).await.unwrap();
    (worker, links.recv().await.unwrap())
}

async fn everything_is_heard_in_order((mut worker, mut master): (WorkerLink, MasterLink)) {
    for said in said_by_workers() {
        worker.sender.send(said).await.unwrap();
    }
    for said in said_by_workers() {
        assert_eq!(master.receiver.recv().await.unwrap(), said);
    }
    for told in told_to_workers() {
        master.sender.send(told).await.unwrap();
    }
    for told in told_to_workers() {
        assert_eq!(worker.receiver.recv().await.unwrap(), told);
    }
}

#[test]
fn everything_that_is_said_inside_a_process_is_heard() {
    run(async { everything_is_heard_in_order(pair()).await });
}

#[test]
fn everything_that_is_said_over_a_socket_is_heard() {
    run(async { everything_is_heard_in_order(over_a_socket().await).await });
}

#[test]
fn heartbeats_without_an_interval_have_the_shortest() {
    run(async {
        let (mut worker, master) = over_a_socket().await;
        let told = Heartbeats { interval: Duration::ZERO, timeout: Duration::ZERO };
        master.sender.send(ToWorker::Registered(told)).await.unwrap();
        let heard = Heartbeats { interval: Duration::from_millis(1), ..told };
        assert_eq!(worker.receiver.recv().await.unwrap(), ToWorker::Registered(heard));
    });
}

#[test]
fn an_end_that_is_dropped_is_noticed_at_the_other() {
    run(async {
        let (worker, mut master) = over_a_socket().await;
        drop(worker);
        assert_eq!(master.receiver.recv().await, None);
        let (mut worker, master) = over_a_socket().await;
        drop(master);
        assert_eq!(worker.receiver.recv().await, None);
    });
}

#[test]
fn who_does_not_answer_is_named() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let refused = connect(&address, TIMEOUT).await.unwrap_err();
        assert!(
            matches!(&refused, ConnectError::Unreachable { .. }) && refused.to_string().contains(&address),
            "{refused}"
        );
        let wrong = connect("not an address", TIMEOUT).await.unwrap_err();
        assert!(matches!(wrong, ConnectError::Address(_)), "{wrong}");
    });
}

#[test]
fn who_listens_and_says_nothing_is_given_up() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let error = connect(&address, Duration::from_millis(200)).await.unwrap_err();
        assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");
    });
}
