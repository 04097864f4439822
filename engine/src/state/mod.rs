//! What an operator must remember, in the form in which it is stored.
//!
//! A snapshot holds *keyed* state as typed columns ordered by key group, so that a restore at another parallelism takes
//! the rows of its own key groups and leaves the rest, and *operator* state as small named values. Keys and accumulators
//! are ordinary Arrow columns with their schema beside them, never the bytes of an in-memory encoding, which may change
//! between releases.
//!
//! ```text
//!  snapshot = "MSST" | format u16 | sections u32 | section*
//!  section  = name length u32 | name | kind u8 (0 keyed, 1 value) | length u64 | Arrow IPC stream or bytes
//! ```
//! Numbers are little endian.

use std::io::Cursor;
use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, RecordBatch, UInt16Array};
use arrow::datatypes::{DataType, Field, Schema, UInt16Type};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use crate::error::{Error, Result};
use crate::key::key_group::{KeyGroup, KeyGroupRange};

const MAGIC: &[u8; 4] = b"MSST";
const FORMAT: u16 = 1;
/// The column that every keyed section starts with.
pub const KEY_GROUP_COLUMN: &str = "key_group";

/// The state of one operator in one subtask at one barrier.
#[derive(Debug, Clone, Default)]
pub struct OperatorState {
    keyed: Vec<(String, RecordBatch)>,
    values: Vec<(String, Vec<u8>)>,
}

impl OperatorState {
    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        self.keyed.is_empty() && self.values.is_empty()
    }

    /// Adds keyed rows under `name`: the group of each row, and the columns. Rows are ordered by group here.
    pub fn add_keyed(&mut self, name: &str, groups: Vec<KeyGroup>, columns: Vec<(Field, ArrayRef)>) -> Result<()> {
        let groups = UInt16Array::from_iter_values(groups.into_iter().map(|group| group.0));
        let order = arrow::compute::sort_to_indices(&groups, None, None)?;
        let mut fields = vec![Field::new(KEY_GROUP_COLUMN, DataType::UInt16, false)];
        let mut arrays: Vec<ArrayRef> = vec![arrow::compute::take(&groups, &order, None)?];
        for (field, array) in columns {
            arrays.push(arrow::compute::take(&array, &order, None)?);
            fields.push(field);
        }
        self.keyed.push((name.to_owned(), RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?));
        Ok(())
    }

    /// Adds a value that belongs to the subtask and not to a key.
    pub fn add_value(&mut self, name: &str, value: Vec<u8>) {
        self.values.push((name.to_owned(), value));
    }

    /// The keyed rows under `name`, the key-group column first.
    pub fn keyed(&self, name: &str) -> impl Iterator<Item = &RecordBatch> {
        let name = name.to_owned();
        self.keyed.iter().filter(move |(of, _)| *of == name).map(|(_, rows)| rows)
    }

    /// The value under `name`.
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        self.values.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_slice())
    }

    /// The same with only the keyed rows whose group lies in `range`.
    pub fn restrict(&self, range: KeyGroupRange) -> Self {
        let keyed = self
            .keyed
            .iter()
            .map(|(name, rows)| {
                let groups = rows.column(0).as_primitive::<UInt16Type>().values();
                let from = groups.partition_point(|group| *group < range.first.0);
                let to = groups.partition_point(|group| *group <= range.last.0);
                (name.clone(), rows.slice(from, to - from))
            })
            .collect();
        Self { keyed, values: self.values.clone() }
    }

    /// The stored form.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        let sections = u32::try_from(self.keyed.len() + self.values.len())
            .map_err(|_| Error::internal("more than 2^32 state sections"))?;
        bytes.extend_from_slice(&sections.to_le_bytes());
        for (name, rows) in &self.keyed {
            let mut stream = Vec::new();
            let mut writer = StreamWriter::try_new(&mut stream, rows.schema_ref())?;
            writer.write(rows)?;
            writer.finish()?;
            drop(writer);
            put_section(&mut bytes, name, 0, &stream)?;
        }
        for (name, value) in &self.values {
            put_section(&mut bytes, name, 1, value)?;
        }
        Ok(bytes)
    }

    /// Reads the stored form back. `operator` is named in errors.
    pub fn decode(operator: &str, bytes: &[u8]) -> Result<Self> {
        let broken = |message: String| Error::State { operator: operator.to_owned(), message };
        let mut rest = Reader { bytes, at: 0 };
        if rest.take(4) != Some(MAGIC.as_slice()) {
            return Err(broken("it does not start with the marker of a Millstream snapshot".to_owned()));
        }
        let truncated = |at: usize| broken(format!("it is cut off at byte {at}"));
        let format = rest.number::<2>().ok_or_else(|| truncated(rest.at))?;
        if format != u64::from(FORMAT) {
            return Err(broken(format!("its format is {format}, this build reads format {FORMAT}")));
        }
        let sections = rest.number::<4>().ok_or_else(|| truncated(rest.at))?;
        let mut state = Self::default();
        for _ in 0..sections {
            let (name, kind, body) = rest.section().ok_or_else(|| truncated(rest.at))?;
            match kind {
                0 => {
                    for rows in StreamReader::try_new(Cursor::new(body), None)? {
                        state.keyed.push((name.clone(), rows?));
                    }
                }
                1 => state.values.push((name, body.to_vec())),
                other => return Err(broken(format!("section `{name}` is of the unknown kind {other}"))),
            }
        }
        Ok(state)
    }
}

fn put_section(bytes: &mut Vec<u8>, name: &str, kind: u8, body: &[u8]) -> Result<()> {
    let length = u32::try_from(name.len()).map_err(|_| Error::internal("a state name of 4 GiB"))?;
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(kind);
    bytes.extend_from_slice(&(body.len() as u64).to_le_bytes());
    bytes.extend_from_slice(body);
    Ok(())
}

/// Walks stored bytes; every answer is `None` past the end.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn number<const N: usize>(&mut self) -> Option<u64> {
        let mut wide = [0_u8; 8];
        wide[..N].copy_from_slice(self.take(N)?);
        Some(u64::from_le_bytes(wide))
    }

    fn section(&mut self) -> Option<(String, u8, &'a [u8])> {
        let length = usize::try_from(self.number::<4>()?).ok()?;
        let name = String::from_utf8(self.take(length)?.to_vec()).ok()?;
        let kind = self.take(1)?[0];
        let length = usize::try_from(self.number::<8>()?).ok()?;
        Some((name, kind, self.take(length)?))
    }
}
