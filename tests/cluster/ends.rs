//! Jobs are cancelled, in every state that is not an end, and stopped.

use millstream_api::JobState;
use millstream_tests::cluster::Cluster;
use millstream_tests::{millstream, sql_manifest, visible, wait_until};

use crate::jobs::{counting, endless};

/// A cluster that finds out soon that a worker sleeps.
fn quick(workers: &[&str]) -> Cluster {
    let mut cluster = Cluster::with(&["--heartbeat-interval", "200 ms", "--heartbeat-timeout", "2 s"]);
    workers.iter().for_each(|name| cluster.start_worker(name, 1));
    cluster.wait_for_workers(workers.len());
    cluster
}

#[test]
fn a_job_that_waits_for_slots_can_be_cancelled() {
    let cluster = Cluster::start(1, 1);
    let id = cluster.submit(&endless("waiting", 2));
    cluster.wait_for(&id, JobState::Created);
    cluster.cancel(&id).unwrap();
    cluster.wait_for(&id, JobState::Canceled);
}

#[test]
fn a_running_job_can_be_cancelled_and_so_can_one_that_is_being_cancelled() {
    let mut cluster = quick(&["a"]);
    let id = cluster.submit(&endless("running", 1));
    cluster.wait_for(&id, JobState::Running);
    // Its worker does not answer, so that the job stays in CANCELLING until the worker is given up.
    cluster.worker("a").signal("STOP");
    cluster.cancel(&id).unwrap();
    cluster.wait_for(&id, JobState::Cancelling);
    cluster.cancel(&id).unwrap();
    cluster.wait_for(&id, JobState::Canceled);
    // So can one that has been cancelled.
    cluster.cancel(&id).unwrap();
    cluster.worker("a").signal("CONT");
    cluster.wait_for_workers(1);
}

#[test]
fn a_job_that_will_restart_can_be_cancelled() {
    let mut cluster = Cluster::start(1, 1);
    let id = cluster.submit(&counting("restarting", 1, 3_600_000));
    cluster.wait_for(&id, JobState::Running);
    cluster.kill_worker("w0");
    cluster.wait_for(&id, JobState::Restarting);
    cluster.cancel(&id).unwrap();
    cluster.wait_for(&id, JobState::Canceled);
    assert!(visible(&cluster.path("restarting")).is_empty(), "nothing of a cancelled job is visible");
}

#[test]
fn a_job_that_is_failing_can_be_cancelled() {
    let mut cluster = quick(&["a", "b"]);
    let id = cluster.submit(&format!("{}  config:\n    restart-strategy.type: none\n", endless("failing", 2)));
    cluster.wait_for(&id, JobState::Running);
    // One worker is gone, and the other one does not answer that it has ended its tasks.
    cluster.worker("b").signal("STOP");
    cluster.kill_worker("a");
    cluster.wait_for(&id, JobState::Failing);
    cluster.cancel(&id).unwrap();
    cluster.wait_for(&id, JobState::Canceled);
    cluster.worker("b").signal("CONT");
    cluster.wait_for_workers(1);
}

#[test]
fn a_job_that_has_ended_otherwise_cannot_be_cancelled() {
    let cluster = Cluster::start(1, 1);
    let id = cluster.run(&counting("finished", 1, 50));
    let error = cluster.cancel(&id).unwrap_err().to_string();
    assert!(error.contains("FINISHED") && error.contains("it has ended"), "{error}");
}

#[test]
fn a_stopped_job_finishes_with_what_it_has_read() {
    let cluster = Cluster::start(1, 1);
    let sql = "SET 'pipeline.operator-chaining.enabled' = 'false';\n\
               CREATE TABLE g (k BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '1000');\n\
               CREATE TABLE f (k BIGINT) WITH ('connector' = 'filesystem', 'path' = 'FOLDER/out', 'format' = 'csv');\n\
               INSERT INTO f SELECT k FROM g;";
    let id = cluster.submit(&sql_manifest("stopped", 1, sql));
    cluster.wait_for(&id, JobState::Running);
    wait_until(|| cluster.job(&id).vertices[0].metrics.write_records > 0);
    let said = millstream_tests::run(millstream().args(["stop", "stopped", "--rest", cluster.rest()]));
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert_eq!(cluster.job(&id).state, JobState::Finished);
    let read = usize::try_from(cluster.job(&id).vertices[0].metrics.write_records).unwrap();
    assert_eq!(millstream_tests::lines_of_parts(&cluster.path("out")).len(), read, "rows were read");
}
