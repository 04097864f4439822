//! Finds the files that a `path` means.
//!
//! A path is a file, a folder (read with all its folders) or a glob. Names that start with `.` or `_` are skipped, as
//! everywhere in this world: they are files that somebody is still writing, markers and checksums. A file that is named
//! outright is read whatever it is called.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use regex::Regex;

/// How deep folders may lie in each other: a symbolic link that leads back would never end.
const MOST_FOLDERS_DEEP: usize = 64;

/// The value of the option `path`. A relative one is resolved against the working directory when it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location(PathBuf);

/// The value of the option `source.path.regex-pattern`: which files to read, by their whole absolute path.
#[derive(Debug, Clone)]
pub(crate) struct PathPattern {
    text: String,
    regex: Regex,
}

impl PathPattern {
    /// Reads `text`. It must match a path from its beginning to its end.
    pub(crate) fn parse(text: &str) -> Result<Self, regex::Error> {
        // The text is parsed alone first, so that an error shows it as it was written.
        Regex::new(text)?;
        Ok(Self { text: text.to_owned(), regex: Regex::new(&format!("^(?:{text})$"))? })
    }

    fn matches(&self, path: &str) -> bool {
        self.regex.is_match(path)
    }
}

/// A path that cannot be read or written; the message names it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct LocationError(String);

/// A file to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundFile {
    /// Its absolute path.
    pub(crate) path: String,
    /// In bytes.
    pub(crate) size: u64,
    /// Milliseconds since 1970-01-01 UTC.
    pub(crate) modified_ms: i64,
}

impl Location {
    /// Reads `text`: a path, or a URI `file:/…` or `file:///…`.
    pub(crate) fn parse(text: &str) -> Result<Self, LocationError> {
        let path = match text.split_once(':') {
            Some(("file", path)) => local_part(text, path)?,
            Some((scheme, rest)) if rest.starts_with("//") => {
                let hint = "give a path or a file:// URI";
                return Err(LocationError(format!("'{scheme}://' is not supported; {hint}")));
            }
            Some(_) | None => text,
        };
        if path.trim().is_empty() {
            return Err(LocationError("it is empty; give a file, a folder or a glob".to_owned()));
        }
        Ok(Self(PathBuf::from(path)))
    }

    /// The absolute path.
    pub(crate) fn absolute(&self) -> Result<PathBuf, LocationError> {
        let path = std::path::absolute(&self.0).map_err(|error| about("cannot be resolved", &self.0, error))?;
        Ok(path.components().collect())
    }

    /// The absolute path as a glob. What stands in front of a relative one is no part of the glob.
    fn pattern(&self) -> Result<String, LocationError> {
        let own = self.0.to_str().unwrap_or_default();
        if self.0.is_absolute() {
            return Ok(own.to_owned());
        }
        let here = Self(PathBuf::from(".")).absolute()?;
        Ok(format!("{}/{own}", glob::Pattern::escape(&here.to_string_lossy())))
    }

    /// All files that this means now, by path in order. Missing paths and globs that match nothing are errors, unless
    /// `may_be_empty`.
    pub(crate) fn files(
        &self,
        name: Option<&PathPattern>,
        may_be_empty: bool,
    ) -> Result<Vec<FoundFile>, LocationError> {
        let path = self.absolute()?;
        let mut found = Files { files: BTreeMap::new(), name };
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => found.add_folder(&path, 0)?,
            Ok(metadata) => found.add_file(&path, &metadata)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && is_glob(&self.0) => {
                found.add_glob(&self.0, &self.pattern()?)?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(LocationError(format!("`{}` does not exist", path.display())));
            }
            Err(error) => return Err(about("cannot be read", &path, error)),
        }
        if found.files.is_empty() && !may_be_empty {
            return Err(LocationError(nothing_found(&path, name)));
        }
        Ok(found.files.into_values().collect())
    }
}

fn local_part<'a>(text: &str, path: &'a str) -> Result<&'a str, LocationError> {
    let Some(rest) = path.strip_prefix("//") else { return Ok(path) };
    let rest = rest.strip_prefix("localhost").unwrap_or(rest);
    if rest.starts_with('/') {
        return Ok(rest);
    }
    Err(LocationError(format!(
        "'{text}' names a host; a file on this machine is 'file:///folder/file' with three slashes"
    )))
}

