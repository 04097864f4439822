//! Hands out files, in the order of their paths.
//!
//! Bounded: the files that are there at the start. Watching: the folder is listed again at every interval, when a reader
//! asks, and files that were not seen before are handed out. A file is known by its path; one that changes is not read
//! again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use millstream_engine::error::{Error, Result};
use millstream_engine::io::source::{Split, SplitAnswer, SplitEnumerator};
use millstream_engine::operators::ProcessingTime;
use serde::{Deserialize, Serialize};

use super::files::{FoundFile, Location, LocationError, PathPattern};

/// Which files a source reads.
#[derive(Debug, Clone)]
pub(crate) struct FileSet {
    /// Where they are.
    pub(crate) location: Location,
    /// Only those whose path matches.
    pub(crate) pattern: Option<PathPattern>,
    /// After how many milliseconds to look again. `None`: never.
    pub(crate) monitor_ms: Option<i64>,
}

impl FileSet {
    /// The files that are there. None is an error, unless more may come.
    pub(crate) fn list(&self) -> Result<Vec<FoundFile>, LocationError> {
        self.location.files(self.pattern.as_ref(), self.monitor_ms.is_some())
    }
}

/// What a split's position says: how far the file was read, and what it was when it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FilePosition {
    /// The byte where the next record begins; 0 where bytes cannot be addressed.
    pub(crate) offset: u64,
    /// How many rows came before it.
    pub(crate) rows: u64,
    /// The size of the file when it was found, in bytes.
    pub(crate) size: u64,
    /// When the file was changed last, in milliseconds since 1970-01-01 UTC.
    #[serde(rename = "modified")]
    pub(crate) modified_ms: i64,
}

impl FilePosition {
    /// The position that `split` carries.
    pub(crate) fn of(split: &Split) -> Result<Self> {
        serde_json::from_str(&split.position).map_err(|error| {
            Error::internal(format!("the split `{}` has the position `{}`: {error}", split.id, split.position))
        })
    }

    /// As a split of `path`.
    pub(crate) fn split(&self, path: &str) -> Split {
        let position = serde_json::json!(self).to_string();
        Split { id: Arc::from(path), position, rows: self.rows }
    }
}

/// The one enumerator of a source.
#[derive(Debug)]
pub(crate) struct FileEnumerator {
    files: FileSet,
    seen: BTreeSet<String>,
    pending: BTreeMap<String, FilePosition>,
    returned: VecDeque<Split>,
    /// When to list next; not set before the first request.
    next_listing: Option<ProcessingTime>,
}

/// What a checkpoint keeps.
#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    /// All files that were ever found, so that none is read twice.
    seen: BTreeSet<String>,
    /// Those among them that were not handed out yet.
    pending: BTreeMap<String, FilePosition>,
    /// Splits that came back: path and position.
    returned: Vec<(String, String, u64)>,
}

impl FileEnumerator {
    /// Lists `files` for the first time.
    pub(crate) fn new(files: FileSet) -> Result<Self> {
        let mut enumerator = Self {
            files,
            seen: BTreeSet::new(),
            pending: BTreeMap::new(),
            returned: VecDeque::new(),
            next_listing: None,
        };
        enumerator.find_new()?;
        Ok(enumerator)
    }

    fn find_new(&mut self) -> Result<()> {
        let found = self.files.list().map_err(|error| Error::Invalid(format!("the option 'path': {error}")))?;
        for FoundFile { path, size, modified_ms } in found {
            if self.seen.insert(path.clone()) {
                self.pending.insert(path, FilePosition { offset: 0, rows: 0, size, modified_ms });
            }
        }
        Ok(())
    }

    /// When to look for files again, if at all. Looks now if it is time.
    fn watch(&mut self, now: ProcessingTime) -> Result<Option<ProcessingTime>> {
        let Some(interval) = self.files.monitor_ms else { return Ok(None) };
        let next = ProcessingTime(now.0.saturating_add(interval));
        match self.next_listing {
            Some(due) if now < due => return Ok(Some(due)),
            Some(_) => self.find_new()?,
            None => {}
        }
        self.next_listing = Some(next);
        Ok(Some(next))
    }
}

impl SplitEnumerator for FileEnumerator {
    fn next_split(&mut self, _: u32, _: u32, now: ProcessingTime) -> Result<SplitAnswer> {
        let again = self.watch(now)?;
        if let Some(split) = self.returned.pop_front() {
            return Ok(SplitAnswer::Assigned(split));
        }
        if let Some((path, position)) = self.pending.pop_first() {
            return Ok(SplitAnswer::Assigned(position.split(&path)));
        }
        Ok(again.map_or(SplitAnswer::NoMore, SplitAnswer::AskAgain))
    }

    fn add_back(&mut self, splits: Vec<Split>) {
        self.returned.extend(splits);
        self.returned.make_contiguous().sort_by(|a, b| a.id.cmp(&b.id));
    }

    fn snapshot(&self) -> Result<String> {
        let returned = self.returned.iter().map(|split| (split.id.to_string(), split.position.clone(), split.rows));
        let remembered =
            Remembered { seen: self.seen.clone(), pending: self.pending.clone(), returned: returned.collect() };
        serde_json::to_string(&remembered).map_err(|error| Error::internal(error.to_string()))
    }

