//! What programs become: their graphs as `millstream explain` shows them.

use expect_test::{Expect, expect};
use millstream_graph::{chaining, explain, two_phase};

use super::plan_sql;
use crate::session::Session;
use crate::thread::on_planning_thread;

pub(super) const TABLES: &str = "
CREATE TABLE t (
    k STRING,
    v INT,
    d DECIMAL(10, 2),
    tags ARRAY<STRING>,
    kind INT,
    person ROW<name STRING, city STRING, ts TIMESTAMP(3)>,
    bid ROW<auction BIGINT, price BIGINT, ts TIMESTAMP(3)>,
    ts TIMESTAMP(3),
    pt AS PROCTIME(),
    WATERMARK FOR ts AS ts - INTERVAL '2' SECOND
) WITH ('connector' = 'filesystem', 'path' = '/in', 'format' = 'json');
CREATE TABLE events (
    event_type INT,
    person ROW<id BIGINT, name STRING, dateTime TIMESTAMP(3)>,
    bid ROW<auction BIGINT, price BIGINT, dateTime TIMESTAMP(3)>,
    dateTime AS CASE WHEN event_type = 0 THEN person.dateTime ELSE bid.dateTime END,
    WATERMARK FOR dateTime AS dateTime - INTERVAL '4' SECOND
) WITH ('connector' = 'filesystem', 'path' = '/in', 'format' = 'json');
CREATE VIEW bids AS SELECT bid.auction, bid.price, dateTime FROM events WHERE event_type = 2;
CREATE TABLE out2 (k STRING, n BIGINT) WITH ('connector' = 'print');
CREATE TABLE out3 (s TIMESTAMP(3), k STRING, n BIGINT) WITH ('connector' = 'print');
";

/// The graph of `program` after [`TABLES`], or the error.
pub(super) fn planned(program: &str) -> String {
    let text = format!("{TABLES}{program}");
    let plan = || plan_sql("job", &text, Session::default(), &millstream_connectors::connector);
    match on_planning_thread(plan) {
        Ok(planned) => explain::explain(&chaining::job_graph(two_phase::two_phase(planned.graph).unwrap())),
        Err(error) => format!("error: {error}"),
    }
}

fn check(program: &str, expected: Expect) {
    expected.assert_eq(&planned(program));
}

