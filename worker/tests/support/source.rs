//! A source over rows that are given, or over rows without end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::{Int64Array, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::SchemaRef;
use millstream_engine::error::Result;
use millstream_engine::io::source::{
    Boundedness, ReaderContext, Source, SourceEvent, SourceReader, SourceRows, Split, SplitAnswer, SplitEnumerator,
};
use millstream_engine::operators::ProcessingTime;

const BATCH: usize = 100;

/// Rows of a split: key and time.
pub(crate) fn rows(of: &[(i64, i64)]) -> Vec<(i64, i64)> {
    of.to_vec()
}

#[derive(Debug, Clone)]
pub(crate) struct TestSource {
    splits: Arc<Vec<Vec<(i64, i64)>>>,
    endless: bool,
}

impl TestSource {
    pub(crate) fn bounded(splits: Vec<Vec<(i64, i64)>>) -> Self {
        Self { splits: Arc::new(splits), endless: false }
    }

    pub(crate) fn endless() -> Self {
        Self { splits: Arc::new(vec![Vec::new(); 8]), endless: true }
    }
}

impl Source for TestSource {
    fn boundedness(&self) -> Boundedness {
        if self.endless { Boundedness::Unbounded } else { Boundedness::Bounded }
    }

    fn schema(&self) -> SchemaRef {
        super::schema()
    }

    fn watermark_rows(&self) -> u64 {
        BATCH as u64
    }

    fn create_enumerator(&self) -> Result<Box<dyn SplitEnumerator>> {
        let ids = (0..self.splits.len()).map(|split| split.to_string());
        Ok(Box::new(Enumerator(ids.map(|id| Split { id: id.into(), position: String::new(), rows: 0 }).collect())))
    }

    fn create_reader(&self, _: ReaderContext) -> Result<Box<dyn SourceReader>> {
        Ok(Box::new(Reader { source: self.clone(), split: None, at: 0, asked: false, no_more: false }))
    }
}

struct Enumerator(VecDeque<Split>);

impl SplitEnumerator for Enumerator {
    fn next_split(&mut self, _: u32, _: u32, _: ProcessingTime) -> Result<SplitAnswer> {
        Ok(self.0.pop_front().map_or(SplitAnswer::NoMore, SplitAnswer::Assigned))
    }

    fn add_back(&mut self, splits: Vec<Split>) {
        self.0.extend(splits);
    }

    fn snapshot(&self) -> Result<String> {
        Ok(String::new())
    }

    fn restore(&mut self, _: &str) -> Result<()> {
        Ok(())
    }
}

struct Reader {
    source: TestSource,
    split: Option<Arc<str>>,
    at: usize,
    asked: bool,
    no_more: bool,
}

impl Reader {
    fn next_rows(&self, split: &str) -> Vec<(i64, i64)> {
        if self.source.endless {
            return (self.at..self.at + BATCH).map(|row| (row as i64 % 10, row as i64)).collect();
        }
        let all = &self.source.splits[split.parse::<usize>().unwrap()];
        all[self.at..all.len().min(self.at + BATCH)].to_vec()
    }
}

impl SourceReader for Reader {
    fn add_split(&mut self, split: Split) -> Result<()> {
        (self.split, self.at, self.asked) = (Some(split.id), 0, false);
        Ok(())
    }

    fn no_more_splits(&mut self) {
        self.no_more = true;
    }

    fn poll_next(&mut self, _: ProcessingTime, _: &mut Context<'_>) -> Poll<Result<SourceEvent>> {
        let Some(split) = self.split.clone() else {
            if self.no_more {
                return Poll::Ready(Ok(SourceEvent::EndOfInput));
            }
            if std::mem::replace(&mut self.asked, true) {
                return Poll::Pending;
            }
            return Poll::Ready(Ok(SourceEvent::NeedSplit));
        };
        let next = self.next_rows(&split);
        if next.is_empty() {
            self.split = None;
            return Poll::Ready(Ok(SourceEvent::SplitFinished(split)));
        }
        self.at += next.len();
        let keys = Int64Array::from_iter_values(next.iter().map(|(key, _)| *key));
        let times = TimestampMillisecondArray::from_iter_values(next.iter().map(|(_, time)| *time));
        let rows = RecordBatch::try_new(super::schema(), vec![Arc::new(keys), Arc::new(times)]).unwrap();
        Poll::Ready(Ok(SourceEvent::Rows(SourceRows {
            split,
            rows,
            split_rows: self.at as u64,
            watermark_rows: None,
            dead_letters: None,
            errors: 0,
        })))
    }

    fn memory_bytes(&self) -> usize {
        0
    }

    fn snapshot(&self) -> Vec<Split> {
        Vec::new()
    }
}
