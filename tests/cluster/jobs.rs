//! Jobs for the tests of clusters, and what they must give.

use std::collections::BTreeMap;
use std::path::Path;

use millstream_tests::{lines_of_parts, sql_manifest};

/// Rows that a [`counting`] job reads, in about two seconds.
const ROWS: i64 = 40_000;
const ROWS_PER_SECOND: i64 = 20_000;
const KEYS: i64 = 97;

/// Counts the numbers from 1 per remainder and thousand, into files below `FOLDER/<name>`, at this parallelism. It is tried
/// again as often as it fails, `restart_ms` later.
pub(crate) fn counting(name: &str, parallelism: u32, restart_ms: u64) -> String {
    let sql = format!(
        "SET 'restart-strategy.type' = 'fixed-delay';\n\
         SET 'restart-strategy.fixed-delay.attempts' = '1000';\n\
         SET 'restart-strategy.fixed-delay.delay' = '{restart_ms} ms';\n\
         CREATE TABLE numbers (n BIGINT, t AS TO_TIMESTAMP_LTZ(n, 3), WATERMARK FOR t AS t - INTERVAL '1' SECOND)\n  \
         WITH ('connector' = 'datagen', 'number-of-rows' = '{ROWS}', 'rows-per-second' = '{ROWS_PER_SECOND}',\n    \
         'fields.n.kind' = 'sequence', 'fields.n.start' = '1', 'fields.n.end' = '{ROWS}');\n\
         CREATE TABLE counts (k BIGINT, least BIGINT, rows_of BIGINT)\n  \
         WITH ('connector' = 'filesystem', 'path' = 'FOLDER/{name}', 'format' = 'csv',\n    \
         'sink.rolling-policy.file-size' = '2 kb');\n\
         INSERT INTO counts SELECT MOD(n, {KEYS}), MIN(n), COUNT(*)\n  \
         FROM TABLE(TUMBLE(TABLE numbers, DESCRIPTOR(t), INTERVAL '1' SECOND))\n  \
         GROUP BY MOD(n, {KEYS}), window_start, window_end;"
    );
    sql_manifest(name, parallelism, &sql)
}

/// What a [`counting`] job gives, sorted.
fn expected() -> Vec<String> {
    let mut windows: BTreeMap<(i64, i64), (i64, u64)> = BTreeMap::new();
    for n in 1..=ROWS {
        windows.entry((n % KEYS, n / 1_000)).or_insert((n, 0)).1 += 1;
    }
    let mut lines: Vec<String> =
        windows.into_iter().map(|((key, _), (least, count))| format!("{key},{least},{count}")).collect();
    lines.sort();
    lines
}

/// Fails with the first line of a [`counting`] job's results that differs.
pub(crate) fn check(folder: &Path, what: &str) {
    let (found, expected) = (lines_of_parts(folder), expected());
    let differs = found.iter().zip(&expected).find(|(found, expected)| found != expected);
    assert_eq!(differs, None, "{what}");
    assert_eq!(found.len(), expected.len(), "{what}");
}

/// Rows without end, thrown away.
pub(crate) fn endless(name: &str, parallelism: u32) -> String {
    let sql = "CREATE TABLE g (k BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '1000', 'fields.k.min' = '0', \
               'fields.k.max' = '9');\n\
               CREATE TABLE b (k BIGINT) WITH ('connector' = 'blackhole');\n\
               INSERT INTO b SELECT k FROM g;";
    sql_manifest(name, parallelism, sql)
}
