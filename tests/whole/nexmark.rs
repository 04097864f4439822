//! The benchmark's queries over generated events, against plain loops over the same events, a row at a time.

use std::collections::{BTreeMap, HashMap};

use millstream_connectors::nexmark::generator::{Bid, Event, GeneratorConfig, Settings};
use millstream_tests::{millstream, run};

const EVENTS: u64 = 200_000;
/// Events per second of event time: slow enough for many windows and for sessions that end.
const RATE: u32 = 2_000;

/// The bids among the first [`EVENTS`] events.
fn bids() -> Vec<Bid> {
    let config = GeneratorConfig::new(Settings { events_per_second: RATE, ..Settings::default() }).unwrap();
    (0..EVENTS)
        .filter_map(|number| match config.event(number) {
            Event::Bid(bid) => Some(bid),
            Event::Person(_) | Event::Auction(_) => None,
        })
        .collect()
}

/// A value as the checksum sees it.
enum Value<'a> {
    Number(i64),
    Text(&'a str),
}

use Value::{Number, Text};

/// The checksum's definition, for one row: the mix of its values, finished.
fn row_mix(values: &[Value<'_>]) -> u64 {
    const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut mix = 0_u64;
    for (number, value) in (1_u64..).zip(values) {
        let weight = number.wrapping_mul(MULTIPLIER) | 1;
        let word = match value {
            Number(number) => number.cast_unsigned(),
            Text(text) => text_word(text.as_bytes()),
        };
        mix = mix.wrapping_add(word.wrapping_mul(weight));
    }
    let mixed = (mix ^ (mix >> 32)).wrapping_mul(MULTIPLIER);
    mixed ^ (mixed >> 29)
}

fn text_word(text: &[u8]) -> u64 {
    let word = |bytes: &[u8]| bytes.iter().take(8).rev().fold(0_u64, |word, byte| (word << 8) | u64::from(*byte));
    word(text).rotate_left(17) ^ word(&text[text.len().saturating_sub(8)..]) ^ text.len() as u64
}

/// Rows and checksum that a plain loop finds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Answer {
    rows: u64,
    checksum: u64,
}

