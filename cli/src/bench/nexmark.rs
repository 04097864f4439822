//! `millstream bench nexmark --query q5-core --events 20000000`, or `--from FILE` with bids as JSON lines.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::measure::{Case, literal, measure, write};

/// Queries of the Nexmark suite.
#[derive(Debug, Args)]
pub(crate) struct Nexmark {
    /// Which query.
    #[arg(long, value_enum)]
    query: Query,
    /// How many events are generated.
    #[arg(long, default_value_t = 20_000_000)]
    events: u64,
    /// Events per second of event time. The default is what Flink's published figures use.
    #[arg(long, default_value_t = 100_000)]
    rate: u32,
    /// Read bids from this file of JSON lines (a bid's seven columns) instead of generating events.
    #[arg(long)]
    from: Option<PathBuf>,
    /// Subtasks of each operator.
    #[arg(long, default_value_t = 1)]
    parallelism: u32,
    /// Write the generated bids to this folder as JSON lines, for `--from`, instead of running the query.
    #[arg(long, conflicts_with = "from")]
    write_bids: Option<PathBuf>,
}

/// The queries that run here. `-core` stands for the part of a query that needs no join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Query {
    /// Pass through.
    Q0,
    /// Currency conversion.
    Q1,
    /// Selection.
    Q2,
    /// Bids per auction in a hopping window and the greatest number of each window.
    Q5Core,
    /// The greatest price of each tumbling window.
    Q7Core,
    /// Bids per bidder and session.
    Q11,
    /// Bids per bidder in a tumbling window of the wall clock.
    Q12,
    /// A calculation with a function of the suite's own.
    Q14,
    /// The channel of each bid, by a regular expression.
    Q21,
    /// Parts of each bid's URL.
    Q22,
    /// Bids per bidder in a tumbling window of event time.
    Bidders,
}

impl Query {
    fn name(self) -> &'static str {
        match self {
            Self::Q0 => "q0",
            Self::Q1 => "q1",
            Self::Q2 => "q2",
            Self::Q5Core => "q5-core",
            Self::Q7Core => "q7-core",
            Self::Q11 => "q11",
            Self::Q12 => "q12",
            Self::Q14 => "q14",
            Self::Q21 => "q21",
            Self::Q22 => "q22",
            Self::Bidders => "bidders",
        }
    }

    /// The columns of the result and the query, over a view `bid`.
    fn sql(self) -> (&'static str, &'static str) {
        match self {
            Self::Q0 => (
                "auction BIGINT, bidder BIGINT, price BIGINT, `dateTime` TIMESTAMP(3), extra STRING",
                "SELECT auction, bidder, price, `dateTime`, extra FROM bid",
            ),
            Self::Q1 => (
                "auction BIGINT, bidder BIGINT, price DECIMAL(23, 3), `dateTime` TIMESTAMP(3), extra STRING",
                "SELECT auction, bidder, 0.908 * price AS price, `dateTime`, extra FROM bid",
            ),
            Self::Q2 => ("auction BIGINT, price BIGINT", "SELECT auction, price FROM bid WHERE MOD(auction, 123) = 0"),
            Self::Q5Core => (
                "num BIGINT, window_start TIMESTAMP(3), window_end TIMESTAMP(3)",
                "SELECT MAX(num), window_start, window_end FROM (\
                 SELECT auction, COUNT(*) AS num, window_start, window_end \
                 FROM TABLE(HOP(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '2' SECOND, INTERVAL '10' SECOND)) \
                 GROUP BY auction, window_start, window_end) GROUP BY window_start, window_end",
            ),
            Self::Q7Core => (
                "price BIGINT, window_start TIMESTAMP(3), window_end TIMESTAMP(3)",
                "SELECT MAX(price), window_start, window_end \
                 FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND)) \
                 GROUP BY window_start, window_end",
            ),
            Self::Q11 => (
                "bidder BIGINT, bid_count BIGINT, starttime TIMESTAMP(3), endtime TIMESTAMP(3)",
                "SELECT B.bidder, COUNT(*) AS bid_count, SESSION_START(B.`dateTime`, INTERVAL '10' SECOND) AS starttime, \
                 SESSION_END(B.`dateTime`, INTERVAL '10' SECOND) AS endtime FROM bid B \
                 GROUP BY B.bidder, SESSION(B.`dateTime`, INTERVAL '10' SECOND)",
            ),
            Self::Q12 => (
                "bidder BIGINT, bid_count BIGINT, starttime TIMESTAMP(3), endtime TIMESTAMP(3)",
                "SELECT bidder, COUNT(*) AS bid_count, window_start AS starttime, window_end AS endtime \
                 FROM TABLE(TUMBLE((SELECT *, PROCTIME() AS p_time FROM bid), DESCRIPTOR(p_time), INTERVAL '10' SECOND)) \
                 GROUP BY bidder, window_start, window_end",
            ),
            Self::Q14 => (
                "auction BIGINT, bidder BIGINT, price DECIMAL(23, 3), bidTimeType VARCHAR, `dateTime` TIMESTAMP(3), \
                 extra VARCHAR, c_counts BIGINT",
                "SELECT auction, bidder, 0.908 * price AS price, \
                 CASE WHEN HOUR(`dateTime`) >= 8 AND HOUR(`dateTime`) <= 18 THEN 'dayTime' \
                 WHEN HOUR(`dateTime`) <= 6 OR HOUR(`dateTime`) >= 20 THEN 'nightTime' ELSE 'otherTime' END AS bidTimeType, \
                 `dateTime`, extra, count_char(extra, 'c') AS c_counts \
                 FROM bid WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000",
            ),
            Self::Q21 => (
                "auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, channel_id VARCHAR",
                "SELECT auction, bidder, price, channel, \
                 CASE WHEN LOWER(channel) = 'apple' THEN '0' WHEN LOWER(channel) = 'google' THEN '1' \
                 WHEN LOWER(channel) = 'facebook' THEN '2' WHEN LOWER(channel) = 'baidu' THEN '3' \
                 ELSE REGEXP_EXTRACT(url, '(&|^)channel_id=([^&]*)', 2) END AS channel_id \
                 FROM bid WHERE REGEXP_EXTRACT(url, '(&|^)channel_id=([^&]*)', 2) IS NOT NULL \
                 OR LOWER(channel) IN ('apple', 'google', 'facebook', 'baidu')",
            ),
            Self::Q22 => (
                "auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, dir1 VARCHAR, dir2 VARCHAR, dir3 VARCHAR",
                "SELECT auction, bidder, price, channel, SPLIT_INDEX(url, '/', 3) AS dir1, \
                 SPLIT_INDEX(url, '/', 4) AS dir2, SPLIT_INDEX(url, '/', 5) AS dir3 FROM bid",
            ),
            Self::Bidders => (
                "bidder BIGINT, bid_count BIGINT, window_start TIMESTAMP(3), window_end TIMESTAMP(3)",
                "SELECT bidder, COUNT(*) AS bid_count, window_start, window_end \
                 FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND)) \
                 GROUP BY bidder, window_start, window_end",
            ),
        }
    }
}

