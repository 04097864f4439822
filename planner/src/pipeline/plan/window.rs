//! A window aggregation: the columns it works on, the aggregation itself, and the rows that came too late for it.
//!
//! ```text
//! input ─ Project (keys, arguments, gaps, deltas; if any is computed) ─ WindowAggregate ─┬─ MAIN ─► results
//!                                                                                        └─ LATE ─ Project ─► rows as they came
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use millstream_engine::aggregate::AggregateSpec;
use millstream_engine::operators::PortId;
use millstream_engine::spec::OperatorSpec;
use millstream_engine::window::{Phase, TimeSource, WindowAggregateSpec, WindowSpec};
use millstream_graph::{NodeKind, Partitioning};

use super::super::needed::{Usage, Wanted};
use super::super::spec::{Names, Transformation};
use super::super::wiring::Output;
use super::projection::Projection;
use super::window_settings::{Inputs, Settings};
use super::{NewNode, Run, Step, Stream, StreamTime};
use crate::problem::{Problem, Problems};
use crate::sql::{PlannedAggregate, PlannedExpression, plan_aggregate};

/// Everything about an aggregation that texts say.
struct Texts {
    keys: Vec<PlannedExpression>,
    aggregates: Vec<PlannedAggregate>,
}

impl<'a> Run<'a> {
    /// Plans the window aggregation `transformation` at `place`.
    pub(super) fn window(
        &mut self,
        place: usize,
        step: Step<'a>,
        transformation: &'a Transformation,
        aggregates: &[String],
        input: &Stream,
    ) {
        let late_is_read = self.is_read(Output::Late(place));
        // Late rows leave as they came, so that the operator must be given all of their columns.
        let mut columns =
            if late_is_read { Projection::with_all(&input.schema) } else { Projection::of(&input.schema) };
        let mut inputs = Inputs { path: &step.path, stream: input, columns: &mut columns };
        let settings = self.settings(transformation, &mut inputs);
        let texts = self.texts(&step, transformation, aggregates, input);
        let (settings, texts) = match (settings, texts) {
            (Ok(settings), Ok(texts)) => (settings, texts),
            (settings, texts) => {
                self.problems.extend(settings.err());
                self.problems.extend(texts.err().into_iter().flatten());
                return;
            }
        };
        let step = match subtasks_without_keys(step, &texts.keys) {
            Ok(step) => step,
            Err(problem) => return self.problems.push(problem),
        };
        let output = match output(&texts, settings.window) {
            Ok(output) => output,
            Err(why) => return self.problems.push(Problem::new(step.path, why)),
        };
        let keys: Vec<usize> = texts.keys.iter().map(|key| columns.add(key)).collect();
        let specs = texts.aggregates.iter().map(|aggregate| aggregate_spec(aggregate, &mut columns)).collect();
        let reads = Wanted::Some(columns.reads().clone());
        self.usages.insert(place, Usage { reads, passes: false });
        let seen = columns.schema();
        let source = self.computed_columns(&step, columns, input);
        let time = match (transformation.processing_time, input.time.is_event_time(), settings.window) {
            (Some(true), _, _) => TimeSource::Processing,
            (Some(false) | None, true, _) | (_, _, WindowSpec::Global) => TimeSource::Record,
            (Some(false) | None, false, _) => TimeSource::Processing,
        };
        let spec = WindowAggregateSpec {
            name: step.name.to_owned(),
            input: Arc::clone(&seen),
            output: Arc::clone(&output),
            keys,
            time,
            window: settings.window,
            trigger: settings.trigger.clone(),
            evictor: settings.evictor,
            allowed_lateness_ms: settings.allowed_lateness_ms,
            late_output: late_is_read,
            aggregates: specs,
            phase: Phase::Single,
        };
        let node = self.window_node(&step, spec, &texts, &settings, &source);
        // The time of a result is its window's last millisecond; a global window has none.
        let rows = time == TimeSource::Record && settings.window != WindowSpec::Global;
        let result_time = StreamTime { rows, watermarks: input.time.watermarks };
        let result = Stream { node, port: PortId::MAIN, schema: output, time: result_time };
        self.give(&step, Output::Transformation(place), result);
        if late_is_read {
            let late = Stream { node, port: PortId::LATE, schema: seen, time: input.time };
            let late = self.as_it_came(&step, late, input);
            self.give(&step, Output::Late(place), late);
        }
    }

    fn window_node(
        &mut self,
        step: &Step<'_>,
        spec: WindowAggregateSpec,
        texts: &Texts,
        settings: &Settings,
        source: &Stream,
    ) -> usize {
        let keys: Vec<&str> = texts.keys.iter().map(|key| key.text.as_str()).collect();
        let parts: Vec<&str> = [settings.described.as_str()].into_iter().chain(keys).collect();
        let partitioning = match spec.keys.as_slice() {
            [] => Partitioning::Global,
            keys => Partitioning::Hash(keys.to_vec()),
        };
        let node = NewNode {
            id: step.id("window", &parts),
            name: format!("WindowAggregate({})", step.name),
            inputs: vec![source.input(partitioning)],
            schema: Arc::clone(&spec.output),
            kind: NodeKind::Operator(OperatorSpec::WindowAggregate(spec)),
        };
        self.add(step, true, node)
    }

