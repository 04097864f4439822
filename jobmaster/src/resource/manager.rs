//! Decides which slot goes to which job and how many workers there should be. It is told what happened and when, and
//! answers with what is to be done.

use std::collections::{BTreeMap, VecDeque};

use millstream_graph::JobId;

use super::{AllocationId, WorkerId};

/// How it decides. Times are in milliseconds.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether workers can be started and stopped, and with how many slots.
    pub workers: Workers,
    /// `taskmanager.slot.timeout`: how long a requested slot may go without a report that confirms it.
    pub slot_timeout_ms: i64,
    /// `resourcemanager.taskmanager-timeout`: how long a worker may be idle before it is stopped.
    pub idle_timeout_ms: i64,
    /// `resourcemanager.taskmanager-registration.timeout`: how long a started worker may take to register.
    pub registration_timeout_ms: i64,
    /// `resourcemanager.start-worker.max-failure-rate`: how many workers may fail to start in a minute.
    pub start_failures_per_minute: usize,
    /// `resourcemanager.start-worker.retry-interval`: how long no worker is started when more have failed.
    pub start_retry_ms: i64,
}

/// Where workers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workers {
    /// They come and go by themselves.
    Standalone,
    /// They are started with so many slots each, and no more than so many at a time.
    Active {
        /// Slots of a worker.
        slots: u32,
        /// The most workers.
        most: usize,
    },
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: Workers::Standalone,
            slot_timeout_ms: 10_000,
            idle_timeout_ms: 30_000,
            registration_timeout_ms: 300_000,
            start_failures_per_minute: 10,
            start_retry_ms: 3_000,
        }
    }
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Tell a worker to offer a slot to a job.
    RequestSlot {
        /// Which worker.
        worker: WorkerId,
        /// Which of its slots.
        slot: u32,
        /// The job.
        job: JobId,
        /// The slot's stay with it.
        allocation: AllocationId,
    },
    /// Start a worker.
    StartWorker(WorkerId),
    /// End a worker.
    StopWorker(WorkerId),
    /// Tell a job that it waits for so many slots for which no worker is on its way.
    NotEnough {
        /// The job.
        job: JobId,
        /// How many slots it lacks.
        missing: u32,
    },
}

/// What a worker says of one of its slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotReport {
    /// Its number.
    pub slot: u32,
    /// The job that has it, if one does.
    pub held: Option<(JobId, AllocationId)>,
}

/// Knows all workers, their slots, and what jobs need.
#[derive(Debug)]
pub struct ResourceManager {
    settings: Settings,
    epoch: u64,
    allocations: u64,
    started: u64,
    workers: BTreeMap<WorkerId, Worker>,
    /// Workers that were started, or found at the start, and have not registered.
    pending: BTreeMap<WorkerId, i64>,
    /// In the order in which jobs first declared a need.
    needs: Vec<(JobId, u32)>,
    /// When workers failed to start, within the last minute.
    start_failures: VecDeque<i64>,
    /// No worker is started before.
    paused_until: i64,
    /// What jobs were last told that they lack.
    told: BTreeMap<JobId, u32>,
}

#[derive(Debug)]
struct Worker {
    slots: BTreeMap<u32, Slot>,
    idle_since: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Free,
    Requested { job: JobId, allocation: AllocationId, since: i64 },
    Held { job: JobId, allocation: AllocationId },
}

impl Slot {
    fn job(self) -> Option<JobId> {
        match self {
            Self::Free => None,
            Self::Requested { job, .. } | Self::Held { job, .. } => Some(job),
        }
    }
}

impl ResourceManager {
    /// Knows no worker yet. `epoch` is higher than that of any ResourceManager before.
    pub fn new(settings: Settings, epoch: u64) -> Self {
        Self {
            settings,
            epoch,
            allocations: 0,
            started: 0,
            workers: BTreeMap::new(),
            pending: BTreeMap::new(),
            needs: Vec::new(),
            start_failures: VecDeque::new(),
            paused_until: i64::MIN,
            told: BTreeMap::new(),
        }
    }

    /// A worker of an earlier ResourceManager was found running: it is expected to register.
    pub fn recover(&mut self, worker: WorkerId, now_ms: i64) {
        if !self.workers.contains_key(&worker) {
            self.pending.insert(worker, now_ms);
        }
    }

