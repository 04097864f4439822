//! What a person sees.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int32Array,
    Int64Array, ListArray, MapArray, RecordBatch, StringArray, StructArray, Time32MillisecondArray,
    TimestampMillisecondArray,
};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Int32Type};
use expect_test::{Expect, expect};

use super::*;
use crate::blocking::test_io::{Threads, wait};
use crate::{Connector, TableSpec, print::Print};

#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn table(options: &[(&str, &str)]) -> TableSpec {
    TableSpec {
        name: "out".to_owned(),
        columns: Vec::new(),
        partition_keys: Vec::new(),
        primary_key: Vec::new(),
        options: options.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect::<BTreeMap<_, _>>(),
        time_zone: "UTC".to_owned(),
    }
}

#[derive(Debug)]
struct NoCommits;

impl millstream_engine::io::sink::CommitSender for NoCommits {
    fn send(&self, _: Vec<Committable>) {}
}

fn context(subtask: u32, parallelism: u32) -> WriterContext {
    let (io, commits) = (Arc::new(Threads), Arc::new(NoCommits));
    WriterContext { subtask, parallelism, attempt: "a".into(), io, commits }
}

fn printed(options: &[(&str, &str)], subtask: u32, parallelism: u32, batches: &[EventBatch]) -> String {
    let screen = Screen::default();
    let sink = PrintSink::new(PrintOptions::read(&table(options)).unwrap());
    let mut writer = sink.writer(context(subtask, parallelism), Stream::Test(Box::new(screen.clone())));
    for batch in batches {
        wait(|cx| writer.poll_ready(cx)).unwrap();
        writer.write(batch.clone(), ProcessingTime(0)).unwrap();
    }
    writer.close(ProcessingTime(0)).unwrap();
    assert!(wait(|cx| writer.poll_closed(cx)).unwrap().is_empty());
    String::from_utf8(screen.0.lock().unwrap().clone()).unwrap()
}

fn numbers(values: &[i32]) -> EventBatch {
    let values: ArrayRef = Arc::new(Int32Array::from(values.to_vec()));
    EventBatch::inserts(RecordBatch::try_from_iter([("n", values)]).unwrap())
}

#[test]
fn the_prefix_names_the_sink_and_the_subtask() {
    type Case = (&'static [(&'static str, &'static str)], u32, &'static str);
    let cases: [Case; 4] = [
        (&[], 1, "+I[7]\n"),
        (&[], 4, "2> +I[7]\n"),
        (&[("print-identifier", "id")], 1, "id> +I[7]\n"),
        (&[("print-identifier", "id"), ("standard-error", "true")], 4, "id:2> +I[7]\n"),
    ];
    for (options, parallelism, expected) in cases {
        assert_eq!(printed(options, 1, parallelism, &[numbers(&[7])]), expected);
    }
}

#[test]
fn every_kind_of_row_is_marked() {
    let mut batch = numbers(&[1, 2, 3, 4]);
    batch.row_kinds = Some(Buffer::from_vec(vec![0_u8, 1, 2, 3]));
    assert_eq!(printed(&[], 0, 1, &[batch.clone()]), "+I[1]\n-U[2]\n+U[3]\n-D[4]\n");
    assert_eq!(printed(&[], 0, 1, &[batch.slice(2, 2)]), "+U[3]\n-D[4]\n");
}

#[test]
fn batches_come_out_in_order_and_none_is_lost() {
    let batches: Vec<_> = (0..500).map(|n| numbers(&[n])).collect();
    let expected: String = (0..500).map(|n| format!("+I[{n}]\n")).collect();
    assert_eq!(printed(&[], 0, 1, &batches), expected);
}

