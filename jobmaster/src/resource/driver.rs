//! Where workers come from: the part of a ResourceManager that differs from one kind of cluster to the next.

use std::fmt::Debug;

use millstream_graph::WorkerId;
use tokio::sync::mpsc;

/// Starts and ends workers.
///
/// # Contract
/// Calls come from inside a tokio runtime and never block: what comes of them is told later, as a [`DriverEvent`].
/// [`Driver::begin`] is called once and first; no worker is started before [`DriverEvent::Found`] was told. Every worker that
/// was found, started or stopped is told of with one [`DriverEvent::Ended`], however it ends.
///
/// A driver that is dropped leaves its workers alone: they are for the jobmaster that takes this one's place, which finds
/// them again.
pub trait Driver: Send + Debug {
    /// Looks for the workers that an earlier jobmaster started and that still run. From now on `events` is told what becomes
    /// of workers. Nobody listens any more when it is closed.
    fn begin(&mut self, events: mpsc::Sender<DriverEvent>);

    /// Starts a worker of this name, which is a new one.
    fn start_worker(&mut self, worker: &WorkerId);

    /// Ends a worker. It was told to leave already, if it is connected. It may have ended, it may be ending because of an
    /// earlier call, and this driver may never have heard of it.
    fn stop_worker(&mut self, worker: &WorkerId);
}

/// What a driver tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DriverEvent {
    /// The workers of an earlier jobmaster that still run: they will register by themselves. Told once, before anything else.
    Found(Vec<WorkerId>),
    /// A worker's process has ended, or could not be started, or is not there.
    Ended {
        /// Which one.
        worker: WorkerId,
        /// How, in words.
        why: String,
    },
}

/// *standalone*: workers come and go by themselves, and only what has registered is handed out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Standalone;

impl Driver for Standalone {
    fn begin(&mut self, _: mpsc::Sender<DriverEvent>) {}

    fn start_worker(&mut self, worker: &WorkerId) {
        tracing::error!(%worker, "a standalone jobmaster was asked to start a worker; this is a bug in Millstream");
    }

    fn stop_worker(&mut self, worker: &WorkerId) {
        tracing::error!(%worker, "a standalone jobmaster was asked to end a worker; this is a bug in Millstream");
    }
}
