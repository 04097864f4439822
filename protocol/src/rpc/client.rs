//! The worker's end of the stream.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Endpoint;

use super::wire::job_master_client::JobMasterClient;
use super::{MESSAGE_MAX, decode, encode, wire};
use crate::link::{Link, MESSAGES_MAX, WorkerLink};
use crate::message::ToWorker;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is not one.
    #[error("`{0}` is not the address of a jobmaster: it should be HOST:PORT")]
    Address(String),
    /// Nobody answers, or somebody else does.
    #[error("no jobmaster answers at {address}: {why}")]
    Unreachable {
        /// Where it was looked for.
        address: String,
        /// Why not.
        why: String,
    },
}

/// Connects to the jobmaster at `address`, `HOST:PORT`. `timeout` is for each of the steps of connecting.
pub async fn connect(address: &str, timeout: Duration) -> Result<WorkerLink, ConnectError> {
    let endpoint =
        Endpoint::from_shared(format!("http://{address}")).map_err(|_| ConnectError::Address(address.to_owned()))?;
    let unreachable = |why: String| ConnectError::Unreachable { address: address.to_owned(), why };
    let channel = endpoint
        .connect_timeout(timeout)
        .tcp_nodelay(true)
        .connect()
        .await
        .map_err(|error| unreachable(root_cause(&error)))?;
    let (says, outgoing) = mpsc::channel(MESSAGES_MAX);
    let stream = ReceiverStream::new(outgoing).map(encode::from_worker);
    let mut client = JobMasterClient::new(channel).max_decoding_message_size(MESSAGE_MAX);
    let answer = tokio::time::timeout(timeout, client.connect(stream)).await;
    let incoming = match answer {
        Ok(Ok(answer)) => answer.into_inner(),
        Ok(Err(status)) => return Err(unreachable(status.message().to_owned())),
        Err(_) => return Err(unreachable(format!("no answer within {timeout:?}"))),
    };
    let (heard, hears) = mpsc::channel(MESSAGES_MAX);
    tokio::spawn(listen(incoming, heard));
    Ok(Link { sender: says, receiver: hears })
}

/// Takes what comes until either end is gone.
async fn listen(mut incoming: Streaming<wire::ToWorker>, heard: mpsc::Sender<ToWorker>) {
    loop {
        let message = tokio::select! {
            message = incoming.message() => message,
            () = heard.closed() => return,
        };
        let message = match message {
            Ok(Some(message)) => decode::to_worker(message),
            Ok(None) => return,
            Err(status) => return tracing::debug!("the connection to the jobmaster is lost: {}", status.message()),
        };
        match message {
            Ok(message) => {
                if heard.send(message).await.is_err() {
                    return;
                }
            }
            Err(missing) => {
                return tracing::error!("the jobmaster is not understood, the connection is closed: {missing}");
            }
        }
    }
}

/// The innermost cause, which has the words that help.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
