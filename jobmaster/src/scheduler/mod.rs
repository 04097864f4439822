//! What a failure takes along, and when a job is tried again.

pub mod failover;
pub mod restart_backoff;
#[cfg(test)]
pub(crate) mod testing;

pub use failover::FailoverRegions;
pub use restart_backoff::{Restart, RestartBackoff};
