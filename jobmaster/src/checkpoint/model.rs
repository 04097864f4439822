//! A job whose tasks, records, users and clock do whatever they can do to its checkpoints, and what must hold all the same.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use millstream_engine::element::CheckpointId;
use millstream_engine::testing::random::{Random, rounds};
use millstream_graph::{AttemptId, SubtaskId};

use super::coordinator::{Action, CheckpointCoordinator, Event, RequestId, Stage, TriggerAnswer};
use super::{CheckpointKind, CheckpointSettings, CheckpointStatus};

/// What a task has stored: each is another one.
type Handle = u64;

const TASKS: u32 = 4;
const TIMEOUT_MS: i64 = 200;

#[test]
fn whatever_happens_checkpoints_follow_one_another_and_nothing_that_was_stored_is_lost_or_deleted_wrongly() {
    for seed in rounds(400) {
        let mut world = World::new(seed);
        for _ in 0..400 {
            world.step(true);
        }
        world.ends_troubles();
        let completed = world.completed;
        for step in 0.. {
            if world.completed >= completed + 3 {
                break;
            }
            assert!(step < 300, "seed {seed}: no checkpoint completes any more");
            world.step(false);
        }
        world.settles();
    }
}

/// What became of a handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is part of the record of this checkpoint.
    Recorded(CheckpointId),
    Aborted,
    Discarded,
}

/// What the model knows of the checkpoint in flight.
#[derive(Debug, Clone, Copy)]
struct Current {
    id: CheckpointId,
    kind: CheckpointKind,
    request: Option<RequestId>,
}