    fn restore(&mut self, snapshot: &str) -> Result<()> {
        let remembered: Remembered = serde_json::from_str(snapshot).map_err(|error| Error::State {
            operator: "filesystem source".to_owned(),
            message: format!("the list of files cannot be read: {error}"),
        })?;
        self.seen = remembered.seen;
        self.pending = remembered.pending;
        let split = |(id, position, rows): (String, String, u64)| Split { id: Arc::from(id), position, rows };
        self.returned = remembered.returned.into_iter().map(split).collect();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn enumerator(folder: &std::path::Path, monitor_ms: Option<i64>) -> Result<FileEnumerator> {
        let location = Location::parse(folder.to_str().unwrap()).unwrap();
        FileEnumerator::new(FileSet { location, pattern: None, monitor_ms })
    }

    fn folder_of(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        names.iter().for_each(|name| fs::write(folder.path().join(name), "x\n").unwrap());
        folder
    }

    /// What is handed out at `now`: file names, then `ask again at …` or `no more`.
    fn handed_out(enumerator: &mut FileEnumerator, now: i64) -> String {
        let mut all = Vec::new();
        loop {
            match enumerator.next_split(0, 1, ProcessingTime(now)).unwrap() {
                SplitAnswer::Assigned(split) => all.push(split.id.rsplit('/').next().unwrap().to_owned()),
                SplitAnswer::AskAgain(time) => break all.push(format!("ask again at {}", time.0)),
                SplitAnswer::NoMore => break all.push("no more".to_owned()),
            }
        }
        all.join(", ")
    }

    #[test]
    fn files_are_handed_out_in_order_of_path_and_then_no_more() {
        let folder = folder_of(&["b", "c", "a"]);
        let mut files = enumerator(folder.path(), None).unwrap();
        fs::write(folder.path().join("d"), "too late\n").unwrap();
        assert_eq!(handed_out(&mut files, 0), "a, b, c, no more");
    }

    #[test]
    fn a_watched_folder_is_listed_at_every_interval_and_nothing_is_read_twice() {
        let folder = folder_of(&["b"]);
        let mut files = enumerator(folder.path(), Some(100)).unwrap();
        assert_eq!(handed_out(&mut files, 1_000), "b, ask again at 1100");
        fs::write(folder.path().join("a"), "new\n").unwrap();
        fs::write(folder.path().join("b"), "changed\n").unwrap();
        assert_eq!(handed_out(&mut files, 1_099), "ask again at 1100");
        assert_eq!(handed_out(&mut files, 1_100), "a, ask again at 1200");
        assert_eq!(handed_out(&mut files, 9_000), "ask again at 9100");
    }

    #[test]
    fn a_watched_folder_may_be_empty_and_others_may_not() {
        let folder = folder_of(&[]);
        assert_eq!(handed_out(&mut enumerator(folder.path(), Some(5)).unwrap(), 0), "ask again at 5");
        let error = enumerator(folder.path(), None).unwrap_err().to_string();
        assert!(error.starts_with("the option 'path': the folder `") && error.contains("has no file"), "{error}");
    }

    #[test]
    fn splits_that_come_back_are_handed_out_first_with_their_positions() {
        let folder = folder_of(&["a", "b", "c"]);
        let mut files = enumerator(folder.path(), None).unwrap();
        let SplitAnswer::Assigned(a) = files.next_split(0, 2, ProcessingTime(0)).unwrap() else { panic!() };
        let SplitAnswer::Assigned(b) = files.next_split(1, 2, ProcessingTime(0)).unwrap() else { panic!() };
        let at = FilePosition { offset: 7, rows: 3, ..FilePosition::of(&a).unwrap() };
        files.add_back(vec![b, at.split(&a.id)]);
        let SplitAnswer::Assigned(first) = files.next_split(0, 2, ProcessingTime(0)).unwrap() else { panic!() };
        assert_eq!((FilePosition::of(&first).unwrap(), first.rows), (at, 3));
        assert_eq!(handed_out(&mut files, 0), "b, c, no more");
    }

    #[test]
    fn a_restored_enumerator_goes_on_where_the_snapshot_was_taken() {
        let folder = folder_of(&["a", "b", "c"]);
        let mut files = enumerator(folder.path(), Some(10)).unwrap();
        let SplitAnswer::Assigned(a) = files.next_split(0, 1, ProcessingTime(0)).unwrap() else { panic!() };
        files.add_back(vec![a]);
        let snapshot = files.snapshot().unwrap();
        fs::write(folder.path().join("d"), "new\n").unwrap();
        let mut restored = enumerator(folder.path(), Some(10)).unwrap();
        restored.restore(&snapshot).unwrap();
        assert_eq!(handed_out(&mut restored, 0), "a, b, c, ask again at 10");
        assert_eq!(handed_out(&mut restored, 10), "d, ask again at 20");
        let error = restored.restore("{}").unwrap_err().to_string();
        assert!(error.contains("the list of files cannot be read"), "{error}");
    }
}
