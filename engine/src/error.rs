//! What can go wrong in the data plane, by cause, and what should be done about it.

use arrow::error::ArrowError;
use datafusion_common::DataFusionError;

use crate::memory::Bytes;

/// The answer of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong in a task.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The user's data does not fit the user's program, as a division by zero or a failing cast.
    #[error("{context}: {message}")]
    Data {
        /// The operator or source, and where in its input, as far as that is known.
        context: String,
        /// What is wrong with which value.
        message: String,
    },
    /// A row has no event time where a window needs one.
    #[error(
        "operator `{operator}`: a row has no event time (the timestamp is Long.MIN, the marker of \"no timestamp\"); \
         give the source an event time or a watermark, or filter such rows out"
    )]
    NoEventTime {
        /// The operator that needed it.
        operator: String,
    },
    /// A setting that cannot work, found where it is used.
    #[error("{0}")]
    Invalid(String),
    /// A file, socket or other outside system failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done to which thing.
        what: String,
        /// The system's own words.
        #[source]
        source: std::io::Error,
    },
    /// Stored state cannot be read back.
    #[error("state of operator `{operator}` cannot be restored: {message}")]
    State {
        /// The operator.
        operator: String,
        /// What does not fit.
        message: String,
    },
    /// The tasks of a slot hold more memory than it may use.
    #[error(
        "the slot's memory budget of {budget} is used up: {used}, of which {users}; give slots more memory \
         (--slot-memory), or raise the parallelism, so that each holds less"
    )]
    Memory {
        /// What the slot may use.
        budget: Bytes,
        /// What its tasks hold.
        used: Bytes,
        /// What holds it, the most first.
        users: String,
    },
    /// A column kernel failed.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
    /// An expression failed.
    #[error("{}", .0.message())]
    Expression(Box<DataFusionError>),
    /// Our own mistake.
    #[error("internal error: {0}; this is a bug in Millstream")]
    Internal(String),
}

/// What the scheduler does about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// The same call may work when it is made again.
    RetryOperation,
    /// The task may work when it is started again from its last checkpoint.
    RestartTask,
    /// It will fail the same way again: only a person can help.
    FailJob,
}

impl Error {
    /// Our own mistake, in words.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::Internal(message.into())
    }

    /// The user's data does not fit, in words.
    pub fn data(context: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Data { context: context.into(), message: message.into() }
    }

    /// `what` could not be computed, in words.
    pub fn computing(what: impl Into<String>, error: &DataFusionError) -> Self {
        let message = match error.find_root() {
            DataFusionError::ArrowError(arrow, _) if matches!(**arrow, ArrowError::DivideByZero) => {
                "a division by zero; NULLIF(x, 0) as the divisor makes the result null".to_owned()
            }
            root => root.message().into_owned(),
        };
        Self::data(what, message)
    }

    /// An outside system failed while `what` was done.
    pub fn io(what: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }

    /// What should be done about this error.
    pub fn recovery(&self) -> Recovery {
        match self {
            // After a restart tables are as large as what is in them, queues are empty, and there may be more subtasks.
            Self::Io { .. } | Self::Memory { .. } => Recovery::RestartTask,
            Self::Data { .. }
            | Self::NoEventTime { .. }
            | Self::Invalid(_)
            | Self::State { .. }
            | Self::Arrow(_)
            | Self::Expression(_)
            | Self::Internal(_) => Recovery::FailJob,
        }
    }
}

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Self {
        Self::Expression(Box::new(error))
    }
}
