//! Tests of the whole: the binary run as a person would run it, over real files.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod cli;
mod documents;
mod ctrl_c;
mod examples;
mod flights;
mod nexmark;
mod socket;
mod sql;
mod tidy;
