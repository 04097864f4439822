//! The columns that an operator works on, computed before it where they are expressions.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_physical_expr::expressions::{Column, cast};
use datafusion_physical_expr::utils::collect_columns;
use millstream_engine::operators::Expression;

use crate::error::{Error, Result};
use crate::sql::PlannedExpression;

/// Expressions over the columns of an input, each once.
#[derive(Debug)]
pub(super) struct Projection {
    input: SchemaRef,
    expressions: Vec<Expression>,
    fields: Vec<Field>,
    reads: BTreeSet<String>,
}

impl Projection {
    /// No columns of `input` yet.
    pub(super) fn of(input: &SchemaRef) -> Self {
        Self { input: Arc::clone(input), expressions: Vec::new(), fields: Vec::new(), reads: BTreeSet::new() }
    }

    /// All columns of `input`, to which others may be added.
    pub(super) fn with_all(input: &SchemaRef) -> Self {
        let mut projection = Self::of(input);
        for (place, field) in input.fields().iter().enumerate() {
            projection.expressions.push(Arc::new(Column::new(field.name(), place)));
            projection.fields.push(field.as_ref().clone());
        }
        projection
    }

    /// The place of a column with the value of `planned`.
    pub(super) fn add(&mut self, planned: &PlannedExpression) -> usize {
        self.add_expression(&planned.expression, planned.field.data_type(), planned.field.is_nullable())
    }

    /// The same, cast to `to`.
    pub(super) fn add_as(&mut self, planned: &PlannedExpression, to: &DataType) -> Result<usize> {
        if planned.field.data_type() == to {
            return Ok(self.add(planned));
        }
        let expression = cast(Arc::clone(&planned.expression), &self.input, to.clone()).map_err(Error::internal)?;
        Ok(self.add_expression(&expression, to, planned.field.is_nullable()))
    }

    fn add_expression(&mut self, expression: &Expression, data_type: &DataType, nullable: bool) -> usize {
        self.reads.extend(collect_columns(expression).iter().map(|column| column.name().to_owned()));
        if let Some(place) = self.expressions.iter().position(|other| other == expression) {
            return place;
        }
        let name = match expression.downcast_ref::<Column>() {
            Some(column) => column.name().to_owned(),
            // No column of a user begins so, and nobody sees the name.
            None => format!("$computed{}", self.expressions.len()),
        };
        self.expressions.push(Arc::clone(expression));
        self.fields.push(Field::new(name, data_type.clone(), nullable));
        self.expressions.len() - 1
    }

    /// The columns that come out.
    pub(super) fn schema(&self) -> SchemaRef {
        if self.is_identity() { Arc::clone(&self.input) } else { Arc::new(Schema::new(self.fields.clone())) }
    }

    /// Whether they are the columns of the input as they are, so that nothing needs to be done.
    pub(super) fn is_identity(&self) -> bool {
        let is_column = |(place, expression): (usize, &Expression)| {
            expression.downcast_ref::<Column>().is_some_and(|column| column.index() == place)
        };
        self.expressions.len() == self.input.fields().len() && self.expressions.iter().enumerate().all(is_column)
    }

    /// The columns of the input that were added, or that what was added is computed from.
    pub(super) fn reads(&self) -> &BTreeSet<String> {
        &self.reads
    }

    /// The expressions in order.
    pub(super) fn into_expressions(self) -> Vec<Expression> {
        self.expressions
    }
}
