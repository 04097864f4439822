//! When a job's checkpoints are triggered, and what becomes of each.
//!
//! # Flow
//! ```text
//!            interval over, or asked for      enumerators done        all tasks acknowledged or finished
//!     Idle ───────────────────────► Enumerating ─────────► Pending ─────────────────────────► Recording
//!      ▲                                 │                    │                                   │
//!      │◄── aborted: the job stopped, ───┴────────────────────┘                                   │
//!      │    it expired, was declined                                                              │
//!      │◄── the record was created: completed ────────────────────────────────────────────────────┤
//!      └◄── the record was not created: aborted ◄─────────────────────────────────────────────────┘
//! ```
//! 1. The split enumerators take their snapshots first ([`Action::SnapshotEnumerators`]), so that what they hand out
//!    afterwards belongs to the next checkpoint.
//! 2. The sources are told to cut their streams ([`Action::TriggerSources`]); each task acknowledges with what it has stored.
//! 3. When all have, the manifest is recorded ([`Action::Record`]), and when that is there the checkpoint is completed: tasks
//!    are told, sinks commit ([`Action::NotifyCompleted`]), and old checkpoints are forgotten.
//!
//! # Guarantees
//! Ids rise and are never used twice. One checkpoint is in flight. A checkpoint is said to be completed once, after its record
//! was created. What a task has stored is named exactly once as part of a checkpoint that completes, of one that is aborted,
//! or as of no use ([`Action::Discard`]), so whoever carries the actions out neither leaks a file nor deletes one that counts.
//! Every request is answered once. Every event may come at any time: one that means nothing changes nothing.
//!
//! A checkpoint whose record is being written is never aborted and does not expire, also when the job stops: the record may
//! be there already, and who deleted its files would leave a job that cannot start again. If it is created it is the latest
//! checkpoint, and its commits are made although nothing runs. So a job that starts again must wait while one is
//! [`undecided`](CheckpointCoordinator::undecided) before it chooses where to start from.
//!
//! It decides and does not act: events go in with the time, actions come out, and a shell around it carries them out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use millstream_engine::element::CheckpointId;
use millstream_graph::{AttemptId, SubtaskId};

use super::statistics::Tasks;
use super::{CheckpointKind, CheckpointSettings, CheckpointStatistics, RestoredCheckpoint};

/// Names a request for a checkpoint, as whoever asks likes: 128 bits, like Flink's trigger ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u128);

/// What happens to a job's checkpoints. `A` is what a task has stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<A> {
    /// All tasks of the job run or have finished, as new tries or for the first time.
    Running {
        /// Those that run.
        attempts: BTreeSet<AttemptId>,
        /// Those that have finished.
        finished: BTreeSet<SubtaskId>,
    },
    /// Not all tasks run any more: something of the job restarts, fails or is cancelled.
    Stopped,
    /// The job starts from this checkpoint.
    Restored {
        /// Which one.
        checkpoint: CheckpointId,
        /// What it was for.
        kind: CheckpointKind,
    },
    /// A try has finished. Its worker says so after all acknowledgements of the try, also of those that took their time to
    /// be written: a task that has not acknowledged a checkpoint by then counts as having finished before its cut.
    Finished(AttemptId),
    /// The split enumerators have taken their snapshots. From now on they hand nothing out to a source until it has
    /// acknowledged.
    Enumerated {
        /// For which checkpoint.
        checkpoint: CheckpointId,
    },
    /// A split enumerator could not take its snapshot.
    NotEnumerated {
        /// For which checkpoint.
        checkpoint: CheckpointId,
        /// Why.
        why: String,
    },
    /// A task has stored its state.
    Acknowledged {
        /// For which checkpoint.
        checkpoint: CheckpointId,
        /// Whose state.
        attempt: AttemptId,
        /// What it has stored.
        handle: A,
    },
    /// A task could not store its state.
    Declined {
        /// For which checkpoint.
        checkpoint: CheckpointId,
        /// Which task.
        attempt: AttemptId,
        /// Why.
        why: String,
    },
    /// The manifest was created as a record of the job.
    Recorded {
        /// Of which checkpoint.
        checkpoint: CheckpointId,
    },
    /// The manifest was not created and will not be. While that is not certain nothing is said, and writing it is repeated.
    NotRecorded {
        /// Of which checkpoint.
        checkpoint: CheckpointId,
        /// Why.
        why: String,
    },
    /// Someone asks for a checkpoint. The answer is an [`Action::Answer`].
    Trigger {
        /// Names the request. One of the same name as one that is not answered is the same request.
        request: RequestId,
        /// What it is for.
        kind: CheckpointKind,
    },
    /// Time has passed.
    Tick,
}

