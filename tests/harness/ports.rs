//! Ports for servers that a test starts itself.

use std::hash::{BuildHasher, RandomState};
use std::net::{SocketAddr, UdpSocket};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

use tokio::net::TcpSocket;

/// Below the range from which the kernel takes ports by itself (32768 on), so that neither a client of another test nor
/// its server on port 0 sits on a port that was found free a moment ago; and below the one of `net.py`.
const FIRST: u16 = 10_000;
const COUNT: u16 = 5_000;

/// A port at which nobody listens, by TCP or by UDP, and which this process has not handed out before.
pub fn free_port() -> u16 {
    static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| {
        let random = RandomState::new().hash_one(std::process::id()) % u64::from(COUNT);
        AtomicU16::new(u16::try_from(random).expect("below COUNT"))
    });
    for _ in 0..COUNT {
        let port =
            FIRST + NEXT.fetch_update(Relaxed, Relaxed, |n| Some((n + 1) % COUNT)).expect("always some");
        if is_free(([0, 0, 0, 0], port).into()) {
            return port;
        }
    }
    panic!("no free port from {FIRST} to {}", FIRST + COUNT);
}

/// Looks without listening: a child that another test starts meanwhile has the socket, too, until it executes its
/// program, and whoever connects in that moment would find a server there.
fn is_free(address: SocketAddr) -> bool {
    let tcp = TcpSocket::new_v4().and_then(|socket| {
        socket.set_reuseaddr(true)?;
        socket.bind(address)
    });
    tcp.is_ok() && UdpSocket::bind(address).is_ok()
}
