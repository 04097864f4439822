//! What the documents show can be done.
//!
//! Each fenced block is tried by its language:
//!
//! | block | what happens to it |
//! |---|---|
//! | `sh` | `make …`: the target exists. `millstream …`: run in a copy of the examples, with the last `yaml` block before it as `job.yaml`; `--events` is brought down so that a benchmark takes no time; with `&` at its end it runs until the block has ended |
//! | `yaml` | a `StreamJob` is explained |
//! | `sql` | planned together with the `sql` blocks before it in the same document |
//! | `text` | the lines, but for `…`, are among what the command before it has printed |
//! | none | a drawing; nothing |
//!
//! A block that cannot be tried says why, in the line before it: `<!-- not tried: the reason -->`. A fenced block in a
//! language that is not in this table fails the test.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use millstream_tests::{Running, free_address, millstream, project, run, sql_manifest};

/// How many events a benchmark of the documents has here.
const EVENTS: &str = "20000";

/// A document, by its path in the project.
struct Document {
    path: PathBuf,
    text: String,
}

/// A fenced block.
#[derive(Debug)]
struct Block {
    line: usize,
    language: String,
    text: String,
    /// The reason why it is not tried.
    not_tried: Option<String>,
}

fn documents() -> Vec<Document> {
    let project = project();
    let mut paths: Vec<PathBuf> = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"].map(PathBuf::from).to_vec();
    let in_folder = |folder: &str| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(project.join(folder)).unwrap();
        entries.map(|entry| Path::new(folder).join(entry.unwrap().file_name())).collect()
    };
    paths.extend(in_folder("docs").into_iter().filter(|path| path.extension().is_some_and(|end| end == "md")));
    paths.extend(in_folder("examples").into_iter().map(|folder| folder.join("README.md")));
    paths.retain(|path| project.join(path).exists());
    paths.sort();
    let read = |path: PathBuf| Document { text: std::fs::read_to_string(project.join(&path)).unwrap(), path };
    paths.into_iter().map(read).collect()
}

impl Document {
    fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut lines = self.text.lines().enumerate();
        let mut before = "";
        while let Some((number, line)) = lines.next() {
            if let Some(language) = line.trim_start().strip_prefix("```") {
                let inside: Vec<&str> = lines
                    .by_ref()
                    .map(|(_, line)| line)
                    .take_while(|line| !line.trim_start().starts_with("```"))
                    .collect();
                let reason = before.strip_prefix("<!-- not tried: ").and_then(|rest| rest.strip_suffix(" -->"));
                blocks.push(Block {
                    line: number + 1,
                    language: language.trim().to_owned(),
                    text: inside.join("\n") + "\n",
                    not_tried: reason.map(str::to_owned),
                });
            }
            before = line;
        }
        blocks
    }

    fn at(&self, block: &Block) -> String {
        format!("{}:{}", self.path.display(), block.line)
    }

    /// The text between backticks, without fenced blocks.
    fn code(&self) -> Vec<&str> {
        let mut fenced = false;
        let plain = self.text.lines().filter(|line| {
            let fence = line.trim_start().starts_with("```");
            fenced ^= fence;
            !fenced && !fence
        });
        plain.flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
    }
}

/// Lines of a shell, without comments and blank ones.
fn commands(text: &str) -> Vec<Vec<&str>> {
    text.lines()
        .map(|line| line.split_once(" #").map_or(line, |(command, _)| command).split_whitespace().collect::<Vec<_>>())
        .filter(|words| !words.is_empty() && !words[0].starts_with('#'))
        .collect()
}

fn targets() -> BTreeSet<String> {
    let text = std::fs::read_to_string(project().join("Makefile")).unwrap();
    let names =
        text.lines().filter(|line| !line.starts_with(['\t', '#', ' ', '.'])).filter_map(|line| line.split_once(':'));
    names
        .filter(|(name, rest)| !name.contains(' ') && !rest.starts_with('='))
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// A folder with a copy of the examples.
fn checkout() -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
            if path.is_dir() {
                copy(&path, &to.join(name));
            } else {
                std::fs::copy(&path, to.join(name)).unwrap();
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    copy(&project().join("examples"), &folder.path().join("examples"));
    folder
}

/// `words` without `millstream`, as they are run here.
fn arguments<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = words[1..].to_vec();
    for at in 1..arguments.len() {
        if arguments[at - 1] == "--events" {
            arguments[at] = EVENTS;
        }
    }
    arguments
}

