//! What every source must keep, tried on a real one.
//!
//! [`source`] reads a bounded source as a job would, in every way a job might: whole and at several parallelisms, with blocking
//! work in place and on threads, with a snapshot and a new reader after every batch, and with the splits handed back to the
//! enumerator after every batch. Each split must give the same rows each time, batches must end where the watermark may
//! advance, and the reader must keep its protocol.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::task::{Context, Poll};

use millstream_engine::batch::EventBatch;
use millstream_engine::io::source::{
    IoRuntime, ReaderContext, Source, SourceEvent, SourceReader, SourceRows, SplitAnswer, SplitEnumerator,
};
use millstream_engine::operators::ProcessingTime;

use crate::blocking::test_io::{InPlace, Threads, wait};
use crate::print::text::append_rows;

/// More events than any source in a test has.
const MOST_EVENTS: usize = 1_000_000;

/// What a source gave out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The rows of each split as text, in order.
    pub(crate) rows: BTreeMap<String, Vec<String>>,
    /// The watermark's rows of each split, where they were given apart.
    pub(crate) watermark_rows: BTreeMap<String, Vec<String>>,
    /// The dead letters of each split.
    pub(crate) dead_letters: BTreeMap<String, Vec<String>>,
    /// Bad rows of all splits.
    pub(crate) errors: u64,
    /// Where batches ended, in rows of the split. Differs from run to run.
    pub(crate) ends: BTreeMap<String, Vec<u64>>,
}

impl Outcome {
    /// All rows, split after split.
    pub(crate) fn all_rows(&self) -> Vec<&str> {
        self.rows.values().flatten().map(String::as_str).collect()
    }

    fn without_ends(mut self) -> Self {
        self.ends.clear();
        self
    }
}

/// What is done after every event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disturbance {
    /// Nothing.
    None,
    /// The reader's splits move to a new one.
    NewReader,
    /// The reader's splits go back to the enumerator, which is restored from its own snapshot.
    HandBack,
}

/// Tries `source`, which is bounded, in every way, and answers what it gives out.
pub(crate) fn source(source: &dyn Source) -> Outcome {
    let whole = read(source, 1, Disturbance::None, Arc::new(InPlace));
    for (parallelism, disturbance) in [
        (1, Disturbance::None),
        (2, Disturbance::None),
        (5, Disturbance::None),
        (1, Disturbance::NewReader),
        (3, Disturbance::NewReader),
        (1, Disturbance::HandBack),
        (2, Disturbance::HandBack),
    ] {
        let other = read(source, parallelism, disturbance, Arc::new(Threads));
        let (whole, other) = (whole.clone().without_ends(), other.without_ends());
        assert_eq!(whole, other, "differs at parallelism {parallelism} with {disturbance:?}");
    }
    whole
}

/// Reads `source` once, from beginning to end.
pub(crate) fn read_whole(source: &dyn Source) -> Outcome {
    read(source, 1, Disturbance::None, Arc::new(Threads))
}

fn read(source: &dyn Source, parallelism: u32, disturbance: Disturbance, io: Arc<dyn IoRuntime>) -> Outcome {
    let mut job = Job::new(source, parallelism, io);
    for _ in 0..MOST_EVENTS {
        let Some((reader, event)) = job.next_event() else { return job.finished() };
        // A disturbance after a request would only bring the same request again.
        let moved_on = matches!(event, SourceEvent::Rows(_) | SourceEvent::SplitFinished(_));
        job.handle(reader, event);
        match disturbance {
            _ if !moved_on => {}
            Disturbance::None => {}
            Disturbance::NewReader => job.replace_reader(reader),
            Disturbance::HandBack => job.hand_back(reader),
        }
    }
    panic!("the source goes on and on");
}

/// A source that is being read.
struct Job<'a> {
    source: &'a dyn Source,
    io: Arc<dyn IoRuntime>,
    enumerator: Box<dyn SplitEnumerator>,
    readers: Vec<Reader>,
    now: ProcessingTime,
    outcome: Outcome,
    read: BTreeMap<String, u64>,
    finished: BTreeSet<String>,
}

struct Reader {
    reader: Box<dyn SourceReader>,
    held: BTreeSet<String>,
    no_more: bool,
    ended: bool,
}

enum Turn {
    Event(usize, SourceEvent),
    Later(ProcessingTime),
    AllEnded,
}

impl<'a> Job<'a> {
    fn new(source: &'a dyn Source, parallelism: u32, io: Arc<dyn IoRuntime>) -> Self {
        let enumerator = source.create_enumerator().unwrap();
        let mut job = Self {
            source,
            io,
            enumerator,
            readers: Vec::new(),
            now: ProcessingTime(1_000_000),
            outcome: Outcome::default(),
            read: BTreeMap::new(),
            finished: BTreeSet::new(),
        };
        job.readers = (0..parallelism).map(|subtask| job.new_reader(subtask, parallelism)).collect();
        job
    }

    fn new_reader(&self, subtask: u32, parallelism: u32) -> Reader {
        let context = ReaderContext { subtask, parallelism, io: Arc::clone(&self.io) };
        let reader = self.source.create_reader(context).unwrap();
        Reader { reader, held: BTreeSet::new(), no_more: false, ended: false }
    }

    /// `None` when all readers have ended.
    fn next_event(&mut self) -> Option<(usize, SourceEvent)> {
        loop {
            match wait(|cx| self.poll_readers(cx)) {
                Turn::Event(reader, event) => return Some((reader, event)),
                Turn::Later(time) => {
                    assert!(time > self.now, "a reader wants to be asked again at once");
                    self.now = time;
                }
                Turn::AllEnded => return None,
            }
        }
    }

