//! `GET /overview`, `GET /config`, `GET /jobmanager/config`: the cluster in numbers, and what it is set to.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use millstream_api::{ConfigEntry, DashboardConfig, Features, Overview, paths};
use millstream_planner::options::restart::RestartKind;
use millstream_planner::resolved::build;

use super::known::jobs;
use super::{Answer, Rest};
use crate::job_manager::JobManager;
use crate::job_master::JobStatus;
use crate::resource::Workers;

/// The version of Flink that the answers are shaped like.
const FLINK_VERSION: &str = "2.3.0";
/// After how many milliseconds a page asks again.
const REFRESH_INTERVAL_MS: i64 = 3_000;
/// What is shown of a secret.
const HIDDEN: &str = "******";

pub(super) fn routes() -> Router<Rest> {
    Router::new()
        .route(paths::OVERVIEW, get(show_overview))
        .route(paths::CONFIG, get(async || Json(dashboard_config())))
        .route(paths::JOBMANAGER_CONFIG, get(show_jobmanager_config))
}

async fn show_overview(State(rest): State<Rest>) -> Answer<Overview> {
    rest.answer(|manager| Ok(overview(manager))).await
}

async fn show_jobmanager_config(State(rest): State<Rest>) -> Answer<Vec<ConfigEntry>> {
    let shown = rest.settings.shown.clone();
    rest.answer(move |manager| Ok(jobmanager_config(manager, shown))).await
}

fn overview(manager: &JobManager) -> Overview {
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let jobs_that = |is: &dyn Fn(JobStatus) -> bool| count(jobs(manager).filter(|job| is(job.status())).count());
    let (slots_total, slots_available) = manager.resources().slots();
    Overview {
        taskmanagers: count(manager.workers().count()),
        slots_total: count(slots_total),
        slots_available: count(slots_available),
        jobs_running: jobs_that(&|status| !status.is_terminal()),
        jobs_finished: jobs_that(&|status| status == JobStatus::Finished),
        jobs_cancelled: jobs_that(&|status| status == JobStatus::Canceled),
        jobs_failed: jobs_that(&|status| status == JobStatus::Failed),
        flink_version: FLINK_VERSION.to_owned(),
        flink_commit: build().to_owned(),
        millstream_version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

fn dashboard_config() -> DashboardConfig {
    DashboardConfig {
        refresh_interval: REFRESH_INTERVAL_MS,
        timezone_name: "UTC".to_owned(),
        timezone_offset: 0,
        flink_version: FLINK_VERSION.to_owned(),
        flink_revision: build().to_owned(),
        features: Features { web_submit: true, web_cancel: true, web_rescale: false, web_history: false },
    }
}

/// What the loop works by, and then what only `main` knows.
fn jobmanager_config(manager: &JobManager, shown: Vec<ConfigEntry>) -> Vec<ConfigEntry> {
    let settings = manager.settings();
    let (heartbeats, resources) = (settings.heartbeats, &settings.resources);
    let ms = |ms: i64| format!("{ms} ms");
    let mut known = vec![
        ("heartbeat.interval", format!("{} ms", heartbeats.interval.as_millis())),
        ("heartbeat.timeout", format!("{} ms", heartbeats.timeout.as_millis())),
        ("jobstore.expiration-time", ms(settings.ended_kept_ms)),
        ("jobstore.max-capacity", settings.ended_kept.to_string()),
        ("restart-strategy.type", restart_word(settings.default_restart).to_owned()),
        ("taskmanager.slot.timeout", ms(resources.slot_timeout_ms)),
    ];
    if let Workers::Active { slots, most } = resources.workers {
        known.extend([
            ("taskmanager.numberOfTaskSlots", slots.to_string()),
            ("slotmanager.number-of-slots.max", (u64::from(slots) * most as u64).to_string()),
            ("resourcemanager.taskmanager-timeout", ms(resources.idle_timeout_ms)),
            ("resourcemanager.taskmanager-registration.timeout", ms(resources.registration_timeout_ms)),
            ("resourcemanager.start-worker.max-failure-rate", resources.start_failures_per_minute.to_string()),
            ("resourcemanager.start-worker.retry-interval", ms(resources.start_retry_ms)),
        ]);
    }
    let known = known.into_iter().map(|(key, value)| ConfigEntry { key: key.to_owned(), value });
    let hidden = |ConfigEntry { key, value }| ConfigEntry { value: shown_value(&key, value), key };
    known.chain(shown.into_iter().map(hidden)).collect()
}

/// The word of a restart strategy.
pub(super) fn restart_word(kind: RestartKind) -> &'static str {
    match kind {
        RestartKind::None => "none",
        RestartKind::FixedDelay => "fixed-delay",
        RestartKind::ExponentialDelay => "exponential-delay",
        RestartKind::FailureRate => "failure-rate",
    }
}

/// A value as anybody may see it. Flink hides the same keys.
pub(super) fn shown_value(key: &str, value: String) -> String {
    const SECRETS: [&str; 9] =
        ["password", "secret", "token", "apikey", "api-key", "account.key", "service-key", "basic-auth", "jaas.config"];
    let key = key.to_ascii_lowercase();
    if SECRETS.iter().any(|secret| key.contains(secret)) { HIDDEN.to_owned() } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::tests::cluster::{Cluster, ROWS};

    #[tokio::test]
    async fn the_overview_counts_slots_and_jobs() {
        let mut cluster = Cluster::start();
        cluster.worker("w", 3).await;
        cluster.run("running", 2).await;
        cluster.fail("failed").await;
        let waiting = cluster.submit("waiting", 9, ROWS).await;
        cluster.cancel(waiting).await;
        let overview = cluster.read(overview).await;
        assert_eq!((overview.taskmanagers, overview.slots_total, overview.slots_available), (1, 3, 1));
        let jobs = (overview.jobs_running, overview.jobs_finished, overview.jobs_cancelled, overview.jobs_failed);
        assert_eq!(jobs, (1, 0, 1, 1));
    }

    #[tokio::test]
    async fn settings_are_shown_and_secrets_are_not() {
        let cluster = Cluster::start();
        let entry = |key: &str, value: &str| ConfigEntry { key: key.to_owned(), value: value.to_owned() };
        let shown = vec![entry("rest.port", "8081"), entry("s3.secret-key", "hush")];
        let config = cluster.read(|manager| jobmanager_config(manager, shown)).await;
        for expected in [
            entry("heartbeat.timeout", "3600000 ms"),
            entry("restart-strategy.type", "exponential-delay"),
            entry("rest.port", "8081"),
            entry("s3.secret-key", "******"),
        ] {
            assert!(config.contains(&expected), "{expected:?} in {config:?}");
        }
    }
}
