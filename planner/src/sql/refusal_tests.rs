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
    expect![[r#"
        INSERT INTO out2 SELECT a.k, b.v FROM t AS a JOIN t AS b ON a.k = b.k;
            error: line 2, column 51: a join is not supported yet
        INSERT INTO out2 SELECT a.k, b.v FROM t AS a, t AS b WHERE a.k = b.k;
            error: line 2, column 47: a join is not supported yet; FROM takes one table
        INSERT INTO out2 SELECT a.k, b.v FROM t AS a LEFT JOIN t FOR SYSTEM_TIME AS OF a.ts AS b ON a.k = b.k;
            error: line 2, column 56: a temporal join (FOR SYSTEM_TIME AS OF) is not supported yet
        INSERT INTO out2 SELECT k, v FROM t FOR SYSTEM_TIME AS OF TIMESTAMP '2020-01-01 00:00:00';
            error: line 2, column 35: FOR SYSTEM_TIME AS OF is not supported yet; read the table as it is
        INSERT INTO out2 SELECT k, f FROM t, LATERAL TABLE(split(k)) AS u(f);
            error: line 2, column 46: a join is not supported yet; FROM takes one table
        INSERT INTO out2 SELECT k, v FROM t WHERE k IN (SELECT k FROM t);
            error: line 2, column 43: IN (SELECT …) is not supported yet; it is a join; use IN with a list
        INSERT INTO out2 SELECT k, v FROM t WHERE EXISTS (SELECT 1 FROM t);
            error: line 2, column 51: EXISTS (SELECT …) is not supported yet; it is a join
        INSERT INTO out2 SELECT k, (SELECT MAX(v) FROM t) FROM t;
            error: line 2, column 29: a scalar subquery is not supported yet; it is a join
        INSERT INTO out2 SELECT k, SUM(v) FROM t GROUP BY k;
            error: line 2, column 32: GROUP BY without a window is not supported yet; its results would change with every row; group by window_start and window_end of TUMBLE, HOP, CUMULATE or SESSION
        INSERT INTO out2 SELECT 'all', COUNT(*) FROM t;
            error: line 2, column 1: an aggregate without GROUP BY is not supported yet; its results would change with every row; group by window_start and window_end of TUMBLE, HOP, CUMULATE or SESSION
        INSERT INTO out2 SELECT 'all', SUM(v) FROM t;
            error: line 2, column 36: an aggregate without GROUP BY is not supported yet; its results would change with every row; group by window_start and window_end of TUMBLE, HOP, CUMULATE or SESSION
        INSERT INTO out2 SELECT DISTINCT k, v FROM t;
            error: line 2, column 1: SELECT DISTINCT without a window is not supported yet; its results would change with every row; group by window_start and window_end of TUMBLE, HOP, CUMULATE or SESSION
        INSERT INTO out2 SELECT k, v FROM t ORDER BY v;
            error: line 2, column 46: ORDER BY is not supported yet; a stream has no end to sort at; sort what the sink has written
        INSERT INTO out2 SELECT k, v FROM t LIMIT 10;
            error: line 2, column 43: LIMIT is not supported yet; a stream has no first rows; aggregate over a window of time instead
        INSERT INTO out2 SELECT k, v FROM t FETCH FIRST 3 ROWS ONLY;
            error: line 2, column 18: FETCH FIRST is not supported yet; a stream has no first rows; aggregate over a window of time instead
        INSERT INTO out2 SELECT k, v FROM t UNION SELECT k, v FROM t;
            error: line 2, column 43: UNION without ALL is not supported yet; it needs every row that ever was; use UNION ALL
        INSERT INTO out2 SELECT k, v FROM t INTERSECT SELECT k, v FROM t;
            error: line 2, column 47: INTERSECT is not supported yet; it is a join
        INSERT INTO out2 SELECT k, v FROM t EXCEPT SELECT k, v FROM t;
            error: line 2, column 44: EXCEPT is not supported yet; it is a join
        INSERT INTO out2 SELECT k, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts) FROM t;
            error: line 2, column 28: ROW_NUMBER(…) OVER (…) is not supported yet; aggregate over a window of time instead
        INSERT INTO out2 SELECT k, SUM(v) OVER (w ROWS 3 PRECEDING) FROM t WINDOW w AS (PARTITION BY k ORDER BY ts);
            error: line 2, column 75: WINDOW … AS is not supported yet; OVER is not supported yet
        INSERT INTO out2 SELECT DISTINCT ON (k) k, v FROM t;
            error: line 2, column 38: DISTINCT ON is not supported yet; use FIRST_VALUE over a window
        INSERT INTO out2 SELECT k, v FROM t QUALIFY v > 1;
            error: line 2, column 45: QUALIFY is not supported yet
        INSERT INTO out2 VALUES ('a', 1);
            error: line 2, column 26: VALUES is not supported yet; read the rows from a file or a generator
        INSERT INTO out2 SELECT 'a', 1;
            error: line 2, column 18: SELECT without FROM is not supported yet; there is nothing to stream
        INSERT INTO out2 SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.v AS v PATTERN (A B) DEFINE B AS B.v > A.v);
            error: line 2, column 32: MATCH_RECOGNIZE is not supported yet
        INSERT INTO out2 SELECT k, LISTAGG(k) FROM t;
            error: line 2, column 28: the function LISTAGG is not supported yet
    "#]].assert_eq(&refused(&[
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
    expect![[r#"
        INSERT INTO out2 SELECT k, v FROM t /*+ OPTIONS('a' = 'b') */;
            error: line 2, column 37: the hint /*+ OPTIONS('a' = 'b') */ is not supported yet; remove it; options of a table belong into its WITH clause
        INSERT INTO out2 SELECT /*+ STATE_TTL('t' = '1d') */ k, v FROM t;
            error: line 2, column 25: the hint /*+ STATE_TTL('t' = '1d') */ is not supported yet; remove it; options of a table belong into its WITH clause
        INSERT INTO out2 SELECT "k", v FROM t;
            error: line 2, column 25: "k" is neither text nor a name; write 'k' for text and `k` for a name
        INSERT INTO out2 SELECT k, v FROM t WHERE ts > ts - INTERVAL '5';
            error: line 2, column 65: INTERVAL requires a unit after the literal value
        INSERT INTO out2 SELECT K, v FROM t;
            error: line 2, column 25: unknown column `K`; did you mean `k`?
        INSERT INTO out2 SELECT k, v, FROM t;
            error: line 2, column 31: expected an expression, found FROM
        INSERT INTO out2 SELECT UPPER(DISTINCT k), v FROM t;
            error: line 2, column 25: DISTINCT belongs to aggregates, and UPPER is none
        INSERT INTO out2 SELECT k, v FROM t WHERE k SIMILAR TO 'a%';
            error: line 2, column 43: SIMILAR TO is not supported yet; use REGEXP(text, pattern)
        INSERT INTO out2 SELECT k, v FROM t WHERE v BETWEEN SYMMETRIC 3 AND 1;
            error: line 2, column 63: expected AND, found 3
        INSERT INTO out2 SELECT k, v FROM t WHERE k;
            error: line 2, column 1: a condition is BOOLEAN, and `t.k` is STRING; compare it with something
        INSERT INTO out2 SELECT DATE_FORMATT(ts, 'yyyy'), v FROM t;
            error: line 2, column 25: unknown function `date_formatt`; did you mean `date_format`?
    "#]].assert_eq(&refused(&[
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
    expect![[r#"
        INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '0' SECOND)) GROUP BY window_start, window_end, k;
            error: line 2, column 60: a tumbling window must satisfy size > 0 and abs(offset) < size; its size is 0 ms and its offset 0 ms
        INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECOND, INTERVAL '2' SECOND)) GROUP BY window_start, window_end, k;
            error: line 2, column 60: a tumbling window must satisfy size > 0 and abs(offset) < size; its size is 1000 ms and its offset 2000 ms
        INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '0' SECOND, INTERVAL '2' SECOND)) GROUP BY window_start, window_end, k;
            error: line 2, column 60: a sliding window must satisfy slide > 0, abs(offset) < slide and size > 0; its size is 2000 ms, its slide 0 ms and its offset 0 ms
        INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(CUMULATE(TABLE t, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '3' SECOND)) GROUP BY window_start, window_end, k;
            error: line 2, column 60: a cumulating window must satisfy step > 0, max size a multiple of step and abs(offset) < max size; its max size is 3000 ms, its step 2000 ms and its offset 0 ms
        INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(v), INTERVAL '1' SECOND)) GROUP BY window_start, window_end, k;
            error: line 2, column 87: `v` is not a time attribute, and windows need one: declare WATERMARK FOR it where the table is created, or a column AS PROCTIME() (a computed column is no time attribute; behind a window it is `window_time`)
        INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(tz), INTERVAL '1' SECOND)) GROUP BY window_start, window_end, k;
            error: line 2, column 87: unknown column `tz`; did you mean `ts`?
        INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MONTH)) GROUP BY window_start, window_end, k;
            error: line 2, column 101: a window's length cannot be in months, which differ in length
        INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts))) GROUP BY window_start, window_end, k;
            error: line 2, column 60: TUMBLE needs the argument SIZE
        INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(TUMBL(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY window_start, window_end, k;
            error: line 2, column 60: the table function TUMBL is not supported yet; TUMBLE, HOP, CUMULATE and SESSION are
        INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY window_start, k;
            error: line 2, column 46: GROUP BY window_start without window_end is not supported yet; add window_end
        INSERT INTO out3 SELECT window_start, k, v FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '1' SECOND));
            error: line 2, column 55: SESSION without GROUP BY is not supported yet; group by window_start, window_end and its keys
        INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(SESSION(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY window_start, window_end, k;
            error: line 2, column 60: SESSION whose PARTITION BY differs from the columns that are grouped by is not supported yet; name the same columns in both
        INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '1' SECOND)) WHERE v > 3 GROUP BY window_start, window_end, k;
            error: line 2, column 60: a condition between SESSION and GROUP BY is not supported yet; put the condition into a subquery inside SESSION(…)
        INSERT INTO out3 SELECT TUMBLE_START(ts, INTERVAL '2' SECOND), k, SUM(v) FROM t GROUP BY TUMBLE(ts, INTERVAL '1' SECOND), k;
            error: line 2, column 25: TUMBLE_START does not name the window that the query groups by, TUMBLE(ts, INTERVAL '1' SECOND)
        INSERT INTO out3 SELECT TUMBLE_START(ts, INTERVAL '2' SECOND), k, v FROM t;
            error: line 2, column 25: TUMBLE_START needs GROUP BY TUMBLE(…) with the same arguments
        INSERT INTO out3 SELECT window_start, k, LAST_VALUE(DISTINCT v) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY window_start, window_end, k;
            error: line 2, column 62: LAST_VALUE over DISTINCT values is not supported yet; leave DISTINCT out
        INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY GROUPING SETS ((window_start, window_end, k), (k));
            error: line 2, column 46: a grouping set without the window is not supported yet; name window_start and window_end in each
    "#]].assert_eq(&refused(&[
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
        "INSERT INTO out3 SELECT window_start, k, LAST_VALUE(DISTINCT v) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY window_start, window_end, k;",
        "INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY GROUPING SETS ((window_start, window_end, k), (k));",
    ]));
}

