//! What the documents say is so.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use millstream_tests::project;

/// The crates and which of ours they use, from ARCHITECTURE.md.
fn table() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(project().join("ARCHITECTURE.md")).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with("| crate |")).skip(2);
    rows.take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            (cells[1].trim_matches('`').to_owned(), cells[3].to_owned())
        })
        .collect()
}

#[test]
fn crates_use_only_what_the_architecture_allows() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(project())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let short = |name: &str| match name {
        "millstream" => "cli".to_owned(),
        other => other.trim_start_matches("millstream-").to_owned(),
    };
    let table = table();
    let mut seen = BTreeSet::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = short(package["name"].as_str().unwrap());
        let allowed =
            table.get(&name).unwrap_or_else(|| panic!("crate `{name}` is not in the table of ARCHITECTURE.md"));
        for dependency in package["dependencies"].as_array().unwrap() {
            // What only tests use may be anything.
            if dependency["kind"].as_str() == Some("dev") {
                continue;
            }
            let dependency = dependency["name"].as_str().unwrap();
            if dependency.starts_with("millstream") && allowed != "all" {
                let dependency = short(dependency);
                assert!(
                    allowed.split(',').any(|of| of.trim() == dependency),
                    "`{name}` uses `{dependency}`, the table of ARCHITECTURE.md allows it {allowed}"
                );
            }
        }
        seen.insert(name);
    }
    let listed: BTreeSet<String> = table.keys().cloned().collect();
    assert_eq!(seen, listed, "the table of ARCHITECTURE.md lists the crates that there are");
}

#[test]
fn every_file_that_the_architecture_names_is_there() {
    let text = std::fs::read_to_string(project().join("ARCHITECTURE.md")).unwrap();
    for named in text.split('`').skip(1).step_by(2).filter(|text| text.contains('/') && !text.contains(' ')) {
        for path in braces(named) {
            let path = path.trim_end_matches('/').to_owned();
            let known = ["engine", "graph", "connectors", "crds", "planner", "worker", "cli", "tests", "docs"];
            if known.iter().any(|folder| path.starts_with(&format!("{folder}/"))) {
                assert!(project().join(&path).exists(), "ARCHITECTURE.md names {path}, which is not there");
            }
        }
    }
}

/// `a/{b,c}.rs` as `a/b.rs` and `a/c.rs`.
fn braces(path: &str) -> Vec<String> {
    match (path.split_once('{'), path.split_once('}')) {
        (Some((before, rest)), Some((_, after))) => {
            let inside = rest.split_once('}').map_or("", |(inside, _)| inside);
            inside.split(',').map(|part| format!("{before}{part}{after}")).collect()
        }
        _ => vec![path.to_owned()],
    }
}
