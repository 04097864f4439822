use std::collections::HashMap;
use std::sync::Arc;

use datafusion_expr::Volatility;

#[test]
fn every_name_is_lower_case_and_given_once() {
    let functions = super::all("UTC", Arc::new(|| 0)).unwrap();
    let mut names = HashMap::new();
    for function in &functions {
        for name in std::iter::once(function.name()).chain(function.aliases().iter().map(String::as_str)) {
            assert_eq!(name, name.to_ascii_lowercase());
            *names.entry(name.to_owned()).or_insert(0) += 1;
        }
    }
    let twice: Vec<_> = names.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[test]
fn only_the_clock_and_chance_are_volatile() {
    let functions = super::all("UTC", Arc::new(|| 0)).unwrap();
    let mut volatile: Vec<_> = functions
        .iter()
        .filter(|function| function.signature().volatility == Volatility::Volatile)
        .map(|function| function.name())
        .collect();
    volatile.sort_unstable();
    expect_test::expect![[r#"
        [
            "current_date",
            "current_timestamp",
            "localtime",
            "localtimestamp",
            "proctime",
            "rand",
            "rand_integer",
            "unix_timestamp",
            "uuid",
        ]
    "#]]
    .assert_debug_eq(&volatile);
}

#[test]
fn an_unknown_session_time_zone_is_refused() {
    let error = super::all("Europe/Berln", Arc::new(|| 0)).unwrap_err().to_string();
    assert!(error.contains("unknown time zone 'Europe/Berln'"), "{error}");
}
