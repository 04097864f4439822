//! Asks the JobMaster for splits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use millstream_engine::error::{Error, Result};
use millstream_engine::io::source::SplitAnswer;
use millstream_engine::operators::ProcessingTime;
use millstream_protocol::message::{FromWorker, SplitRequest, TaskId};
use tokio::sync::mpsc;

use crate::task::{Asking, SourceCommand, SourceControl, SplitRequests};

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
    by_number: HashMap<u64, Weak<SourceControl>>,
}

impl OpenRequests {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, answer_to: &Arc<SourceControl>) -> u64 {
        let mut waiting = self.lock();
        waiting.made += 1;
        let number = waiting.made;
        waiting.by_number.retain(|_, task| task.strong_count() > 0);
        waiting.by_number.insert(number, Arc::downgrade(answer_to));
        number
    }

    /// Takes the JobMaster's answer. A reader that is gone needs none.
    pub(super) fn answer(&self, request: u64, answer: Answer) {
        let waiting = self.lock().by_number.remove(&request);
        if let Some(task) = waiting.and_then(|task| task.upgrade()) {
            let answer = answer.map_err(|why| Error::io(FINDING, std::io::Error::other(why)));
            task.tell(SourceCommand::Split(answer));
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
    fn request(&self, now: ProcessingTime, answer_to: &Arc<SourceControl>) -> Asking {
        let request = self.open.begin(answer_to);
        let (task, node, parallelism) = (self.task, self.node, self.parallelism);
        let message = FromWorker::RequestSplit(SplitRequest { task, node, request, parallelism, now_ms: now.0 });
        let master = self.master.clone();
        Box::pin(async move {
            let gone = || Error::io("asking the JobMaster for a split", std::io::ErrorKind::ConnectionReset.into());
            master.send(message).await.map_err(|_| gone())
        })
    }
}
