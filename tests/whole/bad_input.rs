//! Bad input gets a clear error, and nothing is lost: what is said, how the process ends, and what is there afterwards.
//!
//! What cannot run is shown in tables: one job that works, and what becomes of it when one thing is changed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use expect_test::expect;
use millstream_tests::{Said, millstream, pipeline_manifest, project, run, run_in, sql_manifest, visible};

/// A job as a pipeline.
const PIPELINE: &str = "\
apiVersion: millstream.dev/v1alpha1
kind: StreamJob
metadata: {name: test}
spec:
  parallelism: 2
  program:
    pipeline:
      sources:
        - name: orders
          connector: filesystem
          format: json
          options: {path: FOLDER/orders.json}
          schema: [id BIGINT, name STRING, at TIMESTAMP(3)]
          eventTime: {column: at, delay: 1s}
      transformations:
        - {name: large, from: orders, filter: id > 0}
        - name: sums
          from: large
          keyBy: name
          window: {tumbling: {size: 4s, offset: 2s}}
          aggregate: [sum(id) AS total]
      sinks:
        - {name: out, from: sums, connector: print}
";

/// A job in SQL.
const SQL: &str = "\
CREATE TABLE orders (id BIGINT, name STRING, at TIMESTAMP(3), WATERMARK FOR at AS at)
WITH ('connector' = 'filesystem', 'path' = 'FOLDER/orders.json', 'format' = 'json');
CREATE TABLE totals (total BIGINT, name STRING) WITH ('connector' = 'print');
INSERT INTO totals SELECT SUM(id), name
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(at), INTERVAL '4' SECOND, INTERVAL '2' SECOND))
GROUP BY window_start, window_end, name;
";

const ORDERS: &str = r#"{"id": 1, "name": "a", "at": "2026-01-01 00:00:01"}
{"id": 2, "name": "b", "at": "2026-01-01 00:00:02"}
"#;

/// Each change of `good`, the exit code and what is said.
fn changed(good: &str, changes: &[(&str, &str)], wrap: impl Fn(&str) -> String) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("orders.json"), ORDERS).unwrap();
    let works = run_in(folder.path(), &wrap(good));
    assert_eq!((works.code, works.stdout.lines().count()), (0, 2), "{}", works.stderr);
    let mut all = String::new();
    for (from, to) in changes {
        assert!(good.contains(from), "`{from}` is not there to be changed");
        let Said { code, stdout, stderr } = run_in(folder.path(), &wrap(&good.replacen(from, to, 1)));
        assert_eq!(stdout, "", "a job that is refused has run: {to}");
        let to = to.trim().replace('\n', "⏎");
        let _ = writeln!(all, "{to}\n    {code} {}", stderr.trim_end().replace('\n', "\n      "));
    }
    all
}

