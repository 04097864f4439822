//! The end of the file: which block holds which key groups of what. Written and read here.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::writer::StreamWriter;
use xxhash_rust::xxh3::xxh3_64;

use super::reads::BlockRef;
use super::{FORMAT, HEADER_BYTES, MAGIC, MAX_INDEX_BYTES, NO_OPERATOR, TRAILER_BYTES, broken};
use crate::error::{Error, Result};
use crate::key::key_group::{KeyGroup, KeyGroupRange};
use crate::state::KEY_GROUP_COLUMN;

const KEYED: u8 = 0;
const VALUE: u8 = 1;
const FULL: u8 = 0;
const UPSERTS: u8 = 1;
const DELETES: u8 = 2;
/// Bytes of a block's entry.
const ENTRY_BYTES: usize = 32;

/// The end of a state file: where its index lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trailer {
    index: Range<u64>,
    checksum: u64,
}

impl Trailer {
    /// Reads the last [`TRAILER_BYTES`] of a file of `file_length` bytes. `file` is named in errors.
    pub fn parse(file: &str, last: &[u8], file_length: u64) -> Result<Self> {
        let wrong = |at: u64, what: &str| broken(NO_OPERATOR, file, at, what);
        let start = file_length.checked_sub(TRAILER_BYTES as u64).filter(|start| *start >= HEADER_BYTES);
        let Some(start) = start else {
            return Err(wrong(0, &format!("it has only {file_length} bytes, less than any state file")));
        };
        let mut fields = Fields { file, at: start, rest: last };
        if last.len() != TRAILER_BYTES {
            return Err(fields.wrong(&format!("{} bytes were read for the last {TRAILER_BYTES}", last.len())));
        }
        let (offset, length) = (fields.u64("the trailer")?, fields.u64("the trailer")?);
        let checksum = fields.u64("the trailer")?;
        let (format, magic) = (fields.u32("the trailer")?, fields.array("the trailer")?);
        if magic != MAGIC {
            return Err(wrong(file_length - 4, "it does not end with the marker of a Millstream state file"));
        }
        if format != FORMAT {
            let what = format!("its format is {format}, this build reads format {FORMAT}");
            return Err(wrong(file_length - 8, &what));
        }
        if offset < HEADER_BYTES || offset.checked_add(length) != Some(start) {
            let what = format!("its index, {length} bytes from byte {offset}, does not end where the trailer starts");
            return Err(wrong(start, &what));
        }
        if length > MAX_INDEX_BYTES {
            return Err(wrong(start, &format!("its index has {length} bytes, and at most {MAX_INDEX_BYTES} are read")));
        }
        Ok(Self { index: offset..start, checksum })
    }

    /// The bytes of the file that are its index: at most [`MAX_INDEX_BYTES`](super::MAX_INDEX_BYTES).
    pub fn index_range(&self) -> Range<u64> {
        self.index.clone()
    }
}

/// The trailer behind this index, which starts at byte `offset`.
pub(super) fn trailer(offset: u64, index: &[u8]) -> [u8; TRAILER_BYTES] {
    let mut bytes = [0; TRAILER_BYTES];
    bytes[..8].copy_from_slice(&offset.to_le_bytes());
    bytes[8..16].copy_from_slice(&(index.len() as u64).to_le_bytes());
    bytes[16..24].copy_from_slice(&xxh3_64(index).to_le_bytes());
    bytes[24..28].copy_from_slice(&FORMAT.to_le_bytes());
    bytes[28..].copy_from_slice(&MAGIC);
    bytes
}

/// What is in a state file, and where.
#[derive(Debug, Clone)]
pub struct Index {
    file: String,
    operators: Vec<OperatorIndex>,
}

/// The sections of one operator.
#[derive(Debug, Clone)]
pub(super) struct OperatorIndex {
    pub(super) id: u128,
    pub(super) sections: Vec<Section>,
}

