//! Reads ahead of whoever uses what is read.
//!
//! A [`Producer`] runs on an IO thread until [`ITEMS_AHEAD`] items wait, and then stops; the slot's side takes them one by
//! one. Most items are [`Chunk`]s of bytes: [`ChunkReader`] fills them from a [`ByteSource`], and their buffers come back
//! through [`Buffers`], so that a long file is read with a handful of buffers whose pages stay mapped (a fresh page costs
//! more than the rows on it).
//!
//! Each chunk has [`HEADROOM`] free bytes in front. The record that a chunk cuts in two is completed by copying its first
//! part there, and not by copying the chunk.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use millstream_engine::error::Result;
use millstream_engine::io::source::IoRuntime;
use millstream_engine::memory;

use super::{guarded, lock};

/// How many bytes are read at a time. Large enough that the hand-over does not show, small enough for the cache.
pub(crate) const CHUNK_BYTES: usize = 512 * 1024;
/// Free bytes in front of a chunk's own.
pub(crate) const HEADROOM: usize = 64 * 1024;
/// A buffer that a chunk is read into.
const BUFFER_BYTES: usize = HEADROOM + CHUNK_BYTES;
/// How many items may wait.
const ITEMS_AHEAD: usize = 4;
/// Reading goes on when no more than so many wait: not for every single one.
const ITEMS_LOW: usize = 2;
/// How many buffers are kept for reuse.
const SPARE_BUFFERS: usize = ITEMS_AHEAD + 2;

/// Makes items one after the other. Used on an IO thread; may block.
pub(crate) trait Producer: Send + 'static {
    /// What it makes.
    type Item: Send;

    /// Bytes of memory of an item while it is made, as far as they are not among [`Producer::working_bytes`].
    const MAKING_BYTES: usize;

    /// The next one; `None` at the end.
    fn produce(&mut self) -> Result<Option<Self::Item>>;

    /// Bytes of memory of an item.
    fn item_bytes(item: &Self::Item) -> usize;

    /// Bytes of memory that it holds itself after it has made an item, about.
    fn working_bytes(&self) -> usize;
}

/// The slot's side. Dropping it ends the reading after the item that is being made.
pub(crate) struct Pump<P: Producer> {
    shared: Arc<Mutex<State<P>>>,
    io: Arc<dyn IoRuntime>,
}

struct State<P: Producer> {
    ready: VecDeque<P::Item>,
    /// Bytes of what is ready.
    ready_bytes: usize,
    /// Bytes that the producer holds.
    working_bytes: usize,
    /// Here while nothing is being read; with the IO thread otherwise; gone after the end.
    producer: Option<P>,
    /// How it ended, if it has; taken by the side that is told.
    end: Option<Result<()>>,
    /// Nobody wants more.
    dropped: bool,
    waker: Option<Waker>,
}

impl<P: Producer> Pump<P> {
    /// Runs `producer` once the first item is asked for.
    pub(crate) fn new(producer: P, io: Arc<dyn IoRuntime>) -> Self {
        let state = State {
            ready: VecDeque::new(),
            ready_bytes: 0,
            working_bytes: 0,
            producer: Some(producer),
            end: None,
            dropped: false,
            waker: None,
        };
        Self { shared: Arc::new(Mutex::new(state)), io }
    }

    /// The next item, or `None` after the last. Not to be called again after `None` or an error.
    pub(crate) fn poll_item(&self, cx: &Context<'_>) -> Poll<Result<Option<P::Item>>> {
        let mut state = lock(&self.shared);
        if state.ready.len() <= ITEMS_LOW
            && let Some(producer) = state.producer.take()
        {
            drop(state);
            let shared = Arc::clone(&self.shared);
            self.io.spawn_blocking(Box::new(move || read_ahead(&shared, producer)));
            state = lock(&self.shared);
        }
        if let Some(item) = state.ready.pop_front() {
            state.ready_bytes -= P::item_bytes(&item);
            return Poll::Ready(Ok(Some(item)));
        }
        if let Some(end) = state.end.take() {
            return Poll::Ready(end.map(|()| None));
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Bytes of memory held, by what waits and by the producer.
    pub(crate) fn memory_bytes(&self) -> usize {
        let state = lock(&self.shared);
        let is_making = state.producer.is_none() && state.end.is_none();
        state.ready_bytes + state.working_bytes + if is_making { P::MAKING_BYTES } else { 0 }
    }
}

impl<P: Producer> Drop for Pump<P> {
    fn drop(&mut self) {
        let mut state = lock(&self.shared);
        state.dropped = true;
        state.producer = None;
    }
}

/// The work on the IO thread: reads until enough waits, the end, or nobody wants more.
fn read_ahead<P: Producer>(shared: &Mutex<State<P>>, mut producer: P) {
    loop {
        let produced = guarded("reading", || producer.produce());
        let mut state = lock(shared);
        if state.dropped {
            return;
        }
        state.working_bytes = producer.working_bytes();
        match produced {
            Ok(None) => state.end = Some(Ok(())),
            Ok(Some(item)) => {
                state.ready_bytes += P::item_bytes(&item);
                state.ready.push_back(item);
            }
            Err(error) => state.end = Some(Err(error)),
        }
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
        if state.end.is_some() {
            state.working_bytes = 0;
            return;
        }
        if state.ready.len() >= ITEMS_AHEAD {
            state.producer = Some(producer);
            return;
        }
    }
}

impl<P: Producer> std::fmt::Debug for Pump<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pump").field("ready", &lock(&self.shared).ready.len()).finish_non_exhaustive()
    }
}

