//! What every kind of ResourceManager has to do: the same tests for each.
//!
//! A test runs a whole jobmaster with a kind's [`Driver`] and real links to workers that are processes
//! but run nothing ([`fake_worker`]): what is tested is how workers come and go. A kind is tested by implementing [`Kind`] and
//! running all [`cases`] that are for it.
//!
//! Behind the feature `testing`; no part of a running jobmaster.

mod cases;
mod cluster;
pub mod fake_worker;
mod serving;
mod watched;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use millstream_protocol::message::Registration;

use super::driver::Driver;
use fake_worker::WorkerProgram;

/// A kind of cluster. Each case gets one of its own.
pub trait Kind: Send + Sync {
    /// How workers come.
    fn supply(&self) -> Supply;

    /// A driver. What it starts is to be `worker`, a [`fake_worker`]. A second call is for the jobmaster that takes the place of
    /// the first.
    fn driver(&self, worker: &WorkerProgram) -> Box<dyn Driver>;

    /// Starts a worker of this name without the driver.
    fn start_by_hand(&self, worker: &WorkerProgram, name: &str);

    /// Ends a worker's process, at once and without a word.
    fn kill(&self, worker: &Registration);

    /// Makes a worker's process hang.
    fn freeze(&self, worker: &Registration);

    /// Whether a worker's process has not ended.
    fn runs(&self, worker: &Registration) -> bool;
}

/// How workers come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Supply {
    /// By themselves.
    ByThemselves,
    /// They are started when slots are short.
    OnDemand,
}

/// A test. It panics if a kind does not do what it should.
#[derive(Clone, Copy)]
pub struct Case {
    /// What it protects.
    pub name: &'static str,
    /// Whom it is for; `None` if for all.
    pub only: Option<Supply>,
    run: fn(Arc<dyn Kind>) -> Running,
}

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Case {
    /// Runs it.
    pub async fn run(self, kind: Arc<dyn Kind>) {
        (self.run)(kind).await;
    }
}

/// All of them.
pub fn cases() -> Vec<Case> {
    cases::all()
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case").field("name", &self.name).field("only", &self.only).finish_non_exhaustive()
    }
}
