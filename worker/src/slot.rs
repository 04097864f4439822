//! A slot's thread: it runs one subtask of every vertex of its sharing group, for as long as a job has the slot.
//!
//! The tasks of a slot share nothing with other slots but channels. They run on an executor of their own, so that a task
//! that waits costs nothing, and blocking work goes elsewhere.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use millstream_engine::error::Error;
use millstream_protocol::message::TaskId;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;

use crate::task::{Doing, Ended, Task, TaskError, TaskTimes};

/// Tasks that may wait for the thread to take them up. More are waited for: the thread takes them as soon as it runs.
const TASKS_WAITING_MAX: usize = 1024;

/// What a job asks of its tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Go on.
    Run,
    /// End at once.
    Cancel,
}

/// How a task ended.
#[derive(Debug)]
pub enum Outcome {
    /// Its input ended.
    Finished(Ended),
    /// It was told to.
    Cancelled,
    /// It failed, or a task that it reads from did.
    Failed(TaskError),
}

/// What a slot says of a task: once that it runs, once how it ended, when it is dropped.
#[derive(Debug)]
pub struct TaskEvent {
    /// Which task.
    pub task: TaskId,
    /// What happened to it.
    pub what: TaskNews,
}

/// What happened to a task.
#[derive(Debug)]
pub enum TaskNews {
    /// Its first turn begins.
    Running,
    /// It is over.
    Ended(Outcome),
}

/// A task to run.
#[derive(Debug)]
pub struct SlotTask {
    /// Its name.
    pub id: TaskId,
    /// The task.
    pub task: Task,
    /// What it does with its time.
    pub times: Arc<TaskTimes>,
    /// What it is told.
    pub command: watch::Receiver<Command>,
    /// Who hears of it.
    pub events: mpsc::Sender<TaskEvent>,
}

/// The thread. It ends when this is dropped and all its tasks have ended.
#[derive(Debug)]
pub struct SlotThread {
    tasks: mpsc::Sender<SlotTask>,
}

impl SlotThread {
    /// Starts the thread of slot `number`.
    pub fn start(number: u32) -> Result<Self, Error> {
        let (tasks, arriving) = mpsc::channel(TASKS_WAITING_MAX);
        let runtime = Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|error| Error::io(format!("starting the executor of slot {number}"), error))?;
        let run = move || LocalSet::new().block_on(&runtime, run_all(arriving));
        match std::thread::Builder::new().name(format!("slot-{number}")).spawn(run) {
            Ok(_) => Ok(Self { tasks }),
            Err(error) => Err(Error::io(format!("starting the thread of slot {number}"), error)),
        }
    }

    /// Runs a task. Nothing is said of one that the thread does not take, since it is gone.
    pub async fn run(&self, task: SlotTask) -> Result<(), Error> {
        self.tasks.send(task).await.map_err(|_| Error::internal("the thread of a slot has ended"))
    }
}

async fn run_all(mut arriving: mpsc::Receiver<SlotTask>) {
    let mut running = Vec::new();
    while let Some(task) = arriving.recv().await {
        running.retain(|task: &tokio::task::JoinHandle<()>| !task.is_finished());
        running.push(tokio::task::spawn_local(run_one(task)));
    }
    for task in running {
        // `run_one` catches panics; the executor does not end tasks otherwise.
        let _ = task.await;
    }
}

async fn run_one(SlotTask { id, mut task, times, command, events }: SlotTask) {
    // A worker that does not listen any more has ended all tasks.
    let _ = events.send(TaskEvent { task: id, what: TaskNews::Running }).await;
    let driven = drive(&mut task, &times, command).await;
    // What it leaves behind is gone before its end is told. It may panic there too, whatever state it is in.
    let outcome = match (caught("the end of a task", || drop(task)), driven) {
        (Err(panic), Outcome::Finished(_)) => Outcome::Failed(panic.into()),
        (Ok(()) | Err(_), driven) => driven,
    };
    let _ = events.send(TaskEvent { task: id, what: TaskNews::Ended(outcome) }).await;
}

/// Runs a task to its end or until it is cancelled.
async fn drive(task: &mut Task, times: &TaskTimes, mut command: watch::Receiver<Command>) -> Outcome {
    loop {
        if *command.borrow() == Command::Cancel {
            return Outcome::Cancelled;
        }
        let polled = std::future::poll_fn(|waker_cx| {
            times.turn_to(Doing::Work);
            // A panic fails the task and not the process. The task is dropped afterwards, whatever state it is in.
            let poll = caught("a task", || task.poll(waker_cx))
                .unwrap_or_else(|panic| std::task::Poll::Ready(Err(panic.into())));
            times.turn_to(task.doing());
            poll
        });
        tokio::select! {
            biased;
            changed = command.changed() => if changed.is_err() { return Outcome::Cancelled },
            ended = polled => return match ended {
                Ok(ended) => Outcome::Finished(ended),
                Err(error) => Outcome::Failed(error),
            },
        }
    }
}

/// What `call` answers, or that `what` has panicked.
pub(crate) fn caught<T>(what: &str, call: impl FnOnce() -> T) -> Result<T, Error> {
    std::panic::catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Error::internal(format!("{what} panicked: {}", text.unwrap_or_else(|| "no message".to_owned())))
    })
}
