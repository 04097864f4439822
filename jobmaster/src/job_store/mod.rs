//! Where submitted jobs are kept, so that a JobMaster that takes another's place knows them.
//!
//! # Flow
//! 1. A job's first record holds its program ([`JobStore::begin`]); only when it is written is the job accepted.
//! 2. A jobmaster that starts takes over every job that has not ended ([`JobStore::take_over`]): it adds a record with a
//!    higher epoch.
//! 3. Before results become visible a record lists them, and when the job has ended a last one says how.
//!
//! # Guarantees
//! A record is created where none is, or not at all. A JobMaster that was replaced therefore meets the record of the one that
//! took over and learns that it is fenced ([`StoreError::Fenced`]): before it records anything, and when it looks
//! ([`JobRecords::still_leads`]), which it does before it makes anything visible without a record. A record of its own whose
//! answer was lost it knows by the nonce.
//!
//! # What can go wrong
//! Any call may fail with [`StoreError::Store`]; it may be made again.

pub mod record;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use millstream_graph::JobId;
use millstream_storage::{Created, Storage, StorageError};

use record::{JobEnd, Record, RecordedEvent, Submission};

/// Why a job's records could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The storage failed.
    #[error("the records of a job: {0}")]
    Store(#[from] StorageError),
    /// A record cannot be read.
    #[error("the record `{path}` of a job cannot be read: {why}; it was not written by this build or is damaged")]
    Damaged {
        /// Which record.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// Another JobMaster has taken the job over.
    #[error("job {job} was taken over by another jobmaster (epoch {epoch})")]
    Fenced {
        /// The job.
        job: JobId,
        /// Of the other.
        epoch: u64,
    },
}

/// The records of all jobs.
#[derive(Debug, Clone)]
pub struct JobStore(Storage);

/// The records of a job that this JobMaster leads. Whoever holds it is the only one that appends.
#[derive(Debug)]
pub struct JobRecords {
    store: JobStore,
    job: JobId,
    epoch: u64,
    nonce: String,
    next: u64,
}

/// A job that was found in the storage.
#[derive(Debug, Clone)]
pub struct StoredJob {
    /// Which job.
    pub job: JobId,
    /// As it was submitted.
    pub submission: Submission,
    /// What has happened since, in order.
    pub events: Vec<RecordedEvent>,
}

/// What there is of a job that is to be taken over.
#[derive(Debug)]
pub enum TakeOver {
    /// It is led by whoever holds these records from now on. What has happened until then, in order.
    Leads(JobRecords, Vec<RecordedEvent>),
    /// It has ended like this, and nothing was written.
    Ended(JobEnd),
    /// It was deleted.
    Gone,
}

impl JobStore {
    /// Keeps jobs in `storage`, below `jobs`.
    pub fn new(storage: Storage) -> Self {
        Self(storage)
    }

    /// The records of a new job, of which none is written yet.
    pub fn begin(&self, job: JobId, nonce: String) -> JobRecords {
        JobRecords { store: self.clone(), job, epoch: 1, nonce, next: 1 }
    }

    /// All jobs, those that have ended among them, the oldest first; and why others cannot be read. What is left of jobs that
    /// were deleted is deleted.
    pub async fn load(&self) -> Result<(Vec<StoredJob>, Vec<(JobId, StoreError)>), StoreError> {
        let (mut jobs, mut unreadable) = (Vec::new(), Vec::new());
        for job in self.jobs().await? {
            let records = match self.records(job).await {
                Ok(records) => records,
                Err(error @ StoreError::Damaged { .. }) => {
                    unreadable.push((job, error));
                    continue;
                }
                Err(error @ (StoreError::Store(_) | StoreError::Fenced { .. })) => {
                    return Err(error);
                }
            };
            let mut events = records.into_iter().map(|record| record.event);
            match events.next() {
                Some(RecordedEvent::Submitted(submission)) => {
                    jobs.push(StoredJob { job, submission: *submission, events: events.collect() });
                }
                // Its deletion was begun and not finished.
                Some(RecordedEvent::TakenOver {} | RecordedEvent::Publish(_) | RecordedEvent::Ended(_)) | None => {
                    self.delete(job).await?;
                }
            }
        }
        jobs.sort_by_key(|job| job.submission.at_ms);
        Ok((jobs, unreadable))
    }

    /// Makes this the job's JobMaster, unless the job has ended: from then on all earlier ones are fenced.
    pub async fn take_over(&self, job: JobId, nonce: String) -> Result<TakeOver, StoreError> {
        loop {
            let known = self.records(job).await?;
            let Some(last) = known.last() else { return Ok(TakeOver::Gone) };
            if let Some(end) = ended(known.iter().map(|record| &record.event)) {
                return Ok(TakeOver::Ended(end.clone()));
            }
            let (epoch, next) = (last.epoch + 1, last.number + 1);
            let mut records = JobRecords { store: self.clone(), job, epoch, nonce: nonce.clone(), next };
            match records.append(RecordedEvent::TakenOver {}).await {
                Ok(()) => {
                    let events = known.into_iter().map(|record| record.event).collect();
                    return Ok(TakeOver::Leads(records, events));
                }
                // Someone has written in between: on top of that, then.
                Err(StoreError::Fenced { .. }) => {}
                Err(error @ (StoreError::Store(_) | StoreError::Damaged { .. })) => {
                    return Err(error);
                }
            }
        }
    }

    /// Forgets a job. The first record goes first: what is left of a deletion that was cut off is not taken for a job.
    pub async fn delete(&self, job: JobId) -> Result<(), StoreError> {
        for number in self.numbers(job).await? {
            self.0.delete(&record_path(job, number)).await?;
        }
        Ok(())
    }

    async fn jobs(&self) -> Result<Vec<JobId>, StoreError> {
        let names = self.0.folders("jobs").await?;
        Ok(names.iter().filter_map(|name| JobId::parse(name)).collect())
    }

    async fn numbers(&self, job: JobId) -> Result<Vec<u64>, StoreError> {
        let names = self.0.objects(&format!("jobs/{job}")).await?;
        Ok(names.iter().filter_map(|name| name.strip_suffix(".json")?.parse::<u64>().ok()).collect())
    }

    async fn records(&self, job: JobId) -> Result<Vec<Record>, StoreError> {
        let mut records = Vec::new();
        for number in self.numbers(job).await? {
            records.extend(self.read(job, number).await?);
        }
        Ok(records)
    }

    async fn read(&self, job: JobId, number: u64) -> Result<Option<Record>, StoreError> {
        let path = record_path(job, number);
        let Some(bytes) = self.0.read(&path).await? else { return Ok(None) };
        let damaged = |error: serde_json::Error| StoreError::Damaged { path, why: error.to_string() };
        serde_json::from_slice(&bytes).map(Some).map_err(damaged)
    }

    async fn create(&self, job: JobId, record: &Record) -> Result<Created, StoreError> {
        let path = record_path(job, record.number);
        match serde_json::to_vec(record) {
            Ok(bytes) => Ok(self.0.create(&path, Bytes::from(bytes)).await?),
            Err(error) => Err(StoreError::Damaged { path, why: error.to_string() }),
        }
    }
}

impl JobRecords {
    /// The epoch of this JobMaster.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Writes the next record. May be called again with the same event when the storage has failed.
    pub async fn append(&mut self, event: RecordedEvent) -> Result<(), StoreError> {
        let record = Record { number: self.next, epoch: self.epoch, nonce: self.nonce.clone(), event };
        if self.store.create(self.job, &record).await? == Created::Exists {
            let path = record_path(self.job, self.next);
            let damaged = |why: &str| StoreError::Damaged { path: path.clone(), why: why.to_owned() };
            match self.store.read(self.job, self.next).await? {
                // The answer was lost, and perhaps the record was not safe yet.
                Some(there) if there == record => self.store.0.make_safe(&path).await?,
                Some(there) if there.nonce == self.nonce => return Err(damaged("this jobmaster wrote something else")),
                Some(there) => return Err(StoreError::Fenced { job: self.job, epoch: there.epoch }),
                None => return Err(damaged("it was there and is gone")),
            }
        }
        self.next += 1;
        Ok(())
    }

    /// Fails with [`StoreError::Fenced`] if another JobMaster has taken over.
    pub async fn still_leads(&self) -> Result<(), StoreError> {
        match self.store.read(self.job, self.next).await? {
            Some(there) if there.nonce != self.nonce => Err(StoreError::Fenced { job: self.job, epoch: there.epoch }),
            // Its own, of which it has not heard that it was written.
            Some(_) | None => Ok(()),
        }
    }
}

/// How a job has ended, if these events say that it has.
pub fn ended<'a>(events: impl IntoIterator<Item = &'a RecordedEvent>) -> Option<&'a JobEnd> {
    events.into_iter().find_map(|event| match event {
        RecordedEvent::Ended(end) => Some(end),
        RecordedEvent::Submitted(_) | RecordedEvent::TakenOver {} | RecordedEvent::Publish(_) => None,
    })
}

/// The numbers of records sort as their names do.
fn record_path(job: JobId, number: u64) -> String {
    format!("jobs/{job}/{number:020}.json")
}
