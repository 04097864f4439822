//! Writes batches of printed rows to the terminal.
//!
//! The slot's thread makes the text of a whole batch; one write carries it out, on an IO thread, because whoever reads our
//! output may be slow (a pager). The standard library's lock around a standard stream, held for the whole write, keeps the
//! lines of subtasks apart.

use std::io::Write;
use std::task::{Context, Poll};

use millstream_engine::batch::EventBatch;
use millstream_engine::error::{Error, Result};
use millstream_engine::io::sink::{Committable, Committer, Sink, SinkWriter, WriterContext};
use millstream_engine::operators::ProcessingTime;

use super::options::PrintOptions;
use super::text::append_rows;
use crate::blocking::{Lane, LaneWorker};

/// How many bytes of text may wait for the terminal.
const WAITING_BYTES: usize = 4 * 1024 * 1024;

/// Prints rows.
#[derive(Debug)]
pub struct PrintSink {
    options: PrintOptions,
}

impl PrintSink {
    pub(crate) fn new(options: PrintOptions) -> Self {
        Self { options }
    }

    fn prefix(&self, subtask: u32, parallelism: u32) -> String {
        let number = subtask + 1;
        match &self.options.identifier {
            Some(identifier) if parallelism > 1 => format!("{identifier}:{number}> "),
            Some(identifier) => format!("{identifier}> "),
            None if parallelism > 1 => format!("{number}> "),
            None => String::new(),
        }
    }

    fn writer(&self, context: WriterContext, stream: Stream) -> PrintWriter {
        let prefix = self.prefix(context.subtask, context.parallelism);
        PrintWriter { prefix, lane: Lane::new(stream, WAITING_BYTES, context.io) }
    }
}

impl Sink for PrintSink {
    fn create_writer(&self, context: WriterContext) -> Result<Box<dyn SinkWriter>> {
        let stream = if self.options.standard_error { Stream::Error } else { Stream::Output };
        Ok(Box::new(self.writer(context, stream)))
    }

    fn create_committer(&self) -> Result<Option<Box<dyn Committer>>> {
        Ok(None)
    }
}

#[derive(Debug)]
struct PrintWriter {
    prefix: String,
    lane: Lane<Stream>,
}

impl SinkWriter for PrintWriter {
    fn poll_ready(&mut self, waker_cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.lane.poll_ready(waker_cx)
    }

    fn write(&mut self, batch: EventBatch, _: ProcessingTime) -> Result<()> {
        let mut text = self.lane.take_done().pop().unwrap_or_default();
        text.clear();
        append_rows(&batch, &self.prefix, &mut text)?;
        let bytes = text.len();
        self.lane.push(text, bytes);
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.lane.memory_bytes()
    }

    fn close(&mut self, _: ProcessingTime) -> Result<()> {
        Ok(())
    }

    fn poll_closed(&mut self, waker_cx: &mut Context<'_>) -> Poll<Result<Vec<Committable>>> {
        self.lane.poll_idle(waker_cx).map_ok(|()| Vec::new())
    }
}

/// Where text goes.
enum Stream {
    Output,
    Error,
    #[cfg(test)]
    Test(Box<dyn Write + Send>),
}

impl LaneWorker for Stream {
    type Command = String;
    /// The text, whose memory is used again.
    type Done = String;

    fn command_bytes(text: &String) -> usize {
        text.capacity()
    }

    fn done_bytes(text: &String) -> usize {
        text.capacity()
    }

    fn run(&mut self, text: String) -> Result<Option<String>> {
        let (name, written) = match self {
            Self::Output => ("standard output", write(&mut std::io::stdout().lock(), &text)),
            Self::Error => ("standard error", write(&mut std::io::stderr().lock(), &text)),
            #[cfg(test)]
            Self::Test(stream) => ("the test", write(stream, &text)),
        };
        written.map_err(|error| Error::io(format!("printing to {name}"), error))?;
        Ok(Some(text))
    }
}

fn write(stream: &mut dyn Write, text: &str) -> std::io::Result<()> {
    stream.write_all(text.as_bytes())?;
    stream.flush()
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stream")
    }
}

#[cfg(test)]
mod tests;
