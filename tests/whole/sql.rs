//! SQL programs over real files: what comes out, row for row.
//!
//! The windows are the cases that Flink was asked about: `s` has rows of two keys at 0, 1, 1.5, 2.5, 7 and 25 seconds.

use expect_test::{Expect, expect};
use millstream_tests::{run_manifest, sql_manifest};

const ROWS: &str = r#"{"k": "a", "v": 1, "ts": "1970-01-01 00:00:00", "tags": ["x", "y"]}
{"k": "a", "v": 2, "ts": "1970-01-01 00:00:01", "tags": []}
{"k": "b", "v": 3, "ts": "1970-01-01 00:00:01.5", "tags": null}
{"k": "a", "v": 4, "ts": "1970-01-01 00:00:02.5", "tags": ["z"]}
{"k": "a", "v": 5, "ts": "1970-01-01 00:00:07"}
{"k": "a", "v": 9, "ts": "1970-01-01 00:00:25"}
"#;

/// Runs `program` over the rows at parallelism 1 and 2; both print the same, sorted.
fn check(program: &str, expected: &Expect) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rows.json"), ROWS).unwrap();
    let source = format!(
        "CREATE TABLE s (k STRING, v INT, ts TIMESTAMP(3), tags ARRAY<STRING>, WATERMARK FOR ts AS ts) WITH (\n\
         'connector' = 'filesystem', 'path' = '{}/rows.json', 'format' = 'json');\n",
        folder.path().display()
    );
    let printed = |parallelism: u32| {
        let said = run_manifest(folder.path(), &sql_manifest("sql", parallelism, &format!("{source}{program}")));
        assert_eq!(said.code, 0, "{}", said.stderr);
        let row = |line: &str| line.split_once("> ").map_or(line, |(_, row)| row).to_owned();
        let mut lines: Vec<String> = said.stdout.lines().map(row).collect();
        lines.sort_unstable();
        lines.join("\n")
    };
    let one = printed(1);
    expected.assert_eq(&one);
    assert_eq!(one, printed(2), "at parallelism 2");
}

/// Sums `v` by key in the windows of `function`.
fn sums(function: &str, expected: &Expect) {
    let program = format!(
        "CREATE TABLE o (k STRING, n BIGINT, s TIMESTAMP(3), e TIMESTAMP(3)) WITH ('connector' = 'print');\n\
         INSERT INTO o SELECT k, SUM(v), window_start, window_end FROM TABLE({function})\n\
         GROUP BY window_start, window_end, k;"
    );
    check(&program, expected);
}

