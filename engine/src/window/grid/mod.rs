//! Windows on a grid, fired once each when the clock passes their end: tumbling, sliding, cumulating and attached ones.
//!
//! Rows are aggregated per *pane*, the longest interval that no window cuts, and each row is looked up once. A tumbling
//! window is one pane. Sliding windows share panes: `running` holds the aggregates over the panes of the next window to
//! fire and is carried on from window to window. A cumulating window only ever adds.
//!
//! ```text
//!  panes      │ p0 │ p1 │ p2 │ p3 │ p4 │ …         size = 3 panes, slide = 1
//!  fired        [ p0   p1   p2 )
//!  running           [ p1   p2   p3 )              − p0, + p3
//! ```
//!
//! This is the fast path: no allowed lateness, no evictor, the default trigger. [`super::TriggeredWindows`] does the rest,
//! and both keep the same rules: a row is late when every window it falls into has fired; as long as one has not, the row is
//! in those to come and missing in those that are out. On the wall clock nothing is late, since a row's time is now.
//!
//! In the [`Phase::Local`] phase panes are not combined into windows but sent on as partials when the clock passes their
//! end, so that the [`Phase::Global`] one after the exchange sees each key once per pane. A partial never comes too late:
//! it is sent before the watermark that ends its pane. Tables that hardly reduce rows are left out for a while, see
//! `shortcut`.

use std::sync::Arc;

use arrow::array::UInt32Array;
use arrow::array::cast::AsArray;
use arrow::datatypes::Int64Type;

use self::arithmetic::{Grid, Needed};
use self::panes::Panes;
use self::running::Running;
use self::shortcut::Shortcut;
use super::groups::{Groups, Layout};
use super::rows::{self, Paned};
use super::{Phase, TimeSource, TimeWindow, TriggerSpec, WindowAggregateSpec, WindowSpec, WindowStagger, emission};
use crate::aggregate::{GroupIndex, RowNumbers};
use crate::batch::EventBatch;
use crate::element::{Barrier, Watermark};
use crate::error::{Error, Result};
use crate::key::key_group::MaxParallelism;
use crate::memory;
use crate::operators::{InputId, Operator, OperatorContext, PortId, ProcessingTime, Progress};
use crate::state::OperatorState;

mod arithmetic;
mod panes;
mod running;
mod shortcut;
mod stored;

/// Groups of a local table beyond which it is sent on before its pane ends.
const LOCAL_GROUPS_MAX: usize = 128 * 1024;
/// Tables that are kept for the next pane instead of being given back to the allocator.
const SPARE_TABLES_MAX: usize = 4;

/// The operator. See the [module](self).
#[derive(Debug)]
pub struct GridWindows {
    layout: Layout,
    grid: Grid,
    panes: Panes,
    running: Running,
    emission: Option<Emission>,
    goal: Goal,
    /// Event time: the watermark. Processing time: the millisecond before the last timer call.
    clock: i64,
    /// All windows that end at or before the millisecond after this have fired. Between calls it is `clock`.
    fired: i64,
    next_row: i64,
    /// How far a staggered grid has been shifted, once a row has come.
    shift: Option<i64>,
    spare: Vec<Groups>,
    /// In the local phase.
    shortcut: Option<Shortcut>,
}

/// What a call that has yielded was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// Fire what the clock has passed.
    Fire,
    /// Send on local tables until at most so many groups are left.
    Shrink(usize),
}

/// Results on their way out.
#[derive(Debug)]
struct Emission {
    window: TimeWindow,
    /// The groups of a pane that is done with; `None`: those of `running`.
    pane: Option<Groups>,
    left: Vec<GroupIndex>,
    at: usize,
}

impl Emission {
    fn memory_bytes(&self) -> usize {
        self.pane.as_ref().map_or(0, Groups::memory_bytes) + memory::vec(&self.left)
    }
}

