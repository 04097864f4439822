//! Windows on a grid, fired once each when the clock passes their end: tumbling, sliding, cumulating and attached ones.
//!
//! Rows are aggregated per *pane*, the longest interval that no window cuts, and each row is looked up once. A tumbling
//! window is one pane. Sliding windows share panes: `running` holds the aggregates over the panes of the next window to
//! fire, and moving on adds the pane that enters and takes away the one that leaves. Where an aggregate cannot take away
//! (MIN), the panes of each window are merged anew. A cumulating window only ever adds.
//!
//! ```text
//!  panes      │ p0 │ p1 │ p2 │ p3 │ p4 │ …         size = 3 panes, slide = 1
//!  fired        [ p0   p1   p2 )
//!  running           [ p1   p2   p3 )              − p0, + p3
//! ```
//!
//! This is the fast path: no allowed lateness, no evictor, the default trigger. [`super::TriggeredWindows`] does the rest,
//! and both keep the same rules: a row is late when every window it falls into has fired.
//!
//! In the [`Phase::Local`] phase panes are not combined into windows but sent on as partials when the clock passes their
//! end, so that the [`Phase::Global`] one after the exchange sees each key once per pane. A partial never comes too late:
//! it is sent before the watermark that ends its pane.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, TimestampMillisecondType};

use super::groups::{Groups, Layout, window_field};
use super::rows::{self, Paned};
use super::{Phase, TimeSource, TimeWindow, WindowAggregateSpec, WindowSpec, emission};
use crate::aggregate::{GroupIndex, RowNumbers};
use crate::batch::EventBatch;
use crate::element::{Barrier, CheckpointId, Watermark};
use crate::error::{Error, Result};
use crate::key::key_group::MaxParallelism;
use crate::operators::{InputId, Operator, OperatorContext, PortId, ProcessingTime, Progress};
use crate::state::OperatorState;

/// Groups of a local table beyond which it is sent on before its pane ends.
const LOCAL_GROUPS_MAX: usize = 128 * 1024;
/// Tables that are kept for the next pane instead of being given back to the allocator.
const SPARE_TABLES_MAX: usize = 4;

/// The operator. See the [module](self).
#[derive(Debug)]
pub struct GridWindows {
    layout: Layout,
    grid: Grid,
    /// Panes by end and start, so that the first is the next to fire.
    panes: BTreeMap<(i64, i64), Groups>,
    running: Running,
    emission: Option<Emission>,
    goal: Goal,
    /// Event time: the watermark. Processing time: the millisecond before the last timer call.
    clock: i64,
    /// The clock up to which all windows have fired; it follows `clock` when nothing is left to emit.
    fired: i64,
    next_row: i64,
    spare: Vec<Groups>,
}

/// The arithmetic of a window specification.
#[derive(Debug, Clone, Copy)]
enum Grid {
    /// A window is one pane, known from the time of a row or from its columns.
    Alone(WindowSpec),
    Sliding {
        size: i64,
        slide: i64,
        offset: i64,
        pane: i64,
    },
    Cumulating {
        max_size: i64,
        step: i64,
        offset: i64,
    },
}

/// The aggregates over the panes from `start` to `end`, for windows that share panes.
#[derive(Debug)]
struct Running {
    groups: Groups,
    start: i64,
    end: i64,
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

impl GridWindows {
    /// Whether this operator can do what `spec` asks for.
    pub fn can_run(spec: &WindowAggregateSpec) -> bool {
        use super::TriggerSpec as T;
        let default_trigger = match spec.time {
            TimeSource::Processing => spec.trigger == T::ProcessingTime,
            TimeSource::Column(_) | TimeSource::Record => spec.trigger == T::EventTime,
        };
        let on_grid = match spec.window {
            WindowSpec::Tumbling { .. }
            | WindowSpec::Sliding { .. }
            | WindowSpec::Cumulating { .. }
            | WindowSpec::Attached { .. } => true,
            WindowSpec::Session { .. } | WindowSpec::Global => false,
        };
        let on_time = spec.allowed_lateness_ms == 0 || spec.time == TimeSource::Processing;
        default_trigger && on_grid && on_time && spec.evictor.is_none()
    }

