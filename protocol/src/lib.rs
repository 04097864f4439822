//! What a jobmaster and its workers say to each other.
//!
//! [`message`] has the messages. They travel on a [`Link`]: inside one process a pair of channels ([`link::pair`]), between
//! processes one gRPC stream for each worker ([`connect`], [`serve`]). Both ends see the same types either way, and the
//! generated ones do not leave this crate.
//!
//! | who | says | when |
//! |---|---|---|
//! | worker | [`FromWorker::Register`] | first; the answer is [`ToWorker::Registered`] or [`ToWorker::Refused`] |
//! | both | heartbeats | at the interval of the answer; a worker's carry its slots, which heals what was lost, and what its tasks count |
//! | ResourceManager | [`ToWorker::RequestSlot`] | a slot is to be given to a job |
//! | worker | [`FromWorker::OfferSlot`] | the answer, to the job's JobMaster |
//! | JobMaster | [`ToWorker::Deploy`], [`ToWorker::Cancel`], [`ToWorker::StopSources`] | tasks are to start or to end |
//! | worker | [`FromWorker::Task`] | a task came into a state |
//! | worker | [`FromWorker::RequestSplit`] | a reader has nothing to read; the answer is [`ToWorker::Split`] |
//! | worker | [`FromWorker::Committables`] | a sink has written something that may be made visible |
//! | JobMaster | [`ToWorker::FreeSlot`] | the job needs a slot no longer |
//! | ResourceManager | [`ToWorker::Leave`] | the worker is not needed any more |

pub mod link;
pub mod message;
mod rpc;

pub use link::Link;
pub use message::{FromWorker, ToWorker};
pub use rpc::{ConnectError, connect, serve};
