//! The files of a writer, on the IO thread.
//!
//! A part is written as `.part-….inprogress`, hidden from every reader, and counts as closed once its bytes and its name
//! are safe on the disk. Its number goes on past names that are there already, so that nothing of an earlier run is ever
//! touched. A part that is dropped before it is closed is removed: nobody will ever ask for it.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use millstream_engine::error::{Error, Result};
use millstream_engine::memory;

use super::publish::sync_folder;
use crate::blocking::LaneWorker;

/// Names a part among those of its writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PartId(pub(crate) u64);

/// What the IO thread is told.
#[derive(Debug)]
pub(crate) enum PartCommand {
    /// Begin a file in the folder of this partition; empty for the sink's own folder.
    Open(PartId, Arc<str>),
    /// Append bytes.
    Write(PartId, Vec<u8>),
    /// Nothing more comes.
    Close(PartId),
}

/// What the IO thread answers.
#[derive(Debug)]
pub(crate) enum PartDone {
    /// Memory to use again.
    Buffer(Vec<u8>),
    /// The file is safe under a hidden name.
    Closed {
        /// Which.
        part: PartId,
        /// The hidden name.
        from: PathBuf,
        /// The name it is to have.
        to: PathBuf,
    },
}

/// The open files of one writer.
#[derive(Debug)]
pub(crate) struct PartFiles {
    root: PathBuf,
    /// `part-<attempt>-<subtask>-`
    prefix: String,
    /// `.json`
    suffix: String,
    next_number: u64,
    open: HashMap<PartId, OpenFile>,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    from: PathBuf,
    to: PathBuf,
}

impl PartFiles {
    /// Writes under `root` files named `part-<attempt>-<subtask>-<number>.<extension>`.
    pub(crate) fn new(root: PathBuf, attempt: &str, subtask: u32, extension: &str) -> Self {
        let attempt = file_name_part(attempt);
        let (prefix, suffix) = (format!("part-{attempt}-{subtask}-"), format!(".{extension}"));
        Self { root, prefix, suffix, next_number: 0, open: HashMap::new() }
    }

    fn create(&mut self, partition: &str) -> Result<OpenFile> {
        if self.root.is_file() {
            let root = self.root.display();
            let message =
                format!("`{root}` is a file, but the sink writes part files into a folder; give another 'path'");
            return Err(Error::Invalid(message));
        }
        let folder = if partition.is_empty() { self.root.clone() } else { self.root.join(partition) };
        fs::create_dir_all(&folder)
            .map_err(|error| Error::io(format!("creating the folder `{}`", folder.display()), error))?;
        loop {
            let name = format!("{}{}{}", self.prefix, self.next_number, self.suffix);
            self.next_number += 1;
            let (from, to) = (folder.join(format!(".{name}.inprogress")), folder.join(name));
            if to.exists() {
                continue;
            }
            match OpenOptions::new().write(true).create_new(true).open(&from) {
                Ok(file) => return Ok(OpenFile { file, from, to }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io(format!("creating `{}`", from.display()), error)),
            }
        }
    }

    fn open_file(&mut self, part: PartId) -> Result<&mut OpenFile> {
        self.open.get_mut(&part).ok_or_else(|| Error::internal(format!("part {} is not open", part.0)))
    }
}

/// `text` with what a file's name should not have replaced.
pub(crate) fn file_name_part(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || "._".contains(c) { c } else { '_' }).collect()
}

fn append(file: &mut File, path: &Path, bytes: &[u8]) -> Result<()> {
    file.write_all(bytes).map_err(|error| Error::io(format!("writing `{}`", path.display()), error))
}

impl LaneWorker for PartFiles {
    type Command = PartCommand;
    type Done = PartDone;

    fn command_bytes(command: &PartCommand) -> usize {
        match command {
            PartCommand::Write(_, bytes) => memory::vec(bytes),
            PartCommand::Open(..) | PartCommand::Close(_) => 0,
        }
    }

    fn done_bytes(done: &PartDone) -> usize {
        match done {
            PartDone::Buffer(bytes) => memory::vec(bytes),
            PartDone::Closed { .. } => 0,
        }
    }

