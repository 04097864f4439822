//! Rows without a time are bad rows.
//!
//! A decoder finds those whose time is one of the columns that it makes; a null there never becomes a row. Where the time is
//! computed from columns, comes with the file, or stands in a file that is no stream of records, it only shows when the
//! columns are there: then a [`TimeCheck`] takes such rows out again.

use std::collections::HashSet;
use std::fmt::Write as _;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int64Type;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use millstream_engine::error::{Error, Result};

use crate::RowTime;
use crate::formats::{BadRow, Decoded, MARKER, NO_TIME, TimeColumn, no_time};

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
        let mut faults = Vec::new();
        self.look(seen, 0, &mut faults);
        if faults.is_empty() {
            return Ok(decoded);
        }
        let mut reasons = vec![None; seen.num_rows()];
        for (row, reason) in faults {
            reasons[row] = Some(reason);
        }
        without(decoded, reasons)
    }

    /// Looks for rows without a time among `rows`, the first of which is row `first`. Where the time of some row cannot be
    /// computed, halves are looked at until it stands alone.
    fn look(&self, rows: &RecordBatch, first: usize, faults: &mut Vec<(usize, String)>) {
        match self.times(rows) {
            Ok(times) if times.null_count() == 0 && !has_marker(&times) => {}
            Ok(times) => {
                let why = |row| match times.is_null(row) {
                    true => Some("is null"),
                    false => is_marker(&times, row).then_some(MARKER),
                };
                let found = (0..times.len()).filter_map(|row| Some((row, why(row)?)));
                faults.extend(found.map(|(row, why)| (first + row, no_time(self.name(), why))));
            }
            Err(error) if rows.num_rows() <= 1 => faults.push((first, error.to_string())),
            Err(_) => {
                let half = rows.num_rows() / 2;
                self.look(&rows.slice(0, half), first, faults);
                self.look(&rows.slice(half, rows.num_rows() - half), first + half, faults);
            }
        }
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

    fn name(&self) -> &str {
        match &self.0 {
            RowTime::Column(name) | RowTime::Computed { name, .. } => name,
        }
    }
}

/// Whether a time is the marker of none: only a BIGINT can be.
fn has_marker(times: &ArrayRef) -> bool {
    times.as_primitive_opt::<Int64Type>().is_some_and(|times| times.values().contains(&NO_TIME))
}

fn is_marker(times: &ArrayRef, row: usize) -> bool {
    times.as_primitive_opt::<Int64Type>().is_some_and(|times| times.value(row) == NO_TIME)
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Int64Array;
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    fn decoded(times: Vec<Option<i64>>) -> Decoded {
        let schema = Arc::new(Schema::new(vec![Field::new("x", DataType::Int64, true)]));
        let records = times.len();
        let rows = RecordBatch::try_new(schema, vec![Arc::new(Int64Array::from(times))]).unwrap();
        Decoded { rows, watermark_rows: None, origins: None, records, bad: Vec::new() }
    }

    #[test]
    fn nulls_and_the_marker_of_no_time_are_taken_out() {
        let check = TimeCheck(RowTime::Column("x".to_owned()));
        let checked = check.apply(decoded(vec![Some(1), None, Some(NO_TIME), Some(4)])).unwrap();
        assert_eq!(checked.rows.column(0).as_primitive::<Int64Type>().values(), &[1, 4]);
        let bad: Vec<(usize, &str)> = checked.bad.iter().map(|bad| (bad.record, bad.reason.as_str())).collect();
        let expected = [
            (1, "the row has no event time: `x` is null"),
            (2, "the row has no event time: `x` is Long.MIN, the marker of \"no timestamp\""),
        ];
        assert_eq!(bad, expected);
    }
}
