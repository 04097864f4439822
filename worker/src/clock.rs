//! The wall clock as tasks see it: given to them, so that a test can own it.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use millstream_engine::operators::ProcessingTime;
use tokio::sync::watch;

/// Tells the time and wakes at a time.
pub trait Clock: Send + Sync + Debug {
    /// The time; never earlier than it was before.
    fn now(&self) -> ProcessingTime;

    /// Ends when `now` is at or after `time`.
    fn sleep_until(&self, time: ProcessingTime) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// The machine's clock, held still while it is set back.
#[derive(Debug, Default)]
pub struct SystemClock {
    latest: AtomicI64,
}

impl Clock for SystemClock {
    fn now(&self) -> ProcessingTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        ProcessingTime(self.latest.fetch_max(now, Ordering::Relaxed).max(now))
    }

    fn sleep_until(&self, time: ProcessingTime) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let left = u64::try_from(time.0.saturating_sub(self.now().0)).unwrap_or(0);
        Box::pin(tokio::time::sleep(Duration::from_millis(left)))
    }
}

/// A clock that moves when it is told to.
#[derive(Debug)]
pub struct ManualClock {
    now: watch::Sender<i64>,
}

impl ManualClock {
    /// A clock at `now`.
    pub fn new(now: ProcessingTime) -> Self {
        Self { now: watch::Sender::new(now.0) }
    }

    /// Moves it to `now`, which is not earlier than it was.
    pub fn set(&self, now: ProcessingTime) {
        self.now.send_modify(|held| *held = now.0.max(*held));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> ProcessingTime {
        ProcessingTime(*self.now.borrow())
    }

    fn sleep_until(&self, time: ProcessingTime) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let mut now = self.now.subscribe();
        Box::pin(async move {
            // An error means that the clock is gone, and with it everything that could wait for it.
            if now.wait_for(|now| *now >= time.0).await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}
