//! Reads a connection, and connects again if it may.

use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use millstream_engine::error::{Error, Result};
use millstream_engine::io::source::{IoRuntime, SourceEvent, SourceReader, Split};
use millstream_engine::operators::ProcessingTime;

use super::connection::{Delimiter, HangUp, SocketBytes};
use super::source::SocketPlan;
use crate::blocking::{Buffers, ChunkReader, Pump};
use crate::formats::Format;
use crate::records::{Completion, Progress, RecordReader, RecordSettings};

/// How long to wait before connecting again, in milliseconds.
const RETRY_AFTER_MS: i64 = 500;

/// The reader; one of a job's has the split.
#[derive(Debug)]
pub(crate) struct SocketReader {
    plan: Arc<SocketPlan>,
    io: Arc<dyn IoRuntime>,
    buffers: Buffers,
    split: Option<Arc<str>>,
    /// Rows that were given out, by all connections.
    rows: u64,
    state: State,
    retries: u32,
    asked: bool,
    no_more: bool,
}

#[derive(Debug)]
enum State {
    /// Connect with the next call.
    Closed,
    /// Connect at that time.
    Waiting(ProcessingTime),
    /// Rows come, or the connection is being made.
    Open(Connection),
}

/// Dropping it hangs up.
#[derive(Debug)]
struct Connection {
    records: Box<RecordReader<SocketBytes>>,
    hang_up: Arc<HangUp>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.hang_up.hang_up();
    }
}

impl SocketReader {
    pub(crate) fn new(plan: Arc<SocketPlan>, io: Arc<dyn IoRuntime>) -> Self {
        Self {
            plan,
            io,
            buffers: Buffers::default(),
            split: None,
            rows: 0,
            state: State::Closed,
            retries: 0,
            asked: false,
            no_more: false,
        }
    }

    fn connect(&self, split: &Arc<str>) -> Result<Connection> {
        let options = &self.plan.options;
        let hang_up = Arc::new(HangUp::default());
        let bytes = SocketBytes::new(&options.hostname, options.port, self.delimiter(), Arc::clone(&hang_up));
        let pump = Pump::new(ChunkReader::new(bytes, self.buffers.clone()), Arc::clone(&self.io));
        let settings = RecordSettings { bad_rows: options.format.bad_rows, watermark_rows: None };
        let start = Progress { offset: 0, rows: self.rows };
        let decoder = self.plan.decoder()?;
        let records = RecordReader::new(Arc::clone(split), settings, decoder, pump, self.buffers.clone(), start)
            .completed_by(self.completion());
        Ok(Connection { records: Box::new(records), hang_up })
    }

    /// In JSON a line feed between values means what a blank means. In raw text it is put back by [`Self::completion`].
    fn delimiter(&self) -> Delimiter {
        let byte = self.plan.options.delimiter;
        Delimiter { byte, line_feed: if self.is_raw() { byte } else { b' ' } }
    }

    fn is_raw(&self) -> bool {
        matches!(self.plan.options.format.format, Format::Raw)
    }

    /// Puts back the line feeds inside of raw records, which stand there as the delimiter, and looks for rows without a time.
    fn completion(&self) -> Completion {
        let delimiter = self.plan.options.delimiter;
        let has_line_feeds = delimiter != b'\n' && self.is_raw();
        let time_check = self.plan.time_check.clone();
        Box::new(move |mut decoded| {
            if has_line_feeds {
                decoded.rows = replace(&decoded.rows, delimiter)?;
                if let Some(rows) = &mut decoded.watermark_rows {
                    *rows = replace(rows, delimiter)?;
                }
            }
            match &time_check {
                Some(check) => check.apply(decoded),
                None => Ok(decoded),
            }
        })
    }

