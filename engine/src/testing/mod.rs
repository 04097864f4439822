//! Tests of operators: the same steps in many ways, which must all come to the same.
//!
//! An operator that is right for whole batches may still be wrong when they come row by row, when it is stored and restored
//! in the middle, when its keys are moved to other subtasks, or when nobody takes its output for a while. So a test says once
//! what arrives and what is expected, and [`OperatorHarness::verify`] tries all of these, through the real
//! [`crate::operators::chain::OperatorChain`]:
//!
//! ```
//! use expect_test::expect;
//! use millstream_engine::testing::{OperatorHarness, count_per};
//! use millstream_engine::window::WindowSpec;
//!
//! OperatorHarness::window(count_per(WindowSpec::Tumbling { size: 10, offset: 0 }))
//!     .rows([("a", 1), ("a", 12)])
//!     .watermark(11)
//!     .rows([("a", 3)])
//!     .verify(expect![[r#"
//!         watermark 11: a [0,10) 1 @9
//!         rows: late a @3
//!     "#]]);
//! ```
//!
//! A row is given as a tuple of cells in the order of the input's columns; where the operator takes the time of the record,
//! that is one more cell at the end. [`random`] is for tests that make up their input.
//!
//! Behind the feature `testing`; no part of a running job.

mod aggregation;
pub mod case;
mod harness;
mod outcome;
pub mod random;
mod rows;
mod way;

pub use aggregation::{aggregate, aggregation, count_per};
pub use harness::{OperatorHarness, Step};
pub use outcome::{Outcome, StepOutcome, lines_of};
pub use rows::{Cell, Row, batch_of};
