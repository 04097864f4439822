//! One sink for each table that a program writes, whatever writes it.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use millstream_connectors::Connector;
use millstream_engine::io::source::dead_letter_schema;
use millstream_engine::operators::PortId;
use millstream_engine::spec::OperatorSpec;
use millstream_graph::{Input, NodeKind, Partitioning};

use super::Lowering;
use super::relation::{self, Relation};
use crate::error::{Error, Result};
use crate::sql::cast::implicit;
use crate::sql::catalog::Table;
use crate::sql::plan_error::explained;

/// A table and the nodes that make its rows.
#[derive(Debug)]
pub(super) struct Written {
    table: Arc<Table>,
    nodes: Vec<usize>,
}

impl Lowering<'_> {
    /// Writes `relation`, whose columns are the table's, to it.
    pub(super) fn insert(&mut self, table: &Arc<Table>, relation: Relation) -> Result<()> {
        let node = self.compute(relation, sink_schema(table))?;
        self.write(table, node);
        Ok(())
    }

    fn write(&mut self, table: &Arc<Table>, node: usize) {
        match self.sinks.iter_mut().find(|written| written.table.name == table.name) {
            Some(written) => written.nodes.push(node),
            None => self.sinks.push(Written { table: Arc::clone(table), nodes: vec![node] }),
        }
    }

    /// Writes the bad rows of sources to the tables that are named for them.
    pub(super) fn dead_letters(&mut self) -> Result<()> {
        let mut sources: Vec<(usize, String)> = self.sources.iter().map(|(name, node)| (*node, name.clone())).collect();
        sources.sort_unstable();
        for (source, name) in sources {
            let Some(table) = self.catalog.find(&name).map(Arc::clone) else { continue };
            let Some(target) = &table.ours.dead_letters else { continue };
            let Some(sink) = self.catalog.find(target).map(Arc::clone) else {
                let message = format!("the table `{target}`, for bad rows of `{name}`, is not declared");
                return Err(Error::at(table.place, message));
            };
            let node = self.dead_letter_rows(source, &sink)?;
            self.write(&sink, node);
        }
        Ok(())
    }

    fn dead_letter_rows(&mut self, source: usize, sink: &Table) -> Result<usize> {
        let letters = dead_letter_schema();
        let wanted = sink_schema(sink);
        let fits = letters.fields().len() == wanted.fields().len()
            && letters
                .fields()
                .iter()
                .zip(wanted.fields())
                .all(|(from, to)| implicit(from.data_type(), to.data_type()));
        if !fits {
            let columns = "(split STRING, `row` BIGINT, reason STRING, raw STRING)";
            let message = format!("the table `{}` takes bad rows, so its columns must be {columns}", sink.name);
            return Err(Error::at(sink.place, message));
        }
        let fields = letters.fields().iter().map(|field| (None, Arc::clone(field))).collect();
        let base = relation::schema(fields).map_err(|error| explained(&error))?;
        let relation = Relation::of(source, base);
        let (expressions, _) = relation.computed().map_err(|error| explained(&error))?;
        let spec = OperatorSpec::Project { expressions, schema: Arc::clone(&wanted) };
        let inputs = vec![Input { node: source, port: PortId::DEAD_LETTERS, partitioning: Partitioning::Forward }];
        let parallelism = self.graph.nodes[source].parallelism;
        let id = self.id(&["dead-letters", &sink.name]);
        Ok(self.add(id, "DeadLetters".to_owned(), NodeKind::Operator(spec), inputs, wanted, parallelism))
    }

    /// Makes the sinks.
    pub(super) fn finish_sinks(&mut self) -> Result<()> {
        for written in std::mem::take(&mut self.sinks) {
            let table = &written.table;
            self.sink.clone_from(&table.name);
            let schema = sink_schema(table);
            let input = self.meet(&written.nodes, Arc::clone(&schema));
            let made = self.connector(table)?.sink(&table.sink_spec());
            let kind = NodeKind::Sink(made.map_err(|error| Error::at(table.place, error.to_string()))?);
            let parallelism = table.ours.sink_parallelism.unwrap_or(self.graph.nodes[input].parallelism);
            let inputs = vec![Input { node: input, port: PortId::MAIN, partitioning: Partitioning::Forward }];
            let id = self.id(&["sink", &table.name]);
            self.add(id, format!("Sink: {}", table.name), kind, inputs, schema, parallelism);
        }
        Ok(())
    }

    /// The connector of a table.
    pub(super) fn connector(&self, table: &Table) -> Result<&'static dyn Connector> {
        let Some(name) = &table.connector else {
            let message = format!("the table `{}` has no 'connector' among its options", table.name);
            return Err(Error::at(table.place, message));
        };
        (self.connectors)(name).ok_or_else(|| {
            let known = millstream_connectors::CONNECTORS.iter().map(|connector| connector.name());
            Error::unknown(&format!("connector of the table `{}`:", table.name), name, known).or_at(table.place)
        })
    }
}

/// The columns that a table is written with.
fn sink_schema(table: &Table) -> SchemaRef {
    Arc::new(Schema::new(table.sink_columns().into_iter().map(|column| column.field.clone()).collect::<Vec<_>>()))
}
