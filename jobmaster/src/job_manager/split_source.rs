//! The enumerator of a source, and the splits that its readers were given.
//!
//! What is asked is answered in order, on a thread that may block: an enumerator may have to list a folder. The splits of a
//! try that is given up come back; what is asked for it before that is answered before.

use std::collections::HashMap;

use millstream_engine::error::Error;
use millstream_engine::io::source::{Split, SplitAnswer, SplitEnumerator};
use millstream_engine::operators::ProcessingTime;
use millstream_graph::AttemptId;
use millstream_protocol::message::{SplitRequest, ToWorker};
use tokio::sync::mpsc;

/// Requests that may wait. Each reader asks for one split at a time.
const REQUESTS_MAX: usize = 65_536;

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

async fn answer_all(mut arriving: mpsc::Receiver<Request>, mut splits: Splits) {
    while let Some(request) = arriving.recv().await {
        let answered = tokio::task::spawn_blocking(move || {
            splits.handle(request);
            splits
        });
        match answered.await {
            Ok(back) => splits = back,
            Err(error) => return tracing::error!("an enumerator has ended: {error}"),
        }
    }
}

impl Splits {
    fn handle(&mut self, request: Request) {
        match request {
            Request::Next(request, worker) => {
                let answer = self.next(&request).map_err(|error| error.to_string());
                // A worker that does not listen is lost, and its reader with it: the split comes back when that is noticed.
                let _ = worker.try_send(ToWorker::Split { request: request.request, answer });
            }
            Request::GiveBack(attempt) => {
                self.enumerator.add_back(self.given.remove(&attempt).unwrap_or_default());
            }
        }
    }

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