#[test]
fn statements_and_tables_that_cannot_be_are_refused() {
    expect![[r#"
        SELECT k FROM t;
            error: line 2, column 1: a query by itself has nowhere to write to; put INSERT INTO and a table before it, whose connector may be 'print'
        EXPLAIN SELECT k FROM t;
            error: line 2, column 1: EXPLAIN inside a program is not supported yet; use `millstream explain FILE`
        SHOW TABLES;
            error: line 2, column 1: the statement SHOW is not supported yet; remove it
        USE CATALOG c;
            error: line 2, column 1: the statement USE is not supported yet; tables of a program need no catalog; remove it
        CREATE CATALOG c WITH ('type' = 'jdbc');
            error: line 2, column 8: CREATE CATALOG is not supported yet; remove it
        INSRT INTO out2 SELECT k, v FROM t;
            error: line 2, column 1: unknown statement `INSRT`; did you mean `INSERT`?
        INSERT INTO out4 SELECT k, v FROM t;
            error: line 2, column 13: unknown table `out4`; did you mean `out2`?
        INSERT INTO bids SELECT k, v FROM t;
            error: line 2, column 13: `bids` is a view, and a table is needed here
        INSERT INTO out2 SELECT k, v FROM tt;
            error: line 2, column 35: unknown table `tt`; did you mean `t`?
        INSERT INTO out2 SELECT k FROM t;
            error: line 2, column 1: the query has 1 columns (`k` STRING), and 2 of the table `out2` are written (`k` STRING, `n` BIGINT)
        INSERT INTO out2 SELECT v, k FROM t;
            error: line 2, column 1: column 1 of the query, `v`, is INT, and the column `k` of the table `out2` is STRING; use CAST
        INSERT INTO out2 SELECT k, ts FROM t;
            error: line 2, column 1: column 2 of the query, `ts`, is TIMESTAMP(3), and the column `n` of the table `out2` is BIGINT; use CAST
        INSERT INTO out2 (k, m) SELECT k, v FROM t;
            error: line 2, column 22: unknown column `m`; did you mean `k`?
        INSERT OVERWRITE out2 SELECT k, v FROM t;
            error: line 2, column 8: INSERT OVERWRITE is not supported yet; a stream only adds rows; use INSERT INTO
        SET 'parallelism.defalt' = '2';
            error: line 2, column 1: the option 'parallelism.defalt' is not known; did you mean 'parallelism.default'?
        CREATE FUNCTION f AS 'com.example.F';
            error: line 2, column 17: the function `f` of the class com.example.F is not supported yet; functions in other languages cannot be loaded
        CREATE TABLE t (a INT) WITH ('connector' = 'print');
            error: line 2, column 14: there is a table or view called `t` already; DROP it first
        CREATE TABLE x (a INTT) WITH ('connector' = 'print');
            error: line 2, column 19: the type INTT is not known; did you mean `INT`?
        CREATE TABLE x (a INT, PRIMARY KEY (a)) WITH ('connector' = 'print');
            error: line 2, column 24: PRIMARY KEY needs NOT ENFORCED after it: nothing here checks that keys are unique
        CREATE TABLE x (a INT, PRIMARY KEY (b) NOT ENFORCED) WITH ('connector' = 'print');
            error: line 2, column 37: unknown column `b`; did you mean `a`?
        CREATE TABLE x (a INT, WATERMARK FOR a AS a) WITH ('connector' = 'print');
            error: line 2, column 38: a watermark is for a column of type TIMESTAMP(3) or TIMESTAMP_LTZ(3), and `a` is INT
        CREATE TABLE x (a TIMESTAMP(6), WATERMARK FOR a AS a) WITH ('connector' = 'print');
            error: line 2, column 47: a watermark is for a column of type TIMESTAMP(3) or TIMESTAMP_LTZ(3), and `a` is TIMESTAMP(6)
        CREATE TABLE x (a TIMESTAMP(3), WATERMARK FOR b AS a) WITH ('connector' = 'print');
            error: line 2, column 47: unknown column `b`; did you mean `a`?
        CREATE TABLE x (a INT, b AS c + 1) WITH ('connector' = 'print');
            error: line 2, column 29: unknown column `c`; did you mean `a`?
        CREATE TABLE x (a INT) WITH ('connector' = 'kafkaa'); INSERT INTO x SELECT v FROM t;
            error: line 2, column 14: unknown connector of the table `x`: `kafkaa`
        CREATE TABLE x (a INT); INSERT INTO x SELECT v FROM t;
            error: line 2, column 14: the table `x` has no 'connector' among its options
        CREATE TABLE x (a INT) WITH ('connector' = 'print', 'colour' = 'red'); INSERT INTO x SELECT v FROM t;
            error: line 2, column 14: table `x`: the option 'colour' is not known here
        INSERT INTO out2 SELECT k, v FROM t SELECT;
            error: line 2, column 43: unexpected `;`
        INSERT INTO out2 SELECT k, v FROM (SELECT CASE WHEN v = 1 THEN 'a' ESLE k END AS k, v FROM t);
            error: line 2, column 68: unexpected `ESLE`
        DROP TABLE nothing;
            error: line 2, column 12: unknown table `nothing`

            error: the program writes nothing; a job needs at least one INSERT INTO
    "#]].assert_eq(&refused(&[
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

#[test]
fn long_and_deep_programs_are_planned_or_refused_and_never_a_crash() {
    let union = |n: usize| format!("INSERT INTO out2 {};", vec!["SELECT k, v FROM t"; n].join(" UNION ALL "));
    assert!(planned(&union(100)).starts_with("job"), "100 inputs");
    assert!(planned(&union(300)).contains("200 SELECTs at most"), "300 inputs");
    let nested =
        |n: usize| format!("INSERT INTO out2 SELECT k, v FROM {}t{};", "(SELECT k, v FROM ".repeat(n), ")".repeat(n));
    assert!(planned(&nested(20)).starts_with("job"), "{}", planned(&nested(20)));
    assert!(planned(&nested(1_000)).starts_with("error"), "1000 levels");
    let chain = format!("INSERT INTO out2 SELECT k, v FROM t WHERE {};", vec!["v = 1"; 400].join(" OR "));
    assert!(planned(&chain).starts_with("job"), "400 conditions");
}
