//! How much memory containers hold.
//!
//! A slot has a budget of memory, so every part of a task that can grow answers how many bytes it holds. They are added up
//! here and not asked of the allocator, which knows the process but not whose its memory is.
//!
//! # What counts
//! - Room counts, not what is in it: a table that was cleared holds as much as before.
//! - An answer takes no longer the more rows or keys there are, since it is asked for every few batches. A container whose
//!   items hold memory of their own therefore keeps a running sum and changes it with each of them.
//! - What is the same however much comes (schemas, expressions, an empty operator) is left out.

use std::collections::VecDeque;

use arrow::array::{Array, ArrayRef};

/// A container that is empty and holds more than this gives it back; less is kept for the next rows.
pub const KEPT_WHEN_EMPTY: usize = 1024 * 1024;

/// The steps in which an allocator gives out small blocks. For large ones the difference does not show.
const BLOCK_STEP: usize = 16;
/// How many entries a node of the standard library's B-trees has room for.
const NODE_ENTRIES: usize = 11;

/// Bytes that a block of `bytes` takes.
#[inline]
pub fn block(bytes: usize) -> usize {
    bytes.next_multiple_of(BLOCK_STEP)
}

/// Bytes of a vector's own block.
#[inline]
pub fn vec<T>(of: &Vec<T>) -> usize {
    of.capacity() * size_of::<T>()
}

/// Bytes of a queue's own block.
#[inline]
pub fn queue<T>(of: &VecDeque<T>) -> usize {
    of.capacity() * size_of::<T>()
}

/// Bytes of the nodes of a B-tree with `entries` entries, about: it does not tell how many nodes it has.
///
/// A leaf has 6 entries, and every seventh is in a node above, where entries came in order; where they came in any order it is
/// between 8 and 9 for each leaf. This assumes 7.5.
pub fn tree<K, V>(entries: usize) -> usize {
    let leaf = NODE_ENTRIES * (size_of::<K>() + size_of::<V>()) + 2 * size_of::<usize>();
    let above = leaf + (NODE_ENTRIES + 1) * size_of::<usize>();
    let leaves = (2 * entries).div_ceil(15);
    leaves * leaf + leaves / 8 * above
}

/// Bytes of the buffers of arrays that nobody else holds.
pub fn arrays(of: &[ArrayRef]) -> usize {
    of.iter().map(|array| array.get_buffer_memory_size()).sum()
}

/// Bytes of the visible parts of arrays that share their buffers: a slice of a large buffer counts its own part.
pub fn visible_parts(of: &[ArrayRef]) -> usize {
    let part = |array: &ArrayRef| array.to_data().get_slice_memory_size();
    of.iter().map(|array| part(array).unwrap_or_else(|_| array.get_array_memory_size())).sum()
}

/// A number of bytes, for people: `71.3 MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub usize);

impl std::fmt::Display for Bytes {
    #[expect(clippy::cast_precision_loss, reason = "one digit behind the point is shown")]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const UNITS: [(usize, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match UNITS.into_iter().find(|(unit, _)| self.0 >= *unit) {
            None => write!(f, "{} bytes", self.0),
            Some((unit, name)) if self.0.is_multiple_of(unit) => write!(f, "{} {name}", self.0 / unit),
            Some((unit, name)) => write!(f, "{:.1} {name}", self.0 as f64 / unit as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_in_the_largest_unit_that_fits() {
        let shown = [0, 1023, 1024, 1536, 64 << 20, (71 << 20) + (300 << 10), 3 << 30].map(|of| Bytes(of).to_string());
        assert_eq!(shown, ["0 bytes", "1023 bytes", "1 KiB", "1.5 KiB", "64 MiB", "71.3 MiB", "3 GiB"]);
    }
}
