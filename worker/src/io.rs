//! The small runtime on which everything happens that may block: files, sockets, listing of folders.

use std::sync::Arc;

use millstream_engine::error::{Error, Result};
use millstream_engine::io::source::IoRuntime;
use tokio::runtime::{Builder, Handle, Runtime};

/// Threads that may block at a time. Each reader and each writer of a file uses at most one.
const BLOCKING_THREADS_MAX: usize = 512;

/// The runtime itself; ends its threads when dropped.
#[derive(Debug)]
pub struct Io {
    runtime: Runtime,
}

impl Io {
    /// Starts it.
    pub fn start() -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(BLOCKING_THREADS_MAX)
            .thread_name("io")
            .enable_all()
            .build()
            .map_err(|error| Error::io("starting the IO runtime", error))?;
        Ok(Self { runtime })
    }

    /// Where async work of the job's master runs.
    pub fn handle(&self) -> &Handle {
        self.runtime.handle()
    }

    /// Runs blocking work for readers and writers.
    pub fn blocking(&self) -> Arc<dyn IoRuntime> {
        Arc::new(Blocking { handle: self.runtime.handle().clone() })
    }

    /// Ends without waiting for work that blocks.
    pub fn shut_down(self) {
        self.runtime.shutdown_background();
    }
}

#[derive(Debug)]
struct Blocking {
    handle: Handle,
}

impl IoRuntime for Blocking {
    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        drop(self.handle.spawn_blocking(work));
    }
}
