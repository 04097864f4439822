//! The queries of Nexmark (<https://github.com/nexmark/nexmark>, Apache-2.0) in its dialect, over tables and views with its
//! columns.
//!
//! What matters beyond that they are planned is what is read for them: of each event only the fields of a bid that the query
//! names, whatever the watermark needs of the others.

use expect_test::expect;

use super::plan_sql;
use crate::session::Session;
use crate::thread::on_planning_thread;

const TABLES: &str = r"
CREATE TABLE datagen (
    event_type int,
    person ROW<id  BIGINT, name  VARCHAR, emailAddress  VARCHAR, creditCard  VARCHAR, city  VARCHAR, state  VARCHAR, dateTime TIMESTAMP(3), extra  VARCHAR>,
    auction ROW<id  BIGINT, itemName  VARCHAR, description  VARCHAR, initialBid  BIGINT, reserve  BIGINT, dateTime  TIMESTAMP(3), expires  TIMESTAMP(3), seller  BIGINT, category  BIGINT, extra  VARCHAR>,
    bid ROW<auction  BIGINT, bidder  BIGINT, price  BIGINT, channel  VARCHAR, url  VARCHAR, dateTime  TIMESTAMP(3), extra  VARCHAR>,
    dateTime AS CASE WHEN event_type = 0 THEN person.dateTime WHEN event_type = 1 THEN auction.dateTime ELSE bid.dateTime END,
    WATERMARK FOR dateTime AS dateTime - INTERVAL '4' SECOND
) WITH ('connector' = 'nexmark', 'first-event.rate' = '10000', 'next-event.rate' = '10000', 'events.num' = '1000');
CREATE VIEW person AS SELECT person.id, person.name, person.emailAddress, person.creditCard, person.city, person.state, dateTime, person.extra FROM datagen WHERE event_type = 0;
CREATE VIEW auction AS SELECT auction.id, auction.itemName, auction.description, auction.initialBid, auction.reserve, dateTime, auction.expires, auction.seller, auction.category, auction.extra FROM datagen WHERE event_type = 1;
CREATE VIEW bid AS SELECT bid.auction, bid.bidder, bid.price, bid.channel, bid.url, dateTime, bid.extra FROM datagen WHERE event_type = 2;
";

