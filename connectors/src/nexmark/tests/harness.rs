//! Declares tables, runs readers by hand and turns batches back into events.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use arrow::array::{Array, AsArray, RecordBatch, StructArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, SchemaRef, TimestampMillisecondType};
use millstream_engine::io::source::{
    ReaderContext, Source, SourceEvent, SourceReader, SourceRows, SplitAnswer, SplitEnumerator,
};
use millstream_engine::operators::ProcessingTime;

use crate::blocking::test_io::InPlace;
use crate::nexmark::generator::{Auction, Bid, Event, EventKind, Person};
use crate::nexmark::{Nexmark, schema};
use crate::{ColumnFilter, Connector, FilterValue, ScanRequest, TableColumn, TableSource, TableSpec};

pub(super) const NOW: ProcessingTime = ProcessingTime(1_000_000);

/// A table with all columns and these options.
pub(super) fn table(options: &[(&str, &str)]) -> TableSpec {
    table_of(&schema(), options)
}

/// A table with these columns and options.
pub(super) fn table_of(columns: &Schema, options: &[(&str, &str)]) -> TableSpec {
    TableSpec {
        name: "datagen".to_owned(),
        columns: columns
            .fields()
            .iter()
            .map(|field| TableColumn { field: Field::clone(field), metadata: None })
            .collect(),
        partition_keys: Vec::new(),
        primary_key: Vec::new(),
        options: options.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect(),
        time_zone: "UTC".to_owned(),
    }
}

pub(super) fn declared(options: &[(&str, &str)]) -> Arc<dyn TableSource> {
    Nexmark.table_source(&table(options)).unwrap()
}

/// All columns.
pub(super) fn everything() -> ScanRequest {
    ScanRequest { rows: Arc::new(schema()), watermark: None, time: None, filters: Vec::new() }
}

/// These columns, `bid.price` being one field of a column.
pub(super) fn request(rows: &str, watermark: Option<&str>, kinds: &[i64]) -> ScanRequest {
    ScanRequest {
        rows: project(rows),
        watermark: watermark.map(project),
        time: None,
        filters: kinds.iter().map(|&k| of_type(k)).collect(),
    }
}

pub(super) fn of_type(number: i64) -> ColumnFilter {
    ColumnFilter { column: "event_type".to_owned(), value: FilterValue::Integer(number) }
}

pub(super) fn project(names: &str) -> SchemaRef {
    let whole = schema();
    let mut columns: Vec<Field> = Vec::new();
    for name in names.split_whitespace() {
        let (column, field) = name.split_once('.').map_or((name, None), |(column, field)| (column, Some(field)));
        let declared = whole.field_with_name(column).unwrap();
        let Some(field) = field else {
            columns.push(declared.clone());
            continue;
        };
        let DataType::Struct(fields) = declared.data_type() else { panic!("{column} has no fields") };
        let field = Arc::clone(fields.iter().find(|declared| declared.name() == field).unwrap());
        match columns.last_mut() {
            Some(last) if last.name() == column => {
                let DataType::Struct(fields) = last.data_type() else { panic!("{column} has no fields") };
                let fields = fields.iter().cloned().chain([field]).collect();
                *last = Field::new(column, DataType::Struct(fields), true);
            }
            _ => columns.push(Field::new(column, DataType::Struct(vec![field].into()), true)),
        }
    }
    Arc::new(Schema::new(columns))
}

pub(super) fn source(options: &[(&str, &str)], request: ScanRequest) -> Arc<dyn Source> {
    declared(options).scan(request).unwrap().source
}

/// A reader with a runtime around it that answers at once.
pub(super) struct Task {
    pub(super) reader: Box<dyn SourceReader>,
    subtask: u32,
    parallelism: u32,
}

impl Task {
    pub(super) fn new(source: &dyn Source, subtask: u32, parallelism: u32) -> Self {
        let reader = source.create_reader(ReaderContext { subtask, parallelism, io: Arc::new(InPlace) }).unwrap();
        Self { reader, subtask, parallelism }
    }

    pub(super) fn poll(&mut self, now: ProcessingTime) -> Poll<SourceEvent> {
        self.reader.poll_next(now, &mut Context::from_waker(Waker::noop())).map(Result::unwrap)
    }

