//! The word count over a socket, with the test as the server.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use expect_test::expect;
use millstream_tests::{Running, millstream, project};

/// How often each word was counted, over all windows.
fn counts(lines: &[String]) -> BTreeMap<&str, u32> {
    let mut counts = BTreeMap::new();
    for line in lines {
        // +I[word, 2026-01-01T00:00, 2026-01-01T00:01, 2]
        let cells: Vec<&str> = line.trim_start_matches("+I[").trim_end_matches(']').split(", ").collect();
        *counts.entry(cells[0]).or_default() += cells[3].parse::<u32>().unwrap();
    }
    counts
}

/// The example, which reads from `listener` and counts by windows of `size`.
fn word_count(folder: &Path, listener: &TcpListener, size: &str) -> Command {
    let port = listener.local_addr().unwrap().port();
    let example = std::fs::read_to_string(project().join("examples/word-count/socket.yaml")).unwrap();
    assert!(example.contains("port: 9999") && example.contains("size: 1min"), "the example is as this test knows it");
    let manifest =
        example.replace("port: 9999", &format!("port: {port}")).replace("size: 1min", &format!("size: {size}"));
    std::fs::write(folder.join("job.yaml"), manifest).unwrap();
    let mut command = millstream();
    command.arg("run").arg(folder.join("job.yaml"));
    command
}

#[test]
fn words_that_come_over_a_socket_are_counted_by_the_wall_clock() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut running = Running::start(&mut word_count(folder.path(), &listener, "100ms"));
    let (mut connection, _) = listener.accept().unwrap();
    connection.write_all(b"to be or\nnot to be").unwrap();
    connection.write_all(b" that is\nthe question\n").unwrap();
    running.stdout.wait_until(|lines| counts(lines).values().sum::<u32>() == 10);
    drop(connection);
    let said = running.end();
    assert_eq!(said.code, 0, "{}", said.stderr);
    let lines: Vec<String> = said.stdout.lines().map(str::to_owned).collect();
    expect![[r#"
        {
            "be": 2,
            "is": 1,
            "not": 1,
            "or": 1,
            "question": 1,
            "that": 1,
            "the": 1,
            "to": 2,
        }
    "#]]
    .assert_debug_eq(&counts(&lines));
}

#[test]
fn windows_of_the_wall_clock_that_the_end_of_input_leaves_open_are_said() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut running = Running::start(&mut word_count(folder.path(), &listener, "1000d"));
    let (mut connection, _) = listener.accept().unwrap();
    connection.write_all(b"to be\n").unwrap();
    drop(connection);
    running.stderr.wait_until(|lines| lines.iter().any(|line| line.contains("were still open at the end")));
    let said = running.end();
    assert_eq!((said.code, said.stdout.as_str()), (0, ""), "{}", said.stderr);
}
