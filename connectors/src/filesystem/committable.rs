//! What a writer tells the committer, as JSON.
//!
//! | JSON | meaning |
//! |---|---|
//! | `{"file": {"from": …, "to": …, "partition": "dt=2020-01-01", "attempt": "1", "opened": 0}}` | a file that is complete and not visible yet |
//! | `{"progress": {"subtask": 0, "parallelism": 2, "watermark": 0, "time": 0}}` | how far a writer is, all files before that being among the committables |

use millstream_engine::error::{Error, Result};
use millstream_engine::io::sink::Committable;
use serde::{Deserialize, Serialize};

/// One thing that a writer tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Written {
    /// A complete file.
    File(WrittenFile),
    /// How far a writer is.
    Progress(WriterProgress),
}

/// A file that is complete and not visible yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WrittenFile {
    /// Its absolute path now.
    pub(crate) from: String,
    /// Its absolute path once it is visible.
    pub(crate) to: String,
    /// The folders of its partition below the sink's path; empty without partitions.
    pub(crate) partition: String,
    /// The try of the job that wrote it.
    pub(crate) attempt: String,
    /// When it was opened, in milliseconds since 1970-01-01 UTC.
    #[serde(rename = "opened")]
    pub(crate) opened_ms: i64,
}

/// How far a writer is: all that it wrote before is in committables already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WriterProgress {
    /// Which writer.
    pub(crate) subtask: u32,
    /// Of how many.
    pub(crate) parallelism: u32,
    /// Its watermark in milliseconds; `i64::MAX` at the end of input.
    #[serde(rename = "watermark")]
    pub(crate) watermark_ms: i64,
    /// Its time, in milliseconds since 1970-01-01 UTC.
    #[serde(rename = "time")]
    pub(crate) time_ms: i64,
}

impl Written {
    /// As the engine carries it.
    pub(crate) fn to_committable(&self) -> Result<Committable> {
        serde_json::to_string(self).map(Committable).map_err(|error| Error::internal(error.to_string()))
    }

    /// What `committable` says.
    pub(crate) fn read(committable: &Committable) -> Result<Self> {
        serde_json::from_str(&committable.0)
            .map_err(|error| Error::internal(format!("the committable `{}` cannot be read: {error}", committable.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn the_stored_form_stays_as_it_is() {
        let file = Written::File(WrittenFile {
            from: "/d/.a".to_owned(),
            to: "/d/a".to_owned(),
            partition: "dt=1".to_owned(),
            attempt: "7".to_owned(),
            opened_ms: 5,
        });
        let progress =
            Written::Progress(WriterProgress { subtask: 0, parallelism: 2, watermark_ms: i64::MAX, time_ms: 9 });
        let stored: Vec<_> = [&file, &progress].map(|written| written.to_committable().unwrap()).to_vec();
        expect![[r#"{"file":{"from":"/d/.a","to":"/d/a","partition":"dt=1","attempt":"7","opened":5}}"#]]
            .assert_eq(&stored[0].0);
        expect![[r#"{"progress":{"subtask":0,"parallelism":2,"watermark":9223372036854775807,"time":9}}"#]]
            .assert_eq(&stored[1].0);
        assert_eq!(stored.iter().map(|one| Written::read(one).unwrap()).collect::<Vec<_>>(), [file, progress]);
        assert!(Written::read(&Committable("{}".to_owned())).unwrap_err().to_string().contains("cannot be read"));
    }
}