impl Nexmark {
    pub(crate) fn run(&self) -> ExitCode {
        if let Some(folder) = &self.write_bids {
            return write(&bids_to(folder, self.events, self.rate));
        }
        let generated = self.from.is_none();
        let (columns, query) = self.query.sql();
        let source = self.from.as_deref().map_or_else(|| generated_events(self.events, self.rate), bids_from);
        let sql = format!(
            "{source}\nCREATE FUNCTION count_char AS 'com.github.nexmark.flink.udf.CountChar';\n\
             CREATE TABLE result ({columns}) WITH ('connector' = 'blackhole');\nINSERT INTO result {query};"
        );
        let events = generated.then_some(self.events);
        measure(&Case { name: self.query.name(), sql, parallelism: self.parallelism, events })
    }
}

/// The suite's own table and view over generated events.
fn generated_events(events: u64, rate: u32) -> String {
    format!(
        "CREATE TABLE datagen (event_type INT, \
         person ROW<id BIGINT, name VARCHAR, emailAddress VARCHAR, creditCard VARCHAR, city VARCHAR, state VARCHAR, \
         `dateTime` TIMESTAMP(3), extra VARCHAR>, \
         auction ROW<id BIGINT, itemName VARCHAR, description VARCHAR, initialBid BIGINT, reserve BIGINT, \
         `dateTime` TIMESTAMP(3), expires TIMESTAMP(3), seller BIGINT, category BIGINT, extra VARCHAR>, \
         bid ROW<auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, url VARCHAR, `dateTime` TIMESTAMP(3), \
         extra VARCHAR>, \
         `dateTime` AS CASE WHEN event_type = 0 THEN person.`dateTime` WHEN event_type = 1 THEN auction.`dateTime` \
         ELSE bid.`dateTime` END, \
         WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND) \
         WITH ('connector' = 'nexmark', 'first-event.rate' = '{rate}', \
         'next-event.rate' = '{rate}', 'events.num' = '{events}');\n\
         CREATE VIEW bid AS SELECT bid.auction, bid.bidder, bid.price, bid.channel, bid.url, `dateTime`, bid.extra \
         FROM datagen WHERE event_type = 2;"
    )
}

/// Writes generated bids as JSON lines.
fn bids_to(folder: &Path, events: u64, rate: u32) -> String {
    format!(
        "{}\nCREATE TABLE bids (auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, url VARCHAR, \
         `dateTime` TIMESTAMP(3), extra VARCHAR) \
         WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'json', 'sink.rolling-policy.file-size' = '1 tb');\n\
         INSERT INTO bids SELECT * FROM bid;",
        generated_events(events, rate),
        literal(folder)
    )
}

/// Bids as JSON lines.
fn bids_from(file: &Path) -> String {
    format!(
        "CREATE TABLE bid (auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, url VARCHAR, \
         `dateTime` TIMESTAMP(3), extra VARCHAR, WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND) \
         WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'json');",
        literal(file)
    )
}
