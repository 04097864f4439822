//! A server on a port of its own, and a client that sends any bytes.

use std::net::SocketAddr;

use millstream_api::Errors;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::cluster::{Cluster, SOON};
use crate::job_manager::JobManagerHandle;
use crate::rest::{Limits, Settings, serve};

/// A server that ends when this is dropped or it is told to.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    end: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Server {
    pub(super) async fn start(cluster: &Cluster, limits: Limits) -> Self {
        Self::over(cluster.handle().clone(), limits).await
    }

    /// Asks this jobmaster.
    pub(super) async fn over(handle: JobManagerHandle, limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (end, ended) = oneshot::channel::<()>();
        let settings = Settings { limits, ..Settings::default() };
        let ending = async {
            // Dropping the other side is an end too.
            let _ = ended.await;
        };
        let serving = tokio::spawn(serve(listener, handle, settings, ending));
        Self { address, end, serving }
    }

    /// Tells the server to end; the answer is done when it has.
    pub(super) fn end(self) -> JoinHandle<()> {
        let _ = self.end.send(());
        self.serving
    }

    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends `request` and reads until the server closes the connection.
    pub(super) async fn exchange(&self, request: &[u8]) -> Response {
        let mut stream = self.connect().await;
        stream.write_all(request).await.unwrap();
        read_to_end(&mut stream).await
    }

    /// Asks without a body.
    pub(super) async fn ask(&self, method: &str, path: &str) -> Response {
        self.exchange(format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await
    }

    /// Sends `body` with these further lines of a head.
    pub(super) async fn post(&self, path: &str, head: &str, body: &str) -> Response {
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{head}\r\n{body}"
        );
        self.exchange(request.as_bytes()).await
    }
}

/// What a server has sent.
#[derive(Debug)]
pub(super) struct Response(String);

impl Response {
    /// Nothing is 0.
    pub(super) fn status(&self) -> u16 {
        self.0.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok()).unwrap_or(0)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let head = self.0.split("\r\n\r\n").next()?;
        head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(super) fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    pub(super) fn errors(&self) -> Vec<String> {
        serde_json::from_str::<Errors>(self.body()).unwrap_or_else(|error| panic!("{error}: {self:?}")).errors
    }
}

/// Reads until the server closes the connection. One that is reset has sent what came before that.
pub(super) async fn read_to_end(stream: &mut TcpStream) -> Response {
    let mut all = Vec::new();
    let read = tokio::time::timeout(SOON, stream.read_to_end(&mut all)).await;
    let _ = read.expect("the connection was not closed in time");
    Response(String::from_utf8(all).unwrap())
}
