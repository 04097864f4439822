//! The jobmaster's end of the streams.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_stream::{Stream, StreamExt};
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use super::wire::job_master_server::{JobMaster, JobMasterServer};
use super::{MESSAGE_MAX, decode, encode, wire};
use crate::link::{Link, MESSAGES_MAX, MasterLink};
use crate::message::FromWorker;

/// How long the transport of a connection may be silent before it is asked whether it is alive, and how long it may take to
/// answer. A worker says itself that it is there; this is for connections that never say anything.
const TRANSPORT_SILENCE: Duration = Duration::from_secs(30);

/// Takes connections from `listener` and gives the jobmaster's end of each to `connected`, until that is closed.
pub async fn serve(listener: TcpListener, connected: mpsc::Sender<MasterLink>) -> io::Result<()> {
    let closed = connected.clone();
    let service = JobMasterServer::new(Gateway { connected }).max_decoding_message_size(MESSAGE_MAX);
    Server::builder()
        .tcp_nodelay(true)
        .http2_keepalive_interval(Some(TRANSPORT_SILENCE))
        .http2_keepalive_timeout(Some(TRANSPORT_SILENCE))
        .add_service(service)
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), async move { closed.closed().await })
        .await
        .map_err(io::Error::other)
}

struct Gateway {
    connected: mpsc::Sender<MasterLink>,
}

#[tonic::async_trait]
impl JobMaster for Gateway {
    type ConnectStream = Pin<Box<dyn Stream<Item = Result<wire::ToWorker, Status>> + Send>>;

    async fn connect(
        &self,
        request: Request<Streaming<wire::FromWorker>>,
    ) -> Result<Response<Self::ConnectStream>, Status> {
        let (heard, hears) = mpsc::channel(MESSAGES_MAX);
        let (says, outgoing) = mpsc::channel(MESSAGES_MAX);
        tokio::spawn(listen(request.into_inner(), heard));
        let link = Link { sender: says, receiver: hears };
        self.connected.send(link).await.map_err(|_| Status::unavailable("the jobmaster is ending"))?;
        let stream = ReceiverStream::new(outgoing).map(|message| Ok(encode::to_worker(message)));
        Ok(Response::new(Box::pin(stream)))
    }
}

/// Takes what comes until either end is gone.
async fn listen(mut incoming: Streaming<wire::FromWorker>, heard: mpsc::Sender<FromWorker>) {
    loop {
        let message = tokio::select! {
            message = incoming.message() => message,
            () = heard.closed() => return,
        };
        let message = match message {
            Ok(Some(message)) => decode::from_worker(message),
            Ok(None) => return,
            Err(status) => return tracing::debug!("the connection to a worker is lost: {}", status.message()),
        };
        match message {
            Ok(message) => {
                if heard.send(message).await.is_err() {
                    return;
                }
            }
            Err(missing) => return tracing::error!("a worker is not understood, its connection is closed: {missing}"),
        }
    }
}
