//! Reads the body of a request within limits of size and time.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;

use super::error::RestError;

/// What is taken of a body.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyLimit {
    /// What it is, for errors: `the manifest`.
    pub(super) what: &'static str,
    /// The most bytes.
    pub(super) bytes_max: usize,
    /// The longest that it may take to arrive.
    pub(super) timeout: Duration,
}

impl BodyLimit {
    /// Refuses a body that says beforehand that it is too long. It is not read at all then.
    pub(super) fn check(self, request: &Request) -> Result<(), RestError> {
        let Self { what, bytes_max, .. } = self;
        let is_too_long = request.body().size_hint().lower() > bytes_max as u64;
        if is_too_long { Err(RestError::TooLong { what, bytes_max }) } else { Ok(()) }
    }
}

/// The body of `request`.
pub(super) async fn read(request: Request, limit: BodyLimit) -> Result<Bytes, RestError> {
    limit.check(&request)?;
    let BodyLimit { what, timeout, .. } = limit;
    match tokio::time::timeout(timeout, collect(request.into_body(), limit)).await {
        Ok(read) => read,
        Err(_) => Err(RestError::TooSlow { what, timeout }),
    }
}

async fn collect(body: Body, BodyLimit { what, bytes_max, .. }: BodyLimit) -> Result<Bytes, RestError> {
    match Limited::new(body, bytes_max).collect().await {
        Ok(read) => Ok(read.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(RestError::TooLong { what, bytes_max }),
        Err(error) => Err(RestError::Unreadable(format!("{what} did not arrive whole: {error}"))),
    }
}
