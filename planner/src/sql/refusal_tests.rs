//! What is refused, by name and place. Each of these would otherwise be planned, some of them as something else.

use expect_test::expect;

use super::plan_tests::{TABLES, planned};

/// Lines of the tables that stand before each program.
fn lines_before() -> usize {
    TABLES.lines().count()
}

fn refused(programs: &[&str]) -> String {
    let mut text = String::new();
    for program in programs {
        let outcome = planned(program);
        let line = |number: usize| format!("line {}", number - lines_before() + 1);
        let shown = outcome.split_once("line ").and_then(|(before, after)| {
            let (number, rest) = after.split_once(',')?;
            Some(format!("{before}{},{rest}", line(number.parse().ok()?)))
        });
        let shown = shown.unwrap_or(outcome);
        text.push_str(&format!("{program}\n    {}\n", shown.lines().next().unwrap_or_default()));
    }
    text
}

#[test]
fn queries_that_need_joins_or_retractions_are_refused() {
    expect![[r#""#]].assert_eq(&refused(&[
        "INSERT INTO out2 SELECT a.k, b.v FROM t AS a JOIN t AS b ON a.k = b.k;",
        "INSERT INTO out2 SELECT a.k, b.v FROM t AS a, t AS b WHERE a.k = b.k;",
        "INSERT INTO out2 SELECT a.k, b.v FROM t AS a LEFT JOIN t FOR SYSTEM_TIME AS OF a.ts AS b ON a.k = b.k;",
        "INSERT INTO out2 SELECT k, v FROM t FOR SYSTEM_TIME AS OF TIMESTAMP '2020-01-01 00:00:00';",
        "INSERT INTO out2 SELECT k, f FROM t, LATERAL TABLE(split(k)) AS u(f);",
        "INSERT INTO out2 SELECT k, v FROM t WHERE k IN (SELECT k FROM t);",
        "INSERT INTO out2 SELECT k, v FROM t WHERE EXISTS (SELECT 1 FROM t);",
        "INSERT INTO out2 SELECT k, (SELECT MAX(v) FROM t) FROM t;",
        "INSERT INTO out2 SELECT k, SUM(v) FROM t GROUP BY k;",
        "INSERT INTO out2 SELECT 'all', COUNT(*) FROM t;",
        "INSERT INTO out2 SELECT 'all', SUM(v) FROM t;",
        "INSERT INTO out2 SELECT DISTINCT k, v FROM t;",
        "INSERT INTO out2 SELECT k, v FROM t ORDER BY v;",
        "INSERT INTO out2 SELECT k, v FROM t LIMIT 10;",
        "INSERT INTO out2 SELECT k, v FROM t FETCH FIRST 3 ROWS ONLY;",
        "INSERT INTO out2 SELECT k, v FROM t UNION SELECT k, v FROM t;",
        "INSERT INTO out2 SELECT k, v FROM t INTERSECT SELECT k, v FROM t;",
        "INSERT INTO out2 SELECT k, v FROM t EXCEPT SELECT k, v FROM t;",
        "INSERT INTO out2 SELECT k, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts) FROM t;",
        "INSERT INTO out2 SELECT k, SUM(v) OVER (w ROWS 3 PRECEDING) FROM t WINDOW w AS (PARTITION BY k ORDER BY ts);",
        "INSERT INTO out2 SELECT DISTINCT ON (k) k, v FROM t;",
        "INSERT INTO out2 SELECT k, v FROM t QUALIFY v > 1;",
        "INSERT INTO out2 VALUES ('a', 1);",
        "INSERT INTO out2 SELECT 'a', 1;",
        "INSERT INTO out2 SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.v AS v PATTERN (A B) DEFINE B AS B.v > A.v);",
        "INSERT INTO out2 SELECT k, LISTAGG(k) FROM t;",
    ]));
}

#[test]
fn what_the_planner_would_do_silently_is_refused() {
    expect![[r#""#]].assert_eq(&refused(&[
        "INSERT INTO out2 SELECT k, v FROM t /*+ OPTIONS('a' = 'b') */;",
        "INSERT INTO out2 SELECT /*+ STATE_TTL('t' = '1d') */ k, v FROM t;",
        "INSERT INTO out2 SELECT \"k\", v FROM t;",
        "INSERT INTO out2 SELECT k, v FROM t WHERE ts > ts - INTERVAL '5';",
        "INSERT INTO out2 SELECT K, v FROM t;",
        "INSERT INTO out2 SELECT k, v, FROM t;",
        "INSERT INTO out2 SELECT UPPER(DISTINCT k), v FROM t;",
        "INSERT INTO out2 SELECT k, v FROM t WHERE k SIMILAR TO 'a%';",
        "INSERT INTO out2 SELECT k, v FROM t WHERE v BETWEEN SYMMETRIC 3 AND 1;",
        "INSERT INTO out2 SELECT k, v FROM t WHERE k;",
        "INSERT INTO out2 SELECT DATE_FORMATT(ts, 'yyyy'), v FROM t;",
    ]));
}

