//! The queue in front of a task: several channels, one reader.
//!
//! A channel is fed by a task of this worker or, through [`super::remote`], by one of another. Rows of the latter wait as
//! they came and become columns when the reader takes them, in its thread; what it has taken is told to the [`Flow`], which
//! lets the other worker send more.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use millstream_engine::element::StreamElement;
use millstream_engine::error::Error;

use super::remote::{Decoder, EncodedRows, Flow};
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
    let full: Vec<Arc<AtomicBool>> = state.channels.iter().map(|channel| Arc::clone(&channel.full)).collect();
    let shared = Arc::new(Mutex::new(state));
    let senders = full.into_iter().enumerate();
    let senders = senders.map(|(channel, full)| ChannelSender { shared: Arc::clone(&shared), channel, full }).collect();
    let decoders = (0..channels).map(|_| Decoder::default()).collect();
    (InputGate { shared, decoders }, senders)
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
    queue: VecDeque<Queued>,
    bytes: usize,
    rows: usize,
    /// Whether there is no room, for the producer to see without the lock. Written under the lock with what it follows from.
    full: Arc<AtomicBool>,
    /// The producer, if it waits for room.
    sender: Option<Waker>,
    /// The producer was dropped.
    sender_gone: bool,
    /// The end of input was sent; nothing more is expected.
    ended: bool,
    /// The reader does not want its elements for now.
    paused: bool,
    /// Another worker feeds it: who is told what the reader has taken, and that it is gone.
    flow: Option<Arc<Flow>>,
    /// Why nothing more can come, until the reader has learned of it.
    failure: Option<Error>,
}

impl Channel {
    fn has_room(&self) -> bool {
        self.bytes < CHANNEL_BYTES_MAX && self.rows < CHANNEL_ROWS_MAX
    }

    fn show_room(&self) {
        self.full.store(!self.has_room(), Ordering::Release);
    }
}

/// An element in a channel.
#[derive(Debug)]
struct Queued {
    what: Arrived,
    /// What it counts for.
    bytes: usize,
}

/// What is put into a channel.
#[derive(Debug)]
pub(super) enum Arrived {
    /// By a task of this worker, or anything but rows by another.
    Element(StreamElement),
    /// Rows of a task of another worker, and who is told if they are none.
    Rows(EncodedRows, Arc<Flow>),
}

/// The sending end of a channel. Dropping it before the end of input was sent tells the reader that the producer failed.
#[derive(Debug)]
pub struct ChannelSender {
    shared: Arc<Mutex<GateState>>,
    channel: usize,
    /// The channel's. Only what is sent here sets it, so that there is room for certain when it is not set.
    full: Arc<AtomicBool>,
}

/// The reading end of all channels of a task.
#[derive(Debug)]
pub struct InputGate {
    shared: Arc<Mutex<GateState>>,
    /// By channel; used by those that another worker feeds.
    decoders: Vec<Decoder>,
}

/// What a gate gives out.
#[derive(Debug)]
pub enum GateElement {
    /// The next element of a channel.
    Element(usize, StreamElement),
    /// The producer of a channel is gone without having ended it; it says why itself.
    Lost(usize),
    /// A channel from another worker broke, for this reason.
    Broken(usize, Error),
}

impl ChannelSender {
    /// Whether there is room. `Pending` wakes the task when there is.
    pub fn poll_room(&self, waker_cx: &Context<'_>) -> Poll<()> {
        if !self.full.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        let mut state = lock(&self.shared);
        let reader_gone = state.reader_gone;
        let channel = &mut state.channels[self.channel];
        if reader_gone || channel.has_room() {
            return Poll::Ready(());
        }
        channel.sender = Some(waker_cx.waker().clone());
        Poll::Pending
    }

    /// Puts an element into the channel, whether there is room or not.
    pub fn send(&self, element: StreamElement) {
        let bytes = match &element {
            StreamElement::Batch(batch) => batch.memory_bytes(),
            StreamElement::Watermark(_)
            | StreamElement::Status(_)
            | StreamElement::Barrier(_)
            | StreamElement::EndOfInput => 0,
        };
        self.put(Arrived::Element(element), bytes);
    }

    /// Puts something into the channel that counts for `bytes`.
    pub(super) fn put(&self, what: Arrived, bytes: usize) {
        let mut state = lock(&self.shared);
        if state.reader_gone {
            return;
        }
        let channel = &mut state.channels[self.channel];
        let was_empty = channel.queue.is_empty();
        channel.ended |= matches!(what, Arrived::Element(StreamElement::EndOfInput));
        channel.bytes += bytes;
        channel.rows += what.rows();
        channel.queue.push_back(Queued { what, bytes });
        channel.show_room();
        if was_empty {
            state.ready.push_back(self.channel);
        }
        wake(state.reader.take(), state);
    }

    /// From now on another worker feeds the channel, and `flow` is told what becomes of it.
    pub(super) fn attach(&self, flow: Arc<Flow>) {
        let mut state = lock(&self.shared);
        if !state.reader_gone {
            state.channels[self.channel].flow = Some(flow);
        }
    }

    /// Whether there is a reader.
    pub(super) fn is_read(&self) -> bool {
        !lock(&self.shared).reader_gone
    }