    /// An empty operator for `spec`, which [`GridWindows::can_run`].
    pub fn new(spec: Arc<WindowAggregateSpec>, max_parallelism: MaxParallelism) -> Result<Self> {
        spec.window.check()?;
        let grid = match spec.window {
            WindowSpec::Sliding { size, slide, offset } => {
                let pane = spec.window.pane_size().unwrap_or(slide);
                Grid::Sliding { size, slide, offset, pane }
            }
            WindowSpec::Cumulating { max_size, step, offset } => Grid::Cumulating { max_size, step, offset },
            WindowSpec::Tumbling { .. } | WindowSpec::Attached { .. } => Grid::Alone(spec.window),
            WindowSpec::Session { .. } | WindowSpec::Global => {
                return Err(Error::internal("session and global windows are not on a grid"));
            }
        };
        let layout = Layout::new(spec, max_parallelism)?;
        let running = Running { groups: Groups::new(&layout)?, start: i64::MIN, end: i64::MIN };
        Ok(Self {
            layout,
            grid,
            panes: BTreeMap::new(),
            running,
            emission: None,
            goal: Goal::Fire,
            clock: i64::MIN,
            fired: i64::MIN,
            next_row: 0,
            spare: Vec::new(),
        })
    }

    fn phase(&self) -> Phase {
        self.layout.spec.phase
    }

    /// The batch pane by pane.
    fn paned(&self, batch: EventBatch, now: ProcessingTime) -> Result<Paned> {
        if self.phase() == Phase::Global {
            let keys = self.layout.key_fields.len();
            return self.paned_by_columns(batch, keys, keys + 1);
        }
        if let Grid::Alone(WindowSpec::Attached { start, end }) = self.grid {
            return self.paned_by_columns(batch, start, end);
        }
        let times = rows::times(&self.layout.spec, &batch, now)?;
        let least = times.iter().copied().min().unwrap_or_default();
        let greatest = times.iter().copied().max().unwrap_or_default();
        let (first, last) = (self.pane_of(least), self.pane_of(greatest));
        if first == last && first.is_some() {
            return Ok(Paned::whole(batch, first));
        }
        rows::by_pane(batch, |row| self.pane_of(times[row]))
    }

    fn paned_by_columns(&self, batch: EventBatch, start: usize, end: usize) -> Result<Paned> {
        let missing = || Error::NoEventTime { operator: self.layout.spec.name.clone() };
        let starts = rows::milliseconds(&batch, start).ok_or_else(missing)?;
        let ends = rows::milliseconds(&batch, end).ok_or_else(missing)?;
        rows::by_pane(batch, |row| Some(TimeWindow { start: starts[row], end: ends[row] }))
    }

    /// The pane that `time` falls into; `None` beyond the times there are.
    fn pane_of(&self, time: i64) -> Option<TimeWindow> {
        let (size, offset) = match self.grid {
            Grid::Alone(WindowSpec::Tumbling { size, offset }) => (size, offset),
            Grid::Alone(_) => return None,
            Grid::Sliding { offset, pane, .. } => (pane, offset),
            Grid::Cumulating { step, offset, .. } => (step, offset),
        };
        let start = super::assigner::window_start(time, offset, size)?;
        Some(TimeWindow { start, end: start.checked_add(size)? })
    }

    /// The end of the last window that `pane` is part of; `None` if it lies in a gap between windows.
    fn last_end(&self, pane: TimeWindow) -> Option<i64> {
        match self.grid {
            Grid::Alone(_) => Some(pane.end),
            Grid::Sliding { size, slide, offset, .. } => {
                // The last window that starts at or before the pane.
                let end = super::assigner::window_start(pane.start, offset, slide)?.checked_add(size)?;
                (end >= pane.end).then_some(end)
            }
            Grid::Cumulating { max_size, offset, .. } => {
                super::assigner::window_start(pane.start, offset, max_size)?.checked_add(max_size)
            }
        }
    }

    /// Whether the clock has passed `end`.
    fn has_passed(&self, end: i64) -> bool {
        end - 1 <= self.clock
    }

    fn take_rows(&mut self, paned: &Paned, cx: &mut OperatorContext<'_>) -> Result<()> {
        let first = self.next_row;
        self.next_row += i64::try_from(paned.batch.num_rows()).unwrap_or(i64::MAX);
        for (pane, range) in &paned.panes {
            let part = paned.batch.slice(range.start, range.len());
            let numbers = paned.numbers(range, first);
            let Some(pane) = *pane else {
                return Err(Error::data(
                    &self.layout.spec.name,
                    "a row's time lies so far from 1970 that its window cannot be represented; filter such rows out",
                ));
            };
            match self.last_end(pane) {
                // Rows in a gap between windows belong to none of them.
                None => {}
                Some(last) if self.phase() != Phase::Local && self.has_passed(last) => self.late(part, cx),
                Some(_) => self.add(pane, &part, numbers)?,
            }
        }
        Ok(())
    }

