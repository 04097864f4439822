//! Tasks that are put together by hand, in a slot with a budget of memory.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::net::TcpListener;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use millstream_engine::aggregate::{AggregateFunction, AggregateSpec};
use millstream_engine::batch::EventBatch;
use millstream_engine::element::{StreamElement, Watermark};
use millstream_engine::error::{Error, Recovery};
use millstream_engine::key::key_group::MaxParallelism;
use millstream_engine::operators::chain::{ChainLink, EdgeId, OperatorChain, Target};
use millstream_engine::operators::union::Union;
use millstream_engine::operators::{PortId, Stateless};
use millstream_engine::spec::OperatorSpec;
use millstream_engine::window::{Phase, TimeSource, TriggerSpec, WindowAggregateSpec, WindowSpec};
use millstream_graph::{JobId, WorkerId};
use millstream_worker::clock::SystemClock;
use millstream_worker::exchange::remote::{ChannelId, Exchange, ExchangeSettings, Peer};
use millstream_worker::exchange::{ChannelSender, Edge, Outputs, Spread, gate};
use millstream_worker::memory::{Category, SlotMemory};
use millstream_worker::task::{Ended, GateInput, Task, TaskError, TaskInput};
use tokio::runtime::Builder;

const MIB: usize = 1024 * 1024;
/// Rows of a batch.
const BATCH: i64 = 8_192;

fn schema() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Millisecond, None);
    Arc::new(Schema::new(vec![Field::new("key", DataType::Int64, false), Field::new("at", time, false)]))
}

/// Counts rows per key in windows of a second.
fn counts() -> OperatorSpec {
    let time = |name: &str| Field::new(name, DataType::Timestamp(TimeUnit::Millisecond, None), false);
    let count = Field::new("count", DataType::Int64, false);
    let key = Field::new("key", DataType::Int64, false);
    OperatorSpec::WindowAggregate(WindowAggregateSpec {
        name: "window".to_owned(),
        input: schema(),
        output: Arc::new(Schema::new(vec![key, time("window_start"), time("window_end"), count.clone()])),
        keys: vec![0],
        time: TimeSource::Column(1),
        window: WindowSpec::Tumbling { size: 1_000, offset: 0 },
        trigger: TriggerSpec::EventTime,
        evictor: None,
        allowed_lateness_ms: 0,
        late_output: false,
        aggregates: vec![AggregateSpec {
            function: AggregateFunction::Count,
            argument: None,
            distinct: false,
            filter: None,
            output: count,
        }],
        phase: Phase::Single,
    })
}

/// Rows of the keys from `first` on, all in one window.
fn rows(first: i64) -> StreamElement {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(first..first + BATCH)),
        Arc::new(TimestampMillisecondArray::from_iter_values((0..BATCH).map(|_| 500))),
    ];
    StreamElement::Batch(EventBatch::inserts(RecordBatch::try_new(schema(), columns).unwrap()))
}

/// A task of `slot` that counts what is sent to it.
fn counting(slot: &Arc<SlotMemory>) -> (Task, ChannelSender) {
    let (gate, mut senders) = gate(1);
    let operator = counts().build(MaxParallelism::DEFAULT).unwrap();
    let chain = OperatorChain::new(vec![ChainLink { operator, metrics: Arc::default(), routes: Vec::new() }]);
    let input = TaskInput::Gate(Box::new(GateInput::new(gate, 1)));
    let task = Task::new(input, chain, Outputs::new(Vec::new()), Arc::new(SystemClock::default()));
    let memory = slot.task(0, 1, vec![(Category::State, "window".to_owned())]);
    (task.within(memory), senders.remove(0))
}

