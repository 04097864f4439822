//! Keeps workers that fail while starting from being replaced over and over.

use std::collections::VecDeque;

use super::Settings;

const MINUTE_MS: i64 = 60_000;

/// The failures of the last minute, and what follows from too many: no worker is started for a while, and then one at a time.
/// (Flink starts all that are missing after each such while.)
#[derive(Debug)]
pub(super) struct StartRate {
    /// No more than it takes to know that there were too many.
    failures: VecDeque<i64>,
    /// No worker is started before.
    paused_until: i64,
}

impl StartRate {
    pub(super) fn new() -> Self {
        Self { failures: VecDeque::new(), paused_until: i64::MIN }
    }

    /// A worker has failed to start.
    pub(super) fn failed(&mut self, settings: &Settings, now_ms: i64) {
        self.failures.push_back(now_ms);
        if self.failures.len() > settings.start_failures_per_minute.saturating_add(1) {
            self.failures.pop_front();
        }
        if self.is_exceeded(settings, now_ms) {
            self.paused_until = now_ms.saturating_add(settings.start_retry_ms);
        }
    }

    /// How many workers may be starting at a time.
    pub(super) fn most_at_once(&self, settings: &Settings, now_ms: i64) -> usize {
        if now_ms < self.paused_until {
            0
        } else if self.is_exceeded(settings, now_ms) {
            1
        } else {
            usize::MAX
        }
    }

    fn is_exceeded(&self, settings: &Settings, now_ms: i64) -> bool {
        let recent = self.failures.iter().filter(|at| now_ms.saturating_sub(**at) < MINUTE_MS);
        recent.count() > settings.start_failures_per_minute
    }

    #[cfg(test)]
    pub(super) fn failed_of_late(&self) -> usize {
        self.failures.len()
    }
}
