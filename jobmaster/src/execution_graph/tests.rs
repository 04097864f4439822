use super::*;
use crate::scheduler::testing::job;

const FIRST: SubtaskId = SubtaskId { vertex: 0, subtask: 0 };

fn attempt(number: u32) -> AttemptId {
    AttemptId { of: FIRST, number }
}

fn to(graph: &mut ExecutionGraph, number: u32, states: &[AttemptState]) {
    for state in states {
        graph.report(attempt(number), *state, 0).unwrap();
    }
}

use AttemptState as S;

#[test]
fn a_job_has_every_subtask_of_every_vertex() {
    let graph = ExecutionGraph::new(job("keyed", 2), 7);
    let subtasks: Vec<(usize, u32)> = graph.subtasks().map(|of| (of.vertex, of.subtask)).collect();
    assert_eq!(subtasks, [(0, 0), (0, 1), (1, 0), (1, 1)]);
    assert_eq!(graph.total().of(S::Created), 4);
    assert_eq!(graph.current(FIRST).unwrap().entered(S::Created), Some(7));
    assert!(graph.current(SubtaskId { vertex: 2, subtask: 0 }).is_none());
}

#[test]
fn what_a_try_says_that_was_given_up_has_no_effect() {
    let mut graph = ExecutionGraph::new(job("keyed", 1), 0);
    to(&mut graph, 0, &[S::Scheduled, S::Deploying, S::Initializing, S::Running]);
    graph.fail(attempt(0), "its worker was lost".to_owned(), 5).unwrap();
    assert_eq!(graph.try_again(FIRST, 6), Ok(attempt(1)));
    let late = graph.report(attempt(0), S::Finished, 7);
    assert_eq!(late, Err(Refused::Stale { attempt: attempt(0), current: 1 }));
    assert_eq!(late.unwrap_err().to_string(), "try 0 at subtask 0 of vertex 0 was given up; try 1 has taken its place");
    assert_eq!(graph.report(attempt(2), S::Scheduled, 7), Err(Refused::Unknown(attempt(2))));
    assert_eq!(graph.current(FIRST).unwrap().state(), S::Created);
    assert_eq!(graph.earlier(FIRST)[0].failure.as_deref(), Some("its worker was lost"));
}

#[test]
fn nothing_is_tried_again_before_it_is_over() {
    let mut graph = ExecutionGraph::new(job("keyed", 1), 0);
    to(&mut graph, 0, &[S::Scheduled, S::Deploying]);
    let again = graph.try_again(FIRST, 1).unwrap_err();
    assert_eq!(again.to_string(), "try 0 at subtask 0 of vertex 0 is DEPLOYING and cannot become CREATED");
}

#[test]
fn only_the_last_tries_are_remembered() {
    let mut graph = ExecutionGraph::new(job("keyed", 1), 0);
    for number in 0..40 {
        graph.fail(attempt(number), "again".to_owned(), 0).unwrap();
        graph.try_again(FIRST, 0).unwrap();
    }
    let numbers: Vec<u32> = graph.earlier(FIRST).iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, (24..40).collect::<Vec<_>>());
}

#[test]
fn a_vertex_is_what_its_subtasks_are_together() {
    let counts = |states: &[AttemptState]| {
        let mut counts = StateCounts::default();
        states.iter().for_each(|state| counts.0[*state as usize] += 1);
        counts
    };
    for (states, together, over) in [
        (&[S::Created, S::Created][..], S::Created, false),
        (&[S::Created, S::Scheduled], S::Scheduled, false),
        (&[S::Scheduled, S::Deploying], S::Deploying, false),
        (&[S::Running, S::Initializing], S::Initializing, false),
        (&[S::Running, S::Finished], S::Running, false),
        (&[S::Created, S::Finished], S::Running, false),
        (&[S::Finished, S::Finished], S::Finished, true),
        (&[S::Finished, S::Canceling], S::Canceling, false),
        (&[S::Finished, S::Canceled], S::Canceled, true),
        (&[S::Running, S::Failed], S::Failed, false),
    ] {
        assert_eq!((counts(states).together(), counts(states).all_over()), (together, over), "{states:?}");
    }
}
