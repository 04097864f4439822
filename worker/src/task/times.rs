//! What a task does with its time: `busyTimeMsPerSecond` and its sisters are made of it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

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
///
/// Under a lock, since what was spent and since when it does what it does now are one figure: who read one before a change
/// and the other after it would count the time between twice, and see less the next time. A change is a turn of a task, which
/// takes far longer than the lock.
#[derive(Debug)]
pub struct TaskTimes(Mutex<Times>);

#[derive(Debug)]
struct Times {
    /// Of each [`Doing`], up to `since`.
    spent: [Duration; 3],
    doing: Doing,
    /// Since when it does that.
    since: Instant,
}

impl Default for TaskTimes {
    fn default() -> Self {
        let spent = [Duration::ZERO; 3];
        Self(Mutex::new(Times { spent, doing: Doing::WaitForInput, since: Instant::now() }))
    }
}

impl TaskTimes {
    /// From now on it does `doing`.
    pub fn turn_to(&self, doing: Doing) {
        let mut times = self.lock();
        let now = Instant::now();
        let (did, passed) = (times.doing, now.saturating_duration_since(times.since));
        times.spent[did as usize] += passed;
        (times.doing, times.since) = (doing, now);
    }

    /// Milliseconds in which it did `doing`, up to now. Never less than it was before.
    pub fn spent_ms(&self, doing: Doing) -> u64 {
        let times = self.lock();
        let current = if times.doing == doing { times.since.elapsed() } else { Duration::ZERO };
        u64::try_from((times.spent[doing as usize] + current).as_millis()).unwrap_or(u64::MAX)
    }

    /// A panic while the lock was held has failed its task; the figures are whole between any two statements.
    fn lock(&self) -> MutexGuard<'_, Times> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_spent_never_becomes_less() {
        let times = TaskTimes::default();
        let until = Instant::now() + Duration::from_millis(100);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while Instant::now() < until {
                    [Doing::Work, Doing::WaitForInput].into_iter().for_each(|doing| times.turn_to(doing));
                }
            });
            let mut most = 0;
            while Instant::now() < until {
                let spent = times.spent_ms(Doing::WaitForInput);
                assert!(spent >= most, "{spent} ms after {most} ms");
                most = spent;
            }
        });
    }
}
