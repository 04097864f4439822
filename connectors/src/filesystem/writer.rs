//! Writes rows into part files.
//!
//! ```text
//!   batch ─► by partition ─► encoder ─► buffer of the open part ─► Lane ─► hidden file
//!                                                                             │ full, old, idle, or closed
//!                                                                             ▼
//!                                                        committable: rename it, when that is safe
//! ```
//!
//! One part is open per partition. A part rolls when it is full, has been open or idle for too long, when too many are open,
//! and when everything is closed at a barrier or at the end.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::{Context, Poll};

use millstream_engine::batch::{EventBatch, RowKind};
use millstream_engine::element::Watermark;
use millstream_engine::error::{Error, Result};
use millstream_engine::io::sink::{CommitSender, Committable, SinkWriter, WriterContext};
use millstream_engine::memory;
use millstream_engine::operators::ProcessingTime;

use super::committable::{WriterProgress, Written, WrittenFile};
use super::encoding::{PartEncoder, PartFormat};
use super::options::{PartitionCommit, RollingPolicy};
use super::part::{PartCommand, PartDone, PartFiles, PartId};
use super::partition_commit::{Moment, is_complete};
use super::partition_rows::{PartitionColumns, PartitionRows};
use crate::blocking::Lane;

/// How many bytes of a part are collected before they go to the IO thread.
const BUFFER_BYTES: usize = 128 * 1024;
/// How many bytes may wait for the IO thread.
const WAITING_BYTES: usize = 8 * 1024 * 1024;
/// How many buffers are kept for reuse.
const SPARE_BUFFERS: usize = 16;
/// How long to wait before looking whether parts that were rolled are safe, in milliseconds.
const LOOK_AGAIN_MS: i64 = 20;

/// What all writers of a sink know.
#[derive(Debug, Clone)]
pub(crate) struct WriterPlan {
    /// Which columns are folders.
    pub(crate) columns: PartitionColumns,
    /// How rows become bytes.
    pub(crate) format: PartFormat,
    /// When a part is full.
    pub(crate) rolling: RollingPolicy,
    /// When a partition is complete.
    pub(crate) commit: Option<PartitionCommit>,
    /// The partition columns.
    pub(crate) keys: Vec<String>,
    /// The folder's name that stands for null.
    pub(crate) null_partition: String,
}

/// The writer of one subtask.
#[derive(Debug)]
pub(crate) struct FileWriter {
    plan: WriterPlan,
    subtask: u32,
    parallelism: u32,
    attempt: Arc<str>,
    commits: Arc<dyn CommitSender>,
    lane: Lane<PartFiles>,
    open: HashMap<Arc<str>, OpenPart>,
    /// Parts that were rolled and are not safe yet.
    closing: HashMap<PartId, ClosingPart>,
    /// What is safe and was not handed out.
    safe: Vec<Committable>,
    spare: Vec<Vec<u8>>,
    next_part: u64,
    watermark_ms: i64,
    now: ProcessingTime,
    next_check: Option<ProcessingTime>,
    /// To be told once all that is closing is safe.
    progress_due: bool,
}

/// A part that rows are written to.
#[derive(Debug)]
struct OpenPart {
    id: PartId,
    encoder: PartEncoder,
    buffer: Vec<u8>,
    /// How many bytes went to the IO thread.
    bytes: u64,
    opened: ProcessingTime,
    written: ProcessingTime,
}

/// A part that is on its way.
#[derive(Debug)]
struct ClosingPart {
    partition: Arc<str>,
    opened: ProcessingTime,
}

impl FileWriter {
    /// A writer that sends what it writes to `files`.
    pub(crate) fn new(plan: WriterPlan, files: PartFiles, context: WriterContext) -> Self {
        Self {
            plan,
            subtask: context.subtask,
            parallelism: context.parallelism,
            attempt: context.attempt,
            commits: context.commits,
            lane: Lane::new(files, WAITING_BYTES, context.io),
            open: HashMap::new(),
            closing: HashMap::new(),
            safe: Vec::new(),
            spare: Vec::new(),
            next_part: 0,
            watermark_ms: i64::MIN,
            now: ProcessingTime(0),
            next_check: None,
            progress_due: false,
        }
    }

