//! What of a manifest is settled, what is refused, and that planning is pure.

use std::sync::Arc;

use expect_test::{Expect, expect};
use millstream_crds::{StreamJob, check_manifest};

use super::*;
use crate::options::RestartStrategy as Strategy;
use crate::options::restart::RestartKind;

const PIPELINE: &str = "program: {pipeline: {sources: [{name: a, connector: datagen, schema: [x INT]}], sinks: [{name: b, from: a, connector: blackhole}]}}";

fn job(spec: &str) -> StreamJob {
    let head = "apiVersion: millstream.dev/v1alpha1\nkind: StreamJob\nmetadata: {name: job}\nspec:\n";
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    check_manifest(&(head.to_owned() + &spec)).unwrap()
}

#[track_caller]
fn refused(spec: &str, expected: &Expect) {
    let problems = resolve(&job(&format!("{spec}\n{PIPELINE}")), 7).unwrap_err();
    expected.assert_eq(&format!("{problems}\n"));
}

#[test]
fn a_job_without_settings_has_the_defaults() {
    let program = resolve(&job(PIPELINE), 7).unwrap();
    assert_eq!(program.options.resolved().unwrap(), JobOptions::default());
    assert_eq!((program.name.as_str(), program.start_time_ms, program.build.as_str()), ("job", 7, build()));
}

#[test]
fn fields_win_over_config() {
    let spec = "parallelism: 3\nmaxParallelism: 64\ntimeZone: Asia/Tokyo\n\
                restartStrategy: {exponentialDelay: {initialBackoff: 5 s, jitterFactor: 0.25}}\n\
                config: {parallelism.default: '9', table.local-time-zone: UTC, restart-strategy.type: none, pipeline.name: shown}";
    let program = resolve(&job(&format!("{spec}\n{PIPELINE}")), 7).unwrap();
    let options = program.options.resolved().unwrap();
    assert_eq!((options.parallelism, options.max_parallelism), (3, 64));
    assert_eq!((options.time_zone.as_str(), options.name.as_deref()), ("Asia/Tokyo", Some("shown")));
    let Strategy::ExponentialDelay(backoff) = options.restart.strategy(RestartKind::None) else {
        panic!("{:?}", options.restart)
    };
    assert_eq!((backoff.initial_backoff_ms, backoff.max_backoff_ms), (5_000, 60_000));
    assert_eq!(backoff.jitter_factor.to_string(), "0.25");
}

#[test]
fn settings_that_do_not_fit_are_all_named() {
    refused(
        "timeZone: Europe/Berln\nrestartStrategy: {fixedDelay: {delay: soon}}\n\
         config: {paralelism.default: '1', execution.checkpointing.interval: 1s, pipeline.max-parallelism: many}",
        &expect![[r#"
            spec.config['execution.checkpointing.interval']: the option 'execution.checkpointing.interval' is not supported: checkpoints do not exist yet; remove it
            spec.config['paralelism.default']: the option 'paralelism.default' is not known; did you mean 'parallelism.default'?
            spec.config['pipeline.max-parallelism']: the option 'pipeline.max-parallelism' = 'many' cannot be used: it should be a whole number from 1 to 32768
            spec.timeZone: `Europe/Berln` cannot be used: it should be the IANA name of a time zone such as Europe/Berlin; did you mean Europe/Berlin?
            spec.restartStrategy.fixedDelay.delay: `soon` cannot be used: it should be a duration such as '5 s', '1 min' or '200 ms'
        "#]],
    );
    refused(
        "parallelism: 200\nmaxParallelism: 128",
        &expect![[r#"
        spec.parallelism: the parallelism 200 is above the job's maxParallelism, 128: there are not enough key groups for so many subtasks
    "#]],
    );
    refused(
        "maxParallelism: 128\nconfig: {parallelism.default: '200'}",
        &expect![[r#"
        spec.config['parallelism.default']: the parallelism 200 is above the job's maxParallelism, 128: there are not enough key groups for so many subtasks
    "#]],
    );
    refused(
        "parallelism: 5000",
        &expect![[r#"
        spec.parallelism: the parallelism 5000 is above the job's maxParallelism, 4096: there are not enough key groups for so many subtasks
    "#]],
    );
}

#[test]
fn objects_that_no_schema_has_checked_are_refused_too() {
    let mut job = job(PIPELINE);
    job.spec.parallelism = Some(0);
    job.spec.program.sql = Some(String::new());
    job.spec.restart_strategy = Some(RestartStrategy::default());
    let problems = resolve(&job, 0).unwrap_err();
    expect![[r#"
        spec.parallelism: `0` cannot be used: it should be a whole number from 1 to 32768
        spec.restartStrategy: a restart strategy is exactly one of `none`, `fixedDelay`, `exponentialDelay` and `failureRate`
        spec.program: a program is exactly one of `sql` and `pipeline`
    "#]].assert_eq(&format!("{problems}\n"));
}

#[test]
fn a_resolved_program_survives_a_round_trip_and_gives_the_same_graph() {
    let program = resolve(&job(&format!("parallelism: 2\n{PIPELINE}")), 7).unwrap();
    let text = serde_json::to_string(&program).unwrap();
    expect![[r#"{"name":"job","program":{"pipeline":{"sinks":[{"connector":"blackhole","from":"a","name":"b"}],"sources":[{"connector":"datagen","name":"a","schema":["x INT"]}]}},"options":{"config":{},"fields":{"parallelism.default":"2"}},"startTimeMs":7,"build":"0.1.0"}"#]].assert_eq(&text);
    let again: ResolvedProgram = serde_json::from_str(&text).unwrap();
    assert_eq!(again, program);
    let graph = |program: &ResolvedProgram, time| {
        let plan = plan(program, Arc::new(move || time)).unwrap();
        format!(
            "{:?}",
            plan.graph.program.nodes.iter().map(|node| (node.id, &node.name, &node.schema)).collect::<Vec<_>>()
        )
    };
    assert_eq!(graph(&program, 1), graph(&again, 2));
}

#[test]
fn settings_without_an_effect_are_warned_of_and_defaults_are_not() {
    let warnings = |head: &str| {
        let program = resolve(&job(&format!("{head}\n{PIPELINE}")), 7).unwrap();
        plan(&program, Arc::new(|| 0)).unwrap().warnings.join("\n") + "\n"
    };
    expect![[r#"
        the option 'table.exec.state.ttl' has no effect yet: state is kept as long as its window
    "#]]
    .assert_eq(&warnings("restartStrategy: {fixedDelay: {attempts: 3}}\nconfig: {table.exec.state.ttl: 1 h}"));
    assert_eq!(warnings("restartStrategy: {none: {}}\nconfig: {table.exec.state.ttl: '0'}"), "\n");
}
