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
        assert_eq!(options, JobOptions::default(), "{}", option.name);
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
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/options.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, reference()).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == reference(), "docs/options.md is not current: run the tests once with UPDATE_DOCS=1");
}
