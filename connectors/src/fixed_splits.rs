//! An enumerator for sources whose splits are known from the start: shares of a generator, one connection.
//!
//! Split *i* goes to reader *i mod parallelism*, and a reader that asks again gets the next of its own at once, so that a
//! reader has all its splits before it begins and can read them in step.

use std::sync::Arc;

use millstream_engine::error::{Error, Result};
use millstream_engine::io::source::{Split, SplitAnswer, SplitEnumerator};
use millstream_engine::operators::ProcessingTime;
use serde::{Deserialize, Serialize};

/// Splits `<name>-0 …`, handed out round robin.
#[derive(Debug)]
pub(crate) struct FixedSplits {
    pending: Vec<Numbered>,
}

/// A split that waits for its reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Numbered {
    number: u32,
    id: String,
    position: String,
    rows: u64,
}

impl FixedSplits {
    /// `count` splits, each at its beginning.
    pub(crate) fn new(name: &str, count: u32) -> Self {
        let split = |number| Numbered { number, id: split_id(name, number), position: String::new(), rows: 0 };
        Self { pending: (0..count).map(split).collect() }
    }
}

/// The id of a split.
pub(crate) fn split_id(name: &str, number: u32) -> String {
    format!("{name}-{number}")
}

/// The number in a split's id.
pub(crate) fn split_number(id: &str) -> Result<u32> {
    let number = id.rsplit('-').next().and_then(|number| number.parse().ok());
    number.ok_or_else(|| Error::internal(format!("the split `{id}` has no number")))
}

impl SplitEnumerator for FixedSplits {
    fn next_split(&mut self, subtask: u32, parallelism: u32, _: ProcessingTime) -> Result<SplitAnswer> {
        let own = self.pending.iter().position(|split| split.number % parallelism.max(1) == subtask);
        Ok(own.map_or(SplitAnswer::NoMore, |place| {
            let Numbered { id, position, rows, .. } = self.pending.remove(place);
            SplitAnswer::Assigned(Split { id: Arc::from(id), position, rows })
        }))
    }

    fn add_back(&mut self, splits: Vec<Split>) {
        for split in splits {
            // Ids are our own; a strange one goes to the first reader, which refuses it.
            let number = split_number(&split.id).unwrap_or(0);
            self.pending.push(Numbered {
                number,
                id: split.id.to_string(),
                position: split.position,
                rows: split.rows,
            });
        }
        self.pending.sort_by_key(|split| split.number);
    }

    fn snapshot(&self) -> Result<String> {
        serde_json::to_string(&self.pending).map_err(|error| Error::internal(error.to_string()))
    }

    fn restore(&mut self, snapshot: &str) -> Result<()> {
        self.pending = serde_json::from_str(snapshot).map_err(|error| Error::State {
            operator: "source".to_owned(),
            message: format!("the list of splits cannot be read: {error}"),
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handed_out(splits: &mut FixedSplits, subtask: u32, parallelism: u32) -> String {
        let mut ids = Vec::new();
        while let SplitAnswer::Assigned(split) = splits.next_split(subtask, parallelism, ProcessingTime(0)).unwrap() {
            ids.push(format!("{}@{}", split.id, split.rows));
        }
        ids.join(" ")
    }

    #[test]
    fn every_reader_gets_its_share_in_order() {
        let mut splits = FixedSplits::new("s", 5);
        assert_eq!(handed_out(&mut splits, 1, 2), "s-1@0 s-3@0");
        assert_eq!(handed_out(&mut splits, 0, 2), "s-0@0 s-2@0 s-4@0");
        assert_eq!(handed_out(&mut FixedSplits::new("s", 2), 7, 8), "");
    }

    #[test]
    fn splits_that_come_back_are_shared_among_the_readers_there_are_now() {
        let mut splits = FixedSplits::new("s", 4);
        assert_eq!(handed_out(&mut splits, 0, 1), "s-0@0 s-1@0 s-2@0 s-3@0");
        let back = |number, rows| Split { id: split_id("s", number).into(), position: String::new(), rows };
        splits.add_back(vec![back(3, 7), back(1, 5), back(2, 6)]);
        let mut restored = FixedSplits::new("s", 4);
        restored.restore(&splits.snapshot().unwrap()).unwrap();
        for mut splits in [splits, restored] {
            assert_eq!(handed_out(&mut splits, 0, 2), "s-2@6");
            assert_eq!(handed_out(&mut splits, 1, 2), "s-1@5 s-3@7");
        }
    }
}