/// Where bytes come from. Used on an IO thread; may block.
pub(crate) trait ByteSource: Send + 'static {
    /// Reads into the front of `buffer`, and answers how many bytes; 0 at the end.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize>;

    /// Bytes of memory that it holds itself, about.
    fn working_bytes(&self) -> usize {
        0
    }
}

/// Some bytes of a source, in order.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// The bytes are at `HEADROOM..end`.
    pub(crate) buffer: Vec<u8>,
    /// One past the last byte.
    pub(crate) end: usize,
}

/// Fills chunks.
pub(crate) struct ChunkReader<S> {
    source: S,
    buffers: Buffers,
}

impl<S: ByteSource> ChunkReader<S> {
    /// Fills chunks from `source`, in buffers of `buffers`.
    pub(crate) fn new(source: S, buffers: Buffers) -> Self {
        Self { source, buffers }
    }
}

impl<S: ByteSource> Producer for ChunkReader<S> {
    type Item = Chunk;

    const MAKING_BYTES: usize = BUFFER_BYTES;

    fn produce(&mut self) -> Result<Option<Chunk>> {
        let mut buffer = self.buffers.take();
        let length = self.source.read(&mut buffer[HEADROOM..])?;
        Ok((length > 0).then_some(Chunk { buffer, end: HEADROOM + length }))
    }

    fn item_bytes(chunk: &Chunk) -> usize {
        memory::vec(&chunk.buffer)
    }

    fn working_bytes(&self) -> usize {
        self.source.working_bytes()
    }
}

/// Buffers that are not in use, shared by a reader and its pumps. Holds at most [`SPARE_BUFFERS`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    fn take(&self) -> Vec<u8> {
        lock(&self.0).pop().unwrap_or_else(|| vec![0; BUFFER_BYTES])
    }

    /// Gives a buffer back. One that has grown or shrunk is freed.
    pub(crate) fn give(&self, buffer: Vec<u8>) {
        let mut spare = lock(&self.0);
        if buffer.len() == BUFFER_BYTES && spare.len() < SPARE_BUFFERS {
            spare.push(buffer);
        }
    }

    /// Bytes of the buffers that are not in use.
    pub(crate) fn memory_bytes(&self) -> usize {
        lock(&self.0).len() * BUFFER_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocking::test_io::{InPlace, Threads, wait};
    use millstream_engine::error::Error;

    struct Numbers {
        left: usize,
        fail: bool,
    }

    impl ByteSource for Numbers {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
            if self.left == 0 {
                return if self.fail { Err(Error::internal("broken")) } else { Ok(0) };
            }
            buffer[0] = u8::try_from(self.left).unwrap();
            self.left -= 1;
            Ok(1)
        }
    }

    fn numbers(fail: bool) -> ChunkReader<Numbers> {
        ChunkReader::new(Numbers { left: 100, fail }, Buffers::default())
    }

    fn read_all(io: Arc<dyn IoRuntime>, fail: bool) -> (Vec<u8>, Result<()>) {
        let buffers = Buffers::default();
        let pump = Pump::new(ChunkReader::new(Numbers { left: 100, fail }, buffers.clone()), io);
        let mut bytes = Vec::new();
        loop {
            match wait(|cx| pump.poll_item(cx)) {
                Ok(Some(chunk)) => {
                    bytes.extend_from_slice(&chunk.buffer[HEADROOM..chunk.end]);
                    buffers.give(chunk.buffer);
                }
                Ok(None) => return (bytes, Ok(())),
                Err(error) => return (bytes, Err(error)),
            }
        }
    }

    #[test]
    fn bytes_come_in_order_and_then_the_end() {
        let expected: Vec<u8> = (1..=100).rev().collect();
        for io in [Arc::new(InPlace) as Arc<dyn IoRuntime>, Arc::new(Threads)] {
            let (bytes, end) = read_all(io, false);
            assert_eq!(bytes, expected);
            end.unwrap();
        }
    }

    #[test]
    fn an_error_comes_after_the_bytes_before_it() {
        let (bytes, end) = read_all(Arc::new(Threads), true);
        assert_eq!(bytes.len(), 100);
        assert!(end.unwrap_err().to_string().contains("broken"));
    }

    #[test]
    fn no_more_than_the_bound_is_read_ahead() {
        let pump = Pump::new(numbers(false), Arc::new(InPlace));
        assert!(wait(|cx| pump.poll_item(cx)).unwrap().is_some());
        assert_eq!(lock(&pump.shared).ready.len(), ITEMS_AHEAD - 1);
        assert_eq!(pump.memory_bytes(), (ITEMS_AHEAD - 1) * BUFFER_BYTES);
    }

    struct Panics;

    impl ByteSource for Panics {
        fn read(&mut self, _: &mut [u8]) -> Result<usize> {
            panic!("on purpose")
        }
    }

    #[test]
    fn a_panic_on_the_io_thread_is_an_error_and_not_a_wait_for_ever() {
        let pump = Pump::new(ChunkReader::new(Panics, Buffers::default()), Arc::new(Threads));
        let error = wait(|cx| pump.poll_item(cx)).unwrap_err();
        assert!(error.to_string().contains("reading panicked"), "{error}");
    }
}
