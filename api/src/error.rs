//! What is answered when a request cannot be answered, and when there is nothing to say.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The body of every answer whose status is not a success.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Errors {
    /// What is wrong, one sentence each: several when a manifest has several faults.
    pub errors: Vec<String>,
}

impl Errors {
    /// A body with one error.
    pub fn one(error: impl Into<String>) -> Self {
        Self { errors: vec![error.into()] }
    }
}

/// The answer to a request that was accepted and has no result: an object without fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Empty {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::is_written_and_read_as;

    #[test]
    fn bodies_have_flinks_shape() {
        is_written_and_read_as(&Errors::one("no job has this id"), r#"{"errors": ["no job has this id"]}"#);
        is_written_and_read_as(&Empty {}, "{}");
    }
}
