//! Flink's SQL → a graph of operators.
//!
//! ```text
//! text ─ prepass ─► tokens ─ dialect ─► syntax ─ check, rewrite ─► syntax ─ SqlToRel ─► logical plan
//!                                                                                          │ lower windows
//! StreamGraph ◄─ lower ─ optimised plan ◄─ chosen rules ─ typed plan ◄─ coercion, casts ◄──┘
//! ```
//!
//! Parsing, name resolution, types and expressions are DataFusion's; statements, windows, time and everything with state
//! are ours. What is not supported is refused by name and place, before it could be planned wrongly.

mod aggregates;
mod cast;
mod check;
mod column;
mod context;
mod dialect;
pub mod expression;
mod interval;
mod operators;
mod plan_error;
mod prepass;
mod registry;
mod rewrite;
mod syntax;
mod types;
mod typing;

#[cfg(test)]
mod expression_tests;

pub(crate) use column::plan_column;
pub(crate) use types::flink_name;
pub use expression::{ExpressionPlanner, PlannedAggregate, PlannedExpression, plan_aggregate, plan_expression};
