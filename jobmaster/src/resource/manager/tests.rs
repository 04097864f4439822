use super::*;

const JOB: u128 = 1;
const OTHER: u128 = 2;

fn job(bits: u128) -> JobId {
    JobId::from_bits(bits)
}

fn free(slots: u32) -> Vec<SlotReport> {
    (0..slots).map(|slot| SlotReport { slot, held: None }).collect()
}

fn worker(name: &str) -> WorkerId {
    WorkerId::new(name)
}

/// Starts workers of so many slots. There were none before.
fn active(slots: u32) -> ResourceManager {
    let mut manager =
        ResourceManager::new(Settings { workers: Workers::Active { slots, most: 100 }, ..Settings::default() }, 7);
    assert_eq!(manager.found(Vec::new(), 0), []);
    manager
}

fn standalone() -> ResourceManager {
    ResourceManager::new(Settings::default(), 7)
}

/// Actions as a person reads them.
fn said(actions: &[Action]) -> Vec<String> {
    let number = |job: &JobId| job.to_string().trim_start_matches('0').to_owned();
    let said = |action: &Action| match action {
        Action::RequestSlot { worker, slot, job, .. } => format!("{worker}.{slot} to {}", number(job)),
        Action::StartWorker(worker) => format!("start {worker}"),
        Action::StopWorker(worker) => format!("stop {worker}"),
        Action::NotEnough { job, missing } => format!("{} lacks {missing}", number(job)),
    };
    actions.iter().map(said).collect()
}

/// What the worker reports once it has done what was requested of it.
fn held(actions: &[Action]) -> Vec<SlotReport> {
    let held = |action: &Action| match action {
        Action::RequestSlot { slot, job, allocation, .. } => {
            Some(SlotReport { slot: *slot, held: Some((*job, *allocation)) })
        }
        Action::StartWorker(_) | Action::StopWorker(_) | Action::NotEnough { .. } => None,
    };
    actions.iter().filter_map(held).collect()
}

#[test]
fn a_job_that_is_short_of_slots_is_told_once_and_gets_them_when_they_come() {
    let mut manager = standalone();
    assert_eq!(said(&manager.declare(job(JOB), 3, 0)), ["1 lacks 3"]);
    assert_eq!(said(&manager.declare(job(JOB), 3, 1)), [""; 0], "needs are totals: again is nothing new");
    assert_eq!(said(&manager.register(worker("a"), &free(2), 2)), ["a.0 to 1", "a.1 to 1", "1 lacks 1"]);
    assert_eq!(said(&manager.register(worker("b"), &free(2), 3)), ["b.0 to 1"]);
    assert_eq!(manager.slots(), (4, 1));
    assert_eq!(said(&manager.declare(job(OTHER), 2, 4)), ["b.1 to 2", "2 lacks 1"]);
}

#[test]
fn a_job_for_which_there_are_enough_slots_goes_before_one_that_has_to_wait_anyway() {
    let mut manager = standalone();
    manager.declare(job(JOB), 5, 0);
    manager.declare(job(OTHER), 2, 0);
    assert_eq!(said(&manager.register(worker("a"), &free(3), 1)), ["a.0 to 2", "a.1 to 2", "a.2 to 1", "1 lacks 4"]);
}

#[test]
fn slots_of_workers_that_are_in_use_go_first() {
    let mut manager = standalone();
    manager.register(worker("a"), &free(3), 0);
    manager.register(worker("b"), &free(1), 0);
    assert_eq!(said(&manager.declare(job(JOB), 2, 0)), ["b.0 to 1", "a.0 to 1"]);
    assert_eq!(said(&manager.declare(job(OTHER), 1, 0)), ["a.1 to 2"]);
}

#[test]
fn workers_are_started_for_what_is_missing_and_no_more() {
    let mut manager = active(4);
    assert_eq!(said(&manager.declare(job(JOB), 6, 0)), ["start worker-7-0", "start worker-7-1"]);
    assert_eq!(said(&manager.declare(job(OTHER), 2, 0)), [""; 0], "two workers have room for all eight");
    assert_eq!(said(&manager.declare(job(OTHER), 3, 0)), ["start worker-7-2"]);
    let requested = manager.register(worker("worker-7-0"), &free(4), 1);
    assert_eq!(said(&requested), ["worker-7-0.0 to 2", "worker-7-0.1 to 2", "worker-7-0.2 to 2", "worker-7-0.3 to 1"]);
    assert_eq!(said(&manager.declare(job(JOB), 0, 2)), [""; 0]);
}

