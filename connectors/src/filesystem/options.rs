//! The options of `filesystem`. A table may be read and written, so both sides read all of them.

use std::time::Duration;

use chrono_tz::Tz;

use super::enumerator::FileSet;
use super::files::{Location, PathPattern};
use super::partition_time::{DateTimePattern, TimeExtractor};
use crate::formats::FormatSpec;
use crate::{Options, Result, TableSpec};

/// What the options say.
#[derive(Debug, Clone)]
pub(crate) struct FilesystemOptions {
    /// `path`, `source.path.regex-pattern`, `source.monitor-interval`.
    pub(crate) files: FileSet,
    /// `format`, and the format's own options.
    pub(crate) format: FormatSpec,
    /// `partition.default-name`: the folder's name that stands for null.
    pub(crate) null_partition: String,
    /// `sink.rolling-policy.*`.
    pub(crate) rolling: RollingPolicy,
    /// `sink.partition-commit.*` and `partition.time-extractor.*`.
    pub(crate) commit: Option<PartitionCommit>,
}

/// When a part file is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RollingPolicy {
    /// `.file-size`: when it has so many bytes. Default 128 MB.
    pub(crate) file_bytes: u64,
    /// `.rollover-interval`: when it has been open so long, in milliseconds. Default 30 minutes.
    pub(crate) rollover_ms: i64,
    /// `.inactivity-interval`: when nothing was written to it for so long, in milliseconds. Default 30 minutes.
    pub(crate) inactivity_ms: i64,
    /// `.check-interval`: how often the two intervals are looked at, in milliseconds. Default 1 minute.
    pub(crate) check_ms: i64,
}

/// When a partition is complete, and how that is shown.
#[derive(Debug, Clone)]
pub(crate) struct PartitionCommit {
    /// `.trigger` and `.delay`.
    pub(crate) trigger: CommitTrigger,
    /// `.success-file.name`. Default `_SUCCESS`.
    pub(crate) success_file: String,
}

/// What makes a partition complete.
#[derive(Debug, Clone)]
pub(crate) enum CommitTrigger {
    /// `process-time`: so many milliseconds after its first file. Default, with 0.
    ProcessTime {
        /// In milliseconds.
        delay_ms: i64,
    },
    /// `partition-time`: when the watermark has passed the time that its values name, and the delay.
    PartitionTime {
        /// In milliseconds.
        delay_ms: i64,
        /// How the values name a time.
        extractor: TimeExtractor,
        /// The zone of that time.
        zone: Tz,
    },
}

impl FilesystemOptions {
    pub(crate) fn read(table: &TableSpec) -> Result<Self> {
        let mut options = Options::of(table);
        let files = read_files(&mut options)?;
        let format = FormatSpec::read(&mut options, None)?;
        let null_partition = options.text("partition.default-name").unwrap_or("__HIVE_DEFAULT_PARTITION__").to_owned();
        let rolling = read_rolling(&mut options)?;
        let commit = read_commit(&mut options, table)?;
        check_partition_keys(&options, table)?;
        options.finish()?;
        Ok(Self { files, format, null_partition, rolling, commit })
    }
}

fn read_files(options: &mut Options<'_>) -> Result<FileSet> {
    let path = options.required("path")?;
    let location = Location::parse(path).map_err(|error| options.refuse("path", path, &error.to_string()))?;
    let pattern = match options.text("source.path.regex-pattern") {
        Some(text) => Some(PathPattern::parse(text).map_err(|error| {
            options.refuse("source.path.regex-pattern", text, &format!("it is not a regular expression ({error})"))
        })?),
        None => None,
    };
    let monitor_ms = match options.duration("source.monitor-interval")? {
        Some(Duration::ZERO) => {
            return Err(options.refuse("source.monitor-interval", "0", "it should be longer than nothing"));
        }
        Some(interval) => Some(milliseconds(interval)),
        None => None,
    };
    Ok(FileSet { location, pattern, monitor_ms })
}

