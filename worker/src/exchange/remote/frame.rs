//! The frame: what travels on a connection after the [greeting](super::greeting).
//!
//! ```text
//!  byte 0        4      5       6     8         12                20              24
//!       ┌────────┬──────┬───────┬─────┬─────────┬─────────────────┬───────────────┬─────────────────┐
//!       │ length │ kind │ flags │  0  │ channel │ XXH3-64 of the  │ XXH3-64 of    │ payload         │
//!       │  u32   │  u8  │  u8   │ u16 │   u32   │ payload,    u64 │ 0..20, as u32 │ `length` bytes  │
//!       └────────┴──────┴───────┴─────┴─────────┴─────────────────┴───────────────┴─────────────────┘
//!                                  all numbers little-endian
//! ```
//!
//! | kind | about | payload |
//! |---|---|---|
//! | 1 Hello | the connection | see [`greeting`](super::greeting) |
//! | 2 Open | a channel, by its sender | job `u128`, epoch `u64`, attempt, edge, from, to `u32` each |
//! | 3 Rows | by its sender | Arrow IPC messages, event times if flag 1, row kinds if flag 2: see [`encode`](super::encode) |
//! | 4 Watermark | by its sender | `i64` |
//! | 5 Status | by its sender | `u8`: 0 active, 1 idle |
//! | 6 Barrier | by its sender | checkpoint `u64` |
//! | 7 EndOfInput | by its sender, its last word | – |
//! | 8 Close | by its sender, its last word: it has failed, or answers Leave | – |
//! | 9 Credit | by its reader | bytes that may be sent beyond those before, `u64` |
//! | 10 Leave | by its reader: nobody reads any more | – |
//! | 11 Ping | the connection | – |
//! | 12 Goodbye | the connection, the last frame | `u8`: 0 unused, 1 for a reason; the reason as text |
//!
//! Channels are numbered by their sender, each connection end for itself, and a number is not used again. Frames about the
//! connection carry number 0. The header has a checksum of its own, because a wrong length would make everything after it
//! unreadable, and that should show at once and not after as many bytes as it says.

use arrow::buffer::Buffer;
use millstream_engine::element::{Barrier, Watermark, WatermarkStatus};
use xxhash_rust::xxh3::xxh3_64;

use super::ChannelId;
use super::ended::ProtocolError;
use super::message::Goodbye;

/// Bytes of a header.
pub(super) const HEADER_BYTES: usize = 24;
/// What a frame counts for beside its payload, so that many small ones are bounded too: about what it takes in a queue.
const FRAME_COST: usize = 128;
/// The longest reason in a goodbye, in bytes.
const REASON_BYTES_MAX: usize = 512;

/// What credit is counted in: what a frame with a payload of `length` bytes takes from the window of its channel.
pub(super) fn cost(length: usize) -> usize {
    length + FRAME_COST
}

/// What a frame is. The numbers are what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Hello = 1,
    Open = 2,
    Rows = 3,
    Watermark = 4,
    Status = 5,
    Barrier = 6,
    EndOfInput = 7,
    Close = 8,
    Credit = 9,
    Leave = 10,
    Ping = 11,
    Goodbye = 12,
}

impl Kind {
    const ALL: [Self; 12] = [
        Self::Hello,
        Self::Open,
        Self::Rows,
        Self::Watermark,
        Self::Status,
        Self::Barrier,
        Self::EndOfInput,
        Self::Close,
        Self::Credit,
        Self::Leave,
        Self::Ping,
        Self::Goodbye,
    ];

    fn of(number: u8) -> Result<Self, ProtocolError> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number).ok_or(ProtocolError::UnknownKind(number))
    }

    /// The lengths that a payload may have.
    fn lengths(self, frame_bytes_max: usize) -> std::ops::RangeInclusive<usize> {
        match self {
            Self::Hello => 0..=super::greeting::HELLO_BYTES_MAX,
            Self::Open => 40..=40,
            Self::Rows => 0..=frame_bytes_max,
            Self::Watermark | Self::Barrier | Self::Credit => 8..=8,
            Self::Status => 1..=1,
            Self::EndOfInput | Self::Close | Self::Leave | Self::Ping => 0..=0,
            Self::Goodbye => 1..=1 + REASON_BYTES_MAX,
        }
    }
}

/// What is beside the columns of a batch: the flags of a frame of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extras {
    /// The event time of each row.
    pub(super) times: bool,
    /// The kind of each row.
    pub(super) kinds: bool,
}

impl Extras {
    const NONE: Self = Self { times: false, kinds: false };

    fn flags(self) -> u8 {
        u8::from(self.times) | u8::from(self.kinds) << 1
    }

    fn of(flags: u8) -> Option<Self> {
        (flags < 4).then_some(Self { times: flags & 1 != 0, kinds: flags & 2 != 0 })
    }
}

/// The header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) length: usize,
    pub(super) kind: Kind,
    pub(super) extras: Extras,
    pub(super) channel: u32,
    /// Of the payload.
    pub(super) checksum: u64,
}

impl Header {
    /// The header of a payload of `length` bytes, which does not go beyond the limit for its kind.
    pub(super) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let length = u32::try_from(self.length).unwrap_or(u32::MAX);
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        bytes[4] = self.kind as u8;
        bytes[5] = self.extras.flags();
        bytes[8..12].copy_from_slice(&self.channel.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.checksum.to_le_bytes());
        let own = own_checksum(&bytes);
        bytes[20..].copy_from_slice(&own);
        bytes
    }

    /// Reads a header, and checks it before anything is made room for.
    pub(super) fn parse(bytes: &[u8; HEADER_BYTES], frame_bytes_max: usize) -> Result<Self, ProtocolError> {
        if bytes[20..] != own_checksum(bytes) {
            return Err(ProtocolError::Header);
        }
        let kind = Kind::of(bytes[4])?;
        let extras = Extras::of(bytes[5]).filter(|extras| kind == Kind::Rows || *extras == Extras::NONE);
        let extras = extras.filter(|_| bytes[6..8] == [0, 0]).ok_or(ProtocolError::Header)?;
        let length = u32_at(bytes, 0) as usize;
        let allowed = kind.lengths(frame_bytes_max);
        if !allowed.contains(&length) {
            return Err(ProtocolError::Length { kind, length, most: *allowed.end() });
        }
        Ok(Self { length, kind, extras, channel: u32_at(bytes, 8), checksum: u64_at(bytes, 12) })
    }
}

