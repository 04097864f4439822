//! Logs go to stderr; results have stdout for themselves. `RUST_LOG` chooses what is logged.

use std::io::IsTerminal;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The crates that a command is made of.
const PARTS: [&str; 3] = ["millstream_jobmaster", "millstream_worker", "millstream_protocol"];

/// What is logged if nobody chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// What this command has to say, and the warnings of all parts: for a person at a terminal.
    Command,
    /// Each step of every job: for a process that runs on its own.
    Process,
}

/// Starts logging. What `RUST_LOG` says and cannot be understood is as if it were not set.
pub(crate) fn start(detail: Detail) {
    let chosen = std::env::var("RUST_LOG").ok().and_then(|text| text.parse::<Targets>().ok());
    let targets = chosen.unwrap_or_else(|| match detail {
        Detail::Process => Targets::new().with_default(LevelFilter::INFO),
        Detail::Command => Targets::new()
            .with_default(LevelFilter::WARN)
            .with_target("millstream", LevelFilter::INFO)
            .with_targets(PARTS.map(|part| (part, LevelFilter::WARN))),
    });
    let lines = tracing_subscriber::fmt::layer()
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    tracing_subscriber::registry().with(targets).with(lines).init();
}
