//! Connections of a listening source: accepted until it is asked to stop, each served by a task of its own.
//!
//! What every server here owes its peers and its host is done once, in this place: half-open connections end,
//! answers are not delayed, the gauge of open connections is right, there is a bound on their number, and a stop
//! gives each connection a moment to finish its answer.

use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::ledger::{add, get};
use crate::source::SourceContext;

/// After how long without traffic the kernel asks whether the peer is still there: half-open connections
/// end by it.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(300);
/// How long connections get to finish their current answer when the source stops.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);
/// Pause after a failed accept (no file descriptors left), so that it is not a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// A source that refuses connections says so this often.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// Serves connections until stop is requested, then waits a moment for those that are open.
///
/// `serve` makes the future that serves one connection; it should watch `context.stop` itself, and is dropped at
/// an await if it has not ended 2 s after the stop. A connection beyond `connections_max` of the source, all its
/// listeners together, is closed at once and counted, with a warning now and then.
pub async fn connections<F>(
    listener: TcpListener,
    connections_max: usize,
    context: &SourceContext,
    mut serve: impl FnMut(TcpStream, SocketAddr) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut open = JoinSet::new();
    let mut complained: Option<Instant> = None;
    loop {
        tokio::select! {
            () = context.stop.requested() => break,
            Some(_ended) = open.join_next(), if !open.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let Some(counted) = OpenConnection::count(context, connections_max) else {
                        drop(stream);
                        if complained.is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY) {
                            complained = Some(Instant::now());
                            let closed = get(&context.counters.connections_refused);
                            tracing::warn!(
                                %peer,
                                connectionsMax = connections_max,
                                closed_so_far = closed,
                                "too many connections: new ones are closed"
                            );
                        }
                        continue;
                    };
                    prepare(&stream);
                    // In a box, because a future that awaits one it was given holds it twice.
                    let served = Box::pin(serve(stream, peer));
                    open.spawn(async move {
                        served.await;
                        drop(counted);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection; is the limit of open files too low?");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    let closing = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(CLOSE_WITHIN, closing).await.is_err() {
        // What they had not answered yet, their senders still have.
        open.shutdown().await;
    }
}

fn prepare(stream: &TcpStream) {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER);
    if let Err(error) = SockRef::from(stream).set_tcp_keepalive(&keepalive) {
        tracing::debug!(%error, "no keep-alive on a connection");
    }
    // Answers of one read may go out in several pieces; without this, each but the first would wait for
    // the client's delayed acknowledgement, 40 ms.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "answers of a connection may be late");
    }
}

/// Keeps the gauge of open connections right, also when the task is aborted.
struct OpenConnection(SourceContext);

impl OpenConnection {
    /// None, which is counted too, if there are `max` already.
    fn count(context: &SourceContext, max: usize) -> Option<Self> {
        let counters = &context.counters;
        let open = counters.open_connections.fetch_add(1, Relaxed);
        let this = Self(context.clone());
        if open >= max as u64 {
            add(&counters.connections_refused, 1);
            return None;
        }
        Some(this)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.counters.open_connections.fetch_sub(1, Relaxed);
    }
}
