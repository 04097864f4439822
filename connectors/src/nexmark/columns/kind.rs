//! Columns of one kind of event, value by value: what all kinds have in common.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray, TimestampMillisecondArray};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};

use super::buffers::Buffers;
use super::runs::{Block, Run};
use crate::nexmark::generator::{EventKind, GeneratorConfig};

/// Makes columns of the events of one kind in a block. Rows of other kinds hold anything in columns of numbers and an empty
/// text in columns of texts; they are null in the struct around.
#[derive(Debug)]
pub(super) struct KindMaker<'a> {
    pub(super) config: &'a GeneratorConfig,
    pub(super) block: &'a Block,
    pub(super) buffers: &'a mut Buffers,
    kind: EventKind,
}

impl<'a> KindMaker<'a> {
    pub(super) fn new(
        config: &'a GeneratorConfig,
        block: &'a Block,
        kind: EventKind,
        buffers: &'a mut Buffers,
    ) -> Self {
        Self { config, block, buffers, kind }
    }

    /// The events by epoch.
    pub(super) fn runs(&self) -> impl Iterator<Item = Run> + use<'a> {
        self.block.runs(self.config, self.kind)
    }

    /// The column `dateTime`.
    pub(super) fn times(&mut self) -> ArrayRef {
        let clock = self.config.clock(self.block.first());
        let mut times = self.buffers.longs.take(self.block.rows());
        for run in self.runs() {
            let offset = i32::try_from(run.first - self.block.first()).unwrap_or(i32::MAX);
            clock.fill(offset, &mut times[run.row..run.row + run.events]);
        }
        self.timestamps(times)
    }

    /// A column of times.
    pub(super) fn timestamps(&mut self, times: Vec<i64>) -> ArrayRef {
        Arc::new(TimestampMillisecondArray::new(self.buffers.longs.lend(times).into(), None))
    }

    /// A column of numbers.
    pub(super) fn numbers(&mut self, values: Vec<i64>) -> ArrayRef {
        Arc::new(Int64Array::new(self.buffers.longs.lend(values).into(), None))
    }

    /// The value of each event, by its number.
    pub(super) fn values(&mut self, value: impl Fn(&GeneratorConfig, u64) -> i64) -> Vec<i64> {
        let mut values = self.buffers.longs.take(self.block.rows());
        for run in self.runs() {
            for (number, place) in (run.first..).zip(&mut values[run.row..run.row + run.events]) {
                *place = value(self.config, number);
            }
        }
        values
    }

    /// A column of texts. `append` appends that of an event, given by its number.
    pub(super) fn texts(&mut self, append: impl Fn(&GeneratorConfig, u64, &mut Vec<u8>)) -> ArrayRef {
        let mut texts = self.buffers.texts.take_empty();
        let mut offsets = self.buffers.offsets.take_empty();
        for run in self.runs() {
            // So far every row has its start; a row of another kind ends where it starts.
            offsets.resize(run.row + 1, end_of(&texts));
            for number in run.first..run.first + run.events as u64 {
                append(self.config, number, &mut texts);
                offsets.push(end_of(&texts));
            }
        }
        offsets.resize(self.block.rows() + 1, end_of(&texts));
        let offsets = self.buffers.offsets.lend(offsets);
        let texts = self.buffers.texts.lend(texts);
        strings(offsets, texts)
    }
}

/// Texts from what they are made of.
pub(super) fn strings(offsets: Buffer, texts: Buffer) -> ArrayRef {
    let offsets = OffsetBuffer::new(ScalarBuffer::<i32>::from(offsets));
    Arc::new(StringArray::try_new(offsets, texts, None).expect("all texts are ASCII and their offsets rise"))
}

fn end_of(texts: &[u8]) -> i32 {
    i32::try_from(texts.len()).unwrap_or(i32::MAX)
}
