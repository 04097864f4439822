//! What readers and writers say they hold, against what they have really taken from the allocator.
//!
//! A binary of its own, since it counts every allocation. Blocking work runs in place, so that it is counted too.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

#[path = "../../engine/tests/counting/mod.rs"]
mod counting;

use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use millstream_connectors::{Connector, ScanRequest, TableColumn, TableSpec, connector, nexmark};
use millstream_engine::batch::EventBatch;
use millstream_engine::io::sink::{CommitSender, Committable, WriterContext};
use millstream_engine::io::source::{
    IoRuntime, ReaderContext, Source, SourceEvent, SourceReader, SplitAnswer, SplitEnumerator,
};
use millstream_engine::memory::Bytes;
use millstream_engine::operators::ProcessingTime;

const NOW: ProcessingTime = ProcessingTime(0);
/// Rows of a batch.
const BATCH: i64 = 8_192;
/// How near what is said must be to what is held.
#[derive(Clone, Copy)]
struct Near {
    /// By so many percent,
    percent: usize,
    /// or by so many bytes.
    bytes: usize,
}

const NEAR: Near = Near { percent: 15, bytes: 128 * 1024 };
/// Neither Parquet's writer nor its reader tells all that it holds, and a part of a batch keeps the whole one.
const NEAR_FOR_PARQUET: Near = Near { percent: 50, bytes: 640 * 1024 };

#[derive(Debug)]
struct InPlace;

impl IoRuntime for InPlace {
    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        work();
    }
}

/// Nobody commits what is written.
#[derive(Debug)]
struct Forgotten;

impl CommitSender for Forgotten {
    fn send(&self, _: Vec<Committable>) {}
}

fn columns() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("number", DataType::Int64, true), Field::new("text", DataType::Utf8, true)]))
}

fn rows(from: i64) -> EventBatch {
    let numbers = from..from + BATCH;
    let texts = numbers.clone().map(|n| format!("the text of {n}, with some letters {}", n.wrapping_mul(7_919_117)));
    let columns_of: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from_iter_values(numbers)), Arc::new(StringArray::from_iter_values(texts))];
    EventBatch::inserts(RecordBatch::try_new(columns(), columns_of).unwrap())
}

fn table(schema: &Schema, options: &[(&str, &str)]) -> TableSpec {
    let column = |field: &Arc<Field>| TableColumn { field: Field::clone(field), metadata: None };
    TableSpec {
        name: "table".to_owned(),
        columns: schema.fields().iter().map(column).collect(),
        partition_keys: Vec::new(),
        primary_key: Vec::new(),
        options: options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        time_zone: "UTC".to_owned(),
    }
}

fn files(format: &str, path: &Path) -> TableSpec {
    table(&columns(), &[("path", path.to_str().unwrap()), ("format", format)])
}

impl Near {
    fn check(self, when: &str, held: usize, said: usize) {
        let apart = said.abs_diff(held);
        let near = apart * 100 <= held * self.percent || apart <= self.bytes;
        assert!(near, "{when}: holds {} and says {}", Bytes(held), Bytes(said));
    }
}

/// Writes 100 batches, looks after each, and answers the most that was said.
fn write(table: &TableSpec, near: Near) -> usize {
    let sink = connector("filesystem").unwrap().sink(table).unwrap();
    let context = WriterContext {
        subtask: 0,
        parallelism: 1,
        attempt: "1".into(),
        io: Arc::new(InPlace),
        commits: Arc::new(Forgotten),
    };
    let mut cx = Context::from_waker(Waker::noop());
    let before = counting::held();
    let mut writer = sink.create_writer(context).unwrap();
    let mut most = 0;
    for batch in 0..100 {
        writer.write(rows(batch * BATCH), NOW).unwrap();
        assert!(writer.poll_ready(&mut cx).is_ready());
        most = most.max(writer.memory_bytes());
        near.check("written", counting::held() - before, writer.memory_bytes());
    }
    writer.close(NOW).unwrap();
    assert!(writer.poll_closed(&mut cx).is_ready());
    near.check("closed", counting::held() - before, writer.memory_bytes());
    most
}

