//! The settings of a window aggregation, from texts to the engine's types, and which of them go together.

use arrow::datatypes::DataType;
use millstream_crds::Path;
use millstream_engine::sql_type::sql_name;
use millstream_engine::window::{EvictorSpec, SessionGap, TriggerSpec, WindowSpec};

use super::super::spec::{Delta, Evictor, Transformation, Trigger, Window};
use super::projection::Projection;
use super::source::milliseconds;
use super::{Run, Stream};
use crate::problem::Problem;

/// Windows, and when and over which rows they give out results.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) window: WindowSpec,
    /// The window in words that never change: part of the operator's id.
    pub(super) described: String,
    pub(super) trigger: TriggerSpec,
    pub(super) evictor: Option<EvictorSpec>,
    pub(super) allowed_lateness_ms: i64,
}

/// What settings are planned over: the input, and the columns that the operator will see.
pub(super) struct Inputs<'a> {
    pub(super) path: &'a Path,
    pub(super) stream: &'a Stream,
    pub(super) columns: &'a mut Projection,
}

impl Run<'_> {
    /// The settings of the window aggregation `transformation`.
    pub(super) fn settings(
        &self,
        transformation: &Transformation,
        inputs: &mut Inputs<'_>,
    ) -> Result<Settings, Problem> {
        let Some(window) = &transformation.window else {
            let message =
                "an aggregation over an endless stream needs a `window`, such as `window: {tumbling: {size: 1h}}`";
            return Err(Problem::new(inputs.path.clone(), message));
        };
        let (spec, described) = self.window_spec(window, inputs)?;
        let path = inputs.path.field("window");
        spec.check().map_err(|error| Problem::new(path.clone(), error.to_string()))?;
        let clock = Clock::of(transformation, spec, inputs)?;
        let trigger = self.trigger_or_default(transformation, window, spec, clock, inputs)?;
        let evictor = self.evictor(transformation, window, clock, inputs)?;
        let allowed_lateness_ms = lateness(transformation, spec, clock, inputs.path)?;
        Ok(Settings { window: spec, described, trigger, evictor, allowed_lateness_ms })
    }

    fn window_spec(&self, window: &Window, inputs: &mut Inputs<'_>) -> Result<(WindowSpec, String), Problem> {
        let path = inputs.path.field("window");
        Ok(match window {
            Window::Tumbling { size, offset } => {
                let path = path.field("tumbling");
                let size = milliseconds(size, &path.field("size"))?;
                let offset = shift(offset.as_deref(), &path)?;
                (WindowSpec::Tumbling { size, offset }, format!("tumbling {size} {offset}"))
            }
            Window::Sliding { size, slide, offset } => {
                let path = path.field("sliding");
                let size = milliseconds(size, &path.field("size"))?;
                let slide = milliseconds(slide, &path.field("slide"))?;
                let offset = shift(offset.as_deref(), &path)?;
                (WindowSpec::Sliding { size, slide, offset }, format!("sliding {size} {slide} {offset}"))
            }
            Window::Cumulating { max_size, step, offset } => {
                let path = path.field("cumulating");
                let max_size = milliseconds(max_size, &path.field("maxSize"))?;
                let step = milliseconds(step, &path.field("step"))?;
                let offset = shift(offset.as_deref(), &path)?;
                (WindowSpec::Cumulating { max_size, step, offset }, format!("cumulating {max_size} {step} {offset}"))
            }
            Window::Session { gap, gap_column } => {
                let path = path.field("session");
                match (gap, gap_column) {
                    (Some(gap), None) => {
                        let gap = milliseconds(gap, &path.field("gap"))?;
                        (WindowSpec::Session { gap: SessionGap::Fixed(gap) }, format!("session {gap}"))
                    }
                    (None, Some(text)) => {
                        let (column, text) = self.gap_column(text, &path.field("gapColumn"), inputs)?;
                        (WindowSpec::Session { gap: SessionGap::Column(column) }, format!("session of {text}"))
                    }
                    (Some(_), Some(_)) | (None, None) => {
                        return Err(Problem::new(path, "a session needs exactly one of `gap` and `gapColumn`"));
                    }
                }
            }
            Window::Global {} => (WindowSpec::Global, "global".to_owned()),
            Window::Count { size, slide } => {
                let slide = slide.map_or_else(String::new, |slide| format!(" {slide}"));
                (WindowSpec::Global, format!("count {size}{slide}"))
            }
        })
    }

    fn gap_column(&self, text: &str, path: &Path, inputs: &mut Inputs<'_>) -> Result<(usize, String), Problem> {
        let planned = self.expression(text, path, inputs.stream)?;
        let data_type = planned.field.data_type();
        if !data_type.is_integer() {
            let message = format!(
                "the gap of a session is a whole number of milliseconds, and `{text}` is {}",
                sql_name(data_type)
            );
            return Err(Problem::new(path.clone(), message));
        }
        let column = inputs.columns.add_as(&planned, &DataType::Int64);
        Ok((column.map_err(|error| Problem::in_text(path.clone(), &error))?, planned.text))
    }

    fn trigger_or_default(
        &self,
        transformation: &Transformation,
        window: &Window,
        spec: WindowSpec,
        clock: Clock,
        inputs: &mut Inputs<'_>,
    ) -> Result<TriggerSpec, Problem> {
        let path = inputs.path.field("trigger");
        match (window, &transformation.trigger) {
            (Window::Count { .. }, Some(_)) => {
                let message = "a count window has its own trigger; use `window: {global: {}}` to choose one";
                Err(Problem::new(path, message))
            }
            (Window::Count { size, slide: None }, None) => {
                Ok(TriggerSpec::Purging(Box::new(TriggerSpec::Count(*size))))
            }
            (Window::Count { slide: Some(slide), .. }, None) => Ok(TriggerSpec::Count(*slide)),
            (_, Some(trigger)) => {
                let trigger = self.trigger(trigger, spec, clock, &path, inputs)?;
                trigger.check(spec.merges()).map_err(|error| Problem::new(path, error.to_string()))?;
                Ok(trigger)
            }
            (Window::Global {}, None) => Ok(TriggerSpec::Never),
            (
                Window::Tumbling { .. } | Window::Sliding { .. } | Window::Cumulating { .. } | Window::Session { .. },
                None,
            ) => Ok(match clock {
                Clock::Event => TriggerSpec::EventTime,
                Clock::Wall | Clock::None => TriggerSpec::ProcessingTime,
            }),
        }
    }

    fn trigger(
        &self,
        trigger: &Trigger,
        spec: WindowSpec,
        clock: Clock,
        path: &Path,
        inputs: &mut Inputs<'_>,
    ) -> Result<TriggerSpec, Problem> {
        let by_event_time = || match clock {
            Clock::Event => Ok(()),
            Clock::Wall | Clock::None => {
                Err(Problem::new(path.clone(), "this trigger follows event time, which there is none of here"))
            }
        };
        Ok(match trigger {
            Trigger::EventTime => {
                by_event_time()?;
                TriggerSpec::EventTime
            }
            Trigger::ProcessingTime => TriggerSpec::ProcessingTime,
            Trigger::EndOfStream if spec != WindowSpec::Global => {
                return Err(Problem::new(
                    path.clone(),
                    "the trigger `endOfStream` is for global windows, which have no other end",
                ));
            }
            Trigger::EndOfStream => TriggerSpec::EndOfStream,
            Trigger::Never => TriggerSpec::Never,
            Trigger::Count(rows) => TriggerSpec::Count(*rows),
            Trigger::ContinuousEventTime(interval) => {
                by_event_time()?;
                TriggerSpec::ContinuousEventTime(milliseconds(interval, &path.field("continuousEventTime"))?)
            }
            Trigger::ContinuousProcessingTime(interval) => {
                TriggerSpec::ContinuousProcessingTime(milliseconds(interval, &path.field("continuousProcessingTime"))?)
            }
            Trigger::Delta(delta) => {
                let column = self.delta(delta, &path.field("delta"), inputs)?;
                TriggerSpec::Delta { column, threshold: delta.threshold }
            }
            Trigger::Purging(inner) => {
                let path = path.field("purging");
                if matches!(**inner, Trigger::Purging(_)) {
                    return Err(Problem::new(path, "a trigger needs to purge only once"));
                }
                TriggerSpec::Purging(Box::new(self.trigger(inner, spec, clock, &path, inputs)?))
            }
            Trigger::ProcessingTimeout { timeout, trigger } => {
                let path = path.field("processingTimeout");
                let inner = self.trigger(trigger, spec, clock, &path.field("trigger"), inputs)?;
                let timeout_ms = milliseconds(timeout, &path.field("timeout"))?;
                TriggerSpec::ProcessingTimeout { inner: Box::new(inner), timeout_ms }
            }
        })
    }

    fn evictor(
        &self,
        transformation: &Transformation,
        window: &Window,
        clock: Clock,
        inputs: &mut Inputs<'_>,
    ) -> Result<Option<EvictorSpec>, Problem> {
        let path = inputs.path.field("evictor");
        match (window, &transformation.evictor) {
            (Window::Count { .. }, Some(_)) => {
                let message = "a count window has its own evictor; use `window: {global: {}}` to choose one";
                Err(Problem::new(path, message))
            }
            (Window::Count { size, slide: Some(_) }, None) => Ok(Some(EvictorSpec::Count(*size))),
            (_, None) => Ok(None),
            (_, Some(Evictor::Count(rows))) => Ok(Some(EvictorSpec::Count(*rows))),
            (_, Some(Evictor::Time(_))) if clock == Clock::None => {
                Err(Problem::new(path, "an evictor by time needs rows with a time, and these have none"))
            }
            (_, Some(Evictor::Time(span))) => Ok(Some(EvictorSpec::Time(milliseconds(span, &path.field("time"))?))),
            (_, Some(Evictor::Delta(delta))) => {
                let column = self.delta(delta, &path.field("delta"), inputs)?;
                Ok(Some(EvictorSpec::Delta { column, threshold: delta.threshold }))
            }
        }
    }

    /// The column with the number of a delta trigger or evictor.
    fn delta(&self, delta: &Delta, path: &Path, inputs: &mut Inputs<'_>) -> Result<usize, Problem> {
        let path = path.field("value");
        let planned = self.expression(&delta.value, &path, inputs.stream)?;
        let data_type = planned.field.data_type();
        if !data_type.is_numeric() {
            let message = format!("a delta is taken of numbers, and `{}` is {}", delta.value, sql_name(data_type));
            return Err(Problem::new(path, message));
        }
        inputs.columns.add_as(&planned, &DataType::Float64).map_err(|error| Problem::in_text(path, &error))
    }
}

