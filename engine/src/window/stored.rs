//! What a [`TriggeredWindows`] stores, and how it reads it back.
//!
//! Sections, each row with its key's columns and its window (as `Int64`, since the global window is not a time):
//! - `windows`: the trigger's state of every window;
//! - `contents`: the accumulators' states of windows that have contents;
//! - `rows`: the rows of windows that keep them (evictors), with time and number;
//! - `timers`: time and domain (0 event time, 1 wall clock).

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, Float64Array, Int8Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Float64Type, Int8Type, Int64Type};

use super::TimeWindow;
use super::contents::{Slot, StoredRow, stored_columns};
use super::trigger::TriggerState;
use super::triggered::{TriggeredWindows, Window, column};
use crate::error::{Error, Result};
use crate::key::table::KeyIndex;
use crate::state::OperatorState;

impl TriggeredWindows {
    pub(super) fn store(&mut self) -> Result<OperatorState> {
        let mut state = OperatorState::default();
        let mut all: Vec<(KeyIndex, Window)> = Vec::new();
        for (key, windows) in &self.windows {
            all.extend(windows.iter().map(|window| (*key, window.clone())));
        }
        all.sort_by_key(|(key, of)| (*key, of.window));
        self.store_windows(&mut state, &all)?;
        let full: Vec<(KeyIndex, TimeWindow, Slot)> =
            all.iter().filter_map(|(key, of)| Some((*key, of.window, of.slot?))).collect();
        match self.layout.spec.evictor {
            None => self.store_accumulators(&mut state, &full)?,
            Some(_) => self.store_rows(&mut state, &full)?,
        }
        self.store_timers(&mut state)?;
        let values = [self.watermark, self.next_row];
        state.add_value("clock", values.iter().flat_map(|value| value.to_le_bytes()).collect());
        Ok(state)
    }

    /// Key groups and the columns of keys and windows, for rows of these.
    fn addressed(
        &self,
        of: &[(KeyIndex, TimeWindow)],
    ) -> Result<(Vec<crate::key::key_group::KeyGroup>, Vec<(Field, ArrayRef)>)> {
        let indices: Vec<KeyIndex> = of.iter().map(|(key, _)| *key).collect();
        let keys = self.keys.columns(&indices)?;
        let groups = self.layout.key_groups(&keys, of.len())?;
        let mut columns: Vec<(Field, ArrayRef)> = self.layout.key_fields.iter().cloned().zip(keys).collect();
        columns.push(integers("window_start", of.iter().map(|(_, window)| window.start)));
        columns.push(integers("window_end", of.iter().map(|(_, window)| window.end)));
        Ok((groups, columns))
    }

    fn store_windows(&self, state: &mut OperatorState, all: &[(KeyIndex, Window)]) -> Result<()> {
        if all.is_empty() {
            return Ok(());
        }
        let (groups, mut columns) =
            self.addressed(&all.iter().map(|(key, of)| (*key, of.window)).collect::<Vec<_>>())?;
        let trigger = || all.iter().map(|(_, of)| of.trigger);
        columns.push(integers("count", trigger().map(|of| of.count.cast_signed())));
        columns.push(optional("next_fire", trigger().map(|of| of.next_fire).collect()));
        columns.push(optional("deadline", trigger().map(|of| of.deadline).collect()));
        let last: Float64Array = trigger().map(|of| of.last).collect();
        columns.push((Field::new("last", DataType::Float64, true), column(last)));
        state.add_keyed("windows", groups, columns)
    }

    fn store_accumulators(&mut self, state: &mut OperatorState, full: &[(KeyIndex, TimeWindow, Slot)]) -> Result<()> {
        if full.is_empty() {
            return Ok(());
        }
        let (groups, mut columns) = self.addressed(&full.iter().map(|(key, of, _)| (*key, *of)).collect::<Vec<_>>())?;
        let slots: Vec<Slot> = full.iter().map(|(_, _, slot)| *slot).collect();
        if let Some(set) = self.contents.accumulators() {
            columns.extend(self.layout.state_fields.iter().cloned().zip(set.states(&slots)?));
        }
        state.add_keyed("contents", groups, columns)
    }

    fn store_rows(&self, state: &mut OperatorState, full: &[(KeyIndex, TimeWindow, Slot)]) -> Result<()> {
        let mut of = Vec::new();
        let mut rows: Vec<&StoredRow> = Vec::new();
        for (key, window, slot) in full {
            let stored = self.contents.stored(*slot);
            of.resize(of.len() + stored.len(), (*key, *window));
            rows.extend(stored);
        }
        if rows.is_empty() {
            return Ok(());
        }
        let (groups, mut columns) = self.addressed(&of)?;
        columns.push(integers("time", rows.iter().map(|row| row.time)));
        columns.push(integers("number", rows.iter().map(|row| row.number)));
        let kept = self.contents.decode(&rows)?;
        for (&at, kept) in stored_columns(&self.layout).iter().zip(kept) {
            let field = self.layout.spec.input.field(at);
            columns.push((Field::new(format!("column_{at}"), field.data_type().clone(), true), kept));
        }
        state.add_keyed("rows", groups, columns)
    }

    fn store_timers(&self, state: &mut OperatorState) -> Result<()> {
        let event = self.event_timers.iter().map(|(time, of)| (0_i8, time, *of));
        let clock = self.clock_timers.iter().map(|(time, of)| (1_i8, time, *of));
        let timers: Vec<(i8, i64, (KeyIndex, TimeWindow))> = event.chain(clock).collect();
        if timers.is_empty() {
            return Ok(());
        }
        let (groups, mut columns) = self.addressed(&timers.iter().map(|(_, _, of)| *of).collect::<Vec<_>>())?;
        columns.push(integers("time", timers.iter().map(|(_, time, _)| *time)));
        let domains = Int8Array::from_iter_values(timers.iter().map(|(domain, _, _)| *domain));
        columns.push((Field::new("domain", DataType::Int8, false), column(domains)));
        state.add_keyed("timers", groups, columns)
    }

