//! The examples: what they print, and their plans.

use std::path::Path;

use expect_test::{expect, expect_file};
use millstream_tests::{millstream, project};

/// Every manifest under `examples/`, by path, sorted.
fn manifests(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| if path.is_dir() { manifests(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    found.sort();
    found
}

fn said(arguments: &[&str]) -> String {
    let output = millstream().args(arguments).current_dir(project()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What `print` wrote, sorted, without the subtask.
fn rows(manifest: &str) -> String {
    let stdout = said(&["run", manifest]);
    let mut rows: Vec<&str> = stdout.lines().map(|line| line.split_once("> ").map_or(line, |(_, row)| row)).collect();
    rows.sort_unstable();
    rows.join("\n")
}

/// The ids of operators are where the state of a running job is found again: a plan that changes them loses it.
#[test]
fn the_plans_and_operator_ids_of_all_examples_stay_what_they_are() {
    let project = project();
    let found = manifests(&project.join("examples"));
    assert!(!found.is_empty());
    for manifest in found {
        let name = manifest.strip_prefix(&project).unwrap().to_str().unwrap().to_owned();
        let plan = said(&["explain", &name]);
        let file = format!("{}.txt", name.trim_start_matches("examples/").trim_end_matches(".yaml").replace('/', "-"));
        expect_file![project.join("tests/whole/plans").join(file)].assert_eq(&plan);
    }
}

#[test]
fn words_are_counted_until_the_text_ends() {
    expect![[r#"
        +I[by, 1]
        +I[mill, 3]
        +I[no, 2]
        +I[stream, 3]
        +I[the, 4]
        +I[turns, 2]"#]]
    .assert_eq(&rows("examples/word-count/job.yaml"));
}

#[test]
fn words_are_counted_in_sql_by_windows_of_two_seconds() {
    expect![[r#"
        +I[by, 1, 2026-01-01T00:00:02]
        +I[mill, 1, 2026-01-01T00:00:04]
        +I[mill, 2, 2026-01-01T00:00:02]
        +I[no, 2, 2026-01-01T00:00:04]
        +I[stream, 1, 2026-01-01T00:00:04]
        +I[stream, 2, 2026-01-01T00:00:02]
        +I[the, 4, 2026-01-01T00:00:02]
        +I[turns, 2, 2026-01-01T00:00:02]"#]]
    .assert_eq(&rows("examples/word-count/sql.yaml"));
}

#[test]
fn the_benchmark_counts_the_same_words() {
    let counted = |parallelism: &str| {
        let said = said(&["bench", "words", "--from", "examples/word-count/text.txt", "--parallelism", parallelism]);
        assert!(said.contains("words: parallelism") && said.contains(" 3 events"), "{said}");
        let figures = said.lines().filter(|line| line.contains("result rows") || line.contains("checksum"));
        figures.collect::<Vec<_>>().join("\n")
    };
    let one = counted("1");
    assert!(one.lines().any(|line| line.split_whitespace().eq(["result", "rows", "6"])), "{one}");
    assert_eq!(one, counted("2"), "at parallelism 2");
}
