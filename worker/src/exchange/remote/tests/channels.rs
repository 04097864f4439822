//! What every channel keeps to, inside a worker and between two.

use std::future::poll_fn;

use millstream_engine::element::{Barrier, CheckpointId, StreamElement, WatermarkStatus};
use millstream_engine::testing::random::rounds;

use super::*;
use crate::exchange::CHANNEL_BYTES_MAX;

/// Channels into one gate.
struct Ends {
    senders: Vec<Channel>,
    gate: InputGate,
    /// Of remote channels.
    workers: Option<Pair>,
}

impl Ends {
    fn local(channels: usize) -> Self {
        let (gate, senders) = gate(channels);
        Self { senders: senders.into_iter().map(Channel::from).collect(), gate, workers: None }
    }

    async fn remote(channels: usize) -> Self {
        let workers = Pair::new(ExchangeSettings::default()).await;
        let (gate, into) = gate(channels);
        let mut senders = Vec::new();
        for (number, into) in (0..).zip(into) {
            workers.b.receive(&workers.at_a(), channel(number), into);
            senders.push(Channel::from(workers.a.sender(&workers.at_b(), channel(number))));
        }
        Self { senders, gate, workers: Some(workers) }
    }

    async fn both(channels: usize) -> [Self; 2] {
        [Self::local(channels), Self::remote(channels).await]
    }

    /// Sends while there is room; answers how many elements of how many rows that were.
    async fn fill(&mut self, number: usize) -> i64 {
        let mut sent = 0;
        // At a remote channel room comes back as long as the window of its reader is not full.
        loop {
            while has_room(&self.senders[number]) {
                self.senders[number].send(numbered(sent * 1000, 1000)).unwrap();
                sent += 1;
            }
            let Some(workers) = &self.workers else { return sent };
            if workers.b.counts().receiving_bytes >= CHANNEL_BYTES_MAX && !has_room(&self.senders[number]) {
                return sent;
            }
            tokio::task::yield_now().await;
        }
    }
}

fn all_kinds() -> Vec<StreamElement> {
    let mut elements = vec![
        watermark(i64::MIN),
        watermark(-1),
        StreamElement::Status(WatermarkStatus::Idle),
        StreamElement::Status(WatermarkStatus::Active),
        StreamElement::Barrier(Barrier { id: CheckpointId(1) }),
        StreamElement::Barrier(Barrier { id: CheckpointId(u64::MAX) }),
    ];
    elements.extend(batches::all().into_iter().map(StreamElement::Batch));
    elements.extend([watermark(i64::MAX), StreamElement::EndOfInput]);
    elements
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn all_elements_arrive_as_they_were_sent_and_in_order() {
    for mut ends in Ends::both(1).await {
        for element in all_kinds() {
            ends.senders[0].send(element).unwrap();
        }
        ends.senders.clear();
        for sent in all_kinds() {
            assert_same(&element(&mut ends.gate).await, &sent);
        }
        assert!(poll_fn(|waker_cx| std::task::Poll::Ready(ends.gate.poll_next(waker_cx))).await.is_pending());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_full_channel_has_room_again_when_its_reader_takes_something() {
    for mut ends in Ends::both(1).await {
        let sent = soon("a full channel", ends.fill(0)).await;
        assert!(!has_room(&ends.senders[0]));
        let [sender] = &ends.senders[..] else { panic!("there is one") };
        let gate = &mut ends.gate;
        let read = async {
            for number in 0..sent {
                assert_same(&element(gate).await, &numbered(number * 1000, 1000));
            }
        };
        // Woken, not asked again and again.
        let (room, ()) = tokio::join!(soon("room", poll_fn(|waker_cx| sender.poll_room(waker_cx))), read);
        room.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_producer_that_is_dropped_is_lost_behind_what_it_sent() {
    for mut ends in Ends::both(2).await {
        ends.senders[1].send(watermark(1)).unwrap();
        ends.senders[0].send(watermark(2)).unwrap();
        ends.senders.remove(0);
        let mut seen = Vec::new();
        while seen.len() < 3 {
            seen.push(format!("{:?}", next(&mut ends.gate).await));
        }
        let place = |what: &str| seen.iter().position(|seen| seen.contains(what)).unwrap_or(9);
        assert!(place("Watermark(2)") < place("Lost(0)") && place("Lost(0)") < 3, "{seen:?}");
        assert!(place("Watermark(1)") < 3, "{seen:?}");
        // The other goes on.
        ends.senders[0].send(watermark(3)).unwrap();
        assert_same(&element(&mut ends.gate).await, &watermark(3));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_reader_that_is_dropped_lets_its_producers_run_on() {
    for mut ends in Ends::both(1).await {
        soon("a full channel", ends.fill(0)).await;
        let sender = &ends.senders[0];
        let gate = ends.gate;
        let dropping = async { drop(gate) };
        let (room, ()) = tokio::join!(soon("room", poll_fn(|waker_cx| sender.poll_room(waker_cx))), dropping);
        room.unwrap();
        for number in 0..100 {
            ends.senders[0].send(numbered(number, 1000)).unwrap();
            assert!(has_room(&ends.senders[0]));
        }
        ends.senders[0].send(StreamElement::EndOfInput).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_paused_channel_keeps_its_elements() {
    for mut ends in Ends::both(2).await {
        ends.gate.pause(0);
        ends.senders[0].send(watermark(1)).unwrap();
        if let Some(workers) = &ends.workers {
            until("the paused channel's element", || workers.b.counts().receiving_bytes > 0).await;
        }
        ends.senders[1].send(watermark(2)).unwrap();
        assert!(matches!(next(&mut ends.gate).await, GateElement::Element(1, StreamElement::Watermark(_))));
        assert!(poll_fn(|waker_cx| std::task::Poll::Ready(ends.gate.poll_next(waker_cx))).await.is_pending());
        ends.gate.resume();
        assert!(matches!(next(&mut ends.gate).await, GateElement::Element(0, StreamElement::Watermark(_))));
    }
}

/// Channels are used in turns of chance, and each gets its own in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn channels_do_not_mix() {
    for seed in rounds(4) {
        eprintln!("MILLSTREAM_TEST_SEED={seed}");
        for mut ends in Ends::both(17).await {
            let mut random = Random::new(seed);
            let mut sent = [0_i64; 17];
            let mut seen = [0_i64; 17];
            for _ in 0..2000 {
                let at = random.below(17);
                let number = sent[at];
                let element = if random.chance(30) { watermark(number) } else { numbered(number, 1) };
                ends.senders[at].send(element).unwrap();
                sent[at] += 1;
            }
            while seen != sent {
                let GateElement::Element(at, element) = next(&mut ends.gate).await else { panic!("channel lost") };
                match &element {
                    StreamElement::Batch(_) => assert_same(&element, &numbered(seen[at], 1)),
                    _ => assert_same(&element, &watermark(seen[at])),
                }
                seen[at] += 1;
            }
        }
    }
}
