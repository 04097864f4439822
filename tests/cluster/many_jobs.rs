//! Job after job leaves nothing behind.

use std::path::Path;

use millstream_api::JobState;
use millstream_tests::cluster::Cluster;
use millstream_tests::{sql_manifest, wait_until};

const JOBS: usize = 500;

/// Threads and open files of a process.
fn held(process: u32) -> (usize, usize) {
    let count =
        |what: &str| std::fs::read_dir(Path::new("/proc").join(process.to_string()).join(what)).unwrap().count();
    (count("task"), count("fd"))
}

fn tiny(number: usize) -> String {
    let sql = "SET 'pipeline.operator-chaining.enabled' = 'false';\n\
               CREATE TABLE g (k BIGINT) WITH ('connector' = 'datagen', 'number-of-rows' = '10', 'fields.k.kind' = 'sequence', \
               'fields.k.start' = '1', 'fields.k.end' = '10');\n\
               CREATE TABLE b (k BIGINT) WITH ('connector' = 'blackhole');\n\
               INSERT INTO b SELECT k FROM g;";
    sql_manifest(&format!("tiny-{number}"), 2, sql)
}

#[test]
fn five_hundred_jobs_leak_no_slots_no_threads_and_no_files() {
    let mut cluster = Cluster::start(2, 1);
    let processes = [cluster.jobmaster().id(), cluster.worker("w0").id(), cluster.worker("w1").id()];
    // The first ones start what is started once.
    (0..20).for_each(|number| drop(cluster.run(&tiny(number))));
    let before = processes.map(held);
    for number in 20..JOBS {
        cluster.run(&tiny(number));
    }
    wait_until(|| cluster.ask(|client| async move { client.overview().await }).unwrap().slots_available == 2);
    let finished = cluster.ask(|client| async move { client.jobs_overview().await }).unwrap().jobs;
    assert!(finished.iter().all(|job| job.state == JobState::Finished));
    assert!(finished.len() < 220, "{} ended jobs are remembered", finished.len());
    // Threads of pools and connections come and go; a leak would be hundreds.
    let allowed = |(threads, files): (usize, usize)| (threads + 12, files + 20);
    println!("before: {before:?}, after: {:?}", processes.map(held));
    wait_until(|| {
        processes.map(held).iter().zip(before.map(allowed)).all(|(now, most)| now.0 <= most.0 && now.1 <= most.1)
    });
}
