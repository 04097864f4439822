//! Rows that cannot be read, one by one: by each policy all others arrive, and the bad ones are told, counted or kept.

use std::fmt::Write as _;
use std::path::Path;

use expect_test::{Expect, expect};
use millstream_tests::{pipeline_manifest, run_in, sql_manifest};

/// A file with a row that is bad, between two that are good.
struct Middle {
    name: &'static str,
    format: &'static str,
    rows: [Vec<u8>; 3],
}

impl Middle {
    fn write(&self, folder: &Path) {
        let mut bytes = self.rows.join(&b'\n');
        bytes.push(b'\n');
        std::fs::write(folder.join(self.name), bytes).unwrap();
    }

    /// Reads the file and prints its rows and the bad ones, by `policy`.
    fn job(&self, policy: &str) -> String {
        let schema = if self.format == "raw" { "[line STRING]" } else { "[id BIGINT, at TIMESTAMP(3)]" };
        let time = if self.format == "raw" { "" } else { "\n    eventTime: {column: at}" };
        let dead = if policy == "deadLetter" { "\n    deadLetterOutput: broken" } else { "" };
        let mut text = format!(
            "\
sources:
  - name: in
    connector: filesystem
    format: {}
    options: {{path: FOLDER/{}}}
    schema: {schema}
    badRows: {policy}{time}{dead}
sinks:
  - {{name: out, from: in, connector: print}}
",
            self.format, self.name
        );
        if policy == "deadLetter" {
            text.push_str("  - {name: bad, from: broken, connector: print, options: {print-identifier: bad}}\n");
        }
        pipeline_manifest(&text)
    }

    /// What comes of it by each policy: the exit code, what is printed, and what is said, without the time it took.
    fn outcomes(&self) -> String {
        let folder = tempfile::tempdir().unwrap();
        self.write(folder.path());
        let mut all = format!("{}\n", self.name);
        for policy in ["fail", "skip", "deadLetter"] {
            let said = run_in(folder.path(), &self.job(policy));
            let _ = writeln!(all, "  {policy}: {}", said.code);
            let mut printed: Vec<&str> = said.stdout.lines().collect();
            printed.sort_unstable();
            for line in printed.into_iter().chain(said.stderr.lines()) {
                let _ = writeln!(all, "    {}", shortened(line));
            }
        }
        all
    }
}

/// Without the seconds at the end of the last word, and with many `x` as few.
fn shortened(line: &str) -> String {
    let line = match line.rsplit_once(" bad, ") {
        Some((before, _)) => format!("{before} bad"),
        None => line.to_owned(),
    };
    match line.split_once("xxxx") {
        Some((before, rest)) => format!("{before}xxxx{}", rest.trim_start_matches('x')),
        None => line,
    }
}

