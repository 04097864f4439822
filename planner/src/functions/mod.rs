//! Flink's scalar functions and casts, as DataFusion functions.
//!
//! DataFusion has functions of many of these names that answer something else (another type, other patterns, bytes
//! instead of characters, null rules of other systems), so the list here is registered after, and over, DataFusion's
//! own: see [`all`]. What is not here (`COALESCE`, `NULLIF`, `IFNULL`, `ABS`, …) is DataFusion's.
//!
//! | file | functions |
//! |---|---|
//! | `text`, `text_build` | parts and positions of strings; strings made of others |
//! | `regex`, `java_regex` | `REGEXP…`; Java's patterns on the `regex` crate |
//! | `time`, `calendar` | `EXTRACT`, `FLOOR … TO`, `TIMESTAMPADD`, `TIMESTAMPDIFF`; dates as numbers |
//! | `time_text`, `time_format`, `time_parse` | `DATE_FORMAT`, `TO_TIMESTAMP` …; Java's date patterns |
//! | `zone` | time zones as Java names them |
//! | `clock`, `time_attribute` | `CURRENT_TIMESTAMP`, `PROCTIME` …; the mark of a time attribute |
//! | `math`, `random`, `number` | arithmetic; `RAND`; numbers as Java prints and rounds them |
//! | `hash` | digests and encodings |
//! | `json`, `json_path`, `json_text` | `JSON_VALUE` …; paths; `JSON_STRING` |
//! | `url`, `logic`, `collection` | `PARSE_URL` …; `IF`, `GREATEST` …; arrays and maps |
//! | `cast` and `cast_*` | `CAST`, `TRY_CAST` |
//! | `decimal` | `+`, `-`, `*`, `/` of decimals |
//!
//! `definition` says what a function is and adapts it to DataFusion; `arguments` reads arguments and writes results.

mod arguments;
mod calendar;
mod cast;
mod cast_number;
mod cast_parse;
mod cast_text;
mod clock;
mod collection;
mod decimal;
mod definition;
mod hash;
mod java_regex;
mod json;
mod json_path;
mod json_text;
mod logic;
mod math;
mod number;
mod random;
#[cfg(test)]
pub(crate) mod reference;
mod regex;
mod session;
#[cfg(test)]
mod testing;
mod text;
mod text_build;
mod time;
pub mod time_attribute;
mod time_format;
mod time_parse;
mod time_text;
mod type_name;
mod url;
mod zone;

use std::sync::Arc;

use datafusion_common::Result;
use datafusion_expr::ScalarUDF;

pub use cast::{check_cast, rewrite_cast, rewrite_try_cast};
pub use decimal::arithmetic as decimal_arithmetic;
pub use session::Clock;

use session::Session;

/// All functions for a session: its time zone (an IANA name, the option `table.local-time-zone`) and the clock that
/// they may ask for the current time.
///
/// Register them after DataFusion's own, names and aliases: they take the place of those of the same name. The error is
/// that of an unknown time zone.
pub fn all(session_time_zone: &str, clock: Clock) -> Result<Vec<Arc<ScalarUDF>>> {
    let session = Arc::new(Session::new(session_time_zone, clock)?);
    let tables = [
        text::definitions(),
        text_build::definitions(),
        regex::definitions(),
        time::definitions(),
        time_text::definitions(),
        clock::definitions(),
        math::definitions(),
        random::definitions(),
        hash::definitions(),
        json::definitions(),
        json_text::definitions(),
        url::definitions(),
        logic::definitions(),
        collection::definitions(),
        cast::definitions(),
    ];
    let ours = tables.into_iter().flatten().map(|definition| definition.into_udf(&session));
    Ok(ours.chain([datafusion_functions::string::uuid()]).collect())
}

/// The only value of `values` as it is printed in UTC.
#[cfg(test)]
pub(crate) fn show(values: &arrow::array::ArrayRef) -> String {
    use arrow::array::Array;
    match values.is_null(0) {
        true => "NULL".to_owned(),
        false => cast_text::texts(values, &zone::Zone::utc())
            .map_or_else(|error| error.to_string(), |texts| texts.value(0).to_owned()),
    }
}

#[cfg(test)]
mod tests;
