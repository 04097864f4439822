//! The two ends between a jobmaster and a worker, wherever they are.

use tokio::sync::mpsc;

use crate::message::{FromWorker, ToWorker};

/// Messages that may wait in one direction. A peer that lets so many wait does not read any more.
pub const MESSAGES_MAX: usize = 4096;

/// One end: what it says goes to the other. The receiver ends when the other end is gone.
#[derive(Debug)]
pub struct Link<Says, Hears> {
    /// To the other end.
    pub sender: mpsc::Sender<Says>,
    /// From the other end.
    pub receiver: mpsc::Receiver<Hears>,
}

/// The worker's end.
pub type WorkerLink = Link<FromWorker, ToWorker>;
/// The jobmaster's end.
pub type MasterLink = Link<ToWorker, FromWorker>;

/// Both ends of a link inside one process.
pub fn pair() -> (WorkerLink, MasterLink) {
    let (to_master, from_worker) = mpsc::channel(MESSAGES_MAX);
    let (to_worker, from_master) = mpsc::channel(MESSAGES_MAX);
    (Link { sender: to_master, receiver: from_master }, Link { sender: to_worker, receiver: from_worker })
}
