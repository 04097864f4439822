//! `millstream`: the one binary. Each subcommand is a file.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod exit;
mod explain;
mod logging;
mod manifest;
mod processor;
mod progress;
mod run;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Millstream: a distributed stream processor for Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "millstream", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a job in this process until it ends or is stopped by Ctrl-C.
    Run(run::Run),
    /// Print how a job would be run: operators, chains, exchanges, slots.
    Explain(explain::Explain),
    /// Measure how fast queries run here.
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    if let Err(missing) = processor::check() {
        return exit::refuse(&missing);
    }
    let arguments = Arguments::parse();
    logging::start();
    match arguments.command {
        Command::Run(run) => run.run(),
        Command::Explain(explain) => explain.run(),
        Command::Bench(bench) => bench.run(),
    }
}
