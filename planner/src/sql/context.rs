//! What DataFusion's planner asks while it turns syntax into plans: tables, functions, types, settings.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::config::ConfigOptions;
use datafusion_common::{DataFusionError, Result as PlanResult, TableReference, plan_err};
use datafusion_expr::planner::{ContextProvider, ExprPlanner, RelationPlanner, TypePlanner};
use datafusion_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, TableSource, WindowUDF};
use datafusion_sql::planner::{ParserOptions, SqlToRel};

use super::cast::{CAST_AS, CastTo, TRY_CAST_AS};
use super::operators::Operators;
use super::registry::Functions;
use super::syntax::Syntax;
use super::types::Types;
use crate::error::{Error, Result};
use crate::session::Session;

/// Finds tables and views by name.
pub(super) trait Tables {
    /// The table or view called `name`.
    fn table(&self, name: &TableReference) -> PlanResult<Arc<dyn TableSource>>;
}

/// No tables: for single expressions.
#[derive(Debug)]
pub(super) struct NoTables;

impl Tables for NoTables {
    fn table(&self, name: &TableReference) -> PlanResult<Arc<dyn TableSource>> {
        plan_err!("there is no table `{name}` here")
    }
}

/// The surroundings of one planning.
pub(super) struct Context<'a> {
    tables: &'a dyn Tables,
    functions: Arc<Functions>,
    types: Arc<Types>,
    config: Arc<ConfigOptions>,
    operators: Arc<Operators>,
    expressions: Vec<Arc<dyn ExprPlanner>>,
    relations: Vec<Arc<dyn RelationPlanner>>,
}

impl<'a> Context<'a> {
    /// For `session`, with these tables.
    pub(super) fn new(
        session: &Session,
        functions: Arc<Functions>,
        tables: &'a dyn Tables,
        relations: Vec<Arc<dyn RelationPlanner>>,
    ) -> Self {
        let operators = Arc::new(Operators::new(Arc::clone(&functions)));
        let expressions: Vec<Arc<dyn ExprPlanner>> = vec![Arc::clone(&operators) as Arc<dyn ExprPlanner>];
        let types = Arc::new(Types::new(&session.job().time_zone));
        Self { tables, functions, types, config: Arc::new(config(session)), operators, expressions, relations }
    }

    /// The planner over this context.
    pub(super) fn planner(&self) -> SqlToRel<'_, Self> {
        SqlToRel::new_with_options(self, ParserOptions::from(&self.config.sql_parser))
    }

    pub(super) fn functions(&self) -> &Arc<Functions> {
        &self.functions
    }

    pub(super) fn types(&self) -> &Types {
        &self.types
    }

    pub(super) fn config(&self) -> &Arc<ConfigOptions> {
        &self.config
    }

    /// What `error`, which came of planning `text`, is for the user.
    pub(super) fn explained(&self, error: &DataFusionError, text: &str) -> Error {
        self.operators.explained(error, text)
    }

    /// The function that stands for a cast, if `name` is one.
    fn cast(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        let text = name.strip_prefix(CAST_AS).or_else(|| name.strip_prefix(TRY_CAST_AS))?;
        let to = self.type_of(text).ok()?;
        Some(CastTo::function(name, to))
    }

    fn type_of(&self, text: &str) -> Result<DataType> {
        let syntax = Syntax::of(text)?;
        let parsed = syntax.parser().parse_data_type().map_err(|error| syntax.error(&error))?;
        self.types.arrow(&parsed)
    }
}

/// Flink's ways where DataFusion has a choice.
fn config(session: &Session) -> ConfigOptions {
    let mut config = ConfigOptions::default();
    config.execution.time_zone = Some(session.job().time_zone.clone());
    config.sql_parser.parse_float_as_decimal = true;
    config.sql_parser.enable_ident_normalization = false;
    config.sql_parser.map_string_types_to_utf8view = false;
    config.sql_parser.collect_spans = true;
    config.sql_parser.default_null_ordering = "nulls_min".to_owned();
    config.optimizer.skip_failed_rules = false;
    config.optimizer.enable_physical_uncorrelated_scalar_subquery = false;
    config
}

impl ContextProvider for Context<'_> {
    fn get_table_source(&self, name: TableReference) -> PlanResult<Arc<dyn TableSource>> {
        self.tables.table(&name)
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.expressions
    }

    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        &self.relations
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::clone(&self.types) as Arc<dyn TypePlanner>)
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.functions.scalar(name).or_else(|| self.cast(name))
    }

    fn get_higher_order_meta(&self, _: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.functions.aggregate(name)
    }

    fn get_window_meta(&self, _: &str) -> Option<Arc<WindowUDF>> {
        None
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.config
    }

    fn udf_names(&self) -> Vec<String> {
        self.functions.names().into_iter().map(str::to_owned).collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}
