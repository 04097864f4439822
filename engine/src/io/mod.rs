//! The two ends of a program: where rows come from and where results go.

pub mod sink;
pub mod source;
