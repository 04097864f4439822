//! A sink: the table that a stream is written to.

use std::sync::Arc;

use millstream_connectors::{TableColumn, TableSpec};
use millstream_crds::Path;
use millstream_engine::io::sink::Sink as EngineSink;
use millstream_engine::key::hash::is_hashable;
use millstream_engine::sql_type::sql_name;
use millstream_graph::{NodeKind, Partitioning};

use super::super::spec::{Names, Sink};
use super::source::{column, connector, table_options};
use super::{NewNode, Run, Stream};
use crate::problem::{Problem, Problems};

impl Run<'_> {
    /// Plans the sink at `place`.
    pub(super) fn sink(&mut self, place: usize) {
        let sink = &self.pipeline.sinks[place];
        let path = Path::of(&["sinks"]).index(place);
        let Some(input) = self.stream(&sink.from) else { return };
        let step = self.step(&sink.name, path.clone(), &sink.placement, std::slice::from_ref(&input));
        let (kind, keys) = match (self.sink_kind(sink, &path, &input), keys(sink, &path, &input)) {
            (Ok(kind), Ok(keys)) => (NodeKind::Sink(kind), keys),
            (kind, keys) => {
                let problems = kind.err().into_iter().chain(keys.err());
                return problems.for_each(|problems| self.problems.extend(problems));
            }
        };
        let id = step.id("sink", &[]);
        let partitioning = if keys.is_empty() { Partitioning::Forward } else { Partitioning::Hash(keys) };
        let inputs = vec![input.input(partitioning)];
        self.add(&step, true, NewNode { id, name: format!("Sink: {}", sink.name), kind, inputs, schema: input.schema });
    }

    fn sink_kind(&self, sink: &Sink, path: &Path, input: &Stream) -> Result<Arc<dyn EngineSink>, Problems> {
        let mut problems = Vec::new();
        for (index, name) in sink.partition_by.iter().enumerate() {
            if let Err(message) = column(name, &input.schema) {
                problems.push(Problem::new(path.field("partitionBy").index(index), message));
            }
        }
        Problems::check(problems)?;
        let columns =
            input.schema.fields().iter().map(|field| TableColumn { field: field.as_ref().clone(), metadata: None });
        let table = TableSpec {
            name: sink.name.clone(),
            columns: columns.collect(),
            partition_keys: sink.partition_by.clone(),
            primary_key: Vec::new(),
            options: table_options(&sink.options, sink.format.as_deref(), path)?,
            time_zone: self.session.job().time_zone.clone(),
        };
        let made = connector(&sink.connector, path)?.sink(&table);
        made.map_err(|error| Problem::new(path.clone(), error.message).into())
    }
}

/// The places of the columns of `keyBy`.
fn keys(sink: &Sink, path: &Path, input: &Stream) -> Result<Vec<usize>, Problems> {
    let (mut keys, mut problems) = (Vec::new(), Vec::new());
    for (index, name) in sink.key_by.iter().flat_map(|keys| keys.iter()).enumerate() {
        let path = match &sink.key_by {
            Some(Names::Several(_)) => path.field("keyBy").index(index),
            Some(Names::One(_)) | None => path.field("keyBy"),
        };
        match column(name, &input.schema) {
            Ok(key) if is_hashable(input.schema.field(key).data_type()) => keys.push(key),
            Ok(key) => {
                let type_name = sql_name(input.schema.field(key).data_type());
                problems.push(Problem::new(path, format!("the column `{name}` is {type_name}, which cannot be a key")));
            }
            Err(message) => problems.push(Problem::new(path, message)),
        }
    }
    Problems::check(problems)?;
    Ok(keys)
}