impl Answer {
    fn add(&mut self, values: &[Value<'_>]) {
        self.rows += 1;
        self.checksum = self.checksum.wrapping_add(row_mix(values));
    }
}

/// Rows and checksum that the benchmark prints.
fn benchmark(query: &str, parallelism: u32) -> Answer {
    let mut command = millstream();
    command.args(["bench", "nexmark", "--query", query, "--events", &EVENTS.to_string()]);
    command.args(["--rate", &RATE.to_string(), "--parallelism", &parallelism.to_string()]);
    let said = run(&mut command);
    assert_eq!(said.code, 0, "{query}: {}", said.stderr);
    let figure = |name: &str| {
        let line = said.stdout.lines().find_map(|line| line.trim().strip_prefix(name)).unwrap_or_default();
        line.trim().replace(',', "")
    };
    Answer {
        rows: figure("result rows").parse().unwrap(),
        checksum: u64::from_str_radix(&figure("checksum"), 16).unwrap(),
    }
}

fn agree(query: &str, expected: &Answer) {
    assert!(expected.rows > 0, "{query} has an answer");
    for parallelism in [1, 2] {
        assert_eq!(&benchmark(query, parallelism), expected, "{query} at parallelism {parallelism}");
    }
}

#[test]
fn q0_passes_bids_through() {
    let mut answer = Answer::default();
    for bid in bids() {
        answer.add(&[
            Number(bid.auction),
            Number(bid.bidder),
            Number(bid.price),
            Number(bid.date_time),
            Text(&bid.extra),
        ]);
    }
    agree("q0", &answer);
}

#[test]
fn q1_converts_prices() {
    let mut answer = Answer::default();
    for bid in bids() {
        // DECIMAL(23, 3): thousandths.
        let price = Number(bid.price * 908);
        answer.add(&[Number(bid.auction), Number(bid.bidder), price, Number(bid.date_time), Text(&bid.extra)]);
    }
    agree("q1", &answer);
}

#[test]
fn q2_selects_auctions() {
    let mut answer = Answer::default();
    for bid in bids().iter().filter(|bid| bid.auction % 123 == 0) {
        answer.add(&[Number(bid.auction), Number(bid.price)]);
    }
    agree("q2", &answer);
}

#[test]
fn q5_core_counts_bids_per_auction_in_hopping_windows() {
    let mut counts: HashMap<(i64, i64), i64> = HashMap::new();
    for bid in bids() {
        let last = bid.date_time - bid.date_time.rem_euclid(2_000);
        for start in (0..5).map(|step| last - step * 2_000) {
            *counts.entry((start, bid.auction)).or_default() += 1;
        }
    }
    let mut greatest: BTreeMap<i64, i64> = BTreeMap::new();
    for ((start, _), count) in counts {
        let held = greatest.entry(start).or_default();
        *held = count.max(*held);
    }
    let mut answer = Answer::default();
    for (start, count) in greatest {
        answer.add(&[Number(count), Number(start), Number(start + 10_000)]);
    }
    agree("q5-core", &answer);
}

#[test]
fn q7_core_finds_the_greatest_price_of_each_window() {
    let mut greatest: BTreeMap<i64, i64> = BTreeMap::new();
    for bid in bids() {
        let held = greatest.entry(bid.date_time - bid.date_time.rem_euclid(10_000)).or_default();
        *held = bid.price.max(*held);
    }
    let mut answer = Answer::default();
    for (start, price) in greatest {
        answer.add(&[Number(price), Number(start), Number(start + 10_000)]);
    }
    agree("q7-core", &answer);
}

#[test]
fn q11_counts_bids_per_session() {
    let mut times: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for bid in bids() {
        times.entry(bid.bidder).or_default().push(bid.date_time);
    }
    let mut answer = Answer::default();
    for (bidder, mut times) in times {
        times.sort_unstable();
        let mut session = (times[0], times[0], 0);
        for time in times {
            if time > session.1 + 10_000 {
                answer.add(&[Number(bidder), Number(session.2), Number(session.0), Number(session.1 + 10_000)]);
                session = (time, time, 0);
            }
            session = (session.0, time, session.2 + 1);
        }
        answer.add(&[Number(bidder), Number(session.2), Number(session.0), Number(session.1 + 10_000)]);
    }
    agree("q11", &answer);
}

#[test]
fn q14_calculates_and_counts_characters() {
    let mut answer = Answer::default();
    for bid in bids() {
        let price = bid.price * 908;
        if price <= 1_000_000_000 || price >= 50_000_000_000 {
            continue;
        }
        let kind = match bid.date_time.rem_euclid(86_400_000) / 3_600_000 {
            8..=18 => "dayTime",
            0..=6 | 20.. => "nightTime",
            _ => "otherTime",
        };
        let count = i64::try_from(bid.extra.matches('c').count()).unwrap();
        let (auction, bidder, time) = (Number(bid.auction), Number(bid.bidder), Number(bid.date_time));
        answer.add(&[auction, bidder, Number(price), Text(kind), time, Text(&bid.extra), Number(count)]);
    }
    agree("q14", &answer);
}

#[test]
fn q21_finds_the_channel_of_each_bid() {
    let mut answer = Answer::default();
    for bid in bids() {
        let named = ["apple", "google", "facebook", "baidu"].iter().zip(["0", "1", "2", "3"]);
        let named = named.filter(|(name, _)| bid.channel.to_lowercase() == **name).map(|(_, id)| id).next();
        let behind = |key: &str| bid.url.find(key).map(|at| &bid.url[at + key.len()..]);
        let in_url = behind("&channel_id=").map(|rest| rest.split('&').next().unwrap_or_default());
        if let Some(id) = named.or(in_url) {
            let (auction, bidder, price) = (Number(bid.auction), Number(bid.bidder), Number(bid.price));
            answer.add(&[auction, bidder, price, Text(&bid.channel), Text(id)]);
        }
    }
    agree("q21", &answer);
}

#[test]
fn q22_takes_urls_apart() {
    let mut answer = Answer::default();
    for bid in bids() {
        let parts: Vec<&str> = bid.url.split('/').collect();
        let (auction, bidder, price) = (Number(bid.auction), Number(bid.bidder), Number(bid.price));
        answer.add(&[auction, bidder, price, Text(&bid.channel), Text(parts[3]), Text(parts[4]), Text(parts[5])]);
    }
    agree("q22", &answer);
}

/// The tables of the suite, for `millstream run`.
const EVENTS_TABLE: &str = "CREATE TABLE datagen (event_type INT,
  person ROW<id BIGINT, name VARCHAR, emailAddress VARCHAR, creditCard VARCHAR, city VARCHAR, state VARCHAR,
    `dateTime` TIMESTAMP(3), extra VARCHAR>,
  auction ROW<id BIGINT, itemName VARCHAR, description VARCHAR, initialBid BIGINT, reserve BIGINT,
    `dateTime` TIMESTAMP(3), expires TIMESTAMP(3), seller BIGINT, category BIGINT, extra VARCHAR>,
  bid ROW<auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, url VARCHAR, `dateTime` TIMESTAMP(3),
    extra VARCHAR>,
  `dateTime` AS CASE WHEN event_type = 0 THEN person.`dateTime` WHEN event_type = 1 THEN auction.`dateTime`
    ELSE bid.`dateTime` END,
  WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND)