#[test]
fn tumbling_windows_sum_up_by_key() {
    sums(
        "TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '2' SECOND)",
        &expect![[r#"
        +I[a, 3, 1970-01-01T00:00, 1970-01-01T00:00:02]
        +I[a, 4, 1970-01-01T00:00:02, 1970-01-01T00:00:04]
        +I[a, 5, 1970-01-01T00:00:06, 1970-01-01T00:00:08]
        +I[a, 9, 1970-01-01T00:00:24, 1970-01-01T00:00:26]
        +I[b, 3, 1970-01-01T00:00, 1970-01-01T00:00:02]"#]],
    );
}

#[test]
fn hopping_windows_overlap() {
    sums(
        "HOP(TABLE s, DESCRIPTOR(ts), INTERVAL '1' SECOND, INTERVAL '3' SECOND)",
        &expect![[r#"
        +I[a, 1, 1969-12-31T23:59:58, 1970-01-01T00:00:01]
        +I[a, 3, 1969-12-31T23:59:59, 1970-01-01T00:00:02]
        +I[a, 4, 1970-01-01T00:00:02, 1970-01-01T00:00:05]
        +I[a, 5, 1970-01-01T00:00:05, 1970-01-01T00:00:08]
        +I[a, 5, 1970-01-01T00:00:06, 1970-01-01T00:00:09]
        +I[a, 5, 1970-01-01T00:00:07, 1970-01-01T00:00:10]
        +I[a, 6, 1970-01-01T00:00:01, 1970-01-01T00:00:04]
        +I[a, 7, 1970-01-01T00:00, 1970-01-01T00:00:03]
        +I[a, 9, 1970-01-01T00:00:23, 1970-01-01T00:00:26]
        +I[a, 9, 1970-01-01T00:00:24, 1970-01-01T00:00:27]
        +I[a, 9, 1970-01-01T00:00:25, 1970-01-01T00:00:28]
        +I[b, 3, 1969-12-31T23:59:59, 1970-01-01T00:00:02]
        +I[b, 3, 1970-01-01T00:00, 1970-01-01T00:00:03]
        +I[b, 3, 1970-01-01T00:00:01, 1970-01-01T00:00:04]"#]],
    );
}

#[test]
fn cumulating_windows_grow() {
    sums(
        "CUMULATE(TABLE s, DESCRIPTOR(ts), INTERVAL '1' SECOND, INTERVAL '3' SECOND)",
        &expect![[r#"
        +I[a, 1, 1970-01-01T00:00, 1970-01-01T00:00:01]
        +I[a, 3, 1970-01-01T00:00, 1970-01-01T00:00:02]
        +I[a, 5, 1970-01-01T00:00:06, 1970-01-01T00:00:08]
        +I[a, 5, 1970-01-01T00:00:06, 1970-01-01T00:00:09]
        +I[a, 7, 1970-01-01T00:00, 1970-01-01T00:00:03]
        +I[a, 9, 1970-01-01T00:00:24, 1970-01-01T00:00:26]
        +I[a, 9, 1970-01-01T00:00:24, 1970-01-01T00:00:27]
        +I[b, 3, 1970-01-01T00:00, 1970-01-01T00:00:02]
        +I[b, 3, 1970-01-01T00:00, 1970-01-01T00:00:03]"#]],
    );
}

#[test]
fn sessions_end_when_a_key_is_silent() {
    sums(
        "SESSION(TABLE s PARTITION BY k, DESCRIPTOR(ts), INTERVAL '2' SECOND)",
        &expect![[r#"
        +I[a, 5, 1970-01-01T00:00:07, 1970-01-01T00:00:09]
        +I[a, 7, 1970-01-01T00:00, 1970-01-01T00:00:04.500]
        +I[a, 9, 1970-01-01T00:00:25, 1970-01-01T00:00:27]
        +I[b, 3, 1970-01-01T00:00:01.500, 1970-01-01T00:00:03.500]"#]],
    );
}

#[test]
fn an_offset_shifts_windows() {
    sums(
        "TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '0.5' SECOND)",
        &expect![[r#"
        +I[a, 1, 1969-12-31T23:59:58.500, 1970-01-01T00:00:00.500]
        +I[a, 2, 1970-01-01T00:00:00.500, 1970-01-01T00:00:02.500]
        +I[a, 4, 1970-01-01T00:00:02.500, 1970-01-01T00:00:04.500]
        +I[a, 5, 1970-01-01T00:00:06.500, 1970-01-01T00:00:08.500]
        +I[a, 9, 1970-01-01T00:00:24.500, 1970-01-01T00:00:26.500]
        +I[b, 3, 1970-01-01T00:00:00.500, 1970-01-01T00:00:02.500]"#]],
    );
}

#[test]
fn grouping_sets_sum_up_by_key_and_altogether() {
    check(
        "CREATE TABLE o (k STRING, g BIGINT, n BIGINT, e TIMESTAMP(3)) WITH ('connector' = 'print');
         INSERT INTO o SELECT k, GROUPING(k), SUM(v), window_end FROM TABLE(TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '2' SECOND))
         GROUP BY window_start, window_end, GROUPING SETS ((k), ());",
        &expect![[r#"
            +I[a, 0, 3, 1970-01-01T00:00:02]
            +I[a, 0, 4, 1970-01-01T00:00:04]
            +I[a, 0, 5, 1970-01-01T00:00:08]
            +I[a, 0, 9, 1970-01-01T00:00:26]
            +I[b, 0, 3, 1970-01-01T00:00:02]
            +I[null, 1, 4, 1970-01-01T00:00:04]
            +I[null, 1, 5, 1970-01-01T00:00:08]
            +I[null, 1, 6, 1970-01-01T00:00:02]
            +I[null, 1, 9, 1970-01-01T00:00:26]"#]],
    );
}

#[test]
fn the_older_windows_are_the_same() {
    check(
        "CREATE TABLE o (k STRING, n BIGINT, s TIMESTAMP(3), t TIMESTAMP(3)) WITH ('connector' = 'print');
         INSERT INTO o SELECT k, COUNT(*), TUMBLE_START(ts, INTERVAL '2' SECOND), TUMBLE_ROWTIME(ts, INTERVAL '2' SECOND)
         FROM s WHERE v < 9 GROUP BY TUMBLE(ts, INTERVAL '2' SECOND), k HAVING SUM(v) >= 3;",
        &expect![[r#"
            +I[a, 1, 1970-01-01T00:00:02, 1970-01-01T00:00:03.999]
            +I[a, 1, 1970-01-01T00:00:06, 1970-01-01T00:00:07.999]
            +I[a, 2, 1970-01-01T00:00, 1970-01-01T00:00:01.999]
            +I[b, 1, 1970-01-01T00:00, 1970-01-01T00:00:01.999]"#]],
    );
}

#[test]
fn windows_over_windows_meet_again_and_cascade() {
    check(
        "CREATE TABLE o (what STRING, n BIGINT, e TIMESTAMP(3)) WITH ('connector' = 'print');
         CREATE VIEW sums AS SELECT window_start AS ws, window_end AS we, window_time AS wt, k, SUM(v) AS n
             FROM TABLE(TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '2' SECOND)) GROUP BY window_start, window_end, window_time, k;
         INSERT INTO o SELECT 'greatest', MAX(n), we FROM sums GROUP BY ws, we;
         INSERT INTO o SELECT 'by 10 s', SUM(n), window_end FROM TABLE(TUMBLE(TABLE sums, DESCRIPTOR(wt), INTERVAL '10' SECOND))
             GROUP BY window_start, window_end;",
        &expect![[r#"
            +I[by 10 s, 15, 1970-01-01T00:00:10]
            +I[by 10 s, 9, 1970-01-01T00:00:30]
            +I[greatest, 3, 1970-01-01T00:00:02]
            +I[greatest, 4, 1970-01-01T00:00:04]
            +I[greatest, 5, 1970-01-01T00:00:08]
            +I[greatest, 9, 1970-01-01T00:00:26]"#]],
    );
}

#[test]
fn a_window_function_alone_and_unnest_copy_rows() {
    check(
        "CREATE TABLE o (k STRING, v INT, e TIMESTAMP(3)) WITH ('connector' = 'print');
         INSERT INTO o SELECT k, v, window_end FROM TABLE(HOP(TABLE s, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '3' SECOND)) WHERE v < 5;
         INSERT INTO o (k, v) SELECT tag, v FROM s CROSS JOIN UNNEST(tags) AS u(tag);",
        &expect![[r#"
            +I[a, 1, 1970-01-01T00:00:01]
            +I[a, 1, 1970-01-01T00:00:03]
            +I[a, 2, 1970-01-01T00:00:03]
            +I[a, 4, 1970-01-01T00:00:03]
            +I[a, 4, 1970-01-01T00:00:05]
            +I[b, 3, 1970-01-01T00:00:03]
            +I[x, 1, null]
            +I[y, 1, null]
            +I[z, 4, null]"#]],
    );
}

#[test]
fn results_have_flinks_types_and_texts() {
    check(
        "CREATE TABLE o (a STRING, b INT, c INT, d DECIMAL(38, 6), e INT, f BIGINT, g STRING) WITH ('connector' = 'print');
         INSERT INTO o SELECT CAST(MIN(ts) AS STRING), AVG(v), SUM(v) FILTER (WHERE v > 100), AVG(CAST(v AS DECIMAL(10, 2))),
             MAX(v) / 2, COUNT(DISTINCT k), FIRST_VALUE(k)
         FROM TABLE(TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end;",
        &expect!["+I[1970-01-01 00:00:00.000, 4, null, 4.000000, 4, 2, a]"],
    );
}
