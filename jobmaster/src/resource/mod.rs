//! Slots and the workers that offer them.
//!
//! A job declares how many slots it needs in total, again whenever that changes; it never asks for one slot. The
//! [`ResourceManager`] gives it free slots and, where workers can be started, starts as many as are missing:
//!
//! # Flow
//! 1. A JobMaster declares its need: [`ResourceManager::declare`].
//! 2. Free slots are requested for it: [`Action::RequestSlot`]. The worker offers the slot to the JobMaster and reports it.
//! 3. What is missing is made up by workers: [`Action::StartWorker`], or said: [`Action::NotEnough`].
//! 4. A worker registers and reports its slots: [`ResourceManager::register`]; step 2 again.
//! 5. A slot that its job gave back is free; a worker that has been all free for a while is stopped.
//!
//! # Guarantees
//! A slot is requested for one job at a time. Every message may be lost or come twice: needs are totals, and each report of
//! a worker says of all its slots what they are, so that the next one heals what was lost.
//!
//! # What can go wrong
//! A worker that never registers is given up after a while, and so is a request that no report confirms. Workers that fail
//! while starting are replaced at a bounded rate. The vocabulary and the times are those of Flink's ResourceManager.

mod manager;

pub use manager::{Action, ResourceManager, Settings, SlotReport, Workers};

use std::fmt;
use std::sync::Arc;

/// Names a worker, from before it is started to its end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(Arc<str>);

impl WorkerId {
    /// The worker of this name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names a slot's stay with a job, so that a message about an earlier stay is not taken for one about the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AllocationId {
    /// Of the ResourceManager that made it.
    pub epoch: u64,
    /// Counted by it.
    pub number: u64,
}
