//! Transformations without state: filter, select, flatMap, union, assignEventTime. Windows are in [`super::window`].

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_physical_expr::expressions::Column;
use datafusion_physical_expr::utils::collect_columns;
use millstream_crds::Path;
use millstream_crds::check::either;
use millstream_engine::operators::{Expression, PortId};
use millstream_engine::spec::OperatorSpec;
use millstream_engine::sql_type::sql_name;
use millstream_graph::{NodeKind, Partitioning};

use super::super::needed::{Usage, Wanted};
use super::super::spec::{Names, Transformation};
use super::super::wiring::{Output, from_paths};
use super::source::event_time_column;
use super::{NewNode, Run, Step, Stream, StreamTime};
use crate::problem::{Problem, Problems};
use crate::sql::{PlannedExpression, plan_expression};

/// What a transformation does: the one field that says it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind<'a> {
    Filter(&'a str),
    Select(&'a [String]),
    FlatMap(&'a str),
    AssignEventTime(&'a str),
    Aggregate(&'a [String]),
    Union,
}

/// A step as one operator over its inputs.
struct Single {
    kind: &'static str,
    name: String,
    operator: OperatorSpec,
    schema: SchemaRef,
    time: StreamTime,
    usage: Usage,
}

impl<'a> Run<'a> {
    /// Plans the transformation at `place`.
    pub(super) fn transformation(&mut self, place: usize) {
        let transformation = &self.pipeline.transformations[place];
        let path = Path::of(&["transformations"]).index(place);
        let kind = match kind(transformation, &path) {
            Ok(kind) => kind,
            Err(problems) => return self.problems.extend(problems),
        };
        // An input that could not be planned is a problem already.
        let names = transformation.from.iter();
        let Some(inputs) = names.map(|name| self.stream(name)).collect::<Option<Vec<_>>>() else { return };
        let [input, ..] = inputs.as_slice() else { return };
        let step = self.step(&transformation.name, path, &transformation.placement, &inputs);
        let single = match kind {
            Kind::Aggregate(aggregates) => return self.window(place, step, transformation, aggregates, input),
            Kind::Filter(text) => self.filter(&step, text, input),
            Kind::Select(texts) => self.select(&step, texts, input),
            Kind::FlatMap(text) => self.flat_map(&step, text, input),
            Kind::AssignEventTime(column) => assign_event_time(&step, column, input),
            Kind::Union => union(from_paths(transformation, place), &inputs),
        };
        match single {
            Ok(single) => self.add_single(place, &step, single, &inputs),
            Err(problems) => self.problems.extend(problems),
        }
    }

    fn add_single(&mut self, place: usize, step: &Step<'a>, single: Single, inputs: &[Stream]) {
        let node = NewNode {
            id: step.id(single.kind, &[]),
            name: format!("{}({})", single.name, step.name),
            kind: NodeKind::Operator(single.operator),
            inputs: inputs.iter().map(|input| input.input(Partitioning::Forward)).collect(),
            schema: Arc::clone(&single.schema),
        };
        let node = self.add(step, true, node);
        self.usages.insert(place, single.usage);
        let stream = Stream { node, port: PortId::MAIN, schema: single.schema, time: single.time };
        self.give(step, Output::Transformation(place), stream);
    }

    fn filter(&self, step: &Step<'_>, text: &str, input: &Stream) -> Result<Single, Problems> {
        let path = step.path.field("filter");
        let planned = self.expression(text, &path, input)?;
        if *planned.field.data_type() != DataType::Boolean {
            let message = format!("a filter is a condition, and `{text}` is {}", sql_name(planned.field.data_type()));
            return Err(Problem::new(path, message).into());
        }
        Ok(Single {
            kind: "filter",
            name: "Filter".to_owned(),
            usage: Usage { reads: Wanted::Some(columns_of(&planned.expression)), passes: true },
            operator: OperatorSpec::Filter { condition: planned.expression },
            schema: Arc::clone(&input.schema),
            time: input.time,
        })
    }

    fn select(&self, step: &Step<'_>, texts: &[String], input: &Stream) -> Result<Single, Problems> {
        let mut selected: Vec<(Expression, Field)> = Vec::new();
        let mut problems = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            let path = step.path.field("select").index(index);
            let columns = match text.trim() {
                "*" => Ok(all_columns(&input.schema)),
                text => self.named(text, &path, input).map(|planned| vec![(planned.expression, planned.field)]),
            };
            match columns {
                Err(problem) => problems.push(problem),
                Ok(columns) => {
                    for (expression, field) in columns {
                        if selected.iter().any(|(_, other)| other.name() == field.name()) {
                            let message = format!("there are two columns called `{}`; name one with AS", field.name());
                            problems.push(Problem::new(path.clone(), message));
                        }
                        selected.push((expression, field));
                    }
                }
            }
        }
        Problems::check(problems)?;
        let reads = selected.iter().flat_map(|(expression, _)| columns_of(expression)).collect();
        let (expressions, fields): (Vec<_>, Vec<_>) = selected.into_iter().unzip();
        let schema = Arc::new(Schema::new(fields));
        Ok(Single {
            kind: "select",
            name: "Select".to_owned(),
            operator: OperatorSpec::Project { expressions, schema: Arc::clone(&schema) },
            schema,
            time: input.time,
            usage: Usage { reads: Wanted::Some(reads), passes: false },
        })
    }

    fn flat_map(&self, step: &Step<'_>, text: &str, input: &Stream) -> Result<Single, Problems> {
        let path = step.path.field("flatMap");
        let planned = self.named(text, &path, input)?;
        let (DataType::List(element) | DataType::LargeList(element)) = planned.field.data_type() else {
            let message =
                format!("flatMap takes a list apart, and `{text}` is {}", sql_name(planned.field.data_type()));
            return Err(Problem::new(path, message).into());
        };
        let name = planned.field.name();
        if input.schema.index_of(name).is_ok() {
            let message = format!("there is a column called `{name}` already; give the element another name with AS");
            return Err(Problem::new(path, message).into());
        }
        let element = Arc::new(Field::new(name, element.data_type().clone(), element.is_nullable()));
        let schema = Arc::new(Schema::new(input.schema.fields().iter().cloned().chain([element]).collect::<Vec<_>>()));
        Ok(Single {
            kind: "flatMap",
            name: "FlatMap".to_owned(),
            usage: Usage { reads: Wanted::Some(columns_of(&planned.expression)), passes: true },
            operator: OperatorSpec::Unnest {
                list: planned.expression,
                repeated: (0..input.schema.fields().len()).collect(),
                schema: Arc::clone(&schema),
            },
            schema,
            time: input.time,
        })
    }

    /// An expression over the columns of `input`.
    pub(super) fn expression(&self, text: &str, path: &Path, input: &Stream) -> Result<PlannedExpression, Problem> {
        plan_expression(text, &input.schema, self.session).map_err(|error| Problem::in_text(path.clone(), &error))
    }

    /// The same, which must be a column or have a name.
    pub(super) fn named(&self, text: &str, path: &Path, input: &Stream) -> Result<PlannedExpression, Problem> {
        let planned = self.expression(text, path, input)?;
        let is_named = *planned.field.name() != planned.text || input.schema.index_of(&planned.text).is_ok();
        let message = || format!("give it a name: `{text} AS name`");
        if is_named { Ok(planned) } else { Err(Problem::new(path.clone(), message())) }
    }
}

/// The one thing that a transformation does, without fields that belong to another.
fn kind<'a>(transformation: &'a Transformation, path: &Path) -> Result<Kind<'a>, Problems> {
    let one = |name: &'static str, kind: Option<Kind<'a>>| kind.map(|kind| (name, kind));
    let found: Vec<(&str, Kind<'a>)> = [
        one("filter", transformation.filter.as_deref().map(Kind::Filter)),
        one("select", transformation.select.as_deref().map(Kind::Select)),
        one("flatMap", transformation.flat_map.as_deref().map(Kind::FlatMap)),
        one(
            "assignEventTime",
            transformation.assign_event_time.as_ref().map(|time| Kind::AssignEventTime(&time.column)),
        ),
        one("aggregate", transformation.aggregate.as_deref().map(Kind::Aggregate)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let all = ["filter", "select", "flatMap", "assignEventTime", "aggregate"];
    let several = matches!(&transformation.from, Names::Several(names) if names.len() > 1);
    let kind = match found.as_slice() {
        [_] if several => {
            let message = "only a union reads several streams: make one of them in a transformation of its own";
            return Err(Problem::new(path.field("from"), message).into());
        }
        [(_, kind)] => *kind,
        [] if several => Kind::Union,
        [] => {
            let message = format!("it does nothing: give it one of {}, or a list as `from` for a union", either(&all));
            return Err(Problem::new(path.clone(), message).into());
        }
        [..] => {
            let names: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
            let message = format!("a transformation does one thing, and this one has {}", names.join(", "));
            return Err(Problem::new(path.clone(), message).into());
        }
    };
    let strangers = match kind {
        Kind::Aggregate(_) => Vec::new(),
        Kind::Filter(_) | Kind::Select(_) | Kind::FlatMap(_) | Kind::AssignEventTime(_) | Kind::Union => {
            only_with_aggregate(transformation)
        }
    };
    let problem = |name: &str| Problem {
        at_key: true,
        ..Problem::new(path.field(name), "it has a meaning only with `aggregate`")
    };
    Problems::check(strangers.into_iter().map(problem).collect())?;
    Ok(kind)
}

/// Fields that are there and need `aggregate` beside them.
fn only_with_aggregate(transformation: &Transformation) -> Vec<&'static str> {
    let there = [
        ("keyBy", transformation.key_by.is_some()),
        ("window", transformation.window.is_some()),
        ("processingTime", transformation.processing_time.is_some()),
        ("trigger", transformation.trigger.is_some()),
        ("evictor", transformation.evictor.is_some()),
        ("allowedLateness", transformation.allowed_lateness.is_some()),
        ("lateOutput", transformation.late_output.is_some()),
    ];
    there.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect()
}

fn assign_event_time(step: &Step<'_>, column: &str, input: &Stream) -> Result<Single, Problems> {
    let path = step.path.field("assignEventTime");
    if !input.time.watermarks {
        let message =
            "what it reads has no watermarks, without which event time does not pass: give the source an `eventTime`";
        return Err(Problem::new(path, message).into());
    }
    let place = event_time_column(column, &input.schema);
    let place = place.map_err(|message| Problem::new(path.field("column"), message))?;
    Ok(Single {
        kind: "assignEventTime",
        name: "AssignEventTime".to_owned(),
        operator: OperatorSpec::AssignEventTime { column: place },
        schema: Arc::clone(&input.schema),
        time: StreamTime { rows: true, ..input.time },
        usage: Usage { reads: Wanted::Some(BTreeSet::from([column.to_owned()])), passes: true },
    })
}

fn union(names: Vec<(&str, Path)>, inputs: &[Stream]) -> Result<Single, Problems> {
    let mut problems = Vec::new();
    let mut fields: Option<Vec<Field>> = None;
    for (place, ((name, path), input)) in names.iter().zip(inputs).enumerate() {
        if names[..place].iter().any(|(other, _)| other == name) {
            problems.push(Problem::new(path.clone(), format!("`{name}` stands here twice")));
            continue;
        }
        match fields.as_deref().map_or_else(|| Ok(own_fields(&input.schema)), |fields| merged(fields, &input.schema)) {
            Ok(merged) => fields = Some(merged),
            Err(why) => {
                let message = format!("the streams of a union have the same columns, and `{name}` {why}");
                problems.push(Problem::new(path.clone(), message));
            }
        }
    }
    Problems::check(problems)?;
    let time = inputs.iter().map(|input| input.time).reduce(StreamTime::and).unwrap_or(StreamTime::NONE);
    Ok(Single {
        kind: "union",
        name: "Union".to_owned(),
        operator: OperatorSpec::Union,
        schema: Arc::new(Schema::new(fields.unwrap_or_default())),
        time,
        usage: Usage { reads: Wanted::All, passes: true },
    })
}

fn own_fields(schema: &Schema) -> Vec<Field> {
    schema.fields().iter().map(|field| field.as_ref().clone()).collect()
}

/// The columns of both, which may be null where one of them may; `Err`: how `other` differs.
fn merged(fields: &[Field], other: &Schema) -> Result<Vec<Field>, String> {
    if fields.len() != other.fields().len() {
        return Err(format!("has {} columns where the first has {}", other.fields().len(), fields.len()));
    }
    let one = |(field, other): (&Field, &Arc<Field>)| {
        let described = |field: &Field| format!("`{}` {}", field.name(), sql_name(field.data_type()));
        match field.name() == other.name() && field.data_type() == other.data_type() {
            true => Ok(field.clone().with_nullable(field.is_nullable() || other.is_nullable())),
            false => Err(format!("has {} where the first has {}", described(other), described(field))),
        }
    };
    fields.iter().zip(other.fields()).map(one).collect()
}

fn all_columns(schema: &Schema) -> Vec<(Expression, Field)> {
    let column = |(place, field): (usize, &Arc<Field>)| {
        (Arc::new(Column::new(field.name(), place)) as Expression, field.as_ref().clone())
    };
    schema.fields().iter().enumerate().map(column).collect()
}

/// The names of the columns that an expression reads.
fn columns_of(expression: &Expression) -> BTreeSet<String> {
    collect_columns(expression).iter().map(|column| column.name().to_owned()).collect()
}
