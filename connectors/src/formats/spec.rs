//! What the options of a table say about its format.
//!
//! The names are Flink's; those of ours are `csv.header` and what starts with `scan.`. Reading them checks every value;
//! whether a format can hold a table's columns is checked when a decoder or an encoder is made.

use arrow::datatypes::SchemaRef;
use millstream_engine::error::{Error as EngineError, Result as EngineResult};

use super::columns::{Nesting, Rules};
use super::csv::CsvOptions;
use super::json::JsonOptions;
use super::parquet::ParquetOptions;
use super::rows::{Rows, can_filter};
use super::values::timestamp::Separator;
use super::values::zone::Zone;
use super::wanted::Wanted;
use super::{BadRowPolicy, Decoder, Encoder, csv, json, parquet, raw};
use crate::{ColumnFilter, Options, Result};

/// The largest `scan.max-record-size`: offsets inside a batch have 32 bits.
const LARGEST_RECORD_BYTES: u64 = 512 << 20;
const DEFAULT_RECORD_BYTES: u64 = 16 << 20;

/// How the bytes of a table are read and written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatSpec {
    /// The option `format` and those of the format itself.
    pub format: Format,
    /// `scan.bad-rows`. With `ignore-parse-errors` of the format and without a word of its own: skip.
    pub bad_rows: BadRowPolicy,
    /// `scan.max-record-size`: how many bytes a record may have. Longer ones are bad rows.
    pub max_record_bytes: usize,
    /// Where the event time of rows is. No option: the scan of a table knows.
    pub time: TimeColumn,
}

/// Where the event time of rows is, without which a row is bad.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TimeColumn {
    /// They need none.
    #[default]
    None,
    /// In the column of this name. The decoder finds the rows that have none.
    Named(String),
    /// It is computed later. The decoder says where rows are from, for those that turn out to have none.
    Later,
}

/// A format with its own options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// `json`: an object for each row.
    Json(JsonOptions),
    /// `csv`: a line for each row.
    Csv(CsvOptions),
    /// `raw`: a line for each row, which is the value of the only column. In UTF-8.
    Raw,
    /// `parquet`: whole files of columns.
    Parquet(ParquetOptions),
}

impl FormatSpec {
    /// Reads the options that formats have. `default` is the format of a table that names none; without one it must.
    pub fn read(options: &mut Options<'_>, default: Option<&str>) -> Result<Self> {
        let name = match (options.text("format"), default) {
            (Some(name), _) => name.to_owned(),
            (None, Some(default)) => default.to_owned(),
            (None, None) => return Err(options.error("the option 'format' is missing: json, csv, raw or parquet")),
        };
        let (format, ignores_errors) = match name.as_str() {
            "json" => {
                let json = JsonOptions::read(options)?;
                let ignores = json.ignore_parse_errors;
                (Format::Json(json), ignores)
            }
            "csv" => {
                let csv = CsvOptions::read(options)?;
                let ignores = csv.ignore_parse_errors;
                (Format::Csv(csv), ignores)
            }
            "raw" => (read_raw(options)?, false),
            "parquet" => (Format::Parquet(ParquetOptions::read(options)?), false),
            _ => return Err(options.refuse("format", &name, "it should be json, csv, raw or parquet")),
        };
        let default_policy = if ignores_errors { BadRowPolicy::Skip } else { BadRowPolicy::Fail };
        let bad_rows = read_policy(options)?.unwrap_or(default_policy);
        Ok(Self { format, bad_rows, max_record_bytes: read_record_bytes(options)?, time: TimeColumn::None })
    }