/// Which time rows have in a window aggregation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    /// Their event time.
    Event,
    /// The wall clock when they arrive.
    Wall,
    /// None that matters: a global window over rows without event time.
    None,
}

impl Clock {
    /// The clock of `transformation`.
    fn of(transformation: &Transformation, spec: WindowSpec, inputs: &Inputs<'_>) -> Result<Self, Problem> {
        match (transformation.processing_time.unwrap_or(false), inputs.stream.time.is_event_time()) {
            (true, _) => Ok(Self::Wall),
            (false, true) => Ok(Self::Event),
            (false, false) if spec == WindowSpec::Global => Ok(Self::None),
            (false, false) => {
                let message = "this window follows event time, and the rows that it reads have none: give the source an \
                               `eventTime`, or set `processingTime: true`";
                Err(Problem::new(inputs.path.field("window"), message))
            }
        }
    }
}

fn lateness(transformation: &Transformation, spec: WindowSpec, clock: Clock, path: &Path) -> Result<i64, Problem> {
    let can_be_late = clock == Clock::Event && spec != WindowSpec::Global;
    let name = if transformation.late_output.is_some() { "lateOutput" } else { "allowedLateness" };
    if !can_be_late && (transformation.late_output.is_some() || transformation.allowed_lateness.is_some()) {
        let why = match spec {
            WindowSpec::Global => "no row is late for a global or count window, which has no end",
            WindowSpec::Tumbling { .. }
            | WindowSpec::Sliding { .. }
            | WindowSpec::Staggered { .. }
            | WindowSpec::Cumulating { .. }
            | WindowSpec::Attached { .. }
            | WindowSpec::Session { .. } => "no row is late by the wall clock",
        };
        return Err(Problem { at_key: true, ..Problem::new(path.field(name), why) });
    }
    let text = transformation.allowed_lateness.as_deref();
    text.map_or(Ok(0), |text| milliseconds(text, &path.field("allowedLateness")))
}

/// A shift of windows, which may be negative.
fn shift(text: Option<&str>, path: &Path) -> Result<i64, Problem> {
    let path = path.field("offset");
    match text.map(str::trim) {
        None => Ok(0),
        Some(text) => match text.strip_prefix('-') {
            Some(text) => milliseconds(text, &path).map(|shift| -shift),
            None => milliseconds(text, &path),
        },
    }
}
