//! Options of a job by their Flink names, and what they come to.
//!
//! There is one table of options ([`table::OPTIONS`]) and three places that can set them: a field of the manifest, `SET` in
//! a SQL program, and `spec.config`. [`OptionValues`] keeps the texts apart by where they come from, so that the stronger
//! place wins whatever the order, and `RESET` finds what was there before. [`OptionValues::resolved`] makes typed
//! [`JobOptions`] of them.

use std::collections::BTreeMap;

use millstream_crds::check::nearest;
use serde::{Deserialize, Serialize};

pub mod restart;
pub mod table;

#[cfg(test)]
mod tests;

pub use restart::{RestartOptions, RestartStrategy};
use table::{OPTIONS, OptionDefinition, REFUSED};

/// What the options of a job come to.
#[derive(Debug, Clone, PartialEq)]
pub struct JobOptions {
    /// What the job is called; `None`: as its manifest is.
    pub name: Option<String>,
    /// An IANA name.
    pub time_zone: String,
    /// How many subtasks an operator has that does not say otherwise.
    pub parallelism: u32,
    /// How many key groups the job has.
    pub max_parallelism: u32,
    /// Whether operators may share a task.
    pub operator_chaining: bool,
    /// After how many milliseconds without rows a split counts as idle. `None`: never.
    pub source_idle_timeout_ms: Option<i64>,
    /// How many milliseconds after its last change the state of a key is kept. `None`: for ever.
    pub state_ttl_ms: Option<i64>,
    /// Whether and when a failed job is started again.
    pub restart: RestartOptions,
}

impl Default for JobOptions {
    fn default() -> Self {
        Self {
            name: None,
            time_zone: "UTC".to_owned(),
            parallelism: 1,
            max_parallelism: 4096,
            operator_chaining: true,
            source_idle_timeout_ms: Some(60_000),
            state_ttl_ms: None,
            restart: RestartOptions::default(),
        }
    }
}

/// Where the value of an option comes from, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// `spec.config`.
    Config,
    /// `SET` in a SQL program.
    Statement,
    /// A field of the manifest.
    Field,
}

/// The texts of options, by where they come from and by the option's own name. Every one was checked when it was applied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionValues {
    config: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    statements: BTreeMap<String, String>,
    fields: BTreeMap<String, String>,
}

/// An option that cannot be set so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// Nobody knows it.
    #[error("the option '{key}' is not known{hint}")]
    Unknown {
        /// As it was given.
        key: String,
        /// The nearest one, in words, or nothing.
        hint: String,
    },
    /// Flink has it, and nothing here would follow from it.
    #[error("the option '{key}' is not supported: {why}; remove it")]
    NotSupported {
        /// As it was given.
        key: String,
        /// The reason.
        why: &'static str,
    },
    /// The value does not fit.
    #[error("the option '{key}' = '{value}' cannot be used: it should be {expected}")]
    Value {
        /// As it was given.
        key: String,
        /// As it was given.
        value: String,
        /// What it should be.
        expected: String,
    },
    /// Two names of one option in one place.
    #[error("the option '{key}' is given a second time, under another of its names; keep one of them")]
    Twice {
        /// The option's own name.
        key: &'static str,
    },
}

impl OptionValues {
    /// Sets the option `key`, or an option that has it as another name. The answer is a remark for the user: that it has no
    /// effect, and why.
    ///
    /// A second value from `SET` replaces the first; a second one from elsewhere is an error.
    pub fn apply(&mut self, key: &str, value: &str, origin: Origin) -> Result<Option<String>, OptionError> {
        let option = find(key)?;
        option.set(key, value, &mut JobOptions::default())?;
        let replaced = self.layer(origin).insert(option.name.to_owned(), value.to_owned());
        if replaced.is_some() && origin != Origin::Statement {
            return Err(OptionError::Twice { key: option.name });
        }
        if origin == Origin::Statement
            && let Some(stronger) = self.fields.get(option.name)
        {
            return Ok(Some(format!(
                "SET '{key}' = '{value}' has no effect: a field of the manifest says '{stronger}'"
            )));
        }
        Ok(remark(key, value))
    }

    /// What a user should be told of the options that the manifest sets.
    pub fn remarks(&self) -> Vec<String> {
        self.config.iter().chain(&self.fields).filter_map(|(key, value)| remark(key, value)).collect()
    }

    /// What is set, by the options' own names: of two places the stronger one.
    pub fn shown(&self) -> BTreeMap<String, String> {
        let layers = [&self.config, &self.statements, &self.fields];
        layers.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// Undoes `SET` of one option, or of all.
    pub fn reset(&mut self, key: Option<&str>) -> Result<(), OptionError> {
        match key {
            Some(key) => {
                self.statements.remove(find(key)?.name);
            }
            None => self.statements.clear(),
        }
        Ok(())
    }

    /// What they come to. Fails only for values that were not applied but read from somewhere, by another version.
    pub fn resolved(&self) -> Result<JobOptions, OptionError> {
        let mut options = JobOptions::default();
        for (key, value) in self.config.iter().chain(&self.statements).chain(&self.fields) {
            find(key)?.set(key, value, &mut options)?;
        }
        Ok(options)
    }

    fn layer(&mut self, origin: Origin) -> &mut BTreeMap<String, String> {
        match origin {
            Origin::Config => &mut self.config,
            Origin::Statement => &mut self.statements,
            Origin::Field => &mut self.fields,
        }
    }
}

/// What a user who sets `key` so should be told. Who asks for the default gets it.
fn remark(key: &str, value: &str) -> Option<String> {
    let option = find(key).ok()?;
    let remark = option.remark.filter(|_| !value.trim().eq_ignore_ascii_case(option.default))?;
    Some(format!("the option '{key}' {remark}"))
}

/// The option called `key`.
fn find(key: &str) -> Result<&'static OptionDefinition, OptionError> {
    if let Some(option) = OPTIONS.iter().find(|option| option.name == key || option.aliases.contains(&key)) {
        return Ok(option);
    }
    let names = || OPTIONS.iter().map(|option| option.name);
    let hint = nearest(key, names());
    let is_slip = hint.is_some_and(|near| strsim::damerau_levenshtein(near, key) <= 2);
    match REFUSED.iter().find(|(prefix, _)| key.starts_with(prefix)) {
        Some((_, why)) if !is_slip => Err(OptionError::NotSupported { key: key.to_owned(), why }),
        Some(_) | None => {
            let hint = hint.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
            Err(OptionError::Unknown { key: key.to_owned(), hint })
        }
    }
}

/// The page `docs/options.md`.
pub fn reference() -> String {
    let mut page = include_str!("options/reference.md").to_owned();
    for option in OPTIONS {
        let aliases: Vec<String> = option.aliases.iter().map(|alias| format!("`{alias}`")).collect();
        let aliases = if aliases.is_empty() { String::new() } else { format!(" Also called {}.", aliases.join(", ")) };
        let remark = option.remark.map_or_else(String::new, |remark| format!(" It {remark}."));
        let row =
            format!("| `{}` | {} | {} | {}{remark}{aliases} |\n", option.name, option.kind, option.default, option.doc);
        page.push_str(&row);
    }
    page
}
