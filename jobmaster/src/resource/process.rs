//! *process*: workers are processes on this machine, started when slots are short and ended when they are idle. It is the
//! kind of cluster that starts workers, in small.
//!
//! # Flow
//! Each worker has a task that lives as long as it does: it starts the process (or takes over one that was found), waits for
//! its end, ends it if it is told to, and says how it ended. What has to be known of a worker by the jobmaster after this one
//! is in a file (`record`); what the worker says is in another (`logs`).
//!
//! # Guarantees
//! A process is only signalled while it is certain that it is the worker: process ids are used again (`identity`). Workers
//! are in a process group of their own, so that a Ctrl-C at the jobmaster's terminal does not reach them, and survive the
//! jobmaster: they look for the next one and end by themselves if none comes.
//!
//! # What can go wrong
//! A jobmaster that is killed between starting a worker and writing its file leaves a worker that nobody finds. It registers
//! all the same, and leaves when it is told to.

mod identity;
mod logs;
mod record;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use millstream_graph::WorkerId;
use rustix::process::Signal;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};

use self::identity::{FoundProcess, ProcessIdentity};
use self::record::WorkerRecord;
use super::driver::{Driver, DriverEvent};

/// How workers are started.
#[derive(Debug, Clone)]
pub struct ProcessSettings {
    /// The executable of a worker.
    pub program: PathBuf,
    /// Its arguments; `--worker-id NAME` is added.
    pub arguments: Vec<String>,
    /// The folder of the workers' files and logs. Each jobmaster has its own.
    pub folder: PathBuf,
    /// How long a worker that was told to leave may take before it is sent SIGTERM, and then SIGKILL.
    pub patience: Duration,
    /// How many logs are kept; those of running workers always are.
    pub logs_kept: usize,
}

impl ProcessSettings {
    /// The defaults: 5 s to leave, and 20 logs.
    pub fn new(program: PathBuf, arguments: Vec<String>, folder: PathBuf) -> Self {
        Self { program, arguments, folder, patience: Duration::from_secs(5), logs_kept: 20 }
    }
}

/// Starts and ends processes on this machine.
#[derive(Debug)]
pub struct ProcessDriver {
    settings: ProcessSettings,
    /// Once it has begun.
    shared: Option<Arc<Shared>>,
}

/// What the tasks of all workers share.
#[derive(Debug)]
struct Shared {
    settings: ProcessSettings,
    /// Closed when the jobmaster's loop has ended; workers are left alone then.
    events: mpsc::Sender<DriverEvent>,
    /// The workers whose tasks live, and the way to tell such a task to end its worker; `None` when that was done.
    workers: Mutex<HashMap<WorkerId, Option<oneshot::Sender<()>>>>,
}

/// A worker's process.
enum Process {
    /// This jobmaster has started it.
    Started(Child),
    /// An earlier one has.
    Found(FoundProcess),
}

/// Why a worker could not be started.
#[derive(Debug, thiserror::Error)]
enum NotStarted {
    #[error("its log `{path}` could not be made: {source}")]
    Log { path: PathBuf, source: io::Error },
    #[error("`{program}` could not be started: {source}")]
    Program { program: PathBuf, source: io::Error },
    #[error("starting it was given up: {0}")]
    GivenUp(#[from] tokio::task::JoinError),
}

impl ProcessDriver {
    /// Starts nothing yet.
    pub fn new(settings: ProcessSettings) -> Self {
        Self { settings, shared: None }
    }
}

impl Driver for ProcessDriver {
    fn begin(&mut self, events: mpsc::Sender<DriverEvent>) {
        let shared = Arc::new(Shared { settings: self.settings.clone(), events, workers: Mutex::default() });
        self.shared = Some(Arc::clone(&shared));
        tokio::spawn(shared.take_over());
    }

    fn start_worker(&mut self, worker: &WorkerId) {
        let Some(shared) = &self.shared else {
            return tracing::error!(%worker, "a worker was to be started before the driver has begun; this is a bug in Millstream");
        };
        let (worker, stop) = (worker.clone(), shared.enter(worker));
        tokio::spawn(Arc::clone(shared).start(worker, stop));
    }

    fn stop_worker(&mut self, worker: &WorkerId) {
        let Some(shared) = &self.shared else { return };
        match shared.workers().get_mut(worker) {
            Some(stop) => {
                if let Some(stop) = stop.take() {
                    // A task that does not listen is about to say that its worker has ended.
                    let _ = stop.send(());
                }
            }
            None => {
                let (shared, worker) = (Arc::clone(shared), worker.clone());
                tokio::spawn(
                    async move { shared.tell_end(worker, "no process of its name was started".to_owned()).await },
                );
            }
        }
    }
}

impl Shared {
    fn workers(&self) -> MutexGuard<'_, HashMap<WorkerId, Option<oneshot::Sender<()>>>> {
        // Nothing that is done with the lock held can leave a half-made map.
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a worker; the answer is completed when it is to be ended.
    fn enter(&self, worker: &WorkerId) -> oneshot::Receiver<()> {
        let (stop, stopped) = oneshot::channel();
        self.workers().insert(worker.clone(), Some(stop));
        stopped
    }

