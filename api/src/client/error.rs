//! Why an answer did not come, in words that a person can act on.

use std::error::Error;
use std::io;
use std::time::Duration;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The client was given an address that is none.
    #[error("`{address}` is not the address of a JobMaster: {why}; write `host:port`")]
    BadAddress {
        /// The address.
        address: String,
        /// What is wrong with it.
        why: String,
    },
    /// There was no connection.
    #[error(
        "no JobMaster answers at {address}: {}; is `millstream jobmaster` running there? --rest names another address",
        cause(.source.as_ref())
    )]
    Unreachable {
        /// The host and the port.
        address: String,
        /// Why not.
        source: Box<dyn Error + Send + Sync>,
    },
    /// There was a connection, and it ended before the answer did. Whether the request was carried out is not known.
    #[error(
        "the JobMaster at {address} ended the connection before it had answered {request}: {}; it may have stopped, and \
         may have done what it was asked before that",
        cause(.source.as_ref())
    )]
    Broken {
        /// The host and the port.
        address: String,
        /// The method and the path.
        request: String,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The JobMaster answered, and the answer is that it does not do that.
    #[error("{}", refusal(*.status, .errors))]
    Refused {
        /// The status: 404 when there is no such thing, 400 when the request is wrong, and so on.
        status: u16,
        /// What it says is wrong, one sentence each.
        errors: Vec<String>,
    },
    /// The answer took too long. Whether the request was carried out is not known.
    #[error("the JobMaster at {address} has not answered {request} within {after:?}; it may be overloaded or stuck")]
    Timeout {
        /// The host and the port.
        address: String,
        /// The method and the path.
        request: String,
        /// How long the client has waited.
        after: Duration,
    },
    /// The answer has more bytes than the client takes.
    #[error("the answer of {address} to {request} has more than {bytes_max} bytes")]
    TooLong {
        /// The host and the port.
        address: String,
        /// The method and the path.
        request: String,
        /// How many it takes.
        bytes_max: usize,
    },
    /// The answer is not what a JobMaster of this version writes.
    #[error(
        "the answer of {address} to {request} is not understood: {why}; another program or another version of Millstream \
         may listen there"
    )]
    NotUnderstood {
        /// The host and the port.
        address: String,
        /// The method and the path.
        request: String,
        /// What is wrong with it.
        why: String,
    },
}

/// What the system says at the bottom of it all, in few words where it has any: `connection refused`.
fn cause(error: &(dyn Error + 'static)) -> String {
    let mut deepest = error;
    loop {
        if let Some(error) = deepest.downcast_ref::<io::Error>()
            && (error.raw_os_error().is_some() || error.kind() == io::ErrorKind::TimedOut)
        {
            return error.kind().to_string();
        }
        match deepest.source() {
            Some(source) => deepest = source,
            None => return deepest.to_string(),
        }
    }
}

fn refusal(status: u16, errors: &[String]) -> String {
    if errors.is_empty() {
        return format!("the JobMaster answers with status {status} and does not say why");
    }
    errors.join("\n")
}
