//! A TCP proxy on loopback that counts bytes and can cut a connection after so many of them.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What a proxy has seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// Bytes from clients to the server.
    pub up: AtomicU64,
    /// Bytes from the server to clients.
    pub down: AtomicU64,
    /// Connections made.
    pub connections: AtomicU64,
}

/// A running proxy; its listener thread ends with it.
pub struct Proxy {
    /// Where clients connect.
    pub address: SocketAddr,
    /// Counters.
    pub seen: Arc<Seen>,
    cut_after: Arc<AtomicU64>,
    stopped: Arc<AtomicBool>,
}

/// No cut.
pub const NEVER: u64 = u64::MAX;

impl Proxy {
    /// A proxy in front of `server` that passes everything until told otherwise.
    pub fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .unwrap_or_else(|error| panic!("no loopback port: {error}"));
        let address = listener
            .local_addr()
            .unwrap_or_else(|error| panic!("no address of a bound listener: {error}"));
        let seen = Arc::new(Seen::default());
        let cut_after = Arc::new(AtomicU64::new(NEVER));
        let stopped = Arc::new(AtomicBool::new(false));
        let (counts, cut, stop) = (seen.clone(), cut_after.clone(), stopped.clone());
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                if let (Ok(client), Ok(server)) = (client, TcpStream::connect(server)) {
                    counts.connections.fetch_add(1, Ordering::SeqCst);
                    join(client, server, &counts, cut.load(Ordering::SeqCst));
                }
            }
        });
        Self {
            address,
            seen,
            cut_after,
            stopped,
        }
    }

    /// From the next connection on, close each after this many bytes, both ways together.
    pub fn cut_after(&self, bytes: u64) {
        self.cut_after.store(bytes, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

fn join(client: TcpStream, server: TcpStream, seen: &Arc<Seen>, cut_after: u64) {
    // A proxy that holds back small pieces would be measured, not what is behind it.
    drop(client.set_nodelay(true));
    drop(server.set_nodelay(true));
    let room = Arc::new(AtomicU64::new(cut_after));
    let pairs = [(&client, &server, true), (&server, &client, false)];
    for (from, to, up) in pairs {
        let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else {
            return;
        };
        let (room, seen) = (room.clone(), seen.clone());
        std::thread::spawn(move || pump(from, to, &room, if up { &seen.up } else { &seen.down }));
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, room: &AtomicU64, count: &AtomicU64) {
    let mut buffer = [0; 4096];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(read) => read as u64,
        };
        let before = room.load(Ordering::SeqCst);
        let pass = read.min(before);
        if before != NEVER {
            room.fetch_sub(pass, Ordering::SeqCst);
        }
        count.fetch_add(pass, Ordering::SeqCst);
        if to.write_all(&buffer[..pass as usize]).is_err() || pass < read {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Both));
    drop(from.shutdown(Shutdown::Both));
}
