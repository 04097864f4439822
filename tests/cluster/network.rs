//! Workers on hosts of their own: network namespaces that the test makes, with a cable between them that it pulls out.
//!
//! The test runs itself again in a namespace of its own, so that nothing outside is touched and all goes when it ends.

use std::process::{Child, Command};

use millstream_api::JobState;
use millstream_tests::cluster::Cluster;
use millstream_tests::{Running, run, wait_until};

use crate::jobs::{check, counting};

/// Set for the test that runs in the namespace.
const INSIDE: &str = "MILLSTREAM_TEST_IN_NAMESPACE";

/// Runs the test `name` again in a namespace; answers whether this is the one that runs there.
fn in_namespace(name: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let mut inside = Command::new("unshare");
    inside.args(["--map-root-user", "--net", "--"]).arg(std::env::current_exe().unwrap());
    let said = run(inside.args(["--exact", name, "--nocapture"]).env(INSIDE, "yes"));
    let hint = "the test needs to make network namespaces: root, or a kernel that lets users have their own";
    assert_eq!(said.code, 0, "{}{}({hint})", said.stdout, said.stderr);
    assert!(said.stdout.contains("1 passed"), "{}{}", said.stdout, said.stderr);
    false
}

/// A second host with two cables to this one. It is gone when this is dropped.
struct Host {
    holder: Child,
}

impl Host {
    /// At 10.77.1.2, where workers reach the jobmaster at 10.77.1.1, and at 10.77.2.2, for workers among themselves.
    fn start() -> Self {
        ip(&["link", "set", "lo", "up"]);
        let holder = Command::new("unshare").args(["--net", "sleep", "600"]).spawn().unwrap();
        let host = Self { holder };
        // It has a namespace of its own when that is not ours any more.
        let namespace = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/net")).unwrap();
        wait_until(|| namespace(&host.process()) != namespace("self"));
        for cable in ["1", "2"] {
            let (here, there) = (format!("here{cable}"), format!("there{cable}"));
            ip(&["link", "add", &here, "type", "veth", "peer", "name", &there, "netns", &host.process()]);
            ip(&["addr", "add", &format!("10.77.{cable}.1/24"), "dev", &here]);
            ip(&["link", "set", &here, "up"]);
            host.ip(&["addr", "add", &format!("10.77.{cable}.2/24"), "dev", &there]);
            host.ip(&["link", "set", &there, "up"]);
        }
        host
    }

    fn process(&self) -> String {
        self.holder.id().to_string()
    }

    /// This command, on the host.
    fn command(&self, command: &Command) -> Command {
        let mut there = Command::new("nsenter");
        there.args(["--target", &self.process(), "--net", "--"]).arg(command.get_program()).args(command.get_args());
        there.current_dir(millstream_tests::project()).env("RUST_LOG", "info");
        there
    }

    fn ip(&self, arguments: &[&str]) {
        succeed(&mut self.command(Command::new("ip").args(arguments)));
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn ip(arguments: &[&str]) {
    succeed(Command::new("ip").args(arguments));
}

fn succeed(command: &mut Command) {
    let said = run(command);
    assert_eq!(said.code, 0, "{command:?}: {}", said.stderr);
}

/// How many bytes have come by a cable.
fn received(cable: &str) -> u64 {
    let all = std::fs::read_to_string("/proc/self/net/dev").unwrap();
    let line = all.lines().find_map(|line| line.trim().strip_prefix(cable)?.strip_prefix(':')).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn a_network_between_workers_that_is_gone_for_a_while_restarts_the_job() {
    if !in_namespace("network::a_network_between_workers_that_is_gone_for_a_while_restarts_the_job") {
        return;
    }
    let host = Host::start();
    let mut cluster = Cluster::with_addresses("127.0.0.1:0", "10.77.1.1:0");
    let at = |mut worker: Command, exchange: &str| {
        worker.args(["--exchange", exchange]);
        worker
    };
    let here = Running::start(&mut at(cluster.worker_command("here", 1), "10.77.2.1:0"));
    cluster.add_worker("here", here);
    let there = Running::start(&mut host.command(&at(cluster.worker_command("there", 1), "10.77.2.2:0")));
    cluster.add_worker("there", there);
    cluster.wait_for_workers(2);
    let id = cluster.submit(&counting("counts", 2, 50));
    cluster.wait_for(&id, JobState::Running);
    // Rows cross the network.
    wait_until(|| received("here2") > 50_000);
    ip(&["link", "set", "here2", "down"]);
    wait_until(|| cluster.job(&id).restarts > 0);
    // The jobmaster still hears both workers: they are not what has failed.
    cluster.wait_for_workers(2);
    ip(&["link", "set", "here2", "up"]);
    cluster.wait_for(&id, JobState::Finished);
    assert!(cluster.failures(&id).contains("10.77.2."), "{}", cluster.failures(&id));
    check(&cluster.path("counts"), "after the network was gone");
}
