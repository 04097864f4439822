//! Reading: blocks in, a state out.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use arrow::array::cast::AsArray;
use arrow::buffer::Buffer;
use arrow::datatypes::{SchemaRef, UInt16Type};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamDecoder;
use xxhash_rust::xxh3::xxh3_64;

use super::broken;
use super::index::{Block, Content, Index, Section};
use super::reads::BlockRef;
use crate::error::{Error, Result};
use crate::key::key_group::KeyGroupRange;
use crate::state::{OperatorState, checked, within};

/// The state of one operator while its blocks are read.
///
/// Blocks come in any order and are decoded as they come, so that no more than what is being read is held twice.
#[derive(Debug)]
pub struct Assembly<'a> {
    index: &'a Index,
    /// Named in errors.
    operator: &'a str,
    sections: &'a [Section],
    range: KeyGroupRange,
    /// The blocks that are needed, in the order of the file.
    needed: Vec<BlockRef>,
    /// What has been read, by section and block.
    rows: BTreeMap<(usize, usize), RecordBatch>,
    values: BTreeMap<(usize, usize), Vec<u8>>,
}

impl<'a> Assembly<'a> {
    /// Begins to restore the key groups `range` of the operator `id`. `operator` is its name in errors.
    ///
    /// It is an error if the file has no state of the operator, not even an empty one: whether it may start without is for the
    /// caller to decide, with [`Index::operators`].
    pub fn new(index: &'a Index, id: u128, operator: &'a str, range: KeyGroupRange) -> Result<Self> {
        let Some(sections) = index.sections(id) else {
            let what = format!("`{}` has no state of an operator {id:032x}", index.file());
            return Err(Error::State { operator: operator.to_owned(), message: what });
        };
        let needed = index.blocks(id, range);
        Ok(Self { index, operator, sections, range, needed, rows: BTreeMap::new(), values: BTreeMap::new() })
    }

    /// Takes the bytes of one of the blocks that [`Index::blocks`] names for this operator and range.
    pub fn add(&mut self, block: &BlockRef, bytes: &[u8]) -> Result<()> {
        let at = (block.section, block.block);
        let section = self.sections.get(at.0).filter(|_| self.needs(block));
        let Some((section, entry)) = section.and_then(|of| Some((of, of.blocks.get(at.1)?))) else {
            return Err(Error::internal(format!(
                "{block:?} of `{}` is restored where it is not needed",
                self.index.file()
            )));
        };
        let wrong = |what: String| {
            let what = format!("section `{}`, block {}: {what}", section.name, at.1);
            broken(self.operator, self.index.file(), entry.offset, &what)
        };
        if bytes.len() as u64 != entry.length {
            return Err(wrong(format!("{} bytes were read for its {}", bytes.len(), entry.length)));
        }
        if xxh3_64(bytes) != entry.checksum {
            let what = format!("its {} bytes do not have the checksum that was stored for them", bytes.len());
            return Err(wrong(what));
        }
        match &section.content {
            Content::Keyed(schema) => {
                let rows = rows_of(bytes, schema, entry).map_err(wrong)?;
                self.rows.insert(at, within(&rows, self.range));
            }
            Content::Value => {
                self.values.insert(at, bytes.to_vec());
            }
        }
        Ok(())
    }

    fn needs(&self, block: &BlockRef) -> bool {
        let found = self.needed.binary_search_by_key(&block.offset, |needed| needed.offset);
        found.is_ok_and(|at| self.needed[at] == *block)
    }

    /// The state, when all blocks have been added: the sections of the file with the rows of the range, and the values whole.
    /// The rows of a section come in a batch for each block, or in one that is empty if there are none.
    pub fn finish(mut self) -> Result<OperatorState> {
        let read = self.rows.len() + self.values.len();
        if read != self.needed.len() {
            return Err(Error::internal(format!(
                "{read} of {} blocks of operator `{}` were read from `{}`",
                self.needed.len(),
                self.operator,
                self.index.file()
            )));
        }
        let mut state = OperatorState::default();
        for (at, section) in self.sections.iter().enumerate() {
            let blocks = (at, 0)..(at + 1, 0);
            match &section.content {
                Content::Keyed(schema) => {
                    let rows = self.rows.range(blocks).map(|(_, rows)| rows).filter(|rows| rows.num_rows() > 0);
                    let before = state.keyed.len();
                    state.keyed.extend(rows.map(|rows| (section.name.clone(), rows.clone())));
                    if state.keyed.len() == before {
                        state.keyed.push((section.name.clone(), RecordBatch::new_empty(SchemaRef::clone(schema))));
                    }
                }
                Content::Value => {
                    let mut pieces = self.values.range_mut(blocks).map(|(_, piece)| std::mem::take(piece));
                    let mut value = pieces.next().unwrap_or_default();
                    pieces.for_each(|piece| value.extend(piece));
                    state.values.push((section.name.clone(), value));
                }
            }
        }
        Ok(state)
    }
}

/// The rows of a block whose checksum is right, if they are what the index says.
fn rows_of(bytes: &[u8], schema: &SchemaRef, entry: &Block) -> Result<RecordBatch, String> {
    let rows = decode(bytes).map_err(|error| format!("its rows cannot be read: {error}"))?;
    let rows = rows.ok_or("it holds not exactly one record batch")?;
    if rows.schema_ref() != schema {
        return Err("its rows do not have the columns that the index names".to_owned());
    }
    let rows = checked(rows)?;
    let groups = rows.column(0).as_primitive::<UInt16Type>().values();
    let found = (rows.num_rows(), groups.first().copied(), groups.last().copied());
    if found != (entry.rows as usize, Some(entry.first.0), Some(entry.last.0)) {
        return Err("its rows do not have the number or the key groups that the index names".to_owned());
    }
    Ok(rows)
}

/// The only record batch of an Arrow IPC stream. The decoder, unlike Arrow's `StreamReader`, makes no room for what is not there.
fn decode(bytes: &[u8]) -> Result<Option<RecordBatch>, ArrowError> {
    let mut decoder = StreamDecoder::new();
    let mut rest = Buffer::from(bytes);
    let first = decoder.decode(&mut rest)?;
    let second = decoder.decode(&mut rest)?;
    decoder.finish()?;
    Ok(first.filter(|_| second.is_none()))
}
