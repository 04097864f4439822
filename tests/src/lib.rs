//! What tests of the whole need: the binary as a person would run it, and the project's folder.

pub mod cluster;
pub mod proxy;

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

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

/// The manifest of a job called `test` that is a pipeline of these fields.
pub fn pipeline_manifest(pipeline: &str) -> String {
    let indented: String = pipeline.lines().map(|line| format!("      {line}\n")).collect();
    format!(
        "apiVersion: millstream.dev/v1alpha1\nkind: StreamJob\nmetadata: {{name: test}}\nspec:\n  program:\n    \
         pipeline:\n{indented}"
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

/// Runs the manifest `text` in `folder`, which stands in it as `FOLDER`, and in what is said too; with a last line on how it
/// went.
///
/// # Panics
/// If the file cannot be written.
pub fn run_in(folder: &Path, text: &str) -> Said {
    let shown = folder.to_string_lossy();
    let path = folder.join("job.yaml");
    let written = std::fs::write(&path, text.replace("FOLDER", &shown));
    written.unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    let said = run(millstream().arg("run").arg(&path));
    Said { stdout: said.stdout.replace(&*shown, "FOLDER"), stderr: said.stderr.replace(&*shown, "FOLDER"), ..said }
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

/// The files in `folder` that whoever reads it would see, in order; none if there is no folder.
pub fn visible(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let is_hidden = |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| !is_hidden(path)).collect();
    paths.sort();
    paths
}

/// A free port of loopback, HOST:PORT.
///
/// # Panics
/// If there is none.
pub fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    listener.unwrap_or_else(|error| panic!("no free port: {error}")).to_string()
}

/// How long a test waits for anything before it fails.
const DEADLINE: Duration = Duration::from_secs(60);

/// A command that is running: what it says can be waited for. It is ended when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// Its stdout, line by line; [`Running::start_unread`] leaves it in the child.
    pub stdout: Lines,
    /// Its stderr, line by line.
    pub stderr: Lines,
}

/// Lines of a stream, read by a thread of their own.
#[derive(Debug)]
pub struct Lines {
    arriving: Option<Receiver<String>>,
    seen: Vec<String>,
}

impl Running {
    /// Starts `command`.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(command: &mut Command) -> Self {
        let mut running = Self::start_unread(command);
        running.stdout = Lines::of(running.child.stdout.take());
        running
    }

    /// Starts `command`, whose stdout nobody reads: once a pipe is full, it waits.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start_unread(command: &mut Command) -> Self {
        let started = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = started.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let stderr = Lines::of(child.stderr.take());
        Self { child, stdout: Lines { arriving: None, seen: Vec::new() }, stderr }
    }

    /// Waits until something is written to a stdout that is not read, and takes one byte of it.
    ///
    /// # Panics
    /// If nothing is.
    pub fn wait_for_output(&mut self) {
        let read = self.child.stdout.as_mut().map(|stdout| stdout.read_exact(&mut [0]));
        assert!(matches!(read, Some(Ok(()))), "nothing was written: {read:?}");
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends `signal`, as `INT`.
    ///
    /// # Panics
    /// If that fails.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").arg(format!("-{signal}")).arg(self.child.id().to_string()).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -{signal} has failed");
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If it does not end.
    pub fn end(mut self) -> Said {
        let (stdout, stderr) = (self.stdout.rest(), self.stderr.rest());
        let status = self.child.wait();
        let code = status.ok().and_then(|status| status.code()).unwrap_or(-1);
        Said { code, stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already if all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Lines {
    fn of(stream: Option<impl Read + Send + 'static>) -> Self {
        let Some(stream) = stream else { return Self { arriving: None, seen: Vec::new() } };
        let (sender, arriving) = channel();
        std::thread::spawn(move || {
            // A test that has ended wants no more.
            BufReader::new(stream).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { arriving: Some(arriving), seen: Vec::new() }
    }

    /// Waits until `done` of all the lines so far, which are returned.
    ///
    /// # Panics
    /// If the stream ends before, or nothing comes for too long.
    pub fn wait_until(&mut self, done: impl Fn(&[String]) -> bool) -> &[String] {
        while !done(&self.seen) {
            match self.next() {
                Some(line) => self.seen.push(line),
                None => panic!("the stream has ended:\n{}", self.seen.join("\n")),
            }
        }
        &self.seen
    }

    /// The next line; `None` at the end.
    fn next(&self) -> Option<String> {
        match self.arriving.as_ref()?.recv_timeout(DEADLINE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("nothing more comes after\n{}", self.seen.join("\n")),
        }
    }

    /// The lines that have come so far.
    pub fn so_far(&mut self) -> &[String] {
        self.seen.extend(self.arriving.iter().flat_map(Receiver::try_iter));
        &self.seen
    }

    /// All lines to the end of the stream.
    fn rest(&mut self) -> String {
        while let Some(line) = self.next() {
            self.seen.push(line);
        }
        self.seen.iter().map(|line| format!("{line}\n")).collect()
    }
}

/// Waits until `condition` holds.
///
/// # Panics
/// If it does not come to hold.
pub fn wait_until(condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < DEADLINE, "what is waited for does not come");
        // Not to take a processor away from what is waited for.
        std::thread::park_timeout(Duration::from_millis(2));
    }
}