#[test]
fn a_projection_and_a_filter_read_only_what_they_need() {
    check("INSERT INTO out2 SELECT UPPER(k), v + 1 FROM t WHERE v > 3 AND person.city = 'Rome';", expect![[r#""#]]);
}

#[test]
fn a_view_over_one_kind_of_rows_reads_only_their_fields() {
    check("INSERT INTO out2 SELECT 'x', price FROM bids WHERE price > 10;", expect![[r#""#]]);
}

#[test]
fn a_tumbling_window_is_one_aggregation() {
    check(
        "INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' MINUTE))
         WHERE v > 0 GROUP BY window_start, window_end, k HAVING COUNT(*) > 1;",
        expect![[r#""#]],
    );
}

#[test]
fn the_older_syntax_is_the_same_plan() {
    check(
        "INSERT INTO out3 SELECT TUMBLE_START(ts, INTERVAL '10' MINUTE), k, SUM(v) FROM t WHERE v > 0
         GROUP BY TUMBLE(ts, INTERVAL '10' MINUTE), k HAVING COUNT(*) > 1;",
        expect![[r#""#]],
    );
}

#[test]
fn every_sort_of_window_is_planned() {
    check(
        "INSERT INTO out3 SELECT window_start, k, COUNT(*) FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL '5' MINUTE)) GROUP BY window_start, window_end, k;
         INSERT INTO out3 SELECT window_start, k, COUNT(*) FROM TABLE(CUMULATE(DATA => TABLE t, TIMECOL => DESCRIPTOR(ts), STEP => INTERVAL '1' MINUTE, SIZE => INTERVAL '5' MINUTE)) GROUP BY window_start, window_end, k;
         INSERT INTO out3 SELECT window_start, k, COUNT(*) FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '5' MINUTE)) GROUP BY window_start, window_end, k;
         INSERT INTO out3 SELECT SESSION_START(pt, INTERVAL '5' MINUTE), k, COUNT(DISTINCT v) FILTER (WHERE v > 1) FROM t GROUP BY SESSION(pt, INTERVAL '5' MINUTE), k;",
        expect![[r#""#]],
    );
}

#[test]
fn windows_over_windows_are_attached_or_cascaded() {
    check(
        "CREATE VIEW counts AS SELECT window_start, window_end, window_time, k, COUNT(*) AS n
             FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, window_time, k;
         INSERT INTO out3 SELECT window_start, 'max', MAX(n) FROM counts GROUP BY window_start, window_end;
         INSERT INTO out3 SELECT window_start, k, SUM(n) FROM TABLE(TUMBLE(TABLE counts, DESCRIPTOR(window_time), INTERVAL '1' HOUR)) GROUP BY window_start, window_end, k;",
        expect![[r#""#]],
    );
}

#[test]
fn grouping_sets_copy_rows_before_the_aggregation() {
    check(
        "INSERT INTO out3 SELECT window_start, k, SUM(v) + GROUPING(k) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '2' SECOND))
         GROUP BY window_start, window_end, GROUPING SETS ((k), ());",
        expect![[r#""#]],
    );
}

#[test]
fn a_window_function_alone_gives_rows_their_windows() {
    check(
        "INSERT INTO out3 SELECT window_start, k, v FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECOND, INTERVAL '3' SECOND)) WHERE v > 1;",
        expect![[r#""#]],
    );
}

#[test]
fn several_inserts_share_a_source_and_a_sink() {
    check(
        "EXECUTE STATEMENT SET BEGIN
             INSERT INTO out2 SELECT k, v FROM t WHERE v > 1;
             INSERT INTO out2 (n) SELECT bid.price FROM t;
         END;",
        expect![[r#""#]],
    );
}

#[test]
fn union_all_and_unnest_are_planned() {
    check(
        "INSERT INTO out2 SELECT k, v FROM t UNION ALL SELECT person.name, 7 FROM t UNION ALL SELECT tag, 1 FROM t CROSS JOIN UNNEST(tags) AS u(tag);",
        expect![[r#""#]],
    );
}

#[test]
fn an_aggregate_without_keys_is_in_one_place_and_session_settings_count() {
    check(
        "SET 'parallelism.default' = '2';
         INSERT INTO out2 SELECT CAST(window_start AS STRING), COUNT(*) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' DAY)) GROUP BY window_start, window_end;",
        expect![[r#""#]],
    );
}

#[test]
fn bad_rows_go_to_the_table_that_is_named_for_them() {
    check(
        "CREATE TABLE bad (split STRING, `row` BIGINT, reason STRING, raw STRING) WITH ('connector' = 'print');
         CREATE TABLE s (a INT) WITH ('connector' = 'filesystem', 'path' = '/in', 'format' = 'json',
             'scan.bad-rows' = 'deadLetter', 'scan.bad-rows.dead-letter-table' = 'bad');
         INSERT INTO out2 SELECT 'a', a FROM s;",
        expect![[r#""#]],
    );
}

#[test]
fn equal_programs_have_equal_plans_and_parallelism_changes_no_id() {
    let program = "INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' MINUTE)) GROUP BY window_start, window_end, k;";
    let ids = |text: &str| -> Vec<String> {
        let lines = text.lines().filter_map(|line| line.rsplit_once('[').map(|(_, id)| id.to_owned()));
        let mut ids: Vec<String> = lines.filter(|id| id.len() == 33).collect();
        ids.sort();
        ids
    };
    let one = planned(program);
    assert_eq!(one, planned(program));
    let four = planned(&format!("SET 'parallelism.default' = '4'; {program}"));
    assert!(!ids(&one).is_empty());
    assert!(ids(&one).iter().all(|id| ids(&four).contains(id)), "{one}\n{four}");
}