/// What is to be done for a job's checkpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action<A> {
    /// Let the split enumerators take their snapshots: the answer is [`Event::Enumerated`] or [`Event::NotEnumerated`].
    SnapshotEnumerators(CheckpointId),
    /// Tell the sources to cut their streams, and those tasks that run although all their inputs have ended.
    TriggerSources(CheckpointId),
    /// Create the manifest as a record of the job: the answer is [`Event::Recorded`] or [`Event::NotRecorded`].
    Record {
        /// Which checkpoint.
        id: CheckpointId,
        /// What it is for.
        kind: CheckpointKind,
        /// When it was triggered, in milliseconds since 1970.
        started_ms: i64,
        /// What each task has stored.
        acks: BTreeMap<AttemptId, A>,
        /// Those that had finished before the cut.
        finished: BTreeSet<SubtaskId>,
    },
    /// The checkpoint is completed: tell the tasks, and commit what its manifest lists, also when nothing runs any more.
    NotifyCompleted(CheckpointId),
    /// The checkpoint is given up: tell the tasks, forget what the enumerators have said and delete what was stored for it.
    Abort {
        /// Which checkpoint.
        id: CheckpointId,
        /// Why.
        why: String,
        /// What tasks have stored for it, the same as in its [`Action::Record`] if there was one.
        acks: BTreeMap<AttemptId, A>,
    },
    /// Delete what a task has stored: it is of no use.
    Discard {
        /// Whose state.
        attempt: AttemptId,
        /// For which checkpoint it was meant.
        checkpoint: CheckpointId,
        /// What is stored.
        handle: A,
    },
    /// Delete these checkpoints: there are enough newer ones.
    Forget(Vec<CheckpointId>),
    /// Answer a request.
    Answer {
        /// Which one.
        request: RequestId,
        /// How it went.
        answer: TriggerAnswer,
    },
    /// Send an [`Event::Tick`] at this time or later, not before, in milliseconds since 1970. Whichever was asked for last
    /// counts, also if it is an earlier time.
    WakeAt(i64),
    /// Fail the job: too many checkpoints in a row have failed. None is triggered until it runs anew.
    FailJob(String),
}

/// What became of a request for a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TriggerAnswer {
    /// None was triggered, for this reason.
    Refused(String),
    /// It is completed.
    Completed(CheckpointId),
    /// It was aborted.
    Failed {
        /// Which checkpoint.
        id: CheckpointId,
        /// Why.
        why: String,
    },
}

/// Where the checkpoint in flight stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// None is in flight.
    Idle,
    /// The split enumerators take their snapshots.
    Enumerating,
    /// The sources were told to cut, and tasks acknowledge.
    Pending,
    /// Its record is being written. Nobody knows whether it is there.
    Recording,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Idle, Self::Enumerating, Self::Pending, Self::Recording];

    /// The stages that may follow.
    pub fn next(self) -> &'static [Self] {
        match self {
            Self::Idle => &[Self::Enumerating],
            Self::Enumerating => &[Self::Pending, Self::Idle],
            Self::Pending => &[Self::Recording, Self::Idle],
            // By the answer only.
            Self::Recording => &[Self::Idle],
        }
    }

    /// Whether `to` may follow.
    pub fn can_become(self, to: Self) -> bool {
        self.next().contains(&to)
    }
}

/// Whether a failure says something about checkpoints or only about the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blame {
    /// It counts among those that the job tolerates in a row.
    Checkpoint,
    /// The job stopped under it.
    Job,
}

/// A checkpoint that has not ended.
#[derive(Debug)]
struct InFlight<A> {
    id: CheckpointId,
    kind: CheckpointKind,
    /// Who asked for it.
    request: Option<RequestId>,
    started_ms: i64,
    /// Not [`Stage::Idle`].
    stage: Stage,
    /// Those that are still to acknowledge.
    awaited: BTreeSet<AttemptId>,
    acks: BTreeMap<AttemptId, A>,
    finished: BTreeSet<SubtaskId>,
}

