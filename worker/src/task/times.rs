//! What a task does with its time: `busyTimeMsPerSecond` and its sisters are made of it.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Instant;

/// What a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Doing {
    /// It works, or would if it were its turn: as for a thread that waits for a processor.
    Work,
    /// It waits for room in its outputs or its sink.
    WaitForRoom,
    /// It waits for something to read, or for a time to come.
    WaitForInput,
}

/// Written by the slot's thread at each change, read by whoever shows it.
#[derive(Debug)]
pub struct TaskTimes {
    began: Instant,
    /// Nanoseconds of each [`Doing`], up to `since`.
    spent: [AtomicU64; 3],
    doing: AtomicU8,
    /// Since when it does that, in nanoseconds after `began`.
    since: AtomicU64,
}

impl Default for TaskTimes {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            spent: Default::default(),
            doing: AtomicU8::new(Doing::WaitForInput as u8),
            since: AtomicU64::new(0),
        }
    }
}

impl TaskTimes {
    /// From now on it does `doing`.
    pub fn turn_to(&self, doing: Doing) {
        let now = self.now();
        let passed = now.saturating_sub(self.since.load(Ordering::Relaxed));
        self.spent[usize::from(self.doing.load(Ordering::Relaxed))].fetch_add(passed, Ordering::Relaxed);
        self.doing.store(doing as u8, Ordering::Relaxed);
        self.since.store(now, Ordering::Relaxed);
    }

    /// Milliseconds in which it did `doing`, up to now.
    pub fn spent_ms(&self, doing: Doing) -> u64 {
        let mut spent = self.spent[doing as usize].load(Ordering::Relaxed);
        if self.doing.load(Ordering::Relaxed) == doing as u8 {
            spent += self.now().saturating_sub(self.since.load(Ordering::Relaxed));
        }
        spent / 1_000_000
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
