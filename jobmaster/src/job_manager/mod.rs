//! The jobmaster's process: Dispatcher, ResourceManager and the JobMaster of each job, in one loop.
//!
//! ```text
//!   REST, command line ──► JobManagerHandle ──┐
//!   workers (links) ──► a forwarder each ─────┼──► inbox ──► loop: decide, then act ──► links of workers
//!   what was done in the background ──────────┘                   │                 └─► the driver starts workers
//!                                                                 └─► store, enumerators, committers (in the background)
//! ```
//!
//! # Flow
//! 1. [`JobManagerHandle::submit`]: the job was planned by whoever submits it. The Dispatcher refuses a second job of the same
//!    name (`jobs.rs`), stores it, and starts a JobMaster for it.
//! 2. The JobMaster expands the graph and declares the slots that it needs; the ResourceManager requests free slots and asks
//!    its driver for workers.
//! 3. A worker registers (`workers.rs`), offers the slots that it is told to, and is sent tasks.
//! 4. Tasks report; when all have finished the results are published.
//!
//! # Guarantees
//! The loop never waits: what may take long is done in the background and comes back as a message. A worker that does not read
//! what it is sent is lost. Everything that is decided is decided by the pure parts ([`crate::job_master`],
//! [`crate::resource`]); this is who acts.

mod handle;
mod job;
mod jobs;
mod recorder;
mod recovery;
mod sink_commits;
mod split_source;
mod submission;
mod workers;

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use millstream_graph::{JobId, WorkerId};
use millstream_planner::functions::Clock;
use millstream_planner::options::restart::RestartKind;
use millstream_protocol::link::MasterLink;
use millstream_protocol::message::{FromWorker, Heartbeats};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};

use crate::job_store::JobStore;
use crate::resource::driver::{Driver, DriverEvent};
use crate::resource::{self, ResourceManager};

pub use handle::{JobManagerHandle, Refusal, Submitted};
pub use job::{Counted, Job, JobOutcome, Progress};
pub use recovery::{AwaitedJob, PastJob};
pub use submission::{PreparedJob, Unusable};
pub use workers::Worker;

/// Messages that may wait for the loop. Those who send wait when there are more.
const INBOX_MAX: usize = 16_384;
/// How often the ResourceManager and the heartbeats look at the time.
const TICK: Duration = Duration::from_millis(500);

/// How a jobmaster works.
#[derive(Clone)]
pub struct Settings {
    /// Where jobs are kept.
    pub store: JobStore,
    /// How often both sides of a worker's link speak.
    pub heartbeats: Heartbeats,
    /// How slots and workers are managed.
    pub resources: resource::Settings,
    /// The restart strategy of jobs that do not name one.
    pub default_restart: RestartKind,
    /// What functions such as `CURRENT_TIMESTAMP` read; planning does not.
    pub clock: Clock,
    /// For how long ended jobs are shown, in milliseconds (`jobstore.expiration-time`).
    pub ended_kept_ms: i64,
    /// How long a task may take to end once it was told to, in milliseconds (`task.cancellation.timeout`); then its worker is
    /// given up.
    pub cancellation_timeout_ms: i64,
    /// How many ended jobs are shown at most (`jobstore.max-capacity`).
    pub ended_kept: usize,
}

impl Settings {
    /// The defaults: jobs are kept in `store`, workers come by themselves.
    pub fn new(store: JobStore, clock: Clock) -> Self {
        Self {
            store,
            heartbeats: Heartbeats { interval: Duration::from_secs(1), timeout: Duration::from_secs(10) },
            resources: resource::Settings::default(),
            default_restart: RestartKind::ExponentialDelay,
            clock,
            ended_kept_ms: 3_600_000,
            cancellation_timeout_ms: 180_000,
            ended_kept: 200,
        }
    }
}

/// Names a link for as long as it exists.
type LinkId = u64;

/// A job that was submitted early, and who waits for the answer.
type EarlySubmission = (PreparedJob, oneshot::Sender<Result<Submitted, Refusal>>);

/// Something done in the background that comes back to the loop.
type Continuation = Box<dyn FnOnce(&mut JobManager) + Send>;

/// What the loop hears.
enum Message {
    /// A worker, or who wants to be one, has dialled.
    Linked(MasterLink),
    /// It says something.
    Said(LinkId, FromWorker),
    /// It is gone.
    Unlinked(LinkId),
    /// A worker's process has ended or could not be started.
    Driver(DriverEvent),
    /// Whatever else is to be done in the loop.
    Do(Continuation),
}

