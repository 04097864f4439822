//! What tests of the whole need: the binary as a person would run it, and the project's folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The project's folder: of the checkout that is tested, which is not the one that the test was built in when several
/// share a target folder.
pub fn project() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&here).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// The `millstream` that was built together with the running test. `make test` builds it first.
///
/// # Panics
/// If it is not there: a test that skipped would look like one that passed.
pub fn millstream() -> Command {
    let test = std::env::current_exe().unwrap_or_default();
    let folder = test.parent().and_then(Path::parent).map(Path::to_path_buf).unwrap_or_default();
    let binary = folder.join("millstream");
    assert!(
        binary.exists(),
        "{} is not there: run `make test`, or `cargo build -p millstream` first",
        binary.display()
    );
    let mut command = Command::new(binary);
    command.current_dir(project()).env("RUST_LOG", "warn");
    command
}

/// What a finished command has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Its exit code; -1 if a signal ended it.
    pub code: i32,
    /// Its stdout.
    pub stdout: String,
    /// Its stderr.
    pub stderr: String,
}

/// Runs `command` to its end.
///
/// # Panics
/// If it cannot be started.
pub fn run(command: &mut Command) -> Said {
    let output = command.output();
    let Output { status, stdout, stderr } = output.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    Said {
        code: status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

/// A manifest with this SQL program.
pub fn sql_manifest(name: &str, parallelism: u32, sql: &str) -> String {
    let indented: String = sql.lines().map(|line| format!("      {line}\n")).collect();
    format!(
        "apiVersion: millstream.dev/v1alpha1\nkind: StreamJob\nmetadata:\n  name: {name}\nspec:\n  parallelism: {parallelism}\n  \
         program:\n    sql: |\n{indented}"
    )
}

/// Runs the manifest `text`, written to `folder`.
///
/// # Panics
/// If the file cannot be written.
pub fn run_manifest(folder: &Path, text: &str) -> Said {
    let path = folder.join("job.yaml");
    std::fs::write(&path, text).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    run(millstream().arg("run").arg("--quiet").arg(&path))
}

/// All lines of the part files in `folder` and below, sorted.
///
/// # Panics
/// If the folder cannot be read.
pub fn lines_of_parts(folder: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("cannot read {}: {error}", folder.display()));
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            lines.extend(lines_of_parts(&path));
        } else if name.starts_with("part-") {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            lines.extend(text.lines().map(str::to_owned));
        }
    }
    lines.sort();
    lines
}