/// The tasks of a job that runs.
#[derive(Debug)]
struct Run {
    attempts: BTreeSet<AttemptId>,
    finished: BTreeSet<SubtaskId>,
    /// From when on the interval is counted: since it runs, or since the last checkpoint that nobody asked for.
    counted_from_ms: i64,
}

/// What triggers the checkpoints of a job and follows them to their end.
#[derive(Debug)]
pub struct CheckpointCoordinator<A> {
    settings: CheckpointSettings,
    next: CheckpointId,
    /// Only while it runs.
    run: Option<Run>,
    in_flight: Option<InFlight<A>>,
    /// Requests that wait for the one in flight.
    requests: VecDeque<(RequestId, CheckpointKind)>,
    /// Those that are not forgotten: as many as are retained, and the savepoints that the job's records hold.
    completed: BTreeMap<CheckpointId, CheckpointKind>,
    /// When the last one ended.
    ended_ms: Option<i64>,
    failed_in_a_row: u32,
    /// The last [`Action::WakeAt`].
    wake_at: Option<i64>,
    statistics: CheckpointStatistics,
}

impl<A: Clone + PartialEq> CheckpointCoordinator<A> {
    /// How many requests may wait.
    pub const MOST_REQUESTS: usize = 16;

    /// Of a job that does not run yet. `first` is the next id to be used, above all that ever were. `completed` are those that
    /// its records hold and that were not forgotten.
    pub fn new(
        settings: CheckpointSettings,
        first: CheckpointId,
        completed: impl IntoIterator<Item = (CheckpointId, CheckpointKind)>,
    ) -> Self {
        Self {
            settings,
            next: first,
            run: None,
            in_flight: None,
            requests: VecDeque::new(),
            completed: completed.into_iter().collect(),
            ended_ms: None,
            failed_in_a_row: 0,
            wake_at: None,
            statistics: CheckpointStatistics::default(),
        }
    }

    /// Something has happened. The time does not go back.
    pub fn handle(&mut self, event: Event<A>, now_ms: i64) -> Vec<Action<A>> {
        let mut actions = Vec::new();
        match event {
            Event::Running { attempts, finished } => self.start(attempts, finished, now_ms, &mut actions),
            Event::Stopped => self.stop(now_ms, &mut actions),
            Event::Restored { checkpoint, kind } => {
                self.statistics.restored(RestoredCheckpoint { id: checkpoint, kind, at_ms: now_ms });
            }
            Event::Finished(attempt) => self.finish(attempt, now_ms, &mut actions),
            Event::Enumerated { checkpoint } => self.enumerated(checkpoint, &mut actions),
            Event::NotEnumerated { checkpoint, why } => {
                if self.is_at(Stage::Enumerating, checkpoint) {
                    self.abort(format!("a split enumerator: {why}"), Blame::Checkpoint, now_ms, &mut actions);
                }
            }
            Event::Acknowledged { checkpoint, attempt, handle } => {
                self.acknowledge(checkpoint, attempt, handle, now_ms, &mut actions);
            }
            Event::Declined { checkpoint, attempt, why } => {
                self.decline(checkpoint, attempt, &why, now_ms, &mut actions);
            }
            Event::Recorded { checkpoint } => self.complete(checkpoint, now_ms, &mut actions),
            Event::NotRecorded { checkpoint, why } => {
                if self.is_at(Stage::Recording, checkpoint) {
                    self.abort(format!("it was not recorded: {why}"), Blame::Checkpoint, now_ms, &mut actions);
                }
            }
            Event::Trigger { request, kind } => self.request(request, kind, &mut actions),
            Event::Tick => {}
        }
        self.go_on(now_ms, &mut actions);
        actions
    }

    /// Where the checkpoint in flight stands.
    pub fn stage(&self) -> Stage {
        self.in_flight.as_ref().map_or(Stage::Idle, |current| current.stage)
    }

    /// The checkpoint in flight.
    pub fn in_flight(&self) -> Option<CheckpointId> {
        self.in_flight.as_ref().map(|current| current.id)
    }

    /// The checkpoint whose record is being written: until the answer is there nobody knows which one is the latest.
    pub fn undecided(&self) -> Option<CheckpointId> {
        self.in_flight.as_ref().filter(|current| current.stage == Stage::Recording).map(|current| current.id)
    }

