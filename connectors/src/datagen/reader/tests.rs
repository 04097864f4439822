//! What comes out of a `datagen` table.

use std::collections::BTreeMap;
use std::task::Waker;

use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use expect_test::expect;
use millstream_engine::io::source::{Boundedness, Source};

use super::*;
use crate::conformance::{self, read_whole};
use crate::{Connector, RowTime, ScanRequest, TableColumn, TableSpec, datagen::Datagen};

fn table(columns: Vec<Field>, options: &[(&str, &str)]) -> TableSpec {
    TableSpec {
        name: "made".to_owned(),
        columns: columns.into_iter().map(|field| TableColumn { field, metadata: None }).collect(),
        partition_keys: Vec::new(),
        primary_key: Vec::new(),
        options: options.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect::<BTreeMap<_, _>>(),
        time_zone: "UTC".to_owned(),
    }
}

fn scan(table: &TableSpec) -> Arc<dyn Source> {
    let request = ScanRequest { rows: table.physical_schema(), watermark: None, time: None, filters: Vec::new() };
    Datagen.table_source(table).unwrap().scan(request).unwrap().source
}

fn nullable(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}

fn one_of_each() -> Vec<Field> {
    let element = Arc::new(nullable("element", DataType::Int32));
    let entries = Fields::from(vec![Field::new("key", DataType::Utf8, false), nullable("value", DataType::Int8)]);
    let entries = Arc::new(Field::new("entries", DataType::Struct(entries), false));
    vec![
        nullable("boolean", DataType::Boolean),
        nullable("tinyint", DataType::Int8),
        nullable("smallint", DataType::Int16),
        nullable("int", DataType::Int32),
        nullable("bigint", DataType::Int64),
        nullable("float", DataType::Float32),
        nullable("double", DataType::Float64),
        nullable("decimal", DataType::Decimal128(5, 2)),
        nullable("string", DataType::Utf8),
        nullable("bytes", DataType::Binary),
        nullable("date", DataType::Date32),
        nullable("time", DataType::Time32(TimeUnit::Millisecond)),
        nullable("ts", DataType::Timestamp(TimeUnit::Millisecond, None)),
        nullable("ltz", DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))),
        nullable("row", DataType::Struct(vec![nullable("a", DataType::Int32), nullable("b", DataType::Utf8)].into())),
        nullable("list", DataType::List(element)),
        nullable("map", DataType::Map(entries, false)),
    ]
}

#[test]
fn any_type_can_be_made_up_and_is_the_same_in_every_run() {
    let lengths = [("fields.string.length", "4"), ("fields.bytes.length", "2"), ("fields.row.b.length", "3")];
    let more = [
        ("fields.list.length", "2"),
        ("fields.map.length", "1"),
        ("fields.map.key.length", "1"),
        ("fields.int.null-rate", "0.5"),
        ("fields.ts.max-past", "1 h"),
        ("number-of-rows", "12"),
        ("rows-per-second", "2"),
        ("seed", "7"),
    ];
    let options: Vec<_> = lengths.into_iter().chain(more).collect();
    let outcome = conformance::source(scan(&table(one_of_each(), &options)).as_ref());
    let first: Vec<_> = outcome.rows.values().map(|rows| rows[0].as_str()).take(3).collect();
    expect![[r#"
        [false, -77, -27884, null, 4715536639632648033, 1.2109628E38, 1.7154081356315882E308, -634.28, fdde, [-14, -15], 1970-01-01, 00:16:40, 1970-01-01T00:08:32.890, 1970-01-01T00:16:40Z, +I[631547206, 30c], [-1194139701, -1283107299], {c=-86}]
        [false, 90, -11659, -604472312, 3490043023809755817, 1.5504695E37, 2.0626766079979486E306, 627.37, d321, [-57, 109], 1970-01-01, 00:16:40.500, 1969-12-31T23:43:06.101, 1970-01-01T00:16:40.500Z, +I[-96663232, f70], [1875070220, 508624631], {0=-120}]
        [false, -33, -7777, null, 8807777491042807951, 1.8063097E37, 1.5875627288477553E308, 3.50, 635d, [-37, -97], 1970-01-01, 00:16:41, 1969-12-31T23:28:45.295, 1970-01-01T00:16:41Z, +I[-133882474, 6c6], [881292317, -1597677153], {b=82}]"#]].assert_eq(&first.join("\n"));
}

#[test]
fn every_row_comes_once_at_any_parallelism() {
    let sequence = [("fields.n.kind", "sequence"), ("fields.n.start", "1"), ("fields.n.end", "20000")];
    let options: Vec<_> = sequence.into_iter().chain([("rows-per-second", "1000000")]).collect();
    let source = scan(&table(vec![nullable("n", DataType::Int64)], &options));
    assert_eq!(source.boundedness(), Boundedness::Bounded);
    let outcome = conformance::source(source.as_ref());
    assert_eq!(outcome.rows.len(), 8);
    let mut numbers: Vec<u32> =
        outcome.all_rows().iter().map(|row| row.trim_matches(['[', ']']).parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=20_000).collect::<Vec<_>>());
    assert_eq!(outcome.rows["datagen-2"][..3], ["[3]", "[11]", "[19]"]);
}

#[test]
fn values_lie_between_their_bounds() {
    let bounds = [("fields.n.min", "-3"), ("fields.n.max", "3"), ("fields.d.min", "-1.5"), ("fields.d.max", "1.50")];
    let options: Vec<_> =
        bounds.into_iter().chain([("number-of-rows", "4000"), ("fields.f.min", "0"), ("fields.f.max", "1")]).collect();
    let columns = vec![
        nullable("n", DataType::Int8),
        nullable("d", DataType::Decimal128(4, 2)),
        nullable("f", DataType::Float32),
    ];
    let outcome = read_whole(scan(&table(columns, &options)).as_ref());
    let mut seen: BTreeMap<i32, u32> = BTreeMap::new();
    for row in outcome.all_rows() {
        let values: Vec<f64> = row.trim_matches(['[', ']']).split(", ").map(|value| value.parse().unwrap()).collect();
        assert!((-1.5..=1.5).contains(&values[1]) && (0.0..=1.0).contains(&values[2]), "{row}");
        #[allow(clippy::cast_possible_truncation, reason = "whole and small")]
        let number = values[0] as i32;
        *seen.entry(number).or_default() += 1;
    }
    // Seven values, about 571 times each; a fixed seed, so this cannot fail by chance.
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), (-3..=3).collect::<Vec<_>>());
    assert!(seen.values().all(|count| (470..670).contains(count)), "{seen:?}");
}

