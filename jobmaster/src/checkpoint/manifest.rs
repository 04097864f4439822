//! The manifest of a checkpoint: what its record says.
//!
//! ```text
//!  {"version":1,"checkpoint":7,"kind":"checkpoint","atMs":…,"maxParallelism":4096,
//!   "operators":[{"id":"…","parallelism":2,"parts":[{"subtask":0,"file":"…","bytes":10},…]},…],
//!   "enumerators":{"<operator id>":"<in its own words>"},
//!   "finished":{"<operator id>":[0,3]},
//!   "committables":[{"sink":"<operator id>","committables":["…"]}]}
//! ```
//!
//! It is a format: what was written is read for ever. A change that an earlier build would misread raises the
//! [`Manifest::VERSION`]; a build refuses versions that it does not know instead of losing what they say.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::CheckpointKind;
use crate::job_store::record::SinkPublication;

/// Everything that is needed to start a job from a checkpoint, and to commit what it covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Of the format: [`Manifest::VERSION`].
    #[serde(deserialize_with = "known_version")]
    pub version: u32,
    /// Which checkpoint of the job.
    pub checkpoint: u64,
    /// What it is for.
    pub kind: CheckpointKind,
    /// When it was triggered, in milliseconds since 1970.
    pub at_ms: i64,
    /// The number of key groups. State cannot be read with another one.
    pub max_parallelism: u32,
    /// The state of each operator that has any.
    pub operators: Vec<OperatorManifest>,
    /// The source's operator id → what its split enumerator has handed out, in the source's own words.
    pub enumerators: BTreeMap<String, String>,
    /// The operator's id → those of its subtasks, in rising order, that had finished and do not start again.
    pub finished: BTreeMap<String, Vec<u32>>,
    /// What the sinks have written up to this cut and is to become visible.
    pub committables: Vec<SinkPublication>,
}

/// The state of an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperatorManifest {
    /// The operator's id: a place would mean another operator once the program is planned by another build.
    pub id: String,
    /// How many subtasks it had, from which follows which key groups each part holds.
    pub parallelism: u32,
    /// The files, by subtask. A subtask may have none or several.
    pub parts: Vec<StatePart>,
}

/// A file of state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatePart {
    /// Whose state.
    pub subtask: u32,
    /// Its path below the folder of the job's checkpoints.
    pub file: String,
    /// How long it is: one of another length is damaged.
    pub bytes: u64,
}

impl Manifest {
    /// The version that this build writes, and the only one that it reads.
    pub const VERSION: u32 = 1;
}

fn known_version<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    match u32::deserialize(from)? {
        Manifest::VERSION => Ok(Manifest::VERSION),
        other => Err(D::Error::custom(format!(
            "the manifest of a checkpoint has version {other}, and this build reads version {}: use the build that wrote it \
             or a later one",
            Manifest::VERSION
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let part = |subtask, bytes| StatePart { subtask, file: format!("chk-7/1-2-{subtask}"), bytes };
        let committables = vec!["{\"file\":\"part-0\"}".to_owned()];
        Manifest {
            version: Manifest::VERSION,
            checkpoint: 7,
            kind: CheckpointKind::Savepoint,
            at_ms: 1_700_000_000_000,
            max_parallelism: 4096,
            operators: vec![OperatorManifest {
                id: "aa".to_owned(),
                parallelism: 2,
                parts: vec![part(0, 10), part(1, 0)],
            }],
            enumerators: [("bb".to_owned(), "{\"next\":3}".to_owned())].into(),
            finished: [("bb".to_owned(), vec![0, 3])].into(),
            committables: vec![SinkPublication { sink: "cc".to_owned(), committables }],
        }
    }

    /// As version 1 is written. It does not change: what jobs have written must stay readable.
    const FIXTURE: &str = concat!(
        r#"{"version":1,"checkpoint":7,"kind":"savepoint","atMs":1700000000000,"maxParallelism":4096,"#,
        r#""operators":[{"id":"aa","parallelism":2,"parts":["#,
        r#"{"subtask":0,"file":"chk-7/1-2-0","bytes":10},{"subtask":1,"file":"chk-7/1-2-1","bytes":0}]}],"#,
        r#""enumerators":{"bb":"{\"next\":3}"},"finished":{"bb":[0,3]},"#,
        r#""committables":[{"sink":"cc","committables":["{\"file\":\"part-0\"}"]}]}"#,
    );

    #[test]
    fn a_manifest_is_written_and_read_as_it_always_was() {
        assert_eq!(serde_json::to_string(&manifest()).unwrap(), FIXTURE);
        assert_eq!(serde_json::from_str::<Manifest>(FIXTURE).unwrap(), manifest());
        assert_eq!(serde_json::to_string(&CheckpointKind::Checkpoint).unwrap(), r#""checkpoint""#);
    }

    #[test]
    fn a_version_that_is_not_known_is_refused_by_its_number() {
        let later = FIXTURE.replace(r#""version":1"#, r#""version":2"#);
        let error = serde_json::from_str::<Manifest>(&later).unwrap_err().to_string();
        assert!(error.contains("has version 2, and this build reads version 1"), "{error}");
    }
}
