//! The channels that this worker reads over one connection.
//!
//! ```text
//!            receive                    open                   last word
//!   (none) ─────────► Announced ──────────────► Running ──────────────► (none)
//!      │               ▲  │ reader gone           │ reader gone             ▲
//!      │       receive │  ▼            open       ▼           last word     │
//!      │               Deserted ───────────────► Left ──────────────────────┤
//!      │  open                        receive                               │
//!      └─────────► Opened ─────────────────────► Running    last word ──────┘
//! ```
//!
//! A channel's sender has no credit before a task has asked for the channel, so nothing is kept for a reader that may never
//! come. Pure: it is told what happens and answers what to send and to whom to hand on. [`super::link`] does it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::buffer::Buffer;

use super::ChannelId;
use super::ended::ProtocolError;
use super::flow::Flow;
use super::frame::{self, Kind};
use crate::exchange::ChannelSender;

/// Channels that ended before anybody asked for them, and are remembered: whoever asks learns that nothing will come.
const ENDED_EARLY_MAX: usize = 1024;

/// All of them.
#[derive(Debug)]
pub(super) struct Incoming {
    channels: HashMap<ChannelId, Channel>,
    numbers: HashMap<u32, ChannelId>,
    /// The highest number that was opened.
    last: u32,
    ended_early: VecDeque<ChannelId>,
    /// Bytes that may be sent before the reader has taken any.
    window: usize,
    /// Channels that are [`Channel::Opened`].
    unasked: usize,
    /// Channels that may be open without that a task has asked for them.
    unasked_max: usize,
}

#[derive(Debug)]
enum Channel {
    /// A task wants to read it; its sender has not opened it yet.
    Announced(Reader, Instant),
    /// The task is gone again.
    Deserted(Instant),
    /// Its sender has opened it; no task has asked for it yet.
    Opened(u32),
    /// Both are there. The bytes are those that were sent beyond what the reader has taken and told of.
    Running(u32, Reader, usize),
    /// The reader is gone; its sender has not said its last word yet.
    Left,
}

/// The task that reads a channel.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    /// Its gate. Dropping the last one tells it that the producer is gone.
    pub(super) into: Arc<ChannelSender>,
    pub(super) flow: Arc<Flow>,
}

impl Reader {
    /// Whether `flow` is its own, and not that of another task that asked for the same channel.
    fn is(&self, flow: &Flow) -> bool {
        std::ptr::eq(self.flow.as_ref(), flow)
    }
}

/// What becomes of a task that asks for a channel.
#[derive(Debug)]
pub(super) enum Asked {
    /// It waits for the sender.
    Waits,
    /// The sender is told to send by this frame.
    Begins(Buffer),
    /// The sender has come and gone; dropping the reader says so.
    EndedEarly(#[expect(dead_code, reason = "dropped when the lock is given back")] Reader),
    /// It is not the first.
    Twice(Reader),
}

impl Incoming {
    pub(super) fn new(window: usize, unasked_max: usize) -> Self {
        Self {
            channels: HashMap::new(),
            numbers: HashMap::new(),
            last: 0,
            ended_early: VecDeque::new(),
            window,
            unasked: 0,
            unasked_max,
        }
    }

    /// A task asks for a channel.
    pub(super) fn ask(&mut self, id: ChannelId, reader: Reader) -> Asked {
        match self.channels.get(&id) {
            None if self.ended_early.contains(&id) => Asked::EndedEarly(reader),
            None | Some(Channel::Deserted(_)) => {
                self.channels.insert(id, Channel::Announced(reader, Instant::now()));
                Asked::Waits
            }
            Some(Channel::Opened(number)) => {
                let number = *number;
                self.unasked -= 1;
                self.channels.insert(id, Channel::Running(number, reader, 0));
                Asked::Begins(frame::credit(number, self.window))
            }
            Some(Channel::Announced(..) | Channel::Running(..) | Channel::Left) => Asked::Twice(reader),
        }
    }

    /// The sender opens a channel. Answers the frame that it gets, if there is one to give yet.
    pub(super) fn open(&mut self, number: u32, id: ChannelId) -> Result<Option<Buffer>, ProtocolError> {
        if number <= self.last {
            return Err(ProtocolError::OutOfTurn(number));
        }
        let (channel, answer) = match self.channels.remove(&id) {
            None if self.unasked >= self.unasked_max => return Err(ProtocolError::TooManyOpen(self.unasked_max)),
            None => {
                self.unasked += 1;
                (Channel::Opened(number), None)
            }
            Some(Channel::Announced(reader, _)) => {
                (Channel::Running(number, reader, 0), Some(frame::credit(number, self.window)))
            }
            Some(Channel::Deserted(_)) => (Channel::Left, Some(frame::small(Kind::Leave, number, &[]))),
            Some(open @ (Channel::Opened(_) | Channel::Running(..) | Channel::Left)) => {
                self.channels.insert(id, open);
                return Err(ProtocolError::OpenedTwice(id.to_string()));
            }
        };
        self.last = number;
        self.numbers.insert(number, id);
        self.channels.insert(id, channel);
        Ok(answer)
    }