    fn run(&mut self, command: PartCommand) -> Result<Option<PartDone>> {
        match command {
            PartCommand::Open(part, partition) => {
                let file = self.create(&partition)?;
                self.open.insert(part, file);
                Ok(None)
            }
            PartCommand::Write(part, mut bytes) => {
                let open = self.open_file(part)?;
                append(&mut open.file, &open.from, &bytes)?;
                bytes.clear();
                Ok(Some(PartDone::Buffer(bytes)))
            }
            PartCommand::Close(part) => {
                let open = self.open_file(part)?;
                open.file.sync_all().map_err(|error| Error::io(format!("writing `{}`", open.from.display()), error))?;
                let (from, to) = (open.from.clone(), open.to.clone());
                if let Some(folder) = from.parent() {
                    sync_folder(folder)?;
                }
                self.open.remove(&part);
                Ok(Some(PartDone::Closed { part, from, to }))
            }
        }
    }
}

impl Drop for PartFiles {
    fn drop(&mut self) {
        for open in self.open.values() {
            if let Err(error) = fs::remove_file(&open.from) {
                tracing::warn!(file = %open.from.display(), %error, "an unfinished part file stays behind");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn names(folder: &Path) -> String {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names.join(" ")
    }

    fn open(files: &mut PartFiles, part: u64) -> Result<Option<PartDone>> {
        files.run(PartCommand::Open(PartId(part), "".into()))
    }

    #[test]
    fn a_part_is_hidden_until_it_is_published() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = PartFiles::new(folder.path().to_owned(), "job/1", 2, "csv");
        open(&mut files, 0).unwrap();
        files.run(PartCommand::Write(PartId(0), b"text".to_vec())).unwrap();
        let Some(PartDone::Closed { from, to, .. }) = files.run(PartCommand::Close(PartId(0))).unwrap() else {
            panic!()
        };
        assert_eq!(names(folder.path()), ".part-job_1-2-0.csv.inprogress");
        assert_eq!(fs::read_to_string(from).unwrap(), "text");
        assert_eq!(to, folder.path().join("part-job_1-2-0.csv"));
    }

    #[test]
    fn names_that_are_taken_are_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("part-a-0-0.csv"), "old").unwrap();
        fs::write(folder.path().join(".part-a-0-1.csv.inprogress"), "old").unwrap();
        let mut files = PartFiles::new(folder.path().to_owned(), "a", 0, "csv");
        open(&mut files, 0).unwrap();
        assert_eq!(names(folder.path()), ".part-a-0-1.csv.inprogress .part-a-0-2.csv.inprogress part-a-0-0.csv");
    }

    #[test]
    fn what_is_not_closed_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = PartFiles::new(folder.path().to_owned(), "a", 0, "csv");
        open(&mut files, 0).unwrap();
        open(&mut files, 1).unwrap();
        files.run(PartCommand::Close(PartId(0))).unwrap();
        drop(files);
        assert_eq!(names(folder.path()), ".part-a-0-0.csv.inprogress");
    }

    #[test]
    fn a_full_disk_is_an_error_that_names_the_file() {
        // A device that is always full.
        let mut file = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let error = append(&mut file, Path::new("/out/.part-a-0-0.csv.inprogress"), b"text").unwrap_err().to_string();
        expect!["writing `/out/.part-a-0-0.csv.inprogress`: No space left on device (os error 28)"].assert_eq(&error);
    }

    #[test]
    fn a_folder_that_cannot_be_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let message = |root: PathBuf, partition: &str| {
            let mut files = PartFiles::new(root, "a", 0, "csv");
            let error = files.run(PartCommand::Open(PartId(0), partition.into())).unwrap_err().to_string();
            error.replace(folder.path().to_str().unwrap(), "ROOT")
        };
        expect!["`ROOT/file` is a file, but the sink writes part files into a folder; give another 'path'"]
            .assert_eq(&message(file.clone(), ""));
        expect!["creating the folder `ROOT/file/below`: Not a directory (os error 20)"]
            .assert_eq(&message(file.join("below"), ""));
        expect!["creating the folder `/proc/none`: No such file or directory (os error 2)"]
            .assert_eq(&message("/proc/none".into(), ""));
    }
}
