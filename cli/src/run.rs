//! `millstream run job.yaml`: the whole job in this process.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use millstream_graph::JobGraph;
use millstream_worker::clock::SystemClock;
use millstream_worker::io::Io;
use millstream_worker::job::{self, JobControl, JobEnd, JobError, JobSpec, StartError};
use tokio::signal::unix::{SignalKind, signal};

use crate::progress::Reporter;
use crate::{exit, manifest};

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
        let (name, plan) = match manifest::plan_file(&self.manifest) {
            Ok(planned) => planned,
            Err(error) => return exit::refuse(&error),
        };
        plan.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let graph = plan.graph;
        tracing::info!(
            job = %name,
            slots = graph.slots_needed(),
            tasks = graph.vertices.iter().map(|vertex| vertex.parallelism).sum::<u32>(),
            "starting; state is kept in memory only: this job starts anew when it is run again"
        );
        match execute(graph, !self.quiet) {
            Ok(JobEnd::Finished | JobEnd::Stopped) => ExitCode::SUCCESS,
            Ok(JobEnd::Cancelled) => ExitCode::from(exit::INTERRUPTED),
            Err(Failure::Input(error)) => exit::refuse(&format!("{}: {error}", self.manifest.display())),
            Err(Failure::Job(error)) => exit::fail(&error),
        }
    }
}

/// Why a run did not end well.
#[derive(Debug)]
enum Failure {
    /// What the manifest names is not there.
    Input(String),
    /// The job failed.
    Job(String),
}

fn execute(graph: JobGraph, show_progress: bool) -> Result<JobEnd, Failure> {
    let io = Io::start().map_err(|error| Failure::Job(error.to_string()))?;
    let spec = JobSpec {
        graph: Arc::new(graph),
        clock: Arc::new(SystemClock::default()),
        attempt: format!("{:x}", manifest::now_ms()).into(),
    };
    let job = job::start(spec, &io).map_err(|error| match error {
        StartError::Input { .. } => Failure::Input(error.to_string()),
        StartError::Other(error) => Failure::Job(error.to_string()),
    })?;
    let reporter = Reporter::start(job.metrics(), io.handle(), show_progress);
    let control = job.control();
    let ended = io.handle().block_on(async {
        let interrupts = tokio::spawn(interrupts(control));
        let ended = job.wait().await;
        interrupts.abort();
        ended
    });
    reporter.finish(&ended);
    io.shut_down();
    ended.map_err(|error| Failure::Job(describe(&error)))
}

/// The first Ctrl-C or SIGTERM stops the job, the second ends it at once.
async fn interrupts(control: JobControl) {
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
    control.stop();
    asked().await;
    control.cancel();
}

/// An error and its causes, each said once.
fn describe(error: &JobError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(of) = cause {
        let said = of.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = of.source();
    }
    text
}
