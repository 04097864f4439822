//! Tests of the whole: the binary run as a person would run it, over real files.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod bad_input;
mod bad_rows;
mod cli;
mod ctrl_c;
mod documents;
mod examples;
mod flights;
mod nexmark;
mod socket;
mod sql;
mod tidy;
