//! From optimised plans to the graph of operators.
//!
//! All statements of a program are lowered together: [`needed`] finds out what each table has to give, [`scan`] makes one
//! source of each table, the plans are walked from their tables up, and every table that is written gets one sink.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion_common::{Column, DFSchema};
use datafusion_expr::utils::{conjunction, split_conjunction};
use datafusion_expr::{Expr, LogicalPlan, TableScan};
use millstream_connectors::{ColumnFilter, Connector};
use millstream_engine::key::key_group::MaxParallelism;
use millstream_engine::operators::PortId;
use millstream_engine::spec::OperatorSpec;
use millstream_graph::{Input, NodeKind, OperatorId, Partitioning, StreamGraph, StreamNode};

use self::needed::Needed;
use self::relation::Relation;
use super::catalog::{Catalog, Table};
use super::context::Context;
use super::nodes::{Kind, Step};
use super::plan_error::explained;
use super::typing::physical;
use super::zone::ZoneOffsets;
use crate::error::{Error, Result};
use crate::options::JobOptions;

mod aggregate;
mod needed;
mod relation;
mod scan;
mod sink;
mod window_columns;

/// Finds a connector by its name.
pub type Connectors<'a> = &'a dyn Fn(&str) -> Option<&'static dyn Connector>;

/// An optimised query and the table that it is written to. Its columns are the table's.
#[derive(Debug)]
pub(super) struct Insert {
    pub(super) table: Arc<Table>,
    pub(super) plan: LogicalPlan,
}

/// The graph of a program.
pub(super) fn lower(
    name: &str,
    inserts: &[Insert],
    catalog: &Catalog,
    context: &Context<'_>,
    options: &JobOptions,
    connectors: Connectors<'_>,
) -> Result<StreamGraph> {
    let Some(max_parallelism) = MaxParallelism::new(options.max_parallelism) else {
        return Err(Error::new(format!(
            "the number of key groups must be from 1 to 32768, not {}",
            options.max_parallelism
        )));
    };
    let graph = StreamGraph { name: name.to_owned(), nodes: Vec::new(), max_parallelism };
    let mut lowering = Lowering {
        graph,
        catalog,
        context,
        options,
        connectors,
        needed: Needed::default(),
        sources: HashMap::new(),
        sinks: Vec::new(),
        described: BTreeMap::new(),
        sink: String::new(),
        zone: ZoneOffsets::of(&options.time_zone)?,
    };
    lowering.sources(inserts)?;
    for insert in inserts {
        lowering.sink.clone_from(&insert.table.name);
        let relation = lowering.plan(&insert.plan)?;
        lowering.insert(&insert.table, relation)?;
    }
    lowering.dead_letters()?;
    lowering.finish_sinks()?;
    Ok(lowering.graph)
}

/// The graph as it grows.
struct Lowering<'a> {
    graph: StreamGraph,
    catalog: &'a Catalog,
    context: &'a Context<'a>,
    options: &'a JobOptions,
    connectors: Connectors<'a>,
    needed: Needed,
    /// The node of each table that is read.
    sources: HashMap<String, usize>,
    /// What is written to each table, in the order in which they come up.
    sinks: Vec<sink::Written>,
    /// How many operators have had the same description.
    described: BTreeMap<Vec<String>, usize>,
    /// The table that is written by the statement at hand.
    sink: String,
    zone: ZoneOffsets,
}

