//! The connector as a job uses it: from a table's declaration to batches.

mod columns;
mod distributions;
mod harness;
mod options;
mod splits;
