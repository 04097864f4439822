//! What is measured of tasks and operators, by Flink's names: for the metrics of a vertex, for the bodies of jobs, and for
//! Prometheus.
//!
//! Workers report totals. A rate is made of the last two reports of a try, or, as long as there is one, of the time since the
//! task began. It is per second of the time that the worker has measured, not of the time between the reports' arrivals, so
//! that what a task does with its time comes to 1,000 ms per second whatever delays a report. Of a task that has ended, or of
//! which nothing was heard for long, there are no rates.

use std::fmt;

use millstream_api::IoMetrics;
use millstream_engine::operators::PortId;
use millstream_graph::{JobGraph, NodeKind, StreamNode, SubtaskId};
use millstream_protocol::message::{OperatorCounts, TaskMetrics};

use crate::job_manager::{Counted, Job, JobManager, now_ms};

/// A measured value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value {
    /// A count of rows or milliseconds.
    Count(u64),
    /// A time in milliseconds since 1970.
    Time(i64),
    /// Something per second.
    Rate(f64),
}

/// Values by Flink's names.
pub(super) type Measures = Vec<(&'static str, Value)>;

/// When measures are read, and from when on a report is too old to say what is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// The time, in milliseconds since 1970.
    pub(super) now_ms: i64,
    /// Reports before this time say nothing of rates.
    pub(super) oldest_ms: i64,
}

/// What a task does in a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rates {
    /// Milliseconds of work.
    pub(super) busy_ms: f64,
    /// Milliseconds of waiting for rows.
    pub(super) idle_ms: f64,
    /// Milliseconds of waiting for those that read from it.
    pub(super) back_pressured_ms: f64,
    /// Rows in.
    pub(super) records_in: f64,
    /// Rows out.
    pub(super) records_out: f64,
}

/// A task that has told what it counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct MeasuredTask<'a> {
    graph: &'a JobGraph,
    vertex: usize,
    counted: &'a Counted,
    is_live: bool,
}

impl Value {
    /// As a number; a very great one is rounded.
    pub(super) fn as_f64(self) -> f64 {
        match self {
            Self::Count(count) => count as f64,
            Self::Time(time) => time as f64,
            Self::Rate(rate) => rate,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => count.fmt(f),
            Self::Time(time) => time.fmt(f),
            Self::Rate(rate) => rate.fmt(f),
        }
    }
}

impl Moment {
    /// Now. A worker that is silent for longer than `heartbeat.timeout` is lost, so what is older is not true any more.
    pub(super) fn now(manager: &JobManager) -> Self {
        let timeout = i64::try_from(manager.settings().heartbeats.timeout.as_millis()).unwrap_or(i64::MAX);
        let now_ms = now_ms();
        Self { now_ms, oldest_ms: now_ms.saturating_sub(timeout) }
    }
}

impl<'a> MeasuredTask<'a> {
    /// The try at hand of a subtask; `None` if it has not told anything yet.
    pub(super) fn of(job: &'a Job, subtask: SubtaskId) -> Option<Self> {
        let counted = job.counted(subtask)?;
        let current = job.master().execution_graph().current(subtask)?;
        let is_live = !current.state().is_terminal();
        Some(Self { graph: job.graph(), vertex: subtask.vertex, counted, is_live })
    }

    /// Whether it has not ended.
    pub(super) fn is_live(&self) -> bool {
        self.is_live
    }

    /// When it told what it counts.
    pub(super) fn at_ms(&self) -> i64 {
        self.counted.at_ms
    }