    /// The next event that is no request for splits.
    pub(super) fn next(&mut self, splits: &mut dyn SplitEnumerator) -> SourceEvent {
        self.next_at(splits, NOW).unwrap_or_else(|| panic!("the reader waits for something"))
    }

    /// The same; `None` if it waits.
    pub(super) fn next_at(&mut self, splits: &mut dyn SplitEnumerator, now: ProcessingTime) -> Option<SourceEvent> {
        loop {
            match self.poll(now) {
                Poll::Ready(SourceEvent::NeedSplit) => {
                    match splits.next_split(self.subtask, self.parallelism, now).unwrap() {
                        SplitAnswer::Assigned(split) => self.reader.add_split(split).unwrap(),
                        SplitAnswer::AskAgain(_) => panic!("splits are known from the start"),
                        SplitAnswer::NoMore => self.reader.no_more_splits(),
                    }
                }
                Poll::Ready(event) => return Some(event),
                Poll::Pending => return None,
            }
        }
    }
}

/// All batches, subtask by subtask.
pub(super) fn read(source: &dyn Source, parallelism: u32) -> Vec<SourceRows> {
    let mut splits = source.create_enumerator().unwrap();
    let mut batches = Vec::new();
    for subtask in 0..parallelism {
        let mut task = Task::new(source, subtask, parallelism);
        loop {
            match task.next(splits.as_mut()) {
                SourceEvent::Rows(rows) => batches.push(rows),
                SourceEvent::SplitFinished(_) => {}
                SourceEvent::EndOfInput => break,
                SourceEvent::NeedSplit => unreachable!("it is answered"),
            }
        }
    }
    batches
}

/// All rows of one reader, which are in the order of the stream.
pub(super) fn read_rows(source: &dyn Source) -> RecordBatch {
    let batches = read(source, 1);
    concat_batches(&source.schema(), batches.iter().map(|batch| &batch.rows)).unwrap()
}

/// The events of a batch that has all columns. Checks that the structs of other kinds are null.
pub(super) fn events(batch: &RecordBatch) -> Vec<Event> {
    let types = batch.column(0).as_primitive::<Int32Type>();
    let [person, auction, bid] = [1, 2, 3].map(|column| batch.column(column).as_struct());
    (0..batch.num_rows())
        .map(|row| {
            let kind = EventKind::of(i64::from(types.value(row))).unwrap();
            let valid = [person, auction, bid].map(|column| column.is_valid(row));
            assert_eq!(valid, EventKind::ALL.map(|column| column == kind), "row {row} is a {kind:?}");
            match kind {
                EventKind::Person => Event::Person(Person {
                    id: long(person, "id", row),
                    name: text(person, "name", row),
                    email_address: text(person, "emailAddress", row),
                    credit_card: text(person, "creditCard", row),
                    city: text(person, "city", row),
                    state: text(person, "state", row),
                    date_time: time(person, "dateTime", row),
                    extra: text(person, "extra", row),
                }),
                EventKind::Auction => Event::Auction(Auction {
                    id: long(auction, "id", row),
                    item_name: text(auction, "itemName", row),
                    description: text(auction, "description", row),
                    initial_bid: long(auction, "initialBid", row),
                    reserve: long(auction, "reserve", row),
                    date_time: time(auction, "dateTime", row),
                    expires: time(auction, "expires", row),
                    seller: long(auction, "seller", row),
                    category: long(auction, "category", row),
                    extra: text(auction, "extra", row),
                }),
                EventKind::Bid => Event::Bid(Bid {
                    auction: long(bid, "auction", row),
                    bidder: long(bid, "bidder", row),
                    price: long(bid, "price", row),
                    channel: text(bid, "channel", row),
                    url: text(bid, "url", row),
                    date_time: time(bid, "dateTime", row),
                    extra: text(bid, "extra", row),
                }),
            }
        })
        .collect()
}

fn long(column: &StructArray, field: &str, row: usize) -> i64 {
    column.column_by_name(field).unwrap().as_primitive::<Int64Type>().value(row)
}

fn time(column: &StructArray, field: &str, row: usize) -> i64 {
    column.column_by_name(field).unwrap().as_primitive::<TimestampMillisecondType>().value(row)
}

fn text(column: &StructArray, field: &str, row: usize) -> String {
    column.column_by_name(field).unwrap().as_string::<i32>().value(row).to_owned()
}
