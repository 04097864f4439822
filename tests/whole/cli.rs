//! The command line: what it prints and how it exits, over real files.

use expect_test::expect;
use millstream_tests::{Said, millstream, project, run};

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
