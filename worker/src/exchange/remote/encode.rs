//! From a batch to frames, in the thread of the task that sends it.
//!
//! ```text
//!  payload of a frame of rows
//!  ┌──────────┬──────────────────┬───────────────────────────────┬──────────────────┬───────────┐
//!  │ schema   │ dictionaries     │ record batch:                 │ event times      │ row kinds │
//!  │ message  │                  │ metadata, buffers of columns  │ i64 each         │ u8 each   │
//!  └──────────┴──────────────────┴───────────────────────────────┴──────────────────┴───────────┘
//!   when it is  when there are     Arrow IPC, each buffer at a      flag 1             flag 2
//!   another     others             multiple of 16 bytes
//! ```
//!
//! The buffers of the columns are not copied: the frame holds them, and the socket takes them from where they are. Small ones
//! are copied together, since a part of its own costs more than a few hundred bytes do. Slices send what they show; strings
//! in views, which a slice or a `take` leaves in whatever large buffers they were, are gathered first ([`super::views`]).
//! There is no compression: it costs more than the network between workers does.

use arrow::buffer::Buffer;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::MetadataVersion;
use arrow::ipc::writer::{IpcWriteOptions, StreamEncoder};
use millstream_engine::batch::EventBatch;
use millstream_engine::error::{Error, Result};
use xxhash_rust::xxh3::Xxh3;

use super::frame::{Extras, HEADER_BYTES, Header, Kind, OutFrame, Role, cost};
use super::views;

/// Buffers of columns lie at multiples of this: what the widest number needs, and so what allocators give.
const ALIGNMENT: usize = 16;
/// Larger batches are sent in pieces, so that other channels of the connection get their turn.
const PIECE_BYTES: usize = 1024 * 1024;
/// Larger buffers are a part of their own.
const COPIED_BYTES_MAX: usize = 1024;

/// The encoder of a channel: it knows which schema and which dictionaries the other end has.
pub(super) struct Encoder {
    channel: u32,
    frame_bytes_max: usize,
    told: Option<Box<Told>>,
}

/// What the other end has been told.
struct Told {
    schema: SchemaRef,
    has_views: bool,
    stream: StreamEncoder,
}

impl Encoder {
    pub(super) fn new(channel: u32, frame_bytes_max: usize) -> Self {
        Self { channel, frame_bytes_max, told: None }
    }

    /// Makes frames of `batch` and gives them to `send`.
    pub(super) fn encode(&mut self, batch: &EventBatch, send: &mut impl FnMut(OutFrame)) -> Result<()> {
        let told = match self.told.take() {
            Some(told) if same(&told.schema, batch.rows.schema_ref()) => told,
            Some(_) | None => Box::new(Told::nothing(batch.rows.schema())?),
        };
        self.told = Some(told);
        self.encode_pieces(batch, send)
    }

    /// Cuts a batch into pieces of as many rows each. Where rows are of very different sizes some pieces are larger than
    /// others; those that might not fit into a frame are cut further.
    fn encode_pieces(&mut self, batch: &EventBatch, send: &mut impl FnMut(OutFrame)) -> Result<()> {
        let rows = batch.num_rows();
        let pieces = bytes_of(batch).div_ceil(PIECE_BYTES);
        if pieces <= 1 || rows <= 1 {
            send(self.encode_piece(batch)?);
            return Ok(());
        }
        let rows_each = rows.div_ceil(pieces);
        for from in (0..rows).step_by(rows_each) {
            self.encode_fitting(&batch.slice(from, rows_each.min(rows - from)), send)?;
        }
        Ok(())
    }

    fn encode_fitting(&mut self, piece: &EventBatch, send: &mut impl FnMut(OutFrame)) -> Result<()> {
        let rows = piece.num_rows();
        // The frame has more than the rows: schema, dictionaries, and what aligns them.
        if rows > 1 && bytes_of(piece) > self.frame_bytes_max / 2 {
            let half = rows / 2;
            self.encode_fitting(&piece.slice(0, half), send)?;
            return self.encode_fitting(&piece.slice(half, rows - half), send);
        }
        send(self.encode_piece(piece)?);
        Ok(())
    }