    /// Its operators, in the order of the chain, and what each counts.
    pub(super) fn operators(&self) -> impl Iterator<Item = (&'a StreamNode, &'a OperatorCounts)> + use<'a> {
        let graph = self.graph;
        let nodes = graph.vertices[self.vertex].nodes.iter().map(|node| &graph.program.nodes[*node]);
        nodes.zip(&self.counted.metrics.operators)
    }

    /// What is measured of the task as a whole.
    pub(super) fn measures(&self, moment: Moment) -> Measures {
        let metrics = &self.counted.metrics;
        let mut measures = vec![
            ("numRecordsIn", Value::Count(self.records_in(metrics))),
            ("numRecordsOut", Value::Count(self.records_out(metrics))),
            ("accumulateBusyTimeMs", Value::Count(metrics.busy_ms)),
            ("accumulateIdleTimeMs", Value::Count(metrics.idle_ms)),
            ("accumulateBackPressuredTimeMs", Value::Count(metrics.back_pressured_ms)),
            // Ours: Flink does not know what a task holds.
            ("memoryUsed", Value::Count(if self.is_live { metrics.memory_bytes } else { 0 })),
        ];
        if let Some((head, counts)) = self.operators().next() {
            measures.push(watermark(head, counts));
        }
        if let Some(rates) = self.rates(moment) {
            measures.extend([
                ("numRecordsInPerSecond", Value::Rate(rates.records_in)),
                ("numRecordsOutPerSecond", Value::Rate(rates.records_out)),
                ("busyTimeMsPerSecond", Value::Rate(rates.busy_ms)),
                ("idleTimeMsPerSecond", Value::Rate(rates.idle_ms)),
                ("backPressuredTimeMsPerSecond", Value::Rate(rates.back_pressured_ms)),
            ]);
        }
        measures
    }

    /// What the task does in a second, if that is known.
    pub(super) fn rates(&self, moment: Moment) -> Option<Rates> {
        if !self.is_live || self.counted.at_ms < moment.oldest_ms {
            return None;
        }
        let nothing = TaskMetrics::default();
        let before = self.counted.before.as_ref().map(|(_, metrics)| metrics);
        // Two reports within a millisecond say less than all of them.
        before.and_then(|before| self.rates_since(before)).or_else(|| self.rates_since(&nothing))
    }

    fn rates_since(&self, before: &TaskMetrics) -> Option<Rates> {
        let more = |read: &dyn Fn(&TaskMetrics) -> u64| read(&self.counted.metrics).saturating_sub(read(before));
        let (busy, idle) = (more(&|metrics| metrics.busy_ms), more(&|metrics| metrics.idle_ms));
        let back_pressured = more(&|metrics| metrics.back_pressured_ms);
        let measured_ms = busy + idle + back_pressured;
        let per_second = |count: u64| count as f64 * 1000.0 / measured_ms as f64;
        (measured_ms > 0).then(|| Rates {
            busy_ms: per_second(busy),
            idle_ms: per_second(idle),
            back_pressured_ms: per_second(back_pressured),
            records_in: per_second(more(&|metrics| self.records_in(metrics))),
            records_out: per_second(more(&|metrics| self.records_out(metrics))),
        })
    }

    /// Rows that the head took; of a source those that it read.
    fn records_in(&self, metrics: &TaskMetrics) -> u64 {
        match (self.head(), metrics.operators.first()) {
            (Some(head), Some(counts)) => records_in(head, counts),
            (Some(_) | None, None) | (None, Some(_)) => 0,
        }
    }

    /// Rows that left for other vertices.
    fn records_out(&self, metrics: &TaskMetrics) -> u64 {
        let nodes = self.graph.vertices[self.vertex].nodes.iter().zip(&metrics.operators);
        let leaves = |node: usize, main: bool| {
            let mut edges = self.graph.edges.iter().filter(|edge| edge.from == self.vertex && edge.from_node == node);
            edges.any(|edge| (edge.port == PortId::MAIN) == main)
        };
        let out = nodes.map(|(node, counts)| {
            let main = if leaves(*node, true) { counts.records_out } else { 0 };
            let side = if leaves(*node, false) { counts.side_records_out } else { 0 };
            main + side
        });
        out.sum()
    }

    fn head(&self) -> Option<&'a StreamNode> {
        let head = self.graph.vertices[self.vertex].nodes.first()?;
        self.graph.program.nodes.get(*head)
    }
}

/// What is measured of an operator.
pub(super) fn of_operator(node: &StreamNode, counts: &OperatorCounts) -> Measures {
    let mut measures = vec![
        ("numRecordsIn", Value::Count(records_in(node, counts))),
        ("numRecordsOut", Value::Count(counts.records_out)),
        watermark(node, counts),
    ];
    match node.kind {
        NodeKind::Source(_) => measures.push(("numRecordsInErrors", Value::Count(counts.records_in_errors))),
        NodeKind::Operator(_) => measures.push(("numLateRecordsDropped", Value::Count(counts.late_dropped))),
        NodeKind::Sink(_) => {}
    }
    measures
}

/// Nothing comes into a source; as in Flink the rows that it reads count.
fn records_in(node: &StreamNode, counts: &OperatorCounts) -> u64 {
    match node.kind {
        NodeKind::Source(_) => counts.records_out,
        NodeKind::Operator(_) | NodeKind::Sink(_) => counts.records_in,
    }
}

/// A source makes watermarks, the others are told them.
fn watermark(node: &StreamNode, counts: &OperatorCounts) -> (&'static str, Value) {
    let name = match node.kind {
        NodeKind::Source(_) => "currentOutputWatermark",
        NodeKind::Operator(_) | NodeKind::Sink(_) => "currentInputWatermark",
    };
    (name, Value::Time(counts.watermark))
}

/// What has gone through some subtasks of a vertex in their tries at hand. Bytes are not counted.
pub(super) fn io_metrics(job: &Job, subtasks: impl Iterator<Item = SubtaskId>) -> IoMetrics {
    let mut sum = IoMetrics {
        read_records_complete: true,
        write_records_complete: true,
        accumulated_busy_time: Some(0.0),
        ..IoMetrics::default()
    };
    for subtask in subtasks {
        match MeasuredTask::of(job, subtask) {
            Some(task) => task.add_to(&mut sum),
            None => (sum.read_records_complete, sum.write_records_complete) = (false, false),
        }
    }
    sum
}