    /// Takes over the workers of an earlier jobmaster.
    async fn take_over(self: Arc<Self>) {
        let mut found = Vec::new();
        for record in self.find().await {
            match FoundProcess::of(record.process) {
                Some(process) => found.push((record.worker, process)),
                None => record::remove(&self.settings.folder, &record.worker),
            }
        }
        let workers: Vec<WorkerId> = found.iter().map(|(worker, _)| worker.clone()).collect();
        let stops: Vec<_> = workers.iter().map(|worker| self.enter(worker)).collect();
        if self.events.send(DriverEvent::Found(workers)).await.is_err() {
            return;
        }
        for ((worker, process), stop) in found.into_iter().zip(stops) {
            tokio::spawn(Arc::clone(&self).see_out(worker, Process::Found(process), stop));
        }
    }

    async fn find(&self) -> Vec<WorkerRecord> {
        let folder = self.settings.folder.clone();
        let found = tokio::task::spawn_blocking(move || record::read_all(&folder)).await;
        let found = found.unwrap_or_else(|error| Err(io::Error::other(error)));
        found.unwrap_or_else(|error| {
            tracing::error!(folder = %self.settings.folder.display(), "workers of an earlier jobmaster cannot be found: {error}");
            Vec::new()
        })
    }

    /// A worker's life, from its start on.
    async fn start(self: Arc<Self>, worker: WorkerId, stop: oneshot::Receiver<()>) {
        let (shared, name) = (Arc::clone(&self), worker.clone());
        let started = tokio::task::spawn_blocking(move || shared.spawn(&name)).await;
        match started.unwrap_or_else(|error| Err(error.into())) {
            Ok(child) => self.see_out(worker, Process::Started(child), stop).await,
            Err(error) => self.tell_end(worker, error.to_string()).await,
        }
    }

    /// Starts the process of a worker. Blocks.
    fn spawn(&self, worker: &WorkerId) -> Result<Child, NotStarted> {
        let settings = &self.settings;
        let running: Vec<WorkerId> = self.workers().keys().cloned().collect();
        logs::remove_old(&settings.folder, &running, settings.logs_kept);
        let path = logs::path(&settings.folder, worker);
        let log = logs::create(&path).and_then(|log| Ok((log.try_clone()?, log)));
        let (out, err): (File, File) = log.map_err(|source| NotStarted::Log { path, source })?;
        let child = Command::new(&settings.program)
            .args(&settings.arguments)
            .args(["--worker-id", worker.as_str()])
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0)
            .spawn()
            .map_err(|source| NotStarted::Program { program: settings.program.clone(), source })?;
        let recorded = child.id().map_or(Ok(()), |id| {
            let record = WorkerRecord { worker: worker.clone(), process: ProcessIdentity::of(id)? };
            record.write(&settings.folder)
        });
        if let Err(error) = recorded {
            tracing::warn!(%worker, "a jobmaster that takes this one's place will not find the worker: {error}");
        }
        Ok(child)
    }

    /// Waits for the end of a worker, or ends it, and says so.
    async fn see_out(self: Arc<Self>, worker: WorkerId, mut process: Process, stop: oneshot::Receiver<()>) {
        let how = tokio::select! {
            how = process.ended() => how,
            () = is_told(stop) => self.end(&worker, &mut process).await,
        };
        let (folder, name) = (self.settings.folder.clone(), worker.clone());
        let last = tokio::task::spawn_blocking(move || {
            record::remove(&folder, &name);
            logs::last_line(&logs::path(&folder, &name))
        });
        let why = match last.await {
            Ok(Some(last)) => format!("{how}: {last}"),
            Ok(None) | Err(_) => how,
        };
        self.tell_end(worker, why).await;
    }

    /// Ends a process that was told to leave: waits, then tells it so more and more plainly.
    async fn end(&self, worker: &WorkerId, process: &mut Process) -> String {
        for signal in [Signal::TERM, Signal::KILL] {
            if let Ok(how) = tokio::time::timeout(self.settings.patience, process.ended()).await {
                return how;
            }
            tracing::warn!(%worker, ?signal, "a worker has not left in {:?}; it is sent a signal", self.settings.patience);
            if let Err(error) = process.signal(signal) {
                tracing::warn!(%worker, ?signal, "a worker could not be sent a signal: {error}");
            }
        }
        process.ended().await
    }

    async fn tell_end(&self, worker: WorkerId, why: String) {
        self.workers().remove(&worker);
        // A loop that has ended has no workers.
        let _ = self.events.send(DriverEvent::Ended { worker, why }).await;
    }
}

/// Completes when the worker is to be ended. A driver that is gone leaves it alone.
async fn is_told(stop: oneshot::Receiver<()>) {
    if stop.await.is_err() {
        std::future::pending::<()>().await;
    }
}

impl Process {
    /// Waits for its end. The answer is how it ended, in words.
    async fn ended(&mut self) -> String {
        match self {
            Self::Started(child) => match child.wait().await {
                Ok(status) => in_words(status),
                Err(error) => format!("its process is not known any more: {error}"),
            },
            Self::Found(process) => {
                process.ended().await;
                "its process has ended".to_owned()
            }
        }
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        match self {
            // As long as it was not waited for, no other process gets its id.
            Self::Started(child) => child.id().map_or(Ok(()), |id| identity::signal(id, signal)),
            Self::Found(process) => process.signal(signal),
        }
    }
}

fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("its process exited with code {code}"),
        (None, Some(signal)) => format!("its process was ended by signal {signal}"),
        (None, None) => format!("its process has ended: {status}"),
    }
}
