//! From the text of a manifest to a planned job.

use millstream_crds::{Manifest, read_manifest};

use crate::functions::Clock;
use crate::problem::Problems;
use crate::resolved::{Plan, ResolvedProgram, plan, resolve};

/// Checks, resolves and plans the job in `text` at the time `now_ms`. The error is what is wrong with it, one problem each,
/// with its line and path.
pub fn plan_manifest(text: &str, now_ms: i64, clock: Clock) -> Result<(ResolvedProgram, Plan), Vec<String>> {
    let manifest = read_manifest(text).map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let program = resolve(&manifest.job, now_ms).map_err(|problems| located(&problems, &manifest))?;
    let plan = plan(&program, clock).map_err(|problems| located(&problems, &manifest))?;
    Ok((program, plan))
}

fn located(problems: &Problems, manifest: &Manifest) -> Vec<String> {
    problems.iter().map(|problem| problem.in_manifest(manifest).to_string()).collect()
}
