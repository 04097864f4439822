//! The table is complete and the committed document follows from it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::*;
use crate::metrics::Aggregation;

#[test]
fn every_path_is_in_the_table() {
    let in_table: BTreeSet<&str> = ENDPOINTS.iter().map(|endpoint| endpoint.path).collect();
    let all: BTreeSet<&str> = paths::ALL.iter().copied().collect();
    assert_eq!(in_table, all);
    assert_eq!(all.len(), paths::ALL.len(), "no path has two names");
}

#[test]
fn no_endpoint_is_there_twice() {
    let routes: BTreeSet<_> = ENDPOINTS.iter().map(|endpoint| (endpoint.path, endpoint.method.word())).collect();
    let names: BTreeSet<_> = ENDPOINTS.iter().map(|endpoint| endpoint.name).collect();
    assert_eq!((routes.len(), names.len()), (ENDPOINTS.len(), ENDPOINTS.len()));
}

#[test]
fn every_summary_is_a_sentence_and_every_parameter_is_explained() {
    for endpoint in ENDPOINTS {
        assert!(endpoint.summary.ends_with('.'), "{}", endpoint.name);
        for name in paths::parameters(endpoint.path) {
            assert_ne!(path_parameter(name)["description"], "", "{name}");
        }
    }
}

#[test]
fn words_of_the_query_are_those_that_are_read() {
    let agg = ENDPOINTS.iter().flat_map(|endpoint| endpoint.query).find(|parameter| parameter.name == "agg").unwrap();
    let QueryValue::Words(words) = agg.value else { panic!("{agg:?}") };
    assert_eq!(words, Aggregation::ALL.map(Aggregation::word));
}

/// All texts of the key `$ref`.
fn references(value: &Value) -> Vec<&str> {
    match value {
        Value::Object(object) => {
            let own = object.get("$ref").and_then(Value::as_str);
            own.into_iter().chain(object.values().flat_map(references)).collect()
        }
        Value::Array(list) => list.iter().flat_map(references).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    let document = document();
    let used: BTreeSet<&str> = references(&document).into_iter().collect();
    for reference in &used {
        let target = document.pointer(reference.strip_prefix('#').unwrap());
        assert!(target.is_some(), "{reference}");
    }
    let components = document["components"]["schemas"].as_object().unwrap();
    let defined: BTreeSet<String> = components.keys().map(|name| format!("#/components/schemas/{name}")).collect();
    assert_eq!(defined, used.iter().map(|reference| (*reference).to_owned()).collect());
}

#[test]
fn schemas_say_what_is_always_there() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    let required = |name: &str| schemas[name]["required"].as_array().cloned().unwrap_or_default();
    assert!(required("JobOverview").contains(&"restarts".into()));
    assert!(!required("JobOverview").contains(&"detail".into()));
    assert_eq!(schemas["JobOverview"]["properties"]["detail"]["type"], "string");
    assert_eq!(required("StopRequest"), Vec::<Value>::new());
    assert!(required("SavepointStatus").contains(&"operation".into()));
    assert!(required("TaskManagerDetails").contains(&"slotsNumber".into()));
}

#[test]
fn the_committed_document_is_current() {
    let path = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../docs/openapi.json");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, text()).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == text(), "docs/openapi.json is not current: run the tests once with UPDATE_DOCS=1");
}
