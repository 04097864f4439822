//! Where jobs, checkpoints and savepoints are kept: an object store or a disk, named by a URL.
//!
//! # Guarantees
//! - [`Storage::create`] makes an object where none is, or says that there is one: of two that try, one succeeds.
//! - What was written is safe when the call answers. On a disk that is the file, its name, and the names of folders that
//!   were made for it.
//! - A file that is being written is not seen under its name before it is whole.
//! - Every call ends within [`Settings::timeout`], and no more than [`Settings::at_once`] are made at the same time.
//!
//! # What can go wrong
//! Any call may fail with [`StorageError`], which names the object; it may be made again. Of a create that failed it is not
//! known whether it was done: who reads the object knows.

mod disk;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use tokio::sync::Semaphore;

use disk::Disk;

/// The URL of a storage in memory.
const MEMORY: &str = "memory:";

/// How a storage is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How many calls are made at the same time; others wait.
    pub at_once: usize,
    /// How long a call may take.
    pub timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { at_once: 32, timeout: Duration::from_secs(60) }
    }
}

/// Why something could not be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The address cannot be used.
    #[error("the storage `{url}` cannot be used: {why}")]
    Url {
        /// As it was given.
        url: String,
        /// Why not.
        why: String,
    },
    /// The storage failed.
    #[error("`{path}` in `{url}`: {source}")]
    Failed {
        /// Which storage.
        url: String,
        /// Which object or folder.
        path: String,
        /// Its own words.
        #[source]
        source: object_store::Error,
    },
    /// It did not answer.
    #[error("`{path}` in `{url}`: no answer within {} s", .within.as_secs())]
    TimedOut {
        /// Which storage.
        url: String,
        /// Which object or folder.
        path: String,
        /// How long it was waited for.
        within: Duration,
    },
}

/// The answer of every call.
pub type Result<T> = std::result::Result<T, StorageError>;

/// What came of a [`Storage::create`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// The object is new.
    New,
    /// There was one already; nothing was done.
    Exists,
}

/// An object store or a disk. Clones are the same one. Paths are relative to its URL, with `/` between folders.
#[derive(Debug, Clone)]
pub struct Storage(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    url: String,
    store: Arc<dyn ObjectStore>,
    /// If it is a disk.
    disk: Option<Disk>,
    settings: Settings,
    places: Semaphore,
}

impl Storage {
    /// The storage at `url`: `file:///a/folder`, which is made if need be, or `memory:`, which a process does not outlive.
    /// May block for as long as making a folder takes.
    pub fn open(url: &str, settings: Settings) -> Result<Self> {
        let wrong = |why: String| StorageError::Url { url: url.to_owned(), why };
        if url == MEMORY {
            return Ok(Self::over(url, Arc::new(InMemory::new()), None, settings));
        }
        let folder = url.strip_prefix("file://").filter(|path| path.starts_with('/'));
        let folder = folder.ok_or_else(|| wrong("it should be file:///an/absolute/folder or memory:".to_owned()))?;
        let disk = Disk::open(folder).map_err(wrong)?;
        Ok(Self::over(url, disk.store(), Some(disk), settings))
    }

    /// One that a process does not outlive.
    pub fn in_memory() -> Self {
        Self::over(MEMORY, Arc::new(InMemory::new()), None, Settings::default())
    }

    fn over(url: &str, store: Arc<dyn ObjectStore>, disk: Option<Disk>, settings: Settings) -> Self {
        let places = Semaphore::new(settings.at_once.max(1));
        Self(Arc::new(Inner { url: url.to_owned(), store, disk, settings, places }))
    }

    /// As it was opened.
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// Makes the object `path` where none is.
    pub async fn create(&self, path: &str, bytes: Bytes) -> Result<Created> {
        let at = Path::from(path);
        let work = async {
            let new_folders = self.new_folders(&at).await?;
            match self.0.store.put_opts(&at, PutPayload::from_bytes(bytes), PutMode::Create.into()).await {
                Ok(_) => self.synchronise(&at, new_folders).await.map(|()| Created::New),
                Err(object_store::Error::AlreadyExists { .. }) => Ok(Created::Exists),
                Err(error) => Err(error),
            }
        };
        self.within(path, work).await
    }

