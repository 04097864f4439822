//! The sending side of a task: its edges, and how each spreads rows among the subtasks that receive them.

use std::task::{Context, Poll, ready};

use millstream_engine::batch::EventBatch;
use millstream_engine::element::StreamElement;
use millstream_engine::error::Result;
use millstream_engine::key::splitter::KeySplitter;
use millstream_engine::operators::chain::{ChainOutput, EdgeId};

use super::gate::ChannelSender;
use super::remote::RemoteSender;

/// All edges that leave a task, by [`EdgeId`].
#[derive(Debug)]
pub struct Outputs {
    edges: Vec<Edge>,
}

/// One edge: a channel for each subtask that this one sends to.
#[derive(Debug)]
pub struct Edge {
    channels: Vec<Channel>,
    spread: Spread,
}

/// The sending end of a channel.
#[derive(Debug)]
pub enum Channel {
    /// To a task of this worker.
    Local(ChannelSender),
    /// To a task of another one.
    Remote(RemoteSender),
}

impl From<ChannelSender> for Channel {
    fn from(sender: ChannelSender) -> Self {
        Self::Local(sender)
    }
}

impl From<RemoteSender> for Channel {
    fn from(sender: RemoteSender) -> Self {
        Self::Remote(sender)
    }
}

impl Channel {
    /// Whether there is room. `Pending` wakes the task when there is; an error says that what is sent goes nowhere.
    pub fn poll_room(&self, waker_cx: &Context<'_>) -> Poll<Result<()>> {
        match self {
            Self::Local(sender) => sender.poll_room(waker_cx).map(Ok),
            Self::Remote(sender) => sender.poll_room(waker_cx),
        }
    }

    /// Puts an element into the channel, whether there is room or not.
    pub fn send(&mut self, element: StreamElement) -> Result<()> {
        match self {
            Self::Local(sender) => {
                sender.send(element);
                Ok(())
            }
            Self::Remote(sender) => sender.send(element),
        }
    }
}

/// Which channel rows go to.
#[derive(Debug)]
pub enum Spread {
    /// There is one.
    One,
    /// By key.
    Hash(KeySplitter),
    /// In turn, batch by batch; the number is the next channel's.
    Rebalance(usize),
    /// All.
    Broadcast,
}

impl Edge {
    /// An edge over `channels`.
    pub fn new<C: Into<Channel>>(channels: Vec<C>, spread: Spread) -> Self {
        Self { channels: channels.into_iter().map(Into::into).collect(), spread }
    }

    fn memory_bytes(&self) -> usize {
        let splitting = match &self.spread {
            Spread::Hash(splitter) => splitter.memory_bytes(),
            Spread::One | Spread::Rebalance(_) | Spread::Broadcast => 0,
        };
        let waiting = self.channels.iter().map(|channel| match channel {
            Channel::Local(_) => 0,
            Channel::Remote(sender) => sender.waiting_bytes(),
        });
        splitting + waiting.sum::<usize>()
    }

    fn send_rows(&mut self, batch: EventBatch) -> Result<()> {
        match &mut self.spread {
            Spread::One => self.channels[0].send(StreamElement::Batch(batch)),
            Spread::Hash(splitter) => {
                for (target, part) in splitter.split(batch)? {
                    self.channels[target as usize].send(StreamElement::Batch(part))?;
                }
                Ok(())
            }
            Spread::Rebalance(next) => {
                let channel = *next;
                *next = (channel + 1) % self.channels.len();
                self.channels[channel].send(StreamElement::Batch(batch))
            }
            Spread::Broadcast => self.send_to_all(&StreamElement::Batch(batch)),
        }
    }

    fn send_to_all(&mut self, element: &StreamElement) -> Result<()> {
        self.channels.iter_mut().try_for_each(|channel| channel.send(element.clone()))
    }
}

impl Outputs {
    /// The edges of a task.
    pub fn new(edges: Vec<Edge>) -> Self {
        Self { edges }
    }

    /// Bytes that splitting takes, and of what waits to be sent to other workers. What waits in a channel to a task of this
    /// worker is that one's.
    pub fn memory_bytes(&self) -> usize {
        self.edges.iter().map(Edge::memory_bytes).sum()
    }
}

impl ChainOutput for Outputs {
    fn poll_room(&mut self, waker_cx: &mut Context<'_>) -> Poll<Result<()>> {
        for channel in self.edges.iter().flat_map(|edge| &edge.channels) {
            ready!(channel.poll_room(waker_cx))?;
        }
        Poll::Ready(Ok(()))
    }

    fn send(&mut self, edge: EdgeId, element: StreamElement) -> Result<()> {
        let edge = &mut self.edges[edge.0];
        match element {
            StreamElement::Batch(batch) => edge.send_rows(batch),
            StreamElement::Watermark(_)
            | StreamElement::Status(_)
            | StreamElement::Barrier(_)
            | StreamElement::EndOfInput => edge.send_to_all(&element),
        }
    }
}
