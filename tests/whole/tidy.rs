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

/// The quoted texts of the list `key = […]` in deny.toml; of a list of tables those of the first field.
fn deny_toml(key: &str) -> Vec<String> {
    let text = std::fs::read_to_string(project().join("deny.toml")).unwrap();
    let list = text.split(&format!("\n{key} = [")).nth(1).unwrap_or_else(|| panic!("deny.toml has no list {key}"));
    let entries = list.split(']').next().unwrap_or_default();
    let quoted = |entry: &str| entry.split('"').nth(1).map(str::to_owned);
    match entries.contains('{') {
        true => entries.split('{').skip(1).filter_map(quoted).collect(),
        false => entries.split(',').filter_map(quoted).collect(),
    }
}

/// Whether a licence expression such as `(MIT OR Apache-2.0) AND Unicode-3.0` can be met by those that are allowed.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    /// The parts of `text` between `word`s that are not in parentheses.
    fn parts<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
        let (mut depth, mut start, mut parts) = (0_usize, 0, Vec::new());
        for (at, letter) in text.char_indices() {
            match letter {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ if depth == 0 && at >= start && text[at..].starts_with(word) => {
                    parts.push(text[start..at].trim());
                    start = at + word.len();
                }
                _ => {}
            }
        }
        parts.push(text[start..].trim());
        parts
    }
    // The slash is how crates wrote OR before.
    let any = parts(expression, " OR ").into_iter().flat_map(|part| parts(part, "/")).collect::<Vec<_>>();
    any.into_iter().any(|choice| {
        parts(choice, " AND ").into_iter().all(|one| {
            match one.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
                Some(inner) => is_allowed(inner, allowed),
                None => allowed.iter().any(|licence| licence == one),
            }
        })
    })
}

#[test]
fn licence_expressions_are_read_as_they_are_meant() {
    let allowed = ["MIT".to_owned(), "Unicode-3.0".to_owned()];
    for (expression, expected) in [
        ("MIT", true),
        ("MIT/Apache-2.0", true),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("(GPL-3.0 OR Apache-2.0) AND Unicode-3.0", false),
        ("Apache-2.0 WITH LLVM-exception", false),
        ("", false),
    ] {
        assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
    }
}

/// What `cargo deny check` would say, without having to be installed.
#[test]
fn dependencies_are_what_deny_toml_allows() {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", &target])
        .current_dir(project())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let (allowed, banned, skipped) = (deny_toml("allow"), deny_toml("deny"), deny_toml("skip"));
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        let text = |key: &str| package[key].as_str().unwrap_or_default();
        let (name, source) = (text("name"), text("source"));
        assert!(is_allowed(text("license"), &allowed), "{name}: the licence `{}` is not allowed", text("license"));
        let known = ["", "registry+https://github.com/rust-lang/crates.io-index"];
        assert!(known.contains(&source), "{name} comes from {source}");
        assert!(!banned.iter().any(|other| other == name), "{name} is banned");
        versions.entry(name.to_owned()).or_default().push(format!("{name}@{}", text("version")));
    }
    let twice: BTreeSet<&String> = versions.values().filter(|all| all.len() > 1).flatten().collect();
    for all in versions.values() {
        let kept: Vec<_> = all.iter().filter(|version| !skipped.contains(version)).collect();
        assert!(kept.len() <= 1, "there are several versions that deny.toml does not skip: {kept:?}");
    }
    let gone: Vec<_> = skipped.iter().filter(|version| !twice.contains(version)).collect();
    assert!(gone.is_empty(), "deny.toml skips {gone:?}, which are not there a second time");
}
