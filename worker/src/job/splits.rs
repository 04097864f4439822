//! Hands out the splits of a source from its one enumerator, which lives in this process.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use millstream_engine::error::{Error, Result};
use millstream_engine::io::source::{SplitAnswer, SplitEnumerator};
use millstream_engine::operators::ProcessingTime;
use tokio::runtime::Handle;

use crate::task::SplitRequests;

/// The enumerator of a source, shared by the requests of all its readers.
#[derive(Clone)]
pub(super) struct Enumerator {
    enumerator: Arc<Mutex<Box<dyn SplitEnumerator>>>,
    io: Handle,
}

impl Enumerator {
    pub(super) fn new(enumerator: Box<dyn SplitEnumerator>, io: Handle) -> Self {
        Self { enumerator: Arc::new(Mutex::new(enumerator)), io }
    }

    /// The requests of one reader.
    pub(super) fn requests(&self, subtask: u32, parallelism: u32) -> Box<dyn SplitRequests> {
        Box::new(LocalRequests { enumerator: self.clone(), subtask, parallelism })
    }
}

#[derive(Debug)]
struct LocalRequests {
    enumerator: Enumerator,
    subtask: u32,
    parallelism: u32,
}

impl SplitRequests for LocalRequests {
    /// Asks on a thread that may block: an enumerator may have to list a folder.
    fn request(&self, now: ProcessingTime) -> Pin<Box<dyn Future<Output = Result<SplitAnswer>> + Send>> {
        let (subtask, parallelism) = (self.subtask, self.parallelism);
        let enumerator = Arc::clone(&self.enumerator.enumerator);
        let asked = self.enumerator.io.spawn_blocking(move || {
            let mut enumerator = enumerator.lock().unwrap_or_else(PoisonError::into_inner);
            enumerator.next_split(subtask, parallelism, now)
        });
        Box::pin(async move {
            match asked.await {
                Ok(answer) => answer,
                Err(error) => Err(Error::internal(format!("an enumerator did not answer: {error}"))),
            }
        })
    }
}

impl std::fmt::Debug for Enumerator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Enumerator").finish_non_exhaustive()
    }
}
