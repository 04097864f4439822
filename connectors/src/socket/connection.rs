//! One connection to a server, read on an IO thread.

use std::io::{ErrorKind, Read};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use millstream_engine::error::{Error, Result};

use crate::blocking::ByteSource;

/// How long to wait for a server to take the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How many bytes are read at a time at most: what has come is handed over at once.
const READ_BYTES: usize = 64 * 1024;

/// What both sides of a connection share. Whoever drops the reader hangs up, so that the IO thread stops waiting.
#[derive(Debug, Default)]
pub(crate) struct HangUp(Mutex<Line>);

#[derive(Debug, Default)]
enum Line {
    #[default]
    NotConnected,
    Connected(TcpStream),
    HungUp,
}

impl HangUp {
    /// Ends the connection, now or as soon as it is made.
    pub(crate) fn hang_up(&self) {
        if let Line::Connected(stream) = std::mem::replace(&mut *self.line(), Line::HungUp) {
            // It may be gone already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the connection is still wanted.
    fn connected(&self, stream: TcpStream) -> bool {
        let mut line = self.line();
        if matches!(*line, Line::HungUp) {
            return false;
        }
        *line = Line::Connected(stream);
        true
    }
}

/// How the delimiter becomes a line feed, which is what decoders know. The delimiter itself is then free, since no record
/// has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delimiter {
    /// What stands between records.
    pub(crate) byte: u8,
    /// What a line feed inside a record becomes.
    pub(crate) line_feed: u8,
}

impl Delimiter {
    fn translate(self, bytes: &mut [u8]) {
        if self.byte == b'\n' {
            return;
        }
        for byte in bytes {
            *byte = match *byte {
                b'\n' => self.line_feed,
                other if other == self.byte => b'\n',
                other => other,
            };
        }
    }
}

/// What a server sends.
#[derive(Debug)]
pub(crate) struct SocketBytes {
    hostname: String,
    port: u16,
    delimiter: Delimiter,
    hang_up: Arc<HangUp>,
    stream: Option<TcpStream>,
}

impl SocketBytes {
    /// Connects with the first read.
    pub(crate) fn new(hostname: &str, port: u16, delimiter: Delimiter, hang_up: Arc<HangUp>) -> Self {
        Self { hostname: hostname.to_owned(), port, delimiter, hang_up, stream: None }
    }

    fn connect(&self) -> Result<TcpStream> {
        let failed = |error| Error::io(format!("connecting to `{}:{}`", self.hostname, self.port), error);
        let addresses = (self.hostname.as_str(), self.port).to_socket_addrs().map_err(failed)?;
        let mut last = std::io::Error::new(ErrorKind::NotFound, "the name has no address");
        for address in addresses {
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(failed(last))
    }
}

impl ByteSource for SocketBytes {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let failed = |error| Error::io(format!("reading from `{}:{}`", self.hostname, self.port), error);
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = self.connect()?;
                if !self.hang_up.connected(stream.try_clone().map_err(failed)?) {
                    return Ok(0);
                }
                stream
            }
        };
        let most = buffer.len().min(READ_BYTES);
        let length = loop {
            match stream.read(&mut buffer[..most]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => break other.map_err(failed)?,
            }
        };
        self.stream = Some(stream);
        self.delimiter.translate(&mut buffer[..length]);
        Ok(length)
    }
}
