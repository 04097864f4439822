//! A jobmaster whose worker runs nothing: it says what it is told to say.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use millstream_graph::{AllocationId, AttemptId, JobId, SubtaskId, WorkerId};
use millstream_planner::resolved::build;
use millstream_protocol::link::{self, WorkerLink};
use millstream_protocol::message::{
    FromWorker, Heartbeat, Heartbeats, JobRef, OperatorCounts, Registration, SlotReport, TaskFailure, TaskId,
    TaskMetrics, TaskReport, TaskState, ToWorker,
};
use millstream_storage::Storage;
use tokio::sync::mpsc;

use crate::execution_graph::AttemptState;
use crate::job_manager::{self, JobManager, JobManagerHandle, Settings, now_ms};
use crate::job_master::JobStatus;
use crate::job_store::JobStore;
use crate::resource::driver::Standalone;

/// A program of two vertices with a shuffle between them: a source, and a window that counts.
pub(crate) const ROWS: &str = "      CREATE TABLE t (k BIGINT, n BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts)
        WITH ('connector' = 'datagen', 'number-of-rows' = '10');
      CREATE TABLE o (k BIGINT, n BIGINT) WITH ('connector' = 'blackhole');
      INSERT INTO o SELECT k, COUNT(*) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECOND))
        GROUP BY k, window_start, window_end;
";
/// How long anything may take that is waited for.
pub(super) const SOON: Duration = Duration::from_secs(20);

/// A jobmaster and its worker.
#[derive(Debug)]
pub(crate) struct Cluster {
    store: JobStore,
    handle: JobManagerHandle,
    worker: Option<Worker>,
}

/// The way to say something in the worker's name.
#[derive(Debug)]
struct Worker {
    says: mpsc::Sender<FromWorker>,
    slots: Slots,
}

type Slots = Arc<Mutex<BTreeMap<u32, Option<(JobId, AllocationId)>>>>;

impl Cluster {
    pub(crate) fn start() -> Self {
        Self::start_on(JobStore::new(Storage::in_memory()))
    }

    /// With the jobs in `store`.
    fn start_on(store: JobStore) -> Self {
        let hour = Duration::from_secs(3600);
        let settings = Settings {
            heartbeats: Heartbeats { interval: hour, timeout: hour },
            ..Settings::new(store.clone(), Arc::new(now_ms))
        };
        let (handle, jobmaster) = job_manager::start(settings, Box::new(Standalone));
        tokio::spawn(jobmaster);
        Self { store, handle, worker: None }
    }

    /// Another jobmaster over the same jobs, once it knows them.
    pub(crate) async fn started_again(self) -> Self {
        let Self { store, handle, .. } = self;
        drop(handle);
        let again = Self::start_on(store);
        again.until(|manager| !manager.past_jobs().is_empty()).await;
        again
    }

    pub(crate) fn handle(&self) -> &JobManagerHandle {
        &self.handle
    }

