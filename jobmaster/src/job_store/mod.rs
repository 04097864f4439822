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

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use millstream_graph::JobId;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};

use record::{JobEnd, Record, RecordedEvent, Submission};

/// Why a job's records could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address of the storage cannot be used.
    #[error("the storage `{url}` cannot be used: {why}")]
    Url {
        /// As it was given.
        url: String,
        /// Why not.
        why: String,
    },
    /// The storage failed.
    #[error("the record `{path}` of a job: {source}")]
    Store {
        /// Which record.
        path: String,
        /// The storage's words.
        #[source]
        source: object_store::Error,
    },
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
pub struct JobStore {
    store: Arc<dyn ObjectStore>,
    /// Synchronised after each write, if it is a disk: with its root.
    disk: Option<(Arc<LocalFileSystem>, PathBuf)>,
}

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
    /// Keeps jobs at `url`: `file:///a/folder` (which is made if need be), or `memory:`, which a process does not outlive.
    pub fn open(url: &str) -> Result<Self, StoreError> {
        let wrong = |why: String| StoreError::Url { url: url.to_owned(), why };
        if url == "memory:" {
            return Ok(Self { store: Arc::new(InMemory::new()), disk: None });
        }
        let Some(folder) = url.strip_prefix("file://").filter(|path| path.starts_with('/')) else {
            return Err(wrong("it should be file:///an/absolute/folder or memory:".to_owned()));
        };
        std::fs::create_dir_all(folder).map_err(|error| wrong(error.to_string()))?;
        let root = std::fs::canonicalize(folder).map_err(|error| wrong(error.to_string()))?;
        let disk = LocalFileSystem::new_with_prefix(&root).map_err(|error| wrong(error.to_string()))?;
        // A deleted job leaves no empty folder behind.
        let disk = Arc::new(disk.with_automatic_cleanup(true));
        let store: Arc<dyn ObjectStore> = Arc::clone(&disk) as Arc<dyn ObjectStore>;
        Ok(Self { store, disk: Some((disk, root)) })
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
                Err(error @ (StoreError::Url { .. } | StoreError::Store { .. } | StoreError::Fenced { .. })) => {
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
                Err(error @ (StoreError::Url { .. } | StoreError::Store { .. } | StoreError::Damaged { .. })) => {
                    return Err(error);
                }
            }
        }
    }

    /// Forgets a job. The first record goes first: what is left of a deletion that was cut off is not taken for a job.
    pub async fn delete(&self, job: JobId) -> Result<(), StoreError> {
        for number in self.numbers(job).await? {
            let path = record_path(job, number);
            match self.store.delete(&path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(source) => return Err(StoreError::Store { path: path.to_string(), source }),
            }
        }
        Ok(())
    }

    async fn jobs(&self) -> Result<Vec<JobId>, StoreError> {
        let folder = Path::from("jobs");
        let found = self.store.list_with_delimiter(Some(&folder)).await;
        let found = found.map_err(|source| StoreError::Store { path: folder.to_string(), source })?;
        let names = found.common_prefixes.iter().filter_map(Path::filename);
        Ok(names.filter_map(JobId::parse).collect())
    }

    async fn numbers(&self, job: JobId) -> Result<Vec<u64>, StoreError> {
        let folder = Path::from(format!("jobs/{job}"));
        let found = self.store.list_with_delimiter(Some(&folder)).await;
        let found = found.map_err(|source| StoreError::Store { path: folder.to_string(), source })?;
        let number = |path: &Path| path.filename()?.strip_suffix(".json")?.parse::<u64>().ok();
        let mut numbers: Vec<u64> = found.objects.iter().filter_map(|object| number(&object.location)).collect();
        numbers.sort_unstable();
        Ok(numbers)
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
        let failed = |source| StoreError::Store { path: path.to_string(), source };
        let bytes = match self.store.get(&path).await {
            Ok(found) => found.bytes().await.map_err(failed)?,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let damaged = |error: serde_json::Error| StoreError::Damaged { path: path.to_string(), why: error.to_string() };
        serde_json::from_slice(&bytes).map(Some).map_err(damaged)
    }

    /// Creates a record where none is. `false`: there is one.
    async fn create(&self, job: JobId, record: &Record) -> Result<bool, StoreError> {
        let path = record_path(job, record.number);
        let bytes = serde_json::to_vec(record)
            .map_err(|error| StoreError::Damaged { path: path.to_string(), why: error.to_string() })?;
        let options = PutOptions::from(PutMode::Create);
        match self.store.put_opts(&path, PutPayload::from_bytes(Bytes::from(bytes)), options).await {
            Ok(_) => self.synchronise(path, record.number).await.map(|()| true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(source) => Err(StoreError::Store { path: path.to_string(), source }),
        }
    }

    /// Waits until a record and its name in its folder are on the disk; with the first one the folder's own name too, and that of
    /// the folder above.
    async fn synchronise(&self, path: Path, number: u64) -> Result<(), StoreError> {
        let Some((disk, root)) = self.disk.clone() else { return Ok(()) };
        let shown = path.to_string();
        let made = if number == 1 { 4 } else { 2 };
        let synchronised = tokio::task::spawn_blocking(move || {
            let file = disk.path_to_filesystem(&path)?;
            let generic = |error: std::io::Error| object_store::Error::Generic { store: "file", source: error.into() };
            let mut made = file.ancestors().take_while(|at| at.starts_with(&root)).take(made);
            made.try_for_each(|at| std::fs::File::open(at)?.sync_all()).map_err(generic)
        });
        let failed = |source| StoreError::Store { path: shown.clone(), source };
        match synchronised.await {
            Ok(done) => done.map_err(failed),
            Err(error) => Err(failed(error.into())),
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
        if !self.store.create(self.job, &record).await? {
            let path = record_path(self.job, self.next);
            let damaged = |why: &str| StoreError::Damaged { path: path.to_string(), why: why.to_owned() };
            match self.store.read(self.job, self.next).await? {
                // The answer was lost, and perhaps the record was not safe yet.
                Some(there) if there == record => self.store.synchronise(path, record.number).await?,
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

fn record_path(job: JobId, number: u64) -> Path {
    Path::from(format!("jobs/{job}/{number:020}.json"))
}
