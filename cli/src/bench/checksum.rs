//! A sink that adds up a checksum of the rows it is given.
//!
//! The checksum does not depend on the order of rows, on how they come in batches or on which subtask gets them: it is the
//! wrapping sum over rows of a mix of the row's values. A value is mixed with the number of its column, so that columns
//! cannot be exchanged. Text is mixed by its length and its first and last eight bytes, which is cheap enough not to be
//! what is measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, TimeUnit, TimestampMillisecondType};
use millstream_engine::batch::EventBatch;
use millstream_engine::error::Result;
use millstream_engine::io::sink::{Committable, Committer, Sink, SinkWriter, WriterContext};
use millstream_engine::memory;
use millstream_engine::operators::ProcessingTime;

/// Rows and their checksum, of all subtasks.
#[derive(Debug, Default)]
pub(crate) struct Total {
    rows: AtomicU64,
    sum: AtomicU64,
}

impl Total {
    /// How many rows came.
    pub(crate) fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Their checksum.
    pub(crate) fn checksum(&self) -> u64 {
        self.sum.load(Ordering::Relaxed)
    }
}

/// The sink.
#[derive(Debug)]
pub(crate) struct ChecksumSink {
    /// Where it adds up.
    pub(crate) total: Arc<Total>,
}

impl Sink for ChecksumSink {
    fn create_writer(&self, _: WriterContext) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(ChecksumWriter { total: Arc::clone(&self.total), mixes: Vec::new() }))
    }

    fn create_committer(&self) -> Result<Option<Box<dyn Committer>>> {
        Ok(None)
    }
}

struct ChecksumWriter {
    total: Arc<Total>,
    mixes: Vec<u64>,
}

impl SinkWriter for ChecksumWriter {
    fn write(&mut self, batch: EventBatch, _: ProcessingTime) -> Result<()> {
        self.mixes.clear();
        self.mixes.resize(batch.num_rows(), 0);
        for (number, column) in (1..).zip(batch.rows.columns()) {
            mix_column(number, column, &mut self.mixes)?;
        }
        let sum = self.mixes.iter().fold(0_u64, |sum, mix| sum.wrapping_add(finish(*mix)));
        self.total.rows.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
        self.total.sum.fetch_add(sum, Ordering::Relaxed);
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        memory::vec(&self.mixes)
    }

    fn close(&mut self, _: ProcessingTime) -> Result<()> {
        Ok(())
    }

    fn poll_closed(&mut self, _: &mut Context<'_>) -> Poll<Result<Vec<Committable>>> {
        Poll::Ready(Ok(Vec::new()))
    }
}

const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

/// Mixes the values of column `number` (from 1) into the rows' mixes. A null changes nothing.
fn mix_column(number: u64, column: &ArrayRef, mixes: &mut [u64]) -> Result<()> {
    let weight = number.wrapping_mul(MULTIPLIER) | 1;
    match column.data_type() {
        DataType::Int64 => mix_integers(weight, column.as_primitive::<Int64Type>().values(), column, mixes),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            mix_integers(weight, column.as_primitive::<TimestampMillisecondType>().values(), column, mixes);
        }
        DataType::Utf8 => {
            for (mix, text) in mixes.iter_mut().zip(column.as_string::<i32>()) {
                if let Some(text) = text {
                    *mix = mix.wrapping_add(text_value(text.as_bytes()).wrapping_mul(weight));
                }
            }
        }
        DataType::Decimal128(_, _) => {
            let values = column.as_primitive::<Decimal128Type>().values();
            let words: Vec<i64> = values.iter().map(|value| decimal_word(*value)).collect();
            mix_integers(weight, &words, column, mixes);
        }
        other if other.is_integer() => {
            let wide = cast(column, &DataType::Int64)?;
            mix_integers(weight, wide.as_primitive::<Int64Type>().values(), &wide, mixes);
        }
        _ => mix_column(number, &cast(column, &DataType::Utf8)?, mixes)?,
    }
    Ok(())
}

fn mix_integers(weight: u64, values: &[i64], column: &ArrayRef, mixes: &mut [u64]) {
    if column.null_count() == 0 {
        for (mix, value) in mixes.iter_mut().zip(values) {
            *mix = mix.wrapping_add(value.cast_unsigned().wrapping_mul(weight));
        }
        return;
    }
    for (row, (mix, value)) in mixes.iter_mut().zip(values).enumerate() {
        if column.is_valid(row) {
            *mix = mix.wrapping_add(value.cast_unsigned().wrapping_mul(weight));
        }
    }
}

/// An unscaled decimal in 64 bits: its upper half shows in all of them.
#[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
fn decimal_word(unscaled: i128) -> i64 {
    unscaled as i64 ^ ((unscaled >> 64) as i64).wrapping_mul(MULTIPLIER.cast_signed())
}

fn text_value(text: &[u8]) -> u64 {
    let word = |bytes: &[u8]| {
        let mut word = [0; 8];
        let length = bytes.len().min(8);
        word[..length].copy_from_slice(&bytes[..length]);
        u64::from_le_bytes(word)
    };
    let last = &text[text.len().saturating_sub(8)..];
    word(text).rotate_left(17) ^ word(last) ^ (text.len() as u64)
}

fn finish(mix: u64) -> u64 {
    let mixed = (mix ^ (mix >> 32)).wrapping_mul(MULTIPLIER);
    mixed ^ (mixed >> 29)
}
