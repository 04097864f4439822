//! Windows of any kind with any trigger: the general window operator.
//!
//! It decides row by row and window by window, as Flink's does, in this order: assign windows (sessions are merged first),
//! skip those that are late, add the row, ask the trigger, give out or forget the contents, and set the timer that cleans
//! up. [`super::GridWindows`] and [`super::SessionWindows`] are the fast paths for what most programs ask for; all three keep
//! the same rules.
//!
//! ```text
//!  row ─► windows ─► late? ─► contents ─► trigger ─► fire / purge
//!                       │                    ▲ timers: triggers' own, and clean-up at
//!                       ▼                    │ max timestamp + allowed lateness
//!                  side output            watermark, wall clock
//! ```
//!
//! - A window is late when `max timestamp + allowed lateness <= watermark`. A row is late when all its windows are and
//!   `time + allowed lateness <= watermark`; only then it goes to the side output.
//! - A timer fires when its clock advances, never at once.
//! - Purging forgets contents; the trigger's state and the session stay until clean-up.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, UInt32Array};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::Int64Type;

use super::contents::{Contents, EncodedBatch, Slot, delta_of};
use super::groups::Layout;
use super::rows;
use super::trigger::{Outcome, TimeDomain, TimerRequest, TriggerContext, TriggerRow, TriggerState};
use super::{SessionGap, TimeSource, TimeWindow, WindowAggregateSpec, WindowSpec};
use crate::batch::EventBatch;
use crate::element::{Barrier, Watermark};
use crate::error::{Error, Result};
use crate::key::key_group::MaxParallelism;
use crate::key::lists::KeyedLists;
use crate::key::table::{KeyIndex, KeyTable};
use crate::memory;
use crate::operators::{InputId, Operator, OperatorContext, PortId, ProcessingTime, Progress};
use crate::state::OperatorState;
use crate::time::timers::Timers;

/// The operator. See the [module](self).
#[derive(Debug)]
pub struct TriggeredWindows {
    pub(super) layout: Layout,
    pub(super) keys: KeyTable,
    pub(super) windows: KeyedLists<Window>,
    pub(super) contents: Contents,
    pub(super) event_timers: Timers<(KeyIndex, TimeWindow)>,
    pub(super) clock_timers: Timers<(KeyIndex, TimeWindow)>,
    /// The watermark.
    pub(super) watermark: i64,
    /// The millisecond before the last timer call: timers of the wall clock up to this are due.
    pub(super) clock: i64,
    pub(super) next_row: i64,
    at_work: Option<AtWork>,
    /// Keys whose last window is gone while results for them are still to be made.
    deserted: Vec<KeyIndex>,
    requests: Vec<TimerRequest>,
}

/// A window of a key that has contents or a trigger with something to remember.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Window {
    pub(super) window: TimeWindow,
    /// `None`: nothing was added since it was purged.
    pub(super) slot: Option<Slot>,
    pub(super) trigger: TriggerState,
}

/// A batch that is being taken in, and how far that has come.
#[derive(Debug)]
struct AtWork {
    batch: EventBatch,
    times: ScalarBuffer<i64>,
    keys: Vec<KeyIndex>,
    next: usize,
    first_row: i64,
    late: Vec<u32>,
}

impl AtWork {
    fn memory_bytes(&self) -> usize {
        self.batch.memory_bytes()
            + self.times.len() * size_of::<i64>()
            + memory::vec(&self.keys)
            + memory::vec(&self.late)
    }
}

impl TriggeredWindows {
    /// An empty operator for `spec`.
    pub fn new(spec: Arc<WindowAggregateSpec>, max_parallelism: MaxParallelism) -> Result<Self> {
        spec.window.check()?;
        spec.trigger.check(spec.window.merges())?;
        match spec.window {
            WindowSpec::Attached { .. } => {
                return Err(Error::Invalid(
                    "windows that rows have been given before fire at their end only".to_owned(),
                ));
            }
            WindowSpec::Staggered { .. } => {
                return Err(Error::Invalid("staggered windows fire at their end by the wall clock only".to_owned()));
            }
            WindowSpec::Tumbling { .. }
            | WindowSpec::Sliding { .. }
            | WindowSpec::Cumulating { .. }
            | WindowSpec::Session { .. }
            | WindowSpec::Global => {}
        }
        let layout = Layout::new(spec, max_parallelism)?;
        let types = layout.key_fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(Self {
            keys: KeyTable::new(types)?,
            contents: Contents::new(&layout)?,
            layout,
            windows: KeyedLists::new(),
            event_timers: Timers::new(),
            clock_timers: Timers::new(),
            watermark: i64::MIN,
            clock: i64::MIN,
            next_row: 0,
            at_work: None,
            deserted: Vec::new(),
            requests: Vec::new(),
        })
    }