/// The state of the process. Read by REST between two messages.
pub struct JobManager {
    settings: Settings,
    resources: ResourceManager,
    driver: Box<dyn Driver>,
    links: HashMap<LinkId, workers::LinkState>,
    workers: BTreeMap<WorkerId, Worker>,
    jobs: BTreeMap<JobId, Job>,
    /// Stored jobs that are not taken up yet.
    awaited: BTreeMap<JobId, AwaitedJob>,
    /// Jobs submitted before it was known which are stored. `None` since that is known.
    early: Option<Vec<EarlySubmission>>,
    /// Jobs of an earlier process that have ended.
    past: Vec<PastJob>,
    own: mpsc::WeakSender<Message>,
    links_made: LinkId,
    /// Workers whose links broke while something was sent to them.
    broken: Vec<WorkerId>,
    started_ms: i64,
    /// Set when another jobmaster has taken over.
    fenced: Option<String>,
}

/// Why a jobmaster ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobManagerEnd {
    /// Nobody needs it any more.
    Dropped,
    /// Another jobmaster has taken over.
    Fenced(String),
}

/// Starts a jobmaster on the runtime that this is called on. It ends when all handles are dropped.
pub fn start(
    settings: Settings,
    driver: Box<dyn Driver>,
) -> (JobManagerHandle, impl Future<Output = JobManagerEnd> + Send) {
    let (own, inbox) = mpsc::channel(INBOX_MAX);
    let epoch = u64::try_from(now_ms()).unwrap_or(0);
    let handle = JobManagerHandle::new(own.clone(), Arc::clone(&settings.clock));
    let manager = JobManager {
        resources: ResourceManager::new(settings.resources.clone(), epoch),
        settings,
        driver,
        links: HashMap::new(),
        workers: BTreeMap::new(),
        jobs: BTreeMap::new(),
        awaited: BTreeMap::new(),
        early: Some(Vec::new()),
        past: Vec::new(),
        own: own.downgrade(),
        links_made: 0,
        broken: Vec::new(),
        started_ms: now_ms(),
        fenced: None,
    };
    (handle, manager.run(inbox))
}

impl JobManager {
    async fn run(mut self, mut inbox: mpsc::Receiver<Message>) -> JobManagerEnd {
        self.listen_to_driver();
        self.recover();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.fenced.is_none() {
            tokio::select! {
                message = inbox.recv() => match message {
                    Some(message) => self.hear(message),
                    None => return JobManagerEnd::Dropped,
                },
                () = tokio::time::sleep_until(self.next_wake()) => self.wake_jobs(),
                _ = ticks.tick() => self.tick(),
            }
            self.lose_broken();
        }
        JobManagerEnd::Fenced(self.fenced.unwrap_or_default())
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Linked(link) => self.link(link),
            Message::Said(link, message) => self.hear_worker(link, message),
            Message::Unlinked(link) => self.unlink(link, "its connection was closed"),
            Message::Driver(event) => self.hear_driver(event),
            Message::Do(continuation) => continuation(self),
        }
    }

    /// Looks at the time for everything but jobs.
    fn tick(&mut self) {
        self.judge_silence();
        self.judge_cancellations();
        let actions = self.resources.tick(now_ms());
        self.act_on_resources(actions);
        self.settle_slots();
        self.forget_ended();
    }

    /// When a job wants to be told the time next.
    fn next_wake(&self) -> Instant {
        let soonest = self.jobs.values().filter_map(|job| job.wake_at).min();
        let wait = soonest.map_or(3_600_000, |at| at.saturating_sub(now_ms()).clamp(0, 3_600_000));
        Instant::now() + Duration::from_millis(u64::try_from(wait).unwrap_or(0))
    }

    /// Does `work` where it may take long, and `then` with its answer in the loop. Without a loop nobody wants the answer.
    fn in_background<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
        then: impl FnOnce(&mut Self, T) + Send + 'static,
    ) {
        let own = self.own.clone();
        tokio::spawn(async move {
            let answer = work.await;
            if let Some(own) = own.upgrade() {
                // The loop has ended meanwhile: as above.
                let _ = own.send(Message::Do(Box::new(move |manager| then(manager, answer)))).await;
            }
        });
    }

    /// Every job that this process knows, the ended ones among them.
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values()
    }

    /// A job.
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(&id)
    }

    /// Stored jobs that are not taken up yet.
    pub fn awaited_jobs(&self) -> impl Iterator<Item = &AwaitedJob> {
        self.awaited.values()
    }

    /// Jobs of an earlier process that have ended.
    pub fn past_jobs(&self) -> &[PastJob] {
        &self.past
    }

    /// The registered workers.
    pub fn workers(&self) -> impl Iterator<Item = &Worker> {
        self.workers.values()
    }

    /// Who hands slots out.
    pub fn resources(&self) -> &ResourceManager {
        &self.resources
    }

    /// How it works.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// When it was started, in milliseconds since 1970.
    pub fn started_ms(&self) -> i64 {
        self.started_ms
    }
}

/// The wall clock in milliseconds since 1970.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A number from 0 to 1, another each time.
#[expect(clippy::cast_precision_loss, reason = "any number does")]
fn random() -> f64 {
    RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("store", &self.store)
            .field("resources", &self.resources)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for JobManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobManager")
            .field("jobs", &self.jobs.keys())
            .field("workers", &self.workers.keys())
            .finish_non_exhaustive()
    }
}
