//! What columns are marked with, so that it is known later on what they are.
//!
//! Marks are field metadata. DataFusion keeps it through aliases, filters, subqueries, unions and grouping keys and drops
//! it from computed columns, which is almost exactly Flink's rule for when a column stops being a time attribute.

use std::collections::HashMap;

use arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion_common::metadata::FieldMetadata;

/// The metadata key of a time attribute; its value is [`ROWTIME`] or [`PROCTIME`].
pub(super) const TIME_ATTRIBUTE: &str = "millstream.time_attribute";

/// The column holds event time: rows come with a watermark over it.
pub(super) const ROWTIME: &str = "rowtime";

/// The column stands for processing time: its value is the clock when it is read.
pub(super) const PROCTIME: &str = "proctime";

/// The metadata key of a bound of a window; its value is [`START`] or [`END`].
pub(super) const WINDOW: &str = "millstream.window";

/// The column is a window's first millisecond.
pub(super) const START: &str = "start";

/// The column is the first millisecond after a window.
pub(super) const END: &str = "end";

/// The column is a bound of a window of the wall clock, or of one on the session's clock: nothing can be aggregated by it
/// again.
pub(super) const CLOCK: &str = "clock";

/// A time attribute's sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Hash)]
pub(super) enum Time {
    /// Event time.
    Event,
    /// Processing time.
    Processing,
}

/// What sort of time attribute a column is, if it is one.
pub(super) fn time_of(field: &Field) -> Option<Time> {
    match field.metadata().get(TIME_ATTRIBUTE).map(String::as_str) {
        Some(ROWTIME) => Some(Time::Event),
        Some(PROCTIME) => Some(Time::Processing),
        Some(_) | None => None,
    }
}

/// Whether a column is this bound of a window.
pub(super) fn is_bound(field: &Field, bound: &str) -> bool {
    field.metadata().get(WINDOW).is_some_and(|value| value == bound)
}

/// `field` marked as event time.
pub(super) fn rowtime(field: Field) -> Field {
    with(field, TIME_ATTRIBUTE, ROWTIME)
}

/// `field` marked as processing time.
pub(super) fn proctime(field: Field) -> Field {
    with(field, TIME_ATTRIBUTE, PROCTIME)
}

/// `field` without the mark of a time attribute.
pub(super) fn plain(field: &Field) -> Field {
    let mut metadata = field.metadata().clone();
    metadata.remove(TIME_ATTRIBUTE);
    field.clone().with_metadata(metadata)
}

/// A bound of a window as a column.
pub(super) fn bound(name: &str, bound: &str) -> Field {
    with(Field::new(name, DataType::Timestamp(TimeUnit::Millisecond, None), false), WINDOW, bound)
}

/// One mark, to be put on an alias.
pub(super) fn mark(key: &str, value: &str) -> FieldMetadata {
    FieldMetadata::from(HashMap::from([(key.to_owned(), value.to_owned())]))
}

fn with(field: Field, key: &str, value: &str) -> Field {
    let mut metadata = field.metadata().clone();
    metadata.insert(key.to_owned(), value.to_owned());
    field.with_metadata(metadata)
}
