//! Tasks in the thread of a slot.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use millstream_engine::batch::EventBatch;
use millstream_engine::element::StreamElement;
use millstream_engine::error::Result;
use millstream_engine::io::sink::{CommitSender, Committable, SinkWriter};
use millstream_engine::operators::ProcessingTime;
use millstream_engine::operators::chain::{ChainLink, OperatorChain};
use millstream_engine::operators::sink::SinkOperator;
use millstream_graph::{AttemptId, JobId, SubtaskId};
use millstream_protocol::message::{JobRef, TaskId};
use millstream_worker::clock::SystemClock;
use millstream_worker::exchange::{ChannelSender, Outputs, gate};
use millstream_worker::slot::{Command, Outcome, SlotTask, SlotThread, TaskEvent, TaskNews};
use millstream_worker::task::{GateInput, Task, TaskInput};
use tokio::sync::{mpsc, watch};

/// Panics at the first row, if it is told to.
struct Writer {
    panics: bool,
}

impl SinkWriter for Writer {
    fn write(&mut self, _: EventBatch, _: ProcessingTime) -> Result<()> {
        assert!(!self.panics, "on purpose");
        Ok(())
    }

    fn close(&mut self, _: ProcessingTime) -> Result<()> {
        Ok(())
    }

    fn poll_closed(&mut self, _: &mut Context<'_>) -> Poll<Result<Vec<Committable>>> {
        Poll::Ready(Ok(Vec::new()))
    }

    fn memory_bytes(&self) -> usize {
        0
    }
}

#[derive(Debug)]
struct NoCommits;

impl CommitSender for NoCommits {
    fn send(&self, _: Vec<Committable>) {}
}

/// A task that writes one row, and ends then if `ends`.
fn task(panics: bool, ends: bool) -> (Task, Vec<ChannelSender>) {
    task_of(Box::new(Writer { panics }), ends)
}

fn task_of(writer: Box<dyn SinkWriter>, ends: bool) -> (Task, Vec<ChannelSender>) {
    let (input, senders) = gate(1);
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let rows = RecordBatch::try_from_iter([("n", column)]).unwrap();
    senders[0].send(StreamElement::Batch(EventBatch::inserts(rows)));
    if ends {
        senders[0].send(StreamElement::EndOfInput);
    }
    let operator = Box::new(SinkOperator::new(writer, Arc::new(NoCommits)));
    let chain = OperatorChain::new(vec![ChainLink { operator, metrics: Arc::default(), routes: Vec::new() }]);
    let input = TaskInput::Gate(Box::new(GateInput::new(input, 1)));
    (Task::new(input, chain, Outputs::new(Vec::new()), Arc::new(SystemClock::default())), senders)
}

fn id(subtask: u32) -> TaskId {
    let of = SubtaskId { vertex: 0, subtask };
    TaskId { job: JobRef { job: JobId::from_bits(1), epoch: 1 }, attempt: AttemptId { of, number: 0 } }
}

/// The next task that has ended, and how.
async fn next_end(heard: &mut mpsc::Receiver<TaskEvent>) -> (TaskId, Outcome) {
    loop {
        let TaskEvent { task, what } = heard.recv().await.unwrap();
        match what {
            TaskNews::Running => {}
            TaskNews::Ended(outcome) => return (task, outcome),
        }
    }
}

#[test]
fn a_panic_fails_its_task_and_not_the_others_of_the_slot() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let slot = SlotThread::start(0).unwrap();
        let (events, mut heard) = mpsc::channel(16);
        let (command, commands) = watch::channel(Command::Run);
        let mut channels = Vec::new();
        for (number, (panics, ends)) in (0..).zip([(true, true), (false, true), (false, false)]) {
            let (task, senders) = task(panics, ends);
            channels.push(senders);
            let (command, events) = (commands.clone(), events.clone());
            slot.run(SlotTask { id: id(number), task, times: Arc::default(), command, events }).await.unwrap();
        }
        let mut ended = vec![next_end(&mut heard).await, next_end(&mut heard).await];
        ended.sort_by_key(|(task, _)| *task);
        assert!(
            matches!(&ended[0], (task, Outcome::Failed(error))
            if *task == id(0) && error.to_string().contains("a task panicked: on purpose")),
            "{ended:?}"
        );
        assert!(matches!(&ended[1], (task, Outcome::Finished(_)) if *task == id(1)), "{ended:?}");
        command.send(Command::Cancel).unwrap();
        let (task, outcome) = next_end(&mut heard).await;
        assert!(task == id(2) && matches!(outcome, Outcome::Cancelled), "{outcome:?}");
    });
}

/// A task whose writer panics when it goes.
fn task_that_goes_badly() -> (Task, Vec<ChannelSender>) {
    struct Goes(Writer);

    impl SinkWriter for Goes {
        fn write(&mut self, batch: EventBatch, now: ProcessingTime) -> Result<()> {
            self.0.write(batch, now)
        }

        fn close(&mut self, now: ProcessingTime) -> Result<()> {
            self.0.close(now)
        }

        fn poll_closed(&mut self, waker_cx: &mut Context<'_>) -> Poll<Result<Vec<Committable>>> {
            self.0.poll_closed(waker_cx)
        }

        fn memory_bytes(&self) -> usize {
            self.0.memory_bytes()
        }
    }

    impl Drop for Goes {
        fn drop(&mut self) {
            panic!("on leaving");
        }
    }

    task_of(Box::new(Goes(Writer { panics: false })), true)
}

#[test]
fn a_panic_of_what_a_task_leaves_behind_is_told_as_its_end() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let slot = SlotThread::start(0).unwrap();
        let (events, mut heard) = mpsc::channel(16);
        let (_command, commands) = watch::channel(Command::Run);
        let (task, _senders) = task_that_goes_badly();
        slot.run(SlotTask { id: id(0), task, times: Arc::default(), command: commands, events }).await.unwrap();
        let (_, outcome) = next_end(&mut heard).await;
        let Outcome::Failed(error) = outcome else { panic!("{outcome:?}") };
        assert!(error.to_string().contains("the end of a task panicked: on leaving"), "{error}");
    });
}
