//! Which sessions may have ended by when.

use std::collections::BTreeMap;

use crate::aggregate::GroupIndex;
use crate::key::table::KeyIndex;
use crate::memory;

/// Sessions by the bucket of time that their end lay in when they were filed.
#[derive(Debug)]
pub(super) struct Calendar {
    buckets: BTreeMap<i64, Vec<Filed>>,
    width: i64,
    /// How many entries all buckets have room for.
    room: usize,
}

/// A session that may have ended by the time its bucket is reached.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filed {
    pub(super) key: KeyIndex,
    pub(super) group: GroupIndex,
}

impl Calendar {
    /// An empty one, with buckets of `width` milliseconds.
    pub(super) fn new(width: i64) -> Self {
        Self { buckets: BTreeMap::new(), width, room: 0 }
    }

    /// Files a session that ends at `end`; answers the number of its bucket.
    pub(super) fn file(&mut self, end: i64, filed: Filed) -> i64 {
        let number = (end - 1).div_euclid(self.width);
        let bucket = self.buckets.entry(number).or_default();
        self.room -= bucket.capacity();
        bucket.push(filed);
        self.room += bucket.capacity();
        number
    }

    /// Takes out the first bucket that `clock` has reached, with its number.
    pub(super) fn pop_reached(&mut self, clock: i64) -> Option<(i64, Vec<Filed>)> {
        let reached = clock.div_euclid(self.width);
        let bucket = self.buckets.first_entry().filter(|bucket| *bucket.key() <= reached)?;
        let (number, filed) = bucket.remove_entry();
        self.room -= filed.capacity();
        Some((number, filed))
    }

    /// The last millisecond of bucket `number`.
    pub(super) fn last_of(&self, number: i64) -> i64 {
        number.saturating_add(1).saturating_mul(self.width).saturating_sub(1)
    }

    /// Bytes of memory held.
    pub(super) fn memory_bytes(&self) -> usize {
        memory::tree::<i64, Vec<Filed>>(self.buckets.len()) + self.room * size_of::<Filed>()
    }
}
