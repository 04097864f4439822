//! Records out of chunks of any size.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Field, Schema};
use expect_test::expect;

use super::*;
use crate::blocking::test_io::{InPlace, Threads, wait};
use crate::formats::FormatSpec;
use crate::{Options, TableSpec};

/// Gives out `bytes` in pieces of `piece` bytes.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    piece: usize,
}

impl ByteSource for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let length = self.piece.min(self.bytes.len() - self.at).min(buffer.len());
        buffer[..length].copy_from_slice(&self.bytes[self.at..][..length]);
        self.at += length;
        Ok(length)
    }
}

fn decoder(options: &[(&str, &str)]) -> (Box<dyn Decoder>, BadRowPolicy) {
    let options: BTreeMap<_, _> = options.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
    let field = Field::new("line", DataType::Utf8, true);
    let table = TableSpec {
        name: "t".to_owned(),
        columns: Vec::new(),
        partition_keys: Vec::new(),
        primary_key: Vec::new(),
        options,
        time_zone: "UTC".to_owned(),
    };
    let format = FormatSpec::read(&mut Options::of(&table), Some("raw")).unwrap();
    let schema = Arc::new(Schema::new(vec![field]));
    (format.decoder(&schema, &schema, None, &[], "UTC").unwrap(), format.bad_rows)
}

/// A reader of `text` from `start`, in pieces.
fn reader(
    text: &str,
    piece: usize,
    start: Progress,
    watermark_rows: Option<u64>,
    options: &[(&str, &str)],
) -> RecordReader<Pieces> {
    let buffers = Buffers::default();
    let (decoder, bad_rows) = decoder(options);
    let settings = RecordSettings { bad_rows, watermark_rows };
    let pump = pump(text, usize::try_from(start.offset).unwrap(), piece, &buffers);
    RecordReader::new("file".into(), settings, decoder, pump, buffers, start)
}

fn pump(text: &str, at: usize, piece: usize, buffers: &Buffers) -> Pump<ChunkReader<Pieces>> {
    let bytes = Pieces { bytes: text.as_bytes().to_vec(), at, piece };
    Pump::new(ChunkReader::new(bytes, buffers.clone()), Arc::new(InPlace))
}

fn lines(rows: &SourceRows) -> Vec<String> {
    rows.rows.column(0).as_string::<i32>().iter().map(|line| line.unwrap().to_owned()).collect()
}

/// All rows as text, `|` between batches; then the error, if it ends in one.
fn read_all(reader: &mut RecordReader<Pieces>) -> String {
    let mut batches = Vec::new();
    loop {
        match wait(|cx| reader.poll_next(cx)) {
            Ok(Some(rows)) => batches.push(lines(&rows).join(",")),
            Ok(None) => break,
            Err(error) => break batches.push(error.to_string()),
        }
    }
    batches.join("|")
}

#[test]
fn records_are_the_same_however_they_are_cut() {
    let text = "one\ntwo\n\nfour is a longer line\r\nfive\nlast without an end";
    for piece in [1, 2, 3, 5, 7, 1_000] {
        let mut reader = reader(text, piece, Progress::default(), Some(1_000), &[]);
        assert_eq!(read_all(&mut reader).replace('|', ","), "one,two,,four is a longer line,five,last without an end");
        assert_eq!(reader.progress(), Progress { offset: text.len() as u64, rows: 6 });
    }
}

#[test]
fn batches_end_at_multiples_of_the_watermark_rows() {
    let text = "1\n2\n3\n4\n5\n6\n7\n8\n";
    let mut whole = reader(text, 1_000, Progress::default(), Some(3), &[]);
    assert_eq!(read_all(&mut whole), "1,2,3|4,5,6|7,8");
    let mut from_the_middle = reader(text, 1_000, Progress { offset: 8, rows: 4 }, Some(3), &[]);
    assert_eq!(read_all(&mut from_the_middle), "5,6|7,8");
}

#[test]
fn reading_can_go_on_after_every_batch() {
    let text = "a\nbb\nccc\ndddd\neeeee\nffffff\n";
    let mut first = reader(text, 4, Progress::default(), Some(2), &[]);
    let mut before = Vec::new();
    while let Some(rows) = wait(|cx| first.poll_next(cx)).unwrap() {
        before.extend(lines(&rows));
        let mut second = reader(text, 3, first.progress(), Some(2), &[]);
        let after = read_all(&mut second).replace('|', ",");
        let all: Vec<_> = before.iter().map(String::as_str).chain(after.split(',').filter(|s| !s.is_empty())).collect();
        assert_eq!(all, ["a", "bb", "ccc", "dddd", "eeeee", "ffffff"]);
    }
}

#[test]
fn where_bytes_have_no_address_rows_are_read_again_and_dropped() {
    let text = "1\n2\n3\n4\n5\n";
    for rows in 0..=5 {
        let mut reader = reader(text, 3, Progress { offset: 0, rows }, Some(2), &[]).replaying(rows);
        let expected = ["1,2|3,4|5", "2|3,4|5", "3,4|5", "4|5", "5", ""][usize::try_from(rows).unwrap()];
        assert_eq!(read_all(&mut reader), expected);
    }
    let mut short = reader(text, 3, Progress { offset: 0, rows: 9 }, Some(2), &[]).replaying(9);
    expect!["`file`: it has 5 rows, but 9 were read before; the file was changed since"]
        .assert_eq(&read_all(&mut short));
}