    /// Whether lateness and clean-up follow the watermark. Global windows never end, so nothing is late for them.
    fn is_event_time(&self) -> bool {
        self.layout.spec.time != TimeSource::Processing && self.layout.spec.window != WindowSpec::Global
    }

    /// When a window is cleaned up; `i64::MAX`: never.
    fn cleanup_time(&self, window: TimeWindow) -> i64 {
        if self.is_event_time() {
            window.max_timestamp().saturating_add(self.layout.spec.allowed_lateness_ms)
        } else {
            window.max_timestamp()
        }
    }

    fn is_window_late(&self, window: TimeWindow) -> bool {
        self.is_event_time() && self.cleanup_time(window) <= self.watermark
    }

    fn is_row_late(&self, time: i64) -> bool {
        self.is_event_time() && time.saturating_add(self.layout.spec.allowed_lateness_ms) <= self.watermark
    }

    /// Goes on with the batch at work until it is taken in or the output is full.
    fn take_in(&mut self, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        let Some(mut work) = self.at_work.take() else { return Ok(Progress::Done) };
        let batch = work.batch.clone();
        let encoded = self.contents.encode(&self.layout, &batch)?;
        let mut assigned = Vec::new();
        while work.next < work.keys.len() {
            if self.contents.fired() >= cx.out.room() {
                self.flush(Some((&batch, work.first_row)), cx)?;
                if cx.out.is_full() {
                    self.at_work = Some(work);
                    return Ok(Progress::Yield);
                }
            }
            if self.take_row(&work, &encoded, &mut assigned, cx)? {
                work.late.push(u32::try_from(work.next).unwrap_or(u32::MAX));
            }
            work.next += 1;
        }
        self.flush(Some((&batch, work.first_row)), cx)?;
        self.put_out_late(&work, cx)?;
        Ok(Progress::Done)
    }

    fn put_out_late(&self, work: &AtWork, cx: &mut OperatorContext<'_>) -> Result<()> {
        cx.metrics.count_late(work.late.len());
        if self.layout.spec.late_output && !work.late.is_empty() {
            cx.out.emit(PortId::LATE, work.batch.take(&UInt32Array::from(work.late.clone()))?);
        }
        Ok(())
    }

    /// Adds the next row to its windows. Answers whether it is late.
    fn take_row(
        &mut self,
        work: &AtWork,
        encoded: &EncodedBatch<'_>,
        assigned: &mut Vec<TimeWindow>,
        cx: &mut OperatorContext<'_>,
    ) -> Result<bool> {
        let row = work.next;
        let (key, time) = (work.keys[row], work.times[row]);
        assigned.clear();
        if !self.layout.spec.window.assign(time, self.gap(&work.batch, row)?, assigned) {
            return Err(rows::too_far(&self.layout.spec, time));
        }
        let mut skipped = true;
        for &window in assigned.iter() {
            let window = if self.layout.spec.window.merges() { self.merged_with(key, window) } else { window };
            if self.is_window_late(window) {
                continue;
            }
            skipped = false;
            self.add_to(key, window, work, encoded, cx)?;
        }
        self.desert_if_empty(key);
        Ok(skipped && self.is_row_late(time))
    }

    fn gap(&self, batch: &EventBatch, row: usize) -> Result<i64> {
        let WindowSpec::Session { gap } = self.layout.spec.window else { return Ok(0) };
        match gap {
            SessionGap::Fixed(gap) => Ok(gap),
            SessionGap::Column(column) => {
                let gaps = batch.rows.column(column).as_primitive::<Int64Type>();
                let gap = if gaps.is_valid(row) { gaps.value(row) } else { 0 };
                if gap <= 0 {
                    let name = batch.rows.schema_ref().field(column).name().clone();
                    return Err(Error::data(
                        &self.layout.spec.name,
                        format!("the session gap `{name}` of a row is {gap} ms; it must satisfy 0 < gap"),
                    ));
                }
                Ok(gap)
            }
        }
    }