#[test]
fn no_more_workers_are_started_than_are_allowed() {
    let settings = Settings { workers: Workers::Active { slots: 1, most: 2 }, ..Settings::default() };
    let mut manager = ResourceManager::new(settings, 0);
    manager.found(Vec::new(), 0);
    assert_eq!(said(&manager.declare(job(JOB), 3, 0)), ["start worker-0-0", "start worker-0-1", "1 lacks 1"]);
    manager.register(worker("worker-0-0"), &free(1), 1);
    assert_eq!(said(&manager.tick(2)), [""; 0], "one has registered and one is on its way: there are two");
    assert_eq!(manager.lacking(job(JOB)), 1);
}

#[test]
fn a_request_that_nobody_confirms_is_made_again() {
    let mut manager = standalone();
    manager.declare(job(JOB), 1, 0);
    let first = manager.register(worker("a"), &free(1), 0);
    assert_eq!(said(&first), ["a.0 to 1"]);
    assert_eq!(manager.register(worker("a"), &free(1), 5_000), [], "a report that crossed the request");
    assert_eq!(manager.tick(9_999), []);
    let again = manager.tick(10_000);
    assert_eq!(said(&again), ["a.0 to 1"]);
    assert_ne!(held(&first), held(&again), "it is another stay");
    // The worker had the first request after all: what it reports is what counts.
    assert_eq!(manager.register(worker("a"), &held(&first), 10_001), []);
    assert_eq!(manager.tick(100_000), []);
}

#[test]
fn only_the_stay_at_hand_can_be_ended() {
    let mut manager = standalone();
    manager.declare(job(JOB), 1, 0);
    let requested = manager.register(worker("a"), &free(1), 0);
    manager.register(worker("a"), &held(&requested), 1);
    let Action::RequestSlot { allocation, .. } = requested[0] else { panic!("{requested:?}") };
    let earlier = AllocationId { number: allocation.number + 1, ..allocation };
    manager.freed(&worker("a"), 0, earlier, 2);
    assert_eq!(manager.slots(), (1, 0));
    manager.declare(job(JOB), 0, 3);
    manager.freed(&worker("a"), 0, allocation, 4);
    assert_eq!(manager.slots(), (1, 1));
}

#[test]
fn idle_workers_are_stopped_after_a_while_but_not_those_that_came_by_themselves() {
    let mut manager = active(1);
    manager.declare(job(JOB), 1, 0);
    let requested = manager.register(worker("worker-7-0"), &free(1), 0);
    manager.register(worker("worker-7-0"), &held(&requested), 1);
    assert_eq!(said(&manager.tick(1_000_000)), [""; 0], "it is in use");
    manager.declare(job(JOB), 0, 1_000_000);
    manager.register(worker("worker-7-0"), &free(1), 1_000_000);
    assert_eq!(said(&manager.tick(1_029_999)), [""; 0]);
    assert_eq!(said(&manager.tick(1_030_000)), ["stop worker-7-0"]);
    let mut manager = standalone();
    manager.register(worker("a"), &free(1), 0);
    assert_eq!(said(&manager.tick(1_000_000)), [""; 0]);
}

#[test]
fn a_worker_that_never_registers_is_given_up_and_replaced() {
    let mut manager = active(1);
    assert_eq!(said(&manager.declare(job(JOB), 1, 0)), ["start worker-7-0"]);
    assert_eq!(said(&manager.tick(299_999)), [""; 0]);
    assert_eq!(said(&manager.tick(300_000)), ["stop worker-7-0", "start worker-7-1"]);
}

