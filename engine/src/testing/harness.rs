//! The harness itself: what a test says, and the comparison of all ways.

use std::fmt::Write;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use expect_test::Expect;

use super::outcome::{Outcome, lines_of};
use super::rows::{Row, batch_of};
use super::way::{self, WAYS, Way};
use crate::batch::EventBatch;
use crate::element::Watermark;
use crate::error::Result;
use crate::key::key_group::MaxParallelism;
use crate::operators::Operator;
use crate::spec::OperatorSpec;
use crate::window::{Phase, TimeSource, WindowAggregateSpec};

/// Makes the operators of a chain, the head first, for one subtask.
pub(super) type Build = dyn Fn(MaxParallelism) -> Result<Vec<Box<dyn Operator>>>;

/// What arrives.
#[derive(Debug, Clone)]
pub enum Step {
    /// Rows, in one batch or one by one.
    Rows(EventBatch),
    /// The watermark advances.
    Watermark(i64),
    /// It is this time by the wall clock.
    Time(i64),
    /// The input ends, and event time with it.
    End,
}

/// An operator and what arrives at it. See the [module](super).
pub struct OperatorHarness {
    pub(super) build: Box<Build>,
    pub(super) input: SchemaRef,
    /// The columns by which rows are spread over subtasks.
    pub(super) keys: Vec<usize>,
    pub(super) max_parallelism: MaxParallelism,
    record_time: bool,
    late_in_total: bool,
    pub(super) steps: Vec<Step>,
}

impl OperatorHarness {
    /// A window aggregation, run by the operator that a program would get.
    pub fn window(spec: WindowAggregateSpec) -> Self {
        Self::window_by(&spec, |spec, max_parallelism| {
            OperatorSpec::WindowAggregate(spec.as_ref().clone()).build(max_parallelism)
        })
    }

    /// A window aggregation, run by the operator that `build` makes.
    pub fn window_by(
        spec: &WindowAggregateSpec,
        build: impl Fn(Arc<WindowAggregateSpec>, MaxParallelism) -> Result<Box<dyn Operator>> + 'static,
    ) -> Self {
        assert_ne!(spec.phase, Phase::Global, "the global phase takes partials: test it behind the local one");
        let shared = Arc::new(spec.clone());
        let build = move |max_parallelism| Ok(vec![build(Arc::clone(&shared), max_parallelism)?]);
        let harness = Self::new(Arc::clone(&spec.input), spec.keys.clone(), build);
        Self { record_time: spec.time == TimeSource::Record, ..harness }
    }

    /// The operator of `spec` over columns of `input`; all rows go to one subtask.
    pub fn operator(spec: OperatorSpec, input: SchemaRef) -> Self {
        Self::new(input, Vec::new(), move |max_parallelism| Ok(vec![spec.build(max_parallelism)?]))
    }

    /// A chain of the operators that `build` makes, over columns of `input`. Rows are spread by the columns `keys`.
    pub fn new(
        input: SchemaRef,
        keys: Vec<usize>,
        build: impl Fn(MaxParallelism) -> Result<Vec<Box<dyn Operator>>> + 'static,
    ) -> Self {
        let max_parallelism = MaxParallelism::new(128).expect("128 key groups are allowed");
        Self {
            build: Box::new(build),
            input,
            keys,
            max_parallelism,
            record_time: false,
            late_in_total: false,
            steps: Vec::new(),
        }
    }

    /// Rows have an event time beside their columns: one more cell at the end.
    pub fn record_time(self) -> Self {
        Self { record_time: true, ..self }
    }

    /// Late rows are counted in total, at the last step: an aggregation in two phases finds them when its partials move on.
    pub fn late_in_total(self) -> Self {
        Self { late_in_total: true, ..self }
    }

    /// These rows arrive.
    pub fn rows(self, rows: impl IntoIterator<Item = impl Into<Row>>) -> Self {
        let rows: Vec<Row> = rows.into_iter().map(Into::into).collect();
        let batch = batch_of(&self.input, self.record_time, &rows);
        self.batch(batch)
    }

