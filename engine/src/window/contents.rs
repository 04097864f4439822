//! What the windows of a [`super::TriggeredWindows`] hold: accumulators, or the rows themselves where an evictor has to
//! choose among them.
//!
//! Rows are added, and results asked for, one window at a time, as triggers decide. Doing the work one row at a time would
//! cost a call per row and aggregate; so both are only noted, and done in one go when a note would be overtaken: a row for
//! contents whose result is still to be made, or the end of the call.

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::Float64Type;
use hashbrown::HashSet;

use super::groups::Layout;
use super::kept::{KeptRows, StoredRow};
use super::{EvictorSpec, TimeWindow, emission};
use crate::aggregate::{AccumulatorSet, GroupIndex, RowNumbers};
use crate::batch::EventBatch;
use crate::error::{Error, Result};
use crate::key::table::{KeyIndex, KeyTable, RowBytes};
use crate::memory;

/// The place of a window's contents.
pub(super) type Slot = u32;

/// Contents by slot.
#[derive(Debug)]
pub(super) struct Contents {
    form: Form,
    free: Vec<Slot>,
    used: Slot,
    fired: Vec<Fired>,
    /// Slots that `fired` names.
    awaited: HashSet<Slot>,
    /// Slots to be freed once their results are made.
    dropped: Vec<Slot>,
}

#[derive(Debug)]
enum Form {
    Accumulators { set: AccumulatorSet, noted: Vec<(u32, Slot)> },
    Rows { codec: RowBytes, columns: Vec<usize>, kept: KeptRows, evictor: EvictorSpec, ready: Vec<Ready> },
}

/// A result that is to be made.
#[derive(Debug)]
struct Fired {
    key: KeyIndex,
    window: TimeWindow,
    slot: Slot,
}

/// A result over kept rows, which is made at once since the evictor changes what is kept.
#[derive(Debug)]
struct Ready {
    key: KeyIndex,
    window: TimeWindow,
    values: Vec<ArrayRef>,
}

impl Contents {
    pub(super) fn new(layout: &Layout) -> Result<Self> {
        let spec = &layout.spec;
        let form = match spec.evictor {
            None => Form::Accumulators { set: AccumulatorSet::new(&spec.aggregates, &spec.input)?, noted: Vec::new() },
            Some(evictor) => {
                let columns = stored_columns(layout);
                let types: Vec<_> = columns.iter().map(|&at| spec.input.field(at).data_type().clone()).collect();
                let kept = KeptRows::default();
                Form::Rows { codec: RowBytes::new(&types)?, columns, kept, evictor, ready: Vec::new() }
            }
        };
        Ok(Self { form, free: Vec::new(), used: 0, fired: Vec::new(), awaited: HashSet::new(), dropped: Vec::new() })
    }

