//! A sink: the table that a stream is written to.

use std::sync::Arc;

use millstream_connectors::{TableColumn, TableSpec};
use millstream_crds::Path;
use millstream_engine::io::sink::Sink as EngineSink;
use millstream_graph::{NodeKind, Partitioning};

use super::super::spec::Sink;
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
        let kind = match self.sink_kind(sink, &path, &input) {
            Ok(kind) => NodeKind::Sink(kind),
            Err(problems) => return self.problems.extend(problems),
        };
        let id = step.id("sink", &[]);
        let inputs = vec![input.input(Partitioning::Forward)];
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