    /// The window that `window` becomes when it is merged with those of `key` that it meets.
    fn merged_with(&self, key: KeyIndex, window: TimeWindow) -> TimeWindow {
        let met = self.windows.get(key).iter().filter(|other| other.window.intersects(window));
        met.fold(window, |merged, other| merged.cover(other.window))
    }

    fn add_to(
        &mut self,
        key: KeyIndex,
        window: TimeWindow,
        work: &AtWork,
        encoded: &EncodedBatch<'_>,
        cx: &mut OperatorContext<'_>,
    ) -> Result<()> {
        let at = self.open(key, window, work, cx)?;
        let row = work.next;
        let slot = match self.windows.get(key)[at].slot {
            Some(slot) if self.contents.is_awaited(slot) => {
                self.flush(Some((&work.batch, work.first_row)), cx)?;
                slot
            }
            Some(slot) => slot,
            None => self.contents.allocate(),
        };
        let number = work.first_row + i64::try_from(row).unwrap_or(i64::MAX);
        self.contents.add(slot, encoded, row, work.times[row], number);
        let delta = self.layout.spec.trigger.delta_column().map(|column| work.batch.rows.column(column));
        let delta = delta.map(|column| delta_of(column, row)).filter(|value| !value.is_nan());
        let time = work.times[row];
        if let Some(of) = self.windows.get_mut(key).get_mut(at) {
            of.slot = Some(slot);
        }
        let outcome = self
            .ask(key, at, cx.now, |trigger, state, context| trigger.on_row(state, TriggerRow { time, delta }, context));
        self.carry_out(key, at, outcome)?;
        self.register_cleanup(key, window);
        Ok(())
    }

    /// The place of `window` among the windows of `key`, which is made if it is not there; sessions it meets become it.
    fn open(
        &mut self,
        key: KeyIndex,
        window: TimeWindow,
        work: &AtWork,
        cx: &mut OperatorContext<'_>,
    ) -> Result<usize> {
        let windows = self.windows.get(key);
        if let Some(at) = windows.iter().position(|of| of.window == window) {
            return Ok(at);
        }
        if self.layout.spec.window.merges() && windows.iter().any(|of| of.window.intersects(window)) {
            return self.merge_into(key, window, work, cx);
        }
        let at = windows.len();
        self.windows.push(key, Window { window, slot: None, trigger: TriggerState::default() });
        Ok(at)
    }

    /// Merges the sessions of `key` that lie in `window`.
    fn merge_into(
        &mut self,
        key: KeyIndex,
        window: TimeWindow,
        work: &AtWork,
        cx: &mut OperatorContext<'_>,
    ) -> Result<usize> {
        self.flush(Some((&work.batch, work.first_row)), cx)?;
        let merged: Vec<Window> =
            self.windows.take_from(key, |windows| windows.extract_if(.., |of| of.window.intersects(window)).collect());
        let states: Vec<TriggerState> = merged.iter().map(|of| of.trigger).collect();
        let trigger = self.layout.spec.trigger.clone();
        for mut of in merged.iter().cloned() {
            let mut context = TriggerContext {
                window: of.window,
                watermark: self.watermark,
                now: cx.now.0,
                timers: &mut self.requests,
            };
            trigger.clear(&mut of.trigger, &mut context);
            self.carry_out_requests(key, of.window);
            self.delete_cleanup(key, of.window);
        }
        let mut context =
            TriggerContext { window, watermark: self.watermark, now: cx.now.0, timers: &mut self.requests };
        let state = trigger.on_merge(&states, &mut context);
        self.carry_out_requests(key, window);
        let mut slots = merged.iter().filter_map(|of| of.slot);
        let slot = slots.next();
        for other in slots {
            if let Some(into) = slot {
                self.contents.merge(other, into)?;
            }
        }
        self.windows.push(key, Window { window, slot, trigger: state });
        Ok(self.windows.get(key).len() - 1)
    }

