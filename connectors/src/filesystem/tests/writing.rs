//! A table as files.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use arrow::buffer::Buffer;
use expect_test::expect;
use millstream_engine::batch::EventBatch;
use millstream_engine::element::Watermark;
use millstream_engine::error::Result;
use millstream_engine::io::sink::{CommitSender, Committable, Committer, Sink, SinkWriter, WriterContext};
use millstream_engine::operators::ProcessingTime;

use super::{rows, table, tree};
use crate::blocking::test_io::{Threads, wait};
use crate::filesystem::Filesystem;
use crate::{Connector, TableSpec};

/// Keeps what was sent; at once or with the next checkpoint.
#[derive(Debug)]
struct Sent {
    all: Mutex<Vec<Committable>>,
    at_once: bool,
}

impl CommitSender for Sent {
    fn send(&self, committables: Vec<Committable>) {
        self.all.lock().unwrap().extend(committables);
    }

    fn at_once(&self) -> bool {
        self.at_once
    }
}

/// A sink with some writers and its committer.
struct Job {
    sink: Arc<dyn Sink>,
    writers: Vec<Box<dyn SinkWriter>>,
    committer: Box<dyn Committer>,
    sent: Arc<Sent>,
    columns: Vec<String>,
}

impl Job {
    fn new(table: &TableSpec, attempt: &str, parallelism: u32, at_once: bool) -> Self {
        let sink = Filesystem.sink(table).unwrap();
        let sent = Arc::new(Sent { all: Mutex::default(), at_once });
        let context = |subtask| WriterContext {
            subtask,
            parallelism,
            attempt: attempt.into(),
            io: Arc::new(Threads),
            commits: Arc::clone(&sent) as Arc<dyn CommitSender>,
        };
        let writers = (0..parallelism).map(|subtask| sink.create_writer(context(subtask)).unwrap()).collect();
        let committer = sink.create_committer().unwrap().unwrap();
        let columns = table.columns.iter().map(|column| column.field.name().clone()).collect();
        Self { sink, writers, committer, sent, columns }
    }

    fn write(&mut self, writer: usize, now: i64, values: &[&[&str]]) -> Result<()> {
        let columns: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        let writer = &mut self.writers[writer];
        wait(|cx| writer.poll_ready(cx))?;
        writer.write(EventBatch::inserts(rows(&columns, values)), ProcessingTime(now))
    }

    /// Lets time go on to `now`, as the runtime does: at the times that the writers name.
    fn advance(&mut self, now: i64) {
        for writer in &mut self.writers {
            while let Some(next) = writer.next_time().filter(|next| next.0 <= now) {
                writer.time(next).unwrap();
            }
            writer.time(ProcessingTime(now)).unwrap();
        }
    }

    fn watermark(&mut self, writer: usize, watermark: i64, now: i64) {
        self.writers[writer].watermark(Watermark(watermark), ProcessingTime(now)).unwrap();
    }

    fn close(&mut self, now: i64) -> Vec<Committable> {
        let mut all = Vec::new();
        for writer in &mut self.writers {
            wait(|cx| writer.poll_ready(cx)).unwrap();
            writer.close(ProcessingTime(now)).unwrap();
            all.extend(wait(|cx| writer.poll_closed(cx)).unwrap());
        }
        self.sent.send(all.clone());
        all
    }

    fn end(&mut self, now: i64) {
        (0..self.writers.len()).for_each(|writer| self.watermark(writer, i64::MAX, now));
        self.close(now);
        self.commit();
    }

    fn commit(&mut self) {
        let sent = std::mem::take(&mut *self.sent.all.lock().unwrap());
        self.committer.commit(&sent, false).unwrap();
    }

    /// Waits until the IO threads have done what they were told, so that the next call hands it out.
    fn settle(&mut self, now: i64) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while self.sent.all.lock().unwrap().is_empty() && std::time::Instant::now() < deadline {
            self.writers.iter_mut().for_each(|writer| writer.time(ProcessingTime(now)).unwrap());
            std::thread::yield_now();
        }
        self.commit();
    }
}

/// Writes `values` with one writer and publishes them.
pub(super) fn write_once(table: &TableSpec, values: &[&[&str]]) {
    let mut job = Job::new(table, "1", 1, true);
    job.write(0, 0, values).unwrap();
    job.end(0);
}

