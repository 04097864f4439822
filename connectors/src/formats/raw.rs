//! Raw text: each line is the value of the one column.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, SchemaRef};
use millstream_engine::batch::EventBatch;
use millstream_engine::error::{Error, Result};
use millstream_engine::sql_type::sql_name;

use super::lines::{Limits, RecordDecoder, Scan, Step, line_end};
use super::rows::Block;
use super::spec::DecoderRequest;
use super::token::{Kind, Token};
use super::wanted::Wanted;
use super::{Decoder, Encoder, encoder_check};

/// Makes a decoder. The table has one column, `STRING` or `BYTES`.
pub(super) fn decoder(request: &DecoderRequest<'_>) -> Result<Box<dyn Decoder>> {
    let column = only_column(request.table)?;
    let rules = request.rules();
    let mut wanted = Wanted::new(false);
    let rows = request.rows_of(rules, &mut wanted)?;
    let lanes = wanted.nodes().len();
    let limits = Limits { max_record_bytes: request.max_record_bytes, utf8: *column.data_type() == DataType::Utf8 };
    Ok(Box::new(RecordDecoder::new(Lines { wanted: lanes > 1 }, rows, lanes, limits)))
}

/// Makes an encoder: each value is a line.
pub(super) fn encoder(schema: &SchemaRef) -> Result<Box<dyn Encoder>> {
    only_column(schema)?;
    Ok(Box::new(RawEncoder { schema: Arc::clone(schema) }))
}

fn only_column(table: &SchemaRef) -> Result<&arrow::datatypes::Field> {
    let [column] = table.fields().as_ref() else {
        let count = table.fields().len();
        return Err(Error::Invalid(format!(
            "the format 'raw' holds one column, but the table has {count}; use 'json' or 'csv', or declare one STRING column"
        )));
    };
    match column.data_type() {
        DataType::Utf8 | DataType::Binary => Ok(column),
        other => Err(Error::Invalid(format!(
            "column `{}`: the format 'raw' holds STRING or BYTES, not {}; declare it as STRING and cast it",
            column.name(),
            sql_name(other)
        ))),
    }
}

/// Finds lines.
#[derive(Debug)]
struct Lines {
    /// Whether anything of a line is wanted but that it is there.
    wanted: bool,
}

impl Scan for Lines {
    fn begin(&mut self, _: &[u8], _: bool) -> Result<Option<usize>> {
        Ok(Some(0))
    }

    fn scan(&mut self, input: &[u8], at: usize, last: bool, block: &mut Block) -> Step {
        if at == input.len() {
            return Step::Nothing { next: at };
        }
        let Some((end, next)) = line_end(input, at, last) else { return Step::Unfinished { start: at } };
        if self.wanted {
            block.set(1, Token::new(Kind::Text, at, end));
        }
        Step::Record { start: at, end, next }
    }
}

/// Writes lines.
#[derive(Debug)]
struct RawEncoder {
    schema: SchemaRef,
}

impl Encoder for RawEncoder {
    fn begin(&mut self, _: &mut Vec<u8>) {}

    fn finish(&mut self, _: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        0
    }

    fn encode(&mut self, batch: &EventBatch, bytes: &mut Vec<u8>) -> Result<()> {
        encoder_check("raw", &self.schema, batch)?;
        let column = batch.rows.column(0);
        match column.data_type() {
            DataType::Utf8 => append_lines(column.as_string::<i32>().iter().map(|text| text.map(str::as_bytes)), bytes),
            _ => append_lines(column.as_binary::<i32>().iter(), bytes),
        }
        Ok(())
    }
}

/// A line for each value. Null has no text of its own: it is an empty line.
fn append_lines<'a>(values: impl Iterator<Item = Option<&'a [u8]>>, bytes: &mut Vec<u8>) {
    for value in values {
        bytes.extend_from_slice(value.unwrap_or_default());
        bytes.push(b'\n');
    }
}
