//! `millstream`: the one binary. Each subcommand is a file.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod client;
mod embedded;
mod exit;
mod explain;
mod jobmaster;
mod logging;
mod manifest;
mod processor;
mod progress;
mod run;
mod signals;
mod worker;

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
    /// Take jobs over REST and run them on the workers that register.
    #[command(name = "jobmaster")]
    JobMaster(jobmaster::JobMaster),
    /// Offer slots to a jobmaster and run what it sends.
    Worker(worker::Worker),
    #[command(flatten)]
    Client(client::ClientCommand),
    /// Measure how fast queries run here.
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    if let Err(missing) = processor::check() {
        return exit::refuse(&missing);
    }
    let arguments = Arguments::parse();
    logging::start(match &arguments.command {
        Command::JobMaster(_) | Command::Worker(_) => logging::Detail::Process,
        Command::Run(_) | Command::Explain(_) | Command::Client(_) | Command::Bench(_) => logging::Detail::Command,
    });
    match arguments.command {
        Command::Run(run) => run.run(),
        Command::Explain(explain) => explain.run(),
        Command::JobMaster(jobmaster) => jobmaster.run(),
        Command::Worker(worker) => worker.run(),
        Command::Client(command) => command.run(),
        Command::Bench(bench) => bench.run(),
    }
}
