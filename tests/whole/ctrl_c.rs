//! Ctrl-C: the first ends a job with all that it has read, the second ends it at once.

use std::path::Path;
use std::process::Command;

use expect_test::expect;
use millstream_tests::{Running, lines_of_parts, millstream, pipeline_manifest, visible, wait_until};

/// Makes rows without end, into files that are ended ten times a second.
const ENDLESS: &str = "\
sources:
  - name: in
    connector: datagen
    options: {rows-per-second: 100000}
    schema: [n BIGINT]
sinks:
  - name: out
    from: in
    connector: filesystem
    format: csv
    options:
      path: FOLDER/out
      sink.rolling-policy.rollover-interval: 100 ms
      sink.rolling-policy.check-interval: 20 ms
";

/// Starts the pipeline `text`, whose logs are shown.
fn command(folder: &Path, text: &str) -> Command {
    let path = folder.join("job.yaml");
    std::fs::write(&path, pipeline_manifest(text).replace("FOLDER", folder.to_str().unwrap())).unwrap();
    let mut command = millstream();
    command.arg("run").arg(path).env("RUST_LOG", "info");
    command
}

const STOPPING: &str = "stopping: what was read is worked on to its end; press Ctrl-C again to end at once";

#[test]
fn an_endless_job_ends_at_the_first_ctrl_c_with_all_that_it_has_read() {
    for signal in ["INT", "TERM"] {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let running = Running::start(&mut command(folder.path(), ENDLESS));
        // Files are seen while the job runs.
        wait_until(|| visible(&out).len() > 1);
        running.signal(signal);
        let said = running.end();
        assert_eq!(said.code, 0, "{}", said.stderr);
        assert!(said.stderr.contains(STOPPING), "{}", said.stderr);
        let last = said.stderr.lines().last().unwrap();
        let rows = format!("{} rows", grouped(lines_of_parts(&out).len()));
        assert!(last.starts_with(&format!("stopped: {rows} in, {rows} out, 0 late, 0 bad, ")), "{rows}: {last}");
        let all = std::fs::read_dir(&out).unwrap().count();
        assert_eq!(all, visible(&out).len(), "nothing hidden stays behind");
    }
}

/// `1234567` as `1,234,567`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let parts: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|part| std::str::from_utf8(part).unwrap()).collect();
    parts.join(",")
}

#[test]
fn a_job_that_cannot_go_on_ends_at_the_second_ctrl_c() {
    let folder = tempfile::tempdir().unwrap();
    // Each row is more than a pipe holds, and nobody reads what is printed.
    let stuck = ENDLESS
        .replace("schema: [n BIGINT]", "schema: [n STRING]")
        .replace("rows-per-second: 100000", "fields.n.length: 200000")
        .replace("sinks:\n", "sinks:\n  - {name: print, from: in, connector: print}\n")
        .replace("100 ms", "1 h");
    let mut running = Running::start_unread(&mut command(folder.path(), &stuck));
    running.wait_for_output();
    running.signal("INT");
    running.stderr.wait_until(|lines| lines.iter().any(|line| line.contains(STOPPING)));
    running.signal("INT");
    let said = running.end();
    assert_eq!(said.code, 130, "{}", said.stderr);
    assert!(said.stderr.lines().last().unwrap().starts_with("cancelled: "), "{}", said.stderr);
    // The files may have been finished before the second signal; what was not finished is not seen.
    for file in visible(&folder.path().join("out")) {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.ends_with('\n') && text.lines().all(|row| row.len() == 200_000), "{} is whole", file.display());
    }
}

/// Counts rows by windows of two seconds, of all files that come into a folder.
const WATCHING: &str = "\
sources:
  - name: in
    connector: filesystem
    format: json
    options: {path: FOLDER/in, source.monitor-interval: 10 ms}
    schema: [at TIMESTAMP(3)]
    eventTime: {column: at}
transformations:
  - {name: counts, from: in, window: {tumbling: {size: 2s}}, aggregate: [count(*) AS n]}
sinks:
  - {name: out, from: counts, connector: print}
";

#[test]
fn a_watched_folder_is_read_until_ctrl_c_and_open_windows_stay_open() {
    let folder = tempfile::tempdir().unwrap();
    let watched = folder.path().join("in");
    std::fs::create_dir(&watched).unwrap();
    let row = |second: u32| format!("{{\"at\": \"2026-01-01 00:00:{second:02}\"}}\n");
    std::fs::write(watched.join("1.json"), row(0) + &row(1) + &row(3)).unwrap();
    let mut running = Running::start(&mut command(folder.path(), WATCHING));
    running.stdout.wait_until(|lines| lines.len() == 1);
    // Written under a hidden name, as everything should be that is looked for while it is written.
    std::fs::write(watched.join(".2.json"), row(8)).unwrap();
    std::fs::rename(watched.join(".2.json"), watched.join("2.json")).unwrap();
    running.stdout.wait_until(|lines| lines.len() == 2);
    running.signal("INT");
    let said = running.end();
    assert_eq!(said.code, 0, "{}", said.stderr);
    expect![[r#"
        +I[2026-01-01T00:00, 2026-01-01T00:00:02, 2]
        +I[2026-01-01T00:00:02, 2026-01-01T00:00:04, 1]
    "#]]
    .assert_eq(&said.stdout);
    let last = said.stderr.lines().last().unwrap();
    assert!(last.starts_with("stopped: 4 rows in, 2 rows out, 0 late, 0 bad, "), "{last}");
}
