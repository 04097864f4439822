//! Random input: operators against each other and against models of a few lines.
//!
//! A failing test names its seed; `MILLSTREAM_TEST_SEED=…` runs that one alone, `MILLSTREAM_TEST_ROUNDS=…` runs more.

mod aggregates;
mod keys;
mod merger;
mod model;
mod state;
mod windows;
