//! From a frame of rows to a batch, in the thread of the task that reads it.
//!
//! The batch's columns lie in the frame and are not copied. All of it comes from outside, so all of it is checked: the
//! checksum first, then that no buffer lies outside the frame, then by Arrow that offsets and strings are what they should
//! be. A frame whose checksum is right and whose content is not was made by somebody who meant it, or by a mistake of ours.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::buffer::{Buffer, ScalarBuffer};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::convert::fb_to_schema;
use arrow::ipc::reader::{RecordBatchDecoder, read_dictionary};
use arrow::ipc::{self, Message, MessageHeader, root_as_message};
use millstream_engine::batch::{EventBatch, RowKind};
use xxhash_rust::xxh3::xxh3_64;

use super::frame::Extras;
use super::message::EncodedRows;

/// In front of a message: a marker and the length of its metadata.
const PREFIX_BYTES: usize = 8;
/// Rows that a batch may say it has; those without columns need no bytes that would bound them.
const ROWS_MAX: i64 = 1 << 30;

/// What is wrong with a frame of rows.
#[derive(Debug, thiserror::Error)]
pub(in crate::exchange) enum DecodeError {
    /// The bytes are damaged.
    #[error("it does not fit its checksum")]
    Checksum,
    /// It is not built like one.
    #[error("{0}")]
    Form(&'static str),
    /// Arrow refuses it.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
}

/// The decoder of a channel: it knows the schema and the dictionaries that it was told.
#[derive(Debug, Default)]
pub(in crate::exchange) struct Decoder {
    schema: Option<SchemaRef>,
    dictionaries: HashMap<i64, ArrayRef>,
}

impl Decoder {
    /// The batch of a frame. After an error nothing more can be decoded.
    pub(in crate::exchange) fn decode(&mut self, rows: EncodedRows) -> Result<EventBatch, DecodeError> {
        if xxh3_64(&rows.payload) != rows.checksum {
            return Err(DecodeError::Checksum);
        }
        let EncodedRows { payload, extras, checksum: _ } = rows;
        // Arrow's decoder answers most of what is wrong with an error and some of it with a panic.
        let decoded = catch_unwind(AssertUnwindSafe(|| self.decode_messages(payload, extras)));
        decoded.unwrap_or(Err(DecodeError::Form("Arrow's decoder gave up on it")))
    }

    fn decode_messages(&mut self, mut bytes: Buffer, extras: Extras) -> Result<EventBatch, DecodeError> {
        loop {
            let metadata = take_metadata(&mut bytes)?;
            let message = root_as_message(&metadata).map_err(|_| DecodeError::Form("a message has no metadata"))?;
            let body = take(&mut bytes, usize::try_from(message.bodyLength()).unwrap_or(usize::MAX))?;
            match message.header_type() {
                MessageHeader::Schema => self.learn_schema(message)?,
                MessageHeader::DictionaryBatch => self.learn_dictionary(message, &body)?,
                MessageHeader::RecordBatch => {
                    let rows = self.record_batch(message, &body)?;
                    return with_extras(rows, bytes, extras);
                }
                _ => return Err(DecodeError::Form("a message is neither a schema nor rows")),
            }
        }
    }

    fn learn_schema(&mut self, message: Message<'_>) -> Result<(), DecodeError> {
        let schema = message.header_as_schema().filter(|schema| schema.fields().is_some());
        let schema = schema.ok_or(DecodeError::Form("a schema has no fields"))?;
        self.schema = Some(Arc::new(fb_to_schema(schema)));
        self.dictionaries.clear();
        Ok(())
    }

    fn learn_dictionary(&mut self, message: Message<'_>, body: &Buffer) -> Result<(), DecodeError> {
        let dictionary = message.header_as_dictionary_batch();
        let dictionary = dictionary.ok_or(DecodeError::Form("a dictionary is missing"))?;
        check(dictionary.data(), body)?;
        let schema = self.schema.as_ref().ok_or(DecodeError::Form("a dictionary comes before the schema"))?;
        read_dictionary(body, dictionary, schema, &mut self.dictionaries, &message.version())?;
        Ok(())
    }

