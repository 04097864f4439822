//! All links of a worker, and how their connections come about.
//!
//! Of two workers the one whose name is the smaller calls, so that there is one connection between them and not two. The
//! other waits to be called.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use millstream_graph::WorkerId;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::ended::{Ended, ProtocolError};
use super::greeting::{self, Hello};
use super::link::{Link, Turn};
use super::session::{FAREWELL, Next, Session};
use super::wire::{FrameReader, Traffic};
use super::{ExchangeSettings, Peer};

/// How long to wait when the system gives out no more sockets.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What all connections of a worker share.
#[derive(Debug)]
pub(super) struct Hub {
    me: WorkerId,
    settings: Arc<ExchangeSettings>,
    traffic: Arc<Traffic>,
    links: Mutex<HashMap<WorkerId, Arc<Link>>>,
    runtime: Handle,
    /// True when the exchange ends.
    stop: watch::Receiver<bool>,
}

/// A socket whose other end has introduced itself.
struct Greeted {
    reader: FrameReader<OwnedReadHalf>,
    socket: OwnedWriteHalf,
}

impl Hub {
    pub(super) fn new(
        me: WorkerId,
        settings: ExchangeSettings,
        runtime: Handle,
        stop: watch::Receiver<bool>,
    ) -> Arc<Self> {
        let (settings, traffic) = (Arc::new(settings), Arc::new(Traffic::default()));
        Arc::new(Self { me, settings, traffic, links: Mutex::default(), runtime, stop })
    }

    pub(super) fn settings(&self) -> &ExchangeSettings {
        &self.settings
    }

    pub(super) fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// A panic while the lock was held has failed its task; the table is whole between any two statements.
    fn lock(&self) -> MutexGuard<'_, HashMap<WorkerId, Arc<Link>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All links that there are.
    pub(super) fn links(&self) -> Vec<Arc<Link>> {
        self.lock().values().map(Arc::clone).collect()
    }

    /// Does something with the link to a worker, on a new one if there is none or it ends meanwhile. What a link that goes on
    /// refuses is refused.
    pub(super) fn with_link<T>(
        self: &Arc<Self>,
        peer: &Peer,
        act: impl Fn(&Arc<Link>) -> Result<T, Arc<Ended>>,
    ) -> (Arc<Link>, Result<T, Arc<Ended>>) {
        loop {
            let (link, is_new) = self.link(peer);
            if self.calls(peer) && link.peer().address != peer.address {
                link.lose(&Arc::new(Ended::Moved(peer.address.clone())));
                continue;
            }
            let done = act(&link);
            if is_new {
                self.connect(&link);
            }
            if done.is_ok() || is_new || !link.is_over() {
                return (link, done);
            }
        }
    }

    /// The link to a worker, and whether it is a new one, since there is none or it is over.
    fn link(&self, peer: &Peer) -> (Arc<Link>, bool) {
        let mut links = self.lock();
        match links.get(&peer.worker) {
            Some(link) if !link.is_over() => return (Arc::clone(link), false),
            Some(_) | None => {}
        }
        let link = Arc::new(Link::new(peer.clone(), &self.settings));
        links.insert(peer.worker.clone(), Arc::clone(&link));
        (link, true)
    }

    /// Whether this worker calls the other.
    fn calls(&self, peer: &Peer) -> bool {
        self.me < peer.worker
    }

    /// Calls the other worker, or waits to be called.
    fn connect(self: &Arc<Self>, link: &Arc<Link>) {
        let (hub, link) = (Arc::clone(self), Arc::clone(link));
        let never = if *self.stop.borrow() {
            Some(Ended::ShutDown)
        } else if link.peer().worker == self.me {
            Some(Ended::Itself)
        } else {
            None
        };
        if let Some(why) = never {
            link.lose(&Arc::new(why));
            self.forget(&link);
        } else if self.calls(link.peer()) {
            self.runtime.spawn(async move { hub.call(link).await });
        } else {
            self.runtime.spawn(async move { hub.wait_for_call(&link, link.turn()).await });
        }
    }

    /// Takes a link out of the table if it is over and still there.
    fn forget(&self, link: &Arc<Link>) {
        if !link.is_over() {
            return;
        }
        let mut links = self.lock();
        if links.get(&link.peer().worker).is_some_and(|known| Arc::ptr_eq(known, link)) {
            links.remove(&link.peer().worker);
        }
    }

    /// Gives up after a while, unless a connection is there by then. The other calls when a task of its own has to do with
    /// this worker, and not all tasks of a job start at the same time.
    async fn wait_for_call(&self, link: &Arc<Link>, turn: Turn) {
        let mut stop = self.stop.clone();
        let longest = self.settings.one_sided_max;
        let why = tokio::select! {
            () = sleep(longest) => Ended::NotCalled(longest),
            _ = stop.wait_for(|stop| *stop) => Ended::ShutDown,
        };
        link.lose_turn(turn, &Arc::new(why));
        self.forget(link);
    }

    /// Connects to the other worker, trying again for a while, and stays with the connection to its end.
    async fn call(self: Arc<Self>, link: Arc<Link>) {
        let mut stop = self.stop.clone();
        let reached = tokio::select! {
            reached = self.reach(link.peer()) => reached,
            _ = stop.wait_for(|stop| *stop) => Err(Ended::ShutDown),
        };
        match reached {
            Ok(greeted) => {
                if let Some(turn) = link.join() {
                    self.work(&link, turn, greeted, None).await;
                }
            }
            Err(why) => link.lose(&Arc::new(why)),
        }
        self.forget(&link);
    }