/// Starts workers that end at once, for a minute. Says how many there were, and the most that were starting at a time once the
/// rate was exceeded.
fn fail_for_a_minute(manager: &mut ResourceManager, slots: u32) -> (usize, usize) {
    let mut pending: Vec<WorkerId> = started(&manager.declare(job(JOB), slots, 0));
    let (mut count, mut most) = (pending.len(), 0);
    for now in 1..60_000 {
        let mut next = Vec::new();
        for worker in pending.drain(..) {
            next.extend(started(&manager.ended(&worker, now)));
        }
        next.extend(started(&manager.tick(now)));
        if count >= slots as usize + 10 {
            most = most.max(next.len());
        }
        count += next.len();
        pending = next;
    }
    (count, most)
}

fn started(actions: &[Action]) -> Vec<WorkerId> {
    let started = |action: &Action| match action {
        Action::StartWorker(worker) => Some(worker.clone()),
        Action::RequestSlot { .. } | Action::StopWorker(_) | Action::NotEnough { .. } => None,
    };
    actions.iter().filter_map(started).collect()
}

#[test]
fn workers_that_fail_to_start_are_replaced_at_a_bounded_rate() {
    // Ten at once, and then one every three seconds.
    assert_eq!(fail_for_a_minute(&mut active(1), 1), (11 + 19, 1));
    // Of many that are missing one is tried at a time.
    assert_eq!(fail_for_a_minute(&mut active(1), 50), (50 + 10 + 19, 1));
}

#[test]
fn workers_that_end_as_soon_as_they_have_registered_are_replaced_at_a_bounded_rate() {
    let mut manager = active(1);
    let mut pending = started(&manager.declare(job(JOB), 1, 0));
    let mut count = pending.len();
    for now in 1..60_000 {
        let mut next = started(&manager.tick(now));
        for worker in std::mem::take(&mut pending) {
            manager.register(worker.clone(), &free(1), now);
            next.extend(started(&manager.lost(&worker, now)));
            next.extend(started(&manager.ended(&worker, now)));
        }
        count += next.len();
        pending = next;
    }
    assert_eq!(count, 11 + 19);
}

#[test]
fn a_job_whose_workers_fail_to_start_is_told_what_it_lacks() {
    let mut manager = active(2);
    let mut last = manager.declare(job(JOB), 4, 0);
    while let Some(worker) = started(&last).pop() {
        assert_eq!(manager.lacking(job(JOB)), 0, "workers are on their way");
        last = manager.ended(&worker, 1);
    }
    assert_eq!(said(&last), ["1 lacks 2"], "one of the first two still starts");
    assert_eq!(said(&manager.ended(&worker("worker-7-0"), 1)), ["1 lacks 4"]);
    assert_eq!(said(&manager.tick(3_000)), [""; 0]);
    assert_eq!(said(&manager.tick(3_001)), ["start worker-7-12", "1 lacks 2"], "one is tried");
    let requested = manager.register(worker("worker-7-12"), &free(2), 3_002);
    assert_eq!(said(&requested), ["worker-7-12.0 to 1", "worker-7-12.1 to 1", "start worker-7-13"]);
}

#[test]
fn a_worker_that_was_given_up_is_not_taken_back() {
    let mut manager = active(1);
    manager.declare(job(JOB), 1, 0);
    assert_eq!(said(&manager.tick(300_000)), ["stop worker-7-0", "start worker-7-1"]);
    assert_eq!(said(&manager.register(worker("worker-7-0"), &free(1), 300_001)), ["stop worker-7-0"]);
    assert_eq!(manager.slots(), (0, 0));
    manager.ended(&worker("worker-7-0"), 300_002);
    assert_eq!(manager.starts.failed_of_late(), 1, "it is counted once");
}

#[test]
fn no_worker_is_started_before_those_of_an_earlier_manager_are_known() {
    let settings = Settings { workers: Workers::Active { slots: 2, most: 100 }, ..Settings::default() };
    let mut manager = ResourceManager::new(settings, 7);
    assert_eq!(said(&manager.declare(job(JOB), 3, 0)), ["1 lacks 3"]);
    assert_eq!(said(&manager.found(vec![worker("worker-6-0")], 1)), ["start worker-7-0"]);
    assert_eq!(manager.pending(), 2);
}

