//! Ways to run blocking work in tests.

use std::pin::pin;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use std::{future::Future, sync::Arc};

use millstream_engine::io::source::IoRuntime;

/// Runs work where it is handed over.
#[derive(Debug)]
pub(crate) struct InPlace;

impl IoRuntime for InPlace {
    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        work();
    }
}

/// Runs each piece of work on a thread of its own.
#[derive(Debug)]
pub(crate) struct Threads;

impl IoRuntime for Threads {
    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        std::thread::spawn(work);
    }
}

/// Keeps work until it is told to run it.
#[derive(Default)]
pub(crate) struct Held(Mutex<Vec<Box<dyn FnOnce() + Send>>>);

impl Held {
    /// Runs what is kept.
    pub(crate) fn run(&self) {
        let work = std::mem::take(&mut *self.0.lock().unwrap());
        work.into_iter().for_each(|work| work());
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Held")
    }
}

impl IoRuntime for Held {
    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        self.0.lock().unwrap().push(work);
    }
}

struct Signal(SyncSender<()>);

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        let _ = self.0.try_send(());
    }
}

/// Polls until ready; gives up a minute after the last wake-up.
pub(crate) fn wait<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    let (sender, receiver): (_, Receiver<()>) = sync_channel(1);
    let waker = Waker::from(Arc::new(Signal(sender)));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(std::future::poll_fn(|cx| poll(cx)));
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return value;
        }
        receiver.recv_timeout(Duration::from_secs(60)).expect("nothing woke the waiting side for a minute");
    }
}
