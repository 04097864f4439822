//! Clusters of real processes on loopback: the same answers as in one process, and what happens when parts of them fail.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod ends;
mod examples;
mod failures;
mod jobs;
mod many_jobs;
mod memory;
mod network;
mod refusals;
mod slots;
mod storage;
