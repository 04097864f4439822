//! The writer that keeps nothing.

use std::task::{Context, Poll};

use millstream_engine::batch::EventBatch;
use millstream_engine::error::Result;
use millstream_engine::io::sink::{Committable, Committer, Sink, SinkWriter, WriterContext};
use millstream_engine::operators::ProcessingTime;

/// Takes rows of any kind and drops them.
#[derive(Debug)]
pub struct BlackholeSink;

impl Sink for BlackholeSink {
    fn create_writer(&self, _: WriterContext) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(BlackholeWriter))
    }

    fn create_committer(&self) -> Result<Option<Box<dyn Committer>>> {
        Ok(None)
    }
}

#[derive(Debug)]
struct BlackholeWriter;

impl SinkWriter for BlackholeWriter {
    fn write(&mut self, _: EventBatch, _: ProcessingTime) -> Result<()> {
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        0
    }

    fn close(&mut self, _: ProcessingTime) -> Result<()> {
        Ok(())
    }

    fn poll_closed(&mut self, _: &mut Context<'_>) -> Poll<Result<Vec<Committable>>> {
        Poll::Ready(Ok(Vec::new()))
    }
}
