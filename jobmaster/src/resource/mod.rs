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
//! A worker that never registers is given up after a while, and so is a request that no report confirms. A worker whose
//! connection is lost is made up for at once; it may come back, and is ended if it does not. Workers that fail while starting
//! are replaced at a bounded rate. The vocabulary and the times are those of Flink's ResourceManager.
//!
//! # Kinds
//! What differs from one kind of cluster to the next is a [`driver::Driver`]: *standalone* workers come by themselves, those
//! of a [`process::ProcessDriver`] are processes on this machine. Every kind passes the same tests: `conformance`, behind the
//! feature `testing`.

#[cfg(feature = "testing")]
pub mod conformance;
pub mod driver;
mod manager;
pub mod process;
mod settings;
mod slots;
mod start_rate;

pub use manager::{Action, ResourceManager};
pub use settings::{Settings, Workers};