impl GridWindows {
    /// Whether this operator can do what `spec` asks for.
    pub fn can_run(spec: &WindowAggregateSpec) -> bool {
        let by_wall_clock = spec.time == TimeSource::Processing;
        let default_trigger = if by_wall_clock { TriggerSpec::ProcessingTime } else { TriggerSpec::EventTime };
        let on_grid = match spec.window {
            WindowSpec::Staggered { .. } => by_wall_clock,
            WindowSpec::Tumbling { .. }
            | WindowSpec::Sliding { .. }
            | WindowSpec::Cumulating { .. }
            | WindowSpec::Attached { .. } => true,
            WindowSpec::Session { .. } | WindowSpec::Global => false,
        };
        let on_time = spec.allowed_lateness_ms == 0 || by_wall_clock;
        // Partials of the wall clock could come after their window has fired, and a late partial is no row to give out.
        let one_phase = spec.phase == Phase::Single || !(by_wall_clock || spec.late_output);
        spec.trigger == default_trigger && on_grid && on_time && one_phase && spec.evictor.is_none()
    }

    /// An empty operator for `spec`, which [`GridWindows::can_run`].
    pub fn new(spec: Arc<WindowAggregateSpec>, max_parallelism: MaxParallelism) -> Result<Self> {
        spec.window.check()?;
        let Some(grid) = Grid::new(spec.window) else {
            return Err(Error::internal("session and global windows are not on a grid"));
        };
        let layout = Layout::new(spec, max_parallelism)?;
        let is_local = layout.spec.phase == Phase::Local;
        Ok(Self {
            shortcut: is_local.then(|| Shortcut::new(&layout)).transpose()?,
            running: Running::new(&layout)?,
            layout,
            grid,
            panes: Panes::default(),
            emission: None,
            goal: Goal::Fire,
            clock: i64::MIN,
            fired: i64::MIN,
            next_row: 0,
            shift: None,
            spare: Vec::new(),
        })
    }

    fn phase(&self) -> Phase {
        self.layout.spec.phase
    }

    fn is_event_time(&self) -> bool {
        self.layout.spec.time != TimeSource::Processing
    }

    /// The batch pane by pane.
    fn paned(&self, batch: EventBatch, now: ProcessingTime) -> Result<Paned> {
        if self.phase() == Phase::Global {
            let keys = self.layout.key_fields.len();
            return self.paned_by_columns(batch, keys, keys + 1);
        }
        if let Grid::Attached { start, end } = self.grid {
            return self.paned_by_columns(batch, start, end);
        }
        let times = rows::times(&self.layout.spec, &batch, now)?;
        let pane_of = |time: i64| self.grid.pane_of(time).ok_or_else(|| rows::too_far(&self.layout.spec, time));
        rows::by_time(batch, &times, pane_of)
    }

    fn paned_by_columns(&self, batch: EventBatch, start: usize, end: usize) -> Result<Paned> {
        let missing = || Error::NoEventTime { operator: self.layout.spec.name.clone() };
        let starts = rows::milliseconds(&batch, start).ok_or_else(missing)?;
        let ends = rows::milliseconds(&batch, end).ok_or_else(missing)?;
        rows::by_pane(batch, |row, _, _| Ok(TimeWindow { start: starts[row], end: ends[row] }))
    }

    /// Shifts a staggered grid by what `shift` says, once.
    fn stagger(&mut self, shift: impl FnOnce(WindowStagger, i64) -> i64) {
        if let WindowSpec::Staggered { size, offset, stagger } = self.layout.spec.window
            && self.shift.is_none()
        {
            let shift = shift(stagger, size);
            self.shift = Some(shift);
            self.grid = Grid::Tumbling { size, offset: (offset + shift) % size };
        }
    }

    /// The wall clock for rows that arrive at `now`. It stands still where the machine's clock goes back, so that no row
    /// falls into a window that has fired.
    fn time_of_rows(&self, now: ProcessingTime) -> ProcessingTime {
        if self.is_event_time() { now } else { now.max(ProcessingTime(self.clock.saturating_add(1))) }
    }

