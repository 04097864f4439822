//! What a cluster does not do, and what it says about it.

use std::process::Command;

use expect_test::{Expect, expect};
use millstream_api::{ClientError, JobState};
use millstream_tests::cluster::Cluster;
use millstream_tests::{Said, millstream, run, sql_manifest};

use crate::jobs::endless;

/// What a command says on stderr and its exit code, with the cluster's addresses replaced.
#[track_caller]
fn says(command: &mut Command, cluster: Option<&Cluster>, expected: &Expect) {
    let Said { code, stderr, .. } = run(command.env("RUST_LOG", "off"));
    let mut said = format!("{stderr}exit code {code}\n");
    if let Some(cluster) = cluster {
        said = said.replace(cluster.rest(), "REST").replace(cluster.rpc(), "RPC");
    }
    expected.assert_eq(&said);
}

fn client(cluster: &Cluster, arguments: &[&str]) -> Command {
    let mut command = millstream();
    command.args(arguments).args(["--rest", cluster.rest()]);
    command
}

#[test]
fn a_manifest_that_cannot_be_planned_is_refused_with_the_planners_words() {
    let cluster = Cluster::start(1, 1);
    let refused = |sql: &str| match cluster.try_submit(&sql_manifest("bad", 1, sql)) {
        Err(ClientError::Refused { status, errors }) => format!("{status}\n{}\n", errors.join("\n")),
        other => panic!("{other:?}"),
    };
    expect![[r#"
        400
        line 9, column 7: spec.program.sql: a query by itself has nowhere to write to; put INSERT INTO and a table before it, whose connector may be 'print'
    "#]].assert_eq(&refused("SELECT 1;"));
    expect![[r#"
        400
        `Source: a`: the option 'path': `/not/there` does not exist
    "#]]
    .assert_eq(&refused(
        "CREATE TABLE a (x INT) WITH ('connector' = 'filesystem', 'path' = '/not/there', 'format' = 'csv');\n\
         CREATE TABLE b (x INT) WITH ('connector' = 'blackhole');\nINSERT INTO b SELECT x FROM a;",
    ));
}

#[test]
fn a_second_job_of_a_name_waits_for_the_end_of_the_first() {
    let cluster = Cluster::start(1, 2);
    let first = cluster.submit(&endless("same", 1));
    let error = cluster.try_submit(&endless("same", 1)).unwrap_err().to_string();
    assert!(error.contains("a job named `same` is") && error.contains(&first), "{error}");
    cluster.wait_for(&first, JobState::Running);
    cluster.ask(|client| async move { client.cancel(&first).await }).unwrap();
}

#[test]
fn commands_without_a_jobmaster_say_where_they_have_looked() {
    let cluster = Cluster::with(&[]);
    says(
        &mut client(&cluster, &["status", "nothing"]),
        Some(&cluster),
        &expect![[r#"
        error: the jobmaster at REST has no job `nothing`; `millstream list` shows them
        exit code 2
    "#]],
    );
    says(
        &mut client(&cluster, &["submit", "not-there.yaml"]),
        Some(&cluster),
        &expect![[r#"
        error: cannot read the manifest not-there.yaml: No such file or directory (os error 2)
        exit code 2
    "#]],
    );
    says(
        millstream().args(["list", "--rest", "127.0.0.1:1"]),
        None,
        &expect![[r#"
        error: no JobMaster answers at 127.0.0.1:1: connection refused; is `millstream jobmaster` running there? --rest names another address
        exit code 1
    "#]],
    );
    says(
        millstream().args(["list", "--rest", "no port"]),
        None,
        &expect![[r#"
        error: `no port` is not the address of a JobMaster: invalid uri character; write `host:port`
        exit code 2
    "#]],
    );
}

#[test]
fn settings_that_cannot_be_used_are_named() {
    let cluster = Cluster::with(&[]);
    let storage = cluster.storage();
    let jobmaster = |arguments: &[&str]| {
        let mut command = millstream();
        command
            .args(["jobmaster", "--storage", &storage, "--rest", "127.0.0.1:0", "--rpc", "127.0.0.1:0"])
            .args(arguments);
        command
    };
    let taken = [cluster.rest().to_owned(), cluster.rpc().to_owned()];
    let mut on_taken_rest = millstream();
    on_taken_rest.args(["jobmaster", "--storage", &storage, "--rest", &taken[0], "--rpc", "127.0.0.1:0"]);
    says(
        &mut on_taken_rest,
        Some(&cluster),
        &expect![[r#"
        error: --rest REST: Address already in use (os error 98); another process listens there, perhaps another jobmaster
        exit code 2
    "#]],
    );
    says(
        &mut jobmaster(&["--heartbeat-timeout", "1 s"]),
        None,
        &expect![[r#"
        error: --heartbeat-timeout should be at least twice --heartbeat-interval
        exit code 2
    "#]],
    );
    says(
        &mut cluster.worker_command("none", 0),
        Some(&cluster),
        &expect![[r#"
        error: invalid value '0' for '--slots <SLOTS>': 0 is not in 1..=1024

        For more information, try '--help'.
        exit code 2
    "#]],
    );
    says(
        millstream().args(["worker", "--jobmaster", "127.0.0.1:1", "--registration-timeout", "100 ms"]),
        None,
        &expect![[r#"
        error: no jobmaster answers at 127.0.0.1:1: Connection refused (os error 111); this worker has tried for 100ms ('taskmanager.registration.timeout')
        exit code 1
    "#]],
    );
    says(
        millstream().args(["worker", "--jobmaster", &taken[1], "--exchange", "nowhere"]),
        Some(&cluster),
        &expect![[r#"
        error: --exchange nowhere: it should be HOST:PORT
        exit code 2
    "#]],
    );
}
