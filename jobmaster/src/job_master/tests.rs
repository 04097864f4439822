use std::collections::{BTreeMap, BTreeSet};

use millstream_engine::testing::random::{Random, rounds};
use millstream_planner::options::restart::{ExponentialDelay, FixedDelay};

use super::*;
use crate::scheduler::testing::job;

/// Tries again at once, as often as it takes.
fn always() -> RestartStrategy {
    RestartStrategy::FixedDelay(FixedDelay { attempts: u32::MAX, delay_ms: 0 })
}

fn place(worker: &str, slot: u32) -> Place {
    Place { worker: WorkerId::new(worker), slot, allocation: AllocationId { epoch: 0, number: u64::from(slot) } }
}

/// One that may not come again.
fn failure(why: &str) -> TaskFailure {
    TaskFailure { why: why.to_owned(), may_recover: true, follows: false }
}

fn attempt(vertex: usize, subtask: u32, number: u32) -> AttemptId {
    AttemptId { of: SubtaskId { vertex, subtask }, number }
}

/// A job and the time.
struct Job {
    master: JobMaster,
    now: i64,
}

impl Job {
    fn new(name: &str, parallelism: u32, strategy: RestartStrategy) -> Self {
        let mut master = JobMaster::new(job(name, parallelism), strategy, 0);
        assert_eq!(master.start(0), [Action::DeclareSlots(parallelism)]);
        Self { master, now: 0 }
    }

    /// The same with all its slots in workers of one slot each, and all its tasks running.
    fn running(name: &str, parallelism: u32, strategy: RestartStrategy) -> Self {
        let mut job = Self::new(name, parallelism, strategy);
        for slot in 0..parallelism {
            job.offer(slot);
        }
        for subtask in job.master.graph.subtasks().collect::<Vec<_>>() {
            for state in [AttemptState::Initializing, AttemptState::Running] {
                assert_eq!(job.report(AttemptId { of: subtask, number: 0 }, state), [""; 0]);
            }
        }
        job
    }

    fn does(&mut self, event: Event) -> Vec<String> {
        let actions = self.master.handle(event, self.now, 0.5);
        actions.iter().map(said).collect()
    }

    fn offer(&mut self, slot: u32) -> Vec<String> {
        self.does(Event::SlotOffered(place(&format!("w{slot}"), slot)))
    }

    fn report(&mut self, attempt: AttemptId, state: AttemptState) -> Vec<String> {
        self.does(Event::Reported { attempt, state, worker: WorkerId::new("w") })
    }

    fn fails(&mut self, attempt: AttemptId) -> Vec<String> {
        self.does(Event::TaskFailed { attempt, failure: failure("division by zero") })
    }
}

/// An action as a person reads it.
fn said(action: &Action) -> String {
    let try_of = |of: &AttemptId| format!("{}.{}#{}", of.of.vertex, of.of.subtask, of.number);
    match action {
        Action::DeclareSlots(slots) => format!("declare {slots}"),
        Action::Deploy(attempt, place) => format!("deploy {} to {}", try_of(attempt), place.worker),
        Action::Cancel(attempt, worker) => format!("cancel {} on {worker}", try_of(attempt)),
        Action::FreeSlot(place) => format!("free {}", place.worker),
        Action::StopSources => "stop sources".to_owned(),
        Action::Publish => "publish".to_owned(),
        Action::WakeAt(at) => format!("wake at {at}"),
        Action::RecordEnd(status) => format!("record {}", status.word()),
        Action::Ended(status) => format!("ended {}", status.word()),
    }
}

