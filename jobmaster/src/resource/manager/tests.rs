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

fn active(slots: u32) -> ResourceManager {
    ResourceManager::new(Settings { workers: Workers::Active { slots, most: 100 }, ..Settings::default() }, 7)
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
    assert_eq!(said(&requested), ["worker-7-0.0 to 1", "worker-7-0.1 to 1", "worker-7-0.2 to 1", "worker-7-0.3 to 1"]);
    assert_eq!(said(&manager.declare(job(JOB), 0, 2)), [""; 0]);
}

#[test]
fn no_more_workers_are_started_than_are_allowed() {
    let settings = Settings { workers: Workers::Active { slots: 1, most: 2 }, ..Settings::default() };
    let mut manager = ResourceManager::new(settings, 0);
    assert_eq!(said(&manager.declare(job(JOB), 3, 0)), ["start worker-0-0", "start worker-0-1", "1 lacks 1"]);
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

#[test]
fn workers_that_fail_to_start_are_replaced_at_a_bounded_rate() {
    let mut manager = active(1);
    let mut started = said(&manager.declare(job(JOB), 1, 0)).len();
    for now in 1..=60_000 {
        let pending: Vec<WorkerId> = manager.pending.keys().cloned().collect();
        for worker in pending {
            started += manager.lost(&worker, now).iter().filter(|of| matches!(of, Action::StartWorker(_))).count();
        }
        started += manager.tick(now).iter().filter(|of| matches!(of, Action::StartWorker(_))).count();
    }
    // Ten at once, and then one every three seconds.
    assert_eq!(started, 11 + 20 - 1);
}

#[test]
fn workers_of_an_earlier_manager_are_taken_over_with_the_jobs_they_run() {
    let mut manager = active(2);
    manager.recover(worker("worker-6-0"), 0);
    assert_eq!(said(&manager.declare(job(JOB), 2, 0)), [""; 0], "one worker is on its way already");
    let allocation = AllocationId { epoch: 6, number: 0 };
    let reports = [SlotReport { slot: 0, held: Some((job(JOB), allocation)) }, SlotReport { slot: 1, held: None }];
    assert_eq!(said(&manager.register(worker("worker-6-0"), &reports, 1)), ["worker-6-0.1 to 1"]);
}

#[test]
fn the_slots_of_a_lost_worker_are_made_up_for() {
    let mut manager = active(2);
    manager.declare(job(JOB), 2, 0);
    let requested = manager.register(worker("worker-7-0"), &free(2), 0);
    manager.register(worker("worker-7-0"), &held(&requested), 1);
    assert_eq!(said(&manager.lost(&worker("worker-7-0"), 2)), ["start worker-7-1"]);
    assert_eq!(said(&manager.lost(&worker("worker-7-0"), 3)), [""; 0], "it is lost only once");
}
