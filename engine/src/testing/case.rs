//! Reads cases: what something means, as data in files that people read and write.
//!
//! ```text
//! # A comment.
//! case E10: what it shows
//!   window: tumbling 2000                a setting: a word, a colon, its value
//!   rows k@0                             a step: what happens
//!   watermark 1999 => k [0,2000) 1       and what comes of it, several parted by |
//!   => k2 [0,2000) 1                     more of the same step
//! ```

/// A case.
#[derive(Debug, Default)]
pub struct Case {
    /// The name in front of the colon, as `E10`.
    pub id: String,
    /// What it shows.
    pub title: String,
    settings: Vec<(String, String)>,
    /// What happens, in order.
    pub steps: Vec<CaseStep>,
}

/// Something that happens, and what comes of it.
#[derive(Debug)]
pub struct CaseStep {
    /// The file's line, from 1.
    pub line: usize,
    /// The first word.
    pub verb: String,
    /// The other words.
    pub words: Vec<String>,
    /// What comes of it, sorted.
    pub expected: Vec<String>,
}

impl Case {
    /// What stands behind the colon of a setting.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }

    /// The number that a setting is.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.setting(name).map(number)
    }

    /// Fails the test, with the place.
    ///
    /// # Panics
    /// Always.
    pub fn fail(&self, step: &CaseStep, message: &str) -> ! {
        panic!("case {} ({}), line {}: {message}", self.id, self.title, step.line)
    }

    /// Compares what has come of `step` in the way that `by` names, in any order.
    ///
    /// # Panics
    /// If it is something else.
    pub fn compare(&self, step: &CaseStep, by: &str, found: Vec<String>) {
        let mut found = found;
        found.sort();
        if found != step.expected {
            self.fail(step, &format!("by {by}\n  expected {:?}\n  found    {found:?}", step.expected));
        }
    }
}

/// The cases of a file.
///
/// # Panics
/// If it is no such file.
pub fn parse(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(head) = line.strip_prefix("case ") {
            let (id, title) = head.split_once(':').expect("a case has a name, a colon and a title");
            cases.push(Case { id: id.to_owned(), title: title.trim().to_owned(), ..Case::default() });
            continue;
        }
        parse_line(cases.last_mut().expect("a file begins with a case"), at + 1, line);
    }
    for step in cases.iter_mut().flat_map(|case| &mut case.steps) {
        step.expected.sort();
    }
    cases
}

fn parse_line(case: &mut Case, line: usize, text: &str) {
    let (happens, expected) = match text.split_once("=>") {
        Some((happens, expected)) => (happens.trim(), expected.split('|').map(|of| of.trim().to_owned()).collect()),
        None => (text, Vec::new()),
    };
    let expected: Vec<String> = expected.into_iter().filter(|of| !of.is_empty()).collect();
    let mut words = happens.split_whitespace().map(str::to_owned);
    match words.next() {
        None => case.steps.last_mut().expect("a step that this belongs to").expected.extend(expected),
        Some(name) if name.ends_with(':') => {
            let value = words.collect::<Vec<_>>().join(" ");
            case.settings.push((name.trim_end_matches(':').to_owned(), value));
        }
        Some(verb) => case.steps.push(CaseStep { line, verb, words: words.collect(), expected }),
    }
}

/// A number: `-5`, `MAX`, `MAX-1750`, `MIN+10`.
///
/// # Panics
/// If it is none.
pub fn number(text: &str) -> i64 {
    let rest = |of: &str| if of.is_empty() { 0 } else { of.parse::<i64>().expect("a number") };
    match (text.strip_prefix("MAX"), text.strip_prefix("MIN")) {
        (Some(below), _) => i64::MAX + rest(below),
        (_, Some(above)) => i64::MIN + rest(above),
        (None, None) => text.parse().unwrap_or_else(|_| panic!("`{text}` is no number")),
    }
}