    fn append(&mut self, part: PartitionRows) -> Result<()> {
        let PartitionRows { partition, rows } = part;
        if !self.open.contains_key(&partition) {
            self.begin(&partition)?;
        }
        let Some(open) = self.open.get_mut(&partition) else {
            return Err(Error::internal("a part that was just opened is not open"));
        };
        open.encoder.encode(&rows, &mut open.buffer)?;
        open.written = self.now;
        let bytes = open.bytes + open.buffer.len() as u64;
        if bytes >= self.plan.rolling.file_bytes {
            self.roll(&partition)
        } else {
            if open.buffer.len() >= BUFFER_BYTES {
                send_buffer(open, &mut self.spare, &self.lane);
            }
            Ok(())
        }
    }

    fn begin(&mut self, partition: &Arc<str>) -> Result<()> {
        // The one that was written longest ago makes room.
        if self.open.len() >= self.plan.format.most_open()
            && let Some(oldest) = self.open.iter().min_by_key(|(name, part)| (part.written, Arc::clone(name)))
        {
            let oldest = Arc::clone(oldest.0);
            self.roll(&oldest)?;
        }
        let id = PartId(self.next_part);
        self.next_part += 1;
        self.lane.push(PartCommand::Open(id, Arc::clone(partition)), 0);
        let mut buffer = self.spare.pop().unwrap_or_default();
        let encoder = self.plan.format.begin(self.plan.columns.file_schema(), &mut buffer)?;
        let part = OpenPart { id, encoder, buffer, bytes: 0, opened: self.now, written: self.now };
        self.open.insert(Arc::clone(partition), part);
        self.next_check.get_or_insert(self.in_ms(self.plan.rolling.check_ms));
        Ok(())
    }

    /// Ends the part of `partition`.
    fn roll(&mut self, partition: &Arc<str>) -> Result<()> {
        let Some(mut part) = self.open.remove(partition) else { return Ok(()) };
        part.encoder.finish(&mut part.buffer)?;
        send_buffer(&mut part, &mut self.spare, &self.lane);
        self.lane.push(PartCommand::Close(part.id), 0);
        keep(&mut self.spare, part.buffer);
        self.closing.insert(part.id, ClosingPart { partition: Arc::clone(partition), opened: part.opened });
        Ok(())
    }

    fn roll_those(&mut self, ended: impl Fn(&Self, &str, &OpenPart) -> bool) -> Result<()> {
        let ended = self.open.iter().filter(|(name, part)| ended(self, name, part));
        let mut ended: Vec<_> = ended.map(|(name, _)| Arc::clone(name)).collect();
        ended.sort();
        ended.iter().try_for_each(|name| self.roll(name))
    }

    /// The two intervals, and partitions that are complete.
    fn check(&mut self) -> Result<()> {
        let rolling = self.plan.rolling;
        let now = self.now.0;
        self.roll_those(|_, _, part| {
            now.saturating_sub(part.opened.0) >= rolling.rollover_ms
                || now.saturating_sub(part.written.0) >= rolling.inactivity_ms
        })?;
        if self.plan.commit.is_some() && self.commits.at_once() {
            self.roll_those(Self::is_complete)?;
            self.progress_due = true;
        }
        let more = !self.open.is_empty() || (self.plan.commit.is_some() && self.commits.at_once());
        self.next_check = more.then(|| self.in_ms(rolling.check_ms));
        Ok(())
    }

    fn is_complete(&self, partition: &str, part: &OpenPart) -> bool {
        let Some(commit) = &self.plan.commit else { return false };
        let moment = Moment { watermark_ms: self.watermark_ms, time_ms: self.now.0 };
        let (keys, null) = (&self.plan.keys, &self.plan.null_partition);
        is_complete(&commit.trigger, keys, null, partition, part.opened.0, moment)
    }

    /// Takes in what the IO thread has done.
    fn collect(&mut self) -> Result<()> {
        for done in self.lane.take_done() {
            match done {
                PartDone::Buffer(buffer) => keep(&mut self.spare, buffer),
                PartDone::Closed { part, from, to } => {
                    let Some(closing) = self.closing.remove(&part) else {
                        return Err(Error::internal(format!("part {} was closed twice", part.0)));
                    };
                    let file = WrittenFile {
                        from: utf8(from)?,
                        to: utf8(to)?,
                        partition: closing.partition.to_string(),
                        attempt: self.attempt.to_string(),
                        opened_ms: closing.opened.0,
                    };
                    self.safe.push(Written::File(file).to_committable()?);
                }
            }
        }
        if self.progress_due && self.closing.is_empty() {
            self.progress_due = false;
            self.tell_progress()?;
        }
        if self.commits.at_once() && !self.safe.is_empty() {
            self.commits.send(std::mem::take(&mut self.safe));
        }
        Ok(())
    }

