//! Tests over a real connection, and the cluster that all tests of the interface ask.

pub(super) mod cluster;

mod answers;
mod http;
mod limits;
