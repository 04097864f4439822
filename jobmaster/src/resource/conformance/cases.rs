//! The cases.

use std::sync::Arc;
use std::time::Duration;

use super::cluster::{Cluster, Wanted, workers_of};
use super::fake_worker::Conduct;
use super::{Case, Kind, Supply};
use crate::job_manager::now_ms;
use crate::job_master::JobStatus;
use crate::resource::Settings;

/// The cases, each with its name, for all kinds or for some.
macro_rules! cases {
    ($($only:expr => [$($name:ident),* $(,)?]),* $(,)?) => {
        vec![$($(Case { name: stringify!($name), only: $only, run: |kind| Box::pin($name(kind)) }),*),*]
    };
}

pub(super) fn all() -> Vec<Case> {
    cases![
        None => [
            a_job_gets_its_slots_when_workers_register,
            a_job_that_is_short_of_slots_says_so_and_starts_when_they_come,
            what_a_lost_worker_ran_restarts_when_its_slots_are_made_up_for,
            the_slots_of_a_cancelled_job_go_to_the_next,
            a_worker_that_never_registers_is_made_up_for,
            a_jobmaster_that_is_started_again_takes_the_workers_over,
            two_jobs_share_a_worker,
            slots_that_nobody_needs_are_left_alone,
        ],
        Some(Supply::ByThemselves) => [idle_workers_stay],
        Some(Supply::OnDemand) => [
            idle_workers_are_ended,
            starts_that_fail_back_off_and_the_job_says_that_it_waits,
            a_worker_that_hangs_is_replaced_and_ended,
        ],
    ]
}

async fn a_job_gets_its_slots_when_workers_register(kind: Arc<dyn Kind>) {
    let cluster = Cluster::start(kind, workers_of(2)).await;
    let job = cluster.submit("job", 4).await;
    cluster.bring(2);
    cluster.until_runs(job).await;
    assert_eq!(cluster.slots().await, (4, 0));
    assert_eq!(cluster.started(), cluster.started_if_it_can(2));
}

async fn a_job_that_is_short_of_slots_says_so_and_starts_when_they_come(kind: Arc<dyn Kind>) {
    let cluster = Cluster::start(kind, Wanted { most: 1, ..workers_of(2) }).await;
    let job = cluster.submit("job", 4).await;
    if cluster.kind.supply() == Supply::ByThemselves {
        cluster.until_says(job, "waits for 4 of 4 slots").await;
    }
    cluster.bring(1);
    cluster.until_says(job, "waits for 2 of 4 slots").await;
    cluster.start_by_hand();
    cluster.until_runs(job).await;
    assert_eq!(cluster.started(), cluster.started_if_it_can(1));
}

async fn what_a_lost_worker_ran_restarts_when_its_slots_are_made_up_for(kind: Arc<dyn Kind>) {
    let cluster = Cluster::start(kind, workers_of(2)).await;
    let job = cluster.submit("job", 4).await;
    cluster.bring(2);
    cluster.until_runs(job).await;
    let before = cluster.tries(job).await;
    let lost = cluster.workers().await.remove(0);
    cluster.kind.kill(&lost);
    if cluster.kind.supply() == Supply::ByThemselves {
        cluster.until_says(job, "waits for 2 of 4 slots").await;
        cluster.bring(1);
    }
    let name = lost.worker.clone();
    cluster
        .until("the worker is lost", move |manager| {
            manager.workers().all(|worker| worker.registration.worker != name).then_some(())
        })
        .await;
    cluster.until_runs(job).await;
    for ((subtask, worker, _), (_, worker_now, number)) in before.into_iter().zip(cluster.tries(job).await) {
        let was_lost = worker.as_ref() == Some(&lost.worker);
        assert_eq!(number, u32::from(was_lost), "try of {subtask:?}");
        assert_eq!(worker_now != worker, was_lost, "worker of {subtask:?}");
    }
    assert_eq!(cluster.started(), cluster.started_if_it_can(3));
}

async fn the_slots_of_a_cancelled_job_go_to_the_next(kind: Arc<dyn Kind>) {
    let cluster = Cluster::start(kind, Wanted { most: 2, ..workers_of(2) }).await;
    let first = cluster.submit("first", 4).await;
    cluster.bring(2);
    cluster.until_runs(first).await;
    let workers = cluster.workers().await;
    let next = cluster.submit("next", 3).await;
    cluster.until_says(next, "waits for 3 of 3 slots").await;
    assert_eq!(cluster.cancel(first).await.status, JobStatus::Canceled);
    cluster.until_runs(next).await;
    assert_eq!(cluster.slots().await, (4, 1));
    assert_eq!(cluster.workers().await, workers);
    assert_eq!(cluster.started(), cluster.started_if_it_can(2));
}

async fn a_worker_that_never_registers_is_made_up_for(kind: Arc<dyn Kind>) {
    let resources = Settings { registration_timeout_ms: 3_000, ..Settings::default() };
    let wanted = Wanted { conduct: Conduct::FirstIsMute, resources, ..workers_of(2) };
    let cluster = Cluster::start(kind, wanted).await;
    let job = cluster.submit("job", 2).await;
    // The first of these does not register.
    cluster.bring(2);
    cluster.until_runs(job).await;
    assert_eq!(cluster.slots().await, (2, 0));
    if cluster.kind.supply() == Supply::OnDemand {
        cluster.until_ended(&cluster.first_started()).await;
    }
}

