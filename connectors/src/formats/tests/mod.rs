//! Decoders and encoders from outside: what goes in as text, what comes out as rows.
//!
//! [`Table::decode`] reads its text in several ways, whole and byte by byte, one record at a time and all at once, and all
//! must give the same.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::{Decoded, FormatSpec};
use crate::{ColumnFilter, FilterValue, Options, TableColumn, TableSpec};

mod csv;
mod encode;
mod json;
mod json_random;
mod parquet;
mod raw;

/// A table with a format.
pub(super) struct Table {
    spec: FormatSpec,
    table: SchemaRef,
    rows: SchemaRef,
    watermark: Option<SchemaRef>,
    filters: Vec<ColumnFilter>,
    zone: &'static str,
}

impl Table {
    pub(super) fn new(options: &[(&str, &str)], fields: Vec<Field>) -> Self {
        let table = Arc::new(Schema::new(fields));
        Self {
            spec: spec(options).expect("options"),
            rows: Arc::clone(&table),
            table,
            watermark: None,
            filters: Vec::new(),
            zone: "UTC",
        }
    }

    /// Only these columns, in this order.
    pub(super) fn rows(mut self, names: &[&str]) -> Self {
        self.rows = self.pick(names);
        self
    }

    /// Columns with fewer fields.
    pub(super) fn pruned(mut self, fields: Vec<Field>) -> Self {
        self.rows = Arc::new(Schema::new(fields));
        self
    }

    pub(super) fn watermark(mut self, names: &[&str]) -> Self {
        self.watermark = Some(self.pick(names));
        self
    }

    pub(super) fn filter(mut self, column: &str, value: FilterValue) -> Self {
        let filter = ColumnFilter { column: column.to_owned(), value };
        assert!(self.spec.takes_filter(&self.table, &filter));
        self.filters.push(filter);
        self
    }

    pub(super) fn zone(mut self, zone: &'static str) -> Self {
        self.zone = zone;
        self
    }

    pub(super) fn max_record(mut self, bytes: usize) -> Self {
        self.spec.max_record_bytes = bytes;
        self
    }

    fn pick(&self, names: &[&str]) -> SchemaRef {
        let field = |name: &&str| self.table.field_with_name(name).expect("a column").clone();
        Arc::new(Schema::new(names.iter().map(field).collect::<Vec<_>>()))
    }

    /// What a decoder makes of `input`, as text.
    pub(super) fn decode(&self, input: impl AsRef<[u8]>) -> String {
        let input = input.as_ref();
        let whole = self.decode_in(input, input.len().max(1), usize::MAX);
        for (piece, limit) in [(1, usize::MAX), (1, 1), (7, 3), (input.len().max(1), 1), (64, 2)] {
            assert_eq!(
                self.decode_in(input, piece, limit),
                whole,
                "in pieces of {piece} bytes, {limit} records at a time"
            );
        }
        whole
    }

    /// As [`Table::decode`], in one way only.
    pub(super) fn decode_in(&self, input: &[u8], piece: usize, limit: usize) -> String {
        let mut shown = Shown::default();
        let result = self.decode_each(input, piece, limit, |decoded| shown.add(&decoded));
        let error = result.err().map_or_else(String::new, |error| format!("error: {error}\n"));
        format!("{}{}{}{error}", shown.rows, shown.watermark, shown.bad)
    }

    /// Feeds `input` to a decoder as a reader does.
    pub(super) fn decode_each(
        &self,
        input: &[u8],
        piece: usize,
        limit: usize,
        mut each: impl FnMut(Decoded),
    ) -> millstream_engine::error::Result<()> {
        let mut decoder =
            self.spec.decoder(&self.rows, &self.table, self.watermark.as_ref(), &self.filters, self.zone)?;
        let (mut start, mut end) = (0, 0);
        loop {
            let last = end == input.len();
            let taken = decoder.decode(&input[start..end], limit, last)?;
            start += taken;
            if decoder.waiting() >= limit || (taken == 0 && decoder.waiting() > 0) || (last && start == end) {
                let decoded = decoder.flush()?;
                assert_eq!(decoder.waiting(), 0);
                if decoded.records > 0 {
                    each(decoded);
                }
            }
            if last && start == end && decoder.waiting() == 0 {
                return Ok(());
            }
            end = input.len().min(end + piece);
        }
    }
}

/// Reads `options` as those of a table.
pub(super) fn spec(options: &[(&str, &str)]) -> crate::Result<FormatSpec> {
    let options: BTreeMap<_, _> = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let columns = Vec::<TableColumn>::new();
    let table = TableSpec {
        name: "t".to_owned(),
        columns,
        partition_keys: Vec::new(),
        primary_key: Vec::new(),
        options,
        time_zone: "UTC".to_owned(),
    };
    let mut options = Options::of(&table);
    let spec = FormatSpec::read(&mut options, None)?;
    options.finish()?;
    Ok(spec)
}

/// Rows, rows for the watermark and bad rows as text, a line for each.
#[derive(Default)]
struct Shown {
    rows: String,
    watermark: String,
    bad: String,
    records: usize,
}

impl Shown {
    fn add(&mut self, decoded: &Decoded) {
        self.rows.push_str(&show_rows("", &decoded.rows));
        if let Some(rows) = &decoded.watermark_rows {
            self.watermark.push_str(&show_rows("watermark ", rows));
        }
        for bad in &decoded.bad {
            let (number, raw) = (self.records + bad.record, String::from_utf8_lossy(&bad.raw).into_owned());
            writeln!(self.bad, "bad {number}: {} | {}", bad.reason, raw.replace('\n', "\\n")).expect("text");
        }
        self.records += decoded.records;
    }
}