    /// A job needs `slots` slots in total; 0 when it is over.
    pub fn declare(&mut self, job: JobId, slots: u32, now_ms: i64) -> Vec<Action> {
        match self.needs.iter_mut().find(|(other, _)| *other == job) {
            Some((_, need)) => *need = slots,
            None => self.needs.push((job, slots)),
        }
        self.needs.retain(|(_, need)| *need > 0);
        if slots == 0 {
            self.told.remove(&job);
        }
        self.decide(now_ms)
    }

    /// A worker has registered, or reports its slots again.
    pub fn register(&mut self, worker: WorkerId, reports: &[SlotReport], now_ms: i64) -> Vec<Action> {
        self.pending.remove(&worker);
        let known = self.workers.entry(worker).or_insert(Worker { slots: BTreeMap::new(), idle_since: None });
        let mut slots = BTreeMap::new();
        for report in reports {
            let slot = match (report.held, known.slots.get(&report.slot)) {
                (Some((job, allocation)), _) => Slot::Held { job, allocation },
                // The report may have crossed the request.
                (None, Some(requested @ Slot::Requested { .. })) => *requested,
                (None, _) => Slot::Free,
            };
            slots.insert(report.slot, slot);
        }
        known.slots = slots;
        known.note_idleness(now_ms);
        self.decide(now_ms)
    }

    /// A job has given a slot back.
    pub fn freed(&mut self, worker: &WorkerId, slot: u32, allocation: AllocationId, now_ms: i64) -> Vec<Action> {
        if let Some(known) = self.workers.get_mut(worker)
            && let Some(of) = known.slots.get_mut(&slot)
            && matches!(of, Slot::Held { allocation: own, .. } | Slot::Requested { allocation: own, .. } if *own == allocation)
        {
            *of = Slot::Free;
            known.note_idleness(now_ms);
        }
        self.decide(now_ms)
    }

    /// A worker is gone. One that had not registered has failed to start.
    pub fn lost(&mut self, worker: &WorkerId, now_ms: i64) -> Vec<Action> {
        self.workers.remove(worker);
        if self.pending.remove(worker).is_some() {
            self.start_failed(now_ms);
        }
        self.decide(now_ms)
    }

    /// Time has passed.
    pub fn tick(&mut self, now_ms: i64) -> Vec<Action> {
        let mut actions = self.give_up(now_ms);
        actions.extend(self.decide(now_ms));
        actions.extend(self.stop_idle(now_ms));
        actions
    }

    /// How many slots there are, and how many of them are free.
    pub fn slots(&self) -> (usize, usize) {
        let all = || self.workers.values().flat_map(|worker| worker.slots.values());
        (all().count(), all().filter(|slot| **slot == Slot::Free).count())
    }

    fn start_failed(&mut self, now_ms: i64) {
        const MINUTE_MS: i64 = 60_000;
        self.start_failures.push_back(now_ms);
        while self.start_failures.front().is_some_and(|first| now_ms.saturating_sub(*first) >= MINUTE_MS) {
            self.start_failures.pop_front();
        }
        if self.start_failures.len() > self.settings.start_failures_per_minute {
            self.paused_until = now_ms.saturating_add(self.settings.start_retry_ms);
        }
    }

    /// Workers that never registered, and requests that nobody confirmed.
    fn give_up(&mut self, now_ms: i64) -> Vec<Action> {
        let late = |since: i64, timeout: i64| now_ms.saturating_sub(since) >= timeout;
        let timeout = self.settings.registration_timeout_ms;
        let missing: Vec<WorkerId> =
            self.pending.iter().filter(|(_, since)| late(**since, timeout)).map(|(worker, _)| worker.clone()).collect();
        for worker in &missing {
            self.pending.remove(worker);
            self.start_failed(now_ms);
        }
        for worker in self.workers.values_mut() {
            for slot in worker.slots.values_mut() {
                if matches!(slot, Slot::Requested { since, .. } if late(*since, self.settings.slot_timeout_ms)) {
                    *slot = Slot::Free;
                }
            }
            worker.note_idleness(now_ms);
        }
        missing.into_iter().map(Action::StopWorker).collect()
    }

