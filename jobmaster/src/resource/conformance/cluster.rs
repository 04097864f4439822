//! A jobmaster of a kind, and what a case asks of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use millstream_graph::{JobId, SubtaskId, WorkerId};
use millstream_protocol::message::{Heartbeats, Registration};
use millstream_storage::Storage;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::fake_worker::{Conduct, WorkerProgram};
use super::serving::{Serving, listen_again, own_address};
use super::watched::{Watched, WatchedDriver};
use super::{Kind, Supply};
use crate::execution_graph::AttemptState;
use crate::job_manager::{self, JobManager, JobManagerEnd, JobManagerHandle, JobOutcome, now_ms};
use crate::job_master::JobStatus;
use crate::job_store::JobStore;
use crate::resource::{self, Workers};

/// How long anything may take that is bound to happen.
pub(super) const DEADLINE: Duration = Duration::from_secs(60);
/// How often it is looked whether it has.
pub(super) const LOOK: Duration = Duration::from_millis(10);

/// What a case wants to be otherwise.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) slots: u32,
    /// How many workers the kind may have at a time, if it starts them.
    pub(super) most: usize,
    pub(super) conduct: Conduct,
    pub(super) heartbeat_timeout: Duration,
    /// But for `workers`.
    pub(super) resources: resource::Settings,
}

/// Workers of so many slots each.
pub(super) fn workers_of(slots: u32) -> Wanted {
    Wanted {
        slots,
        most: 8,
        conduct: Conduct::Good,
        heartbeat_timeout: Duration::from_secs(20),
        resources: resource::Settings::default(),
    }
}

/// A jobmaster and its workers.
pub(super) struct Cluster {
    pub(super) kind: Arc<dyn Kind>,
    settings: job_manager::Settings,
    program: WorkerProgram,
    by_hand: Mutex<u32>,
    watched: Watched,
    handle: JobManagerHandle,
    jobmaster: JoinHandle<JobManagerEnd>,
    /// What takes connections.
    serving: Serving,
}

impl Cluster {
    /// Starts the jobmaster and no worker.
    pub(super) async fn start(kind: Arc<dyn Kind>, wanted: Wanted) -> Self {
        let store = JobStore::new(Storage::in_memory());
        let workers = match kind.supply() {
            Supply::ByThemselves => Workers::Standalone,
            Supply::OnDemand => Workers::Active { slots: wanted.slots, most: wanted.most },
        };
        let settings = job_manager::Settings {
            heartbeats: Heartbeats { interval: Duration::from_millis(100), timeout: wanted.heartbeat_timeout },
            resources: resource::Settings { workers, ..wanted.resources },
            ..job_manager::Settings::new(store, Arc::new(now_ms))
        };
        let listener = TcpListener::bind(own_address()).await.expect("this machine can be reached by itself");
        let jobmaster = listener.local_addr().expect("it listens");
        let program = WorkerProgram { jobmaster, slots: wanted.slots, conduct: wanted.conduct };
        Self::run(kind, settings, program, listener)
    }

    fn run(
        kind: Arc<dyn Kind>,
        settings: job_manager::Settings,
        program: WorkerProgram,
        listener: TcpListener,
    ) -> Self {
        let watched = Watched::default();
        let driver = WatchedDriver { driver: kind.driver(&program), watched: watched.clone() };
        let (handle, jobmaster) = job_manager::start(settings.clone(), Box::new(driver));
        let jobmaster = tokio::spawn(jobmaster);
        let serving = Serving::start(listener, handle.clone());
        Self { kind, settings, program, by_hand: Mutex::default(), watched, handle, jobmaster, serving }
    }

    /// Ends the jobmaster and starts another in its place.
    pub(super) async fn restart(self) -> Self {
        let Self { kind, settings, program, handle, jobmaster, serving, .. } = self;
        drop(handle);
        serving.end().await;
        assert_eq!(jobmaster.await.expect("the jobmaster did not panic"), JobManagerEnd::Dropped);
        Self::run(kind, settings, program, listen_again(program.jobmaster).await)
    }

    /// Starts workers, if the kind does not.
    pub(super) fn bring(&self, workers: u32) {
        if self.kind.supply() == Supply::ByThemselves {
            (0..workers).for_each(|_| self.start_by_hand());
        }
    }

    /// Starts a worker whatever the kind does.
    pub(super) fn start_by_hand(&self) {
        let mut next = self.by_hand.lock().unwrap_or_else(PoisonError::into_inner);
        self.kind.start_by_hand(&self.program, &format!("by-hand-{}", *next));
        *next += 1;
    }

    /// How many workers the kind was told to start, by this jobmaster.
    pub(super) fn started(&self) -> usize {
        self.watched.started().len()
    }

    /// How many workers were started if `workers` were needed.
    pub(super) fn started_if_it_can(&self, workers: usize) -> usize {
        match self.kind.supply() {
            Supply::ByThemselves => 0,
            Supply::OnDemand => workers,
        }
    }

    /// Waits until the driver has said that a worker's process has ended.
    pub(super) async fn until_ended(&self, worker: &WorkerId) {
        let (watched, worker) = (self.watched.clone(), worker.clone());
        let what = format!("the process of {worker} has ended");
        self.until(&what, move |_| watched.has_ended(&worker).then_some(())).await;
    }

