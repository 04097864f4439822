//! The channels that this worker sends on over one connection.
//!
//! ```text
//!   send ──► queue of the channel ──► ready? ──► the connection's writer, one frame of each channel in turn
//!            (4 MiB, 64 Ki rows)      has a frame and credit
//! ```
//!
//! Pure: it is told what happens and answers what to write and whom to wake. [`super::link`] does it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use arrow::buffer::Buffer;

use super::ChannelId;
use super::ended::{Ended, ProtocolError};
use super::flow::Room;
use super::frame::{self, OutFrame, Role};
use super::wire::Parts;
use crate::exchange::{CHANNEL_BYTES_MAX, CHANNEL_ROWS_MAX};

/// All of them, by number.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    channels: HashMap<u32, Channel>,
    /// The number that was given last.
    last: u32,
    /// Channels that have a frame and may send it, each once, in turn.
    ready: VecDeque<u32>,
}

#[derive(Debug)]
struct Channel {
    id: ChannelId,
    queue: VecDeque<OutFrame>,
    /// What waits in the queue.
    bytes: usize,
    rows: usize,
    /// What may still be sent. A frame goes when there is any, so that one that is larger than the window goes too; then it
    /// is below 0.
    credit: i64,
    /// The reader has given credit, so it is there and something may have been sent.
    granted: bool,
    opened: Instant,
    /// It is in `ready`.
    listed: bool,
    /// The producer, if it waits for room.
    producer: Option<Waker>,
    room: Arc<Room>,
}

impl Channel {
    fn has_room(&self) -> bool {
        self.bytes < CHANNEL_BYTES_MAX && self.rows < CHANNEL_ROWS_MAX
    }

    fn may_send(&self) -> bool {
        self.queue.front().is_some_and(|frame| self.credit > 0 || frame.role == Role::Close)
    }

    fn take_frame(&mut self) -> Option<OutFrame> {
        let frame = self.queue.pop_front()?;
        self.bytes -= frame.cost;
        self.rows -= frame.rows;
        self.credit -= i64::try_from(frame.cost).unwrap_or(i64::MAX);
        Some(frame)
    }
}

impl Outgoing {
    /// A new channel. None when the numbers are used up.
    pub(super) fn open(&mut self, id: ChannelId) -> Option<(u32, Arc<Room>)> {
        self.last = self.last.checked_add(1)?;
        let room = Arc::new(Room::free());
        let channel = Channel {
            id,
            queue: VecDeque::new(),
            bytes: 0,
            rows: 0,
            credit: 0,
            granted: false,
            opened: Instant::now(),
            listed: false,
            producer: None,
            room: Arc::clone(&room),
        };
        self.channels.insert(self.last, channel);
        Some((self.last, room))
    }

    /// Puts a frame into a channel. One that nobody reads any more throws it away.
    pub(super) fn push(&mut self, number: u32, frame: OutFrame) {
        if let Some(channel) = self.channels.get_mut(&number) {
            channel.bytes += frame.cost;
            channel.rows += frame.rows;
            channel.queue.push_back(frame);
            channel.room.set_full(!channel.has_room());
            self.list(number);
        }
    }

    /// Whether there is something that may be sent.
    pub(super) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether `producer` must wait for room; it is woken when there is. Not so in a channel that is gone.
    pub(super) fn wait_for_room(&mut self, number: u32, producer: &Waker) -> bool {
        match self.channels.get_mut(&number) {
            Some(channel) if !channel.has_room() => {
                channel.producer = Some(producer.clone());
                true
            }
            Some(_) | None => false,
        }
    }

    /// The reader lets so many bytes more be sent. It may speak of a channel that has had its last word since.
    pub(super) fn grant(&mut self, number: u32, bytes: u64) -> Result<(), ProtocolError> {
        match self.channels.get_mut(&number) {
            Some(channel) => {
                channel.granted = true;
                channel.credit = channel.credit.saturating_add(i64::try_from(bytes).unwrap_or(i64::MAX));
                self.list(number);
                Ok(())
            }
            None => self.check_known(number),
        }
    }

    /// The reader is gone: what waits is thrown away. True if it waits for the last word.
    pub(super) fn leave(&mut self, number: u32, woken: &mut Vec<Waker>) -> Result<bool, ProtocolError> {
        let Some(channel) = self.channels.remove(&number) else {
            return self.check_known(number).map(|()| false);
        };
        channel.room.set_unread();
        woken.extend(channel.producer);
        Ok(true)
    }

    fn check_known(&self, number: u32) -> Result<(), ProtocolError> {
        if (1..=self.last).contains(&number) { Ok(()) } else { Err(ProtocolError::NotOpen(number)) }
    }

    fn list(&mut self, number: u32) {
        if let Some(channel) = self.channels.get_mut(&number)
            && !channel.listed
            && channel.may_send()
        {
            channel.listed = true;
            self.ready.push_back(number);
        }
    }

    /// Moves what may be sent into `parts`, a frame of each channel in turn, until they are full.
    pub(super) fn take(&mut self, parts: &mut Parts, woken: &mut Vec<Waker>) {
        while !parts.are_full() && self.is_ready() {
            self.take_one(parts, woken);
        }
    }

    /// Moves the next frame into `parts`, if its channel is still there.
    fn take_one(&mut self, parts: &mut Parts, woken: &mut Vec<Waker>) {
        let Some(number) = self.ready.pop_front() else { return };
        let Some(channel) = self.channels.get_mut(&number) else { return };
        channel.listed = false;
        let Some(frame) = channel.take_frame() else { return };
        parts.add(frame.parts);
        match frame.role {
            Role::Element => {
                if channel.has_room() {
                    channel.room.set_full(false);
                    woken.extend(channel.producer.take());
                }
                self.list(number);
            }
            Role::End | Role::Close => {
                self.channels.remove(&number);
            }
        }
    }

