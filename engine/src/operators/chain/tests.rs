//! How elements travel through a chain. What operators do in one is the harness's subject.

use std::task::Waker;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use expect_test::{Expect, expect};

use super::*;
use crate::element::{Watermark, WatermarkStatus};
use crate::operators::union::Union;
use crate::operators::{InputId, Stateless};
use crate::testing::lines_of;

fn batch(values: &[i64]) -> EventBatch {
    let schema = Arc::new(Schema::new(vec![Field::new("value", DataType::Int64, false)]));
    let column: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
    EventBatch::inserts(RecordBatch::try_new(schema, vec![column]).unwrap())
}

/// Emits each row it is given `copies` times, one row a call.
struct Copies {
    copies: usize,
    left: Vec<EventBatch>,
    completed: Vec<CheckpointId>,
}

fn copies(copies: usize) -> Box<dyn Operator> {
    Box::new(Copies { copies, left: Vec::new(), completed: Vec::new() })
}

impl Operator for Copies {
    fn process_batch(&mut self, _: InputId, batch: EventBatch, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        assert!(self.left.is_empty(), "no rows come before the last ones are out");
        let rows = (0..batch.num_rows()).map(|row| batch.slice(row, 1));
        self.left = rows.flat_map(|row| std::iter::repeat_n(row, self.copies)).rev().collect();
        self.resume(cx)
    }

    fn process_watermark(&mut self, _: Watermark, _: &mut OperatorContext<'_>) -> Result<Progress> {
        assert!(self.left.is_empty(), "no watermark comes before all rows are out");
        Ok(Progress::Done)
    }

    fn process_time(&mut self, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        cx.out.emit(PortId::LATE, batch(&[cx.now.0]));
        Ok(Progress::Done)
    }

    fn resume(&mut self, cx: &mut OperatorContext<'_>) -> Result<Progress> {
        if let Some(row) = self.left.pop() {
            cx.out.emit(PortId::MAIN, row);
        }
        Ok(if self.left.is_empty() { Progress::Done } else { Progress::Yield })
    }

    fn prepare_snapshot(&mut self, _: &Barrier, _: &mut OperatorContext<'_>) -> Result<Progress> {
        Ok(Progress::Done)
    }

    fn snapshot(&mut self) -> Result<OperatorState> {
        let mut state = OperatorState::default();
        state.add_value("completed", self.completed.iter().flat_map(|id| id.0.to_le_bytes()).collect());
        Ok(state)
    }

    fn restore(&mut self, parts: Vec<OperatorState>) -> Result<()> {
        self.copies += parts.len();
        Ok(())
    }

    fn checkpoint_completed(&mut self, id: CheckpointId) -> Result<()> {
        self.completed.push(id);
        Ok(())
    }

    fn next_time(&self) -> Option<ProcessingTime> {
        Some(ProcessingTime(i64::try_from(self.copies).unwrap() * 100))
    }

    fn memory_bytes(&self) -> usize {
        self.left.iter().map(EventBatch::memory_bytes).sum()
    }
}

/// Writes down what leaves a chain.
#[derive(Default)]
struct Log(Vec<String>);

impl ChainOutput for Log {
    fn poll_room(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn send(&mut self, edge: EdgeId, element: StreamElement) -> Result<()> {
        let shown = match element {
            StreamElement::Batch(batch) => lines_of(&batch).join(" "),
            StreamElement::Watermark(watermark) => format!("watermark {watermark}"),
            StreamElement::Status(status) => format!("{status:?}"),
            StreamElement::Barrier(barrier) => format!("barrier {}", barrier.id.0),
            StreamElement::EndOfInput => "end".to_owned(),
        };
        self.0.push(format!("{}: {shown}", edge.0));
        Ok(())
    }
}

fn link(operator: Box<dyn Operator>, routes: &[(PortId, Target)]) -> ChainLink {
    ChainLink { operator, metrics: Arc::default(), routes: routes.to_vec() }
}

/// Two branches behind a head, the second of them a copier.
fn branches() -> OperatorChain {
    OperatorChain::new(vec![
        link(
            Box::new(Stateless(Union)),
            &[(PortId::MAIN, Target::Edge(EdgeId(0))), (PortId::MAIN, Target::Operator(1))],
        ),
        link(copies(2), &[(PortId::MAIN, Target::Edge(EdgeId(1))), (PortId::LATE, Target::Edge(EdgeId(2)))]),
    ])
}

fn run(chain: &mut OperatorChain, now: i64, log: &mut Log) -> ChainState {
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        match chain.poll_run(ProcessingTime(now), log, &mut cx).map(Result::unwrap) {
            Poll::Ready(ChainState::HasMore) => {}
            Poll::Ready(state) => return state,
            Poll::Pending => panic!("nothing here is ever not ready"),
        }
    }
}

fn check(log: &Log, expected: Expect) {
    expected.assert_eq(&log.0.join("\n"));
}

