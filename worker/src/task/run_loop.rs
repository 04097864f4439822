//! The loop of a task: one `poll`, everything that can wake it on one screen.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use millstream_engine::batch::EventBatch;
use millstream_engine::error::Error;
use millstream_engine::operators::chain::{ChainOutput, ChainState, OperatorChain};
use millstream_engine::operators::{PortId, ProcessingTime};
use millstream_engine::state::OperatorState;

use super::cut::{InputCut, SnapshotSink, TaskSnapshot};
use super::input::{InputElement, TaskInput};
use super::times::Doing;
use crate::clock::Clock;
use crate::exchange::Outputs;
use crate::memory::TaskMemory;

/// Elements after which a task lets the slot's other tasks run, so that what it has sent is worked on while it is in the
/// cache.
const ELEMENTS_PER_TURN: usize = 4;

/// One subtask of a chain.
#[derive(Debug)]
pub struct Task {
    input: TaskInput,
    chain: OperatorChain,
    outputs: Outputs,
    clock: Arc<dyn Clock>,
    timer: Timer,
    doing: Doing,
    /// Since when there is no room for more.
    held_since: Option<ProcessingTime>,
    /// What the source could not decode, until there is room for it.
    letters: Option<EventBatch>,
    memory: Option<TaskMemory>,
    snapshots: Option<Arc<dyn SnapshotSink>>,
}

/// How a task ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Whether an operator still waited for the wall clock: its windows had not ended when the input did, and give no
    /// result.
    pub waits_for_clock: bool,
}

/// Why a task ended otherwise.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// It failed.
    #[error(transparent)]
    Failed(#[from] Error),
    /// A task that it reads from has ended otherwise; that one says why.
    #[error("a task that it reads from is gone")]
    InputLost,
}

impl Task {
    /// A task that has done nothing yet.
    pub fn new(input: TaskInput, chain: OperatorChain, outputs: Outputs, clock: Arc<dyn Clock>) -> Self {
        Self {
            input,
            chain,
            outputs,
            clock,
            timer: Timer::default(),
            doing: Doing::Work,
            held_since: None,
            letters: None,
            memory: None,
            snapshots: None,
        }
    }

    /// The same task, which hands its snapshots to `snapshots`.
    pub fn with_snapshots(self, snapshots: Arc<dyn SnapshotSink>) -> Self {
        Self { snapshots: Some(snapshots), ..self }
    }

    /// Goes on from the cuts and states in a checkpoint of the tasks before it: `input` of their inputs, `operators` for each
    /// operator of the chain, cut to this task's key groups. `name` is what errors call it. Comes before the first poll.
    pub fn restore(
        &mut self,
        name: &str,
        input: &[OperatorState],
        operators: Vec<Vec<OperatorState>>,
    ) -> Result<(), Error> {
        self.input.restore(InputCut::restored(name, input)?, self.clock.now())?;
        self.chain.restore(operators)
    }

    /// The same task, which writes down what it holds in `memory` and fails when its slot's budget is used up.
    pub fn within(self, memory: TaskMemory) -> Self {
        Self { memory: Some(memory), ..self }
    }

    /// Runs until the input has ended and everything is passed on.
    pub fn poll(&mut self, waker_cx: &mut Context<'_>) -> Poll<Result<Ended, TaskError>> {
        let turn = self.turn(waker_cx);
        if let (Poll::Pending, Some(memory)) = (&turn, &mut self.memory) {
            let letters = self.letters.as_ref().map_or(0, EventBatch::memory_bytes);
            memory.look(&self.input, &self.chain, &self.outputs, letters)?;
        }
        turn
    }

    fn turn(&mut self, waker_cx: &mut Context<'_>) -> Poll<Result<Ended, TaskError>> {
        for _ in 0..ELEMENTS_PER_TURN {
            let now = self.clock.now();
            match self.chain.poll_run(now, &mut self.outputs, waker_cx)? {
                Poll::Ready(ChainState::Drained) => self.hand_over_snapshots()?,
                Poll::Ready(ChainState::HasMore) => continue,
                Poll::Ready(ChainState::Finished) => {
                    return Poll::Ready(Ok(Ended { waits_for_clock: self.chain.next_time().is_some() }));
                }
                Poll::Pending => return self.wait_for_room(now),
            }
            if self.letters.is_some() {
                match self.outputs.poll_room(waker_cx)? {
                    Poll::Ready(()) => self.emit_letters()?,
                    Poll::Pending => return self.wait_for_room(now),
                }
                continue;
            }
            if let Some(since) = self.held_since.take() {
                self.input.held_up(now.0.saturating_sub(since.0));
            }
            if self.chain.next_time().is_some_and(|at| at <= now) {
                self.chain.advance_time(now);
                continue;
            }
            match self.input.poll_next(now, waker_cx)? {
                Poll::Ready(InputElement::Element(element)) => self.chain.push(element),
                Poll::Ready(InputElement::DeadLetters(rows)) => self.letters = Some(EventBatch::inserts(rows)),
                Poll::Pending => {
                    let next = [self.chain.next_time(), self.input.next_time()].into_iter().flatten().min();
                    if self.timer.poll_until(next, self.clock.as_ref(), waker_cx).is_pending() {
                        self.doing = Doing::WaitForInput;
                        return Poll::Pending;
                    }
                }
            }
        }
        self.doing = Doing::Work;
        waker_cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Hands over what operators have remembered at a barrier that has passed all of them.
    fn hand_over_snapshots(&mut self) -> Result<(), Error> {
        for (checkpoint, operators) in self.chain.take_snapshots() {
            let cut = self.input.take_cut(checkpoint).ok_or_else(|| {
                Error::internal(format!("barrier {} has passed a task whose input has not given it out", checkpoint.0))
            })?;
            if let Some(snapshots) = &self.snapshots {
                snapshots.taken(TaskSnapshot { checkpoint, input: cut.stored()?, operators });
            }
        }
        Ok(())
    }

    fn wait_for_room(&mut self, now: ProcessingTime) -> Poll<Result<Ended, TaskError>> {
        self.held_since.get_or_insert(now);
        self.doing = Doing::WaitForRoom;
        Poll::Pending
    }

    fn emit_letters(&mut self) -> Result<(), Error> {
        match self.letters.take() {
            Some(letters) => self.chain.emit_from_head(PortId::DEAD_LETTERS, letters, &mut self.outputs),
            None => Ok(()),
        }
    }

    /// What it does after a turn that did not end it.
    pub fn doing(&self) -> Doing {
        self.doing
    }
}

/// Ends at the time that a timer is armed for.
type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Wakes a task at the time that it waits for.
#[derive(Default)]
struct Timer {
    armed: Option<(ProcessingTime, Sleep)>,
}

impl Timer {
    /// Ready when `time` has come; without a time never.
    fn poll_until(&mut self, time: Option<ProcessingTime>, clock: &dyn Clock, waker_cx: &mut Context<'_>) -> Poll<()> {
        let Some(time) = time else {
            self.armed = None;
            return Poll::Pending;
        };
        if self.armed.as_ref().is_none_or(|(armed, _)| *armed != time) {
            self.armed = Some((time, clock.sleep_until(time)));
        }
        let fired = self.armed.as_mut().is_some_and(|(_, sleep)| sleep.as_mut().poll(waker_cx).is_ready());
        if fired {
            self.armed = None;
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl std::fmt::Debug for Timer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timer").field("time", &self.armed.as_ref().map(|(time, _)| time)).finish()
    }
}