    /// Makes sure that an object which is there is safe: of a create that failed in the middle it may not be.
    pub async fn make_safe(&self, path: &str) -> Result<()> {
        let at = Path::from(path);
        self.within(path, self.synchronise(&at, usize::MAX)).await
    }

    /// Writes the object `path`, over what may be there. Its parts are not copied together.
    pub async fn write(&self, path: &str, parts: Vec<Bytes>) -> Result<()> {
        let at = Path::from(path);
        let work = async {
            let new_folders = self.new_folders(&at).await?;
            self.0.store.put_opts(&at, PutPayload::from_iter(parts), PutOptions::default()).await?;
            self.synchronise(&at, new_folders).await
        };
        self.within(path, work).await
    }

    /// The object `path`, if there is one.
    pub async fn read(&self, path: &str) -> Result<Option<Bytes>> {
        let at = Path::from(path);
        let work = async {
            match self.0.store.get(&at).await {
                Ok(found) => found.bytes().await.map(Some),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        };
        self.within(path, work).await
    }

    /// Ranges of bytes of the object `path`, which must be there.
    pub async fn read_ranges(&self, path: &str, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let at = Path::from(path);
        self.within(path, self.0.store.get_ranges(&at, ranges)).await
    }

    /// How many bytes the object `path` has, if there is one.
    pub async fn length(&self, path: &str) -> Result<Option<u64>> {
        let at = Path::from(path);
        let work = async {
            match self.0.store.head(&at).await {
                Ok(found) => Ok(Some(found.size)),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        };
        self.within(path, work).await
    }

    /// Deletes the object `path`. One that is not there is deleted.
    pub async fn delete(&self, path: &str) -> Result<()> {
        let at = Path::from(path);
        let work = async {
            match self.0.store.delete(&at).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(error),
            }
        };
        self.within(path, work).await
    }

    /// The names of the objects that lie in `folder` itself, sorted. None if there is no such folder.
    pub async fn objects(&self, folder: &str) -> Result<Vec<String>> {
        let found = self.within(folder, self.0.store.list_with_delimiter(Some(&Path::from(folder)))).await?;
        let names = found.objects.iter().filter_map(|object| object.location.filename());
        Ok(sorted(names))
    }

    /// The names of the folders that lie in `folder` itself, sorted.
    pub async fn folders(&self, folder: &str) -> Result<Vec<String>> {
        let found = self.within(folder, self.0.store.list_with_delimiter(Some(&Path::from(folder)))).await?;
        Ok(sorted(found.common_prefixes.iter().filter_map(Path::filename)))
    }

    /// How many folders will be made for an object.
    async fn new_folders(&self, at: &Path) -> std::result::Result<usize, object_store::Error> {
        match &self.0.disk {
            Some(disk) => disk.new_folders(at).await,
            None => Ok(0),
        }
    }

    async fn synchronise(&self, at: &Path, new_folders: usize) -> std::result::Result<(), object_store::Error> {
        match &self.0.disk {
            Some(disk) => disk.synchronise(at, new_folders).await,
            None => Ok(()),
        }
    }

    /// Waits for a place and does `work`, which is about `path`.
    async fn within<T>(
        &self,
        path: &str,
        work: impl Future<Output = std::result::Result<T, object_store::Error>>,
    ) -> Result<T> {
        let (url, timeout) = (&self.0.url, self.0.settings.timeout);
        let timed = tokio::time::timeout(timeout, async {
            // Nobody closes it.
            let _place = self.0.places.acquire().await;
            work.await
        });
        match timed.await {
            Ok(done) => done.map_err(|source| StorageError::Failed { url: url.clone(), path: path.to_owned(), source }),
            Err(_) => Err(StorageError::TimedOut { url: url.clone(), path: path.to_owned(), within: timeout }),
        }
    }
}

fn sorted<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests;