/// All that is stored under one name. Blocks are in the order of their rows or bytes.
#[derive(Debug, Clone)]
pub(super) struct Section {
    pub(super) name: String,
    pub(super) content: Content,
    pub(super) blocks: Vec<Block>,
}

/// What the blocks of a section are.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// Rows of this schema, which starts with the column of key groups.
    Keyed(SchemaRef),
    /// Bytes.
    Value,
}

/// Where a block lies and what must be in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) offset: u64,
    /// Bytes, at least 1.
    pub(super) length: u64,
    pub(super) first: KeyGroup,
    pub(super) last: KeyGroup,
    pub(super) rows: u32,
    pub(super) checksum: u64,
}

impl Index {
    /// Reads the bytes of [`Trailer::index_range`]. `file` is named in errors, here and later.
    ///
    /// Holds no more than a small multiple of `bytes`, whatever they claim.
    pub fn parse(file: &str, bytes: &[u8], trailer: &Trailer) -> Result<Self> {
        let mut fields = Fields { file, at: trailer.index.start, rest: bytes };
        let wanted = trailer.index.end - trailer.index.start;
        if bytes.len() as u64 != wanted {
            return Err(fields.wrong(&format!("{} bytes were read for its index of {wanted}", bytes.len())));
        }
        if xxh3_64(bytes) != trailer.checksum {
            let what = format!("the {wanted} bytes of its index do not have the checksum that was stored with them");
            return Err(fields.wrong(&what));
        }
        let mut operators = Vec::new();
        let mut ids = HashSet::new();
        // Where the next block must start.
        let mut next = HEADER_BYTES;
        for _ in 0..fields.u32("the number of operators")? {
            let operator = fields.operator(&mut next, trailer.index.start)?;
            if !ids.insert(operator.id) {
                return Err(fields.wrong(&format!("operator {:032x} is there twice", operator.id)));
            }
            operators.push(operator);
        }
        if !fields.rest.is_empty() {
            return Err(fields.wrong(&format!("{} bytes follow the last operator", fields.rest.len())));
        }
        if next != trailer.index.start {
            let what = format!("its blocks end here, and the index starts at byte {}", trailer.index.start);
            return Err(broken(NO_OPERATOR, file, next, &what));
        }
        Ok(Self { file: file.to_owned(), operators })
    }

    pub(super) fn encode(operators: &[OperatorIndex]) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        put_count(&mut bytes, operators.len())?;
        for operator in operators {
            bytes.extend_from_slice(&operator.id.to_le_bytes());
            put_count(&mut bytes, operator.sections.len())?;
            operator.sections.iter().try_for_each(|section| put_section(&mut bytes, section))?;
        }
        Ok(bytes)
    }

    /// The ids of the operators whose state is in the file, in the order in which they were added. One with an empty state is
    /// among them.
    pub fn operators(&self) -> impl Iterator<Item = u128> {
        self.operators.iter().map(|operator| operator.id)
    }

    /// The blocks that a restore of the key groups `range` of `operator` needs: those of keyed sections that touch the range,
    /// and all of values. In the order of the file; none if the operator is not in it.
    pub fn blocks(&self, operator: u128, range: KeyGroupRange) -> Vec<BlockRef> {
        let mut blocks = Vec::new();
        for (section, of) in self.sections(operator).unwrap_or_default().iter().enumerate() {
            for (block, at) in of.blocks.iter().enumerate() {
                let needed = match of.content {
                    Content::Keyed(_) => at.first <= range.last && range.first <= at.last,
                    Content::Value => true,
                };
                if needed {
                    blocks.push(BlockRef { operator, section, block, offset: at.offset, length: at.length });
                }
            }
        }
        blocks
    }

    /// The name of the file in errors.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    pub(super) fn sections(&self, operator: u128) -> Option<&[Section]> {
        let operator = self.operators.iter().find(|of| of.id == operator)?;
        Some(&operator.sections)
    }
}

