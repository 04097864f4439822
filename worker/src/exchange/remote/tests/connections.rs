//! One connection for all channels, and what it does when they come and go.

use std::task::{Context, Waker};

use millstream_engine::testing::random::rounds;

use super::*;
use crate::exchange::CHANNEL_BYTES_MAX;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn all_channels_of_two_workers_share_one_connection() {
    let pair = Pair::new(ExchangeSettings::default()).await;
    let mut channels: Vec<_> = (0..50).flat_map(|number| [pair.forth(number), pair.back(1000 + number)]).collect();
    for (sender, gate) in &mut channels {
        for number in 0..10 {
            sender.send(numbered(number, 10)).unwrap();
        }
        for number in 0..10 {
            assert_same(&element(gate).await, &numbered(number, 10));
        }
    }
    for exchange in [&pair.a, &pair.b] {
        let counts = exchange.counts();
        assert_eq!((counts.connections, counts.peers, counts.sending, counts.receiving), (1, 1, 50, 50));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_channel_that_is_not_read_does_not_slow_another() {
    let pair = Pair::new(ExchangeSettings::default()).await;
    let (mut blocked, mut unread) = pair.forth(1);
    let (mut free, mut read) = pair.forth(2);
    let mut sent = 0;
    until("a channel that takes no more", || {
        while blocked.poll_room(&Context::from_waker(Waker::noop())).is_ready() {
            blocked.send(numbered(sent * 1000, 1000)).unwrap();
            sent += 1;
        }
        let counts = (pair.a.counts(), pair.b.counts());
        counts.0.sending_bytes >= CHANNEL_BYTES_MAX && counts.1.receiving_bytes >= CHANNEL_BYTES_MAX
    })
    .await;

    // Ten times what would fit behind what is blocked.
    let writing = async {
        for number in 0..1000 {
            room(&free).await.unwrap();
            free.send(numbered(number * 1000, 1000)).unwrap();
        }
        free.send(StreamElement::EndOfInput).unwrap();
    };
    let reading = async {
        for number in 0..1000 {
            assert_same(&element(&mut read).await, &numbered(number * 1000, 1000));
        }
        assert_same(&element(&mut read).await, &StreamElement::EndOfInput);
    };
    tokio::join!(writing, reading);

    assert!(blocked.poll_room(&Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(pair.a.counts().connections, 1);
    for number in 0..sent {
        assert_same(&element(&mut unread).await, &numbered(number * 1000, 1000));
    }
    room(&blocked).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_reader_that_does_not_read_keeps_no_more_than_its_window() {
    let window_bytes = 100_000;
    let pair = Pair::new(ExchangeSettings { window_bytes, ..ExchangeSettings::default() }).await;
    let (mut sender, mut gate) = pair.forth(1);
    let mut sent = 0;
    until("a full channel", || {
        while sender.poll_room(&Context::from_waker(Waker::noop())).is_ready() {
            sender.send(numbered(sent, 100)).unwrap();
            sent += 1;
        }
        pair.b.counts().receiving_bytes >= window_bytes
    })
    .await;
    let frame = 12_000;
    let (at_sender, at_reader) = (pair.a.counts().sending_bytes, pair.b.counts().receiving_bytes);
    assert!(at_reader < window_bytes + frame, "{at_reader}");
    assert!((CHANNEL_BYTES_MAX..CHANNEL_BYTES_MAX + frame).contains(&at_sender), "{at_sender}");
    // Small elements are bounded too.
    let (mut marks, marked) = pair.forth(2);
    (0..10_000).for_each(|number| marks.send(watermark(number)).unwrap());
    until("marks", || pair.b.counts().receiving_bytes > at_reader + window_bytes).await;
    assert!(pair.b.counts().receiving_bytes < at_reader + window_bytes + 300);
    drop(marked);
    for number in 0..sent {
        assert_same(&element(&mut gate).await, &numbered(number, 100));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_frame_that_is_larger_than_the_window_gets_through() {
    let pair = Pair::new(ExchangeSettings { window_bytes: 1000, ..ExchangeSettings::default() }).await;
    let (mut sender, mut gate) = pair.forth(1);
    for number in 0..20 {
        sender.send(numbered(number, 1000)).unwrap();
        sender.send(watermark(number)).unwrap();
    }
    for number in 0..20 {
        assert_same(&element(&mut gate).await, &numbered(number, 1000));
        assert_same(&element(&mut gate).await, &watermark(number));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn either_end_may_be_the_first() {
    let pair = Pair::new(ExchangeSettings::default()).await;
    // The sender, with everything that it has to say.
    let mut early = pair.a.sender(&pair.at_b(), channel(1));
    early.send(watermark(1)).unwrap();
    early.send(StreamElement::EndOfInput).unwrap();
    drop(early);
    until("the connection", || pair.b.counts().receiving == 1).await;
    let (mut gate, into) = one_gate();
    pair.b.receive(&pair.at_a(), channel(1), into);
    assert_same(&element(&mut gate).await, &watermark(1));
    assert_same(&element(&mut gate).await, &StreamElement::EndOfInput);
    // A sender that failed before.
    drop(pair.a.sender(&pair.at_b(), channel(2)));
    until("its last word", || pair.a.counts().sending == 0).await;
    let (mut gate, into) = one_gate();
    pair.b.receive(&pair.at_a(), channel(2), into);
    assert!(matches!(next(&mut gate).await, GateElement::Lost(0)));
    // A reader that is gone before.
    let (gate, into) = one_gate();
    pair.b.receive(&pair.at_a(), channel(3), into);
    drop(gate);
    let late = pair.a.sender(&pair.at_b(), channel(3));
    until("word of it", || pair.a.counts().sending == 0).await;
    room(&late).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nothing_is_left_of_channels_and_connections_that_are_over() {
    let idle_timeout = Duration::from_millis(50);
    let pair = Pair::new(ExchangeSettings { idle_timeout, ..hasty() }).await;
    for round in 0..3 {
        let mut channels: Vec<_> = (0..10).flat_map(|number| [pair.forth(number), pair.back(number)]).collect();
        for (number, (sender, gate)) in channels.iter_mut().enumerate() {
            sender.send(watermark(round)).unwrap();
            assert_same(&element(gate).await, &watermark(round));
            if number % 2 == 0 {
                sender.send(StreamElement::EndOfInput).unwrap();
            }
        }
        // Some lose their reader first, some their sender.
        let (gates, senders): (Vec<_>, Vec<_>) = channels.into_iter().map(|(sender, gate)| (gate, sender)).unzip();
        if round % 2 == 0 {
            drop((gates, senders))
        } else {
            drop((senders, gates))
        }
        for exchange in [&pair.a, &pair.b] {
            until("an empty table", || exchange.counts().sending + exchange.counts().receiving == 0).await;
            until("no connection", || exchange.counts().connections + exchange.counts().peers == 0).await;
            assert_eq!((exchange.counts().sending_bytes, exchange.counts().receiving_bytes), (0, 0));
        }
    }
}

/// A connection is given up just when the other end opens a channel on it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_channel_survives_that_its_connection_is_released() {
    for seed in rounds(5) {
        eprintln!("MILLSTREAM_TEST_SEED={seed}");
        let mut random = Random::new(seed);
        let idle_timeout = Duration::from_millis(2);
        let ping_interval = Duration::from_millis(1);
        let settings = ExchangeSettings { idle_timeout, ping_interval, ..ExchangeSettings::default() };
        let pair = Pair::new(settings).await;
        for number in 0..100 {
            let (mut sender, mut gate) = if random.chance(70) { pair.back(number) } else { pair.forth(number) };
            sender.send(watermark(1)).unwrap();
            assert_same(&element(&mut gate).await, &watermark(1));
            drop((gate, sender));
            // Half the time the connection is gone before the next channel, and else it is about to go.
            match random.chance(50) {
                true => until("a release", || pair.a.counts().connections + pair.b.counts().connections == 0).await,
                false => {
                    for _ in 0..random.below(2_000) {
                        tokio::task::yield_now().await;
                    }
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_worker_that_starts_later_is_waited_for() {
    let a = exchange("a", ExchangeSettings::default()).await;
    let place = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = place.local_addr().unwrap();
    drop(place);
    let mut sender = a.sender(&Peer { worker: WorkerId::new("b"), address: address.to_string() }, channel(1));
    sender.send(watermark(1)).unwrap();
    let b = Exchange::bind(WorkerId::new("b"), address, ExchangeSettings::default()).await.unwrap();
    let (mut gate, into) = one_gate();
    b.receive(&peer("a", &a), channel(1), into);
    assert_same(&element(&mut gate).await, &watermark(1));
}
