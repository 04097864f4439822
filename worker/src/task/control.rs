//! What a source's task is told from outside, in the order in which it is told.
//!
//! The order matters: a split that was handed out before an enumerator's snapshot belongs to the checkpoint with the reader,
//! one handed out after it with the enumerator. So splits and barriers come by one queue.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use millstream_engine::element::Barrier;
use millstream_engine::error::Result;
use millstream_engine::io::source::SplitAnswer;

/// Barriers that may wait. There is one checkpoint at a time, so a task that has so many of them has made none for long: those
/// that follow are left out, and their checkpoints expire.
const BARRIERS_MAX: usize = 16;

/// One thing that a source is told.
#[derive(Debug)]
pub enum SourceCommand {
    /// The answer to its request for a split.
    Split(Result<SplitAnswer>),
    /// A checkpoint begins: the barrier follows what was read so far.
    Barrier(Barrier),
    /// The job is to stop: the source ends, and event time does not.
    Stop,
}

/// The way to a source's task.
#[derive(Debug, Default)]
pub struct SourceControl(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    commands: VecDeque<SourceCommand>,
    barriers: usize,
    waker: Option<Waker>,
}

impl SourceControl {
    fn lock(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the task `command`, after all that it was told before. It may not be made yet.
    pub fn tell(&self, command: SourceCommand) {
        let mut told = self.lock();
        if matches!(command, SourceCommand::Barrier(_)) {
            if told.barriers == BARRIERS_MAX {
                return;
            }
            told.barriers += 1;
        }
        told.commands.push_back(command);
        let waker = told.waker.take();
        drop(told);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// What the task was told next. `Pending` wakes the task when it is told something.
    pub(super) fn poll_told(&self, waker_cx: &Context<'_>) -> Poll<SourceCommand> {
        let mut told = self.lock();
        match told.commands.pop_front() {
            Some(command) => {
                told.barriers -= usize::from(matches!(command, SourceCommand::Barrier(_)));
                Poll::Ready(command)
            }
            None => {
                match &mut told.waker {
                    Some(waker) => waker.clone_from(waker_cx.waker()),
                    none => *none = Some(waker_cx.waker().clone()),
                }
                Poll::Pending
            }
        }
    }
}