    fn decide(&mut self, now_ms: i64) -> Vec<Action> {
        let mut actions = Vec::new();
        let mut missing: Vec<(JobId, u32)> = Vec::new();
        for (job, need) in self.needs.clone() {
            let held = self.workers.values().flat_map(|worker| worker.slots.values());
            let has = held.filter(|slot| slot.job() == Some(job)).count();
            let lacks = need.saturating_sub(u32::try_from(has).unwrap_or(u32::MAX));
            let left = (0..lacks).take_while(|_| self.request(job, now_ms, &mut actions)).count();
            missing.push((job, lacks - u32::try_from(left).unwrap_or(lacks)));
        }
        self.start_workers(missing.iter().map(|(_, slots)| *slots).sum(), now_ms, &mut actions);
        self.tell(&missing, &mut actions);
        actions
    }

    /// Requests a free slot for `job`. Workers that have fewest free slots come first, so that others may become idle.
    fn request(&mut self, job: JobId, now_ms: i64, actions: &mut Vec<Action>) -> bool {
        let free = |worker: &Worker| worker.slots.values().filter(|slot| **slot == Slot::Free).count();
        let with_free = self.workers.iter_mut().filter(|(_, worker)| free(worker) > 0);
        let Some((name, worker)) = with_free.min_by_key(|(_, worker)| free(worker)) else { return false };
        let Some((number, slot)) = worker.slots.iter_mut().find(|(_, slot)| **slot == Slot::Free) else { return false };
        let allocation = AllocationId { epoch: self.epoch, number: self.allocations };
        self.allocations += 1;
        *slot = Slot::Requested { job, allocation, since: now_ms };
        worker.idle_since = None;
        actions.push(Action::RequestSlot { worker: name.clone(), slot: *number, job, allocation });
        true
    }

    fn start_workers(&mut self, missing: u32, now_ms: i64, actions: &mut Vec<Action>) {
        let Workers::Active { slots, most } = self.settings.workers else { return };
        if now_ms < self.paused_until {
            return;
        }
        let wanted = missing.div_ceil(slots.max(1)) as usize;
        while self.pending.len() < wanted && self.pending.len() + self.workers.len() < most {
            let worker = WorkerId::new(format!("worker-{}-{}", self.epoch, self.started));
            self.started += 1;
            self.pending.insert(worker.clone(), now_ms);
            actions.push(Action::StartWorker(worker));
        }
    }

    /// Tells each job, once, how many slots it lacks that no worker on its way will bring.
    fn tell(&mut self, missing: &[(JobId, u32)], actions: &mut Vec<Action>) {
        let mut coming = match self.settings.workers {
            Workers::Standalone => 0,
            Workers::Active { slots, .. } => {
                u32::try_from(self.pending.len()).unwrap_or(u32::MAX).saturating_mul(slots)
            }
        };
        for (job, slots) in missing {
            let lacks = slots.saturating_sub(coming);
            coming = coming.saturating_sub(*slots);
            let before = self.told.insert(*job, lacks).unwrap_or(0);
            if lacks > 0 && lacks != before {
                actions.push(Action::NotEnough { job: *job, missing: lacks });
            }
        }
    }

    fn stop_idle(&mut self, now_ms: i64) -> Vec<Action> {
        if self.settings.workers == Workers::Standalone {
            return Vec::new();
        }
        let timeout = self.settings.idle_timeout_ms;
        let idle = |worker: &Worker| worker.idle_since.is_some_and(|since| now_ms.saturating_sub(since) >= timeout);
        let idle: Vec<WorkerId> =
            self.workers.iter().filter(|(_, worker)| idle(worker)).map(|(name, _)| name.clone()).collect();
        for worker in &idle {
            self.workers.remove(worker);
        }
        idle.into_iter().map(Action::StopWorker).collect()
    }
}

impl Worker {
    fn note_idleness(&mut self, now_ms: i64) {
        let idle = self.slots.values().all(|slot| *slot == Slot::Free);
        self.idle_since = idle.then(|| self.idle_since.unwrap_or(now_ms));
    }
}

#[cfg(test)]
mod tests;
