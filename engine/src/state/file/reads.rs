//! Which bytes of the file to ask the store for.

use std::ops::Range;

use super::{READ_BYTES, READ_GAP_BYTES};

/// A block of a file, by its place. Of use only together with the [`Index`](super::Index) that it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockRef {
    pub(super) operator: u128,
    /// Which section of the operator, and which block of that.
    pub(super) section: usize,
    pub(super) block: usize,
    pub(super) offset: u64,
    pub(super) length: u64,
}

impl BlockRef {
    /// The id of the operator whose state it is.
    pub fn operator(&self) -> u128 {
        self.operator
    }

    /// The bytes of the file that are the block, and nothing else.
    pub fn range(&self) -> Range<u64> {
        // The index has no block that ends behind it.
        self.offset..self.offset.saturating_add(self.length)
    }
}

/// Bytes to ask the store for at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The bytes of the file, from the start of the first block to the end of the last.
    pub range: Range<u64>,
    /// The blocks that are wanted of them, in the order of the file.
    pub blocks: Vec<BlockRef>,
}

impl Read {
    /// The part of `bytes`, which were read, that is `block`. It is shorter than the block if too few were read;
    /// [`Assembly::add`](super::Assembly::add) says so.
    pub fn part<'a>(&self, block: &BlockRef, bytes: &'a [u8]) -> &'a [u8] {
        let at = |offset: u64| {
            let at = usize::try_from(offset.saturating_sub(self.range.start)).unwrap_or(usize::MAX);
            at.min(bytes.len())
        };
        &bytes[at(block.range().start)..at(block.range().end)]
    }

    fn takes(&self, block: &BlockRef) -> bool {
        let Range { start, end } = block.range();
        start.saturating_sub(self.range.end) <= READ_GAP_BYTES && end - self.range.start <= READ_BYTES
    }
}

/// Few reads that cover `blocks` of one file: blocks at most [`READ_GAP_BYTES`] apart are read together, up to [`READ_BYTES`].
pub fn reads(mut blocks: Vec<BlockRef>) -> Vec<Read> {
    blocks.sort_by_key(|block| block.offset);
    let mut reads: Vec<Read> = Vec::new();
    for block in blocks {
        match reads.last_mut() {
            Some(read) if read.takes(&block) => {
                read.range.end = read.range.end.max(block.range().end);
                read.blocks.push(block);
            }
            Some(_) | None => reads.push(Read { range: block.range(), blocks: vec![block] }),
        }
    }
    reads
}
