//! Writes the records of a job one after the other, away from the loop.
//!
//! # Guarantees
//! A record is written again and again until the storage has taken it: what has become of a job is not forgotten because a
//! disk was away. What keeps it from being written is to be seen ([`Recorder::trouble`]). When another jobmaster has taken the
//! job over, the loop is told, and nothing is answered any more.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::Message;
use crate::job_store::record::RecordedEvent;
use crate::job_store::{JobRecords, StoreError};

/// The wait before a record is written again; it doubles up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How often it is looked whether the job was taken over, when nothing is to be written.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// What may wait to be written. A job has a few records in its life, and looks that are as many as its commits.
const WAITING_MAX: usize = 4_096;

/// The way to the records of a job.
#[derive(Debug)]
pub(super) struct Recorder {
    orders: mpsc::Sender<Order>,
    trouble: watch::Receiver<Option<String>>,
}

#[derive(Debug)]
enum Order {
    Append(RecordedEvent, oneshot::Sender<()>),
    Look(oneshot::Sender<()>),
}

/// Nothing is or will be written: another jobmaster leads the job, or this process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotLeading;

impl Recorder {
    /// Takes the records; `loop_` is told when they belong to another jobmaster.
    pub(super) fn start(records: JobRecords, loop_: mpsc::WeakSender<Message>) -> Self {
        let (orders, arriving) = mpsc::channel(WAITING_MAX);
        let (says, trouble) = watch::channel(None);
        tokio::spawn(async move {
            if let Err(error) = write_all(records, arriving, says).await
                && let Some(inbox) = loop_.upgrade()
            {
                // A loop that has ended does nothing more for the job either.
                let _ =
                    inbox.send(Message::Do(Box::new(move |manager| manager.fenced = Some(error.to_string())))).await;
            }
        });
        Self { orders, trouble }
    }

    /// Writes a record behind those that were asked for before.
    pub(super) fn append(&self, event: RecordedEvent) -> impl Future<Output = Result<(), NotLeading>> + Send + use<> {
        let (answer, answered) = oneshot::channel();
        self.order(Order::Append(event, answer), answered)
    }

    /// Looks whether this jobmaster still leads the job.
    pub(super) fn still_leads(&self) -> impl Future<Output = Result<(), NotLeading>> + Send + use<> {
        let (answer, answered) = oneshot::channel();
        self.order(Order::Look(answer), answered)
    }

    /// Why a record could not be written yet.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.borrow().clone()
    }

    fn order(
        &self,
        order: Order,
        answered: oneshot::Receiver<()>,
    ) -> impl Future<Output = Result<(), NotLeading>> + Send + use<> {
        let orders = self.orders.clone();
        let sent = orders.try_send(order);
        async move {
            match sent {
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
                // The storage has been away for long, and whoever waits here waits for it anyway.
                Err(mpsc::error::TrySendError::Full(order)) => orders.send(order).await.map_err(|_| NotLeading)?,
            }
            answered.await.map_err(|_| NotLeading)
        }
    }
}

/// Ends well when nobody has orders any more.
async fn write_all(
    mut records: JobRecords,
    mut arriving: mpsc::Receiver<Order>,
    trouble: watch::Sender<Option<String>>,
) -> Result<(), StoreError> {
    loop {
        let done = match tokio::time::timeout(LOOK_EVERY, arriving.recv()).await {
            Ok(None) => return Ok(()),
            Ok(Some(Order::Append(event, answer))) => {
                append(&mut records, &event, &trouble).await?;
                Some(answer)
            }
            Ok(Some(Order::Look(answer))) => {
                look(&records, &trouble, true).await?;
                Some(answer)
            }
            Err(_) => {
                look(&records, &trouble, false).await?;
                None
            }
        };
        trouble.send_replace(None);
        // Who does not want to know any more does not have to.
        let _ = done.map(|answer| answer.send(()));
    }
}

async fn append(
    records: &mut JobRecords,
    event: &RecordedEvent,
    trouble: &watch::Sender<Option<String>>,
) -> Result<(), StoreError> {
    let mut wait = FIRST_WAIT;
    loop {
        match records.append(event.clone()).await {
            Ok(()) => return Ok(()),
            Err(error @ StoreError::Fenced { .. }) => return Err(error),
            Err(error @ (StoreError::Store(_) | StoreError::Damaged { .. })) => {
                tracing::warn!("a record is written again in {wait:?}: {error}");
                trouble.send_replace(Some(error.to_string()));
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Fails if another leads the job. `surely`: a storage that does not say is asked again until it does.
async fn look(records: &JobRecords, trouble: &watch::Sender<Option<String>>, surely: bool) -> Result<(), StoreError> {
    let mut wait = FIRST_WAIT;
    loop {
        match records.still_leads().await {
            Ok(()) => return Ok(()),
            Err(error @ StoreError::Fenced { .. }) => return Err(error),
            Err(_) if !surely => return Ok(()),
            Err(error @ (StoreError::Store(_) | StoreError::Damaged { .. })) => {
                trouble.send_replace(Some(error.to_string()));
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}