const GOOD: [&[u8]; 2] = [br#"{"id": 1, "at": "2026-01-01 00:00:01"}"#, br#"{"id": 3, "at": "2026-01-01 00:00:03"}"#];
const GOOD_CSV: [&[u8]; 2] = [b"1,2026-01-01 00:00:01", b"3,2026-01-01 00:00:03"];

fn json(name: &'static str, bad: &[u8]) -> Middle {
    Middle { name, format: "json", rows: [GOOD[0], bad, GOOD[1]].map(<[u8]>::to_vec) }
}

fn csv(name: &'static str, bad: &[u8]) -> Middle {
    Middle { name, format: "csv", rows: [GOOD_CSV[0], bad, GOOD_CSV[1]].map(<[u8]>::to_vec) }
}

fn raw(name: &'static str, bad: &[u8]) -> Middle {
    Middle { name, format: "raw", rows: [b"one", bad, b"three"].map(<[u8]>::to_vec) }
}

fn outcomes(files: &[Middle], expected: &Expect) {
    expected.assert_eq(&files.iter().map(Middle::outcomes).collect::<String>());
}

#[test]
fn bytes_that_are_no_text_are_one_bad_row() {
    outcomes(
        &[
            json("bytes.json", b"{\"id\": 2, \"at\": \"\xff\xfe\"}"),
            csv("bytes.csv", b"2,\xff\xfe"),
            raw("bytes.txt", b"tw\xff"),
        ],
        &expect![[r#"
            bytes.json
              fail: 1
                failed: 0 rows in, 0 rows out, 0 late, 0 bad
                error: task `Source: in -> Sink: out` (1/1) failed: `FOLDER/bytes.json`, row 2: the byte 0xff at position 17 is not UTF-8; the row is `{"id": 2, "at": "��"}`; set 'scan.bad-rows' (`badRows` in a pipeline) to 'skip' or 'deadLetter' to go on without such rows
              skip: 0
                +I[1, 2026-01-01T00:00:01]
                +I[3, 2026-01-01T00:00:03]
                finished: 2 rows in, 2 rows out, 0 late, 1 bad
              deadLetter: 0
                +I[1, 2026-01-01T00:00:01]
                +I[3, 2026-01-01T00:00:03]
                bad> +I[FOLDER/bytes.json, 2, the byte 0xff at position 17 is not UTF-8, {"id": 2, "at": "��"}]
                finished: 2 rows in, 3 rows out, 0 late, 1 bad
            bytes.csv
              fail: 1
                failed: 0 rows in, 0 rows out, 0 late, 0 bad
                error: task `Source: in -> Sink: out` (1/1) failed: `FOLDER/bytes.csv`, row 2: the byte 0xff at position 2 is not UTF-8; the row is `2,��`; set 'scan.bad-rows' (`badRows` in a pipeline) to 'skip' or 'deadLetter' to go on without such rows
              skip: 0
                +I[1, 2026-01-01T00:00:01]
                +I[3, 2026-01-01T00:00:03]
                finished: 2 rows in, 2 rows out, 0 late, 1 bad
              deadLetter: 0
                +I[1, 2026-01-01T00:00:01]
                +I[3, 2026-01-01T00:00:03]
                bad> +I[FOLDER/bytes.csv, 2, the byte 0xff at position 2 is not UTF-8, 2,��]
                finished: 2 rows in, 3 rows out, 0 late, 1 bad
            bytes.txt
              fail: 1
                failed: 0 rows in, 0 rows out, 0 late, 0 bad
                error: task `Source: in -> Sink: out` (1/1) failed: `FOLDER/bytes.txt`, row 2: the byte 0xff at position 2 is not UTF-8; the row is `tw�`; set 'scan.bad-rows' (`badRows` in a pipeline) to 'skip' or 'deadLetter' to go on without such rows
              skip: 0
                +I[one]
                +I[three]
                finished: 2 rows in, 2 rows out, 0 late, 1 bad
              deadLetter: 0
                +I[one]
                +I[three]
                bad> +I[FOLDER/bytes.txt, 2, the byte 0xff at position 2 is not UTF-8, tw�]
                finished: 2 rows in, 3 rows out, 0 late, 1 bad
        "#]],
    );
}

#[test]
fn times_that_are_none_are_bad_rows() {
    outcomes(
        &[
            json("word.json", br#"{"id": 2, "at": "yesterday"}"#),
            csv("word.csv", b"2,yesterday"),
            json("day.json", br#"{"id": 2, "at": "2026-02-30 00:00:00"}"#),
            // The last millisecond that 64 bits can count, and the first.
            json("last.json", br#"{"id": 2, "at": "292278994-08-17 07:12:55.807"}"#),
            json("first.json", br#"{"id": 2, "at": "-292275055-05-16 16:47:04.192"}"#),
        ],
        &expect![[r#"
            word.json
              fail: 1
                failed: 0 rows in, 0 rows out, 0 late, 0 bad
                error: task `Source: in -> Sink: out` (1/1) failed: `FOLDER/word.json`, row 2: column `at`: `yesterday` is not a TIMESTAMP(3) (it should look like 2020-01-31 12:30:59.123, with a T for the blank if the format's timestamps are ISO-8601); the row is `{"id": 2, "at": "yesterday"}`; set 'scan.bad-rows' (`badRows` in a pipeline) to 'skip' or 'deadLetter' to go on without such rows
              skip: 0
                +I[1, 2026-01-01T00:00:01]
                +I[3, 2026-01-01T00:00:03]
                finished: 2 rows in, 2 rows out, 0 late, 1 bad
              deadLetter: 0
                +I[1, 2026-01-01T00:00:01]
                +I[3, 2026-01-01T00:00:03]
                bad> +I[FOLDER/word.json, 2, column `at`: `yesterday` is not a TIMESTAMP(3) (it should look like 2020-01-31 12:30:59.123, with a T for the blank if the format's timestamps are ISO-8601), {"id": 2, "at": "yesterday"}]
                finished: 2 rows in, 3 rows out, 0 late, 1 bad
            word.csv
              fail: 1
                failed: 0 rows in, 0 rows out, 0 late, 0 bad
                error: task `Source: in -> Sink: out` (1/1) failed: `FOLDER/word.csv`, row 2: column `at`: `yesterday` is not a TIMESTAMP(3) (it should look like 2020-01-31 12:30:59.123, with a T for the blank if the format's timestamps are ISO-8601); the row is `2,yesterday`; set 'scan.bad-rows' (`badRows` in a pipeline) to 'skip' or 'deadLetter' to go on without such rows
              skip: 0
                +I[1, 2026-01-01T00:00:01]
                +I[3, 2026-01-01T00:00:03]
                finished: 2 rows in, 2 rows out, 0 late, 1 bad
              deadLetter: 0
                +I[1, 2026-01-01T00:00:01]
                +I[3, 2026-01-01T00:00:03]
                bad> +I[FOLDER/word.csv, 2, column `at`: `yesterday` is not a TIMESTAMP(3) (it should look like 2020-01-31 12:30:59.123, with a T for the blank if the format's timestamps are ISO-8601), 2,yesterday]
                finished: 2 rows in, 3 rows out, 0 late, 1 bad
            day.json
              fail: 1
                failed: 0 rows in, 0 rows out, 0 late, 0 bad
                error: task `Source: in -> Sink: out` (1/1) failed: `FOLDER/day.json`, row 2: column `at`: `2026-02-30 00:00:00` is not a TIMESTAMP(3) (it should look like 2020-01-31 12:30:59.123, with a T for the blank if the format's timestamps are ISO-8601); the row is `{"id": 2, "at": "2026-02-30 00:00:00"}`; set 'scan.bad-rows' (`badRows` in a pipeline) to 'skip' or 'deadLetter' to go on without such rows
              skip: 0
                +I[1, 2026-01-01T00:00:01]
                +I[3, 2026-01-01T00:00:03]
                finished: 2 rows in, 2 rows out, 0 late, 1 bad
              deadLetter: 0
                +I[1, 2026-01-01T00:00:01]
                +I[3, 2026-01-01T00:00:03]
                bad> +I[FOLDER/day.json, 2, column `at`: `2026-02-30 00:00:00` is not a TIMESTAMP(3) (it should look like 2020-01-31 12:30:59.123, with a T for the blank if the format's timestamps are ISO-8601), {"id": 2, "at": "2026-02-30 00:00:00"}]
                finished: 2 rows in, 3 rows out, 0 late, 1 bad
            last.json
              fail: 1
                failed: 0 rows in, 0 rows out, 0 late, 0 bad
                error: task `Source: in -> Sink: out` (1/1) failed: `FOLDER/last.json`, row 2: column `at`: `292278994-08-17 07:12:55.807` is not a TIMESTAMP(3) (it should look like 2020-01-31 12:30:59.123, with a T for the blank if the format's timestamps are ISO-8601); the row is `{"id": 2, "at": "292278994-08-17 07:12:55.807"}`; set 'scan.bad-rows' (`badRows` in a pipeline) to 'skip' or 'deadLetter' to go on without such rows
              skip: 0
                +I[1, 2026-01-01T00:00:01]
                +I[3, 2026-01-01T00:00:03]
                finished: 2 rows in, 2 rows out, 0 late, 1 bad
              deadLetter: 0
                +I[1, 2026-01-01T00:00:01]
                +I[3, 2026-01-01T00:00:03]
                bad> +I[FOLDER/last.json, 2, column `at`: `292278994-08-17 07:12:55.807` is not a TIMESTAMP(3) (it should look like 2020-01-31 12:30:59.123, with a T for the blank if the format's timestamps are ISO-8601), {"id": 2, "at": "292278994-08-17 07:12:55.807"}]
                finished: 2 rows in, 3 rows out, 0 late, 1 bad
            first.json
              fail: 1
                failed: 0 rows in, 0 rows out, 0 late, 0 bad
                error: task `Source: in -> Sink: out` (1/1) failed: `FOLDER/first.json`, row 2: column `at`: `-292275055-05-16 16:47:04.192` is not a TIMESTAMP(3) (it should look like 2020-01-31 12:30:59.123, with a T for the blank if the format's timestamps are ISO-8601); the row is `{"id": 2, "at": "-292275055-05-16 16:47:04.192"}`; set 'scan.bad-rows' (`badRows` in a pipeline) to 'skip' or 'deadLetter' to go on without such rows
              skip: 0
                +I[1, 2026-01-01T00:00:01]
                +I[3, 2026-01-01T00:00:03]
                finished: 2 rows in, 2 rows out, 0 late, 1 bad
              deadLetter: 0
                +I[1, 2026-01-01T00:00:01]
                +I[3, 2026-01-01T00:00:03]
                bad> +I[FOLDER/first.json, 2, column `at`: `-292275055-05-16 16:47:04.192` is not a TIMESTAMP(3) (it should look like 2020-01-31 12:30:59.123, with a T for the blank if the format's timestamps are ISO-8601), {"id": 2, "at": "-292275055-05-16 16:47:04.192"}]
                finished: 2 rows in, 3 rows out, 0 late, 1 bad
        "#]],
    );
}

#[test]
fn rows_without_a_time_are_bad_rows() {
    outcomes(
        &[json("null.json", br#"{"id": 2, "at": null}"#), json("absent.json", br#"{"id": 2}"#)],
        &expect![[r#"
            null.json
              fail: 1
                failed: 0 rows in, 0 rows out, 0 late, 0 bad
                error: task `Source: in -> Sink: out` (1/1) failed: `FOLDER/null.json`, row 2: the row has no event time: `at` is null; the row is `{"id": 2, "at": null}`; set 'scan.bad-rows' (`badRows` in a pipeline) to 'skip' or 'deadLetter' to go on without such rows
              skip: 0
                +I[1, 2026-01-01T00:00:01]
                +I[3, 2026-01-01T00:00:03]
                finished: 2 rows in, 2 rows out, 0 late, 1 bad
              deadLetter: 0
                +I[1, 2026-01-01T00:00:01]
                +I[3, 2026-01-01T00:00:03]
                bad> +I[FOLDER/null.json, 2, the row has no event time: `at` is null, {"id": 2, "at": null}]
                finished: 2 rows in, 3 rows out, 0 late, 1 bad
            absent.json
              fail: 1
                failed: 0 rows in, 0 rows out, 0 late, 0 bad
                error: task `Source: in -> Sink: out` (1/1) failed: `FOLDER/absent.json`, row 2: the row has no event time: `at` is missing; the row is `{"id": 2}`; set 'scan.bad-rows' (`badRows` in a pipeline) to 'skip' or 'deadLetter' to go on without such rows
              skip: 0
                +I[1, 2026-01-01T00:00:01]
                +I[3, 2026-01-01T00:00:03]
                finished: 2 rows in, 2 rows out, 0 late, 1 bad
              deadLetter: 0
                +I[1, 2026-01-01T00:00:01]
                +I[3, 2026-01-01T00:00:03]
                bad> +I[FOLDER/absent.json, 2, the row has no event time: `at` is missing, {"id": 2}]
                finished: 2 rows in, 3 rows out, 0 late, 1 bad
        "#]],
    );
}

/// Prints the rows of a table whose time is `time`, and the bad ones.
fn timed(columns: &str, time: &str, with: &str, condition: &str) -> String {
    let program = format!(
        "CREATE TABLE rows_ (id BIGINT, {columns}, WATERMARK FOR {time} AS {time} - INTERVAL '1' SECOND) {with}
             'connector' = 'filesystem', 'scan.bad-rows' = 'deadLetter', 'scan.bad-rows.dead-letter-table' = 'broken');
         CREATE TABLE broken (split STRING, `row` BIGINT, reason STRING, raw STRING)
             WITH ('connector' = 'print', 'print-identifier' = 'bad');
         CREATE TABLE out (id BIGINT) WITH ('connector' = 'print');
         INSERT INTO out SELECT id FROM rows_ WHERE {condition};"
    );
    sql_manifest("timed", 1, &program)
}

#[test]
fn times_that_are_computed_or_not_in_the_text_are_looked_for_too() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let rows = "{\"id\": 1, \"at\": \"2026-01-01 00:00:01\"}\n{\"id\": 2, \"at\": \"tomorrow\"}\n\
                {\"id\": \"3\", \"at\": null}\n{\"id\": \"four\"}\n{\"id\": 5, \"at\": \"2026-01-01 00:00:05\"}\n";
    write("rows.json", rows);
    write("days/day=2026-01-01/rows.json", "{\"id\": 1}\n");
    write("days/day=__HIVE_DEFAULT_PARTITION__/rows.json", "{\"id\": 2}\n");
    let to_parquet = "CREATE TABLE rows_ (id BIGINT, at STRING)
            WITH ('connector' = 'filesystem', 'path' = 'FOLDER/rows.json', 'format' = 'json', 'scan.bad-rows' = 'skip');
        CREATE TABLE copy (id BIGINT, at TIMESTAMP(3)) PARTITIONED BY (id)
            WITH ('connector' = 'filesystem', 'path' = 'FOLDER/parquet', 'format' = 'parquet');
        INSERT INTO copy SELECT id, TO_TIMESTAMP(at) FROM rows_;";
    let copied = run_in(folder.path(), &sql_manifest("copy", 1, to_parquet));
    assert_eq!(copied.code, 0, "{}", copied.stderr);
    let text = "WITH ('path' = 'FOLDER/rows.json', 'format' = 'json',";
    let ignoring = "WITH ('path' = 'FOLDER/rows.json', 'format' = 'json', 'json.ignore-parse-errors' = 'true',";
    let days = "PARTITIONED BY (`day`) WITH ('path' = 'FOLDER/days', 'format' = 'json',";
    let parquet = "PARTITIONED BY (id) WITH ('path' = 'FOLDER/parquet', 'format' = 'parquet',";
    let mut all = String::new();
    for (columns, time, with, condition) in [
        ("at STRING, ts AS TO_TIMESTAMP(at)", "ts", text, "TRUE"),
        // The decoder leaves out rows, and their times are still looked at.
        ("at STRING, ts AS TO_TIMESTAMP(at)", "ts", text, "id = 5"),
        ("at STRING, ts AS CAST(at AS TIMESTAMP(3))", "ts", text, "TRUE"),
        // Where what cannot be parsed is null.
        ("at TIMESTAMP(3)", "at", ignoring, "TRUE"),
        ("`day` STRING, ts AS TO_TIMESTAMP(`day` || ' 12:00:00')", "ts", days, "TRUE"),
        ("at TIMESTAMP(3)", "at", parquet, "TRUE"),
    ] {
        let said = run_in(folder.path(), &timed(columns, time, with, condition));
        let mut lines: Vec<String> = said.stdout.lines().map(without_attempt).collect();
        lines.sort_unstable();
        let _ = writeln!(
            all,
            "{columns} WHERE {condition}: {}\n  {}\n{}",
            said.code,
            lines.join("\n  "),
            shortened(said.stderr.trim_end())
        );
    }
    expect![[r#"
        at STRING, ts AS TO_TIMESTAMP(at) WHERE TRUE: 0
          +I[1]
          +I[5]
          bad> +I[FOLDER/rows.json, 2, the row has no event time: `ts` is null, {"id": 2, "at": "tomorrow"}]
          bad> +I[FOLDER/rows.json, 3, the row has no event time: `ts` is null, {"id": "3", "at": null}]
          bad> +I[FOLDER/rows.json, 4, column `id`: `four` is not a BIGINT, {"id": "four"}]
        finished: 2 rows in, 5 rows out, 0 late, 3 bad
        at STRING, ts AS TO_TIMESTAMP(at) WHERE id = 5: 0
          +I[5]
          bad> +I[FOLDER/rows.json, 2, the row has no event time: `ts` is null, {"id": 2, "at": "tomorrow"}]
          bad> +I[FOLDER/rows.json, 3, the row has no event time: `ts` is null, {"id": "3", "at": null}]
          bad> +I[FOLDER/rows.json, 4, column `id`: `four` is not a BIGINT, {"id": "four"}]
        finished: 1 rows in, 4 rows out, 0 late, 3 bad
        at STRING, ts AS CAST(at AS TIMESTAMP(3)) WHERE TRUE: 0
          +I[1]
          +I[5]
          bad> +I[FOLDER/rows.json, 2, column `ts`: cannot cast 'tomorrow' to TIMESTAMP(3): use TRY_CAST to get NULL instead, {"id": 2, "at": "tomorrow"}]
          bad> +I[FOLDER/rows.json, 3, the row has no event time: `ts` is null, {"id": "3", "at": null}]
          bad> +I[FOLDER/rows.json, 4, column `id`: `four` is not a BIGINT, {"id": "four"}]
        finished: 2 rows in, 5 rows out, 0 late, 3 bad
        at TIMESTAMP(3) WHERE TRUE: 0
          +I[1]
          +I[5]
          bad> +I[FOLDER/rows.json, 2, column `at`: `tomorrow` is not a TIMESTAMP(3) (it should look like 2020-01-31 12:30:59.123, with a T for the blank if the format's timestamps are ISO-8601), {"id": 2, "at": "tomorrow"}]
          bad> +I[FOLDER/rows.json, 3, the row has no event time: `at` is null, {"id": "3", "at": null}]
          bad> +I[FOLDER/rows.json, 4, the row has no event time: `at` is missing, {"id": "four"}]
        finished: 2 rows in, 5 rows out, 0 late, 3 bad
        `day` STRING, ts AS TO_TIMESTAMP(`day` || ' 12:00:00') WHERE TRUE: 0
          +I[1]
          bad> +I[FOLDER/days/day=__HIVE_DEFAULT_PARTITION__/rows.json, 1, the row has no event time: `ts` is null, {"id": 2}]
        finished: 1 rows in, 2 rows out, 0 late, 1 bad
        at TIMESTAMP(3) WHERE TRUE: 0
          +I[1]
          +I[5]
          bad> +I[FOLDER/parquet/id=2/part--0-1.parquet, 1, the row has no event time: `at` is null, id: 2, at: null]
          bad> +I[FOLDER/parquet/id=3/part--0-2.parquet, 1, the row has no event time: `at` is null, id: 3, at: null]
        finished: 2 rows in, 4 rows out, 0 late, 2 bad
    "#]].assert_eq(&all);
}

/// Without the number of the run in a part's name.
fn without_attempt(line: &str) -> String {
    match line.split_once("part-") {
        Some((before, after)) => {
            format!("{before}part-{}", after.trim_start_matches(|c: char| c.is_ascii_hexdigit() || c == '_'))
        }
        None => line.to_owned(),
    }
}

/// More than any line should have, and than is kept of one.
const LONG: usize = 100_000_000;

#[test]
fn a_line_of_100_mb_is_one_bad_row_unless_it_is_allowed() {
    let long = |before: &str, after: &str| format!("{before}{}{after}", "x".repeat(LONG)).into_bytes();
    outcomes(
        &[
            json("long.json", &long("{\"id\": 2, \"at\": \"", "\"}")),
            csv("long.csv", &long("2,\"", "\"")),
            raw("long.txt", &long("", "")),
        ],
        &expect![[r#"
            long.json
              fail: 1
                +I[1, 2026-01-01T00:00:01]
                failed: 1 rows in, 1 rows out, 0 late, 0 bad
                error: task `Source: in -> Sink: out` (1/1) failed: `FOLDER/long.json`, row 2: the record is longer than 16777216 bytes; if it should be, raise 'scan.max-record-size'; the row is `{"id": 2, "at": "xxxx…`; set 'scan.bad-rows' (`badRows` in a pipeline) to 'skip' or 'deadLetter' to go on without such rows
              skip: 0
                +I[1, 2026-01-01T00:00:01]
                +I[3, 2026-01-01T00:00:03]
                finished: 2 rows in, 2 rows out, 0 late, 1 bad
              deadLetter: 0
                +I[1, 2026-01-01T00:00:01]
                +I[3, 2026-01-01T00:00:03]
                bad> +I[FOLDER/long.json, 2, the record is longer than 16777216 bytes; if it should be, raise 'scan.max-record-size', {"id": 2, "at": "xxxx]
                finished: 2 rows in, 3 rows out, 0 late, 1 bad
            long.csv
              fail: 1
                +I[1, 2026-01-01T00:00:01]
                failed: 1 rows in, 1 rows out, 0 late, 0 bad
                error: task `Source: in -> Sink: out` (1/1) failed: `FOLDER/long.csv`, row 2: the record is longer than 16777216 bytes; if it should be, raise 'scan.max-record-size'; the row is `2,"xxxx…`; set 'scan.bad-rows' (`badRows` in a pipeline) to 'skip' or 'deadLetter' to go on without such rows
              skip: 0
                +I[1, 2026-01-01T00:00:01]
                +I[3, 2026-01-01T00:00:03]
                finished: 2 rows in, 2 rows out, 0 late, 1 bad
              deadLetter: 0
                +I[1, 2026-01-01T00:00:01]
                +I[3, 2026-01-01T00:00:03]
                bad> +I[FOLDER/long.csv, 2, the record is longer than 16777216 bytes; if it should be, raise 'scan.max-record-size', 2,"xxxx]
                finished: 2 rows in, 3 rows out, 0 late, 1 bad
            long.txt
              fail: 1
                +I[one]
                failed: 1 rows in, 1 rows out, 0 late, 0 bad
                error: task `Source: in -> Sink: out` (1/1) failed: `FOLDER/long.txt`, row 2: the record is longer than 16777216 bytes; if it should be, raise 'scan.max-record-size'; the row is `xxxx…`; set 'scan.bad-rows' (`badRows` in a pipeline) to 'skip' or 'deadLetter' to go on without such rows
              skip: 0
                +I[one]
                +I[three]
                finished: 2 rows in, 2 rows out, 0 late, 1 bad
              deadLetter: 0
                +I[one]
                +I[three]
                bad> +I[FOLDER/long.txt, 2, the record is longer than 16777216 bytes; if it should be, raise 'scan.max-record-size', xxxx]
                finished: 2 rows in, 3 rows out, 0 late, 1 bad
        "#]],
    );
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("long.txt"), format!("one\n{}\nthree\n", "x".repeat(LONG))).unwrap();
    let program = "CREATE TABLE lines (line STRING) WITH ('connector' = 'filesystem', 'path' = 'FOLDER/long.txt',
                       'format' = 'raw', 'scan.max-record-size' = '200 mb');
                   CREATE TABLE out (n INT) WITH ('connector' = 'print');
                   INSERT INTO out SELECT CHAR_LENGTH(line) FROM lines;";
    let said = run_in(folder.path(), &sql_manifest("long", 1, program));
    assert_eq!((said.code, said.stdout.as_str()), (0, "+I[3]\n+I[100000000]\n+I[5]\n"), "{}", said.stderr);
}

#[test]
fn bad_rows_of_sql_tables_go_to_the_table_for_them() {
    let folder = tempfile::tempdir().unwrap();
    json("rows.json", br#"{"id": "two", "at": "2026-01-01 00:00:02"}"#).write(folder.path());
    let program = "CREATE TABLE rows_ (id BIGINT, at TIMESTAMP(3)) WITH ('connector' = 'filesystem', 'format' = 'json',
                       'path' = 'FOLDER/rows.json', 'scan.bad-rows' = 'deadLetter',
                       'scan.bad-rows.dead-letter-table' = 'broken');
                   CREATE TABLE broken (split STRING, `row` BIGINT, reason STRING, raw STRING)
                       WITH ('connector' = 'print', 'print-identifier' = 'bad');
                   CREATE TABLE out (id BIGINT) WITH ('connector' = 'print');
                   INSERT INTO out SELECT id FROM rows_;";
    let said = run_in(folder.path(), &sql_manifest("bad", 1, program));
    let mut lines: Vec<&str> = said.stdout.lines().collect();
    lines.sort_unstable();
    expect![[r#"
        0
        +I[1]
        +I[3]
        bad> +I[FOLDER/rows.json, 2, column `id`: `two` is not a BIGINT, {"id": "two", "at": "2026-01-01 00:00:02"}]"#]]
    .assert_eq(&format!("{}\n{}", said.code, lines.join("\n")));
}
