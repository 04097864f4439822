//! What is wrong with a program: in words, and where in its text.

use std::fmt;

/// The answer of everything here that plans.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A program that cannot be planned.
///
/// The message names the thing and says what to do. The position, where it is known, is in the text that was given: the
/// whole SQL program, or one expression of a pipeline (whose place in the manifest the caller adds with [`Error::within`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    message: String,
    position: Option<Position>,
    nearest: Option<String>,
    context: Vec<String>,
}

/// A place in a text. Both count from 1; the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: u64,
    /// The character in the line.
    pub column: u64,
}

impl Error {
    /// An error whose place is not known.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), position: None, nearest: None, context: Vec::new() }
    }

    /// An error at a place.
    pub fn at(position: impl Into<Option<Position>>, message: impl Into<String>) -> Self {
        Self { position: position.into(), ..Self::new(message) }
    }

    /// A name that nobody knows, with the most similar one of `known` if there is one.
    pub fn unknown<'a>(what: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let nearest = millstream_crds::check::nearest(name, known).map(str::to_owned);
        Self { nearest, ..Self::new(format!("unknown {what} `{name}`")) }
    }

    /// Something that the language has and this version has not.
    pub(crate) fn unsupported(position: impl Into<Option<Position>>, what: &str, advice: &str) -> Self {
        let advice = if advice.is_empty() { String::new() } else { format!("; {advice}") };
        Self::at(position, format!("{what} is not supported yet{advice}"))
    }

    /// Our own mistake.
    pub(crate) fn internal(message: impl fmt::Display) -> Self {
        Self::new(format!("internal error: {message}; this is a bug in Millstream"))
    }

    /// The same, at `position` unless it has a place already.
    #[must_use]
    pub fn or_at(mut self, position: impl Into<Option<Position>>) -> Self {
        self.position = self.position.or_else(|| position.into());
        self
    }

    /// The same, inside the thing that `context` names: `transformation `perCarrier``.
    #[must_use]
    pub fn within(mut self, context: impl Into<String>) -> Self {
        self.context.push(context.into());
        self
    }

    /// What is wrong, without its place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where it is wrong, if that is known.
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// The name that was perhaps meant.
    pub fn nearest(&self) -> Option<&str> {
        self.nearest.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for context in self.context.iter().rev() {
            write!(f, "{context}: ")?;
        }
        if let Some(position) = self.position {
            write!(f, "line {}, column {}: ", position.line, position.column)?;
        }
        f.write_str(&self.message)?;
        match &self.nearest {
            Some(nearest) => write!(f, "; did you mean `{nearest}`?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_context_from_the_outside_in_and_then_its_place() {
        let error = Error::unknown("column", "delai", ["delay", "origin"])
            .or_at(Position { line: 1, column: 9 })
            .within("filter")
            .within("transformation `late`");
        assert_eq!(
            error.to_string(),
            "transformation `late`: filter: line 1, column 9: unknown column `delai`; did you mean `delay`?"
        );
    }

    #[test]
    fn a_place_that_is_known_is_not_replaced_by_a_vaguer_one() {
        let error = Error::at(Position { line: 2, column: 3 }, "x").or_at(Position { line: 1, column: 1 });
        assert_eq!(error.position(), Some(Position { line: 2, column: 3 }));
    }
}
