//! One job, from its submission to its end.
//!
//! # Flow
//! 1. [`JobMaster::start`] declares the slots that the job needs. It is *Created* and waits.
//! 2. Workers offer slots. When all are there every subtask is deployed, and the job is *Running*.
//! 3. A failure ends its region. What then happens is the restart strategy's: the region is tried again after a wait
//!    (*Restarting*), or everything is ended (*Failing*).
//! 4. When all subtasks have finished, the results are published.
//! 5. How the job ends is recorded, and only then has it ended: what was said to have ended does not run again.
//!
//! # Guarantees
//! Nothing is deployed twice as the same try; what a given-up try says has no effect, and its worker is told to end it. A job
//! that has ended holds no slot. Every event may come at any time: one that means nothing in a state changes nothing.
//!
//! It decides and does not act: events go in with the time, actions come out, and a shell around it carries them out.

mod exceptions;
pub mod status;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use millstream_graph::{AllocationId, AttemptId, ExecutionSlot, JobGraph, SubtaskId, WorkerId, execution_slots};
use millstream_planner::options::RestartStrategy;
use millstream_protocol::message::TaskFailure;

use crate::execution_graph::{AttemptState, ExecutionGraph, Refused};
use crate::scheduler::{FailoverRegions, Restart, RestartBackoff};

pub use exceptions::{ExceptionEntry, ExceptionHistory};
pub use status::JobStatus;

/// A slot of a worker, for as long as the job has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Whose slot.
    pub worker: WorkerId,
    /// Its number.
    pub slot: u32,
    /// The slot's stay with the job.
    pub allocation: AllocationId,
}

/// What happens to a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A worker offers a slot that was requested for the job.
    SlotOffered(Place),
    /// A worker is gone, and with it its slots and all that ran in them.
    WorkerLost(WorkerId),
    /// A try came into a state, as its worker says.
    Reported {
        /// Whose report.
        attempt: AttemptId,
        /// Where it stands now; not [`AttemptState::Failed`].
        state: AttemptState,
        /// Who says so.
        worker: WorkerId,
    },
    /// A try failed, as its worker says.
    TaskFailed {
        /// Which one.
        attempt: AttemptId,
        /// Why.
        failure: TaskFailure,
    },
    /// The results were published, or could not be.
    Published(Result<(), String>),
    /// How the job ends was recorded.
    EndRecorded,
    /// Someone wants the job to end at once.
    Cancel,
    /// Someone wants the sources to end, and what was read to be worked on to its end.
    Stop,
    /// Another job can run with the slots that this one holds and cannot use yet.
    YieldSlots,
    /// Time has passed.
    Tick,
}

/// What is to be done for a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Tell the ResourceManager how many slots the job needs in total.
    DeclareSlots(u32),
    /// Start a try in a slot.
    Deploy(AttemptId, Place),
    /// Tell a worker to end a try.
    Cancel(AttemptId, WorkerId),
    /// Give a slot back.
    FreeSlot(Place),
    /// End the sources of all that runs.
    StopSources,
    /// Make the results visible.
    Publish,
    /// Send a [`Event::Tick`] at this time, in milliseconds since 1970. A later one takes its place.
    WakeAt(i64),
    /// Record that the job ends like this, for which the answer is [`Event::EndRecorded`]. Nothing of it runs any more.
    RecordEnd(JobStatus),
    /// The job has ended like this.
    Ended(JobStatus),
}

/// Why a failure of this kind ends a job whatever its restart strategy.
const NOT_RECOVERABLE: &str = "it would fail the same way again";

/// A job.
#[derive(Debug)]
pub struct JobMaster {
    status: JobStatus,
    /// The status → when the job came into it last.
    since: BTreeMap<JobStatus, i64>,
    graph: ExecutionGraph,
    regions: FailoverRegions,
    backoff: RestartBackoff,
    slots: Vec<ExecutionSlot>,
    /// The subtask → its place among `slots`.
    slot_of: BTreeMap<SubtaskId, usize>,
    /// The place of each of `slots`, once there is one.
    places: Vec<Option<Place>>,
    /// Subtasks that wait to be tried again, and from when on that is allowed.
    restarting: BTreeMap<SubtaskId, i64>,
    restarts: u32,
    /// Whether the sources were told to end.
    stopping: bool,
    /// The results are being published.
    publishing: bool,
    /// How it ends, while that is being recorded.
    ending: Option<JobStatus>,
    exceptions: ExceptionHistory,
}