    /// The last completed checkpoint or savepoint: where a job starts from, when none is undecided.
    pub fn latest(&self) -> Option<CheckpointId> {
        self.completed.last_key_value().map(|(id, _)| *id)
    }

    /// The completed checkpoints and savepoints that are not forgotten, the oldest first.
    pub fn completed(&self) -> impl DoubleEndedIterator<Item = (CheckpointId, CheckpointKind)> {
        self.completed.iter().map(|(id, kind)| (*id, *kind))
    }

    /// When checkpoints are made and kept.
    pub fn settings(&self) -> &CheckpointSettings {
        &self.settings
    }

    /// What is known of the checkpoints.
    pub fn statistics(&self) -> &CheckpointStatistics {
        &self.statistics
    }

    fn is_at(&self, stage: Stage, id: CheckpointId) -> bool {
        self.in_flight.as_ref().is_some_and(|current| current.id == id && current.stage == stage)
    }

    /// The job runs. Tries that were not known make it another run, which a checkpoint of the last one cannot belong to.
    fn start(
        &mut self,
        attempts: BTreeSet<AttemptId>,
        finished: BTreeSet<SubtaskId>,
        now_ms: i64,
        actions: &mut Vec<Action<A>>,
    ) {
        if self.run.as_ref().is_some_and(|run| run.attempts == attempts && run.finished == finished) {
            return;
        }
        self.stop(now_ms, actions);
        self.run = Some(Run { attempts, finished, counted_from_ms: now_ms });
    }

    fn stop(&mut self, now_ms: i64, actions: &mut Vec<Action<A>>) {
        self.run = None;
        match self.stage() {
            Stage::Enumerating | Stage::Pending => {
                self.abort("the job did not go on running".to_owned(), Blame::Job, now_ms, actions);
            }
            Stage::Idle | Stage::Recording => {}
        }
    }

    /// A task that finishes before it has acknowledged belongs to the checkpoint as one that has nothing more to do.
    fn finish(&mut self, attempt: AttemptId, now_ms: i64, actions: &mut Vec<Action<A>>) {
        let Some(run) = self.run.as_mut().filter(|run| run.attempts.contains(&attempt)) else { return };
        run.attempts.remove(&attempt);
        run.finished.insert(attempt.of);
        if let Some(current) = &mut self.in_flight
            && current.awaited.remove(&attempt)
        {
            current.finished.insert(attempt.of);
            self.statistics.acknowledged(now_ms);
            self.record_if_all_answered(actions);
        }
    }

    fn enumerated(&mut self, id: CheckpointId, actions: &mut Vec<Action<A>>) {
        let Some(current) = self.in_flight.as_mut().filter(|current| current.id == id) else { return };
        if current.stage != Stage::Enumerating {
            return;
        }
        current.enter(Stage::Pending);
        if !current.awaited.is_empty() {
            actions.push(Action::TriggerSources(id));
        }
        self.record_if_all_answered(actions);
    }

    /// Takes what a task has stored if it is waited for. Otherwise it is of no use, unless it is the same again or may be part
    /// of a checkpoint that counts: then deleting it would do harm.
    fn acknowledge(
        &mut self,
        checkpoint: CheckpointId,
        attempt: AttemptId,
        handle: A,
        now_ms: i64,
        actions: &mut Vec<Action<A>>,
    ) {
        if let Some(current) = self.in_flight.as_mut().filter(|current| current.id == checkpoint) {
            if current.stage == Stage::Pending && current.awaited.remove(&attempt) {
                current.acks.insert(attempt, handle);
                self.statistics.acknowledged(now_ms);
                self.record_if_all_answered(actions);
            } else if current.acks.get(&attempt) != Some(&handle) {
                actions.push(Action::Discard { attempt, checkpoint, handle });
            }
        } else if !self.completed.contains_key(&checkpoint) {
            actions.push(Action::Discard { attempt, checkpoint, handle });
        }
    }

    fn decline(
        &mut self,
        checkpoint: CheckpointId,
        attempt: AttemptId,
        why: &str,
        now_ms: i64,
        actions: &mut Vec<Action<A>>,
    ) {
        let current = self.in_flight.as_ref().filter(|current| current.id == checkpoint);
        if current.is_some_and(|current| current.awaited.contains(&attempt)) {
            self.abort(format!("{attempt} declined it: {why}"), Blame::Checkpoint, now_ms, actions);
        }
    }

