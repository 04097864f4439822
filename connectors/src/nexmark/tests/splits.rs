//! How blocks are dealt, stored and paced.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Poll;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use expect_test::expect;
use millstream_engine::io::source::{Boundedness, Source, SourceEvent, SourceRows, Split, SplitEnumerator};
use millstream_engine::operators::ProcessingTime;

use super::harness::{NOW, Task, declared, events, everything, read, request, source};
use crate::nexmark::generator::{GeneratorConfig, Settings};

/// An epoch has 3,000 events, and a block two of them.
const SMALL: [(&str, &str); 5] = [
    ("events.num", "61234"),
    ("person.proportion", "100"),
    ("auction.proportion", "500"),
    ("bid.proportion", "2400"),
    ("splits", "3"),
];
const SMALL_SETTINGS: (u32, u32, u32) = (100, 500, 2_400);

/// Enough to tell any two events apart.
const COLUMNS: &str = "event_type person.id auction.id bid.auction bid.bidder bid.price bid.url bid.dateTime";

/// Batches by the id of their split.
type Batches = BTreeMap<String, Vec<RecordBatch>>;

fn small() -> Arc<dyn Source> {
    source(&SMALL, request(COLUMNS, None, &[]))
}

fn by_split(batches: Vec<SourceRows>) -> Batches {
    let mut splits = Batches::new();
    for batch in batches {
        splits.entry(batch.split.to_string()).or_default().push(batch.rows);
    }
    splits
}

fn rows(batches: &[RecordBatch]) -> u64 {
    batches.iter().map(|batch| batch.num_rows() as u64).sum()
}

#[test]
fn every_parallelism_reads_the_same_splits() {
    let alone = by_split(read(small().as_ref(), 1));
    assert_eq!(alone.keys().collect::<Vec<_>>(), ["split-0", "split-1", "split-2"]);
    for parallelism in [2, 3, 8] {
        assert!(by_split(read(small().as_ref(), parallelism)) == alone, "parallelism {parallelism}");
    }
}

#[test]
fn splits_take_turns_and_together_have_every_event_once() {
    let (persons, auctions, bids) = SMALL_SETTINGS;
    let settings = Settings {
        person_proportion: persons,
        auction_proportion: auctions,
        bid_proportion: bids,
        ..Settings::default()
    };
    let config = GeneratorConfig::new(settings).unwrap();
    let source = source(&SMALL, everything());
    let mut splits: Vec<_> = by_split(read(source.as_ref(), 2)).into_values().map(Vec::into_iter).collect();
    let blocks = (0..11).map(|block| splits[block % 3].next().unwrap());
    let dealt = blocks.flat_map(|block| events(&block));
    assert!(dealt.eq((0..61_234).map(|number| config.event(number))));
    assert!(splits.iter_mut().all(|split| split.next().is_none()));
}

