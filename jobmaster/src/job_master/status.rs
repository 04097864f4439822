//! The states of a job.
//!
//! ```text
//!  Initializing ─► Created ─────────► Running ─► Finished
//!                    ▲  │               │
//!                    │  └► Restarting ◄─┘
//!                    └─────────┘
//!  from each of these:  Failing ─► Failed        Cancelling ─► Canceled
//!  and from Failing:    Cancelling
//! ```
//!
//! The words are Flink's (`JobStatus`), because tools and alerts look for them.

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JobStatus {
    /// It is planned and stored.
    Initializing,
    /// It waits for slots.
    Created,
    /// Its subtasks are being deployed or run.
    Running,
    /// Something failed for good, and what still runs is being ended.
    Failing,
    /// It has failed.
    Failed,
    /// What still runs is being ended because someone asked for it.
    Cancelling,
    /// It was ended because someone asked for it.
    Canceled,
    /// All input was worked on to its end.
    Finished,
    /// Something failed, and the job starts anew as soon as the restart strategy lets it.
    Restarting,
}

impl JobStatus {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Initializing,
        Self::Created,
        Self::Running,
        Self::Failing,
        Self::Failed,
        Self::Cancelling,
        Self::Canceled,
        Self::Finished,
        Self::Restarting,
    ];

    /// Flink's word, as REST shows it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Initializing => "INITIALIZING",
            Self::Created => "CREATED",
            Self::Running => "RUNNING",
            Self::Failing => "FAILING",
            Self::Failed => "FAILED",
            Self::Cancelling => "CANCELLING",
            Self::Canceled => "CANCELED",
            Self::Finished => "FINISHED",
            Self::Restarting => "RESTARTING",
        }
    }

    /// Whether the job is over.
    pub fn is_terminal(self) -> bool {
        self.next().is_empty()
    }

    /// The states that may follow.
    pub fn next(self) -> &'static [Self] {
        match self {
            Self::Initializing => &[Self::Created, Self::Failing, Self::Cancelling],
            // A region waits for slots while others run, and one of those may fail.
            Self::Created => &[Self::Running, Self::Restarting, Self::Failing, Self::Cancelling],
            Self::Running => &[Self::Finished, Self::Restarting, Self::Failing, Self::Cancelling],
            Self::Restarting => &[Self::Created, Self::Failing, Self::Cancelling],
            // As in Flink: who cancels a job that is failing sees it cancelled.
            Self::Failing => &[Self::Failed, Self::Cancelling],
            Self::Cancelling => &[Self::Canceled],
            Self::Failed | Self::Canceled | Self::Finished => &[],
        }
    }

    /// Whether `to` may follow.
    pub fn can_become(self, to: Self) -> bool {
        self.next().contains(&to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_leads_to_an_end_and_no_end_leads_on() {
        for start in JobStatus::ALL {
            let mut reached = vec![start];
            let mut at = 0;
            while let Some(state) = reached.get(at).copied() {
                for next in state.next() {
                    if !reached.contains(next) {
                        reached.push(*next);
                    }
                }
                at += 1;
            }
            assert!(reached.iter().any(|state| state.is_terminal()), "{start:?}");
            assert_eq!(start.is_terminal(), reached.len() == 1, "{start:?}");
        }
    }

    #[test]
    fn a_job_that_is_being_ended_does_not_start_again() {
        for ending in [JobStatus::Failing, JobStatus::Cancelling] {
            let ends = |next: &JobStatus| next.is_terminal() || *next == JobStatus::Cancelling;
            assert!(ending.next().iter().all(ends), "{ending:?}");
        }
    }

    #[test]
    fn everything_that_is_not_over_can_be_cancelled() {
        let left: Vec<JobStatus> = JobStatus::ALL
            .into_iter()
            .filter(|state| !state.is_terminal() && !state.can_become(JobStatus::Cancelling))
            .collect();
        assert_eq!(left, [JobStatus::Cancelling]);
    }
}
