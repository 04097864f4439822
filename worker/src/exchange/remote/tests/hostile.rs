//! Bytes on the port that no worker sends, or none of this build, or not like this.

use arrow::buffer::Buffer;
use millstream_engine::element::{Barrier, CheckpointId, WatermarkStatus};
use millstream_engine::testing::random::rounds;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use xxhash_rust::xxh3::xxh3_64;

use super::super::encode::Encoder;
use super::super::frame::{self, Kind, OutFrame};
use super::*;

/// What a worker says first.
pub(super) fn hello(from: &str, to: &str) -> Vec<u8> {
    let mut bytes = b"MSEX\x01\0\0\0".to_vec();
    let mut payload = Vec::new();
    for text in [env!("CARGO_PKG_VERSION"), from, to] {
        payload.extend_from_slice(&u16::try_from(text.len()).unwrap().to_le_bytes());
        payload.extend_from_slice(text.as_bytes());
    }
    payload.extend_from_slice(&(64_u32 * 1024 * 1024).to_le_bytes());
    bytes.extend_from_slice(&frame::small(Kind::Hello, 0, &payload));
    bytes
}

pub(super) async fn say(stream: &mut TcpStream, bytes: &[u8]) {
    // It may be closed already: that is what is tested.
    let _ = stream.write_all(bytes).await;
}

fn elements() -> Vec<StreamElement> {
    vec![
        watermark(5),
        numbered(0, 3),
        StreamElement::Status(WatermarkStatus::Idle),
        StreamElement::Barrier(Barrier { id: CheckpointId(9) }),
        numbered(3, 2),
        StreamElement::EndOfInput,
    ]
}

/// What a worker `a` says to `b` that sends [`elements`], each part a frame.
fn conversation() -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(1, 1 << 26);
    let mut frames = vec![hello("a", "b"), frame::open(1, &channel(1)).to_vec()];
    for element in elements() {
        let mut add = |frame: OutFrame| frames.push(frame.parts.iter().flat_map(|part| part.to_vec()).collect());
        match element {
            StreamElement::Batch(batch) => encoder.encode(&batch, &mut add).unwrap(),
            StreamElement::Watermark(of) => add(OutFrame::watermark(1, of)),
            StreamElement::Status(of) => add(OutFrame::status(1, of)),
            StreamElement::Barrier(of) => add(OutFrame::barrier(1, of)),
            StreamElement::EndOfInput => add(OutFrame::end_of_input(1)),
        }
    }
    frames
}

/// A worker `b` that is called by all sorts, and a channel to it from a worker that is none of them.
struct Besieged {
    b: Exchange,
    caller: Exchange,
    sender: RemoteSender,
    gate: InputGate,
    said: i64,
}

impl Besieged {
    async fn new() -> Self {
        let settings = ExchangeSettings { timeout: Duration::from_secs(20), ..hasty() };
        let (b, caller) = (exchange("b", settings.clone()).await, exchange("aa", settings).await);
        let (gate, into) = one_gate();
        b.receive(&peer("aa", &caller), channel(99), into);
        let sender = caller.sender(&peer("b", &b), channel(99));
        Self { b, caller, sender, gate, said: 0 }
    }

    /// A gate that waits for worker `a`.
    fn expecting(&self) -> InputGate {
        let (gate, into) = one_gate();
        self.b.receive(&peer("a", &self.caller), channel(1), into);
        gate
    }

    /// A connection on which `bytes` were said.
    async fn called_with(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.b.address()).await.unwrap();
        say(&mut stream, bytes).await;
        stream
    }

    /// The other connection works as before.
    async fn is_well(&mut self) {
        self.said += 1;
        self.sender.send(watermark(self.said)).unwrap();
        assert_same(&element(&mut self.gate).await, &watermark(self.said));
    }
}

/// What is said until the connection is closed.
async fn last_words(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    // A reset closes it too.
    let _ = soon("the end of the connection", stream.read_to_end(&mut said)).await;
    String::from_utf8_lossy(&said).into_owned()
}