    /// The reader is given `error` behind what it has not taken yet. To be dropped next.
    pub(super) fn fail(&self, error: Error) {
        let mut state = lock(&self.shared);
        let channel = &mut state.channels[self.channel];
        if !channel.ended {
            channel.failure.get_or_insert(error);
        }
    }
}

impl Arrived {
    fn rows(&self) -> usize {
        match self {
            Self::Element(StreamElement::Batch(batch)) => batch.num_rows(),
            // Their number is not known yet; their bytes bound them.
            Self::Rows(..) | Self::Element(_) => 0,
        }
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
        let (at, queued, flow) = match ready!(self.poll_take(waker_cx)) {
            Taken::Queued(at, queued, flow) => (at, queued, flow),
            Taken::Lost(at, None) => return Poll::Ready(GateElement::Lost(at)),
            Taken::Lost(at, Some(error)) => return Poll::Ready(GateElement::Broken(at, error)),
        };
        if let Some(flow) = &flow {
            flow.taken(queued.bytes);
        }
        Poll::Ready(match queued.what {
            Arrived::Element(element) => GateElement::Element(at, element),
            Arrived::Rows(rows, flow) => match self.decoders[at].decode(rows) {
                Ok(batch) => GateElement::Element(at, StreamElement::Batch(batch)),
                Err(error) => GateElement::Broken(at, flow.undecodable(&error)),
            },
        })
    }

    fn poll_take(&self, waker_cx: &Context<'_>) -> Poll<Taken> {
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
        let Some(queued) = channel.queue.pop_front() else {
            return Poll::Ready(Taken::Lost(at, channel.failure.take()));
        };
        channel.bytes -= queued.bytes;
        channel.rows -= queued.what.rows();
        let flow = channel.flow.clone();
        channel.show_room();
        let sender = if channel.has_room() { channel.sender.take() } else { None };
        if !channel.queue.is_empty() || (channel.sender_gone && !channel.ended) {
            state.ready.push_back(at);
        }
        wake(sender, state);
        Poll::Ready(Taken::Queued(at, queued, flow))
    }

    /// The bytes of the batches that wait in all channels.
    pub fn queued_bytes(&self) -> usize {
        lock(&self.shared).channels.iter().map(|channel| channel.bytes).sum()
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
        let flows: Vec<Arc<Flow>> = state.channels.iter_mut().filter_map(|channel| channel.flow.take()).collect();
        for channel in &mut state.channels {
            channel.queue.clear();
            channel.full.store(false, Ordering::Release);
        }
        drop(state);
        senders.into_iter().for_each(Waker::wake);
        flows.iter().for_each(|flow| flow.reader_gone());
    }
}

/// What a reader finds in a channel.
enum Taken {
    /// The next element, and who feeds the channel if another worker does.
    Queued(usize, Queued, Option<Arc<Flow>>),
    /// Nothing, and nothing will come.
    Lost(usize, Option<Error>),
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

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use millstream_engine::batch::EventBatch;

    use super::*;

    /// What a test waits at most.
    const PATIENCE: Duration = Duration::from_secs(30);
    const ROWS: usize = 8 * 1024;

    fn rows() -> StreamElement {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1; ROWS]));
        StreamElement::Batch(EventBatch::inserts(RecordBatch::try_from_iter([("n", column)]).unwrap()))
    }

    fn has_room(sender: &ChannelSender) -> bool {
        sender.poll_room(&Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn a_channel_is_full_until_something_was_taken_or_nobody_takes_anything() {
        let (mut gate, senders) = gate(2);
        for sent in 0..CHANNEL_ROWS_MAX / ROWS {
            assert!(has_room(&senders[0]), "after {sent} batches");
            senders[0].send(rows());
        }
        assert!(!has_room(&senders[0]) && has_room(&senders[1]));
        assert!(gate.poll_next(&Context::from_waker(Waker::noop())).is_ready());
        assert!(has_room(&senders[0]));
        (0..20).for_each(|_| senders[0].send(rows()));
        assert!(!has_room(&senders[0]));
        drop(gate);
        assert!(has_room(&senders[0]));
        (0..20).for_each(|_| senders[0].send(rows()));
        assert!(has_room(&senders[0]), "what nobody reads takes no room");
    }

    /// The producer looks whether there is room without the lock, and is woken however that meets the reader.
    #[test]
    fn a_producer_that_waits_for_room_is_woken() {
        let batches = 20_000;
        let (mut gate, mut senders) = gate(1);
        let sender = senders.remove(0);
        let element = rows();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
        let producer = runtime.spawn(async move {
            for _ in 0..batches {
                poll_fn(|waker_cx| sender.poll_room(waker_cx)).await;
                sender.send(element.clone());
            }
            sender.send(StreamElement::EndOfInput);
        });
        let reader = runtime.spawn(async move {
            let mut taken = 0;
            loop {
                match poll_fn(|waker_cx| gate.poll_next(waker_cx)).await {
                    GateElement::Element(_, StreamElement::Batch(_)) => taken += 1,
                    GateElement::Element(_, StreamElement::EndOfInput) => return taken,
                    other => panic!("{other:?}"),
                }
            }
        });
        let both = async { (producer.await, reader.await) };
        let ended = runtime.block_on(async { tokio::time::timeout(PATIENCE, both).await });
        let (produced, taken) = ended.expect("one of them is not woken");
        produced.unwrap();
        assert_eq!(taken.unwrap(), batches);
    }
}
