//! One source for each table that a program reads.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion_common::{Column, DFSchema};
use datafusion_expr::Expr;
use millstream_connectors::{ColumnFilter, RowTime, Scan, ScanRequest, TableSource};
use millstream_engine::io::source::Boundedness;
use millstream_engine::operators::Expression;
use millstream_engine::spec::WatermarkSpec;
use millstream_engine::time::generator::WatermarkStrategy;
use millstream_graph::NodeKind;
use millstream_graph::stream_graph::SourceNode;

use super::needed::{self, Need, Needed, Needs, TableNeeds};
use super::{Insert, Lowering};
use crate::error::{Error, Result};
use crate::sql::catalog::Table;
use crate::sql::plan_error::explained;
use crate::sql::typing::{self, physical};

impl Lowering<'_> {
    /// Makes the sources of all tables that `inserts` read.
    pub(super) fn sources(&mut self, inserts: &[Insert]) -> Result<()> {
        // Conditions that every reader has are offered; whether a source takes them over decides which columns are needed.
        let mut needed = gathered(inserts, Needed::default())?;
        let offered = |needs: &TableNeeds| needs.filters.clone().unwrap_or_default();
        let taken = needed.tables.iter().map(|(name, needs)| (name.clone(), offered(needs))).collect();
        needed = gathered(inserts, Needed { taken, ..Needed::default() })?;
        let names: Vec<String> = needed.tables.keys().cloned().collect();
        for name in names {
            let table = self.read_table(&name)?;
            let source = self.table_source(&table)?;
            let filters = needed.taken.get(&name).cloned().unwrap_or_default();
            let mut request = self.request(&table, &needed.tables[&name], filters.clone())?;
            let mut scan = scanned(source.as_ref(), &table, &request)?;
            if scan.filters_taken.iter().filter(|taken| **taken).count() < filters.len() {
                let kept: Vec<ColumnFilter> = filters
                    .iter()
                    .zip(&scan.filters_taken)
                    .filter_map(|(filter, taken)| taken.then_some(filter.clone()))
                    .collect();
                needed.taken.insert(name.clone(), kept);
                needed = gathered(inserts, Needed { taken: std::mem::take(&mut needed.taken), ..Needed::default() })?;
                request = self.request(&table, &needed.tables[&name], filters)?;
                scan = scanned(source.as_ref(), &table, &request)?;
            }
            self.source(&table, source.as_ref(), scan, &request)?;
        }
        self.needed = needed;
        Ok(())
    }

    fn read_table(&self, name: &str) -> Result<Arc<Table>> {
        let table = self.catalog.find(name);
        table.map(Arc::clone).ok_or_else(|| Error::internal(format!("the table `{name}` is gone")))
    }

    fn table_source(&self, table: &Table) -> Result<Arc<dyn TableSource>> {
        let made = self.connector(table)?.table_source(&table.spec);
        made.map_err(|error| Error::at(table.place, error.to_string()))
    }

    fn request(&self, table: &Table, needs: &TableNeeds, filters: Vec<ColumnFilter>) -> Result<ScanRequest> {
        let all = table.spec_schema();
        let mut columns = needs.columns.clone();
        if columns.is_empty() {
            // Rows are counted by some column.
            columns.insert(0, Need::All);
        }
        let rows: SchemaRef = Arc::new(Schema::new(needed::pruned(&all, &columns)));
        let time = self.watermark_needs(table)?;
        let apart = time.filter(|time| !filters.is_empty() || !time.iter().all(|need| covers(&columns, need)));
        let watermark: Option<SchemaRef> = apart.map(|time| Arc::new(Schema::new(needed::pruned(&all, &time))));
        let time = self.row_time(table, watermark.as_ref().unwrap_or(&rows))?;
        Ok(ScanRequest { rows, watermark, time, filters })
    }

    /// What the time of rows and the watermark's expression need.
    fn watermark_needs(&self, table: &Table) -> Result<Option<Needs>> {
        let Some(watermark) = &table.watermark else { return Ok(None) };
        let schema = table_columns(table, &table.spec_schema())?;
        let mut needs = Needs::new();
        let column = || Expr::Column(Column::new(Some(table.reference()), &watermark.column));
        for expr in [watermark.computed.clone().unwrap_or_else(column), watermark.expr.clone()] {
            let expr = typing::finish(expr, &schema, self.context).map_err(|error| explained(&error))?;
            needed::expression(&expr, Need::All, &schema, &mut needs).map_err(|error| explained(&error))?;
        }
        Ok(Some(needs))
    }

    /// The time of rows, over the columns of `there`.
    fn row_time(&self, table: &Table, there: &Schema) -> Result<Option<RowTime>> {
        let Some(watermark) = &table.watermark else { return Ok(None) };
        let name = watermark.column.clone();
        Ok(Some(match &watermark.computed {
            None => RowTime::Column(name),
            Some(expr) => RowTime::Computed { name, expression: self.over(expr, table, there)? },
        }))
    }

    /// `expr`, which is over a table's columns, over those of `there`.
    fn over(&self, expr: &Expr, table: &Table, there: &Schema) -> Result<Expression> {
        let all = table_columns(table, &table.spec_schema())?;
        let expr = typing::finish(expr.clone(), &all, self.context).map_err(|error| explained(&error))?;
        physical(&expr, &table_columns(table, there)?).map_err(|error| explained(&error))
    }

    fn source(&mut self, table: &Table, of: &dyn TableSource, scan: Scan, request: &ScanRequest) -> Result<()> {
        let watermark = match &table.watermark {
            None => None,
            Some(watermark) => {
                let there = request.watermark.as_ref().unwrap_or(&request.rows);
                let expression = self.over(&watermark.expr, table, there)?;
                let idle_timeout_ms = self.idle_timeout(table, of.boundedness());
                Some(WatermarkSpec { strategy: WatermarkStrategy::Expression, expression, idle_timeout_ms })
            }
        };
        let schema = scan.source.schema();
        let dead_letters = table.ours.dead_letters.is_some();
        let kind = NodeKind::Source(SourceNode { source: scan.source, watermark, event_time: None, dead_letters });
        let parallelism = table.ours.scan_parallelism.unwrap_or(self.options.parallelism);
        let id = self.id(&["source", &table.name]);
        let node = self.add(id, format!("Source: {}", table.name), kind, Vec::new(), schema, parallelism);
        self.sources.insert(table.name.clone(), node);
        Ok(())
    }

    /// A split of a bounded table that is silent is slow, not idle, unless the table says otherwise.
    fn idle_timeout(&self, table: &Table, boundedness: Boundedness) -> Option<i64> {
        match (table.ours.idle_timeout_ms, boundedness) {
            (Some(timeout), _) => (timeout > 0).then_some(timeout),
            (None, Boundedness::Bounded) => None,
            (None, Boundedness::Unbounded) => self.options.source_idle_timeout_ms,
        }
    }
}

fn gathered(inserts: &[Insert], mut needed: Needed) -> Result<Needed> {
    for insert in inserts {
        needed.plan(&insert.plan).map_err(|error| explained(&error))?;
    }
    Ok(needed)
}

fn scanned(source: &dyn TableSource, table: &Table, request: &ScanRequest) -> Result<Scan> {
    source.scan(request.clone()).map_err(|error| Error::at(table.place, error.to_string()))
}

/// Whether all of `need` is among `columns`.
fn covers(columns: &Needs, (column, need): (&usize, &Need)) -> bool {
    fn within(need: &Need, there: &Need) -> bool {
        match (need, there) {
            (_, Need::All) => true,
            (Need::All, Need::Fields(_)) => false,
            (Need::Fields(wanted), Need::Fields(fields)) => {
                wanted.iter().all(|(name, need)| fields.get(name).is_some_and(|there| within(need, there)))
            }
        }
    }
    columns.get(column).is_some_and(|there| within(need, there))
}

/// Some of a table's columns, under its name.
fn table_columns(table: &Table, schema: &Schema) -> Result<DFSchema> {
    DFSchema::try_from_qualified_schema(table.reference(), schema).map_err(|error| explained(&error))
}
