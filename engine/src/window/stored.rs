//! What a [`TriggeredWindows`] stores, and how it reads it back.
//!
//! Sections, each row with its key's columns and its window (as `Int64`, since the global window is not a time):
//! - `windows`: the trigger's state of every window;
//! - `contents`: the accumulators' states of windows that have contents;
//! - `rows`: the rows of windows that keep them (evictors), with time and number;
//! - `timers`: time and domain (0 event time, 1 wall clock);
//! - value `clock`: the watermark, the wall clock up to which timers have fired, and the number of the next row.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, Float64Array, Int8Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Float64Type, Int8Type, Int64Type};

use super::TimeWindow;
use super::contents::{Slot, stored_columns};
use super::kept::StoredRow;
use super::trigger::TriggerState;
use super::triggered::{TriggeredWindows, Window};
use crate::error::{Error, Result};
use crate::key::table::KeyIndex;
use crate::state::{OperatorState, decode_numbers, encode_numbers};

const WINDOWS: &str = "windows";
const CONTENTS: &str = "contents";
const ROWS: &str = "rows";
const TIMERS: &str = "timers";
const CLOCK: &str = "clock";
/// Domains of timers as they are stored.
const EVENT_TIME: i8 = 0;
const WALL_CLOCK: i8 = 1;

/// A window of a key.
type Address = (KeyIndex, TimeWindow);

impl TriggeredWindows {
    pub(super) fn store(&self) -> Result<OperatorState> {
        let mut state = OperatorState::default();
        let mut all: Vec<(KeyIndex, Window)> = Vec::new();
        for (key, windows) in self.windows.iter() {
            all.extend(windows.iter().map(|window| (key, window.clone())));
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
        state.add_value(CLOCK, encode_numbers([self.watermark, self.clock, self.next_row]));
        Ok(state)
    }

    fn store_windows(&self, state: &mut OperatorState, all: &[(KeyIndex, Window)]) -> Result<()> {
        let of: Vec<_> = all.iter().map(|(key, of)| (*key, of.window)).collect();
        let trigger = || all.iter().map(|(_, of)| of.trigger);
        let own: Vec<ArrayRef> = vec![
            integers(trigger().map(|of| of.count.cast_signed())),
            Arc::new(trigger().map(|of| of.next_fire).collect::<Int64Array>()),
            Arc::new(trigger().map(|of| of.deadline).collect::<Int64Array>()),
            Arc::new(trigger().map(|of| of.last).collect::<Float64Array>()),
        ];
        self.add_section(state, WINDOWS, &of, (window_fields(), own))
    }

    fn store_accumulators(&self, state: &mut OperatorState, full: &[(KeyIndex, TimeWindow, Slot)]) -> Result<()> {
        let of: Vec<_> = full.iter().map(|(key, window, _)| (*key, *window)).collect();
        let slots: Vec<Slot> = full.iter().map(|(_, _, slot)| *slot).collect();
        let states = self.contents.accumulators().map_or_else(|| Ok(Vec::new()), |set| set.states(&slots))?;
        self.add_section(state, CONTENTS, &of, (self.layout.state_fields.clone(), states))
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
        let mut own = vec![integers(rows.iter().map(|row| row.time)), integers(rows.iter().map(|row| row.number))];
        own.extend(self.contents.decode(&rows)?);
        self.add_section(state, ROWS, &of, (self.row_fields(), own))
    }

    fn store_timers(&self, state: &mut OperatorState) -> Result<()> {
        let event = self.event_timers.iter().map(|(time, of)| (EVENT_TIME, time, *of));
        let clock = self.clock_timers.iter().map(|(time, of)| (WALL_CLOCK, time, *of));
        let timers: Vec<(i8, i64, (KeyIndex, TimeWindow))> = event.chain(clock).collect();
        let of: Vec<_> = timers.iter().map(|(_, _, of)| *of).collect();
        let domains = Int8Array::from_iter_values(timers.iter().map(|(domain, _, _)| *domain));
        let own = vec![integers(timers.iter().map(|(_, time, _)| *time)), Arc::new(domains) as ArrayRef];
        self.add_section(state, TIMERS, &of, (timer_fields(), own))
    }

    pub(super) fn load(&mut self, part: &OperatorState) -> Result<()> {
        let name = Arc::clone(&self.layout.spec);
        let name = &name.name;
        if let Some([watermark, clock, next_row]) = decode_numbers(name, CLOCK, part.value(CLOCK))? {
            self.watermark = self.watermark.max(watermark);
            self.clock = self.clock.max(clock);
            self.next_row = self.next_row.max(next_row);
        }
        for rows in part.keyed_as(name, WINDOWS, &self.fields(window_fields()))? {
            self.load_windows(rows)?;
        }
        for rows in part.keyed_as(name, CONTENTS, &self.fields(self.layout.state_fields.clone()))? {
            self.load_accumulators(rows)?;
        }
        for rows in part.keyed_as(name, ROWS, &self.fields(self.row_fields()))? {
            self.load_rows(rows)?;
        }
        for rows in part.keyed_as(name, TIMERS, &self.fields(timer_fields()))? {
            self.load_timers(rows)?;
        }
        Ok(())
    }

    /// The columns of a section: keys, window, and its own.
    fn fields(&self, own: Vec<Field>) -> Vec<Field> {
        let window = ["window_start", "window_end"].map(|name| Field::new(name, DataType::Int64, false));
        self.layout.key_fields.iter().cloned().chain(window).chain(own).collect()
    }

    fn row_fields(&self) -> Vec<Field> {
        let kept = stored_columns(&self.layout)
            .into_iter()
            .map(|at| Field::new(format!("column_{at}"), self.layout.spec.input.field(at).data_type().clone(), true));
        ["time", "number"].map(|name| Field::new(name, DataType::Int64, false)).into_iter().chain(kept).collect()
    }

    /// Adds a section: the key and window of each row, and the columns of its own.
    fn add_section(
        &self,
        state: &mut OperatorState,
        name: &str,
        of: &[(KeyIndex, TimeWindow)],
        (fields, own): (Vec<Field>, Vec<ArrayRef>),
    ) -> Result<()> {
        if of.is_empty() {
            return Ok(());
        }
        let indices: Vec<KeyIndex> = of.iter().map(|(key, _)| *key).collect();
        let mut columns = self.keys.columns(&indices)?;
        let groups = self.layout.key_groups(&columns, of.len())?;
        columns.push(integers(of.iter().map(|(_, window)| window.start)));
        columns.push(integers(of.iter().map(|(_, window)| window.end)));
        columns.extend(own);
        state.add_keyed(name, groups, self.fields(fields).into_iter().zip(columns).collect())
    }

    fn broken(&self, message: &str) -> Error {
        Error::State { operator: self.layout.spec.name.clone(), message: message.to_owned() }
    }

    /// The key and window of each row of a section, and its other columns.
    fn address(&mut self, rows: &RecordBatch) -> Result<(Vec<Address>, Vec<ArrayRef>)> {
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
            self.windows.push(key, Window { window, slot: None, trigger });
        }
        Ok(())
    }

