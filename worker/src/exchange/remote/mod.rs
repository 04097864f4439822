//! How rows go from one worker to another.
//!
//! ```text
//!  worker a                                                                          worker b
//!  slot's thread            IO thread                    IO thread             slot's thread
//!
//!  RemoteSender ─► encode ─► queue 1 ─┐                         ┌─► InputGate ─► decode ─► chain
//!  RemoteSender ─► encode ─► queue 2 ─┼─► one TCP connection ───┼─► InputGate ─► decode ─► chain
//!       ...                           │◄────────────────────────┤        │
//!                                     └ credit for 1, for 2, ... ◄───────┘ taken
//! ```
//!
//! Two workers share one connection, whatever number of channels there are between them, in both directions. What travels
//! on it is drawn in `frame.rs`, how it begins in `greeting.rs`, what a batch becomes in `encode.rs`, the life of a channel
//! in `incoming.rs` and that of a connection in `link.rs`.
//!
//! # Guarantees
//! - A channel keeps the order of what is sent on it, and what arrives is what was sent.
//! - One that is not read does not slow the others: its sender is out of credit, its queue is full, its producer waits, and
//!   nothing of it stands in the way on the connection.
//! - What is sent is written at once when the connection is idle, and together with what else is there when it is not.
//! - A channel ends with the end of input, or its reader learns that it did not: `Lost` when the producer is gone, `Broken`
//!   with the reason when the connection is.
//! - Bytes that no worker of this build sends close the connection that they came on, with a reason in the log and, as far as
//!   it can be reached, to the one who sent them. They do not concern other connections.
//!
//! # Bounds
//! A channel waits in two places: up to [`CHANNEL_BYTES_MAX`] at its sender as any channel does, and up to
//! [`ExchangeSettings::window_bytes`] and one frame at its reader, whatever the other worker sends. Connections, frames,
//! channels that nobody has asked for and every wait for the other side have limits too: see [`ExchangeSettings`].
//!
//! # What is absent
//! There is no encryption and no proof of who calls: a network policy keeps everybody but the workers away from the port.

mod decode;
mod encode;
mod ended;
mod flow;
mod frame;
mod greeting;
mod hub;
mod incoming;
mod link;
mod message;
mod outgoing;
mod sender;
mod session;
mod views;
mod wire;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use millstream_graph::{JobId, WorkerId};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::{CHANNEL_BYTES_MAX, ChannelSender};
use hub::Hub;

pub(super) use decode::Decoder;
pub(super) use flow::Flow;
pub(super) use message::EncodedRows;
pub use millstream_protocol::message::Peer;
pub use sender::RemoteSender;

/// Names a channel between two tasks of one job in one of its tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelId {
    /// The job.
    pub job: JobId,
    /// Of the JobMaster that leads it.
    pub epoch: u64,
    /// Which try, so that what is left of an earlier one does not get into a later one.
    pub attempt: u32,
    /// The edge's place in the JobGraph.
    pub edge: u32,
    /// The subtask that sends.
    pub from: u32,
    /// The subtask that receives.
    pub to: u32,
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { job, epoch, attempt, edge, from, to } = self;
        write!(f, "edge {edge} from subtask {from} to {to} of job {job} (epoch {epoch}, try {attempt})")
    }
}

/// How an exchange works. All workers of a cluster need the same.
#[derive(Debug, Clone)]
pub struct ExchangeSettings {
    /// Only workers of the same build understand each other.
    pub build: Arc<str>,
    /// How long another worker may be silent, or take to be reached, before it is given up. 10 s.
    pub timeout: Duration,
    /// How long this worker is silent before it says that it is there. 1 s.
    pub ping_interval: Duration,
    /// How long to wait before another worker is called again, at first; doubled every time. 50 ms.
    pub retry_pause: Duration,
    /// How long to wait at most. 1 s.
    pub retry_pause_max: Duration,
    /// How long a channel may have a task at one end only, before that task is told that it waits in vain. Tasks of a job do
    /// not start at the same time, and some read state first. 2 min.
    pub one_sided_max: Duration,
    /// How long a connection without channels is kept. 30 s.
    pub idle_timeout: Duration,
    /// What may be on its way to a reader or wait at it, for each channel. 4 MiB.
    pub window_bytes: usize,
    /// The longest payload of a frame; a single row must fit in. 64 MiB.
    pub frame_bytes_max: usize,
    /// Connections that are accepted at a time. 1,024.
    pub connections_max: usize,
    /// Channels that another worker may open before tasks of this one ask for them. 65,536.
    pub unasked_channels_max: usize,
}

