use std::collections::BTreeSet;

use millstream_engine::element::CheckpointId;
use millstream_graph::{AttemptId, SubtaskId};

use super::coordinator::{Action, CheckpointCoordinator, Event, RequestId, Stage, TriggerAnswer};
use super::*;

fn subtask(at: u32) -> SubtaskId {
    SubtaskId { vertex: 0, subtask: at }
}

fn attempt(at: u32, number: u32) -> AttemptId {
    AttemptId { of: subtask(at), number }
}

fn every(interval_ms: i64) -> CheckpointSettings {
    CheckpointSettings { interval_ms: Some(interval_ms), timeout_ms: 1_000, ..CheckpointSettings::default() }
}

/// The checkpoints of a job, and the time. What tasks store is a word.
struct Job {
    coordinator: CheckpointCoordinator<&'static str>,
    now: i64,
}

impl Job {
    fn new(settings: CheckpointSettings) -> Self {
        Self { coordinator: CheckpointCoordinator::new(settings, CheckpointId(1), []), now: 0 }
    }

    /// Of two tasks that run since 0.
    fn running(settings: CheckpointSettings) -> Self {
        let mut job = Self::new(settings);
        job.runs(0);
        job
    }

    fn does(&mut self, event: Event<&'static str>) -> Vec<String> {
        self.coordinator.handle(event, self.now).iter().map(said).collect()
    }

    fn at(&mut self, now: i64) -> Vec<String> {
        self.now = now;
        self.does(Event::Tick)
    }

    /// Both tasks run, as this try.
    fn runs(&mut self, number: u32) -> Vec<String> {
        let attempts = [attempt(0, number), attempt(1, number)].into();
        self.does(Event::Running { attempts, finished: BTreeSet::new() })
    }

    fn enumerated(&mut self, id: u64) -> Vec<String> {
        self.does(Event::Enumerated { checkpoint: CheckpointId(id) })
    }

    fn acks(&mut self, id: u64, at: u32, handle: &'static str) -> Vec<String> {
        self.does(Event::Acknowledged { checkpoint: CheckpointId(id), attempt: attempt(at, 0), handle })
    }

    fn declines(&mut self, id: u64, at: u32) -> Vec<String> {
        let why = "disk full".to_owned();
        self.does(Event::Declined { checkpoint: CheckpointId(id), attempt: attempt(at, 0), why })
    }

    fn recorded(&mut self, id: u64) -> Vec<String> {
        self.does(Event::Recorded { checkpoint: CheckpointId(id) })
    }

    fn asks(&mut self, request: u128) -> Vec<String> {
        self.does(Event::Trigger { request: RequestId(request), kind: CheckpointKind::Savepoint })
    }

    /// The one in flight, from its trigger to its record.
    fn is_recording(&mut self, id: u64) {
        self.enumerated(id);
        self.acks(id, 0, "a");
        self.acks(id, 1, "b");
        assert_eq!(self.coordinator.undecided(), Some(CheckpointId(id)));
    }

    fn completes(&mut self, id: u64) -> Vec<String> {
        self.is_recording(id);
        self.recorded(id)
    }
}

