//! What an operator must remember, in the form in which it is stored.
//!
//! A snapshot holds *keyed* state as typed columns ordered by key group, so that a restore at another parallelism takes
//! the rows of its own key groups and leaves the rest, and *operator* state as small named values. Keys and accumulators
//! are ordinary Arrow columns with their schema beside them, never the bytes of an in-memory encoding, which may change
//! between releases.
//!
//! ```text
//!  snapshot = "MSST" | format u16 | sections u32 | section* | XXH3-64 u64 of all bytes before
//!  section  = name length u32 | name | kind u8 (0 keyed, 1 value) | length u64 | Arrow IPC stream or bytes
//! ```
//! Numbers are little endian. The hash at the end is checked first: Arrow's reader trusts what it reads.

pub mod file;

use std::io::Cursor;
use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, RecordBatch, UInt16Array, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema, UInt16Type};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Error, Result};
use crate::key::key_group::{KeyGroup, KeyGroupRange};
use crate::memory;

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

    /// Bytes of memory held.
    pub fn memory_bytes(&self) -> usize {
        let keyed: usize = self.keyed.iter().map(|(_, rows)| memory::arrays(rows.columns())).sum();
        keyed + self.values.iter().map(|(_, value)| memory::vec(value)).sum::<usize>()
    }

    /// Adds keyed rows under `name`: the group of each row, and the columns. Rows are ordered by group here.
    pub fn add_keyed(&mut self, name: &str, groups: Vec<KeyGroup>, columns: Vec<(Field, ArrayRef)>) -> Result<()> {
        // A stable sort: what the operator stored in order stays in order within its key group.
        let mut order: Vec<u32> = (0..).take(groups.len()).collect();
        order.sort_by_key(|&row| groups[row as usize]);
        let order = UInt32Array::from(order);
        let groups = UInt16Array::from_iter_values(groups.into_iter().map(|group| group.0));
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

    /// The keyed rows under `name`, whose columns after that of the key group must have the types of `fields`. `operator` is
    /// named in errors.
    pub fn keyed_as(&self, operator: &str, name: &str, fields: &[Field]) -> Result<Vec<&RecordBatch>> {
        let sections: Vec<&RecordBatch> = self.keyed(name).collect();
        for rows in &sections {
            let stored = rows.schema_ref().fields();
            let types = |fields: &mut dyn Iterator<Item = &DataType>| -> Vec<String> {
                fields.map(ToString::to_string).collect()
            };
            let found = types(&mut stored.iter().skip(1).map(|field| field.data_type()));
            let wanted = types(&mut fields.iter().map(Field::data_type));
            if found != wanted {
                let message = format!(
                    "its section `{name}` has columns of the types [{}], and this program needs [{}]; has a key or an \
                     aggregate been changed?",
                    found.join(", "),
                    wanted.join(", ")
                );
                return Err(Error::State { operator: operator.to_owned(), message });
            }
        }
        Ok(sections)
    }

    /// The value under `name`.
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        self.values.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_slice())
    }

    /// All values under `name`, in order.
    pub fn values_of(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let name = name.to_owned();
        self.values.iter().filter(move |(of, _)| *of == name).map(|(_, value)| value.as_slice())
    }

    /// The same with only the keyed rows whose group lies in `range`.
    pub fn restrict(&self, range: KeyGroupRange) -> Self {
        let keyed = self.keyed.iter().map(|(name, rows)| (name.clone(), within(rows, range))).collect();
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
        let hash = xxh3_64(&bytes);
        bytes.extend_from_slice(&hash.to_le_bytes());
        Ok(bytes)
    }

    /// Reads the stored form back. `operator` is named in errors.
    pub fn decode(operator: &str, bytes: &[u8]) -> Result<Self> {
        let broken = |message: String| Error::State { operator: operator.to_owned(), message };
        if !bytes.starts_with(MAGIC) {
            return Err(broken("it does not start with the marker of a Millstream snapshot".to_owned()));
        }
        let Some((body, hash)) = bytes.split_last_chunk::<8>() else {
            return Err(broken(format!("it is cut off at byte {}", bytes.len())));
        };
        if xxh3_64(body) != u64::from_le_bytes(*hash) {
            return Err(broken(format!("its {} bytes do not have the hash that was stored with them", bytes.len())));
        }
        let mut rest = Reader { bytes: body, at: MAGIC.len() };
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
                        state.keyed.push((name.clone(), checked(rows?).map_err(broken)?));
                    }
                }
                1 => state.values.push((name, body.to_vec())),
                other => return Err(broken(format!("section `{name}` is of the unknown kind {other}"))),
            }
        }
        if rest.at != body.len() {
            return Err(broken(format!("it has {} bytes after its last section", body.len() - rest.at)));
        }
        Ok(state)
    }
}

/// Keyed rows, which start with the column of key groups in ascending order.
fn checked(rows: RecordBatch) -> Result<RecordBatch, String> {
    let groups = rows.columns().first().and_then(|column| column.as_primitive_opt::<UInt16Type>());
    match groups {
        Some(groups) if groups.null_count() == 0 && groups.values().is_sorted() => Ok(rows),
        Some(_) => Err("its rows are not ordered by key group".to_owned()),
        None => Err(format!("its rows do not start with the column `{KEY_GROUP_COLUMN}`")),
    }
}

/// The keyed rows whose group lies in `range`.
fn within(rows: &RecordBatch, range: KeyGroupRange) -> RecordBatch {
    let groups = rows.column(0).as_primitive::<UInt16Type>().values();
    let from = groups.partition_point(|group| *group < range.first.0);
    let to = groups.partition_point(|group| *group <= range.last.0);
    rows.slice(from, to.saturating_sub(from))
}

/// Numbers as a value that is stored: 8 bytes each, little endian.
pub fn encode_numbers<const N: usize>(numbers: [i64; N]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// The numbers of the value `name` of `operator`, or `None` if there is no such value.
pub fn decode_numbers<const N: usize>(operator: &str, name: &str, value: Option<&[u8]>) -> Result<Option<[i64; N]>> {
    let Some(value) = value else { return Ok(None) };
    let (numbers, rest) = value.as_chunks::<8>();
    match (<[[u8; 8]; N]>::try_from(numbers), rest) {
        (Ok(numbers), []) => Ok(Some(numbers.map(i64::from_le_bytes))),
        (Ok(_) | Err(_), _) => Err(Error::State {
            operator: operator.to_owned(),
            message: format!("its value `{name}` has {} bytes and should have {}", value.len(), N * 8),
        }),
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
