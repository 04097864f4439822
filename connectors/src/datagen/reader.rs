//! Makes the rows of some splits, in step, when they are due.
//!
//! The reader goes on with the split that is furthest behind, so that the watermarks of its splits advance together. It
//! asks for all its splits before it makes a row.

use std::sync::Arc;
use std::task::{Context, Poll};

use millstream_engine::error::{Error, Result};
use millstream_engine::io::source::{SourceEvent, SourceReader, SourceRows, Split};
use millstream_engine::memory;
use millstream_engine::operators::ProcessingTime;
use serde::{Deserialize, Serialize};

use super::generator::{Rows, batch, numbers};
use super::source::{DatagenPlan, SPLITS, WATERMARK_ROWS};
use crate::fixed_splits::split_number;

/// How long rows are collected before a batch is made of them, in milliseconds.
const COLLECT_MS: i64 = 10;
/// How far apart the rows of a split are.
const STEP: u64 = SPLITS as u64;

/// The reader.
#[derive(Debug)]
pub(crate) struct DatagenReader {
    plan: Arc<DatagenPlan>,
    splits: Vec<Share>,
    asked: bool,
    no_more: bool,
    next_time: Option<ProcessingTime>,
}

/// A split: the rows `number, number + 8, …`.
#[derive(Debug, Clone)]
struct Share {
    id: Arc<str>,
    number: u64,
    /// How many of its rows were made.
    rows: u64,
    /// How many it has.
    all: u64,
    /// When row 0 of the source is due; not known before the first call.
    start: Option<ProcessingTime>,
}

/// What a split's position says.
#[derive(Debug, Serialize, Deserialize)]
struct Position {
    /// How many rows were made.
    rows: u64,
    /// When row 0 was due, in milliseconds since 1970-01-01 UTC.
    #[serde(rename = "start")]
    start_ms: i64,
}

impl DatagenReader {
    /// Makes what `plan` says.
    pub(crate) fn new(plan: Arc<DatagenPlan>) -> Self {
        Self { plan, splits: Vec::new(), asked: false, no_more: false, next_time: None }
    }

    /// Makes the next rows of the split at `index`, or says when there is one.
    fn make(&self, index: usize, now: ProcessingTime) -> Result<Made> {
        let share = &self.splits[index];
        let start = share.start.unwrap_or(now);
        let first = share.number + share.rows * STEP;
        let due = rows_due(self.plan.rows_per_second, start, now);
        let ready = due.saturating_sub(first).div_ceil(STEP);
        let to_watermark = WATERMARK_ROWS - share.rows % WATERMARK_ROWS;
        let count = ready.min(share.all - share.rows).min(to_watermark).min(self.plan.batch_rows);
        let Some(count) = usize::try_from(count).ok().filter(|count| *count > 0) else {
            return Ok(Made::Later(due_at(self.plan.rows_per_second, start, first)));
        };
        let numbers = numbers(first, STEP, count);
        let rate = self.plan.rows_per_second;
        let times_ms: Vec<i64> = numbers.iter().map(|&number| due_at(rate, start, number).0).collect();
        let rows = Rows { numbers: &numbers, times_ms: &times_ms };
        let watermark_rows = match &self.plan.watermark {
            Some((schema, generators)) => Some(batch(schema, generators, rows)?),
            None => None,
        };
        Ok(Made::Rows(SourceRows {
            split: Arc::clone(&share.id),
            rows: batch(&self.plan.schema, &self.plan.generators, rows)?,
            split_rows: share.rows + count as u64,
            watermark_rows,
            dead_letters: None,
            errors: 0,
        }))
    }
}

enum Made {
    Rows(SourceRows),
    Later(ProcessingTime),
}

/// How many rows of the source are due.
fn rows_due(rows_per_second: u64, start: ProcessingTime, now: ProcessingTime) -> u64 {
    let Ok(passed_ms) = u64::try_from(now.0.saturating_sub(start.0)) else { return 0 };
    let due = u128::from(passed_ms) * u128::from(rows_per_second) / 1_000 + 1;
    u64::try_from(due).unwrap_or(u64::MAX)
}

/// When row `number` is due: the first millisecond at which [`rows_due`] counts it.
fn due_at(rows_per_second: u64, start: ProcessingTime, number: u64) -> ProcessingTime {
    let after = (u128::from(number) * 1_000).div_ceil(u128::from(rows_per_second));
    ProcessingTime(start.0.saturating_add(i64::try_from(after).unwrap_or(i64::MAX)))
}

impl SourceReader for DatagenReader {
    fn add_split(&mut self, split: Split) -> Result<()> {
        let number = u64::from(split_number(&split.id)?);
        let position = match split.position.as_str() {
            "" => None,
            text => Some(serde_json::from_str::<Position>(text).map_err(|error| {
                Error::internal(format!("the split `{}` has the position `{text}`: {error}", split.id))
            })?),
        };
        let all = match self.plan.rows {
            Some(rows) => rows.saturating_sub(number).div_ceil(STEP),
            None => u64::MAX,
        };
        let rows = position.as_ref().map_or(0, |position| position.rows);
        let start = position.map(|position| ProcessingTime(position.start_ms));
        self.splits.push(Share { id: split.id, number, rows, all, start });
        self.splits.sort_by_key(|share| share.number);
        self.asked = false;
        Ok(())
    }

    fn no_more_splits(&mut self) {
        self.no_more = true;
    }

    fn poll_next(&mut self, now: ProcessingTime, _: &mut Context<'_>) -> Poll<Result<SourceEvent>> {
        if !self.no_more {
            if self.asked {
                return Poll::Pending;
            }
            self.asked = true;
            return Poll::Ready(Ok(SourceEvent::NeedSplit));
        }
        for share in &mut self.splits {
            share.start.get_or_insert(now);
        }
        if let Some(done) = self.splits.iter().position(|share| share.rows >= share.all) {
            let share = self.splits.remove(done);
            return Poll::Ready(Ok(SourceEvent::SplitFinished(share.id)));
        }
        let behind = (0..self.splits.len()).min_by_key(|&index| self.splits[index].rows);
        let Some(index) = behind else { return Poll::Ready(Ok(SourceEvent::EndOfInput)) };
        match self.make(index, now)? {
            Made::Rows(rows) => {
                self.splits[index].rows = rows.split_rows;
                Poll::Ready(Ok(SourceEvent::Rows(rows)))
            }
            Made::Later(due) => {
                self.next_time = Some(due.max(ProcessingTime(now.0.saturating_add(COLLECT_MS))));
                Poll::Pending
            }
        }
    }

    fn next_time(&self) -> Option<ProcessingTime> {
        self.next_time
    }

    /// Rows are made when they are asked for.
    fn memory_bytes(&self) -> usize {
        memory::vec(&self.splits)
    }

    fn snapshot(&self) -> Vec<Split> {
        self.splits
            .iter()
            .map(|share| {
                let position = share.start.map(|start| Position { rows: share.rows, start_ms: start.0 });
                let position = position.map_or_else(String::new, |position| serde_json::json!(position).to_string());
                Split { id: Arc::clone(&share.id), position, rows: share.rows }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
