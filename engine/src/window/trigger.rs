//! When a window gives out its result: the rules of each trigger, for one window of one key.
//!
//! A trigger is told of each row and of each timer that it asked for, and answers whether to fire and whether to forget the
//! contents. What it must remember between calls is a [`TriggerState`]; one form serves all triggers, since none needs more
//! than one value of each kind. The rules are Flink's.

use super::{TimeWindow, TriggerSpec};
use crate::error::{Error, Result};

/// What a trigger answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Outcome {
    /// Give out the result.
    pub(super) fire: bool,
    /// Forget the contents (after giving out the result).
    pub(super) purge: bool,
}

impl Outcome {
    const CONTINUE: Self = Self { fire: false, purge: false };
    const FIRE: Self = Self { fire: true, purge: false };

    fn fire_if(fire: bool) -> Self {
        Self { fire, purge: false }
    }
}

/// What a trigger remembers of one window of one key.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct TriggerState {
    /// Rows since the last firing (count).
    pub(super) count: u64,
    /// When an interval ends (continuous).
    pub(super) next_fire: Option<i64>,
    /// The value that fired last (delta).
    pub(super) last: Option<f64>,
    /// When silence has lasted long enough (timeout).
    pub(super) deadline: Option<i64>,
}

/// Which clock a timer follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum TimeDomain {
    Event,
    Processing,
}

/// A timer that a trigger wants or no longer wants for its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimerRequest {
    Register(TimeDomain, i64),
    Delete(TimeDomain, i64),
}

/// What a trigger is told with each call.
#[derive(Debug)]
pub(super) struct TriggerContext<'a> {
    pub(super) window: TimeWindow,
    pub(super) watermark: i64,
    pub(super) now: i64,
    /// What it asks for.
    pub(super) timers: &'a mut Vec<TimerRequest>,
}

impl TriggerContext<'_> {
    fn register(&mut self, domain: TimeDomain, time: i64) {
        self.timers.push(TimerRequest::Register(domain, time));
    }

    fn delete(&mut self, domain: TimeDomain, time: i64) {
        self.timers.push(TimerRequest::Delete(domain, time));
    }
}

/// A row as triggers see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct TriggerRow {
    /// Its event time, or the wall clock.
    pub(super) time: i64,
    /// Its value in the column of a delta trigger.
    pub(super) delta: Option<f64>,
}

impl TriggerSpec {
    /// Refuses settings that cannot work; `merges`: the windows are sessions.
    pub fn check(&self, merges: bool) -> Result<()> {
        let refuse = |message: &str| Err(Error::Invalid(message.to_owned()));
        match self {
            Self::Count(0) => refuse("a count trigger needs a count of at least 1"),
            Self::ContinuousEventTime(interval) | Self::ContinuousProcessingTime(interval) if *interval <= 0 => {
                refuse("a continuous trigger needs an interval of at least 1 ms")
            }
            Self::ProcessingTimeout { timeout_ms, .. } if *timeout_ms <= 0 => {
                refuse("a timeout trigger needs a timeout of at least 1 ms")
            }
            Self::Delta { .. } if merges => refuse("a delta trigger cannot be used with session windows, which merge"),
            Self::Purging(inner) | Self::ProcessingTimeout { inner, .. } => inner.check(merges),
            Self::EventTime
            | Self::ProcessingTime
            | Self::Count(_)
            | Self::ContinuousEventTime(_)
            | Self::ContinuousProcessingTime(_)
            | Self::Delta { .. }
            | Self::EndOfStream
            | Self::Never => Ok(()),
        }
    }

    /// The column of the delta trigger in it.
    pub(super) fn delta_column(&self) -> Option<usize> {
        match self {
            Self::Delta { column, .. } => Some(*column),
            Self::Purging(inner) | Self::ProcessingTimeout { inner, .. } => inner.delta_column(),
            Self::EventTime
            | Self::ProcessingTime
            | Self::Count(_)
            | Self::ContinuousEventTime(_)
            | Self::ContinuousProcessingTime(_)
            | Self::EndOfStream
            | Self::Never => None,
        }
    }

