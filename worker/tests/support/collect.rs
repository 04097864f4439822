//! A sink that keeps the rows it is given, or misbehaves.

use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use arrow::array::cast::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use millstream_engine::batch::EventBatch;
use millstream_engine::error::{Error, Result};
use millstream_engine::io::sink::{Committable, Committer, Sink, SinkWriter, WriterContext};
use millstream_engine::operators::ProcessingTime;

/// What the sink does with rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Behaviour {
    #[default]
    Keep,
    Block,
    Fail(&'static str),
    Panic,
}

/// Rows of integers, from all subtasks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Collected {
    behaviour: Behaviour,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    kept: Mutex<Kept>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Kept {
    rows: Vec<Vec<i64>>,
    committed: bool,
}

impl Collected {
    pub(crate) fn new(behaviour: Behaviour) -> Self {
        Self { behaviour, shared: Arc::default() }
    }

    pub(crate) fn sorted(&self) -> Vec<Vec<i64>> {
        let mut rows = self.shared.kept.lock().unwrap().rows.clone();
        rows.sort();
        rows
    }

    pub(crate) fn was_committed(&self) -> bool {
        self.shared.kept.lock().unwrap().committed
    }

    /// Whether so many rows are there before the deadline.
    pub(crate) fn wait_for_rows(&self, rows: usize, deadline: Duration) -> bool {
        let kept = self.shared.kept.lock().unwrap();
        let (kept, _) = self.shared.arrived.wait_timeout_while(kept, deadline, |kept| kept.rows.len() < rows).unwrap();
        kept.rows.len() >= rows
    }
}

impl Sink for Collected {
    fn create_writer(&self, _: WriterContext) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(self.clone()))
    }

    fn create_committer(&self) -> Result<Option<Box<dyn Committer>>> {
        Ok(Some(Box::new(self.clone())))
    }
}

impl Committer for Collected {
    fn commit(&mut self, committables: &[Committable]) -> Result<()> {
        assert!(!committables.is_empty());
        self.shared.kept.lock().unwrap().committed = true;
        Ok(())
    }
}

impl SinkWriter for Collected {
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        if self.behaviour == Behaviour::Block { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn write(&mut self, batch: EventBatch, _: ProcessingTime) -> Result<()> {
        match self.behaviour {
            Behaviour::Keep | Behaviour::Block => {}
            Behaviour::Fail(message) => return Err(Error::Invalid(message.to_owned())),
            Behaviour::Panic => panic!("on purpose"),
        }
        let columns: Vec<_> =
            batch.rows.columns().iter().map(|column| cast(column, &DataType::Int64).unwrap()).collect();
        let mut kept = self.shared.kept.lock().unwrap();
        for row in 0..batch.num_rows() {
            kept.rows.push(columns.iter().map(|column| column.as_primitive::<Int64Type>().value(row)).collect());
        }
        self.shared.arrived.notify_all();
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        0
    }

    fn close(&mut self, _: ProcessingTime) -> Result<()> {
        Ok(())
    }

    fn poll_closed(&mut self, _: &mut Context<'_>) -> Poll<Result<Vec<Committable>>> {
        Poll::Ready(Ok(vec![Committable("all".to_owned())]))
    }
}
