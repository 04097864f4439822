//! `POST /jobs`: a new job from the text of a manifest.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use millstream_api::{SubmitResponse, paths};

use super::Rest;
use super::body::{self, BodyLimit};
use super::error::RestError;
use crate::job_manager::Refusal;

pub(super) fn routes() -> Router<Rest> {
    Router::new().route(paths::JOBS, post(submit))
}

async fn submit(State(rest): State<Rest>, request: Request) -> Result<(StatusCode, Json<SubmitResponse>), RestError> {
    let limits = rest.limits();
    let limit = BodyLimit { what: "the manifest", bytes_max: limits.manifest_bytes_max, timeout: limits.body_timeout };
    limit.check(&request)?;
    let place = Arc::clone(&rest.submissions).acquire_owned();
    let place = tokio::time::timeout(limits.body_timeout, place).await;
    let place = place.map_err(|_| RestError::Busy(limits.body_timeout))?;
    let text = String::from_utf8(body::read(request, limit).await?.into());
    let text = text.map_err(|_| RestError::Unreadable("the manifest is not UTF-8 text".to_owned()))?;
    // What a client that goes away has begun is done, and takes up its place until then.
    let submitted = tokio::spawn(async move {
        let submitted = rest.handle.submit_manifest(text).await;
        drop(place);
        submitted
    });
    let submitted = submitted.await.map_err(|error| Refusal::NotStored(error.to_string()))??;
    Ok((StatusCode::ACCEPTED, Json(SubmitResponse::of(submitted.job.to_string(), submitted.warnings))))
}