/// An action as a person reads it.
fn said(action: &Action<&'static str>) -> String {
    let tries = |acks: &std::collections::BTreeMap<AttemptId, &'static str>| {
        let each: Vec<String> =
            acks.iter().map(|(of, what)| format!("{}#{}={what}", of.of.subtask, of.number)).collect();
        format!("[{}]", each.join(" "))
    };
    match action {
        Action::SnapshotEnumerators(id) => format!("enumerators {}", id.0),
        Action::TriggerSources(id) => format!("sources {}", id.0),
        Action::Record { id, kind: _, started_ms, acks, finished } => {
            let finished: Vec<u32> = finished.iter().map(|of| of.subtask).collect();
            format!("record {} of {started_ms} {} finished {finished:?}", id.0, tries(acks))
        }
        Action::NotifyCompleted(id) => format!("completed {}", id.0),
        Action::Abort { id, why, acks } => format!("abort {} {}: {why}", id.0, tries(acks)),
        Action::Discard { attempt, checkpoint, handle } => {
            format!("discard {handle} of {}#{} for {}", attempt.of.subtask, attempt.number, checkpoint.0)
        }
        Action::Forget(ids) => format!("forget {:?}", ids.iter().map(|id| id.0).collect::<Vec<_>>()),
        Action::Answer { request, answer: TriggerAnswer::Refused(why) } => format!("refused {}: {why}", request.0),
        Action::Answer { request, answer: TriggerAnswer::Completed(id) } => format!("answer {}: {}", request.0, id.0),
        Action::Answer { request, answer: TriggerAnswer::Failed { id, why } } => {
            format!("failed {}: {} {why}", request.0, id.0)
        }
        Action::WakeAt(at) => format!("wake at {at}"),
        Action::FailJob(why) => format!("fail job: {why}"),
    }
}

#[test]
fn a_checkpoint_goes_from_the_enumerators_over_the_sources_to_its_record_and_is_completed_then() {
    let mut job = Job::new(every(100));
    job.now = 50;
    assert_eq!(job.runs(0), ["wake at 150"]);
    assert_eq!(job.at(149), [""; 0]);
    assert_eq!(job.at(150), ["enumerators 1", "wake at 1150"]);
    assert_eq!(job.at(151), [""; 0], "once");
    assert_eq!(job.enumerated(1), ["sources 1"]);
    assert_eq!(job.enumerated(1), [""; 0], "once");
    assert_eq!(job.acks(1, 1, "b"), [""; 0]);
    assert_eq!(job.coordinator.stage(), Stage::Pending);
    job.now = 160;
    assert_eq!(job.acks(1, 0, "a"), ["record 1 of 150 [0#0=a 1#0=b] finished []"]);
    assert_eq!((job.coordinator.undecided(), job.coordinator.latest()), (Some(CheckpointId(1)), None));
    job.now = 170;
    assert_eq!(job.recorded(1), ["completed 1", "wake at 250"]);
    assert_eq!(job.recorded(1), [""; 0], "once");
    assert_eq!((job.coordinator.undecided(), job.coordinator.latest()), (None, Some(CheckpointId(1))));
    assert_eq!(job.at(250), ["enumerators 2", "wake at 1250"], "an interval after the last trigger");
}

#[test]
fn every_stage_leads_back_to_none_in_flight() {
    for start in Stage::ALL {
        let mut reached = vec![start];
        let mut at = 0;
        while let Some(stage) = reached.get(at).copied() {
            reached.extend(stage.next().iter().filter(|next| !reached.contains(next)).copied().collect::<Vec<_>>());
            at += 1;
        }
        assert_eq!(reached.len(), Stage::ALL.len(), "{start:?}");
    }
    assert!(!Stage::Recording.can_become(Stage::Pending));
}

#[test]
fn none_is_triggered_while_one_is_in_flight_and_the_next_follows_at_once_when_it_is_overdue() {
    let mut job = Job::running(every(100));
    job.at(100);
    job.is_recording(1);
    assert_eq!(job.at(500), [""; 0]);
    assert_eq!(job.recorded(1), ["completed 1", "enumerators 2", "wake at 1500"]);
}

#[test]
fn the_pause_is_kept_after_a_completion_and_after_a_failure() {
    let mut job = Job::running(CheckpointSettings { min_pause_ms: 80, ..every(100) });
    job.at(100);
    job.now = 150;
    assert_eq!(job.completes(1), ["completed 1", "wake at 230"], "80 after its end is later than 200");
    assert_eq!(job.at(229), [""; 0]);
    assert_eq!(job.at(230), ["enumerators 2", "wake at 1230"]);
    job.now = 300;
    let declined = "abort 2 []: try 0 at subtask 1 of vertex 0 declined it: disk full";
    assert_eq!(job.declines(2, 1), [declined, "wake at 380"]);
    job.now = 380;
    assert_eq!(job.asks(7), ["enumerators 3", "wake at 1380"], "and not by what someone asks for");
    assert_eq!(job.completes(3), ["completed 3", "answer 7: 3", "wake at 460"]);
}

