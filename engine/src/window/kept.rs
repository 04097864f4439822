//! The rows that windows keep where an evictor has to choose among them.

use super::EvictorSpec;
use crate::memory;

/// A row that a window keeps.
#[derive(Debug, Clone)]
pub(super) struct StoredRow {
    /// Its time.
    pub(super) time: i64,
    /// Its number by arrival.
    pub(super) number: i64,
    /// Its columns, encoded.
    pub(super) bytes: Box<[u8]>,
    /// Its value in the column of a delta evictor.
    pub(super) delta: f64,
}

/// Rows by slot.
#[derive(Debug, Default)]
pub(super) struct KeptRows {
    slots: Vec<Vec<StoredRow>>,
    /// How many rows the slots have room for.
    room: usize,
    /// Bytes of the rows' columns.
    column_bytes: usize,
}

impl KeptRows {
    /// Room for slots below `slots`; new ones are empty.
    pub(super) fn resize(&mut self, slots: usize) {
        self.slots.resize_with(slots, Vec::new);
    }

    /// The rows of `slot`, in the order of their arrival.
    pub(super) fn of(&self, slot: usize) -> &[StoredRow] {
        &self.slots[slot]
    }

    /// Adds a row to `slot`.
    pub(super) fn push(&mut self, slot: usize, row: StoredRow) {
        let rows = &mut self.slots[slot];
        self.room -= rows.capacity();
        self.column_bytes += memory::block(row.bytes.len());
        rows.push(row);
        self.room += rows.capacity();
    }

    /// Moves the rows of `from` to `to`.
    pub(super) fn merge(&mut self, from: usize, to: usize) {
        let mut moved = std::mem::take(&mut self.slots[from]);
        let rows = &mut self.slots[to];
        self.room -= moved.capacity() + rows.capacity();
        rows.append(&mut moved);
        rows.sort_by_key(|row| row.number);
        self.room += rows.capacity();
    }

    /// Forgets the rows of `slot` that the aggregates are not to see.
    pub(super) fn evict(&mut self, slot: usize, evictor: EvictorSpec) {
        let rows = &mut self.slots[slot];
        self.column_bytes -= column_bytes(rows);
        evict(evictor, rows);
        self.column_bytes += column_bytes(rows);
    }

    /// Forgets the rows of `slot`.
    pub(super) fn free(&mut self, slot: usize) {
        let rows = std::mem::take(&mut self.slots[slot]);
        self.room -= rows.capacity();
        self.column_bytes -= column_bytes(&rows);
    }

    /// Bytes of memory held.
    pub(super) fn memory_bytes(&self) -> usize {
        memory::vec(&self.slots) + self.room * size_of::<StoredRow>() + self.column_bytes
    }
}

fn column_bytes(rows: &[StoredRow]) -> usize {
    rows.iter().map(|row| memory::block(row.bytes.len())).sum()
}

fn evict(evictor: EvictorSpec, rows: &mut Vec<StoredRow>) {
    match evictor {
        EvictorSpec::Count(keep) => {
            let surplus = rows.len().saturating_sub(usize::try_from(keep).unwrap_or(usize::MAX));
            rows.drain(..surplus);
        }
        EvictorSpec::Time(keep) => {
            let latest = rows.iter().map(|row| row.time).max().unwrap_or(i64::MIN);
            // Rows of a program without time are all kept, as in Flink.
            if latest > i64::MIN {
                rows.retain(|row| row.time > latest.saturating_sub(keep));
            }
        }
        EvictorSpec::Delta { threshold, .. } => {
            let Some(last) = rows.last().map(|row| row.delta) else { return };
            rows.retain(|row| (last - row.delta).abs() < threshold);
        }
    }
}