    fn encode_piece(&mut self, batch: &EventBatch) -> Result<OutFrame> {
        let Some(told) = &mut self.told else {
            return Err(Error::internal("rows are encoded before their schema"));
        };
        let mut parts = Assembly::with_room_for_header();
        let gathered = if told.has_views { Some(views::gathered(&batch.rows)?) } else { None };
        for buffer in told.stream.encode(gathered.as_ref().unwrap_or(&batch.rows))? {
            parts.add(buffer);
        }
        batch.event_time.iter().for_each(|times| parts.add(times.inner().clone()));
        batch.row_kinds.iter().for_each(|kinds| parts.add(kinds.clone()));
        if parts.payload_bytes > self.frame_bytes_max {
            return Err(too_large(batch.num_rows(), parts.payload_bytes, self.frame_bytes_max));
        }
        let extras = Extras { times: batch.event_time.is_some(), kinds: batch.row_kinds.is_some() };
        let length = parts.payload_bytes;
        let parts =
            parts.finish(|checksum| Header { length, kind: Kind::Rows, extras, channel: self.channel, checksum });
        Ok(OutFrame { parts, cost: cost(length), rows: batch.num_rows(), role: Role::Element })
    }
}

impl Told {
    /// Nothing yet; the schema goes with the first rows.
    fn nothing(schema: SchemaRef) -> Result<Self> {
        let options = IpcWriteOptions::try_new(ALIGNMENT, false, MetadataVersion::V5)?;
        let stream = StreamEncoder::try_new_with_options(&schema, options)?;
        let has_views = schema.fields().iter().any(|field| views::has_views(field.data_type()));
        Ok(Self { schema, has_views, stream })
    }
}

/// Bytes that the rows of a batch take in a frame.
fn bytes_of(batch: &EventBatch) -> usize {
    batch.memory_bytes() + views::bytes_of(&batch.rows)
}

fn same(told: &SchemaRef, schema: &SchemaRef) -> bool {
    std::ptr::eq::<Schema>(told.as_ref(), schema.as_ref()) || told == schema
}

fn too_large(rows: usize, bytes: usize, most: usize) -> Error {
    let what = if rows == 1 { "a row".to_owned() } else { format!("a batch of {rows} rows") };
    Error::data("sending rows to another worker", format!("{what} takes {bytes} bytes; a frame has at most {most}"))
}

/// The bytes of a frame as they come together.
struct Assembly {
    parts: Vec<Part>,
    payload_bytes: usize,
}

enum Part {
    Copied(Vec<u8>),
    Held(Buffer),
}

impl Assembly {
    fn with_room_for_header() -> Self {
        let mut first = Vec::with_capacity(HEADER_BYTES + COPIED_BYTES_MAX);
        first.resize(HEADER_BYTES, 0);
        Self { parts: vec![Part::Copied(first)], payload_bytes: 0 }
    }

    fn add(&mut self, buffer: Buffer) {
        self.payload_bytes += buffer.len();
        match self.parts.last_mut() {
            _ if buffer.len() > COPIED_BYTES_MAX => self.parts.push(Part::Held(buffer)),
            Some(Part::Copied(bytes)) => bytes.extend_from_slice(&buffer),
            Some(Part::Held(_)) | None => self.parts.push(Part::Copied(buffer.to_vec())),
        }
    }

    /// Puts the header in front, which has the checksum of the rest.
    fn finish(mut self, header: impl FnOnce(u64) -> Header) -> Vec<Buffer> {
        let mut checksum = Xxh3::new();
        for (at, part) in self.parts.iter().enumerate() {
            let bytes = part.bytes();
            checksum.update(if at == 0 { &bytes[HEADER_BYTES..] } else { bytes });
        }
        if let Some(Part::Copied(first)) = self.parts.first_mut() {
            first[..HEADER_BYTES].copy_from_slice(&header(checksum.digest()).to_bytes());
        }
        self.parts.into_iter().map(Part::into_buffer).collect()
    }
}

impl Part {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Copied(bytes) => bytes,
            Self::Held(buffer) => buffer,
        }
    }

    fn into_buffer(self) -> Buffer {
        match self {
            Self::Copied(bytes) => Buffer::from_vec(bytes),
            Self::Held(buffer) => buffer,
        }
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let schema = self.told.as_ref().map(|told| &told.schema);
        f.debug_struct("Encoder").field("channel", &self.channel).field("schema", &schema).finish_non_exhaustive()
    }
}
