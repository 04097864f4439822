//! Asks the JobMaster for splits.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millstream_engine::error::{Error, Result};
use millstream_engine::io::source::SplitAnswer;
use millstream_engine::operators::ProcessingTime;
use millstream_protocol::message::{FromWorker, SplitRequest, TaskId};
use tokio::sync::{mpsc, oneshot};

use crate::task::SplitRequests;

/// What the JobMaster's enumerator does. It looks at outside systems, so that it may work the next time; what never will was
/// found when the job was submitted.
const FINDING: &str = "finding what the source is to read";

type Answer = Result<SplitAnswer, String>;

/// Requests that wait for an answer, of all readers of a worker.
#[derive(Debug, Clone, Default)]
pub(super) struct OpenRequests(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    made: u64,
    by_number: HashMap<u64, oneshot::Sender<Answer>>,
}

impl OpenRequests {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) -> (u64, oneshot::Receiver<Answer>) {
        let (answer, answered) = oneshot::channel();
        let mut waiting = self.lock();
        waiting.made += 1;
        let number = waiting.made;
        waiting.by_number.retain(|_, answer| !answer.is_closed());
        waiting.by_number.insert(number, answer);
        (number, answered)
    }

    /// Takes the JobMaster's answer. A reader that is gone needs none.
    pub(super) fn answer(&self, request: u64, answer: Answer) {
        if let Some(waiting) = self.lock().by_number.remove(&request) {
            let _ = waiting.send(answer);
        }
    }
}

/// The requests of one reader.
#[derive(Debug)]
pub(super) struct RemoteRequests {
    pub(super) open: OpenRequests,
    pub(super) master: mpsc::Sender<FromWorker>,
    pub(super) task: TaskId,
    pub(super) node: usize,
    pub(super) parallelism: u32,
}

impl SplitRequests for RemoteRequests {
    fn request(&self, now: ProcessingTime) -> Pin<Box<dyn Future<Output = Result<SplitAnswer>> + Send>> {
        let (request, answered) = self.open.begin();
        let (task, node, parallelism) = (self.task, self.node, self.parallelism);
        let message = FromWorker::RequestSplit(SplitRequest { task, node, request, parallelism, now_ms: now.0 });
        let master = self.master.clone();
        Box::pin(async move {
            let gone = || Error::io("asking the JobMaster for a split", std::io::ErrorKind::ConnectionReset.into());
            master.send(message).await.map_err(|_| gone())?;
            match answered.await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(why)) => Err(Error::io(FINDING, std::io::Error::other(why))),
                Err(_) => Err(gone()),
            }
        })
    }
}
