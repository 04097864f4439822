//! Every example gives what it gives in one process, on one, two and three workers.

use std::path::Path;

use millstream_tests::cluster::Cluster;
use millstream_tests::{lines_of_parts, millstream, project, run};

/// The examples that end by themselves: all but the one that reads a socket.
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