    /// Asks the trigger of a window and carries out its wishes about timers.
    fn ask(
        &mut self,
        key: KeyIndex,
        at: usize,
        now: ProcessingTime,
        call: impl FnOnce(&super::TriggerSpec, &mut TriggerState, &mut TriggerContext<'_>) -> Outcome,
    ) -> Outcome {
        let Some(of) = self.windows.get_mut(key).get_mut(at) else { return Outcome::default() };
        let window = of.window;
        let mut context = TriggerContext { window, watermark: self.watermark, now: now.0, timers: &mut self.requests };
        let outcome = call(&self.layout.spec.trigger, &mut of.trigger, &mut context);
        self.carry_out_requests(key, window);
        outcome
    }

    fn carry_out_requests(&mut self, key: KeyIndex, window: TimeWindow) {
        for request in self.requests.drain(..) {
            match request {
                TimerRequest::Register(TimeDomain::Event, time) => self.event_timers.register(time, (key, window)),
                TimerRequest::Register(TimeDomain::Processing, time) => self.clock_timers.register(time, (key, window)),
                TimerRequest::Delete(TimeDomain::Event, time) => self.event_timers.delete(time, &(key, window)),
                TimerRequest::Delete(TimeDomain::Processing, time) => self.clock_timers.delete(time, &(key, window)),
            }
        }
    }

    /// Gives out and forgets contents as the trigger has answered.
    fn carry_out(&mut self, key: KeyIndex, at: usize, outcome: Outcome) -> Result<()> {
        let Some(of) = self.windows.get_mut(key).get_mut(at) else { return Ok(()) };
        if outcome.fire
            && let Some(slot) = of.slot
        {
            self.contents.fire(&self.layout, key, of.window, slot)?;
        }
        if outcome.purge
            && let Some(slot) = of.slot.take()
        {
            self.contents.free(slot);
        }
        // A window that is never cleaned up must not be remembered once there is nothing to remember.
        let endless = of.window == TimeWindow::GLOBAL;
        if endless && of.slot.is_none() && of.trigger == TriggerState::default() {
            self.forget(key, at);
        }
        Ok(())
    }

    fn forget(&mut self, key: KeyIndex, at: usize) {
        let gone = self.windows.take_from(key, |windows| (at < windows.len()).then(|| windows.swap_remove(at)));
        let Some(gone) = gone else { return };
        if let Some(slot) = gone.slot {
            self.contents.free(slot);
        }
        self.desert_if_empty(key);
    }

    /// Gives a key's number back when its last window is gone.
    fn desert_if_empty(&mut self, key: KeyIndex) {
        if !self.windows.has(key) {
            self.deserted.push(key);
        }
    }

    fn register_cleanup(&mut self, key: KeyIndex, window: TimeWindow) {
        let time = self.cleanup_time(window);
        if time == i64::MAX {
            return;
        }
        if self.is_event_time() {
            self.event_timers.register(time, (key, window));
        } else {
            self.clock_timers.register(time, (key, window));
        }
    }

    fn delete_cleanup(&mut self, key: KeyIndex, window: TimeWindow) {
        let time = self.cleanup_time(window);
        if self.is_event_time() {
            self.event_timers.delete(time, &(key, window));
        } else {
            self.clock_timers.delete(time, &(key, window));
        }
    }

    /// Adds the rows that were noted and gives out the results that were.
    fn flush(&mut self, batch: Option<(&EventBatch, i64)>, cx: &mut OperatorContext<'_>) -> Result<()> {
        if let Some((batch, first_row)) = batch {
            self.contents.apply(&batch.rows, first_row)?;
        }
        if let Some(results) = self.contents.results(&self.layout, &self.keys)? {
            cx.out.emit(PortId::MAIN, results);
        }
        if self.at_work.is_none() && batch.is_none() {
            self.give_back_keys()?;
        }
        Ok(())
    }

    /// Gives back the numbers of keys that have no window, and the memory when no key is left of very many.
    fn give_back_keys(&mut self) -> Result<()> {
        self.deserted.sort_unstable();
        self.deserted.dedup();
        for key in std::mem::take(&mut self.deserted) {
            if !self.windows.has(key) {
                self.keys.remove(key);
            }
        }
        let is_empty = self.keys.is_empty() && self.event_timers.is_empty() && self.clock_timers.is_empty();
        if is_empty && self.memory_bytes() > memory::KEPT_WHEN_EMPTY {
            let empty = Self::new(Arc::clone(&self.layout.spec), self.layout.max_parallelism)?;
            *self = Self { watermark: self.watermark, clock: self.clock, next_row: self.next_row, ..empty };
        }
        Ok(())
    }

    /// Fires timers that are due until the output is full.
    fn fire_timers(&mut self, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        loop {
            if self.contents.fired() >= cx.out.room() {
                self.flush(None, cx)?;
                if cx.out.is_full() {
                    return Ok(Progress::Yield);
                }
            }
            if let Some((time, (key, window))) = self.event_timers.pop_due(self.watermark) {
                self.on_timer(TimeDomain::Event, time, key, window, cx.now)?;
            } else if let Some((time, (key, window))) = self.clock_timers.pop_due(self.clock) {
                self.on_timer(TimeDomain::Processing, time, key, window, cx.now)?;
            } else {
                self.flush(None, cx)?;
                return Ok(Progress::Done);
            }
        }
    }

    fn on_timer(
        &mut self,
        domain: TimeDomain,
        time: i64,
        key: KeyIndex,
        window: TimeWindow,
        now: ProcessingTime,
    ) -> Result<()> {
        let Some(at) = self.windows.get(key).iter().position(|of| of.window == window) else { return Ok(()) };
        let outcome = self.ask(key, at, now, |trigger, state, context| match domain {
            TimeDomain::Event => trigger.on_event_time(state, time, context),
            TimeDomain::Processing => trigger.on_processing_time(state, time, context),
        });
        self.carry_out(key, at, outcome)?;
        let cleans_up = match domain {
            TimeDomain::Event => self.is_event_time(),
            TimeDomain::Processing => !self.is_event_time(),
        };
        if cleans_up && time == self.cleanup_time(window) && window != TimeWindow::GLOBAL {
            self.clean_up(key, at, now);
        }
        Ok(())
    }

    fn clean_up(&mut self, key: KeyIndex, at: usize, now: ProcessingTime) {
        self.ask(key, at, now, |trigger, state, context| {
            trigger.clear(state, context);
            Outcome::default()
        });
        self.forget(key, at);
    }
}

impl Operator for TriggeredWindows {
    fn process_batch(&mut self, _: InputId, batch: EventBatch, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        let times = match (self.layout.spec.window, self.layout.spec.time) {
            // Count windows need no time.
            (WindowSpec::Global, TimeSource::Record) => {
                batch.event_time.clone().unwrap_or_else(|| vec![i64::MIN; batch.num_rows()].into())
            }
            // The wall clock stands still where the machine's goes back, as in `GridWindows`.
            _ => rows::times(&self.layout.spec, &batch, cx.now.max(ProcessingTime(self.clock.saturating_add(1))))?,
        };
        let mut keys = Vec::new();
        self.keys.intern(&self.layout.key_columns(&batch.rows), batch.num_rows(), &mut keys)?;
        let first_row = self.next_row;
        self.next_row += i64::try_from(batch.num_rows()).unwrap_or(i64::MAX);
        self.at_work = Some(AtWork { batch, times, keys, next: 0, first_row, late: Vec::new() });
        self.resume(cx)
    }