    /// This batch arrives.
    pub fn batch(self, batch: EventBatch) -> Self {
        self.step(Step::Rows(batch))
    }

    /// The watermark advances to `time`.
    pub fn watermark(self, time: i64) -> Self {
        self.step(Step::Watermark(time))
    }

    /// It is `time` by the wall clock.
    pub fn time(self, time: i64) -> Self {
        self.step(Step::Time(time))
    }

    /// The input ends.
    pub fn end(self) -> Self {
        self.step(Step::End)
    }

    /// This happens next.
    pub fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Tries all ways and compares what comes out with `expected`.
    ///
    /// # Panics
    /// If something else comes out, or not the same in every way.
    pub fn verify(&self, expected: Expect) {
        expected.assert_eq(&self.outcome().to_string());
    }

    /// Tries all ways; answers what comes out.
    ///
    /// # Panics
    /// If it is not the same in every way.
    pub fn outcome(&self) -> Outcome {
        self.try_outcome().unwrap_or_else(|error| panic!("the operator failed: {error}\nsteps:\n{}", self.show_steps()))
    }

    /// Tries all ways; answers what comes out, or the error.
    ///
    /// # Panics
    /// If it is not the same in every way.
    pub fn try_outcome(&self) -> Result<Outcome, String> {
        let [first, others @ ..] = &WAYS;
        let expected = self.run(first);
        for way in others {
            let found = self.run(way);
            assert!(found == expected, "{}", self.difference(way, &expected, &found));
        }
        expected
    }

    /// Tries all ways; each fails, with the message `expected`.
    ///
    /// # Panics
    /// If one does not fail, or with another message.
    pub fn fails(&self, expected: Expect) {
        let errors: Vec<String> = WAYS.iter().map(|way| self.error_of(way)).collect();
        expected.assert_eq(&errors[0]);
        for (way, error) in WAYS.iter().zip(&errors) {
            assert_eq!(error, &errors[0], "{}", way.name);
        }
    }

    fn error_of(&self, way: &Way) -> String {
        match self.run(way) {
            Ok(outcome) => panic!("{}: nothing failed, and this came out:\n{outcome}", way.name),
            Err(error) => error,
        }
    }

    fn run(&self, way: &Way) -> Result<Outcome, String> {
        let mut outcome = way::run(self, way).map_err(|error| error.to_string())?;
        if self.late_in_total {
            let late = outcome.steps.iter_mut().map(|step| std::mem::take(&mut step.late)).sum();
            outcome.steps.last_mut().into_iter().for_each(|last| last.late = late);
        }
        Ok(outcome)
    }

    fn difference(&self, way: &Way, expected: &Result<Outcome, String>, found: &Result<Outcome, String>) -> String {
        let show = |outcome: &Result<Outcome, String>| match outcome {
            Ok(outcome) => outcome.to_string(),
            Err(error) => format!("error: {error}\n"),
        };
        let steps = self.show_steps();
        let (name, expected, found) = (way.name, show(expected), show(found));
        format!("{name}, something else comes out\nsteps:\n{steps}\n{}:\n{expected}\n{name}:\n{found}", WAYS[0].name)
    }

    fn show_steps(&self) -> String {
        let mut text = String::new();
        for step in &self.steps {
            // Writing to a text cannot fail.
            let _ = match step {
                Step::Rows(batch) => writeln!(text, "  rows {}", lines_of(batch).join(" | ")),
                Step::Watermark(_) | Step::Time(_) | Step::End => writeln!(text, "  {step}"),
            };
        }
        text
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rows(_) => f.write_str("rows"),
            Self::Watermark(time) => write!(f, "watermark {}", Watermark(*time)),
            Self::Time(time) => write!(f, "time {time}"),
            Self::End => f.write_str("end"),
        }
    }
}

impl std::fmt::Debug for OperatorHarness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OperatorHarness").field("steps", &self.steps).finish_non_exhaustive()
    }
}
