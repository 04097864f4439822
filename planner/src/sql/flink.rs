//! The seam to Flink's own functions and casts, which win over DataFusion's.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::{Expr, ScalarUDF};

use crate::session::Session;

/// Flink's functions for a session.
pub(super) fn all(_: &Session) -> Result<Vec<Arc<ScalarUDF>>> {
    Ok(Vec::new())
}

/// Refuses casts that Flink refuses.
pub(super) fn check_cast(_: &DataType, _: &DataType) -> Result<()> {
    Ok(())
}

/// `CAST` where Flink computes it otherwise than Arrow.
pub(super) fn rewrite_cast(_: Expr, _: &DataType, _: &DataType) -> Option<Expr> {
    None
}

/// `TRY_CAST` where Flink computes it otherwise than Arrow.
pub(super) fn rewrite_try_cast(_: Expr, _: &DataType, _: &DataType) -> Option<Expr> {
    None
}
