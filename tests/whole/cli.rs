//! The command line: what it prints and how it exits, over real files.

use std::fmt::Write as _;
use std::path::Path;

use expect_test::{Expect, expect};
use millstream_tests::{Said, lines_of_parts, millstream, project, run, run_manifest};

/// A manifest with these pipeline lines, indented as they stand below `pipeline:`.
fn manifest(head: &str, pipeline: &str) -> String {
    let mut text = format!(
        "apiVersion: millstream.dev/v1alpha1\nkind: StreamJob\nmetadata: {{name: test}}\nspec:\n{head}  program:\n    pipeline:\n"
    );
    for line in pipeline.lines() {
        let _ = writeln!(text, "      {line}");
    }
    text
}

/// Reads the JSON file `input` of the folder and prints it.
fn printing(folder: &Path, options: &str) -> String {
    manifest(
        "",
        &format!(
            "sources:\n  - name: in\n    connector: filesystem\n    format: json\n    options: {{path: {}/input.json{options}}}\n    \
             schema: [id BIGINT, at TIMESTAMP(3)]\nsinks:\n  - {{name: out, from: in, connector: print}}",
            folder.display()
        ),
    )
}

/// Runs `text` and compares exit code and stderr, the folder's name replaced.
fn refused(folder: &Path, text: &str, code: i32, expected: &Expect) {
    let said = run_manifest(folder, text);
    let stderr = said.stderr.replace(folder.to_str().unwrap(), "FOLDER");
    assert_eq!(said.code, code, "{stderr}");
    expected.assert_eq(&stderr);
}

fn example(name: &str) -> Said {
    run(millstream().args(["run", "--quiet"]).arg(project().join("examples").join(name)))
}

#[test]
fn the_dead_letters_example_prints_good_and_bad_rows() {
    let said = example("dead-letters/job.yaml");
    assert_eq!(said.code, 0, "{}", said.stderr);
    let printed = said.stdout.replace(project().to_str().unwrap(), "PROJECT");
    let mut lines: Vec<&str> = printed.lines().collect();
    lines.sort_unstable();
    expect![[r#"
        bad> +I[PROJECT/examples/dead-letters/orders.json, 2, column `amount`: `many` is not a DECIMAL(10, 2), {"id": 2, "amount": "many"}]
        bad> +I[PROJECT/examples/dead-letters/orders.json, 4, not a JSON object: expected no bare control character inside a text at position 15, found `\n`, {"id": 4, "amou]
        good> +I[1, 20.50]
        good> +I[3, 7.00]
        good> +I[5, 1.25]"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn the_count_windows_example_gives_a_result_after_every_second_row_of_a_key() {
    let said = example("count-windows/job.yaml");
    assert_eq!(said.code, 0, "{}", said.stderr);
    let mut lines: Vec<&str> = said.stdout.lines().collect();
    lines.sort_unstable();
    expect![[r#"
        +I[0, 2, 6]
        +I[0, 4, 20]
        +I[0, 4, 36]
        +I[1, 2, 4]
        +I[1, 4, 16]
        +I[1, 4, 32]"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn a_missing_manifest_is_refused() {
    let said = run(millstream().args(["run", "no-such-file.yaml"]));
    assert_eq!(said.code, 2);
    expect![[r#"
        error: cannot read the manifest no-such-file.yaml: No such file or directory (os error 2)
    "#]]
    .assert_eq(&said.stderr);
}

#[test]
fn an_unknown_field_is_refused_with_its_path_its_line_and_the_nearest_name() {
    let folder = tempfile::tempdir().unwrap();
    let text = printing(folder.path(), "").replace("spec:\n", "spec:\n  paralelism: 2\n");
    refused(
        folder.path(),
        &text,
        2,
        &expect![[r#"
        error: FOLDER/job.yaml: line 5, column 3: spec.paralelism: unknown field; did you mean `parallelism`?
    "#]],
    );
}

#[test]
fn parallelism_out_of_range_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (head, expected) in [
        (
            "  parallelism: 0\n",
            expect![[r#"
            error: FOLDER/job.yaml: line 5, column 16: spec.parallelism: expected a whole number from 1 to 32768, found the number 0
        "#]],
        ),
        (
            "  parallelism: 9\n  maxParallelism: 8\n",
            expect![[r#"
            error: FOLDER/job.yaml: line 5, column 16: spec.parallelism: the parallelism 9 is above the job's maxParallelism, 8: there are not enough key groups for so many subtasks
        "#]],
        ),
    ] {
        let text = printing(folder.path(), "").replace("spec:\n", &format!("spec:\n{head}"));
        refused(folder.path(), &text, 2, &expected);
    }
}

#[test]
fn a_missing_file_and_an_empty_pattern_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    refused(
        folder.path(),
        &printing(folder.path(), ""),
        2,
        &expect![[r#"
        error: FOLDER/job.yaml: `Source: in`: the option 'path': `FOLDER/input.json` does not exist
    "#]],
    );
    let text = printing(folder.path(), "").replace("input.json", "*.json");
    refused(
        folder.path(),
        &text,
        2,
        &expect![[r#"
        error: FOLDER/job.yaml: `Source: in`: the option 'path': no file matches `FOLDER/*.json`
    "#]],
    );
}

#[test]
fn a_row_that_cannot_be_decoded_fails_the_job_with_its_place_and_its_text() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("input.json"), "{\"id\": 1}\n{\"id\": 2, \"at\": \"yesterday\"}\n").unwrap();
    refused(
        folder.path(),
        &printing(folder.path(), ""),
        1,
        &expect![[r#"
        error: task `Source: in -> Sink: out` (1/1) failed: `FOLDER/input.json`, row 2: column `at`: `yesterday` is not a TIMESTAMP(3) (it should look like 2020-01-31 12:30:59.123, with a T for the blank if the format's timestamps are ISO-8601); the row is `{"id": 2, "at": "yesterday"}`; set 'scan.bad-rows' to 'skip' or 'deadLetter' to go on without such rows
    "#]],
    );
}

#[test]
fn results_of_a_job_that_fails_are_not_visible() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("input.json"), "{\"id\": 1}\n{\"id\": \"x\"}\n").unwrap();
    let out = folder.path().join("out");
    let sink = format!("connector: filesystem, format: csv, options: {{path: {}}}", out.display());
    let text = printing(folder.path(), "").replace("connector: print", &sink);
    assert_eq!(run_manifest(folder.path(), &text).code, 1);
    let visible = if out.exists() { lines_of_parts(&out) } else { Vec::new() };
    assert_eq!(visible, Vec::<String>::new());
}