    fn record_if_all_answered(&mut self, actions: &mut Vec<Action<A>>) {
        let Some(current) = &mut self.in_flight else { return };
        if current.stage == Stage::Pending && current.awaited.is_empty() {
            current.enter(Stage::Recording);
            actions.push(Action::Record {
                id: current.id,
                kind: current.kind,
                started_ms: current.started_ms,
                acks: current.acks.clone(),
                finished: current.finished.clone(),
            });
        }
    }

    /// The record is there, so the checkpoint counts, whatever has become of the job.
    fn complete(&mut self, id: CheckpointId, now_ms: i64, actions: &mut Vec<Action<A>>) {
        if !self.is_at(Stage::Recording, id) {
            return;
        }
        let Some(current) = self.in_flight.take() else { return };
        self.ended_ms = Some(now_ms);
        self.failed_in_a_row = 0;
        self.statistics.completed(now_ms);
        self.completed.insert(id, current.kind);
        actions.push(Action::NotifyCompleted(id));
        if let Some(request) = current.request {
            actions.push(Action::Answer { request, answer: TriggerAnswer::Completed(id) });
        }
        self.forget(actions);
    }

    fn forget(&mut self, actions: &mut Vec<Action<A>>) {
        let of_kind = self.completed().filter(|(_, kind)| *kind == CheckpointKind::Checkpoint);
        let newest_first = of_kind.rev().map(|(id, _)| id);
        let mut too_old: Vec<CheckpointId> = newest_first.skip(self.settings.num_retained.max(1)).collect();
        if !too_old.is_empty() {
            too_old.reverse();
            self.completed.retain(|id, _| !too_old.contains(id));
            actions.push(Action::Forget(too_old));
        }
    }

    /// Gives the checkpoint in flight up.
    fn abort(&mut self, why: String, blame: Blame, now_ms: i64, actions: &mut Vec<Action<A>>) {
        let Some(current) = self.in_flight.take() else { return };
        debug_assert!(current.stage.can_become(Stage::Idle), "{:?} cannot be aborted", current.stage);
        self.ended_ms = Some(now_ms);
        self.statistics.failed(&why, now_ms);
        actions.push(Action::Abort { id: current.id, why: why.clone(), acks: current.acks });
        if let Some(request) = current.request {
            let answer = TriggerAnswer::Failed { id: current.id, why: why.clone() };
            actions.push(Action::Answer { request, answer });
        }
        // That a savepoint fails is the matter of whoever asked for it.
        if blame == Blame::Checkpoint && current.kind == CheckpointKind::Checkpoint && self.run.is_some() {
            self.count_failure(&why, actions);
        }
    }

    fn count_failure(&mut self, why: &str, actions: &mut Vec<Action<A>>) {
        self.failed_in_a_row = self.failed_in_a_row.saturating_add(1);
        if let Some(tolerable) = self.settings.tolerable_failed
            && self.failed_in_a_row > tolerable
        {
            actions.push(Action::FailJob(format!(
                "{} checkpoints in a row have failed, and 'execution.checkpointing.tolerable-failed-checkpoints' is \
                 {tolerable}; the last one: {why}",
                self.failed_in_a_row
            )));
            self.failed_in_a_row = 0;
            self.run = None;
        }
    }

    fn request(&mut self, request: RequestId, kind: CheckpointKind, actions: &mut Vec<Action<A>>) {
        let in_flight = self.in_flight.as_ref().is_some_and(|current| current.request == Some(request));
        if in_flight || self.requests.iter().any(|(known, _)| *known == request) {
            return;
        }
        if self.requests.len() < Self::MOST_REQUESTS {
            self.requests.push_back((request, kind));
        } else {
            let why = format!("{} requests wait already", Self::MOST_REQUESTS);
            actions.push(Action::Answer { request, answer: TriggerAnswer::Refused(why) });
        }
    }

    /// Whatever is due now that something has happened.
    fn go_on(&mut self, now_ms: i64, actions: &mut Vec<Action<A>>) {
        self.expire(now_ms, actions);
        self.trigger(now_ms, actions);
        self.wake(actions);
    }

    fn expire(&mut self, now_ms: i64, actions: &mut Vec<Action<A>>) {
        let Some(current) = self.in_flight.as_ref() else { return };
        if current.expires_ms(&self.settings).is_some_and(|at| at <= now_ms) {
            let why = current.why_expired(&self.settings);
            self.abort(why, Blame::Checkpoint, now_ms, actions);
        }
    }