    fn texts(
        &self,
        step: &Step<'_>,
        transformation: &Transformation,
        aggregates: &[String],
        input: &Stream,
    ) -> Result<Texts, Problems> {
        let mut problems = Vec::new();
        let mut keys = Vec::new();
        for (index, text) in transformation.key_by.iter().flat_map(|keys| keys.iter()).enumerate() {
            let path = match &transformation.key_by {
                Some(Names::Several(_)) => step.path.field("keyBy").index(index),
                Some(Names::One(_)) | None => step.path.field("keyBy"),
            };
            match self.named(text, &path, input) {
                Ok(key) => keys.push(key),
                Err(problem) => problems.push(problem),
            }
        }
        let mut planned = Vec::new();
        for (index, text) in aggregates.iter().enumerate() {
            let path = step.path.field("aggregate").index(index);
            match plan_aggregate(text, &input.schema, self.session) {
                Ok(aggregate) if *aggregate.output.name() == aggregate.text => {
                    problems.push(Problem::new(path, format!("give it a name: `{text} AS name`")));
                }
                Ok(aggregate) => planned.push(aggregate),
                Err(error) => problems.push(Problem::in_text(path, &error)),
            }
        }
        Problems::check(problems)?;
        Ok(Texts { keys, aggregates: planned })
    }

    /// A projection before the operator, if it needs more than columns of the input as they are.
    fn computed_columns(&mut self, step: &Step<'_>, columns: Projection, input: &Stream) -> Stream {
        if columns.is_identity() {
            return input.clone();
        }
        let schema = columns.schema();
        let expressions = columns.into_expressions();
        let operator = OperatorSpec::Project { expressions, schema: Arc::clone(&schema) };
        self.helper(step, "columns", operator, input, schema)
    }

    /// Late rows without the columns that were computed for the operator.
    fn as_it_came(&mut self, step: &Step<'_>, late: Stream, input: &Stream) -> Stream {
        if late.schema.fields().len() == input.schema.fields().len() {
            return late;
        }
        let expressions = Projection::with_all(&input.schema).into_expressions();
        let operator = OperatorSpec::Project { expressions, schema: Arc::clone(&input.schema) };
        self.helper(step, "late", operator, &late, Arc::clone(&input.schema))
    }

    fn helper(
        &mut self,
        step: &Step<'_>,
        kind: &str,
        operator: OperatorSpec,
        input: &Stream,
        schema: SchemaRef,
    ) -> Stream {
        let node = NewNode {
            id: step.helper_id(kind, &[]),
            name: format!("Project({} {kind})", step.name),
            kind: NodeKind::Operator(operator),
            inputs: vec![input.input(Partitioning::Forward)],
            schema: Arc::clone(&schema),
        };
        // It runs where its input runs, whatever the parallelism of the step.
        let beside = &self.nodes[input.node];
        let beside =
            Step { parallelism: beside.parallelism, group: Arc::clone(&beside.slot_sharing_group), ..step.clone() };
        let node = self.add(&beside, false, node);
        Stream { node, port: PortId::MAIN, schema, time: input.time }
    }
}

/// Without keys all rows meet in one subtask.
fn subtasks_without_keys<'a>(step: Step<'a>, keys: &[PlannedExpression]) -> Result<Step<'a>, Problem> {
    match step.placement.parallelism {
        _ if !keys.is_empty() => Ok(step),
        Some(parallelism) if parallelism > 1 => {
            let message = format!("without `keyBy` all rows meet in one subtask, and it cannot have {parallelism}");
            Err(Problem::new(step.path.field("parallelism"), message))
        }
        Some(_) | None => Ok(Step { parallelism: 1, ..step }),
    }
}

/// The columns of the result: keys, window, aggregates.
fn output(texts: &Texts, window: WindowSpec) -> Result<SchemaRef, String> {
    let time = |name| Field::new(name, DataType::Timestamp(TimeUnit::Millisecond, None), false);
    let mut fields: Vec<Field> = texts.keys.iter().map(|key| key.field.clone()).collect();
    if window != WindowSpec::Global {
        fields.extend([time("window_start"), time("window_end")]);
    }
    fields.extend(texts.aggregates.iter().map(|aggregate| aggregate.output.clone()));
    let mut names = BTreeSet::new();
    match fields.iter().find(|field| !names.insert(field.name().as_str())) {
        Some(twice) => Err(format!("the result would have two columns called `{}`; name one with AS", twice.name())),
        None => Ok(Arc::new(Schema::new(fields))),
    }
}

fn aggregate_spec(planned: &PlannedAggregate, columns: &mut Projection) -> AggregateSpec {
    AggregateSpec {
        function: planned.function,
        argument: planned.argument.as_ref().map(|argument| columns.add(argument)),
        distinct: planned.distinct,
        filter: planned.filter.as_ref().map(|filter| columns.add(filter)),
        output: planned.output.clone(),
    }
}