    async fn reach(&self, peer: &Peer) -> Result<Greeted, Ended> {
        let within = self.settings.timeout;
        let deadline = Instant::now() + within;
        let mut pause = self.settings.retry_pause;
        let mut last = "no answer".to_owned();
        loop {
            match timeout_at(deadline, self.try_to_reach(peer)).await {
                Ok(Ok(greeted)) => return Ok(greeted),
                // It will not say anything else the next time.
                Ok(Err(why @ (Ended::Protocol(_) | Ended::Told(_)))) => return Err(why),
                Ok(Err(why)) => last = why.to_string(),
                Err(_) => return Err(Ended::Unreachable { within, last }),
            }
            if timeout_at(deadline, sleep(pause)).await.is_err() {
                return Err(Ended::Unreachable { within, last });
            }
            pause = (2 * pause).min(self.settings.retry_pause_max);
        }
    }

    async fn try_to_reach(&self, peer: &Peer) -> Result<Greeted, Ended> {
        let stream = TcpStream::connect(&peer.address).await.map_err(Ended::io("connecting"))?;
        let mut greeted = self.greeted(stream)?;
        greeting::call(&self.hello(peer.worker.clone()), &mut greeted.reader, &mut greeted.socket).await?;
        Ok(greeted)
    }

    fn greeted(&self, stream: TcpStream) -> Result<Greeted, Ended> {
        stream.set_nodelay(true).map_err(Ended::io("setting TCP_NODELAY"))?;
        let (reader, socket) = stream.into_split();
        Ok(Greeted { reader: FrameReader::new(reader), socket })
    }

    fn hello(&self, to: WorkerId) -> Hello {
        let frame_bytes_max = u32::try_from(self.settings.frame_bytes_max).unwrap_or(u32::MAX);
        Hello { build: Arc::clone(&self.settings.build), from: self.me.clone(), to, frame_bytes_max }
    }

    /// Takes calls until the exchange ends.
    pub(super) async fn listen(self: Arc<Self>, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(self.settings.connections_max));
        let mut stop = self.stop.clone();
        loop {
            let called = tokio::select! {
                called = listener.accept() => called,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            match (called, Arc::clone(&places).try_acquire_owned()) {
                (Ok((stream, from)), Ok(place)) => {
                    let hub = Arc::clone(&self);
                    self.runtime.spawn(async move { hub.called(stream, from, place).await });
                }
                (Ok((_, from)), Err(_)) => self.refused(from, "there are too many connections"),
                (Err(error), _) => {
                    tracing::warn!("accepting a connection of the exchange: {error}");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn refused(&self, from: SocketAddr, why: &str) {
        Traffic::count(&self.traffic.refused, 1);
        tracing::warn!("a connection from {from} to the exchange is refused: {why}");
    }

    /// Somebody has called: if it is a worker, stays with the connection to its end, and gives its place back then.
    async fn called(self: &Arc<Self>, stream: TcpStream, from: SocketAddr, place: OwnedSemaphorePermit) {
        let mut stop = self.stop.clone();
        let mut greeted = match self.greeted(stream) {
            Ok(greeted) => greeted,
            Err(why) => return self.refused(from, &why.to_string()),
        };
        let heard = greeting::be_called(|by| self.hello(by), &mut greeted.reader);
        let heard = tokio::select! {
            heard = timeout(self.settings.timeout, heard) => heard,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match heard {
            Ok(Ok(mine)) => self.answer(&mine, greeted, from, place).await,
            Ok(Err(why)) => {
                self.refused(from, &why.to_string());
                // Who does not take it in time is not told.
                let _ = timeout(FAREWELL, explain(&why, greeted)).await;
            }
            Err(_) => self.refused(from, "it does not introduce itself"),
        }
    }

    /// Takes the connection up before it says so: when the caller calls once more, it has had its answer, and this one does
    /// not take the place of that one.
    async fn answer(
        self: &Arc<Self>,
        mine: &Hello,
        mut greeted: Greeted,
        from: SocketAddr,
        place: OwnedSemaphorePermit,
    ) {
        let (link, _) = self.link(&Peer { worker: mine.to.clone(), address: from.to_string() });
        let Some(turn) = link.join() else { return };
        match greeting::say(mine, &mut greeted.socket).await {
            Ok(()) => self.work(&link, turn, greeted, Some(place)).await,
            Err(why) => {
                link.lose_turn(turn, &Arc::new(why));
                self.forget(&link);
            }
        }
    }

    /// Stays with a connection to its end. It has a place among those that are accepted, unless this worker called.
    async fn work(
        self: &Arc<Self>,
        link: &Arc<Link>,
        turn: Turn,
        greeted: Greeted,
        place: Option<OwnedSemaphorePermit>,
    ) {
        let session = Session {
            link: Arc::clone(link),
            turn,
            settings: Arc::clone(&self.settings),
            traffic: Arc::clone(&self.traffic),
            called: place.is_none(),
            stop: self.stop.clone(),
        };
        let next = session.run(greeted.reader, greeted.socket).await;
        // What follows may take minutes, and there is no connection any more.
        drop(place);
        self.forget(link);
        if let Next::Await(turn) = next {
            self.wait_for_call(link, turn).await;
        }
    }

    /// How many connections there are.
    pub(super) fn connections(&self) -> usize {
        self.traffic.connections.load(Ordering::Relaxed)
    }
}

/// Tells somebody who is not understood. Not one who speaks something else: it would not understand either.
async fn explain(why: &Ended, mut to: Greeted) {
    let ours = matches!(why, Ended::Protocol(error) if !matches!(error, ProtocolError::NotOurs(_)));
    if ours && greeting::refuse(why.to_string(), &mut to.socket).await.is_ok() {
        to.reader.discard().await;
    }
}
