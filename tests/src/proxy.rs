//! A network between two processes that a test can cut or bring to a halt.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Passes on what comes to it, until it is told not to.
#[derive(Debug, Clone)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    target: Mutex<Option<String>>,
    connections: Mutex<Vec<(TcpStream, TcpStream)>>,
    halted: Mutex<bool>,
    changed: Condvar,
    ended: AtomicBool,
    passed: AtomicUsize,
}

impl Proxy {
    /// A proxy on a free port of loopback.
    ///
    /// # Panics
    /// If there is none.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let proxy = Self { address, shared: Arc::default() };
        let shared = Arc::clone(&proxy.shared);
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                if shared.ended.load(Ordering::Relaxed) {
                    return;
                }
                shared.take(connection);
            }
        });
        proxy
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Where it passes things on to.
    pub fn pass_on_to(&self, target: &str) {
        *lock(&self.shared.target) = Some(target.to_owned());
    }

    /// How many bytes it has passed on so far.
    pub fn passed(&self) -> usize {
        self.shared.passed.load(Ordering::Relaxed)
    }

    /// Closes all connections.
    pub fn cut(&self) {
        for (one, other) in lock(&self.shared.connections).drain(..) {
            // One that is closed already is what is wanted.
            let _ = (one.shutdown(Shutdown::Both), other.shutdown(Shutdown::Both));
        }
    }

    /// Passes nothing on, or everything again, and closes nothing.
    pub fn halt(&self, halted: bool) {
        *lock(&self.shared.halted) = halted;
        self.shared.changed.notify_all();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // The thread has its own handle of what is shared.
        if Arc::strong_count(&self.shared) <= 2 {
            self.shared.ended.store(true, Ordering::Relaxed);
            self.halt(false);
            self.cut();
            drop(TcpStream::connect(self.address));
        }
    }
}

impl Shared {
    fn take(self: &Arc<Self>, connection: TcpStream) {
        let Some(target) = lock(&self.target).clone() else { return };
        let Ok(onward) = TcpStream::connect(target) else { return };
        let both = |stream: &TcpStream| stream.try_clone().expect("a second handle of a connection");
        lock(&self.connections).push((both(&connection), both(&onward)));
        let _ = (connection.set_nodelay(true), onward.set_nodelay(true));
        for (from, to) in [(both(&connection), both(&onward)), (onward, connection)] {
            let shared = Arc::clone(self);
            std::thread::spawn(move || shared.copy(from, to));
        }
    }

    fn copy(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            let halted = lock(&self.halted);
            drop(self.changed.wait_while(halted, |halted| *halted));
            if to.write_all(&buffer[..read]).is_err() {
                break;
            }
            self.passed.fetch_add(read, Ordering::Relaxed);
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
