//! How fast the `nexmark` source makes events, by what is asked for: `cargo run --release --example nexmark_rate`.
//!
//! One thread reads the stream as a task does and lets go of every batch before the next. The figure counts events of all
//! kinds, made or not, as figures of the benchmark do. An argument, if given, is how many million events are made.

#![allow(clippy::print_stdout, reason = "it prints a table")]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use millstream_connectors::{ColumnFilter, FilterValue, ScanRequest, TableColumn, TableSpec, nexmark};
use millstream_engine::io::source::{IoRuntime, ReaderContext, Source, SourceEvent, SplitAnswer};
use millstream_engine::operators::ProcessingTime;

const RUNS: usize = 5;
const NOW: ProcessingTime = ProcessingTime(0);

fn main() -> Result<(), Box<dyn Error>> {
    let millions: u64 = std::env::args().nth(1).map_or(Ok(20), |argument| argument.parse())?;
    println!("{millions} million events, the median of {RUNS} runs on one thread\n");
    println!("{:<52} {:>12} {:>10}", "asked for", "M events/s", "MB/s");
    for (name, kind, columns) in [
        ("bids: auction", Some(2), "bid.auction"),
        ("bids: auction, price", Some(2), "bid.auction bid.price"),
        ("bids: the numbers and the time", Some(2), "bid.auction bid.bidder bid.price bid.dateTime"),
        (
            "bids: the numbers, the time and extra (q0)",
            Some(2),
            "bid.auction bid.bidder bid.price bid.dateTime bid.extra",
        ),
        ("bids: bidder, channel and url", Some(2), "bid.bidder bid.channel bid.url"),
        ("bids: all", Some(2), "bid"),
        ("auctions: all", Some(1), "auction"),
        ("persons: all", Some(0), "person"),
        (
            "all events: the type, the numbers and time of bids",
            None,
            "event_type bid.auction bid.bidder bid.price bid.dateTime",
        ),
        ("all events: all", None, "event_type person auction bid"),
    ] {
        let source = source(millions * 1_000_000, kind, &project(columns))?;
        let mut runs = (0..RUNS).map(|_| run(source.as_ref())).collect::<Result<Vec<_>, _>>()?;
        runs.sort_by_key(|run| run.time);
        let Run { time, events, bytes } = runs[RUNS / 2];
        let per_second = |number: u64| number as f64 / time.as_secs_f64() / 1e6;
        println!("{name:<52} {:>12.1} {:>10.0}", per_second(events), per_second(bytes));
    }
    Ok(())
}

#[derive(Debug, Clone, Copy)]
struct Run {
    time: Duration,
    events: u64,
    bytes: u64,
}

fn run(source: &dyn Source) -> Result<Run, Box<dyn Error>> {
    let start = Instant::now();
    let mut enumerator = source.create_enumerator()?;
    let mut reader = source.create_reader(ReaderContext { subtask: 0, parallelism: 1, io: Arc::new(NoIo) })?;
    let mut cx = Context::from_waker(Waker::noop());
    let (mut events, mut bytes) = (BTreeMap::new(), 0);
    loop {
        match reader.poll_next(NOW, &mut cx) {
            Poll::Ready(event) => match event? {
                SourceEvent::Rows(rows) => {
                    for column in rows.rows.columns() {
                        bytes += column.to_data().get_slice_memory_size()? as u64;
                    }
                    events.insert(rows.split, rows.split_rows);
                }
                SourceEvent::NeedSplit => match enumerator.next_split(0, 1, NOW)? {
                    SplitAnswer::Assigned(split) => reader.add_split(split)?,
                    SplitAnswer::AskAgain(_) | SplitAnswer::NoMore => reader.no_more_splits(),
                },
                SourceEvent::SplitFinished(_) => {}
                SourceEvent::EndOfInput => break,
            },
            Poll::Pending => return Err("the source waits for something".into()),
        }
    }
    Ok(Run { time: start.elapsed(), events: events.values().sum(), bytes })
}

fn source(events: u64, kind: Option<i64>, rows: &SchemaRef) -> Result<Arc<dyn Source>, Box<dyn Error>> {
    let columns = nexmark::schema()
        .fields()
        .iter()
        .map(|field| TableColumn { field: Field::clone(field), metadata: None })
        .collect();
    let options = [("events.num", events.to_string()), ("first-event.rate", "100000".to_owned())];
    let table = TableSpec {
        name: "datagen".to_owned(),
        columns,
        partition_keys: Vec::new(),
        primary_key: Vec::new(),
        options: options.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        time_zone: "UTC".to_owned(),
    };
    let filter = |kind| ColumnFilter { column: "event_type".to_owned(), value: FilterValue::Integer(kind) };
    let request = ScanRequest {
        rows: SchemaRef::clone(rows),
        watermark: Some(project("event_type person.dateTime auction.dateTime bid.dateTime")),
        time: None,
        filters: kind.map(filter).into_iter().collect(),
    };
    let connector = millstream_connectors::connector("nexmark").ok_or("there is no such connector")?;
    Ok(connector.table_source(&table)?.scan(request)?.source)
}

/// The columns of these names; `bid.price` is one field of a column.
fn project(names: &str) -> SchemaRef {
    let whole = nexmark::schema();
    let names: Vec<&str> = names.split(' ').collect();
    let columns = whole.fields().iter().filter_map(|column| {
        if names.contains(&column.name().as_str()) {
            return Some(Field::clone(column));
        }
        let DataType::Struct(fields) = column.data_type() else { return None };
        let wanted = |field: &str| names.contains(&format!("{}.{field}", column.name()).as_str());
        let fields: Vec<_> = fields.iter().filter(|field| wanted(field.name())).cloned().collect();
        (!fields.is_empty()).then(|| Field::new(column.name(), DataType::Struct(fields.into()), true))
    });
    Arc::new(Schema::new(columns.collect::<Vec<_>>()))
}

/// The source does no IO.
#[derive(Debug)]
struct NoIo;

impl IoRuntime for NoIo {
    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        work();
    }
}
