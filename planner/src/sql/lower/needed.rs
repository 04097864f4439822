//! Which columns of which tables a program needs, down to the fields of rows, and which conditions its tables' rows meet.
//!
//! All statements of a program that read a table share one source. So what each needs is gathered first, over all plans, and
//! the source is asked for the sum; a condition is passed to it only if every reader has it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use datafusion_common::{DFSchema, Result as PlanResult, ScalarValue, internal_err};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::utils::split_conjunction;
use datafusion_expr::{Expr, LogicalPlan, TableScan};
use millstream_connectors::{ColumnFilter, FilterValue};

use crate::sql::catalog::RawTable;
use crate::sql::nodes::{Kind, Step};
use crate::sql::optimise::equality;

/// What is needed of one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Need {
    /// All of it.
    All,
    /// These fields of it.
    Fields(BTreeMap<String, Self>),
}

impl Need {
    fn add(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::All, _) => {}
            (_, Self::All) => *self = Self::All,
            (Self::Fields(fields), Self::Fields(more)) => {
                for (name, need) in more {
                    match fields.get_mut(&name) {
                        Some(there) => there.add(need),
                        None => drop(fields.insert(name, need)),
                    }
                }
            }
        }
    }
}

/// What is needed of each column, by its place.
pub(super) type Needs = BTreeMap<usize, Need>;

fn add(needs: &mut Needs, column: usize, need: Need) {
    match needs.get_mut(&column) {
        Some(there) => there.add(need),
        None => drop(needs.insert(column, need)),
    }
}

/// What is needed of a table.
#[derive(Debug, Default, Clone)]
pub(super) struct TableNeeds {
    /// By the column's place in [`RawTable::schema`].
    pub(super) columns: Needs,
    /// Conditions that all readers have. `None` before the first reader.
    pub(super) filters: Option<Vec<ColumnFilter>>,
}

/// What a program needs.
#[derive(Debug, Default)]
pub(super) struct Needed {
    /// By the table's name.
    pub(super) tables: BTreeMap<String, TableNeeds>,
    /// Conditions that a table's source takes over, so that no one above needs to look.
    pub(super) taken: BTreeMap<String, Vec<ColumnFilter>>,
}

impl Needed {
    /// Adds what `plan` needs, all of whose columns are wanted.
    pub(super) fn plan(&mut self, plan: &LogicalPlan) -> PlanResult<()> {
        let all = (0..plan.schema().fields().len()).map(|column| (column, Need::All)).collect();
        self.visit(plan, all)
    }

    fn visit(&mut self, plan: &LogicalPlan, needs: Needs) -> PlanResult<()> {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan, &needs, Vec::new()),
            LogicalPlan::SubqueryAlias(alias) => self.visit(&alias.input, needs),
            LogicalPlan::Projection(projection) => {
                let mut below = Needs::new();
                for (column, need) in needs {
                    expression(&projection.expr[column], need, projection.input.schema(), &mut below)?;
                }
                self.visit(&projection.input, below)
            }
            LogicalPlan::Filter(filter) => {
                let mut below = needs;
                let scan = scan_below(&filter.input);
                let taken = scan.and_then(raw).and_then(|raw| self.taken.get(&raw.name)).cloned().unwrap_or_default();
                for condition in split_conjunction(&filter.predicate) {
                    if column_filter(condition).is_none_or(|filter| scan.is_none() || !taken.contains(&filter)) {
                        expression(condition, Need::All, filter.input.schema(), &mut below)?;
                    }
                }
                match scan {
                    Some(scan) => {
                        let filters =
                            split_conjunction(&filter.predicate).into_iter().filter_map(column_filter).collect();
                        self.scan(scan, &below, filters)
                    }
                    None => self.visit(&filter.input, below),
                }
            }
            LogicalPlan::Union(union) => union.inputs.iter().try_for_each(|input| self.visit(input, needs.clone())),
            other => match Step::of(other) {
                Some(step) => {
                    let width = step.input.schema().fields().len();
                    let mut below: Needs = match step.kind.as_ref() {
                        Kind::Windows(_) | Kind::Unnest { .. } => {
                            needs.into_iter().filter(|(column, _)| *column < width).collect()
                        }
                        Kind::Aggregate(_) | Kind::Expand(_) => (0..width).map(|column| (column, Need::All)).collect(),
                    };
                    for expr in &step.exprs {
                        expression(expr, Need::All, step.input.schema(), &mut below)?;
                    }
                    self.visit(&step.input, below)
                }
                None => internal_err!("no lowering for {}", other.display()),
            },
        }
    }

    fn scan(&mut self, scan: &TableScan, needs: &Needs, filters: Vec<ColumnFilter>) -> PlanResult<()> {
        let Some(raw) = raw(scan) else { return internal_err!("{} is not a table of the program", scan.table_name) };
        let table = self.tables.entry(raw.name.clone()).or_default();
        for (column, need) in needs {
            let place = scan.projection.as_ref().map_or(*column, |projection| projection[*column]);
            add(&mut table.columns, place, need.clone());
        }
        match &mut table.filters {
            None => table.filters = Some(filters),
            Some(there) => there.retain(|filter| filters.contains(filter)),
        }
        Ok(())
    }
}

