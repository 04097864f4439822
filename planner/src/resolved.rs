//! A job with everything outside of it settled: what is stored, shipped to workers, and planned from.
//!
//! The job's master resolves a manifest once. From then on planning is a pure function of the [`ResolvedProgram`]: every
//! process makes the same graph of it, byte for byte, in any time zone and at any time. Expressions and closures are never
//! shipped; the program is, and is planned again.

use millstream_crds::stream_job::{Program as ProgramFields, RestartStrategy};
use millstream_crds::{Path, StreamJob};
use millstream_graph::two_phase::two_phase;
use millstream_graph::{JobGraph, StreamGraph, chaining};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::functions::Clock;
use crate::narrow::narrow;
use crate::options::{JobOptions, OptionError, OptionValues, Origin};
use crate::pipeline::plan_pipeline;
use crate::problem::{Problem, Problems};
use crate::session::Session;
use crate::sql::plan_sql;
use crate::thread::on_planning_thread;

#[cfg(test)]
mod tests;

/// A job that can be planned without looking anywhere else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedProgram {
    /// The name of the manifest.
    pub name: String,
    /// What is computed.
    pub program: Program,
    /// The options of the manifest, its fields among them.
    pub options: OptionValues,
    /// When the job was resolved, in milliseconds since 1970: the time of everything that is asked once per job.
    pub start_time_ms: i64,
    /// The build that resolved it. Another build might plan it otherwise and must refuse it.
    pub build: String,
}

/// The text of a program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Program {
    /// Statements in Flink's dialect.
    Sql(String),
    /// Sources, transformations and sinks.
    Pipeline(Map<String, Value>),
}

/// A job ready to run.
#[derive(Debug)]
pub struct Plan {
    /// What is to be run.
    pub graph: JobGraph,
    /// What the options come to, those that the program itself has set among them.
    pub options: JobOptions,
    /// What has no effect, for the user to know.
    pub warnings: Vec<String>,
}

/// The build of this program, as it is compared between processes.
pub fn build() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Settles what `job` leaves open, at the time `now_ms`. Checks all options; the program is checked by [`plan`].
pub fn resolve(job: &StreamJob, now_ms: i64) -> Result<ResolvedProgram, Problems> {
    let mut settings = Settings::default();
    settings.config(job);
    settings.fields(job);
    let program = program(&job.spec.program);
    settings.problems.extend(program.as_ref().err().cloned());
    match (settings.options.resolved(), program) {
        (Ok(options), Ok(program)) if settings.problems.is_empty() => {
            check_parallelism(&options, &parallelism_path(job))?;
            let (name, build) = (job.metadata.name.clone(), build().to_owned());
            Ok(ResolvedProgram { name, program, options: settings.options, start_time_ms: now_ms, build })
        }
        (options, _) => {
            let spec = Path::of(&["spec"]);
            settings.problems.extend(options.err().map(|error| Problem::new(spec.clone(), error.to_string())));
            Problems::check(settings.problems)?;
            Err(Problem::new(spec, "internal error: an error without a problem").into())
        }
    }
}

/// Plans `program`. `clock` is what functions such as `CURRENT_TIMESTAMP` read while the job runs; planning does not.
pub fn plan(program: &ResolvedProgram, clock: Clock) -> Result<Plan, Problems> {
    let internal =
        |error: crate::Error| Problems::from(Problem::new(Path::of(&["spec", "program"]), error.to_string()));
    // The outer error is of the thread, the inner one of the program.
    on_planning_thread(|| Ok(plan_here(program, clock))).map_err(internal)?
}

