//! The enumerator of a source, and the splits that its readers were given.
//!
//! What is asked is answered in order, on a thread that may block: an enumerator may have to list a folder. The splits of a
//! try that is given up come back; what is asked for it before that is answered before. Nobody waits in vain: an enumerator
//! that panics is answered for, and a worker that does not take an answer loses its link.

use std::collections::HashMap;
use std::time::Duration;

use millstream_engine::error::Error;
use millstream_engine::io::source::{Split, SplitAnswer, SplitEnumerator};
use millstream_engine::operators::ProcessingTime;
use millstream_graph::AttemptId;
use millstream_protocol::message::{SplitRequest, ToWorker};
use tokio::sync::mpsc;

/// Requests that may wait. Each of at most 32,768 readers asks for one split at a time and comes back once.
const REQUESTS_MAX: usize = 65_536;
/// How long an answer may wait for room in a worker's link. One that is full for so long is silent for too long as well.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// The way to a source's enumerator.
#[derive(Debug)]
pub(super) struct SplitSource {
    requests: mpsc::Sender<Request>,
}

enum Request {
    Next(SplitRequest, mpsc::Sender<ToWorker>),
    GiveBack(AttemptId),
}

impl SplitSource {
    /// Asks `enumerator` from now on.
    pub(super) fn start(enumerator: Box<dyn SplitEnumerator>) -> Self {
        let (requests, arriving) = mpsc::channel(REQUESTS_MAX);
        tokio::spawn(answer_all(arriving, Splits { enumerator, given: HashMap::new() }));
        Self { requests }
    }

    /// A reader asks for a split; the answer goes to its worker. A request that finds no room is answered with an error.
    pub(super) fn next(&self, request: SplitRequest, worker: mpsc::Sender<ToWorker>) {
        if let Err(
            mpsc::error::TrySendError::Full(Request::Next(request, worker))
            | mpsc::error::TrySendError::Closed(Request::Next(request, worker)),
        ) = self.requests.try_send(Request::Next(request, worker))
        {
            let answer = Err("too many requests for splits wait".to_owned());
            // A worker that does not listen is lost, and its reader with it.
            let _ = worker.try_send(ToWorker::Split { request: request.request, answer });
        }
    }

    /// The splits of a try that is over are given out again.
    pub(super) fn give_back(&self, attempt: AttemptId) {
        if self.requests.try_send(Request::GiveBack(attempt)).is_err() {
            tracing::error!(%attempt, "splits of a try could not be given back: too many requests wait");
        }
    }
}

struct Splits {
    enumerator: Box<dyn SplitEnumerator>,
    given: HashMap<AttemptId, Vec<Split>>,
}

async fn answer_all(mut arriving: mpsc::Receiver<Request>, splits: Splits) {
    let mut splits = Ok(splits);
    while let Some(request) = arriving.recv().await {
        match request {
            Request::Next(request, worker) => {
                let answer;
                (splits, answer) = on_a_thread(splits, move |splits| splits.next(&request)).await;
                let answer = answer.and_then(|answer| answer.map_err(|error| error.to_string()));
                let message = ToWorker::Split { request: request.request, answer };
                if worker.send_timeout(message, ANSWER_WITHIN).await.is_err() {
                    // Its reader is lost with it, and the split comes back.
                    tracing::warn!(task = %request.task, "the worker does not take the answer to a request for a split");
                }
            }
            Request::GiveBack(attempt) => {
                let given_back = move |splits: &mut Splits| {
                    splits.enumerator.add_back(splits.given.remove(&attempt).unwrap_or_default());
                };
                (splits, _) = on_a_thread(splits, given_back).await;
            }
        }
    }
}

/// Does `work` where it may block. What panics once is not asked again.
async fn on_a_thread<T: Send + 'static>(
    splits: Result<Splits, String>,
    work: impl FnOnce(&mut Splits) -> T + Send + 'static,
) -> (Result<Splits, String>, Result<T, String>) {
    let mut splits = match splits {
        Ok(splits) => splits,
        Err(why) => return (Err(why.clone()), Err(why)),
    };
    let done = tokio::task::spawn_blocking(move || {
        let done = work(&mut splits);
        (splits, done)
    });
    match done.await {
        Ok((splits, done)) => (Ok(splits), Ok(done)),
        Err(error) => {
            let why = format!("the source's enumerator has ended: {error}");
            tracing::error!("{why}");
            (Err(why.clone()), Err(why))
        }
    }
}

impl Splits {
    fn next(&mut self, request: &SplitRequest) -> Result<SplitAnswer, Error> {
        let attempt = request.task.attempt;
        let now = ProcessingTime(request.now_ms);
        let answer = self.enumerator.next_split(attempt.of.subtask, request.parallelism, now)?;
        if let SplitAnswer::Assigned(split) = &answer {
            self.given.entry(attempt).or_default().push(split.clone());
        }
        Ok(answer)
    }
}
