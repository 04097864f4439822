//! The data plane: what a stream is and how operators transform it.

pub mod aggregate;
pub mod batch;
pub mod element;
pub mod error;
pub mod io;
pub mod key;
pub mod metrics;
pub mod operators;
pub mod spec;
pub mod state;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod time;
pub mod window;
