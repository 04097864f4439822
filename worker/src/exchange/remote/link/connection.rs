//! What a connection does with a link: it takes up its channels, carries their frames, and ends.

use std::sync::{Arc, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use arrow::buffer::Buffer;
use millstream_engine::element::StreamElement;

use super::{After, Link, Phase, State, Turn};
use crate::exchange::gate::Arrived;
use crate::exchange::remote::ended::{Ended, ProtocolError};
use crate::exchange::remote::frame::{self, Header, Kind, cost};
use crate::exchange::remote::incoming::Reader;
use crate::exchange::remote::message::Message;
use crate::exchange::remote::wire::Parts;

impl Link {
    /// A connection is there, maybe in place of one that the other has given up. None if it is of no use any more.
    pub(in crate::exchange::remote) fn join(&self) -> Option<Turn> {
        let why = Arc::new(Ended::CalledAgain);
        let mut after = After::default();
        let mut state = self.lock();
        if matches!(state.phase, Phase::Over(_)) {
            return None;
        }
        // Of a connection that is still there; while apart there is none of either.
        state.outgoing.end_begun(&why, &mut after.woken);
        after.broken = state.incoming.end_opened();
        after.woken.extend(state.writer.take());
        state.phase = Phase::Joined;
        state.turn += 1;
        state.urgent = state.outgoing.opens();
        let turn = Turn(state.turn);
        drop(state);
        after.carry_out(|| why.error(&self.peer));
        Some(turn)
    }

    /// Moves what may be written into `parts`; waits while there is nothing.
    pub(in crate::exchange::remote) fn poll_parts(
        &self,
        turn: Turn,
        parts: &mut Parts,
        waker_cx: &Context<'_>,
    ) -> Poll<Result<(), Arc<Ended>>> {
        let mut woken = Vec::new();
        let mut state = self.lock();
        if let Err(why) = state.check(turn) {
            return Poll::Ready(Err(why));
        }
        parts.add(state.urgent.drain(..));
        state.outgoing.take(parts, &mut woken);
        let empty = parts.is_empty();
        if empty {
            state.writer = Some(waker_cx.waker().clone());
        }
        drop(state);
        woken.into_iter().for_each(Waker::wake);
        if empty { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    /// A frame has come.
    pub(in crate::exchange::remote) fn hear(
        &self,
        turn: Turn,
        header: &Header,
        payload: Buffer,
    ) -> Result<(), Arc<Ended>> {
        let message = Message::parse(header, payload).map_err(protocol)?;
        let mut after = After::default();
        let mut state = self.lock();
        state.check(turn)?;
        let handed = state.hear(header, message, &mut after.woken).map_err(protocol)?;
        if !state.urgent.is_empty() {
            after.woken.extend(state.writer.take());
        }
        drop(state);
        after.woken.into_iter().for_each(Waker::wake);
        if let Some((reader, Some(arrived))) = handed {
            reader.into.put(arrived, cost(header.length));
        }
        Ok(())
    }

    /// The connection is lost, whichever it is, and with it all channels.
    pub(in crate::exchange::remote) fn lose(&self, why: &Arc<Ended>) {
        self.end(self.lock(), why);
    }

    /// The same, said for one connection or wait: nothing happens when its turn is over.
    pub(in crate::exchange::remote) fn lose_turn(&self, turn: Turn, why: &Arc<Ended>) {
        let state = self.lock();
        if turn.0 == state.turn {
            self.end(state, why);
        }
    }

    fn end(&self, mut state: MutexGuard<'_, State>, why: &Arc<Ended>) {
        if matches!(state.phase, Phase::Over(_)) {
            return;
        }
        let mut after = After::default();
        state.phase = Phase::Over(Arc::clone(why));
        let channels = state.channels();
        state.outgoing.end_all(why, &mut after.woken);
        after.broken = state.incoming.end_all();
        state.urgent.clear();
        after.woken.extend(state.writer.take());
        drop(state);
        self.log(why, channels);
        after.carry_out(|| why.error(&self.peer));
    }

    fn log(&self, why: &Ended, channels: usize) {
        let peer = &self.peer;
        match (channels, why) {
            (1.., _) => {
                tracing::warn!("the connection to worker {peer} was lost, and {channels} channels on it: {why}")
            }
            (0, Ended::Protocol(_)) => tracing::warn!("the connection to worker {peer} was closed: {why}"),
            (0, _) => tracing::debug!("the connection to worker {peer} was closed: {why}"),
        }
    }

    /// The other has released the connection. Answers the turn of the wait for the next one if there are channels for it;
    /// else it is over.
    pub(in crate::exchange::remote) fn part(&self, turn: Turn) -> Option<Turn> {
        let mut state = self.lock();
        state.check(turn).ok()?;
        let begun = state.outgoing.any_begun() || state.incoming.any_opened();
        if begun || state.channels() == 0 {
            self.end(state, &Arc::new(if begun { Ended::HungUp } else { Ended::Released }));
            return None;
        }
        state.phase = Phase::Apart;
        state.turn += 1;
        state.urgent.clear();
        Some(Turn(state.turn))
    }

    /// Gives the connection up if it has no channels and all is written that there was to say of them.
    pub(in crate::exchange::remote) fn release(&self) -> bool {
        let mut state = self.lock();
        let all_written = state.urgent.is_empty() && state.writer.is_some();
        if state.channels() > 0 || !all_written || matches!(state.phase, Phase::Over(_)) {
            return false;
        }
        state.phase = Phase::Over(Arc::new(Ended::Unused));
        state.wake_writer();
        true
    }

    /// Says that this worker is there, if nothing else is on its way.
    pub(in crate::exchange::remote) fn ping(&self) {
        let mut state = self.lock();
        if state.writer.is_some() {
            state.say(frame::small(Kind::Ping, 0, &[]));
            state.wake_writer();
        }
    }

    /// Ends channels that have had one end only for `longest`.
    pub(in crate::exchange::remote) fn end_one_sided(&self, longest: Duration) {
        let mut after = After::default();
        let mut state = self.lock();
        for number in state.outgoing.end_unread(longest, &mut after.woken) {
            state.say(frame::small(Kind::Close, number, &[]));
            state.wake_writer();
        }
        after.broken = state.incoming.end_unopened(longest);
        drop(state);
        after.carry_out(|| Ended::NotOpened(longest).error(&self.peer));
    }
}

impl State {
    /// Does what a frame says. Answers a reader, to be dropped when the lock is given back, and what it gets before.
    fn hear(
        &mut self,
        header: &Header,
        message: Message,
        woken: &mut Vec<Waker>,
    ) -> Result<Option<(Reader, Option<Arrived>)>, ProtocolError> {
        let channel = header.channel;
        match message {
            Message::Open(id) => self.urgent.extend(self.incoming.open(channel, id)?),
            Message::Rows(rows) => {
                let reader = self.incoming.accept(channel, cost(header.length))?.cloned();
                return Ok(reader.map(|reader| {
                    let arrived = Arrived::Rows(rows, Arc::clone(&reader.flow));
                    (reader, Some(arrived))
                }));
            }
            Message::Element(element) => {
                let reader = self.incoming.accept(channel, cost(header.length))?.cloned();
                if matches!(element, StreamElement::EndOfInput) {
                    self.incoming.end(channel)?;
                }
                return Ok(reader.map(|reader| (reader, Some(Arrived::Element(element)))));
            }
            Message::Close => return Ok(self.incoming.end(channel)?.map(|reader| (reader, None))),
            Message::Credit(bytes) => {
                self.outgoing.grant(channel, bytes)?;
                woken.extend(self.writer.take());
            }
            Message::Leave => {
                if self.outgoing.leave(channel, woken)? {
                    self.urgent.push(frame::small(Kind::Close, channel, &[]));
                }
            }
            Message::Ping => {}
            Message::Hello(_) | Message::Goodbye(_) => return Err(ProtocolError::OutOfPlace(header.kind)),
        }
        Ok(None)
    }
}

fn protocol(error: ProtocolError) -> Arc<Ended> {
    Arc::new(Ended::Protocol(error))
}