    fn process_watermark(&mut self, watermark: Watermark, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        self.watermark = watermark.0;
        self.fire_timers(cx)
    }

    /// As in Flink, a timer of the wall clock fires a millisecond after its time: a row may still come in it.
    fn process_time(&mut self, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        self.clock = self.clock.max(cx.now.0.saturating_sub(1));
        self.fire_timers(cx)
    }

    fn resume(&mut self, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        if self.at_work.is_none() {
            return self.fire_timers(cx);
        }
        let progress = self.take_in(cx)?;
        if progress == Progress::Done {
            self.give_back_keys()?;
        }
        Ok(progress)
    }

    fn prepare_snapshot(&mut self, _: &Barrier, _: &mut OperatorContext<'_>) -> Result<Progress> {
        Ok(Progress::Done)
    }

    fn snapshot(&mut self) -> Result<OperatorState> {
        self.store()
    }

    fn restore(&mut self, parts: Vec<OperatorState>) -> Result<()> {
        parts.iter().try_for_each(|part| self.load(part))
    }

    fn next_time(&self) -> Option<ProcessingTime> {
        self.clock_timers.next_time().map(|time| ProcessingTime(time.saturating_add(1)))
    }

    fn memory_bytes(&self) -> usize {
        let by_key = self.keys.memory_bytes() + self.windows.memory_bytes() + memory::vec(&self.deserted);
        let timers = self.event_timers.memory_bytes() + self.clock_timers.memory_bytes();
        let at_work = self.at_work.as_ref().map_or(0, AtWork::memory_bytes);
        by_key + self.contents.memory_bytes() + timers + at_work + memory::vec(&self.requests)
    }
}
