//! Carries commands out to something that blocks, one after the other.
//!
//! The slot's side pushes commands with their weight in bytes; [`Lane::poll_ready`] holds it back while more than the
//! limit waits. A worker runs them in order on an IO thread. The first error ends the lane: it comes out of the next call,
//! and what waits is dropped.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use millstream_engine::error::{Error, Result};
use millstream_engine::io::source::IoRuntime;

use super::{guarded, lock};

/// Runs commands. Used on an IO thread; may block.
pub(crate) trait LaneWorker: Send + 'static {
    /// What it is told.
    type Command: Send;
    /// What it has to say when something is done.
    type Done: Send;

    /// Carries out `command`.
    fn run(&mut self, command: Self::Command) -> Result<Option<Self::Done>>;

    /// Bytes of memory of a command.
    fn command_bytes(command: &Self::Command) -> usize;

    /// Bytes of memory of what it has to say.
    fn done_bytes(done: &Self::Done) -> usize;
}

/// The slot's side. Dropping it drops what waits, and the worker after the command that it is running.
pub(crate) struct Lane<W: LaneWorker> {
    shared: Arc<Mutex<State<W>>>,
    io: Arc<dyn IoRuntime>,
    limit_bytes: usize,
}

struct State<W: LaneWorker> {
    waiting: VecDeque<(W::Command, usize)>,
    waiting_bytes: usize,
    done: Vec<W::Done>,
    /// Bytes of memory of the commands, of the one that is being carried out too, and of what is done.
    held_bytes: usize,
    /// Here while nothing runs; with the IO thread otherwise; gone after an error.
    worker: Option<W>,
    failure: Failure,
    dropped: bool,
    waker: Option<Waker>,
}

/// Whether the worker has failed.
enum Failure {
    None,
    /// And nobody knows yet.
    New(Error),
    /// And the error was handed out; its text.
    Told(String),
}