#[test]
fn without_an_interval_there_are_only_those_that_someone_asks_for() {
    let mut job = Job::new(CheckpointSettings { interval_ms: None, ..every(1) });
    assert_eq!(job.runs(0), [""; 0]);
    assert_eq!(job.at(1_000_000), [""; 0]);
    assert_eq!(job.asks(7), ["enumerators 1", "wake at 1001000"]);
    assert_eq!(job.completes(1), ["completed 1", "answer 7: 1"]);
}

#[test]
fn after_a_stop_the_interval_starts_anew_and_what_was_in_flight_is_aborted() {
    let mut job = Job::running(every(100));
    job.at(100);
    job.enumerated(1);
    job.acks(1, 0, "a");
    job.now = 120;
    assert_eq!(job.does(Event::Stopped), ["abort 1 [0#0=a]: the job did not go on running"]);
    assert_eq!(job.does(Event::Stopped), [""; 0], "once");
    assert_eq!(job.at(900), [""; 0], "nothing runs");
    assert_eq!(job.acks(1, 1, "b"), ["discard b of 1#0 for 1"], "it was on its way");
    assert_eq!(job.runs(1), ["wake at 1000"]);
    assert_eq!(job.at(1_000), ["enumerators 2", "wake at 2000"], "its id is not used again");
    assert_eq!(job.runs(1), [""; 0], "the same run");
    assert_eq!(job.runs(2), ["abort 2 []: the job did not go on running", "wake at 1100"], "another run");
}

#[test]
fn a_checkpoint_expires_after_the_timeout_and_that_alone_fails_no_job() {
    let mut job = Job::running(every(100));
    job.at(100);
    let enumerators = "abort 1 []: expired after 1s: the split enumerators have not taken their snapshots";
    assert_eq!(job.at(1_100), [enumerators, "enumerators 2", "wake at 2100"]);
    assert_eq!(job.enumerated(1), [""; 0], "too late");
    job.enumerated(2);
    job.acks(2, 0, "a");
    assert_eq!(job.at(2_099), [""; 0]);
    let missing = "abort 2 [0#0=a]: expired after 1s: 1 of 2 tasks have not acknowledged it, \
                   among them try 0 at subtask 1 of vertex 0";
    assert_eq!(job.at(2_100), [missing, "enumerators 3", "wake at 3100"]);
    job.is_recording(3);
    assert_eq!(job.at(99_999), [""; 0], "the record may be there: it does not expire");
    assert_eq!(job.recorded(3)[0], "completed 3");
}

#[test]
fn a_job_fails_when_more_checkpoints_in_a_row_have_failed_than_it_tolerates() {
    let mut job = Job::running(CheckpointSettings { tolerable_failed: Some(1), ..every(100) });
    let no_enumerator = |checkpoint| Event::NotEnumerated { checkpoint, why: "no such folder".to_owned() };
    job.at(100);
    assert_eq!(
        job.does(no_enumerator(CheckpointId(1))),
        ["abort 1 []: a split enumerator: no such folder", "wake at 200"]
    );
    job.at(200);
    job.completes(2);
    job.at(300);
    assert_eq!(job.declines(3, 0).len(), 2, "one completed in between");
    job.at(400);
    job.is_recording(4);
    let refused = Event::NotRecorded { checkpoint: CheckpointId(4), why: "permission denied".to_owned() };
    let fails = "fail job: 2 checkpoints in a row have failed, and \
                 'execution.checkpointing.tolerable-failed-checkpoints' is 1; the last one: it was not recorded: permission denied";
    assert_eq!(job.does(refused), ["abort 4 [0#0=a 1#0=b]: it was not recorded: permission denied", fails]);
    assert_eq!(job.at(1_000), [""; 0], "the job is being failed");
    assert_eq!(job.does(Event::Stopped), [""; 0]);
    job.runs(1);
    job.at(1_100);
    assert_eq!(job.does(no_enumerator(CheckpointId(5))).len(), 2, "the count begins anew");
}

