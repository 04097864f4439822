//! The mark that makes a column a time attribute.
//!
//! SQL time attributes are ordinary columns whose field carries this metadata. DataFusion keeps field metadata through
//! aliases, filters, joins and grouping keys and drops it from computed columns, which is almost exactly Flink's rule
//! for when a column stops being a time attribute.

/// The metadata key of a field that is a time attribute; its value is [`ROWTIME`] or [`PROCTIME`].
pub const TIME_ATTRIBUTE: &str = "millstream.time_attribute";

/// The column holds event time: rows come with a watermark over it.
pub const ROWTIME: &str = "rowtime";

/// The column stands for processing time: its value is the clock when it is read.
pub const PROCTIME: &str = "proctime";