impl JobMaster {
    /// For a job that is planned and stored.
    pub fn new(graph: Arc<JobGraph>, strategy: RestartStrategy, now_ms: i64) -> Self {
        let slots = execution_slots(&graph);
        let slot_of = slots.iter().enumerate();
        let slot_of = slot_of.flat_map(|(at, slot)| slot.subtasks.iter().map(move |subtask| (*subtask, at))).collect();
        Self {
            status: JobStatus::Initializing,
            since: [(JobStatus::Initializing, now_ms)].into(),
            regions: FailoverRegions::of(&graph),
            backoff: RestartBackoff::new(strategy),
            places: vec![None; slots.len()],
            slots,
            slot_of,
            graph: ExecutionGraph::new(graph, now_ms),
            restarting: BTreeMap::new(),
            restarts: 0,
            stopping: false,
            publishing: false,
            ending: None,
            exceptions: ExceptionHistory::default(),
        }
    }

    /// Declares what the job needs.
    pub fn start(&mut self, now_ms: i64) -> Vec<Action> {
        self.enter(JobStatus::Created, now_ms);
        vec![Action::DeclareSlots(self.slots_needed())]
    }

    /// Something has happened. `random` is from 0 to 1, for the jitter of a wait.
    pub fn handle(&mut self, event: Event, now_ms: i64, random: f64) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::SlotOffered(place) => self.take_slot(place, &mut actions),
            Event::WorkerLost(worker) => self.lose(&worker, now_ms, random, &mut actions),
            Event::Reported { attempt, state, worker } => self.note(attempt, state, worker, now_ms, &mut actions),
            Event::TaskFailed { attempt, failure } => self.fail(attempt, failure, now_ms, random, &mut actions),
            Event::Published(Ok(())) if self.status == JobStatus::Running => {
                self.end(JobStatus::Finished, &mut actions);
            }
            Event::Published(Err(why)) if self.status.can_become(JobStatus::Failing) && self.ending.is_none() => {
                self.exceptions.add(ExceptionEntry { at_ms: now_ms, task: None, worker: None, why, follows: false });
                self.give_up(
                    "results that could not be published are not tried again".to_owned(),
                    now_ms,
                    &mut actions,
                );
            }
            // The job is being ended for another reason.
            Event::Published(_) => {}
            Event::EndRecorded => self.ended(now_ms, &mut actions),
            Event::Cancel => self.cancel(now_ms, &mut actions),
            Event::Stop => self.stop(&mut actions),
            Event::YieldSlots => self.yield_slots(&mut actions),
            Event::Tick => {}
        }
        self.go_on(now_ms, &mut actions);
        actions
    }

    /// Where the job stands.
    pub fn status(&self) -> JobStatus {
        self.status
    }

    /// When the job came into `status` last, in milliseconds since 1970.
    pub fn since(&self, status: JobStatus) -> Option<i64> {
        self.since.get(&status).copied()
    }

    /// Every subtask and every try.
    pub fn execution_graph(&self) -> &ExecutionGraph {
        &self.graph
    }

    /// What has failed.
    pub fn exceptions(&self) -> &ExceptionHistory {
        &self.exceptions
    }

    /// How often something was tried again.
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// Whether it was told to stop, and no failure came in between.
    pub fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// Whether all tasks have finished and the results are being published.
    pub fn is_publishing(&self) -> bool {
        self.publishing
    }

    /// How many slots the job needs in total.
    pub fn slots_needed(&self) -> u32 {
        u32::try_from(self.slots.len()).unwrap_or(u32::MAX)
    }

    /// How many of them it does not have.
    pub fn slots_missing(&self) -> u32 {
        u32::try_from(self.places.iter().filter(|place| place.is_none()).count()).unwrap_or(u32::MAX)
    }

    /// How many slots it holds while it waits for others and nothing of it runs.
    pub fn slots_unused(&self) -> u32 {
        let total = self.graph.total();
        let idle = |state: AttemptState| state == AttemptState::Created || state.is_terminal() || total.of(state) == 0;
        match self.status == JobStatus::Created && AttemptState::ALL.into_iter().all(idle) {
            true => self.slots_needed() - self.slots_missing(),
            false => 0,
        }
    }

    /// The place of each execution slot, in their order, once there is one.
    pub fn places(&self) -> &[Option<Place>] {
        &self.places
    }

    /// The worker that runs a subtask, or is to run it.
    pub fn worker_of(&self, subtask: SubtaskId) -> Option<&WorkerId> {
        self.place_of(subtask).map(|place| &place.worker)
    }

    fn place_of(&self, subtask: SubtaskId) -> Option<&Place> {
        self.places[*self.slot_of.get(&subtask)?].as_ref()
    }

    fn enter(&mut self, status: JobStatus, now_ms: i64) {
        debug_assert!(self.status.can_become(status), "{:?} cannot become {status:?}", self.status);
        self.status = status;
        self.since.insert(status, now_ms);
    }

    fn attempt(&self, of: SubtaskId) -> Option<(AttemptId, AttemptState)> {
        self.graph.current(of).map(|attempt| (AttemptId { of, number: attempt.number }, attempt.state()))
    }

    /// Takes an offered slot if one is missing; a job that is being ended needs none.
    fn take_slot(&mut self, place: Place, actions: &mut Vec<Action>) {
        if self.places.iter().flatten().any(|other| *other == place) {
            return;
        }
        let is_ending = self.is_ending();
        match self.places.iter_mut().find(|known| known.is_none()).filter(|_| !is_ending) {
            Some(missing) => *missing = Some(place),
            None => actions.push(Action::FreeSlot(place)),
        }
    }

    fn yield_slots(&mut self, actions: &mut Vec<Action>) {
        if self.slots_unused() > 0 && self.slots_missing() > 0 {
            actions.extend(self.places.iter_mut().filter_map(Option::take).map(Action::FreeSlot));
        }
    }

    fn is_ending(&self) -> bool {
        self.ending.is_some()
            || self.status.is_terminal()
            || matches!(self.status, JobStatus::Failing | JobStatus::Cancelling)
    }

    fn lose(&mut self, worker: &WorkerId, now_ms: i64, random: f64, actions: &mut Vec<Action>) {
        let ran_there: Vec<SubtaskId> =
            self.graph.subtasks().filter(|subtask| self.worker_of(*subtask) == Some(worker)).collect();
        for place in &mut self.places {
            if place.as_ref().is_some_and(|place| place.worker == *worker) {
                *place = None;
            }
        }
        for subtask in ran_there {
            if let Some((attempt, state)) = self.attempt(subtask)
                && !matches!(state, AttemptState::Created | AttemptState::Scheduled)
                && !state.is_terminal()
            {
                let why = format!("its worker {worker} was lost");
                let failure = TaskFailure { why, may_recover: true, follows: false };
                self.failed(attempt, failure, Some(worker.clone()), now_ms, random, actions);
            }
        }
    }

    fn note(
        &mut self,
        attempt: AttemptId,
        state: AttemptState,
        worker: WorkerId,
        now_ms: i64,
        actions: &mut Vec<Action>,
    ) {
        match self.graph.report(attempt, state, now_ms) {
            // The worker does not know yet that the try was given up.
            Err(Refused::Stale { .. }) if !state.is_terminal() => actions.push(Action::Cancel(attempt, worker)),
            Ok(()) | Err(Refused::Stale { .. } | Refused::Impossible { .. } | Refused::Unknown(_)) => {}
        }
    }

    fn fail(&mut self, attempt: AttemptId, failure: TaskFailure, now_ms: i64, random: f64, actions: &mut Vec<Action>) {
        let is_current =
            self.attempt(attempt.of).is_some_and(|(current, state)| current == attempt && !state.is_terminal());
        if is_current {
            let worker = self.worker_of(attempt.of).cloned();
            self.failed(attempt, failure, worker, now_ms, random, actions);
        }
    }

    /// A try has failed. The first one of a region says what becomes of the region; the others only follow. One that followed
    /// may be heard of before its cause, which then takes its place.
    fn failed(
        &mut self,
        attempt: AttemptId,
        failure: TaskFailure,
        worker: Option<WorkerId>,
        now_ms: i64,
        random: f64,
        actions: &mut Vec<Action>,
    ) {
        let TaskFailure { why, may_recover, follows } = failure;
        if self.graph.fail(attempt, why.clone(), now_ms).is_err() {
            return;
        }
        let entry = ExceptionEntry { at_ms: now_ms, task: Some(attempt), worker, why, follows };
        if self.restarting.contains_key(&attempt.of) || self.is_ending() {
            let explains = self.status != JobStatus::Cancelling && self.exceptions.explain(entry);
            if explains && !may_recover && self.status == JobStatus::Restarting {
                self.give_up(NOT_RECOVERABLE.to_owned(), now_ms, actions);
            }
            return;
        }
        self.exceptions.add(entry);
        let restart = if may_recover {
            self.backoff.on_failure(now_ms, random)
        } else {
            Restart::Never(NOT_RECOVERABLE.to_owned())
        };
        match restart {
            Restart::After(wait_ms) => self.restart_after(wait_ms, attempt.of, now_ms, actions),
            Restart::Never(reason) => self.give_up(reason, now_ms, actions),
        }
    }

    /// Ends the region of a subtask that failed, to be tried again after a wait. A job that is stopping begins anew as a
    /// whole: the sources of its other regions have ended early.
    fn restart_after(&mut self, wait_ms: i64, failed: SubtaskId, now_ms: i64, actions: &mut Vec<Action>) {
        let from = now_ms.saturating_add(wait_ms);
        let region: BTreeSet<SubtaskId> = match std::mem::take(&mut self.stopping) {
            true => self.graph.subtasks().collect(),
            false => self.regions.restarted_with(failed).iter().copied().collect(),
        };
        self.restarting.extend(region.iter().map(|subtask| (*subtask, from)));
        self.end_tries(&region, now_ms, actions);
        if self.status != JobStatus::Restarting {
            self.enter(JobStatus::Restarting, now_ms);
        }
        actions.push(Action::WakeAt(from));
    }

    /// Ends everything: the job has failed.
    fn give_up(&mut self, reason: String, now_ms: i64, actions: &mut Vec<Action>) {
        self.exceptions.gave_up(reason);
        self.restarting.clear();
        self.enter(JobStatus::Failing, now_ms);
        self.end_tries(&self.graph.subtasks().collect(), now_ms, actions);
    }

    fn stop(&mut self, actions: &mut Vec<Action>) {
        if self.status == JobStatus::Running && !self.stopping && !self.publishing {
            self.stopping = true;
            actions.push(Action::StopSources);
        }
    }

    fn cancel(&mut self, now_ms: i64, actions: &mut Vec<Action>) {
        // What is being published is done, whatever anybody wants.
        if self.status.can_become(JobStatus::Cancelling) && !self.publishing && self.ending.is_none() {
            self.enter(JobStatus::Cancelling, now_ms);
            self.restarting.clear();
            self.end_tries(&self.graph.subtasks().collect(), now_ms, actions);
        }
    }

    /// Ends what runs of `subtasks`.
    fn end_tries(&mut self, subtasks: &BTreeSet<SubtaskId>, now_ms: i64, actions: &mut Vec<Action>) {
        for subtask in subtasks {
            let Some((attempt, state)) = self.attempt(*subtask) else { continue };
            let to = match state {
                AttemptState::Created | AttemptState::Scheduled => AttemptState::Canceled,
                AttemptState::Deploying | AttemptState::Initializing | AttemptState::Running => AttemptState::Canceling,
                AttemptState::Finished | AttemptState::Canceling | AttemptState::Canceled | AttemptState::Failed => {
                    continue;
                }
            };
            if self.graph.report(attempt, to, now_ms).is_ok() && to == AttemptState::Canceling {
                actions.extend(self.worker_of(*subtask).map(|worker| Action::Cancel(attempt, worker.clone())));
            }
        }
    }

    /// Whatever is due now that something has happened.
    fn go_on(&mut self, now_ms: i64, actions: &mut Vec<Action>) {
        match self.status {
            JobStatus::Created => self.deploy(now_ms, actions),
            JobStatus::Restarting => self.restart(now_ms, actions),
            JobStatus::Running => self.publish(actions),
            JobStatus::Failing => self.end_if_over(JobStatus::Failed, actions),
            JobStatus::Cancelling => self.end_if_over(JobStatus::Canceled, actions),
            JobStatus::Initializing | JobStatus::Failed | JobStatus::Canceled | JobStatus::Finished => {}
        }
    }

    /// Deploys all that is not deployed once every slot is there.
    fn deploy(&mut self, now_ms: i64, actions: &mut Vec<Action>) {
        if self.slots_missing() > 0 {
            return;
        }
        self.enter(JobStatus::Running, now_ms);
        let created: Vec<SubtaskId> = self.graph.subtasks().collect();
        for subtask in created {
            let Some((attempt, AttemptState::Created)) = self.attempt(subtask) else { continue };
            let Some(place) = self.place_of(subtask).cloned() else { continue };
            let both = [AttemptState::Scheduled, AttemptState::Deploying];
            if both.into_iter().all(|state| self.graph.report(attempt, state, now_ms).is_ok()) {
                actions.push(Action::Deploy(attempt, place));
            }
        }
    }

    /// Begins the next tries when all that restarts is over and every wait has passed.
    fn restart(&mut self, now_ms: i64, actions: &mut Vec<Action>) {
        let over =
            |subtask: &SubtaskId| self.graph.current(*subtask).is_none_or(|attempt| attempt.state().is_terminal());
        if !self.restarting.iter().all(|(subtask, from)| *from <= now_ms && over(subtask)) {
            return;
        }
        for subtask in std::mem::take(&mut self.restarting).into_keys() {
            // All of them are over, so each may be tried again.
            let _ = self.graph.try_again(subtask, now_ms);
        }
        self.restarts += 1;
        self.enter(JobStatus::Created, now_ms);
        self.deploy(now_ms, actions);
    }

    /// Publishes the results when all have finished.
    fn publish(&mut self, actions: &mut Vec<Action>) {
        let counts = self.graph.total();
        let finished = counts.of(AttemptState::Finished) == counts.total();
        if finished && !self.publishing {
            self.publishing = true;
            actions.push(Action::Publish);
        }
    }

    fn end_if_over(&mut self, status: JobStatus, actions: &mut Vec<Action>) {
        if self.graph.total().all_over() {
            self.end(status, actions);
        }
    }

    /// Nothing runs any more: gives all slots back and has the end recorded.
    fn end(&mut self, status: JobStatus, actions: &mut Vec<Action>) {
        debug_assert!(self.status.can_become(status), "{:?} cannot become {status:?}", self.status);
        if self.ending.is_none() {
            self.ending = Some(status);
            actions.push(Action::DeclareSlots(0));
            actions.extend(self.places.iter_mut().filter_map(Option::take).map(Action::FreeSlot));
            actions.push(Action::RecordEnd(status));
        }
    }

    fn ended(&mut self, now_ms: i64, actions: &mut Vec<Action>) {
        if let Some(status) = self.ending.filter(|_| !self.status.is_terminal()) {
            self.enter(status, now_ms);
            actions.push(Action::Ended(status));
        }
    }
}

#[cfg(test)]
mod tests;
