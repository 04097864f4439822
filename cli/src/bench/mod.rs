//! `millstream bench`: how fast queries run on this machine.
//!
//! A benchmark of throughput plans its SQL and runs it as `run` does. Only its sinks are replaced: they add up a checksum of
//! the rows instead of throwing them away, so that a run that computes something else is seen. That of latency runs a cluster.

use std::process::ExitCode;

use clap::{Args, Subcommand};

mod checksum;
mod latency;
mod measure;
mod nexmark;
mod words;

/// Measure how fast queries run here.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    #[command(subcommand)]
    suite: Suite,
}

#[derive(Debug, Subcommand)]
enum Suite {
    /// Queries of the Nexmark suite, over generated events or a file of bids.
    Nexmark(nexmark::Nexmark),
    /// Words counted in lines of text.
    Words(words::Words),
    /// How long a row takes through processes of their own.
    Latency(latency::Latency),
}

impl Bench {
    pub(crate) fn run(&self) -> ExitCode {
        match &self.suite {
            Suite::Nexmark(nexmark) => nexmark.run(),
            Suite::Words(words) => words.run(),
            Suite::Latency(latency) => latency.run(),
        }
    }
}
