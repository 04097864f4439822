//! What the sinks of a task have finished, until it is handed to the JobMaster.

use std::sync::{Arc, Mutex, PoisonError};

use millstream_engine::io::sink::{CommitSender, Committable};
use tokio::sync::Notify;

/// What one task's sinks have finished, by node.
#[derive(Debug)]
pub(super) struct TaskCommits {
    waiting: Mutex<Vec<(usize, Vec<Committable>)>>,
    arrived: Arc<Notify>,
}

impl TaskCommits {
    /// Says so by `arrived` when something is there.
    pub(super) fn new(arrived: Arc<Notify>) -> Arc<Self> {
        Arc::new(Self { waiting: Mutex::default(), arrived })
    }

    /// Where the writer of the sink at `node` hands over.
    pub(super) fn sender(self: &Arc<Self>, node: usize) -> Arc<dyn CommitSender> {
        Arc::new(NodeCommits { node, task: Arc::clone(self) })
    }

    /// All that is there, in order.
    pub(super) fn take(&self) -> Vec<(usize, Vec<Committable>)> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Debug)]
struct NodeCommits {
    node: usize,
    task: Arc<TaskCommits>,
}

impl CommitSender for NodeCommits {
    fn send(&self, committables: Vec<Committable>) {
        if committables.is_empty() {
            return;
        }
        self.task.waiting.lock().unwrap_or_else(PoisonError::into_inner).push((self.node, committables));
        self.task.arrived.notify_one();
    }
}