impl<W: LaneWorker> Lane<W> {
    /// A lane that holds its user back while more than `limit_bytes` wait.
    pub(crate) fn new(worker: W, limit_bytes: usize, io: Arc<dyn IoRuntime>) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            done: Vec::new(),
            held_bytes: 0,
            worker: Some(worker),
            failure: Failure::None,
            dropped: false,
            waker: None,
        };
        Self { shared: Arc::new(Mutex::new(state)), io, limit_bytes }
    }

    /// Queues `command`, which weighs `bytes`.
    pub(crate) fn push(&self, command: W::Command, bytes: usize) {
        let worker = {
            let mut state = lock(&self.shared);
            if matches!(state.failure, Failure::None) {
                state.held_bytes += W::command_bytes(&command);
                state.waiting.push_back((command, bytes));
                state.waiting_bytes += bytes;
            }
            state.worker.take()
        };
        if let Some(worker) = worker {
            let shared = Arc::clone(&self.shared);
            self.io.spawn_blocking(Box::new(move || run_waiting(&shared, worker)));
        }
    }

    /// Ready when there is room.
    pub(crate) fn poll_ready(&self, cx: &Context<'_>) -> Poll<Result<()>> {
        let limit = self.limit_bytes;
        self.poll_until(cx, |state| state.waiting_bytes <= limit)
    }

    /// Ready when all commands are carried out.
    pub(crate) fn poll_idle(&self, cx: &Context<'_>) -> Poll<Result<()>> {
        self.poll_until(cx, |state| state.worker.is_some() && state.waiting.is_empty())
    }

    /// What the worker has said since the last call.
    pub(crate) fn take_done(&self) -> Vec<W::Done> {
        let mut state = lock(&self.shared);
        let done = std::mem::take(&mut state.done);
        state.held_bytes -= done.iter().map(W::done_bytes).sum::<usize>();
        done
    }

    /// Bytes of memory held, by what waits and by what is done.
    pub(crate) fn memory_bytes(&self) -> usize {
        lock(&self.shared).held_bytes
    }

    fn poll_until(&self, cx: &Context<'_>, condition: impl Fn(&State<W>) -> bool) -> Poll<Result<()>> {
        let mut state = lock(&self.shared);
        if let Some(error) = state.take_failure() {
            return Poll::Ready(Err(error));
        }
        if condition(&state) {
            return Poll::Ready(Ok(()));
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl<W: LaneWorker> State<W> {
    fn take_failure(&mut self) -> Option<Error> {
        match std::mem::replace(&mut self.failure, Failure::None) {
            Failure::None => None,
            Failure::New(error) => {
                self.failure = Failure::Told(error.to_string());
                Some(error)
            }
            Failure::Told(text) => {
                let error = Error::Invalid(format!("an earlier write has failed: {text}"));
                self.failure = Failure::Told(text);
                Some(error)
            }
        }
    }
}

impl<W: LaneWorker> Drop for Lane<W> {
    fn drop(&mut self) {
        let mut state = lock(&self.shared);
        state.dropped = true;
        state.waiting.clear();
        let worker = state.worker.take();
        drop(state);
        if let Some(worker) = worker {
            // Letting go of what it holds may block too.
            self.io.spawn_blocking(Box::new(move || drop(worker)));
        }
    }
}

/// The work on the IO thread: carries out commands until none waits.
fn run_waiting<W: LaneWorker>(shared: &Mutex<State<W>>, mut worker: W) {
    loop {
        let mut state = lock(shared);
        let Some((command, bytes)) = state.waiting.pop_front() else {
            if !state.dropped {
                state.worker = Some(worker);
            }
            return wake(&mut state);
        };
        drop(state);
        let command_bytes = W::command_bytes(&command);
        let outcome = guarded("writing", || worker.run(command));
        let mut state = lock(shared);
        state.waiting_bytes -= bytes;
        state.held_bytes -= command_bytes;
        match outcome {
            Ok(done) => {
                state.held_bytes += done.as_ref().map_or(0, W::done_bytes);
                state.done.extend(done);
            }
            Err(error) => {
                state.waiting.clear();
                state.held_bytes = state.done.iter().map(W::done_bytes).sum();
                state.failure = Failure::New(error);
                return wake(&mut state);
            }
        }
        wake(&mut state);
    }
}

fn wake<W: LaneWorker>(state: &mut State<W>) {
    if let Some(waker) = state.waker.take() {
        waker.wake();
    }
}

impl<W: LaneWorker> std::fmt::Debug for Lane<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lane").field("waiting_bytes", &lock(&self.shared).waiting_bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocking::test_io::{Held, InPlace, Threads, wait};

    #[derive(Default)]
    struct Doubler {
        fail_at: Option<u32>,
    }

    impl LaneWorker for Doubler {
        type Command = u32;
        type Done = u32;

        fn run(&mut self, command: u32) -> Result<Option<u32>> {
            if Some(command) == self.fail_at {
                return Err(Error::internal("no such number"));
            }
            Ok(Some(command * 2))
        }

        fn command_bytes(_: &u32) -> usize {
            100
        }

        fn done_bytes(_: &u32) -> usize {
            1
        }
    }

    #[test]
    fn commands_are_carried_out_in_order() {
        for io in [Arc::new(InPlace) as Arc<dyn IoRuntime>, Arc::new(Threads)] {
            let lane = Lane::new(Doubler::default(), 100, io);
            (0..1_000).for_each(|n| lane.push(n, 1));
            wait(|cx| lane.poll_idle(cx)).unwrap();
            assert_eq!(lane.take_done(), (0..1_000).map(|n| n * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_full_lane_is_not_ready_until_the_worker_has_caught_up() {
        let io = Arc::new(Held::default());
        let lane = Lane::new(Doubler::default(), 10, Arc::clone(&io) as Arc<dyn IoRuntime>);
        let cx = Context::from_waker(Waker::noop());
        lane.push(1, 10);
        assert!(lane.poll_ready(&cx).is_ready());
        lane.push(2, 1);
        assert!(lane.poll_ready(&cx).is_pending());
        assert_eq!(lane.memory_bytes(), 200);
        io.run();
        assert!(lane.poll_ready(&cx).is_ready());
        assert_eq!(lane.memory_bytes(), 2);
        lane.take_done();
        assert_eq!(lane.memory_bytes(), 0);
    }

    #[test]
    fn the_first_error_comes_out_and_later_calls_say_so_too() {
        let lane = Lane::new(Doubler { fail_at: Some(3) }, 100, Arc::new(Threads));
        (0..10).for_each(|n| lane.push(n, 1));
        assert!(wait(|cx| lane.poll_idle(cx)).unwrap_err().to_string().contains("no such number"));
        lane.push(11, 1);
        let again = wait(|cx| lane.poll_ready(cx)).unwrap_err().to_string();
        assert!(again.starts_with("an earlier write has failed: "), "{again}");
        assert_eq!(lane.take_done(), [0, 2, 4]);
        assert_eq!(lane.memory_bytes(), 0, "what was dropped is not held");
    }
}