fn poll(task: &mut Task) -> Poll<Result<Ended, TaskError>> {
    task.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_task_that_needs_more_than_its_slot_has_fails_and_the_next_one_runs() {
    let slot = SlotMemory::new(Some(16 * MIB as u64));
    let (mut task, sender) = counting(&slot);
    let mut sent = 0;
    let failed = loop {
        sender.send(rows(sent * BATCH));
        sent += 1;
        assert!(sent < 1_000, "it takes {} and does not fail", slot.used());
        if let Poll::Ready(ended) = poll(&mut task) {
            break ended.unwrap_err();
        }
    };
    assert!(slot.peak() > 16 * MIB && slot.peak() < 32 * MIB, "it was let go on to {}", slot.peak());
    let TaskError::Failed(error) = failed else { panic!("{failed}") };
    assert!(matches!(error, Error::Memory { .. }) && error.recovery() == Recovery::RestartTask);
    let message = error.to_string();
    assert!(message.starts_with("the slot's memory budget of 16 MiB is used up: "), "{message}");
    assert!(message.contains(" MiB state of `window` (1/1)"), "{message}");

    drop(task);
    assert_eq!(slot.used(), 0, "what a task held goes with it");
    let (mut task, sender) = counting(&slot);
    for element in [rows(0), StreamElement::Watermark(Watermark::MAX), StreamElement::EndOfInput] {
        sender.send(element);
    }
    let ended = loop {
        if let Poll::Ready(ended) = poll(&mut task) {
            break ended;
        }
    };
    assert_eq!(ended.unwrap(), Ended { waits_for_clock: false });
}

#[test]
fn rows_that_wait_in_channels_are_accounted_to_the_task_that_reads_them() {
    let slot = SlotMemory::new(None);
    let (mut task, sender) = counting(&slot);
    let held = slot.tasks().remove(0);
    (0..40).for_each(|batch| sender.send(rows(batch * BATCH)));
    assert!(poll(&mut task).is_pending());
    // A row has 16 bytes, and a turn takes a few batches.
    let waiting = held.bytes(Category::Exchange);
    assert!((30 * 8_192 * 16..40 * 8_192 * 16).contains(&waiting), "{waiting}");
    assert!(held.bytes(Category::State) > 0);
    // Channels are not looked at in every turn.
    (0..100).for_each(|_| assert!(poll(&mut task).is_pending()));
    assert_eq!(held.bytes(Category::Exchange), 0);
    assert_eq!(held.total(), held.bytes(Category::State));
}

#[test]
fn rows_that_wait_to_be_sent_are_accounted_to_the_task_that_made_them() {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    // It takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = Peer { worker: WorkerId::new("b"), address: silent.local_addr().unwrap().to_string() };
    let listen = ([127, 0, 0, 1], 0).into();
    let exchange = Exchange::bind(WorkerId::new("a"), listen, ExchangeSettings::default());
    let exchange = runtime.block_on(exchange).unwrap();
    let channel = ChannelId { job: JobId::from_bits(1), epoch: 1, attempt: 0, edge: 0, from: 0, to: 0 };
    let outputs = Outputs::new(vec![Edge::new(vec![exchange.sender(&peer, channel)], Spread::One)]);

    let (gate, senders) = gate(1);
    let chain = OperatorChain::new(vec![ChainLink {
        operator: Box::new(Stateless(Union)),
        metrics: Arc::default(),
        routes: vec![(PortId::MAIN, Target::Edge(EdgeId(0)))],
    }]);
    let slot = SlotMemory::new(None);
    let input = TaskInput::Gate(Box::new(GateInput::new(gate, 1)));
    let task = Task::new(input, chain, outputs, Arc::new(SystemClock::default()));
    let mut task = task.within(slot.task(0, 1, vec![(Category::State, "union".to_owned())]));
    let held = slot.tasks().remove(0);
    senders[0].send(rows(0));
    for _ in 0..100 {
        assert!(poll(&mut task).is_pending());
    }
    // A row has 16 bytes, and some are for the frame.
    let waiting = held.bytes(Category::Sent);
    assert!((8_192 * 16..8_192 * 17).contains(&waiting), "{waiting}");
    assert_eq!(held.total(), waiting);
    drop(task);
    assert_eq!(slot.used(), 0);
}
