//! Makes the watermark of one split from the times of its rows.
//!
//! A pipeline's *bounded out-of-orderness* promises `max seen − delay − 1 ms`: a row as late as `delay` is still on time.
//! SQL promises the greatest value of its `WATERMARK FOR … AS …` expression, unchanged, as Flink does. Either way the
//! promise never goes back, and nothing is promised before the first row.

use crate::element::Watermark;

/// How the promise follows from the greatest time seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatermarkStrategy {
    /// `max seen − delay − 1 ms`. The delay is in milliseconds and not negative.
    BoundedOutOfOrderness(i64),
    /// The greatest value of an expression over the rows, which has the delay in it.
    Expression,
}

/// The watermark of one split.
#[derive(Debug, Clone, Copy)]
pub struct WatermarkGenerator {
    strategy: WatermarkStrategy,
    greatest: Option<i64>,
}

impl WatermarkGenerator {
    /// A generator that has seen nothing.
    pub fn new(strategy: WatermarkStrategy) -> Self {
        Self { strategy, greatest: None }
    }

    /// A row with this time, or with this value of the expression, was read. `i64::MIN` marks "no time" and is ignored.
    pub fn observe(&mut self, time: i64) {
        if time != i64::MIN && self.greatest.is_none_or(|greatest| time > greatest) {
            self.greatest = Some(time);
        }
    }

    /// What may be promised now.
    pub fn current(&self) -> Watermark {
        match (self.greatest, self.strategy) {
            (None, _) => Watermark::MIN,
            (Some(greatest), WatermarkStrategy::BoundedOutOfOrderness(delay)) => {
                Watermark(greatest.saturating_sub(delay).saturating_sub(1))
            }
            (Some(greatest), WatermarkStrategy::Expression) => Watermark(greatest),
        }
    }

    /// The greatest time seen: what a checkpoint keeps.
    pub fn greatest(&self) -> Option<i64> {
        self.greatest
    }

    /// Goes on from a checkpoint.
    pub fn restore(&mut self, greatest: Option<i64>) {
        self.greatest = greatest;
    }
}
