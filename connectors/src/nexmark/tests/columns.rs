//! Columns that are made many rows at a time against events that are made one at a time.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{filter_record_batch, is_not_null};
use arrow::datatypes::{DataType, Int32Type, Int64Type};
use millstream_engine::io::source::SourceEvent;

use super::harness::{Task, declared, events, everything, of_type, project, read, read_rows, request, source};
use crate::nexmark::columns::{ColumnMaker, Projection, Selection};
use crate::nexmark::generator::{Event, EventKind, GeneratorConfig, Settings};
use crate::nexmark::schema;
use crate::{ColumnFilter, FilterValue};

/// Some ways to set the stream, and how many events of it are looked at: two pages and a half.
fn configurations() -> Vec<(GeneratorConfig, u64)> {
    let default = Settings::default();
    [
        default,
        Settings { seed: u64::MAX, events_per_second: 3, ..default },
        Settings { person_proportion: 1, auction_proportion: 1, bid_proportion: 1, ..default },
        Settings { person_proportion: 20, auction_proportion: 60, bid_proportion: 920, ..default },
        Settings { person_proportion: 0, hot_auction_ratio: 1, hot_bidder_ratio: 1, ..default },
        Settings { auction_proportion: 0, hot_auction_ratio: u32::MAX, ..default },
        Settings { bid_proportion: 0, hot_seller_ratio: 1, ..default },
        Settings { person_size: 0, auction_size: 0, bid_size: 0, ..default },
        Settings { person_size: 3_000, auction_size: 2_000, bid_size: 5_000, ..default },
    ]
    .into_iter()
    .map(|settings| {
        let config = GeneratorConfig::new(settings).unwrap();
        let events = 2 * config.page_events() + config.page_events() / 2 + 1;
        (config, events)
    })
    .collect()
}

fn maker(config: &GeneratorConfig, selection: Selection) -> ColumnMaker {
    let projection = Projection::new(Arc::new(schema())).unwrap();
    ColumnMaker::new(Arc::new(config.clone()), Arc::new(projection), selection)
}

#[test]
fn columns_hold_the_events_that_are_made_alone() {
    for (config, count) in configurations() {
        let mut maker = maker(&config, Selection::All);
        for first in (0..count).step_by(usize::try_from(config.page_events()).unwrap()) {
            let made = maker.make(first, config.page_events().min(count - first)).unwrap();
            for (number, event) in (first..).zip(events(&made)) {
                assert_eq!(event, config.event(number), "event {number} of {:?}", config.settings());
            }
        }
    }
}

#[test]
fn any_part_of_a_page_is_a_slice_of_it() {
    for (config, _) in configurations() {
        for selection in [Selection::All, Selection::Only(EventKind::Bid), Selection::Only(EventKind::Person)] {
            let mut maker = maker(&config, selection);
            let page = config.page_events();
            let whole = maker.make(page, page).unwrap();
            for (start, count) in
                [(0, 1), (1, 1), (7, 60), (page - 1, 1), (page / 3, page / 3), (page - 51, 51), (5, 0)]
            {
                let part = maker.make(page + start, count).unwrap();
                let row = |event| match selection {
                    Selection::Only(kind) => config.count_before(kind, event) - config.count_before(kind, page),
                    Selection::All | Selection::Nothing => event - page,
                };
                let (from, to) = (row(page + start), row(page + start + count));
                let slice = whole.slice(usize::try_from(from).unwrap(), usize::try_from(to - from).unwrap());
                assert_eq!(events(&part), events(&slice), "{count} events from {start} of {:?}", config.settings());
            }
        }
    }
}

#[test]
fn a_projection_has_the_values_of_the_whole_row() {
    let options = [("events.num", "12345"), ("seed", "9")];
    let mut projections = vec![
        "event_type".to_owned(),
        "bid.price bid.auction".to_owned(),
        "bid.url event_type person.city person.name".to_owned(),
        "bid auction.extra".to_owned(),
        String::new(),
    ];
    for column in schema().fields() {
        if let DataType::Struct(fields) = column.data_type() {
            projections.extend(fields.iter().map(|field| format!("{}.{}", column.name(), field.name())));
        }
    }
    for kinds in [&[][..], &[0], &[1], &[2]] {
        let whole = read_rows(source(&options, request("event_type person auction bid", None, kinds)).as_ref());
        for projection in &projections {
            let part = read_rows(source(&options, request(projection, None, kinds)).as_ref());
            assert_eq!(part, pick(&whole, projection), "`{projection}` of events {kinds:?}");
        }
    }
}

