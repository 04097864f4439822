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
