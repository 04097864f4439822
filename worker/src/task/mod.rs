//! A task: one subtask of a chain of operators, from its input to its outputs.
//!
//! ```text
//!           ┌────────────────────── poll ──────────────────────┐
//!           ▼                                                  │
//!   run the chain ──► not ready ──► wait (room, sink, input)   │ after a few elements the slot's other
//!        │ drained                                             │ tasks get their turn
//!        ▼                                                     │
//!   timers due? ──► tell the operators ────────────────────────┤
//!        │ none                                                │
//!        ▼                                                     │
//!   next element of the input ──► push it into the chain ──────┘
//! ```
//!
//! A task never blocks its slot's thread: everything it may have to wait for wakes it.

mod control;
mod cut;
mod input;
mod run_loop;
mod source;
mod times;

pub use control::{SourceCommand, SourceControl};
pub use cut::{InputCut, SnapshotSink, SplitCut, TaskSnapshot};
pub use input::{GateInput, TaskInput};
pub use run_loop::{Ended, Task, TaskError};
pub use source::{Asking, SourceInput, SourceParts, SplitRequests};
pub use times::{Doing, TaskTimes};
