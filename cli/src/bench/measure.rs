//! Runs a planned job and measures it.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use millstream_graph::NodeKind;
use millstream_jobmaster::job_manager::{JobOutcome, Progress};
use millstream_jobmaster::job_master::JobStatus;
use millstream_planner::resolved::{Plan, ResolvedProgram};

use super::checksum::{ChecksumSink, Total};
use crate::embedded::EmbeddedJob;
use crate::progress::grouped;
use crate::{exit, manifest};

/// What is run.
#[derive(Debug)]
pub(crate) struct Case<'a> {
    /// Shown with the figures.
    pub(crate) name: &'a str,
    /// The program.
    pub(crate) sql: String,
    /// Subtasks of each operator.
    pub(crate) parallelism: u32,
    /// How many events it reads, if that is known before; otherwise the rows that its sources read.
    pub(crate) events: Option<u64>,
}

/// Runs the case once and prints its figures.
#[expect(clippy::print_stdout, reason = "the figures are the result of this command")]
pub(crate) fn measure(case: &Case<'_>) -> ExitCode {
    match run(case) {
        Ok(figures) => {
            println!("{figures}");
            ExitCode::SUCCESS
        }
        Err(error) => exit::fail(&error),
    }
}

/// Runs a program as it is, in one subtask.
pub(crate) fn write(sql: &str) -> ExitCode {
    let written = planned("write", sql, 1).and_then(|(program, plan)| {
        let graph = Arc::new(plan.graph.clone());
        finished(EmbeddedJob::start(program, plan, graph).map_err(|error| error.to_string())?)
    });
    match written {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => exit::fail(&error),
    }
}

/// Waits for the end of a job that reads all of its input.
fn finished(job: EmbeddedJob) -> Result<Progress, String> {
    let (outcome, progress) = job.wait(std::future::pending()).map_err(|refusal| refusal.to_string())?;
    match outcome {
        JobOutcome { status: JobStatus::Finished, .. } => Ok(progress),
        JobOutcome { status, why, .. } => Err(why.unwrap_or_else(|| format!("the job is {}", status.word()))),
    }
}

/// A path as the inside of an SQL text.
pub(crate) fn literal(path: &Path) -> String {
    path.display().to_string().replace('\'', "''")
}

/// Plans a program as `run` does: by way of a manifest.
fn planned(name: &str, sql: &str, parallelism: u32) -> Result<(ResolvedProgram, Plan), String> {
    let sql: String = sql.lines().map(|line| format!("      {line}\n")).collect();
    let text = format!(
        "apiVersion: millstream.dev/v1alpha1\nkind: StreamJob\nmetadata:\n  name: {name}\nspec:\n  parallelism: \
         {parallelism}\n  program:\n    sql: |\n{sql}"
    );
    manifest::plan_text(&text).map_err(|problems| problems.join("\n"))
}

fn run(case: &Case<'_>) -> Result<String, String> {
    let (program, plan) = planned(case.name, &case.sql, case.parallelism)?;
    let mut graph = plan.graph.clone();
    let total = Arc::new(Total::default());
    for node in &mut graph.program.nodes {
        if let NodeKind::Sink(sink) = &mut node.kind {
            *sink = Arc::new(ChecksumSink { total: Arc::clone(&total) });
        }
    }
    let before = cpu_seconds()?;
    let started = Instant::now();
    let job = EmbeddedJob::start(program, plan, Arc::new(graph)).map_err(|error| error.to_string())?;
    let progress = finished(job)?;
    let (wall, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds()? - before);
    figures(case, case.events.unwrap_or(progress.rows_in), wall, cpu, &total)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures for people"
)]
fn figures(case: &Case<'_>, events: u64, wall: f64, cpu: f64, total: &Total) -> Result<String, String> {
    let per = |seconds: f64| grouped((events as f64 / seconds.max(1e-9)) as u64);
    Ok(format!(
        "{}: parallelism {}, {} events, {wall:.2} s wall, {cpu:.2} s CPU\n  events/s            {}\n  events/CPU-second   {}\n  \
         peak memory         {} MB\n  result rows         {}\n  checksum            {:016x}",
        case.name,
        case.parallelism,
        grouped(events),
        per(wall),
        per(cpu),
        peak_memory_mb()?,
        grouped(total.rows()),
        total.checksum(),
    ))
}

/// User and system time of this process so far, from `/proc/self/stat` (fields 14 and 15, in ticks of 1/100 s).
fn cpu_seconds() -> Result<f64, String> {
    let text =
        std::fs::read_to_string("/proc/self/stat").map_err(|error| format!("cannot read /proc/self/stat: {error}"))?;
    let after_name = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: Vec<f64> =
        after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    Ok(ticks.iter().sum::<f64>() / 100.0)
}

/// The greatest resident memory of this process so far, from `/proc/self/status`.
fn peak_memory_mb() -> Result<u64, String> {
    let text = std::fs::read_to_string("/proc/self/status")
        .map_err(|error| format!("cannot read /proc/self/status: {error}"))?;
    let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kilobytes.unwrap_or(0) / 1024)
}
