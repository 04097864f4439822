//! What the two ends of a channel share with the connection.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use millstream_engine::error::Error;

use super::ChannelId;
use super::decode::DecodeError;
use super::ended::{Ended, ProtocolError};
use super::link::Link;

/// The reading end: what a gate tells of a channel that another worker feeds.
///
/// Credit goes back in steps of half a window, so that reading costs an addition, and a frame of a few bytes now and then.
#[derive(Debug)]
pub(in crate::exchange) struct Flow {
    id: ChannelId,
    /// Gone when the connection's worker is forgotten; then there is nobody to tell.
    link: Weak<Link>,
    /// Taken by the reader and not given back yet.
    unreturned: AtomicUsize,
    half_window: usize,
}

impl Flow {
    pub(super) fn new(id: ChannelId, link: &Arc<Link>, window: usize) -> Self {
        Self { id, link: Arc::downgrade(link), unreturned: AtomicUsize::new(0), half_window: window.div_ceil(2) }
    }

    /// Of which channel.
    pub(super) fn id(&self) -> &ChannelId {
        &self.id
    }

    /// The reader has taken what counted for `bytes`.
    pub(in crate::exchange) fn taken(&self, bytes: usize) {
        let unreturned = self.unreturned.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if unreturned < self.half_window {
            return;
        }
        self.unreturned.fetch_sub(unreturned, Ordering::Relaxed);
        if let Some(link) = self.link.upgrade() {
            link.return_credit(self, unreturned);
        }
    }

    /// The reader was dropped.
    pub(in crate::exchange) fn reader_gone(&self) {
        if let Some(link) = self.link.upgrade() {
            link.leave(self);
        }
    }

    /// The reader cannot make rows of what came: the connection carries damaged bytes, or the other worker is not one of
    /// ours. It is closed, since nothing that comes on it can be trusted. Answers what the reader is told.
    pub(in crate::exchange) fn undecodable(&self, error: &DecodeError) -> Error {
        let why = ProtocolError::Undecodable { channel: self.id.to_string(), why: error.to_string() };
        let ended = Arc::new(Ended::Protocol(why));
        match self.link.upgrade() {
            Some(link) => {
                link.lose(&ended);
                ended.error(link.peer())
            }
            None => Error::io("reading from a worker that is gone", std::io::Error::other(ended.to_string())),
        }
    }
}

/// How it stands with the sending end of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Standing {
    /// There is room.
    Free,
    /// There is none.
    Full,
    /// The reader is gone: what is sent is thrown away.
    Unread,
    /// The connection is.
    Lost,
}

/// Where the sending end of a channel looks whether there is room, without a lock as long as there is.
#[derive(Debug)]
pub(super) struct Room {
    standing: AtomicU8,
    lost: OnceLock<Arc<Ended>>,
}

impl Room {
    pub(super) fn free() -> Self {
        Self { standing: AtomicU8::new(Standing::Free as u8), lost: OnceLock::new() }
    }

    pub(super) fn standing(&self) -> Standing {
        let number = self.standing.load(Ordering::Acquire);
        let all = [Standing::Free, Standing::Full, Standing::Unread];
        all.into_iter().find(|standing| *standing as u8 == number).unwrap_or(Standing::Lost)
    }

    pub(super) fn set_full(&self, full: bool) {
        let standing = if full { Standing::Full } else { Standing::Free };
        self.standing.store(standing as u8, Ordering::Release);
    }

    pub(super) fn set_unread(&self) {
        self.standing.store(Standing::Unread as u8, Ordering::Release);
    }

    pub(super) fn lose(&self, why: &Arc<Ended>) {
        self.lost.get_or_init(|| Arc::clone(why));
        self.standing.store(Standing::Lost as u8, Ordering::Release);
    }

    /// Why it is lost.
    pub(super) fn lost(&self) -> Option<&Arc<Ended>> {
        self.lost.get()
    }
}
