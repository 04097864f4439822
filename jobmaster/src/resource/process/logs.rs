//! What workers say: `FOLDER/WORKER.log` has the output of each.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use millstream_graph::WorkerId;

/// How much of a log's end is read for its last line.
const END_BYTES: u64 = 4096;
/// The longest line that is repeated elsewhere, in characters.
const LINE_MAX: usize = 500;

/// Where a worker's output goes.
pub(super) fn path(folder: &Path, worker: &WorkerId) -> PathBuf {
    folder.join(format!("{worker}.log"))
}

/// An empty log.
pub(super) fn create(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::OpenOptions::new().create(true).append(true).open(path)
}

/// The last line of a log that has something in it.
pub(super) fn last_line(path: &Path) -> Option<String> {
    let mut log = File::open(path).ok()?;
    let length = log.metadata().ok()?.len();
    log.seek(SeekFrom::Start(length.saturating_sub(END_BYTES))).ok()?;
    let mut end = Vec::new();
    log.take(END_BYTES).read_to_end(&mut end).ok()?;
    let end = String::from_utf8_lossy(&end);
    let line = end.lines().map(str::trim).rfind(|line| !line.is_empty())?;
    Some(line.chars().take(LINE_MAX).collect())
}

/// Removes the oldest logs so that with the next one there are `kept`. Those of `running` workers stay.
pub(super) fn remove_old(folder: &Path, running: &[WorkerId], kept: usize) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let of_running: Vec<PathBuf> = running.iter().map(|worker| path(folder, worker)).collect();
    let logs =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|of| of == "log"));
    let changed = |path: &Path| path.metadata().and_then(|of| of.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let mut ended: Vec<(SystemTime, PathBuf)> =
        logs.filter(|path| !of_running.contains(path)).map(|path| (changed(&path), path)).collect();
    ended.sort();
    let too_many = (ended.len() + running.len()).saturating_sub(kept);
    for (_, path) in ended.iter().take(too_many) {
        // Another start may have removed it.
        let _ = std::fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_last_line_is_that_which_has_something_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        assert_eq!(last_line(&path), None, "there is no log");
        for (text, last) in
            [("", None), ("\n \n", None), ("one\ntwo \n\n", Some("two")), ("\u{fffd}x", Some("\u{fffd}x"))]
        {
            std::fs::write(&path, text).unwrap();
            assert_eq!(last_line(&path).as_deref(), last);
        }
        std::fs::write(&path, format!("{}\nend", "long ".repeat(10_000))).unwrap();
        assert_eq!(last_line(&path).as_deref(), Some("end"));
        std::fs::write(&path, "long ".repeat(10_000)).unwrap();
        assert_eq!(last_line(&path).unwrap().chars().count(), LINE_MAX);
    }

    #[test]
    fn the_oldest_logs_go_but_not_those_of_running_workers() {
        let folder = tempfile::tempdir().unwrap();
        for (age, name) in ["new", "old", "older", "oldest"].iter().enumerate() {
            let worker = WorkerId::new(*name);
            let log = create(&path(folder.path(), &worker)).unwrap();
            let at = SystemTime::now() - Duration::from_secs(60 * u64::try_from(age).unwrap());
            log.set_modified(at).unwrap();
        }
        std::fs::write(folder.path().join("oldest.json"), "").unwrap();
        // `next` is about to be made.
        remove_old(folder.path(), &[WorkerId::new("oldest"), WorkerId::new("next")], 3);
        let mut left: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["new.log", "oldest.json", "oldest.log"]);
    }
}
