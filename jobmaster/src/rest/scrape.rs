//! `GET /metrics`: everything that is measured, in Prometheus' text, by the names of Flink's reporter.
//!
//! ```text
//!  flink_jobmanager_…                      the cluster
//!  flink_jobmanager_job_…                  a job: job_id, job_name
//!  flink_taskmanager_job_task_…            a task: and task_id, task_name, subtask_index, task_attempt_num, tm_id, host
//!  flink_taskmanager_job_task_operator_…   an operator: and operator_id, operator_name
//! ```
//!
//! As with Flink's reporter all are gauges, and what has ended is not there. Values of labels are written as they are: its
//! option `filterLabelValueCharacters`, which makes underscores of what Prometheus has no trouble with, is off.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use millstream_graph::SubtaskId;
use prometheus::{GaugeVec, Opts, Registry, TextEncoder};

use super::Rest;
use super::error::RestError;
use super::known::{subtasks, vertex_id};
use super::measures::{MeasuredTask, Moment, of_operator};
use super::metrics::job_measures;
use crate::job_manager::{Job, JobManager};

/// Where Prometheus looks unless it is told otherwise.
const METRICS: &str = "/metrics";

pub(super) fn routes() -> Router<Rest> {
    Router::new().route(METRICS, get(scrape))
}

