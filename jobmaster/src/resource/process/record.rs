//! What the jobmaster after this one has to know of a worker: a file of JSON for each, `FOLDER/WORKER.json`.
//!
//! ```json
//! {"worker": "worker-1764078152123-0", "pid": 4711, "start_time": 4312689, "boot_id": "fc990233-c15d-45c4-9d71-6a34ef4462b9"}
//! ```
//!
//! Fields may be added; a reader passes over those that it does not know.

use std::io;
use std::path::{Path, PathBuf};

use millstream_graph::WorkerId;
use serde::{Deserialize, Serialize};

use super::identity::ProcessIdentity;

/// A worker and its process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WorkerRecord {
    pub(super) worker: WorkerId,
    pub(super) process: ProcessIdentity,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    worker: String,
    #[serde(flatten)]
    process: ProcessIdentity,
}

impl WorkerRecord {
    /// Writes it whole or not at all.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        let stored = Stored { worker: self.worker.to_string(), process: self.process.clone() };
        let unfinished = folder.join(format!("{}.unfinished", self.worker));
        std::fs::write(&unfinished, serde_json::to_vec(&stored)?)?;
        std::fs::rename(&unfinished, path(folder, &self.worker))
    }

    fn read(path: &Path) -> io::Result<Self> {
        let Stored { worker, process } = serde_json::from_slice(&std::fs::read(path)?)?;
        Ok(Self { worker: WorkerId::new(worker), process })
    }
}

fn path(folder: &Path, worker: &WorkerId) -> PathBuf {
    folder.join(format!("{worker}.json"))
}

/// All records of `folder`, which is made if it is not there. What cannot be read or was not finished is removed.
pub(super) fn read_all(folder: &Path) -> io::Result<Vec<WorkerRecord>> {
    std::fs::create_dir_all(folder)?;
    let mut records = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => match WorkerRecord::read(&path) {
                Ok(record) => records.push(record),
                Err(error) => {
                    tracing::warn!(path = %path.display(), "the file of a worker cannot be read and is removed: {error}");
                    discard(&path);
                }
            },
            Some("unfinished") => discard(&path),
            Some(_) | None => {}
        }
    }
    records.sort_by(|a, b| a.worker.cmp(&b.worker));
    Ok(records)
}

/// The worker has ended.
pub(super) fn remove(folder: &Path, worker: &WorkerId) {
    discard(&path(folder, worker));
}

/// What stays is only in the way: the next jobmaster sees that the process is not there.
fn discard(path: &Path) {
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(path = %path.display(), "the file of a worker could not be removed: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_and_the_format_stays() {
        let folder = tempfile::tempdir().unwrap();
        let process = ProcessIdentity { pid: 4711, start_time: 12, boot_id: "a-boot".to_owned() };
        let record = WorkerRecord { worker: WorkerId::new("worker-7-0"), process };
        record.write(folder.path()).unwrap();
        let text = std::fs::read_to_string(folder.path().join("worker-7-0.json")).unwrap();
        assert_eq!(text, r#"{"worker":"worker-7-0","pid":4711,"start_time":12,"boot_id":"a-boot"}"#);
        let next = r#"{"worker":"worker-7-1","pid":4712,"start_time":12,"boot_id":"a-boot","cgroup":"x"}"#;
        std::fs::write(folder.path().join("worker-7-1.json"), next).unwrap();
        let read = read_all(folder.path()).unwrap();
        assert_eq!(read[0], record);
        assert_eq!((read.len(), read[1].process.pid), (2, 4712), "a field of a later build is passed over");
    }

    #[test]
    fn what_cannot_be_read_is_removed_and_the_rest_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["broken.json", "cut-off.unfinished", "worker-7-0.log"] {
            std::fs::write(folder.path().join(name), "{").unwrap();
        }
        assert_eq!(read_all(folder.path()).unwrap(), []);
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["worker-7-0.log"]);
    }
}