    fn late(&self, part: EventBatch, cx: &mut OperatorContext<'_>) {
        let rows = match self.phase() {
            Phase::Global => {
                let counts = part.rows.column(self.layout.key_fields.len() + 2);
                let counts = counts.as_primitive::<arrow::datatypes::Int64Type>();
                usize::try_from(counts.values().iter().sum::<i64>()).unwrap_or(0)
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
        let in_running = match self.grid {
            Grid::Alone(_) => false,
            Grid::Sliding { .. } | Grid::Cumulating { .. } => {
                self.running.start <= pane.start && pane.start < self.running.end
            }
        };
        if in_running && self.merges_incrementally() {
            add_to(&mut self.running.groups, &self.layout, part, numbers)?;
            if matches!(self.grid, Grid::Cumulating { .. }) {
                return Ok(());
            }
        }
        let groups = match self.panes.entry((pane.end, pane.start)) {
            std::collections::btree_map::Entry::Occupied(found) => found.into_mut(),
            std::collections::btree_map::Entry::Vacant(vacant) => match self.spare.pop() {
                Some(spare) => vacant.insert(spare),
                None => vacant.insert(Groups::new(&self.layout)?),
            },
        };
        add_to(groups, &self.layout, part, numbers)
    }

    fn merges_incrementally(&self) -> bool {
        self.running.groups.is_invertible() || matches!(self.grid, Grid::Cumulating { .. })
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
            let from = emission.pane.as_ref().unwrap_or(&self.running.groups);
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

    fn recycle(&mut self, mut groups: Groups) {
        if self.spare.len() < SPARE_TABLES_MAX {
            groups.clear();
            self.spare.push(groups);
        }
    }

    /// Prepares the results of the next window that the clock has passed, if there is one.
    fn fire_next(&mut self) -> Result<bool> {
        match self.grid {
            _ if self.phase() == Phase::Local => Ok(self.fire_pane()),
            Grid::Alone(_) => Ok(self.fire_pane()),
            Grid::Sliding { size, slide, offset, .. } => self.fire_sliding(size, slide, offset),
            Grid::Cumulating { max_size, step, offset } => self.fire_cumulating(max_size, step, offset),
        }
    }

    fn fire_pane(&mut self) -> bool {
        match self.panes.first_entry() {
            Some(first) if first.key().0 - 1 <= self.clock => {
                let (end, start) = *first.key();
                self.emit_pane(TimeWindow { start, end });
                true
            }
            Some(_) | None => false,
        }
    }

    fn emit_pane(&mut self, window: TimeWindow) {
        if let Some(groups) = self.panes.remove(&(window.end, window.start)) {
            self.emission = Some(Emission { window, left: groups.live(), pane: Some(groups), at: 0 });
        }
    }

    fn fire_sliding(&mut self, size: i64, slide: i64, offset: i64) -> Result<bool> {
        let Some(end) = self.next_sliding_end(size, slide, offset) else { return Ok(false) };
        if !self.has_passed(end) {
            return Ok(false);
        }
        let window = TimeWindow { start: end - size, end };
        if self.merges_incrementally() {
            self.slide_to(window)?;
        } else {
            self.merge_anew(window)?;
        }
        self.emit_running(window);
        Ok(true)
    }

    /// The end of the first window that has not fired and that the earliest pane may be part of. A window that ended before
    /// the clock came here is not fired for a row that came after: for that window the row was late.
    fn next_sliding_end(&self, size: i64, slide: i64, offset: i64) -> Option<i64> {
        let (pane_end, _) = *self.panes.first_key_value()?.0;
        let earliest = pane_end.max(self.fired.checked_add(2)?);
        // The first window end at or after that.
        super::assigner::window_start(earliest - 1, offset + size, slide)?.checked_add(slide)
    }

    /// Moves `running` to `window`: takes away the panes that leave it and adds those that enter.
    fn slide_to(&mut self, window: TimeWindow) -> Result<()> {
        let leaving: Vec<(i64, i64)> =
            self.panes.keys().copied().take_while(|(_, start)| *start < window.start).collect();
        for key in leaving {
            if let Some(groups) = self.panes.remove(&key) {
                if (self.running.start..self.running.end).contains(&key.1) {
                    self.running.groups.retract_groups(&groups)?;
                }
                self.recycle(groups);
            }
        }
        for ((_, start), groups) in &self.panes {
            if *start >= self.running.end.max(window.start) && *start < window.end {
                self.running.groups.merge_groups(groups)?;
            }
        }
        (self.running.start, self.running.end) = (window.start, window.end);
        Ok(())
    }

    /// Merges all panes of `window`.
    fn merge_anew(&mut self, window: TimeWindow) -> Result<()> {
        self.running.groups.clear();
        while let Some(first) = self.panes.first_entry() {
            if first.key().1 >= window.start {
                break;
            }
            let groups = first.remove();
            self.recycle(groups);
        }
        for ((_, start), groups) in &self.panes {
            if *start >= window.end {
                break;
            }
            self.running.groups.merge_groups(groups)?;
        }
        (self.running.start, self.running.end) = (window.start, window.end);
        Ok(())
    }

    fn fire_cumulating(&mut self, max_size: i64, step: i64, offset: i64) -> Result<bool> {
        let Some(window) = self.next_cumulating(max_size, step, offset) else { return Ok(false) };
        if !self.has_passed(window.end) {
            return Ok(false);
        }
        if window.start != self.running.start {
            self.running.groups.clear();
        }
        if let Some(groups) = self.panes.remove(&(window.end, window.end - step)) {
            self.running.groups.merge_groups(&groups)?;
            self.recycle(groups);
        }
        (self.running.start, self.running.end) = (window.start, window.end);
        // A step that ended before the clock came here is not fired for rows that came after.
        if window.end - 1 > self.fired {
            self.emit_running(window);
        }
        Ok(true)
    }

    /// The next step of the window that is being cumulated, or the first step of the earliest pane's.
    fn next_cumulating(&self, max_size: i64, step: i64, offset: i64) -> Option<TimeWindow> {
        let Running { groups, start, end } = &self.running;
        if !groups.is_empty() && end - start < max_size {
            return Some(TimeWindow { start: *start, end: end + step });
        }
        let (end, start) = *self.panes.first_key_value()?.0;
        Some(TimeWindow { start: super::assigner::window_start(start, offset, max_size)?, end })
    }

    fn emit_running(&mut self, window: TimeWindow) {
        let left = self.running.groups.live();
        if !left.is_empty() {
            self.emission = Some(Emission { window, pane: None, left, at: 0 });
        }
    }

    /// Prepares the earliest local table to be sent on, if there are more than `groups` groups.
    fn shrink(&mut self, groups: usize) -> bool {
        let held: usize = self.panes.values().map(Groups::len).sum();
        match self.panes.first_key_value().filter(|_| held > groups) {
            Some((&(end, start), _)) => {
                self.emit_pane(TimeWindow { start, end });
                true
            }
            None => false,
        }
    }

    /// Bytes that the tables hold.
    pub fn memory_bytes(&self) -> usize {
        let panes: usize = self.panes.values().map(Groups::memory_bytes).sum();
        panes + self.running.groups.memory_bytes()
    }
}

fn add_to(groups: &mut Groups, layout: &Layout, part: &EventBatch, numbers: RowNumbers<'_>) -> Result<()> {
    match layout.spec.phase {
        Phase::Single | Phase::Local => groups.update(&layout.key_columns(&part.rows), &part.rows, numbers),
        Phase::Global => {
            let columns = part.rows.columns();
            let keys = layout.key_fields.len();
            groups.merge(&columns[..keys], &columns[keys + 2], &columns[keys + 3..])
        }
    }
}

impl Operator for GridWindows {
    fn process_batch(&mut self, _: InputId, batch: EventBatch, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        let paned = self.paned(batch, cx.now)?;
        self.take_rows(&paned, cx)?;
        match self.phase() {
            Phase::Local => self.pursue(Goal::Shrink(LOCAL_GROUPS_MAX), cx),
            Phase::Single | Phase::Global => Ok(Progress::Done),
        }
    }

    fn process_watermark(&mut self, watermark: Watermark, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        match self.layout.spec.time {
            TimeSource::Processing => Ok(Progress::Done),
            TimeSource::Column(_) | TimeSource::Record => {
                self.clock = watermark.0;
                self.pursue(Goal::Fire, cx)
            }
        }
    }

    /// A row may still come in the millisecond that it is now, so only windows that end before it are fired.
    fn process_time(&mut self, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        self.clock = self.clock.max(cx.now.0 - 1);
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
        let mut state = OperatorState::default();
        for ((end, start), groups) in &self.panes {
            add_section(&mut state, "panes", &self.layout, groups, TimeWindow { start: *start, end: *end })?;
        }
        let running = TimeWindow { start: self.running.start, end: self.running.end };
        add_section(&mut state, "running", &self.layout, &self.running.groups, running)?;
        let values = [self.clock, self.fired, self.next_row, self.running.start, self.running.end];
        state.add_value("clock", values.iter().flat_map(|value| value.to_le_bytes()).collect());
        Ok(state)
    }

    fn restore(&mut self, parts: Vec<OperatorState>) -> Result<()> {
        for part in &parts {
            self.restore_values(part)?;
            for rows in part.keyed("panes") {
                self.restore_panes(rows)?;
            }
            for rows in part.keyed("running") {
                let (keys, counts, states) = split_section(rows, self.layout.key_fields.len());
                self.running.groups.merge(&keys, &counts, &states)?;
            }
        }
        Ok(())
    }

    fn checkpoint_completed(&mut self, _: CheckpointId) -> Result<()> {
        Ok(())
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

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl GridWindows {
    fn next_end(&self) -> Option<i64> {
        match self.grid {
            Grid::Sliding { size, slide, offset, .. } if self.phase() != Phase::Local => {
                self.next_sliding_end(size, slide, offset)
            }
            Grid::Cumulating { max_size, step, offset } if self.phase() != Phase::Local => {
                self.next_cumulating(max_size, step, offset).map(|window| window.end)
            }
            Grid::Alone(_) | Grid::Sliding { .. } | Grid::Cumulating { .. } => {
                self.panes.first_key_value().map(|((end, _), _)| *end)
            }
        }
    }

    fn restore_values(&mut self, part: &OperatorState) -> Result<()> {
        let Some(bytes) = part.value("clock") else { return Ok(()) };
        let mut values = bytes.chunks_exact(8).map(|value| {
            let mut wide = [0; 8];
            wide.copy_from_slice(value);
            i64::from_le_bytes(wide)
        });
        let mut next = || {
            values.next().ok_or_else(|| Error::State {
                operator: self.layout.spec.name.clone(),
                message: "its clock is cut off".to_owned(),
            })
        };
        let (clock, fired, next_row) = (next()?, next()?, next()?);
        let (start, end) = (next()?, next()?);
        // All former subtasks have seen the same watermarks before the barrier.
        self.clock = self.clock.max(clock);
        self.fired = self.fired.max(fired);
        self.next_row = self.next_row.max(next_row);
        (self.running.start, self.running.end) = (self.running.start.max(start), self.running.end.max(end));
        Ok(())
    }

    fn restore_panes(&mut self, rows: &RecordBatch) -> Result<()> {
        let keys = self.layout.key_fields.len();
        let starts = rows.column(keys + 1).as_primitive::<TimestampMillisecondType>();
        let ends = rows.column(keys + 2).as_primitive::<TimestampMillisecondType>();
        let mut from = 0;
        while from < rows.num_rows() {
            let pane = (ends.value(from), starts.value(from));
            let same = (from..rows.num_rows()).take_while(|&row| pane == (ends.value(row), starts.value(row)));
            let run = rows.slice(from, same.count());
            from += run.num_rows();
            let (keys, counts, states) = split_section(&run, keys);
            if !self.panes.contains_key(&pane) {
                self.panes.insert(pane, Groups::new(&self.layout)?);
            }
            if let Some(groups) = self.panes.get_mut(&pane) {
                groups.merge(&keys, &counts, &states)?;
            }
        }
        Ok(())
    }
}

/// Adds all groups of a pane to a snapshot.
fn add_section(
    state: &mut OperatorState,
    name: &str,
    layout: &Layout,
    groups: &Groups,
    pane: TimeWindow,
) -> Result<()> {
    let live = groups.live();
    if live.is_empty() {
        return Ok(());
    }
    let keys = groups.key_columns(&live)?;
    let key_groups = layout.key_groups(&keys, live.len())?;
    let mut columns: Vec<(Field, ArrayRef)> = layout.key_fields.iter().cloned().zip(keys).collect();
    let times =
        |time: i64| -> ArrayRef { Arc::new(arrow::array::TimestampMillisecondArray::from_value(time, live.len())) };
    columns.push((window_field("window_start"), times(pane.start)));
    columns.push((window_field("window_end"), times(pane.end)));
    columns.push((Field::new("rows", DataType::Int64, false), groups.row_counts(&live)));
    columns.extend(layout.state_fields.iter().cloned().zip(groups.states(&live)?));
    state.add_keyed(name, key_groups, columns)
}

/// Keys, numbers of rows and states of a stored section.
fn split_section(rows: &RecordBatch, keys: usize) -> (Vec<ArrayRef>, ArrayRef, Vec<ArrayRef>) {
    let columns = &rows.columns()[1..];
    (columns[..keys].to_vec(), Arc::clone(&columns[keys + 2]), columns[keys + 3..].to_vec())
}