    /// The connection has ended, in order or not: connect again, or end.
    fn ended(&mut self, now: ProcessingTime, error: Option<Error>) -> Result<Option<SourceEvent>> {
        self.state = State::Closed;
        if self.plan.options.max_retries.is_none_or(|most| self.retries < most) {
            if let Some(error) = error {
                tracing::warn!(%error, "the connection failed; trying again");
            }
            self.retries = self.retries.saturating_add(1);
            self.state = State::Waiting(ProcessingTime(now.0.saturating_add(RETRY_AFTER_MS)));
            return Ok(None);
        }
        match error {
            Some(error) => Err(error),
            None => Ok(self.split.take().map(SourceEvent::SplitFinished)),
        }
    }

    fn poll_connection(&mut self, now: ProcessingTime, cx: &Context<'_>) -> Poll<Result<SourceEvent>> {
        let State::Open(connection) = &mut self.state else { return Poll::Pending };
        let ended = match connection.records.poll_next(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(Some(rows))) => {
                self.rows = rows.split_rows;
                return Poll::Ready(Ok(SourceEvent::Rows(rows)));
            }
            Poll::Ready(Ok(None)) => self.ended(now, None),
            Poll::Ready(Err(error @ Error::Io { .. })) => self.ended(now, Some(error)),
            Poll::Ready(Err(error)) => Err(error),
        };
        match ended {
            Ok(Some(event)) => Poll::Ready(Ok(event)),
            Ok(None) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

fn replace(rows: &RecordBatch, delimiter: u8) -> Result<RecordBatch> {
    let column = |column: &ArrayRef| -> ArrayRef {
        let text = |value: &str| value.replace(char::from(delimiter), "\n");
        let bytes = |value: &[u8]| -> Vec<u8> {
            value.iter().map(|byte| if *byte == delimiter { b'\n' } else { *byte }).collect()
        };
        match column.data_type() {
            DataType::Utf8 => {
                Arc::new(column.as_string::<i32>().iter().map(|value| value.map(text)).collect::<StringArray>())
            }
            DataType::Binary => {
                Arc::new(column.as_binary::<i32>().iter().map(|value| value.map(bytes)).collect::<BinaryArray>())
            }
            // Raw text has no other column.
            _ => Arc::clone(column),
        }
    };
    let columns = rows.columns().iter().map(column).collect();
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    Ok(RecordBatch::try_new_with_options(rows.schema(), columns, &options)?)
}

impl SourceReader for SocketReader {
    fn add_split(&mut self, split: Split) -> Result<()> {
        self.rows = split.rows;
        self.split = Some(split.id);
        self.asked = false;
        Ok(())
    }

    fn no_more_splits(&mut self) {
        self.no_more = true;
    }

    fn poll_next(&mut self, now: ProcessingTime, waker_cx: &mut Context<'_>) -> Poll<Result<SourceEvent>> {
        let Some(split) = &self.split else {
            if self.no_more {
                return Poll::Ready(Ok(SourceEvent::EndOfInput));
            }
            if self.asked {
                return Poll::Pending;
            }
            self.asked = true;
            return Poll::Ready(Ok(SourceEvent::NeedSplit));
        };
        match self.state {
            State::Waiting(time) if now < time => return Poll::Pending,
            State::Waiting(_) | State::Closed => self.state = State::Open(self.connect(split)?),
            State::Open(_) => {}
        }
        self.poll_connection(now, waker_cx)
    }

    fn next_time(&self) -> Option<ProcessingTime> {
        match self.state {
            State::Waiting(time) => Some(time),
            State::Closed | State::Open(_) => None,
        }
    }

    fn memory_bytes(&self) -> usize {
        let connection = match &self.state {
            State::Closed | State::Waiting(_) => 0,
            State::Open(connection) => connection.records.memory_bytes(),
        };
        self.buffers.memory_bytes() + connection
    }

    fn snapshot(&self) -> Vec<Split> {
        let split = |id: &Arc<str>| Split { id: Arc::clone(id), position: String::new(), rows: self.rows };
        self.split.iter().map(split).collect()
    }
}
