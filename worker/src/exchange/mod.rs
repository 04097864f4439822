//! How rows go from one task to the next: inside a worker here, between two of them in [`remote`].
//!
//! ```text
//!  producer task                                     consumer task
//!  Outputs ─ Edge ─ Partitioner ─┬─► channel 0 ─► InputGate of subtask 0 ─► coalesce, merge watermarks ─► chain
//!                                └─► channel 1 ─► InputGate of subtask 1
//! ```
//!
//! # Guarantees
//! - A channel keeps the order of what is sent on it.
//! - A batch is moved, not copied, unless it is split by key; with one target it is not even looked at.
//!
//! # Bounds
//! Each channel holds at most [`CHANNEL_BYTES_MAX`] bytes or [`CHANNEL_ROWS_MAX`] rows before its sender must wait; what one
//! call of an operator emits (a bounded number of rows) may go over it. A full channel stops its producer's chain, and that
//! is how back-pressure reaches the source. What a channel counts is what its rows show; a batch that was cut among up to
//! four subtasks stays whole in memory until all of them have read it ([`KeySplitter`](millstream_engine::key::splitter)).

mod gate;
mod outputs;
pub mod remote;

pub use gate::{ChannelSender, GateElement, InputGate, gate};
pub use outputs::{Channel, Edge, Outputs, Spread};

/// Bytes that may wait in a channel.
pub const CHANNEL_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Rows that may wait in a channel.
pub const CHANNEL_ROWS_MAX: usize = 64 * 1024;
