//! With real processes: shells that do as they are told.

use std::path::Path;

use rustix::process::{Pid, getpgid};
use tempfile::TempDir;

use super::*;

/// How long anything may take that is bound to happen.
const DEADLINE: Duration = Duration::from_secs(30);

/// A driver whose workers are shells that run `script`.
struct Shells {
    folder: TempDir,
    driver: ProcessDriver,
    events: mpsc::Receiver<DriverEvent>,
}

impl Shells {
    fn running(script: &str) -> Self {
        Self::of("/bin/sh", script)
    }

    fn of(program: &str, script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let driver = ProcessDriver::new(settings(program, script, folder.path()));
        Self::begin(driver, folder)
    }

    fn begin(mut driver: ProcessDriver, folder: TempDir) -> Self {
        let (told, events) = mpsc::channel(4);
        driver.begin(told);
        Self { folder, driver, events }
    }

    /// The driver of the next jobmaster.
    fn restart(self) -> Self {
        let Self { folder, driver, events } = self;
        let settings = driver.settings.clone();
        drop((driver, events));
        Self::begin(ProcessDriver::new(settings), folder)
    }

    async fn told(&mut self) -> DriverEvent {
        tokio::time::timeout(DEADLINE, self.events.recv()).await.expect("something is told").unwrap()
    }

    async fn found(&mut self) -> Vec<WorkerId> {
        match self.told().await {
            DriverEvent::Found(workers) => workers,
            ended @ DriverEvent::Ended { .. } => panic!("{ended:?}"),
        }
    }

    async fn end(&mut self) -> (WorkerId, String) {
        match self.told().await {
            DriverEvent::Ended { worker, why } => (worker, why),
            found @ DriverEvent::Found(_) => panic!("{found:?}"),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Waits until a file has something in it.
    async fn wait_for(&self, name: &str) -> String {
        let path = self.file(name);
        let mut looks = tokio::time::interval(Duration::from_millis(5));
        let filled = async {
            loop {
                looks.tick().await;
                match std::fs::read_to_string(&path) {
                    Ok(text) if !text.is_empty() => return text,
                    Ok(_) | Err(_) => {}
                }
            }
        };
        tokio::time::timeout(DEADLINE, filled).await.unwrap_or_else(|_| panic!("{name} stays empty"))
    }
}

fn settings(program: &str, script: &str, folder: &Path) -> ProcessSettings {
    let arguments = vec!["-c".to_owned(), script.to_owned()];
    let settings = ProcessSettings::new(program.into(), arguments, folder.join("workers"));
    ProcessSettings { patience: Duration::from_millis(100), ..settings }
}

fn worker() -> WorkerId {
    WorkerId::new("worker-7-0")
}

#[tokio::test]
async fn how_a_worker_ended_is_told_with_the_last_that_it_said() {
    let mut shells = Shells::running("echo $0 $1; echo 'there is no room' >&2; exit 3");
    assert_eq!(shells.found().await, []);
    shells.driver.start_worker(&worker());
    let why = "its process exited with code 3: there is no room".to_owned();
    assert_eq!(shells.end().await, (worker(), why));
    let log = shells.wait_for("workers/worker-7-0.log").await;
    assert_eq!(log, "--worker-id worker-7-0\nthere is no room\n");
    assert!(!shells.file("workers/worker-7-0.json").exists());
    assert_eq!(shells.driver.shared.unwrap().workers().len(), 0);
}

#[tokio::test]
async fn a_program_that_is_not_there_is_a_worker_that_has_ended() {
    let mut shells = Shells::of("/nowhere/worker", "");
    shells.found().await;
    shells.driver.start_worker(&worker());
    let why = "`/nowhere/worker` could not be started: No such file or directory (os error 2)".to_owned();
    assert_eq!(shells.end().await, (worker(), why));
}

#[tokio::test]
async fn a_worker_that_does_not_leave_is_sent_signals() {
    for (script, end) in [
        ("echo ready; exec sleep 600", "its process was ended by signal 15: ready"),
        ("trap '' TERM; echo ready; while :; do sleep 0.01; done", "its process was ended by signal 9: ready"),
        ("trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done", "its process exited with code 0: ready"),
    ] {
        let mut shells = Shells::running(script);
        shells.found().await;
        shells.driver.start_worker(&worker());
        shells.wait_for("workers/worker-7-0.log").await;
        shells.driver.stop_worker(&worker());
        // It is ending already.
        shells.driver.stop_worker(&worker());
        assert_eq!(shells.end().await, (worker(), end.to_owned()));
    }
}

#[tokio::test]
async fn a_worker_survives_its_driver_and_is_found_by_the_next() {
    let mut shells = Shells::running("echo ready; exec sleep 600");
    shells.found().await;
    shells.driver.start_worker(&worker());
    shells.wait_for("workers/worker-7-0.log").await;
    let record = shells.wait_for("workers/worker-7-0.json").await;
    let mut shells = shells.restart();
    assert_eq!(shells.found().await, [worker()]);
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    let pid = record["pid"].as_i64().and_then(|pid| Pid::from_raw(i32::try_from(pid).unwrap())).unwrap();
    assert_eq!(getpgid(Some(pid)).unwrap(), pid, "it has a process group of its own");
    shells.driver.stop_worker(&worker());
    assert_eq!(shells.end().await, (worker(), "its process has ended: ready".to_owned()));
    let mut shells = shells.restart();
    assert_eq!(shells.found().await, []);
}

#[tokio::test]
async fn a_process_that_has_got_the_id_of_a_worker_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings("/bin/sh", "", folder.path());
    std::fs::create_dir(&settings.folder).unwrap();
    // This one: if it were taken for the worker it would not live to tell.
    let this = ProcessIdentity::of(std::process::id()).unwrap();
    let process = ProcessIdentity { start_time: this.start_time + 1, ..this };
    WorkerRecord { worker: worker(), process }.write(&settings.folder).unwrap();
    let mut shells = Shells::begin(ProcessDriver::new(settings), folder);
    assert_eq!(shells.found().await, []);
    assert!(!shells.file("workers/worker-7-0.json").exists());
    shells.driver.stop_worker(&worker());
    assert_eq!(shells.end().await, (worker(), "no process of its name was started".to_owned()));
}