#[test]
fn workers_of_an_earlier_manager_are_taken_over_with_the_jobs_they_run() {
    let mut manager = active(2);
    manager.found(vec![worker("worker-6-0")], 0);
    assert_eq!(said(&manager.declare(job(JOB), 2, 0)), [""; 0], "one worker is on its way already");
    let allocation = AllocationId { epoch: 6, number: 0 };
    let reports = [SlotReport { slot: 0, held: Some((job(JOB), allocation)) }, SlotReport { slot: 1, held: None }];
    assert_eq!(said(&manager.register(worker("worker-6-0"), &reports, 1)), ["worker-6-0.1 to 1"]);
}

#[test]
fn a_found_worker_that_never_registers_is_given_up_and_has_not_failed_to_start() {
    let mut manager = active(1);
    manager.found(vec![worker("worker-6-0"), worker("worker-6-1")], 0);
    manager.declare(job(JOB), 2, 0);
    assert_eq!(said(&manager.ended(&worker("worker-6-0"), 1)), ["start worker-7-0"]);
    let requested = manager.register(worker("worker-7-0"), &free(1), 2);
    manager.register(worker("worker-7-0"), &held(&requested), 3);
    assert_eq!(said(&manager.tick(300_000)), ["stop worker-6-1", "start worker-7-1"]);
    assert_eq!(manager.starts.failed_of_late(), 0);
}

#[test]
fn a_worker_that_is_lost_may_come_back_and_is_ended_if_it_does_not() {
    let mut manager = active(1);
    manager.declare(job(JOB), 2, 0);
    manager.register(worker("worker-7-0"), &free(1), 0);
    manager.register(worker("worker-7-1"), &free(1), 0);
    manager.lost(&worker("worker-7-0"), 1);
    manager.lost(&worker("worker-7-1"), 1);
    let back = manager.register(worker("worker-7-0"), &free(1), 2);
    assert_eq!(said(&back), ["worker-7-0.0 to 1"]);
    assert_eq!(said(&manager.tick(300_001))[..1], ["stop worker-7-1"]);
}

#[test]
fn a_worker_that_was_started_by_hand_may_leave_and_come_again() {
    let mut manager = active(1);
    manager.register(worker("mine"), &free(1), 0);
    assert_eq!(said(&manager.tick(30_000)), ["stop mine"]);
    manager.ended(&worker("mine"), 30_001);
    manager.register(worker("mine"), &free(1), 30_002);
    assert_eq!(manager.slots(), (1, 1));
}

#[test]
fn a_report_that_crosses_the_end_of_a_stay_does_not_prolong_it() {
    let mut manager = active(1);
    manager.declare(job(JOB), 1, 0);
    let requested = manager.register(worker("worker-7-0"), &free(1), 0);
    let stay = held(&requested);
    manager.register(worker("worker-7-0"), &stay, 1);
    let Action::RequestSlot { allocation, .. } = requested[0] else { panic!("{requested:?}") };
    manager.declare(job(JOB), 0, 2);
    manager.freed(&worker("worker-7-0"), 0, allocation, 2);
    assert_eq!(said(&manager.declare(job(OTHER), 1, 3)), ["worker-7-0.0 to 2"]);
    assert_eq!(said(&manager.register(worker("worker-7-0"), &stay, 4)), [""; 0], "no other worker is started for it");
    // A worker that still says so much later did not hear of the end.
    let later = manager.register(worker("worker-7-0"), &stay, 10_002);
    assert_eq!(said(&later), ["start worker-7-1"]);
}

#[test]
fn the_slots_of_a_lost_worker_are_made_up_for() {
    let mut manager = active(2);
    manager.declare(job(JOB), 2, 0);
    let requested = manager.register(worker("worker-7-0"), &free(2), 0);
    manager.register(worker("worker-7-0"), &held(&requested), 1);
    assert_eq!(said(&manager.lost(&worker("worker-7-0"), 20_000)), ["start worker-7-1"]);
    assert_eq!(said(&manager.ended(&worker("worker-7-0"), 20_001)), [""; 0], "it is lost only once");
    assert_eq!(manager.starts.failed_of_late(), 0, "it had started");
}
