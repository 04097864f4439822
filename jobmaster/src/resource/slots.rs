//! The slots of a registered worker.

use std::collections::BTreeMap;

use millstream_graph::{AllocationId, JobId};
use millstream_protocol::message::SlotReport;

/// Where a slot stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// Nobody has it.
    Free,
    /// The worker was told to give it to a job, and has not said that it did.
    Requested { job: JobId, allocation: AllocationId, since: i64 },
    /// A job has it, as the worker says.
    Held { job: JobId, allocation: AllocationId },
}

/// The slots of a worker, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Slots {
    slots: BTreeMap<u32, Slot>,
    /// Since when all of them are free.
    idle_since: Option<i64>,
    /// Stays that jobs have ended of late, and when. A report that was on its way then says that they last.
    given_back: Vec<(AllocationId, i64)>,
}

impl Slot {
    /// The job that has it or is to have it.
    pub(super) fn job(self) -> Option<JobId> {
        match self {
            Self::Free => None,
            Self::Requested { job, .. } | Self::Held { job, .. } => Some(job),
        }
    }

    fn allocation(self) -> Option<AllocationId> {
        match self {
            Self::Free => None,
            Self::Requested { allocation, .. } | Self::Held { allocation, .. } => Some(allocation),
        }
    }
}

impl Slots {
    /// Takes the worker's word for what its slots are, but for what it could not know when it said it. What it does not know
    /// after `timeout` it will never know.
    pub(super) fn update(&mut self, reports: &[SlotReport], timeout: i64, now_ms: i64) {
        self.given_back.retain(|(_, at)| now_ms.saturating_sub(*at) < timeout);
        let ended = |allocation: AllocationId| self.given_back.iter().any(|(ended, _)| *ended == allocation);
        let slot = |report: &SlotReport| {
            let held = report.held.filter(|(_, allocation)| !ended(*allocation));
            match (held, self.slots.get(&report.slot)) {
                (Some((job, allocation)), _) => Slot::Held { job, allocation },
                // The report may have crossed the request.
                (None, Some(requested @ Slot::Requested { .. })) => *requested,
                (None, Some(Slot::Free | Slot::Held { .. }) | None) => Slot::Free,
            }
        };
        self.slots = reports.iter().map(|report| (report.slot, slot(report))).collect();
        self.note_idleness(now_ms);
    }

    /// Chooses a free slot for a job.
    pub(super) fn request(&mut self, job: JobId, allocation: AllocationId, now_ms: i64) -> Option<u32> {
        let (number, slot) = self.slots.iter_mut().find(|(_, slot)| **slot == Slot::Free)?;
        *slot = Slot::Requested { job, allocation, since: now_ms };
        self.idle_since = None;
        Some(*number)
    }

    /// A stay is over; it may be one that was over already.
    pub(super) fn free(&mut self, number: u32, allocation: AllocationId, now_ms: i64) {
        self.given_back.push((allocation, now_ms));
        if let Some(slot) = self.slots.get_mut(&number).filter(|slot| slot.allocation() == Some(allocation)) {
            *slot = Slot::Free;
            self.note_idleness(now_ms);
        }
    }

    /// Takes back requests that nobody has confirmed for `timeout`.
    pub(super) fn give_up_requests(&mut self, timeout: i64, now_ms: i64) {
        for slot in self.slots.values_mut() {
            if matches!(slot, Slot::Requested { since, .. } if now_ms.saturating_sub(*since) >= timeout) {
                *slot = Slot::Free;
            }
        }
        self.note_idleness(now_ms);
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = Slot> {
        self.slots.values().copied()
    }

    /// How many are free.
    pub(super) fn free_count(&self) -> usize {
        self.iter().filter(|slot| *slot == Slot::Free).count()
    }

    /// For how long all of them have been free, if they are.
    pub(super) fn idle_for(&self, now_ms: i64) -> Option<i64> {
        self.idle_since.map(|since| now_ms.saturating_sub(since))
    }

    fn note_idleness(&mut self, now_ms: i64) {
        let idle = self.iter().all(|slot| slot == Slot::Free);
        self.idle_since = idle.then(|| self.idle_since.unwrap_or(now_ms));
    }
}