fn own_checksum(header: &[u8; HEADER_BYTES]) -> [u8; 4] {
    let [a, b, c, d, ..] = xxh3_64(&header[..20]).to_le_bytes();
    [a, b, c, d]
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

/// A frame with a small payload, whole.
pub(super) fn small(kind: Kind, channel: u32, payload: &[u8]) -> Buffer {
    let header = Header { length: payload.len(), kind, extras: Extras::NONE, channel, checksum: xxh3_64(payload) };
    let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len());
    bytes.extend_from_slice(&header.to_bytes());
    bytes.extend_from_slice(payload);
    Buffer::from_vec(bytes)
}

/// Opens a channel.
pub(super) fn open(channel: u32, id: &ChannelId) -> Buffer {
    let mut payload = Vec::with_capacity(40);
    payload.extend_from_slice(&id.job.bits().to_le_bytes());
    payload.extend_from_slice(&id.epoch.to_le_bytes());
    for number in [id.attempt, id.edge, id.from, id.to] {
        payload.extend_from_slice(&number.to_le_bytes());
    }
    small(Kind::Open, channel, &payload)
}

/// Lets the sender of a channel send so many bytes more.
pub(super) fn credit(channel: u32, bytes: usize) -> Buffer {
    small(Kind::Credit, channel, &(bytes as u64).to_le_bytes())
}

/// The last frame of a connection.
pub(super) fn farewell(goodbye: &Goodbye) -> Buffer {
    match goodbye {
        Goodbye::Unused => small(Kind::Goodbye, 0, &[0]),
        Goodbye::Because(reason) => {
            let end = reason.floor_char_boundary(REASON_BYTES_MAX);
            small(Kind::Goodbye, 0, &[&[1], &reason.as_bytes()[..end]].concat())
        }
    }
}

/// What a frame means to the channel that it is sent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// More may follow.
    Element,
    /// The end of input: nothing follows.
    End,
    /// The producer has failed: nothing follows. It needs no credit, since its reader keeps nothing of it.
    Close,
}

/// A frame on its way out.
#[derive(Debug)]
pub(super) struct OutFrame {
    /// Its bytes, header first, in as many parts as were there without copying much.
    pub(super) parts: Vec<Buffer>,
    /// What it counts for.
    pub(super) cost: usize,
    pub(super) rows: usize,
    pub(super) role: Role,
}

impl OutFrame {
    fn of(role: Role, kind: Kind, channel: u32, payload: &[u8]) -> Self {
        Self { parts: vec![small(kind, channel, payload)], cost: cost(payload.len()), rows: 0, role }
    }

    pub(super) fn watermark(channel: u32, watermark: Watermark) -> Self {
        Self::of(Role::Element, Kind::Watermark, channel, &watermark.0.to_le_bytes())
    }

    pub(super) fn status(channel: u32, status: WatermarkStatus) -> Self {
        let number = match status {
            WatermarkStatus::Active => 0,
            WatermarkStatus::Idle => 1,
        };
        Self::of(Role::Element, Kind::Status, channel, &[number])
    }

    pub(super) fn barrier(channel: u32, barrier: Barrier) -> Self {
        Self::of(Role::Element, Kind::Barrier, channel, &barrier.id.0.to_le_bytes())
    }

    pub(super) fn end_of_input(channel: u32) -> Self {
        Self::of(Role::End, Kind::EndOfInput, channel, &[])
    }

    pub(super) fn close(channel: u32) -> Self {
        Self::of(Role::Close, Kind::Close, channel, &[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let extras = Extras { times: true, kinds: false };
        Header { length: 77, kind: Kind::Rows, extras, channel: 5, checksum: 0x0123_4567_89ab_cdef }
    }

    #[test]
    fn a_header_reads_back_as_it_was_written() {
        for kind in Kind::ALL {
            let length = *kind.lengths(1000).end();
            let written = Header { length, kind, extras: Extras::NONE, ..header() };
            assert_eq!(Header::parse(&written.to_bytes(), 1000).unwrap(), written);
        }
    }

    #[test]
    fn the_layout_of_a_header_is_pinned() {
        let bytes = header().to_bytes();
        assert_eq!(bytes[..12], [77, 0, 0, 0, 3, 1, 0, 0, 5, 0, 0, 0]);
        assert_eq!(bytes[12..], [0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01, 0x3f, 0xc3, 0x13, 0x2c]);
    }

    #[test]
    fn no_flipped_bit_of_a_header_goes_unnoticed() {
        let whole = header().to_bytes();
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::parse(&bytes, 1000).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_frame_that_is_too_long_for_its_kind_is_refused_by_its_header() {
        for (kind, length) in [(Kind::Rows, 1001), (Kind::Open, 41), (Kind::Ping, 1), (Kind::Goodbye, 600)] {
            let bytes = Header { kind, length, extras: Extras::NONE, ..header() }.to_bytes();
            let refused = Header::parse(&bytes, 1000).unwrap_err();
            assert!(matches!(refused, ProtocolError::Length { .. }), "{refused}");
        }
    }
}
