//! The page `docs/sql.md`: its text, with the tables that follow from the code.
//!
//! What is computed here (functions with their examples, what is refused in which words) is written into the page by one
//! test run with `UPDATE_DOCS=1`. That the other examples of the page can be planned, the tests of the whole check.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::Schema;
use millstream_engine::sql_type::sql_name;

use super::aggregates;
use super::registry::Functions;
use super::{plan_expression, plan_sql};
use crate::functions::reference::{Entry, SECTIONS};
use crate::functions::show;
use crate::session::Session;
use crate::thread::on_planning_thread;

/// The time of the examples: 2024-02-29 12:34:56.789 UTC.
const NOW: i64 = 1_709_210_096_789;

/// What the refused programs read.
const TABLE: &str = "CREATE TABLE t (k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'datagen');\n\
                     CREATE TABLE o (k STRING, v INT) WITH ('connector' = 'print');\n";

/// Queries that are refused, as they stand behind `INSERT INTO o`.
const QUERIES: &[&str] = &[
    "SELECT a.k, b.v FROM t AS a JOIN t AS b ON a.k = b.k",
    "SELECT a.k, b.v FROM t AS a, t AS b WHERE a.k = b.k",
    "SELECT k, v FROM t FOR SYSTEM_TIME AS OF ts",
    "SELECT k, v FROM t, LATERAL TABLE(f(v)) AS u(f)",
    "SELECT k, v FROM t WHERE v IN (SELECT v FROM t)",
    "SELECT k, v FROM t WHERE EXISTS (SELECT 1 FROM t)",
    "SELECT k, (SELECT MAX(v) FROM t) FROM t",
    "SELECT k, SUM(v) FROM t GROUP BY k",
    "SELECT DISTINCT k, v FROM t",
    "SELECT k, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v DESC) FROM t",
    "SELECT k, SUM(v) OVER (PARTITION BY k ORDER BY ts) FROM t",
    "SELECT k, v FROM t ORDER BY v",
    "SELECT k, v FROM t LIMIT 10",
    "SELECT k, v FROM t UNION SELECT k, v FROM t",
    "SELECT k, v FROM t INTERSECT SELECT k, v FROM t",
    "SELECT k, v FROM t EXCEPT SELECT k, v FROM t",
    "VALUES ('a', 1)",
    "SELECT 'a', 1",
    "SELECT k, v FROM t MATCH_RECOGNIZE (PARTITION BY k ORDER BY ts MEASURES A.v AS v PATTERN (A) DEFINE A AS v > 1)",
    "SELECT k, v FROM t /*+ OPTIONS('seed' = '1') */",
];

/// Statements that are refused.
const STATEMENTS: &[&str] = &[
    "SELECT k FROM t",
    "EXPLAIN SELECT k FROM t",
    "INSERT OVERWRITE o SELECT k, v FROM t",
    "INSERT INTO o PARTITION (k = 'a') SELECT v FROM t",
    "CREATE TABLE c AS SELECT k FROM t",
    "CREATE TABLE c (k STRING, PRIMARY KEY (k))",
    "CREATE TABLE c (k MULTISET<STRING>)",
    "CREATE TABLE c (at TIMESTAMP(3) WITH TIME ZONE)",
    "CREATE TABLE c (r ROW<at TIMESTAMP(3)>, WATERMARK FOR r.at AS r.at)",
    "CREATE OR REPLACE TABLE c (k STRING)",
    "CREATE CATALOG c",
    "CREATE FUNCTION f AS 'com.example.F'",
    "ALTER TABLE t RENAME TO u",
    "USE CATALOG c",
    "SHOW TABLES",
    "SET 'execution.checkpointing.interval' = '1 min'",
];

/// Expressions that are refused.
const EXPRESSIONS: &[&str] = &[
    "\"a\" = 'a'",
    "'a' SIMILAR TO 'a|b'",
    "TIMESTAMP '2024-02-29 12:00:00' AT TIME ZONE 'UTC'",
    "INTERVAL x SECOND",
    "CAST(TIMESTAMP '2024-02-29 12:00:00' AS TIMESTAMP(1))",
    "CAST(CAST(1 AS INT) AS TIMESTAMP(3))",
    "ARRAY_POSITION(ARRAY[1], 1)",
    "JSON_VALUE('{}', '$.a' RETURNING INT)",
    "LISTAGG('a')",
];

fn page() -> String {
    let session = Session::new(crate::options::OptionValues::default(), Arc::new(|| NOW)).unwrap();
    include_str!("reference.md")
        .replace("{functions}\n", &functions(&session))
        .replace("{datafusion}", &inherited(&session))
        .replace("{aggregates}", &code(aggregates::UNSUPPORTED.iter().map(|name| name.to_uppercase())))
        .replace("{queries}\n", &refused(QUERIES, |query| program(&format!("INSERT INTO o {query};"))))
        .replace("{statements}\n", &refused(STATEMENTS, |statement| program(&format!("{statement};"))))
        .replace("{expressions}\n", &refused(EXPRESSIONS, |text| expression(text, &session).err()))
}

