//! Makes finished files visible, all or none.
//!
//! A file is written under a hidden name and becomes visible by renaming it. Several files become visible together by a
//! record that is written first and names them all:
//!
//! ```text
//!   0. look whether each file is there and its name free   (else nothing is published)
//!   1. create .millstream-publish-<attempt>-<n>.json       (fails if it exists; synced)
//!   2. rename each file of it                              (already renamed: done)
//!   3. remove the record
//! ```
//!
//! Whoever finds a record finishes it, so a crash between 1 and 3 leaves nothing half published for long; one in the middle
//! of 1 leaves a record that cannot be read and published nothing. Nothing is ever overwritten.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use millstream_engine::error::{Error, Result};
use serde::{Deserialize, Serialize};

const RECORD_PREFIX: &str = ".millstream-publish-";
const RECORD_SUFFIX: &str = ".json";
/// How many numbers are tried for a record's name: others are in use by committers that were here before.
const MOST_RECORDS: u64 = 100_000;

/// Makes a file visible.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Move {
    /// Its absolute path now.
    pub(crate) from: PathBuf,
    /// Its absolute path then.
    pub(crate) to: PathBuf,
}

/// Makes all of `moves` visible. `root` holds the record. May be repeated; `again` if it may have been done to its end before,
/// after which readers may have taken files away.
pub(crate) fn publish(root: &Path, attempt: &str, moves: &[Move], again: bool) -> Result<()> {
    if moves.is_empty() {
        return Ok(());
    }
    let record = record(root, attempt, moves, again)?;
    finish(&record, moves)
}

/// Finishes what earlier committers began under `root`.
pub(crate) fn finish_begun(root: &Path) -> Result<()> {
    for record in records(root)? {
        let text = match fs::read_to_string(&record) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(Error::io(format!("reading `{}`", record.display()), error)),
        };
        // One that was not written to its end published nothing.
        let moves = serde_json::from_str::<Vec<Move>>(&text).unwrap_or_default();
        finish(&record, &moves)?;
    }
    Ok(())
}

/// Carries out what a record lists and removes it.
fn finish(record: &Path, moves: &[Move]) -> Result<()> {
    for one in moves {
        match look(one) {
            Stands::Hidden => rename(one)?,
            Stands::Visible => {}
            // It was there when the record was written: somebody has read it and taken it away.
            Stands::Gone => {
                tracing::warn!(file = %one.to.display(), "a file that was being published has been taken away already");
            }
            Stands::Blocked => return Err(blocked(one)),
        }
    }
    sync_folders(moves)?;
    remove(record)
}

fn records(root: &Path) -> Result<BTreeSet<PathBuf>> {
    let failed = |error| Error::io(format!("listing `{}`", root.display()), error);
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut found = BTreeSet::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with(RECORD_PREFIX) && name.ends_with(RECORD_SUFFIX) {
            found.insert(path);
        }
    }
    Ok(found)
}

/// Writes the record under the first number that is free, or finds the same record from a publication that was begun. What
/// cannot be published is refused before.
fn record(root: &Path, attempt: &str, moves: &[Move], again: bool) -> Result<PathBuf> {
    let text = serde_json::to_string(moves).map_err(|error| Error::internal(error.to_string()))?;
    let mut checked = false;
    for number in 0..MOST_RECORDS {
        let path = root.join(format!("{RECORD_PREFIX}{attempt}-{number}{RECORD_SUFFIX}"));
        match fs::read(&path) {
            Ok(existing) if existing == text.as_bytes() => return Ok(path),
            Ok(_) => continue,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io(format!("reading `{}`", path.display()), error)),
        }
        if !std::mem::replace(&mut checked, true) {
            moves.iter().try_for_each(|one| check(one, again))?;
        }
        let failed = |error| Error::io(format!("writing `{}`", path.display()), error);
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
                sync_folder(root)?;
                return Ok(path);
            }
            // Another committer was quicker.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Err(Error::Invalid(format!(
        "`{}` holds {MOST_RECORDS} files `{RECORD_PREFIX}{attempt}-…`; remove those that no job uses any more",
        root.display()
    )))
}

/// How far a move is.
enum Stands {
    /// It has its hidden name.
    Hidden,
    /// It has its visible name.
    Visible,
    /// It has neither.
    Gone,
    /// It has its hidden name, and another file has the visible one.
    Blocked,
}

fn look(one: &Move) -> Stands {
    match (one.from.exists(), one.to.exists()) {
        (true, false) => Stands::Hidden,
        (false, true) => Stands::Visible,
        (false, false) => Stands::Gone,
        (true, true) => Stands::Blocked,
    }
}

fn check(one: &Move, again: bool) -> Result<()> {
    match look(one) {
        Stands::Hidden | Stands::Visible => Ok(()),
        Stands::Gone if again => Ok(()),
        Stands::Gone => Err(Error::Invalid(format!(
            "`{}` was written and is gone before it became `{}`; somebody has removed it",
            one.from.display(),
            one.to.display()
        ))),
        Stands::Blocked => Err(blocked(one)),
    }
}

fn blocked(one: &Move) -> Error {
    Error::Invalid(format!(
        "`{}` cannot become visible as `{}`, which exists already and is not overwritten; move one of them away",
        one.from.display(),
        one.to.display()
    ))
}

