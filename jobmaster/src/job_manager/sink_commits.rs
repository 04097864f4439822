//! The committers of a job's sinks: what writers have finished becomes visible through them, one call at a time.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use millstream_engine::error::{Error, Recovery};
use millstream_engine::io::sink::{Committable, Committer};
use tokio::sync::{mpsc, oneshot, watch};

use super::recorder::NotLeading;
use super::submission;
use crate::job_store::record::{Publication, SinkPublication};

/// How often a commit that fails is made, unless it was recorded: then as often as it takes.
const TRIES: u32 = 4;
/// The wait before the second try; it doubles up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Commits that may wait. A committer that falls so far behind fails its job.
const WAITING_MAX: usize = 4096;

/// The way to the committers of a job.
#[derive(Debug)]
pub(super) struct SinkCommits {
    commits: mpsc::Sender<Commit>,
    trouble: watch::Receiver<Option<String>>,
}

/// Why something becomes visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Because {
    /// It is finished, and the job has no end to wait for.
    Finished,
    /// It is recorded that it does, so it is tried until it has.
    Recorded,
    /// An earlier jobmaster has recorded it, and may have done it.
    RecordedBefore,
}

/// Why something is not visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotCommitted {
    /// It is for another jobmaster to say.
    NotLeading,
    /// It cannot be made so, in words.
    Failed(String),
}

/// Answers when something may be made visible.
pub(super) type Allowed = Pin<Box<dyn Future<Output = Result<(), NotLeading>> + Send>>;

struct Commit {
    publication: Publication,
    because: Because,
    /// Says when it may be made.
    allowed: Allowed,
    /// Who wants to know that it was made, or why not.
    answer: oneshot::Sender<Result<(), NotCommitted>>,
}

impl SinkCommits {
    /// Commits through `committers`, which are given by the operator ids of their sinks.
    pub(super) fn start(committers: submission::Committers) -> Self {
        let (commits, arriving) = mpsc::channel(WAITING_MAX);
        let (says, trouble) = watch::channel(None);
        tokio::spawn(commit_all(arriving, committers.into_iter().collect(), says));
        Self { commits, trouble }
    }

    /// Makes visible what `publication` lists, after what was asked for before, once `allowed` says so. May be repeated: what is
    /// visible stays so. Once one has failed all that follow do: their rows would be seen without those before.
    pub(super) fn commit(
        &self,
        publication: Publication,
        because: Because,
        allowed: Allowed,
    ) -> impl Future<Output = Result<(), NotCommitted>> + Send + use<> {
        let (answer, answered) = oneshot::channel();
        let sent = self.commits.try_send(Commit { publication, because, allowed, answer });
        let sent = sent.map_err(|_| format!("more than {WAITING_MAX} commits wait for a sink that is too slow"));
        async move {
            sent.map_err(NotCommitted::Failed)?;
            let ended = |_| NotCommitted::Failed("the committers have ended".to_owned());
            answered.await.map_err(ended)?
        }
    }

    /// Why a commit that is tried again has failed so far.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.borrow().clone()
    }
}

type Committers = BTreeMap<String, Box<dyn Committer>>;

async fn commit_all(
    mut arriving: mpsc::Receiver<Commit>,
    mut committers: Committers,
    trouble: watch::Sender<Option<String>>,
) {
    let mut result = Ok(());
    while let Some(Commit { publication, because, allowed, answer }) = arriving.recv().await {
        if result.is_ok() && allowed.await == Err(NotLeading) {
            result = Err(NotCommitted::NotLeading);
        }
        for sink in publication.sinks {
            if result.is_ok() {
                let committed;
                (committers, committed) = commit_sink(committers, sink, because, &trouble).await;
                result = committed.map_err(NotCommitted::Failed);
            }
        }
        trouble.send_replace(None);
        // Who does not want to know any more does not have to.
        let _ = answer.send(result.clone());
    }
}

async fn commit_sink(
    mut committers: Committers,
    sink: SinkPublication,
    because: Because,
    trouble: &watch::Sender<Option<String>>,
) -> (Committers, Result<(), String>) {
    let mut wait = FIRST_WAIT;
    for tried in 1.. {
        let sink = sink.clone();
        let try_once = move || {
            let committed = commit_once(&mut committers, sink, because == Because::RecordedBefore);
            (committers, committed)
        };
        let committed;
        match tokio::task::spawn_blocking(try_once).await {
            Ok(back) => (committers, committed) = back,
            Err(error) => return (Committers::new(), Err(format!("a committer ended: {error}"))),
        }
        let Err(error) = committed else { break };
        let again = match (error.recovery(), because) {
            (Recovery::FailJob, _) => false,
            (Recovery::RestartTask | Recovery::RetryOperation, Because::Finished) => tried < TRIES,
            (Recovery::RestartTask | Recovery::RetryOperation, Because::Recorded | Because::RecordedBefore) => true,
        };
        if !again {
            return (committers, Err(error.to_string()));
        }
        tracing::warn!("a commit failed and is made again in {wait:?}: {error}");
        trouble.send_replace(Some(error.to_string()));
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
    (committers, Ok(()))
}

fn commit_once(committers: &mut Committers, sink: SinkPublication, again: bool) -> Result<(), Error> {
    let Some(committer) = committers.get_mut(&sink.sink) else {
        return Err(Error::Invalid(format!("the program has no sink with the operator id {} that commits", sink.sink)));
    };
    let committables: Vec<_> = sink.committables.into_iter().map(Committable).collect();
    committer.commit(&committables, again)
}
