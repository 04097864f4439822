//! `millstream run job.yaml`: the whole job in this process.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use millstream_jobmaster::job_manager::JobOutcome;
use millstream_jobmaster::job_master::JobStatus;
use tokio::signal::unix::{SignalKind, signal};

use crate::embedded::{EmbeddedJob, JobControl, NotRun};
use crate::{exit, manifest, progress};

/// Run a job in this process until it ends or is stopped by Ctrl-C.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The manifest of a StreamJob.
    manifest: PathBuf,
    /// Say nothing about progress.
    #[arg(long)]
    quiet: bool,
}

impl Run {
    pub(crate) fn run(&self) -> ExitCode {
        let (program, plan) = match manifest::plan_file(&self.manifest) {
            Ok(planned) => planned,
            Err(error) => return exit::refuse(&error),
        };
        plan.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let graph = Arc::new(plan.graph.clone());
        tracing::info!(
            job = %program.name,
            slots = graph.slots_needed(),
            tasks = graph.vertices.iter().map(|vertex| vertex.parallelism).sum::<u32>(),
            "starting; state is kept in memory only: this job starts anew when it is run again"
        );
        match EmbeddedJob::start(program, plan, graph) {
            Ok(job) => self.follow(job),
            Err(NotRun::Unusable(problems)) => exit::refuse(&manifest::in_file(&self.manifest, &problems)),
            Err(error @ NotRun::Other(_)) => exit::fail(&error),
        }
    }

    /// Sees a job to its end.
    fn follow(&self, job: EmbeddedJob) -> ExitCode {
        let (started, control, shown) = (Instant::now(), job.control(), !self.quiet);
        let meanwhile = async move {
            let follow = async {
                if shown {
                    progress::follow(control.clone()).await;
                }
            };
            tokio::join!(follow, interrupts(&control));
        };
        match job.wait(meanwhile) {
            Ok((outcome, progress)) => {
                if shown {
                    progress::say_end(&outcome, &progress, started.elapsed());
                }
                exit_code(&outcome)
            }
            Err(refusal) => exit::fail(&refusal),
        }
    }
}

fn exit_code(outcome: &JobOutcome) -> ExitCode {
    match outcome.status {
        JobStatus::Finished => ExitCode::SUCCESS,
        JobStatus::Canceled => ExitCode::from(exit::INTERRUPTED),
        JobStatus::Failed
        | JobStatus::Initializing
        | JobStatus::Created
        | JobStatus::Running
        | JobStatus::Restarting
        | JobStatus::Failing
        | JobStatus::Cancelling => exit::fail(&outcome.why.as_deref().unwrap_or("the job failed")),
    }
}

/// The first Ctrl-C or SIGTERM stops the job, the second ends it at once.
async fn interrupts(job: &JobControl) {
    // Both are listened to all the time: one that comes while the job is told of the first is not missed.
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    let mut asked = async || {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    asked().await;
    tracing::info!("stopping: what was read is worked on to its end; press Ctrl-C again to end at once");
    job.stop().await;
    asked().await;
    job.cancel().await;
}
