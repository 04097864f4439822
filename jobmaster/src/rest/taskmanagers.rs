//! `GET /taskmanagers` and below: the registered workers, and which jobs have their slots.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use millstream_api::{
    AllocatedSlot, Hardware, TaskManager, TaskManagerDetails, TaskManagerMetrics, TaskManagers, paths,
};
use millstream_graph::{WorkerId, execution_slots};

use super::error::RestError;
use super::parameters::{InPath, OfTaskManager};
use super::{Answer, Rest};
use crate::execution_graph::{Attempt, AttemptState};
use crate::job_manager::{Job, JobManager, Worker};

pub(super) fn routes() -> Router<Rest> {
    Router::new().route(paths::TASKMANAGERS, get(list)).route(paths::TASKMANAGER, get(show))
}

async fn list(State(rest): State<Rest>) -> Answer<TaskManagers> {
    rest.answer(|manager| Ok(taskmanagers(manager))).await
}

async fn show(State(rest): State<Rest>, InPath(of): InPath<OfTaskManager>) -> Answer<TaskManagerDetails> {
    rest.answer(move |manager| details(manager, &of.taskmanagerid)).await
}

fn taskmanagers(manager: &JobManager) -> TaskManagers {
    let summary = |worker| summary(worker, &slots_of(manager, worker));
    TaskManagers { taskmanagers: manager.workers().map(summary).collect() }
}

fn details(manager: &JobManager, id: &str) -> Result<TaskManagerDetails, RestError> {
    let mut workers = manager.workers();
    let worker = workers.find(|worker| worker.registration.worker.as_str() == id);
    let worker = worker.ok_or_else(|| RestError::UnknownTaskManager(id.to_owned()))?;
    let allocated_slots = slots_of(manager, worker);
    let metrics = TaskManagerMetrics {
        heap_used: known(worker.resident_bytes),
        heap_committed: known(worker.resident_bytes),
        heap_max: known(memory(worker)),
        ..TaskManagerMetrics::default()
    };
    Ok(TaskManagerDetails { summary: summary(worker, &allocated_slots), allocated_slots, metrics })
}

/// The slots of a worker that jobs have.
fn slots_of(manager: &JobManager, worker: &Worker) -> Vec<AllocatedSlot> {
    manager.jobs().flat_map(|job| slots_of_job(job, &worker.registration.worker)).collect()
}

fn slots_of_job(job: &Job, worker: &WorkerId) -> Vec<AllocatedSlot> {
    let places = job.master().places().iter();
    let slots = places.zip(execution_slots(job.graph()));
    let there = slots.filter(|(place, _)| place.as_ref().is_some_and(|place| place.worker == *worker));
    let graph = job.master().execution_graph();
    let runs = |attempt: &Attempt| !attempt.state().is_terminal() && attempt.entered(AttemptState::Deploying).is_some();
    there
        .map(|(_, slot)| {
            let running = slot.subtasks.iter().filter(|subtask| graph.current(**subtask).is_some_and(runs));
            AllocatedSlot {
                job_id: job.id().job.to_string(),
                resource: None,
                assigned_tasks: u32::try_from(running.count()).unwrap_or(u32::MAX),
            }
        })
        .collect()
}

fn summary(worker: &Worker, held: &[AllocatedSlot]) -> TaskManager {
    let registration = &worker.registration;
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let (slots, exchange) = (registration.slots.len(), &registration.exchange);
    TaskManager {
        id: registration.worker.to_string(),
        path: if exchange.is_empty() { registration.host.clone() } else { exchange.clone() },
        data_port: exchange.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(-1),
        jmx_port: -1,
        time_since_last_heartbeat: worker.heard_ms,
        slots_number: count(slots),
        free_slots: count(slots.saturating_sub(held.len())),
        assigned_tasks: held.iter().map(|slot| slot.assigned_tasks).sum(),
        total_resource: None,
        free_resource: None,
        // Workers do not tell how many processors they have.
        hardware: Hardware { free_memory: memory(worker), ..Hardware::default() },
    }
}

/// What all slots of a worker may use, in bytes; 0 if that is not bounded.
fn memory(worker: &Worker) -> u64 {
    worker.registration.slot_memory.saturating_mul(worker.registration.slots.len() as u64)
}

fn known(bytes: u64) -> Option<u64> {
    (bytes > 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::tests::cluster::Cluster;

    #[tokio::test]
    async fn slots_are_of_the_jobs_that_have_them() {
        let mut cluster = Cluster::start();
        cluster.worker("w", 3).await;
        let job = cluster.run("running", 2).await;
        let details = cluster.read(|manager| details(manager, "w")).await.unwrap();
        assert_eq!((details.summary.slots_number, details.summary.free_slots), (3, 1));
        assert_eq!(details.summary.assigned_tasks, 4, "two vertices of two subtasks");
        let slot = AllocatedSlot { job_id: job.to_string(), resource: None, assigned_tasks: 2 };
        assert_eq!(details.allocated_slots, [slot.clone(), slot]);
        assert_eq!((details.summary.path.as_str(), details.summary.data_port), ("10.0.0.1:6122", 6122));
        let list = cluster.read(taskmanagers).await;
        assert_eq!(list.taskmanagers, [details.summary]);
    }

    #[tokio::test]
    async fn a_worker_that_is_not_there_is_named() {
        let cluster = Cluster::start();
        let error = cluster.read(|manager| details(manager, "w")).await.unwrap_err();
        assert_eq!(error.to_string(), "no TaskManager w is registered");
    }
}
