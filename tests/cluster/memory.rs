//! The memory of a slot: a job that needs more than that fails and says what used it, and its worker goes on.

use millstream_api::JobState;
use millstream_tests::cluster::Cluster;
use millstream_tests::{Running, sql_manifest};

use crate::jobs::{check, counting};

/// A count for each of very many keys, in one window that does not end before the input does.
fn hoarding() -> String {
    let sql = "SET 'restart-strategy.type' = 'none';\n\
               CREATE TABLE numbers (n BIGINT, t AS TO_TIMESTAMP_LTZ(n, 3), WATERMARK FOR t AS t)\n  \
               WITH ('connector' = 'datagen', 'number-of-rows' = '100000000', 'rows-per-second' = '1000000000',\n    \
               'fields.n.kind' = 'sequence', 'fields.n.start' = '1', 'fields.n.end' = '100000000');\n\
               CREATE TABLE counts (n BIGINT, rows_of BIGINT) WITH ('connector' = 'blackhole');\n\
               INSERT INTO counts SELECT n, COUNT(*)\n  \
               FROM TABLE(TUMBLE(TABLE numbers, DESCRIPTOR(t), INTERVAL '10' DAY)) GROUP BY n, window_start, window_end;";
    sql_manifest("hoarding", 1, sql)
}

#[test]
fn a_job_that_needs_more_memory_than_its_slot_has_fails_and_the_worker_runs_the_next() {
    let mut cluster = Cluster::with(&[]);
    let mut worker = cluster.worker_command("small", 1);
    cluster.add_worker("small", Running::start(worker.args(["--slot-memory", "32 mb"])));
    cluster.wait_for_workers(1);
    let id = cluster.submit(&hoarding());
    cluster.wait_for(&id, JobState::Failed);
    let failures = cluster.failures(&id);
    assert!(failures.contains("the slot's memory budget of 32 MiB is used up: "), "{failures}");
    assert!(failures.contains(" MiB state of `"), "{failures}");
    assert!(failures.contains("--slot-memory"), "{failures}");
    cluster.run(&counting("counts", 1, 50));
    check(&cluster.path("counts"), "in the worker in which a job has failed for memory");
}
