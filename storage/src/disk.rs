//! A folder of a disk: what an object store promises, a file system does when it is told to.

use std::fs::{self, File};
use std::io;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{Error, ObjectStore};

/// A folder of a disk.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    system: Arc<LocalFileSystem>,
    root: PathBuf,
}

impl Disk {
    /// Makes the folder if need be.
    pub(crate) fn open(folder: &str) -> Result<Self, String> {
        fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        let root = fs::canonicalize(folder).map_err(|error| error.to_string())?;
        let system = LocalFileSystem::new_with_prefix(&root).map_err(|error| error.to_string())?;
        // The last file of a folder takes it along.
        let system = Arc::new(system.with_automatic_cleanup(true));
        Ok(Self { system, root })
    }

    pub(crate) fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.system) as Arc<dyn ObjectStore>
    }

    /// How many folders will be made for the file `at`.
    pub(crate) async fn new_folders(&self, at: &Path) -> Result<usize, Error> {
        self.on_a_thread(at, |file, root| {
            Ok(file.ancestors().skip(1).take_while(|folder| *folder != root && !folder.exists()).count())
        })
        .await
    }

    /// Waits until the file `at` is on the disk, with its name and those of the `new_folders` above it.
    pub(crate) async fn synchronise(&self, at: &Path, new_folders: usize) -> Result<(), Error> {
        self.on_a_thread(at, move |file, root| {
            File::open(file)?.sync_all()?;
            let mut folders = file.ancestors().skip(1).take_while(|folder| folder.starts_with(root));
            // A name is on the disk when the folder is that has it.
            folders.by_ref().take(new_folders.saturating_add(1)).try_for_each(synchronise_folder)
        })
        .await
    }

    async fn on_a_thread<T: Send + 'static>(
        &self,
        at: &Path,
        work: impl FnOnce(&FilePath, &FilePath) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let (file, root) = (self.system.path_to_filesystem(at)?, self.root.clone());
        let done = tokio::task::spawn_blocking(move || work(&file, &root)).await?;
        done.map_err(|error| Error::Generic { store: "file", source: error.into() })
    }
}

fn synchronise_folder(folder: &FilePath) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some file systems cannot, and keep names safe without.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        done => done,
    }
}
