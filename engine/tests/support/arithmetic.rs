//! Cases of pure functions: where windows start, which a time falls into, who owns which key group.

use millstream_engine::key::key_group::MaxParallelism;
use millstream_engine::testing::case::{Case, CaseStep, number};
use millstream_engine::window::assigner::window_start;
use millstream_engine::window::{SessionGap, TimeWindow, WindowSpec};

use super::windows;

pub(crate) fn window_starts(case: &Case) {
    let size = case.number("size").expect("a case says its size");
    let offset = case.number("offset").unwrap_or(0);
    for step in &case.steps {
        let starts = step.words.iter().map(|time| window_start(number(time), offset, size));
        case.compare(step, "arithmetic", starts.map(|of| of.map_or("none".to_owned(), |of| of.to_string())).collect());
    }
}

pub(crate) fn assigners(case: &Case) {
    for step in &case.steps {
        match step.verb.as_str() {
            "assign" => assign(case, step),
            "arrive" => {
                let times: Vec<i64> = step.words.iter().map(|time| number(time)).collect();
                case.compare(step, "the operator", windows::windows_of_arrivals(windows::window_of(case), &times));
            }
            "check" => check(case, step),
            "merge" => merge(case, step),
            other => case.fail(step, &format!("`{other}` is no step of an assigner")),
        }
    }
}

fn assign(case: &Case, step: &CaseStep) {
    let spec = windows::window_of(case);
    spec.check().expect("settings that work");
    let time = number(&step.words[0]);
    let gap = if let WindowSpec::Session { gap: SessionGap::Fixed(gap) } = spec { gap } else { 0 };
    let mut assigned = Vec::new();
    assert!(spec.assign(time, gap, &mut assigned));
    case.compare(step, "arithmetic", assigned.iter().map(show).collect());
    for (name, made) in windows::windows_of_one_row(spec, time) {
        case.compare(step, name, made);
    }
}

fn check(case: &Case, step: &CaseStep) {
    let message = windows::window_of(case).check().expect_err("settings that are refused").to_string();
    if !message.contains(&step.expected[0]) {
        case.fail(step, &format!("the message is: {message}"));
    }
}

/// As sessions merge: each window takes over those that it meets.
fn merge(case: &Case, step: &CaseStep) {
    let mut merged: Vec<TimeWindow> = Vec::new();
    for word in &step.words {
        let own = window(word);
        let (met, apart): (Vec<_>, Vec<_>) = merged.into_iter().partition(|other| other.intersects(own));
        merged = apart;
        merged.push(met.into_iter().fold(own, TimeWindow::cover));
    }
    case.compare(step, "arithmetic", merged.iter().map(show).collect());
}

fn window(text: &str) -> TimeWindow {
    let inner = text.trim_start_matches('[').trim_end_matches(')');
    let (start, end) = inner.split_once(',').expect("a window is [start,end)");
    TimeWindow { start: number(start), end: number(end) }
}

fn show(window: &TimeWindow) -> String {
    format!("[{},{})", window.start, window.end)
}

pub(crate) fn key_groups(case: &Case) {
    let groups = case.number("groups").and_then(|groups| u32::try_from(groups).ok());
    let groups = groups.and_then(MaxParallelism::new).expect("a number of groups that there may be");
    for step in &case.steps {
        let parallelism: u32 = step.words[0].parse().expect("a parallelism");
        let ranges: Vec<_> = (0..parallelism).map(|index| groups.range(index, parallelism)).collect();
        let shown = ranges.iter().map(|range| format!("{}-{}", range.first.0, range.last.0)).collect();
        case.compare(step, "arithmetic", shown);
        for (index, range) in (0_u32..).zip(&ranges) {
            for group in range.first.0..=range.last.0 {
                let owner = groups.owner(millstream_engine::key::key_group::KeyGroup(group), parallelism);
                assert_eq!(owner, index, "the owner of group {group}");
            }
        }
    }
}
