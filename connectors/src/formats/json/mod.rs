//! JSON: an object for each row.
//!
//! Objects stand one to a line; any white space between them, and inside them, will do too. What a value may be is Flink's
//! rule: numbers may be in quotes, a STRING column takes any value as its text, a field that is not there is null. See
//! [`JsonOptions`] for what can be asked for.
//!
//! ```text
//!   records::Records ── knows rows ──► template::Template   same layout as before: compare and go on
//!                          └─ else ──► scan::Scanner        exact, and makes the next template
//! ```

use arrow::datatypes::SchemaRef;
use millstream_engine::error::Result;

mod encode;
mod records;
pub(crate) mod scan;
mod template;
mod text_end;

use super::columns::{Nesting, Rules};
use super::lines::{Limits, RecordDecoder};
use super::spec::DecoderRequest;
use super::values::timestamp::Separator;
pub use super::values::timestamp::TimestampStandard;
use super::wanted::Wanted;
use super::{Decoder, Encoder};
use crate::Options;
use records::Records;

/// The options of the format `json`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JsonOptions {
    /// `json.ignore-parse-errors`: a value that cannot be read is null, and a record that cannot be read is skipped.
    pub ignore_parse_errors: bool,
    /// `json.fail-on-missing-field`: a record without one of the wanted fields is bad; else the field is null.
    pub fail_on_missing_field: bool,
    /// `json.timestamp-format.standard`.
    pub timestamps: TimestampStandard,
}

impl JsonOptions {
    /// Reads them from the options of a table.
    pub fn read(options: &mut Options<'_>) -> crate::Result<Self> {
        let ignore_parse_errors = options.boolean("json.ignore-parse-errors")?.unwrap_or(false);
        let fail_on_missing_field = options.boolean("json.fail-on-missing-field")?.unwrap_or(false);
        if ignore_parse_errors && fail_on_missing_field {
            let message =
                "'json.ignore-parse-errors' and 'json.fail-on-missing-field' exclude each other: leave one out";
            return Err(options.error(message));
        }
        Ok(Self { ignore_parse_errors, fail_on_missing_field, timestamps: read_standard(options)? })
    }
}

fn read_standard(options: &mut Options<'_>) -> crate::Result<TimestampStandard> {
    const KEY: &str = "json.timestamp-format.standard";
    match options.text(KEY) {
        None | Some("SQL") => Ok(TimestampStandard::Sql),
        Some("ISO-8601") => Ok(TimestampStandard::Iso8601),
        Some(other) => Err(options.refuse(KEY, other, "it should be SQL or ISO-8601")),
    }
}

/// Makes a decoder.
pub(super) fn decoder(options: &JsonOptions, request: &DecoderRequest<'_>) -> Result<Box<dyn Decoder>> {
    let rules = Rules {
        nesting: Nesting::Json,
        separator: Separator::Of(options.timestamps),
        base64: true,
        null_for_errors: options.ignore_parse_errors,
        fail_on_absent: options.fail_on_missing_field,
        ..request.rules()
    };
    let mut wanted = Wanted::new(true);
    let rows = request.rows_of(rules, &mut wanted)?;
    let lanes = wanted.nodes().len();
    let limits = Limits { max_record_bytes: request.max_record_bytes, utf8: true };
    Ok(Box::new(RecordDecoder::new(Records::new(&wanted), rows, lanes, limits)))
}

/// Makes an encoder.
pub(super) fn encoder(options: &JsonOptions, schema: &SchemaRef) -> Result<Box<dyn Encoder>> {
    Ok(Box::new(encode::JsonEncoder::new(options, schema)?))
}
