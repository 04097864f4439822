//! A cluster of real processes on loopback: a jobmaster, workers, and a client that asks over REST.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use millstream_api::{Client, ClientError, Empty, JobDetails, JobState, VertexSummary};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::{Running, Said, millstream, wait_until};

/// A free port of loopback.
const LOOPBACK: &str = "127.0.0.1:0";

/// The cluster. All its processes are killed when it is dropped.
#[derive(Debug)]
pub struct Cluster {
    folder: TempDir,
    /// If it is not in the folder.
    storage: Option<String>,
    runtime: Runtime,
    settings: Vec<String>,
    rest: String,
    rpc: String,
    jobmaster: Option<Running>,
    workers: BTreeMap<String, Running>,
    /// What ended workers have printed.
    printed: Vec<String>,
}

impl Cluster {
    /// A jobmaster on free ports, and so many workers with so many slots each, once all have registered.
    ///
    /// # Panics
    /// If anything does not start; as all of this does if what it is told to do fails.
    pub fn start(workers: u32, slots: u32) -> Self {
        let mut cluster = Self::with(&[]);
        for number in 0..workers {
            cluster.start_worker(&format!("w{number}"), slots);
        }
        cluster.wait_for_workers(workers as usize);
        cluster
    }

    /// A jobmaster with more arguments, without workers.
    pub fn with(settings: &[&str]) -> Self {
        Self::begin(settings, None, LOOPBACK, LOOPBACK)
    }

    /// A jobmaster that answers REST and takes workers at these addresses, without workers.
    pub fn with_addresses(rest: &str, rpc: &str) -> Self {
        Self::begin(&[], None, rest, rpc)
    }

    /// A jobmaster with the storage of another one, without workers.
    pub fn with_storage(storage: &str) -> Self {
        Self::begin(&[], Some(storage.to_owned()), LOOPBACK, LOOPBACK)
    }

