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
mod catalog;
mod check;
mod check_query;
mod column;
mod context;
mod create;
mod dialect;
pub mod expression;
mod interval;
mod legacy_windows;
mod lower;
mod marks;
mod nodes;
mod operators;
mod optimise;
mod plan_error;
mod prepass;
mod program;
mod queries;
mod registry;
mod relation;
mod rewrite;
mod statements;
mod strip;
mod syntax;
mod types;
mod typing;
mod windows;
mod zone;

#[cfg(test)]
mod expression_tests;
#[cfg(test)]
mod nexmark_tests;
#[cfg(test)]
mod plan_tests;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod refusal_tests;
#[cfg(test)]
mod semantics_tests;

pub(crate) use column::plan_column;
pub use expression::{ExpressionPlanner, PlannedAggregate, PlannedExpression, plan_aggregate, plan_expression};
pub use lower::Connectors;
pub use program::{PlannedSql, plan_sql};