fn is_glob(path: &Path) -> bool {
    path.to_str().is_some_and(|text| text.contains(['*', '?', '[']))
}

fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b".") || name.as_encoded_bytes().starts_with(b"_"))
}

fn nothing_found(path: &Path, name: Option<&PathPattern>) -> String {
    let shown = path.display();
    if let Some(name) = name {
        return format!("no file under `{shown}` matches 'source.path.regex-pattern' = '{}'", name.text);
    }
    if path.is_dir() {
        let hint = "names that start with '.' or '_' are skipped";
        return format!("the folder `{shown}` has no file to read ({hint})");
    }
    format!("no file matches `{shown}`")
}

fn about(what: &str, path: &Path, error: impl Display) -> LocationError {
    LocationError(format!("`{}` {what}: {error}", path.display()))
}

/// What was found so far.
struct Files<'a> {
    files: BTreeMap<String, FoundFile>,
    name: Option<&'a PathPattern>,
}

impl Files<'_> {
    fn add_glob(&mut self, shown: &Path, pattern: &str) -> Result<(), LocationError> {
        let options = glob::MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: true,
        };
        let matches = glob::glob_with(pattern, options).map_err(|error| about("is not a glob", shown, error.msg))?;
        for path in matches {
            let path = path.map_err(|error| LocationError(error.to_string()))?;
            // Without `.` and doubled separators, as in paths that are no globs.
            let path: PathBuf = path.components().collect();
            if !is_hidden(&path) {
                self.add(&path, 0)?;
            }
        }
        Ok(())
    }

    fn add_folder(&mut self, folder: &Path, depth: usize) -> Result<(), LocationError> {
        if depth > MOST_FOLDERS_DEEP {
            return Err(about("lies too deep", folder, "does a symbolic link lead back to a folder above?"));
        }
        let entries = fs::read_dir(folder).map_err(|error| about("cannot be listed", folder, error))?;
        for entry in entries {
            let path = entry.map_err(|error| about("cannot be listed", folder, error))?.path();
            if !is_hidden(&path) {
                self.add(&path, depth + 1)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, path: &Path, depth: usize) -> Result<(), LocationError> {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => self.add_folder(path, depth),
            Ok(metadata) if metadata.is_file() => self.add_file(path, &metadata),
            // Sockets, pipes and devices in a folder are not its data.
            Ok(_) => Ok(()),
            // Gone since its folder was listed, or a link to nothing.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(about("cannot be read", path, error)),
        }
    }

    fn add_file(&mut self, path: &Path, metadata: &Metadata) -> Result<(), LocationError> {
        let Some(text) = path.to_str() else { return Err(about("cannot be read", path, "its name is not UTF-8")) };
        if self.name.is_some_and(|name| !name.matches(text)) {
            return Ok(());
        }
        let age = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let modified_ms = age.and_then(|age| i64::try_from(age.as_millis()).ok()).unwrap_or(0);
        let file = FoundFile { path: text.to_owned(), size: metadata.len(), modified_ms };
        self.files.insert(text.to_owned(), file);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn tree(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x\n").unwrap();
        }
        folder
    }

    fn check(folder: &tempfile::TempDir, path: &str, pattern: Option<&str>, expected: Expect) {
        let root = folder.path().to_str().unwrap();
        let pattern = pattern.map(|pattern| PathPattern::parse(pattern).unwrap());
        let text =
            match Location::parse(&path.replace("ROOT", root)).and_then(|path| path.files(pattern.as_ref(), false)) {
                Ok(files) => files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>().join(" "),
                Err(error) => error.to_string(),
            };
        expected.assert_eq(&text.replace(root, "ROOT"));
    }

    #[test]
    fn a_path_is_a_file_a_folder_or_a_glob() {
        let folder = tree(&["b.csv", "a.csv", "sub/c.csv", "sub/deep/d.csv", "sub/e.json"]);
        check(&folder, "ROOT/a.csv", None, expect!["ROOT/a.csv"]);
        check(&folder, "file://ROOT/a.csv", None, expect!["ROOT/a.csv"]);
        check(&folder, "file:ROOT/a.csv", None, expect!["ROOT/a.csv"]);
        check(&folder, "ROOT/./sub/", None, expect!["ROOT/sub/c.csv ROOT/sub/deep/d.csv ROOT/sub/e.json"]);
        check(&folder, "ROOT/*.csv", None, expect!["ROOT/a.csv ROOT/b.csv"]);
        check(&folder, "ROOT/**/*.csv", None, expect!["ROOT/a.csv ROOT/b.csv ROOT/sub/c.csv ROOT/sub/deep/d.csv"]);
        check(&folder, "ROOT/s*", None, expect!["ROOT/sub/c.csv ROOT/sub/deep/d.csv ROOT/sub/e.json"]);
        check(&folder, "ROOT/[ab].csv", None, expect!["ROOT/a.csv ROOT/b.csv"]);
        check(&folder, "ROOT", Some(r".*/sub/[^/]*\.csv"), expect!["ROOT/sub/c.csv"]);
    }

    #[test]
    fn hidden_files_are_skipped_unless_they_are_named() {
        let folder = tree(&["a", ".b", "_c", "_temporary/d", ".e/f"]);
        check(&folder, "ROOT", None, expect!["ROOT/a"]);
        check(&folder, "ROOT/*", None, expect!["ROOT/a"]);
        check(&folder, "ROOT/_c", None, expect!["ROOT/_c"]);
    }

    #[test]
    fn a_file_whose_name_looks_like_a_glob_is_read() {
        let folder = tree(&["a[1].csv", "a1.csv"]);
        check(&folder, "ROOT/a[1].csv", None, expect!["ROOT/a[1].csv"]);
    }

    #[test]
    fn a_path_without_files_is_an_error_that_names_it() {
        let folder = tree(&["empty/_SUCCESS", "a.csv"]);
        check(&folder, "ROOT/missing.csv", None, expect!["`ROOT/missing.csv` does not exist"]);
        check(&folder, "ROOT/*.json", None, expect!["no file matches `ROOT/*.json`"]);
        check(
            &folder,
            "ROOT/empty",
            None,
            expect!["the folder `ROOT/empty` has no file to read (names that start with '.' or '_' are skipped)"],
        );
        check(
            &folder,
            "ROOT",
            Some("json"),
            expect!["no file under `ROOT` matches 'source.path.regex-pattern' = 'json'"],
        );
        check(&folder, "ROOT/a.csv/b", None, expect!["`ROOT/a.csv/b` cannot be read: Not a directory (os error 20)"]);
        check(&folder, "ROOT/[a", None, expect!["`ROOT/[a` is not a glob: invalid range pattern"]);
    }

    #[test]
    fn what_is_not_a_file_of_this_machine_is_refused() {
        let folder = tree(&[]);
        check(&folder, "s3://bucket/key", None, expect!["'s3://' is not supported; give a path or a file:// URI"]);
        check(
            &folder,
            "file://host/key",
            None,
            expect![
                "'file://host/key' names a host; a file on this machine is 'file:///folder/file' with three slashes"
            ],
        );
        check(&folder, " ", None, expect!["it is empty; give a file, a folder or a glob"]);
    }

    #[test]
    fn a_link_that_leads_back_is_an_error_and_not_an_endless_walk() {
        let folder = tree(&["a/b"]);
        std::os::unix::fs::symlink(folder.path(), folder.path().join("a/back")).unwrap();
        let error =
            Location::parse(folder.path().to_str().unwrap()).unwrap().files(None, false).unwrap_err().to_string();
        assert!(error.contains("does a symbolic link lead back") || error.contains("symbolic links"), "{error}");
    }

    #[test]
    fn a_relative_glob_starts_at_the_working_directory() {
        // Tests run in the folder of their crate.
        let found = Location::parse("./src/filesystem/part[a-z].rs").unwrap().files(None, true).unwrap();
        assert_eq!(found, []);
        let found = Location::parse("./src/filesystem/file[a-z].rs").unwrap().files(None, false).unwrap();
        let here = std::env::current_dir().unwrap();
        assert_eq!(Path::new(&found[0].path), here.join("src/filesystem/files.rs"));
    }

    #[test]
    fn a_relative_path_starts_at_the_working_directory() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(Location::parse("x/y").unwrap().absolute().unwrap(), here.join("x/y"));
    }
}