/// The columns of a projection, cut out of whole rows.
fn pick(whole: &RecordBatch, projection: &str) -> RecordBatch {
    let wanted = project(projection);
    let columns = wanted.fields().iter().map(|field| -> ArrayRef {
        let column = whole.column_by_name(field.name()).unwrap();
        let DataType::Struct(fields) = field.data_type() else { return Arc::clone(column) };
        let column = column.as_struct();
        let children = fields.iter().map(|field| Arc::clone(column.column_by_name(field.name()).unwrap())).collect();
        Arc::new(arrow::array::StructArray::new(fields.clone(), children, column.nulls().cloned()))
    });
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(whole.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(&wanted), columns.collect(), &options).unwrap()
}

#[test]
fn a_filter_on_the_type_gives_the_rows_that_filtering_gives() {
    let options = [("events.num", "20011")];
    let all = read_rows(source(&options, everything()).as_ref());
    let types = all.column(0).as_primitive::<Int32Type>();
    for (filters, kind) in [(&[0][..], 0), (&[1], 1), (&[2], 2), (&[2, 2], 2), (&[7], 7), (&[1, 2], -1)] {
        let keep: BooleanArray = types.iter().map(|number| number.map(|number| number == kind)).collect();
        let expected = filter_record_batch(&all, &keep).unwrap();
        let scan = request("event_type person auction bid", None, filters);
        let scan = declared(&options).scan(scan).unwrap();
        assert_eq!(scan.filters_taken, vec![true; filters.len()]);
        assert_eq!(events(&read_rows(scan.source.as_ref())), events(&expected), "event_type = {filters:?}");
    }
}

#[test]
fn only_filters_on_the_type_are_taken_over() {
    let filter = |column: &str, value| ColumnFilter { column: column.to_owned(), value };
    let filters = vec![
        filter("event_type", FilterValue::Text("2".to_owned())),
        of_type(2),
        filter("type", FilterValue::Integer(2)),
    ];
    let mut request = everything();
    request.filters = filters;
    let scan = declared(&[("events.num", "100")]).scan(request).unwrap();
    assert_eq!(scan.filters_taken, [false, true, false]);
    assert_eq!(read_rows(scan.source.as_ref()).num_rows(), 92);
}

#[test]
fn a_batch_brings_the_last_event_of_its_block_for_the_watermark() {
    let watermark = "event_type person.dateTime auction.dateTime bid.dateTime";
    let options = [("events.num", "17823")];
    let config = GeneratorConfig::new(Settings::default()).unwrap();
    for kinds in [&[][..], &[0], &[1], &[2], &[7]] {
        let source = source(&options, request("bid.price", Some(watermark), kinds));
        let mut read_so_far = 0;
        for batch in read(source.as_ref(), 1) {
            let block = u64::min(8_900, 17_823 - read_so_far);
            read_so_far += block;
            let last = config.event(read_so_far - 1);
            let rows = batch.watermark_rows.unwrap();
            assert_eq!((rows.schema(), rows.num_rows()), (project(watermark), 1));
            let number = rows.column(0).as_primitive::<Int32Type>().value(0);
            assert_eq!(number, last.kind().number());
            for (column, kind) in rows.columns()[1..].iter().zip(EventKind::ALL) {
                assert_eq!(is_not_null(column).unwrap().value(0), kind == last.kind());
            }
            let times = rows.column(1 + usize::try_from(number).unwrap()).as_struct().column(0).to_data();
            assert_eq!(times.buffers()[0].typed_data::<i64>()[times.offset()], config.time(read_so_far - 1));
        }
        assert_eq!(read_so_far, 17_823);
    }
    assert!(read(source(&options, request("bid.price", None, &[2])).as_ref(), 1)[0].watermark_rows.is_none());
}

#[test]
fn batches_that_are_held_keep_their_values_and_memory_of_dropped_ones_is_used_again() {
    let source = source(&[("events.num", "1000000"), ("splits", "1")], request("bid", None, &[2]));
    let mut splits = source.create_enumerator().unwrap();
    let mut task = Task::new(source.as_ref(), 0, 1);
    let config = GeneratorConfig::new(Settings::default()).unwrap();
    let mut held = Vec::new();
    let mut places = Vec::new();
    for block in 0..40 {
        let SourceEvent::Rows(batch) = task.next(splits.as_mut()) else { panic!("a block is missing") };
        if block < 20 {
            held.push(batch.rows);
        } else {
            places.push(batch.rows.column(0).as_struct().column(0).as_primitive::<Int64Type>().values().as_ptr());
        }
    }
    places.sort_unstable();
    places.dedup();
    assert!(places.len() < 8, "20 blocks were written to {} places", places.len());
    for (block, rows) in held.iter().enumerate() {
        let first = block as u64 * 8_900;
        let expected = (first..first + 8_900).filter_map(|number| match config.event(number) {
            Event::Bid(bid) => Some(bid.auction),
            Event::Person(_) | Event::Auction(_) => None,
        });
        let auctions = rows.column(0).as_struct().column(0).as_primitive::<Int64Type>();
        assert!(auctions.values().iter().copied().eq(expected), "block {block}");
    }
}
