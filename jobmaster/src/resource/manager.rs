//! Decides which slot goes to which job and how many workers there should be. It is told what happened and when, and
//! answers with what is to be done.
//!
//! ```text
//!   started ─► Starting ─┐
//!                        ├─► Registered ◄─► Lost     any of them ─► Stopping      its process has ended ─► forgotten
//!   found ───► Found ────┘
//! ```

use std::collections::BTreeMap;

use millstream_graph::{AllocationId, JobId, WorkerId};
use millstream_protocol::message::SlotReport;

use super::slots::{Slot, Slots};
use super::start_rate::StartRate;
use super::{Settings, Workers};

/// A worker that is lost so soon after it registered has failed to start: otherwise workers that end as soon as they are
/// connected would be replaced as fast as they can be started. (Flink counts only those that never registered.)
const YOUNG_MS: i64 = 10_000;

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
    /// End a worker. It may not be connected.
    StopWorker(WorkerId),
    /// Tell a job that it waits for so many slots for which no worker is on its way.
    NotEnough {
        /// The job.
        job: JobId,
        /// How many slots it lacks.
        missing: u32,
    },
}

/// Knows all workers, their slots, and what jobs need.
#[derive(Debug)]
pub struct ResourceManager {
    settings: Settings,
    epoch: u64,
    allocations: u64,
    started: u64,
    workers: BTreeMap<WorkerId, Worker>,
    /// Whether it is known which workers of an earlier ResourceManager still run. None is started before.
    looked: bool,
    /// In the order in which jobs first declared a need.
    needs: Vec<(JobId, u32)>,
    starts: StartRate,
    /// What jobs were last told that they lack.
    told: BTreeMap<JobId, u32>,
}

