//! Parts fail at any moment, and the results are those of a job in which nothing fails.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use millstream_api::JobState;
use millstream_tests::cluster::Cluster;
use millstream_tests::proxy::Proxy;
use millstream_tests::{Running, free_address, sql_manifest, visible, wait_until};

use crate::jobs::{check, counting};

/// Moments that are the same for a seed.
struct Moments(u64);

impl Moments {
    /// From 0 to below `below`.
    fn next(&mut self, below: u64) -> u64 {
        // A linear congruential generator (Knuth's MMIX); its upper bits are good enough to choose moments.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

fn wait(milliseconds: u64) {
    let until = Instant::now() + Duration::from_millis(milliseconds);
    wait_until(|| Instant::now() >= until);
}

/// The workers and how many free slots each has.
fn free_slots(cluster: &Cluster) -> HashMap<String, u32> {
    let asked = cluster.ask(|client| async move { client.taskmanagers().await }).unwrap();
    asked.taskmanagers.into_iter().map(|worker| (worker.id, worker.free_slots)).collect()
}

/// A worker whose slot a job has.
fn busy_worker(cluster: &Cluster) -> String {
    free_slots(cluster).into_iter().filter(|(_, free)| *free == 0).map(|(name, _)| name).min().unwrap()
}

#[test]
fn workers_killed_at_twenty_random_moments_change_no_result() {
    let seed = 4_711;
    let mut moments = Moments(seed);
    let mut cluster = Cluster::start(3, 1);
    let mut started = 3;
    for job in 0..10 {
        let name = format!("killed-{job}");
        let id = cluster.submit(&counting(&name, 2, 50));
        for kill in 0..2 {
            let (after, victim) = (moments.next(1_500), moments.next(3));
            wait(after);
            let mut names: Vec<String> = free_slots(&cluster).into_keys().collect();
            names.sort();
            let victim = names[usize::try_from(victim).unwrap() % names.len()].clone();
            println!("seed {seed}, job {job}, kill {kill}: {victim} after {after} ms");
            cluster.kill_worker(&victim);
            cluster.start_worker(&format!("w{started}"), 1);
            started += 1;
            cluster.wait_for_workers(3);
        }
        cluster.wait_for(&id, JobState::Finished);
        check(&cluster.path(&name), &format!("seed {seed}, job {job}"));
    }
}

#[test]
fn a_worker_that_was_given_up_and_wakes_again_adds_nothing() {
    let mut cluster = Cluster::with(&["--heartbeat-interval", "200 ms", "--heartbeat-timeout", "1 s"]);
    for name in ["a", "b", "c"] {
        cluster.start_worker(name, 1);
    }
    cluster.wait_for_workers(3);
    let id = cluster.submit(&counting("counts", 2, 50));
    cluster.wait_for(&id, JobState::Running);
    let asleep = busy_worker(&cluster);
    cluster.worker(&asleep).signal("STOP");
    cluster.wait_for(&id, JobState::Finished);
    assert!(cluster.job(&id).restarts > 0, "the job went on without the worker");
    check(&cluster.path("counts"), "while a worker sleeps");
    let files = visible(&cluster.path("counts"));
    cluster.worker(&asleep).signal("CONT");
    // It has heard that it is not wanted, has ended its tasks, and has come back.
    cluster.wait_for_workers(3);
    check(&cluster.path("counts"), "after a worker has woken");
    assert_eq!(visible(&cluster.path("counts")), files);
}

#[test]
fn a_jobmaster_that_is_killed_is_followed_by_one_that_goes_on() {
    let seed = 815;
    let mut moments = Moments(seed);
    let mut cluster = Cluster::start(2, 1);
    for round in 0..4 {
        let name = format!("counts-{round}");
        let id = cluster.submit(&counting(&name, 2, 50));
        let after = moments.next(2_000);
        println!("seed {seed}, round {round}: after {after} ms");
        wait(after);
        let submitted = cluster.job(&id).start_time;
        cluster.kill_jobmaster();
        cluster.start_jobmaster();
        cluster.wait_for(&id, JobState::Finished);
        assert_eq!(cluster.job(&id).start_time, submitted, "it was submitted once");
        check(&cluster.path(&name), &format!("seed {seed}, round {round}"));
        cluster.wait_for_workers(2);
    }
}

#[test]
fn a_jobmaster_that_is_killed_while_results_are_being_published_is_followed_by_one_that_finishes_it() {
    let mut cluster = Cluster::start(2, 1);
    let id = cluster.submit(&counting("counts", 2, 50));
    let out = cluster.path("counts");
    wait_until(|| !visible(&out).is_empty());
    cluster.kill_jobmaster();
    println!("{} files were visible when the jobmaster was killed", visible(&out).len());
    cluster.start_jobmaster();
    cluster.wait_for(&id, JobState::Finished);
    check(&out, "published by two jobmasters");
}

#[test]
fn a_jobmaster_whose_jobs_another_one_has_taken_over_publishes_nothing_and_ends() {
    let mut first = Cluster::start(2, 1);
    let id = first.submit(&counting("counts", 2, 50));
    first.wait_for(&id, JobState::Running);
    let mut second = Cluster::with_storage(&first.storage());
    second.wait_for(&id, JobState::Created);
    let said = first.end_of_jobmaster();
    assert_eq!(said.code, 1, "{}", said.stderr);
    assert!(said.stderr.contains("was taken over by another jobmaster"), "{}", said.stderr);
    assert!(visible(&first.path("counts")).is_empty(), "the first one has published nothing");
    for name in ["x", "y"] {
        second.start_worker(name, 1);
    }
    second.wait_for(&id, JobState::Finished);
    check(&first.path("counts"), "published by the second jobmaster");
}

#[test]
fn a_connection_between_workers_that_is_cut_or_comes_to_a_halt_restarts_the_job() {
    let mut cluster = Cluster::with(&[]);
    // The worker whose name is smaller dials; the other one is reached through the proxy.
    let proxy = Proxy::start();
    cluster.start_worker("a", 1);
    let port = free_address();
    let mut behind = cluster.worker_command("b", 1);
    behind.args(["--exchange", &port, "--exchange-advertised", &proxy.address()]);
    proxy.pass_on_to(&port);
    cluster.add_worker("b", Running::start(&mut behind));
    cluster.wait_for_workers(2);
    for (name, trouble) in [("cut", Proxy::cut as fn(&Proxy)), ("halted", |proxy: &Proxy| proxy.halt(true))] {
        let before = proxy.passed();
        let id = cluster.submit(&counting(name, 2, 50));
        cluster.wait_for(&id, JobState::Running);
        // More than greetings: rows are on their way.
        wait_until(|| proxy.passed() > before + 10_000);
        trouble(&proxy);
        wait_until(|| cluster.job(&id).restarts > 0);
        proxy.halt(false);
        cluster.wait_for(&id, JobState::Finished);
        assert!(cluster.failures(&id).contains("connection"), "{}", cluster.failures(&id));
        check(&cluster.path(name), name);
    }
}

#[test]
fn a_sink_that_takes_nothing_holds_the_source_and_the_memory_of_the_worker_stays_flat() {
    let mut cluster = Cluster::with(&[]);
    // Nobody reads what this one prints.
    let unread = Running::start_unread(&mut cluster.worker_command("unread", 2));
    let process = unread.id();
    cluster.add_worker("unread", unread);
    cluster.wait_for_workers(1);
    let sql = "SET 'pipeline.operator-chaining.enabled' = 'false';\n\
               CREATE TABLE g (k BIGINT, text STRING) WITH ('connector' = 'datagen', 'fields.text.length' = '100');\n\
               CREATE TABLE p (k BIGINT, text STRING) WITH ('connector' = 'print');\n\
               INSERT INTO p SELECT k, text FROM g;";
    let id = cluster.submit(&sql_manifest("slow", 2, sql));
    cluster.wait_for(&id, JobState::Running);
    let read = || cluster.job(&id).vertices[0].metrics.write_records;
    wait_until(|| read() > 0);
    let settled = settled(read);
    let memory = resident(process);
    wait(2_000);
    assert_eq!(read(), settled, "nothing more is read");
    let grown = resident(process).saturating_sub(memory);
    assert!(grown < 20 << 20, "the worker has grown by {grown} bytes");
    cluster
        .ask(|client| async move { client.cancel(&id).await.map(|_| id) })
        .map(|id| cluster.wait_for(&id, JobState::Canceled))
        .unwrap();
}

/// A number once it has not changed for two seconds, in which workers report twice.
fn settled(number: impl Fn() -> u64) -> u64 {
    let mut before = number();
    loop {
        wait(2_000);
        let now = number();
        if now == before {
            return now;
        }
        before = now;
    }
}

fn resident(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/statm")).unwrap();
    text.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
}
