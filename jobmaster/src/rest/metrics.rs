//! `GET …/metrics`, `GET …/subtasks/metrics` and `GET …/watermarks`: measures by Flink's names.
//!
//! A vertex has `0.numRecordsIn` of its subtask 0 and `0.Source__flights.numRecordsOut` of an operator in it. Over all
//! subtasks of a vertex the number in front is not there.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use millstream_api::{AggregatedMetric, Aggregation, Metric, MetricsQuery, SubtaskMetricsQuery, paths};

use super::known::{KnownJob, job, subtasks, vertex};
use super::measures::{MeasuredTask, Moment, Value, of_operator};
use super::parameters::{InPath, InQuery, OfJob, OfVertex};
use super::{Answer, Rest};
use crate::job_manager::{Job, JobManager};
use crate::job_master::JobStatus;

/// Flink's limit for the name of an operator in the name of a metric.
const OPERATOR_NAME_CHARS_MAX: usize = 80;
/// What a task has of its operators' measures besides its own: their sums.
const SUMMED: [&str; 2] = ["numRecordsInErrors", "numLateRecordsDropped"];

pub(super) fn routes() -> Router<Rest> {
    Router::new()
        .route(paths::JOB_METRICS, get(of_job))
        .route(paths::VERTEX_METRICS, get(of_vertex))
        .route(paths::SUBTASK_METRICS, get(of_subtasks))
        .route(paths::VERTEX_WATERMARKS, get(watermarks))
}

async fn of_job(
    State(rest): State<Rest>,
    InPath(of): InPath<OfJob>,
    InQuery(query): InQuery<MetricsQuery>,
) -> Answer<Vec<Metric>> {
    let read = move |manager: &JobManager| {
        let measures = match job(manager, of.jobid)? {
            KnownJob::Led(job) => job_measures(job, Moment::now(manager)),
            KnownJob::Awaited(_) | KnownJob::Past(_) => Vec::new(),
        };
        Ok(answered(&measures.into_iter().collect(), &query.get))
    };
    rest.answer(read).await
}

async fn of_vertex(
    State(rest): State<Rest>,
    InPath(of): InPath<OfVertex>,
    InQuery(query): InQuery<MetricsQuery>,
) -> Answer<Vec<Metric>> {
    let read = move |manager: &JobManager| {
        let (job, at) = vertex(manager, of.jobid, &of.vertexid)?;
        Ok(answered(&vertex_measures(job, at, Moment::now(manager)), &query.get))
    };
    rest.answer(read).await
}

async fn of_subtasks(
    State(rest): State<Rest>,
    InPath(of): InPath<OfVertex>,
    InQuery(query): InQuery<SubtaskMetricsQuery>,
) -> Answer<Vec<AggregatedMetric>> {
    let read = move |manager: &JobManager| {
        let (job, at) = vertex(manager, of.jobid, &of.vertexid)?;
        Ok(aggregated(&over_subtasks(job, at, Moment::now(manager)), &query))
    };
    rest.answer(read).await
}

async fn watermarks(State(rest): State<Rest>, InPath(of): InPath<OfVertex>) -> Answer<Vec<Metric>> {
    let read = move |manager: &JobManager| {
        let (job, at) = vertex(manager, of.jobid, &of.vertexid)?;
        Ok(watermarks_of(job, at, Moment::now(manager)))
    };
    rest.answer(read).await
}

/// What is measured of a job. How long it was in states before it came into them again is not known.
pub(super) fn job_measures(job: &Job, moment: Moment) -> Vec<(String, Value)> {
    let status = job.master().status();
    let mut measures = vec![("numRestarts".to_owned(), Value::Count(job.master().restarts().into()))];
    for state in JobStatus::ALL.into_iter().filter(|state| !state.is_terminal()) {
        let since = job.master().since(state).filter(|_| state == status);
        let time = since.map_or(0, |since| moment.now_ms.saturating_sub(since));
        let word = state.word().to_lowercase();
        measures.push((format!("{word}State"), Value::Count((state == status).into())));
        measures.push((format!("{word}Time"), Value::Time(time)));
    }
    measures
}

/// The measures of a task and of its operators.
fn subtask_measures(task: MeasuredTask<'_>, moment: Moment) -> BTreeMap<String, Value> {
    let own = task.measures(moment).into_iter().map(|(name, value)| (name.to_owned(), value));
    let mut measures: BTreeMap<String, Value> = own.collect();
    for (node, counts) in task.operators() {
        for (name, value) in of_operator(node, counts) {
            measures.insert(format!("{}.{name}", operator_name(&node.name)), value);
            if let (true, Value::Count(more)) = (SUMMED.contains(&name), value) {
                let sum = measures.entry(name.to_owned()).or_insert(Value::Count(0));
                *sum = if let Value::Count(sum) = *sum { Value::Count(sum + more) } else { *sum };
            }
        }
    }
    measures
}