/// The table that a scan reads.
pub(super) fn raw(scan: &TableScan) -> Option<&RawTable> {
    scan.source.downcast_ref::<RawTable>()
}

/// The scan that `plan` is but for its name.
pub(super) fn scan_below(plan: &LogicalPlan) -> Option<&TableScan> {
    match plan {
        LogicalPlan::TableScan(scan) => Some(scan),
        LogicalPlan::SubqueryAlias(alias) => scan_below(&alias.input),
        _ => None,
    }
}

/// The condition as sources understand it, if they do.
pub(super) fn column_filter(condition: &Expr) -> Option<ColumnFilter> {
    let (column, value) = equality(condition)?;
    let value = match value {
        ScalarValue::Int8(Some(value)) => FilterValue::Integer(i64::from(value)),
        ScalarValue::Int16(Some(value)) => FilterValue::Integer(i64::from(value)),
        ScalarValue::Int32(Some(value)) => FilterValue::Integer(i64::from(value)),
        ScalarValue::Int64(Some(value)) => FilterValue::Integer(value),
        ScalarValue::Utf8(Some(value)) => FilterValue::Text(value),
        _ => return None,
    };
    Some(ColumnFilter { column: column.name, value })
}

/// Adds what `expr` needs of the columns of `schema`, `need` of it being wanted.
pub(super) fn expression(expr: &Expr, need: Need, schema: &DFSchema, needs: &mut Needs) -> PlanResult<()> {
    match expr {
        Expr::Alias(alias) => expression(&alias.expr, need, schema, needs),
        Expr::Column(column) => {
            add(needs, schema.index_of_column(column)?, need);
            Ok(())
        }
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "get_field" => {
            let names: Option<Vec<&str>> = args
                .iter()
                .skip(1)
                .map(|arg| match arg {
                    Expr::Literal(name, _) => name.try_as_str().flatten(),
                    _ => None,
                })
                .collect();
            match (args.first(), names) {
                (Some(of), Some(names)) if is_row(of, schema) => {
                    let need = names
                        .iter()
                        .rev()
                        .fold(need, |need, name| Need::Fields(BTreeMap::from([((*name).to_owned(), need)])));
                    expression(of, need, schema, needs)
                }
                _ => children(expr, schema, needs),
            }
        }
        other => children(other, schema, needs),
    }
}

fn is_row(expr: &Expr, schema: &DFSchema) -> bool {
    use datafusion_expr::ExprSchemable;
    matches!(expr.get_type(schema), Ok(DataType::Struct(_)))
}

fn children(expr: &Expr, schema: &DFSchema, needs: &mut Needs) -> PlanResult<()> {
    use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
    let mut outcome = Ok(());
    expr.apply_children(|child| {
        outcome = expression(child, Need::All, schema, needs);
        Ok(if outcome.is_ok() { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    outcome
}

/// The columns of `schema` that are needed, with the fields that are needed.
pub(super) fn pruned(schema: &Schema, needs: &Needs) -> Vec<FieldRef> {
    needs.iter().map(|(column, need)| pruned_field(schema.field(*column), need)).collect()
}

fn pruned_field(field: &Field, need: &Need) -> FieldRef {
    let (Need::Fields(wanted), DataType::Struct(fields)) = (need, field.data_type()) else {
        return Arc::new(field.clone());
    };
    let kept: Fields =
        fields.iter().filter_map(|field| wanted.get(field.name()).map(|need| pruned_field(field, need))).collect();
    Arc::new(field.clone().with_data_type(DataType::Struct(kept)))
}