async fn a_jobmaster_that_is_started_again_takes_the_workers_over(kind: Arc<dyn Kind>) {
    let resources = Settings { idle_timeout_ms: 4_000, ..Settings::default() };
    let cluster = Cluster::start(kind, Wanted { resources, ..workers_of(2) }).await;
    let job = cluster.submit("job", 4).await;
    cluster.bring(2);
    cluster.until_runs(job).await;
    let before = cluster.workers().await;
    let cluster = cluster.restart().await;
    cluster.until("the job is known", move |manager| manager.job(job).map(|_| ())).await;
    cluster.until_runs(job).await;
    let mut workers = cluster.workers().await;
    // They registered with free slots both times.
    assert_eq!(workers, before);
    assert_eq!(cluster.started(), 0);
    cluster.cancel(job).await;
    if cluster.kind.supply() == Supply::OnDemand {
        let last = workers.remove(0);
        cluster.until_ended(&last.worker).await;
        assert!(!cluster.kind.runs(&last), "it is ended as if this jobmaster had started it");
    }
}

async fn two_jobs_share_a_worker(kind: Arc<dyn Kind>) {
    let cluster = Cluster::start(kind, workers_of(4)).await;
    let jobs = [cluster.submit("one", 2).await, cluster.submit("other", 2).await];
    cluster.bring(1);
    for job in jobs {
        cluster.until_runs(job).await;
    }
    assert_eq!(cluster.slots().await, (4, 0));
    assert_eq!(cluster.started(), cluster.started_if_it_can(1));
}

async fn slots_that_nobody_needs_are_left_alone(kind: Arc<dyn Kind>) {
    let cluster = Cluster::start(kind, workers_of(4)).await;
    cluster.start_by_hand();
    cluster.start_by_hand();
    cluster.until("two workers are there", |manager| (manager.resources().slots() == (8, 8)).then_some(())).await;
    let job = cluster.submit("job", 2).await;
    cluster.until_runs(job).await;
    let now = now_ms();
    // When both workers have spoken since, what they hold is what they keep.
    cluster
        .until("both were heard again", move |manager| {
            manager.workers().all(|worker| worker.heard_ms > now + 1_000).then_some(())
        })
        .await;
    assert_eq!(cluster.slots().await, (8, 6));
    assert_eq!(cluster.started(), 0);
}

async fn idle_workers_stay(kind: Arc<dyn Kind>) {
    let resources = Settings { idle_timeout_ms: 500, ..Settings::default() };
    let cluster = Cluster::start(kind, Wanted { resources, ..workers_of(2) }).await;
    let job = cluster.submit("job", 2).await;
    cluster.bring(1);
    cluster.until_runs(job).await;
    assert_eq!(cluster.stop(job).await.status, JobStatus::Finished);
    let ended = now_ms();
    cluster
        .until("the worker is still heard of", move |manager| {
            manager.workers().any(|worker| worker.heard_ms > ended + 2_000).then_some(())
        })
        .await;
    let next = cluster.submit("next", 2).await;
    cluster.until_runs(next).await;
}

async fn idle_workers_are_ended(kind: Arc<dyn Kind>) {
    let resources = Settings { idle_timeout_ms: 500, ..Settings::default() };
    let cluster = Cluster::start(kind, Wanted { resources, ..workers_of(2) }).await;
    let job = cluster.submit("job", 3).await;
    cluster.until_runs(job).await;
    let workers = cluster.workers().await;
    assert_eq!(cluster.stop(job).await.status, JobStatus::Finished);
    for worker in &workers {
        cluster.until_ended(&worker.worker).await;
        assert!(!cluster.kind.runs(worker));
    }
    assert_eq!(cluster.slots().await, (0, 0));
    let next = cluster.submit("next", 2).await;
    cluster.until_runs(next).await;
    assert_eq!(cluster.started(), 3);
}

async fn starts_that_fail_back_off_and_the_job_says_that_it_waits(kind: Arc<dyn Kind>) {
    let retry = Duration::from_secs(1);
    let resources = Settings { start_failures_per_minute: 3, start_retry_ms: 1_000, ..Settings::default() };
    let cluster = Cluster::start(kind, Wanted { conduct: Conduct::ExitsAtOnce, resources, ..workers_of(2) }).await;
    let job = cluster.submit("job", 2).await;
    let starts = cluster.until_started(7).await;
    cluster.until_says(job, "waits for 2 of 2 slots").await;
    // Three may fail, and the fourth is one too many.
    for pair in starts[3..].windows(2) {
        assert!(pair[1] - pair[0] >= retry, "{starts:?}");
    }
}

async fn a_worker_that_hangs_is_replaced_and_ended(kind: Arc<dyn Kind>) {
    let resources = Settings { registration_timeout_ms: 5_000, ..Settings::default() };
    let wanted = Wanted { heartbeat_timeout: Duration::from_secs(2), resources, ..workers_of(2) };
    let cluster = Cluster::start(kind, wanted).await;
    let job = cluster.submit("job", 2).await;
    cluster.until_runs(job).await;
    let hanging = cluster.workers().await.remove(0);
    cluster.kind.freeze(&hanging);
    let name = hanging.worker.clone();
    cluster
        .until("it is lost", move |manager| {
            manager.workers().all(|worker| worker.registration.worker != name).then_some(())
        })
        .await;
    cluster.until_runs(job).await;
    cluster.until_ended(&hanging.worker).await;
    assert!(!cluster.kind.runs(&hanging));
    assert!(cluster.workers().await.iter().all(|worker| worker.worker != hanging.worker));
}