    fn poll_readers(&mut self, cx: &mut Context<'_>) -> Poll<Turn> {
        for (index, reader) in self.readers.iter_mut().enumerate().filter(|(_, reader)| !reader.ended) {
            if let Poll::Ready(event) = reader.reader.poll_next(self.now, cx) {
                return Poll::Ready(Turn::Event(index, event.unwrap()));
            }
        }
        if self.readers.iter().all(|reader| reader.ended) {
            return Poll::Ready(Turn::AllEnded);
        }
        let next =
            self.readers.iter().filter(|reader| !reader.ended).filter_map(|reader| reader.reader.next_time()).min();
        next.map_or(Poll::Pending, |time| Poll::Ready(Turn::Later(time)))
    }

    fn handle(&mut self, index: usize, event: SourceEvent) {
        match event {
            SourceEvent::NeedSplit => self.give_split(index),
            SourceEvent::Rows(rows) => self.take_rows(index, &rows),
            SourceEvent::SplitFinished(split) => {
                assert!(self.readers[index].held.remove(&*split), "`{split}` is not this reader's to finish");
                assert!(self.finished.insert(split.to_string()), "`{split}` is finished twice");
            }
            SourceEvent::EndOfInput => {
                let reader = &mut self.readers[index];
                assert!(reader.no_more && reader.held.is_empty(), "the end came too early");
                assert!(reader.reader.snapshot().is_empty(), "splits are left at the end");
                reader.ended = true;
            }
        }
    }

    fn give_split(&mut self, index: usize) {
        let parallelism = u32::try_from(self.readers.len()).unwrap();
        let subtask = u32::try_from(index).unwrap();
        let answer = self.enumerator.next_split(subtask, parallelism, self.now).unwrap();
        let reader = &mut self.readers[index];
        assert!(!reader.no_more, "a reader asks although there is no more");
        match answer {
            SplitAnswer::Assigned(split) => {
                assert!(!self.finished.contains(&*split.id), "`{}` is handed out again", split.id);
                assert_eq!(split.rows, self.read.get(&*split.id).copied().unwrap_or(0), "`{}`", split.id);
                assert!(reader.held.insert(split.id.to_string()));
                reader.reader.add_split(split).unwrap();
            }
            SplitAnswer::AskAgain(time) => panic!("a bounded source says: ask again at {}", time.0),
            SplitAnswer::NoMore => {
                reader.no_more = true;
                reader.reader.no_more_splits();
            }
        }
    }

    fn take_rows(&mut self, index: usize, rows: &SourceRows) {
        let split = rows.split.to_string();
        assert!(self.readers[index].held.contains(&split), "`{split}` is not this reader's");
        assert_eq!(*rows.rows.schema(), *self.source.schema());
        let before = self.read.insert(split.clone(), rows.split_rows).unwrap_or(0);
        assert!(rows.split_rows > before, "a batch of `{split}` stands for no row");
        let room = self.source.watermark_rows();
        assert_eq!(before / room, (rows.split_rows - 1) / room, "a batch crosses a multiple of {room} rows");
        assert!(rows.rows.num_rows() as u64 + rows.errors <= rows.split_rows - before);
        let outcome = &mut self.outcome;
        outcome.ends.entry(split.clone()).or_default().push(rows.split_rows);
        outcome.errors += rows.errors;
        add_rows(&mut outcome.rows, &split, &rows.rows);
        if let Some(watermark) = &rows.watermark_rows {
            add_rows(&mut outcome.watermark_rows, &split, watermark);
        }
        if let Some(dead) = &rows.dead_letters {
            add_rows(&mut outcome.dead_letters, &split, dead);
        }
    }

    /// What the reader says it holds must be what it was given, as far as it was read.
    fn checked_snapshot(&self, index: usize) -> Vec<millstream_engine::io::source::Split> {
        let splits = self.readers[index].reader.snapshot();
        let held: BTreeSet<String> = splits.iter().map(|split| split.id.to_string()).collect();
        assert_eq!(held, self.readers[index].held);
        for split in &splits {
            assert_eq!(split.rows, self.read.get(&*split.id).copied().unwrap_or(0), "`{}`", split.id);
        }
        splits
    }

    fn replace_reader(&mut self, index: usize) {
        if self.readers[index].ended {
            return;
        }
        let splits = self.checked_snapshot(index);
        let parallelism = u32::try_from(self.readers.len()).unwrap();
        let mut new = self.new_reader(u32::try_from(index).unwrap(), parallelism);
        for split in splits {
            new.held.insert(split.id.to_string());
            new.reader.add_split(split).unwrap();
        }
        self.readers[index] = new;
    }

    fn hand_back(&mut self, index: usize) {
        if self.readers[index].ended {
            return;
        }
        let splits = self.checked_snapshot(index);
        self.enumerator.add_back(splits);
        let snapshot = self.enumerator.snapshot().unwrap();
        self.enumerator = self.source.create_enumerator().unwrap();
        self.enumerator.restore(&snapshot).unwrap();
        let parallelism = u32::try_from(self.readers.len()).unwrap();
        self.readers[index] = self.new_reader(u32::try_from(index).unwrap(), parallelism);
    }

    fn finished(self) -> Outcome {
        let read: BTreeSet<String> = self.read.keys().cloned().collect();
        assert!(read.is_subset(&self.finished), "splits were read and not finished");
        self.outcome
    }
}

fn add_rows(all: &mut BTreeMap<String, Vec<String>>, split: &str, rows: &arrow::array::RecordBatch) {
    let mut text = String::new();
    append_rows(&EventBatch::inserts(rows.clone()), "", &mut text).unwrap();
    let lines = text.lines().map(|line| line.trim_start_matches("+I").to_owned());
    all.entry(split.to_owned()).or_default().extend(lines);
}