/// An operator's name inside of a metric's.
fn operator_name(name: &str) -> String {
    let plain = |letter| if matches!(letter, ' ' | '.' | ':' | ',') { '_' } else { letter };
    name.chars().take(OPERATOR_NAME_CHARS_MAX).map(plain).collect()
}

fn vertex_measures(job: &Job, at: usize, moment: Moment) -> BTreeMap<String, Value> {
    let tasks = subtasks(job, at).filter_map(|of| Some((of.subtask, MeasuredTask::of(job, of)?)));
    let named = tasks.flat_map(|(subtask, task)| {
        let measures = subtask_measures(task, moment).into_iter();
        measures.map(move |(name, value)| (format!("{subtask}.{name}"), value))
    });
    named.collect()
}

/// The values that each measure has in the subtasks of a vertex.
fn over_subtasks(job: &Job, at: usize, moment: Moment) -> BTreeMap<String, Vec<f64>> {
    let mut values: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for task in subtasks(job, at).filter_map(|of| MeasuredTask::of(job, of)) {
        for (name, value) in subtask_measures(task, moment) {
            values.entry(name).or_default().push(value.as_f64());
        }
    }
    values
}

/// The clock of each subtask: what it was told, or what it tells if it is a source.
fn watermarks_of(job: &Job, at: usize, moment: Moment) -> Vec<Metric> {
    let tasks = subtasks(job, at).filter_map(|of| Some((of.subtask, MeasuredTask::of(job, of)?)));
    let clocks = tasks.filter_map(|(subtask, task)| {
        let mut measures = task.measures(moment).into_iter();
        let (name, value) = measures.find(|(name, _)| name.ends_with("Watermark"))?;
        Some(Metric::of(format!("{subtask}.{name}"), value))
    });
    clocks.collect()
}

/// The names of all, or the values of those that are wanted and there.
fn answered(measures: &BTreeMap<String, Value>, wanted: &[String]) -> Vec<Metric> {
    if wanted.is_empty() {
        return measures.keys().map(Metric::named).collect();
    }
    wanted.iter().filter_map(|name| Some(Metric::of(name, measures.get(name)?))).collect()
}

fn aggregated(measures: &BTreeMap<String, Vec<f64>>, query: &SubtaskMetricsQuery) -> Vec<AggregatedMetric> {
    let named = |id: &String| AggregatedMetric { id: id.clone(), ..AggregatedMetric::default() };
    if query.get.is_empty() {
        return measures.keys().map(named).collect();
    }
    let wanted = query.get.iter().filter_map(|name| Some((name, measures.get(name)?)));
    wanted
        .map(|(name, values)| query.aggregations().iter().fold(named(name), |all, one| with(all, *one, values)))
        .collect()
}

/// Adds one number about `values`, of which there is at least one.
fn with(metric: AggregatedMetric, aggregation: Aggregation, values: &[f64]) -> AggregatedMetric {
    let sum: f64 = values.iter().sum();
    let avg = sum / values.len() as f64;
    match aggregation {
        Aggregation::Min => AggregatedMetric { min: values.iter().copied().reduce(f64::min), ..metric },
        Aggregation::Max => AggregatedMetric { max: values.iter().copied().reduce(f64::max), ..metric },
        Aggregation::Avg => AggregatedMetric { avg: Some(avg), ..metric },
        Aggregation::Sum => AggregatedMetric { sum: Some(sum), ..metric },
        Aggregation::Skew => AggregatedMetric { skew: Some(skew(values, avg)), ..metric },
    }
}