#[test]
fn every_block_is_of_a_kind_that_is_tried_or_says_why_not() {
    for document in documents() {
        for block in document.blocks() {
            let known = ["", "sh", "yaml", "sql", "text"].contains(&block.language.as_str());
            assert!(known, "{}: blocks of `{}` are not tried by any test", document.at(&block), block.language);
            let reason = block.not_tried.as_deref();
            assert!(reason.is_none_or(|reason| !reason.trim().is_empty()), "{}: no reason", document.at(&block));
        }
    }
}

#[test]
fn commands_of_the_documents_run() {
    for document in documents() {
        let mut job = String::new();
        let mut printed = String::new();
        for block in document.blocks().iter().filter(|block| block.not_tried.is_none()) {
            match block.language.as_str() {
                "yaml" => job.clone_from(&block.text),
                "sh" => printed = last_words(&block.text, &document.at(block), &job),
                "text" => {
                    let missing =
                        block.text.lines().find(|line| *line != "…" && !printed.lines().any(|said| said == *line));
                    assert_eq!(missing, None, "{}: the command before does not print this", document.at(block));
                }
                _ => {}
            }
        }
    }
}

/// A command of a block, with ports of its own and nothing of it in the user's folders.
fn command(words: &[&str], folder: &Path, ports: &[String; 2]) -> Command {
    let mut command = millstream();
    command.args(arguments(words)).current_dir(folder).env("XDG_STATE_HOME", folder);
    command.env("MILLSTREAM_REST", &ports[0]).env("MILLSTREAM_RPC", &ports[1]);
    command
}

/// Starts a command that runs in the background, and waits until it can be used.
fn start(words: &[&str], folder: &Path, ports: &[String; 2]) -> Running {
    let mut started = Running::start(command(words, folder, ports).env("RUST_LOG", "info"));
    if words[1] == "jobmaster" {
        started.stderr.wait_until(|lines| lines.last().is_some_and(|line| line.contains("is ready")));
    }
    started
}

/// Tries the commands of a block and answers what the last one has printed.
fn last_words(commands: &str, at: &str, job: &str) -> String {
    let (targets, folder, ports) = (targets(), checkout(), [free_address(), free_address()]);
    std::fs::write(folder.path().join("job.yaml"), job).unwrap();
    let mut printed = String::new();
    let mut in_background = Vec::new();
    for words in self::commands(commands) {
        let at = format!("{at}: {}", words.join(" "));
        match words.as_slice() {
            ["make", names @ ..] => {
                let missing: Vec<_> = names.iter().filter(|name| !targets.contains(**name)).collect();
                assert!(missing.is_empty(), "{at}: the Makefile has no target {missing:?}");
            }
            ["millstream", .., "&"] => {
                in_background.push(start(&words[..words.len() - 1], folder.path(), &ports));
            }
            ["millstream", ..] => {
                let said = run(&mut command(&words, folder.path(), &ports));
                assert_eq!(said.code, 0, "{at}: {}", said.stderr);
                printed = said.stdout;
            }
            // Where `make` puts the binary.
            ["export", path] => assert_eq!(*path, r#"PATH="$HOME/.cache/millstream/target/release:$PATH""#, "{at}"),
            _ => panic!("{at}: only `make` and `millstream` are tried here"),
        }
    }
    printed
}

/// Commands in running text may have placeholders in capitals, so only their names and flags are looked at.
#[test]
fn commands_in_the_text_have_targets_and_flags_that_there_are() {
    let targets = targets();
    let mut help: BTreeMap<String, String> = BTreeMap::new();
    for document in documents() {
        for code in document.code() {
            let words: Vec<&str> = code.split_whitespace().collect();
            let at = format!("{}: `{code}`", document.path.display());
            match words.as_slice() {
                ["make", target] => assert!(targets.contains(*target), "{at}: no such target"),
                ["millstream", rest @ ..] if !rest.is_empty() => {
                    let is_name = |word: &&&str| word.chars().all(|letter| letter.is_ascii_lowercase());
                    let names: Vec<&str> = rest.iter().take_while(is_name).take(2).copied().collect();
                    let page = help.entry(names.join(" ")).or_insert_with(|| {
                        let said = run(millstream().args(&names).arg("--help"));
                        assert_eq!(said.code, 0, "{at}: {}", said.stderr);
                        said.stdout
                    });
                    for flag in rest.iter().filter(|word| word.starts_with("--")) {
                        assert!(page.split_whitespace().any(|word| word == *flag), "{at}: there is no {flag}");
                    }
                }
                _ => {}
            }
        }
    }
}

#[test]
fn jobs_of_the_documents_can_be_planned() {
    let folder = tempfile::tempdir().unwrap();
    for document in documents() {
        for block in document.blocks() {
            if block.language == "yaml" && block.not_tried.is_none() {
                assert!(block.text.contains("kind: StreamJob"), "{}: not a whole manifest", document.at(&block));
                let path = folder.path().join("job.yaml");
                std::fs::write(&path, &block.text).unwrap();
                let said = run(millstream().arg("explain").arg(&path));
                assert_eq!(said.code, 0, "{}: {}", document.at(&block), said.stderr);
            }
        }
    }
}

/// A program must write something, and blocks that only declare tables do not.
const LAST_WORDS: &str = "CREATE TABLE documents_read (n BIGINT) WITH ('connector' = 'datagen');\n\
                          CREATE TABLE documents_written (n BIGINT) WITH ('connector' = 'blackhole');\n\
                          INSERT INTO documents_written SELECT n FROM documents_read;\n";

#[test]
fn sql_of_the_documents_can_be_planned() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("job.yaml");
    for document in documents() {
        let mut program = String::new();
        for block in document.blocks() {
            if block.language == "sql" && block.not_tried.is_none() {
                program.push_str(&block.text);
                std::fs::write(&path, sql_manifest("documents", 1, &format!("{program}{LAST_WORDS}"))).unwrap();
                let said = run(millstream().arg("explain").arg(&path));
                assert_eq!(said.code, 0, "{}: {}", document.at(&block), said.stderr);
            }
        }
        used_tables(&document.path, &program);
    }
}

