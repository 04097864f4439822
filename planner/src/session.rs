//! What a program is planned in: options and clocks, all given from outside, so that planning is a pure function.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::options::{JobOptions, OptionValues, Origin};

pub use crate::functions::Clock;

/// The surroundings of a program. `SET` and `RESET` change them while the program is planned.
#[derive(Clone)]
pub struct Session {
    options: OptionValues,
    job: JobOptions,
    clock: Clock,
}

impl Session {
    /// A session with these options.
    pub fn new(options: OptionValues, clock: Clock) -> Result<Self> {
        let job = options.resolved().map_err(|error| Error::new(error.to_string()))?;
        Ok(Self { options, job, clock })
    }

    /// What the options come to.
    pub fn job(&self) -> &JobOptions {
        &self.job
    }

    /// The options by name and origin, those of `SET` among them.
    pub fn options(&self) -> &OptionValues {
        &self.options
    }

    /// The clock that functions read while the job runs.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// `SET 'key' = 'value'`. The answer is a remark for the user, if there is one.
    pub(crate) fn set(&mut self, key: &str, value: &str) -> Result<Option<String>> {
        let remark =
            self.options.apply(key, value, Origin::Statement).map_err(|error| Error::new(error.to_string()))?;
        self.resolve()?;
        Ok(remark)
    }

    /// `RESET` of one option, or of all.
    pub(crate) fn reset(&mut self, key: Option<&str>) -> Result<()> {
        self.options.reset(key).map_err(|error| Error::new(error.to_string()))?;
        self.resolve()
    }

    fn resolve(&mut self) -> Result<()> {
        self.job = self.options.resolved().map_err(|error| Error::new(error.to_string()))?;
        Ok(())
    }
}

impl Default for Session {
    /// No options; the clock stands at 1970-01-01. For tests and for `explain`, which run nothing.
    fn default() -> Self {
        Self { options: OptionValues::default(), job: JobOptions::default(), clock: Arc::new(|| 0) }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("options", &self.options).finish_non_exhaustive()
    }
}
