//! The queue in front of a task: several channels, one reader.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use millstream_engine::element::StreamElement;

use super::{CHANNEL_BYTES_MAX, CHANNEL_ROWS_MAX};

/// A gate for `channels` producers and the sending end of each channel.
pub fn gate(channels: usize) -> (InputGate, Vec<ChannelSender>) {
    let state = GateState {
        channels: (0..channels).map(|_| Channel::default()).collect(),
        ready: VecDeque::new(),
        held: Vec::new(),
        reader: None,
        reader_gone: false,
    };
    let shared = Arc::new(Mutex::new(state));
    let senders = (0..channels).map(|channel| ChannelSender { shared: Arc::clone(&shared), channel }).collect();
    (InputGate { shared }, senders)
}

/// What all ends of a gate share. Locked for a push or a pop, never while rows are worked on.
#[derive(Debug)]
struct GateState {
    channels: Vec<Channel>,
    /// Channels that have something, each once, in the order in which they got it.
    ready: VecDeque<usize>,
    /// Channels that have something and are paused.
    held: Vec<usize>,
    /// The reader, if it waits.
    reader: Option<Waker>,
    /// The reader was dropped: what is sent is thrown away, so that no producer waits for ever.
    reader_gone: bool,
}

#[derive(Debug, Default)]
struct Channel {
    queue: VecDeque<(StreamElement, usize)>,
    bytes: usize,
    rows: usize,
    /// The producer, if it waits for room.
    sender: Option<Waker>,
    /// The producer was dropped.
    sender_gone: bool,
    /// The end of input was sent; nothing more is expected.
    ended: bool,
    /// The reader does not want its elements for now.
    paused: bool,
}

/// The sending end of a channel. Dropping it before the end of input was sent tells the reader that the producer failed.
#[derive(Debug)]
pub struct ChannelSender {
    shared: Arc<Mutex<GateState>>,
    channel: usize,
}

/// The reading end of all channels of a task.
#[derive(Debug)]
pub struct InputGate {
    shared: Arc<Mutex<GateState>>,
}

/// What a gate gives out.
#[derive(Debug)]
pub enum GateElement {
    /// The next element of a channel.
    Element(usize, StreamElement),
    /// The producer of a channel is gone without having ended it.
    Lost(usize),
}

impl ChannelSender {
    /// Whether there is room. `Pending` wakes the task when there is.
    pub fn poll_room(&self, waker_cx: &Context<'_>) -> Poll<()> {
        let mut state = lock(&self.shared);
        let reader_gone = state.reader_gone;
        let channel = &mut state.channels[self.channel];
        if reader_gone || (channel.bytes < CHANNEL_BYTES_MAX && channel.rows < CHANNEL_ROWS_MAX) {
            return Poll::Ready(());
        }
        channel.sender = Some(waker_cx.waker().clone());
        Poll::Pending
    }

    /// Puts an element into the channel, whether there is room or not.
    pub fn send(&self, element: StreamElement) {
        let (bytes, rows) = size(&element);
        let mut state = lock(&self.shared);
        if state.reader_gone {
            return;
        }
        let channel = &mut state.channels[self.channel];
        let was_empty = channel.queue.is_empty();
        channel.ended |= matches!(element, StreamElement::EndOfInput);
        channel.queue.push_back((element, bytes));
        channel.bytes += bytes;
        channel.rows += rows;
        if was_empty {
            state.ready.push_back(self.channel);
        }
        wake(state.reader.take(), state);
    }
}

impl Drop for ChannelSender {
    fn drop(&mut self) {
        let mut state = lock(&self.shared);
        let channel = &mut state.channels[self.channel];
        channel.sender_gone = true;
        if channel.queue.is_empty() && !channel.ended {
            state.ready.push_back(self.channel);
        }
        wake(state.reader.take(), state);
    }
}

impl InputGate {
    /// The next element, channels in turn. `Pending` wakes the task when there is one.
    pub fn poll_next(&mut self, waker_cx: &Context<'_>) -> Poll<GateElement> {
        let mut state = lock(&self.shared);
        let at = loop {
            match state.ready.pop_front() {
                Some(at) if state.channels[at].paused => state.held.push(at),
                Some(at) => break at,
                None => {
                    state.reader = Some(waker_cx.waker().clone());
                    return Poll::Pending;
                }
            }
        };
        let channel = &mut state.channels[at];
        let Some((element, bytes)) = channel.queue.pop_front() else {
            return Poll::Ready(GateElement::Lost(at));
        };
        channel.bytes -= bytes;
        if let StreamElement::Batch(batch) = &element {
            channel.rows -= batch.num_rows();
        }
        let has_room = channel.bytes < CHANNEL_BYTES_MAX && channel.rows < CHANNEL_ROWS_MAX;
        let sender = if has_room { channel.sender.take() } else { None };
        if !channel.queue.is_empty() || (channel.sender_gone && !channel.ended) {
            state.ready.push_back(at);
        }
        wake(sender, state);
        Poll::Ready(GateElement::Element(at, element))
    }

    /// Leaves the elements of `channel` where they are until [`InputGate::resume`].
    pub fn pause(&mut self, channel: usize) {
        lock(&self.shared).channels[channel].paused = true;
    }

    /// Takes from all channels again.
    pub fn resume(&mut self) {
        let mut state = lock(&self.shared);
        state.channels.iter_mut().for_each(|channel| channel.paused = false);
        let held = std::mem::take(&mut state.held);
        state.ready.extend(held);
    }
}

impl Drop for InputGate {
    fn drop(&mut self) {
        let mut state = lock(&self.shared);
        state.reader_gone = true;
        let senders: Vec<Waker> = state.channels.iter_mut().filter_map(|channel| channel.sender.take()).collect();
        for channel in &mut state.channels {
            channel.queue.clear();
        }
        drop(state);
        senders.into_iter().for_each(Waker::wake);
    }
}

/// Wakes after the lock is given back, so that who wakes does not run into it.
fn wake(waker: Option<Waker>, state: MutexGuard<'_, GateState>) {
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// A panic while the lock was held has failed its task; the queue itself is whole between any two statements.
fn lock(shared: &Mutex<GateState>) -> MutexGuard<'_, GateState> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn size(element: &StreamElement) -> (usize, usize) {
    match element {
        StreamElement::Batch(batch) => (batch.memory_bytes(), batch.num_rows()),
        StreamElement::Watermark(_)
        | StreamElement::Status(_)
        | StreamElement::Barrier(_)
        | StreamElement::EndOfInput => (0, 0),
    }
}