    /// The sender has sent what counts for `cost`. Answers for whom; none if nobody reads any more.
    ///
    /// A frame is let in when the window is not full yet, so the window and one frame bound what waits.
    pub(super) fn accept(&mut self, number: u32, cost: usize) -> Result<Option<&Reader>, ProtocolError> {
        let id = self.numbers.get(&number).ok_or(ProtocolError::NotOpen(number))?;
        match self.channels.get_mut(id) {
            Some(Channel::Running(_, reader, outstanding)) if *outstanding < self.window => {
                *outstanding += cost;
                Ok(Some(reader))
            }
            Some(Channel::Left) => Ok(None),
            Some(Channel::Running(..) | Channel::Opened(_) | Channel::Announced(..) | Channel::Deserted(_)) | None => {
                Err(ProtocolError::NoCredit(number))
            }
        }
    }

    /// The sender has said its last word. Answers whose it was.
    pub(super) fn end(&mut self, number: u32) -> Result<Option<Reader>, ProtocolError> {
        let id = self.numbers.remove(&number).ok_or(ProtocolError::NotOpen(number))?;
        match self.channels.remove(&id) {
            Some(Channel::Running(_, reader, _) | Channel::Announced(reader, _)) => Ok(Some(reader)),
            Some(Channel::Opened(_)) => {
                self.unasked -= 1;
                self.ended_early.truncate(ENDED_EARLY_MAX - 1);
                self.ended_early.push_front(id);
                Ok(None)
            }
            Some(Channel::Left | Channel::Deserted(_)) | None => Ok(None),
        }
    }

    /// The reader has taken so much. Answers the frame that lets its sender send as much again.
    pub(super) fn return_credit(&mut self, flow: &Flow, bytes: usize) -> Option<Buffer> {
        match self.channels.get_mut(flow.id()) {
            Some(Channel::Running(number, reader, outstanding)) if reader.is(flow) => {
                *outstanding = outstanding.saturating_sub(bytes);
                Some(frame::credit(*number, bytes))
            }
            Some(
                Channel::Announced(..)
                | Channel::Deserted(_)
                | Channel::Opened(_)
                | Channel::Running(..)
                | Channel::Left,
            )
            | None => None,
        }
    }

    /// The reader is gone. Answers what is to be dropped, and the frame that tells the sender.
    pub(super) fn leave(&mut self, flow: &Flow) -> Option<(Reader, Option<Buffer>)> {
        let id = *flow.id();
        match self.channels.remove(&id)? {
            Channel::Announced(reader, _) if reader.is(flow) => {
                self.channels.insert(id, Channel::Deserted(Instant::now()));
                Some((reader, None))
            }
            Channel::Running(number, reader, _) if reader.is(flow) => {
                self.channels.insert(id, Channel::Left);
                Some((reader, Some(frame::small(Kind::Leave, number, &[]))))
            }
            other @ (Channel::Announced(..)
            | Channel::Deserted(_)
            | Channel::Opened(_)
            | Channel::Running(..)
            | Channel::Left) => {
                self.channels.insert(id, other);
                None
            }
        }
    }

    /// The connection is lost. Answers whose channels broke.
    pub(super) fn end_all(&mut self) -> Vec<Reader> {
        self.numbers.clear();
        self.unasked = 0;
        self.channels.drain().filter_map(|(_, channel)| reader_of(channel)).collect()
    }

    /// The connection is lost, and there is another for channels that were not opened yet. Answers whose channels broke.
    pub(super) fn end_opened(&mut self) -> Vec<Reader> {
        self.numbers.clear();
        (self.last, self.unasked) = (0, 0);
        let opened = |channel: &Channel| !matches!(channel, Channel::Announced(..) | Channel::Deserted(_));
        self.channels.extract_if(|_, channel| opened(channel)).filter_map(|(_, channel)| reader_of(channel)).collect()
    }

    /// Ends channels that nobody has opened for `longest`. Answers whose.
    pub(super) fn end_unopened(&mut self, longest: Duration) -> Vec<Reader> {
        let now = Instant::now();
        let unopened = |channel: &Channel| match channel {
            Channel::Announced(_, since) | Channel::Deserted(since) => now.duration_since(*since) >= longest,
            Channel::Opened(_) | Channel::Running(..) | Channel::Left => false,
        };
        self.channels.extract_if(|_, channel| unopened(channel)).filter_map(|(_, channel)| reader_of(channel)).collect()
    }

    /// Whether one of them was opened.
    pub(super) fn any_opened(&self) -> bool {
        !self.numbers.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.channels.len()
    }

