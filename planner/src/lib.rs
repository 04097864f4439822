//! From a program to a graph of operators.

pub mod error;
pub mod functions;
pub mod manifest;
mod narrow;
pub mod options;
pub mod pipeline;
pub mod problem;
pub mod resolved;
pub mod session;
pub mod sql;
mod thread;

pub use error::{Error, Position, Result};
pub use problem::{Problem, Problems};
pub use resolved::{Plan, ResolvedProgram, plan, resolve};
pub use session::Session;
pub use thread::on_planning_thread;
