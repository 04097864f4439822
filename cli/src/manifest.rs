//! From the file that a person names to a planned job.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use millstream_planner::manifest::plan_manifest;
use millstream_planner::resolved::{Plan, ResolvedProgram};

/// Reads the file at `path`.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    let shown = path.display();
    std::fs::read_to_string(path).map_err(|error| format!("cannot read the manifest {shown}: {error}"))
}

/// Reads, checks, resolves and plans the job in the file at `path`. The error is for the person, one problem a line.
pub(crate) fn plan_file(path: &Path) -> Result<(ResolvedProgram, Plan), String> {
    plan_text(&read(path)?).map_err(|problems| in_file(path, &problems))
}

/// The same for a manifest that is at hand: what is wrong with it, one problem each.
pub(crate) fn plan_text(text: &str) -> Result<(ResolvedProgram, Plan), Vec<String>> {
    plan_manifest(text, now_ms(), Arc::new(now_ms))
}

/// What is wrong with the file at `path`, one problem a line.
pub(crate) fn in_file(path: &Path, problems: &[String]) -> String {
    let shown = path.display();
    problems.iter().map(|problem| format!("{shown}: {problem}")).collect::<Vec<_>>().join("\n")
}

/// The wall clock in milliseconds.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