/// The shell, the tasks and the store, as the coordinator sees them.
struct World {
    seed: u64,
    random: Random,
    coordinator: CheckpointCoordinator<Handle>,
    settings: CheckpointSettings,
    now: i64,
    alarm: Option<i64>,
    runs: bool,
    number: u32,
    live: BTreeSet<AttemptId>,
    finished: BTreeSet<SubtaskId>,
    /// What is still to be answered, also for checkpoints that were aborted meanwhile.
    enumerating: Option<CheckpointId>,
    to_acknowledge: Vec<(CheckpointId, AttemptId)>,
    recording: Option<CheckpointId>,
    waiting: VecDeque<(RequestId, CheckpointKind)>,
    requests: u128,
    handles: Handle,
    /// The last acknowledgement, and whose handles were said twice.
    said: Option<(CheckpointId, AttemptId, Handle)>,
    repeated: BTreeSet<Handle>,
    /// What must hold.
    last: CheckpointId,
    current: Option<Current>,
    fates: BTreeMap<Handle, Fate>,
    recorded: BTreeSet<CheckpointId>,
    notified: BTreeSet<CheckpointId>,
    kept: VecDeque<CheckpointId>,
    forgotten: BTreeSet<CheckpointId>,
    counted_from: i64,
    ended: i64,
    failures: u32,
    completed: u64,
    failed: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let settings = CheckpointSettings {
            interval_ms: *random.pick(&[Some(20), Some(50), Some(1), None]),
            timeout_ms: TIMEOUT_MS,
            min_pause_ms: *random.pick(&[0, 0, 30]),
            num_retained: *random.pick(&[1, 2, 3]),
            tolerable_failed: *random.pick(&[None, None, Some(0), Some(2)]),
        };
        Self {
            seed,
            coordinator: CheckpointCoordinator::new(settings.clone(), CheckpointId(1), []),
            random,
            settings,
            now: 1_000,
            alarm: None,
            runs: false,
            number: 0,
            live: BTreeSet::new(),
            finished: BTreeSet::new(),
            enumerating: None,
            to_acknowledge: Vec::new(),
            recording: None,
            waiting: VecDeque::new(),
            requests: 0,
            handles: 0,
            said: None,
            repeated: BTreeSet::new(),
            last: CheckpointId(0),
            current: None,
            fates: BTreeMap::new(),
            recorded: BTreeSet::new(),
            notified: BTreeSet::new(),
            kept: VecDeque::new(),
            forgotten: BTreeSet::new(),
            counted_from: 0,
            ended: i64::MIN,
            failures: 0,
            completed: 0,
            failed: 0,
        }
    }

    fn step(&mut self, troubles: bool) {
        let event = match troubles && self.random.chance(40) {
            true => self.trouble(),
            false => self.honest(troubles),
        };
        self.handle(event);
    }

    fn handle(&mut self, event: Event<Handle>) {
        if event == Event::Tick && self.alarm.is_some_and(|at| at <= self.now) {
            self.alarm = None;
        }
        let told = format!("seed {} at {}: {event:?}", self.seed, self.now);
        let was_recorded = match event {
            Event::Recorded { checkpoint } if self.recorded.contains(&checkpoint) => Some(checkpoint),
            _ => None,
        };
        for action in self.coordinator.handle(event, self.now) {
            self.take(action, &told);
        }
        assert!(was_recorded.is_none_or(|id| self.notified.contains(&id)), "{told}: it is there and nobody was told");
        assert!(self.kept.len() <= self.settings.num_retained, "{told}: {:?}", self.kept);
        let tolerable = self.settings.tolerable_failed.unwrap_or(u32::MAX);
        assert!(self.failures <= tolerable, "{told}: the job did not fail");
        assert_eq!(self.coordinator.in_flight(), self.current.map(|current| current.id), "{told}");
        let is_recording = self.coordinator.stage() == Stage::Recording;
        assert_eq!(self.coordinator.undecided(), self.recording, "{told}");
        assert_eq!(is_recording, self.recording.is_some(), "{told}");
        let in_progress = self.coordinator.statistics().history().next_back();
        let in_progress = in_progress.is_some_and(|last| last.status == CheckpointStatus::InProgress);
        assert_eq!(in_progress, self.current.is_some(), "{told}");
    }

    /// Something that brings the job and its checkpoints on. The time only passes when nothing else does, and then to the
    /// alarm: so nothing that is due may be forgotten.
    fn honest(&mut self, troubles: bool) -> Event<Handle> {
        // Most jobs wait for what is undecided before they start again.
        let waits = self.recording.is_some() && (!troubles || self.random.chance(80));
        if (!self.runs || self.live.is_empty()) && !waits {
            return self.run(troubles);
        }
        if let Some(checkpoint) = self.enumerating.take() {
            return Event::Enumerated { checkpoint };
        }
        if !self.to_acknowledge.is_empty() {
            let at = self.random.below(self.to_acknowledge.len());
            let (checkpoint, attempt) = self.to_acknowledge.swap_remove(at);
            return self.acknowledged(checkpoint, attempt);
        }
        if let Some(checkpoint) = self.recording.take() {
            self.recorded.insert(checkpoint);
            return Event::Recorded { checkpoint };
        }
        if self.current.is_none() && (self.settings.interval_ms.is_none() || self.random.chance(10)) {
            return self.asked();
        }
        let alarm = self.alarm.unwrap_or_else(|| panic!("seed {}: nothing happens any more", self.seed));
        self.now = self.now.max(alarm);
        Event::Tick
    }

    fn trouble(&mut self) -> Event<Handle> {
        self.now += self.random.within(0..20);
        if self.random.chance(3) {
            self.now += TIMEOUT_MS;
        }
        let any = CheckpointId(self.random.number() % (self.last.0 + 2));
        let why = "trouble".to_owned();
        match self.random.below(12) {
            0 if self.random.chance(40) => {
                self.runs = false;
                Event::Stopped
            }
            1 if self.random.chance(20) => self.run(true),
            2 => match self.to_acknowledge.pop() {
                Some((checkpoint, attempt)) => Event::Declined { checkpoint, attempt, why },
                None => Event::Declined { checkpoint: any, attempt: self.stale(), why },
            },
            3 => match self.live.iter().nth(self.random.below(usize::try_from(TASKS).unwrap())).copied() {
                Some(attempt) => {
                    self.live.remove(&attempt);
                    self.finished.insert(attempt.of);
                    self.to_acknowledge.retain(|(_, other)| *other != attempt);
                    Event::Finished(attempt)
                }
                None => Event::Finished(self.stale()),
            },
            4 => match self.enumerating.take().filter(|_| self.random.chance(30)) {
                Some(checkpoint) => Event::NotEnumerated { checkpoint, why },
                None => Event::Tick,
            },
            5 => match self.recording.take_if(|_| self.random.chance(50)) {
                Some(checkpoint) => Event::NotRecorded { checkpoint, why },
                None => Event::Tick,
            },
            // Answers to what was not asked.
            6 if self.recording != Some(any) => {
                let checkpoint = any;
                match self.random.below(2) {
                    0 => Event::Recorded { checkpoint },
                    _ => Event::NotRecorded { checkpoint, why },
                }
            }
            7 if self.enumerating != Some(any) => Event::Enumerated { checkpoint: any },
            8 => match self.said {
                Some((checkpoint, attempt, handle)) => {
                    self.repeated.insert(handle);
                    Event::Acknowledged { checkpoint, attempt, handle }
                }
                None => Event::Tick,
            },
            9 if !self.notified.contains(&any) => {
                let attempt = self.stale();
                self.acknowledged(any, attempt)
            }
            10 if self.random.chance(30) => self.asked(),
            _ => Event::Tick,
        }
    }

    /// A try that is not of this run.
    fn stale(&mut self) -> AttemptId {
        let subtask = u32::try_from(self.random.below(6)).unwrap();
        AttemptId { of: SubtaskId { vertex: 0, subtask }, number: self.number + 1 }
    }

    fn run(&mut self, troubles: bool) -> Event<Handle> {
        self.runs = true;
        // A try that was given up may still have something to say.
        self.number += 2;
        let subtasks = (0..TASKS).map(|subtask| SubtaskId { vertex: 0, subtask });
        let gone = |random: &mut Random| troubles && random.chance(20);
        self.finished = subtasks.clone().filter(|_| gone(&mut self.random)).collect();
        let live = subtasks.filter(|subtask| !self.finished.contains(subtask));
        self.live = live.map(|of| AttemptId { of, number: self.number }).collect();
        self.counted_from = self.now;
        Event::Running { attempts: self.live.clone(), finished: self.finished.clone() }
    }

    fn acknowledged(&mut self, checkpoint: CheckpointId, attempt: AttemptId) -> Event<Handle> {
        self.handles += 1;
        self.said = Some((checkpoint, attempt, self.handles));
        Event::Acknowledged { checkpoint, attempt, handle: self.handles }
    }

    fn asked(&mut self) -> Event<Handle> {
        self.requests += 1;
        let request = RequestId(self.requests);
        let kind =
            *self.random.pick(&[CheckpointKind::Savepoint, CheckpointKind::Savepoint, CheckpointKind::Checkpoint]);
        self.waiting.push_back((request, kind));
        Event::Trigger { request, kind }
    }

    fn take(&mut self, action: Action<Handle>, told: &str) {
        match action {
            Action::SnapshotEnumerators(id) => self.begins(id, told),
            Action::TriggerSources(id) => {
                assert!(self.runs, "{told}: the job does not run");
                assert_eq!(self.current.map(|current| current.id), Some(id), "{told}");
                self.to_acknowledge.extend(self.live.iter().map(|attempt| (id, *attempt)));
            }
            Action::Record { id, acks, .. } => {
                assert_eq!(self.current.map(|current| current.id), Some(id), "{told}");
                assert!(self.recording.replace(id).is_none(), "{told}: another one is being recorded");
                for handle in acks.into_values() {
                    let before = self.fates.insert(handle, Fate::Recorded(id));
                    assert_eq!(before, None, "{told}: {handle}");
                }
            }
            Action::NotifyCompleted(id) => self.completes(id, told),
            Action::Abort { id, why, acks } => self.aborts(id, &why, acks, told),
            Action::Discard { handle, .. } => {
                let before = self.fates.insert(handle, Fate::Discarded);
                let again = self.repeated.contains(&handle);
                let harmless = match before {
                    None | Some(Fate::Aborted | Fate::Discarded) => true,
                    Some(Fate::Recorded(id)) => self.forgotten.contains(&id),
                };
                let is_right = before.is_none() || again && harmless;
                assert!(is_right, "{told}: {handle} was {before:?}");
            }
            Action::Forget(ids) => {
                for id in ids {
                    assert_eq!(self.kept.pop_front(), Some(id), "{told}: the oldest first, and no savepoint");
                    self.forgotten.insert(id);
                }
                assert_eq!(self.kept.len(), self.settings.num_retained, "{told}: as many as are to be kept");
            }
            Action::Answer { request, answer } => self.answers(request, answer, told),
            Action::WakeAt(at) => {
                assert!(at > self.now, "{told}: woken in the past");
                self.alarm = Some(at);
            }
            Action::FailJob(_) => {
                assert_eq!(Some(self.failures), self.settings.tolerable_failed.map(|most| most + 1), "{told}");
                self.failures = 0;
                self.runs = false;
            }
        }
    }

    fn begins(&mut self, id: CheckpointId, told: &str) {
        assert!(self.runs && !self.live.is_empty(), "{told}: nothing runs");
        assert!(id > self.last, "{told}: {id:?} after {:?}", self.last);
        self.last = id;
        let (request, kind) = match self.waiting.pop_front() {
            Some((request, kind)) => (Some(request), kind),
            None => {
                let interval = self.settings.interval_ms.unwrap_or(i64::MAX);
                let due = self.counted_from.saturating_add(interval);
                assert!(due <= self.now, "{told}: before the interval was over");
                let paused = self.ended.saturating_add(self.settings.min_pause_ms);
                assert!(paused <= self.now, "{told}: before the pause was over");
                self.counted_from = self.now;
                (None, CheckpointKind::Checkpoint)
            }
        };
        assert!(self.current.replace(Current { id, kind, request }).is_none(), "{told}: two are in flight");
        self.enumerating = Some(id);
    }

    fn completes(&mut self, id: CheckpointId, told: &str) {
        assert!(self.recorded.contains(&id), "{told}: {id:?} is not recorded");
        assert!(self.notified.insert(id), "{told}: {id:?} twice");
        let current = self.current.filter(|current| current.id == id);
        let Some(Current { kind, .. }) = current else { panic!("{told}: {id:?} is not in flight") };
        assert_eq!(self.coordinator.latest(), Some(id), "{told}");
        if kind == CheckpointKind::Checkpoint {
            self.kept.push_back(id);
        }
        self.completed += 1;
        self.failures = 0;
        self.over();
    }

    fn aborts(&mut self, id: CheckpointId, why: &str, acks: BTreeMap<AttemptId, Handle>, told: &str) {
        assert!(!self.recorded.contains(&id), "{told}: {id:?} is recorded");
        assert_ne!(self.recording, Some(id), "{told}: its record may be there");
        let Some(current) = self.current.filter(|current| current.id == id) else { panic!("{told}: not in flight") };
        for handle in acks.into_values() {
            let before = self.fates.insert(handle, Fate::Aborted);
            assert!(matches!(before, None | Some(Fate::Recorded(_))), "{told}: {handle} was {before:?}");
            assert!(before.is_none_or(|fate| fate == Fate::Recorded(id)), "{told}: {handle} was {before:?}");
        }
        if self.runs && current.kind == CheckpointKind::Checkpoint && !why.contains("did not go on running") {
            self.failures += 1;
        }
        self.failed += 1;
        // Sometimes tasks hear of it before they have acknowledged, and sometimes the enumerators do.
        if self.random.chance(50) {
            self.to_acknowledge.retain(|(of, _)| *of != id);
        }
        self.enumerating.take_if(|_| self.random.chance(50));
        self.over();
    }

    /// The one in flight has ended; the answer to whoever asked for it follows.
    fn over(&mut self) {
        self.ended = self.now;
        if let Some(Current { kind, request: Some(request), .. }) = self.current.take() {
            self.waiting.push_front((request, kind));
        }
    }

    fn answers(&mut self, request: RequestId, answer: TriggerAnswer, told: &str) {
        let at = self.waiting.iter().position(|(waiting, _)| *waiting == request);
        assert!(at.is_some(), "{told}: {request:?} was not asked or is answered");
        self.waiting.remove(at.unwrap());
        match answer {
            TriggerAnswer::Completed(id) => assert!(self.notified.contains(&id), "{told}"),
            TriggerAnswer::Failed { id, .. } => assert!(!self.notified.contains(&id), "{told}"),
            TriggerAnswer::Refused(_) => {}
        }
    }

    /// From now on all goes well: what has finished starts again when the run is over, and a failing job does too.
    fn ends_troubles(&mut self) {
        if self.recording.is_none() {
            self.runs = false;
            self.handle(Event::Stopped);
        }
    }

    /// The job ends. Everything that was begun has come to an end, and everything that was stored has a fate.
    fn settles(&mut self) {
        while let Some((checkpoint, attempt)) = self.to_acknowledge.pop() {
            let event = self.acknowledged(checkpoint, attempt);
            self.handle(event);
        }
        if let Some(checkpoint) = self.recording.take() {
            self.recorded.insert(checkpoint);
            self.handle(Event::Recorded { checkpoint });
        }
        self.runs = false;
        self.handle(Event::Stopped);
        let seed = self.seed;
        assert!(self.current.is_none() && self.waiting.is_empty(), "seed {seed}: {:?}", self.waiting);
        assert_eq!(self.notified, self.recorded, "seed {seed}");
        for handle in 1..=self.handles {
            let fate = self.fates.get(&handle);
            assert!(fate.is_some(), "seed {seed}: {handle} is lost");
            if let Some(Fate::Recorded(id)) = fate {
                assert!(self.notified.contains(id), "seed {seed}: {handle} is part of nothing");
            }
        }
        let counts = self.coordinator.statistics().counts();
        let expected = (self.last.0, self.completed, self.failed, 0);
        assert_eq!((counts.total, counts.completed, counts.failed, counts.in_progress), expected, "seed {seed}");
    }
}