fn plan_here(program: &ResolvedProgram, clock: Clock) -> Result<Plan, Problems> {
    let spec = Path::of(&["spec"]);
    let failed = |error: crate::Error| Problems::from(Problem::new(spec.clone(), error.to_string()));
    let session = Session::new(program.options.clone(), clock).map_err(failed)?;
    let planned = match &program.program {
        Program::Pipeline(pipeline) => pipeline_graph(program, pipeline, session)?,
        Program::Sql(text) => sql_graph(program, text, session)?,
    };
    check_parallelism(&planned.options, &spec)?;
    let mut graph = planned.graph;
    narrow(&mut graph).map_err(|error| Problem::new(spec.clone(), error.to_string()))?;
    let graph = two_phase(graph).map_err(|error| Problem::new(spec.clone(), error.to_string()))?;
    let warnings = [program.options.remarks(), planned.warnings].concat();
    Ok(Plan { graph: chaining::job_graph(graph), options: planned.options, warnings })
}

/// A program before it is cut into tasks.
struct Planned {
    graph: StreamGraph,
    options: JobOptions,
    warnings: Vec<String>,
}

fn pipeline_graph(
    program: &ResolvedProgram,
    pipeline: &Map<String, Value>,
    session: Session,
) -> Result<Planned, Problems> {
    let options = session.job().clone();
    let base = Path::of(&["spec", "program", "pipeline"]);
    let name = options.name.as_deref().unwrap_or(&program.name);
    let planned = plan_pipeline(pipeline, name, &session).map_err(|problems| problems.below(&base))?;
    Ok(Planned { graph: planned.graph, options, warnings: planned.warnings })
}

fn sql_graph(program: &ResolvedProgram, text: &str, session: Session) -> Result<Planned, Problems> {
    let planned = plan_sql(&program.name, text, session, &millstream_connectors::connector)
        .map_err(|error| Problem::in_text(Path::of(&["spec", "program", "sql"]), &error))?;
    Ok(Planned { graph: planned.graph, options: planned.options, warnings: planned.warnings })
}

/// The options of a manifest as they are gathered.
#[derive(Default)]
struct Settings {
    options: OptionValues,
    problems: Vec<Problem>,
}

impl Settings {
    /// Takes `spec.config`.
    fn config(&mut self, job: &StreamJob) {
        for (key, value) in &job.spec.config {
            let path = Path::of(&["spec", "config"]).field(key);
            if let Err(error) = self.options.apply(key, value, Origin::Config) {
                let at_key = !matches!(error, OptionError::Value { .. });
                self.problems.push(Problem { at_key, ..Problem::new(path, error.to_string()) });
            }
        }
    }

    /// Takes the fields that mean the same as options.
    fn fields(&mut self, job: &StreamJob) {
        let spec = &job.spec;
        let text = |number: Option<u32>| number.map(|number| number.to_string());
        self.field(&["parallelism"], "parallelism.default", text(spec.parallelism));
        self.field(&["maxParallelism"], "pipeline.max-parallelism", text(spec.max_parallelism));
        self.field(&["timeZone"], "table.local-time-zone", spec.time_zone.clone());
        if let Some(strategy) = &spec.restart_strategy {
            self.restart_strategy(strategy);
        }
    }

