//! A job and all that stands around its JobMaster: its enumerators, what its sinks have written, what its tasks count.

use std::collections::BTreeMap;
use std::sync::Arc;

use millstream_engine::io::source::Boundedness;
use millstream_graph::explain::fingerprint;
use millstream_graph::{AttemptId, JobGraph, NodeKind, SubtaskId};
use millstream_planner::options::restart::RestartKind;
use millstream_protocol::message::{Committables, JobRef, TaskMetrics};
use tokio::sync::oneshot;

use super::recorder::Recorder;
use super::sink_commits::SinkCommits;
use super::split_source::SplitSource;
use super::submission::PreparedJob;
use crate::job_master::{JobMaster, JobStatus};
use crate::job_store::record::{Publication, SinkPublication};

/// A job.
#[derive(Debug)]
pub struct Job {
    /// Which, and the epoch of this JobMaster.
    pub(super) of: JobRef,
    pub(super) name: String,
    /// When it was submitted, perhaps to an earlier jobmaster, in milliseconds since 1970.
    submitted_ms: i64,
    /// As it is sent to workers.
    pub(super) program: Arc<str>,
    /// Of the graph that was planned of it.
    pub(super) fingerprint: u64,
    pub(super) options: BTreeMap<String, String>,
    pub(super) boundedness: Boundedness,
    pub(super) master: JobMaster,
    pub(super) sources: BTreeMap<usize, SplitSource>,
    pub(super) sinks: SinkCommits,
    /// From when its first record is written until its last one is.
    pub(super) recorder: Option<Recorder>,
    /// Someone has cancelled it while it was being stored.
    pub(super) cancel_when_stored: bool,
    /// What the sinks of a try have written and what is not visible yet.
    pub(super) written: BTreeMap<AttemptId, Vec<SinkPublication>>,
    pub(super) counted: BTreeMap<SubtaskId, Counted>,
    /// When it wants to be told the time.
    pub(super) wake_at: Option<i64>,
    /// Who waits for its end.
    pub(super) waiting: Vec<oneshot::Sender<JobOutcome>>,
}

/// What a task has counted: now, and at the report before, for rates.
#[derive(Debug, Clone)]
pub struct Counted {
    /// Of which try.
    pub attempt: u32,
    /// When it was last reported, in milliseconds since 1970.
    pub at_ms: i64,
    /// What was reported.
    pub metrics: TaskMetrics,
    /// The report before.
    pub before: Option<(i64, TaskMetrics)>,
}

/// How a job has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobOutcome {
    /// In which state.
    pub status: JobStatus,
    /// Whether it was told to stop.
    pub stopped: bool,
    /// Why it failed, if it did.
    pub why: Option<String>,
}

/// How far a job has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Rows read by all sources.
    pub rows_in: u64,
    /// Rows written by all sinks.
    pub rows_out: u64,
    /// Rows that came too late for their windows.
    pub late: u64,
    /// Rows that could not be decoded.
    pub errors: u64,
    /// The least watermark of any source's subtask that has one, in milliseconds since 1970.
    pub watermark: Option<i64>,
}

impl Job {
    /// A job that is to be started.
    pub(super) fn new(
        of: JobRef,
        prepared: PreparedJob,
        default_restart: RestartKind,
        submitted_ms: i64,
        now_ms: i64,
    ) -> Result<Self, serde_json::Error> {
        let program = serde_json::to_string(&prepared.program)?.into();
        let name = prepared.name().to_owned();
        let strategy = prepared.options.restart.strategy(default_restart);
        let sources = prepared.sources.into_iter();
        Ok(Self {
            of,
            name,
            submitted_ms,
            program,
            fingerprint: fingerprint(&prepared.graph),
            options: prepared.program.options.shown(),
            boundedness: prepared.boundedness,
            master: JobMaster::new(prepared.graph, strategy, now_ms),
            sources: sources.map(|(node, enumerator)| (node, SplitSource::start(enumerator))).collect(),
            sinks: SinkCommits::start(prepared.sinks),
            recorder: None,
            cancel_when_stored: false,
            written: BTreeMap::new(),
            counted: BTreeMap::new(),
            wake_at: None,
            waiting: Vec::new(),
        })
    }