impl Lowering<'_> {
    fn plan(&mut self, plan: &LogicalPlan) -> Result<Relation> {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan),
            LogicalPlan::SubqueryAlias(alias) => {
                let input = self.plan(&alias.input)?;
                input.renamed(&alias.alias).map_err(|error| explained(&error))
            }
            LogicalPlan::Projection(projection) => {
                let input = self.plan(&projection.input)?;
                self.projection(input, &projection.expr, &projection.schema.columns())
            }
            LogicalPlan::Filter(filter) => {
                let input = self.plan(&filter.input)?;
                let taken = needed::scan_below(&filter.input).map_or(&[][..], |scan| self.taken(scan));
                let left = split_conjunction(&filter.predicate)
                    .into_iter()
                    .filter(|condition| needed::column_filter(condition).is_none_or(|filter| !taken.contains(&filter)));
                match conjunction(left.cloned().collect::<Vec<_>>()) {
                    Some(predicate) => self.filter(input, predicate),
                    None => Ok(input),
                }
            }
            LogicalPlan::Union(union) => {
                let inputs = flattened(plan).into_iter().map(|input| self.plan(input)).collect::<Result<Vec<_>>>()?;
                self.union(inputs, &union.schema)
            }
            other => match Step::of(other) {
                Some(step) => self.step(step),
                None => Err(Error::unsupported(None, &format!("the step {}", other.display()), "")),
            },
        }
    }

    fn scan(&self, scan: &TableScan) -> Result<Relation> {
        let source = needed::raw(scan).and_then(|raw| self.sources.get(&raw.name));
        let Some(&node) = source else { return Err(Error::internal(format!("no source for {}", scan.table_name))) };
        let fields = self.graph.nodes[node].schema.fields();
        let fields = fields.iter().map(|field| (Some(scan.table_name.clone()), Arc::clone(field))).collect();
        let base = relation::schema(fields).map_err(|error| explained(&error))?;
        Ok(Relation::of(node, base))
    }

    /// The conditions that the source of `scan` takes over.
    fn taken(&self, scan: &TableScan) -> &[ColumnFilter] {
        needed::raw(scan).and_then(|raw| self.needed.taken.get(&raw.name)).map_or(&[], Vec::as_slice)
    }

    fn projection(&mut self, input: Relation, exprs: &[Expr], names: &[Column]) -> Result<Relation> {
        let inline = input.can_inline(exprs.iter()).map_err(|error| explained(&error))?;
        let input = if inline { input } else { self.flush(input)? };
        input.projected(exprs, names).map_err(|error| explained(&error))
    }

    fn filter(&mut self, input: Relation, predicate: Expr) -> Result<Relation> {
        if matches!(&predicate, Expr::Literal(value, _) if *value == datafusion_common::ScalarValue::Boolean(Some(true)))
        {
            return Ok(input);
        }
        let both = [predicate.clone()];
        let wanted = input.output.columns().into_iter().map(Expr::Column).collect::<Vec<_>>();
        let inline = input.can_inline(both.iter().chain(&wanted)).map_err(|error| explained(&error))?;
        let input = if inline { input } else { self.flush(input)? };
        let predicate = input.inlined(predicate).map_err(|error| explained(&error))?;
        let condition = physical(&predicate, &input.base).map_err(|error| explained(&error))?;
        let schema = Arc::clone(&self.graph.nodes[input.node].schema);
        let node = self.forward(input.node, "Filter", OperatorSpec::Filter { condition }, schema);
        Ok(Relation { node, ..input })
    }

    fn union(&mut self, inputs: Vec<Relation>, schema: &DFSchema) -> Result<Relation> {
        let mut nodes: Vec<usize> = Vec::new();
        let mut columns: Option<SchemaRef> = None;
        for input in inputs {
            let wanted = columns.get_or_insert_with(|| nullable(schema.as_arrow()));
            let node = self.compute(input, Arc::clone(wanted))?;
            nodes.push(node);
        }
        let Some(columns) = columns else { return Err(Error::internal("a union of nothing")) };
        let node = self.meet(&nodes, Arc::clone(&columns));
        let names = schema.iter().zip(columns.fields());
        let fields = names.map(|((relation, _), field)| (relation.cloned(), Arc::clone(field))).collect();
        Ok(Relation::of(node, relation::schema(fields).map_err(|error| explained(&error))?))
    }

    fn step(&mut self, step: &Step) -> Result<Relation> {
        let input = self.plan(&step.input)?;
        match step.kind.as_ref() {
            Kind::Windows(windows) => self.window_columns(input, windows, step),
            Kind::Aggregate(aggregation) => self.aggregate(input, aggregation, step),
            Kind::Expand(sets) => self.expand(input, sets, step),
            Kind::Unnest { .. } => self.unnest(input, step),
        }
    }

    fn unnest(&mut self, input: Relation, step: &Step) -> Result<Relation> {
        let input = self.flush(input)?;
        let [list] = step.exprs.as_slice() else { return Err(Error::internal("UNNEST takes one list")) };
        let output = super::nodes::output(&step.kind, &step.exprs, &input.base).map_err(|error| explained(&error))?;
        let list = physical(list, &input.base).map_err(|error| explained(&error))?;
        let schema = arrow(&output);
        let repeated = (0..input.base.fields().len()).collect();
        let spec = OperatorSpec::Unnest { list, repeated, schema: Arc::clone(&schema) };
        let node = self.forward(input.node, "Unnest", spec, schema);
        Ok(Relation::of(node, output))
    }

    /// The relation with its columns computed by a node.
    fn flush(&mut self, relation: Relation) -> Result<Relation> {
        let output = relation.output.clone();
        if relation.is_plain() {
            return Ok(Relation::of(relation.node, output));
        }
        let (expressions, schema) = relation.computed().map_err(|error| explained(&error))?;
        let spec = OperatorSpec::Project { expressions, schema: Arc::clone(&schema) };
        let node = self.forward(relation.node, "Project", spec, Arc::clone(&schema));
        let fields =
            output.iter().zip(schema.fields()).map(|((relation, _), field)| (relation.cloned(), Arc::clone(field)));
        Ok(Relation::of(node, relation::schema(fields.collect()).map_err(|error| explained(&error))?))
    }

    /// A node that makes exactly the columns `wanted` of the relation.
    fn compute(&mut self, relation: Relation, wanted: SchemaRef) -> Result<usize> {
        if relation.is_plain() && self.graph.nodes[relation.node].schema == wanted {
            return Ok(relation.node);
        }
        let mut expressions = Vec::with_capacity(wanted.fields().len());
        for (expr, field) in relation.exprs.iter().zip(wanted.fields()) {
            let compute = |expr: &Expr| physical(expr, &relation.base);
            let expression = compute(expr).map_err(|error| explained(&error))?;
            let of = expression.data_type(relation.base.as_arrow()).map_err(|error| explained(&error))?;
            expressions.push(match of == *field.data_type() {
                true => expression,
                false => {
                    let cast = datafusion_expr::Cast::new(Box::new(expr.clone().unalias()), field.data_type().clone());
                    compute(&Expr::Cast(cast)).map_err(|error| explained(&error))?
                }
            });
        }
        let spec = OperatorSpec::Project { expressions, schema: Arc::clone(&wanted) };
        Ok(self.forward(relation.node, "Project", spec, wanted))
    }

    /// The point where the rows of `nodes` come together.
    fn meet(&mut self, nodes: &[usize], schema: SchemaRef) -> usize {
        if let [only] = nodes {
            return *only;
        }
        let parallelism = nodes.iter().map(|&node| self.graph.nodes[node].parallelism).max().unwrap_or(1);
        let input = |&node: &usize| Input { node, port: PortId::MAIN, partitioning: Partitioning::Forward };
        let inputs = nodes.iter().map(input).collect();
        let id = self.id(&["union", &self.sink.clone()]);
        self.add(id, "Union".to_owned(), NodeKind::Operator(OperatorSpec::Union), inputs, schema, parallelism)
    }

    /// A node without state behind `input`, in its subtasks.
    fn forward(&mut self, input: usize, name: &str, spec: OperatorSpec, schema: SchemaRef) -> usize {
        let parallelism = self.graph.nodes[input].parallelism;
        let inputs = vec![Input { node: input, port: PortId::MAIN, partitioning: Partitioning::Forward }];
        let id = self.id(&[&name.to_lowercase(), &self.sink.clone()]);
        self.add(id, name.to_owned(), NodeKind::Operator(spec), inputs, schema, parallelism)
    }

    fn add(
        &mut self,
        id: OperatorId,
        name: String,
        kind: NodeKind,
        inputs: Vec<Input>,
        schema: SchemaRef,
        parallelism: u32,
    ) -> usize {
        let chaining = self.options.operator_chaining;
        let slot_sharing_group = Arc::from("default");
        self.graph.nodes.push(StreamNode { id, name, kind, inputs, schema, parallelism, slot_sharing_group, chaining });
        self.graph.nodes.len() - 1
    }

    /// The id of an operator with this description. Equal ones are told apart by the order in which they come up.
    fn id(&mut self, parts: &[&str]) -> OperatorId {
        let description: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
        let earlier = self.described.entry(description).or_insert(0);
        let number = earlier.to_string();
        *earlier += 1;
        let mut all = vec!["sql"];
        all.extend(parts);
        if number != "0" {
            all.push(&number);
        }
        OperatorId::derived(&all)
    }
}

/// The inputs of a union, and of the unions among them.
fn flattened(plan: &LogicalPlan) -> Vec<&LogicalPlan> {
    match plan {
        LogicalPlan::Union(union) => union.inputs.iter().flat_map(|input| flattened(input)).collect(),
        other => vec![other],
    }
}

/// The columns as Arrow has them, without marks.
fn arrow(schema: &DFSchema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_metadata(HashMap::new()));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The same columns, each of which may be null: those of a union, of which one input may have nulls.
fn nullable(schema: &Schema) -> SchemaRef {
    let fields =
        schema.fields().iter().map(|field| field.as_ref().clone().with_metadata(HashMap::new()).with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
