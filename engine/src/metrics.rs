//! What each operator counts. Names on the outside are Flink's; they are made where metrics are shown.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::element::Watermark;
use crate::operators::PortId;

/// Counters of one operator in one subtask: written by its slot's thread, read by whoever shows them.
#[derive(Debug, Default)]
pub struct OperatorMetrics {
    records_in: AtomicU64,
    records_out: AtomicU64,
    side_records_out: AtomicU64,
    late_dropped: AtomicU64,
    records_in_errors: AtomicU64,
    /// Current input watermark plus 2^63, so that the default 0 is `i64::MIN`.
    watermark: AtomicI64,
}

impl OperatorMetrics {
    /// `rows` more came in (`numRecordsIn`).
    pub fn count_in(&self, rows: usize) {
        self.records_in.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// `rows` more went out by `port` (`numRecordsOut` for results).
    pub fn count_out(&self, port: PortId, rows: usize) {
        let counter = if port == PortId::MAIN { &self.records_out } else { &self.side_records_out };
        counter.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// `rows` more came too late, whether they went to a side output or nowhere (`numLateRecordsDropped`).
    pub fn count_late(&self, rows: usize) {
        self.late_dropped.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// `rows` more could not be decoded (`numRecordsInErrors`).
    pub fn count_errors(&self, rows: u64) {
        self.records_in_errors.fetch_add(rows, Ordering::Relaxed);
    }

    /// The watermark has advanced (`currentInputWatermark`).
    pub fn set_watermark(&self, watermark: Watermark) {
        self.watermark.store(watermark.0 ^ i64::MIN, Ordering::Relaxed);
    }

    /// `numRecordsIn`.
    pub fn records_in(&self) -> u64 {
        self.records_in.load(Ordering::Relaxed)
    }

    /// `numRecordsOut`.
    pub fn records_out(&self) -> u64 {
        self.records_out.load(Ordering::Relaxed)
    }

    /// Rows that left by a port other than the main one.
    pub fn side_records_out(&self) -> u64 {
        self.side_records_out.load(Ordering::Relaxed)
    }

    /// `numLateRecordsDropped`.
    pub fn late_dropped(&self) -> u64 {
        self.late_dropped.load(Ordering::Relaxed)
    }

    /// `numRecordsInErrors`.
    pub fn records_in_errors(&self) -> u64 {
        self.records_in_errors.load(Ordering::Relaxed)
    }

    /// `currentInputWatermark`.
    pub fn watermark(&self) -> Watermark {
        Watermark(self.watermark.load(Ordering::Relaxed) ^ i64::MIN)
    }
}