    /// Empty contents.
    pub(super) fn allocate(&mut self) -> Slot {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.used += 1;
            self.used - 1
        });
        match &mut self.form {
            Form::Accumulators { set, .. } => set.resize(self.used as usize),
            Form::Rows { kept, .. } => kept.resize(self.used as usize),
        }
        slot
    }

    /// Whether rows of `slot` may be added or merged before results are made.
    pub(super) fn is_awaited(&self, slot: Slot) -> bool {
        self.awaited.contains(&slot)
    }

    /// Notes that row `row` of `batch` belongs to `slot`.
    pub(super) fn add(&mut self, slot: Slot, batch: &EncodedBatch<'_>, row: usize, time: i64, number: i64) {
        match &mut self.form {
            Form::Accumulators { noted, .. } => noted.push((u32::try_from(row).unwrap_or(u32::MAX), slot)),
            Form::Rows { kept, .. } => {
                if let Some(rows) = &batch.rows {
                    let bytes = rows.row(row).data().into();
                    kept.push(slot as usize, StoredRow { time, number, bytes, delta: batch.delta(row) });
                }
            }
        }
    }

    /// Does what was noted for `batch`, whose first row has the number `first_row`.
    pub(super) fn apply(&mut self, batch: &RecordBatch, first_row: i64) -> Result<()> {
        let Form::Accumulators { set, noted } = &mut self.form else { return Ok(()) };
        if noted.is_empty() {
            return Ok(());
        }
        let order: Vec<u32> = noted.iter().map(|(row, _)| *row).collect();
        let slots: Vec<GroupIndex> = noted.drain(..).map(|(_, slot)| slot).collect();
        let whole = order.len() == batch.num_rows() && order.iter().zip(0..).all(|(row, at)| *row == at);
        if whole {
            return set.update(&slots, batch, RowNumbers::Consecutive(first_row));
        }
        let rows = take_record_batch(batch, &UInt32Array::from(order.clone()))?;
        set.update(&slots, &rows, RowNumbers::Ordered { first: first_row, order: &order })
    }

    /// Adds the contents of `from` to `to` and frees them. All notes must be done.
    pub(super) fn merge(&mut self, from: Slot, to: Slot) -> Result<()> {
        match &mut self.form {
            Form::Accumulators { set, .. } => {
                let states = set.states(&[from])?;
                set.merge(&[to], &states)?;
            }
            Form::Rows { kept, .. } => kept.merge(from as usize, to as usize),
        }
        self.free_now(from);
        Ok(())
    }

    /// Notes that the result of `slot` is to be given out for `key` in `window`.
    pub(super) fn fire(&mut self, layout: &Layout, key: KeyIndex, window: TimeWindow, slot: Slot) -> Result<()> {
        match &mut self.form {
            Form::Accumulators { .. } => {
                self.fired.push(Fired { key, window, slot });
                self.awaited.insert(slot);
                Ok(())
            }
            Form::Rows { codec, columns, kept, evictor, ready } => {
                // Where the evictor has left none there is nothing to give out, as if there were no contents.
                if kept.of(slot as usize).is_empty() {
                    return Ok(());
                }
                kept.evict(slot as usize, *evictor);
                let values = aggregate(layout, codec, columns, kept.of(slot as usize))?;
                ready.push(Ready { key, window, values });
                Ok(())
            }
        }
    }

    /// How many results are noted.
    pub(super) fn fired(&self) -> usize {
        match &self.form {
            Form::Accumulators { .. } => self.fired.len(),
            Form::Rows { ready, .. } => ready.len(),
        }
    }

    /// Makes the results that are noted, after [`Contents::apply`].
    pub(super) fn results(&mut self, layout: &Layout, keys: &KeyTable) -> Result<Option<EventBatch>> {
        let batch = match &mut self.form {
            Form::Accumulators { .. } if self.fired.is_empty() => None,
            Form::Accumulators { set, .. } => {
                let indices: Vec<KeyIndex> = self.fired.iter().map(|of| of.key).collect();
                let windows: Vec<TimeWindow> = self.fired.iter().map(|of| of.window).collect();
                let slots: Vec<Slot> = self.fired.iter().map(|of| of.slot).collect();
                Some(emission::rows(layout, keys.columns(&indices)?, &windows, set.values(&slots)?)?)
            }
            Form::Rows { ready, .. } if ready.is_empty() => None,
            Form::Rows { ready, .. } => {
                let batches = ready
                    .drain(..)
                    .map(|of| emission::rows(layout, keys.columns(&[of.key])?, &[of.window], of.values))
                    .collect::<Result<Vec<_>>>()?;
                Some(EventBatch::concat(&batches)?)
            }
        };
        self.fired.clear();
        self.awaited.clear();
        for slot in std::mem::take(&mut self.dropped) {
            self.free_now(slot);
        }
        Ok(batch)
    }

    /// Frees contents, once their results are made.
    pub(super) fn free(&mut self, slot: Slot) {
        if self.is_awaited(slot) {
            self.dropped.push(slot);
        } else {
            self.free_now(slot);
        }
    }

    fn free_now(&mut self, slot: Slot) {
        match &mut self.form {
            Form::Accumulators { set, .. } => set.reset(slot),
            Form::Rows { kept, .. } => kept.free(slot as usize),
        }
        self.free.push(slot);
    }

    /// Bytes of memory held.
    pub(super) fn memory_bytes(&self) -> usize {
        let held = match &self.form {
            Form::Accumulators { set, noted } => set.memory_bytes() + memory::vec(noted),
            Form::Rows { kept, ready, .. } => kept.memory_bytes() + memory::vec(ready),
        };
        let noted = memory::vec(&self.fired) + self.awaited.allocation_size() + memory::vec(&self.dropped);
        held + noted + memory::vec(&self.free)
    }

    /// Encodes the columns that rows are kept with.
    pub(super) fn encode<'a>(&self, layout: &Layout, batch: &'a EventBatch) -> Result<EncodedBatch<'a>> {
        let rows = match &self.form {
            Form::Accumulators { .. } => None,
            Form::Rows { codec, columns, .. } => {
                let kept: Vec<ArrayRef> = columns.iter().map(|&at| ArrayRef::clone(batch.rows.column(at))).collect();
                Some(codec.encode(&kept)?)
            }
        };
        let delta = match layout.spec.evictor {
            Some(EvictorSpec::Delta { column, .. }) => Some(batch.rows.column(column)),
            Some(EvictorSpec::Count(_) | EvictorSpec::Time(_)) | None => None,
        };
        Ok(EncodedBatch { rows, delta })
    }

    /// Adds states that were stored, one for each of `slots`.
    pub(super) fn merge_states(&mut self, slots: &[Slot], states: &[ArrayRef]) -> Result<()> {
        match &mut self.form {
            Form::Accumulators { set, .. } => set.merge(slots, states),
            Form::Rows { .. } => Err(Error::internal("accumulators were stored where rows are kept")),
        }
    }

    /// The accumulators, if that is what windows hold.
    pub(super) fn accumulators(&self) -> Option<&AccumulatorSet> {
        match &self.form {
            Form::Accumulators { set, .. } => Some(set),
            Form::Rows { .. } => None,
        }
    }

    /// The rows of a slot, if that is what windows hold.
    pub(super) fn stored(&self, slot: Slot) -> &[StoredRow] {
        match &self.form {
            Form::Accumulators { .. } => &[],
            Form::Rows { kept, .. } => kept.of(slot as usize),
        }
    }

    /// The columns that kept rows have.
    pub(super) fn decode(&self, rows: &[&StoredRow]) -> Result<Vec<ArrayRef>> {
        match &self.form {
            Form::Accumulators { .. } => Err(Error::internal("no rows are kept without an evictor")),
            Form::Rows { codec, .. } => codec.decode(rows.iter().map(|row| row.bytes.as_ref())),
        }
    }

    /// Gives each of `slots` a row back after a restore, in their order: `columns` are those of [`stored_columns`].
    pub(super) fn put_back(
        &mut self,
        layout: &Layout,
        slots: &[Slot],
        (times, numbers): (&[i64], &[i64]),
        columns: &[ArrayRef],
    ) -> Result<()> {
        let Form::Rows { codec, kept, .. } = &mut self.form else {
            return Err(Error::internal("rows were stored where accumulators are kept"));
        };
        let rows = codec.encode(columns)?;
        let delta = match layout.spec.evictor {
            Some(EvictorSpec::Delta { column, .. }) => {
                stored_columns(layout).iter().position(|kept| *kept == column).map(|at| &columns[at])
            }
            Some(EvictorSpec::Count(_) | EvictorSpec::Time(_)) | None => None,
        };
        let batch = EncodedBatch { rows: None, delta };
        for (row, (&slot, (&time, &number))) in slots.iter().zip(times.iter().zip(numbers)).enumerate() {
            let bytes = rows.row(row).data().into();
            kept.push(slot as usize, StoredRow { time, number, bytes, delta: batch.delta(row) });
        }
        Ok(())
    }
}

