//! Memory that comes back.
//!
//! The first write to a fresh page of memory costs more than all the rows in it. So what is given out in a batch is kept
//! here too, as a second owner; when all others have let go of it, it can be written again. Batches that are still used
//! somewhere are left alone, and of those only so many are kept in mind.

use std::collections::VecDeque;
use std::marker::PhantomData;

use arrow::buffer::Buffer;
use arrow::datatypes::ArrowNativeType;

/// As many buffers of one type are kept in mind as a chain of operators may hold batches of, times columns.
const KEPT: usize = 48;

/// The buffers of the columns of one kind of event.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    pub(super) longs: Recycler<i64>,
    pub(super) offsets: Recycler<i32>,
    /// Texts of a dictionary: whole.
    pub(super) entries: Recycler<u8>,
    /// Texts that are appended.
    pub(super) texts: Recycler<u8>,
}

impl Buffers {
    /// Bytes of the buffers that nobody else has.
    pub(super) fn memory_bytes(&self) -> usize {
        let texts = self.entries.memory_bytes() + self.texts.memory_bytes();
        self.longs.memory_bytes() + self.offsets.memory_bytes() + texts
    }
}

/// Buffers of `T` that are given out and come back.
#[derive(Debug)]
pub(super) struct Recycler<T> {
    lent: VecDeque<Buffer>,
    values: PhantomData<T>,
}

impl<T> Default for Recycler<T> {
    fn default() -> Self {
        Self { lent: VecDeque::new(), values: PhantomData }
    }
}

impl<T: ArrowNativeType> Recycler<T> {
    /// `length` values: what they were when they were last lent, or zero.
    pub(super) fn take(&mut self, length: usize) -> Vec<T> {
        match self.returned(length) {
            Some(mut values) => {
                values.resize(length, T::default());
                values
            }
            None => vec![T::default(); length],
        }
    }

    /// An empty vector that has perhaps much room.
    pub(super) fn take_empty(&mut self) -> Vec<T> {
        let mut values = self.returned(0).unwrap_or_default();
        values.clear();
        values
    }

    /// Gives `values` out.
    pub(super) fn lend(&mut self, values: Vec<T>) -> Buffer {
        let buffer = Buffer::from_vec(values);
        if self.lent.len() == KEPT {
            self.lent.pop_front(); // Whoever still has it frees it.
        }
        self.lent.push_back(buffer.clone());
        buffer
    }

    /// Bytes of the buffers that nobody else has. Those in use are counted where they are.
    pub(super) fn memory_bytes(&self) -> usize {
        self.lent.iter().filter(|buffer| buffer.strong_count() == 1).map(Buffer::capacity).sum()
    }

    /// The first buffer that nobody else has and that has room for `length` values.
    fn returned(&mut self, length: usize) -> Option<Vec<T>> {
        for _ in 0..self.lent.len() {
            match self.lent.pop_front()?.into_vec::<T>() {
                Ok(values) if values.capacity() >= length => return Some(values),
                Ok(too_small) => self.lent.push_back(Buffer::from_vec(too_small)),
                Err(in_use) => self.lent.push_back(in_use),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_all_others_have_let_go_of_it() {
        let mut recycler = Recycler::<i64>::default();
        let mut values = recycler.take(3);
        values.copy_from_slice(&[1, 2, 3]);
        let lent = recycler.lend(values);
        let place = lent.as_ptr();
        let used = recycler.take(3);
        assert_ne!(used.as_ptr().cast(), place, "it is in use");
        assert_eq!(recycler.memory_bytes(), 0);
        assert_eq!(used, [0, 0, 0]);
        assert_eq!(lent.typed_data::<i64>(), [1, 2, 3]);
        drop(lent);
        assert_eq!(recycler.memory_bytes(), 24);
        let again = recycler.take(2);
        assert_eq!(again.as_ptr().cast(), place, "it came back");
        assert_eq!(again, [1, 2]);
    }

    #[test]
    fn buffers_that_do_not_come_back_are_forgotten() {
        let mut recycler = Recycler::<i32>::default();
        let held: Vec<Buffer> = (0..3 * KEPT)
            .map(|_| {
                let values = recycler.take(1);
                recycler.lend(values)
            })
            .collect();
        assert_eq!(recycler.lent.len(), KEPT);
        drop(held);
    }
}
