//! Every example gives what it gives in one process, on one, two and three workers.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;

use millstream_api::JobState;
use millstream_tests::cluster::Cluster;
use millstream_tests::{lines_of_parts, millstream, project, run, wait_until};

/// The examples that end by themselves: all but the one that reads a socket, which has a test of its own.
const EXAMPLES: [&str; 6] = [
    "count-windows/job.yaml",
    "dead-letters/job.yaml",
    "flights/job.yaml",
    "flights/late.yaml",
    "word-count/job.yaml",
    "word-count/sql.yaml",
];

/// An example's manifest with its results in `out` instead of the project's folder, at parallelism 3.
fn manifest(example: &str, out: &Path) -> String {
    let text = std::fs::read_to_string(project().join("examples").join(example)).unwrap();
    let text = text.replace("target/", &format!("{}/", out.display()));
    match text.contains("parallelism: ") {
        true => text.replace("parallelism: 2", "parallelism: 3"),
        false => text.replacen("spec:\n", "spec:\n  parallelism: 3\n", 1),
    }
}

/// What was printed, without the subtask, and what was written; sorted.
fn results(printed: &[String], out: &Path) -> Vec<String> {
    let mut rows: Vec<String> =
        printed.iter().map(|line| line.split_once("> ").map_or(line.as_str(), |(_, row)| row).to_owned()).collect();
    rows.sort();
    rows.extend(lines_of_parts(out));
    rows
}

#[test]
fn examples_give_the_same_on_one_two_and_three_workers_as_in_one_process() {
    for example in EXAMPLES {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("job.yaml");
        std::fs::write(&path, manifest(example, folder.path())).unwrap();
        let said = run(millstream().arg("run").arg("--quiet").arg(&path));
        assert_eq!(said.code, 0, "{example}: {}", said.stderr);
        let printed: Vec<String> = said.stdout.lines().map(str::to_owned).collect();
        let expected = results(&printed, folder.path());
        assert!(!expected.is_empty(), "{example} gives something");
        for workers in [1, 2, 3] {
            let mut cluster = Cluster::start(workers, 3 / workers + u32::from(workers == 2));
            let out = cluster.path("out");
            std::fs::create_dir_all(&out).unwrap();
            cluster.run(&manifest(example, &out));
            let found = results(&cluster.end_workers(), &out);
            let differs = found.iter().zip(&expected).find(|(found, expected)| found != expected);
            assert_eq!(differs, None, "{example} on {workers} workers");
            assert_eq!(found.len(), expected.len(), "{example} on {workers} workers");
        }
    }
}

/// How often each word was counted, over all windows and subtasks.
fn counted(printed: &[String]) -> BTreeMap<String, u32> {
    let mut words = BTreeMap::new();
    for line in printed {
        // 2> +I[word, 2026-01-01T00:00, 2026-01-01T00:01, 2]
        let row = line.split_once("> ").map_or(line.as_str(), |(_, row)| row);
        let cells: Vec<&str> = row.trim_start_matches("+I[").trim_end_matches(']').split(", ").collect();
        *words.entry(cells[0].to_owned()).or_default() += cells[3].parse::<u32>().unwrap();
    }
    words
}

#[test]
fn words_that_come_over_a_socket_are_counted_on_one_two_and_three_workers() {
    let example = std::fs::read_to_string(project().join("examples/word-count/socket.yaml")).unwrap();
    let words = "to be or not to be that is the question";
    for workers in [1, 2, 3] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let manifest = example
            .replace("port: 9999", &format!("port: {}", listener.local_addr().unwrap().port()))
            .replace("size: 1min", "size: 100ms")
            .replacen("spec:\n", "spec:\n  parallelism: 3\n", 1);
        let cluster = RefCell::new(Cluster::start(workers, 3 / workers + u32::from(workers == 2)));
        let id = cluster.borrow().submit(&manifest);
        let (mut connection, _) = listener.accept().unwrap();
        writeln!(connection, "{words}").unwrap();
        // Windows of the wall clock give no result when the input ends before they do.
        wait_until(|| counted(&cluster.borrow_mut().printed_so_far()).values().sum::<u32>() == 10);
        drop(connection);
        cluster.borrow().wait_for(&id, JobState::Finished);
        let mut expected = BTreeMap::new();
        words.split(' ').for_each(|word| *expected.entry(word.to_owned()).or_default() += 1);
        assert_eq!(counted(&cluster.borrow_mut().printed_so_far()), expected, "on {workers} workers");
    }
}
