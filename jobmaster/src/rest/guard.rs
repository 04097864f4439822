//! What is done around every request: a line for whoever looks for it, and a look at who asks.

use std::time::Instant;

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::RestError;

/// Says what was asked and how it was answered.
pub(super) async fn log(request: Request, next: Next) -> Response {
    let (method, uri, began) = (request.method().clone(), request.uri().clone(), Instant::now());
    let response = next.run(request).await;
    tracing::debug!(%method, %uri, status = response.status().as_u16(), took = ?began.elapsed(), "a request");
    response
}

/// Refuses what would change something if a page of another site asks for it: a job writes files, and any page that someone
/// looks at could start one through their browser. Browsers say where a page is from; other clients do not.
pub(super) async fn refuse_other_sites(request: Request, next: Next) -> Response {
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    match other_site(request.headers()).filter(|_| changes) {
        Some(site) => RestError::OtherSite(site).into_response(),
        None => next.run(request).await,
    }
}

/// The site that a page is from which asks for this, if that is not this server.
fn other_site(headers: &HeaderMap) -> Option<String> {
    let text = |name: HeaderName| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let origin = text(ORIGIN);
    match text(HeaderName::from_static("sec-fetch-site")).as_deref() {
        Some("same-origin" | "none") => None,
        Some(_) => Some(origin.unwrap_or_else(|| "another site".to_owned())),
        // An old browser, or a connection that a browser does not trust to tell more.
        None => origin.filter(|origin| origin.split_once("://").map(|(_, host)| host) != text(HOST).as_deref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(headers: &[(&'static str, &'static str)]) -> Option<String> {
        let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        other_site(&headers.collect())
    }

    #[test]
    fn pages_of_other_sites_are_known_by_what_browsers_say() {
        assert_eq!(site(&[("host", "localhost:8081")]), None, "no browser");
        assert_eq!(site(&[("host", "localhost:8081"), ("origin", "http://localhost:8081")]), None);
        let evil = Some("https://evil.example".to_owned());
        assert_eq!(site(&[("host", "localhost:8081"), ("origin", "https://evil.example")]), evil);
        assert_eq!(site(&[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")]), evil);
        assert_eq!(
            site(&[("host", "localhost:8081"), ("origin", "null")]),
            Some("null".to_owned()),
            "a sandboxed frame"
        );
        // Behind a proxy that changes `host` the browser still knows.
        let proxied =
            [("host", "jobmaster:8081"), ("origin", "https://flink.example"), ("sec-fetch-site", "same-origin")];
        assert_eq!(site(&proxied), None);
        assert_eq!(site(&[("sec-fetch-site", "same-site")]), Some("another site".to_owned()));
    }
}
