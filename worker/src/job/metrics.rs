//! What the tasks of a job count, and the few numbers that a person follows.

use std::sync::Arc;

use millstream_engine::element::Watermark;
use millstream_engine::metrics::OperatorMetrics;
use millstream_graph::{JobGraph, NodeKind};

/// The counters of every operator in every subtask.
#[derive(Debug)]
pub struct JobMetrics {
    operators: Vec<Vec<Arc<OperatorMetrics>>>,
    sources: Vec<usize>,
    sinks: Vec<usize>,
}

/// How far a job has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Rows read by all sources.
    pub rows_in: u64,
    /// Rows written by all sinks.
    pub rows_out: u64,
    /// Rows that came too late for their windows.
    pub late: u64,
    /// Rows that could not be decoded.
    pub errors: u64,
    /// The least watermark of any source's subtask that has one.
    pub watermark: Option<Watermark>,
}

impl JobMetrics {
    pub(super) fn new(graph: &JobGraph) -> Self {
        let nodes = &graph.program.nodes;
        let operators = nodes
            .iter()
            .map(|node| (0..node.parallelism).map(|_| Arc::new(OperatorMetrics::default())).collect())
            .collect();
        let places = |wanted: fn(&NodeKind) -> bool| {
            nodes.iter().enumerate().filter(|(_, node)| wanted(&node.kind)).map(|(place, _)| place).collect()
        };
        Self {
            operators,
            sources: places(|kind| matches!(kind, NodeKind::Source(_))),
            sinks: places(|kind| matches!(kind, NodeKind::Sink(_))),
        }
    }

    /// The counters of a node's subtask.
    pub fn operator(&self, node: usize, subtask: u32) -> &Arc<OperatorMetrics> {
        &self.operators[node][subtask as usize]
    }

    /// The counters of all subtasks of a node.
    pub fn subtasks(&self, node: usize) -> &[Arc<OperatorMetrics>] {
        &self.operators[node]
    }

    /// How far the job has come.
    pub fn progress(&self) -> Progress {
        let of = |places: &[usize], count: fn(&OperatorMetrics) -> u64| -> u64 {
            places.iter().flat_map(|place| &self.operators[*place]).map(|subtask| count(subtask)).sum()
        };
        let all: Vec<usize> = (0..self.operators.len()).collect();
        let watermarks = self.sources.iter().flat_map(|place| &self.operators[*place]).map(|of| of.watermark());
        Progress {
            rows_in: of(&self.sources, OperatorMetrics::records_out),
            rows_out: of(&self.sinks, OperatorMetrics::records_in),
            late: of(&all, OperatorMetrics::late_dropped),
            errors: of(&self.sources, OperatorMetrics::records_in_errors),
            watermark: watermarks.filter(|watermark| *watermark != Watermark::MIN).min(),
        }
    }
}
