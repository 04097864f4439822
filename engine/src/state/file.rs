//! The state file: what one subtask stores at one checkpoint, for all operators of its chain, in one object that never
//! changes.
//!
//! It is read by ranges, from its end: the trailer says where the index lies, the index where each block lies and which key
//! groups are in it. A restore at any parallelism fetches the blocks that touch its own key groups, and no others. Nothing
//! here reads or writes: bytes come in and go out, and the caller puts them into an object store and gets ranges of them.
//!
//! ```text
//!   file     │ header │ block │ block │ … │ block │ index │ trailer │      nothing lies between these
//!
//!   header   "MSSF" | format u32                                           for people and tools: a restore does not read it
//!   block    a piece of one section of one operator, about 1 MiB:
//!              keyed: an Arrow IPC stream of one record batch: consecutive key groups, in order,
//!                     or a part of a single one that is larger than a block
//!              value: a piece of its bytes
//!   index    operators u32 | operator*
//!     operator  id u128 | sections u32 | section*
//!     section   name length u32 | name | kind u8 (0 keyed, 1 value) | role u8 (0 full)
//!               | schema length u32 | schema (an Arrow IPC stream without rows; of a value: nothing)
//!               | blocks u32 | entry*
//!     entry     offset u64 | length u64 | first key group u16 | last key group u16 | rows u32 | XXH3-64 u64 of the block
//!               (groups and rows of a value are 0)
//!   trailer  offset of the index u64 | its length u64 | its XXH3-64 u64 | format u32 | "MSSF"       32 bytes
//! ```
//! Numbers are little endian. Blocks lie in the order of the index, each where the one before ends, so that none can overlap
//! another and every byte belongs to something that is checked. A checksum is compared before what it covers is looked at:
//! Arrow's reader trusts what it reads. Schemas are in the index as well as in the blocks, so that a section without rows
//! for a restore still says what its columns are.
//!
//! A section's role leaves room for increments: this format has whole sections only, a later one may add upserts, and
//! deletes as ranges of each key group. A role or a format that this build does not know is refused by its number.
//!
//! # Restoring
//! 1. Get the last [`TRAILER_BYTES`] of the file: [`Trailer::parse`].
//! 2. Get [`Trailer::index_range`]: [`Index::parse`].
//! 3. For each operator, begin an [`Assembly`]; [`reads()`] makes few ranges of the [`Index::blocks`] of all of them.
//! 4. Get each of these, in any order, and [`add`](Assembly::add) each [part](Read::part) to its operator's assembly.
//! 5. [`Assembly::finish`] gives the state, as [`OperatorState::restrict`](super::OperatorState::restrict) would have.

mod assembly;
mod index;
mod reads;
#[cfg(test)]
mod tests;
mod writer;

pub use assembly::Assembly;
pub use index::{Index, Trailer};
pub use reads::{BlockRef, Read, reads};
pub use writer::StateFileWriter;

use crate::error::Error;

const MAGIC: [u8; 4] = *b"MSSF";
/// The version of the format that is written, and the only one that is read.
const FORMAT: u32 = 1;

/// Bytes of the header, behind which the first block starts.
const HEADER_BYTES: u64 = 8;
/// Bytes of the trailer, the end of every state file.
pub const TRAILER_BYTES: usize = 32;
/// Bytes of rows, or of a value, that a block is filled up to. Only a block of one row that is larger has more.
pub const BLOCK_BYTES: usize = 1024 * 1024;
/// Bytes that an index may have: those of the blocks of about 2 TiB of state.
pub const MAX_INDEX_BYTES: u64 = 64 * 1024 * 1024;
/// Bytes between two blocks that are read and thrown away rather than asking the store twice.
pub const READ_GAP_BYTES: u64 = 256 * 1024;
/// Bytes up to which blocks are joined into one read: large enough that asking costs little, small enough that several
/// can be under way.
pub const READ_BYTES: u64 = 8 * 1024 * 1024;

/// Who is named in errors that concern the file and not one operator.
const NO_OPERATOR: &str = "state file";

/// The state of `operator` in `file` cannot be read, for what is at byte `at` of it.
fn broken(operator: &str, file: &str, at: u64, what: &str) -> Error {
    Error::State { operator: operator.to_owned(), message: format!("`{file}`, byte {at}: {what}") }
}
