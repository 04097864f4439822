//! What the engine means: the cases under `cases/`, and random input against models of a few lines.
//!
//! One binary, since linking costs more than running.

use millstream_engine::testing::case::{Case, parse};

mod differential;
mod support;

fn run(text: &str, check: fn(&Case)) {
    for case in &parse(text) {
        check(case);
    }
}

#[test]
fn windows_start_where_they_should() {
    run(include_str!("cases/window_start.txt"), support::arithmetic::window_starts);
}

#[test]
fn rows_fall_into_the_right_windows() {
    run(include_str!("cases/assigners.txt"), support::arithmetic::assigners);
}

#[test]
fn a_generator_promises_what_it_may() {
    run(include_str!("cases/watermark_generator.txt"), support::clocks::generator);
}

#[test]
fn channels_make_one_clock() {
    run(include_str!("cases/watermark_merger.txt"), support::clocks::merger);
}

#[test]
fn windows_fire_by_event_time() {
    run(include_str!("cases/window_operator.txt"), support::windows::windows);
}

#[test]
fn windows_fire_by_wall_clock_and_trigger() {
    run(include_str!("cases/triggers.txt"), support::windows::windows);
}

#[test]
fn timers_fire_once_and_in_order() {
    run(include_str!("cases/timers.txt"), support::timers::timers);
}

#[test]
fn key_groups_are_cut_into_ranges() {
    run(include_str!("cases/key_groups.txt"), support::arithmetic::key_groups);
}

/// Every rule that has a name has a case of that name.
#[test]
fn no_case_is_missing() {
    let files = [
        include_str!("cases/window_start.txt"),
        include_str!("cases/assigners.txt"),
        include_str!("cases/watermark_generator.txt"),
        include_str!("cases/watermark_merger.txt"),
        include_str!("cases/window_operator.txt"),
        include_str!("cases/triggers.txt"),
        include_str!("cases/timers.txt"),
        include_str!("cases/key_groups.txt"),
    ];
    let cases: Vec<Case> = files.into_iter().flat_map(parse).collect();
    let rules = [
        ("A", 1..=7),
        ("B", 1..=22),
        ("C", 1..=4),
        ("D", 1..=15),
        ("E", 1..=26),
        ("F", 1..=13),
        ("G", 1..=4),
        ("I", 2..=4),
    ];
    let ids = rules.into_iter().flat_map(|(letter, numbers)| numbers.map(move |number| format!("{letter}{number}")));
    let missing: Vec<String> = ids.filter(|id| !cases.iter().any(|case| case.id == *id)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
    assert!(cases.iter().all(|case| !case.steps.is_empty()), "a case without a step shows nothing");
}
