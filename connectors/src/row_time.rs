//! Rows without a time are bad rows.
//!
//! A decoder finds those whose time is one of the columns that it makes; a null there never becomes a row. Where the time is
//! computed from columns, comes with the file, or stands in a file that is no stream of records, it only shows when the
//! columns are there: then a [`TimeCheck`] takes such rows out again.

use std::collections::HashSet;
use std::fmt::Write as _;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use millstream_engine::error::{Error, Result};

use crate::RowTime;
use crate::formats::{BadRow, Decoded, TimeColumn, no_time};

/// Takes rows without a time out of decoded rows.
#[derive(Debug, Clone)]
pub(crate) struct TimeCheck(RowTime);

/// Who finds rows without the time `time`: the decoder, if it makes the column (`decodes` knows), or a check of what it has
/// made.
pub(crate) fn who_finds(time: Option<RowTime>, decodes: impl Fn(&str) -> bool) -> (TimeColumn, Option<TimeCheck>) {
    match time {
        None => (TimeColumn::None, None),
        Some(RowTime::Column(name)) if decodes(&name) => (TimeColumn::Named(name), None),
        Some(time) => (TimeColumn::Later, Some(TimeCheck(time))),
    }
}

impl TimeCheck {
    /// The same without the rows that have no time, which are among the bad ones.
    pub(crate) fn apply(&self, decoded: Decoded) -> Result<Decoded> {
        let seen = decoded.watermark_rows.as_ref().unwrap_or(&decoded.rows);
        let times = self.times(seen);
        if times.as_ref().is_ok_and(|times| times.null_count() == 0) {
            return Ok(decoded);
        }
        let fault = |row| match &times {
            Ok(times) => times.is_null(row).then(|| self.no_time()),
            // The time of some row cannot be computed; of which, each by itself tells.
            Err(_) => match self.times(&seen.slice(row, 1)) {
                Ok(time) => (time.null_count() > 0).then(|| self.no_time()),
                Err(error) => Some(error.to_string()),
            },
        };
        let faults: Vec<Option<String>> = (0..seen.num_rows()).map(fault).collect();
        without(decoded, faults)
    }

    fn times(&self, rows: &RecordBatch) -> Result<ArrayRef> {
        match &self.0 {
            RowTime::Column(name) => rows
                .column_by_name(name)
                .map(ArrayRef::clone)
                .ok_or_else(|| Error::internal(format!("the time `{name}` is not among the columns"))),
            RowTime::Computed { name, expression } => {
                let times = expression.evaluate(rows).and_then(|times| times.into_array(rows.num_rows()));
                times.map_err(|error| Error::computing(format!("column `{name}`"), &error))
            }
        }
    }

    fn no_time(&self) -> String {
        match &self.0 {
            RowTime::Column(name) | RowTime::Computed { name, .. } => no_time(name, "is null"),
        }
    }
}

/// Takes out the rows for which there is a fault; there is one for each good row, whether a filter dropped it or not.
fn without(mut decoded: Decoded, faults: Vec<Option<String>>) -> Result<Decoded> {
    let good = good_records(&decoded);
    let records = decoded.origins.as_ref().map_or(&good, |origins| &origins.records);
    let faulty: HashSet<usize> =
        good.iter().zip(&faults).filter(|(_, fault)| fault.is_some()).map(|(of, _)| *of).collect();
    let rows: BooleanArray = records.iter().map(|record| Some(!faulty.contains(record))).collect();
    let mut bad = Vec::with_capacity(faulty.len());
    for (row, fault) in faults.iter().enumerate() {
        let Some(reason) = fault.clone() else { continue };
        let raw = match &decoded.origins {
            Some(origins) => origins.raw.value(row).to_vec(),
            None => columns_of(&decoded, row)?.into_bytes(),
        };
        bad.push(BadRow { record: good[row], reason, raw });
    }
    decoded.bad.append(&mut bad);
    decoded.bad.sort_by_key(|bad| bad.record);
    decoded.rows = filter_record_batch(&decoded.rows, &rows)?;
    if let Some(rows) = &mut decoded.watermark_rows {
        let good: BooleanArray = faults.iter().map(|fault| Some(fault.is_none())).collect();
        *rows = filter_record_batch(rows, &good)?;
    }
    Ok(decoded)
}

/// Which records the good rows are.
fn good_records(decoded: &Decoded) -> Vec<usize> {
    let mut bad = decoded.bad.iter().map(|bad| bad.record).peekable();
    (0..decoded.records).filter(|record| bad.next_if_eq(record).is_none()).collect()
}

/// A row by its columns, as far as they were read: of a file that has no text of its own.
fn columns_of(decoded: &Decoded, row: usize) -> Result<String> {
    let apart = decoded.watermark_rows.iter().flat_map(|rows| rows.schema_ref().fields().iter().zip(rows.columns()));
    let apart = apart.filter(|(field, _)| decoded.rows.column_by_name(field.name()).is_none());
    let mut text = String::new();
    for (field, column) in decoded.rows.schema_ref().fields().iter().zip(decoded.rows.columns()).chain(apart) {
        let options = FormatOptions::default().with_null("null");
        let value = ArrayFormatter::try_new(column.as_ref(), &options)?.value(row).to_string();
        let separator = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{separator}{}: {value}", field.name());
    }
    Ok(text)
}