#[test]
fn values_look_as_flink_prints_them() {
    check(Arc::new(Int64Array::from(vec![Some(-5), None])), expect!["-5, null"]);
    check(Arc::new(BooleanArray::from(vec![true, false])), expect!["true, false"]);
    check(Arc::new(StringArray::from(vec![Some("a, b"), Some(""), None])), expect!["a, b, , null"]);
    check(Arc::new(BinaryArray::from(vec![&[1_u8, 255][..], &[]])), expect!["[1, -1], []"]);
    let floats = vec![0.0, -0.0, 1.0, 123.456, 1e7, 9_999_999.5, 0.001, 0.000_12, -1.5e300, f64::NAN, f64::INFINITY];
    check(
        Arc::new(Float64Array::from(floats)),
        expect!["0.0, -0.0, 1.0, 123.456, 1.0E7, 9999999.5, 0.001, 1.2E-4, -1.5E300, NaN, Infinity"],
    );
    check(Arc::new(Float32Array::from(vec![0.1, 100.0])), expect!["0.1, 100.0"]);
    let decimals = Decimal128Array::from(vec![400, -5, 12_345]).with_precision_and_scale(10, 2).unwrap();
    check(Arc::new(decimals), expect!["4.00, -0.05, 123.45"]);
    check(Arc::new(Date32Array::from(vec![0, 15_706, -719_529])), expect!["1970-01-01, 2013-01-01, -0001-12-31"]);
    check(Arc::new(Time32MillisecondArray::from(vec![0, 3_661_000, 5])), expect!["00:00, 01:01:01, 00:00:00.005"]);
}

#[test]
fn timestamps_look_as_flink_prints_them() {
    let times = vec![Some(1_357_016_400_000), Some(1_357_016_401_250), Some(-1), Some(i64::MIN), None];
    let local = TimestampMillisecondArray::from(times);
    check(
        Arc::new(local.clone()),
        expect!["2013-01-01T05:00, 2013-01-01T05:00:01.250, 1969-12-31T23:59:59.999, -9223372036854775808 ms, null"],
    );
    check(
        Arc::new(local.with_timezone("+00:00").slice(0, 2)),
        expect!["2013-01-01T05:00:00Z, 2013-01-01T05:00:01.250Z"],
    );
}

#[test]
fn nested_values_look_as_flink_prints_them() {
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), Some(vec![]), None]);
    check(Arc::new(list), expect!["[1, null], [], null"]);
    let names: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
    let values: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let (name, value) = (Field::new("k", DataType::Utf8, false), Field::new("v", DataType::Int32, false));
    let row = StructArray::from(vec![(Arc::new(name), names), (Arc::new(value), values)]);
    check(Arc::new(row.clone()), expect!["+I[a, 1], +I[b, 2]"]);
    let entries = Arc::new(Field::new("entries", row.data_type().clone(), false));
    let offsets = OffsetBuffer::new(ScalarBuffer::from(vec![0, 2]));
    check(Arc::new(MapArray::new(entries, offsets, row, None, false)), expect!["{a=1, b=2}"]);
}

fn check(values: ArrayRef, expected: Expect) {
    let batch = EventBatch::inserts(RecordBatch::try_from_iter_with_nullable([("v", values, true)]).unwrap());
    let text = printed(&[], 0, 1, &[batch]);
    let rows: Vec<_> = text.lines().map(|line| &line["+I[".len()..line.len() - 1]).collect();
    expected.assert_eq(&rows.join(", "));
}

#[test]
fn a_terminal_that_is_gone_fails_the_writer() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let sink = PrintSink::new(PrintOptions::read(&table(&[])).unwrap());
    let mut writer = sink.writer(context(0, 1), Stream::Test(Box::new(Gone)));
    writer.write(numbers(&[1]), ProcessingTime(0)).unwrap();
    writer.close(ProcessingTime(0)).unwrap();
    let error = wait(|cx| writer.poll_closed(cx)).unwrap_err().to_string();
    assert_eq!(error, "printing to the test: broken pipe");
}

#[test]
fn wrong_use_is_refused() {
    let read = Print.table_source(&table(&[])).unwrap_err().to_string();
    expect!["table `out`: the connector 'print' cannot be read, it is only a sink; use the table after INSERT INTO"]
        .assert_eq(&read);
    let option = Print.sink(&table(&[("print-identifer", "x")])).unwrap_err().to_string();
    expect!["table `out`: the option 'print-identifer' is not known here; did you mean 'print-identifier'?"]
        .assert_eq(&option);
    let value = Print.sink(&table(&[("standard-error", "yes")])).unwrap_err().to_string();
    expect![[r#"table `out`: the option 'standard-error' = 'yes' cannot be used: it should be true or false (provided string was not `true` or `false`)"#]]
        .assert_eq(&value);
}
