//! One try at running a subtask.

use std::fmt;

/// The states of a try.
///
/// ```text
///  Created ─► Scheduled ─► Deploying ─► Initializing ─► Running ─► Finished
///     │           │            │             │             │
///     ├───────────┴────────────┴─────────────┴─────────────┤
///     ▼                                                     ▼
///  Canceling ─► Canceled                                  Failed
/// ```
///
/// The words are Flink's (`ExecutionState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AttemptState {
    /// It waits for its slot, or for others of its job.
    Created,
    /// It has its slot and is about to be deployed.
    Scheduled,
    /// The worker was told to start it.
    Deploying,
    /// The worker makes its operators and restores their state.
    Initializing,
    /// It takes rows.
    Running,
    /// Its input ended and all of it was worked on.
    Finished,
    /// The worker was told to end it.
    Canceling,
    /// It was ended.
    Canceled,
    /// It failed, or its worker was lost.
    Failed,
}

impl AttemptState {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Created,
        Self::Scheduled,
        Self::Deploying,
        Self::Initializing,
        Self::Running,
        Self::Finished,
        Self::Canceling,
        Self::Canceled,
        Self::Failed,
    ];

    /// Flink's word, as REST shows it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Scheduled => "SCHEDULED",
            Self::Deploying => "DEPLOYING",
            Self::Initializing => "INITIALIZING",
            Self::Running => "RUNNING",
            Self::Finished => "FINISHED",
            Self::Canceling => "CANCELING",
            Self::Canceled => "CANCELED",
            Self::Failed => "FAILED",
        }
    }

    /// Whether it is over.
    pub fn is_terminal(self) -> bool {
        self.next().is_empty()
    }

    /// The states that may follow.
    pub fn next(self) -> &'static [Self] {
        match self {
            // What no worker knows of needs no worker's word to be over.
            Self::Created => &[Self::Scheduled, Self::Canceled, Self::Failed],
            Self::Scheduled => &[Self::Deploying, Self::Canceled, Self::Failed],
            Self::Deploying => &[Self::Initializing, Self::Canceling, Self::Failed],
            Self::Initializing => &[Self::Running, Self::Canceling, Self::Failed],
            Self::Running => &[Self::Finished, Self::Canceling, Self::Failed],
            // It may end by itself before it hears that it should.
            Self::Canceling => &[Self::Canceled, Self::Finished, Self::Failed],
            Self::Finished | Self::Canceled | Self::Failed => &[],
        }
    }

    /// Whether `to` may follow.
    pub fn can_become(self, to: Self) -> bool {
        self.next().contains(&to)
    }
}

/// A try: its number, its state, and when it came into each state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// From 0, for each subtask.
    pub number: u32,
    state: AttemptState,
    /// The state's place in [`AttemptState::ALL`] → when it was entered, in milliseconds since 1970.
    entered: [Option<i64>; AttemptState::ALL.len()],
    /// Why it failed.
    pub failure: Option<String>,
}

impl Attempt {
    pub(super) fn new(number: u32, now_ms: i64) -> Self {
        let mut attempt = Self { number, state: AttemptState::Created, entered: Default::default(), failure: None };
        attempt.note(now_ms);
        attempt
    }

    /// Where it stands.
    pub fn state(&self) -> AttemptState {
        self.state
    }

    /// When it came into `state`, in milliseconds since 1970; `None` if it never did.
    pub fn entered(&self, state: AttemptState) -> Option<i64> {
        self.entered[state as usize]
    }

    pub(super) fn become_(&mut self, to: AttemptState, now_ms: i64) -> bool {
        let allowed = self.state.can_become(to);
        if allowed {
            self.state = to;
            self.note(now_ms);
        }
        allowed
    }

    fn note(&mut self, now_ms: i64) {
        self.entered[self.state as usize] = Some(now_ms);
    }
}

impl fmt::Display for AttemptState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_the_list_is_that_of_the_states() {
        for (place, state) in AttemptState::ALL.into_iter().enumerate() {
            assert_eq!(state as usize, place);
        }
    }

    #[test]
    fn every_state_that_is_not_over_can_fail_and_can_be_ended() {
        for state in AttemptState::ALL.into_iter().filter(|state| !state.is_terminal()) {
            assert!(state.can_become(AttemptState::Failed), "{state}");
            let ended = [AttemptState::Canceling, AttemptState::Canceled];
            assert!(ended.into_iter().any(|to| state.can_become(to)), "{state}");
        }
    }

    #[test]
    fn a_try_remembers_when_it_came_into_each_state() {
        let mut attempt = Attempt::new(2, 10);
        assert!(attempt.become_(AttemptState::Scheduled, 20));
        assert!(!attempt.become_(AttemptState::Running, 30), "nothing runs before it was deployed");
        assert!(attempt.become_(AttemptState::Canceled, 40));
        assert!(!attempt.become_(AttemptState::Failed, 50), "what is over stays so");
        let entered = AttemptState::ALL.map(|state| attempt.entered(state));
        assert_eq!(entered.into_iter().flatten().collect::<Vec<_>>(), [10, 20, 40]);
    }
}
