//! Blocking reads and writes, away from the slot's thread.
//!
//! A slot's thread never waits for a disk, a socket or a terminal: it would stop every task of its slot. What blocks runs
//! on the engine's [`IoRuntime`](millstream_engine::io::source::IoRuntime), and two bounded queues join the two sides: a
//! [`Pump`] brings bytes in, a [`Lane`] takes commands out.
//!
//! ```text
//!   disk ─► Pump (chunks read ahead) ─► decoder ··· operators ··· encoder ─► Lane (commands) ─► disk
//!           IO thread                   slot thread                          IO thread
//! ```
//!
//! A piece of work runs while there is something to do and room for it, and then gives its thread back; the next call from
//! the slot's side starts it again. So no thread waits for a slow consumer, ten thousand idle readers cost no thread, and
//! a runtime that does the work in place (as tests do) never deadlocks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use millstream_engine::error::{Error, Result};

mod lane;
mod pump;
#[cfg(test)]
pub(crate) mod test_io;

pub(crate) use lane::{Lane, LaneWorker};
pub(crate) use pump::{Buffers, ByteSource, Chunk, ChunkReader, HEADROOM, Producer, Pump};

/// The state behind `mutex`. A panic of the other side leaves it as it was, because both sides change it in single steps.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `step`; a panic in it becomes an error, since nobody would hear of it on an IO thread.
fn guarded<T>(what: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(step)).unwrap_or_else(|_| Err(Error::internal(format!("{what} panicked"))))
}
