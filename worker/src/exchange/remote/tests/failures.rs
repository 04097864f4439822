//! Connections that are lost, and workers that are not there.

use std::io::Read;
use std::net::TcpListener as StdListener;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::super::ended::Ended;
use super::super::frame::{self, Kind, OutFrame};
use super::super::message::Goodbye;
use super::*;

/// Stands between two workers and can cut them off from each other.
struct Cable {
    address: String,
    carrying: JoinHandle<()>,
}

impl Cable {
    async fn to(exchange: &Exchange) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, to) = (listener.local_addr().unwrap().to_string(), exchange.address());
        let carrying = tokio::spawn(async move {
            let (mut near, _) = listener.accept().await.unwrap();
            let mut far = TcpStream::connect(to).await.unwrap();
            // However it ends, both are closed.
            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        });
        Self { address, carrying }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn both_ends_learn_that_a_connection_was_cut_and_a_later_try_gets_another() {
    let pair = Pair::new(ExchangeSettings::default()).await;
    let cable = Cable::to(&pair.b).await;
    let over_cable = Peer { address: cable.address.clone(), ..pair.at_b() };
    let (mut forth_gate, into) = one_gate();
    pair.b.receive(&pair.at_a(), channel(1), into);
    let mut forth = pair.a.sender(&over_cable, channel(1));
    let mut back = pair.b.sender(&pair.at_a(), channel(2));
    let (mut back_gate, into) = one_gate();
    pair.a.receive(&over_cable, channel(2), into);
    forth.send(watermark(1)).unwrap();
    back.send(watermark(2)).unwrap();
    assert_same(&element(&mut forth_gate).await, &watermark(1));
    assert_same(&element(&mut back_gate).await, &watermark(2));

    cable.carrying.abort();
    let to_b = format!("the connection is lost to worker b at {}: ", cable.address);
    for message in [failure(&forth).await, broken(&mut back_gate).await] {
        assert!(message.starts_with(&to_b), "{message}");
    }
    for message in [failure(&back).await, broken(&mut forth_gate).await] {
        assert!(message.starts_with("the connection is lost to worker a at 127.0.0.1:"), "{message}");
    }
    let error = forth.failure().unwrap();
    assert_eq!(error.recovery(), millstream_engine::error::Recovery::RestartTask);
    forth.send(watermark(3)).unwrap();

    let (mut sender, mut gate) = pair.forth(3);
    sender.send(watermark(4)).unwrap();
    assert_same(&element(&mut gate).await, &watermark(4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_producer_that_waits_for_room_is_woken_when_the_connection_is_lost() {
    let pair = Pair::new(ExchangeSettings::default()).await;
    let (mut sender, _gate) = pair.forth(1);
    until("a full channel", || {
        while sender.poll_room(&std::task::Context::from_waker(std::task::Waker::noop())).is_ready() {
            sender.send(numbered(0, 1000)).unwrap();
        }
        pair.b.counts().receiving_bytes >= crate::exchange::CHANNEL_BYTES_MAX
    })
    .await;
    let down = async { pair.b.shut_down() };
    let (room, ()) = tokio::join!(room(&sender), down);
    let message = room.unwrap_err().to_string();
    assert!(message.ends_with("it says: this worker shuts down"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_exchange_that_is_dropped_closes_its_connections() {
    let pair = Pair::new(ExchangeSettings::default()).await;
    let (mut sender, mut gate) = pair.forth(1);
    sender.send(watermark(1)).unwrap();
    assert_same(&element(&mut gate).await, &watermark(1));
    let address = pair.b.address();
    drop(pair.b);
    assert!(failure(&sender).await.ends_with("it says: this worker shuts down"));
    assert!(broken(&mut gate).await.ends_with("this worker shuts down"));
    until("a closed port", || std::net::TcpStream::connect(address).is_err()).await;
    until("no connection", || pair.a.counts().connections + pair.a.counts().peers == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_peer_that_accepts_and_says_nothing_is_given_up() {
    let a = exchange("a", hasty()).await;
    let silent = StdListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let sender = a.sender(&Peer { worker: WorkerId::new("b"), address: address.clone() }, channel(1));
    let message = failure(&sender).await;
    assert_eq!(
        message,
        format!("there is no connection to worker b at {address}: it could not be reached within 300ms: no answer")
    );
    assert_eq!(a.counts().peers, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_worker_that_is_not_there_or_does_not_call_is_given_up() {
    let pair = Pair::new(ExchangeSettings { one_sided_max: Duration::from_millis(400), ..hasty() }).await;
    let nowhere = StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let sender = pair.a.sender(&Peer { worker: WorkerId::new("b"), address: nowhere.clone() }, channel(1));
    let message = failure(&sender).await;
    let start = format!("there is no connection to worker b at {nowhere}: it could not be reached within 300ms: ");
    assert!(message.starts_with(&start) && message.contains("refused"), "{message}");

    let (mut gate, into) = one_gate();
    pair.b.receive(&pair.at_a(), channel(1), into);
    let message = broken(&mut gate).await;
    assert!(message.ends_with("it has not called within 400ms"), "{message}");

    let myself = pair.a.sender(&pair.at_a(), channel(1));
    assert!(failure(&myself).await.ends_with("it is this worker itself"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_connection_that_falls_silent_is_lost() {
    let settings = hasty();
    let pair = Pair::new(settings).await;
    let (mut sender, mut gate) = pair.forth(1);
    sender.send(watermark(1)).unwrap();
    assert_same(&element(&mut gate).await, &watermark(1));
    // Pings keep it alive for longer than the timeout.
    let from = Instant::now();
    until("some time", || from.elapsed() > Duration::from_millis(700)).await;
    sender.send(watermark(2)).unwrap();
    assert_same(&element(&mut gate).await, &watermark(2));

    // A worker that has said hello and then nothing.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let silent = pair.a.sender(&Peer { worker: WorkerId::new("c"), address }, channel(2));
    let (mut stream, _) = listener.accept().await.unwrap();
    hostile::say(&mut stream, &hostile::hello("c", "a")).await;
    let message = failure(&silent).await;
    assert!(message.ends_with("nothing was heard from it for 300ms"), "{message}");
    // The other end is told before it is closed.
    let stream = stream.into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    let mut said = Vec::new();
    let reading = tokio::task::spawn_blocking(move || (&stream).read_to_end(&mut said).map(|_| said));
    let said = soon("the goodbye", reading).await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&said).ends_with("nothing was heard from it for 300ms"));
    // The first connection is none the worse.
    sender.send(watermark(3)).unwrap();
    assert_same(&element(&mut gate).await, &watermark(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_worker_that_calls_again_has_given_up_its_first_connection() {
    let pair = Pair::new(ExchangeSettings::default()).await;
    let (mut old, mut old_gate) = pair.forth(1);
    old.send(watermark(1)).unwrap();
    assert_same(&element(&mut old_gate).await, &watermark(1));
    // Announced for the next try, which a process of the same name will make.
    let (mut gate, into) = one_gate();
    pair.b.receive(&pair.at_a(), channel(2), into);
    let anew = exchange("a", ExchangeSettings::default()).await;
    let mut sender = anew.sender(&pair.at_b(), channel(2));
    sender.send(watermark(2)).unwrap();
    assert_same(&element(&mut gate).await, &watermark(2));
    assert!(broken(&mut old_gate).await.ends_with("it has called again"));
    assert!(failure(&old).await.ends_with("it says: it has called again"));
    until("one connection", || pair.b.counts().connections == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_worker_that_is_elsewhere_now_is_called_there() {
    let pair = Pair::new(ExchangeSettings::default()).await;
    let (mut sender, mut gate) = pair.forth(1);
    sender.send(watermark(1)).unwrap();
    assert_same(&element(&mut gate).await, &watermark(1));
    let moved = exchange("b", ExchangeSettings::default()).await;
    let (mut moved_gate, into) = one_gate();
    moved.receive(&pair.at_a(), channel(2), into);
    let mut again = pair.a.sender(&peer("b", &moved), channel(2));
    again.send(watermark(2)).unwrap();
    assert_same(&element(&mut moved_gate).await, &watermark(2));
    assert!(failure(&sender).await.ends_with(&format!("it is at {} now", moved.address())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_channel_with_one_end_only_is_given_up() {
    let settings = ExchangeSettings { one_sided_max: Duration::from_millis(100), ..hasty() };
    let pair = Pair::new(settings).await;
    let (mut kept, mut kept_gate) = pair.forth(1);
    let unread = pair.a.sender(&pair.at_b(), channel(2));
    let (mut unopened, into) = one_gate();
    pair.b.receive(&pair.at_a(), channel(3), into);
    let message = failure(&unread).await;
    assert!(message.ends_with("no task there has begun to read the channel within 100ms"), "{message}");
    let message = broken(&mut unopened).await;
    assert!(message.ends_with("no task there has begun to send on the channel within 100ms"), "{message}");
    until("empty tables", || pair.a.counts().sending == 1 && pair.b.counts().receiving == 1).await;
    kept.send(watermark(1)).unwrap();
    assert_same(&element(&mut kept_gate).await, &watermark(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_channel_that_is_read_twice_is_refused_the_second_time() {
    let pair = Pair::new(ExchangeSettings::default()).await;
    let (mut sender, mut gate) = pair.forth(1);
    let (mut second, into) = one_gate();
    pair.b.receive(&pair.at_a(), channel(1), into);
    assert!(broken(&mut second).await.ends_with("the channel is read twice"));
    drop(second);
    sender.send(watermark(1)).unwrap();
    assert_same(&element(&mut gate).await, &watermark(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn workers_that_do_not_fit_say_what_does_not() {
    let usual = ExchangeSettings::default;
    let b = exchange("b", usual()).await;
    let build = exchange("a", ExchangeSettings { build: "0.0.9".into(), ..usual() }).await;
    let message = failure(&build.sender(&peer("b", &b), channel(1))).await;
    assert!(message.ends_with("it says: it is of build `0.0.9` and this worker of `0.1.0`"), "{message}");

    let frames = exchange("a", ExchangeSettings { frame_bytes_max: 1000, ..usual() }).await;
    let message = failure(&frames.sender(&peer("b", &b), channel(1))).await;
    assert!(message.contains("its frames have at most 1000 bytes and this worker's 67108864"), "{message}");

    let a = exchange("a", usual()).await;
    let message = failure(&a.sender(&peer("c", &b), channel(1))).await;
    assert!(message.ends_with("it says: it is worker a and looks for c; this is b"), "{message}");
    assert_eq!((b.counts().refused, b.counts().peers), (3, 0));
}

/// It is noticed by its silence only, and the other connection of the same link is not silent.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_connection_that_takes_nothing_any_more_ends_when_its_worker_has_called_again() {
    let timeout = Duration::from_secs(5);
    let b = exchange("b", ExchangeSettings { timeout, ..hasty() }).await;
    let mut sender = b.sender(&peer("a", &b), channel(1));
    let mut blocked = TcpStream::connect(b.address()).await.unwrap();
    let credit = frame::credit(1, 1 << 40);
    hostile::say(&mut blocked, &[hostile::hello("a", "b"), credit.to_vec()].concat()).await;
    let (mut written, mut looks) = (0, 0);
    until("a socket that is full", || {
        while sender.poll_room(&std::task::Context::from_waker(std::task::Waker::noop())).is_ready() {
            sender.send(numbered(0, 1000)).unwrap();
        }
        let before = std::mem::replace(&mut written, b.counts().bytes_out);
        looks = if written == before { looks + 1 } else { 0 };
        looks == 50
    })
    .await;
    assert_eq!(b.counts().connections, 1);

    let mut anew = TcpStream::connect(b.address()).await.unwrap();
    hostile::say(&mut anew, &hostile::hello("a", "b")).await;
    let pings = tokio::spawn(async move {
        let mut beats = tokio::time::interval(Duration::from_millis(20));
        loop {
            beats.tick().await;
            hostile::say(&mut anew, &frame::small(Kind::Ping, 0, &[])).await;
        }
    });
    until("both connections", || b.counts().connections == 2).await;
    until("one connection", || b.counts().connections == 1).await;
    assert!(failure(&sender).await.ends_with("it has called again"));
    assert!(!pings.is_finished());
    // The one that is left is the one that pings: it is not given up.
    let from = Instant::now();
    until("some time", || from.elapsed() > timeout).await;
    assert_eq!(b.counts().connections, 1);
    pings.abort();
    drop(blocked);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_connection_that_is_gone_has_no_place_among_those_that_are_accepted() {
    let b = exchange("b", ExchangeSettings { connections_max: 1, ..ExchangeSettings::default() }).await;
    let (mut gate, into) = one_gate();
    b.receive(&peer("a", &b), channel(1), into);
    // Its worker has no use for the connection yet. The channel waits for the next one.
    let mut first = TcpStream::connect(b.address()).await.unwrap();
    let goodbye = frame::farewell(&Goodbye::Unused);
    hostile::say(&mut first, &[hostile::hello("a", "b"), goodbye.to_vec()].concat()).await;
    until("its end", || b.counts().frames_in == 1 && b.counts().connections == 0).await;
    drop(first);
    let mark = OutFrame::watermark(1, Watermark(4)).parts.remove(0).to_vec();
    let mut calls = tokio::time::interval(Duration::from_millis(10));
    let answered = soon("a place", async {
        loop {
            let mut second = TcpStream::connect(b.address()).await.unwrap();
            hostile::say(&mut second, &hostile::hello("a", "b")).await;
            let mut greeting = [0; 8];
            // Between the last frame and its place being free there is a moment.
            if second.read_exact(&mut greeting).await.is_ok() {
                break second;
            }
            calls.tick().await;
        }
    });
    let mut second = answered.await;
    hostile::say(&mut second, &[frame::open(1, &channel(1)).to_vec(), mark].concat()).await;
    assert_same(&element(&mut gate).await, &watermark(4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_link_that_goes_on_refuses_is_refused() {
    let pair = Pair::new(ExchangeSettings::default()).await;
    let (mut sender, mut gate) = pair.forth(1);
    let calls = std::cell::Cell::new(0);
    // As when the numbers of channels are used up.
    let (_, refused) = pair.a.hub.with_link(&pair.at_b(), |_| {
        calls.set(calls.get() + 1);
        assert!(calls.get() < 100, "it tries for ever");
        Err::<(), _>(std::sync::Arc::new(Ended::ReadTwice))
    });
    assert!(refused.is_err());
    sender.send(watermark(1)).unwrap();
    assert_same(&element(&mut gate).await, &watermark(1));
}