#[test]
fn neither_savepoints_nor_a_stop_count_as_failures() {
    let mut job = Job::running(CheckpointSettings { tolerable_failed: Some(0), ..every(100) });
    job.asks(7);
    let why = "try 0 at subtask 0 of vertex 0 declined it: disk full";
    assert_eq!(
        job.declines(1, 0),
        [format!("abort 1 []: {why}"), format!("failed 7: 1 {why}"), "wake at 100".to_owned()]
    );
    job.at(100);
    assert_eq!(job.does(Event::Stopped).len(), 1);
    job.runs(1);
    job.at(200);
    job.does(Event::Enumerated { checkpoint: CheckpointId(3) });
    let declined = Event::Declined { checkpoint: CheckpointId(3), attempt: attempt(0, 1), why: "disk full".to_owned() };
    assert!(job.does(declined)[1].starts_with("fail job: 1 checkpoints in a row"));
}

#[test]
fn a_task_that_finishes_counts_as_having_acknowledged() {
    let mut job = Job::running(every(100));
    job.at(100);
    job.enumerated(1);
    job.acks(1, 0, "a");
    assert_eq!(job.does(Event::Finished(attempt(0, 0))), [""; 0], "what it has stored counts");
    assert_eq!(job.does(Event::Finished(attempt(1, 7))), [""; 0], "no try of this run");
    assert_eq!(job.does(Event::Finished(attempt(1, 0))), ["record 1 of 100 [0#0=a] finished [1]"]);
    assert_eq!(job.recorded(1), ["completed 1"]);
    assert_eq!(job.at(10_000), [""; 0], "all have finished");
    assert_eq!(job.asks(7), ["refused 7: all tasks of the job have finished"]);
}

#[test]
fn a_job_of_which_a_part_has_finished_makes_checkpoints_of_the_rest() {
    let mut job = Job::new(every(100));
    job.does(Event::Running { attempts: [attempt(0, 0)].into(), finished: [subtask(1)].into() });
    job.at(100);
    job.enumerated(1);
    assert_eq!(job.acks(1, 0, "a"), ["record 1 of 100 [0#0=a] finished [1]"]);
    let latest = job.coordinator.statistics().history().next_back().unwrap();
    assert_eq!((latest.subtasks, latest.acknowledged), (2, 2));
}

#[test]
fn when_all_tasks_finish_before_the_sources_are_told_nobody_is_told() {
    let mut job = Job::running(every(100));
    job.at(100);
    job.does(Event::Finished(attempt(0, 0)));
    assert_eq!(job.does(Event::Finished(attempt(1, 0))), [""; 0]);
    assert_eq!(job.enumerated(1), ["record 1 of 100 [] finished [0, 1]"]);
}