#[test]
fn a_pipeline_that_cannot_be_is_refused_with_its_place_and_what_to_do() {
    let changes = [
        ("parallelism: 2", "paralelism: 2"),
        ("column: at", "colum: at"),
        ("parallelism: 2", "parallelism: 0"),
        ("parallelism: 2", "parallelism: 9\n  maxParallelism: 8"),
        ("filter: id > 0}", "filter: id > 0, parallelism: 5000}"),
        ("orders.json", "missing.json"),
        ("orders.json", "*.csv"),
        ("from: large", "from: larg"),
        ("from: large", "from: sums"),
        ("from: orders, filter", "from: sums, filter"),
        ("from: sums", "from: total"),
        ("filter: id > 0", "filter: idd > 0"),
        ("filter: id > 0", "filter: id + name > 0"),
        ("filter: id > 0", "filter: name"),
        ("keyBy: name", "keyBy: nam"),
        ("[sum(id)", "[sum(name)"),
        ("size: 4s", "size: 0s"),
        ("size: 4s", "size: -4s"),
        ("offset: 2s", "offset: 4s"),
        ("offset: 2s", "offset: -4s"),
        ("tumbling: {size: 4s, offset: 2s}", "sliding: {size: 4s, slide: 0s}"),
        ("tumbling: {size: 4s, offset: 2s}", "sliding: {size: 0s, slide: 1s}"),
        ("tumbling: {size: 4s, offset: 2s}", "sliding: {size: 4s, slide: 2s, offset: 2s}"),
        ("tumbling: {size: 4s, offset: 2s}", "session: {gap: 0s}"),
        ("tumbling: {size: 4s, offset: 2s}", "cumulating: {maxSize: 4s, step: 3s}"),
        ("tumbling: {size: 4s, offset: 2s}", "count: {size: 0}"),
        ("orders.json}", "orders.json, json.ignore-parse-error: true}"),
        ("spec:", "spec:\n  config: {table.exec.source.idle-timout: 3 s}"),
        ("connector: print", "connector: prnt"),
        ("format: json", "format: jsn"),
    ];
    expect![[r#"
        paralelism: 2
            2 error: FOLDER/job.yaml: line 5, column 3: spec.paralelism: unknown field; did you mean `parallelism`?
        colum: at
            2 error: FOLDER/job.yaml: line 14, column 23: spec.program.pipeline.sources[0].eventTime.colum: unknown field; did you mean `column`?
              FOLDER/job.yaml: line 14, column 22: spec.program.pipeline.sources[0].eventTime: the field `column` is missing
        parallelism: 0
            2 error: FOLDER/job.yaml: line 5, column 16: spec.parallelism: expected a whole number from 1 to 32768, found the number 0
        parallelism: 9⏎  maxParallelism: 8
            2 error: FOLDER/job.yaml: line 5, column 16: spec.parallelism: the parallelism 9 is above the job's maxParallelism, 8: there are not enough key groups for so many subtasks
        filter: id > 0, parallelism: 5000}
            2 error: FOLDER/job.yaml: line 16, column 68: spec.program.pipeline.transformations[0].parallelism: the parallelism 5000 must be from 1 to the job's maxParallelism, 4096
        missing.json
            2 error: FOLDER/job.yaml: `Source: orders`: the option 'path': `FOLDER/missing.json` does not exist
        *.csv
            2 error: FOLDER/job.yaml: `Source: orders`: the option 'path': no file matches `FOLDER/*.csv`
        from: larg
            2 error: FOLDER/job.yaml: line 18, column 17: spec.program.pipeline.transformations[1].from: there is no stream called `larg`; did you mean `large`?
        from: sums
            2 error: FOLDER/job.yaml: line 18, column 17: spec.program.pipeline.transformations[1].from: a stream cannot be its own input: `sums` reads `sums`
        from: sums, filter
            2 error: FOLDER/job.yaml: line 18, column 17: spec.program.pipeline.transformations[1].from: a stream cannot be its own input: `large` reads `sums` reads `large`
        from: total
            2 error: FOLDER/job.yaml: line 23, column 29: spec.program.pipeline.sinks[0].from: there is no stream called `total`
        filter: idd > 0
            2 error: FOLDER/job.yaml: line 16, column 47: spec.program.pipeline.transformations[0].filter: unknown column `idd`; did you mean `id`?
        filter: id + name > 0
            2 error: FOLDER/job.yaml: line 16, column 47: spec.program.pipeline.transformations[0].filter: BIGINT + STRING cannot be computed; use CAST so that the types of both sides go together
        filter: name
            2 error: FOLDER/job.yaml: line 16, column 47: spec.program.pipeline.transformations[0].filter: a filter is a condition, and `name` is STRING
        keyBy: nam
            2 error: FOLDER/job.yaml: line 19, column 18: spec.program.pipeline.transformations[1].keyBy: unknown column `nam`; did you mean `name`?
        [sum(name)
            2 error: FOLDER/job.yaml: line 21, column 23: spec.program.pipeline.transformations[1].aggregate[0]: SUM cannot be computed over STRING
        size: 0s
            2 error: FOLDER/job.yaml: line 20, column 19: spec.program.pipeline.transformations[1].window: a tumbling window must satisfy size > 0 and abs(offset) < size; its size is 0 ms and its offset 2000 ms
        size: -4s
            2 error: FOLDER/job.yaml: line 20, column 37: spec.program.pipeline.transformations[1].window.tumbling.size: `-4s` is not a duration such as 500ms, 10 min, 1h or 2 days
        offset: 4s
            2 error: FOLDER/job.yaml: line 20, column 19: spec.program.pipeline.transformations[1].window: a tumbling window must satisfy size > 0 and abs(offset) < size; its size is 4000 ms and its offset 4000 ms
        offset: -4s
            2 error: FOLDER/job.yaml: line 20, column 19: spec.program.pipeline.transformations[1].window: a tumbling window must satisfy size > 0 and abs(offset) < size; its size is 4000 ms and its offset -4000 ms
        sliding: {size: 4s, slide: 0s}
            2 error: FOLDER/job.yaml: line 20, column 19: spec.program.pipeline.transformations[1].window: a sliding window must satisfy slide > 0, abs(offset) < slide and size > 0; its size is 4000 ms, its slide 0 ms and its offset 0 ms
        sliding: {size: 0s, slide: 1s}
            2 error: FOLDER/job.yaml: line 20, column 19: spec.program.pipeline.transformations[1].window: a sliding window must satisfy slide > 0, abs(offset) < slide and size > 0; its size is 0 ms, its slide 1000 ms and its offset 0 ms
        sliding: {size: 4s, slide: 2s, offset: 2s}
            2 error: FOLDER/job.yaml: line 20, column 19: spec.program.pipeline.transformations[1].window: a sliding window must satisfy slide > 0, abs(offset) < slide and size > 0; its size is 4000 ms, its slide 2000 ms and its offset 2000 ms
        session: {gap: 0s}
            2 error: FOLDER/job.yaml: line 20, column 19: spec.program.pipeline.transformations[1].window: a session window must satisfy 0 < size; its gap is 0 ms
        cumulating: {maxSize: 4s, step: 3s}
            2 error: FOLDER/job.yaml: line 20, column 19: spec.program.pipeline.transformations[1].window: a cumulating window must satisfy step > 0, max size a multiple of step and abs(offset) < max size; its max size is 4000 ms, its step 3000 ms and its offset 0 ms
        count: {size: 0}
            2 error: FOLDER/job.yaml: line 20, column 34: spec.program.pipeline.transformations[1].window.count.size: expected a whole number of at least 1, found the number 0
        orders.json, json.ignore-parse-error: true}
            2 error: FOLDER/job.yaml: line 9, column 11: spec.program.pipeline.sources[0]: the option 'json.ignore-parse-error' is not known here; did you mean 'json.ignore-parse-errors'?
        spec:⏎  config: {table.exec.source.idle-timout: 3 s}
            2 error: FOLDER/job.yaml: line 5, column 12: spec.config['table.exec.source.idle-timout']: the option 'table.exec.source.idle-timout' is not known; did you mean 'table.exec.source.idle-timeout'?
        connector: prnt
            2 error: FOLDER/job.yaml: line 23, column 46: spec.program.pipeline.sinks[0].connector: there is no connector called `prnt`; did you mean `print`? (there are blackhole, datagen, filesystem, nexmark, print, socket)
        format: jsn
            2 error: FOLDER/job.yaml: line 9, column 11: spec.program.pipeline.sources[0]: the option 'format' = 'jsn' cannot be used: it should be json, csv, raw or parquet
    "#]].assert_eq(&changed(PIPELINE, &changes, str::to_owned));
}

#[test]
fn a_sql_program_that_cannot_be_is_refused_with_its_place_and_what_to_do() {
    let changes = [
        ("SUM(id), name", "SUM(idd), name"),
        ("SUM(id), name", "MAX(id + name), name"),
        ("SUM(id), name", "name, SUM(id)"),
        ("SUM(id), name", "SUM(id)"),
        ("SUM(id), name", "SUM(name), name"),
        ("SUM(id), name", "SUM(ABS(name)), name"),
        ("SUM(id), name", "SUMM(id), name"),
        ("INSERT INTO totals", "INSERT INTO total"),
        ("TABLE orders,", "TABLE order_,"),
        ("'4' SECOND", "'0' SECOND"),
        ("INTERVAL '2'", "INTERVAL '4'"),
        ("INTERVAL '2'", "INTERVAL '-4'"),
        ("TUMBLE(TABLE orders, DESCRIPTOR(at)", "HOP(TABLE orders, DESCRIPTOR(at), INTERVAL '0' SECOND"),
        ("TUMBLE(TABLE orders, DESCRIPTOR(at)", "HOP(TABLE orders, DESCRIPTOR(at), INTERVAL '2' SECOND"),
        ("TUMBLE(TABLE orders, DESCRIPTOR(at)", "CUMULATE(TABLE orders, DESCRIPTOR(at), INTERVAL '3' SECOND"),
        ("DESCRIPTOR(at)", "DESCRIPTOR(id)"),
        ("'format' = 'json'", "'format' = 'json', 'json.ignore-parse-error' = 'true'"),
        ("orders.json", "missing.json"),
        ("CREATE TABLE totals", "SET 'paralelism.default' = '2'; CREATE TABLE totals"),
        ("CREATE TABLE totals", "SET 'parallelism.default' = '0'; CREATE TABLE totals"),
    ];
    expect![[r#"
        SUM(idd), name
            2 error: FOLDER/job.yaml: line 12, column 37: spec.program.sql: unknown column `idd`; did you mean `id`?
        MAX(id + name), name
            2 error: FOLDER/job.yaml: line 12, column 37: spec.program.sql: BIGINT + STRING cannot be computed; use CAST so that the types of both sides go together
        name, SUM(id)
            2 error: FOLDER/job.yaml: line 12, column 7: spec.program.sql: column 1 of the query, `name`, is STRING, and the column `total` of the table `totals` is BIGINT; use CAST
        SUM(id)
            2 error: FOLDER/job.yaml: line 12, column 7: spec.program.sql: the query has 1 columns (`EXPR$0` BIGINT), and 2 of the table `totals` are written (`total` BIGINT, `name` STRING)
        SUM(name), name
            2 error: FOLDER/job.yaml: line 12, column 7: spec.program.sql: SUM cannot be computed over STRING; use CAST
        SUM(ABS(name)), name
            2 error: FOLDER/job.yaml: line 12, column 7: spec.program.sql: there is no abs(STRING): function 'abs' expects Numeric but received String; use CAST
        SUMM(id), name
            2 error: FOLDER/job.yaml: line 12, column 33: spec.program.sql: unknown function `summ`; did you mean `sum`?
        INSERT INTO total
            2 error: FOLDER/job.yaml: line 12, column 19: spec.program.sql: unknown table `total`; did you mean `totals`?
        TABLE order_,
            2 error: FOLDER/job.yaml: line 13, column 31: spec.program.sql: unknown table `order_`; did you mean `orders`?
        '0' SECOND
            2 error: FOLDER/job.yaml: line 13, column 18: spec.program.sql: a tumbling window must satisfy size > 0 and abs(offset) < size; its size is 0 ms and its offset 2000 ms
        INTERVAL '4'
            2 error: FOLDER/job.yaml: line 13, column 18: spec.program.sql: a tumbling window must satisfy size > 0 and abs(offset) < size; its size is 4000 ms and its offset 4000 ms
        INTERVAL '-4'
            2 error: FOLDER/job.yaml: line 13, column 18: spec.program.sql: a tumbling window must satisfy size > 0 and abs(offset) < size; its size is 4000 ms and its offset -4000 ms
        HOP(TABLE orders, DESCRIPTOR(at), INTERVAL '0' SECOND
            2 error: FOLDER/job.yaml: line 13, column 18: spec.program.sql: a sliding window must satisfy slide > 0, abs(offset) < slide and size > 0; its size is 4000 ms, its slide 0 ms and its offset 2000 ms
        HOP(TABLE orders, DESCRIPTOR(at), INTERVAL '2' SECOND
            2 error: FOLDER/job.yaml: line 13, column 18: spec.program.sql: a sliding window must satisfy slide > 0, abs(offset) < slide and size > 0; its size is 4000 ms, its slide 2000 ms and its offset 2000 ms
        CUMULATE(TABLE orders, DESCRIPTOR(at), INTERVAL '3' SECOND
            2 error: FOLDER/job.yaml: line 13, column 18: spec.program.sql: a cumulating window must satisfy step > 0, max size a multiple of step and abs(offset) < max size; its max size is 4000 ms, its step 3000 ms and its offset 2000 ms
        DESCRIPTOR(id)
            2 error: FOLDER/job.yaml: line 13, column 50: spec.program.sql: `id` is not a time attribute, and windows need one: declare WATERMARK FOR it where the table is created, or a column AS PROCTIME() (a computed column is no time attribute; behind a window it is `window_time`)
        'format' = 'json', 'json.ignore-parse-error' = 'true'
            2 error: FOLDER/job.yaml: line 9, column 20: spec.program.sql: table `orders`: the option 'json.ignore-parse-error' is not known here; did you mean 'json.ignore-parse-errors'?
        missing.json
            2 error: FOLDER/job.yaml: `Source: orders`: the option 'path': `FOLDER/missing.json` does not exist
        SET 'paralelism.default' = '2'; CREATE TABLE totals
            2 error: FOLDER/job.yaml: line 11, column 7: spec.program.sql: the option 'paralelism.default' is not known; did you mean 'parallelism.default'?
        SET 'parallelism.default' = '0'; CREATE TABLE totals
            2 error: FOLDER/job.yaml: line 11, column 7: spec.program.sql: the option 'parallelism.default' = '0' cannot be used: it should be a whole number from 1 to 32768
    "#]].assert_eq(&changed(SQL, &changes, |program| sql_manifest("test", 1, program)));
}

#[test]
fn a_value_that_cannot_be_computed_fails_the_job_and_names_its_column() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("orders.json"), ORDERS).unwrap();
    let mut all = String::new();
    for query in [
        "SELECT 1 / (id - 1), name FROM orders",
        "SELECT CAST(CAST(1 AS DECIMAL(3, 2)) / (id - 1) AS BIGINT), name FROM orders",
        "SELECT CAST(name AS BIGINT), name FROM orders",
        "SELECT id, name FROM orders WHERE CAST(name AS INT) = 1",
        "SELECT SUM(id + 9223372036854775806 - id), 'all' FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(at), INTERVAL '1' MINUTE))
         GROUP BY window_start, window_end",
    ] {
        let (tables, _) = SQL.split_once("INSERT INTO").unwrap();
        let said = run_in(folder.path(), &sql_manifest("test", 1, &format!("{tables}INSERT INTO totals {query};")));
        let (_, why) = said.stderr.split_once("(1/1) failed: ").unwrap();
        let _ = write!(all, "{} {why}", said.code);
    }
    expect![[r#"
        1 column `total`: a division by zero; NULLIF(x, 0) as the divisor makes the result null
        1 column `total`: a division by zero; NULLIF(x, 0) as the divisor makes the result null
        1 column `total`: cannot cast 'a' to BIGINT: use TRY_CAST to get NULL instead
        1 a condition: cannot cast 'a' to INT: use TRY_CAST to get NULL instead
        1 SUM or AVG: the result 18446744073709551612 does not fit BIGINT; cast the argument to a wider type, such as DECIMAL(38, 0)
    "#]].assert_eq(&all);
}

/// A job that copies the lines of `input` to files.
fn copying(input: &str) -> String {
    sql_manifest(
        "copy",
        1,
        &format!(
            "CREATE TABLE source (line STRING) WITH ('connector' = 'filesystem', 'path' = '{input}', 'format' = 'raw');
             CREATE TABLE copy (line STRING) WITH ('connector' = 'filesystem', 'path' = 'FOLDER/copy', 'format' = 'raw');
             INSERT INTO copy SELECT line FROM source;"
        ),
    )
}

#[test]
fn a_compressed_file_that_is_cut_off_fails_the_job_and_nothing_of_it_is_seen() {
    let whole = std::fs::read(project().join("examples/flights/flights-2013-01.csv.gz")).unwrap();
    // A frame of zstd with one stored block, which is not its last.
    let stored = b"one\ntwo\nthr";
    let block = u32::try_from(stored.len()).unwrap() << 3;
    let frame = [&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58][..], &block.to_le_bytes()[..3], stored].concat();
    let folder = tempfile::tempdir().unwrap();
    let mut all = String::new();
    for (name, bytes) in [("a.gz", &whole[..whole.len() / 2]), ("a.zst", &frame), ("b.gz", b"no gzip at all")] {
        std::fs::write(folder.path().join(name), bytes).unwrap();
        let said = run_in(folder.path(), &copying(&format!("FOLDER/{name}")));
        assert_eq!(visible(&folder.path().join("copy")), Vec::<PathBuf>::new());
        let _ = writeln!(all, "{} {}", said.code, said.stderr.lines().last().unwrap());
    }
    expect![[r#"
        1 error: task `Source: source -> Sink: copy` (1/1) failed: `FOLDER/a.gz`: the gzip data ends in the middle, after 1239282 bytes of text: the file was cut off; put the whole one in its place
        1 error: task `Source: source -> Sink: copy` (1/1) failed: `FOLDER/a.zst`: the zstd data ends in the middle, after 11 bytes of text: the file was cut off; put the whole one in its place
        1 error: task `Source: source -> Sink: copy` (1/1) failed: `FOLDER/b.gz`: the gzip data is damaged after 0 bytes of text: invalid gzip header
    "#]].assert_eq(&all);
}

#[test]
fn times_at_the_ends_of_64_bits_are_said_and_never_overflow() {
    let folder = tempfile::tempdir().unwrap();
    let counted =
        "CREATE TABLE rows_ (x BIGINT, ts AS TO_TIMESTAMP_LTZ(x, 3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)
            WITH ('connector' = 'filesystem', 'path' = 'FOLDER/times.json', 'format' = 'json');
        CREATE TABLE out (n BIGINT) WITH ('connector' = 'print');
        INSERT INTO out SELECT COUNT(*) FROM TABLE(TUMBLE(TABLE rows_, DESCRIPTOR(ts), INTERVAL '2' SECOND))
        GROUP BY window_start, window_end;";
    let mut all = String::new();
    for time in [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX] {
        std::fs::write(folder.path().join("times.json"), format!("{{\"x\": 0}}\n{{\"x\": {time}}}\n{{\"x\": 5}}\n"))
            .unwrap();
        let record = "\
sources:
  - name: in
    connector: filesystem
    format: json
    options: {path: FOLDER/times.json}
    schema: [x BIGINT]
    eventTime: {column: x, delay: 5s}
transformations:
  - {name: counts, from: in, window: {tumbling: {size: 2s}}, aggregate: [count(*) AS n]}
sinks:
  - {name: out, from: counts, connector: print}
";
        let said = run_in(folder.path(), &pipeline_manifest(record));
        let (_, why) = said.stderr.split_once("(1/1) failed: ").unwrap();
        let _ = write!(all, "{time}: {} {why}", said.code);
        let said = run_in(folder.path(), &sql_manifest("test", 1, counted));
        let (_, why) = said.stderr.split_once("(1/1) failed: ").unwrap();
        let _ = write!(all, "  in SQL: {} {why}", said.code);
    }
    expect![[r#"
        -9223372036854775808: 1 `FOLDER/times.json`, row 2: the row has no event time: `x` is Long.MIN, the marker of "no timestamp"; the row is `{"x": -9223372036854775808}`; set 'scan.bad-rows' (`badRows` in a pipeline) to 'skip' or 'deadLetter' to go on without such rows
          in SQL: 1 `FOLDER/times.json`, row 2: the row has no event time: `ts` is null; the row is `{"x": -9223372036854775808}`; set 'scan.bad-rows' (`badRows` in a pipeline) to 'skip' or 'deadLetter' to go on without such rows
        -9223372036854775807: 1 operator `counts`: a row's time -9223372036854775807 ms lies so far from 1970 that its window cannot be represented; filter such rows out
          in SQL: 1 `FOLDER/times.json`, row 2: the row has no event time: `ts` is null; the row is `{"x": -9223372036854775807}`; set 'scan.bad-rows' (`badRows` in a pipeline) to 'skip' or 'deadLetter' to go on without such rows
        9223372036854775806: 1 operator `counts`: a row's time 9223372036854775806 ms lies so far from 1970 that its window cannot be represented; filter such rows out
          in SQL: 1 `FOLDER/times.json`, row 2: the row has no event time: `ts` is null; the row is `{"x": 9223372036854775806}`; set 'scan.bad-rows' (`badRows` in a pipeline) to 'skip' or 'deadLetter' to go on without such rows
        9223372036854775807: 1 operator `counts`: a row's time 9223372036854775807 ms lies so far from 1970 that its window cannot be represented; filter such rows out
          in SQL: 1 `FOLDER/times.json`, row 2: the row has no event time: `ts` is null; the row is `{"x": 9223372036854775807}`; set 'scan.bad-rows' (`badRows` in a pipeline) to 'skip' or 'deadLetter' to go on without such rows
    "#]].assert_eq(&all);
}

/// Makes more rows than the disk in the test has room for, into `FOLDER/out`.
const TOO_MUCH: &str = "\
sources:
  - name: in
    connector: datagen
    options: {number-of-rows: 1000000, rows-per-second: 1000000000, fields.n.kind: sequence, fields.n.start: 1, fields.n.end: 1000000}
    schema: [n BIGINT]
sinks:
  - {name: out, from: in, connector: filesystem, format: csv, options: {path: FOLDER/out}}
";

/// Runs [`TOO_MUCH`] by the shell script `limit`, which has the command as `$@` and the folder as `$0`.
fn without_room(shell: &mut Command, folder: &Path, limit: &str) -> Said {
    let path = folder.join("job.yaml");
    let shown = folder.join("disk").to_str().unwrap().to_owned();
    std::fs::create_dir(&shown).unwrap();
    std::fs::write(&path, pipeline_manifest(TOO_MUCH).replace("FOLDER", &shown)).unwrap();
    let binary = millstream();
    let said = run(shell
        .env("RUST_LOG", "warn")
        .args(["sh", "-c", limit, &shown])
        .arg(binary.get_program())
        .arg("run")
        .arg("--quiet")
        .arg(&path));
    let stderr: Vec<&str> = said.stderr.split('`').collect();
    let stderr = stderr.iter().map(|part| if part.starts_with('/') { "FILE" } else { part });
    Said { stderr: stderr.collect::<Vec<_>>().join("`"), ..said }
}

#[test]
fn a_disk_that_is_full_fails_the_job_and_nothing_half_written_is_seen() {
    // A disk of 1 MiB in a namespace of the test's own.
    let limit = r#"mount -t tmpfs -o size=1m tmpfs "$0" || exit 99; "$@"; code=$?; ls "$0/out"; exit $code"#;
    let folder = tempfile::tempdir().unwrap();
    let said =
        without_room(Command::new("unshare").args(["--user", "--map-root-user", "--mount"]), folder.path(), limit);
    let full =
        "error: task `Source: in -> Sink: out` (1/1) failed: writing `FILE`: No space left on device (os error 28)\n";
    let may_not_mount = said.code == 99 || said.stderr.starts_with("unshare:");
    // A machine of one's own may forbid it; where the project is judged, nothing is passed over.
    assert!(!may_not_mount || std::env::var_os("CI").is_none(), "a file system cannot be mounted: {}", said.stderr);
    if !may_not_mount {
        assert_eq!((said.code, said.stdout.as_str(), said.stderr.as_str()), (1, "", full));
    }
    // A file that may not grow beyond half a MiB, which every system can be told: 1,024 blocks of 512 bytes.
    let limit = r#"trap "" XFSZ; ulimit -f 1024; "$@"; code=$?; ls "$0/out"; exit $code"#;
    let folder = tempfile::tempdir().unwrap();
    let said = without_room(&mut Command::new("env"), folder.path(), limit);
    let large = "error: task `Source: in -> Sink: out` (1/1) failed: writing `FILE`: File too large (os error 27)\n";
    assert_eq!((said.code, said.stdout.as_str(), said.stderr.as_str()), (1, "", large));
}

#[test]
fn results_of_a_job_that_fails_are_not_seen() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("input.txt"), b"one\n\xff\n").unwrap();
    let said = run_in(folder.path(), &copying("FOLDER/input.txt"));
    assert_eq!((said.code, visible(&folder.path().join("copy"))), (1, Vec::new()), "{}", said.stderr);
}
