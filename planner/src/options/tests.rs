//! What options come to, who wins, and what is refused.

use std::path::PathBuf;

use expect_test::expect;

use super::table::{Kind, OPTIONS};
use super::*;

fn resolved(settings: &[(&str, &str, Origin)]) -> JobOptions {
    let mut values = OptionValues::default();
    for (key, value, origin) in settings {
        values.apply(key, value, *origin).unwrap();
    }
    values.resolved().unwrap()
}

#[test]
fn the_documented_defaults_are_the_defaults() {
    for option in OPTIONS {
        let is_text = matches!(option.kind, Kind::Text(_));
        if is_text || option.default.is_empty() {
            continue;
        }
        let mut options = JobOptions::default();
        option.set(option.name, option.default, &mut options).unwrap();
        // What is not said here is decided where the job runs.
        let defaults = JobOptions { restart: options.restart.clone(), ..JobOptions::default() };
        let restart = RestartOptions { kind: None, ..options.restart.clone() };
        assert_eq!((options, restart), (defaults, RestartOptions::default()), "{}", option.name);
    }
}

#[test]
fn names_are_unique() {
    let mut names: Vec<&str> =
        OPTIONS.iter().flat_map(|option| option.aliases.iter().copied().chain([option.name])).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn each_option_sets_its_field() {
    use Origin::Config;
    let options = resolved(&[
        ("pipeline.name", "flights", Config),
        ("parallelism.default", "4", Config),
        ("pipeline.max-parallelism", "128", Config),
        ("pipeline.operator-chaining", "FALSE", Config),
        ("table.local-time-zone", "Asia/Tokyo", Config),
        ("table.exec.source.idle-timeout", "5 s", Config),
        ("table.exec.state.ttl", "1 d", Config),
        ("execution.runtime-mode", "STREAMING", Config),
        ("restart-strategy", "exponential-delay", Config),
        ("restart-strategy.exponential-delay.initial-backoff", "2s", Config),
        ("restart-strategy.exponential-delay.max-backoff", "2min", Config),
        ("restart-strategy.exponential-delay.backoff-multiplier", "2", Config),
        ("restart-strategy.exponential-delay.reset-backoff-threshold", "2h", Config),
        ("restart-strategy.exponential-delay.jitter-factor", "0.5", Config),
        ("restart-strategy.exponential-delay.attempts-before-reset-backoff", "9", Config),
        ("restart-strategy.fixed-delay.attempts", "3", Config),
        ("restart-strategy.fixed-delay.delay", "4 s", Config),
        ("restart-strategy.failure-rate.max-failures-per-interval", "5", Config),
        ("restart-strategy.failure-rate.failure-rate-interval", "6 min", Config),
        ("restart-strategy.failure-rate.delay", "7 s", Config),
    ]);
    expect![[r#"
        JobOptions {
            name: Some(
                "flights",
            ),
            time_zone: "Asia/Tokyo",
            parallelism: 4,
            max_parallelism: 128,
            operator_chaining: false,
            source_idle_timeout_ms: Some(
                5000,
            ),
            state_ttl_ms: Some(
                86400000,
            ),
            restart: RestartOptions {
                kind: Some(
                    ExponentialDelay,
                ),
                fixed_delay: FixedDelay {
                    attempts: 3,
                    delay_ms: 4000,
                },
                exponential_delay: ExponentialDelay {
                    initial_backoff_ms: 2000,
                    max_backoff_ms: 120000,
                    backoff_multiplier: 2.0,
                    reset_backoff_threshold_ms: 7200000,
                    jitter_factor: 0.5,
                    attempts_before_reset_backoff: 9,
                },
                failure_rate: FailureRate {
                    max_failures_per_interval: 5,
                    interval_ms: 360000,
                    delay_ms: 7000,
                },
            },
        }
    "#]]
    .assert_debug_eq(&options);
}

#[test]
fn zero_turns_time_limits_off() {
    let options = resolved(&[
        ("table.exec.source.idle-timeout", "0", Origin::Config),
        ("table.exec.state.ttl", "0 ms", Origin::Config),
        ("table.local-time-zone", "default", Origin::Config),
    ]);
    assert_eq!(options.source_idle_timeout_ms, None);
    assert_eq!(options.state_ttl_ms, None);
    assert_eq!(options.time_zone, "UTC");
}

#[test]
fn fields_win_over_statements_and_statements_over_config_in_any_order() {
    let all = [
        ("parallelism.default", "2", Origin::Config),
        ("table.exec.resource.default-parallelism", "3", Origin::Statement),
        ("parallelism.default", "4", Origin::Field),
    ];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let settings: Vec<_> = order.iter().map(|place| all[*place]).collect();
        assert_eq!(resolved(&settings).parallelism, 4);
        let weaker: Vec<_> = settings.iter().filter(|setting| setting.2 != Origin::Field).copied().collect();
        assert_eq!(resolved(&weaker).parallelism, 3);
    }
    assert_eq!(resolved(&all[..1]).parallelism, 2);
}

#[test]
fn a_statement_that_a_field_overrules_is_remarked_on() {
    let mut values = OptionValues::default();
    values.apply("table.local-time-zone", "Asia/Tokyo", Origin::Field).unwrap();
    let remark = values.apply("table.local-time-zone", "UTC", Origin::Statement).unwrap();
    assert_eq!(
        remark.as_deref(),
        Some("SET 'table.local-time-zone' = 'UTC' has no effect: a field of the manifest says 'Asia/Tokyo'")
    );
    let remark = values.apply("pipeline.auto-watermark-interval", "1 s", Origin::Statement).unwrap();
    assert_eq!(
        remark.as_deref(),
        Some("the option 'pipeline.auto-watermark-interval' has no effect: watermarks follow the rows, not the clock")
    );
}

#[test]
fn reset_brings_back_what_config_says() {
    let mut values = OptionValues::default();
    values.apply("parallelism.default", "2", Origin::Config).unwrap();
    values.apply("parallelism.default", "3", Origin::Statement).unwrap();
    values.apply("parallelism.default", "5", Origin::Statement).unwrap();
    values.apply("pipeline.name", "x", Origin::Statement).unwrap();
    assert_eq!(values.resolved().unwrap().parallelism, 5);
    values.reset(Some("parallelism.default")).unwrap();
    assert_eq!(values.resolved().unwrap().parallelism, 2);
    assert_eq!(values.resolved().unwrap().name.as_deref(), Some("x"));
    values.reset(None).unwrap();
    assert_eq!(values.resolved().unwrap().name, None);
    assert!(values.reset(Some("nothing")).is_err());
}

#[test]
fn what_cannot_be_set_says_why() {
    let cases = [
        ("paralelism.default", "1"),
        ("table.exec.source.idle-timeouts", "1 s"),
        ("my.option", "1"),
        ("execution.checkpointing.interval", "10 s"),
        ("state.backend.type", "rocksdb"),
        ("table.exec.mini-batch.enabled", "true"),
        ("pipeline.object-reuse", "true"),
        ("parallelism.default", "0"),
        ("parallelism.default", "32769"),
        ("parallelism.default", "four"),
        ("pipeline.operator-chaining.enabled", "yes"),
        ("table.exec.source.idle-timeout", "soon"),
        ("table.exec.source.idle-timeout", "-1 s"),
        ("table.exec.source.idle-timeout", "18446744073709551615 s"),
        ("table.local-time-zone", "Europe/Berln"),
        ("table.local-time-zone", "GMT+8"),
        ("pipeline.name", " "),
        ("execution.runtime-mode", "BATCH"),
        ("restart-strategy.type", "sometimes"),
        ("restart-strategy.exponential-delay.backoff-multiplier", "0.5"),
        ("restart-strategy.exponential-delay.backoff-multiplier", "NaN"),
        ("restart-strategy.exponential-delay.jitter-factor", "2"),
        ("restart-strategy.fixed-delay.attempt", "2"),
    ];
    let mut report = String::new();
    for (key, value) in cases {
        let error = OptionValues::default().apply(key, value, Origin::Statement).unwrap_err();
        report += &format!("{error}\n");
    }
    expect![[r#"
        the option 'paralelism.default' is not known; did you mean 'parallelism.default'?
        the option 'table.exec.source.idle-timeouts' is not known; did you mean 'table.exec.source.idle-timeout'?
        the option 'my.option' is not known
        the option 'execution.checkpointing.interval' is not supported: checkpoints do not exist yet; remove it
        the option 'state.backend.type' is not supported: there is one state backend, in memory, and checkpoints do not exist yet; remove it
        the option 'table.exec.mini-batch.enabled' is not supported: rows always travel in batches; remove it
        the option 'pipeline.object-reuse' is not supported: nothing here follows from it; remove it
        the option 'parallelism.default' = '0' cannot be used: it should be a whole number from 1 to 32768
        the option 'parallelism.default' = '32769' cannot be used: it should be a whole number from 1 to 32768
        the option 'parallelism.default' = 'four' cannot be used: it should be a whole number from 1 to 32768
        the option 'pipeline.operator-chaining.enabled' = 'yes' cannot be used: it should be true or false
        the option 'table.exec.source.idle-timeout' = 'soon' cannot be used: it should be a duration such as '5 s', '1 min' or '200 ms'
        the option 'table.exec.source.idle-timeout' = '-1 s' cannot be used: it should be a duration such as '5 s', '1 min' or '200 ms'
        the option 'table.exec.source.idle-timeout' = '18446744073709551615 s' cannot be used: it should be a duration such as '5 s', '1 min' or '200 ms'
        the option 'table.local-time-zone' = 'Europe/Berln' cannot be used: it should be the IANA name of a time zone such as Europe/Berlin; did you mean Europe/Berlin?
        the option 'table.local-time-zone' = 'GMT+8' cannot be used: it should be the IANA name of a time zone such as Europe/Berlin; did you mean GMT+0?
        the option 'pipeline.name' = ' ' cannot be used: it should be some text
        the option 'execution.runtime-mode' = 'BATCH' cannot be used: it should be streaming
        the option 'restart-strategy.type' = 'sometimes' cannot be used: it should be none, fixed-delay, exponential-delay or failure-rate
        the option 'restart-strategy.exponential-delay.backoff-multiplier' = '0.5' cannot be used: it should be a number of at least 1
        the option 'restart-strategy.exponential-delay.backoff-multiplier' = 'NaN' cannot be used: it should be a number of at least 1
        the option 'restart-strategy.exponential-delay.jitter-factor' = '2' cannot be used: it should be a number from 0 to 1
        the option 'restart-strategy.fixed-delay.attempt' is not known; did you mean 'restart-strategy.fixed-delay.attempts'?
    "#]]
    .assert_eq(&report);
}

#[test]
fn two_names_of_one_option_in_config_are_refused() {
    let mut values = OptionValues::default();
    values.apply("restart-strategy", "none", Origin::Config).unwrap();
    let error = values.apply("restart-strategy.type", "none", Origin::Config).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the option 'restart-strategy.type' is given a second time, under another of its names; keep one of them"
    );
}

#[test]
fn values_survive_a_round_trip() {
    let mut values = OptionValues::default();
    values.apply("parallelism.default", "2", Origin::Config).unwrap();
    values.apply("pipeline.name", "x", Origin::Field).unwrap();
    let text = serde_json::to_string(&values).unwrap();
    assert_eq!(text, r#"{"config":{"parallelism.default":"2"},"fields":{"pipeline.name":"x"}}"#);
    assert_eq!(serde_json::from_str::<OptionValues>(&text).unwrap(), values);
}

#[test]
fn the_committed_reference_is_current() {
    let path = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../docs/options.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, reference()).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == reference(), "docs/options.md is not current: run the tests once with UPDATE_DOCS=1");
}