#[test]
fn one_reader_makes_the_blocks_of_its_splits_in_the_order_of_the_stream() {
    let read = read(small().as_ref(), 1);
    let order: Vec<_> = read.iter().map(|batch| format!("{} {}", batch.split, batch.split_rows)).collect();
    expect![[r#"
        [
            "split-0 6000",
            "split-1 6000",
            "split-2 6000",
            "split-0 12000",
            "split-1 12000",
            "split-2 12000",
            "split-0 18000",
            "split-1 18000",
            "split-2 18000",
            "split-0 24000",
            "split-1 19234",
        ]
    "#]]
    .assert_debug_eq(&order);
}

#[test]
fn a_batch_never_crosses_a_place_where_the_watermark_advances() {
    for options in [&SMALL[..], &[("events.num", "100000")], &[("events.num", "3000"), ("rate.limited", "true")]] {
        let source = source(options, request("", None, &[]));
        let mut before: BTreeMap<Arc<str>, u64> = BTreeMap::new();
        let mut splits = source.create_enumerator().unwrap();
        let mut task = Task::new(source.as_ref(), 0, 1);
        let mut now = ProcessingTime(0);
        loop {
            match task.next_at(splits.as_mut(), now) {
                Some(SourceEvent::Rows(batch)) => {
                    let start = before.insert(Arc::clone(&batch.split), batch.split_rows).unwrap_or(0);
                    assert_eq!(batch.split_rows - start, batch.rows.num_rows() as u64);
                    let (first, last) =
                        (start / source.watermark_rows(), (batch.split_rows - 1) / source.watermark_rows());
                    assert_eq!(first, last, "{options:?}");
                }
                Some(SourceEvent::EndOfInput) => break,
                Some(SourceEvent::SplitFinished(_)) => {}
                Some(SourceEvent::NeedSplit) => unreachable!("it is answered"),
                None => assert_eq!(now, ProcessingTime(0), "it waits though all is due"),
            }
            now = ProcessingTime(1_000_000_000);
        }
    }
}

/// Runs until `stop` blocks were read by all readers together, one block of each in turn. Answers what was read, and the
/// splits as a checkpoint has them.
fn run(
    source: &dyn Source,
    parallelism: u32,
    splits: &mut dyn SplitEnumerator,
    stop: usize,
    got: &mut Batches,
) -> Vec<Split> {
    let mut tasks: Vec<_> = (0..parallelism).map(|subtask| Some(Task::new(source, subtask, parallelism))).collect();
    let mut blocks = 0;
    while blocks < stop && tasks.iter().any(Option::is_some) {
        for slot in &mut tasks {
            let Some(task) = slot else { continue };
            match task.next(splits) {
                SourceEvent::Rows(batch) => {
                    blocks += 1;
                    got.entry(batch.split.to_string()).or_default().push(batch.rows);
                }
                SourceEvent::SplitFinished(_) => {}
                SourceEvent::EndOfInput => *slot = None,
                SourceEvent::NeedSplit => unreachable!("it is answered"),
            }
        }
    }
    tasks.iter().flatten().flat_map(|task| task.reader.snapshot()).collect()
}

#[test]
fn a_restart_after_any_block_at_any_parallelism_loses_nothing_and_repeats_nothing() {
    let source = small();
    let whole = by_split(read(source.as_ref(), 1));
    for stop in 0..=12 {
        for (before, after) in [(1, 1), (1, 2), (2, 3), (3, 1), (3, 8)] {
            let mut got = Batches::new();
            let mut splits = source.create_enumerator().unwrap();
            let held = run(source.as_ref(), before, splits.as_mut(), stop, &mut got);
            for split in &held {
                assert_eq!(split.rows, got.get(&*split.id).map_or(0, |batches| rows(batches)), "{split:?}");
            }
            let stored = splits.snapshot().unwrap();
            let mut restored = source.create_enumerator().unwrap();
            restored.restore(&stored).unwrap();
            restored.add_back(held);
            let held = run(source.as_ref(), after, restored.as_mut(), usize::MAX, &mut got);
            assert!(held.is_empty());
            assert!(got == whole, "{before} then {after} readers, stopped after {stop} blocks");
        }
    }
}

#[test]
fn a_reader_asks_for_all_its_splits_and_says_when_each_is_finished() {
    let source = source(&[("events.num", "8901"), ("splits", "3")], request("bid.price", None, &[2]));
    let mut splits = source.create_enumerator().unwrap();
    let mut task = Task::new(source.as_ref(), 0, 1);
    let mut said = Vec::new();
    loop {
        match task.next(splits.as_mut()) {
            SourceEvent::Rows(batch) => said.push(format!("{}: {} rows", batch.split, batch.rows.num_rows())),
            SourceEvent::SplitFinished(id) => said.push(format!("{id} finished")),
            SourceEvent::NeedSplit => unreachable!("it is answered"),
            SourceEvent::EndOfInput => break,
        }
    }
    expect![[r#"
        [
            "split-2 finished",
            "split-0: 8188 rows",
            "split-0 finished",
            "split-1: 0 rows",
            "split-1 finished",
        ]
    "#]]
    .assert_debug_eq(&said);
    assert!(task.reader.snapshot().is_empty());

    let mut spare = Task::new(source.as_ref(), 3, 4);
    assert!(matches!(spare.next(splits.as_mut()), SourceEvent::EndOfInput));
}

#[test]
fn a_reader_waits_for_the_answer_before_it_makes_blocks() {
    let source = small();
    let mut task = Task::new(source.as_ref(), 0, 1);
    assert!(matches!(task.poll(NOW), Poll::Ready(SourceEvent::NeedSplit)));
    assert!(task.poll(NOW).is_pending());
    task.reader.add_split(Split { id: "split-1".into(), position: String::new(), rows: 0 }).unwrap();
    assert!(matches!(task.poll(NOW), Poll::Ready(SourceEvent::NeedSplit)));
    assert!(task.poll(NOW).is_pending());
    task.reader.no_more_splits();
    assert!(matches!(task.poll(NOW), Poll::Ready(SourceEvent::Rows(_))));
    expect![[r#"
        [
            Split {
                id: "split-1",
                position: "{\"nextEvent\":24000}",
                rows: 6000,
            },
        ]
    "#]]
    .assert_debug_eq(&task.reader.snapshot());
}

#[test]
fn a_stream_without_end_comes_at_its_rate_in_blocks_of_ten_milliseconds() {
    let source = source(&[("first-event.rate", "10000"), ("splits", "2")], request("event_type", None, &[]));
    assert_eq!(source.boundedness(), Boundedness::Unbounded);
    let mut splits = source.create_enumerator().unwrap();
    let mut task = Task::new(source.as_ref(), 0, 1);
    let mut said = Vec::new();
    for now in [0, 5, 9, 10, 15, 19, 30, 30, 30, 1_000, 1_000] {
        let now = ProcessingTime(1_000_000 + now);
        let event = match task.next_at(splits.as_mut(), now) {
            Some(SourceEvent::Rows(batch)) => format!("{} rows of {}", batch.rows.num_rows(), batch.split),
            Some(event) => format!("{event:?}"),
            None => format!("nothing before {}", task.reader.next_time().unwrap().0 - 1_000_000),
        };
        said.push(format!("{}: {event}", now.0 - 1_000_000));
    }
    expect![[r#"
        [
            "0: nothing before 9",
            "5: nothing before 9",
            "9: 100 rows of split-0",
            "10: nothing before 19",
            "15: nothing before 19",
            "19: 100 rows of split-1",
            "30: 100 rows of split-0",
            "30: nothing before 39",
            "30: nothing before 39",
            "1000: 100 rows of split-1",
            "1000: 100 rows of split-0",
        ]
    "#]]
    .assert_debug_eq(&said);
}

#[test]
fn after_a_restart_time_starts_anew() {
    let source = source(&[("first-event.rate", "10000"), ("splits", "1")], request("event_type", None, &[]));
    let mut task = Task::new(source.as_ref(), 0, 1);
    task.reader
        .add_split(Split { id: "split-0".into(), position: r#"{"nextEvent":500}"#.to_owned(), rows: 500 })
        .unwrap();
    let mut splits = source.create_enumerator().unwrap();
    splits.restore("[]").unwrap();
    assert!(task.next_at(splits.as_mut(), ProcessingTime(7_000)).is_none());
    assert_eq!(task.reader.next_time(), Some(ProcessingTime(7_009)));
    assert!(task.next_at(splits.as_mut(), ProcessingTime(7_009)).is_some());
}

#[test]
fn a_source_that_is_kept_alive_waits_at_its_end_and_goes_on_when_the_end_is_moved() {
    let columns = || request(COLUMNS, None, &[]);
    let stopped = source(&[&SMALL[..], &[("stop-at", "20000"), ("keep-alive", "true")]].concat(), columns());
    assert_eq!(stopped.boundedness(), Boundedness::Unbounded);
    let mut splits = stopped.create_enumerator().unwrap();
    let mut task = Task::new(stopped.as_ref(), 0, 1);
    let mut got = Batches::new();
    while let Some(event) = task.next_at(splits.as_mut(), NOW) {
        let SourceEvent::Rows(batch) = event else { panic!("it ends: {event:?}") };
        got.entry(batch.split.to_string()).or_default().push(batch.rows);
    }
    assert_eq!(got.values().map(|batches| rows(batches)).sum::<u64>(), 20_000);
    assert_eq!(task.reader.next_time(), None);

    let further = small();
    let mut restored = further.create_enumerator().unwrap();
    restored.restore(&splits.snapshot().unwrap()).unwrap();
    restored.add_back(task.reader.snapshot());
    run(further.as_ref(), 2, restored.as_mut(), usize::MAX, &mut got);
    let joined = |splits: Batches| -> Vec<RecordBatch> {
        splits.values().map(|batches| concat_batches(&batches[0].schema(), batches).unwrap()).collect()
    };
    assert!(joined(got) == joined(by_split(read(further.as_ref(), 1))));
}

#[test]
fn a_position_that_other_options_made_is_refused() {
    let source = small();
    for (id, position, message) in [
        ("split-3", "", "there are 3 splits, counted from 0"),
        ("split-0", r#"{"nextEvent":6000}"#, "that event is in another split when blocks have 6000 events"),
        ("split-1", r#"{"block":1}"#, "unknown field `block`"),
        ("split-1", "3", "invalid type"),
    ] {
        let mut task = Task::new(source.as_ref(), 0, 1);
        let split = Split { id: id.into(), position: position.to_owned(), rows: 0 };
        let error = task.reader.add_split(split).unwrap_err().to_string();
        assert!(
            error.contains(message) && error.contains(&format!("`{id}` cannot go on from `{position}`")),
            "{error}"
        );
    }
}

#[test]
fn a_table_ends_if_it_has_a_number_of_events() {
    for (options, boundedness) in [
        (&[][..], Boundedness::Unbounded),
        (&[("events.num", "0")], Boundedness::Unbounded),
        (&[("events.num", "10")], Boundedness::Bounded),
        (&[("stop-at", "10")], Boundedness::Bounded),
        (&[("stop-at", "-1")], Boundedness::Unbounded),
        (&[("events.num", "10"), ("keep-alive", "true")], Boundedness::Unbounded),
    ] {
        assert_eq!(declared(options).boundedness(), boundedness, "{options:?}");
    }
    assert!(read(source(&[("stop-at", "0")], everything()).as_ref(), 1).is_empty());
}