/// Where a worker stands. Times are those since when it does.
#[derive(Debug)]
enum Worker {
    /// It was started and is to register.
    Starting(i64),
    /// An earlier ResourceManager started it, and it is to register.
    Found(i64),
    /// It is connected.
    Registered {
        slots: Slots,
        /// If this ResourceManager has started it, the time until which losing it is a failure to start.
        young_until: Option<i64>,
    },
    /// Its connection was lost. It is not counted on, but it may still run and register again.
    Lost(i64),
    /// It is to end, and is not taken back.
    Stopping,
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
            looked: false,
            needs: Vec::new(),
            starts: StartRate::new(),
            told: BTreeMap::new(),
        }
    }

    /// These workers of an earlier ResourceManager were found running: they are expected to register. To be called even if
    /// there are none; until then no worker is started.
    pub fn found(&mut self, workers: Vec<WorkerId>, now_ms: i64) -> Vec<Action> {
        self.looked = true;
        for worker in workers {
            self.workers.entry(worker).or_insert(Worker::Found(now_ms));
        }
        self.decide(now_ms)
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
        let timeout = self.settings.slot_timeout_ms;
        let young_until = match self.workers.get_mut(&worker) {
            Some(Worker::Stopping) => return vec![Action::StopWorker(worker)],
            Some(Worker::Registered { slots, .. }) => {
                slots.update(reports, timeout, now_ms);
                return self.decide(now_ms);
            }
            Some(Worker::Starting(_)) => Some(now_ms.saturating_add(YOUNG_MS)),
            // One that nobody has heard of was started by hand.
            Some(Worker::Found(_) | Worker::Lost(_)) | None => None,
        };
        let mut slots = Slots::default();
        slots.update(reports, timeout, now_ms);
        self.workers.insert(worker, Worker::Registered { slots, young_until });
        self.decide(now_ms)
    }

    /// A job has given a slot back.
    pub fn freed(&mut self, worker: &WorkerId, slot: u32, allocation: AllocationId, now_ms: i64) -> Vec<Action> {
        if let Some(Worker::Registered { slots, .. }) = self.workers.get_mut(worker) {
            slots.free(slot, allocation, now_ms);
        }
        self.decide(now_ms)
    }

    /// The connection to a worker is lost.
    pub fn lost(&mut self, worker: &WorkerId, now_ms: i64) -> Vec<Action> {
        if let Some(state) = self.workers.get_mut(worker)
            && let Worker::Registered { young_until, .. } = state
        {
            if young_until.is_some_and(|until| now_ms < until) {
                self.starts.failed(&self.settings, now_ms);
            }
            *state = Worker::Lost(now_ms);
        }
        if self.settings.workers == Workers::Standalone {
            // Nobody will say what has become of its process.
            self.workers.remove(worker);
        }
        self.decide(now_ms)
    }

    /// A worker's process has ended, or could not be started. One that had not registered has failed to start.
    pub fn ended(&mut self, worker: &WorkerId, now_ms: i64) -> Vec<Action> {
        if let Some(Worker::Starting(_)) = self.workers.remove(worker) {
            self.starts.failed(&self.settings, now_ms);
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
        let all = || self.registered().flat_map(Slots::iter);
        (all().count(), all().filter(|slot| *slot == Slot::Free).count())
    }

    /// How many slots a job lacks for which no worker is on its way.
    pub fn lacking(&self, job: JobId) -> u32 {
        self.told.get(&job).copied().unwrap_or(0)
    }

    /// How many workers are expected to register.
    pub fn pending(&self) -> usize {
        self.workers.values().filter(|worker| worker.is_awaited()).count()
    }

    /// Whether a worker is expected to register.
    pub fn awaits(&self, worker: &WorkerId) -> bool {
        self.workers.get(worker).is_some_and(Worker::is_awaited)
    }

    fn registered(&self) -> impl Iterator<Item = &Slots> {
        self.workers.values().filter_map(|worker| match worker {
            Worker::Registered { slots, .. } => Some(slots),
            Worker::Starting(_) | Worker::Found(_) | Worker::Lost(_) | Worker::Stopping => None,
        })
    }

    /// Gives up workers that have not registered for too long, and requests that nobody confirmed.
    fn give_up(&mut self, now_ms: i64) -> Vec<Action> {
        let timeout = self.settings.registration_timeout_ms;
        let late = |since: &i64| now_ms.saturating_sub(*since) >= timeout;
        let mut actions = Vec::new();
        for (name, worker) in &mut self.workers {
            match worker {
                Worker::Starting(since) | Worker::Found(since) | Worker::Lost(since) if late(since) => {
                    if matches!(worker, Worker::Starting(_)) {
                        self.starts.failed(&self.settings, now_ms);
                    }
                    *worker = Worker::Stopping;
                    actions.push(Action::StopWorker(name.clone()));
                }
                Worker::Registered { slots, .. } => slots.give_up_requests(self.settings.slot_timeout_ms, now_ms),
                Worker::Starting(_) | Worker::Found(_) | Worker::Lost(_) | Worker::Stopping => {}
            }
        }
        actions
    }

    fn decide(&mut self, now_ms: i64) -> Vec<Action> {
        let mut actions = Vec::new();
        let mut missing: Vec<(JobId, u32)> = Vec::new();
        for (job, lacks) in self.lacks() {
            let got = (0..lacks).take_while(|_| self.request(job, now_ms, &mut actions)).count();
            missing.push((job, lacks - u32::try_from(got).unwrap_or(lacks)));
        }
        self.start_workers(missing.iter().map(|(_, slots)| *slots).sum(), now_ms, &mut actions);
        self.tell(&missing, &mut actions);
        actions
    }

    /// What each job lacks, in the order in which they are served: first those for which there are enough slots, since those of
    /// one that has to wait for more anyway are of no use to it.
    fn lacks(&self) -> Vec<(JobId, u32)> {
        let mut free = u32::try_from(self.slots().1).unwrap_or(u32::MAX);
        let has = |job| self.registered().flat_map(Slots::iter).filter(|slot| slot.job() == Some(job)).count();
        let lacks =
            |(job, need): &(JobId, u32)| (*job, need.saturating_sub(u32::try_from(has(*job)).unwrap_or(u32::MAX)));
        let (served, waiting): (Vec<_>, Vec<_>) = self.needs.iter().map(lacks).partition(|(_, lacks)| {
            let enough = *lacks <= free;
            free -= if enough { *lacks } else { 0 };
            enough
        });
        served.into_iter().chain(waiting).collect()
    }

    /// Requests a free slot for `job`. Workers that have fewest free slots come first, so that others may become idle.
    fn request(&mut self, job: JobId, now_ms: i64, actions: &mut Vec<Action>) -> bool {
        let with_free = self.workers.iter_mut().filter_map(|(name, worker)| match worker {
            Worker::Registered { slots, .. } if slots.free_count() > 0 => Some((name, slots)),
            Worker::Registered { .. } | Worker::Starting(_) | Worker::Found(_) | Worker::Lost(_) | Worker::Stopping => {
                None
            }
        });
        let Some((name, slots)) = with_free.min_by_key(|(_, slots)| slots.free_count()) else { return false };
        let allocation = AllocationId { epoch: self.epoch, number: self.allocations };
        let Some(slot) = slots.request(job, allocation, now_ms) else { return false };
        self.allocations += 1;
        actions.push(Action::RequestSlot { worker: name.clone(), slot, job, allocation });
        true
    }

    fn start_workers(&mut self, missing: u32, now_ms: i64, actions: &mut Vec<Action>) {
        let Workers::Active { slots, most } = self.settings.workers else { return };
        if !self.looked {
            return;
        }
        let starting = self.workers.values().filter(|worker| matches!(worker, Worker::Starting(_))).count();
        let pending = self.pending();
        let wanted = (missing.div_ceil(slots.max(1)) as usize).saturating_sub(pending);
        let room = most.saturating_sub(pending + self.registered().count());
        let at_once = self.starts.most_at_once(&self.settings, now_ms).saturating_sub(starting);
        for _ in 0..wanted.min(room).min(at_once) {
            let worker = WorkerId::new(format!("worker-{}-{}", self.epoch, self.started));
            self.started += 1;
            self.workers.insert(worker.clone(), Worker::Starting(now_ms));
            actions.push(Action::StartWorker(worker));
        }
    }

    /// Tells each job, once, how many slots it lacks that no worker on its way will bring.
    fn tell(&mut self, missing: &[(JobId, u32)], actions: &mut Vec<Action>) {
        let mut coming = match self.settings.workers {
            Workers::Standalone => 0,
            Workers::Active { slots, .. } => u32::try_from(self.pending()).unwrap_or(u32::MAX).saturating_mul(slots),
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

    /// Stops workers that no job has needed for a while. What jobs lack was requested before, so none of them waits for these.
    fn stop_idle(&mut self, now_ms: i64) -> Vec<Action> {
        if self.settings.workers == Workers::Standalone {
            return Vec::new();
        }
        let timeout = self.settings.idle_timeout_ms;
        let mut actions = Vec::new();
        for (name, worker) in &mut self.workers {
            if matches!(worker, Worker::Registered { slots, .. } if slots.idle_for(now_ms).is_some_and(|idle| idle >= timeout))
            {
                *worker = Worker::Stopping;
                actions.push(Action::StopWorker(name.clone()));
            }
        }
        actions
    }
}

impl Worker {
    /// Whether it is expected to register.
    fn is_awaited(&self) -> bool {
        match self {
            Self::Starting(_) | Self::Found(_) => true,
            Self::Registered { .. } | Self::Lost(_) | Self::Stopping => false,
        }
    }
}

#[cfg(test)]
mod tests;
