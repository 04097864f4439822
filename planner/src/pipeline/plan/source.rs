//! A source: its table, its time, and the columns that are needed of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion_physical_expr::expressions::Column;
use datafusion_physical_expr::utils::collect_columns;
use millstream_connectors::options::parse_duration;
use millstream_connectors::{Connector, RowTime, ScanRequest, TableColumn, TableSource, TableSpec};
use millstream_crds::Path;
use millstream_crds::check::did_you_mean;
use millstream_engine::io::source::dead_letter_schema;
use millstream_engine::operators::PortId;
use millstream_engine::spec::WatermarkSpec;
use millstream_engine::time::generator::WatermarkStrategy;
use millstream_graph::{NodeKind, stream_graph::SourceNode};

use super::super::spec::{BadRows, EventTime, OptionText, Source};
use super::super::wiring::Output;
use super::columns::columns;
use super::{NewNode, Run, Stream, StreamTime};
use crate::problem::{Problem, Problems};
use crate::sql::plan_expression;

/// The option that carries the policy for bad rows to connectors.
const BAD_ROWS: &str = "scan.bad-rows";

impl Run<'_> {
    /// Plans the source at `place`.
    pub(super) fn source(&mut self, place: usize) {
        let source = &self.pipeline.sources[place];
        let path = Path::of(&["sources"]).index(place);
        let step = self.step(&source.name, path.clone(), &source.placement, &[]);
        let planned = match self.source_node(source, &path, place) {
            Ok(planned) => planned,
            Err(problems) => return self.problems.extend(problems),
        };
        let schema = planned.source.schema();
        let time =
            if planned.watermark.is_some() { StreamTime { rows: true, watermarks: true } } else { StreamTime::NONE };
        let id = step.id("source", &[]);
        let name = format!("Source: {}", source.name);
        let kind = NodeKind::Source(planned);
        let node = self.add(&step, true, NewNode { id, name, kind, inputs: Vec::new(), schema: Arc::clone(&schema) });
        self.give(&step, Output::Source(place), Stream { node, port: PortId::MAIN, schema, time });
        let dead = Stream { node, port: PortId::DEAD_LETTERS, schema: dead_letter_schema(), time: StreamTime::NONE };
        self.give(&step, Output::DeadLetters(place), dead);
    }

    fn source_node(&self, source: &Source, path: &Path, place: usize) -> Result<SourceNode, Problems> {
        let columns = columns(source, path, self.session)?;
        let bad_rows = bad_rows(source, path)?;
        let table = table_source(source, path, &columns, bad_rows, &self.session.job().time_zone)?;
        let all = Schema::new(columns.iter().map(|column| column.field.clone()).collect::<Vec<_>>());
        let needs_time = self.time_columns(source, path, &all)?;
        let rows = self.kept(place, &all, &needs_time);
        let time = source.event_time.as_ref().map(|time| RowTime::Column(time.column.clone()));
        let request = ScanRequest { rows: Arc::clone(&rows), watermark: None, time, filters: Vec::new() };
        let scan = table.scan(request).map_err(|error| Problem::new(path.clone(), error.message))?;
        let (watermark, event_time) = match &source.event_time {
            Some(time) => {
                let column = rows.index_of(&time.column).ok();
                (Some(self.watermark(source, time, path, &rows)?), column)
            }
            None => (None, None),
        };
        let dead_letters = bad_rows == Some(BadRows::DeadLetter);
        Ok(SourceNode { source: scan.source, watermark, event_time, dead_letters })
    }

    /// The columns that the time of a row and the watermark are taken from.
    fn time_columns(&self, source: &Source, path: &Path, all: &Schema) -> Result<Vec<String>, Problems> {
        let Some(time) = &source.event_time else {
            if source.idle_timeout.is_some() {
                let message = "an idle timeout is about watermarks, and a source without `eventTime` makes none";
                return Err(Problem::new(path.field("idleTimeout"), message).into());
            }
            return Ok(Vec::new());
        };
        let path = path.field("eventTime");
        event_time_column(&time.column, all).map_err(|message| Problem::new(path.field("column"), message))?;
        let mut names = vec![time.column.clone()];
        if let Some(text) = &time.watermark {
            let path = path.field("watermark");
            if time.delay.is_some() {
                return Err(Problem::new(path, "either `delay` or `watermark` can be given, not both").into());
            }
            let planned =
                plan_expression(text, all, self.session).map_err(|error| Problem::in_text(path.clone(), &error))?;
            is_time(&planned.field).map_err(|why| Problem::new(path, format!("the watermark `{text}` {why}")))?;
            names.extend(collect_columns(&planned.expression).iter().map(|column| column.name().to_owned()));
        }
        Ok(names)
    }

    /// The columns to read, in the order of their declaration; at least one.
    fn kept(&self, place: usize, all: &Schema, needs_time: &[String]) -> SchemaRef {
        let wanted = self.keep.and_then(|keep| keep.get(&place));
        let is_kept = |field: &&Arc<Field>| {
            wanted.is_none_or(|wanted| wanted.has(field.name())) || needs_time.contains(field.name())
        };
        let mut fields: Vec<Arc<Field>> = all.fields().iter().filter(is_kept).cloned().collect();
        if fields.is_empty() {
            // Rows are counted by some column.
            fields.extend(all.fields().first().cloned());
        }
        Arc::new(Schema::new(fields))
    }

    fn watermark(
        &self,
        source: &Source,
        time: &EventTime,
        path: &Path,
        rows: &Schema,
    ) -> Result<WatermarkSpec, Problems> {
        let idle_timeout_ms = match &source.idle_timeout {
            Some(text) => Some(milliseconds(text, &path.field("idleTimeout"))?).filter(|timeout| *timeout > 0),
            None => self.session.job().source_idle_timeout_ms,
        };
        let path = path.field("eventTime");
        if let Some(text) = &time.watermark {
            let planned = plan_expression(text, rows, self.session);
            let expression = planned.map_err(|error| Problem::in_text(path.field("watermark"), &error))?.expression;
            return Ok(WatermarkSpec { strategy: WatermarkStrategy::Expression, expression, idle_timeout_ms });
        }
        let delay = time.delay.as_deref().map_or(Ok(0), |text| milliseconds(text, &path.field("delay")))?;
        let column =
            event_time_column(&time.column, rows).map_err(|message| Problem::new(path.field("column"), message))?;
        Ok(WatermarkSpec {
            strategy: WatermarkStrategy::BoundedOutOfOrderness(delay),
            expression: Arc::new(Column::new(&time.column, column)),
            idle_timeout_ms,
        })
    }
}