/// A batch with what is kept of its rows.
#[derive(Debug)]
pub(super) struct EncodedBatch<'a> {
    rows: Option<arrow::row::Rows>,
    delta: Option<&'a ArrayRef>,
}

impl EncodedBatch<'_> {
    fn delta(&self, row: usize) -> f64 {
        self.delta.map_or(f64::NAN, |column| delta_of(column, row))
    }
}

/// The value of a delta column; null is not a number, and no distance from it is less than a threshold.
pub(super) fn delta_of(column: &ArrayRef, row: usize) -> f64 {
    match column.as_primitive_opt::<Float64Type>() {
        Some(values) if values.is_valid(row) => values.value(row),
        Some(_) | None => f64::NAN,
    }
}

/// The columns of the input that aggregates and the evictor look at.
pub(super) fn stored_columns(layout: &Layout) -> Vec<usize> {
    let spec = &layout.spec;
    let mut columns: Vec<usize> = spec.aggregates.iter().flat_map(|of| [of.argument, of.filter]).flatten().collect();
    if let Some(EvictorSpec::Delta { column, .. }) = spec.evictor {
        columns.push(column);
    }
    columns.sort_unstable();
    columns.dedup();
    if columns.is_empty() {
        // `COUNT(*)` alone looks at no column; a row must be something all the same.
        columns.push(0);
    }
    columns
}

/// The aggregates over rows that are kept.
fn aggregate(layout: &Layout, codec: &RowBytes, columns: &[usize], rows: &[StoredRow]) -> Result<Vec<ArrayRef>> {
    let mut set = AccumulatorSet::new(&layout.spec.aggregates, &layout.spec.input)?;
    set.resize(1);
    if !rows.is_empty() {
        let kept = codec.decode(rows.iter().map(|row| row.bytes.as_ref()))?;
        let nulls = |at: usize| arrow::array::new_null_array(layout.spec.input.field(at).data_type(), rows.len());
        let all: Vec<ArrayRef> = (0..layout.spec.input.fields().len())
            .map(|at| match columns.iter().position(|column| *column == at) {
                Some(place) => ArrayRef::clone(&kept[place]),
                None => nulls(at),
            })
            .collect();
        let fields: Vec<_> =
            layout.spec.input.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
        let batch = RecordBatch::try_new(std::sync::Arc::new(arrow::datatypes::Schema::new(fields)), all)?;
        set.update(&vec![0; rows.len()], &batch, RowNumbers::Consecutive(0))?;
    }
    set.values(&[0])
}