fn put_section(bytes: &mut Vec<u8>, section: &Section) -> Result<()> {
    put_count(bytes, section.name.len())?;
    bytes.extend_from_slice(section.name.as_bytes());
    let (kind, schema) = match &section.content {
        Content::Keyed(schema) => (KEYED, encode_schema(schema)?),
        Content::Value => (VALUE, Vec::new()),
    };
    bytes.extend_from_slice(&[kind, FULL]);
    put_count(bytes, schema.len())?;
    bytes.extend_from_slice(&schema);
    put_count(bytes, section.blocks.len())?;
    for Block { offset, length, first, last, rows, checksum } in &section.blocks {
        bytes.extend_from_slice(&offset.to_le_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&first.0.to_le_bytes());
        bytes.extend_from_slice(&last.0.to_le_bytes());
        bytes.extend_from_slice(&rows.to_le_bytes());
        bytes.extend_from_slice(&checksum.to_le_bytes());
    }
    Ok(())
}

fn put_count(bytes: &mut Vec<u8>, count: usize) -> Result<()> {
    let count = u32::try_from(count).map_err(|_| Error::internal("more than 2^32 things in a state file's index"))?;
    bytes.extend_from_slice(&count.to_le_bytes());
    Ok(())
}

pub(super) fn encode_schema(schema: &Schema) -> Result<Vec<u8>> {
    let mut stream = Vec::new();
    StreamWriter::try_new(&mut stream, schema)?.finish()?;
    Ok(stream)
}

/// Walks the fields of the trailer or the index.
struct Fields<'a> {
    /// Named in errors.
    file: &'a str,
    /// Where `rest` starts in the file.
    at: u64,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// What is here is wrong.
    fn wrong(&self, what: &str) -> Error {
        self.wrong_at(self.at, what)
    }

    fn wrong_at(&self, at: u64, what: &str) -> Error {
        broken(NO_OPERATOR, self.file, at, what)
    }

    /// The next `length` bytes, which are `what`.
    fn bytes(&mut self, length: u32, what: &str) -> Result<&'a [u8]> {
        let Some((bytes, rest)) = self.rest.split_at_checked(length as usize) else {
            return Err(self.wrong(&format!("{what} has {length} bytes, and {} are left", self.rest.len())));
        };
        self.rest = rest;
        self.at += u64::from(length);
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        let Some((array, rest)) = self.rest.split_first_chunk() else {
            return Err(self.wrong(&format!("{what} has {N} bytes, and {} are left", self.rest.len())));
        };
        self.rest = rest;
        self.at += N as u64;
        Ok(*array)
    }

    fn u16(&mut self, what: &str) -> Result<u16> {
        Ok(u16::from_le_bytes(self.array(what)?))
    }

    fn u32(&mut self, what: &str) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    fn u64(&mut self, what: &str) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    fn operator(&mut self, next: &mut u64, end: u64) -> Result<OperatorIndex> {
        let id = u128::from_le_bytes(self.array("an operator's id")?);
        let mut sections = Vec::new();
        for _ in 0..self.u32("the number of sections")? {
            sections.push(self.section(next, end)?);
        }
        Ok(OperatorIndex { id, sections })
    }

    fn section(&mut self, next: &mut u64, end: u64) -> Result<Section> {
        let length = self.u32("the length of a section's name")?;
        let at = self.at;
        let name = match std::str::from_utf8(self.bytes(length, "a section's name")?) {
            Ok(name) => name.to_owned(),
            Err(error) => return Err(self.wrong_at(at, &format!("a section's name is not UTF-8: {error}"))),
        };
        let at = self.at;
        let wrong = |fields: &Self, what: &str| fields.wrong_at(at, &format!("section `{name}` {what}"));
        let [kind, role] = self.array("the kind and role of a section")?;
        check_role(role).map_err(|what| wrong(self, &what))?;
        let length = self.u32("the length of a schema")?;
        let schema = self.bytes(length, "a schema")?;
        let content = match kind {
            KEYED => Content::Keyed(decode_schema(schema).map_err(|what| wrong(self, &what))?),
            VALUE if schema.is_empty() => Content::Value,
            VALUE => return Err(wrong(self, "is a value and has a schema")),
            other => return Err(wrong(self, &format!("is of the unknown kind {other}"))),
        };
        let blocks = self.blocks(&name, &content, next, end)?;
        Ok(Section { name, content, blocks })
    }

    fn blocks(&mut self, name: &str, content: &Content, next: &mut u64, end: u64) -> Result<Vec<Block>> {
        let count = self.u32("the number of blocks")? as usize;
        if count > self.rest.len() / ENTRY_BYTES {
            let what = format!("section `{name}` has {count} blocks, and {} bytes are left", self.rest.len());
            return Err(self.wrong(&what));
        }
        let mut blocks: Vec<Block> = Vec::with_capacity(count);
        for _ in 0..count {
            let at = self.at;
            let block = Block {
                offset: self.u64("a block's offset")?,
                length: self.u64("a block's length")?,
                first: KeyGroup(self.u16("a key group")?),
                last: KeyGroup(self.u16("a key group")?),
                rows: self.u32("a block's rows")?,
                checksum: self.u64("a checksum")?,
            };
            let before = blocks.last().map_or(KeyGroup(0), |block| block.last);
            *next = fitting(&block, content, before, *next, end)
                .map_err(|what| self.wrong_at(at, &format!("section `{name}`, block {}: {what}", blocks.len())))?;
            blocks.push(block);
        }
        Ok(blocks)
    }
}

