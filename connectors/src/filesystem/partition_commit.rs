//! Decides when a partition is complete.
//!
//! Pure: it is told which files became visible and how far each writer is, and answers which partitions are complete. All
//! writers must have passed the mark, because each may still hold rows for it. A file that comes later makes the partition
//! incomplete again, and it is marked once more.

use std::collections::BTreeMap;

use super::committable::WriterProgress;
use super::options::CommitTrigger;
use super::partition::value_in_path;

/// The partitions that have files and are not marked complete.
#[derive(Debug)]
pub(crate) struct OpenPartitions {
    trigger: CommitTrigger,
    keys: Vec<String>,
    null_partition: String,
    /// Each with the time when its first file was opened.
    open: BTreeMap<String, i64>,
    /// What each writer said last.
    writers: BTreeMap<u32, WriterProgress>,
}

impl OpenPartitions {
    /// Nothing is open.
    pub(crate) fn new(trigger: CommitTrigger, keys: Vec<String>, null_partition: String) -> Self {
        Self { trigger, keys, null_partition, open: BTreeMap::new(), writers: BTreeMap::new() }
    }

    /// What is open; a checkpoint of it.
    pub(crate) fn open(&self) -> &BTreeMap<String, i64> {
        &self.open
    }

    /// Goes on with partitions that were open before.
    pub(crate) fn restore(&mut self, open: BTreeMap<String, i64>) {
        self.open.extend(open);
    }

    /// A file of `partition`, opened at `opened_ms`, becomes visible.
    pub(crate) fn add(&mut self, partition: &str, opened_ms: i64) {
        let first = self.open.entry(partition.to_owned()).or_insert(opened_ms);
        *first = opened_ms.min(*first);
    }

    /// A writer says how far it is.
    pub(crate) fn advance(&mut self, progress: WriterProgress) {
        if self.writers.values().any(|other| other.parallelism != progress.parallelism) {
            self.writers.clear();
        }
        self.writers.insert(progress.subtask, progress);
    }

    /// The partitions that are complete now.
    pub(crate) fn complete(&self) -> Vec<String> {
        let Some(slowest) = self.slowest() else { return Vec::new() };
        let complete = self.open.iter().filter(|(partition, opened_ms)| {
            is_complete(&self.trigger, &self.keys, &self.null_partition, partition, **opened_ms, slowest)
        });
        complete.map(|(partition, _)| partition.clone()).collect()
    }

    /// `partition` was marked complete.
    pub(crate) fn remove(&mut self, partition: &str) {
        self.open.remove(partition);
    }

    /// The least watermark and time over all writers; `None` while one has not said anything.
    fn slowest(&self) -> Option<Moment> {
        let parallelism = self.writers.values().next()?.parallelism;
        if (self.writers.len() as u64) < u64::from(parallelism) {
            return None;
        }
        let watermark_ms = self.writers.values().map(|writer| writer.watermark_ms).min()?;
        let time_ms = self.writers.values().map(|writer| writer.time_ms).min()?;
        Some(Moment { watermark_ms, time_ms })
    }
}

/// Where a writer, or the slowest of all, is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// The watermark in milliseconds; `i64::MAX` at the end of input.
    pub(crate) watermark_ms: i64,
    /// Milliseconds since 1970-01-01 UTC.
    pub(crate) time_ms: i64,
}

/// Whether `partition`, whose first file was opened at `opened_ms`, is complete at `moment`. At the end of input all are.
pub(crate) fn is_complete(
    trigger: &CommitTrigger,
    keys: &[String],
    null_partition: &str,
    partition: &str,
    opened_ms: i64,
    moment: Moment,
) -> bool {
    if moment.watermark_ms == i64::MAX {
        return true;
    }
    match trigger {
        CommitTrigger::ProcessTime { delay_ms } => moment.time_ms >= opened_ms.saturating_add(*delay_ms),
        CommitTrigger::PartitionTime { delay_ms, extractor, zone } => {
            let in_folder = format!("{partition}/");
            let values: Vec<Option<String>> =
                keys.iter().map(|key| value_in_path(&in_folder, key).filter(|value| value != null_partition)).collect();
            let values: Vec<Option<&str>> = values.iter().map(Option::as_deref).collect();
            // A partition that names no time is complete at the end of input only.
            let time = extractor.time_ms(&values, *zone);
            time.is_ok_and(|time_ms| moment.watermark_ms > time_ms.saturating_add(*delay_ms))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::partition_time::TimeExtractor;
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn partitions(trigger: CommitTrigger) -> OpenPartitions {
        OpenPartitions::new(trigger, vec!["dt".to_owned(), "hour".to_owned()], "none".to_owned())
    }

    fn by_partition_time(delay_ms: i64) -> CommitTrigger {
        let keys = ["dt".to_owned(), "hour".to_owned()];
        let extractor = TimeExtractor::new(Some("$dt $hour:00"), None, &keys).unwrap();
        CommitTrigger::PartitionTime { delay_ms, extractor, zone: chrono_tz::Tz::UTC }
    }

    fn writer(subtask: u32, watermark_ms: i64, time_ms: i64) -> WriterProgress {
        WriterProgress { subtask, parallelism: 2, watermark_ms, time_ms }
    }

    #[test]
    fn a_partition_is_complete_when_every_watermark_has_passed_its_time_and_the_delay() {
        let mut all = partitions(by_partition_time(HOUR));
        all.add("dt=1970-01-01/hour=0", 0);
        all.add("dt=1970-01-01/hour=1", 0);
        all.advance(writer(0, 3 * HOUR, 0));
        assert!(all.complete().is_empty(), "the other writer has said nothing");
        all.advance(writer(1, HOUR, 0));
        assert!(all.complete().is_empty(), "a row at that very time may come");
        all.advance(writer(1, HOUR + 1, 0));
        assert_eq!(all.complete(), ["dt=1970-01-01/hour=0"]);
        all.remove("dt=1970-01-01/hour=0");
        assert!(all.complete().is_empty());
        all.add("dt=1970-01-01/hour=0", 5);
        assert_eq!(all.complete(), ["dt=1970-01-01/hour=0"], "a late file makes it incomplete again");
    }

    #[test]
    fn a_partition_is_complete_a_delay_after_its_first_file() {
        let mut all = partitions(CommitTrigger::ProcessTime { delay_ms: 100 });
        all.add("a", 1_050);
        all.add("a", 1_000);
        all.advance(writer(0, 0, 1_100));
        all.advance(writer(1, 0, 1_099));
        assert!(all.complete().is_empty());
        all.advance(writer(1, 0, 1_100));
        assert_eq!(all.complete(), ["a"]);
    }

    #[test]
    fn the_end_of_input_completes_all_even_those_without_a_time() {
        let mut all = partitions(by_partition_time(HOUR));
        all.add("dt=none/hour=7", 0);
        all.add("dt=3000-01-01/hour=7", 0);
        all.advance(writer(0, i64::MAX, 0));
        all.advance(writer(1, i64::MAX - 1, 0));
        assert_eq!(all.complete(), ["dt=3000-01-01/hour=7"]);
        all.advance(writer(1, i64::MAX, 0));
        assert_eq!(all.complete().len(), 2);
    }

    #[test]
    fn writers_of_another_parallelism_are_forgotten() {
        let mut all = partitions(CommitTrigger::ProcessTime { delay_ms: 0 });
        all.add("a", 0);
        all.advance(writer(0, 0, 5));
        all.advance(WriterProgress { parallelism: 1, ..writer(0, 0, 5) });
        assert_eq!(all.complete(), ["a"]);
    }
}