fn functions(session: &Session) -> String {
    let registered = Functions::of(session).unwrap();
    let mut text = String::new();
    for (title, entries) in SECTIONS {
        let _ = writeln!(text, "### {title}\n\n| function | what it answers | example |\n|---|---|---|");
        for entry in *entries {
            let _ = writeln!(
                text,
                "| {} | {}{} | {} |",
                cell(&code(entry.usage.split("; ").map(str::to_owned))),
                cell(entry.meaning),
                aliases(entry, &registered),
                example(entry.example, session)
            );
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

fn aliases(entry: &Entry, registered: &Functions) -> String {
    let functions = entry.names.split(' ').filter_map(|name| registered.scalar(name));
    let names: Vec<String> = functions.flat_map(|function| function.aliases().to_vec()).collect();
    let calls: Vec<&str> = entry.usage.split("; ").filter_map(|call| call.split('(').next()).collect();
    let others = names.iter().map(|name| name.to_uppercase()).filter(|name| !calls.contains(&name.as_str()));
    let others = code(others);
    if others.is_empty() { String::new() } else { format!(" Also {others}.") }
}

fn code(names: impl Iterator<Item = String>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn example(text: &str, session: &Session) -> String {
    if text.is_empty() {
        return String::new();
    }
    let (value, name) = computed(text, session).unwrap_or_else(|error| panic!("{text}: {error}"));
    let value = if value.is_empty() { "an empty text".to_owned() } else { format!("`{value}`") };
    format!("`{}` is {}, {}", cell(text), cell(&value), cell(&name))
}

/// The value of an expression as text, and its type.
fn computed(text: &str, session: &Session) -> crate::Result<(String, String)> {
    let planned = on_planning_thread(|| plan_expression(text, &Schema::empty(), session))?;
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let row = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options).unwrap();
    let values: ArrayRef = planned.expression.evaluate(&row).unwrap().into_array(1).unwrap();
    Ok((show(&values), sql_name(planned.field.data_type())))
}

/// DataFusion's functions that Flink's have not replaced, each by the first of its names, or Flink's.
fn inherited(session: &Session) -> String {
    let registered = Functions::of(session).unwrap();
    let aggregates: Vec<&str> = aggregates::all().into_iter().map(|(name, _)| name).collect();
    let ours = crate::functions::all("UTC", Arc::clone(session.clock())).unwrap();
    let is_ours =
        |name: &str| ours.iter().any(|own| own.name() == name || own.aliases().iter().any(|alias| alias == name));
    // ARRAY_REMOVE is Flink's name of what DataFusion calls by another.
    let is_first =
        |name: &str| name == "array_remove" || registered.scalar(name).is_some_and(|function| function.name() == name);
    let names = registered.names().into_iter().filter(|name| !is_ours(name) && !aggregates.contains(name));
    code(names.filter(|name| is_first(name)).map(str::to_uppercase))
}

/// A row for each text: what is written, and the words of its refusal.
fn refused(texts: &[&str], refuse: impl Fn(&str) -> Option<crate::Error>) -> String {
    let mut table = "| written | answer |\n|---|---|\n".to_owned();
    for text in texts {
        let error = refuse(text).unwrap_or_else(|| panic!("`{text}` is not refused any more"));
        let _ = writeln!(table, "| `{}` | {} |", cell(text), cell(error.message()));
    }
    table
}

fn program(text: &str) -> Option<crate::Error> {
    let text = format!("{TABLE}{text}");
    on_planning_thread(|| plan_sql("job", &text, Session::default(), &millstream_connectors::connector).map(|_| ()))
        .err()
}

fn expression(text: &str, session: &Session) -> crate::Result<()> {
    on_planning_thread(|| plan_expression(text, &Schema::empty(), session).map(|_| ()))
}

#[test]
fn the_committed_page_is_current() {
    let path = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../docs/sql.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == page, "docs/sql.md is not current: run the tests once with UPDATE_DOCS=1");
}

#[test]
fn options_that_the_planner_takes_for_itself_are_on_the_page_of_connectors() {
    let path = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../docs/connectors.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let section = page.split("## Options of every table").nth(1).and_then(|rest| rest.split("\n## ").next());
    let rows = section.unwrap_or_default().lines().filter_map(|line| line.strip_prefix("| `"));
    let described: BTreeSet<&str> = rows.filter_map(|row| row.split('`').next()).collect();
    let arms = include_str!("create.rs").lines().filter_map(|line| line.trim_start().strip_prefix('"'));
    let mut taken: BTreeSet<&str> = arms.filter_map(|arm| arm.split_once("\" =>")).map(|(key, _)| key).collect();
    taken.insert("connector");
    assert_eq!(described, taken);
}