    fn take_rows(&mut self, paned: &Paned, cx: &mut OperatorContext<'_>) -> Result<()> {
        let first = self.next_row;
        self.next_row += i64::try_from(paned.batch.num_rows()).unwrap_or(i64::MAX);
        for (pane, range) in &paned.panes {
            let part = paned.batch.slice(range.start, range.len());
            match self.grid.needed(*pane) {
                Needed::Beyond => return Err(rows::too_far(&self.layout.spec, pane.start)),
                Needed::InNoWindow => self.take_rows_in_no_window(&part, cx)?,
                Needed::Until(end) if self.comes_too_late(end) => self.late(part, cx),
                Needed::Until(_) => {
                    let numbers = paned.numbers(range, first);
                    match self.shortcut.as_mut().filter(|shortcut| shortcut.is_open()) {
                        Some(open) => cx.out.emit(PortId::MAIN, open.partials(&self.layout, *pane, &part, numbers)?),
                        None => self.add(*pane, &part, numbers)?,
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether rows come too late whose last window ends at `end`. The local phase leaves that to the global one.
    fn comes_too_late(&self, end: i64) -> bool {
        self.is_event_time() && self.phase() != Phase::Local && self.has_passed(end)
    }

    /// Whether the clock has passed the last millisecond before `end`.
    fn has_passed(&self, end: i64) -> bool {
        end <= self.clock.saturating_add(1)
    }

    /// Rows between two windows belong to none. They are late all the same if they are.
    fn take_rows_in_no_window(&self, part: &EventBatch, cx: &mut OperatorContext<'_>) -> Result<()> {
        if !self.is_event_time() {
            return Ok(());
        }
        let times = rows::times(&self.layout.spec, part, cx.now)?;
        let late = (0_u32..).zip(times.iter()).filter(|(_, time)| **time <= self.clock).map(|(row, _)| row);
        let late: Vec<u32> = late.collect();
        if !late.is_empty() {
            self.late(part.take(&UInt32Array::from(late))?, cx);
        }
        Ok(())
    }

    fn late(&self, part: EventBatch, cx: &mut OperatorContext<'_>) {
        let rows = match self.phase() {
            Phase::Global => {
                let counts = part.rows.column(self.layout.key_fields.len() + 2);
                usize::try_from(counts.as_primitive::<Int64Type>().values().iter().sum::<i64>()).unwrap_or(0)
            }
            Phase::Single | Phase::Local => part.num_rows(),
        };
        cx.metrics.count_late(rows);
        if self.layout.spec.late_output {
            cx.out.emit(PortId::LATE, part);
        }
    }

    /// Adds rows or partials to their pane, and to `running` if the pane is already part of it.
    fn add(&mut self, pane: TimeWindow, part: &EventBatch, numbers: RowNumbers<'_>) -> Result<()> {
        let shares_panes = match self.grid {
            Grid::Tumbling { .. } | Grid::Attached { .. } => false,
            Grid::Sliding { .. } | Grid::Cumulating { .. } => self.phase() != Phase::Local,
        };
        if shares_panes && self.running.covers(pane.start) {
            self.running.add(pane, &self.layout, part, numbers)?;
            if matches!(self.grid, Grid::Cumulating { .. }) {
                return Ok(());
            }
        }
        let (layout, spare) = (&self.layout, &mut self.spare);
        let make = || spare.pop().map_or_else(|| Groups::new(layout), Ok);
        self.panes.change(pane, make, |groups| groups.take_in(layout, part, numbers))
    }

    /// Works towards `goal` until it is reached or the output is full.
    fn pursue(&mut self, goal: Goal, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        self.goal = goal;
        loop {
            self.emit(cx)?;
            if self.emission.is_some() {
                return Ok(Progress::Yield);
            }
            let more = match goal {
                Goal::Fire => self.fire_next()?,
                Goal::Shrink(groups) => self.shrink(groups),
            };
            if !more {
                if goal == Goal::Fire {
                    self.fired = self.clock;
                }
                return Ok(Progress::Done);
            }
        }
    }

    /// Hands on results until the output is full or all are out.
    fn emit(&mut self, cx: &mut OperatorContext<'_>) -> Result<()> {
        while let Some(emission) = &mut self.emission {
            if cx.out.is_full() {
                return Ok(());
            }
            let to = emission.left.len().min(emission.at + cx.out.room());
            let groups = &emission.left[emission.at..to];
            let from = emission.pane.as_ref().unwrap_or(self.running.groups());
            let batch = match self.layout.spec.phase {
                Phase::Local => emission::partials(&self.layout, from, groups, emission.window)?,
                Phase::Single | Phase::Global => emission::results(&self.layout, from, groups, emission.window)?,
            };
            cx.out.emit(PortId::MAIN, batch);
            emission.at = to;
            if to == emission.left.len()
                && let Some(Emission { pane: Some(pane), .. }) = self.emission.take()
            {
                self.recycle(pane);
            }
        }
        Ok(())
    }

    /// Keeps a table for the next pane, unless that is likely to need far less.
    fn recycle(&mut self, mut groups: Groups) {
        if self.spare.len() < SPARE_TABLES_MAX && !groups.is_oversized() {
            groups.clear();
            self.spare.push(groups);
        }
    }

    /// Prepares the results of the next window that the clock has passed. Answers whether there was one.
    fn fire_next(&mut self) -> Result<bool> {
        if self.phase() == Phase::Local {
            return Ok(self.fire_pane());
        }
        match self.grid {
            Grid::Tumbling { .. } | Grid::Attached { .. } => Ok(self.fire_pane()),
            Grid::Sliding { size, .. } => self.fire_sliding(size),
            Grid::Cumulating { step, .. } => self.fire_cumulating(step),
        }
    }

    fn fire_pane(&mut self) -> bool {
        match self.panes.first() {
            Some(pane) if self.has_passed(pane.end) => {
                self.emit_pane(pane);
                true
            }
            Some(_) | None => false,
        }
    }

    fn emit_pane(&mut self, window: TimeWindow) {
        if let Some(groups) = self.panes.remove(window) {
            let left = groups.live();
            if let Some(shortcut) = &mut self.shortcut {
                shortcut.learn(groups.num_rows(), left.len());
            }
            self.emission = Some(Emission { window, left, pane: Some(groups), at: 0 });
        }
    }

    fn fire_sliding(&mut self, size: i64) -> Result<bool> {
        self.drop_panes_of_fired_windows()?;
        match self.next_end() {
            Some(end) if self.has_passed(end) => {
                let window = TimeWindow { start: end - size, end };
                self.running.slide_to(window, &self.panes)?;
                self.emit_running(window);
                self.fired = end - 1;
                Ok(true)
            }
            Some(_) | None => Ok(false),
        }
    }

    fn drop_panes_of_fired_windows(&mut self) -> Result<()> {
        while let Some(first) = self.panes.first() {
            match self.grid.needed(first) {
                Needed::Until(end) if end - 1 > self.fired => return Ok(()),
                Needed::Until(_) | Needed::InNoWindow | Needed::Beyond => {}
            }
            if let Some(groups) = self.panes.remove(first) {
                self.running.leave(first.start, &groups)?;
                self.recycle(groups);
            }
        }
        self.running.clear(&self.layout)
    }

    fn fire_cumulating(&mut self, step: i64) -> Result<bool> {
        let Some(window) = self.next_step() else {
            // The last step of the last window is out.
            self.running.clear(&self.layout)?;
            return Ok(false);
        };
        if !self.has_passed(window.end) {
            return Ok(false);
        }
        if window.start != self.running.start {
            self.running.clear(&self.layout)?;
        }
        if let Some(groups) = self.panes.remove(TimeWindow { start: window.end - step, end: window.end }) {
            self.running.merge(&groups)?;
            self.recycle(groups);
        }
        (self.running.start, self.running.end) = (window.start, window.end);
        // A step that ended before the clock came here is not fired for rows that came after.
        if window.end - 1 > self.fired {
            self.emit_running(window);
        }
        Ok(true)
    }

    fn emit_running(&mut self, window: TimeWindow) {
        let left = self.running.groups().live();
        if !left.is_empty() {
            self.emission = Some(Emission { window, pane: None, left, at: 0 });
        }
    }

    /// The end of the next window to fire that has a row in it.
    fn next_end(&self) -> Option<i64> {
        let first_pane = || self.panes.first().map(|pane| pane.end);
        match self.grid {
            Grid::Tumbling { .. } | Grid::Attached { .. } => first_pane(),
            // A window that ended before the clock came here is not fired for a row that came after.
            Grid::Sliding { size, slide, offset, .. } => {
                let earliest = first_pane()?.max(self.fired.checked_add(2)?);
                Grid::sliding_end_from(earliest, size, slide, offset)
            }
            Grid::Cumulating { .. } => self.next_step().map(|window| window.end),
        }
    }

    /// The next step of the window that is being cumulated, or the first step of the earliest pane's.
    fn next_step(&self) -> Option<TimeWindow> {
        let Grid::Cumulating { max_size, step, offset } = self.grid else { return None };
        let Running { start, end, .. } = self.running;
        if !self.running.groups().is_empty() && end - start < max_size {
            return Some(TimeWindow { start, end: end + step });
        }
        let TimeWindow { start, end } = self.panes.first()?;
        Some(TimeWindow { start: super::assigner::window_start(start, offset, max_size)?, end })
    }

    /// Prepares the earliest local table to be sent on, if there are more than `groups` groups.
    fn shrink(&mut self, groups: usize) -> bool {
        match self.panes.first().filter(|_| self.panes.num_groups() > groups) {
            Some(pane) => {
                self.emit_pane(pane);
                true
            }
            None => false,
        }
    }
}

impl Operator for GridWindows {
    fn process_batch(&mut self, _: InputId, batch: EventBatch, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        let now = self.time_of_rows(cx.now);
        self.stagger(|stagger, size| stagger.shift(now, size));
        let paned = self.paned(batch, now)?;
        self.take_rows(&paned, cx)?;
        match self.phase() {
            Phase::Local => self.pursue(Goal::Shrink(LOCAL_GROUPS_MAX), cx),
            Phase::Single | Phase::Global => Ok(Progress::Done),
        }
    }

    fn process_watermark(&mut self, watermark: Watermark, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        if !self.is_event_time() {
            return Ok(Progress::Done);
        }
        self.clock = watermark.0;
        self.pursue(Goal::Fire, cx)
    }

    /// A row may still come in the millisecond that it is now, so only windows that end before it are fired.
    fn process_time(&mut self, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        self.clock = self.clock.max(cx.now.0.saturating_sub(1));
        self.pursue(Goal::Fire, cx)
    }

    fn resume(&mut self, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        self.pursue(self.goal, cx)
    }

    /// Local tables are not state: they hold keys of all key groups, so they go out before the barrier.
    fn prepare_snapshot(&mut self, _: &Barrier, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        match self.phase() {
            Phase::Local => self.pursue(Goal::Shrink(0), cx),
            Phase::Single | Phase::Global => Ok(Progress::Done),
        }
    }

    fn snapshot(&mut self) -> Result<OperatorState> {
        self.store()
    }

    fn restore(&mut self, parts: Vec<OperatorState>) -> Result<()> {
        self.load(&parts)
    }

    fn finish(&mut self, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        match self.phase() {
            Phase::Local => self.pursue(Goal::Shrink(0), cx),
            // As in Flink, the end of input does not end windows of the wall clock.
            Phase::Single | Phase::Global => Ok(Progress::Done),
        }
    }

    fn next_time(&self) -> Option<ProcessingTime> {
        match self.layout.spec.time {
            TimeSource::Column(_) | TimeSource::Record => None,
            TimeSource::Processing => self.next_end().map(ProcessingTime),
        }
    }

    fn memory_bytes(&self) -> usize {
        let spare: usize = self.spare.iter().map(Groups::memory_bytes).sum();
        let emission = self.emission.as_ref().map_or(0, Emission::memory_bytes);
        let shortcut = self.shortcut.as_ref().map_or(0, Shortcut::memory_bytes);
        self.panes.memory_bytes() + self.running.memory_bytes() + spare + emission + shortcut
    }
}

#[cfg(test)]
mod tests;
