//! Why a connection, or a channel on it, has ended.

use std::io;
use std::time::Duration;

use millstream_engine::error::Error;

use super::Peer;
use super::frame::Kind;
use super::message::Goodbye;

/// Why it has ended, told of the other worker as "it".
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    /// The socket failed.
    #[error("{what}: {source}")]
    Io {
        /// Doing what.
        what: &'static str,
        /// In the system's words.
        #[source]
        source: io::Error,
    },
    /// The other end was closed without a word: its process is gone.
    #[error("it closed the connection")]
    HungUp,
    /// It is there no more, or cannot be reached.
    #[error("nothing was heard from it for {0:?}")]
    Silent(Duration),
    /// It closed the connection and said why.
    #[error("it says: {0}")]
    Told(String),
    /// It closed the connection because it had no use for it.
    #[error("it had no use for the connection")]
    Released,
    /// Nobody, or somebody else, answers at its address.
    #[error("it could not be reached within {within:?}: {last}")]
    Unreachable {
        /// How long it was tried.
        within: Duration,
        /// What came of the last try.
        last: String,
    },
    /// It was to call this worker.
    #[error("it has not called within {0:?}")]
    NotCalled(Duration),
    /// It opened another connection, so it has given this one up.
    #[error("it has called again")]
    CalledAgain,
    /// It sent what cannot be.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// It is somewhere else, so it is another process.
    #[error("it is at {0} now")]
    Moved(String),
    /// Of a channel: nobody there has asked for it.
    #[error("no task there has begun to read the channel within {0:?}")]
    NotRead(Duration),
    /// Of a channel: nobody there sends on it.
    #[error("no task there has begun to send on the channel within {0:?}")]
    NotOpened(Duration),
    /// Of a channel: it was asked for once more.
    #[error("the channel is read twice")]
    ReadTwice,
    /// There cannot be a connection.
    #[error("it is this worker itself")]
    Itself,
    /// By this worker.
    #[error("no channel was left on it")]
    Unused,
    /// By this worker.
    #[error("this worker shuts down")]
    ShutDown,
}

/// What a worker of this build does not send.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProtocolError {
    /// It is not one of ours.
    #[error("it does not speak the protocol of the exchange; it begins with {0}")]
    NotOurs(String),
    /// It is of another release.
    #[error("it speaks version {theirs} of the protocol and this worker version {ours}")]
    Version {
        /// Its version.
        theirs: u32,
        /// This worker's.
        ours: u32,
    },
    /// It does not introduce itself.
    #[error("it does not begin with a hello")]
    NoHello,
    /// Of another build.
    #[error("it is of build `{theirs}` and this worker of `{ours}`")]
    Build {
        /// Its build.
        theirs: String,
        /// This worker's.
        ours: String,
    },
    /// It is somebody else, or takes this worker for somebody else.
    #[error("{0}")]
    Name(String),
    /// Its settings are others.
    #[error("its frames have at most {theirs} bytes and this worker's {ours}: give both the same settings")]
    FrameLimit {
        /// Its setting.
        theirs: u32,
        /// This worker's.
        ours: u32,
    },
    /// The bytes are damaged, or no header.
    #[error("a header does not fit its checksum")]
    Header,
    /// Of a later version.
    #[error("a frame of unknown kind {0}")]
    UnknownKind(u8),
    /// Too long or too short.
    #[error("a frame {kind:?} of {length} bytes; at most {most} are possible")]
    Length {
        /// Of what.
        kind: Kind,
        /// How long.
        length: usize,
        /// How long it may be.
        most: usize,
    },
    /// The bytes are damaged.
    #[error("a frame does not fit its checksum")]
    Checksum,
    /// No such status.
    #[error("a watermark status {0}")]
    Status(u8),
    /// A kind that has no place there.
    #[error("a frame {0:?} in the middle of the connection")]
    OutOfPlace(Kind),
    /// A channel that was never opened.
    #[error("a frame of channel {0}, which is not open")]
    NotOpen(u32),
    /// Numbers count upwards.
    #[error("channel {0} is opened out of turn")]
    OutOfTurn(u32),
    /// Two channels of one name.
    #[error("the channel of {0} is opened twice")]
    OpenedTwice(String),
    /// More channels without a reader than are kept.
    #[error("more than {0} channels are open that no task has asked for")]
    TooManyOpen(usize),
    /// It sends more than it was given credit for.
    #[error("channel {0} has sent more than it may")]
    NoCredit(u32),
    /// Rows that are not rows.
    #[error("a frame of the channel of {channel} cannot be decoded: {why}")]
    Undecodable {
        /// Which channel.
        channel: String,
        /// What is wrong.
        why: String,
    },
}

impl Ended {
    /// The socket failed while `what` was done.
    pub(super) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }

    /// What the other worker is told, if it is this one that ends the connection.
    pub(super) fn goodbye(&self) -> Option<Goodbye> {
        match self {
            Self::Unused => Some(Goodbye::Unused),
            Self::Silent(_) | Self::Protocol(_) | Self::CalledAgain | Self::ShutDown => {
                Some(Goodbye::Because(self.to_string()))
            }
            Self::Io { .. }
            | Self::HungUp
            | Self::Told(_)
            | Self::Released
            | Self::Unreachable { .. }
            | Self::NotCalled(_)
            | Self::Moved(_)
            | Self::NotRead(_)
            | Self::NotOpened(_)
            | Self::ReadTwice
            | Self::Itself => None,
        }
    }

    /// What a task is told that had a channel there. It may work again on another connection.
    pub(super) fn error(&self, peer: &Peer) -> Error {
        let what = match self {
            Self::Unreachable { .. } | Self::NotCalled(_) | Self::Itself => "there is no connection to",
            Self::NotRead(_) | Self::NotOpened(_) | Self::ReadTwice => "there is no channel to",
            Self::Io { .. }
            | Self::HungUp
            | Self::Silent(_)
            | Self::Told(_)
            | Self::Released
            | Self::CalledAgain
            | Self::Protocol(_)
            | Self::Moved(_)
            | Self::Unused
            | Self::ShutDown => "the connection is lost to",
        };
        Error::io(format!("{what} worker {peer}"), io::Error::other(self.to_string()))
    }
}
