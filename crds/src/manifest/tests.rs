//! Tables of manifests, good and bad, with every word that is said about them.

use std::path::PathBuf;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::{Path, Position, check_manifest, read_manifest};

const GOOD: &str = "\
apiVersion: millstream.dev/v1alpha1
kind: StreamJob
metadata:
  name: flights
spec:
  parallelism: 2
  program:
    sql: |
      SELECT 1;
      SELECT 2;
";

#[track_caller]
fn refused(text: &str, expected: &Expect) {
    let report = match check_manifest(text) {
        Ok(job) => format!("accepted: {job:?}"),
        Err(errors) => errors.iter().map(|error| format!("{error}\n")).collect(),
    };
    expected.assert_eq(&report);
}

/// A manifest with these lines in its `spec`.
fn with_spec(lines: &str) -> String {
    let head = "apiVersion: millstream.dev/v1alpha1\nkind: StreamJob\nmetadata: {name: job}\nspec:\n";
    head.to_owned() + &lines.lines().map(|line| format!("  {line}\n")).collect::<String>()
}

#[test]
fn a_manifest_is_read_with_every_field() {
    let text = with_spec(
        "parallelism: 4\nmaxParallelism: 128\ntimeZone: Europe/Berlin\nconfig: {table.exec.state.ttl: 1 h}\n\
         restartStrategy: {fixedDelay: {attempts: 3, delay: 10 s}}\nprogram: {pipeline: {sources: [1, a, true]}}",
    );
    let job = check_manifest(&text).unwrap();
    assert_eq!(job.spec.parallelism, Some(4));
    assert_eq!(job.spec.max_parallelism, Some(128));
    assert_eq!(job.spec.time_zone.as_deref(), Some("Europe/Berlin"));
    assert_eq!(job.spec.config["table.exec.state.ttl"], "1 h");
    let restart = job.spec.restart_strategy.unwrap().fixed_delay.unwrap();
    assert_eq!((restart.attempts, restart.delay.as_deref()), (Some(3), Some("10 s")));
    assert_eq!(Value::Object(job.spec.program.pipeline.unwrap()), json!({"sources": [1, "a", true]}));
}

#[test]
fn an_object_from_a_cluster_is_read_as_it_is() {
    let text =
        GOOD.replace("  name: flights\n", "  name: flights\n  uid: 1-2\n  generation: 3\n  managedFields: [{a: 1}]\n");
    check_manifest(&(text + "status: {state: Running}\n")).unwrap();
}

#[test]
fn an_empty_optional_field_is_absent() {
    let job = check_manifest(&with_spec("parallelism:\nconfig:\nprogram: {sql: x, pipeline: }")).unwrap();
    assert_eq!(job.spec.parallelism, None);
    assert_eq!(job.spec.program.pipeline, None);
}