    pub(super) fn load(&mut self, part: &OperatorState) -> Result<()> {
        if let Some(bytes) = part.value("clock") {
            let (clock, numbers) = bytes.split_at_checked(8).ok_or_else(|| self.broken("its clock is cut off"))?;
            let number = |bytes: &[u8]| <[u8; 8]>::try_from(bytes).map(i64::from_le_bytes);
            let clock = number(clock).map_err(|_| self.broken("its clock is cut off"))?;
            let next_row = number(numbers).map_err(|_| self.broken("its row number is cut off"))?;
            self.watermark = self.watermark.max(clock);
            self.next_row = self.next_row.max(next_row);
        }
        for rows in part.keyed("windows") {
            self.load_windows(rows)?;
        }
        for rows in part.keyed("contents") {
            self.load_accumulators(rows)?;
        }
        for rows in part.keyed("rows") {
            self.load_rows(rows)?;
        }
        for rows in part.keyed("timers") {
            self.load_timers(rows)?;
        }
        Ok(())
    }

    fn broken(&self, message: &str) -> Error {
        Error::State { operator: self.layout.spec.name.clone(), message: message.to_owned() }
    }

    /// The key and window of each row of a section, and its other columns.
    fn address(&mut self, rows: &RecordBatch) -> Result<(Vec<(KeyIndex, TimeWindow)>, Vec<ArrayRef>)> {
        let keys = self.layout.key_fields.len();
        let columns = &rows.columns()[1..];
        let mut indices = Vec::new();
        self.keys.intern(&columns[..keys], rows.num_rows(), &mut indices)?;
        let starts = columns[keys].as_primitive::<Int64Type>();
        let ends = columns[keys + 1].as_primitive::<Int64Type>();
        let windows = starts.values().iter().zip(ends.values()).map(|(&start, &end)| TimeWindow { start, end });
        Ok((indices.into_iter().zip(windows).collect(), columns[keys + 2..].to_vec()))
    }

    fn load_windows(&mut self, rows: &RecordBatch) -> Result<()> {
        let (addresses, columns) = self.address(rows)?;
        let counts = columns[0].as_primitive::<Int64Type>();
        let (next, deadline) = (columns[1].as_primitive::<Int64Type>(), columns[2].as_primitive::<Int64Type>());
        let last = columns[3].as_primitive::<Float64Type>();
        for (row, (key, window)) in addresses.into_iter().enumerate() {
            let trigger = TriggerState {
                count: counts.value(row).cast_unsigned(),
                next_fire: next.is_valid(row).then(|| next.value(row)),
                last: last.is_valid(row).then(|| last.value(row)),
                deadline: deadline.is_valid(row).then(|| deadline.value(row)),
            };
            self.windows.entry(key).or_default().push(Window { window, slot: None, trigger });
        }
        Ok(())
    }

    /// The slot of a stored window, made if need be.
    fn slot_of(&mut self, key: KeyIndex, window: TimeWindow) -> Result<Slot> {
        let found = self.windows.get_mut(&key).and_then(|windows| windows.iter_mut().find(|of| of.window == window));
        match found {
            Some(of) => Ok(*of.slot.get_or_insert_with(|| self.contents.allocate())),
            None => Err(self.broken("it has contents of a window that it does not list")),
        }
    }

    fn load_accumulators(&mut self, rows: &RecordBatch) -> Result<()> {
        let (addresses, columns) = self.address(rows)?;
        let slots = addresses.into_iter().map(|(key, window)| self.slot_of(key, window)).collect::<Result<Vec<_>>>()?;
        match self.contents.accumulators() {
            Some(set) => set.merge(&slots, &columns),
            None => Err(self.broken("it has accumulators where rows are kept")),
        }
    }

    fn load_rows(&mut self, rows: &RecordBatch) -> Result<()> {
        let (addresses, columns) = self.address(rows)?;
        let (times, numbers) = (columns[0].as_primitive::<Int64Type>(), columns[1].as_primitive::<Int64Type>());
        for (row, (key, window)) in addresses.into_iter().enumerate() {
            let slot = self.slot_of(key, window)?;
            let one: Vec<ArrayRef> = columns[2..].iter().map(|column| column.slice(row, 1)).collect();
            self.contents.put_back(&self.layout, slot, (times.value(row), numbers.value(row)), &one)?;
        }
        Ok(())
    }

    fn load_timers(&mut self, rows: &RecordBatch) -> Result<()> {
        let (addresses, columns) = self.address(rows)?;
        let times = columns[0].as_primitive::<Int64Type>();
        let domains = columns[1].as_primitive::<Int8Type>();
        for (row, address) in addresses.into_iter().enumerate() {
            match domains.value(row) {
                0 => self.event_timers.register(times.value(row), address),
                1 => self.clock_timers.register(times.value(row), address),
                other => return Err(self.broken(&format!("it has a timer of the unknown domain {other}"))),
            }
        }
        Ok(())
    }
}

fn integers(name: &str, values: impl Iterator<Item = i64>) -> (Field, ArrayRef) {
    (Field::new(name, DataType::Int64, false), column(Int64Array::from_iter_values(values)))
}

fn optional(name: &str, values: Vec<Option<i64>>) -> (Field, ArrayRef) {
    (Field::new(name, DataType::Int64, true), column(Int64Array::from(values)))
}
