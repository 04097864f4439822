//! The data plane: what a stream is and how operators transform it.
//!
//! This crate has no socket, no file, no thread and no clock in it. The same input in the same order gives the same output,
//! so that a whole program can run in a test. Ten minutes through it, in the order in which data moves:
//!
//! 1. **Rows travel in columns.** An [`EventBatch`](batch::EventBatch) is an Arrow record batch, and beside its schema the
//!    event time and the kind of each row. Along a channel go [`StreamElement`](element::StreamElement)s: batches,
//!    watermarks, barriers, the end of input; their order is their meaning.
//! 2. **Time is made where rows are read.** A source ([`io::source`]) reads *splits*; a
//!    [`WatermarkGenerator`](time::generator::WatermarkGenerator) sees the times of a split's rows and promises how early no
//!    more rows will be, and a [`WatermarkMerger`](time::merger::WatermarkMerger) makes one clock of several promises.
//! 3. **Operators** ([`operators`]) are told what arrives, one element at a time, and emit rows. They never block; one with
//!    more to emit than fits yields and is resumed. An [`OperatorSpec`](spec::OperatorSpec) describes one, and an
//!    [`OperatorChain`](operators::chain::OperatorChain) runs several in one thread, without a queue between them.
//! 4. **Keys** ([`key`]) bring together rows that belong together. The hash of a key decides its *key group*, each subtask
//!    owns a range of groups, and a [`KeySplitter`](key::splitter::KeySplitter) cuts a batch by owner.
//! 5. **Windows** ([`window`]) aggregate a key's rows over an interval of time: an assigner × a trigger × aggregates
//!    ([`aggregate`]) × how late a row may be. Three operators share one set of rules, from the fastest to the most general.
//! 6. **State** ([`state`]) is what an operator hands out at a barrier: columns ordered by key group, so that a restore at
//!    any parallelism takes the rows of its own groups.
//! 7. **Sinks** ([`io::sink`]) write what comes out, and make it visible when it is safe.
//!
//! # A program
//!
//! Departures per carrier in windows of ten minutes, of those that were late: a filter and a window in one chain. What drives
//! it here by hand is the task's loop in a running job.
//!
//! ```
//! use std::sync::Arc;
//! use std::task::{Context, Poll, Waker};
//!
//! use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
//! use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
//! use datafusion_common::ScalarValue;
//! use datafusion_expr::Operator as Compare;
//! use datafusion_physical_expr::expressions::{BinaryExpr, Column, Literal};
//! use millstream_engine::aggregate::{AggregateFunction, AggregateSpec};
//! use millstream_engine::batch::EventBatch;
//! use millstream_engine::element::{StreamElement, Watermark};
//! use millstream_engine::key::key_group::MaxParallelism;
//! use millstream_engine::operators::chain::{ChainLink, ChainOutput, ChainState, EdgeId, OperatorChain, Target};
//! use millstream_engine::operators::{PortId, ProcessingTime};
//! use millstream_engine::spec::OperatorSpec;
//! use millstream_engine::time::generator::{WatermarkGenerator, WatermarkStrategy};
//! use millstream_engine::window::{Phase, TimeSource, TriggerSpec, WindowAggregateSpec, WindowSpec};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! const MINUTE: i64 = 60_000;
//! let flights = Arc::new(Schema::new(vec![
//!     Field::new("carrier", DataType::Utf8, false),
//!     Field::new("delay", DataType::Int64, false),
//! ]));
//!
//! // What is wanted, as the planner would describe it.
//! let delayed = OperatorSpec::Filter {
//!     condition: Arc::new(BinaryExpr::new(
//!         Arc::new(Column::new("delay", 1)),
//!         Compare::Gt,
//!         Arc::new(Literal::new(ScalarValue::Int64(Some(0)))),
//!     )),
//! };
//! let millis = DataType::Timestamp(TimeUnit::Millisecond, None);
//! let departures = Field::new("departures", DataType::Int64, false);
//! let per_carrier = OperatorSpec::WindowAggregate(WindowAggregateSpec {
//!     name: "perCarrier".to_owned(),
//!     input: Arc::clone(&flights),
//!     output: Arc::new(Schema::new(vec![
//!         Field::new("carrier", DataType::Utf8, false),
//!         Field::new("window_start", millis.clone(), false),
//!         Field::new("window_end", millis, false),
//!         departures.clone(),
//!     ])),
//!     keys: vec![0],
//!     time: TimeSource::Record,
//!     window: WindowSpec::Tumbling { size: 10 * MINUTE, offset: 0 },
//!     trigger: TriggerSpec::EventTime,
//!     evictor: None,
//!     allowed_lateness_ms: 0,
//!     late_output: true,
//!     aggregates: vec![AggregateSpec {
//!         function: AggregateFunction::Count,
//!         argument: None,
//!         distinct: false,
//!         filter: None,
//!         output: departures,
//!     }],
//!     phase: Phase::Single,
//! });
//!
//! // The chain: the filter's rows go to the window, the window's results and its late rows out of the task.
//! let (results, late) = (EdgeId(0), EdgeId(1));
//! let link = |spec: &OperatorSpec, routes| {
//!     Ok::<_, millstream_engine::error::Error>(ChainLink {
//!         operator: spec.build(MaxParallelism::DEFAULT)?,
//!         metrics: Arc::default(),
//!         routes,
//!     })
//! };
//! let mut chain = OperatorChain::new(vec![
//!     link(&delayed, vec![(PortId::MAIN, Target::Operator(1))])?,
//!     link(&per_carrier, vec![(PortId::MAIN, Target::Edge(results)), (PortId::LATE, Target::Edge(late))])?,
//! ]);
//!
//! // Rows of two batches. The clock is five minutes behind the latest row.
//! let batch = |carriers: &[&str], delays: &[i64], minutes: &[i64]| -> Result<EventBatch, arrow::error::ArrowError> {
//!     let columns: Vec<ArrayRef> =
//!         vec![Arc::new(StringArray::from(carriers.to_vec())), Arc::new(Int64Array::from(delays.to_vec()))];
//!     let event_time = Some(minutes.iter().map(|minute| minute * MINUTE).collect());
//!     Ok(EventBatch { event_time, ..EventBatch::inserts(RecordBatch::try_new(Arc::clone(&flights), columns)?) })
//! };
//! let mut clock = WatermarkGenerator::new(WatermarkStrategy::BoundedOutOfOrderness(5 * MINUTE));
//! let mut printer = Printer::default();
//! for rows in [
//!     batch(&["UA", "AA", "UA", "UA"], &[4, 2, 0, 7], &[1, 2, 3, 16])?,
//!     batch(&["AA", "UA"], &[3, 5], &[8, 17])?,
//! ] {
//!     rows.event_time.iter().flat_map(|times| times.iter()).for_each(|time| clock.observe(*time));
//!     for element in [StreamElement::Batch(rows), StreamElement::Watermark(clock.current())] {
//!         chain.push(element);
//!         printer.run(&mut chain)?;
//!     }
//! }
//! // The input ends, and time with it.
//! for element in [StreamElement::Watermark(Watermark::MAX), StreamElement::EndOfInput] {
//!     chain.push(element);
//!     printer.run(&mut chain)?;
//! }
//! assert_eq!(
//!     printer.lines,
//!     [
//!         "results: UA 00:00 1",
//!         "results: AA 00:00 1",
//!         // The second batch brought a row for a window that had ended.
//!         "late: AA, 3 minutes",
//!         "results: UA 00:10 2",
//!     ]
//! );
//! # Ok(())
//! # }
//!
//! /// The far end of the task. In a job it is the exchange, or a sink; here everything is text, and there is always room.
//! #[derive(Default)]
//! struct Printer {
//!     lines: Vec<String>,
//! }
//!
//! impl Printer {
//!     fn run(&mut self, chain: &mut OperatorChain) -> millstream_engine::error::Result<()> {
//!         let mut cx = Context::from_waker(Waker::noop());
//!         // A chain that has much to do lets others have their turn.
//!         while chain.poll_run(ProcessingTime(0), self, &mut cx)? == Poll::Ready(ChainState::HasMore) {}
//!         Ok(())
//!     }
//! }
//!
//! impl ChainOutput for Printer {
//!     fn poll_room(&mut self, _: &mut Context<'_>) -> Poll<millstream_engine::error::Result<()>> {
//!         Poll::Ready(Ok(()))
//!     }
//!
//!     fn send(&mut self, edge: EdgeId, element: StreamElement) -> millstream_engine::error::Result<()> {
//!         let StreamElement::Batch(batch) = element else { return Ok(()) };
//!         let cell = |row, column: usize| arrow::util::display::array_value_to_string(batch.rows.column(column), row);
//!         for row in 0..batch.num_rows() {
//!             self.lines.push(match edge {
//!                 EdgeId(0) => format!("results: {} {} {}", cell(row, 0)?, &cell(row, 1)?[11..16], cell(row, 3)?),
//!                 EdgeId(_) => format!("late: {}, {} minutes", cell(row, 0)?, cell(row, 1)?),
//!             });
//!         }
//!         Ok(())
//!     }
//! }
//! ```
//!
//! Tests of operators need none of this: see `testing` (behind the feature of that name), which runs an operator in every way
//! that a job could.

pub mod aggregate;
pub mod batch;
pub mod element;
pub mod error;
pub mod io;
pub mod key;
pub mod memory;
pub mod metrics;
pub mod operators;
pub mod spec;
pub mod sql_type;
pub mod state;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod time;
pub mod window;
