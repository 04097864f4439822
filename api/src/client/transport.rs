//! One request and its answer, within the client's limits.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_TYPE};
use hyper::{Method, Request, Response, StatusCode};
use serde::de::DeserializeOwned;

use super::{Client, ClientError};
use crate::error::Errors;

/// How much of an answer that is not understood is shown.
const SHOWN_CHARS_MAX: usize = 200;

/// What is asked for.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// With the query.
    pub(super) path: String,
    /// With its content type.
    pub(super) body: Option<(&'static str, Bytes)>,
}

impl Call {
    pub(super) fn get(path: String) -> Self {
        Self { method: Method::GET, path, body: None }
    }

    pub(super) fn patch(path: String) -> Self {
        Self { method: Method::PATCH, path, body: None }
    }

    pub(super) fn post(path: String, content_type: &'static str, body: Bytes) -> Self {
        Self { method: Method::POST, path, body: Some((content_type, body)) }
    }

    /// As errors name it.
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

impl Client {
    /// Sends a request and reads the answer.
    pub(super) async fn ask<T: DeserializeOwned>(&self, call: Call) -> Result<T, ClientError> {
        let name = call.name();
        let after = self.options.request_timeout;
        let (status, body) = match tokio::time::timeout(after, self.exchange(call, &name)).await {
            Ok(answer) => answer?,
            Err(_) => return Err(ClientError::Timeout { address: self.address().to_owned(), request: name, after }),
        };
        if !status.is_success() {
            return Err(ClientError::Refused { status: status.as_u16(), errors: errors(&body) });
        }
        serde_json::from_slice(&body)
            .map_err(|error| self.not_understood(name, format!("{error} in `{}`", shown(&body))))
    }

    async fn exchange(&self, call: Call, name: &str) -> Result<(StatusCode, Bytes), ClientError> {
        let uri = self.address.uri(&call.path)?;
        let mut request = Request::builder().method(call.method).uri(uri).header(ACCEPT, "application/json");
        let body = match call.body {
            Some((content_type, body)) => {
                request = request.header(CONTENT_TYPE, content_type);
                body
            }
            None => Bytes::new(),
        };
        let request = request.body(Full::new(body));
        let request = request.map_err(|error| self.not_understood(name.to_owned(), error.to_string()))?;
        let response = self.http.request(request).await.map_err(|error| match error.is_connect() {
            true => ClientError::Unreachable { address: self.address().to_owned(), source: Box::new(error) },
            false => self.broken(name, Box::new(error)),
        })?;
        self.read(response, name).await
    }

    /// Reads an answer to its end, or until it is too long.
    async fn read(&self, response: Response<Incoming>, name: &str) -> Result<(StatusCode, Bytes), ClientError> {
        let status = response.status();
        let bytes_max = self.options.answer_bytes_max;
        match Limited::new(response.into_body(), bytes_max).collect().await {
            Ok(body) => Ok((status, body.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => {
                Err(ClientError::TooLong { address: self.address().to_owned(), request: name.to_owned(), bytes_max })
            }
            Err(error) => Err(self.broken(name, error)),
        }
    }

    fn broken(&self, name: &str, source: Box<dyn std::error::Error + Send + Sync>) -> ClientError {
        ClientError::Broken { address: self.address().to_owned(), request: name.to_owned(), source }
    }

    fn not_understood(&self, request: String, why: String) -> ClientError {
        ClientError::NotUnderstood { address: self.address().to_owned(), request, why }
    }
}

/// What a refusal says. One that is not the JobMaster's, but a proxy's page, is shown as it is.
fn errors(body: &[u8]) -> Vec<String> {
    match serde_json::from_slice::<Errors>(body) {
        Ok(errors) => errors.errors,
        Err(_) => Some(shown(body)).filter(|text| !text.is_empty()).into_iter().collect(),
    }
}

/// The beginning of an answer.
fn shown(body: &[u8]) -> String {
    // A character has at most four bytes.
    let beginning = &body[..body.len().min(4 * SHOWN_CHARS_MAX)];
    String::from_utf8_lossy(beginning).trim().chars().take(SHOWN_CHARS_MAX).collect()
}
