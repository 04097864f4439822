//! Slots: a job waits for those that are missing, says how many, and gives them back.

use millstream_api::JobState;
use millstream_tests::cluster::Cluster;
use millstream_tests::wait_until;

use crate::jobs::{check, counting, endless};

fn detail(cluster: &Cluster, id: &str) -> String {
    cluster.job(id).detail.unwrap_or_default()
}

#[test]
fn a_job_with_too_few_slots_says_how_many_are_missing_and_starts_when_they_come() {
    let mut cluster = Cluster::start(1, 1);
    let id = cluster.submit(&counting("counts", 3, 50));
    wait_until(|| detail(&cluster, &id) == "waits for 2 of 3 slots");
    assert_eq!(cluster.job(&id).state, JobState::Created);
    cluster.start_worker("late", 1);
    wait_until(|| detail(&cluster, &id) == "waits for 1 of 3 slots");
    cluster.start_worker("later", 1);
    cluster.wait_for(&id, JobState::Finished);
    check(&cluster.path("counts"), "after waiting for slots");
}

#[test]
fn a_job_that_is_cancelled_while_it_waits_or_runs_gives_its_slots_to_the_next() {
    let cluster = Cluster::start(1, 2);
    let running = cluster.submit(&endless("first", 2));
    cluster.wait_for(&running, JobState::Running);
    let waiting = cluster.submit(&endless("second", 2));
    let third = cluster.submit(&endless("third", 1));
    wait_until(|| detail(&cluster, &waiting) == "waits for 2 of 2 slots");
    cluster.cancel(&waiting).unwrap();
    cluster.wait_for(&waiting, JobState::Canceled);
    assert_eq!(cluster.job(&third).state, JobState::Created);
    cluster.cancel(&running).unwrap();
    cluster.wait_for(&running, JobState::Canceled);
    cluster.wait_for(&third, JobState::Running);
    cluster.cancel(&third).unwrap();
    cluster.wait_for(&third, JobState::Canceled);
    wait_until(|| cluster.ask(|client| async move { client.overview().await }).unwrap().slots_available == 2);
}

#[test]
fn slots_that_a_waiting_job_holds_go_to_one_that_can_run_with_them() {
    let mut cluster = Cluster::start(3, 2);
    let first = cluster.submit(&endless("first", 4));
    cluster.wait_for(&first, JobState::Running);
    let second = cluster.submit(&endless("second", 4));
    wait_until(|| detail(&cluster, &second) == "waits for 2 of 4 slots");
    let of_first = cluster.workers_of(&first).into_iter().next().unwrap();
    cluster.kill_worker(&of_first);
    wait_until(|| cluster.job(&first).restarts > 0 && cluster.job(&first).state == JobState::Running);
    assert_eq!(detail(&cluster, &second), "waits for 4 of 4 slots");
    for id in [first, second] {
        cluster.cancel(&id).unwrap();
        cluster.wait_for(&id, JobState::Canceled);
    }
}