#[test]
fn windows_that_cannot_be_are_refused() {
    expect![[r#""#]].assert_eq(&refused(&[
        "INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '0' SECOND)) GROUP BY window_start, window_end, k;",
        "INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECOND, INTERVAL '2' SECOND)) GROUP BY window_start, window_end, k;",
        "INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '0' SECOND, INTERVAL '2' SECOND)) GROUP BY window_start, window_end, k;",
        "INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(CUMULATE(TABLE t, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '3' SECOND)) GROUP BY window_start, window_end, k;",
        "INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(v), INTERVAL '1' SECOND)) GROUP BY window_start, window_end, k;",
        "INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(tz), INTERVAL '1' SECOND)) GROUP BY window_start, window_end, k;",
        "INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MONTH)) GROUP BY window_start, window_end, k;",
        "INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts))) GROUP BY window_start, window_end, k;",
        "INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(TUMBL(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY window_start, window_end, k;",
        "INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY window_start, k;",
        "INSERT INTO out3 SELECT window_start, k, v FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '1' SECOND));",
        "INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(SESSION(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY window_start, window_end, k;",
        "INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '1' SECOND)) WHERE v > 3 GROUP BY window_start, window_end, k;",
        "INSERT INTO out3 SELECT TUMBLE_START(ts, INTERVAL '2' SECOND), k, SUM(v) FROM t GROUP BY TUMBLE(ts, INTERVAL '1' SECOND), k;",
        "INSERT INTO out3 SELECT TUMBLE_START(ts, INTERVAL '2' SECOND), k, v FROM t;",
        "INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY GROUPING SETS ((window_start, window_end, k), (k));",
    ]));
}

#[test]
fn statements_and_tables_that_cannot_be_are_refused() {
    expect![[r#""#]].assert_eq(&refused(&[
        "SELECT k FROM t;",
        "EXPLAIN SELECT k FROM t;",
        "SHOW TABLES;",
        "USE CATALOG c;",
        "CREATE CATALOG c WITH ('type' = 'jdbc');",
        "INSRT INTO out2 SELECT k, v FROM t;",
        "INSERT INTO out4 SELECT k, v FROM t;",
        "INSERT INTO bids SELECT k, v FROM t;",
        "INSERT INTO out2 SELECT k, v FROM tt;",
        "INSERT INTO out2 SELECT k FROM t;",
        "INSERT INTO out2 SELECT v, k FROM t;",
        "INSERT INTO out2 SELECT k, ts FROM t;",
        "INSERT INTO out2 (k, m) SELECT k, v FROM t;",
        "INSERT OVERWRITE out2 SELECT k, v FROM t;",
        "SET 'parallelism.defalt' = '2';",
        "CREATE FUNCTION f AS 'com.example.F';",
        "CREATE TABLE t (a INT) WITH ('connector' = 'print');",
        "CREATE TABLE x (a INTT) WITH ('connector' = 'print');",
        "CREATE TABLE x (a INT, PRIMARY KEY (a)) WITH ('connector' = 'print');",
        "CREATE TABLE x (a INT, PRIMARY KEY (b) NOT ENFORCED) WITH ('connector' = 'print');",
        "CREATE TABLE x (a INT, WATERMARK FOR a AS a) WITH ('connector' = 'print');",
        "CREATE TABLE x (a TIMESTAMP(6), WATERMARK FOR a AS a) WITH ('connector' = 'print');",
        "CREATE TABLE x (a TIMESTAMP(3), WATERMARK FOR b AS a) WITH ('connector' = 'print');",
        "CREATE TABLE x (a INT, b AS c + 1) WITH ('connector' = 'print');",
        "CREATE TABLE x (a INT) WITH ('connector' = 'kafkaa'); INSERT INTO x SELECT v FROM t;",
        "CREATE TABLE x (a INT); INSERT INTO x SELECT v FROM t;",
        "CREATE TABLE x (a INT) WITH ('connector' = 'print', 'colour' = 'red'); INSERT INTO x SELECT v FROM t;",
        "INSERT INTO out2 SELECT k, v FROM t SELECT;",
        "INSERT INTO out2 SELECT k, v FROM (SELECT CASE WHEN v = 1 THEN 'a' ESLE k END AS k, v FROM t);",
        "DROP TABLE nothing;",
        "",
    ]));
}
