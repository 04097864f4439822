//! Session windows with a fixed gap that fire once, when the watermark passes their end.
//!
//! Nearly every row belongs to the session that its key has open already and only moves that session's end. So the open
//! session of a key stands in a column addressed by the key's number, a key's further sessions (rows far out of order) in
//! a small list, and no timer is moved when a session grows: a session is filed under the end it had when it began, and
//! filed again when the watermark comes by and finds that it has grown.
//!
//! ```text
//!  calendar:  bucket 17: [k3 k8]   bucket 18: [k1]   …      bucket = end / width
//!  watermark passes bucket 17:  k3 has ended → fired;  k8 ends in bucket 19 by now → filed there
//! ```
//!
//! Buckets are fired one after the other, so that what waits to be given out is a part of the sessions that end.
//!
//! The rules are those of [`super::triggered`]: sessions that overlap or touch merge, a row is late when the session
//! it would make has ended and it meets none that is open.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, RecordBatch, TimestampMillisecondArray, UInt32Array};
use arrow::datatypes::{Field, TimestampMillisecondType};

use super::calendar::{Calendar, Filed};
use super::groups::{Layout, window_field};
use super::{Phase, SessionGap, TimeSource, TimeWindow, TriggerSpec, WindowAggregateSpec, WindowSpec, emission, rows};
use crate::aggregate::{AccumulatorSet, GroupIndex, RowNumbers};
use crate::batch::EventBatch;
use crate::element::{Barrier, Watermark};
use crate::error::{Error, Result};
use crate::key::key_group::MaxParallelism;
use crate::key::lists::KeyedLists;
use crate::key::table::{KeyIndex, KeyTable};
use crate::memory;
use crate::operators::{InputId, Operator, OperatorContext, PortId, Progress};
use crate::state::{OperatorState, decode_numbers, encode_numbers};

const SESSIONS: &str = "sessions";
const CLOCK: &str = "clock";

/// The operator. See the [module](self).
#[derive(Debug)]
pub struct SessionWindows {
    layout: Layout,
    gap: i64,
    keys: KeyTable,
    /// By key: the session that rows are most likely to meet.
    open: Vec<Option<Session>>,
    /// By key: the others.
    others: KeyedLists<Session>,
    accumulators: AccumulatorSet,
    free: Vec<GroupIndex>,
    used: GroupIndex,
    calendar: Calendar,
    watermark: i64,
    next_row: i64,
    /// Sessions of one bucket that have ended, and how many of them are given out.
    ended: Vec<(KeyIndex, Session)>,
    emitted: usize,
    /// Whether all buckets that the watermark has reached were looked at.
    is_collected: bool,
    found: Vec<KeyIndex>,
    groups: Vec<GroupIndex>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Session {
    start: i64,
    end: i64,
    group: GroupIndex,
    /// The bucket that it is filed in. Entries for it in other buckets are of sessions that it has taken over.
    bucket: i64,
}

impl Session {
    fn window(self) -> TimeWindow {
        TimeWindow { start: self.start, end: self.end }
    }
}

impl SessionWindows {
    /// Whether this operator can do what `spec` asks for.
    pub fn can_run(spec: &WindowAggregateSpec) -> bool {
        matches!(spec.window, WindowSpec::Session { gap: SessionGap::Fixed(_) })
            && spec.time != TimeSource::Processing
            && spec.trigger == TriggerSpec::EventTime
            && spec.evictor.is_none()
            && spec.allowed_lateness_ms == 0
            && spec.phase == Phase::Single
    }

    /// An empty operator for `spec`, which [`SessionWindows::can_run`].
    pub fn new(spec: Arc<WindowAggregateSpec>, max_parallelism: MaxParallelism) -> Result<Self> {
        spec.window.check()?;
        let WindowSpec::Session { gap: SessionGap::Fixed(gap) } = spec.window else {
            return Err(Error::internal("not a session window with a fixed gap"));
        };
        let accumulators = AccumulatorSet::new(&spec.aggregates, &spec.input)?;
        let layout = Layout::new(spec, max_parallelism)?;
        let types = layout.key_fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(Self {
            keys: KeyTable::new(types)?,
            layout,
            gap,
            open: Vec::new(),
            others: KeyedLists::new(),
            accumulators,
            free: Vec::new(),
            used: 0,
            calendar: Calendar::new((gap / 16).max(1)),
            watermark: i64::MIN,
            next_row: 0,
            ended: Vec::new(),
            emitted: 0,
            is_collected: true,
            found: Vec::new(),
            groups: Vec::new(),
        })
    }