    /// Begins what someone waits for, or the next one if it is due.
    fn trigger(&mut self, now_ms: i64, actions: &mut Vec<Action<A>>) {
        if let Some(why) = self.why_not() {
            self.refuse_all(why, actions);
            return;
        }
        if self.in_flight.is_some() {
            return;
        }
        if let Some((request, kind)) = self.requests.pop_front() {
            self.begin(kind, Some(request), now_ms, actions);
        } else if self.due_ms().is_some_and(|due| due <= now_ms) {
            if let Some(run) = &mut self.run {
                run.counted_from_ms = now_ms;
            }
            self.begin(CheckpointKind::Checkpoint, None, now_ms, actions);
        }
    }

    /// Why no checkpoint can be triggered now or after the one in flight.
    fn why_not(&self) -> Option<&'static str> {
        match &self.run {
            None => Some("not all tasks of the job run"),
            Some(run) if run.attempts.is_empty() => Some("all tasks of the job have finished"),
            Some(_) => None,
        }
    }

    fn refuse_all(&mut self, why: &str, actions: &mut Vec<Action<A>>) {
        let refused = |(request, _)| Action::Answer { request, answer: TriggerAnswer::Refused(why.to_owned()) };
        actions.extend(self.requests.drain(..).map(refused));
    }

    fn begin(&mut self, kind: CheckpointKind, request: Option<RequestId>, now_ms: i64, actions: &mut Vec<Action<A>>) {
        let Some(run) = &self.run else { return };
        debug_assert!(self.stage().can_become(Stage::Enumerating), "another one is in flight");
        let id = self.next;
        self.next = CheckpointId(id.0 + 1);
        let (awaited, finished) = (run.attempts.clone(), run.finished.clone());
        let tasks = Tasks { total: awaited.len() + finished.len(), acknowledged: finished.len() };
        self.statistics.begun(id, kind, tasks, now_ms);
        let stage = Stage::Enumerating;
        let acks = BTreeMap::new();
        self.in_flight = Some(InFlight { id, kind, request, started_ms: now_ms, stage, awaited, acks, finished });
        actions.push(Action::SnapshotEnumerators(id));
    }

    /// When the next checkpoint is due that nobody has asked for, once none is in flight.
    fn due_ms(&self) -> Option<i64> {
        let run = self.run.as_ref().filter(|run| !run.attempts.is_empty())?;
        let due = run.counted_from_ms.saturating_add(self.settings.interval_ms?);
        let paused = self.ended_ms.map_or(i64::MIN, |ended| ended.saturating_add(self.settings.min_pause_ms));
        Some(due.max(paused))
    }

    /// Asks to be woken when something is due, unless that was asked for.
    fn wake(&mut self, actions: &mut Vec<Action<A>>) {
        let next = match &self.in_flight {
            Some(current) => current.expires_ms(&self.settings),
            None => self.due_ms(),
        };
        if let Some(at) = next
            && self.wake_at != next
        {
            self.wake_at = next;
            actions.push(Action::WakeAt(at));
        }
    }
}

impl<A> InFlight<A> {
    fn enter(&mut self, stage: Stage) {
        debug_assert!(self.stage.can_become(stage), "{:?} cannot become {stage:?}", self.stage);
        self.stage = stage;
    }

    /// When it expires. One that is being recorded does not.
    fn expires_ms(&self, settings: &CheckpointSettings) -> Option<i64> {
        match self.stage {
            Stage::Enumerating | Stage::Pending => Some(self.started_ms.saturating_add(settings.timeout_ms)),
            Stage::Idle | Stage::Recording => None,
        }
    }

    fn why_expired(&self, settings: &CheckpointSettings) -> String {
        let after = Duration::from_millis(settings.timeout_ms.try_into().unwrap_or_default());
        let total = self.awaited.len() + self.acks.len() + self.finished.len();
        match (self.stage, self.awaited.first()) {
            (Stage::Pending, Some(first)) => {
                let left = self.awaited.len();
                format!("expired after {after:?}: {left} of {total} tasks have not acknowledged it, among them {first}")
            }
            (Stage::Idle | Stage::Enumerating | Stage::Pending | Stage::Recording, _) => {
                format!("expired after {after:?}: the split enumerators have not taken their snapshots")
            }
        }
    }
}
