//! A plan on its way into the graph: a node, and what is still to be computed over its columns.
//!
//! Projections are not made into nodes one by one. They are kept open and put into each other, also across the names that
//! views and subqueries give, until something needs the columns as they are. An expression that is dear and wanted twice
//! ends this: it is computed once, by a node of its own.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{Field, FieldRef, Schema, SchemaRef};
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{Column, DFSchema, Result as PlanResult, TableReference};
use datafusion_expr::{Expr, ExprSchemable};
use datafusion_physical_expr::PhysicalExpr;
use millstream_engine::operators::Expression;

use crate::sql::typing::physical;

/// Columns over the output of a node.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    /// The node, by its place in the graph.
    pub(super) node: usize,
    /// The columns that come out of the node.
    pub(super) base: DFSchema,
    /// What is to be computed over them.
    pub(super) exprs: Vec<Expr>,
    /// The columns that this comes to.
    pub(super) output: DFSchema,
}

type Qualified = (Option<TableReference>, FieldRef);

/// A schema of such fields.
pub(super) fn schema(fields: Vec<Qualified>) -> PlanResult<DFSchema> {
    DFSchema::new_with_metadata(fields, HashMap::new())
}

impl Relation {
    /// The columns of `node` as they are.
    pub(super) fn of(node: usize, base: DFSchema) -> Self {
        let exprs = base.columns().into_iter().map(Expr::Column).collect();
        Self { node, output: base.clone(), base, exprs }
    }

    /// Whether the columns are those of the node, in their order.
    pub(super) fn is_plain(&self) -> bool {
        let is_nth = |(place, expr): (usize, &Expr)| matches!(expr, Expr::Column(column) if self.base.index_of_column(column).is_ok_and(|at| at == place));
        self.exprs.len() == self.base.fields().len() && self.exprs.iter().enumerate().all(is_nth)
    }

    /// Whether `exprs`, over this relation's columns, can be put over its node's without computing anything dear twice.
    pub(super) fn can_inline<'a>(&self, exprs: impl Iterator<Item = &'a Expr>) -> PlanResult<bool> {
        let mut uses = vec![0_usize; self.exprs.len()];
        for expr in exprs {
            let mut columns = Vec::new();
            expr.apply(|expr| {
                if let Expr::Column(column) = expr {
                    columns.push(column.clone());
                }
                Ok(datafusion_common::tree_node::TreeNodeRecursion::Continue)
            })?;
            for column in columns {
                uses[self.output.index_of_column(&column)?] += 1;
            }
        }
        let may = |(expr, uses): (&Expr, &usize)| *uses == 0 || is_cheap(expr) || (*uses == 1 && !expr.is_volatile());
        Ok(self.exprs.iter().zip(&uses).all(may))
    }

    /// `expr`, over this relation's columns, over those of the node.
    pub(super) fn inlined(&self, expr: Expr) -> PlanResult<Expr> {
        let inlined = expr.transform_up(|expr| {
            Ok(match &expr {
                Expr::Column(column) => {
                    let of = self.exprs[self.output.index_of_column(column)?].clone();
                    Transformed::yes(of.unalias())
                }
                _ => Transformed::no(expr),
            })
        })?;
        Ok(inlined.data)
    }

    /// The relation with other columns, `exprs` over its own, called `names`.
    pub(super) fn projected(&self, exprs: &[Expr], names: &[Column]) -> PlanResult<Self> {
        let mut inlined = Vec::with_capacity(exprs.len());
        let mut fields: Vec<Qualified> = Vec::with_capacity(exprs.len());
        for (expr, name) in exprs.iter().zip(names) {
            let expr = self.inlined(expr.clone().unalias())?;
            let (_, field) = expr.to_field(&self.base)?;
            fields.push((name.relation.clone(), Arc::new(field.as_ref().clone().with_name(&name.name))));
            inlined.push(expr);
        }
        Ok(Self { node: self.node, base: self.base.clone(), exprs: inlined, output: schema(fields)? })
    }

    /// The same columns under the name of a view or subquery.
    pub(super) fn renamed(mut self, alias: &TableReference) -> PlanResult<Self> {
        let fields = self.output.fields().iter().map(|field| (Some(alias.clone()), Arc::clone(field))).collect();
        self.output = schema(fields)?;
        Ok(self)
    }

    /// What a node computes that makes these columns, and what comes out of it.
    pub(super) fn computed(&self) -> PlanResult<(Vec<Expression>, SchemaRef)> {
        let mut fields = Vec::with_capacity(self.exprs.len());
        let mut expressions = Vec::with_capacity(self.exprs.len());
        for (expr, field) in self.exprs.iter().zip(self.output.fields()) {
            let expression = physical(expr, &self.base)?;
            fields.push(typed(field.name(), expression.as_ref(), self.base.as_arrow())?);
            expressions.push(expression);
        }
        Ok((expressions, Arc::new(Schema::new(fields))))
    }
}

fn typed(name: &str, expression: &dyn PhysicalExpr, over: &Schema) -> PlanResult<Field> {
    Ok(Field::new(name, expression.data_type(over)?, expression.nullable(over)?))
}

/// Whether computing `expr` costs next to nothing.
fn is_cheap(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) | Expr::Literal(_, _) => true,
        Expr::Alias(alias) => is_cheap(&alias.expr),
        Expr::ScalarFunction(call) if call.func.name() == "get_field" => call.args.iter().all(is_cheap),
        _ => false,
    }
}