    fn take_in(&mut self, batch: &EventBatch, cx: &mut OperatorContext<'_>) -> Result<()> {
        let times = rows::times(&self.layout.spec, batch, cx.now)?;
        let rows = batch.num_rows();
        let mut found = std::mem::take(&mut self.found);
        self.keys.intern(&self.layout.key_columns(&batch.rows), rows, &mut found)?;
        self.open.resize(self.keys.capacity_used(), None);
        let mut pending = Pending { groups: std::mem::take(&mut self.groups), from: 0, late: Vec::new() };
        pending.groups.clear();
        for row in 0..rows {
            let (key, time) = (found[row], times[row]);
            if let Some(session) = &mut self.open[key as usize]
                && session.start <= time
                && time <= session.end
            {
                // A row inside the open session, or one that moves its end where no other session can be met.
                match time.checked_add(self.gap) {
                    Some(end) if end <= session.end || !self.others.has(key) => {
                        session.end = end.max(session.end);
                        pending.groups.push(session.group);
                        continue;
                    }
                    Some(_) | None => {}
                }
            }
            self.join_or_begin(key, time, batch, &mut pending)?;
        }
        self.apply(batch, &mut pending)?;
        self.next_row += i64::try_from(rows).unwrap_or(i64::MAX);
        self.forget_empty_keys(pending.late.iter().map(|&row| found[row as usize]).collect());
        cx.metrics.count_late(pending.late.len());
        if self.layout.spec.late_output && !pending.late.is_empty() {
            cx.out.emit(PortId::LATE, batch.take(&UInt32Array::from(pending.late))?);
        }
        (self.found, self.groups) = (found, pending.groups);
        Ok(())
    }

    /// The row at `time` opens a session, or joins those that it meets, which become one.
    fn join_or_begin(&mut self, key: KeyIndex, time: i64, batch: &EventBatch, pending: &mut Pending) -> Result<()> {
        let Some(end) = time.checked_add(self.gap) else {
            return Err(rows::too_far(&self.layout.spec, time));
        };
        let own = TimeWindow { start: time, end };
        let mut met: Vec<Session> = Vec::new();
        if let Some(session) = self.open[key as usize]
            && session.window().intersects(own)
        {
            met.push(session);
            self.open[key as usize] = None;
        }
        self.others.take_from(key, |others| met.extend(others.extract_if(.., |other| other.window().intersects(own))));
        let session = match met.as_slice() {
            [] if end - 1 <= self.watermark => {
                pending.late.push(u32::try_from(pending.groups.len()).unwrap_or(u32::MAX));
                // A place that no accumulator is updated for.
                pending.groups.push(GroupIndex::MAX);
                return Ok(());
            }
            [] => self.begin(key, own),
            [first, rest @ ..] => {
                if !rest.is_empty() {
                    self.apply(batch, pending)?;
                }
                self.merge(*first, rest, own)?
            }
        };
        pending.groups.push(session.group);
        if let Some(before) = self.open[key as usize].replace(session) {
            self.others.push(key, before);
        }
        Ok(())
    }

    fn begin(&mut self, key: KeyIndex, window: TimeWindow) -> Session {
        let group = self.free.pop().unwrap_or_else(|| {
            self.used += 1;
            self.used - 1
        });
        self.accumulators.resize(self.used as usize);
        let mut session = Session { start: window.start, end: window.end, group, bucket: 0 };
        self.file(key, &mut session);
        session
    }

    fn merge(&mut self, first: Session, rest: &[Session], own: TimeWindow) -> Result<Session> {
        let mut merged = first.window().cover(own);
        for other in rest {
            merged = merged.cover(other.window());
            let states = self.accumulators.states(&[other.group])?;
            self.accumulators.merge(&[first.group], &states)?;
            self.accumulators.reset(other.group);
            self.free.push(other.group);
        }
        Ok(Session { start: merged.start, end: merged.end, ..first })
    }

    fn file(&mut self, key: KeyIndex, session: &mut Session) {
        session.bucket = self.calendar.file(session.end, Filed { key, group: session.group });
    }

    /// Updates the accumulators with the rows that were assigned since the last time.
    fn apply(&mut self, batch: &EventBatch, pending: &mut Pending) -> Result<()> {
        let (from, to) = (pending.from, pending.groups.len());
        pending.from = to;
        let groups = &pending.groups[from..to];
        let first = self.next_row + i64::try_from(from).unwrap_or(i64::MAX);
        if !groups.contains(&GroupIndex::MAX) {
            let part = batch.rows.slice(from, to - from);
            return self.accumulators.update(groups, &part, RowNumbers::Consecutive(first));
        }
        let on_time: Vec<u32> =
            (0_u32..).zip(groups).filter(|(_, of)| **of != GroupIndex::MAX).map(|(at, _)| at).collect();
        let groups: Vec<GroupIndex> = on_time.iter().map(|&at| groups[at as usize]).collect();
        let part = batch.slice(from, to - from).take(&UInt32Array::from(on_time.clone()))?;
        self.accumulators.update(&groups, &part.rows, RowNumbers::Ordered { first, order: &on_time })
    }