/// A table that nobody reads or writes is not looked at closely: the options are for its connector, which is not asked.
fn used_tables(path: &Path, program: &str) {
    let words = program.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let follows = |before: &str, name: &str| words.windows(2).any(|words| words == [before, name]);
    for declared in words.windows(3).filter(|words| words[..2] == ["CREATE", "TABLE"]) {
        let name = declared[2];
        // The last one is the option that names a table for dead letters.
        let used = ["FROM", "INTO", "table"].iter().any(|before| follows(before, name)) || argument(&words, name);
        assert!(used, "{}: no statement reads or writes the table {name}", path.display());
    }
}

/// Whether the table `name` is an argument of a window function: `TABLE name`, but not behind `CREATE`.
fn argument(words: &[&str], name: &str) -> bool {
    words.windows(3).any(|words| words[0] != "CREATE" && words[1..] == ["TABLE", name])
}

/// What a heading is linked to by.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let slug = |heading: &str| {
        let kept = heading.to_lowercase().replace(' ', "-");
        kept.chars().filter(|letter| letter.is_alphanumeric() || *letter == '-' || *letter == '_').collect()
    };
    headings.map(slug).collect()
}

/// The targets of `[text](target)` outside of code.
fn links(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        let plain: String = line.split('`').step_by(2).collect();
        if !fenced {
            found
                .extend(plain.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(to, _)| to.to_owned()));
        }
    }
    found
}

#[test]
fn links_lead_somewhere_and_every_document_can_be_reached_from_the_readme() {
    let project = project();
    let documents = documents();
    let mut reached = BTreeSet::from([PathBuf::from("README.md")]);
    let mut to_follow = vec![PathBuf::from("README.md")];
    let mut followed = BTreeSet::new();
    let by_path: BTreeMap<&Path, &Document> =
        documents.iter().map(|document| (document.path.as_path(), document)).collect();
    let target = |from: &Path, to: &str| -> Option<PathBuf> {
        let (path, anchor) = to.split_once('#').unwrap_or((to, ""));
        if path.contains("://") {
            return None;
        }
        let folder = from.parent().unwrap_or(Path::new(""));
        let path = if path.is_empty() { from.to_path_buf() } else { normal(&folder.join(path)) };
        assert!(project.join(&path).exists(), "{}: the link {to} leads nowhere", from.display());
        if !anchor.is_empty() {
            let text = std::fs::read_to_string(project.join(&path)).unwrap();
            assert!(anchors(&text).contains(anchor), "{}: {} has no heading #{anchor}", from.display(), path.display());
        }
        Some(path)
    };
    for document in &documents {
        links(&document.text).iter().for_each(|to| drop(target(&document.path, to)));
    }
    while let Some(from) = to_follow.pop() {
        if !followed.insert(from.clone()) {
            continue;
        }
        let Some(document) = by_path.get(from.as_path()) else { continue };
        for to in links(&document.text).iter().filter_map(|to| target(&document.path, to)) {
            let inside = documents.iter().filter(|other| other.path.starts_with(&to)).map(|other| other.path.clone());
            to_follow.extend(inside.clone());
            reached.extend(inside);
        }
    }
    let lost: Vec<_> =
        documents.iter().map(|document| &document.path).filter(|path| !reached.contains(*path)).collect();
    assert!(lost.is_empty(), "no link leads to {lost:?}");
}

/// `a/../b` as `b`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => drop(normal.pop()),
            std::path::Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}