    /// The format's name.
    pub fn name(&self) -> &'static str {
        match self.format {
            Format::Json(_) => "json",
            Format::Csv(_) => "csv",
            Format::Raw => "raw",
            Format::Parquet(_) => "parquet",
        }
    }

    /// Whether a decoder must be given the beginning of a file before it can decode anything of it. To go on in the middle
    /// of such a file, first decode its beginning with a limit of 0 until something is taken.
    pub fn needs_beginning(&self) -> bool {
        matches!(&self.format, Format::Csv(csv) if csv.header)
    }

    /// Whether decoders drop every row that does not meet `filter`, on a table with the columns `table`.
    pub fn takes_filter(&self, table: &SchemaRef, filter: &ColumnFilter) -> bool {
        let column = table.fields().iter().find(|field| *field.name() == filter.column);
        let streams = !matches!(self.format, Format::Parquet(_));
        streams && column.is_some_and(|column| can_filter(column.data_type(), &filter.value))
    }

    /// Makes a decoder.
    ///
    /// `rows` are the columns that batches are to have and `watermark` those for the watermark, if they are wanted apart;
    /// both are columns of `table`, whose rows may have fewer fields. `table` are the columns that a record has, in order.
    /// `filters` are some of those that [`FormatSpec::takes_filter`] agrees to. `time_zone` is the zone in which text
    /// without one is read as `TIMESTAMP_LTZ`.
    ///
    /// Fails if the format cannot hold a column, naming it, if the time zone is not known, and for Parquet, which is read
    /// by [`parquet`](super::parquet).
    pub fn decoder(
        &self,
        rows: &SchemaRef,
        table: &SchemaRef,
        watermark: Option<&SchemaRef>,
        filters: &[ColumnFilter],
        time_zone: &str,
    ) -> EngineResult<Box<dyn Decoder>> {
        let zone = Zone::named(time_zone).ok_or_else(|| {
            EngineError::Invalid(format!(
                "the time zone '{time_zone}' is not known: use a name such as 'Europe/Berlin' or an offset such as '+02:00'"
            ))
        })?;
        let (max_record_bytes, time) = (self.max_record_bytes, &self.time);
        let request = DecoderRequest { rows, table, watermark, filters, zone, max_record_bytes, time };
        match &self.format {
            Format::Json(options) => json::decoder(options, &request),
            Format::Csv(options) => csv::decoder(options, &request),
            Format::Raw => raw::decoder(&request),
            Format::Parquet(_) => Err(EngineError::internal("parquet has no stream of records to decode")),
        }
    }

    /// Makes an encoder for one file with rows of `schema`. Fails if the format cannot hold a column, naming it.
    pub fn encoder(&self, schema: &SchemaRef) -> EngineResult<Box<dyn Encoder>> {
        match &self.format {
            Format::Json(options) => json::encoder(options, schema),
            Format::Csv(options) => csv::encoder(options, schema),
            Format::Raw => raw::encoder(schema),
            Format::Parquet(options) => parquet::encoder(options, schema),
        }
    }
}

/// What a decoder is made for: see [`FormatSpec::decoder`].
pub(super) struct DecoderRequest<'a> {
    pub(super) rows: &'a SchemaRef,
    pub(super) table: &'a SchemaRef,
    pub(super) watermark: Option<&'a SchemaRef>,
    pub(super) filters: &'a [ColumnFilter],
    pub(super) zone: Zone,
    pub(super) max_record_bytes: usize,
    pub(super) time: &'a TimeColumn,
}

impl DecoderRequest<'_> {
    /// Rules for plain text, to be changed by the format.
    pub(super) fn rules(&self) -> Rules {
        Rules {
            nesting: Nesting::Json,
            separator: Separator::Either,
            zone: self.zone,
            base64: false,
            null_for_errors: false,
            fail_on_absent: false,
            time: match self.time {
                TimeColumn::Named(name) => Some(name.clone()),
                TimeColumn::None | TimeColumn::Later => None,
            },
        }
    }

    /// What is asked for as an empty batch; what that wants of a record is added to `wanted`.
    pub(super) fn rows_of(&self, rules: Rules, wanted: &mut Wanted) -> EngineResult<Rows> {
        let rows = Rows::new(rules, wanted, self.rows, self.watermark, self.filters, self.table)?;
        Ok(if *self.time == TimeColumn::Later { rows.keeping_origins() } else { rows })
    }
}

fn read_raw(options: &mut Options<'_>) -> Result<Format> {
    match options.text("raw.charset") {
        Some(charset) if !charset.eq_ignore_ascii_case("utf-8") && !charset.eq_ignore_ascii_case("utf8") => {
            Err(options.refuse("raw.charset", charset, "only UTF-8 is supported"))
        }
        _ => Ok(Format::Raw),
    }
}

fn read_policy(options: &mut Options<'_>) -> Result<Option<BadRowPolicy>> {
    Ok(Some(match options.text("scan.bad-rows") {
        None => return Ok(None),
        Some("fail") => BadRowPolicy::Fail,
        Some("skip") => BadRowPolicy::Skip,
        Some("deadLetter") => BadRowPolicy::DeadLetter,
        Some(other) => return Err(options.refuse("scan.bad-rows", other, "it should be fail, skip or deadLetter")),
    }))
}

fn read_record_bytes(options: &mut Options<'_>) -> Result<usize> {
    const KEY: &str = "scan.max-record-size";
    let bytes = options.bytes(KEY)?.unwrap_or(DEFAULT_RECORD_BYTES);
    match usize::try_from(bytes) {
        Ok(size) if (1..=LARGEST_RECORD_BYTES).contains(&bytes) => Ok(size),
        _ => Err(options.refuse(KEY, &format!("{bytes} bytes"), "it should be between 1 b and 512 mb")),
    }
}