    /// Frames that open all channels, for a new connection.
    pub(super) fn opens(&self) -> Vec<Buffer> {
        let mut numbers: Vec<u32> = self.channels.keys().copied().collect();
        numbers.sort_unstable();
        numbers.iter().filter_map(|number| Some(frame::open(*number, &self.channels.get(number)?.id))).collect()
    }

    /// Ends the channels that `which` says; their producers learn why.
    fn end(&mut self, why: &Arc<Ended>, woken: &mut Vec<Waker>, which: impl Fn(&Channel) -> bool) -> Vec<u32> {
        let ended = self.channels.extract_if(|_, channel| which(channel));
        ended
            .map(|(number, channel)| {
                channel.room.lose(why);
                woken.extend(channel.producer);
                number
            })
            .collect()
    }

    /// The connection is lost.
    pub(super) fn end_all(&mut self, why: &Arc<Ended>, woken: &mut Vec<Waker>) {
        self.end(why, woken, |_| true);
        self.ready.clear();
    }

    /// The connection is lost, and there is another for channels that nothing was sent on.
    pub(super) fn end_begun(&mut self, why: &Arc<Ended>, woken: &mut Vec<Waker>) {
        self.end(why, woken, |channel| channel.granted);
        self.ready.clear();
        self.channels.values_mut().for_each(|channel| channel.listed = false);
        let numbers: Vec<u32> = self.channels.keys().copied().collect();
        numbers.into_iter().for_each(|number| self.list(number));
    }

    /// Ends channels that nobody has begun to read for `longest`. Answers their numbers.
    pub(super) fn end_unread(&mut self, longest: Duration, woken: &mut Vec<Waker>) -> Vec<u32> {
        let now = Instant::now();
        let unread = |channel: &Channel| !channel.granted && now.duration_since(channel.opened) >= longest;
        self.end(&Arc::new(Ended::NotRead(longest)), woken, unread)
    }

    /// Whether anything may have been sent on one of them.
    pub(super) fn any_begun(&self) -> bool {
        self.channels.values().any(|channel| channel.granted)
    }

    pub(super) fn len(&self) -> usize {
        self.channels.len()
    }

    /// What waits in the queue of a channel.
    pub(super) fn waiting_bytes_of(&self, number: u32) -> usize {
        self.channels.get(&number).map_or(0, |channel| channel.bytes)
    }

    /// What waits in all queues.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.channels.values().map(|channel| channel.bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use millstream_engine::element::Watermark;

    use super::*;
    use crate::exchange::remote::frame::cost;
    use crate::exchange::remote::tests::channel;

    /// The channels of all frames that may be sent, in the order in which they are.
    fn sent(outgoing: &mut Outgoing) -> Vec<u32> {
        let mut numbers = Vec::new();
        loop {
            let next = outgoing.ready.front().copied();
            let mut parts = Parts::default();
            let before: usize = outgoing.channels.values().map(|channel| channel.queue.len()).sum();
            outgoing.take_one(&mut parts, &mut Vec::new());
            let after: usize = outgoing.channels.values().map(|channel| channel.queue.len()).sum();
            match next {
                Some(number) if after < before => numbers.push(number),
                Some(_) => {}
                None => return numbers,
            }
        }
    }

    fn with_marks(counts: &[(u32, usize)]) -> Outgoing {
        let mut outgoing = Outgoing::default();
        for (number, marks) in counts {
            assert_eq!(outgoing.open(channel(*number)).unwrap().0, *number);
            (0..*marks).for_each(|_| outgoing.push(*number, OutFrame::watermark(*number, Watermark(0))));
        }
        outgoing
    }

    #[test]
    fn channels_take_turns() {
        let mut outgoing = with_marks(&[(1, 4), (2, 2), (3, 1)]);
        (1..=3).for_each(|number| outgoing.grant(number, 1 << 20).unwrap());
        assert_eq!(sent(&mut outgoing), [1, 2, 3, 1, 2, 1, 1]);
    }

    #[test]
    fn credit_is_used_up_and_a_last_frame_may_go_beyond_it() {
        let mut outgoing = with_marks(&[(1, 5), (2, 1)]);
        assert!(sent(&mut outgoing).is_empty());
        let mark = cost(8) as u64;
        for (credit, frames) in [(mark, 1), (mark + 1, 2), (mark - 1, 0), (1, 1)] {
            outgoing.grant(1, credit).unwrap();
            assert_eq!(sent(&mut outgoing).len(), frames, "{credit}");
        }
    }

    #[test]
    fn a_channel_is_forgotten_with_its_last_word() {
        let mut outgoing = with_marks(&[(1, 0), (2, 0), (3, 1)]);
        outgoing.push(1, OutFrame::close(1));
        outgoing.push(2, OutFrame::end_of_input(2));
        outgoing.push(3, OutFrame::close(3));
        // Only the first has nothing before it that needs credit, and needs none itself.
        assert_eq!(sent(&mut outgoing), [1]);
        outgoing.grant(2, 1).unwrap();
        outgoing.grant(3, 1).unwrap();
        assert_eq!(sent(&mut outgoing), [2, 3, 3]);
        assert_eq!((outgoing.len(), outgoing.waiting_bytes()), (0, 0));
        // What the reader said meanwhile is late and not wrong.
        outgoing.grant(1, 1).unwrap();
        assert!(!outgoing.leave(3, &mut Vec::new()).unwrap());
        assert_eq!(outgoing.grant(4, 1).unwrap_err().to_string(), "a frame of channel 4, which is not open");
    }
}
