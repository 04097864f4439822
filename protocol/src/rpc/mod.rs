//! The messages on the wire: gRPC over one stream for each worker.

mod client;
mod decode;
mod encode;
mod server;

pub use client::{ConnectError, connect};
pub use server::serve;

/// What the compiler makes of `proto/millstream.proto`.
mod wire {
    #![allow(
        missing_docs,
        unreachable_pub,
        unused_qualifications,
        clippy::all,
        clippy::pedantic,
        clippy::allow_attributes_without_reason,
        clippy::clone_on_ref_ptr,
        clippy::use_self,
        clippy::large_futures,
        reason = "generated"
    )]
    tonic::include_proto!("millstream.v1");
}

/// The longest message, in bytes. A program has at most 1.5 MB, a deployment a few dozen bytes for each task, and a worker
/// hands over what its sinks have finished in messages of at most 10,000 files.
const MESSAGE_MAX: usize = 32 * 1024 * 1024;