/// What becomes of bad rows, if the source says so.
fn bad_rows(source: &Source, path: &Path) -> Result<Option<BadRows>, Problem> {
    if source.options.contains_key(BAD_ROWS) {
        let message = format!("the option '{BAD_ROWS}' is the field `badRows` here");
        return Err(Problem::new(path.field("options").field(BAD_ROWS), message));
    }
    match (source.bad_rows, &source.dead_letter_output) {
        (Some(BadRows::DeadLetter), None) => {
            let message = "bad rows as dead letters need a `deadLetterOutput`, a name to read them by";
            Err(Problem::new(path.field("badRows"), message))
        }
        (Some(BadRows::Fail | BadRows::Skip), Some(_)) => {
            let message = "nothing would come out here: only `badRows: deadLetter` has a dead-letter output";
            Err(Problem::new(path.field("deadLetterOutput"), message))
        }
        (Some(BadRows::DeadLetter) | None, Some(_)) => Ok(Some(BadRows::DeadLetter)),
        (policy @ (Some(BadRows::Fail | BadRows::Skip) | None), None) => Ok(policy),
    }
}

fn table_source(
    source: &Source,
    path: &Path,
    columns: &[TableColumn],
    bad_rows: Option<BadRows>,
    time_zone: &str,
) -> Result<Arc<dyn TableSource>, Problem> {
    let mut options = table_options(&source.options, source.format.as_deref(), path)?;
    if let Some(policy) = bad_rows {
        let policy = match policy {
            BadRows::Fail => "fail",
            BadRows::Skip => "skip",
            BadRows::DeadLetter => "deadLetter",
        };
        options.insert(BAD_ROWS.to_owned(), policy.to_owned());
    }
    let table = TableSpec {
        name: source.name.clone(),
        columns: columns.to_vec(),
        partition_keys: Vec::new(),
        primary_key: Vec::new(),
        options,
        time_zone: time_zone.to_owned(),
    };
    let made = connector(&source.connector, path)?.table_source(&table);
    made.map_err(|error| Problem::new(path.clone(), error.message))
}

