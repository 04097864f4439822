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
    check(
        "INSERT INTO out2 SELECT UPPER(k), v + 1 FROM t WHERE v > 3 AND person.city = 'Rome';",
        expect![[r#"
            job job: 1 slots, 4096 key groups

            task 0: parallelism 1, slot sharing group default
              Source: t [aab13e53ef81d37223e05e3fe21da638]
                columns k Utf8, v Int32, person Struct("city": Utf8)
                watermark Expression of ts@0 - 2000
              Filter [6ea9b94902a3d0b09b64e8985f2a4e32]
                where v@1 > 3 AND get_field(person@2, city) = Rome
              Project [92862829086b58e26233e7038d1b8c24]
                select upper(k@0) AS k, CAST(v@1 + 1 AS Int64) AS n
              Sink: out2 [857b9094adcd24493883edd8fd5124be]
                columns k Utf8, n Int64
        "#]],
    );
}

#[test]
fn a_view_over_one_kind_of_rows_reads_only_their_fields() {
    check(
        "INSERT INTO out2 SELECT 'x', price FROM bids WHERE price > 10;",
        expect![[r#"
            job job: 1 slots, 4096 key groups

            task 0: parallelism 1, slot sharing group default
              Source: events [f1b32aa58a8d8c843ec4d1f9de7d5af5]
                columns bid Struct("price": Int64)
                watermark Expression of CASE WHEN event_type@0 = 0 THEN get_field(person@1, dateTime) ELSE get_field(bid@2, dateTime) END - 4000
              Filter [6ea9b94902a3d0b09b64e8985f2a4e32]
                where get_field(bid@0, price) > 10
              Project [92862829086b58e26233e7038d1b8c24]
                select x AS k, get_field(bid@0, price) AS n
              Sink: out2 [857b9094adcd24493883edd8fd5124be]
                columns k Utf8, n Int64
        "#]],
    );
}

const TUMBLING: &str =
    "INSERT INTO out3 SELECT window_start, k, SUM(v) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' MINUTE))
         WHERE v > 0 GROUP BY window_start, window_end, k HAVING COUNT(*) > 1;";

#[test]
fn a_tumbling_window_is_one_aggregation() {
    check(
        TUMBLING,
        expect![[r#"
            job job: 1 slots, 4096 key groups

            task 0: parallelism 1, slot sharing group default
              Source: t [aab13e53ef81d37223e05e3fe21da638]
                columns k Utf8, v Int32, ts Timestamp(ms)
                watermark Expression of ts@2 - 2000
              Filter [c1508dec00be354873b54d12df2bd58c]
                where v@1 > 0
              Project [4562536493a11127f99c7fed87f5b227]
                select k@0 AS k0, ts@2 AS t, v@1 AS c0
              WindowAggregate(out3) [460a2eac8d780ee23002255cda67e129]
                key (k0)
                window Tumbling { size: 600000, offset: 0 } in event time t
                trigger EventTime
                Sum(c0) AS a0
                Count(*) AS a1
              Filter [f3277c526c1ddac3384f437654b9e422]
                where a1@4 > 1
              Project [57a9d67234be7ef49c4c1ac3d345958f]
                select window_start@1 AS s, k0@0 AS k, CAST(a0@3 AS Int64) AS n
              Sink: out3 [55ac47ba7e906d6411310bcecc6aae86]
                columns s Timestamp(ms), k Utf8, n Int64
        "#]],
    );
}

#[test]
fn the_older_syntax_is_the_same_plan() {
    let older = planned(
        "INSERT INTO out3 SELECT TUMBLE_START(ts, INTERVAL '10' MINUTE), k, SUM(v) FROM t WHERE v > 0
         GROUP BY TUMBLE(ts, INTERVAL '10' MINUTE), k HAVING COUNT(*) > 1;",
    );
    assert_eq!(older, planned(TUMBLING));
}

#[test]
fn every_sort_of_window_is_planned() {
    check(
        "INSERT INTO out3 SELECT window_start, k, COUNT(*) FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL '5' MINUTE)) GROUP BY window_start, window_end, k;
         INSERT INTO out3 SELECT window_start, k, COUNT(*) FROM TABLE(CUMULATE(DATA => TABLE t, TIMECOL => DESCRIPTOR(ts), STEP => INTERVAL '1' MINUTE, SIZE => INTERVAL '5' MINUTE)) GROUP BY window_start, window_end, k;
         INSERT INTO out3 SELECT window_start, k, COUNT(*) FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '5' MINUTE)) GROUP BY window_start, window_end, k;
         INSERT INTO out3 SELECT SESSION_START(pt, INTERVAL '5' MINUTE), k, COUNT(DISTINCT v) FILTER (WHERE v > 1) FROM t GROUP BY SESSION(pt, INTERVAL '5' MINUTE), k;",
        expect![[r#"
            job job: 1 slots, 4096 key groups

            task 0: parallelism 1, slot sharing group default
              Source: t [aab13e53ef81d37223e05e3fe21da638]
                columns k Utf8, v Int32, ts Timestamp(ms)
                watermark Expression of ts@2 - 2000
              Project [4562536493a11127f99c7fed87f5b227]
                select k@0 AS k0, ts@2 AS t
              WindowAggregate(out3) [300b3baeb5db14ad9828fee58376ff24]
                key (k0)
                window Sliding { size: 300000, slide: 60000, offset: 0 } in event time t
                trigger EventTime
                Count(*) AS a0
              Project [57a9d67234be7ef49c4c1ac3d345958f]
                select window_start@1 AS s, k0@0 AS k, a0@3 AS n
              Project [accab248cb0110ddb36c569fc0924f41]
                select k@0 AS k0, ts@2 AS t
              WindowAggregate(out3) [c50aa6be653211298e8ec91ab1d99c1c]
                key (k0)
                window Cumulating { max_size: 300000, step: 60000, offset: 0 } in event time t
                trigger EventTime
                Count(*) AS a0
              Project [06220efd81ad92ada749b2ef15edff44]
                select window_start@1 AS s, k0@0 AS k, a0@3 AS n
              Project [da667c0248c1a64ce616a0f4293d9317]
                select k@0 AS k0, ts@2 AS t
              WindowAggregate(out3) [3321fa6010f6c8f4ce07e5ef166f35fb]
                key (k0)
                window Session { gap: Fixed(300000) } in event time t
                trigger EventTime
                Count(*) AS a0
              Project [3a55b9c202b6dc9ac5d18ee36c86da5c]
                select window_start@1 AS s, k0@0 AS k, a0@3 AS n
              Project [bccfbeb77459fadf05cba56bffad502c]
                select k@0 AS k0, v@1 AS c0, v@1 > 1 AS f0
              WindowAggregate(out3) [667280f32aa97013448fccc3e4955b69]
                key (k0)
                window Session { gap: Fixed(300000) } in processing time
                trigger ProcessingTime
                Count(distinct c0) filter f0 AS a0
              Project [c0269df9da243cb37c8857c8a1f819f2]
                select window_start@1 AS s, k0@0 AS k, a0@3 AS n

            task 1: parallelism 1, slot sharing group default
              reads Project of task 0, forward
              reads Project of task 0, forward
              reads Project of task 0, forward
              reads Project of task 0, forward
              Union [99e9f8f1ae5ff41886c8299c0915e37a]
              Sink: out3 [55ac47ba7e906d6411310bcecc6aae86]
                columns s Timestamp(ms), k Utf8, n Int64
        "#]],
    );
}

#[test]
fn windows_over_windows_are_attached_or_cascaded() {
    check(
        "CREATE VIEW counts AS SELECT window_start, window_end, window_time, k, COUNT(*) AS n
             FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, window_time, k;
         INSERT INTO out3 SELECT window_start, 'max', MAX(n) FROM counts GROUP BY window_start, window_end;
         CREATE VIEW minutes AS SELECT window_time AS rowtime, k, n FROM counts;
         INSERT INTO out3 SELECT window_start, k, SUM(n) FROM TABLE(TUMBLE(TABLE minutes, DESCRIPTOR(rowtime), INTERVAL '1' HOUR)) GROUP BY window_start, window_end, k;",
        expect![[r#"
            job job: 1 slots, 4096 key groups

            task 0: parallelism 1, slot sharing group default
              Source: t [aab13e53ef81d37223e05e3fe21da638]
                columns k Utf8, ts Timestamp(ms)
                watermark Expression of ts@1 - 2000
              WindowAggregate(out3) [16202fe391a595182d07527d5b86dfbb]
                key (k)
                window Tumbling { size: 60000, offset: 0 } in event time ts
                trigger EventTime
                Count(*) AS a0
              Project [4562536493a11127f99c7fed87f5b227]
                select window_start@1 AS s, window_end@2 AS e, a0@3 AS c0
              WindowAggregate(out3) [15254f226cd83792bc647ad475c7b494]
                key ()
                window Attached { start: 0, end: 1 } in event time e
                trigger EventTime
                Max(c0) AS a0
              Project [57a9d67234be7ef49c4c1ac3d345958f]
                select window_start@0 AS s, max AS k, a0@2 AS n
              WindowAggregate(out3) [afd88be9f7f97b8d65ca96af8706c9d6]
                key (k)
                window Tumbling { size: 60000, offset: 0 } in event time ts
                trigger EventTime
                Count(*) AS a0
              Project [accab248cb0110ddb36c569fc0924f41]
                select k0@0 AS k0, window_end@2 - 1 AS t, a0@3 AS c0
              WindowAggregate(out3) [7e747498d3c5d7d80c5ca857728bb412]
                key (k0)
                window Tumbling { size: 3600000, offset: 0 } in event time t
                trigger EventTime
                Sum(c0) AS a0
              Project [06220efd81ad92ada749b2ef15edff44]
                select window_start@1 AS s, k0@0 AS k, a0@3 AS n

            task 1: parallelism 1, slot sharing group default
              reads Project of task 0, forward
              reads Project of task 0, forward
              Union [99e9f8f1ae5ff41886c8299c0915e37a]
              Sink: out3 [55ac47ba7e906d6411310bcecc6aae86]
                columns s Timestamp(ms), k Utf8, n Int64
        "#]],
    );
}

#[test]
fn grouping_sets_copy_rows_before_the_aggregation() {
    check(
        "INSERT INTO out3 SELECT window_start, k, SUM(v) + GROUPING(k) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '2' SECOND))
         GROUP BY window_start, window_end, GROUPING SETS ((k), ());",
        expect![[r#"
            job job: 1 slots, 4096 key groups

            task 0: parallelism 1, slot sharing group default
              Source: t [aab13e53ef81d37223e05e3fe21da638]
                columns k Utf8, v Int32, ts Timestamp(ms)
                watermark Expression of ts@2 - 2000
              Project [4562536493a11127f99c7fed87f5b227]
                select k@0 AS k0, ts@2 AS t, v@1 AS c0
              Expand [146120b43e29aba2425a07394777fa8e]
                copy k0@0, t@1, c0@2, 0, 0
                copy NULL, t@1, c0@2, 1, 1
              Project [57a9d67234be7ef49c4c1ac3d345958f]
                select k0@0 AS k0, g0@3 AS k1, g1@4 AS k2, t@1 AS t, c0@2 AS c0
              WindowAggregate(out3) [277e3b9c945842528fe0103fe95c0650]
                key (k0, k1, k2)
                window Tumbling { size: 2000, offset: 0 } in event time t
                trigger EventTime
                Sum(c0) AS a0
              Project [accab248cb0110ddb36c569fc0924f41]
                select window_start@3 AS s, k0@0 AS k, CAST(a0@5 AS Int64) + k2@2 AS n
              Sink: out3 [55ac47ba7e906d6411310bcecc6aae86]
                columns s Timestamp(ms), k Utf8, n Int64
        "#]],
    );
}

#[test]
fn a_window_function_alone_gives_rows_their_windows() {
    check(
        "INSERT INTO out3 SELECT window_start, k, v FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECOND, INTERVAL '3' SECOND)) WHERE v > 1;",
        expect![[r#"
            job job: 1 slots, 4096 key groups

            task 0: parallelism 1, slot sharing group default
              Source: t [aab13e53ef81d37223e05e3fe21da638]
                columns k Utf8, v Int32, ts Timestamp(ms)
                watermark Expression of ts@2 - 2000
              Filter [c1508dec00be354873b54d12df2bd58c]
                where v@1 > 1
              Windows [c0dd4b63141bf93ed372c410aeb65dbc]
                copy k@0, v@1, ts@2, window_start(ts@2, 0), window_end(ts@2, 0), window_time(ts@2, 0)
                copy k@0, v@1, ts@2, window_start(ts@2, 1), window_end(ts@2, 1), window_time(ts@2, 1)
                copy k@0, v@1, ts@2, window_start(ts@2, 2), window_end(ts@2, 2), window_time(ts@2, 2)
              Filter [f3277c526c1ddac3384f437654b9e422]
                where window_start@3 IS NOT NULL
              Project [4562536493a11127f99c7fed87f5b227]
                select window_start@3 AS s, k@0 AS k, CAST(v@1 AS Int64) AS n
              Sink: out3 [55ac47ba7e906d6411310bcecc6aae86]
                columns s Timestamp(ms), k Utf8, n Int64
        "#]],
    );
}

#[test]
fn several_inserts_share_a_source_and_a_sink() {
    check(
        "EXECUTE STATEMENT SET BEGIN
             INSERT INTO out2 SELECT k, v FROM t WHERE v > 1;
             INSERT INTO out2 (n) SELECT bid.price FROM t;
         END;",
        expect![[r#"
            job job: 1 slots, 4096 key groups

            task 0: parallelism 1, slot sharing group default
              Source: t [aab13e53ef81d37223e05e3fe21da638]
                columns k Utf8, v Int32, bid Struct("price": Int64)
                watermark Expression of ts@0 - 2000
              Filter [6ea9b94902a3d0b09b64e8985f2a4e32]
                where v@1 > 1
              Project [92862829086b58e26233e7038d1b8c24]
                select k@0 AS k, CAST(v@1 AS Int64) AS n
              Project [04152eed16c3c224f0db4639786ab725]
                select NULL AS k, get_field(bid@2, price) AS n

            task 1: parallelism 1, slot sharing group default
              reads Project of task 0, forward
              reads Project of task 0, forward
              Union [e45676c13d6945b2a6946e0ebf1b1d45]
              Sink: out2 [857b9094adcd24493883edd8fd5124be]
                columns k Utf8, n Int64
        "#]],
    );
}

#[test]
fn union_all_and_unnest_are_planned() {
    check(
        "INSERT INTO out2 SELECT k, v FROM t UNION ALL SELECT person.name, 7 FROM t UNION ALL SELECT tag, 1 FROM t CROSS JOIN UNNEST(tags) AS u(tag);",
        expect![[r#"
            job job: 1 slots, 4096 key groups

            task 0: parallelism 1, slot sharing group default
              Source: t [aab13e53ef81d37223e05e3fe21da638]
                columns k Utf8, v Int32, tags List(Utf8), person Struct("name": Utf8)
                watermark Expression of ts@0 - 2000
              Unnest [3bcb1bbed91b14279f74551249acbaef]
                unnest tags@2
              Project [92862829086b58e26233e7038d1b8c24]
                select k@0 AS k, v@1 AS v
              Project [04152eed16c3c224f0db4639786ab725]
                select get_field(person@3, name) AS k, 7 AS v
              Project [d76a95ac2f408d3b1dd1875b02c1a17b]
                select __element@4 AS k, 1 AS v

            task 1: parallelism 1, slot sharing group default
              reads Project of task 0, forward
              reads Project of task 0, forward
              reads Project of task 0, forward
              Union [e45676c13d6945b2a6946e0ebf1b1d45]
              Project [5d1f72e4bfaf8fe69e4927d72c444095]
                select k@0 AS k, CAST(v@1 AS Int64) AS n
              Sink: out2 [857b9094adcd24493883edd8fd5124be]
                columns k Utf8, n Int64
        "#]],
    );
}

#[test]
fn a_union_of_literals_has_their_types() {
    let text = planned(
        "CREATE TABLE kinds (k STRING, kind INT) WITH ('connector' = 'print');
         INSERT INTO kinds SELECT k, 1 FROM t UNION ALL SELECT k, 2 FROM t;",
    );
    assert!(text.contains("select k@0 AS k, 1 AS "), "{text}");
}

#[test]
fn an_aggregate_without_keys_is_in_one_place_and_session_settings_count() {
    check(
        "SET 'parallelism.default' = '2';
         INSERT INTO out2 SELECT CAST(window_start AS STRING), COUNT(*) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' DAY)) GROUP BY window_start, window_end;",
        expect![[r#"
            job job: 2 slots, 4096 key groups

            task 0: parallelism 2, slot sharing group default
              Source: t [aab13e53ef81d37223e05e3fe21da638]
                columns ts Timestamp(ms)
                watermark Expression of ts@0 - 2000
              LocalWindowAggregate(out2) [a2dfb158f1f7501043a3174e59bb6271]
                key ()
                window Tumbling { size: 86400000, offset: 0 } in event time ts, summed up before the exchange
                trigger EventTime
                Count(*) AS a0

            task 1: parallelism 1, slot sharing group default
              reads LocalWindowAggregate(out2) of task 0, global
              WindowAggregate(out2) [ddd6c66a11f13577b5ea6fadb1214e72]
                key ()
                window Tumbling { size: 86400000, offset: 0 } in event time ts, finished after the exchange
                trigger EventTime
                Count(*) AS a0
              Project [92862829086b58e26233e7038d1b8c24]
                select flink_cast(window_start@0) AS k, a0@2 AS n
              Sink: out2 [857b9094adcd24493883edd8fd5124be]
                columns k Utf8, n Int64
        "#]],
    );
}

#[test]
fn bad_rows_go_to_the_table_that_is_named_for_them() {
    check(
        "CREATE TABLE bad (split STRING, `row` BIGINT, reason STRING, raw STRING) WITH ('connector' = 'print');
         CREATE TABLE s (a INT) WITH ('connector' = 'filesystem', 'path' = '/in', 'format' = 'json',
             'scan.bad-rows' = 'deadLetter', 'scan.bad-rows.dead-letter-table' = 'bad');
         INSERT INTO out2 SELECT 'a', a FROM s;",
        expect![[r#"
            job job: 1 slots, 4096 key groups

            task 0: parallelism 1, slot sharing group default
              Source: s [8b4d9c0ef85f60ce9c74fbe588d425cd]
                columns a Int32
              Project [92862829086b58e26233e7038d1b8c24]
                select a AS k, CAST(a@0 AS Int64) AS n
              DeadLetters [2f629e493d973c257cca823283f19a9e]
                takes (dead letters) of Source: s
                select split@0 AS split, row@1 AS row, reason@2 AS reason, raw@3 AS raw
              Sink: out2 [857b9094adcd24493883edd8fd5124be]
                columns k Utf8, n Int64
              Sink: bad [7251c779078c1ba46c0af3be009249ec]
                columns split Utf8, row Int64, reason Utf8, raw Utf8
        "#]],
    );
}

#[test]
fn names_that_come_twice_are_numbered() {
    let text = planned(
        "CREATE TABLE w (a STRING, b STRING, c INT) WITH ('connector' = 'print'); INSERT INTO w SELECT k, k, v FROM t;",
    );
    assert!(text.contains("select k@0 AS a, k@0 AS b, v@1 AS c"), "{text}");
    let text = planned("CREATE VIEW twice AS SELECT *, k FROM t; INSERT INTO out2 SELECT k0, v FROM twice;");
    assert!(text.contains("select k@0 AS k"), "{text}");
}

#[test]
fn the_time_zone_is_settled_before_the_first_table() {
    let text = planned("SET 'table.local-time-zone' = 'Asia/Tokyo'; INSERT INTO out2 SELECT k, v FROM t;");
    assert!(text.contains("must be SET before the first table"), "{text}");
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
