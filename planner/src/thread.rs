//! Planning on a thread of its own, whose stack is large enough for any program that the limits let through.
//!
//! Parsers, planners and optimisers walk expressions by recursion. The limits (how deep a text may nest, how many operators
//! a statement may have) are far below what this stack holds, and far above what a default thread's stack holds.

use crate::error::{Error, Result};

/// Enough for the deepest program within the limits, in a debug build, several times over.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// Runs `plan` on a thread with a large stack and waits for it. A panic in it becomes an error.
///
/// [`crate::sql::plan_sql`] does this by itself; whoever plans single expressions wraps the whole of it once.
pub fn on_planning_thread<T: Send>(plan: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("planner".to_owned()).stack_size(STACK_BYTES);
        let handle = thread
            .spawn_scoped(scope, plan)
            .map_err(|error| Error::new(format!("the planner's thread cannot be started: {error}")))?;
        handle.join().unwrap_or_else(|panic| Err(Error::internal(format!("planning panicked: {}", words(&*panic)))))
    })
}

fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_planning_is_an_error_and_not_the_end_of_the_process() {
        let outcome: Result<()> = on_planning_thread(|| panic!("no such thing"));
        assert!(outcome.unwrap_err().to_string().contains("no such thing"));
    }
}