fn rename(one: &Move) -> Result<()> {
    match fs::rename(&one.from, &one.to) {
        Ok(()) => Ok(()),
        // Another committer that found the same record was quicker.
        Err(error) if error.kind() == ErrorKind::NotFound && one.to.exists() => Ok(()),
        Err(error) => Err(Error::io(format!("renaming `{}` to `{}`", one.from.display(), one.to.display()), error)),
    }
}

fn remove(record: &Path) -> Result<()> {
    match fs::remove_file(record) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io(format!("removing `{}`", record.display()), error)),
    }
}

fn sync_folders(moves: &[Move]) -> Result<()> {
    let folders: BTreeSet<&Path> = moves.iter().filter_map(|one| one.to.parent()).collect();
    folders.into_iter().filter(|folder| folder.exists()).try_for_each(sync_folder)
}

/// Makes the names in `folder` safe from a loss of power.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    let failed = |error| Error::io(format!("writing the folder `{}`", folder.display()), error);
    match File::open(folder).map_err(failed)?.sync_all() {
        Ok(()) => Ok(()),
        // Some file systems cannot, and keep names safe without.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_of(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        names.iter().for_each(|name| fs::write(folder.path().join(name), name).unwrap());
        folder
    }

    fn names(folder: &Path) -> String {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names.join(" ")
    }

    fn moves(folder: &Path) -> Vec<Move> {
        ["a", "b"].map(|name| Move { from: folder.join(format!(".{name}")), to: folder.join(name) }).to_vec()
    }

    #[test]
    fn publishing_may_be_repeated() {
        let folder = folder_of(&[".a", ".b"]);
        let moves = moves(folder.path());
        for _ in 0..3 {
            publish(folder.path(), "1", &moves, false).unwrap();
            assert_eq!(names(folder.path()), "a b");
        }
    }

    #[test]
    fn what_was_begun_is_finished_wherever_it_stopped() {
        for renamed in 0..=2 {
            let folder = folder_of(&[".a", ".b"]);
            let moves = moves(folder.path());
            record(folder.path(), "1", &moves, false).unwrap();
            moves.iter().take(renamed).for_each(|one| rename(one).unwrap());
            finish_begun(folder.path()).unwrap();
            assert_eq!(names(folder.path()), "a b", "stopped after {renamed} renames");
            finish_begun(folder.path()).unwrap();
        }
    }

    #[test]
    fn a_record_that_was_not_written_to_its_end_publishes_nothing() {
        let folder = folder_of(&[".a", ".b"]);
        let record = record(folder.path(), "1", &moves(folder.path()), false).unwrap();
        let text = fs::read_to_string(&record).unwrap();
        fs::write(&record, &text[..text.len() / 2]).unwrap();
        finish_begun(folder.path()).unwrap();
        assert_eq!(names(folder.path()), ".a .b");
    }

    #[test]
    fn two_publications_of_one_attempt_do_not_share_a_record() {
        let folder = folder_of(&[".a", ".b", ".c"]);
        let begun = record(folder.path(), "1", &moves(folder.path()), false).unwrap();
        let other = [Move { from: folder.path().join(".c"), to: folder.path().join("c") }];
        publish(folder.path(), "1", &other, false).unwrap();
        assert!(begun.exists());
        publish(folder.path(), "1", &moves(folder.path()), false).unwrap();
        assert_eq!(names(folder.path()), "a b c");
    }

    #[test]
    fn nothing_is_overwritten_and_nothing_missing_is_passed_over() {
        let folder = folder_of(&[".a", "a", ".b"]);
        let error = publish(folder.path(), "1", &moves(folder.path()), false).unwrap_err().to_string();
        assert!(error.contains("which exists already and is not overwritten"), "{error}");
        assert_eq!(fs::read_to_string(folder.path().join("a")).unwrap(), "a");
        let folder = folder_of(&[".a"]);
        let error = publish(folder.path(), "1", &moves(folder.path()), false).unwrap_err().to_string();
        assert!(error.contains("was written and is gone"), "{error}");
        finish_begun(folder.path()).unwrap();
        assert_eq!(names(folder.path()), ".a", "none of them became visible");
    }

    #[test]
    fn what_readers_have_taken_away_is_passed_over_when_it_is_published_again() {
        let folder = folder_of(&[".a", ".b"]);
        let moves = moves(folder.path());
        publish(folder.path(), "1", &moves, false).unwrap();
        fs::remove_file(folder.path().join("a")).unwrap();
        publish(folder.path(), "1", &moves, true).unwrap();
        assert_eq!(names(folder.path()), "b");
    }

    #[test]
    fn a_name_that_was_taken_since_keeps_the_record() {
        let folder = folder_of(&[".a", ".b"]);
        let record = record(folder.path(), "1", &moves(folder.path()), false).unwrap();
        fs::write(folder.path().join("b"), "another").unwrap();
        let error = finish_begun(folder.path()).unwrap_err().to_string();
        assert!(error.contains("which exists already and is not overwritten"), "{error}");
        assert!(record.exists(), "it is finished when the other file is gone");
        fs::remove_file(folder.path().join("b")).unwrap();
        finish_begun(folder.path()).unwrap();
        assert_eq!(names(folder.path()), "a b");
    }
}