#[test]
fn what_was_stored_for_nothing_is_discarded_and_what_counts_is_not() {
    let mut job = Job::running(every(100));
    assert_eq!(job.acks(9, 0, "x"), ["discard x of 0#0 for 9"], "none is in flight");
    job.at(100);
    assert_eq!(job.acks(1, 0, "x"), ["discard x of 0#0 for 1"], "the sources were not told yet");
    job.enumerated(1);
    assert_eq!(job.acks(0, 0, "x"), ["discard x of 0#0 for 0"], "another checkpoint");
    let given_up = Event::Acknowledged { checkpoint: CheckpointId(1), attempt: attempt(0, 7), handle: "x" };
    assert_eq!(job.does(given_up), ["discard x of 0#7 for 1"], "a try that is not of this run");
    assert_eq!(job.acks(1, 0, "a"), [""; 0]);
    assert_eq!(job.acks(1, 0, "a"), [""; 0], "the same again");
    assert_eq!(job.acks(1, 0, "x"), ["discard x of 0#0 for 1"], "it has stored something else before");
    assert_eq!(job.declines(1, 0), [""; 0], "it has acknowledged");
    job.acks(1, 1, "b");
    assert_eq!(job.acks(1, 1, "b"), [""; 0], "the same again, while it is recorded");
    job.recorded(1);
    assert_eq!(job.acks(1, 1, "b"), [""; 0], "deleting it would damage a completed checkpoint");
}

#[test]
fn a_record_that_is_answered_after_the_job_has_stopped_makes_its_checkpoint_the_latest() {
    let mut job = Job::running(every(100));
    job.at(100);
    job.is_recording(1);
    assert_eq!(job.does(Event::Stopped), [""; 0], "its record may be there: nothing is deleted");
    assert_eq!(job.coordinator.undecided(), Some(CheckpointId(1)), "what to start from is not known");
    assert_eq!(job.recorded(1), ["completed 1"]);
    assert_eq!((job.coordinator.undecided(), job.coordinator.latest()), (None, Some(CheckpointId(1))));
    // A job that does not wait for the answer: no other checkpoint begins before it is there.
    job.runs(1);
    job.at(200);
    job.does(Event::Enumerated { checkpoint: CheckpointId(2) });
    for at in [0, 1] {
        job.does(Event::Acknowledged { checkpoint: CheckpointId(2), attempt: attempt(at, 1), handle: "c" });
    }
    job.does(Event::Stopped);
    assert_eq!(job.runs(2), [""; 0]);
    assert_eq!(job.at(5_000), [""; 0]);
    let lost = Event::NotRecorded { checkpoint: CheckpointId(2), why: "fenced".to_owned() };
    let aborted = "abort 2 [0#1=c 1#1=c]: it was not recorded: fenced";
    assert_eq!(job.does(lost), [aborted, "enumerators 3", "wake at 6000"]);
}

#[test]
fn old_checkpoints_are_forgotten_and_savepoints_are_not() {
    let mut job = Job::running(every(100));
    let forgotten: Vec<String> = (1..=4)
        .flat_map(|id| {
            if id == 2 {
                job.asks(7);
            }
            job.at(i64::try_from(id).unwrap() * 100);
            job.completes(id)
        })
        .filter(|said| said.starts_with("forget"))
        .collect();
    assert_eq!(forgotten, ["forget [1]"], "2 is a savepoint; 3 and 4 are kept");
    assert_eq!(job.coordinator.latest(), Some(CheckpointId(4)));
}

#[test]
fn a_coordinator_that_takes_over_goes_on_with_what_was_recorded() {
    let kinds = [CheckpointKind::Checkpoint, CheckpointKind::Checkpoint, CheckpointKind::Savepoint];
    let completed = [3, 5, 6].map(CheckpointId).into_iter().zip(kinds);
    let settings = CheckpointSettings { num_retained: 1, ..every(100) };
    let mut job = Job { coordinator: CheckpointCoordinator::new(settings, CheckpointId(9), completed), now: 0 };
    assert_eq!(job.coordinator.latest(), Some(CheckpointId(6)));
    job.does(Event::Restored { checkpoint: CheckpointId(6), kind: CheckpointKind::Savepoint });
    let restored = RestoredCheckpoint { id: CheckpointId(6), kind: CheckpointKind::Savepoint, at_ms: 0 };
    assert_eq!(job.coordinator.statistics().latest_restored(), Some(restored));
    assert_eq!(job.coordinator.statistics().counts().restored, 1);
    job.runs(0);
    assert_eq!(job.at(100), ["enumerators 9", "wake at 1100"]);
    assert_eq!(job.completes(9), ["completed 9", "forget [3, 5]", "wake at 200"]);
}