    /// The first worker that this jobmaster has started.
    pub(super) fn first_started(&self) -> WorkerId {
        self.watched.started().remove(0).0
    }

    /// Waits until so many workers were started. Says when they were.
    pub(super) async fn until_started(&self, workers: usize) -> Vec<Instant> {
        let watched = self.watched.clone();
        self.until(&format!("{workers} workers were started"), move |_| {
            let started = watched.started();
            (started.len() >= workers).then(|| started.into_iter().map(|(_, at)| at).collect())
        })
        .await
    }

    /// Submits a job that needs so many slots and does not end; each of its subtasks can be restarted alone.
    pub(super) async fn submit(&self, name: &str, slots: u32) -> JobId {
        let submitted = self.handle.submit_manifest(manifest(name, slots)).await;
        submitted.unwrap_or_else(|refusal| panic!("{refusal}")).job
    }

    pub(super) async fn cancel(&self, job: JobId) -> JobOutcome {
        self.handle.cancel(job).await.unwrap_or_else(|refusal| panic!("{refusal}"));
        self.handle.wait(job).await.unwrap_or_else(|refusal| panic!("{refusal}"))
    }

    pub(super) async fn stop(&self, job: JobId) -> JobOutcome {
        self.handle.stop(job).await.unwrap_or_else(|refusal| panic!("{refusal}"));
        self.handle.wait(job).await.unwrap_or_else(|refusal| panic!("{refusal}"))
    }

    /// Waits until every subtask of a job runs.
    pub(super) async fn until_runs(&self, job: JobId) {
        self.until(&format!("job {job} runs"), move |manager| {
            let job = manager.job(job)?.master();
            let graph = job.execution_graph();
            let mut states = graph.subtasks().filter_map(|of| Some(graph.current(of)?.state()));
            let runs = job.status() == JobStatus::Running && states.all(|state| state == AttemptState::Running);
            runs.then_some(())
        })
        .await;
    }

    /// Waits until a job says this of itself.
    pub(super) async fn until_says(&self, job: JobId, detail: &'static str) {
        self.until(&format!("job {job} says `{detail}`"), move |manager| {
            let says = manager.job(job)?.detail(manager.resources().lacking(job));
            (says.as_deref() == Some(detail)).then_some(())
        })
        .await;
    }

    /// Waits until `check` has an answer.
    pub(super) async fn until<T: Send + 'static>(
        &self,
        what: &str,
        check: impl Fn(&JobManager) -> Option<T> + Send + Sync + 'static,
    ) -> T {
        let check = Arc::new(check);
        let mut looks = tokio::time::interval(LOOK);
        let answered = async {
            loop {
                looks.tick().await;
                let check = Arc::clone(&check);
                if let Some(answer) = self.ask(move |manager| check(manager)).await {
                    return answer;
                }
            }
        };
        match tokio::time::timeout(DEADLINE, answered).await {
            Ok(answer) => answer,
            Err(_) => panic!("not within {DEADLINE:?}: {what}\n{}\n{:?}", self.ask(described).await, self.watched),
        }
    }

    pub(super) async fn ask<T: Send + 'static>(&self, ask: impl FnOnce(&JobManager) -> T + Send + 'static) -> T {
        self.handle.ask(move |manager| ask(manager)).await.expect("the jobmaster runs")
    }

    /// All slots, and how many of them are free.
    pub(super) async fn slots(&self) -> (usize, usize) {
        self.ask(|manager| manager.resources().slots()).await
    }

    /// The registered workers, by their names.
    pub(super) async fn workers(&self) -> Vec<Registration> {
        self.ask(|manager| manager.workers().map(|worker| worker.registration.clone()).collect()).await
    }

    /// The worker and the number of the try of each subtask.
    pub(super) async fn tries(&self, job: JobId) -> Vec<(SubtaskId, Option<WorkerId>, u32)> {
        self.ask(move |manager| {
            let master = manager.job(job).expect("the job is known").master();
            let graph = master.execution_graph();
            let number = |of| graph.current(of).expect("it has been tried").number;
            graph.subtasks().map(|of| (of, master.worker_of(of).cloned(), number(of))).collect()
        })
        .await
    }
}

fn described(manager: &JobManager) -> String {
    let jobs = manager.jobs().map(|job| {
        let lacking = manager.resources().lacking(job.id().job);
        format!("{}: {:?}, {:?}, {:?}", job.name(), job.master().status(), job.detail(lacking), job.failure())
    });
    let workers = manager.workers().map(|worker| worker.registration.worker.to_string());
    let (jobs, workers): (Vec<_>, Vec<_>) = (jobs.collect(), workers.collect());
    format!("jobs: {jobs:#?}\nworkers: {workers:?}\nslots and free ones: {:?}", manager.resources().slots())
}

fn manifest(name: &str, slots: u32) -> String {
    format!(
        "apiVersion: millstream.dev/v1alpha1
kind: StreamJob
metadata: {{name: {name}}}
spec:
  parallelism: {slots}
  program:
    sql: |
      SET 'restart-strategy.type' = 'fixed-delay';
      SET 'restart-strategy.fixed-delay.attempts' = '100';
      SET 'restart-strategy.fixed-delay.delay' = '100 ms';
      CREATE TABLE numbers (n BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '8');
      CREATE TABLE nowhere (n BIGINT) WITH ('connector' = 'blackhole');
      INSERT INTO nowhere SELECT n FROM numbers;
"
    )
}
