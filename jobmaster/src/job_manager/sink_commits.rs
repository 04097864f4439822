//! The committers of a job's sinks: what writers have finished becomes visible through them, one call at a time.

use std::collections::BTreeMap;
use std::time::Duration;

use millstream_engine::io::sink::{Committable, Committer};

use tokio::sync::{mpsc, oneshot};

use crate::job_store::record::{Publication, SinkPublication};

/// How often a commit that fails is made again.
const TRIES: u32 = 4;
/// The wait before the second try; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// Commits that may wait. A committer that falls so far behind fails its job.
const WAITING_MAX: usize = 4096;

/// The way to the committers of a job.
#[derive(Debug)]
pub(super) struct SinkCommits {
    commits: mpsc::Sender<Commit>,
}

/// What is to be made visible, and who wants to know that it was, or why not.
type Commit = (Publication, oneshot::Sender<Result<(), String>>);

impl SinkCommits {
    /// Commits through `committers`, which are given by the nodes of their sinks.
    pub(super) fn start(committers: Vec<(usize, Box<dyn Committer>)>) -> Self {
        let (commits, arriving) = mpsc::channel(WAITING_MAX);
        tokio::spawn(commit_all(arriving, committers.into_iter().collect()));
        Self { commits }
    }

    /// Makes visible what `publication` lists, after what was asked for before. May be repeated: what is visible stays so.
    pub(super) fn commit(&self, publication: Publication) -> oneshot::Receiver<Result<(), String>> {
        let (answer, answered) = oneshot::channel();
        if let Err(refused) = self.commits.try_send((publication, answer)) {
            let (mpsc::error::TrySendError::Full((_, answer)) | mpsc::error::TrySendError::Closed((_, answer))) =
                refused;
            // The receiver is about to be given out.
            let _ = answer.send(Err(format!("more than {WAITING_MAX} commits wait for a sink that is too slow")));
        }
        answered
    }
}

type Committers = BTreeMap<usize, Box<dyn Committer>>;

async fn commit_all(mut arriving: mpsc::Receiver<Commit>, mut committers: Committers) {
    while let Some((publication, answer)) = arriving.recv().await {
        let mut committed = Ok(());
        for sink in publication.sinks {
            if committed.is_ok() {
                (committers, committed) = commit_sink(committers, sink).await;
            }
        }
        // Who does not want to know any more does not have to.
        let _ = answer.send(committed);
    }
}

async fn commit_sink(mut committers: Committers, sink: SinkPublication) -> (Committers, Result<(), String>) {
    let mut wait = FIRST_WAIT;
    for tried in 1.. {
        let sink = sink.clone();
        let try_once = move || {
            let committed = commit_once(&mut committers, sink);
            (committers, committed)
        };
        let committed;
        match tokio::task::spawn_blocking(try_once).await {
            Ok(back) => (committers, committed) = back,
            Err(error) => return (Committers::new(), Err(format!("a committer ended: {error}"))),
        }
        match committed {
            Ok(()) => break,
            Err(why) if tried == TRIES => return (committers, Err(why)),
            Err(why) => tracing::warn!("a commit failed and is made again in {wait:?}: {why}"),
        }
        tokio::time::sleep(wait).await;
        wait *= 2;
    }
    (committers, Ok(()))
}

fn commit_once(committers: &mut Committers, sink: SinkPublication) -> Result<(), String> {
    let Some(committer) = committers.get_mut(&sink.node) else { return Ok(()) };
    let committables: Vec<_> = sink.committables.into_iter().map(Committable).collect();
    committer.commit(&committables).map_err(|error| error.to_string())
}