fn read_rolling(options: &mut Options<'_>) -> Result<RollingPolicy> {
    const MINUTE: Duration = Duration::from_secs(60);
    let file_bytes = options.bytes("sink.rolling-policy.file-size")?.unwrap_or(128 << 20);
    let rollover = options.duration("sink.rolling-policy.rollover-interval")?.unwrap_or(30 * MINUTE);
    let inactivity = options.duration("sink.rolling-policy.inactivity-interval")?.unwrap_or(30 * MINUTE);
    let check = options.duration("sink.rolling-policy.check-interval")?.unwrap_or(MINUTE);
    if check.is_zero() {
        return Err(options.refuse("sink.rolling-policy.check-interval", "0", "it should be longer than nothing"));
    }
    Ok(RollingPolicy {
        file_bytes,
        rollover_ms: milliseconds(rollover),
        inactivity_ms: milliseconds(inactivity),
        check_ms: milliseconds(check),
    })
}

fn read_commit(options: &mut Options<'_>, table: &TableSpec) -> Result<Option<PartitionCommit>> {
    const KIND: &str = "sink.partition-commit.policy.kind";
    const SUCCESS: &str = "sink.partition-commit.success-file.name";
    let kind = options.text(KIND);
    let success_file = options.text(SUCCESS).unwrap_or("_SUCCESS").to_owned();
    let trigger = read_trigger(options, table)?;
    match kind {
        None => return Ok(None),
        Some("success-file") => {}
        Some(other) => return Err(options.refuse(KIND, other, "only 'success-file' is supported")),
    }
    if table.partition_keys.is_empty() {
        return Err(options.refuse(KIND, "success-file", "the table has no PARTITIONED BY"));
    }
    if success_file.is_empty() || success_file.contains('/') {
        return Err(options.refuse(SUCCESS, &success_file, "it should be a file's name"));
    }
    Ok(Some(PartitionCommit { trigger, success_file }))
}

fn read_trigger(options: &mut Options<'_>, table: &TableSpec) -> Result<CommitTrigger> {
    const TRIGGER: &str = "sink.partition-commit.trigger";
    let delay_ms = milliseconds(options.duration("sink.partition-commit.delay")?.unwrap_or(Duration::ZERO));
    let extractor = read_extractor(options, table)?;
    let zone = read_zone(options)?;
    match options.text(TRIGGER).unwrap_or("process-time") {
        "process-time" => Ok(CommitTrigger::ProcessTime { delay_ms }),
        "partition-time" => Ok(CommitTrigger::PartitionTime { delay_ms, extractor, zone }),
        other => Err(options.refuse(TRIGGER, other, "it should be 'process-time' or 'partition-time'")),
    }
}

fn read_extractor(options: &mut Options<'_>, table: &TableSpec) -> Result<TimeExtractor> {
    const KIND: &str = "partition.time-extractor.kind";
    const PATTERN: &str = "partition.time-extractor.timestamp-pattern";
    const FORMATTER: &str = "partition.time-extractor.timestamp-formatter";
    if let Some(other) = options.text(KIND).filter(|kind| *kind != "default") {
        return Err(options.refuse(KIND, other, "only 'default' is supported"));
    }
    let formatter = match options.text(FORMATTER) {
        Some(text) => Some(DateTimePattern::parse(text).map_err(|why| options.refuse(FORMATTER, text, &why))?),
        None => None,
    };
    let pattern = options.text(PATTERN);
    TimeExtractor::new(pattern, formatter, &table.partition_keys)
        .map_err(|why| options.refuse(PATTERN, pattern.unwrap_or_default(), &why))
}

fn read_zone(options: &mut Options<'_>) -> Result<Tz> {
    const ZONE: &str = "sink.partition-commit.watermark-time-zone";
    let Some(text) = options.text(ZONE) else { return Ok(Tz::UTC) };
    text.parse().map_err(|_| options.refuse(ZONE, text, "it should be a time zone such as 'Europe/Zurich' or 'UTC'"))
}

fn check_partition_keys(options: &Options<'_>, table: &TableSpec) -> Result<()> {
    let physical = table.physical_schema();
    if let Some(unknown) = table.partition_keys.iter().find(|key| physical.field_with_name(key).is_err()) {
        return Err(options.error(format!("PARTITIONED BY (`{unknown}`): there is no such column")));
    }
    if !table.partition_keys.is_empty() && table.partition_keys.len() == physical.fields().len() {
        return Err(options.error("PARTITIONED BY names all columns; at least one must be left for the files"));
    }
    Ok(())
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
