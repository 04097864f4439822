//! Writing: states in, the pieces of a file out.

use std::ops::Range;

use arrow::array::RecordBatch;
use arrow::array::cast::AsArray;
use arrow::datatypes::UInt16Type;
use arrow::ipc::writer::StreamWriter;
use xxhash_rust::xxh3::xxh3_64;

use super::index::{Block, Content, Index, OperatorIndex, Section, trailer};
use super::{BLOCK_BYTES, FORMAT, MAGIC, MAX_INDEX_BYTES};
use crate::error::{Error, Result};
use crate::key::key_group::KeyGroup;
use crate::memory;
use crate::state::OperatorState;

/// Bytes that an Arrow IPC stream takes beside its rows, roughly: a first guess at the room of a block.
const STREAM_BYTES: usize = 4 * 1024;

/// Makes a state file of the states of a subtask's operators.
///
/// The same states, added in the same order, give the same bytes.
#[derive(Debug)]
pub struct StateFileWriter {
    block_bytes: usize,
    /// The file so far: the header, and each block in a vector of its own, so that none is copied again.
    pieces: Vec<Vec<u8>>,
    length: u64,
    operators: Vec<OperatorIndex>,
}

impl Default for StateFileWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl StateFileWriter {
    /// A file without operators.
    pub fn new() -> Self {
        Self::with_block_bytes(BLOCK_BYTES)
    }

    /// A file whose blocks are filled up to `block_bytes`, at least 1. Readers take any.
    pub(super) fn with_block_bytes(block_bytes: usize) -> Self {
        let header = [MAGIC, FORMAT.to_le_bytes()].concat();
        Self { block_bytes, length: header.len() as u64, pieces: vec![header], operators: Vec::new() }
    }

    /// Adds the state of an operator, which has not been added before. The state may be dropped afterwards.
    ///
    /// After an error the writer is of no more use.
    pub fn add(&mut self, operator: u128, state: &OperatorState) -> Result<()> {
        if self.operators.iter().any(|added| added.id == operator) {
            return Err(Error::internal(format!("the state of operator {operator:032x} is stored twice in one file")));
        }
        let mut sections = Vec::with_capacity(state.keyed.len() + state.values.len());
        for (name, rows) in &state.keyed {
            let blocks = self.add_rows(rows)?;
            sections.push(Section { name: name.clone(), content: Content::Keyed(rows.schema()), blocks });
        }
        for (name, value) in &state.values {
            let pieces = value.chunks(self.block_bytes);
            let blocks = pieces.map(|piece| self.add_block(piece.to_vec(), (KeyGroup(0), KeyGroup(0)), 0)).collect();
            sections.push(Section { name: name.clone(), content: Content::Value, blocks });
        }
        self.operators.push(OperatorIndex { id: operator, sections });
        Ok(())
    }

    /// The file, in pieces that lie one behind the other.
    pub fn finish(mut self) -> Result<Vec<Vec<u8>>> {
        let mut end = Index::encode(&self.operators)?;
        if end.len() as u64 > MAX_INDEX_BYTES {
            return Err(Error::Invalid(format!(
                "the index of a subtask's state file would have {}, and at most {} are read; raise the parallelism, so \
                 that each subtask stores less",
                memory::Bytes(end.len()),
                memory::Bytes(usize::try_from(MAX_INDEX_BYTES).unwrap_or(usize::MAX)),
            )));
        }
        let trailer = trailer(self.length, &end);
        end.extend_from_slice(&trailer);
        self.pieces.push(end);
        Ok(self.pieces)
    }

    fn add_rows(&mut self, rows: &RecordBatch) -> Result<Vec<Block>> {
        let Some(groups) = rows.columns().first().and_then(|column| column.as_primitive_opt::<UInt16Type>()) else {
            return Err(Error::internal("keyed state without key groups is to be stored"));
        };
        let groups = groups.values();
        let mut blocks = Vec::new();
        let mut from = 0;
        while from < rows.num_rows() {
            let cut = block_of(rows, groups, from, self.block_bytes);
            let stream = stream_of(&rows.slice(cut.start, cut.len()))?;
            let count = u32::try_from(cut.len()).map_err(|_| Error::internal("a block of 2^32 rows"))?;
            let ends = (KeyGroup(groups[cut.start]), KeyGroup(groups[cut.end - 1]));
            blocks.push(self.add_block(stream, ends, count));
            from = cut.end;
        }
        Ok(blocks)
    }

    fn add_block(&mut self, bytes: Vec<u8>, (first, last): (KeyGroup, KeyGroup), rows: u32) -> Block {
        let (offset, length) = (self.length, bytes.len() as u64);
        let block = Block { offset, length, first, last, rows, checksum: xxh3_64(&bytes) };
        self.length += length;
        self.pieces.push(bytes);
        block
    }
}

/// The rows of the block that starts at row `from`: as many as fit, without parting a key group that can be whole in a block.
fn block_of(rows: &RecordBatch, groups: &[u16], from: usize, block_bytes: usize) -> Range<usize> {
    let fits = |to: usize| memory::visible_parts(rows.slice(from, to - from).columns()) <= block_bytes;
    // A row that does not fit has a block for itself.
    let (mut end, mut limit) = (from + 1, rows.num_rows());
    while end < limit {
        let middle = end + (limit - end).div_ceil(2);
        if fits(middle) {
            end = middle;
        } else {
            limit = middle - 1;
        }
    }
    let parted = end < rows.num_rows() && groups[end - 1] == groups[end];
    let start_of_last = from + groups[from..end].partition_point(|group| *group < groups[end - 1]);
    if parted && start_of_last > from { from..start_of_last } else { from..end }
}

fn stream_of(rows: &RecordBatch) -> Result<Vec<u8>> {
    let mut stream = Vec::with_capacity(memory::visible_parts(rows.columns()) + STREAM_BYTES);
    let mut writer = StreamWriter::try_new(&mut stream, rows.schema_ref())?;
    writer.write(rows)?;
    writer.finish()?;
    drop(writer);
    Ok(stream)
}
