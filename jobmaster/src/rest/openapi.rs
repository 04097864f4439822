//! `GET /openapi.json`: a document that describes everything else.

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Router, response::Response};
use millstream_api::openapi;

use super::Rest;

/// Where the document is.
const OPENAPI: &str = "/openapi.json";

pub(super) fn routes() -> Router<Rest> {
    // It does not change, so it is made once.
    let text: axum::body::Bytes = openapi::text().into();
    Router::new().route(OPENAPI, get(async move || document(text)))
}

fn document(text: axum::body::Bytes) -> Response {
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}
