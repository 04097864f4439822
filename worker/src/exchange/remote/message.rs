//! What a frame says, once it has come.

use arrow::buffer::Buffer;
use millstream_engine::element::{Barrier, CheckpointId, StreamElement, Watermark, WatermarkStatus};
use millstream_graph::JobId;
use xxhash_rust::xxh3::xxh3_64;

use super::ChannelId;
use super::ended::ProtocolError;
use super::frame::{Extras, Header, Kind, u32_at, u64_at};

/// A frame, understood.
#[derive(Debug)]
pub(super) enum Message {
    Hello(Buffer),
    Open(ChannelId),
    Rows(EncodedRows),
    Element(StreamElement),
    Close,
    Credit(u64),
    Leave,
    Ping,
    Goodbye(Goodbye),
}

impl Message {
    /// What a frame says. The length of `payload` is one that [`Header::parse`] allows. The checksum of rows is left to who
    /// decodes them.
    pub(super) fn parse(header: &Header, payload: Buffer) -> Result<Self, ProtocolError> {
        if header.kind != Kind::Rows && xxh3_64(&payload) != header.checksum {
            return Err(ProtocolError::Checksum);
        }
        Ok(match header.kind {
            Kind::Hello => Self::Hello(payload),
            Kind::Open => Self::Open(channel_id(&payload)),
            Kind::Rows => Self::Rows(EncodedRows { payload, extras: header.extras, checksum: header.checksum }),
            Kind::Watermark => Self::Element(StreamElement::Watermark(Watermark(u64_at(&payload, 0).cast_signed()))),
            Kind::Status => Self::Element(StreamElement::Status(status(payload[0])?)),
            Kind::Barrier => Self::Element(StreamElement::Barrier(Barrier { id: CheckpointId(u64_at(&payload, 0)) })),
            Kind::EndOfInput => Self::Element(StreamElement::EndOfInput),
            Kind::Close => Self::Close,
            Kind::Credit => Self::Credit(u64_at(&payload, 0)),
            Kind::Leave => Self::Leave,
            Kind::Ping => Self::Ping,
            Kind::Goodbye => Self::Goodbye(goodbye(&payload)),
        })
    }
}

/// Rows as they came.
#[derive(Debug)]
pub(in crate::exchange) struct EncodedRows {
    pub(super) payload: Buffer,
    pub(super) extras: Extras,
    pub(super) checksum: u64,
}

/// Why a connection is closed by the one who does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Goodbye {
    /// No channel was left on it.
    Unused,
    /// For a reason.
    Because(String),
}

fn channel_id(payload: &[u8]) -> ChannelId {
    ChannelId {
        job: JobId::from_bits(u128::from(u64_at(payload, 0)) | u128::from(u64_at(payload, 8)) << 64),
        epoch: u64_at(payload, 16),
        attempt: u32_at(payload, 24),
        edge: u32_at(payload, 28),
        from: u32_at(payload, 32),
        to: u32_at(payload, 36),
    }
}

fn status(number: u8) -> Result<WatermarkStatus, ProtocolError> {
    match number {
        0 => Ok(WatermarkStatus::Active),
        1 => Ok(WatermarkStatus::Idle),
        other => Err(ProtocolError::Status(other)),
    }
}

fn goodbye(payload: &[u8]) -> Goodbye {
    match payload[0] {
        0 => Goodbye::Unused,
        _ => Goodbye::Because(printable(&payload[1..])),
    }
}

/// Text from outside, fit for a log.
pub(super) fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_write_lines_into_a_log() {
        assert_eq!(printable(b"a\nb\x1b[2J\xff"), "a?b?[2J\u{fffd}");
    }
}