/// The mean distance from the mean, in hundredths of the mean, and not more than 100: Flink's measure.
fn skew(values: &[f64], avg: f64) -> f64 {
    let distance: f64 = values.iter().map(|value| (value - avg).abs()).sum();
    let mean_distance = distance / values.len() as f64;
    if avg > 0.0 { (mean_distance / avg * 100.0).min(100.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use millstream_graph::{JobId, SubtaskId};

    use super::*;
    use crate::rest::tests::cluster::{Cluster, counts, metrics};

    const WINDOW: usize = 1;

    /// A job whose window has counted something in both subtasks.
    async fn counted(cluster: &mut Cluster) -> JobId {
        cluster.worker("w", 2).await;
        let id = cluster.run("running", 2).await;
        let of = |subtask| SubtaskId { vertex: WINDOW, subtask };
        cluster.count(id, of(0), metrics(&[counts(2067, 5), counts(5, 0)], 250, 750, 0)).await;
        cluster.count(id, of(1), metrics(&[counts(3098, 7), counts(7, 0)], 250, 500, 250)).await;
        id
    }

    async fn vertex_values(cluster: &Cluster, id: JobId, wanted: &[&str]) -> Vec<(String, Option<String>)> {
        let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
        let read = move |manager: &JobManager| {
            let measures = vertex_measures(manager.job(id).unwrap(), WINDOW, Moment::now(manager));
            answered(&measures, &wanted)
        };
        cluster.read(read).await.into_iter().map(|metric| (metric.id, metric.value)).collect()
    }

    #[tokio::test]
    async fn a_vertex_has_the_measures_of_its_subtasks_and_operators() {
        let mut cluster = Cluster::start();
        let id = counted(&mut cluster).await;
        let names: Vec<String> = vertex_values(&cluster, id, &[]).await.into_iter().map(|(name, _)| name).collect();
        for name in ["0.numRecordsIn", "1.busyTimeMsPerSecond", "0.numLateRecordsDropped", "1.currentInputWatermark"] {
            assert!(names.contains(&name.to_owned()), "{name} in {names:?}");
        }
        let operator = names.iter().find(|name| name.starts_with("1.") && name.ends_with(".numLateRecordsDropped"));
        assert!(operator.is_some_and(|name| name.matches('.').count() == 2), "{names:?}");
        let values =
            vertex_values(&cluster, id, &["1.numRecordsIn", "0.nothing", "1.backPressuredTimeMsPerSecond"]).await;
        let value = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
        assert_eq!(values, [value("1.numRecordsIn", "3098"), value("1.backPressuredTimeMsPerSecond", "250")]);
    }

    #[tokio::test]
    async fn measures_are_summed_up_over_subtasks() {
        let mut cluster = Cluster::start();
        let id = counted(&mut cluster).await;
        let query = SubtaskMetricsQuery { get: vec!["numRecordsIn".to_owned(), "nothing".to_owned()], agg: Vec::new() };
        let read = move |manager: &JobManager| {
            aggregated(&over_subtasks(manager.job(id).unwrap(), WINDOW, Moment::now(manager)), &query)
        };
        // As Flink answered for the same values.
        let expected = AggregatedMetric {
            id: "numRecordsIn".to_owned(),
            min: Some(2067.0),
            max: Some(3098.0),
            avg: Some(2582.5),
            sum: Some(5165.0),
            skew: Some(19.961_277_831_558_565),
        };
        assert_eq!(cluster.read(read).await, [expected]);
    }

    #[tokio::test]
    async fn clocks_are_those_that_a_task_is_told() {
        let mut cluster = Cluster::start();
        let id = counted(&mut cluster).await;
        let read = move |manager: &JobManager| watermarks_of(manager.job(id).unwrap(), WINDOW, Moment::now(manager));
        let expected = ["0.currentInputWatermark", "1.currentInputWatermark"].map(|id| Metric::of(id, 15_599));
        assert_eq!(cluster.read(read).await, expected);
    }

    #[tokio::test]
    async fn a_job_says_in_which_state_it_is_and_since_when() {
        let mut cluster = Cluster::start();
        cluster.worker("w", 1).await;
        let id = cluster.restart("restarting").await;
        let read = move |manager: &JobManager| {
            let job = manager.job(id).unwrap();
            let now_ms = job.master().since(JobStatus::Running).unwrap() + 700;
            job_measures(job, Moment { now_ms, oldest_ms: 0 })
        };
        let measures: BTreeMap<String, Value> = cluster.read(read).await.into_iter().collect();
        assert_eq!(measures["numRestarts"], Value::Count(1));
        assert_eq!((measures["runningState"], measures["runningTime"]), (Value::Count(1), Value::Time(700)));
        assert_eq!((measures["restartingState"], measures["restartingTime"]), (Value::Count(0), Value::Time(0)));
        assert!(!measures.contains_key("failedTime"));
    }

    #[test]
    fn names_of_operators_lose_what_separates_names() {
        assert_eq!(operator_name("Source: flights[1], v1.2"), "Source__flights[1]__v1_2");
        assert_eq!(operator_name(&"é".repeat(100)), "é".repeat(80));
    }

    #[test]
    fn skew_is_at_most_a_hundred() {
        assert_eq!(skew(&[0.0, 0.0], 0.0), 0.0);
        assert_eq!(skew(&[5.0, 5.0], 5.0), 0.0);
        assert_eq!(skew(&[0.0, 0.0, 0.0, 8.0], 2.0), 100.0);
    }
}
