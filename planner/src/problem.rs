//! Everything that is wrong with a job, each thing with its place in the manifest.

use std::fmt;

use millstream_crds::{Manifest, ManifestError, Path, Position};

use crate::error::Error;

/// Something wrong with a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The value that is meant, from the top of the manifest.
    pub path: Path,
    /// Whether the name of the field is meant and not its value.
    pub at_key: bool,
    /// The place inside the text at `path`, if it is a text.
    pub position: Option<Position>,
    /// What is wrong and what to do.
    pub message: String,
}

/// All that is wrong with a job; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problem {
    /// A problem with the value at `path`.
    pub fn new(path: Path, message: impl Into<String>) -> Self {
        Self { path, at_key: false, position: None, message: message.into() }
    }

    /// What the planner of a text has found in the text at `path`.
    pub fn in_text(path: Path, error: &Error) -> Self {
        let hint = error.nearest().map_or_else(String::new, |nearest| format!("; did you mean `{nearest}`?"));
        let place = |position: crate::error::Position| {
            let count = |number| usize::try_from(number).unwrap_or(usize::MAX);
            Position { line: count(position.line), column: count(position.column) }
        };
        let position = error.position().map(place);
        Self { path, at_key: false, position, message: format!("{}{hint}", error.message()) }
    }

    /// The same, with its line in the file that the job was read from.
    pub fn in_manifest(&self, manifest: &Manifest) -> ManifestError {
        if self.at_key {
            return manifest.error_at_key(&self.path, self.message.clone());
        }
        let error = manifest.error(&self.path, self.message.clone());
        match self.position {
            Some(inside) => ManifestError { position: manifest.position_in_text(&self.path, inside), ..error },
            None => error,
        }
    }
}

impl Problems {
    /// `Ok` if there are none.
    pub fn check(problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self(problems)) }
    }

    /// The same, with `base` before each path.
    #[must_use]
    pub fn below(self, base: &Path) -> Self {
        let below = |problem: Problem| Problem { path: base.join(&problem.path), ..problem };
        Self(self.0.into_iter().map(below).collect())
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// `spec.program.sql: line 3, column 8: unknown column …`
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path)?;
        if let Some(position) = self.position {
            write!(f, "{position}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// A line for each.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, problem) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