    /// Reads something in the loop.
    pub(crate) async fn read<T: Send + 'static>(&self, read: impl FnOnce(&JobManager) -> T + Send + 'static) -> T {
        self.handle.ask(|manager| read(manager)).await.unwrap()
    }

    /// Waits until `is` holds.
    pub(crate) async fn until(&self, is: impl Fn(&JobManager) -> bool + Clone + Send + 'static) {
        let holds = async {
            while !self.read(is.clone()).await {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(SOON, holds).await.expect("it did not come to that in time");
    }

    /// Registers the worker.
    pub(crate) async fn worker(&mut self, name: &str, slots: u32) {
        let (own, masters) = link::pair();
        let held: Slots = Arc::new(Mutex::new((0..slots).map(|slot| (slot, None)).collect()));
        let worker = Worker { says: own.sender.clone(), slots: Arc::clone(&held) };
        self.handle.take_link(masters).await;
        let registration = Registration {
            worker: WorkerId::new(name),
            build: build().to_owned(),
            exchange: "10.0.0.1:6122".to_owned(),
            slots: worker.reports(),
            slot_memory: 0,
            process: 7,
            host: "10.0.0.1".to_owned(),
        };
        worker.say(FromWorker::Register(registration)).await;
        tokio::spawn(obey(own, held));
        self.worker = Some(worker);
        self.until(|manager| manager.workers().next().is_some()).await;
    }

    /// Submits a program; it waits for slots, or runs if there are some.
    pub(crate) async fn submit(&self, name: &str, parallelism: u32, sql: &str) -> JobId {
        self.handle.submit_manifest(manifest(name, parallelism, "", sql)).await.unwrap().job
    }

    /// A job all of whose tasks run.
    pub(crate) async fn run(&self, name: &str, parallelism: u32) -> JobId {
        let id = self.submit(name, parallelism, ROWS).await;
        self.until_running(id, 0).await;
        id
    }

    async fn until_running(&self, id: JobId, restarts: u32) {
        self.until(move |manager| {
            let master = manager.job(id).unwrap().master();
            let total = master.execution_graph().total();
            master.restarts() == restarts && total.of(AttemptState::Running) == total.total()
        })
        .await;
    }

    /// A job that has failed.
    pub(crate) async fn fail(&self, name: &str) -> JobId {
        let id = self.run(name, 1).await;
        self.fail_task(id, false).await;
        assert_eq!(self.handle.wait(id).await.unwrap().status, JobStatus::Failed);
        id
    }

    /// A job that has failed once and runs again.
    pub(crate) async fn restart(&self, name: &str) -> JobId {
        let config = "restart-strategy.type: fixed-delay, restart-strategy.fixed-delay.delay: 0 s";
        let id = self.handle.submit_manifest(manifest(name, 1, config, ROWS)).await.unwrap().job;
        self.until_running(id, 0).await;
        self.fail_task(id, true).await;
        self.until_running(id, 1).await;
        id
    }

    async fn fail_task(&self, id: JobId, may_recover: bool) {
        let why = "division by zero".to_owned();
        let failed = TaskState::Failed(TaskFailure { why, may_recover, follows: false });
        self.report(id, SubtaskId { vertex: 0, subtask: 0 }, failed).await;
    }

    /// A job whose tasks have all finished.
    pub(crate) async fn finish(&self, name: &str) -> JobId {
        let id = self.run(name, 1).await;
        self.end_tasks(id).await;
        id
    }

    /// All tasks of a job finish, and so does the job.
    pub(crate) async fn end_tasks(&self, id: JobId) {
        let tasks =
            move |manager: &JobManager| manager.job(id).unwrap().master().execution_graph().subtasks().collect();
        let tasks: Vec<SubtaskId> = self.read(tasks).await;
        for subtask in tasks {
            self.report(id, subtask, TaskState::Finished { waits_for_clock: false }).await;
        }
        assert_eq!(self.handle.wait(id).await.unwrap().status, JobStatus::Finished);
    }

    pub(crate) async fn cancel(&self, id: JobId) {
        self.handle.cancel(id).await.unwrap();
        assert_eq!(self.handle.wait(id).await.unwrap().status, JobStatus::Canceled);
    }

    /// The worker says what a task counts.
    pub(crate) async fn count(&self, id: JobId, subtask: SubtaskId, metrics: TaskMetrics) {
        let worker = self.worker.as_ref().unwrap();
        let tasks = vec![(self.task(id, subtask).await, metrics.clone())];
        worker.say(FromWorker::Heartbeat(Heartbeat { slots: worker.reports(), tasks, resident_bytes: 1 << 20 })).await;
        self.until(move |manager| {
            manager.job(id).unwrap().counted(subtask).is_some_and(|counted| counted.metrics == metrics)
        })
        .await;
    }

    async fn report(&self, id: JobId, subtask: SubtaskId, state: TaskState) {
        let task = self.task(id, subtask).await;
        let report = TaskReport { task, state, metrics: TaskMetrics::default() };
        self.worker.as_ref().unwrap().say(FromWorker::Task(report)).await;
    }

    async fn task(&self, id: JobId, of: SubtaskId) -> TaskId {
        self.read(move |manager| {
            let job = manager.job(id).unwrap();
            let number = job.master().execution_graph().current(of).unwrap().number;
            TaskId { job: job.id(), attempt: AttemptId { of, number } }
        })
        .await
    }
}

impl Worker {
    async fn say(&self, message: FromWorker) {
        self.says.send(message).await.unwrap();
    }

    fn reports(&self) -> Vec<SlotReport> {
        self.slots.lock().unwrap().iter().map(|(slot, held)| SlotReport { slot: *slot, held: *held }).collect()
    }
}

/// Gives slots to jobs, says that tasks run that it was told to run, and that they are canceled when it was told to.
async fn obey(mut link: WorkerLink, slots: Slots) {
    while let Some(told) = link.receiver.recv().await {
        let answers = match told {
            ToWorker::RequestSlot(allocation) => {
                slots.lock().unwrap().insert(allocation.slot, Some((allocation.job.job, allocation.id)));
                vec![FromWorker::OfferSlot(allocation)]
            }
            ToWorker::FreeSlot(allocation) => {
                slots.lock().unwrap().insert(allocation.slot, None);
                Vec::new()
            }
            ToWorker::Deploy(deployment) => {
                let tasks = deployment.tasks.iter();
                tasks.flat_map(|task| running(deployment.job, task.attempt)).collect()
            }
            ToWorker::Cancel(tasks) => tasks.into_iter().map(|task| report(task, TaskState::Canceled)).collect(),
            ToWorker::Registered(_)
            | ToWorker::Refused(_)
            | ToWorker::Alive
            | ToWorker::StopSources(_)
            | ToWorker::Split { .. }
            | ToWorker::Leave(_) => Vec::new(),
        };
        for answer in answers {
            // A jobmaster that has ended does not want to know.
            let _ = link.sender.send(answer).await;
        }
    }
}

fn running(job: JobRef, attempt: AttemptId) -> [FromWorker; 2] {
    [TaskState::Initializing, TaskState::Running].map(|state| report(TaskId { job, attempt }, state))
}

fn report(task: TaskId, state: TaskState) -> FromWorker {
    FromWorker::Task(TaskReport { task, state, metrics: TaskMetrics::default() })
}

/// The manifest of a SQL program with these options.
pub(crate) fn manifest(name: &str, parallelism: u32, config: &str, sql: &str) -> String {
    format!(
        "apiVersion: millstream.dev/v1alpha1\nkind: StreamJob\nmetadata:\n  name: {name}\nspec:\n  parallelism: \
         {parallelism}\n  config: {{{config}}}\n  program:\n    sql: |\n{sql}"
    )
}

/// What a task counts: its operators, and milliseconds busy, idle and back-pressured.
pub(crate) fn metrics(operators: &[OperatorCounts], busy: u64, idle: u64, back_pressured: u64) -> TaskMetrics {
    TaskMetrics {
        operators: operators.to_vec(),
        busy_ms: busy,
        idle_ms: idle,
        back_pressured_ms: back_pressured,
        ..TaskMetrics::default()
    }
}

/// What an operator counts.
pub(crate) fn counts(records_in: u64, records_out: u64) -> OperatorCounts {
    OperatorCounts {
        records_in,
        records_out,
        side_records_out: 0,
        late_dropped: 0,
        records_in_errors: 0,
        watermark: 15_599,
    }
}