    /// Collects the sessions of the next bucket that the watermark has passed, in the order of their ends. The others are
    /// filed again, where their ends are by now.
    fn collect_ended(&mut self) {
        let Some((number, filed)) = self.calendar.pop_reached(self.watermark) else {
            self.is_collected = true;
            return;
        };
        let end_of_bucket = self.calendar.last_of(number);
        let passed = self.watermark.min(end_of_bucket);
        for Filed { key, group } in filed {
            // One that is not there has been taken over by another, which is filed itself.
            match self.session_of(key, group).filter(|session| session.bucket == number) {
                Some(session) if session.end - 1 <= passed => self.end(key, session),
                Some(session) => self.file_again(key, session),
                None => {}
            }
        }
        self.ended.sort_unstable_by_key(|(_, session)| session.end);
        // In the bucket that the watermark lies in there are those again that go on.
        self.is_collected = self.watermark <= end_of_bucket;
    }

    fn file_again(&mut self, key: KeyIndex, mut session: Session) {
        self.file(key, &mut session);
        if let Some(filed) = self.session_of_mut(key, session.group) {
            filed.bucket = session.bucket;
        }
    }

    fn session_of(&self, key: KeyIndex, group: GroupIndex) -> Option<Session> {
        let open = self.open.get(key as usize).copied().flatten().filter(|of| of.group == group);
        open.or_else(|| self.others.get(key).iter().copied().find(|of| of.group == group))
    }

    fn session_of_mut(&mut self, key: KeyIndex, group: GroupIndex) -> Option<&mut Session> {
        let open = self.open.get_mut(key as usize).and_then(Option::as_mut).filter(|of| of.group == group);
        open.or_else(|| self.others.get_mut(key).iter_mut().find(|of| of.group == group))
    }

    fn end(&mut self, key: KeyIndex, session: Session) {
        if self.open[key as usize] == Some(session) {
            self.open[key as usize] = self.others.take_from(key, Vec::pop);
        } else {
            self.others.take_from(key, |others| others.retain(|other| *other != session));
        }
        self.ended.push((key, session));
    }

    /// Gives out bucket after bucket until the output is full.
    fn fire(&mut self, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        loop {
            if self.emit(cx)? == Progress::Yield {
                return Ok(Progress::Yield);
            }
            if self.is_collected {
                self.give_back_memory()?;
                return Ok(Progress::Done);
            }
            self.collect_ended();
        }
    }

    fn emit(&mut self, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        while self.emitted < self.ended.len() {
            if cx.out.is_full() {
                return Ok(Progress::Yield);
            }
            let to = self.ended.len().min(self.emitted + cx.out.room());
            let part = &self.ended[self.emitted..to];
            let keys: Vec<KeyIndex> = part.iter().map(|(key, _)| *key).collect();
            let windows: Vec<TimeWindow> = part.iter().map(|(_, session)| session.window()).collect();
            let groups: Vec<GroupIndex> = part.iter().map(|(_, session)| session.group).collect();
            let values = self.accumulators.values(&groups)?;
            cx.out.emit(PortId::MAIN, emission::rows(&self.layout, self.keys.columns(&keys)?, &windows, values)?);
            for group in groups {
                self.accumulators.reset(group);
                self.free.push(group);
            }
            self.emitted = to;
        }
        self.emitted = 0;
        let keys = self.ended.drain(..).map(|(key, _)| key).collect();
        self.forget_empty_keys(keys);
        Ok(Progress::Done)
    }

    /// Begins anew when no session is left of very many.
    fn give_back_memory(&mut self) -> Result<()> {
        if self.keys.is_empty() && self.memory_bytes() > memory::KEPT_WHEN_EMPTY {
            let empty = Self::new(Arc::clone(&self.layout.spec), self.layout.max_parallelism)?;
            *self = Self { watermark: self.watermark, next_row: self.next_row, ..empty };
        }
        Ok(())
    }

    /// Gives back the numbers of those keys that have no session.
    fn forget_empty_keys(&mut self, mut keys: Vec<KeyIndex>) {
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            if self.open[key as usize].is_none() && !self.others.has(key) {
                self.keys.remove(key);
            }
        }
    }