    fn begin(settings: &[&str], storage: Option<String>, rest: &str, rpc: &str) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let mut cluster = Self {
            folder: tempfile::tempdir().expect("a folder"),
            storage,
            runtime,
            settings: settings.iter().map(|&setting| setting.to_owned()).collect(),
            rest: rest.to_owned(),
            rpc: rpc.to_owned(),
            jobmaster: None,
            workers: BTreeMap::new(),
            printed: Vec::new(),
        };
        cluster.start_jobmaster();
        cluster
    }

    /// The cluster's own folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the jobmaster keeps jobs.
    pub fn storage(&self) -> String {
        self.storage.clone().unwrap_or_else(|| format!("file://{}", self.folder().join("storage").display()))
    }

    /// Where workers register.
    pub fn rpc(&self) -> &str {
        &self.rpc
    }

    /// Where REST is answered.
    pub fn rest(&self) -> &str {
        &self.rest
    }

    /// Starts the jobmaster; the second time it takes the ports and the storage of the first.
    pub fn start_jobmaster(&mut self) {
        let mut command = millstream();
        command.args(["jobmaster", "--rest", &self.rest, "--rpc", &self.rpc, "--storage", &self.storage()]);
        command.args(&self.settings).env("RUST_LOG", "info");
        let mut jobmaster = Running::start(&mut command);
        let lines = jobmaster.stderr.wait_until(|lines| lines.last().is_some_and(|line| line.contains("is ready")));
        let ready = lines.last().cloned().unwrap_or_default();
        let value = |key: &str| {
            let field = ready.split_whitespace().find_map(|word| word.strip_prefix(key));
            field.unwrap_or_else(|| panic!("no `{key}` in {ready}")).to_owned()
        };
        (self.rest, self.rpc) = (value("rest="), value("rpc="));
        self.jobmaster = Some(jobmaster);
    }

    /// The jobmaster's process.
    pub fn jobmaster(&mut self) -> &mut Running {
        self.jobmaster.as_mut().expect("a jobmaster")
    }

    /// Ends the jobmaster as a power failure would.
    pub fn kill_jobmaster(&mut self) {
        // A process is killed when it is dropped.
        self.jobmaster = None;
    }

    /// What the jobmaster says when it ends by itself, which is waited for.
    pub fn end_of_jobmaster(&mut self) -> Said {
        self.jobmaster.take().expect("a jobmaster").end()
    }

    /// A command that starts a worker of this cluster.
    pub fn worker_command(&self, name: &str, slots: u32) -> Command {
        let mut command = millstream();
        command.args(["worker", "--jobmaster", &self.rpc, "--worker-id", name, "--slots", &slots.to_string()]);
        command.env("RUST_LOG", "info");
        command
    }

    /// Starts a worker.
    pub fn start_worker(&mut self, name: &str, slots: u32) {
        let worker = Running::start(&mut self.worker_command(name, slots));
        self.workers.insert(name.to_owned(), worker);
    }

    /// Takes a worker that was started elsewhere.
    pub fn add_worker(&mut self, name: &str, worker: Running) {
        self.workers.insert(name.to_owned(), worker);
    }

    /// A worker's process.
    pub fn worker(&mut self, name: &str) -> &mut Running {
        self.workers.get_mut(name).unwrap_or_else(|| panic!("no worker {name}"))
    }

    /// Ends a worker as a power failure would.
    pub fn kill_worker(&mut self, name: &str) {
        let worker = self.workers.remove(name).unwrap_or_else(|| panic!("no worker {name}"));
        worker.signal("KILL");
        self.printed.push(worker.end().stdout);
    }

    /// Waits until exactly so many workers are registered.
    pub fn wait_for_workers(&self, workers: usize) {
        wait_until(|| {
            self.ask(|client| async move { client.taskmanagers().await })
                .is_ok_and(|all| all.taskmanagers.len() == workers)
        });
    }

    /// Asks the jobmaster.
    pub fn ask<T, F: Future<Output = Result<T, ClientError>>>(
        &self,
        question: impl FnOnce(Client) -> F,
    ) -> Result<T, ClientError> {
        let client = Client::new(&self.rest)?;
        self.runtime.block_on(question(client))
    }

    /// Submits the manifest `text`, in which `FOLDER` stands for the cluster's folder, and answers with the job's id.
    pub fn submit(&self, text: &str) -> String {
        self.try_submit(text).unwrap_or_else(|error| panic!("the job was refused: {error}"))
    }

    /// The same for a manifest that may be refused.
    pub fn try_submit(&self, text: &str) -> Result<String, ClientError> {
        let text = text.replace("FOLDER", &self.folder().to_string_lossy());
        self.ask(|client| async move { client.submit(&text).await }).map(|submitted| submitted.jid)
    }

    /// A job.
    pub fn job(&self, id: &str) -> JobDetails {
        self.ask(|client| async move { client.job(id).await }).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Cancels a job, unless that is refused.
    pub fn cancel(&self, id: &str) -> Result<Empty, ClientError> {
        self.ask(|client| async move { client.cancel(id).await })
    }

    /// What the workers that run have printed so far.
    pub fn printed_so_far(&mut self) -> Vec<String> {
        self.workers.values_mut().flat_map(|worker| worker.stdout.so_far().to_vec()).collect()
    }

    /// Whether the jobmaster knows a job. One that has just started may not yet.
    pub fn is_known(&self, id: &str) -> bool {
        self.ask(|client| async move { client.job_status(id).await }).is_ok()
    }

    /// Waits until a job is in a state; a jobmaster that is away for a while is waited for.
    pub fn wait_for(&self, id: &str, state: JobState) {
        wait_until(|| match self.ask(|client| async move { client.job_status(id).await }) {
            Ok(status) => {
                let ended = status.status.is_terminal() && status.status != state;
                assert!(!ended, "job {id} is {:?}: {}", status.status, self.failures(id));
                status.status == state
            }
            Err(ClientError::Refused { .. } | ClientError::Unreachable { .. } | ClientError::Broken { .. }) => false,
            Err(error) => panic!("{error}"),
        });
    }

    /// The workers that run a job's tasks.
    pub fn workers_of(&self, id: &str) -> BTreeSet<String> {
        let vertices = self.job(id).vertices;
        let asked = |vertex: &VertexSummary| {
            let (job, vertex) = (id.to_owned(), vertex.id.clone());
            self.ask(|client| async move { client.vertex(&job, &vertex).await })
                .unwrap_or_else(|error| panic!("{error}"))
        };
        vertices.iter().flat_map(|vertex| asked(vertex).subtasks).map(|subtask| subtask.taskmanager_id).collect()
    }

    /// What has failed in a job, a line each.
    pub fn failures(&self, id: &str) -> String {
        let asked = self.ask(|client| async move { client.job_exceptions(id, &Default::default()).await });
        let entries = asked.map(|answer| answer.exception_history.entries).unwrap_or_default();
        entries.iter().map(|entry| format!("{}\n", entry.exception.stacktrace)).collect()
    }

    /// Runs a job to its end.
    pub fn run(&self, text: &str) -> String {
        let id = self.submit(text);
        self.wait_for(&id, JobState::Finished);
        id
    }

    /// Ends all workers and gives what they have printed, line by line.
    pub fn end_workers(&mut self) -> Vec<String> {
        let mut printed = std::mem::take(&mut self.printed);
        for (_, worker) in std::mem::take(&mut self.workers) {
            worker.signal("TERM");
            printed.push(worker.end().stdout);
        }
        printed.iter().flat_map(|text| text.lines().map(str::to_owned)).collect()
    }

    /// A path below the cluster's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }
}