/// The options of a table: `options`, and the format that stands beside them.
pub(super) fn table_options(
    options: &BTreeMap<String, OptionText>,
    format: Option<&str>,
    path: &Path,
) -> Result<BTreeMap<String, String>, Problem> {
    for name in ["connector", "format"] {
        if options.contains_key(name) {
            let message = format!("the {name} is the field `{name}` beside `options`");
            return Err(Problem::new(path.field("options").field(name), message));
        }
    }
    let mut options: BTreeMap<String, String> =
        options.iter().map(|(key, value)| (key.clone(), value.0.clone())).collect();
    options.extend(format.map(|format| ("format".to_owned(), format.to_owned())));
    Ok(options)
}

/// The connector called `name`.
pub(super) fn connector(name: &str, path: &Path) -> Result<&'static dyn Connector, Problem> {
    millstream_connectors::connector(name).ok_or_else(|| {
        let names = || millstream_connectors::CONNECTORS.iter().map(|connector| connector.name());
        let all = names().collect::<Vec<_>>().join(", ");
        let hint = did_you_mean(name, names());
        Problem::new(path.field("connector"), format!("there is no connector called `{name}`{hint} (there are {all})"))
    })
}

/// The place of a column that can be an event time.
pub(super) fn event_time_column(name: &str, schema: &Schema) -> Result<usize, String> {
    let place = column(name, schema)?;
    is_time(schema.field(place)).map_err(|why| format!("the column `{name}` {why}"))?;
    Ok(place)
}

/// The place of a column.
pub(super) fn column(name: &str, schema: &Schema) -> Result<usize, String> {
    schema.index_of(name).map_err(|_| {
        let names = schema.fields().iter().map(|field| field.name().as_str());
        format!("there is no column called `{name}`{}", did_you_mean(name, names))
    })
}

/// What a value has to be that event times are taken from; `Err`: what it is instead.
fn is_time(field: &Field) -> Result<(), String> {
    match field.data_type() {
        DataType::Int64 | DataType::Timestamp(TimeUnit::Millisecond, _) => Ok(()),
        other => Err(format!(
            "is {}, and a time must be TIMESTAMP(3), TIMESTAMP_LTZ(3) or BIGINT in milliseconds",
            millstream_engine::sql_type::sql_name(other)
        )),
    }
}

/// A duration in milliseconds that is not negative.
pub(super) fn milliseconds(text: &str, path: &Path) -> Result<i64, Problem> {
    let duration = parse_duration(text).and_then(|duration| i64::try_from(duration.as_millis()).ok());
    // A bare number is milliseconds in Flink's options; here it is more likely a forgotten unit.
    let has_unit = text.trim() == "0" || text.ends_with(|letter: char| letter.is_alphabetic());
    duration.filter(|_| has_unit).ok_or_else(|| {
        Problem::new(path.clone(), format!("`{text}` is not a duration such as 500ms, 10 min, 1h or 2 days"))
    })
}
