//! CSV: a line for each row, its values in the order of the table's columns or of a header line.
//!
//! Values may be in quotes, and then they may have delimiters and line ends in them; a quote inside is written twice. See
//! [`CsvOptions`] for what can be asked for. Lines end with `\n` or `\r\n`. A line with the wrong number of values is a bad
//! row; a blank line is none (unless the table has one column, for which it is an empty text).

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use millstream_engine::error::Result;

mod encode;
mod records;

use super::columns::{Nesting, Rules};
use super::lines::{Limits, RecordDecoder};
use super::spec::DecoderRequest;
use super::wanted::Wanted;
use super::{Decoder, Encoder};
use crate::Options;
use records::Records;

/// The options of the format `csv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvOptions {
    /// `csv.field-delimiter`: what stands between values.
    pub delimiter: u8,
    /// `csv.quote-character`; `None` with `csv.disable-quote-character`.
    pub quote: Option<u8>,
    /// `csv.escape-character`: the character behind it is meant literally.
    pub escape: Option<u8>,
    /// `csv.null-literal`: the text that stands for null. Without it only a value that is not there is null.
    pub null_literal: Option<String>,
    /// `csv.allow-comments`: lines that start with `#` are passed over.
    pub allow_comments: bool,
    /// `csv.ignore-parse-errors`: a value that cannot be read is null, as are values that are missing at a line's end; values
    /// too many are passed over.
    pub ignore_parse_errors: bool,
    /// `csv.array-element-delimiter`: what stands between the elements of an ARRAY or the fields of a ROW.
    pub element_delimiter: String,
    /// `csv.header`: the first line of a file names the columns, which are then matched by name and may be more than those
    /// of the table.
    pub header: bool,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            delimiter: b',',
            quote: Some(b'"'),
            escape: None,
            null_literal: None,
            allow_comments: false,
            ignore_parse_errors: false,
            element_delimiter: ";".to_owned(),
            header: false,
        }
    }
}

impl CsvOptions {
    /// Reads them from the options of a table.
    pub fn read(options: &mut Options<'_>) -> crate::Result<Self> {
        let default = Self::default();
        let without_quotes = options.boolean("csv.disable-quote-character")?.unwrap_or(false);
        let quote = read_character(options, "csv.quote-character")?;
        if without_quotes && quote.is_some() {
            let message = "'csv.quote-character' and 'csv.disable-quote-character' exclude each other: leave one out";
            return Err(options.error(message));
        }
        let read = Self {
            delimiter: read_character(options, "csv.field-delimiter")?.unwrap_or(default.delimiter),
            quote: if without_quotes { None } else { quote.or(default.quote) },
            escape: read_character(options, "csv.escape-character")?,
            null_literal: options.text("csv.null-literal").map(str::to_owned),
            allow_comments: options.boolean("csv.allow-comments")?.unwrap_or(default.allow_comments),
            ignore_parse_errors: options.boolean("csv.ignore-parse-errors")?.unwrap_or(default.ignore_parse_errors),
            element_delimiter: read_element_delimiter(options)?.unwrap_or(default.element_delimiter),
            header: options.boolean("csv.header")?.unwrap_or(default.header),
        };
        read.check(options)?;
        Ok(read)
    }

    fn check(&self, options: &Options<'_>) -> crate::Result<()> {
        let special = [
            ("csv.field-delimiter", Some(self.delimiter)),
            ("csv.quote-character", self.quote),
            ("csv.escape-character", self.escape),
        ];
        for (index, (key, character)) in special.iter().enumerate() {
            let Some(character) = character else { continue };
            let shown = char::from(*character).escape_debug().to_string();
            if matches!(character, b'\n' | b'\r') {
                return Err(options.refuse(key, &shown, "a line end cannot have another meaning"));
            }
            if let Some((other, _)) = special[..index].iter().find(|(_, other)| *other == Some(*character)) {
                return Err(options.refuse(key, &shown, &format!("'{other}' is the same character")));
            }
        }
        Ok(())
    }
}

/// One character of one byte; `\t`, `\\` and `\u0001` are written as in Java.
fn read_character(options: &mut Options<'_>, key: &'static str) -> crate::Result<Option<u8>> {
    let Some(text) = options.text(key) else { return Ok(None) };
    match unescape(text).as_deref() {
        Some([byte]) if byte.is_ascii() => Ok(Some(*byte)),
        _ => Err(options.refuse(key, text, "it should be one ASCII character, or an escape such as \\t or \\u0001")),
    }
}

fn read_element_delimiter(options: &mut Options<'_>) -> crate::Result<Option<String>> {
    const KEY: &str = "csv.array-element-delimiter";
    match options.text(KEY) {
        Some("") => Err(options.refuse(KEY, "", "something must stand between elements")),
        text => Ok(text.map(str::to_owned)),
    }
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    Some(match text.as_bytes() {
        b"\\t" => vec![b'\t'],
        b"\\\\" => vec![b'\\'],
        b"\\'" => vec![b'\''],
        b"\\\"" => vec![b'"'],
        [b'\\', b'u', digits @ ..] => {
            let code = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
            char::from_u32(code)?.to_string().into_bytes()
        }
        bytes => bytes.to_vec(),
    })
}

/// Makes a decoder.
pub(super) fn decoder(options: &CsvOptions, request: &DecoderRequest<'_>) -> Result<Box<dyn Decoder>> {
    let null = options.null_literal.as_ref().map(|null| null.clone().into_bytes());
    let rules = Rules {
        nesting: Nesting::Delimited { delimiter: options.element_delimiter.clone().into_bytes(), null },
        base64: true,
        null_for_errors: options.ignore_parse_errors,
        ..request.rules()
    };
    let mut wanted = Wanted::new(false);
    let rows = request.rows_of(rules, &mut wanted)?;
    let lanes = wanted.nodes().len();
    let limits = Limits { max_record_bytes: request.max_record_bytes, utf8: true };
    let records = Records::new(options.clone(), request.table, &wanted);
    Ok(Box::new(RecordDecoder::new(records, rows, lanes, limits)))
}

/// Makes an encoder.
pub(super) fn encoder(options: &CsvOptions, schema: &SchemaRef) -> Result<Box<dyn Encoder>> {
    Ok(Box::new(encode::CsvEncoder::new(options, Arc::clone(schema))?))
}