async fn scrape(State(rest): State<Rest>) -> Result<Response, RestError> {
    let gauges = rest.read(|manager| Ok(gauges(manager, Moment::now(manager))?)).await?;
    let text = TextEncoder::new().encode_to_string(&gauges.registry.gather())?;
    Ok(([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response())
}

/// Gauges by name, for one scrape: what is not there any more is not remembered.
#[derive(Debug, Default)]
struct Gauges {
    registry: Registry,
    by_name: BTreeMap<String, GaugeVec>,
}

/// Values of labels by their names.
type Labels = Vec<(&'static str, String)>;

impl Gauges {
    /// Sets the gauge `flink_<scope>_<name>`. All gauges of a scope have the same labels.
    fn set(&mut self, scope: &str, name: &str, labels: &Labels, value: f64) -> Result<(), prometheus::Error> {
        let full = format!("flink_{scope}_{name}");
        if !self.by_name.contains_key(&full) {
            let names: Vec<&str> = labels.iter().map(|(name, _)| *name).collect();
            let gauge = GaugeVec::new(Opts::new(&full, format!("{name} (scope: {scope})")), &names)?;
            self.registry.register(Box::new(gauge.clone()))?;
            self.by_name.insert(full.clone(), gauge);
        }
        let values: Vec<&str> = labels.iter().map(|(_, value)| value.as_str()).collect();
        if let Some(gauge) = self.by_name.get(&full) {
            gauge.get_metric_with_label_values(&values)?.set(value);
        }
        Ok(())
    }
}

fn gauges(manager: &JobManager, moment: Moment) -> Result<Gauges, prometheus::Error> {
    let mut gauges = Gauges::default();
    set_cluster(&mut gauges, manager)?;
    for job in manager.jobs().filter(|job| !job.master().status().is_terminal()) {
        set_job(&mut gauges, job, moment)?;
        set_tasks(&mut gauges, manager, job, moment)?;
    }
    Ok(gauges)
}

fn set_cluster(gauges: &mut Gauges, manager: &JobManager) -> Result<(), prometheus::Error> {
    let (slots, free) = manager.resources().slots();
    let running = manager.jobs().filter(|job| !job.master().status().is_terminal()).count();
    for (name, value) in [
        ("numRegisteredTaskManagers", manager.workers().count()),
        ("numPendingTaskManagers", manager.resources().pending()),
        ("taskSlotsTotal", slots),
        ("taskSlotsAvailable", free),
        ("numRunningJobs", running),
    ] {
        gauges.set("jobmanager", name, &Labels::new(), value as f64)?;
    }
    Ok(())
}

fn job_labels(job: &Job) -> Labels {
    vec![("job_id", job.id().job.to_string()), ("job_name", job.name().to_owned())]
}

fn set_job(gauges: &mut Gauges, job: &Job, moment: Moment) -> Result<(), prometheus::Error> {
    let labels = job_labels(job);
    let mut measures = job_measures(job, moment).into_iter();
    measures.try_for_each(|(name, value)| gauges.set("jobmanager_job", &name, &labels, value.as_f64()))
}

/// The tasks that have not ended.
fn set_tasks(gauges: &mut Gauges, manager: &JobManager, job: &Job, moment: Moment) -> Result<(), prometheus::Error> {
    for vertex in 0..job.graph().vertices.len() {
        let tasks = subtasks(job, vertex).filter_map(|of| Some((of, MeasuredTask::of(job, of)?)));
        for (of, task) in tasks.filter(|(_, task)| task.is_live()) {
            let labels = task_labels(manager, job, of);
            for (name, value) in task.measures(moment) {
                gauges.set("taskmanager_job_task", name, &labels, value.as_f64())?;
            }
            set_operators(gauges, task, &labels)?;
        }
    }
    Ok(())
}

fn task_labels(manager: &JobManager, job: &Job, of: SubtaskId) -> Labels {
    let worker = job.master().worker_of(of);
    let host = manager.workers().find(|known| Some(&known.registration.worker) == worker);
    let number = job.master().execution_graph().current(of).map_or(0, |attempt| attempt.number);
    let mut labels = job_labels(job);
    labels.extend([
        ("task_id", vertex_id(job.graph(), of.vertex)),
        ("task_name", job.graph().vertex_name(of.vertex)),
        ("subtask_index", of.subtask.to_string()),
        ("task_attempt_num", number.to_string()),
        ("tm_id", worker.map(ToString::to_string).unwrap_or_default()),
        ("host", host.map(|host| host.registration.host.clone()).unwrap_or_default()),
    ]);
    labels
}

fn set_operators(gauges: &mut Gauges, task: MeasuredTask<'_>, labels: &Labels) -> Result<(), prometheus::Error> {
    for (node, counts) in task.operators() {
        let mut labels = labels.clone();
        labels.extend([("operator_id", node.id.to_string()), ("operator_name", node.name.clone())]);
        for (name, value) in of_operator(node, counts) {
            gauges.set("taskmanager_job_task_operator", name, &labels, value.as_f64())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use millstream_graph::JobId;

    use super::*;
    use crate::rest::tests::cluster::{Cluster, counts, metrics};

    async fn text(cluster: &Cluster) -> String {
        let gauges = cluster.read(|manager| gauges(manager, Moment::now(manager))).await.unwrap();
        TextEncoder::new().encode_to_string(&gauges.registry.gather()).unwrap()
    }

    async fn running(cluster: &mut Cluster) -> JobId {
        cluster.worker("w", 2).await;
        let id = cluster.run("running", 2).await;
        let of = |vertex| SubtaskId { vertex, subtask: 0 };
        cluster.count(id, of(0), metrics(&[counts(0, 9), counts(9, 9)], 500, 500, 0)).await;
        cluster.count(id, of(1), metrics(&[counts(9, 5), counts(5, 0)], 250, 500, 250)).await;
        id
    }

    #[tokio::test]
    async fn names_are_those_that_dashboards_look_for() {
        let mut cluster = Cluster::start();
        running(&mut cluster).await;
        let text = text(&cluster).await;
        let names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        let states = ["cancelling", "created", "failing", "initializing", "restarting", "running"];
        let task = |name: &str| format!("taskmanager_job_task_{name}");
        let mut expected: Vec<String> = [
            "numPendingTaskManagers",
            "numRegisteredTaskManagers",
            "numRunningJobs",
            "taskSlotsAvailable",
            "taskSlotsTotal",
            "job_numRestarts",
        ]
        .into_iter()
        .map(|name| format!("jobmanager_{name}"))
        .chain(states.iter().flat_map(|state| ["State", "Time"].map(|what| format!("jobmanager_job_{state}{what}"))))
        .chain(
            [
                "accumulateBackPressuredTimeMs",
                "accumulateBusyTimeMs",
                "accumulateIdleTimeMs",
                "backPressuredTimeMsPerSecond",
                "busyTimeMsPerSecond",
                "currentInputWatermark",
                "currentOutputWatermark",
                "idleTimeMsPerSecond",
                "memoryUsed",
                "numRecordsIn",
                "numRecordsInPerSecond",
                "numRecordsOut",
                "numRecordsOutPerSecond",
                "operator_currentInputWatermark",
                "operator_currentOutputWatermark",
                "operator_numLateRecordsDropped",
                "operator_numRecordsIn",
                "operator_numRecordsInErrors",
                "operator_numRecordsOut",
            ]
            .into_iter()
            .map(task),
        )
        .map(|name| format!("flink_{name} gauge"))
        .collect();
        expected.sort();
        assert_eq!(names, expected);
    }

    #[tokio::test]
    async fn a_task_is_named_by_its_labels() {
        let mut cluster = Cluster::start();
        let id = running(&mut cluster).await;
        let text = text(&cluster).await;
        let mut lines = text.lines().filter(|line| line.starts_with("flink_taskmanager_job_task_numRecordsOut{"));
        let line = lines.find(|line| line.contains("task_name=\"Source: t")).unwrap();
        for label in [
            format!("job_id=\"{id}\""),
            "job_name=\"running\"".to_owned(),
            "subtask_index=\"0\"".to_owned(),
            "task_attempt_num=\"0\"".to_owned(),
            "tm_id=\"w\"".to_owned(),
            "host=\"10.0.0.1\"".to_owned(),
        ] {
            assert!(line.contains(&label), "{label} in {line}");
        }
        assert!(line.ends_with(" 9"), "{line}");
        assert!(text.contains("\nflink_jobmanager_taskSlotsTotal 2\n"), "{text}");
    }

    #[tokio::test]
    async fn what_has_ended_is_not_there() {
        let mut cluster = Cluster::start();
        let id = running(&mut cluster).await;
        cluster.end_tasks(id).await;
        let text = text(&cluster).await;
        assert!(!text.contains("job_id"), "{text}");
        assert!(text.contains("\nflink_jobmanager_numRunningJobs 0\n"), "{text}");
    }
}
