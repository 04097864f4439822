//! A connection at work: one task reads, one writes and watches, until one of them has a reason to end it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::ExchangeSettings;
use super::ended::{Ended, ProtocolError};
use super::frame::{Kind, farewell};
use super::link::{Link, Turn};
use super::message::{Goodbye, Message};
use super::wire::{Counted, FrameReader, Parts, Traffic};

/// How long the other end is given to take the reason for which the connection is closed.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);

/// What a connection needs to work.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) link: Arc<Link>,
    pub(super) turn: Turn,
    pub(super) settings: Arc<ExchangeSettings>,
    pub(super) traffic: Arc<Traffic>,
    /// This worker called, so it is the one that closes the connection when nobody needs it.
    pub(super) called: bool,
    /// True when the exchange ends.
    pub(super) stop: watch::Receiver<bool>,
}

/// How it went on from a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Another connection is awaited, for channels that were not begun.
    Await(Turn),
    /// The link is over.
    Over,
}

impl Session {
    /// Works until the connection ends.
    pub(super) async fn run(self, mut reader: FrameReader<OwnedReadHalf>, socket: OwnedWriteHalf) -> Next {
        reader.take_rows(self.settings.frame_bytes_max);
        let traffic = Arc::clone(&self.traffic);
        let _counted = Counted::new(&traffic.connections);
        let mut reading = JoinSet::new();
        reading.spawn(read(Arc::clone(&self.link), self.turn, Arc::clone(&traffic), reader));
        let mut writing = Box::pin(write(&self.link, self.turn, &self.traffic, socket));
        let mut stop = self.stop.clone();
        let (mut returned, mut written) = (None, false);
        let why = tokio::select! {
            read = reading.join_next() => match read {
                Some(Ok((why, reader))) => {
                    returned = Some(reader);
                    why
                }
                Some(Err(_)) | None => Arc::new(Ended::ShutDown),
            },
            why = &mut writing => {
                written = true;
                why
            }
            why = self.watch() => Arc::new(why),
            _ = stop.wait_for(|stop| *stop) => Arc::new(Ended::ShutDown),
        };
        let next = self.after(&why);
        let farewell = async {
            if !written {
                writing.await;
            }
            if returned.is_none() {
                returned = reading.join_next().await.and_then(Result::ok).map(|(_, reader)| reader);
            }
            if let Some(reader) = returned.as_mut().filter(|_| why.goodbye().is_some()) {
                reader.discard().await;
            }
        };
        // Who does not take it in time is not told.
        let _ = timeout(FAREWELL, farewell).await;
        next
    }

    fn after(&self, why: &Arc<Ended>) -> Next {
        if matches!(**why, Ended::Released) {
            return self.link.part(self.turn).map_or(Next::Over, Next::Await);
        }
        self.link.lose_turn(self.turn, why);
        Next::Over
    }

    /// Says that this worker is there, sees whether the other is, and whether anybody needs the connection.
    async fn watch(&self) -> Ended {
        let settings = &self.settings;
        let beat = settings.ping_interval.min(settings.timeout / 4).max(Duration::from_millis(1));
        let mut beats = interval(beat);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut heard, mut sent) = (0, 0);
        let (mut silent, mut unused) = (Duration::ZERO, Duration::ZERO);
        let mut last = Instant::now();
        loop {
            let now = beats.tick().await;
            // A process that was stopped does not take its own pause for the other's silence.
            let passed = now.duration_since(last).min(2 * beat);
            last = now;
            // The counters are those of the connection that has taken this one's place.
            if self.link.turn() != self.turn {
                return Ended::CalledAgain;
            }
            let changed = |counter: u64, known: &mut u64| std::mem::replace(known, counter) != counter;
            silent = if changed(self.link.heard.load(Ordering::Relaxed), &mut heard) {
                Duration::ZERO
            } else {
                silent + passed
            };
            if silent >= settings.timeout {
                return Ended::Silent(settings.timeout);
            }
            self.link.end_one_sided(settings.one_sided_max);
            let used = self.link.sending().0 + self.link.receiving().0 > 0;
            unused = if used { Duration::ZERO } else { unused + passed };
            if self.called && unused >= settings.idle_timeout && self.link.release() {
                return Ended::Unused;
            }
            if !changed(self.link.sent.load(Ordering::Relaxed), &mut sent) {
                self.link.ping();
            }
        }
    }
}

/// Hands what comes to the link. Ends with the reason, and gives the socket back.
async fn read(
    link: Arc<Link>,
    turn: Turn,
    traffic: Arc<Traffic>,
    mut reader: FrameReader<OwnedReadHalf>,
) -> (Arc<Ended>, FrameReader<OwnedReadHalf>) {
    let heard = |bytes| {
        link.count_heard(bytes);
        Traffic::count(&traffic.bytes_in, bytes);
    };
    loop {
        let (header, payload) = match reader.next(&heard).await {
            Ok(Some(frame)) => frame,
            Ok(None) => return (Arc::new(Ended::HungUp), reader),
            Err(why) => return (Arc::new(why), reader),
        };
        Traffic::count(&traffic.frames_in, 1);
        let done = match header.kind {
            Kind::Goodbye => Err(Arc::new(released(Message::parse(&header, payload)))),
            _ => link.hear(turn, &header, payload),
        };
        if let Err(why) = done {
            return (why, reader);
        }
    }
}

fn released(goodbye: Result<Message, ProtocolError>) -> Ended {
    match goodbye {
        Ok(Message::Goodbye(Goodbye::Because(why))) => Ended::Told(why),
        Ok(_) => Ended::Released,
        Err(error) => error.into(),
    }
}

/// Writes what there is, as much at a time as there is. Ends with the reason, which the other end is told.
async fn write(link: &Link, turn: Turn, traffic: &Traffic, mut socket: OwnedWriteHalf) -> Arc<Ended> {
    let mut parts = Parts::default();
    let written = |bytes| {
        link.count_sent(bytes);
        Traffic::count(&traffic.bytes_out, bytes);
    };
    loop {
        let mut ended = None;
        if let Err(why) = std::future::poll_fn(|waker_cx| link.poll_parts(turn, &mut parts, waker_cx)).await {
            parts.add(why.goodbye().iter().map(farewell));
            ended = Some(why);
        }
        if let Err(why) = parts.write_to(&mut socket, written).await {
            return ended.unwrap_or_else(|| Arc::new(why));
        }
        if let Some(why) = ended {
            // The other end may be gone already.
            let _ = socket.shutdown().await;
            return why;
        }
    }
}
