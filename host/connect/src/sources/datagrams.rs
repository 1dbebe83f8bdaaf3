//! Datagrams that the kernel threw away before a source could read them. Nobody else counts them.

use std::io;
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;

use crate::ledger::add;
use crate::source::SourceContext;

/// The kernel's counts are looked at this often while datagrams come.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Losses are told this often.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);
/// Tables of sockets (`proc_pid_net(5)`): a line each, with the inode and, in the last column, the lost datagrams.
const TABLES: [&str; 2] = ["/proc/self/net/udp", "/proc/self/net/udp6"];
/// Column of the inode.
const INODE: usize = 9;

/// Counts what a socket has lost since it was opened.
pub(super) struct Losses<'a> {
    socket: &'a UdpSocket,
    context: &'a SourceContext,
    /// Of this socket: a source that was started again has another one.
    counted: u64,
    complained: Option<Instant>,
}

impl<'a> Losses<'a> {
    pub(super) fn new(socket: &'a UdpSocket, context: &'a SourceContext) -> Self {
        Self { socket, context, counted: 0, complained: None }
    }

    /// Looks whenever datagrams came, until the socket fails.
    pub(super) async fn count_all(&mut self) -> io::Error {
        loop {
            if let Err(error) = self.socket.readable().await {
                return error;
            }
            tokio::time::sleep(LOOK_EVERY).await;
            self.count();
        }
    }

    /// Adds what the kernel lost since the last look. Without `/proc` nothing is added.
    pub(super) fn count(&mut self) {
        let lost = match inode(self.socket).map(lost) {
            Ok(Some(lost)) => lost,
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(%error, "lost datagrams are not counted");
                return;
            }
        };
        let more = lost.saturating_sub(std::mem::replace(&mut self.counted, lost));
        add(&self.context.counters.datagrams_lost, more as usize);
        if more > 0 && self.complained.is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY) {
            self.complained = Some(Instant::now());
            tracing::warn!(
                lost_so_far = lost,
                "the kernel lost datagrams: they came faster than they were read. A larger net.core.rmem_max helps \
                 against bursts"
            );
        }
    }
}

fn inode(socket: &UdpSocket) -> io::Result<u64> {
    Ok(rustix::fs::fstat(socket)?.st_ino)
}

/// What the socket with this inode has lost.
fn lost(inode: u64) -> Option<u64> {
    TABLES.iter().find_map(|table| lost_in(&std::fs::read_to_string(table).ok()?, inode))
}

fn lost_in(table: &str, inode: u64) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_ascii_whitespace();
        let own = columns.nth(INODE)?.parse() == Ok(inode);
        if own { columns.last()?.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops            
  112: 0100007F:0202 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 0         
  240: 0100007F:D1A8 00000000:0000 07 00000000:00033900 00:00000000 00000000     0        0 4712 2 0000000000000000 1735        
";

    #[test]
    fn the_line_of_the_socket_says_what_it_lost() {
        assert_eq!([4711, 4712, 4713].map(|inode| lost_in(TABLE, inode)), [Some(0), Some(1735), None]);
        assert_eq!(lost_in("", 4711), None);
    }

    #[tokio::test]
    async fn datagrams_beyond_the_buffer_are_what_the_kernel_says_was_lost() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("bound");
        let inode = inode(&socket).expect("open");
        assert_eq!(lost(inode), Some(0));
        let client = std::net::UdpSocket::bind("127.0.0.1:0").expect("bound");
        let address = socket.local_addr().expect("an address");
        let sent = 2_000;
        for _ in 0..sent {
            client.send_to(&[b'x'; 8_000], address).expect("sent");
        }
        let mut received = 0;
        // The kernel may hand some over a moment after they were sent.
        let all = async {
            while received + lost(inode).expect("open") < sent {
                while socket.try_recv(&mut [0; 8_000]).is_ok() {
                    received += 1;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), all).await.expect("each is received or counted");
        assert_eq!(lost(inode), Some(sent - received));
        assert!(received < sent, "the buffer took them all");
    }
}
