//! Writes rows as CSV.
//!
//! A value stands in quotes if it would be read as something else without them: with a delimiter, a quote or a line end in
//! it, blanks around it, or the text that stands for null. Null is that text, or nothing. Timestamps, times, bytes and
//! decimals look as in the format `json`; lists and rows are their parts with the element delimiter between them.

use arrow::datatypes::{Field, SchemaRef};
use millstream_engine::batch::EventBatch;
use millstream_engine::error::{Error, Result};

use super::CsvOptions;
use crate::formats::cells::{Cell, Cells, check};
use crate::formats::values::timestamp::TimestampStandard;
use crate::formats::{Encoder, encoder_check};

/// Writes rows as CSV.
#[derive(Debug)]
pub(super) struct CsvEncoder {
    options: CsvOptions,
    schema: SchemaRef,
    /// The value that is being written, before it is known whether it needs quotes.
    value: Vec<u8>,
}

impl CsvEncoder {
    /// Writes rows of `schema`. Fails if CSV cannot hold a column.
    pub(super) fn new(options: &CsvOptions, schema: SchemaRef) -> Result<Self> {
        check(&schema, false, "csv")?;
        Ok(Self { options: options.clone(), schema, value: Vec::new() })
    }

    fn rows(&mut self, columns: &[Cells<'_>], rows: usize, bytes: &mut Vec<u8>) -> Result<()> {
        for row in 0..rows {
            for (place, column) in columns.iter().enumerate() {
                if place > 0 {
                    bytes.push(self.options.delimiter);
                }
                self.field(column, row, bytes)?;
            }
            bytes.push(b'\n');
        }
        Ok(())
    }

    fn field(&mut self, column: &Cells<'_>, row: usize, bytes: &mut Vec<u8>) -> Result<()> {
        let mut value = std::mem::take(&mut self.value);
        value.clear();
        let present = self.text(column, row, &mut value)?;
        let appended = if present { self.append(column, &value, bytes) } else { self.append_null(bytes) };
        self.value = value;
        appended
    }

    /// The text of a value; `false` for null, which has none of its own.
    fn text(&self, column: &Cells<'_>, row: usize, to: &mut Vec<u8>) -> Result<bool> {
        match column.write(row, TimestampStandard::Sql, to)? {
            Cell::Null => return Ok(false),
            Cell::Bare | Cell::Plain => {}
            Cell::Text(text) => to.extend_from_slice(text.as_bytes()),
            Cell::Row(fields) => self.parts(fields.iter().map(|field| (field, row)), to)?,
            Cell::List(elements, from, until) => self.parts((from..until).map(|place| (elements, place)), to)?,
            Cell::Map(..) => return Err(Error::internal("a map in CSV")),
        }
        Ok(true)
    }

    fn parts<'c>(&self, parts: impl Iterator<Item = (&'c Cells<'c>, usize)>, to: &mut Vec<u8>) -> Result<()> {
        for (place, (cells, row)) in parts.enumerate() {
            if place > 0 {
                to.extend_from_slice(self.options.element_delimiter.as_bytes());
            }
            if !self.text(cells, row, to)? {
                self.append_null(to)?;
            }
        }
        Ok(())
    }

    fn append_null(&self, bytes: &mut Vec<u8>) -> Result<()> {
        bytes.extend_from_slice(self.options.null_literal.as_deref().unwrap_or_default().as_bytes());
        Ok(())
    }

    fn append(&self, column: &Cells<'_>, value: &[u8], bytes: &mut Vec<u8>) -> Result<()> {
        if !self.needs_quotes(value) {
            bytes.extend_from_slice(value);
            return Ok(());
        }
        let Some(quote) = self.options.quote else {
            return self.append_escaped(column, value, bytes);
        };
        bytes.push(quote);
        for &byte in value {
            if byte == quote || Some(byte) == self.options.escape {
                bytes.push(self.options.escape.unwrap_or(quote));
            }
            bytes.push(byte);
        }
        bytes.push(quote);
        Ok(())
    }

    fn needs_quotes(&self, value: &[u8]) -> bool {
        let CsvOptions { delimiter, quote, escape, null_literal, allow_comments, .. } = &self.options;
        let special = |byte: &u8| {
            byte == delimiter || Some(*byte) == *quote || Some(*byte) == *escape || matches!(byte, b'\n' | b'\r')
        };
        let null = null_literal.as_deref().unwrap_or_default().as_bytes();
        value.iter().any(special)
            || value == null
            || value.first() == Some(&b' ')
            || value.last() == Some(&b' ')
            || (*allow_comments && value.first() == Some(&b'#'))
    }

    /// Without quotes only an escape character helps, and not against line ends.
    fn append_escaped(&self, column: &Cells<'_>, value: &[u8], bytes: &mut Vec<u8>) -> Result<()> {
        let special = |byte: u8| byte == self.options.delimiter || Some(byte) == self.options.escape;
        let impossible = value.iter().any(|byte| matches!(byte, b'\n' | b'\r'))
            || (self.options.escape.is_none() && value.iter().any(|&byte| special(byte)));
        if impossible {
            return Err(Error::data(
                format!("column `{}`", column.name()),
                format!(
                    "the value `{}` has a delimiter or a line end in it, which cannot be written without quotes; \
                     leave out 'csv.disable-quote-character'",
                    crate::formats::columns::excerpt(value)
                ),
            ));
        }
        for &byte in value {
            if special(byte) {
                bytes.extend(self.options.escape);
            }
            bytes.push(byte);
        }
        Ok(())
    }
}

impl Encoder for CsvEncoder {
    fn begin(&mut self, bytes: &mut Vec<u8>) {
        if !self.options.header {
            return;
        }
        for (place, field) in self.schema.fields().iter().enumerate() {
            if place > 0 {
                bytes.push(self.options.delimiter);
            }
            let name = field.name().as_bytes();
            match self.options.quote {
                Some(quote) if self.needs_quotes(name) => {
                    bytes.push(quote);
                    name.iter()
                        .for_each(|&byte| bytes.extend(std::iter::repeat_n(byte, if byte == quote { 2 } else { 1 })));
                    bytes.push(quote);
                }
                _ => bytes.extend_from_slice(name),
            }
        }
        bytes.push(b'\n');
    }

    fn finish(&mut self, _: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        0
    }

    fn encode(&mut self, batch: &EventBatch, bytes: &mut Vec<u8>) -> Result<()> {
        encoder_check("csv", &self.schema, batch)?;
        let schema = std::sync::Arc::clone(&self.schema);
        let fields = schema.fields().iter().map(AsRef::<Field>::as_ref);
        let columns = fields.zip(batch.rows.columns()).map(|(field, array)| Cells::new(field, array));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let before = bytes.len();
        let written = self.rows(&columns, batch.num_rows(), bytes);
        if written.is_err() {
            bytes.truncate(before);
        }
        written
    }
}