/// Only whole sections are read.
fn check_role(role: u8) -> Result<(), String> {
    let role = match role {
        FULL => return Ok(()),
        UPSERTS => "upserts (role 1)".to_owned(),
        DELETES => "deletes (role 2)".to_owned(),
        other => format!("something unknown (role {other})"),
    };
    Err(format!(
        "holds {role}, and this build reads format {FORMAT} with whole sections only; restore it with the version of \
         Millstream that wrote it"
    ))
}

/// Where `block` ends: it must start at `next`, end at `end` at the latest, and have no key group ahead of `before`.
fn fitting(block: &Block, content: &Content, before: KeyGroup, next: u64, end: u64) -> Result<u64, String> {
    let Block { offset, length, first, last, rows, checksum: _ } = *block;
    if offset != next {
        return Err(format!("it starts at byte {offset}, and the one before ends at byte {next}"));
    }
    let behind = offset.checked_add(length).filter(|behind| *behind <= end && length > 0);
    let Some(behind) = behind else {
        return Err(format!("its {length} bytes from byte {offset} do not lie before the index at byte {end}"));
    };
    let (KeyGroup(from), KeyGroup(to)) = (first, last);
    match content {
        Content::Keyed(_) if rows == 0 => Err("it has no rows".to_owned()),
        Content::Keyed(_) if first < before || last < first => {
            Err(format!("its key groups {from} to {to} are not in order behind {}", before.0))
        }
        Content::Value if (from, to, rows) != (0, 0, 0) => Err("it is of a value and has key groups".to_owned()),
        Content::Keyed(_) | Content::Value => Ok(behind),
    }
}

fn decode_schema(stream: &[u8]) -> Result<SchemaRef, String> {
    let mut decoder = StreamDecoder::new();
    match decoder.decode(&mut Buffer::from(stream)).and_then(|rows| decoder.finish().map(|()| rows)) {
        Ok(None) => {}
        Ok(Some(_)) => return Err("has a schema with rows".to_owned()),
        Err(error) => return Err(format!("has a schema that cannot be read: {error}")),
    }
    let schema = decoder.schema().ok_or("has no schema")?;
    let groups = schema.fields().first().is_some_and(|field| *field.data_type() == DataType::UInt16);
    if groups {
        Ok(Arc::clone(&schema))
    } else {
        Err(format!("has columns that do not start with `{KEY_GROUP_COLUMN}`"))
    }
}
