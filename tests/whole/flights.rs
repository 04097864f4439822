//! The flights of January 2013: our answers and those of sqlite over the same file.

use std::path::Path;
use std::process::Command;

use millstream_tests::{lines_of_parts, millstream, project, run};

/// The lines that sqlite answers, sorted. `question` names one of the script's queries.
fn sqlite(question: &str) -> Vec<String> {
    let script = project().join("tests/whole/flights_sqlite.py");
    let said = run(Command::new("python3").arg(script).arg(project()).arg(question));
    assert_eq!(said.code, 0, "{}", said.stderr);
    let mut lines: Vec<String> = said.stdout.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// Runs an example with its results in `out` instead of the project's folder.
fn run_example(name: &str, parallelism: u32, out: &Path) {
    let text = std::fs::read_to_string(project().join("examples/flights").join(name)).unwrap();
    let text = text
        .replace("target/flights", out.to_str().unwrap())
        .replace("parallelism: 2", &format!("parallelism: {parallelism}"));
    let path = out.join("job.yaml");
    std::fs::write(&path, text).unwrap();
    let said = run(millstream().arg("run").arg("--quiet").arg(&path));
    assert_eq!(said.code, 0, "{}", said.stderr);
}

/// Fails with the first line that differs, not with ten thousand.
fn agree(folder: &Path, expected: &[String], parallelism: u32) {
    let found = lines_of_parts(folder);
    let (of, lines) = (folder.display(), (found.len(), expected.len()));
    let differs = found.iter().zip(expected).find(|(found, expected)| found != expected);
    assert_eq!(differs, None, "{of}, parallelism {parallelism}, lines found and expected {lines:?}");
    assert_eq!(found.len(), expected.len(), "{of}, parallelism {parallelism}");
}

#[test]
fn hourly_departures_and_sessions_are_what_sqlite_answers_at_any_parallelism() {
    let (hourly, sessions) = (sqlite("hourly"), sqlite("sessions"));
    assert!(hourly.len() > 5_000 && sessions.len() > 10_000, "sqlite has answered");
    for parallelism in [1, 2, 4] {
        let out = tempfile::tempdir().unwrap();
        run_example("job.yaml", parallelism, out.path());
        agree(&out.path().join("hourly"), &hourly, parallelism);
        agree(&out.path().join("sessions"), &sessions, parallelism);
    }
}

#[test]
fn with_a_delay_of_two_hours_late_rows_go_to_the_side_output_and_nothing_is_lost() {
    let (on_time, late) = (sqlite("late-hourly"), sqlite("late-rows"));
    assert!(!late.is_empty(), "some rows are late");
    for parallelism in [1, 2, 4] {
        let out = tempfile::tempdir().unwrap();
        run_example("late.yaml", parallelism, out.path());
        agree(&out.path().join("late"), &late, parallelism);
        agree(&out.path().join("hourly"), &on_time, parallelism);
    }
}
