//! The jobmaster's storage: away when it is needed, and jobs in it that cannot be taken up.

use std::fs;

use millstream_api::JobState;
use millstream_tests::cluster::Cluster;
use millstream_tests::{sql_manifest, visible, wait_until};

use crate::jobs::{check, counting};

fn detail(cluster: &Cluster, id: &str) -> String {
    cluster.job(id).detail.unwrap_or_default()
}

#[test]
fn a_job_whose_end_cannot_be_recorded_has_not_ended_until_it_can() {
    let cluster = Cluster::start(1, 1);
    let id = cluster.submit(&counting("counts", 1, 50));
    cluster.wait_for(&id, JobState::Running);
    let records = cluster.path("storage").join("jobs");
    let away = cluster.path("storage").join("away");
    fs::rename(&records, &away).unwrap();
    // Where the folder should be is a file: nothing can be written below it.
    fs::write(&records, "").unwrap();
    wait_until(|| detail(&cluster, &id).contains("publishes its results; it is tried again: "));
    assert_eq!(cluster.job(&id).state, JobState::Running);
    assert!(visible(&cluster.path("counts")).is_empty(), "nothing is published without a record");
    let refused = cluster.cancel(&id).unwrap_err().to_string();
    assert!(refused.contains("its results are being published"), "{refused}");
    let error = cluster.try_submit(&counting("other", 1, 50)).unwrap_err().to_string();
    assert!(error.contains("could not be stored"), "{error}");
    fs::remove_file(&records).unwrap();
    fs::rename(&away, &records).unwrap();
    cluster.wait_for(&id, JobState::Finished);
    check(&cluster.path("counts"), "once the storage is back");
}

#[test]
fn a_stored_job_that_cannot_be_taken_up_is_shown_keeps_its_name_and_can_be_cancelled() {
    let mut cluster = Cluster::with(&[]);
    let input = cluster.path("input.csv");
    fs::write(&input, "1\n2\n").unwrap();
    let copy = |name: &str| {
        let sql = format!(
            "CREATE TABLE i (k BIGINT) WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'csv');\n\
             CREATE TABLE o (k BIGINT) WITH ('connector' = 'filesystem', 'path' = 'FOLDER/{name}', 'format' = 'csv');\n\
             INSERT INTO o SELECT k FROM i;",
            input.display()
        );
        sql_manifest(name, 1, &sql)
    };
    let (first, second) = (cluster.submit(&copy("first")), cluster.submit(&copy("second")));
    cluster.kill_jobmaster();
    let away = cluster.path("away.csv");
    fs::rename(&input, &away).unwrap();
    cluster.start_jobmaster();
    for id in [&first, &second] {
        wait_until(|| cluster.is_known(id) && detail(&cluster, id).contains("cannot be taken up yet: "));
        assert_eq!(cluster.job(id).state, JobState::Initializing);
    }
    let error = cluster.try_submit(&copy("first").replace("input.csv", "away.csv")).unwrap_err().to_string();
    assert!(error.contains("a job named `first` is INITIALIZING already"), "{error}");
    cluster.cancel(&first).unwrap();
    cluster.wait_for(&first, JobState::Canceled);
    // The other one goes on when its input is back.
    fs::rename(&away, &input).unwrap();
    cluster.start_worker("w", 1);
    cluster.wait_for(&second, JobState::Finished);
    assert_eq!(millstream_tests::lines_of_parts(&cluster.path("second")), ["1", "2"]);
    cluster.kill_jobmaster();
    cluster.start_jobmaster();
    cluster.wait_for(&first, JobState::Canceled);
}
