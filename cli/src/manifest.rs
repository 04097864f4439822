//! From the file that a person names to a planned job.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use millstream_crds::{Manifest, read_manifest};
use millstream_planner::problem::Problems;
use millstream_planner::resolved::{Plan, plan, resolve};

/// Reads, checks, resolves and plans the job in the file at `path`. The error is for the person, one problem a line.
pub(crate) fn plan_file(path: &Path) -> Result<(String, Plan), String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read the manifest {shown}: {error}"))?;
    plan_text(&text).map_err(|problems| {
        let lines: Vec<String> = problems.into_iter().map(|problem| format!("{shown}: {problem}")).collect();
        lines.join("\n")
    })
}

/// The same for a manifest that is at hand: the job's name and its plan, or what is wrong with it.
pub(crate) fn plan_text(text: &str) -> Result<(String, Plan), Vec<String>> {
    let manifest = read_manifest(text).map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let in_manifest = |problems: Problems| located(&problems, &manifest);
    let program = resolve(&manifest.job, now_ms()).map_err(in_manifest)?;
    let plan = plan(&program, Arc::new(now_ms)).map_err(in_manifest)?;
    Ok((program.name, plan))
}

fn located(problems: &Problems, manifest: &Manifest) -> Vec<String> {
    problems.iter().map(|problem| problem.in_manifest(manifest).to_string()).collect()
}

/// The wall clock in milliseconds.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
