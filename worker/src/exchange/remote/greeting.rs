//! How two workers introduce themselves before anything else is said.
//!
//! ```text
//!  the worker whose name is the smaller                 the other
//!    "MSEX", version u32 ─────────────────────────────►
//!    Hello: build, from, to, longest frame ───────────► all of it must fit; else a Goodbye says what does not
//!                                    ◄───────────────── "MSEX", version u32
//!                                    ◄───────────────── Hello
//! ```
//!
//! What comes before the first frame is the same in all versions, so that two that do not fit can say so. In a hello a text
//! is its length as `u16` and its bytes, the longest frame a `u32`; its place is behind the texts. There is no secret in
//! it: the port belongs into a network that only workers can reach.

use std::sync::Arc;

use millstream_graph::WorkerId;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::ended::{Ended, ProtocolError};
use super::frame::{self, Kind};
use super::message::{Goodbye, Message, printable};
use super::wire::{FrameReader, Parts};

const MAGIC: [u8; 4] = *b"MSEX";
/// Counted up when a frame changes.
const VERSION: u32 = 1;
/// The longest hello.
pub(super) const HELLO_BYTES_MAX: usize = 2048;
/// The longest text in it.
const TEXT_BYTES_MAX: usize = 500;

/// Who speaks, and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) build: Arc<str>,
    pub(super) from: WorkerId,
    pub(super) to: WorkerId,
    pub(super) frame_bytes_max: u32,
}

impl Hello {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for text in [&self.build, self.from.as_str(), self.to.as_str()] {
            let text = &text.as_bytes()[..text.floor_char_boundary(TEXT_BYTES_MAX)];
            bytes.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
            bytes.extend_from_slice(text);
        }
        bytes.extend_from_slice(&self.frame_bytes_max.to_le_bytes());
        bytes
    }

    fn decode(mut bytes: &[u8]) -> Option<Self> {
        let mut text = || {
            let (length, rest) = bytes.split_first_chunk::<2>()?;
            let (text, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
            bytes = rest;
            Some(printable(text))
        };
        let (build, from, to) = (text()?, text()?, text()?);
        let limit = bytes.try_into().ok()?;
        Some(Self {
            build: build.into(),
            from: WorkerId::new(from),
            to: WorkerId::new(to),
            frame_bytes_max: u32::from_le_bytes(limit),
        })
    }

    /// Whether `other` speaks to the one who says this, and can be understood.
    fn check(&self, other: &Self) -> Result<(), ProtocolError> {
        if self.build != other.build {
            return Err(ProtocolError::Build { theirs: other.build.to_string(), ours: self.build.to_string() });
        }
        if other.to != self.from {
            let (from, to, us) = (&other.from, &other.to, &self.from);
            return Err(ProtocolError::Name(format!("it is worker {from} and looks for {to}; this is {us}")));
        }
        if self.frame_bytes_max != other.frame_bytes_max {
            let (theirs, ours) = (other.frame_bytes_max, self.frame_bytes_max);
            return Err(ProtocolError::FrameLimit { theirs, ours });
        }
        Ok(())
    }
}

/// Says hello to the worker that this one has called, and hears what it answers.
pub(super) async fn call<R, W>(mine: &Hello, reader: &mut FrameReader<R>, socket: &mut W) -> Result<(), Ended>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    say(mine, socket).await?;
    let theirs = hear(reader).await?;
    mine.check(&theirs)?;
    if theirs.from == mine.to {
        return Ok(());
    }
    let (to, from) = (&mine.to, &theirs.from);
    Err(ProtocolError::Name(format!("worker {from} answers where {to} was looked for")).into())
}

/// Hears who has called this worker. To be answered with what this gives back, if it is somebody to talk to.
pub(super) async fn be_called<R: AsyncRead + Unpin>(
    mine: impl FnOnce(WorkerId) -> Hello,
    reader: &mut FrameReader<R>,
) -> Result<Hello, Ended> {
    let theirs = hear(reader).await?;
    let mine = mine(theirs.from.clone());
    mine.check(&theirs)?;
    if theirs.from >= mine.from {
        let (from, us) = (&theirs.from, &mine.from);
        return Err(ProtocolError::Name(format!("worker {from} calls {us}, which would have to call it")).into());
    }
    Ok(mine)
}

fn preface() -> Vec<u8> {
    [MAGIC, VERSION.to_le_bytes()].concat()
}

/// Introduces this worker.
pub(super) async fn say<W: AsyncWrite + Unpin>(mine: &Hello, socket: &mut W) -> Result<(), Ended> {
    let mut parts = Parts::default();
    parts.add([preface().into(), frame::small(Kind::Hello, 0, &mine.encode())]);
    parts.write_to(socket, |_| {}).await
}

/// Says why somebody cannot be talked to, as the first and last thing.
pub(super) async fn refuse<W: AsyncWrite + Unpin>(why: String, socket: &mut W) -> Result<(), Ended> {
    let mut parts = Parts::default();
    parts.add([preface().into(), frame::farewell(&Goodbye::Because(why))]);
    parts.write_to(socket, |_| {}).await?;
    socket.shutdown().await.map_err(Ended::io("closing"))
}

async fn hear<R: AsyncRead + Unpin>(reader: &mut FrameReader<R>) -> Result<Hello, Ended> {
    let mut begin = [0; 8];
    if !reader.fill(&mut begin, &|_| {}).await? {
        return Err(Ended::HungUp);
    }
    let [a, b, c, d, version @ ..] = begin;
    if [a, b, c, d] != MAGIC {
        return Err(ProtocolError::NotOurs(begin.escape_ascii().to_string()).into());
    }
    let version = u32::from_le_bytes(version);
    if version != VERSION {
        return Err(ProtocolError::Version { theirs: version, ours: VERSION }.into());
    }
    let Some((header, payload)) = reader.next(&|_| {}).await? else { return Err(Ended::HungUp) };
    match Message::parse(&header, payload)? {
        Message::Hello(payload) => Ok(Hello::decode(&payload).ok_or(ProtocolError::NoHello)?),
        Message::Goodbye(Goodbye::Because(why)) => Err(Ended::Told(why)),
        Message::Goodbye(Goodbye::Unused)
        | Message::Open(_)
        | Message::Rows(_)
        | Message::Element(_)
        | Message::Close
        | Message::Credit(_)
        | Message::Leave
        | Message::Ping => Err(ProtocolError::NoHello.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_reads_back_as_it_was_said() {
        let hello = Hello {
            build: "0.1.0".into(),
            from: WorkerId::new("worker-ä"),
            to: WorkerId::new(""),
            frame_bytes_max: 1 << 26,
        };
        let bytes = hello.encode();
        assert_eq!(Hello::decode(&bytes), Some(hello));
        for cut in 0..bytes.len() {
            assert_eq!(Hello::decode(&bytes[..cut]), None, "{cut}");
        }
    }
}