    /// What was sent and is not known to be taken.
    pub(super) fn waiting_bytes(&self) -> usize {
        let waiting = self.channels.values().map(|channel| match channel {
            Channel::Running(_, _, outstanding) => *outstanding,
            Channel::Announced(..) | Channel::Deserted(_) | Channel::Opened(_) | Channel::Left => 0,
        });
        waiting.sum()
    }
}

fn reader_of(channel: Channel) -> Option<Reader> {
    match channel {
        Channel::Announced(reader, _) | Channel::Running(_, reader, _) => Some(reader),
        Channel::Deserted(_) | Channel::Opened(_) | Channel::Left => None,
    }
}

#[cfg(test)]
mod tests {
    use millstream_graph::WorkerId;

    use super::*;
    use crate::exchange::gate;
    use crate::exchange::remote::link::Link;
    use crate::exchange::remote::tests::channel;
    use crate::exchange::remote::{ExchangeSettings, Peer};

    fn reader(of: u32) -> Reader {
        let peer = Peer { worker: WorkerId::new("a"), address: "nowhere".to_owned() };
        let link = Arc::new(Link::new(peer, &ExchangeSettings::default()));
        let (_, mut into) = gate(1);
        Reader { into: Arc::new(into.remove(0)), flow: Arc::new(Flow::new(channel(of), &link, 1000)) }
    }

    /// What can happen to a channel.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Step {
        Ask,
        Open,
        Rows,
        End,
        Gone,
    }

    /// What came of it.
    fn outcome(steps: &[Step]) -> String {
        let mut incoming = Incoming::new(100, 10);
        let reader = reader(1);
        let mut outcomes = Vec::new();
        for step in steps {
            let outcome = match step {
                Step::Ask => match incoming.ask(channel(1), reader.clone()) {
                    Asked::Waits => "waits",
                    Asked::Begins(_) => "credit",
                    Asked::EndedEarly(_) => "ended early",
                    Asked::Twice(_) => "twice",
                },
                Step::Open => match incoming.open(1, channel(1)) {
                    Ok(Some(frame)) if frame[4] == Kind::Credit as u8 => "credit",
                    Ok(Some(_)) => "leave",
                    Ok(None) => "waits",
                    Err(_) => "error",
                },
                Step::Rows => match incoming.accept(1, 60) {
                    Ok(Some(_)) => "taken",
                    Ok(None) => "dropped",
                    Err(_) => "error",
                },
                Step::End => match incoming.end(1) {
                    Ok(Some(_)) => "told",
                    Ok(None) => "nobody",
                    Err(_) => "error",
                },
                Step::Gone => match incoming.leave(&reader.flow) {
                    Some((_, Some(_))) => "leave",
                    Some((_, None)) => "silent",
                    None => "nothing",
                },
            };
            outcomes.push(outcome);
            let unasked = incoming.channels.values().filter(|channel| matches!(channel, Channel::Opened(_))).count();
            assert_eq!(incoming.unasked, unasked, "after {step:?} of {steps:?}");
        }
        outcomes.push(if incoming.len() == 0 { "empty" } else { "kept" });
        outcomes.join(", ")
    }

    #[test]
    fn the_life_of_a_channel() {
        use Step::{Ask, End, Gone, Open, Rows};
        let cases: [(&[Step], &str); 15] = [
            (&[Ask, Open, Rows, Rows, End], "waits, credit, taken, taken, told, empty"),
            (&[Open, Ask, Rows, End], "waits, credit, taken, told, empty"),
            (&[Open, Rows], "waits, error, kept"),
            (&[Ask, Rows], "waits, error, kept"),
            // The window of 100 is full with two of 60.
            (&[Ask, Open, Rows, Rows, Rows], "waits, credit, taken, taken, error, kept"),
            (
                &[Ask, Open, Gone, Rows, Rows, Rows, End],
                "waits, credit, leave, dropped, dropped, dropped, nobody, empty",
            ),
            (&[Ask, Gone, Open, Rows, End], "waits, silent, leave, dropped, nobody, empty"),
            (&[Ask, Gone, Ask, Open, Rows], "waits, silent, waits, credit, taken, kept"),
            (&[Open, End, Ask], "waits, nobody, ended early, empty"),
            (&[Ask, Open, End, Rows], "waits, credit, told, error, empty"),
            (&[Ask, Open, End, End], "waits, credit, told, error, empty"),
            (&[Ask, Open, End, Gone], "waits, credit, told, nothing, empty"),
            (&[Ask, Ask], "waits, twice, kept"),
            (&[Open, Open], "waits, error, kept"),
            (&[Rows, End], "error, error, empty"),
        ];
        for (steps, expected) in cases {
            assert_eq!(outcome(steps), expected, "{steps:?}");
        }
    }

    #[test]
    fn what_is_remembered_of_channels_that_ended_early_is_limited() {
        let mut incoming = Incoming::new(100, 10);
        for number in 1..=3000 {
            incoming.open(number, channel(number)).unwrap();
            incoming.end(number).unwrap();
        }
        assert_eq!(incoming.ended_early.len(), ENDED_EARLY_MAX);
        assert!(matches!(incoming.ask(channel(3000), reader(3000)), Asked::EndedEarly(_)));
        assert!(matches!(incoming.ask(channel(1), reader(1)), Asked::Waits));
    }
}