    /// Which job, and the epoch of its JobMaster.
    pub fn id(&self) -> JobRef {
        self.of
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When it was submitted, in milliseconds since 1970.
    pub fn submitted_ms(&self) -> i64 {
        self.submitted_ms
    }

    /// Where it stands.
    pub fn master(&self) -> &JobMaster {
        &self.master
    }

    /// What is run.
    pub fn graph(&self) -> &Arc<JobGraph> {
        self.master.execution_graph().graph()
    }

    /// The options that were set, by their names.
    pub fn options(&self) -> &BTreeMap<String, String> {
        &self.options
    }

    /// What a subtask has counted in its try at hand.
    pub fn counted(&self, subtask: SubtaskId) -> Option<&Counted> {
        let counted = self.counted.get(&subtask)?;
        (self.master.execution_graph().current(subtask)?.number == counted.attempt).then_some(counted)
    }

    /// What state words cannot say: what it waits for. For `lacking` of its slots no worker is on its way.
    pub fn detail(&self, lacking: u32) -> Option<String> {
        let (needed, missing) = (self.master.slots_needed(), self.master.slots_missing());
        match self.master.status() {
            JobStatus::Initializing => Some("is being stored".to_owned()),
            JobStatus::Created if missing > 0 => {
                let coming = if lacking == 0 { "; workers are on their way" } else { "" };
                Some(format!("waits for {missing} of {needed} slots{coming}"))
            }
            JobStatus::Running if self.master.is_publishing() => {
                let so_far = self.trouble().map(|why| format!("; it is tried again: {why}")).unwrap_or_default();
                Some(format!("publishes its results{so_far}"))
            }
            JobStatus::Running if self.master.is_stopping() => Some("is stopping".to_owned()),
            JobStatus::Created
            | JobStatus::Running
            | JobStatus::Restarting
            | JobStatus::Failing
            | JobStatus::Cancelling => self.trouble(),
            JobStatus::Failed | JobStatus::Canceled | JobStatus::Finished => None,
        }
    }

    /// What keeps it from recording something or making it visible.
    fn trouble(&self) -> Option<String> {
        self.recorder.as_ref().and_then(Recorder::trouble).or_else(|| self.sinks.trouble())
    }

    /// Whether a try is the one at hand, and not over.
    pub(super) fn is_live(&self, attempt: AttemptId) -> bool {
        let current = self.master.execution_graph().current(attempt.of);
        current.is_some_and(|current| current.number == attempt.number && !current.state().is_terminal())
    }

    /// Takes what a task counts.
    pub(super) fn count(&mut self, attempt: AttemptId, metrics: TaskMetrics, now_ms: i64) {
        let before = self.counted.remove(&attempt.of).filter(|counted| counted.attempt == attempt.number);
        let before = before.map(|counted| (counted.at_ms, counted.metrics));
        self.counted.insert(attempt.of, Counted { attempt: attempt.number, at_ms: now_ms, metrics, before });
    }

    /// Takes what a sink of a live try has finished. In a job without end it is to be committed at once: there is no later
    /// moment, as there are no checkpoints.
    pub(super) fn take_written(
        &mut self,
        Committables { task, node, committables }: Committables,
    ) -> Option<Publication> {
        // A worker's mistake names no sink.
        let sink = self.graph().program.nodes.get(node)?.id.to_string();
        let sink = SinkPublication { sink, committables };
        match self.boundedness {
            Boundedness::Unbounded => Some(Publication { sinks: vec![sink] }),
            Boundedness::Bounded => {
                self.written.entry(task.attempt).or_default().push(sink);
                None
            }
        }
    }

    /// All that the sinks have written and that is not visible: a list for each sink.
    pub(super) fn publication(&mut self) -> Publication {
        let mut by_sink: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for mut written in std::mem::take(&mut self.written).into_values().flatten() {
            by_sink.entry(written.sink).or_default().append(&mut written.committables);
        }
        let sinks = by_sink.into_iter().map(|(sink, committables)| SinkPublication { sink, committables });
        Publication { sinks: sinks.collect() }
    }

    /// Forgets what earlier tries at a subtask have: what they wrote never becomes visible, what they were to read is read
    /// again.
    pub(super) fn forget_earlier(&mut self, attempt: AttemptId) {
        let Some(number) = attempt.number.checked_sub(1) else { return };
        let before = AttemptId { number, ..attempt };
        self.written.remove(&before);
        let nodes = &self.graph().vertices[attempt.of.vertex].nodes;
        nodes.iter().filter_map(|node| self.sources.get(node)).for_each(|source| source.give_back(before));
    }

    /// How it has ended.
    pub(super) fn outcome(&self) -> JobOutcome {
        let status = self.master.status();
        let why = (status == JobStatus::Failed).then(|| self.failure()).flatten();
        JobOutcome { status, stopped: self.master.is_stopping(), why }
    }

    /// The last failure, in words.
    pub fn failure(&self) -> Option<String> {
        let last = self.master.exceptions().entries().next_back()?;
        Some(match last.task {
            Some(attempt) => format!("task {} failed: {}", self.task_name(attempt.of), last.why),
            None => last.why.clone(),
        })
    }

    /// What people call a subtask: `` `Source: a -> b` (1/2) ``.
    pub fn task_name(&self, of: SubtaskId) -> String {
        let graph = self.graph();
        let parallelism = graph.vertices.get(of.vertex).map_or(0, |vertex| vertex.parallelism);
        format!("`{}` ({}/{parallelism})", graph.vertex_name(of.vertex), of.subtask + 1)
    }

    /// How far it has come.
    pub fn progress(&self) -> Progress {
        let mut progress = Progress::default();
        for (subtask, counted) in &self.counted {
            let nodes = &self.graph().vertices[subtask.vertex].nodes;
            for (&node, counts) in nodes.iter().zip(&counted.metrics.operators) {
                progress.late += counts.late_dropped;
                match &self.graph().program.nodes[node].kind {
                    NodeKind::Source(_) => {
                        progress.rows_in += counts.records_out;
                        progress.errors += counts.records_in_errors;
                        let watermark = Some(counts.watermark).filter(|watermark| *watermark != i64::MIN);
                        progress.watermark = progress.watermark.into_iter().chain(watermark).min();
                    }
                    NodeKind::Sink(_) => progress.rows_out += counts.records_in,
                    NodeKind::Operator(_) => {}
                }
            }
        }
        progress
    }
}