#[test]
fn a_job_waits_for_its_slots_and_is_deployed_when_the_last_one_comes() {
    let mut job = Job::new("keyed", 2, always());
    assert_eq!(job.offer(0), [""; 0]);
    assert_eq!((job.master.status(), job.master.slots_missing()), (JobStatus::Created, 1));
    assert_eq!(job.offer(0), [""; 0], "the same offer again");
    job.now = 50;
    let deployed = ["deploy 0.0#0 to w0", "deploy 0.1#0 to w1", "deploy 1.0#0 to w0", "deploy 1.1#0 to w1"];
    assert_eq!(job.offer(1), deployed);
    assert_eq!(job.master.since(JobStatus::Running), Some(50));
    assert_eq!(job.offer(2), ["free w2"], "one more than it needs");
}

#[test]
fn slots_that_are_of_no_use_yet_are_given_to_others() {
    let mut job = Job::new("keyed", 3, always());
    job.offer(0);
    job.offer(1);
    assert_eq!(job.master.slots_unused(), 2);
    assert_eq!(job.does(Event::YieldSlots), ["free w0", "free w1"]);
    assert_eq!((job.master.slots_unused(), job.master.slots_missing()), (0, 3));
    let mut running = Job::running("chained", 2, always());
    assert_eq!(running.does(Event::YieldSlots), [""; 0]);
    running.does(Event::WorkerLost(WorkerId::new("w0")));
    assert_eq!(running.master.status(), JobStatus::Created);
    assert_eq!(running.does(Event::YieldSlots), [""; 0], "its other slice runs");
}

#[test]
fn a_job_is_finished_when_its_results_are_published_and_not_before() {
    let mut job = Job::running("keyed", 2, always());
    for (vertex, subtask) in [(0, 1), (0, 0), (1, 0)] {
        assert_eq!(job.report(attempt(vertex, subtask, 0), AttemptState::Finished), [""; 0]);
    }
    assert_eq!(job.report(attempt(1, 1, 0), AttemptState::Finished), ["publish"]);
    assert_eq!(job.does(Event::Tick), [""; 0], "once");
    assert_eq!(job.master.status(), JobStatus::Running);
    assert_eq!(job.does(Event::Published(Ok(()))), ["declare 0", "free w0", "free w1", "record FINISHED"]);
    assert_eq!(job.does(Event::Cancel), [""; 0], "it is over");
    assert_eq!(job.master.status(), JobStatus::Running, "and has ended when that is recorded");
    assert_eq!(job.does(Event::EndRecorded), ["ended FINISHED"]);
    assert_eq!(job.does(Event::EndRecorded), [""; 0], "once");
    assert_eq!(job.master.status(), JobStatus::Finished);
}

#[test]
fn results_that_cannot_be_published_fail_the_job() {
    let mut job = Job::running("chained", 1, always());
    assert_eq!(job.report(attempt(0, 0, 0), AttemptState::Finished), ["publish"]);
    let full = Event::Published(Err("no space left on device".to_owned()));
    assert_eq!(job.does(full), ["declare 0", "free w0", "record FAILED"]);
    let why: Vec<&str> = job.master.exceptions().entries().map(|entry| entry.why.as_str()).collect();
    assert_eq!(why, ["no space left on device"]);
}

#[test]
fn a_failure_ends_its_region_and_tries_it_again_after_the_wait() {
    let delay = ExponentialDelay { initial_backoff_ms: 100, ..ExponentialDelay::default() };
    let mut job = Job::running("keyed", 2, RestartStrategy::ExponentialDelay(delay));
    let ended = ["cancel 0.0#0 on w0", "cancel 0.1#0 on w1", "cancel 1.1#0 on w1", "wake at 100"];
    assert_eq!(job.fails(attempt(1, 0, 0)), ended);
    assert_eq!(job.master.status(), JobStatus::Restarting);
    // The others fail because their channels broke: that is the same failure.
    assert_eq!(job.fails(attempt(1, 1, 0)), [""; 0]);
    assert_eq!(job.report(attempt(0, 0, 0), AttemptState::Canceled), [""; 0]);
    job.now = 100;
    assert_eq!(job.does(Event::Tick), [""; 0], "one is still being ended");
    let again = ["deploy 0.0#1 to w0", "deploy 0.1#1 to w1", "deploy 1.0#1 to w0", "deploy 1.1#1 to w1"];
    assert_eq!(job.report(attempt(0, 1, 0), AttemptState::Canceled), again);
    assert_eq!((job.master.status(), job.master.restarts()), (JobStatus::Running, 1));
    assert_eq!(job.master.exceptions().entries().count(), 1);
    assert_eq!(job.report(attempt(0, 1, 0), AttemptState::Running), ["cancel 0.1#0 on w"], "it was given up");
}

