//! The sending side of a task: its edges, and how each spreads rows among the subtasks that receive them.

use std::task::{Context, Poll};

use millstream_engine::batch::EventBatch;
use millstream_engine::element::StreamElement;
use millstream_engine::error::Result;
use millstream_engine::key::splitter::KeySplitter;
use millstream_engine::operators::chain::{ChainOutput, EdgeId};

use super::gate::ChannelSender;

/// All edges that leave a task, by [`EdgeId`].
#[derive(Debug)]
pub struct Outputs {
    edges: Vec<Edge>,
}

/// One edge: a channel for each subtask that this one sends to.
#[derive(Debug)]
pub struct Edge {
    channels: Vec<ChannelSender>,
    spread: Spread,
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
    pub fn new(channels: Vec<ChannelSender>, spread: Spread) -> Self {
        Self { channels, spread }
    }

    fn send_rows(&mut self, batch: EventBatch) -> Result<()> {
        match &mut self.spread {
            Spread::One => self.channels[0].send(StreamElement::Batch(batch)),
            Spread::Hash(splitter) => {
                for (target, part) in splitter.split(batch)? {
                    self.channels[target as usize].send(StreamElement::Batch(part));
                }
            }
            Spread::Rebalance(next) => {
                self.channels[*next].send(StreamElement::Batch(batch));
                *next = (*next + 1) % self.channels.len();
            }
            Spread::Broadcast => {
                self.channels.iter().for_each(|channel| channel.send(StreamElement::Batch(batch.clone())));
            }
        }
        Ok(())
    }
}

impl Outputs {
    /// The edges of a task.
    pub fn new(edges: Vec<Edge>) -> Self {
        Self { edges }
    }
}

impl ChainOutput for Outputs {
    fn poll_room(&mut self, waker_cx: &mut Context<'_>) -> Poll<Result<()>> {
        for channel in self.edges.iter().flat_map(|edge| &edge.channels) {
            if channel.poll_room(waker_cx).is_pending() {
                return Poll::Pending;
            }
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
            | StreamElement::EndOfInput => {
                edge.channels.iter().for_each(|channel| channel.send(element.clone()));
                Ok(())
            }
        }
    }
}
