//! What the commands print.

use millstream_api::{JobDetails, JobExceptions, JobState, JobsOverview, RootException, StateCounts, TaskState};
use serde::Serialize;

use super::Failure;
use crate::progress::{grouped, instant};

/// Prints a line.
#[expect(clippy::print_stdout, reason = "the result of a command")]
pub(super) fn line(text: &str) {
    println!("{text}");
}

fn json(body: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(body).map_err(|error| Failure::Job(error.to_string()))?;
    line(&text);
    Ok(())
}

/// Flink's word for a state.
pub(super) fn word(state: JobState) -> String {
    serde_word(&state)
}

fn serde_word(state: &impl Serialize) -> String {
    match serde_json::to_value(state) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(_) | Err(_) => String::new(),
    }
}

/// Prints a line for each job.
pub(super) fn list(jobs: &JobsOverview, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return json(jobs);
    }
    let mut rows = vec![["ID", "NAME", "STATE", "TASKS", "RESTARTS", "SINCE", "DETAIL"].map(str::to_owned)];
    for job in &jobs.jobs {
        rows.push([
            job.jid.clone(),
            job.name.clone(),
            word(job.state),
            format!("{}/{}", job.tasks.running + job.tasks.finished, job.tasks.total),
            job.restarts.to_string(),
            instant(job.start_time),
            job.detail.clone().unwrap_or_default(),
        ]);
    }
    line(&table(&rows));
    Ok(())
}

/// Prints a job.
pub(super) fn status(job: &JobDetails, failures: &JobExceptions, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return json(job);
    }
    line(&format!("{} ({})", job.name, job.jid));
    let detail = job.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
    line(&format!("state      {}{detail}", word(job.state)));
    line(&format!("submitted  {}", instant(job.start_time)));
    if job.end_time >= 0 {
        line(&format!("ended      {}", instant(job.end_time)));
    }
    line(&format!("restarts   {}\n", job.restarts));
    let mut rows = vec![["VERTEX", "STATE", "TASKS", "ROWS IN", "ROWS OUT"].map(str::to_owned)];
    for vertex in &job.vertices {
        rows.push([
            vertex.name.clone(),
            serde_word(&vertex.status),
            counts(vertex.tasks),
            grouped(vertex.metrics.read_records),
            grouped(vertex.metrics.write_records),
        ]);
    }
    line(&table(&rows));
    for entry in &failures.exception_history.entries {
        line(&format!("\n{}  {}", instant(entry.exception.timestamp), failure(entry)));
    }
    Ok(())
}

fn counts(mut counts: StateCounts) -> String {
    let there = TaskState::ALL.into_iter().filter_map(|state| {
        let count = *counts.count_of(state);
        (count > 0).then(|| format!("{count} {}", serde_word(&state).to_lowercase()))
    });
    there.collect::<Vec<_>>().join(", ")
}

/// A failure in a line.
pub(super) fn failure(entry: &RootException) -> String {
    match &entry.exception.task_name {
        Some(task) => format!("task {task} failed: {}", entry.exception.stacktrace),
        None => entry.exception.stacktrace.clone(),
    }
}

/// Columns as wide as what stands in them.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let padded = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(padded).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_stands_in_them() {
        let rows = [["A", "B"], ["long", "x"], ["ä", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows), "A     B\nlong  x\nä");
    }
}