#[test]
fn slices_that_did_not_fail_go_on() {
    let mut job = Job::running("chained", 3, always());
    assert_eq!(job.fails(attempt(0, 1, 0)), ["wake at 0", "deploy 0.1#1 to w1"]);
    let others = [0, 2].map(|subtask| job.master.graph.current(SubtaskId { vertex: 0, subtask }).unwrap().state());
    assert_eq!(others, [AttemptState::Running; 2]);
}

#[test]
fn a_lost_worker_takes_its_tasks_along_and_the_job_waits_for_another() {
    let mut job = Job::running("chained", 2, always());
    assert_eq!(job.does(Event::WorkerLost(WorkerId::new("w0"))), ["wake at 0"]);
    assert_eq!((job.master.status(), job.master.slots_missing()), (JobStatus::Created, 1));
    // Meanwhile the other slice fails too.
    assert_eq!(job.fails(attempt(0, 1, 0)), ["wake at 0"]);
    assert_eq!(job.master.status(), JobStatus::Created);
    assert_eq!(job.offer(5), ["deploy 0.0#1 to w5", "deploy 0.1#1 to w1"]);
    let why: Vec<&str> = job.master.exceptions().entries().map(|entry| entry.why.as_str()).collect();
    assert_eq!(why, ["its worker w0 was lost", "division by zero"]);
}

#[test]
fn when_the_strategy_gives_up_everything_is_ended_and_the_reason_is_kept() {
    let mut job = Job::running("keyed", 2, RestartStrategy::None);
    assert_eq!(job.fails(attempt(0, 0, 0)), ["cancel 0.1#0 on w1", "cancel 1.0#0 on w0", "cancel 1.1#0 on w1"]);
    assert_eq!(job.master.status(), JobStatus::Failing);
    for (vertex, subtask) in [(0, 1), (1, 0)] {
        assert_eq!(job.report(attempt(vertex, subtask, 0), AttemptState::Canceled), [""; 0]);
    }
    let ended = ["declare 0", "free w0", "free w1", "record FAILED"];
    assert_eq!(job.report(attempt(1, 1, 0), AttemptState::Canceled), ended);
    let why: Vec<&str> = job.master.exceptions().entries().map(|entry| entry.why.as_str()).collect();
    assert_eq!(why, ["division by zero"]);
    assert_eq!(job.master.exceptions().gave_up_because(), Some("no restart strategy is set ('restart-strategy.type')"));
}

#[test]
fn a_job_can_be_cancelled_in_every_state() {
    let mut waiting = Job::new("keyed", 1, always());
    assert_eq!(waiting.does(Event::Cancel), ["declare 0", "record CANCELED"]);
    assert_eq!(waiting.offer(0), ["free w0"]);

    let mut deploying = Job::new("chained", 1, always());
    deploying.offer(0);
    assert_eq!(deploying.does(Event::Cancel), ["cancel 0.0#0 on w0"]);
    assert_eq!(deploying.does(Event::Cancel), [""; 0], "it is being cancelled already");
    assert_eq!(deploying.report(attempt(0, 0, 0), AttemptState::Canceled), ["declare 0", "free w0", "record CANCELED"]);

    let delay = RestartStrategy::FixedDelay(FixedDelay { attempts: 1, delay_ms: 1_000 });
    let mut restarting = Job::running("chained", 1, delay);
    restarting.fails(attempt(0, 0, 0));
    assert_eq!(restarting.does(Event::Cancel), ["declare 0", "free w0", "record CANCELED"]);

    let mut failing = Job::running("keyed", 2, RestartStrategy::None);
    failing.fails(attempt(0, 0, 0));
    assert_eq!(failing.does(Event::Cancel), [""; 0], "all is being ended already");
    assert_eq!(failing.master.status(), JobStatus::Cancelling);

    let mut lost = Job::running("chained", 1, always());
    assert_eq!(lost.does(Event::Cancel), ["cancel 0.0#0 on w0"]);
    assert_eq!(lost.does(Event::WorkerLost(WorkerId::new("w0"))), ["declare 0", "record CANCELED"]);
}

