//! A few items for each of many keys.

use hashbrown::HashMap;

use super::table::KeyIndex;

/// A list of items for each key that has any. Keeps a sum of the room of all lists, so that what they hold is known without
/// looking at them.
#[derive(Debug)]
pub(crate) struct KeyedLists<T> {
    lists: HashMap<KeyIndex, Vec<T>>,
    /// How many items the lists have room for.
    room: usize,
}

impl<T> KeyedLists<T> {
    /// No lists.
    pub(crate) fn new() -> Self {
        Self { lists: HashMap::new(), room: 0 }
    }

    /// The items of `key`.
    #[inline]
    pub(crate) fn get(&self, key: KeyIndex) -> &[T] {
        self.lists.get(&key).map_or(&[], Vec::as_slice)
    }

    /// The items of `key`, to be changed one by one.
    #[inline]
    pub(crate) fn get_mut(&mut self, key: KeyIndex) -> &mut [T] {
        self.lists.get_mut(&key).map_or(&mut [], Vec::as_mut_slice)
    }

    /// Whether `key` has any items.
    #[inline]
    pub(crate) fn has(&self, key: KeyIndex) -> bool {
        self.lists.contains_key(&key)
    }

    /// Adds `item` behind those that `key` has.
    pub(crate) fn push(&mut self, key: KeyIndex, item: T) {
        let list = self.lists.entry(key).or_default();
        self.room -= list.capacity();
        list.push(item);
        self.room += list.capacity();
    }

    /// Takes items of `key` out, if it has any. A key that is left without items is forgotten.
    pub(crate) fn take_from<R: Default>(&mut self, key: KeyIndex, take: impl FnOnce(&mut Vec<T>) -> R) -> R {
        let Some(list) = self.lists.get_mut(&key) else { return R::default() };
        self.room -= list.capacity();
        let taken = take(list);
        if list.is_empty() {
            self.lists.remove(&key);
        } else {
            self.room += list.capacity();
        }
        taken
    }

    /// All keys with their items, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (KeyIndex, &[T])> {
        self.lists.iter().map(|(key, list)| (*key, list.as_slice()))
    }

    /// Bytes of memory held, without what items hold themselves.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.lists.allocation_size() + self.room * size_of::<T>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_forgotten_with_its_last_item() {
        let mut lists = KeyedLists::new();
        (0..10).for_each(|item| lists.push(item % 3, item));
        assert_eq!((lists.get(1), lists.get(5)), (&[1, 4, 7][..], &[][..]));
        assert_eq!(lists.take_from(1, Vec::pop), Some(7));
        lists.take_from(1, Vec::clear);
        assert!(!lists.has(1) && lists.has(2));
        assert_eq!(lists.take_from(1, Vec::pop), None);
    }

    #[test]
    fn the_room_of_all_lists_is_known() {
        let mut lists = KeyedLists::new();
        for item in 0..1_000_u32 {
            lists.push(item.wrapping_mul(0x9E37_79B9) % 97, u64::from(item));
            if item % 7 == 0 {
                lists.take_from(item % 97, |list| list.drain(..list.len() / 2).count());
            }
            let room: usize = lists.lists.values().map(Vec::capacity).sum();
            assert_eq!(lists.memory_bytes(), lists.lists.allocation_size() + room * 8);
        }
    }
}