#[test]
fn nothing_is_visible_before_it_is_committed() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let mut job = Job::new(&table(&out, &["line"], &[("format", "raw")]), "7", 2, true);
    job.write(0, 0, &[&["a"], &["b"]]).unwrap();
    job.write(1, 0, &[&["c"]]).unwrap();
    job.write(0, 0, &[&["d"]]).unwrap();
    job.close(0);
    expect![[r#"
        .part-7-0-0.txt.inprogress: a b d
        .part-7-1-0.txt.inprogress: c"#]]
    .assert_eq(&tree(&out));
    job.commit();
    expect![[r#"
        part-7-0-0.txt: a b d
        part-7-1-0.txt: c"#]]
    .assert_eq(&tree(&out));
}

#[test]
fn a_sink_without_rows_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let mut job = Job::new(&table(&out, &["line"], &[("format", "raw")]), "7", 1, true);
    job.end(0);
    assert!(!out.exists());
}

#[test]
fn every_file_begins_with_the_header() {
    let folder = tempfile::tempdir().unwrap();
    let options = [("format", "csv"), ("csv.header", "true"), ("sink.rolling-policy.file-size", "1b")];
    let mut job = Job::new(&table(folder.path(), &["line"], &options), "1", 1, true);
    job.write(0, 0, &[&["a"], &["b"]]).unwrap();
    job.write(0, 0, &[&["c"]]).unwrap();
    job.end(0);
    expect![[r#"
        part-1-0-0.csv: line a b
        part-1-0-1.csv: line c"#]]
    .assert_eq(&tree(folder.path()));
}

#[test]
fn a_part_rolls_when_it_is_full_and_is_published_without_waiting_for_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let options = [("format", "raw"), ("sink.rolling-policy.file-size", "8b")];
    let mut job = Job::new(&table(folder.path(), &["line"], &options), "1", 1, true);
    for word in ["one", "two", "three"] {
        job.write(0, 0, &[&[word]]).unwrap();
    }
    job.settle(0);
    let while_running = tree(folder.path());
    assert!(while_running.ends_with("\npart-1-0-0.txt: one two"), "{while_running}");
    job.end(0);
    expect![[r#"
        part-1-0-0.txt: one two
        part-1-0-1.txt: three"#]]
    .assert_eq(&tree(folder.path()));
}

#[test]
fn a_part_rolls_when_it_is_old_or_idle() {
    let folder = tempfile::tempdir().unwrap();
    let options = [
        ("format", "raw"),
        ("sink.rolling-policy.rollover-interval", "100 ms"),
        ("sink.rolling-policy.inactivity-interval", "40 ms"),
        ("sink.rolling-policy.check-interval", "10 ms"),
    ];
    let mut job = Job::new(&table(folder.path(), &["line"], &options), "1", 1, true);
    for now in [0, 30, 60, 90, 120, 150] {
        job.advance(now);
        job.write(0, now, &[&[&format!("at {now}")]]).unwrap();
    }
    job.advance(400);
    job.write(0, 400, &[&["at 400"]]).unwrap();
    job.end(400);
    expect![[r#"
        part-1-0-0.txt: at 0 at 30 at 60 at 90
        part-1-0-1.txt: at 120 at 150
        part-1-0-2.txt: at 400"#]]
    .assert_eq(&tree(folder.path()));
}

#[test]
fn with_checkpoints_rolled_parts_wait_for_the_barrier() {
    let folder = tempfile::tempdir().unwrap();
    let options = [("format", "raw"), ("sink.rolling-policy.file-size", "1b")];
    let mut job = Job::new(&table(folder.path(), &["line"], &options), "1", 1, false);
    job.write(0, 0, &[&["a"]]).unwrap();
    job.write(0, 0, &[&["b"]]).unwrap();
    assert_eq!(job.close(0).len(), 2);
    job.write(0, 0, &[&["c"]]).unwrap();
    assert_eq!(job.close(0).len(), 1, "each is handed out once");
    job.commit();
    assert_eq!(tree(folder.path()), "part-1-0-0.txt: a\npart-1-0-1.txt: b\npart-1-0-2.txt: c");
}

#[test]
fn committing_again_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut job = Job::new(&table(folder.path(), &["line"], &[("format", "raw")]), "1", 2, false);
    job.write(0, 0, &[&["a"]]).unwrap();
    job.write(1, 0, &[&["b"]]).unwrap();
    let committables = job.close(0);
    for _ in 0..2 {
        job.committer.commit(&committables, false).unwrap();
        job.sink.create_committer().unwrap().unwrap().commit(&committables, true).unwrap();
        assert_eq!(tree(folder.path()), "part-1-0-0.txt: a\npart-1-1-0.txt: b");
    }
}

#[test]
fn a_second_run_adds_files_and_overwrites_none() {
    let folder = tempfile::tempdir().unwrap();
    let table = table(folder.path(), &["line"], &[("format", "raw")]);
    for word in ["first", "second"] {
        let mut job = Job::new(&table, "same", 1, true);
        job.write(0, 0, &[&[word]]).unwrap();
        job.end(0);
    }
    assert_eq!(tree(folder.path()), "part-same-0-0.txt: first\npart-same-0-1.txt: second");
}

#[test]
fn a_writer_that_is_dropped_leaves_nothing_unfinished() {
    let folder = tempfile::tempdir().unwrap();
    let mut job = Job::new(&table(folder.path(), &["line"], &[("format", "raw")]), "1", 1, true);
    job.write(0, 0, &[&["a"]]).unwrap();
    wait(|cx| job.writers[0].poll_ready(cx)).unwrap();
    job.writers.clear();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !tree(folder.path()).is_empty() && std::time::Instant::now() < deadline {
        std::thread::yield_now();
    }
    assert_eq!(tree(folder.path()), "");
}

fn partitioned(path: &Path, options: &[(&str, &str)]) -> TableSpec {
    let options: Vec<_> = options.iter().copied().chain([("format", "raw")]).collect();
    let mut table = table(path, &["dt", "line", "hour"], &options);
    table.partition_keys = vec!["dt".to_owned(), "hour".to_owned()];
    table
}

#[test]
fn each_partition_has_its_folder_and_its_columns_are_not_in_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let mut job = Job::new(&partitioned(folder.path(), &[]), "1", 1, true);
    job.write(0, 0, &[&["d1", "a", "7"], &["d1", "b", "7"], &["d2", "c", "7"], &["d1", "d", "7"]]).unwrap();
    job.write(0, 0, &[&["d1", "e", "8:00"], &["null", "f", ""]]).unwrap();
    job.end(0);
    expect![[r#"
        dt=__HIVE_DEFAULT_PARTITION__/hour=__HIVE_DEFAULT_PARTITION__/part-1-0-3.txt: f
        dt=d1/hour=7/part-1-0-0.txt: a b d
        dt=d1/hour=8%3A00/part-1-0-2.txt: e
        dt=d2/hour=7/part-1-0-1.txt: c"#]]
    .assert_eq(&tree(folder.path()));
}

#[test]
fn more_partitions_than_may_be_open_are_written_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut job = Job::new(&partitioned(folder.path(), &[]), "1", 1, true);
    let days: Vec<String> = (0..300).map(|day| format!("d{day:03}")).collect();
    for now in [0, 1] {
        for day in &days {
            job.write(0, now, &[&[day, day, "0"]]).unwrap();
        }
    }
    job.end(2);
    let all = tree(folder.path());
    assert_eq!(all.lines().count(), 600, "each part was rolled before its partition came again");
    assert!(days.iter().all(|day| all.lines().filter(|line| line.ends_with(&format!(": {day}"))).count() == 2));
}

const SUCCESS: (&str, &str) = ("sink.partition-commit.policy.kind", "success-file");

#[test]
fn the_end_of_input_marks_all_partitions() {
    let folder = tempfile::tempdir().unwrap();
    let options =
        [SUCCESS, ("sink.partition-commit.delay", "1 d"), ("sink.partition-commit.success-file.name", "_DONE")];
    let mut job = Job::new(&partitioned(folder.path(), &options), "1", 2, true);
    job.write(0, 0, &[&["d1", "a", "7"]]).unwrap();
    job.write(1, 0, &[&["d2", "b", "7"]]).unwrap();
    job.end(0);
    expect![[r#"
        dt=d1/hour=7/_DONE:
        dt=d1/hour=7/part-1-0-0.txt: a
        dt=d2/hour=7/_DONE:
        dt=d2/hour=7/part-1-1-0.txt: b"#]]
    .assert_eq(&tree(folder.path()));
}

#[test]
fn a_partition_is_marked_when_the_watermark_has_passed_it() {
    const HOUR: i64 = 3_600_000;
    let folder = tempfile::tempdir().unwrap();
    let options = [
        SUCCESS,
        ("sink.partition-commit.trigger", "partition-time"),
        ("sink.partition-commit.delay", "1 h"),
        ("partition.time-extractor.timestamp-pattern", "$dt $hour:00"),
        ("sink.rolling-policy.check-interval", "10 ms"),
    ];
    let mut job = Job::new(&partitioned(folder.path(), &options), "1", 1, true);
    job.write(0, 0, &[&["1970-01-01", "a", "0"], &["1970-01-01", "b", "1"]]).unwrap();
    job.watermark(0, HOUR + 1, 5);
    job.advance(10);
    job.settle(20);
    expect![[r#"
        dt=1970-01-01/hour=0/_SUCCESS:
        dt=1970-01-01/hour=0/part-1-0-0.txt: a
        dt=1970-01-01/hour=1/.part-1-0-1.txt.inprogress:"#]]
    .assert_eq(&tree(folder.path()));
}

#[test]
fn a_committer_that_takes_over_knows_which_partitions_are_open() {
    let folder = tempfile::tempdir().unwrap();
    let options = [SUCCESS, ("sink.partition-commit.delay", "1 h")];
    let table = partitioned(folder.path(), &options);
    let mut job = Job::new(&table, "1", 1, false);
    job.write(0, 0, &[&["d1", "a", "7"]]).unwrap();
    job.close(0);
    job.commit();
    assert!(tree(folder.path()).starts_with(r#".millstream-partitions-files.json: {"dt=d1/hour=7":0}"#));
    let mut next = Job::new(&table, "2", 1, false);
    next.end(0);
    expect![[r#"
        dt=d1/hour=7/_SUCCESS:
        dt=d1/hour=7/part-1-0-0.txt: a"#]]
    .assert_eq(&tree(folder.path()));
}

#[test]
fn a_row_that_takes_another_back_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut job = Job::new(&table(folder.path(), &["line"], &[("format", "raw")]), "1", 1, true);
    let mut batch = EventBatch::inserts(rows(&["line"], &[&["a"], &["b"]]));
    batch.row_kinds = Some(Buffer::from_vec(vec![0_u8, 0]));
    job.writers[0].write(batch.clone(), ProcessingTime(0)).unwrap();
    batch.row_kinds = Some(Buffer::from_vec(vec![0_u8, 3]));
    let error = job.writers[0].write(batch, ProcessingTime(0)).unwrap_err().to_string();
    expect!["the connector 'filesystem' was given a row that updates or deletes another: files can only be appended to; write to a sink that takes changes, or make the query append-only"]
        .assert_eq(&error);
}

#[test]
fn a_place_that_cannot_be_written_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "kept").unwrap();
    let message = |path: &Path| {
        let mut job = Job::new(&table(path, &["line"], &[("format", "raw")]), "1", 1, true);
        let _ = job.write(0, 0, &[&["a"]]);
        job.writers[0].close(ProcessingTime(0)).unwrap();
        let error = wait(|cx| job.writers[0].poll_closed(cx)).unwrap_err().to_string();
        error.replace(folder.path().to_str().unwrap(), "ROOT")
    };
    expect!["`ROOT/file` is a file, but the sink writes part files into a folder; give another 'path'"]
        .assert_eq(&message(&file));
    expect!["creating the folder `ROOT/file/below`: Not a directory (os error 20)"]
        .assert_eq(&message(&file.join("below")));
    // A file system on which nobody may write.
    let read_only = message(Path::new("/proc/sys"));
    assert!(read_only.starts_with("creating `/proc/sys/.part-1-0-0.txt.inprogress`: "), "{read_only}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "kept");
}

#[test]
fn wrong_declarations_are_refused() {
    let refused = |options: &[(&str, &str)]| {
        let error = Filesystem.sink(&partitioned(Path::new("/x"), options)).map(drop).unwrap_err();
        error.to_string().replace("table `files`: ", "")
    };
    let cases: [(&[(&str, &str)], &str); 7] = [
        (
            &[("sink.rolling-policy.file-size", "big")],
            "the option 'sink.rolling-policy.file-size' = 'big' cannot be used: it should be a size such as '128 mb' or '1 kb'",
        ),
        (
            &[("sink.partition-commit.policy.kind", "metastore,success-file")],
            "the option 'sink.partition-commit.policy.kind' = 'metastore,success-file' cannot be used: only 'success-file' is supported",
        ),
        (
            &[("sink.partition-commit.trigger", "never")],
            "the option 'sink.partition-commit.trigger' = 'never' cannot be used: it should be 'process-time' or 'partition-time'",
        ),
        (
            &[("partition.time-extractor.timestamp-pattern", "$day")],
            "the option 'partition.time-extractor.timestamp-pattern' = '$day' cannot be used: after '$' it should name one of PARTITIONED BY (dt, hour)",
        ),
        (
            &[("sink.partition-commit.watermark-time-zone", "Mars")],
            "the option 'sink.partition-commit.watermark-time-zone' = 'Mars' cannot be used: it should be a time zone such as 'Europe/Zurich' or 'UTC'",
        ),
        (
            &[SUCCESS, ("sink.partition-commit.success-file.name", "a/b")],
            "the option 'sink.partition-commit.success-file.name' = 'a/b' cannot be used: it should be a file's name",
        ),
        (&[("auto-compaction", "true")], "the option 'auto-compaction' is not known here"),
    ];
    for (options, expected) in cases {
        assert_eq!(refused(options), expected);
    }
    let unpartitioned = Filesystem
        .sink(&table(Path::new("/x"), &["line"], &[SUCCESS, ("format", "raw")]))
        .map(drop)
        .unwrap_err()
        .to_string();
    expect!["table `files`: the option 'sink.partition-commit.policy.kind' = 'success-file' cannot be used: the table has no PARTITIONED BY"]
        .assert_eq(&unpartitioned);
}
