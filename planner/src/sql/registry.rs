//! The functions that a program may call, by name: DataFusion's, and over them Flink's.
//!
//! Where both have a name, Flink's is the one that is meant. Functions that DataFusion answers while planning, or that
//! mean another thing in Flink under that name, are left out unless Flink's own takes their place.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion_common::{Result as PlanResult, plan_datafusion_err};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::{AggregateUDF, Expr, ScalarUDF};

use super::aggregates;
use super::plan_error::explained;
use crate::error::Result;
use crate::session::Session;

/// Names of DataFusion's that would mislead: frozen while planning, of another meaning, or of another system.
const LEFT_OUT: &[&str] = &[
    "array_concat",
    "array_position",
    "arrow_cast",
    "arrow_field",
    "arrow_metadata",
    "arrow_try_cast",
    "cast_to_type",
    "current_date",
    "current_time",
    "current_timestamp",
    "date_format",
    "file_row_index",
    "input_file_name",
    "now",
    "today",
    "try_cast_to_type",
    "union_extract",
    "union_tag",
    "version",
    "with_metadata",
];

/// All functions of a session.
#[derive(Debug)]
pub(super) struct Functions {
    scalar: HashMap<String, Arc<ScalarUDF>>,
    aggregate: HashMap<&'static str, Arc<AggregateUDF>>,
}

impl Functions {
    pub(super) fn of(session: &Session) -> Result<Self> {
        let mut scalar = HashMap::new();
        let stock = datafusion_functions::all_default_functions();
        for function in stock.into_iter().chain(datafusion_functions_nested::all_default_nested_functions()) {
            register(&mut scalar, &function);
        }
        LEFT_OUT.iter().for_each(|name| drop(scalar.remove(*name)));
        // Flink's takes away all that are equal.
        if let Some(all) = scalar.get("array_remove_all").map(Arc::clone) {
            scalar.insert("array_remove".to_owned(), all);
        }
        let flinks = crate::functions::all(&session.job().time_zone, Arc::clone(session.clock()));
        for function in flinks.map_err(|error| explained(&error))? {
            register(&mut scalar, &function);
        }
        Ok(Self { scalar, aggregate: aggregates::all().into_iter().collect() })
    }

    /// Calls the function `of` by another name too, in lower case.
    pub(super) fn alias(&mut self, name: &str, of: &str) {
        if let Some(function) = self.scalar(of) {
            self.scalar.insert(name.to_owned(), function);
        }
    }

    /// The scalar function called `name`, in lower case.
    pub(super) fn scalar(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.scalar.get(name).map(Arc::clone)
    }

    /// The aggregate function called `name`, in lower case.
    pub(super) fn aggregate(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.aggregate.get(name).map(Arc::clone)
    }

    /// The names of both sorts, in order.
    pub(super) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.scalar.keys().map(String::as_str).chain(self.aggregate.keys().copied()).collect();
        names.sort_unstable();
        names
    }

    /// A call of a function that is always there.
    pub(super) fn call(&self, name: &str, arguments: Vec<Expr>) -> PlanResult<Expr> {
        let function = self.scalar(name).ok_or_else(|| plan_datafusion_err!("there is no function {name}"))?;
        Ok(Expr::ScalarFunction(ScalarFunction::new_udf(function, arguments)))
    }
}

fn register(functions: &mut HashMap<String, Arc<ScalarUDF>>, function: &Arc<ScalarUDF>) {
    for name in function.aliases().iter().map(String::as_str).chain([function.name()]) {
        functions.insert(name.to_lowercase(), Arc::clone(function));
    }
}