    /// A row was added to the window.
    pub(super) fn on_row(&self, state: &mut TriggerState, row: TriggerRow, cx: &mut TriggerContext<'_>) -> Outcome {
        let end = cx.window.max_timestamp();
        match self {
            Self::EventTime if end <= cx.watermark => Outcome::FIRE,
            Self::EventTime | Self::EndOfStream => {
                cx.register(TimeDomain::Event, end);
                Outcome::CONTINUE
            }
            Self::ProcessingTime => {
                cx.register(TimeDomain::Processing, end);
                Outcome::CONTINUE
            }
            Self::Count(rows) => {
                state.count += 1;
                let full = state.count >= *rows;
                if full {
                    state.count = 0;
                }
                Outcome::fire_if(full)
            }
            Self::ContinuousEventTime(_) if end <= cx.watermark => Outcome::FIRE,
            Self::ContinuousEventTime(interval) => {
                cx.register(TimeDomain::Event, end);
                if state.next_fire.is_none() {
                    schedule(TimeDomain::Event, row.time - row.time % interval, *interval, state, cx);
                }
                Outcome::CONTINUE
            }
            Self::ContinuousProcessingTime(interval) => {
                if state.next_fire.is_none() {
                    schedule(TimeDomain::Processing, cx.now - cx.now % interval, *interval, state, cx);
                }
                Outcome::CONTINUE
            }
            Self::Delta { threshold, .. } => on_delta(state, row.delta, *threshold),
            Self::ProcessingTimeout { inner, timeout_ms } => {
                if let Some(deadline) = state.deadline.take() {
                    cx.delete(TimeDomain::Processing, deadline);
                }
                let deadline = cx.now.saturating_add(*timeout_ms);
                state.deadline = Some(deadline);
                cx.register(TimeDomain::Processing, deadline);
                let outcome = inner.on_row(state, row, cx);
                if outcome.fire {
                    self.clear(state, cx);
                }
                outcome
            }
            Self::Never => Outcome::CONTINUE,
            Self::Purging(inner) => purging(inner.on_row(state, row, cx)),
        }
    }

    /// A timer of event time has come.
    pub(super) fn on_event_time(&self, state: &mut TriggerState, time: i64, cx: &mut TriggerContext<'_>) -> Outcome {
        let at_end = time == cx.window.max_timestamp();
        match self {
            Self::EventTime | Self::EndOfStream => Outcome::fire_if(at_end),
            Self::ContinuousEventTime(_) if at_end => Outcome::FIRE,
            Self::ContinuousEventTime(interval) => interval_ended(TimeDomain::Event, time, *interval, state, cx),
            Self::ProcessingTimeout { inner, .. } => {
                let outcome = inner.on_event_time(state, time, cx);
                if outcome.fire {
                    self.clear(state, cx);
                }
                outcome
            }
            Self::Purging(inner) => purging(inner.on_event_time(state, time, cx)),
            Self::ProcessingTime
            | Self::Count(_)
            | Self::ContinuousProcessingTime(_)
            | Self::Delta { .. }
            | Self::Never => Outcome::CONTINUE,
        }
    }

    /// A timer of the wall clock has come.
    pub(super) fn on_processing_time(
        &self,
        state: &mut TriggerState,
        time: i64,
        cx: &mut TriggerContext<'_>,
    ) -> Outcome {
        match self {
            Self::ProcessingTime => Outcome::fire_if(time == cx.window.max_timestamp()),
            Self::ContinuousProcessingTime(interval) => {
                interval_ended(TimeDomain::Processing, time, *interval, state, cx)
            }
            Self::ProcessingTimeout { inner, .. } => {
                let timed_out = state.deadline == Some(time);
                let outcome = inner.on_processing_time(state, time, cx);
                if timed_out || outcome.fire {
                    self.clear(state, cx);
                }
                Outcome { fire: timed_out || outcome.fire, purge: outcome.purge }
            }
            Self::Purging(inner) => purging(inner.on_processing_time(state, time, cx)),
            Self::EventTime
            | Self::Count(_)
            | Self::ContinuousEventTime(_)
            | Self::Delta { .. }
            | Self::EndOfStream
            | Self::Never => Outcome::CONTINUE,
        }
    }

    /// Windows with these states have become `cx.window`. Answers its state.
    pub(super) fn on_merge(&self, states: &[TriggerState], cx: &mut TriggerContext<'_>) -> TriggerState {
        let mut merged = TriggerState {
            count: states.iter().map(|state| state.count).sum(),
            next_fire: states.iter().filter_map(|state| state.next_fire).min(),
            last: None,
            deadline: states.iter().filter_map(|state| state.deadline).max(),
        };
        self.register_merged(&mut merged, cx);
        merged
    }