    fn sessions(&self) -> Vec<(KeyIndex, Session)> {
        let open = (0..).zip(&self.open).filter_map(|(key, session)| Some((key, (*session)?)));
        let others = self.others.iter().flat_map(|(key, others)| others.iter().map(move |session| (key, *session)));
        let mut others: Vec<(KeyIndex, Session)> = others.collect();
        others.sort_by_key(|(key, _)| *key);
        open.chain(others).collect()
    }

    fn fields(&self) -> Vec<Field> {
        let window = [window_field("window_start"), window_field("window_end")];
        self.layout.key_fields.iter().cloned().chain(window).chain(self.layout.state_fields.iter().cloned()).collect()
    }

    fn load(&mut self, rows: &RecordBatch) -> Result<()> {
        let keys = self.layout.key_fields.len();
        let columns = &rows.columns()[1..];
        let mut found = Vec::new();
        self.keys.intern(&columns[..keys], rows.num_rows(), &mut found)?;
        self.open.resize(self.keys.capacity_used(), None);
        let starts = columns[keys].as_primitive::<TimestampMillisecondType>();
        let ends = columns[keys + 1].as_primitive::<TimestampMillisecondType>();
        let mut groups = Vec::with_capacity(found.len());
        for (row, &key) in found.iter().enumerate() {
            let session = self.begin(key, TimeWindow { start: starts.value(row), end: ends.value(row) });
            groups.push(session.group);
            if let Some(before) = self.open[key as usize].replace(session) {
                self.others.push(key, before);
            }
        }
        self.accumulators.merge(&groups, &columns[keys + 2..])
    }

    fn store(&self, state: &mut OperatorState) -> Result<()> {
        let sessions = self.sessions();
        if sessions.is_empty() {
            return Ok(());
        }
        let indices: Vec<KeyIndex> = sessions.iter().map(|(key, _)| *key).collect();
        let mut columns = self.keys.columns(&indices)?;
        let key_groups = self.layout.key_groups(&columns, sessions.len())?;
        let times = |time: fn(&Session) -> i64| -> ArrayRef {
            Arc::new(TimestampMillisecondArray::from_iter_values(sessions.iter().map(|(_, session)| time(session))))
        };
        columns.push(times(|session| session.start));
        columns.push(times(|session| session.end));
        let groups: Vec<GroupIndex> = sessions.iter().map(|(_, session)| session.group).collect();
        columns.extend(self.accumulators.states(&groups)?);
        state.add_keyed(SESSIONS, key_groups, self.fields().into_iter().zip(columns).collect())
    }
}

/// Rows of a batch that were assigned to sessions.
#[derive(Debug)]
struct Pending {
    /// The session of each row so far; `GroupIndex::MAX` for a late one.
    groups: Vec<GroupIndex>,
    /// The first row that the accumulators have not seen.
    from: usize,
    late: Vec<u32>,
}

impl Operator for SessionWindows {
    fn process_batch(&mut self, _: InputId, batch: EventBatch, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        self.take_in(&batch, cx)?;
        Ok(Progress::Done)
    }

    fn process_watermark(&mut self, watermark: Watermark, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        self.watermark = watermark.0;
        self.is_collected = false;
        self.fire(cx)
    }

    fn process_time(&mut self, _: &mut OperatorContext<'_>) -> Result<Progress> {
        Ok(Progress::Done)
    }

    fn resume(&mut self, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        self.fire(cx)
    }

    fn prepare_snapshot(&mut self, _: &Barrier, _: &mut OperatorContext<'_>) -> Result<Progress> {
        Ok(Progress::Done)
    }

    fn snapshot(&mut self) -> Result<OperatorState> {
        let mut state = OperatorState::default();
        self.store(&mut state)?;
        state.add_value(CLOCK, encode_numbers([self.watermark, self.next_row]));
        Ok(state)
    }

    fn restore(&mut self, parts: Vec<OperatorState>) -> Result<()> {
        let spec = Arc::clone(&self.layout.spec);
        let fields = self.fields();
        for part in &parts {
            if let Some([watermark, next_row]) = decode_numbers(&spec.name, CLOCK, part.value(CLOCK))? {
                self.watermark = self.watermark.max(watermark);
                self.next_row = self.next_row.max(next_row);
            }
            part.keyed_as(&spec.name, SESSIONS, &fields)?.into_iter().try_for_each(|rows| self.load(rows))?;
        }
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        let by_key = self.keys.memory_bytes() + memory::vec(&self.open) + self.others.memory_bytes();
        let by_group = self.accumulators.memory_bytes() + memory::vec(&self.free) + self.calendar.memory_bytes();
        by_key + by_group + memory::vec(&self.ended) + memory::vec(&self.found) + memory::vec(&self.groups)
    }
}