pub(super) fn show_rows(prefix: &str, rows: &RecordBatch) -> String {
    let options = FormatOptions::new().with_null("null");
    let columns: Vec<_> =
        rows.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).expect("a column")).collect();
    let mut shown = String::new();
    for row in 0..rows.num_rows() {
        let cells: Vec<_> = columns.iter().map(|column| column.value(row).to_string()).collect();
        writeln!(shown, "{prefix}[{}]", cells.join(", ")).expect("text");
    }
    shown
}

pub(super) fn field(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}

pub(super) fn required(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, false)
}

pub(super) fn row(fields: Vec<Field>) -> DataType {
    DataType::Struct(Fields::from(fields))
}

pub(super) fn list(element: DataType) -> DataType {
    DataType::List(Arc::new(field("item", element)))
}

pub(super) fn map(value: DataType) -> DataType {
    let entries = row(vec![required("key", DataType::Utf8), field("value", value)]);
    DataType::Map(Arc::new(required("entries", entries)), false)
}

pub(super) const MILLISECONDS: DataType = DataType::Timestamp(TimeUnit::Millisecond, None);

pub(super) fn instants() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

#[test]
fn options_are_checked_and_named_as_in_flink() {
    for (options, expected) in [
        (vec![], "the option 'format' is missing: json, csv, raw or parquet"),
        (
            vec![("format", "avro")],
            "the option 'format' = 'avro' cannot be used: it should be json, csv, raw or parquet",
        ),
        (
            vec![("format", "json"), ("json.ignore-parse-eror", "true")],
            "the option 'json.ignore-parse-eror' is not known here; did you mean 'json.ignore-parse-errors'?",
        ),
        (
            vec![("format", "json"), ("json.ignore-parse-errors", "true"), ("json.fail-on-missing-field", "true")],
            "'json.ignore-parse-errors' and 'json.fail-on-missing-field' exclude each other: leave one out",
        ),
        (
            vec![("format", "json"), ("json.timestamp-format.standard", "RFC")],
            "the option 'json.timestamp-format.standard' = 'RFC' cannot be used: it should be SQL or ISO-8601",
        ),
        (
            vec![("format", "csv"), ("csv.field-delimiter", "||")],
            "the option 'csv.field-delimiter' = '||' cannot be used: it should be one ASCII character, or an escape such as \\t or \\u0001",
        ),
        (
            vec![("format", "csv"), ("csv.field-delimiter", "\"")],
            "the option 'csv.quote-character' = '\\\"' cannot be used: 'csv.field-delimiter' is the same character",
        ),
        (
            vec![("format", "csv"), ("csv.field-delimiter", "\n")],
            "the option 'csv.field-delimiter' = '\\n' cannot be used: a line end cannot have another meaning",
        ),
        (
            vec![("format", "csv"), ("csv.quote-character", "'"), ("csv.disable-quote-character", "true")],
            "'csv.quote-character' and 'csv.disable-quote-character' exclude each other: leave one out",
        ),
        (
            vec![("format", "raw"), ("raw.charset", "latin1")],
            "the option 'raw.charset' = 'latin1' cannot be used: only UTF-8 is supported",
        ),
        (
            vec![("format", "raw"), ("scan.bad-rows", "ignore")],
            "the option 'scan.bad-rows' = 'ignore' cannot be used: it should be fail, skip or deadLetter",
        ),
        (
            vec![("format", "raw"), ("scan.max-record-size", "1 gb")],
            "the option 'scan.max-record-size' = '1073741824 bytes' cannot be used: it should be between 1 b and 512 mb",
        ),
    ] {
        assert_eq!(spec(&options).expect_err("refused").message, expected);
    }
}

#[test]
fn ignoring_parse_errors_skips_bad_rows_unless_told_otherwise() {
    use super::BadRowPolicy::{DeadLetter, Fail, Skip};
    for (options, expected) in [
        (vec![("format", "json")], Fail),
        (vec![("format", "json"), ("json.ignore-parse-errors", "true")], Skip),
        (vec![("format", "csv"), ("csv.ignore-parse-errors", "true")], Skip),
        (vec![("format", "csv"), ("csv.ignore-parse-errors", "true"), ("scan.bad-rows", "deadLetter")], DeadLetter),
    ] {
        assert_eq!(spec(&options).expect("options").bad_rows, expected);
    }
}

#[test]
fn an_unknown_time_zone_and_types_that_text_cannot_hold_are_refused() {
    let decoder = |fields: Vec<Field>, zone: &str| {
        let schema = Arc::new(Schema::new(fields));
        let spec = spec(&[("format", "json")]).expect("options");
        spec.decoder(&schema, &schema, None, &[], zone).err().map(|error| error.to_string())
    };
    assert_eq!(
        decoder(vec![field("a", DataType::Int64)], "Mars/Olympus").as_deref(),
        Some(
            "the time zone 'Mars/Olympus' is not known: use a name such as 'Europe/Berlin' or an offset such as '+02:00'"
        )
    );
    assert_eq!(
        decoder(vec![field("a", row(vec![field("b", list(DataType::UInt8))]))], "UTC").as_deref(),
        Some("column `a.b[]`: this format cannot hold the type UInt8; declare it as STRING and cast it")
    );
}