/// Gives the parts that were written the names that a committer would.
fn publish(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let name = name.trim_start_matches('.').trim_end_matches(".inprogress").to_owned();
        std::fs::rename(&path, folder.join(name)).unwrap();
    }
}

fn compress(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let plain = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let file = std::fs::File::create(format!("{}.gz", path.display())).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, &plain).unwrap();
        encoder.finish().unwrap();
    }
}

fn scan(connector: &dyn Connector, table: &TableSpec, rows: SchemaRef) -> Arc<dyn Source> {
    let request = ScanRequest { rows, watermark: None, time: None, filters: Vec::new() };
    connector.table_source(table).unwrap().scan(request).unwrap().source
}

/// The next event, splits being handed out as a job does.
fn next(reader: &mut dyn SourceReader, enumerator: &mut dyn SplitEnumerator) -> SourceEvent {
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        let Poll::Ready(event) = reader.poll_next(NOW, &mut cx) else { panic!("the source waits for something") };
        let SourceEvent::NeedSplit = event.as_ref().unwrap() else { return event.unwrap() };
        match enumerator.next_split(0, 1, NOW).unwrap() {
            SplitAnswer::Assigned(split) => reader.add_split(split).unwrap(),
            SplitAnswer::AskAgain(_) | SplitAnswer::NoMore => reader.no_more_splits(),
        }
    }
}

/// Reads all, looks after each batch, and answers the most that was said.
fn read(source: &dyn Source, near: Near) -> usize {
    let mut enumerator = source.create_enumerator().unwrap();
    let context = || ReaderContext { subtask: 0, parallelism: 1, io: Arc::new(InPlace) };
    // What the source has for all its readers is there after the first rows.
    next(source.create_reader(context()).unwrap().as_mut(), source.create_enumerator().unwrap().as_mut());
    let before = counting::held();
    let mut reader = source.create_reader(context()).unwrap();
    let mut most = 0;
    loop {
        match next(reader.as_mut(), enumerator.as_mut()) {
            SourceEvent::EndOfInput => return most,
            SourceEvent::Rows(_) | SourceEvent::SplitFinished(_) | SourceEvent::NeedSplit => {}
        }
        most = most.max(reader.memory_bytes());
        near.check("read", counting::held() - before, reader.memory_bytes());
    }
}

fn read_files(table: &TableSpec, near: Near) -> usize {
    read(scan(connector("filesystem").unwrap(), table, columns()).as_ref(), near)
}

#[test]
fn json_and_csv() {
    for format in ["json", "csv"] {
        let folder = tempfile::tempdir().unwrap();
        let table = files(format, folder.path());
        assert!(write(&table, NEAR) > 0, "{format}: some rows wait in a buffer");
        publish(folder.path());
        let most = read_files(&table, NEAR);
        assert!(most > 4 * 512 * 1024, "{format}: four chunks are read ahead, but the most was {most} bytes");
    }
}

#[test]
fn compressed_text() {
    let folder = tempfile::tempdir().unwrap();
    let table = files("json", folder.path());
    write(&table, NEAR);
    publish(folder.path());
    compress(folder.path());
    read_files(&table, NEAR);
}

#[test]
fn parquet() {
    let folder = tempfile::tempdir().unwrap();
    let table = files("parquet", folder.path());
    let most = write(&table, NEAR_FOR_PARQUET);
    assert!(most > 1024 * 1024, "a row group waits, but the most was {most} bytes");
    publish(folder.path());
    read_files(&table, NEAR_FOR_PARQUET);
}

#[test]
fn generated_events() {
    let all = nexmark::schema();
    let table = table(&all, &[("events.num", "500000")]);
    let most = read(scan(connector("nexmark").unwrap(), &table, Arc::new(all)).as_ref(), NEAR);
    assert!(most > 512 * 1024, "buffers come back, but the most was {most} bytes");
}