    fn register_merged(&self, state: &mut TriggerState, cx: &mut TriggerContext<'_>) {
        let end = cx.window.max_timestamp();
        match self {
            Self::EventTime | Self::EndOfStream => {
                if end > cx.watermark {
                    cx.register(TimeDomain::Event, end);
                }
            }
            Self::ProcessingTime => {
                if end > cx.now {
                    cx.register(TimeDomain::Processing, end);
                }
            }
            Self::ContinuousEventTime(_) => {
                if end > cx.watermark {
                    cx.register(TimeDomain::Event, end);
                }
                if let Some(next) = state.next_fire {
                    cx.register(TimeDomain::Event, next);
                }
            }
            Self::ContinuousProcessingTime(_) => {
                if let Some(next) = state.next_fire {
                    cx.register(TimeDomain::Processing, next);
                }
            }
            Self::ProcessingTimeout { inner, .. } => {
                if let Some(deadline) = state.deadline {
                    cx.register(TimeDomain::Processing, deadline);
                }
                inner.register_merged(state, cx);
            }
            Self::Purging(inner) => inner.register_merged(state, cx),
            Self::Count(_) | Self::Delta { .. } | Self::Never => {}
        }
    }

    /// The window is gone, or a timeout has ended it: timers are taken back and the state is empty again.
    pub(super) fn clear(&self, state: &mut TriggerState, cx: &mut TriggerContext<'_>) {
        let end = cx.window.max_timestamp();
        match self {
            Self::EventTime | Self::EndOfStream => cx.delete(TimeDomain::Event, end),
            Self::ProcessingTime => cx.delete(TimeDomain::Processing, end),
            Self::ContinuousEventTime(_) => {
                cx.delete(TimeDomain::Event, end);
                if let Some(next) = state.next_fire.take() {
                    cx.delete(TimeDomain::Event, next);
                }
            }
            Self::ContinuousProcessingTime(_) => {
                if let Some(next) = state.next_fire.take() {
                    cx.delete(TimeDomain::Processing, next);
                }
            }
            Self::ProcessingTimeout { inner, .. } => {
                if let Some(deadline) = state.deadline.take() {
                    cx.delete(TimeDomain::Processing, deadline);
                }
                inner.clear(state, cx);
            }
            Self::Purging(inner) => inner.clear(state, cx),
            Self::Count(_) | Self::Delta { .. } | Self::Never => {}
        }
        state.count = 0;
        state.last = None;
    }
}

fn purging(outcome: Outcome) -> Outcome {
    Outcome { fire: outcome.fire, purge: outcome.fire || outcome.purge }
}

/// The next firing is an interval after `start`, at the window's end at the latest. When the input has ended, a window
/// without end fires at the end of time, and not at every interval until then as in Flink.
fn schedule(domain: TimeDomain, start: i64, interval: i64, state: &mut TriggerState, cx: &mut TriggerContext<'_>) {
    let is_over = domain == TimeDomain::Event && cx.watermark == i64::MAX && cx.window == TimeWindow::GLOBAL;
    let end = cx.window.max_timestamp();
    let next = if is_over { end } else { start.saturating_add(interval).min(end) };
    state.next_fire = Some(next);
    cx.register(domain, next);
}

fn interval_ended(
    domain: TimeDomain,
    time: i64,
    interval: i64,
    state: &mut TriggerState,
    cx: &mut TriggerContext<'_>,
) -> Outcome {
    if state.next_fire != Some(time) {
        return Outcome::CONTINUE;
    }
    state.next_fire = None;
    if time < cx.window.max_timestamp() {
        schedule(domain, time, interval, state, cx);
    }
    Outcome::FIRE
}

/// A null value moves nothing.
fn on_delta(state: &mut TriggerState, value: Option<f64>, threshold: f64) -> Outcome {
    match (state.last, value) {
        (_, None) => Outcome::CONTINUE,
        (None, Some(value)) => {
            state.last = Some(value);
            Outcome::CONTINUE
        }
        (Some(last), Some(value)) => {
            let moved = (value - last).abs() > threshold;
            if moved {
                state.last = Some(value);
            }
            Outcome::fire_if(moved)
        }
    }
}
