//! Jobs that really run: slots with their threads, channels, splits, commits.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use millstream_engine::aggregate::AggregateFunction;
use millstream_worker::job::{JobEnd, JobError};
use support::{Behaviour, Collected, Program, rows, run, start};

#[test]
fn a_keyed_window_count_is_the_same_at_any_parallelism() {
    let input: Vec<(i64, i64)> = (0..20_000).map(|row| ((row * 7_919) % 97, row / 3)).collect();
    let mut expected: BTreeMap<(i64, i64), i64> = BTreeMap::new();
    for (key, time) in &input {
        *expected.entry((*key, time - time.rem_euclid(1_000))).or_default() += 1;
    }
    let expected: Vec<Vec<i64>> =
        expected.into_iter().map(|((key, start), count)| vec![key, start, start + 1_000, count]).collect();
    for parallelism in [1, 2, 4] {
        let collected = Collected::default();
        let program = Program::new(parallelism)
            .source(vec![rows(&input[..9_000]), rows(&input[9_000..])], 1_000)
            .tumbling(1_000, AggregateFunction::Count)
            .sink(&collected);
        assert_eq!(run(program).unwrap(), JobEnd::Finished);
        assert_eq!(collected.sorted(), expected, "parallelism {parallelism}");
        assert!(collected.was_committed(), "results are committed when the job has ended");
    }
}

#[test]
fn the_failure_of_a_sink_is_the_answer_of_the_job() {
    let collected = Collected::new(Behaviour::Fail("the disk is full"));
    let error =
        run(Program::new(2).source(vec![rows(&[(1, 1), (2, 2)])], 0).rebalanced().sink(&collected)).unwrap_err();
    assert!(matches!(error, JobError::Task(_)));
    assert!(error.to_string().contains("the disk is full"), "{error}");
}

#[test]
fn a_panic_fails_the_job_and_not_the_process() {
    let collected = Collected::new(Behaviour::Panic);
    let error = run(Program::new(2).source(vec![rows(&[(1, 1)])], 0).rebalanced().sink(&collected)).unwrap_err();
    assert!(error.to_string().contains("a task panicked: on purpose"), "{error}");
    assert!(!collected.was_committed(), "a job that fails makes nothing visible");
}

#[test]
fn a_stopped_job_finishes_what_it_has_read_and_leaves_windows_open() {
    let collected = Collected::default();
    let program = Program::new(2).endless_source().sink(&collected);
    let (job, io) = start(program);
    let control = job.control();
    assert!(collected.wait_for_rows(1_000, Duration::from_secs(30)), "rows come");
    control.stop();
    assert_eq!(io.handle().block_on(job.wait()).unwrap(), JobEnd::Stopped);
    assert!(collected.was_committed());
}

#[test]
fn a_windowed_job_that_is_stopped_gives_no_result_of_windows_that_are_open() {
    let collected = Collected::default();
    let program = Program::new(2).endless_source().tumbling(i64::MAX / 4, AggregateFunction::Count).sink(&collected);
    let (job, io) = start(program);
    let (control, metrics) = (job.control(), job.metrics());
    let waiter = std::thread::spawn(move || {
        while metrics.progress().rows_in < 1_000 {
            std::thread::yield_now();
        }
        control.stop();
    });
    assert_eq!(io.handle().block_on(job.wait()).unwrap(), JobEnd::Stopped);
    waiter.join().unwrap();
    assert_eq!(collected.sorted(), Vec::<Vec<i64>>::new());
}

#[test]
fn a_sink_that_takes_nothing_stops_the_source_within_the_bounds_of_the_channels() {
    let collected = Collected::new(Behaviour::Block);
    let program = Program::new(2).endless_source().rebalanced().sink(&collected);
    let (job, io) = start(program);
    let (control, metrics) = (job.control(), job.metrics());
    let most = support::settled(|| metrics.progress().rows_in, Duration::from_secs(30));
    // Two subtasks, each with two channels of at most 64 Ki rows, one batch over it, and what is being carried.
    assert!(most > 0 && most < 8 * 64 * 1024, "{most} rows were read against a sink that takes none");
    control.cancel();
    assert_eq!(io.handle().block_on(job.wait()).unwrap(), JobEnd::Cancelled);
}