const QUERIES: &[(&str, &str)] = &[
    (
        "q0",
        r"CREATE TABLE nexmark_q0 (auction  BIGINT, bidder  BIGINT, price  BIGINT, dateTime  TIMESTAMP(3), extra  VARCHAR) WITH ('connector' = 'blackhole');
INSERT INTO nexmark_q0 SELECT auction, bidder, price, dateTime, extra FROM bid;",
    ),
    (
        "q1",
        r"CREATE TABLE nexmark_q1 (auction  BIGINT, bidder  BIGINT, price  DECIMAL(23, 3), dateTime  TIMESTAMP(3), extra  VARCHAR) WITH ('connector' = 'blackhole');
INSERT INTO nexmark_q1 SELECT auction, bidder, 0.908 * price as price, dateTime, extra FROM bid;",
    ),
    (
        "q2",
        r"CREATE TABLE nexmark_q2 (auction  BIGINT, price  BIGINT) WITH ('connector' = 'blackhole');
INSERT INTO nexmark_q2 SELECT auction, price FROM bid WHERE MOD(auction, 123) = 0;",
    ),
    (
        "q5",
        r"CREATE TABLE nexmark_q5 (auction  BIGINT, num  BIGINT) WITH ('connector' = 'blackhole');
INSERT INTO nexmark_q5
SELECT AuctionBids.auction, AuctionBids.num
 FROM (
   SELECT auction, count(*) AS num, window_start AS starttime, window_end AS endtime
     FROM TABLE(HOP(TABLE bid, DESCRIPTOR(dateTime), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
     GROUP BY auction, window_start, window_end
 ) AS AuctionBids
 JOIN (
   SELECT max(CountBids.num) AS maxn, CountBids.starttime, CountBids.endtime
   FROM (
     SELECT count(*) AS num, window_start AS starttime, window_end AS endtime
     FROM TABLE(HOP(TABLE bid, DESCRIPTOR(dateTime), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
     GROUP BY auction, window_start, window_end
     ) AS CountBids
   GROUP BY CountBids.starttime, CountBids.endtime
 ) AS MaxBids
 ON AuctionBids.starttime = MaxBids.starttime AND AuctionBids.endtime = MaxBids.endtime AND AuctionBids.num >= MaxBids.maxn;",
    ),
    (
        "q5-core",
        r"CREATE TABLE q5c (maxn  BIGINT, a TIMESTAMP(3), b TIMESTAMP(3)) WITH ('connector' = 'blackhole');
INSERT INTO q5c SELECT max(CountBids.num) AS maxn, CountBids.starttime, CountBids.endtime
   FROM (
     SELECT count(*) AS num, window_start AS starttime, window_end AS endtime
     FROM TABLE(HOP(TABLE bid, DESCRIPTOR(dateTime), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
     GROUP BY auction, window_start, window_end
     ) AS CountBids
   GROUP BY CountBids.starttime, CountBids.endtime;",
    ),
    (
        "q7",
        r"CREATE TABLE nexmark_q7 (auction  BIGINT, bidder  BIGINT, price  BIGINT, dateTime  TIMESTAMP(3), extra  VARCHAR) WITH ('connector' = 'blackhole');
INSERT INTO nexmark_q7
SELECT B.auction, B.price, B.bidder, B.dateTime, B.extra
from bid B
JOIN (
  SELECT MAX(price) AS maxprice, window_end as dateTime
  FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(dateTime), INTERVAL '10' SECOND))
  GROUP BY window_start, window_end
) B1
ON B.price = B1.maxprice
WHERE B.dateTime BETWEEN B1.dateTime  - INTERVAL '10' SECOND AND B1.dateTime;",
    ),
    (
        "q10",
        r"CREATE TABLE nexmark_q10 (auction  BIGINT, bidder  BIGINT, price  BIGINT, dateTime  TIMESTAMP(3), extra  VARCHAR, dt STRING, hm STRING) PARTITIONED BY (dt, hm) WITH ('connector' = 'filesystem', 'path' = '/out', 'format' = 'csv', 'sink.partition-commit.trigger' = 'partition-time', 'sink.partition-commit.delay' = '1 min', 'sink.partition-commit.policy.kind' = 'success-file', 'partition.time-extractor.timestamp-pattern' = '$dt $hm:00', 'sink.rolling-policy.rollover-interval' = '1min', 'sink.rolling-policy.check-interval' = '1min');
INSERT INTO nexmark_q10 SELECT auction, bidder, price, dateTime, extra, DATE_FORMAT(dateTime, 'yyyy-MM-dd'), DATE_FORMAT(dateTime, 'HH:mm') FROM bid;",
    ),
    (
        "q11",
        r"CREATE TABLE nexmark_q11 (bidder BIGINT, bid_count BIGINT, starttime TIMESTAMP(3), endtime TIMESTAMP(3)) WITH ('connector' = 'blackhole');
INSERT INTO nexmark_q11 SELECT B.bidder, count(*) as bid_count, SESSION_START(B.dateTime, INTERVAL '10' SECOND) as starttime, SESSION_END(B.dateTime, INTERVAL '10' SECOND) as endtime FROM bid B GROUP BY B.bidder, SESSION(B.dateTime, INTERVAL '10' SECOND);",
    ),
    (
        "q12",
        r"CREATE TABLE nexmark_q12 (bidder BIGINT, bid_count BIGINT, starttime TIMESTAMP(3), endtime TIMESTAMP(3)) WITH ('connector' = 'blackhole');
CREATE VIEW B AS SELECT *, PROCTIME() as p_time FROM bid;
INSERT INTO nexmark_q12 SELECT bidder, count(*) as bid_count, window_start AS starttime, window_end AS endtime FROM TABLE(TUMBLE(TABLE B, DESCRIPTOR(p_time), INTERVAL '10' SECOND)) GROUP BY bidder, window_start, window_end;",
    ),
    (
        "q14",
        r"CREATE FUNCTION count_char AS 'com.github.nexmark.flink.udf.CountChar';
CREATE TABLE nexmark_q14 (auction BIGINT, bidder BIGINT, price  DECIMAL(23, 3), bidTimeType VARCHAR, dateTime TIMESTAMP(3), extra VARCHAR, c_counts BIGINT) WITH ('connector' = 'blackhole');
INSERT INTO nexmark_q14 SELECT auction, bidder, 0.908 * price as price,
    CASE WHEN HOUR(dateTime) >= 8 AND HOUR(dateTime) <= 18 THEN 'dayTime' WHEN HOUR(dateTime) <= 6 OR HOUR(dateTime) >= 20 THEN 'nightTime' ELSE 'otherTime' END AS bidTimeType,
    dateTime, extra, count_char(extra, 'c') AS c_counts
FROM bid WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000;",
    ),
    (
        "q21",
        r"CREATE TABLE nexmark_q21 (auction  BIGINT, bidder  BIGINT, price  BIGINT, channel  VARCHAR, channel_id  VARCHAR) WITH ('connector' = 'blackhole');
INSERT INTO nexmark_q21 SELECT auction, bidder, price, channel,
    CASE WHEN lower(channel) = 'apple' THEN '0' WHEN lower(channel) = 'google' THEN '1' WHEN lower(channel) = 'facebook' THEN '2' WHEN lower(channel) = 'baidu' THEN '3' ELSE REGEXP_EXTRACT(url, '(&|^)channel_id=([^&]*)', 2) END AS channel_id
    FROM bid where REGEXP_EXTRACT(url, '(&|^)channel_id=([^&]*)', 2) is not null or lower(channel) in ('apple', 'google', 'facebook', 'baidu');",
    ),
    (
        "q22",
        r"CREATE TABLE nexmark_q22 (auction  BIGINT, bidder  BIGINT, price  BIGINT, channel  VARCHAR, dir1  VARCHAR, dir2  VARCHAR, dir3  VARCHAR) WITH ('connector' = 'blackhole');
INSERT INTO nexmark_q22 SELECT auction, bidder, price, channel, SPLIT_INDEX(url, '/', 3) as dir1, SPLIT_INDEX(url, '/', 4) as dir2, SPLIT_INDEX(url, '/', 5) as dir3 FROM bid;",
    ),
];

/// What the source reads for a query, and the nodes behind it; or the error.
fn read(query: &str) -> String {
    let text = format!("{TABLES}{query}");
    let plan = || plan_sql("nexmark", &text, Session::default(), &millstream_connectors::connector);
    let graph = match on_planning_thread(plan) {
        Ok(planned) => planned.graph,
        Err(error) => return error.message().to_owned(),
    };
    let mut nodes = graph.nodes.iter();
    let columns = nodes.next().map_or_else(String::new, |source| {
        let fields: Vec<String> =
            source.schema.fields().iter().map(|field| shown(field.name(), field.data_type())).collect();
        fields.join(", ")
    });
    let names: Vec<&str> = nodes.map(|node| node.name.as_str()).collect();
    format!("{columns} -> {}", names.join(" -> "))
}

fn shown(name: &str, of: &arrow::datatypes::DataType) -> String {
    match of {
        arrow::datatypes::DataType::Struct(fields) => {
            let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
            format!("{name}({})", names.join(", "))
        }
        _ => name.to_owned(),
    }
}

#[test]
fn the_queries_read_only_the_fields_that_they_name() {
    let all: String = QUERIES.iter().map(|(name, query)| format!("{name}: {}\n", read(query))).collect();
    expect![[r#"
        q0: bid(auction, bidder, price, dateTime, extra) -> Project -> Sink: nexmark_q0
        q1: bid(auction, bidder, price, dateTime, extra) -> Project -> Sink: nexmark_q1
        q2: bid(auction, price) -> Filter -> Project -> Sink: nexmark_q2
        q5: a join is not supported yet
        q5-core: bid(auction, dateTime) -> Project -> WindowAggregate(q5c) -> Project -> WindowAggregate(q5c) -> Project -> Sink: q5c
        q7: a join is not supported yet
        q10: bid(auction, bidder, price, dateTime, extra) -> Project -> Sink: nexmark_q10
        q11: bid(bidder, dateTime) -> Project -> WindowAggregate(nexmark_q11) -> Project -> Sink: nexmark_q11
        q12: bid(bidder) -> Project -> WindowAggregate(nexmark_q12) -> Project -> Sink: nexmark_q12
        q14: bid(auction, bidder, price, dateTime, extra) -> Filter -> Project -> Project -> Sink: nexmark_q14
        q21: bid(auction, bidder, price, channel, url) -> Filter -> Project -> Project -> Sink: nexmark_q21
        q22: bid(auction, bidder, price, channel, url) -> Project -> Sink: nexmark_q22
    "#]].assert_eq(&all);
}