    fn restart_strategy(&mut self, strategy: &RestartStrategy) {
        let text = |number: Option<u32>| number.map(|number| number.to_string());
        let decimal = |number: Option<f64>| number.map(|number| number.to_string());
        let RestartStrategy { none, fixed_delay, exponential_delay, failure_rate } = strategy;
        let chosen = [
            ("none", none.is_some()),
            ("fixed-delay", fixed_delay.is_some()),
            ("exponential-delay", exponential_delay.is_some()),
            ("failure-rate", failure_rate.is_some()),
        ];
        let chosen: Vec<&str> = chosen.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect();
        let [only] = chosen.as_slice() else {
            let message =
                "a restart strategy is exactly one of `none`, `fixedDelay`, `exponentialDelay` and `failureRate`";
            return self.problems.push(Problem::new(Path::of(&["spec", "restartStrategy"]), message));
        };
        self.field(&["restartStrategy"], "restart-strategy.type", Some((*only).to_owned()));
        if let Some(fixed) = fixed_delay {
            let field = |name| ["restartStrategy", "fixedDelay", name];
            self.field(&field("attempts"), "restart-strategy.fixed-delay.attempts", text(fixed.attempts));
            self.field(&field("delay"), "restart-strategy.fixed-delay.delay", fixed.delay.clone());
        }
        if let Some(backoff) = exponential_delay {
            let option = |name: &str| format!("restart-strategy.exponential-delay.{name}");
            let field = |name| ["restartStrategy", "exponentialDelay", name];
            self.field(&field("initialBackoff"), &option("initial-backoff"), backoff.initial_backoff.clone());
            self.field(&field("maxBackoff"), &option("max-backoff"), backoff.max_backoff.clone());
            self.field(&field("backoffMultiplier"), &option("backoff-multiplier"), decimal(backoff.backoff_multiplier));
            let threshold = backoff.reset_backoff_threshold.clone();
            self.field(&field("resetBackoffThreshold"), &option("reset-backoff-threshold"), threshold);
            self.field(&field("jitterFactor"), &option("jitter-factor"), decimal(backoff.jitter_factor));
            let attempts = text(backoff.attempts_before_reset_backoff);
            self.field(&field("attemptsBeforeResetBackoff"), &option("attempts-before-reset-backoff"), attempts);
        }
        if let Some(rate) = failure_rate {
            let option = |name: &str| format!("restart-strategy.failure-rate.{name}");
            let field = |name| ["restartStrategy", "failureRate", name];
            let failures = text(rate.max_failures_per_interval);
            self.field(&field("maxFailuresPerInterval"), &option("max-failures-per-interval"), failures);
            self.field(
                &field("failureRateInterval"),
                &option("failure-rate-interval"),
                rate.failure_rate_interval.clone(),
            );
            self.field(&field("delay"), &option("delay"), rate.delay.clone());
        }
    }

    /// Takes one field, below `spec`, as the option that means the same.
    fn field(&mut self, field: &[&str], option: &str, value: Option<String>) {
        let Some(value) = value else { return };
        if let Err(error) = self.options.apply(option, &value, Origin::Field) {
            let message = match error {
                // The user has not heard of the option.
                OptionError::Value { value, expected, .. } => {
                    format!("`{value}` cannot be used: it should be {expected}")
                }
                other
                @ (OptionError::Unknown { .. } | OptionError::NotSupported { .. } | OptionError::Twice { .. }) => {
                    other.to_string()
                }
            };
            self.problems.push(Problem::new(Path::of(&["spec"]).join(&Path::of(field)), message));
        }
    }
}

fn program(fields: &ProgramFields) -> Result<Program, Problem> {
    match (&fields.sql, &fields.pipeline) {
        (Some(text), None) => Ok(Program::Sql(text.clone())),
        (None, Some(pipeline)) => Ok(Program::Pipeline(pipeline.clone())),
        (Some(_), Some(_)) | (None, None) => {
            Err(Problem::new(Path::of(&["spec", "program"]), "a program is exactly one of `sql` and `pipeline`"))
        }
    }
}

fn check_parallelism(options: &JobOptions, path: &Path) -> Result<(), Problems> {
    let JobOptions { parallelism, max_parallelism, .. } = options;
    if parallelism <= max_parallelism {
        return Ok(());
    }
    let message = format!(
        "the parallelism {parallelism} is above the job's maxParallelism, {max_parallelism}: there are not enough key \
         groups for so many subtasks"
    );
    Err(Problem::new(path.clone(), message).into())
}

/// Where a person looks for the parallelism of `job`.
fn parallelism_path(job: &StreamJob) -> Path {
    let spec = Path::of(&["spec"]);
    match (job.spec.parallelism, job.spec.config.contains_key("parallelism.default")) {
        (None, true) => spec.field("config").field("parallelism.default"),
        (Some(_), _) => spec.field("parallelism"),
        (None, false) => spec,
    }
}
