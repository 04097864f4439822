//! Tests of the exchange over real sockets.

mod batches;
mod channels;
mod connections;
mod failures;
mod hostile;

use std::future::{Future, poll_fn};
use std::time::{Duration, Instant};

use arrow::array::{Int64Array, RecordBatch, StringArray};
use millstream_engine::batch::EventBatch;
use millstream_engine::element::{StreamElement, Watermark};
use millstream_engine::error::Result;
use millstream_engine::testing::random::Random;
use millstream_graph::{JobId, WorkerId};

use super::{ChannelId, Exchange, ExchangeSettings, Peer, RemoteSender};
use crate::exchange::{Channel, GateElement, InputGate, gate};

/// What a test waits at most, for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// What `future` comes to, which it must.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited too long: {what}"),
    }
}

/// Waits until something is so.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let mut looks = tokio::time::interval(Duration::from_millis(1));
    soon(what, async {
        while !is_so() {
            looks.tick().await;
        }
    })
    .await;
}

/// Settings under which things go wrong quickly.
fn hasty() -> ExchangeSettings {
    ExchangeSettings {
        timeout: Duration::from_millis(300),
        ping_interval: Duration::from_millis(30),
        retry_pause: Duration::from_millis(5),
        ..ExchangeSettings::default()
    }
}

async fn exchange(name: &str, settings: ExchangeSettings) -> Exchange {
    Exchange::bind(WorkerId::new(name), ([127, 0, 0, 1], 0).into(), settings).await.unwrap()
}

fn peer(name: &str, of: &Exchange) -> Peer {
    Peer { worker: WorkerId::new(name), address: of.address().to_string() }
}

pub(super) fn channel(number: u32) -> ChannelId {
    ChannelId { job: JobId::from_bits(7 << 100 | 1), epoch: 2, attempt: 3, edge: 4, from: number, to: 5 }
}

/// Two workers, of which `a` calls.
struct Pair {
    a: Exchange,
    b: Exchange,
}

impl Pair {
    async fn new(settings: ExchangeSettings) -> Self {
        Self { a: exchange("a", settings.clone()).await, b: exchange("b", settings).await }
    }

    fn at_a(&self) -> Peer {
        peer("a", &self.a)
    }

    fn at_b(&self) -> Peer {
        peer("b", &self.b)
    }

    /// A channel from `a` to `b`.
    fn forth(&self, number: u32) -> (RemoteSender, InputGate) {
        let (gate, into) = one_gate();
        self.b.receive(&self.at_a(), channel(number), into);
        (self.a.sender(&self.at_b(), channel(number)), gate)
    }

    /// A channel from `b` to `a`.
    fn back(&self, number: u32) -> (RemoteSender, InputGate) {
        let (gate, into) = one_gate();
        let sender = self.b.sender(&self.at_a(), channel(number));
        self.a.receive(&self.at_b(), channel(number), into);
        (sender, gate)
    }
}

fn one_gate() -> (InputGate, crate::exchange::ChannelSender) {
    let (gate, mut into) = gate(1);
    (gate, into.remove(0))
}

async fn next(gate: &mut InputGate) -> GateElement {
    soon("an element", poll_fn(|waker_cx| gate.poll_next(waker_cx))).await
}

/// The next element of a gate with one channel.
async fn element(gate: &mut InputGate) -> StreamElement {
    match next(gate).await {
        GateElement::Element(_, element) => element,
        GateElement::Lost(_) => panic!("the producer is gone"),
        GateElement::Broken(_, error) => panic!("{error}"),
    }
}

/// Why a gate with one channel gives nothing more, in words.
async fn broken(gate: &mut InputGate) -> String {
    match next(gate).await {
        GateElement::Element(_, element) => panic!("{element:?}"),
        GateElement::Lost(_) => panic!("the producer is gone"),
        GateElement::Broken(_, error) => error.to_string(),
    }
}

async fn room(sender: &RemoteSender) -> Result<()> {
    soon("room", poll_fn(|waker_cx| sender.poll_room(waker_cx))).await
}

/// Why a sender sends nothing more, in words.
async fn failure(sender: &RemoteSender) -> String {
    until("a failure", || sender.failure().is_some()).await;
    room(sender).await.unwrap_err().to_string()
}

fn has_room(channel: &Channel) -> bool {
    channel.poll_room(&std::task::Context::from_waker(std::task::Waker::noop())).is_ready()
}

/// Rows of about a hundred bytes, which are numbered from `first`.
fn numbered(first: i64, rows: i64) -> StreamElement {
    let numbers = Int64Array::from_iter_values(first..first + rows);
    let texts = StringArray::from_iter_values((first..first + rows).map(|number| format!("{number:0>90}")));
    let columns = [("number", std::sync::Arc::new(numbers) as _), ("text", std::sync::Arc::new(texts) as _)];
    StreamElement::Batch(EventBatch::inserts(RecordBatch::try_from_iter(columns).unwrap()))
}

fn watermark(at: i64) -> StreamElement {
    StreamElement::Watermark(Watermark(at))
}

fn random_byte(random: &mut Random) -> u8 {
    random.number().to_le_bytes()[0]
}

/// Everything that tells two elements apart.
#[track_caller]
fn assert_same(arrived: &StreamElement, sent: &StreamElement) {
    match (arrived, sent) {
        (StreamElement::Batch(arrived), StreamElement::Batch(sent)) => {
            assert_eq!(arrived.rows, sent.rows);
            assert_eq!(arrived.event_time.as_deref(), sent.event_time.as_deref());
            assert_eq!(arrived.row_kinds.as_deref(), sent.row_kinds.as_deref());
        }
        (arrived, sent) => assert_eq!(format!("{arrived:?}"), format!("{sent:?}")),
    }
}