#[test]
fn a_format_with_a_header_sees_it_before_it_goes_on_in_the_middle() {
    let text = "line\none\ntwo\nthree\n";
    let options = [("format", "csv"), ("csv.header", "true")];
    let mut whole = reader(text, 1_000, Progress::default(), Some(100), &options);
    assert_eq!(read_all(&mut whole), "one,two,three");
    for piece in [1, 6, 1_000] {
        let start = Progress { offset: 9, rows: 1 };
        let mut middle = reader(text, piece, start, Some(100), &options);
        let beginning = pump(text, 0, piece, &middle.buffers.clone());
        middle = middle.beginning_with(beginning);
        assert_eq!(middle.progress(), start);
        assert_eq!(read_all(&mut middle).replace('|', ","), "two,three");
        assert_eq!(middle.progress(), Progress { offset: 19, rows: 3 });
    }
}

/// Gives out what a test sends; waits in between.
struct Sent(std::sync::mpsc::Receiver<&'static [u8]>);

impl ByteSource for Sent {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let bytes = self.0.recv().unwrap_or_default();
        buffer[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }
}

#[test]
fn an_unbounded_reader_gives_out_what_is_there_when_nothing_more_is() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let buffers = Buffers::default();
    let (decoder, bad_rows) = decoder(&[]);
    let pump = Pump::new(ChunkReader::new(Sent(receiver), buffers.clone()), Arc::new(Threads));
    let settings = RecordSettings { bad_rows, watermark_rows: None };
    let mut reader = RecordReader::new("socket".into(), settings, decoder, pump, buffers, Progress::default());
    for (sent, expected) in [("one\ntwo\nth", "one,two"), ("ree\n", "three"), ("four\nfi", "four")] {
        sender.send(sent.as_bytes()).unwrap();
        let rows = wait(|cx| reader.poll_next(cx)).unwrap().unwrap();
        assert_eq!(lines(&rows).join(","), expected);
    }
    drop(sender);
    assert_eq!(lines(&wait(|cx| reader.poll_next(cx)).unwrap().unwrap()), ["fi"]);
    assert!(wait(|cx| reader.poll_next(cx)).unwrap().is_none());
}

#[test]
fn bad_rows_follow_the_policy() {
    let text = "1\nmuch too long\n3\n";
    let options = |policy| [("scan.max-record-size", "4"), ("scan.bad-rows", policy)];
    let read = |policy| {
        let mut reader = reader(text, 5, Progress { offset: 0, rows: 10 }, Some(100), &options(policy));
        let (mut all, mut errors, mut dead) = (Vec::new(), 0, Vec::new());
        while let Some(rows) = wait(|cx| reader.poll_next(cx))? {
            errors += rows.errors;
            all.extend(lines(&rows));
            dead.extend(rows.dead_letters);
        }
        Ok::<_, Error>((all, errors, dead, reader.progress().rows))
    };
    let (all, errors, dead, rows) = read("skip").unwrap();
    assert_eq!((all.join(","), errors, dead.len(), rows), ("1,3".to_owned(), 1, 0, 13));

    let (all, errors, dead, rows) = read("deadLetter").unwrap();
    assert_eq!((all.join(","), errors, dead.len(), rows), ("1,3".to_owned(), 1, 1, 13));
    let dead = &dead[0];
    assert_eq!(dead.schema(), dead_letter_schema());
    assert_eq!(dead.column(0).as_string::<i32>().value(0), "file");
    assert_eq!(dead.column(1).as_primitive::<arrow::datatypes::Int64Type>().value(0), 12);
    assert!(dead.column(2).as_string::<i32>().value(0).starts_with("the record is longer than"));
    assert!(dead.column(3).as_string::<i32>().value(0).starts_with("much"));

    let error = read("fail").unwrap_err().to_string();
    assert!(error.starts_with("`file`, row 12: the record is longer than "), "{error}");
    assert!(
        error.ends_with(
            "set 'scan.bad-rows' (`badRows` in a pipeline) to 'skip' or 'deadLetter' to go on without such rows"
        ),
        "{error}"
    );
}

#[test]
fn an_error_shows_a_bad_row_shortened() {
    let bad = BadRow { record: 2, reason: "it is bad".to_owned(), raw: "é".repeat(300).into_bytes() };
    let error = failure("/data/a.csv", 7, &bad).to_string();
    let shown = format!("`/data/a.csv`, row 10: it is bad; the row is `{}…`;", "é".repeat(200));
    assert!(error.starts_with(&shown), "{error}");
    let binary = BadRow { record: 0, reason: "no".to_owned(), raw: vec![0xff, b'a'] };
    assert!(failure("f", 0, &binary).to_string().contains("the row is `\u{fffd}a`;"));
}

#[test]
fn memory_is_bounded_while_a_long_record_is_passed_over() {
    struct Endless(u64);
    impl ByteSource for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
            // 100 MB without a line end, then a line.
            if self.0 >= 100_000_000 {
                if self.0 == u64::MAX {
                    return Ok(0);
                }
                self.0 = u64::MAX;
                buffer[..6].copy_from_slice(b"\nlast\n");
                return Ok(6);
            }
            buffer.fill(b'x');
            self.0 += buffer.len() as u64;
            Ok(buffer.len())
        }
    }
    let buffers = Buffers::default();
    let (decoder, _) = decoder(&[("scan.max-record-size", "2mb")]);
    let pump = Pump::new(ChunkReader::new(Endless(0), buffers.clone()), Arc::new(InPlace));
    let settings = RecordSettings { bad_rows: BadRowPolicy::Skip, watermark_rows: Some(1_000) };
    let mut reader = RecordReader::new("file".into(), settings, decoder, pump, buffers, Progress::default());
    let mut rows = Vec::new();
    while let Some(batch) = wait(|cx| reader.poll_next(cx)).unwrap() {
        rows.extend(lines(&batch));
        assert!(reader.window.buffer.capacity() < 8 << 20, "{} bytes", reader.window.buffer.capacity());
    }
    assert_eq!(rows, ["last"]);
    assert_eq!(reader.progress().rows, 2);
}