#[test]
fn elements_go_down_every_branch_in_order_however_often_an_operator_yields() {
    let (mut chain, mut log) = (branches(), Log::default());
    let status = StreamElement::Status(WatermarkStatus::Idle);
    for element in [
        StreamElement::Batch(batch(&[1, 2])),
        StreamElement::Watermark(Watermark(5)),
        status,
        StreamElement::Barrier(Barrier { id: CheckpointId(3) }),
    ] {
        chain.push(element);
        assert_eq!(run(&mut chain, 0, &mut log), ChainState::Drained);
    }
    chain.push(StreamElement::EndOfInput);
    assert_eq!(run(&mut chain, 0, &mut log), ChainState::Finished);
    check(
        &log,
        expect![[r#"
        0: 1 2
        1: 1
        1: 1
        1: 2
        1: 2
        0: watermark 5
        1: watermark 5
        2: watermark 5
        0: Idle
        1: Idle
        2: Idle
        0: barrier 3
        1: barrier 3
        2: barrier 3
        0: end
        1: end
        2: end"#]],
    );
}

#[test]
fn a_source_emits_beside_its_rows_by_the_port_of_the_head() {
    let mut chain = OperatorChain::new(vec![link(
        Box::new(Stateless(Union)),
        &[(PortId::MAIN, Target::Edge(EdgeId(0))), (PortId::DEAD_LETTERS, Target::Edge(EdgeId(1)))],
    )]);
    let mut log = Log::default();
    chain.emit_from_head(PortId::DEAD_LETTERS, batch(&[9]), &mut log).unwrap();
    check(&log, expect!["1: 9"]);
}

#[test]
fn an_operator_is_told_the_time_it_waits_for() {
    let (mut chain, mut log) = (branches(), Log::default());
    assert_eq!(chain.next_time(), Some(ProcessingTime(200)));
    chain.advance_time(ProcessingTime(199));
    run(&mut chain, 199, &mut log);
    assert!(log.0.is_empty());
    chain.advance_time(ProcessingTime(250));
    run(&mut chain, 250, &mut log);
    check(&log, expect!["2: 250"]);
}

#[test]
fn snapshots_and_completions_reach_every_operator() {
    let (mut chain, mut log) = (branches(), Log::default());
    chain.checkpoint_completed(CheckpointId(1)).unwrap();
    chain.push(StreamElement::Barrier(Barrier { id: CheckpointId(2) }));
    run(&mut chain, 0, &mut log);
    let snapshots = chain.take_snapshots();
    let [(id, states)] = snapshots.as_slice() else { panic!("one snapshot for one barrier") };
    assert_eq!((*id, states.len()), (CheckpointId(2), 2));
    assert!(states[0].is_empty());
    assert_eq!(states[1].value("completed"), Some(1_u64.to_le_bytes().as_slice()));
    assert!(chain.take_snapshots().is_empty());

    let mut restored = branches();
    restored.restore(vec![vec![], vec![states[1].clone()]]).unwrap();
    assert_eq!(restored.next_time(), Some(ProcessingTime(300)), "it was given one part");
}

#[test]
fn what_waits_in_a_chain_and_what_its_operators_hold_is_accounted() {
    let (mut chain, mut log) = (branches(), Log::default());
    assert_eq!(chain.memory_bytes(), 0);
    chain.push(StreamElement::Batch(batch(&[1, 2, 3])));
    assert_eq!((chain.waiting_bytes(), chain.operator_bytes().sum::<usize>()), (24, 0));
    chain.step(0, ProcessingTime(0), &mut log).unwrap();
    chain.step(1, ProcessingTime(0), &mut log).unwrap();
    // The copier makes six rows of three and has given out one.
    assert_eq!((chain.waiting_bytes(), chain.operator_bytes().collect::<Vec<_>>()), (0, vec![0, 40]));
    run(&mut chain, 0, &mut log);
    assert_eq!(chain.memory_bytes(), 0);
    chain.push(StreamElement::Barrier(Barrier { id: CheckpointId(1) }));
    chain.checkpoint_completed(CheckpointId(7)).unwrap();
    run(&mut chain, 0, &mut log);
    assert_eq!(chain.waiting_bytes(), 8, "a snapshot that nobody has taken");
    chain.take_snapshots();
    assert_eq!(chain.waiting_bytes(), 0);
}

#[test]
fn a_chain_that_has_much_to_do_stops_now_and_then() {
    let mut chain = OperatorChain::new(vec![link(copies(100), &[(PortId::MAIN, Target::Edge(EdgeId(0)))])]);
    let (mut log, mut cx, mut runs) = (Log::default(), Context::from_waker(Waker::noop()), 1);
    chain.push(StreamElement::Batch(batch(&[1])));
    while chain.poll_run(ProcessingTime(0), &mut log, &mut cx).map(Result::unwrap) == Poll::Ready(ChainState::HasMore) {
        assert_eq!(log.0.len(), runs * CALLS_PER_RUN);
        runs += 1;
    }
    assert_eq!((runs, log.0.len()), (4, 100));
}

#[test]
fn a_full_output_stops_the_chain_between_two_calls() {
    /// Has room for one call at a time.
    struct OneCall(Log, bool);
    impl ChainOutput for OneCall {
        fn poll_room(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
            if std::mem::take(&mut self.1) { Poll::Ready(Ok(())) } else { Poll::Pending }
        }

        fn send(&mut self, edge: EdgeId, element: StreamElement) -> Result<()> {
            self.0.send(edge, element)
        }
    }
    let (mut chain, mut out) = (branches(), OneCall(Log::default(), false));
    let mut cx = Context::from_waker(Waker::noop());
    chain.push(StreamElement::Batch(batch(&[1])));
    let mut sent = Vec::new();
    for _ in 0..3 {
        out.1 = true;
        let _ = chain.poll_run(ProcessingTime(0), &mut out, &mut cx);
        sent.push(out.0.0.len());
    }
    assert_eq!(sent, [1, 2, 3], "the head, and one copy with each call");
    assert!(matches!(chain.poll_run(ProcessingTime(0), &mut out, &mut cx), Poll::Ready(Ok(ChainState::Drained))));
}
