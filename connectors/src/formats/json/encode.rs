//! Writes rows as JSON, an object on a line for each: the fields in the order of the columns, nulls included.
//!
//! As in Flink, timestamps and times are texts without the last zeros of their fraction, a timestamp with time zone is UTC
//! and ends with Z, bytes are base64. Decimals are plain numbers with all digits of their scale.

use std::sync::Arc;

use arrow::datatypes::{Field, SchemaRef};
use millstream_engine::batch::EventBatch;
use millstream_engine::error::{Error, Result};

use super::JsonOptions;
use crate::formats::cells::{Cell, Cells, check};
use crate::formats::values::timestamp::TimestampStandard;
use crate::formats::{Encoder, encoder_check};

/// Writes rows as JSON.
#[derive(Debug)]
pub(super) struct JsonEncoder {
    schema: SchemaRef,
    standard: TimestampStandard,
    /// What stands before each value: the brace or comma, the name and the colon.
    heads: Vec<Vec<u8>>,
}

impl JsonEncoder {
    /// Writes rows of `schema`. Fails if JSON cannot hold a column.
    pub(super) fn new(options: &JsonOptions, schema: &SchemaRef) -> Result<Self> {
        check(schema, true, "json")?;
        let heads = schema.fields().iter().enumerate().map(|(place, field)| head(place, field.name())).collect();
        Ok(Self { schema: Arc::clone(schema), standard: options.timestamps, heads })
    }

    fn rows(&self, columns: &[Cells<'_>], rows: usize, bytes: &mut Vec<u8>) -> Result<()> {
        for row in 0..rows {
            for (column, head) in columns.iter().zip(&self.heads) {
                bytes.extend_from_slice(head);
                self.value(column, row, bytes)?;
            }
            bytes.extend_from_slice(if columns.is_empty() { b"{}\n" } else { b"}\n" });
        }
        Ok(())
    }

    fn value(&self, column: &Cells<'_>, row: usize, bytes: &mut Vec<u8>) -> Result<()> {
        let before = bytes.len();
        match column.write(row, self.standard, bytes)? {
            Cell::Bare => {}
            Cell::Plain => {
                bytes.insert(before, b'"');
                bytes.push(b'"');
            }
            Cell::Null => bytes.extend_from_slice(b"null"),
            Cell::Text(text) => append_text(text, bytes),
            Cell::Row(fields) => self.object(fields, row, bytes)?,
            Cell::List(elements, from, until) => self.array(elements, from..until, bytes)?,
            Cell::Map(keys, values, from, until) => self.map(keys, values, from..until, bytes)?,
        }
        Ok(())
    }

    fn object(&self, fields: &[Cells<'_>], row: usize, bytes: &mut Vec<u8>) -> Result<()> {
        bytes.push(b'{');
        for (place, field) in fields.iter().enumerate() {
            if place > 0 {
                bytes.push(b',');
            }
            append_text(field.name(), bytes);
            bytes.push(b':');
            self.value(field, row, bytes)?;
        }
        bytes.push(b'}');
        Ok(())
    }

    fn array(&self, elements: &Cells<'_>, range: std::ops::Range<usize>, bytes: &mut Vec<u8>) -> Result<()> {
        bytes.push(b'[');
        for element in range.clone() {
            if element > range.start {
                bytes.push(b',');
            }
            self.value(elements, element, bytes)?;
        }
        bytes.push(b']');
        Ok(())
    }

    fn map(
        &self,
        keys: &Cells<'_>,
        values: &Cells<'_>,
        range: std::ops::Range<usize>,
        bytes: &mut Vec<u8>,
    ) -> Result<()> {
        bytes.push(b'{');
        for entry in range.clone() {
            if entry > range.start {
                bytes.push(b',');
            }
            let Cell::Text(key) = keys.write(entry, self.standard, bytes)? else {
                return Err(Error::data(
                    format!("column `{}`", keys.name()),
                    "a map has the key null, which JSON cannot hold",
                ));
            };
            append_text(key, bytes);
            bytes.push(b':');
            self.value(values, entry, bytes)?;
        }
        bytes.push(b'}');
        Ok(())
    }
}

impl Encoder for JsonEncoder {
    fn begin(&mut self, _: &mut Vec<u8>) {}

    fn finish(&mut self, _: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        0
    }

    fn encode(&mut self, batch: &EventBatch, bytes: &mut Vec<u8>) -> Result<()> {
        encoder_check("json", &self.schema, batch)?;
        let fields = self.schema.fields().iter().map(AsRef::<Field>::as_ref);
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

fn head(place: usize, name: &str) -> Vec<u8> {
    let mut head = vec![if place == 0 { b'{' } else { b',' }];
    append_text(name, &mut head);
    head.push(b':');
    head
}

/// Text in quotes, escaped as Jackson does.
fn append_text(text: &str, bytes: &mut Vec<u8>) {
    bytes.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(place) = rest.iter().position(|&byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        bytes.extend_from_slice(&rest[..place]);
        append_escape(rest[place], bytes);
        rest = &rest[place + 1..];
    }
    bytes.extend_from_slice(rest);
    bytes.push(b'"');
}

fn append_escape(byte: u8, bytes: &mut Vec<u8>) {
    const HEXADECIMAL: &[u8; 16] = b"0123456789ABCDEF";
    let short = match byte {
        b'"' => b'"',
        b'\\' => b'\\',
        8 => b'b',
        12 => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            bytes.extend_from_slice(b"\\u00");
            bytes.push(HEXADECIMAL[usize::from(byte >> 4)]);
            bytes.push(HEXADECIMAL[usize::from(byte & 15)]);
            return;
        }
    };
    bytes.extend_from_slice(&[b'\\', short]);
}
