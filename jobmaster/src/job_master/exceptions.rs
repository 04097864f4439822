//! What has failed, for people to read.

use std::collections::VecDeque;

use crate::execution_graph::AttemptId;
use crate::resource::WorkerId;

/// A failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExceptionEntry {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// The try that failed; none if it was the job as a whole.
    pub task: Option<AttemptId>,
    /// Where it ran.
    pub worker: Option<WorkerId>,
    /// Why.
    pub why: String,
}

/// The last failures: `web.exception-history-size`, 16, of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExceptionHistory {
    entries: VecDeque<ExceptionEntry>,
    truncated: bool,
}

impl ExceptionHistory {
    const SIZE: usize = 16;

    /// Adds a failure; the oldest one goes if there are too many.
    pub fn add(&mut self, entry: ExceptionEntry) {
        if self.entries.len() == Self::SIZE {
            self.entries.pop_front();
            self.truncated = true;
        }
        self.entries.push_back(entry);
    }

    /// The failures, the oldest first.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &ExceptionEntry> {
        self.entries.iter()
    }

    /// Whether there were more.
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_failures_are_kept_and_that_there_were_more_is_said() {
        let mut history = ExceptionHistory::default();
        for at_ms in 0..20 {
            history.add(ExceptionEntry { at_ms, task: None, worker: None, why: "again".to_owned() });
            assert_eq!(history.is_truncated(), at_ms >= 16);
        }
        let times: Vec<i64> = history.entries().map(|entry| entry.at_ms).collect();
        assert_eq!(times, (4..20).collect::<Vec<_>>());
    }
}