    fn record_batch(&self, message: Message<'_>, body: &Buffer) -> Result<RecordBatch, DecodeError> {
        let batch = check(message.header_as_record_batch(), body)?;
        let schema = self.schema.clone().ok_or(DecodeError::Form("rows come before the schema"))?;
        let version = message.version();
        let decoder = RecordBatchDecoder::try_new(body, batch, schema, &self.dictionaries, &version)?;
        Ok(decoder.read_record_batch()?)
    }
}

/// The metadata of the next message.
fn take_metadata(bytes: &mut Buffer) -> Result<Buffer, DecodeError> {
    let prefix = take(bytes, PREFIX_BYTES)?;
    match *prefix.as_slice() {
        [0xff, 0xff, 0xff, 0xff, a, b, c, d] => take(bytes, u32::from_le_bytes([a, b, c, d]) as usize),
        _ => Err(DecodeError::Form("a message does not begin with its marker")),
    }
}

fn take(bytes: &mut Buffer, length: usize) -> Result<Buffer, DecodeError> {
    if length > bytes.len() {
        return Err(DecodeError::Form("a part is longer than what is left"));
    }
    let taken = bytes.slice_with_length(0, length);
    bytes.advance(length);
    Ok(taken)
}

/// What Arrow's decoder takes for granted: buffers inside the body, counts that count.
fn check<'a>(batch: Option<ipc::RecordBatch<'a>>, body: &Buffer) -> Result<ipc::RecordBatch<'a>, DecodeError> {
    let batch = batch.ok_or(DecodeError::Form("rows are missing"))?;
    let inside = |buffer: &ipc::Buffer| {
        let end = buffer.offset().checked_add(buffer.length());
        buffer.offset() >= 0 && buffer.length() >= 0 && end.is_some_and(|end| end.cast_unsigned() <= body.len() as u64)
    };
    let counts = |node: &ipc::FieldNode| {
        (0..=ROWS_MAX).contains(&node.length()) && (0..=node.length()).contains(&node.null_count())
    };
    if !batch.buffers().into_iter().flatten().all(inside) {
        return Err(DecodeError::Form("a buffer lies outside of the frame"));
    }
    if !batch.nodes().into_iter().flatten().all(counts) || !(0..=ROWS_MAX).contains(&batch.length()) {
        return Err(DecodeError::Form("a number of rows cannot be"));
    }
    if !batch.variadicBufferCounts().into_iter().flatten().all(|count| (0..=ROWS_MAX).contains(&count)) {
        return Err(DecodeError::Form("a number of buffers cannot be"));
    }
    if batch.compression().is_some() {
        return Err(DecodeError::Form("it is compressed"));
    }
    Ok(batch)
}

/// Puts what stands behind the messages beside the columns.
fn with_extras(rows: RecordBatch, mut bytes: Buffer, extras: Extras) -> Result<EventBatch, DecodeError> {
    let count = rows.num_rows();
    let times = extras.times.then(|| take(&mut bytes, count.saturating_mul(size_of::<i64>()))).transpose()?;
    let row_kinds = extras.kinds.then(|| take(&mut bytes, count)).transpose()?;
    if !bytes.is_empty() {
        return Err(DecodeError::Form("it is longer than its rows"));
    }
    if row_kinds.iter().flat_map(|kinds| kinds.iter()).any(|kind| *kind > RowKind::Delete as u8) {
        return Err(DecodeError::Form("a row is of a kind that is not known"));
    }
    Ok(EventBatch { rows, event_time: times.map(|times| scalars(&times)), row_kinds })
}

/// Numbers that may lie at any place.
fn scalars(bytes: &Buffer) -> ScalarBuffer<i64> {
    if bytes.as_ptr().align_offset(align_of::<i64>()) == 0 {
        return ScalarBuffer::from(bytes.clone());
    }
    bytes.chunks_exact(size_of::<i64>()).filter_map(|chunk| chunk.try_into().ok()).map(i64::from_le_bytes).collect()
}