/// Takes what was sent before the connection went, which must be right. Answers whether all of it came.
async fn read_out(gate: &mut InputGate, what: &str) -> Option<String> {
    for sent in elements() {
        match next(gate).await {
            GateElement::Element(_, arrived) => assert_same(&arrived, &sent),
            GateElement::Lost(_) => panic!("{what}: lost without a reason"),
            GateElement::Broken(_, error) => return Some(error.to_string()),
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_flipped_bit_closes_the_connection() {
    let mut besieged = Besieged::new().await;
    let whole = conversation();
    let greeting = whole[0].len();
    let whole = whole.concat();
    let mut random = Random::new(rounds(1)[0]);
    for at in 0..whole.len() {
        let bit = random.below(8);
        let what = format!("byte {at}, bit {bit}");
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << bit;
        let refused = besieged.b.counts().refused;
        let mut gate = besieged.expecting();
        let mut stream = besieged.called_with(&bytes).await;
        if at < greeting {
            last_words(&mut stream).await;
            until("a refusal", || besieged.b.counts().refused == refused + 1).await;
        } else {
            let reason = read_out(&mut gate, &what).await;
            let reason = reason.unwrap_or_else(|| panic!("{what}: not noticed"));
            assert!(reason.starts_with("the connection is lost to worker a at "), "{what}: {reason}");
            // The sender is told too.
            let said = last_words(&mut stream).await;
            assert!(said.contains("checksum"), "{what}: {reason}: {said:?}");
        }
        drop(gate);
        if at % 50 == 0 {
            besieged.is_well().await;
        }
    }
    besieged.is_well().await;
    until("no connection", || besieged.b.counts().connections == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_conversation_that_is_cut_off_anywhere_loses_the_channel() {
    let mut besieged = Besieged::new().await;
    let whole = conversation();
    let greeting = whole[0].len();
    let whole = whole.concat();
    for end in (0..=whole.len()).step_by(3).chain([whole.len()]) {
        let mut gate = besieged.expecting();
        let mut stream = besieged.called_with(&whole[..end]).await;
        stream.shutdown().await.unwrap();
        if end >= greeting {
            let reason = read_out(&mut gate, &format!("{end} bytes")).await;
            assert_eq!(reason.is_none(), end == whole.len(), "{end} bytes: {reason:?}");
        }
        last_words(&mut stream).await;
    }
    besieged.is_well().await;
    until("no connection", || besieged.b.counts().connections == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn random_bytes_close_the_connection() {
    let mut besieged = Besieged::new().await;
    for seed in rounds(100) {
        eprintln!("MILLSTREAM_TEST_SEED={seed}");
        let mut random = Random::new(seed);
        let mut bytes = match random.below(3) {
            0 => Vec::new(),
            1 => b"MSEX\x01\0\0\0".to_vec(),
            _ => hello("a", "b"),
        };
        let more = 24 + random.below(5000);
        bytes.extend((0..more).map(|_| random_byte(&mut random)));
        let mut stream = besieged.called_with(&bytes).await;
        last_words(&mut stream).await;
        besieged.is_well().await;
    }
}

/// Frames that are right in form and say what nobody should.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn random_frames_do_no_harm() {
    let mut besieged = Besieged::new().await;
    let kinds = [
        (Kind::Hello, 20),
        (Kind::Open, 40),
        (Kind::Rows, 500),
        (Kind::Watermark, 8),
        (Kind::Status, 1),
        (Kind::Barrier, 8),
        (Kind::EndOfInput, 0),
        (Kind::Close, 0),
        (Kind::Credit, 8),
        (Kind::Leave, 0),
        (Kind::Ping, 0),
        (Kind::Goodbye, 12),
    ];
    for seed in rounds(100) {
        eprintln!("MILLSTREAM_TEST_SEED={seed}");
        let mut random = Random::new(seed);
        let mut gate = besieged.expecting();
        let mut back = besieged.b.sender(&peer("a", &besieged.caller), channel(50));
        back.send(numbered(0, 10)).unwrap();
        let mut bytes = hello("a", "b");
        let opened = random.chance(80);
        if opened {
            bytes.extend_from_slice(&frame::open(1, &channel(1)));
        }
        for _ in 0..1 + random.below(30) {
            let (kind, length) = *random.pick(&kinds);
            let payload: Vec<u8> = (0..length).map(|_| random_byte(&mut random)).collect();
            bytes.extend_from_slice(&frame::small(kind, *random.pick(&[0, 1, 2]), &payload));
        }
        let mut stream = besieged.called_with(&bytes).await;
        stream.shutdown().await.unwrap();
        last_words(&mut stream).await;
        if opened {
            while let GateElement::Element(_, element) = next(&mut gate).await {
                match element {
                    StreamElement::Batch(_) => panic!("made up rows"),
                    StreamElement::EndOfInput => break,
                    StreamElement::Watermark(_) | StreamElement::Status(_) | StreamElement::Barrier(_) => {}
                }
            }
        }
        besieged.is_well().await;
    }
}

/// Each of these and what it is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_against_the_rules_is_answered_with_the_rule() {
    let mut besieged = Besieged::new().await;
    let greeting = hello("a", "b");
    let open = |number, of| frame::open(number, &channel(of));
    let mark = |number| OutFrame::watermark(number, Watermark(1)).parts.remove(0);
    let mut long = frame::small(Kind::Rows, 1, &[]).to_vec();
    long[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    let own = xxh3_64(&long[..20]).to_le_bytes();
    long[20..24].copy_from_slice(&own[..4]);
    let rows = frame::small(Kind::Rows, 1, &[0]);
    let mut unknown = frame::small(Kind::Ping, 0, &[]).to_vec();
    unknown[4] = 77;
    let own = xxh3_64(&unknown[..20]).to_le_bytes();
    unknown[20..24].copy_from_slice(&own[..4]);
    let cases: Vec<(Vec<u8>, Vec<Buffer>, &str)> = vec![
        (b"GET / HTTP/1.1\r\nHost: b\r\n\r\n".to_vec(), vec![], ""),
        (b"MSEX\x02\0\0\0".to_vec(), vec![], "it speaks version 2 of the protocol and this worker version 1"),
        (b"MSEX\x01\0\0\0".to_vec(), vec![frame::small(Kind::Ping, 0, &[])], "it does not begin with a hello"),
        (b"MSEX\x01\0\0\0".to_vec(), vec![rows], "a frame Rows of 1 bytes; at most 0 are possible"),
        (hello("a", "elsewhere"), vec![], "it is worker a and looks for elsewhere; this is b"),
        (hello("z", "b"), vec![], "worker z calls b, which would have to call it"),
        (hello("b", "b"), vec![], "worker b calls b, which would have to call it"),
        (greeting.clone(), vec![long.into()], "a frame Rows of 4294967295 bytes; at most 67108864 are possible"),
        (greeting.clone(), vec![unknown.into()], "a frame of unknown kind 77"),
        (greeting.clone(), vec![mark(1)], "a frame of channel 1, which is not open"),
        (greeting.clone(), vec![open(1, 7), mark(1)], "channel 1 has sent more than it may"),
        (greeting.clone(), vec![open(2, 7), open(2, 8)], "channel 2 is opened out of turn"),
        (greeting.clone(), vec![open(1, 7), open(2, 7)], "is opened twice"),
        (greeting.clone(), vec![frame::credit(1, 5)], "a frame of channel 1, which is not open"),
        (greeting.clone(), vec![frame::small(Kind::Leave, 4, &[])], "a frame of channel 4, which is not open"),
        (greeting.clone(), vec![frame::small(Kind::Hello, 0, &[])], "a frame Hello in the middle of the connection"),
        (greeting.clone(), vec![frame::small(Kind::Status, 1, &[2])], "a watermark status 2"),
    ];
    for (greeting, frames, answer) in cases {
        let bytes = [greeting, frames.iter().flat_map(|frame| frame.to_vec()).collect()].concat();
        let mut stream = besieged.called_with(&bytes).await;
        let said = last_words(&mut stream).await;
        assert!(said.ends_with(answer) && said.is_empty() == answer.is_empty(), "{answer:?}: {said:?}");
        besieged.is_well().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_worker_that_sends_without_credit_is_stopped_at_the_window() {
    let window_bytes = 50_000;
    let b = exchange("b", ExchangeSettings { window_bytes, ..ExchangeSettings::default() }).await;
    let (mut gate, into) = one_gate();
    b.receive(&peer("a", &b), channel(1), into);
    let mut stream = TcpStream::connect(b.address()).await.unwrap();
    say(&mut stream, &[hello("a", "b"), frame::open(1, &channel(1)).to_vec()].concat()).await;
    let mut encoder = Encoder::new(1, 1 << 26);
    let StreamElement::Batch(batch) = numbered(0, 100) else { panic!("it is rows") };
    for _ in 0..100 {
        let frames = batches::frames(&mut encoder, &batch);
        say(&mut stream, &frames.concat()).await;
    }
    assert!(last_words(&mut stream).await.ends_with("channel 1 has sent more than it may"));
    let mut kept = 0;
    let reason = loop {
        match next(&mut gate).await {
            GateElement::Element(_, StreamElement::Batch(batch)) => kept += batch.memory_bytes(),
            GateElement::Broken(_, error) => break error.to_string(),
            other => panic!("{other:?}"),
        }
    };
    assert!(kept < window_bytes + 12_000, "{kept}");
    assert!(reason.ends_with("channel 1 has sent more than it may"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn channels_that_nobody_asks_for_are_limited() {
    let b = exchange("b", ExchangeSettings { unasked_channels_max: 10, ..ExchangeSettings::default() }).await;
    let mut stream = TcpStream::connect(b.address()).await.unwrap();
    let opens = (1..=11).flat_map(|number| frame::open(number, &channel(number)).to_vec()).collect();
    say(&mut stream, &[hello("a", "b"), opens].concat()).await;
    assert!(last_words(&mut stream).await.ends_with("more than 10 channels are open that no task has asked for"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn callers_that_say_nothing_are_sent_away_and_do_not_keep_others_out() {
    let settings = ExchangeSettings { connections_max: 4, ..hasty() };
    let pair = Pair::new(settings).await;
    let mut idle = Vec::new();
    for _ in 0..10 {
        idle.push(TcpStream::connect(pair.b.address()).await.unwrap());
    }
    until("refusals", || pair.b.counts().refused >= 6).await;
    for stream in &mut idle {
        last_words(stream).await;
    }
    // Some were too many, some too slow.
    until("refusals", || pair.b.counts().refused == 10).await;
    let (mut sender, mut gate) = pair.forth(1);
    sender.send(watermark(1)).unwrap();
    assert_same(&element(&mut gate).await, &watermark(1));
}