    /// The slot of a stored window, made if need be.
    fn slot_of(&mut self, key: KeyIndex, window: TimeWindow) -> Result<Slot> {
        match self.windows.get_mut(key).iter_mut().find(|of| of.window == window) {
            Some(of) => Ok(*of.slot.get_or_insert_with(|| self.contents.allocate())),
            None => Err(self.broken("it has contents of a window that it does not list")),
        }
    }

    fn load_accumulators(&mut self, rows: &RecordBatch) -> Result<()> {
        if self.layout.spec.evictor.is_some() {
            return Err(self.broken("it was stored without an evictor, and this program has one"));
        }
        let (addresses, columns) = self.address(rows)?;
        let slots = addresses.into_iter().map(|(key, window)| self.slot_of(key, window)).collect::<Result<Vec<_>>>()?;
        self.contents.merge_states(&slots, &columns)
    }

    fn load_rows(&mut self, rows: &RecordBatch) -> Result<()> {
        if self.layout.spec.evictor.is_none() {
            return Err(self.broken("it was stored with an evictor, and this program has none"));
        }
        let (addresses, columns) = self.address(rows)?;
        let (times, numbers) = (columns[0].as_primitive::<Int64Type>(), columns[1].as_primitive::<Int64Type>());
        let slots = addresses.into_iter().map(|(key, window)| self.slot_of(key, window)).collect::<Result<Vec<_>>>()?;
        self.contents.put_back(&self.layout, &slots, (times.values(), numbers.values()), &columns[2..])
    }

    fn load_timers(&mut self, rows: &RecordBatch) -> Result<()> {
        let (addresses, columns) = self.address(rows)?;
        let times = columns[0].as_primitive::<Int64Type>();
        let domains = columns[1].as_primitive::<Int8Type>();
        for (row, address) in addresses.into_iter().enumerate() {
            match domains.value(row) {
                EVENT_TIME => self.event_timers.register(times.value(row), address),
                WALL_CLOCK => self.clock_timers.register(times.value(row), address),
                other => return Err(self.broken(&format!("it has a timer of the unknown domain {other}"))),
            }
        }
        Ok(())
    }
}

/// What a trigger remembers: see [`TriggerState`].
fn window_fields() -> Vec<Field> {
    vec![
        Field::new("count", DataType::Int64, false),
        Field::new("next_fire", DataType::Int64, true),
        Field::new("deadline", DataType::Int64, true),
        Field::new("last", DataType::Float64, true),
    ]
}

fn timer_fields() -> Vec<Field> {
    vec![Field::new("time", DataType::Int64, false), Field::new("domain", DataType::Int8, false)]
}

fn integers(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}
