//! What two workers have to do with each other: the channels both ways, whether there is a connection for them or not.
//!
//! ```text
//!               ┌────────── join ──────────┐          Channels can be opened and asked for while apart; a connection
//!               │                          ▼          takes them up. Turns are counted, so that what belongs to an
//!   (new) ──► Apart ◄── part, if the ─── Joined       earlier connection or wait has no say in a later one.
//!               │       other released     │
//!               └────────── lose ─────────►┴──► Over
//! ```
//!
//! What tasks do with it is here, what a connection does in [`connection`].
//!
//! One lock for all channels of the pair, held to move pointers: a batch is encoded before, decoded and written after.

mod connection;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use arrow::buffer::Buffer;
use millstream_engine::error::Error;

use super::ended::{Ended, ProtocolError};
use super::flow::{Flow, Room};
use super::frame::{self, OutFrame};
use super::incoming::{Asked, Incoming, Reader};
use super::outgoing::Outgoing;
use super::{ChannelId, ExchangeSettings, Peer};
use crate::exchange::ChannelSender;

/// The channels between this worker and another one.
#[derive(Debug)]
pub(super) struct Link {
    peer: Peer,
    window: usize,
    state: Mutex<State>,
    /// Bytes, for who watches whether the other is there.
    pub(super) heard: AtomicU64,
    pub(super) sent: AtomicU64,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// Counts the phases.
    turn: u64,
    outgoing: Outgoing,
    incoming: Incoming,
    /// Frames that go before those of the channels: at most a few for each channel, and a ping.
    urgent: Vec<Buffer>,
    /// The task that writes, if it waits.
    writer: Option<Waker>,
}

#[derive(Debug)]
enum Phase {
    /// A connection is awaited.
    Apart,
    /// There is one.
    Joined,
    /// There will be none.
    Over(Arc<Ended>),
}

/// Which connection, or which wait for one, somebody speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn(u64);

/// What a change leads to, done when the lock is given back: others take their own locks and then this one.
#[derive(Default)]
struct After {
    woken: Vec<Waker>,
    broken: Vec<Reader>,
}

impl After {
    fn carry_out(self, why: impl Fn() -> Error) {
        self.woken.into_iter().for_each(Waker::wake);
        self.broken.into_iter().for_each(|reader| reader.into.fail(why()));
    }
}

impl Link {
    pub(super) fn new(peer: Peer, settings: &ExchangeSettings) -> Self {
        let state = State {
            phase: Phase::Apart,
            turn: 0,
            outgoing: Outgoing::default(),
            incoming: Incoming::new(settings.window_bytes, settings.unasked_channels_max),
            urgent: Vec::new(),
            writer: None,
        };
        let (heard, sent) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { peer, window: settings.window_bytes, state: Mutex::new(state), heard, sent }
    }

    /// The other worker.
    pub(super) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// A panic while the lock was held has failed its task; the tables are whole between any two statements.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a channel to the other worker, or says why there can be none.
    pub(super) fn open(&self, id: ChannelId) -> Result<(u32, Arc<Room>), Arc<Ended>> {
        let mut state = self.lock();
        if let Phase::Over(why) = &state.phase {
            return Err(Arc::clone(why));
        }
        let opened = state.outgoing.open(id);
        let (number, room) = opened.ok_or_else(|| Arc::new(Ended::Protocol(ProtocolError::OutOfTurn(u32::MAX))))?;
        state.say(frame::open(number, &id));
        state.wake_writer();
        Ok((number, room))
    }

    /// Whether the producer of a channel must wait for room.
    pub(super) fn wait_for_room(&self, number: u32, producer: &Waker) -> bool {
        self.lock().outgoing.wait_for_room(number, producer)
    }

    /// Bytes that were put into a channel and not sent yet.
    pub(super) fn waiting_bytes_of(&self, number: u32) -> usize {
        self.lock().outgoing.waiting_bytes_of(number)
    }

    /// Sends on a channel, as soon as it may.
    pub(super) fn send(&self, number: u32, frame: OutFrame) {
        let mut state = self.lock();
        state.outgoing.push(number, frame);
        let writer = if state.outgoing.is_ready() { state.writer.take() } else { None };
        drop(state);
        writer.into_iter().for_each(Waker::wake);
    }

    /// A task reads a channel of the other worker. What is wrong with that is told to its gate.
    pub(super) fn ask(self: &Arc<Self>, id: ChannelId, into: &Arc<ChannelSender>) -> Result<(), Arc<Ended>> {
        let flow = Arc::new(Flow::new(id, self, self.window));
        into.attach(Arc::clone(&flow));
        let reader = Reader { into: Arc::clone(into), flow: Arc::clone(&flow) };
        let mut state = self.lock();
        if let Phase::Over(why) = &state.phase {
            return Err(Arc::clone(why));
        }
        let asked = state.incoming.ask(id, reader);
        if let Asked::Begins(frame) = &asked {
            state.say(frame.clone());
            state.wake_writer();
        }
        drop(state);
        if let Asked::Twice(reader) = asked {
            reader.into.fail(Ended::ReadTwice.error(&self.peer));
        }
        // It may have gone before its flow was in the table.
        if !into.is_read() {
            self.leave(&flow);
        }
        Ok(())
    }

    /// The reader of a channel is gone.
    pub(super) fn leave(&self, flow: &Flow) {
        let mut state = self.lock();
        let left = state.incoming.leave(flow);
        if let Some((_, Some(frame))) = &left {
            state.say(frame.clone());
            state.wake_writer();
        }
        drop(state);
    }

    /// The reader of a channel has taken so much.
    pub(super) fn return_credit(&self, flow: &Flow, bytes: usize) {
        let mut state = self.lock();
        if let Some(frame) = state.incoming.return_credit(flow, bytes) {
            state.say(frame);
            state.wake_writer();
        }
    }

    /// The turn that it is.
    pub(super) fn turn(&self) -> Turn {
        Turn(self.lock().turn)
    }

    /// Whether there will be no connection any more.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.lock().phase, Phase::Over(_))
    }

    /// Channels that are sent on, and what waits in them.
    pub(super) fn sending(&self) -> (usize, usize) {
        let state = self.lock();
        (state.outgoing.len(), state.outgoing.waiting_bytes())
    }

    /// Channels that are read, and what waits in them.
    pub(super) fn receiving(&self) -> (usize, usize) {
        let state = self.lock();
        (state.incoming.len(), state.incoming.waiting_bytes())
    }

    /// Counts bytes that came.
    pub(super) fn count_heard(&self, bytes: usize) {
        self.heard.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts bytes that went.
    pub(super) fn count_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl State {
    fn check(&self, turn: Turn) -> Result<(), Arc<Ended>> {
        match &self.phase {
            Phase::Over(why) => Err(Arc::clone(why)),
            Phase::Apart | Phase::Joined if turn.0 != self.turn => Err(Arc::new(Ended::CalledAgain)),
            Phase::Apart | Phase::Joined => Ok(()),
        }
    }

    fn channels(&self) -> usize {
        self.outgoing.len() + self.incoming.len()
    }

    /// Sends a frame before those of channels. While apart there is nobody to send it to; what matters is said on joining.
    fn say(&mut self, frame: Buffer) {
        if matches!(self.phase, Phase::Joined) {
            self.urgent.push(frame);
        }
    }

    fn wake_writer(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }
}
