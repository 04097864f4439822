//! Window aggregations and the copies of rows for grouping sets.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use datafusion_expr::{Expr, lit};
use millstream_engine::aggregate::AggregateSpec;
use millstream_engine::operators::PortId;
use millstream_engine::spec::OperatorSpec;
use millstream_engine::window::{Phase, TimeSource, TriggerSpec, WindowAggregateSpec};
use millstream_graph::{Input, NodeKind, Partitioning};

use super::relation::Relation;
use super::{Lowering, arrow};
use crate::error::{Error, Result};
use crate::sql::marks::Time;
use crate::sql::nodes::{GroupingSets, Step, WindowAggregation, output};
use crate::sql::plan_error::explained;
use crate::sql::typing::physical;

impl Lowering<'_> {
    /// Rows go to the subtask that has their key; without keys, to the only one.
    pub(super) fn aggregate(
        &mut self,
        input: Relation,
        aggregation: &WindowAggregation,
        step: &Step,
    ) -> Result<Relation> {
        let input = self.flush(input)?;
        let columns = output(&step.kind, &step.exprs, &input.base).map_err(|error| explained(&error))?;
        let name = format!("WindowAggregate({})", self.sink);
        let spec = self.window_spec(&input, aggregation, &columns, &name)?;
        let (partitioning, parallelism) = match aggregation.keys {
            0 => (Partitioning::Global, 1),
            keys => (Partitioning::Hash((0..keys).collect()), self.options.parallelism),
        };
        let inputs = vec![Input { node: input.node, port: PortId::MAIN, partitioning }];
        let mut parts = vec!["window-aggregate"];
        parts.extend(aggregation.id.iter().map(String::as_str));
        let id = self.id(&parts);
        let schema = Arc::clone(&spec.output);
        let kind = NodeKind::Operator(OperatorSpec::WindowAggregate(spec));
        let node = self.add(id, name, kind, inputs, schema, parallelism);
        Ok(Relation::of(node, columns))
    }

    fn window_spec(
        &self,
        input: &Relation,
        aggregation: &WindowAggregation,
        columns: &datafusion_common::DFSchema,
        name: &str,
    ) -> Result<WindowAggregateSpec> {
        let time = match (aggregation.time, aggregation.time_column) {
            (Time::Processing, _) => TimeSource::Processing,
            (Time::Event, Some(column)) => TimeSource::Column(column),
            (Time::Event, None) => return Err(Error::internal("a window over event time without a time")),
        };
        let trigger = match aggregation.time {
            Time::Event => TriggerSpec::EventTime,
            Time::Processing => TriggerSpec::ProcessingTime,
        };
        let output = arrow(columns);
        let first = aggregation.keys + 2;
        let aggregates = aggregation.calls.iter().enumerate().map(|(place, call)| AggregateSpec {
            function: call.function,
            argument: call.argument,
            distinct: call.distinct,
            filter: call.filter,
            output: output.field(first + place).clone(),
        });
        let aggregates = aggregates.collect();
        let window = aggregation.window;
        window.check().map_err(|error| Error::new(error.to_string()))?;
        Ok(WindowAggregateSpec {
            name: name.to_owned(),
            input: Arc::clone(&self.graph.nodes[input.node].schema),
            output,
            keys: (0..aggregation.keys).collect(),
            time,
            window,
            trigger,
            evictor: None,
            allowed_lateness_ms: 0,
            late_output: false,
            aggregates,
            phase: Phase::Single,
        })
    }

    pub(super) fn expand(&mut self, input: Relation, sets: &GroupingSets, step: &Step) -> Result<Relation> {
        let input = self.flush(input)?;
        let columns = output(&step.kind, &step.exprs, &input.base).map_err(|error| explained(&error))?;
        let mut projections = Vec::with_capacity(sets.sets.len());
        for (number, set) in sets.sets.iter().enumerate() {
            let mut exprs = Vec::new();
            for (place, (column, field)) in input.base.columns().into_iter().zip(input.base.fields()).enumerate() {
                exprs.push(match set.get(place) {
                    Some(false) => null(field.data_type())?,
                    Some(true) | None => Expr::Column(column),
                });
            }
            exprs.push(lit(i32::try_from(number).unwrap_or(i32::MAX)));
            exprs.extend(sets.groupings.iter().map(|keys| lit(GroupingSets::grouping(keys, set))));
            let computed = exprs.iter().map(|expr| physical(expr, &input.base)).collect::<Result<Vec<_>, _>>();
            projections.push(computed.map_err(|error| explained(&error))?);
        }
        let schema = arrow(&columns);
        let spec = OperatorSpec::Expand { projections, schema: Arc::clone(&schema) };
        let node = self.forward(input.node, "Expand", spec, schema);
        Ok(Relation::of(node, columns))
    }
}

fn null(of: &DataType) -> Result<Expr> {
    let null = ScalarValue::try_from(of).map_err(|error| explained(&error))?;
    Ok(Expr::Literal(null, None))
}