    fn tell_progress(&mut self) -> Result<()> {
        let progress = WriterProgress {
            subtask: self.subtask,
            parallelism: self.parallelism,
            watermark_ms: self.watermark_ms,
            time_ms: self.now.0,
        };
        self.safe.push(Written::Progress(progress).to_committable()?);
        Ok(())
    }

    fn in_ms(&self, ms: i64) -> ProcessingTime {
        ProcessingTime(self.now.0.saturating_add(ms))
    }
}

/// Hands what is collected to the IO thread.
fn send_buffer(part: &mut OpenPart, spare: &mut Vec<Vec<u8>>, lane: &Lane<PartFiles>) {
    let length = part.buffer.len();
    if length > 0 {
        let bytes = std::mem::replace(&mut part.buffer, spare.pop().unwrap_or_default());
        part.bytes += length as u64;
        lane.push(PartCommand::Write(part.id, bytes), length);
    }
}

/// Keeps a buffer for reuse, if there is room.
fn keep(spare: &mut Vec<Vec<u8>>, mut buffer: Vec<u8>) {
    if spare.len() < SPARE_BUFFERS {
        buffer.clear();
        spare.push(buffer);
    }
}

fn utf8(path: std::path::PathBuf) -> Result<String> {
    let text = path.into_os_string().into_string();
    text.map_err(|path| Error::Invalid(format!("the path {path:?} is not UTF-8; give another 'path'")))
}

impl SinkWriter for FileWriter {
    fn poll_ready(&mut self, waker_cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.collect()?;
        self.lane.poll_ready(waker_cx)
    }

    fn write(&mut self, batch: EventBatch, now: ProcessingTime) -> Result<()> {
        self.now = now;
        check_inserts(&batch)?;
        self.plan.columns.split(batch)?.into_iter().try_for_each(|part| self.append(part))
    }

    fn watermark(&mut self, watermark: Watermark, now: ProcessingTime) -> Result<()> {
        self.now = now;
        self.watermark_ms = watermark.0;
        Ok(())
    }

    fn time(&mut self, now: ProcessingTime) -> Result<()> {
        self.now = now;
        self.collect()?;
        if self.next_check.is_some_and(|check| check <= now) {
            self.check()?;
        }
        Ok(())
    }

    fn next_time(&self) -> Option<ProcessingTime> {
        let waits = !self.closing.is_empty() || self.progress_due;
        let look_again = waits.then(|| self.in_ms(LOOK_AGAIN_MS));
        look_again.into_iter().chain(self.next_check).min()
    }

    fn memory_bytes(&self) -> usize {
        let open = self.open.values().map(|part| memory::vec(&part.buffer) + part.encoder.memory_bytes());
        let spare = self.spare.iter().map(memory::vec);
        let safe = self.safe.iter().map(|of| of.0.capacity());
        open.chain(spare).chain(safe).sum::<usize>() + self.lane.memory_bytes()
    }

    fn close(&mut self, now: ProcessingTime) -> Result<()> {
        self.now = now;
        self.roll_those(|_, _, _| true)?;
        self.next_check = None;
        self.progress_due = self.plan.commit.is_some();
        Ok(())
    }

    fn poll_closed(&mut self, waker_cx: &mut Context<'_>) -> Poll<Result<Vec<Committable>>> {
        if self.lane.poll_idle(waker_cx)?.is_pending() {
            return Poll::Pending;
        }
        self.collect()?;
        Poll::Ready(Ok(std::mem::take(&mut self.safe)))
    }
}

/// Files hold rows and cannot take one back.
fn check_inserts(batch: &EventBatch) -> Result<()> {
    let Some(kinds) = &batch.row_kinds else { return Ok(()) };
    if kinds.iter().all(|kind| *kind == RowKind::Insert as u8) {
        return Ok(());
    }
    let hint = "files can only be appended to; write to a sink that takes changes, or make the query append-only";
    Err(Error::Invalid(format!("the connector 'filesystem' was given a row that updates or deletes another: {hint}")))
}