#[test]
fn every_unknown_field_is_named_with_its_line() {
    let text = "\
apiVersion: millstream.dev/v1alpha1
kind: StreamJob
metadata:
  name: flights
  lables: {team: a}
spec:
  paralelism: 2
  program:
    sq1: SELECT 1
    sql: SELECT 1
  config: {}
  zzz: 1
extra: true
";
    refused(
        text,
        &expect![[r#"
            line 5, column 3: metadata.lables: unknown field; did you mean `labels`?
            line 7, column 3: spec.paralelism: unknown field; did you mean `parallelism`?
            line 9, column 5: spec.program.sq1: unknown field; did you mean `sql`?
            line 12, column 3: spec.zzz: unknown field; known here: config, maxParallelism, parallelism, program, restartStrategy, timeZone
            line 13, column 1: extra: unknown field; known here: apiVersion, kind, metadata, spec
        "#]],
    );
}

#[test]
fn wrong_types_say_what_was_found_and_what_is_expected() {
    let text = with_spec(
        "parallelism: four\nmaxParallelism: \"128\"\nprogram: SELECT 1\nconfig:\n  parallelism.default: 4\n  other: [a]\n\
         timeZone: true\nrestartStrategy: {exponentialDelay: {jitterFactor: 2, backoffMultiplier: big}}",
    );
    refused(
        &text,
        &expect![[r#"
            line 5, column 16: spec.parallelism: expected a whole number from 1 to 32768, found the text "four"
            line 6, column 19: spec.maxParallelism: expected a whole number from 1 to 32768, found the text "128"; take the quotes away
            line 7, column 12: spec.program: expected a mapping, found the text "SELECT 1"
            line 9, column 26: spec.config['parallelism.default']: expected text, found the number 4; put it in quotes
            line 10, column 12: spec.config.other: expected text, found a list
            line 11, column 13: spec.timeZone: expected text, found the boolean true; put it in quotes
            line 12, column 54: spec.restartStrategy.exponentialDelay.jitterFactor: expected a number from 0 to 1, found the number 2
            line 12, column 76: spec.restartStrategy.exponentialDelay.backoffMultiplier: expected a number of at least 1, found the text "big"
        "#]],
    );
}

#[test]
fn numbers_out_of_range_are_refused() {
    for number in ["0", "-1", "32769", "1.5", "1e3", "99999999999999999999"] {
        let errors = check_manifest(&with_spec(&format!("parallelism: {number}\nprogram: {{sql: x}}"))).unwrap_err();
        assert!(errors[0].message.starts_with("expected a whole number from 1 to 32768"), "{number}: {}", errors[0]);
    }
}

#[test]
fn what_is_missing_is_named_where_it_should_stand() {
    refused(
        "apiVersion: millstream.dev/v1alpha1\n",
        &expect![[r#"
        line 1, column 1: the field `kind` is missing
        line 1, column 1: the field `metadata` is missing
        line 1, column 1: the field `spec` is missing
    "#]],
    );
    refused(
        &with_spec("parallelism: 1"),
        &expect![[r#"
        line 5, column 3: spec: the field `program` is missing
    "#]],
    );
    refused(
        &with_spec("program:"),
        &expect![[r#"
        line 5, column 10: spec.program: expected a mapping, found nothing
    "#]],
    );
}

#[test]
fn a_program_is_exactly_one_of_sql_and_pipeline() {
    refused(
        &with_spec("program: {}"),
        &expect![[r#"
            line 5, column 12: spec.program: expected exactly one of `sql` and `pipeline`, found none
        "#]],
    );
    refused(
        &with_spec("program:\n  sql: x\n  pipeline: {}"),
        &expect![[r#"
            line 6, column 5: spec.program: expected exactly one of `sql` and `pipeline`, found `sql` and `pipeline`
        "#]],
    );
    refused(
        &with_spec("program: {sql: x}\nrestartStrategy: {none: {}, fixedDelay: {}}"),
        &expect![[r#"
            line 6, column 20: spec.restartStrategy: expected exactly one of `none`, `fixedDelay`, `exponentialDelay` and `failureRate`, found `none` and `fixedDelay`
        "#]],
    );
}

#[test]
fn another_kind_or_version_is_refused() {
    refused(
        &GOOD.replace("v1alpha1", "v1").replace("kind: StreamJob", "kind: FlinkDeployment"),
        &expect![[r#"
        line 1, column 13: apiVersion: expected `millstream.dev/v1alpha1`, found the text "millstream.dev/v1"; did you mean `millstream.dev/v1alpha1`?
        line 2, column 7: kind: expected `StreamJob`, found the text "FlinkDeployment"
    "#]],
    );
}

#[test]
fn names_follow_kubernetes() {
    refused(
        &GOOD.replace("name: flights", "name: My_Flights"),
        &expect![[r#"
        line 4, column 9: metadata.name: `My_Flights` cannot name an object: use lower-case letters, digits, `-` and `.`, at most 253 of them, with a letter or digit at both ends
    "#]],
    );
    for name in ["a", "a-b.c0", "0"] {
        check_manifest(&GOOD.replace("name: flights", &format!("name: '{name}'"))).unwrap();
    }
    for name in ["", "-a", "a-", "a..b", "ä"] {
        check_manifest(&GOOD.replace("name: flights", &format!("name: '{name}'"))).unwrap_err();
    }
}

#[test]
fn several_documents_and_none_are_refused() {
    refused(
        &format!("---\n{GOOD}---\n{GOOD}"),
        &expect![[r#"
        line 13, column 1: a second document begins here, of 2; a manifest is one StreamJob: put each in a file of its own
    "#]],
    );
    refused(
        "",
        &expect![[r#"
        line 1, column 1: the manifest is empty; it should be a StreamJob
    "#]],
    );
    refused(
        "# nothing\n---\n...\n",
        &expect![[r#"
        line 1, column 1: the manifest is empty; it should be a StreamJob
    "#]],
    );
    refused(
        "just text",
        &expect![[r#"
        line 1, column 1: expected a mapping, found the text "just text"
    "#]],
    );
    check_manifest(&format!("---\n{GOOD}---\n")).unwrap();
}

#[test]
fn fields_written_twice_are_refused() {
    refused(
        &with_spec("parallelism: 1\nprogram: {sql: a}\nparallelism: 2\nconfig: {a: b, a: c}"),
        &expect![[r#"
        line 7, column 3: the field `parallelism` stands here a second time; the first is on line 5
        line 8, column 18: the field `a` stands here a second time; the first is on line 8
    "#]],
    );
}

#[test]
fn broken_yaml_is_refused_where_it_breaks() {
    refused(
        "apiVersion: a\nspec:\n\tparallelism: 1\n",
        &expect![[r#"
        line 3, column 2: a tab indents this line; YAML allows only spaces there
    "#]],
    );
    refused(
        "spec: [1, 2\nkind: x\n",
        &expect![[r#"
        line 2, column 5: not valid YAML: illegal placement of ':' indicator
    "#]],
    );
    refused(
        "spec: {a: *b}\n",
        &expect![[r#"
        line 1, column 11: not valid YAML: while parsing node, found unknown anchor
    "#]],
    );
    refused(
        "spec: \"abc\n",
        &expect![[r#"
        line 1, column 7: not valid YAML: while scanning a quoted scalar, found unexpected end of stream
    "#]],
    );
    refused(
        "? [a]\n: b\n",
        &expect![[r#"
        line 1, column 3: the name of a field must be text
    "#]],
    );
    refused(
        "spec: !secret a\n<<: {a: 1}\n",
        &expect![[r#"
        line 1, column 7: the tag `!secret` means nothing here; leave it out
        line 2, column 1: merge keys (`<<`) are not supported; write the fields out
    "#]],
    );
}

#[test]
fn what_kubectl_reads_otherwise_is_refused() {
    refused(
        "a: on\nb: No\nc: 010\nd: 1_000\ny: 1\n",
        &expect![[r#"
        line 1, column 4: a bare `on` is true to kubectl and text to others: write `true`, or put it in quotes
        line 2, column 4: a bare `No` is false to kubectl and text to others: write `false`, or put it in quotes
        line 3, column 4: a bare `010` is not the same number to every reader: write it in full, or put it in quotes
        line 4, column 4: a bare `1_000` is not the same number to every reader: write it in full, or put it in quotes
        line 5, column 1: a bare `y` is true to kubectl and text to others: write `true`, or put it in quotes
    "#]],
    );
}

#[test]
fn scalars_have_the_types_that_kubectl_gives_them() {
    let cases = [
        ("1", json!(1)),
        ("-7", json!(-7)),
        ("+7", json!(7)),
        ("0", json!(0)),
        ("18446744073709551615", json!(u64::MAX)),
        ("0x10", json!(16)),
        ("1.5", json!(1.5)),
        ("1e3", json!(1000.0)),
        (".5", json!(0.5)),
        ("true", json!(true)),
        ("False", json!(false)),
        ("~", json!(null)),
        ("", json!(null)),
        ("null", json!(null)),
        ("'null'", json!("null")),
        ("\"1\"", json!("1")),
        ("!!str 1", json!("1")),
        ("nan", json!("nan")),
        ("infinity", json!("infinity")),
        ("2013-01-01", json!("2013-01-01")),
        ("1h", json!("1h")),
        ("1.2.3", json!("1.2.3")),
        ("-", json!([null])),
        ("e", json!("e")),
        ("[a, {b: c}]", json!(["a", {"b": "c"}])),
        ("&x [a]", json!(["a"])),
    ];
    for (text, expected) in cases {
        let documents = super::yaml::read(&format!("a:\n {text}\n")).unwrap();
        assert_eq!(documents[0].to_value(), json!({ "a": expected }), "{text}");
    }
}

#[test]
fn aliases_are_written_out_within_a_bound() {
    let documents = super::yaml::read("a: &x {b: [1, 2]}\nc: *x\n").unwrap();
    assert_eq!(documents[0].to_value(), json!({"a": {"b": [1, 2]}, "c": {"b": [1, 2]}}));

    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let of = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb += &format!("a{level}: &a{level} [{of}]\n");
    }
    refused(
        &bomb,
        &expect![[r#"
        line 5, column 40: the document has more than 100000 values
    "#]],
    );
}

#[test]
fn deep_nesting_and_long_files_are_refused() {
    refused(
        &("a: ".to_owned() + &"[".repeat(150)),
        &expect![[r#"
        line 1, column 103: values are nested more than 100 deep
    "#]],
    );
    refused(
        &("a: ".to_owned() + &"[".repeat(100_000)),
        &expect![[r#"
        line 1, column 259: not valid YAML: recursion limit exceeded
    "#]],
    );
    refused(
        &"#".repeat(1_500_001),
        &expect![[r#"
        line 1, column 1: the manifest has 1500001 bytes; at most 1500000 are read
    "#]],
    );
}

#[test]
fn places_in_opaque_parts_and_inside_texts_are_found() {
    let manifest = read_manifest(GOOD).unwrap();
    let sql = Path::of(&["spec", "program", "sql"]);
    assert_eq!(manifest.position_in_text(&sql, Position { line: 2, column: 8 }), Position { line: 10, column: 14 });
    assert_eq!(GOOD.lines().nth(9).unwrap().chars().nth(13), Some('2'));

    let manifest = read_manifest(&with_spec("program:\n  sql: |2\n\n     a\n    b")).unwrap();
    assert_eq!(manifest.job.spec.program.sql.as_deref(), Some("\n a\nb\n"));
    assert_eq!(manifest.position_in_text(&sql, Position { line: 2, column: 2 }), Position { line: 8, column: 8 });
    assert_eq!(manifest.position_in_text(&sql, Position { line: 3, column: 1 }), Position { line: 9, column: 7 });

    let manifest =
        read_manifest(&with_spec("program:\n  pipeline:\n    sources:\n      - {name: a, filter: x > 1}")).unwrap();
    let source = Path::of(&["spec", "program", "pipeline", "sources"]).index(0);
    assert_eq!(manifest.position(&source.field("filter")), Position { line: 8, column: 29 });
    assert_eq!(manifest.position(&source.field("absent").field("deeper")), manifest.position(&source));
    assert_eq!(
        manifest.position_in_text(&source.field("filter"), Position { line: 1, column: 3 }),
        Position { line: 8, column: 31 }
    );
    let error = manifest.error_at_key(&source.field("filter"), "unknown column `x`");
    assert_eq!(error.to_string(), "line 8, column 21: spec.program.pipeline.sources[0].filter: unknown column `x`");
}

#[test]
fn no_text_makes_it_panic() {
    // Cuts and flips of a real manifest, from a fixed seed.
    let base =
        with_spec("parallelism: 1 # é\nprogram:\n  sql: |\n    SELECT 'ü'\nconfig: {a: \"b\", c: &d [e], f: *d}");
    let letters: Vec<char> = base.chars().collect();
    let mut state = 7_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    for _ in 0..2_000 {
        let mut text: Vec<char> = letters[..random(letters.len())].to_vec();
        for _ in 0..random(4) {
            if !text.is_empty() {
                let at = random(text.len());
                text[at] = [' ', '\t', ':', '-', '"', '\'', '|', '&', '*', '\n', '{', ']', '\u{feff}'][random(13)];
            }
        }
        let text: String = text.into_iter().collect();
        if let Err(errors) = read_manifest(&text) {
            assert!(errors.iter().all(|error| !error.to_string().is_empty()));
        }
    }
}

/// Compares a committed file with what it should be, or writes it where `UPDATE_DOCS=1` is set.
fn is_current(file: &str, expected: &str) {
    let path = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join(file);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{} is not current: run the tests once with UPDATE_DOCS=1", path.display());
}

#[test]
fn the_committed_schema_and_reference_are_current() {
    is_current("streamjob.schema.json", &crate::schema::stream_job_text());
    is_current("../docs/manifest.md", &crate::reference::manifest());
}

#[test]
fn the_checker_knows_every_keyword_of_the_schema() {
    fn keywords(schema: &Value, found: &mut Vec<String>) {
        let Some(object) = schema.as_object() else { return };
        for (key, value) in object {
            found.push(key.clone());
            match key.as_str() {
                "properties" => value.as_object().unwrap().values().for_each(|schema| keywords(schema, found)),
                "additionalProperties" | "items" => keywords(value, found),
                "oneOf" | "anyOf" => value.as_array().unwrap().iter().for_each(|schema| keywords(schema, found)),
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    keywords(&crate::schema::stream_job(), &mut found);
    found.sort();
    found.dedup();
    expect![[r#"
        [
            "$schema",
            "additionalProperties",
            "description",
            "enum",
            "maximum",
            "minimum",
            "oneOf",
            "properties",
            "required",
            "title",
            "type",
            "x-kubernetes-preserve-unknown-fields",
        ]
    "#]]
    .assert_debug_eq(&found);
}