impl Default for ExchangeSettings {
    fn default() -> Self {
        Self {
            build: env!("CARGO_PKG_VERSION").into(),
            timeout: Duration::from_secs(10),
            ping_interval: Duration::from_secs(1),
            retry_pause: Duration::from_millis(50),
            retry_pause_max: Duration::from_secs(1),
            one_sided_max: Duration::from_secs(120),
            idle_timeout: Duration::from_secs(30),
            window_bytes: CHANNEL_BYTES_MAX,
            frame_bytes_max: 64 * 1024 * 1024,
            connections_max: 1024,
            unasked_channels_max: 64 * 1024,
        }
    }
}

/// What an exchange has and has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExchangeCounts {
    /// Connections to other workers.
    pub connections: usize,
    /// Other workers that there are channels to, or a connection.
    pub peers: usize,
    /// Channels that are sent on, the last word of which is not written yet.
    pub sending: usize,
    /// Channels that are read, the last word of which has not come yet.
    pub receiving: usize,
    /// Bytes that wait to be sent.
    pub sending_bytes: usize,
    /// Bytes that came and are not known to be taken by their readers.
    pub receiving_bytes: usize,
    /// Bytes written since the start (`numBytesOutRemote`).
    pub bytes_out: u64,
    /// Bytes read since the start (`numBytesInRemote`).
    pub bytes_in: u64,
    /// Frames read since the start (`numBuffersInRemote`).
    pub frames_in: u64,
    /// Connections that were refused since the start.
    pub refused: u64,
}

/// The exchange of a worker with others. Clones are the same exchange; it ends when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Exchange {
    hub: Arc<Hub>,
    address: SocketAddr,
    stop: Arc<watch::Sender<bool>>,
}

impl Exchange {
    /// The exchange of `worker`, which listens at `address`. It runs on the runtime that this is called in.
    pub async fn bind(worker: WorkerId, address: SocketAddr, settings: ExchangeSettings) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let runtime = Handle::current();
        let hub = Hub::new(worker, settings, runtime.clone(), stopped);
        runtime.spawn(Arc::clone(&hub).listen(listener));
        Ok(Self { hub, address, stop: Arc::new(stop) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The sending end of `channel` to a task of `peer`. Does not wait: what is sent goes as soon as there is a connection and
    /// the task has asked for the channel.
    pub fn sender(&self, peer: &Peer, channel: ChannelId) -> RemoteSender {
        let (link, opened) = self.hub.with_link(peer, |link| link.open(channel));
        match opened {
            Ok((number, room)) => RemoteSender::new(link, number, room, self.hub.settings().frame_bytes_max),
            Err(why) => RemoteSender::lost(link, &why),
        }
    }

    /// What is sent on `channel` by a task of `peer` goes into a gate by `into`. Either side may be the first.
    pub fn receive(&self, peer: &Peer, channel: ChannelId, into: ChannelSender) {
        let into = Arc::new(into);
        let (_, asked) = self.hub.with_link(peer, |link| link.ask(channel, &into));
        if let Err(why) = asked {
            into.fail(why.error(peer));
        }
    }

    /// Closes all connections and listens no more. Channels that are not at their end are lost.
    pub fn shut_down(&self) {
        // Nobody listens any more if it is down already.
        let _ = self.stop.send(true);
    }

    /// What it has and has done.
    pub fn counts(&self) -> ExchangeCounts {
        let traffic = self.hub.traffic();
        let mut counts = ExchangeCounts {
            connections: self.hub.connections(),
            bytes_out: traffic.bytes_out.load(Ordering::Relaxed),
            bytes_in: traffic.bytes_in.load(Ordering::Relaxed),
            frames_in: traffic.frames_in.load(Ordering::Relaxed),
            refused: traffic.refused.load(Ordering::Relaxed),
            ..ExchangeCounts::default()
        };
        for link in self.hub.links() {
            let ((sending, sending_bytes), (receiving, receiving_bytes)) = (link.sending(), link.receiving());
            counts.peers += 1;
            counts.sending += sending;
            counts.receiving += receiving;
            counts.sending_bytes += sending_bytes;
            counts.receiving_bytes += receiving_bytes;
        }
        counts
    }
}

#[cfg(test)]
mod tests;