/// Workers that do what they are told sooner or later, fail and get lost at random.
#[test]
fn whatever_happens_nothing_runs_twice_and_in_the_end_nothing_is_left() {
    for seed in rounds(300) {
        let mut random = Random::new(seed);
        let name = *random.pick(&["keyed", "chained", "forwarded"]);
        let mut job = Job::new(name, *random.pick(&[1, 2, 3]), always());
        let mut world = World::default();
        for step in 0.. {
            assert!(step < 20_000, "seed {seed}: the job does not come to an end");
            if job.master.status().is_terminal() {
                break;
            }
            let troubles = step < 400;
            let event = world.next(&job.master, troubles, &mut random);
            job.now += 1;
            let actions = job.master.handle(event, job.now, 0.5);
            world.take(actions, seed);
        }
        assert!(world.slots.is_empty(), "seed {seed}: {:?}", world.slots);
        assert!(world.tasks.is_empty(), "seed {seed}: {:?}", world.tasks);
    }
}

#[derive(Default)]
struct World {
    /// What runs, and where it stands.
    tasks: BTreeMap<AttemptId, (WorkerId, AttemptState)>,
    deployed: BTreeSet<AttemptId>,
    slots: Vec<Place>,
    offered: u32,
    to_publish: bool,
    to_record: bool,
    declared: u32,
}

impl World {
    fn next(&mut self, job: &JobMaster, troubles: bool, random: &mut Random) -> Event {
        let trouble = troubles && random.below(20) == 0;
        if trouble && !self.slots.is_empty() {
            return match random.below(30) {
                0 => Event::Cancel,
                1..15 => {
                    let worker = self.slots[random.below(self.slots.len())].worker.clone();
                    self.slots.retain(|place| place.worker != worker);
                    self.tasks.retain(|_, (on, _)| *on != worker);
                    Event::WorkerLost(worker)
                }
                _ => match self.tasks.keys().nth(random.below(self.tasks.len().max(1))).copied() {
                    Some(attempt) => {
                        self.tasks.remove(&attempt);
                        Event::TaskFailed { attempt, failure: failure("trouble") }
                    }
                    None => Event::Tick,
                },
            };
        }
        if self.to_publish {
            self.to_publish = false;
            return Event::Published(Ok(()));
        }
        if std::mem::take(&mut self.to_record) {
            return Event::EndRecorded;
        }
        if job.slots_missing() > 0 && random.below(3) == 0 {
            let place = place(&format!("w{}", self.offered), self.offered);
            self.offered += 1;
            self.slots.push(place.clone());
            return Event::SlotOffered(place);
        }
        let chosen = random.below(self.tasks.len().max(1));
        let Some((attempt, (worker, state))) = self.tasks.iter_mut().nth(chosen) else { return Event::Tick };
        let next = match state {
            AttemptState::Deploying => AttemptState::Initializing,
            AttemptState::Initializing => AttemptState::Running,
            AttemptState::Canceling => AttemptState::Canceled,
            _ => AttemptState::Finished,
        };
        let event = Event::Reported { attempt: *attempt, state: next, worker: worker.clone() };
        *state = next;
        if next.is_terminal() {
            let attempt = *attempt;
            self.tasks.remove(&attempt);
        }
        event
    }

