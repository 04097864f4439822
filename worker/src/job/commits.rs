//! Makes the results of sinks visible.
//!
//! Writers hand over what they have closed; it waits here until committing is safe: when a bounded job has ended, or at
//! once in a job without end, which has no checkpoints to wait for.

use std::sync::{Arc, Mutex, PoisonError};

use millstream_engine::error::{Error, Result};
use millstream_engine::io::sink::{CommitSender, Committable, Committer};
use millstream_graph::{JobGraph, NodeKind};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use crate::io::Io;

/// What waits to be committed, for all sinks of a job.
#[derive(Debug)]
pub(super) struct Commits {
    sinks: Vec<Arc<SinkCommits>>,
    at_once: bool,
    arrived: Arc<Notify>,
    failure: Arc<Mutex<Option<Error>>>,
    io: Handle,
}

/// What waits to be committed, for one sink.
struct SinkCommits {
    node: usize,
    waiting: Mutex<Vec<Committable>>,
    /// Taken while a commit runs. `None` in a sink that has nothing to commit.
    committer: Mutex<Option<Box<dyn Committer>>>,
    arrived: Arc<Notify>,
}

impl Commits {
    pub(super) fn of(graph: &JobGraph, at_once: bool, io: &Io) -> Result<Self> {
        let arrived = Arc::new(Notify::new());
        let mut sinks = Vec::new();
        for (node, of) in graph.program.nodes.iter().enumerate() {
            match &of.kind {
                NodeKind::Sink(sink) => sinks.push(Arc::new(SinkCommits {
                    node,
                    waiting: Mutex::new(Vec::new()),
                    committer: Mutex::new(sink.create_committer()?),
                    arrived: Arc::clone(&arrived),
                })),
                NodeKind::Source(_) | NodeKind::Operator(_) => {}
            }
        }
        Ok(Self { sinks, at_once, arrived, failure: Arc::default(), io: io.handle().clone() })
    }

    /// Where the writers of the sink at `node` hand over.
    pub(super) fn sender(&self, node: usize) -> Option<Arc<dyn CommitSender>> {
        let sink = self.sinks.iter().find(|sink| sink.node == node)?;
        Some(Arc::clone(sink) as Arc<dyn CommitSender>)
    }

    /// Commits what arrives, in a job that commits at once; ends only with an error.
    pub(super) async fn go_on(&self) -> Error {
        loop {
            self.arrived.notified().await;
            if self.at_once
                && let Err(error) = self.finish().await
            {
                return error;
            }
        }
    }

    /// Commits all that waits. The error is that of any commit so far: one that was begun goes on to its end even when
    /// nobody waits for it any more.
    pub(super) async fn finish(&self) -> Result<()> {
        for sink in &self.sinks {
            let (sink, failure) = (Arc::clone(sink), Arc::clone(&self.failure));
            let commit = move || {
                if let Err(error) = sink.commit() {
                    failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
            };
            if let Err(error) = self.io.spawn_blocking(commit).await {
                return Err(Error::internal(format!("a committer ended: {error}")));
            }
        }
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }
}

impl SinkCommits {
    fn commit(&self) -> Result<()> {
        let mut committer = self.committer.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        match committer.as_mut() {
            Some(committer) if !waiting.is_empty() => committer.commit(&waiting),
            Some(_) | None => Ok(()),
        }
    }
}

impl CommitSender for SinkCommits {
    fn send(&self, mut committables: Vec<Committable>) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).append(&mut committables);
        self.arrived.notify_one();
    }
}

impl std::fmt::Debug for SinkCommits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SinkCommits").field("node", &self.node).finish_non_exhaustive()
    }
}
