//! A driver that is watched by the test.

use std::sync::{Arc, Mutex, PoisonError};

use millstream_graph::WorkerId;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::resource::driver::{Driver, DriverEvent};

/// What a driver was told to do, and what it has told.
#[derive(Debug, Clone, Default)]
pub(super) struct Watched {
    started: Arc<Mutex<Vec<(WorkerId, Instant)>>>,
    ended: Arc<Mutex<Vec<(WorkerId, String)>>>,
}

impl Watched {
    /// The workers that the driver was told to start, and when.
    pub(super) fn started(&self) -> Vec<(WorkerId, Instant)> {
        self.started.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the driver has told that a worker's process has ended.
    pub(super) fn has_ended(&self, worker: &WorkerId) -> bool {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.iter().any(|(name, _)| name == worker)
    }
}

/// A driver that is watched.
#[derive(Debug)]
pub(super) struct WatchedDriver {
    pub(super) driver: Box<dyn Driver>,
    pub(super) watched: Watched,
}

impl Driver for WatchedDriver {
    fn begin(&mut self, events: mpsc::Sender<DriverEvent>) {
        let (told, mut telling) = mpsc::channel(1);
        let ended = Arc::clone(&self.watched.ended);
        tokio::spawn(async move {
            while let Some(event) = telling.recv().await {
                if let DriverEvent::Ended { worker, why } = &event {
                    ended.lock().unwrap_or_else(PoisonError::into_inner).push((worker.clone(), why.clone()));
                }
                if events.send(event).await.is_err() {
                    return;
                }
            }
        });
        self.driver.begin(told);
    }

    fn start_worker(&mut self, worker: &WorkerId) {
        self.watched.started.lock().unwrap_or_else(PoisonError::into_inner).push((worker.clone(), Instant::now()));
        self.driver.start_worker(worker);
    }

    fn stop_worker(&mut self, worker: &WorkerId) {
        self.driver.stop_worker(worker);
    }
}
