//! Leaves out columns that are only carried along.
//!
//! A row of a list's element repeats the columns of the list's row. Those that the next step does not read, such as the text
//! that the list was split from, need not be copied for every element.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion_common::Result as PlanResult;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_physical_expr::expressions::Column;
use datafusion_physical_expr::utils::collect_columns;
use millstream_engine::operators::Expression;
use millstream_engine::spec::OperatorSpec;
use millstream_graph::{NodeKind, StreamGraph};

/// The new place of each column that stays.
type Places = BTreeMap<usize, usize>;

/// Makes every unnesting of `graph` repeat only what is read, where all that read it are projections.
pub(crate) fn narrow(graph: &mut StreamGraph) -> PlanResult<()> {
    for node in 0..graph.nodes.len() {
        let readers: Vec<usize> = readers(graph, node);
        if let Some(read) = columns_read(graph, &readers)
            && let Some(places) = keep(graph, node, &read)
        {
            for reader in readers {
                move_columns(graph, reader, &places)?;
            }
        }
    }
    Ok(())
}

fn readers(graph: &StreamGraph, node: usize) -> Vec<usize> {
    let reads = |other: &usize| graph.nodes[*other].inputs.iter().any(|input| input.node == node);
    (0..graph.nodes.len()).filter(reads).collect()
}

/// The columns that `readers` read; `None` if one of them is not a projection, or if there is none.
fn columns_read(graph: &StreamGraph, readers: &[usize]) -> Option<Vec<usize>> {
    let mut columns = Vec::new();
    for &reader in readers {
        let NodeKind::Operator(OperatorSpec::Project { expressions, .. }) = &graph.nodes[reader].kind else {
            return None;
        };
        columns.extend(expressions.iter().flat_map(collect_columns).map(|column| column.index()));
    }
    (!readers.is_empty()).then_some(columns)
}

/// Leaves only the columns `read` and the element of `node`, if it is an unnesting. `None` if nothing changes.
fn keep(graph: &mut StreamGraph, node: usize, read: &[usize]) -> Option<Places> {
    let node = &mut graph.nodes[node];
    let NodeKind::Operator(OperatorSpec::Unnest { repeated, schema, .. }) = &mut node.kind else { return None };
    let element = repeated.len();
    let kept: Vec<usize> = (0..element).filter(|column| read.contains(column)).collect();
    if kept.len() == element {
        return None;
    }
    let fields = kept.iter().chain([&element]).map(|&column| Arc::clone(&schema.fields()[column]));
    *schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    node.schema = Arc::clone(schema);
    *repeated = kept.iter().map(|&column| repeated[column]).collect();
    Some(kept.into_iter().chain([element]).zip(0..).collect())
}

fn move_columns(graph: &mut StreamGraph, reader: usize, places: &Places) -> PlanResult<()> {
    if let NodeKind::Operator(OperatorSpec::Project { expressions, .. }) = &mut graph.nodes[reader].kind {
        for expression in expressions {
            *expression = moved(expression, places)?;
        }
    }
    Ok(())
}

fn moved(expression: &Expression, places: &Places) -> PlanResult<Expression> {
    let moved = Arc::clone(expression).transform(|part| {
        Ok(match part.downcast_ref::<Column>().and_then(|column| Some((column.name(), places.get(&column.index())?))) {
            Some((name, &place)) => Transformed::yes(Arc::new(Column::new(name, place))),
            None => Transformed::no(part),
        })
    })?;
    Ok(moved.data)
}
