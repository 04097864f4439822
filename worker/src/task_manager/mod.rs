//! The TaskManager: it gives its slots to jobs, runs the tasks that it is sent, and says what becomes of them.
//!
//! # Flow
//! 1. It registers with the jobmaster and says which slots it has.
//! 2. It is told to give a slot to a job (`ToWorker::RequestSlot`) and offers it to the job's JobMaster.
//! 3. It is sent tasks (`ToWorker::Deploy`): they are made away from the loop, since making them plans the job and opens
//!    files, and then run in the thread of their slot.
//! 4. It reports each state of each task. What a sink has finished is sent before the task's last report.
//!
//! # Guarantees
//! Each task reports exactly one last state. When the connection to the jobmaster is lost all tasks are ended: they belong to
//! an epoch that is over. Messages about tasks and slots that are not there any more change nothing.

mod commits;
mod deploy;
mod job;
mod session;
mod splits;
mod tasks;

use std::sync::Arc;
use std::time::Duration;

use millstream_graph::WorkerId;
use millstream_protocol::link::WorkerLink;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::exchange::remote::Exchange;
use crate::io::Io;
use session::Session;

pub use job::Planner;
pub use session::SessionEnd;

/// What a TaskManager is.
#[derive(Clone)]
pub struct Settings {
    /// Its name.
    pub worker: WorkerId,
    /// The build that it is of.
    pub build: String,
    /// How many slots it has.
    pub slots: u32,
    /// The memory of each slot, in bytes; `None` if it is not bounded.
    pub slot_memory: Option<u64>,
    /// Plans a program.
    pub planner: Planner,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The way to other workers and where they find this one; `None` if there are none.
    pub exchange: Option<(Exchange, String)>,
}

/// Runs one connection to the jobmaster to its end. All tasks have ended by then.
pub fn serve(settings: Settings, io: &Io, link: WorkerLink) -> impl Future<Output = SessionEnd> + Send + use<> {
    Session::begin(settings, io, link).run()
}

/// How a worker looks for its jobmaster.
#[derive(Debug, Clone)]
pub struct Registration {
    /// `HOST:PORT`.
    pub jobmaster: String,
    /// How long it goes on without a jobmaster (`taskmanager.registration.timeout`).
    pub timeout: Duration,
}

/// Why a worker's process ends.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The jobmaster does not want it.
    #[error("the jobmaster at {jobmaster} refuses this worker: {why}")]
    Refused {
        /// The jobmaster.
        jobmaster: String,
        /// Its words.
        why: String,
    },
    /// It was connected, and not registered.
    #[error(
        "the jobmaster at {jobmaster} does not take this worker: {why}; this worker has tried for {timeout:?} \
        ('taskmanager.registration.timeout')"
    )]
    NotRegistered {
        /// The jobmaster.
        jobmaster: String,
        /// How the last connection ended.
        why: &'static str,
        /// How long it was tried.
        timeout: Duration,
    },
    /// There is no jobmaster.
    #[error("{error}; this worker has tried for {timeout:?} ('taskmanager.registration.timeout')")]
    NoJobMaster {
        /// Of the last try.
        error: millstream_protocol::ConnectError,
        /// How long it was tried.
        timeout: Duration,
    },
}

/// The wait after a connection that failed (`cluster.registration.initial-timeout`); it doubles each time.
const RETRY_FIRST: Duration = Duration::from_millis(50);
/// The longest such wait.
const RETRY_MOST: Duration = Duration::from_secs(2);
/// The longest that one try to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves the jobmaster, and the next one that takes its place, until it is told to leave. Answers with the reason.
pub async fn register_and_serve(
    settings: &Settings,
    io: &Io,
    registration: &Registration,
) -> Result<String, WorkerError> {
    let Registration { jobmaster, timeout } = registration;
    let mut since = Instant::now();
    let mut wait = RETRY_FIRST;
    loop {
        match millstream_protocol::connect(jobmaster, CONNECT_TIMEOUT).await {
            Ok(link) => match serve(settings.clone(), io, link).await {
                SessionEnd::Leave(why) => return Ok(why),
                SessionEnd::Refused(why) => return Err(WorkerError::Refused { jobmaster: jobmaster.clone(), why }),
                SessionEnd::Lost { was_registered: true, why } => {
                    tracing::warn!(%jobmaster, "the jobmaster is lost ({why}); all tasks were ended, looking for it again");
                    (since, wait) = (Instant::now(), RETRY_FIRST);
                }
                SessionEnd::Lost { was_registered: false, why } if since.elapsed() >= *timeout => {
                    return Err(WorkerError::NotRegistered { jobmaster: jobmaster.clone(), why, timeout: *timeout });
                }
                SessionEnd::Lost { was_registered: false, why } => {
                    tracing::debug!(%jobmaster, "the jobmaster did not take this worker: {why}");
                }
            },
            Err(error) if since.elapsed() >= *timeout => {
                return Err(WorkerError::NoJobMaster { error, timeout: *timeout });
            }
            Err(error) => tracing::debug!("{error}"),
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY_MOST);
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("worker", &self.worker).field("slots", &self.slots).finish_non_exhaustive()
    }
}
