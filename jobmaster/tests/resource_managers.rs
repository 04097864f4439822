//! Every kind of ResourceManager passes the same tests ([`conformance`]).
//!
//! The binary is its own worker: started with the arguments of one it is a [`fake_worker`], otherwise it runs the tests whose
//! names contain one of its arguments, all of them if there is none.

#![expect(clippy::print_stdout, reason = "it says how its tests went, as the usual harness does")]

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use millstream_jobmaster::resource::conformance::fake_worker::{self, WorkerProgram};
use millstream_jobmaster::resource::conformance::{Case, Kind, Supply, cases};
use millstream_jobmaster::resource::driver::{Driver, Standalone};
use millstream_jobmaster::resource::process::{ProcessDriver, ProcessSettings};
use millstream_protocol::message::Registration;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::Child;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// How many cases run at a time. They mostly wait.
const AT_ONCE: usize = 6;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_worker = arguments.first().is_some_and(|first| first == fake_worker::WORD);
    let mut runtime = match is_worker {
        true => tokio::runtime::Builder::new_current_thread(),
        false => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime.enable_all().build().expect("a runtime can be started");
    if is_worker { runtime.block_on(fake_worker::run(&arguments)) } else { runtime.block_on(run_all(&arguments)) }
}

/// A test: a case and the kind that it is tried with.
struct Test {
    name: String,
    case: Case,
    kind: Arc<dyn Kind>,
}

async fn run_all(arguments: &[String]) -> ExitCode {
    let filters: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let tests =
        tests().into_iter().filter(|test| filters.is_empty() || filters.iter().any(|of| test.name.contains(*of)));
    let at_once = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for Test { name, case, kind } in tests {
        let at_once = Arc::clone(&at_once);
        running.spawn(async move {
            let _permit = at_once.acquire_owned().await.expect("it is never closed");
            let ran = tokio::spawn(case.run(kind)).await;
            (name, ran)
        });
    }
    let (mut passed, mut failed) = (0, 0);
    while let Some(ran) = running.join_next().await {
        let (name, ran) = ran.expect("it only waits for another task");
        println!("test {name} ... {}", if ran.is_ok() { "ok" } else { "FAILED" });
        if ran.is_ok() { passed += 1 } else { failed += 1 }
    }
    println!("\ntest result: {passed} passed; {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Each case with each kind that it is for.
fn tests() -> Vec<Test> {
    let standalone = tests_of("standalone", || Arc::new(StandaloneKind::default()));
    standalone.into_iter().chain(tests_of("process", || Arc::new(ProcessKind::default()))).collect()
}

fn tests_of(word: &str, kind: fn() -> Arc<dyn Kind>) -> Vec<Test> {
    let each = cases().into_iter().map(|case| Test { name: format!("{word}::{}", case.name), case, kind: kind() });
    each.filter(|Test { case, kind, .. }| case.only.is_none_or(|only| only == kind.supply())).collect()
}

/// Workers that are started by hand.
#[derive(Default)]
struct Hand {
    /// They end with this.
    workers: Mutex<Vec<Child>>,
}

impl Hand {
    fn start(&self, worker: &WorkerProgram, name: &str) {
        let mut command = Command::new(this_program());
        command.args(worker.arguments()).args(["--worker-id", name]).stdin(Stdio::null());
        let child = tokio::process::Command::from(command).kill_on_drop(true).spawn();
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).push(child.expect("this program can be started"));
    }
}

fn this_program() -> PathBuf {
    std::env::current_exe().expect("this program is known")
}

/// Sends a signal to a process that this one has started.
fn signal(worker: &Registration, signal: Signal) {
    let process = i32::try_from(worker.process).ok().and_then(Pid::from_raw).expect("it has told its process id");
    kill_process(process, signal).expect("it is a process of ours");
}

/// Whether a process that this one has started has not ended. One that nobody has waited for yet has.
fn runs(worker: &Registration) -> bool {
    state(worker).is_some_and(|state| state != 'Z')
}

/// The letter for a process's state in `/proc/PID/stat`.
fn state(worker: &Registration) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", worker.process)).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

#[derive(Default)]
struct StandaloneKind {
    hand: Hand,
}

impl Kind for StandaloneKind {
    fn supply(&self) -> Supply {
        Supply::ByThemselves
    }

    fn driver(&self, _: &WorkerProgram) -> Box<dyn Driver> {
        Box::new(Standalone)
    }

    fn start_by_hand(&self, worker: &WorkerProgram, name: &str) {
        self.hand.start(worker, name);
    }

    fn kill(&self, worker: &Registration) {
        signal(worker, Signal::KILL);
    }

    fn freeze(&self, worker: &Registration) {
        signal(worker, Signal::STOP);
    }

    fn runs(&self, worker: &Registration) -> bool {
        runs(worker)
    }
}

struct ProcessKind {
    hand: Hand,
    folder: TempDir,
    /// A process that hangs would outlive a case that failed.
    frozen: Mutex<Vec<Registration>>,
}

impl Drop for ProcessKind {
    fn drop(&mut self) {
        let frozen = self.frozen.get_mut().unwrap_or_else(PoisonError::into_inner);
        frozen.iter().filter(|worker| state(worker) == Some('T')).for_each(|worker| signal(worker, Signal::KILL));
    }
}

impl Default for ProcessKind {
    fn default() -> Self {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        Self { hand: Hand::default(), folder, frozen: Mutex::default() }
    }
}

impl Kind for ProcessKind {
    fn supply(&self) -> Supply {
        Supply::OnDemand
    }

    fn driver(&self, worker: &WorkerProgram) -> Box<dyn Driver> {
        let settings = ProcessSettings::new(this_program(), worker.arguments(), self.folder.path().join("workers"));
        Box::new(ProcessDriver::new(ProcessSettings { patience: Duration::from_millis(300), ..settings }))
    }

    fn start_by_hand(&self, worker: &WorkerProgram, name: &str) {
        self.hand.start(worker, name);
    }

    fn kill(&self, worker: &Registration) {
        signal(worker, Signal::KILL);
    }

    fn freeze(&self, worker: &Registration) {
        signal(worker, Signal::STOP);
        self.frozen.lock().unwrap_or_else(PoisonError::into_inner).push(worker.clone());
    }

    fn runs(&self, worker: &Registration) -> bool {
        runs(worker)
    }
}