#[test]
fn requests_wait_for_the_one_in_flight_and_each_is_answered_once() {
    let mut job = Job::new(every(100));
    assert_eq!(job.asks(1), ["refused 1: not all tasks of the job run"]);
    job.runs(0);
    job.at(100);
    for request in 0..16 {
        assert_eq!(job.asks(request), [""; 0]);
        assert_eq!(job.asks(request), [""; 0], "the same again");
    }
    assert_eq!(job.asks(16), ["refused 16: 16 requests wait already"]);
    assert_eq!(job.completes(1), ["completed 1", "enumerators 2"], "the first of them");
    assert_eq!(job.asks(0), [""; 0], "it is in flight");
    assert_eq!(job.completes(2), ["completed 2", "answer 0: 2", "enumerators 3"]);
    let stopped = job.does(Event::Stopped);
    assert_eq!(
        stopped[..2],
        ["abort 3 []: the job did not go on running", "failed 1: 3 the job did not go on running"]
    );
    let refused: Vec<String> =
        (2..16).map(|request| format!("refused {request}: not all tasks of the job run")).collect();
    assert_eq!(stopped[2..], refused);
}

#[test]
fn savepoints_do_not_put_off_checkpoints() {
    let mut job = Job::running(every(100));
    job.at(60);
    assert_eq!(job.asks(7), ["enumerators 1", "wake at 1060"]);
    assert_eq!(job.completes(1), ["completed 1", "answer 7: 1", "wake at 100"]);
    assert_eq!(job.at(100), ["enumerators 2", "wake at 1100"]);
}

#[test]
fn the_statistics_count_and_show_the_last_ten() {
    let mut job = Job::running(every(100));
    for id in 1..=12 {
        job.at(i64::try_from(id).unwrap() * 100);
        job.now += 30;
        match id {
            11 => drop(job.declines(11, 0)),
            _ => drop(job.completes(id)),
        }
    }
    job.asks(7);
    job.now += 5;
    job.completes(13);
    job.at(1_300);
    job.enumerated(14);
    job.now += 7;
    job.acks(14, 0, "a");
    let statistics = job.coordinator.statistics();
    let counts = CheckpointCounts { restored: 0, total: 14, in_progress: 1, completed: 12, failed: 1 };
    assert_eq!(statistics.counts(), counts);
    let history: Vec<u64> = statistics.history().map(|summary| summary.id.0).collect();
    assert_eq!(history, (5..=14).collect::<Vec<_>>());
    let shown = |summary: &CheckpointSummary| {
        let CheckpointSummary { id, status, triggered_ms, subtasks, acknowledged, .. } = summary;
        let took = summary.duration_ms(1_310);
        format!("{} {} at {triggered_ms} took {took}, {acknowledged} of {subtasks}", id.0, status.word())
    };
    let latest = [statistics.latest_completed(), statistics.latest_failed(), statistics.latest_savepoint()];
    let latest = latest.map(|summary| summary.map(shown).unwrap_or_default());
    assert_eq!(latest[0], "12 COMPLETED at 1200 took 30, 2 of 2");
    assert_eq!(latest[1], "11 FAILED at 1100 took 30, 0 of 2");
    assert_eq!(latest[2], "13 COMPLETED at 1230 took 5, 2 of 2");
    let current = statistics.history().next_back().unwrap();
    assert_eq!(shown(current), "14 IN_PROGRESS at 1300 took 10, 1 of 2");
    assert_eq!(current.latest_ack_ms, Some(1_307));
    let why = statistics.latest_failed().and_then(|failed| failed.why.as_deref());
    assert_eq!(why, Some("try 0 at subtask 0 of vertex 0 declined it: disk full"));
}
