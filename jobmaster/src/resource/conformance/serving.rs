//! Where the jobmaster of a case takes workers' connections.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinHandle};

use super::cluster::{DEADLINE, LOOK};
use crate::job_manager::JobManagerHandle;

/// An address of this machine that no other cluster of this test has, nor one of a test at the same time: a worker that is left
/// of one never reaches the jobmaster of another.
pub(super) fn own_address() -> SocketAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let last = NEXT.fetch_add(1, Ordering::Relaxed).clamp(1, 254);
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, high, low, last)), 0)
}

/// Listens where another listened before. A process that was being started had a copy of its socket for a moment.
pub(super) async fn listen_again(address: SocketAddr) -> TcpListener {
    let mut tries = tokio::time::interval(LOOK);
    let listening = async {
        loop {
            tries.tick().await;
            if let Ok(listener) = TcpListener::bind(address).await {
                return listener;
            }
        }
    };
    tokio::time::timeout(DEADLINE, listening).await.expect("the address becomes free")
}

/// What takes workers' connections. They end with the jobmaster.
pub(super) struct Serving {
    server: JoinHandle<()>,
    taker: JoinHandle<()>,
    on_drop: [AbortHandle; 2],
}

impl Serving {
    pub(super) fn start(listener: TcpListener, handle: JobManagerHandle) -> Self {
        let (connected, mut links) = mpsc::channel(16);
        let server = tokio::spawn(async move {
            millstream_protocol::serve(listener, connected).await.expect("connections are taken");
        });
        let taker = tokio::spawn(async move {
            while let Some(link) = links.recv().await {
                handle.take_link(link).await;
            }
        });
        let on_drop = [server.abort_handle(), taker.abort_handle()];
        Self { server, taker, on_drop }
    }

    /// Takes no more of them. The address is free afterwards.
    pub(super) async fn end(mut self) {
        for task in [&mut self.taker, &mut self.server] {
            task.abort();
            // It was cancelled.
            let _ = task.await;
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.on_drop.iter().for_each(AbortHandle::abort);
    }
}
