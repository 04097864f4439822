//! Connections: how many there may be, how slow they may be, and how they end.
//!
//! Clients that are slow, wrong or many cost a bounded amount and do not stop the others:
//!
//! | what a client does | what becomes of it |
//! |---|---|
//! | opens more connections than there may be | they wait in the listener's queue |
//! | sends the head of a request slowly, or nothing | its connection is closed after [`Limits::head_timeout`] |
//! | sends a head that is too long, or no HTTP | status 431 or 400, and its connection is closed |
//! | sends a body slowly, or too much of it | status 408 or 413, and its connection is closed |
//! | does not read its answer | it is cut off after twice [`Limits::connection_age_max`] |
//! | goes away | its request is dropped; a job that it has submitted is started |

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::{Limits, Rest, Settings, router};
use crate::job_manager::JobManagerHandle;

/// Headers that a request may have.
const HEADERS_MAX: usize = 64;
/// The least that hyper takes as the length of a head.
const HEAD_BYTES_MIN: usize = 8 << 10;
/// The wait after a connection could not be taken, as when the process has no file descriptors left.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);
/// How long what a client still sends is read and thrown away after its connection was closed on this side.
const LINGER: Duration = Duration::from_secs(5);

/// Answers requests until `ending` is done; then requests that have begun are worked on to their end, but not for longer than
/// [`Limits::end_timeout`].
///
/// It keeps `handle`, and with it the jobmaster, until it returns.
pub async fn serve(
    listener: TcpListener,
    handle: JobManagerHandle,
    settings: Settings,
    ending: impl Future<Output = ()> + Send,
) {
    let limits = settings.limits;
    let server = Server {
        router: router(Rest::new(handle, settings)),
        limits,
        places: Arc::new(Semaphore::new(limits.connections_max)),
    };
    let (ended, _) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut ending = pin!(ending);
    loop {
        tokio::select! {
            () = &mut ending => break,
            Some(_) = connections.join_next() => {}
            (stream, place) = server.accept(&listener) => {
                connections.spawn(server.clone().serve(stream, place, ended.subscribe()));
            }
        }
    }
    drop(listener);
    ended.send_replace(true);
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.end_timeout, all).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "requests are cut off: they did not end within {:?}",
            limits.end_timeout
        );
    }
}

/// What all connections share.
#[derive(Debug, Clone)]
struct Server {
    router: Router,
    limits: Limits,
    /// One for each connection that there may be.
    places: Arc<Semaphore>,
}

type Answering = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

impl Server {
    /// The next connection, once there is a place for it.
    async fn accept(&self, listener: &TcpListener) -> (TcpStream, Option<OwnedSemaphorePermit>) {
        // The semaphore is never closed, so there always is a place at last.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return (stream, place),
                Err(error) => {
                    tracing::warn!("a connection could not be taken: {error}");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    /// Answers the requests of a connection, one after the other.
    async fn serve(self, stream: TcpStream, _place: Option<OwnedSemaphorePermit>, mut ended: watch::Receiver<bool>) {
        let mut connection = self.http().serve_connection(TokioIo::new(stream), self.service());
        let last_request = async {
            tokio::select! {
                () = tokio::time::sleep(self.limits.connection_age_max) => {}
                // An error means that the server is gone altogether.
                _ = ended.wait_for(|ended| *ended) => {}
            }
        };
        let served = tokio::select! {
            served = poll_fn(|cx| connection.poll_without_shutdown(cx)) => served,
            () = last_request => {
                Pin::new(&mut connection).graceful_shutdown();
                let rest = poll_fn(|cx| connection.poll_without_shutdown(cx));
                match tokio::time::timeout(self.limits.connection_age_max, rest).await {
                    Ok(served) => served,
                    Err(_) => return tracing::debug!("a client was cut off: it did not read its answer"),
                }
            }
        };
        match served {
            Err(error) if !error.is_parse() => tracing::debug!("a connection has ended: {error}"),
            Ok(()) | Err(_) => tokio::select! {
                () = linger(connection.into_parts().io.into_inner()) => {}
                _ = ended.wait_for(|ended| *ended) => {}
            },
        }
    }

    fn http(&self) -> http1::Builder {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(self.limits.head_timeout)
            .max_headers(HEADERS_MAX)
            .max_buf_size(self.limits.head_bytes_max.max(HEAD_BYTES_MIN));
        http
    }

    fn service(
        &self,
    ) -> impl Service<Request<Incoming>, Response = Response, Error = Infallible, Future = Answering> + use<> {
        let router = TowerToHyperService::new(self.router.clone());
        service_fn(move |request| -> Answering { Box::pin(router.call(request)) })
    }
}

/// Closes a connection so that the client gets all that it was sent: one that is closed while bytes of the client are unread
/// is reset, and the client may lose the answer that says why its body is not wanted.
async fn linger(mut stream: TcpStream) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut unwanted = vec![0; 16 << 10];
    let read_on = async { while stream.read(&mut unwanted).await.is_ok_and(|bytes| bytes > 0) {} };
    // Whoever goes on sending has had time to read.
    let _ = tokio::time::timeout(LINGER, read_on).await;
}
