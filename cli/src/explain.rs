//! `millstream explain job.yaml`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::{exit, manifest};

/// Print how a job would be run.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The manifest of a StreamJob.
    manifest: PathBuf,
}

impl Explain {
    #[expect(clippy::print_stdout, reason = "the plan is the result of this command")]
    pub(crate) fn run(&self) -> ExitCode {
        match manifest::plan_file(&self.manifest) {
            Ok((_, plan)) => {
                print!("{}", millstream_graph::explain::explain(&plan.graph));
                ExitCode::SUCCESS
            }
            Err(error) => exit::refuse(&error),
        }
    }
}
