//! Bytes in and out of a socket: frames are read one by one, and written as many at a time as are there.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use arrow::buffer::Buffer;
use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

use super::ended::Ended;
use super::frame::{HEADER_BYTES, Header};

/// What is read at a time when frames are small. Larger payloads go from the socket to where they stay.
const READ_BYTES: usize = 64 * 1024;
/// What is written at a time, about: enough to keep the socket busy, little enough that what is urgent does not wait.
const WRITE_BYTES: usize = 1024 * 1024;
/// Parts that one system call writes.
const SLICES: usize = 128;

/// What went over the sockets of an exchange, since it began.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    pub(super) bytes_in: AtomicU64,
    pub(super) bytes_out: AtomicU64,
    pub(super) frames_in: AtomicU64,
    pub(super) connections: AtomicUsize,
    pub(super) refused: AtomicU64,
}

impl Traffic {
    /// Adds to a counter.
    pub(super) fn count(counter: &AtomicU64, more: usize) {
        counter.fetch_add(more as u64, Ordering::Relaxed);
    }
}

/// Counts a connection as long as it lives.
#[derive(Debug)]
pub(super) struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    pub(super) fn new(counter: &'a AtomicUsize) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Bytes to be written, in parts.
#[derive(Debug, Default)]
pub(super) struct Parts {
    parts: VecDeque<Buffer>,
    bytes: usize,
}

impl Parts {
    /// Adds bytes behind those that are there.
    pub(super) fn add(&mut self, parts: impl IntoIterator<Item = Buffer>) {
        for part in parts {
            self.bytes += part.len();
            self.parts.push_back(part);
        }
    }

    /// Whether it is time to write.
    pub(super) fn are_full(&self) -> bool {
        self.bytes >= WRITE_BYTES || self.parts.len() >= SLICES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Writes all of them; `written` hears of the bytes as they go.
    pub(super) async fn write_to(
        &mut self,
        socket: &mut (impl AsyncWrite + Unpin),
        written: impl Fn(usize),
    ) -> Result<(), Ended> {
        while !self.parts.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let used = slices.iter_mut().zip(&self.parts).map(|(slice, part)| *slice = IoSlice::new(part)).count();
            let bytes = socket.write_vectored(&slices[..used]).await.map_err(Ended::io("writing"))?;
            if bytes == 0 {
                return Err(Ended::HungUp);
            }
            written(bytes);
            self.advance(bytes);
        }
        Ok(())
    }

    fn advance(&mut self, mut bytes: usize) {
        self.bytes -= bytes;
        while let Some(mut first) = self.parts.pop_front() {
            if first.len() > bytes {
                first.advance(bytes);
                self.parts.push_front(first);
                return;
            }
            bytes -= first.len();
        }
    }
}

/// Reads frames.
#[derive(Debug)]
pub(super) struct FrameReader<R> {
    socket: BufReader<R>,
    frame_bytes_max: usize,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// One that takes no rows yet.
    pub(super) fn new(socket: R) -> Self {
        Self { socket: BufReader::with_capacity(READ_BYTES, socket), frame_bytes_max: 0 }
    }

    /// Takes rows from now on, up to so many bytes in a frame.
    pub(super) fn take_rows(&mut self, frame_bytes_max: usize) {
        self.frame_bytes_max = frame_bytes_max;
    }

    /// The next frame; none when the other end was closed between two. `heard` hears of bytes as they come.
    pub(super) async fn next(&mut self, heard: &impl Fn(usize)) -> Result<Option<(Header, Buffer)>, Ended> {
        let mut header = [0; HEADER_BYTES];
        if !self.fill(&mut header, heard).await? {
            return Ok(None);
        }
        let header = Header::parse(&header, self.frame_bytes_max)?;
        let payload = self.payload(header.length, heard).await?;
        Ok(Some((header, payload)))
    }

    /// Fills `bytes`; false if the other end was closed before the first of them.
    pub(super) async fn fill(&mut self, bytes: &mut [u8], heard: &impl Fn(usize)) -> Result<bool, Ended> {
        let mut filled = 0;
        while filled < bytes.len() {
            let more = self.socket.read(&mut bytes[filled..]).await.map_err(Ended::io("reading"))?;
            heard(more);
            match more {
                0 if filled == 0 => return Ok(false),
                0 => return Err(truncated()),
                more => filled += more,
            }
        }
        Ok(true)
    }

    /// The memory of a payload is its own, so that batches can lie in it, at the alignment that they need.
    async fn payload(&mut self, length: usize, heard: &impl Fn(usize)) -> Result<Buffer, Ended> {
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            let room = length - bytes.len();
            let mut rest = (&mut bytes).limit(room);
            let more = self.socket.read_buf(&mut rest).await.map_err(Ended::io("reading"))?;
            heard(more);
            if more == 0 {
                return Err(truncated());
            }
        }
        Ok(Buffer::from_vec(bytes))
    }

    /// Reads and forgets until the other end is closed, so that what it was sent last is not lost with what it sent.
    pub(super) async fn discard(&mut self) {
        let mut bytes = [0; 4096];
        while matches!(self.socket.read(&mut bytes).await, Ok(1..)) {}
    }
}

fn truncated() -> Ended {
    Ended::Io { what: "reading", source: std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "a frame is cut off") }
}
