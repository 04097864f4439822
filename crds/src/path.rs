//! Where in a manifest something stands: `spec.program.pipeline.transformations[2].window`.

use std::fmt;

/// The way from the top of a document to a value in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Vec<Step>);

/// One step down.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// To the value of a field of a mapping.
    Field(String),
    /// To an element of a list, counted from 0.
    Index(usize),
}

impl Path {
    /// The top of the document.
    pub fn root() -> Self {
        Self::default()
    }

    /// The path of fields one inside the other.
    pub fn of(fields: &[&str]) -> Self {
        Self(fields.iter().map(|field| Step::Field((*field).to_owned())).collect())
    }

    /// One step further, to a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Self {
        self.then(Step::Field(name.to_owned()))
    }

    /// One step further, to an element.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.then(Step::Index(index))
    }

    /// This path and, from there, `rest`.
    #[must_use]
    pub fn join(&self, rest: &Self) -> Self {
        Self(self.0.iter().chain(&rest.0).cloned().collect())
    }

    /// The steps from the top.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    fn then(&self, step: Step) -> Self {
        Self(self.0.iter().cloned().chain([step]).collect())
    }
}

/// Fields are joined by dots; a field whose name is not a plain word is written `['like.this']`.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if !is_word(name) => write!(f, "['{name}']")?,
                Step::Field(name) if place == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

fn is_word(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|letter| letter.is_alphanumeric() || letter == '_' || letter == '-')
}

#[cfg(test)]
mod tests {
    use super::Path;

    #[test]
    fn a_path_reads_as_in_the_documentation() {
        let path = Path::of(&["spec", "transformations"]).index(2).field("window");
        assert_eq!(path.to_string(), "spec.transformations[2].window");
        assert_eq!(
            Path::of(&["spec", "config"]).field("parallelism.default").to_string(),
            "spec.config['parallelism.default']"
        );
        assert_eq!(Path::root().to_string(), "");
        assert_eq!(Path::of(&["a"]).join(&Path::root().index(0)).to_string(), "a[0]");
    }
}