WITH ('connector' = 'nexmark', 'first-event.rate' = 'RATE', 'next-event.rate' = 'RATE', 'events.num' = 'EVENTS');
CREATE VIEW bid AS SELECT bid.auction, bid.bidder, bid.price, bid.channel, bid.url, `dateTime`, bid.extra
FROM datagen WHERE event_type = 2;
";

#[test]
fn q10_writes_each_bid_into_the_partition_of_its_minute() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let tables = EVENTS_TABLE.replace("RATE", &RATE.to_string()).replace("EVENTS", &EVENTS.to_string());
    let sql = format!(
        "{tables}CREATE TABLE result (auction BIGINT, bidder BIGINT, price BIGINT, `dateTime` TIMESTAMP(3), \
         extra VARCHAR, dt STRING, hm STRING) PARTITIONED BY (dt, hm) \
         WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'csv', \
         'sink.partition-commit.trigger' = 'partition-time', 'sink.partition-commit.delay' = '1 min', \
         'sink.partition-commit.policy.kind' = 'success-file', \
         'partition.time-extractor.timestamp-pattern' = '$dt $hm:00', \
         'sink.rolling-policy.rollover-interval' = '1min', 'sink.rolling-policy.check-interval' = '1min');\n\
         INSERT INTO result SELECT auction, bidder, price, `dateTime`, extra, \
         DATE_FORMAT(`dateTime`, 'yyyy-MM-dd'), DATE_FORMAT(`dateTime`, 'HH:mm') FROM bid;",
        out.display()
    );
    let manifest = serde_json::json!({
        "apiVersion": "millstream.dev/v1alpha1", "kind": "StreamJob", "metadata": {"name": "q10"},
        "spec": {"parallelism": 2, "program": {"sql": sql}},
    });
    let job = folder.path().join("job.yaml");
    std::fs::write(&job, manifest.to_string()).unwrap();
    let ran = run(millstream().arg("run").arg(&job));
    assert_eq!(ran.code, 0, "{}", ran.stderr);

    let mut expected: BTreeMap<String, usize> = BTreeMap::new();
    for bid in bids() {
        let minute = bid.date_time.rem_euclid(86_400_000) / 60_000;
        // A colon is escaped in the name of a partition's folder, as Flink does.
        *expected.entry(format!("dt=2015-07-15/hm={:02}%3A{:02}", minute / 60, minute % 60)).or_default() += 1;
    }
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for day in std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path()) {
        for minute in std::fs::read_dir(&day).unwrap().map(|entry| entry.unwrap().path()) {
            let name = minute.strip_prefix(&out).unwrap().display().to_string();
            assert!(minute.join("_SUCCESS").exists(), "{name} is committed");
            let files = std::fs::read_dir(&minute).unwrap().map(|entry| entry.unwrap().path());
            let parts = files.filter(|file| file.file_name().is_some_and(|name| name != "_SUCCESS"));
            let rows = parts.map(|file| std::fs::read_to_string(file).unwrap().lines().count()).sum();
            found.insert(name, rows);
        }
    }
    assert!(expected.len() > 1, "more than one minute");
    assert_eq!(found, expected);
}