#[test]
fn the_time_of_rows_is_never_null() {
    let at = || vec![nullable("at", DataType::Timestamp(TimeUnit::Millisecond, None))];
    let refused = |options: &[(&str, &str)]| {
        let table = table(at(), options);
        let time = Some(RowTime::Column("at".to_owned()));
        let request = ScanRequest { rows: table.physical_schema(), watermark: None, time, filters: Vec::new() };
        Datagen.table_source(&table).unwrap().scan(request).err().map(|error| error.message)
    };
    assert_eq!(refused(&[]), None);
    let message = refused(&[("fields.at.null-rate", "0.5")]).unwrap();
    expect!["the option 'fields.at.null-rate' cannot be used: `at` is the time of rows, which is never null"]
        .assert_eq(&message);
}

#[test]
fn another_seed_makes_other_values_and_other_columns_change_nothing() {
    let rows = |columns: Vec<Field>, seed| {
        let outcome = read_whole(scan(&table(columns, &[("number-of-rows", "20"), ("seed", seed)])).as_ref());
        outcome
            .all_rows()
            .iter()
            .map(|row| row.trim_matches(['[', ']']).split(", ").last().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let n = || nullable("n", DataType::Int64);
    assert_ne!(rows(vec![n()], "0"), rows(vec![n()], "1"));
    assert_eq!(rows(vec![n()], "0"), rows(vec![nullable("other", DataType::Int64), n()], "0"));
    assert_ne!(rows(vec![n()], "0"), rows(vec![nullable("m", DataType::Int64)], "0"));
}

#[test]
fn only_the_fields_that_are_asked_for_are_made() {
    let row = |fields: Vec<Field>| nullable("row", DataType::Struct(fields.into()));
    let (a, b) = (nullable("a", DataType::Int64), nullable("b", DataType::Int64));
    let table = table(vec![row(vec![a, b.clone()])], &[("number-of-rows", "3")]);
    let whole = read_whole(scan(&table).as_ref());
    let pruned = ScanRequest {
        rows: Arc::new(Schema::new(vec![row(vec![b])])),
        watermark: None,
        time: None,
        filters: Vec::new(),
    };
    let pruned = Datagen.table_source(&table).unwrap().scan(pruned).unwrap().source;
    let pruned = read_whole(pruned.as_ref());
    let last = |row: &str| row.rsplit([' ', '[']).next().unwrap().to_owned();
    assert_eq!(
        whole.all_rows().into_iter().map(last).collect::<Vec<_>>(),
        pruned.all_rows().into_iter().map(last).collect::<Vec<_>>()
    );
}

fn reader_of(source: &dyn Source) -> Box<dyn SourceReader> {
    let io = Arc::new(crate::blocking::test_io::InPlace);
    let context = millstream_engine::io::source::ReaderContext { subtask: 0, parallelism: 1, io };
    let mut reader = source.create_reader(context).unwrap();
    let mut splits = source.create_enumerator().unwrap();
    use millstream_engine::io::source::SplitAnswer;
    while let SplitAnswer::Assigned(split) = splits.next_split(0, 1, ProcessingTime(0)).unwrap() {
        reader.add_split(split).unwrap();
    }
    reader.no_more_splits();
    reader
}

#[test]
fn rows_come_at_the_rate_that_was_asked_for() {
    let source = scan(&table(vec![nullable("n", DataType::Int32)], &[("rows-per-second", "100")]));
    assert_eq!(source.boundedness(), Boundedness::Unbounded);
    let mut reader = reader_of(source.as_ref());
    let mut cx = Context::from_waker(Waker::noop());
    let mut until = |now: i64| {
        let mut rows = 0;
        while let Poll::Ready(event) = reader.poll_next(ProcessingTime(now), &mut cx) {
            let SourceEvent::Rows(batch) = event.unwrap() else { panic!() };
            rows += batch.rows.num_rows();
        }
        (rows, reader.next_time().unwrap().0)
    };
    assert_eq!(until(1_000), (1, 1_010));
    assert_eq!(until(1_009), (0, 1_019));
    assert_eq!(until(1_010), (1, 1_020));
    assert_eq!(until(2_000), (99, 2_010));
    assert_eq!(until(1_500), (0, 2_010), "time goes back");
    // A pause is made up for, as if a log had kept the rows.
    assert_eq!(until(12_000), (1_000, 12_010));
}

#[test]
fn the_splits_of_a_reader_advance_together() {
    let options = [("number-of-rows", "30000"), ("rows-per-second", "1000000000")];
    let source = scan(&table(vec![nullable("n", DataType::Int32)], &options));
    let mut reader = reader_of(source.as_ref());
    let mut cx = Context::from_waker(Waker::noop());
    let mut rows: BTreeMap<String, u64> = BTreeMap::new();
    let mut now = 0;
    loop {
        now += 1;
        match reader.poll_next(ProcessingTime(now), &mut cx) {
            Poll::Ready(Ok(SourceEvent::Rows(batch))) => {
                rows.insert(batch.split.to_string(), batch.split_rows);
            }
            Poll::Ready(Ok(SourceEvent::EndOfInput)) => break,
            Poll::Ready(other) => drop(other.unwrap()),
            Poll::Pending => {}
        }
        if rows.len() == 8 {
            let (least, most) = (rows.values().min().unwrap(), rows.values().max().unwrap());
            assert!(most - least <= WATERMARK_ROWS, "{rows:?}");
        }
    }
    assert_eq!(rows.values().sum::<u64>(), 30_000);
}

#[test]
fn wrong_options_are_refused() {
    let refused = |columns: Vec<Field>, options: &[(&str, &str)]| {
        Datagen.table_source(&table(columns, options)).unwrap_err().to_string().replace("table `made`: ", "")
    };
    let n = || vec![nullable("count", DataType::Int8)];
    let cases: [(&[(&str, &str)], &str); 10] = [
        (&[("rows-per-second", "0")], "the option 'rows-per-second' = '0' cannot be used: it should be at least 1"),
        (
            &[("fields.count.min", "300")],
            "the option 'fields.count.min' = '300' cannot be used: it should be a whole number of the column's type (number too large to fit in target type)",
        ),
        (
            &[("fields.count.min", "3"), ("fields.count.max", "2")],
            "the option 'fields.count.min' = '3' cannot be used: it is more than the max, 2",
        ),
        (&[("fields.count.kind", "sequence"), ("fields.count.start", "0")], "the option 'fields.count.end' is missing"),
        (
            &[("fields.count.kind", "sequence"), ("fields.count.start", "0"), ("fields.count.end", "128")],
            "the option 'fields.count.end' = '128' cannot be used: the column holds numbers from -128 to 127",
        ),
        (
            &[("fields.count.kind", "serial")],
            "the option 'fields.count.kind' = 'serial' cannot be used: it should be random or sequence",
        ),
        (
            &[("fields.count.null-rate", "2")],
            "the option 'fields.count.null-rate' = '2' cannot be used: it should be a number from 0 to 1",
        ),
        (
            &[("fields.cont.min", "1")],
            "the option 'fields.cont.min' is not known here: there is no such column; did you mean `count`?",
        ),
        (
            &[("fields.count.length", "1")],
            "the option 'fields.count.length' is not known here: a column of its kind and type has no such option",
        ),
        (&[("rows-per-secnd", "1")], "the option 'rows-per-secnd' is not known here; did you mean 'rows-per-second'?"),
    ];
    for (options, expected) in cases {
        assert_eq!(refused(n(), options), expected);
    }
    let text = vec![nullable("text", DataType::Utf8)];
    expect!["a row would have 100000004 bytes, and 16777216 is the most; make some 'fields.#.length' smaller"]
        .assert_eq(&refused(text, &[("fields.text.length", "100000000")]));
}
