//! What a task remembers of its input at a barrier: beside the state of its operators it is what a checkpoint holds of it.
//!
//! A source remembers its splits with their positions and the greatest time that was seen in each; every task its clock.

use std::sync::Arc;

use millstream_engine::element::{CheckpointId, Watermark};
use millstream_engine::error::{Error, Result};
use millstream_engine::io::source::Split;
use millstream_engine::state::{OperatorState, decode_numbers, encode_numbers};
use serde::{Deserialize, Serialize};

const WATERMARK: &str = "watermark";
const SPLITS: &str = "splits";

/// A task at a barrier.
#[derive(Debug)]
pub struct TaskSnapshot {
    /// Whose barrier.
    pub checkpoint: CheckpointId,
    /// Its input, to be restored with [`InputCut::restored`].
    pub input: OperatorState,
    /// Its operators, in the order of the chain.
    pub operators: Vec<OperatorState>,
}

/// Takes the snapshots of a task. Called in the slot's thread: it must not wait.
pub trait SnapshotSink: Send + Sync + std::fmt::Debug {
    /// All operators of the task have passed the barrier.
    fn taken(&self, snapshot: TaskSnapshot);
}

/// What an input goes on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputCut {
    /// What its clock has passed on.
    pub watermark: Watermark,
    /// The splits of a source's reader.
    pub splits: Vec<SplitCut>,
}

/// A split at a barrier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitCut {
    /// With its position.
    pub split: Split,
    /// The greatest time that was seen in it, in milliseconds since 1970.
    pub greatest: Option<i64>,
}

/// A [`SplitCut`] as it is stored.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    id: String,
    position: String,
    rows: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    greatest: Option<i64>,
}

impl Default for InputCut {
    /// Nothing was read yet.
    fn default() -> Self {
        Self { watermark: Watermark::MIN, splits: Vec::new() }
    }
}

impl InputCut {
    /// As it is stored.
    pub fn stored(&self) -> Result<OperatorState> {
        let mut state = OperatorState::default();
        state.add_value(WATERMARK, encode_numbers([self.watermark.0]));
        if !self.splits.is_empty() {
            let stored = |of: &SplitCut| Stored {
                id: of.split.id.to_string(),
                position: of.split.position.clone(),
                rows: of.split.rows,
                greatest: of.greatest,
            };
            let splits: Vec<Stored> = self.splits.iter().map(stored).collect();
            let bytes = serde_json::to_vec(&splits).map_err(|error| Error::internal(error.to_string()))?;
            state.add_value(SPLITS, bytes);
        }
        Ok(state)
    }

    /// What the input of a task goes on from: the cuts of one or more tasks before it. Its clock is that of the one that was
    /// the furthest behind; it has all of their splits. `task` is named in errors.
    pub fn restored(task: &str, parts: &[OperatorState]) -> Result<Self> {
        let broken = |message: String| Error::State { operator: task.to_owned(), message };
        let mut watermark = None;
        let mut splits = Vec::new();
        for part in parts {
            let Some([of]) = decode_numbers(task, WATERMARK, part.value(WATERMARK))? else {
                return Err(broken("it has no watermark".to_owned()));
            };
            watermark = Some(watermark.map_or(of, |least: i64| least.min(of)));
            let Some(bytes) = part.value(SPLITS) else { continue };
            let stored: Vec<Stored> =
                serde_json::from_slice(bytes).map_err(|error| broken(format!("its splits cannot be read: {error}")))?;
            splits.extend(stored.into_iter().map(|of| SplitCut {
                split: Split { id: Arc::from(of.id), position: of.position, rows: of.rows },
                greatest: of.greatest,
            }));
        }
        Ok(Self { watermark: watermark.map_or(Watermark::MIN, Watermark), splits })
    }
}

/// Cuts of barriers that the chain has not passed yet. There is one checkpoint at a time; what is left of one that was given
/// up goes with the next.
#[derive(Debug, Default)]
pub(super) struct Cuts(Vec<(CheckpointId, InputCut)>);

impl Cuts {
    pub(super) fn keep(&mut self, checkpoint: CheckpointId, cut: InputCut) {
        self.0.push((checkpoint, cut));
    }

    pub(super) fn take(&mut self, checkpoint: CheckpointId) -> Option<InputCut> {
        let at = self.0.iter().position(|(of, _)| *of == checkpoint)?;
        self.0.drain(..=at).next_back().map(|(_, cut)| cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(watermark: i64, ids: &[&str]) -> InputCut {
        let split = |id: &&str| SplitCut {
            split: Split { id: Arc::from(*id), position: format!("at {id}"), rows: 7 },
            greatest: (*id != "new").then_some(watermark + 1),
        };
        InputCut { watermark: Watermark(watermark), splits: ids.iter().map(split).collect() }
    }

    #[test]
    fn what_is_stored_comes_back() {
        for cut in [InputCut::default(), cut(5, &["a", "new"])] {
            assert_eq!(InputCut::restored("t", &[cut.stored().unwrap()]).unwrap(), cut);
        }
        assert_eq!(InputCut::restored("t", &[]).unwrap(), InputCut::default());
    }

    #[test]
    fn a_task_that_follows_several_has_their_splits_and_the_earliest_clock() {
        let parts = [cut(9, &["a"]).stored().unwrap(), cut(4, &["b", "c"]).stored().unwrap()];
        let both = InputCut::restored("t", &parts).unwrap();
        let ids: Vec<&str> = both.splits.iter().map(|of| &*of.split.id).collect();
        assert_eq!((both.watermark, ids), (Watermark(4), vec!["a", "b", "c"]));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let mut state = OperatorState::default();
        let error = InputCut::restored("t", &[state.clone()]).unwrap_err().to_string();
        assert!(error.contains("`t`") && error.contains("it has no watermark"), "{error}");
        state.add_value(WATERMARK, encode_numbers([1]));
        state.add_value(SPLITS, b"[{".to_vec());
        let error = InputCut::restored("t", &[state]).unwrap_err().to_string();
        assert!(error.contains("its splits cannot be read"), "{error}");
    }
}