    fn take(&mut self, actions: Vec<Action>, seed: u64) {
        for action in actions {
            match action {
                Action::Deploy(attempt, place) => {
                    assert!(self.deployed.insert(attempt), "seed {seed}: {attempt} was deployed twice");
                    assert!(self.slots.contains(&place), "seed {seed}: {attempt} went to a slot that is gone");
                    let same = self.tasks.keys().any(|other| other.of == attempt.of);
                    assert!(!same, "seed {seed}: another try at the subtask of {attempt} still runs");
                    self.tasks.insert(attempt, (place.worker, AttemptState::Deploying));
                }
                Action::Cancel(attempt, _) => {
                    if let Some((_, state)) = self.tasks.get_mut(&attempt) {
                        *state = AttemptState::Canceling;
                    }
                }
                Action::StopSources => {}
                Action::FreeSlot(place) => self.slots.retain(|other| *other != place),
                Action::Publish => {
                    assert!(self.tasks.is_empty(), "seed {seed}: something still runs");
                    self.to_publish = true;
                }
                Action::DeclareSlots(slots) => self.declared = slots,
                Action::WakeAt(_) => {}
                Action::RecordEnd(_) => self.to_record = true,
                Action::Ended(_) => assert_eq!(self.declared, 0, "seed {seed}"),
            }
        }
    }
}

#[test]
fn results_that_cannot_be_committed_fail_a_job_that_is_restarting_too() {
    let delay = RestartStrategy::FixedDelay(FixedDelay { attempts: 9, delay_ms: 1_000 });
    let mut job = Job::running("chained", 2, delay);
    job.fails(attempt(0, 0, 0));
    assert_eq!(job.master.status(), JobStatus::Restarting);
    assert_eq!(job.does(Event::Published(Err("no space left on device".to_owned()))), ["cancel 0.1#0 on w1"]);
    assert_eq!(job.master.status(), JobStatus::Failing);
}

#[test]
fn what_would_fail_again_is_not_tried_again() {
    let mut job = Job::running("keyed", 2, always());
    let certain = TaskFailure { may_recover: false, ..failure("not a number") };
    job.does(Event::TaskFailed { attempt: attempt(0, 0, 0), failure: certain });
    assert_eq!(job.master.status(), JobStatus::Failing);
}

#[test]
fn a_cause_that_is_heard_of_after_what_followed_from_it_decides() {
    let mut job = Job::running("keyed", 2, always());
    let lost = TaskFailure { follows: true, ..failure("a task that it reads from is gone") };
    job.does(Event::TaskFailed { attempt: attempt(1, 0, 0), failure: lost });
    assert_eq!(job.master.status(), JobStatus::Restarting);
    let certain = TaskFailure { may_recover: false, ..failure("not a number") };
    job.does(Event::TaskFailed { attempt: attempt(0, 0, 0), failure: certain });
    assert_eq!(job.master.status(), JobStatus::Failing);
    let why: Vec<&str> = job.master.exceptions().entries().map(|entry| entry.why.as_str()).collect();
    assert_eq!(why, ["not a number"]);
}

#[test]
fn a_running_job_stops_once_and_a_failure_takes_that_back() {
    let mut job = Job::running("keyed", 2, always());
    assert_eq!(job.does(Event::Stop), ["stop sources"]);
    assert!(job.does(Event::Stop).is_empty(), "it is stopping already");
    assert!(job.master.is_stopping());
    job.does(Event::TaskFailed { attempt: attempt(0, 0, 0), failure: failure("trouble") });
    assert!(!job.master.is_stopping(), "it begins anew");
    let mut slices = Job::running("chained", 2, always());
    slices.does(Event::Stop);
    let anew = ["cancel 0.1#0 on w1", "wake at 0"];
    assert_eq!(slices.fails(attempt(0, 0, 0)), anew, "the source of the other slice has ended early too");
    assert!(job.does(Event::Stop).is_empty(), "nothing runs");
}
