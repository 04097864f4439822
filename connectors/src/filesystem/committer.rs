//! Makes a sink's files visible, and marks partitions that are complete.
//!
//! Which partitions have files and no mark is kept in a hidden file under the sink's path, so that a committer that takes
//! over knows. It is written before the files become visible: a partition may be in it without a file, never the other way
//! round.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use millstream_engine::error::{Error, Result};
use millstream_engine::io::sink::{Committable, Committer};

use super::committable::{Written, WrittenFile};
use super::part::file_name_part;
use super::partition_commit::OpenPartitions;
use super::publish::{Move, finish_begun, publish, sync_folder};

/// The one committer of a sink.
#[derive(Debug)]
pub(crate) struct FileCommitter {
    root: PathBuf,
    marks: Option<PartitionMarks>,
    /// What earlier committers began has been finished.
    taken_over: bool,
}

/// Which partitions to mark, and how.
#[derive(Debug)]
pub(crate) struct PartitionMarks {
    partitions: OpenPartitions,
    success_file: String,
    /// Keeps [`OpenPartitions::open`].
    kept_in: PathBuf,
}

impl FileCommitter {
    /// Commits under `root`. Opens nothing yet.
    pub(crate) fn new(root: PathBuf, marks: Option<PartitionMarks>) -> Self {
        Self { root, marks, taken_over: false }
    }

    fn take_over(&mut self) -> Result<()> {
        if !self.taken_over {
            finish_begun(&self.root)?;
            if let Some(marks) = &mut self.marks {
                marks.load()?;
            }
            self.taken_over = true;
        }
        Ok(())
    }

    fn publish(&self, files: &[WrittenFile], again: bool) -> Result<()> {
        let Some(first) = files.first() else { return Ok(()) };
        let moves: Vec<_> =
            files.iter().map(|file| Move { from: PathBuf::from(&file.from), to: PathBuf::from(&file.to) }).collect();
        publish(&self.root, &file_name_part(&first.attempt), &moves, again)
    }
}

impl Committer for FileCommitter {
    fn commit(&mut self, committables: &[Committable], again: bool) -> Result<()> {
        let (mut files, mut progress) = (Vec::new(), Vec::new());
        for committable in committables {
            match Written::read(committable)? {
                Written::File(file) => files.push(file),
                Written::Progress(one) => progress.push(one),
            }
        }
        self.take_over()?;
        if let Some(marks) = &mut self.marks {
            marks.add(&files)?;
        }
        self.publish(&files, again)?;
        if let Some(marks) = &mut self.marks {
            progress.into_iter().for_each(|one| marks.partitions.advance(one));
            marks.mark_complete(&self.root)?;
        }
        Ok(())
    }
}

impl PartitionMarks {
    /// Marks `partitions` under `root` for the table called `table`.
    pub(crate) fn new(root: &Path, table: &str, partitions: OpenPartitions, success_file: String) -> Self {
        let kept_in = root.join(format!(".millstream-partitions-{}.json", file_name_part(table)));
        Self { partitions, success_file, kept_in }
    }

    fn add(&mut self, files: &[WrittenFile]) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        files.iter().for_each(|file| self.partitions.add(&file.partition, file.opened_ms));
        self.save()
    }

    fn mark_complete(&mut self, root: &Path) -> Result<()> {
        let complete = self.partitions.complete();
        if complete.is_empty() {
            return Ok(());
        }
        for partition in &complete {
            let folder = root.join(partition);
            let mark = folder.join(&self.success_file);
            File::create(&mark).map_err(|error| Error::io(format!("creating `{}`", mark.display()), error))?;
            sync_folder(&folder)?;
            self.partitions.remove(partition);
        }
        self.save()
    }

    fn load(&mut self) -> Result<()> {
        let path = self.kept_in.display();
        match fs::read_to_string(&self.kept_in) {
            Ok(text) => {
                let open: BTreeMap<String, i64> = serde_json::from_str(&text)
                    .map_err(|error| Error::Invalid(format!("`{path}` cannot be read: {error}; remove it")))?;
                self.partitions.restore(open);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::io(format!("reading `{path}`"), error)),
        }
    }

    /// Writes beside the file and renames, so that it is never half there. Nothing open: removes it.
    fn save(&self) -> Result<()> {
        let path = &self.kept_in;
        let failed = |error| Error::io(format!("writing `{}`", path.display()), error);
        if self.partitions.open().is_empty() {
            return match fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(error)),
                Ok(()) | Err(_) => Ok(()),
            };
        }
        let text = serde_json::to_string(self.partitions.open()).map_err(|error| Error::internal(error.to_string()))?;
        let beside = path.with_extension("inprogress");
        let mut file = File::create(&beside).map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::rename(&beside, path).map_err(failed)
    }
}