impl MeasuredTask<'_> {
    fn add_to(&self, sum: &mut IoMetrics) {
        let metrics = &self.counted.metrics;
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        // Rows that a source reads come from no vertex.
        if !matches!(self.head().map(|head| &head.kind), Some(NodeKind::Source(_))) {
            sum.read_records += self.records_in(metrics);
        }
        sum.write_records += self.records_out(metrics);
        sum.accumulated_idle_time += signed(metrics.idle_ms);
        sum.accumulated_backpressured_time += signed(metrics.back_pressured_ms);
        sum.accumulated_busy_time = sum.accumulated_busy_time.map(|busy| busy + Value::Count(metrics.busy_ms).as_f64());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use millstream_planner::manifest::plan_manifest;

    use super::*;
    use crate::rest::tests::cluster::{ROWS, counts, manifest, metrics};

    const MOMENT: Moment = Moment { now_ms: 10_000, oldest_ms: 5_000 };

    /// A job whose first vertex is a source and an operator.
    fn source() -> JobGraph {
        let (_, plan) = plan_manifest(&manifest("counts", 2, "", ROWS), 0, Arc::new(|| 0)).unwrap();
        assert!(plan.graph.vertices[0].nodes.len() > 1);
        plan.graph
    }

    fn task<'a>(graph: &'a JobGraph, counted: &'a Counted) -> MeasuredTask<'a> {
        MeasuredTask { graph, vertex: 0, counted, is_live: true }
    }

    /// What is reported at 9,500, and what was before.
    fn counted(metrics: TaskMetrics, before: Option<(i64, TaskMetrics)>) -> Counted {
        Counted { attempt: 0, at_ms: 9_500, metrics, before }
    }

    /// The counts of a source's chain in which its last operator has sent so many rows.
    fn sent(graph: &JobGraph, read: u64, out: u64) -> Vec<OperatorCounts> {
        let mut chain = vec![counts(0, 0); graph.vertices[0].nodes.len()];
        chain[0].records_out = read;
        if let Some(last) = chain.last_mut() {
            last.records_out = out;
        }
        chain
    }

    #[test]
    fn what_a_task_does_with_its_time_comes_to_a_second_however_late_a_report_is() {
        let graph = source();
        let before = metrics(&sent(&graph, 100, 10), 1_000, 2_000, 3_000);
        let now = metrics(&sent(&graph, 500, 50), 1_200, 2_100, 3_100);
        for arrived in [9_499, 9_100, 5_000] {
            let counted = counted(now.clone(), Some((arrived, before.clone())));
            let rates = task(&graph, &counted).rates(MOMENT).unwrap();
            assert_eq!((rates.busy_ms, rates.idle_ms, rates.back_pressured_ms), (500.0, 250.0, 250.0));
            assert_eq!((rates.records_in, rates.records_out), (1_000.0, 100.0), "in 400 ms of the task's time");
        }
    }

    #[test]
    fn one_report_tells_of_all_the_time_since_the_task_began() {
        let graph = source();
        let counted = counted(metrics(&sent(&graph, 400, 0), 1_500, 500, 0), None);
        let rates = task(&graph, &counted).rates(MOMENT).unwrap();
        assert_eq!((rates.busy_ms, rates.idle_ms, rates.records_in), (750.0, 250.0, 200.0));
    }

    #[test]
    fn two_reports_of_the_same_time_do_as_one() {
        let graph = source();
        let same = metrics(&sent(&graph, 400, 0), 1_500, 500, 0);
        let counted = counted(same.clone(), Some((9_500, same)));
        assert_eq!(task(&graph, &counted).rates(MOMENT).unwrap().busy_ms, 750.0);
    }

    #[test]
    fn there_are_no_rates_of_what_has_ended_is_long_ago_or_took_no_time() {
        let graph = source();
        let recent = counted(metrics(&[], 1_500, 500, 0), None);
        assert_eq!(MeasuredTask { is_live: false, ..task(&graph, &recent) }.rates(MOMENT), None);
        let old = Counted { at_ms: 4_999, ..recent };
        assert_eq!(task(&graph, &old).rates(MOMENT), None);
        assert!(task(&graph, &old).measures(MOMENT).contains(&("accumulateBusyTimeMs", Value::Count(1_500))));
        let nothing = counted(metrics(&[], 0, 0, 0), None);
        assert_eq!(task(&graph, &nothing).rates(MOMENT), None);
    }

    #[test]
    fn rows_that_stay_in_the_chain_did_not_leave() {
        let graph = source();
        let counted = counted(metrics(&sent(&graph, 400, 7), 1, 0, 0), None);
        let measures = task(&graph, &counted).measures(MOMENT);
        assert!(measures.contains(&("numRecordsIn", Value::Count(400))), "{measures:?}");
        assert!(measures.contains(&("numRecordsOut", Value::Count(7))), "{measures:?}");
        let mut sum = IoMetrics::default();
        task(&graph, &counted).add_to(&mut sum);
        assert_eq!((sum.read_records, sum.write_records), (0, 7), "a source reads from no vertex");
    }
}
