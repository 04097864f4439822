//! What is to happen when a clock has advanced: timers, ordered, each at most once.
//!
//! A timer is a time and a payload (a key and a window, say). The same pair registered twice is one timer. A timer fires
//! when the clock *advances* to or past it; one that is registered for a time already past fires at the next advance, never
//! at once.

use std::collections::BTreeSet;

use crate::memory;

/// Timers with payload `T`, in one time domain.
#[derive(Debug, Clone)]
pub struct Timers<T: Ord> {
    pending: BTreeSet<(i64, T)>,
}

impl<T: Ord + Clone> Timers<T> {
    /// None yet.
    pub fn new() -> Self {
        Self { pending: BTreeSet::new() }
    }

    /// Fires `payload` when the clock advances to `time` or past it.
    pub fn register(&mut self, time: i64, payload: T) {
        self.pending.insert((time, payload));
    }

    /// Takes a timer back; one that is not there is no error.
    pub fn delete(&mut self, time: i64, payload: &T) {
        self.pending.remove(&(time, payload.clone()));
    }

    /// The earliest time that something waits for.
    pub fn next_time(&self) -> Option<i64> {
        self.pending.first().map(|(time, _)| *time)
    }

    /// Takes the earliest timer at or before `clock`, earliest first, ties in the order of payloads. Call until `None`
    /// whenever the clock has advanced.
    pub fn pop_due(&mut self, clock: i64) -> Option<(i64, T)> {
        match self.pending.first() {
            Some((time, _)) if *time <= clock => self.pending.pop_first(),
            Some(_) | None => None,
        }
    }

    /// All timers, earliest first: what a checkpoint keeps.
    pub fn iter(&self) -> impl Iterator<Item = (i64, &T)> {
        self.pending.iter().map(|(time, payload)| (*time, payload))
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Bytes of memory held, without what payloads hold themselves.
    pub fn memory_bytes(&self) -> usize {
        memory::tree::<(i64, T), ()>(self.pending.len())
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }
}

impl<T: Ord + Clone> Default for Timers<T> {
    fn default() -> Self {
        Self::new()
    }
}
