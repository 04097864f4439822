//! What has failed, for people to read.

use std::collections::VecDeque;

use millstream_graph::{AttemptId, WorkerId};

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
    /// It only followed from another failure, which may not have been heard of yet.
    pub follows: bool,
}

/// The last failures: `web.exception-history-size`, 16, of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExceptionHistory {
    entries: VecDeque<ExceptionEntry>,
    truncated: bool,
    gave_up: Option<String>,
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

    /// Puts the cause of the last failure in its place, if that only followed from another. Says whether it did.
    pub fn explain(&mut self, cause: ExceptionEntry) -> bool {
        match self.entries.back_mut() {
            Some(last) if last.follows && !cause.follows => {
                *last = cause;
                true
            }
            Some(_) | None => false,
        }
    }

    /// The job is not tried again, for this reason.
    pub fn gave_up(&mut self, reason: String) {
        self.gave_up = Some(reason);
    }

    /// Why the job was not tried again.
    pub fn gave_up_because(&self) -> Option<&str> {
        self.gave_up.as_deref()
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
            history.add(ExceptionEntry { at_ms, task: None, worker: None, why: "again".to_owned(), follows: false });
            assert_eq!(history.is_truncated(), at_ms >= 16);
        }
        let times: Vec<i64> = history.entries().map(|entry| entry.at_ms).collect();
        assert_eq!(times, (4..20).collect::<Vec<_>>());
    }

    #[test]
    fn a_cause_takes_the_place_of_what_followed_from_it() {
        let entry =
            |why: &str, follows| ExceptionEntry { at_ms: 0, task: None, worker: None, why: why.to_owned(), follows };
        let mut history = ExceptionHistory::default();
        history.add(entry("a task that it reads from is gone", true));
        assert!(!history.explain(entry("another that followed", true)));
        assert!(history.explain(entry("division by zero", false)));
        assert!(!history.explain(entry("something else", false)), "there is a cause already");
        assert_eq!(history.entries().map(|entry| entry.why.as_str()).collect::<Vec<_>>(), ["division by zero"]);
    }
}
