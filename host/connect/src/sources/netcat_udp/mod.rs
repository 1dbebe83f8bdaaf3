//! `netcatudp`: one event per datagram. Flume's `NetcatUdpSource`.
//!
//! ```text
//! socket ──▶ Intake (many datagrams per wake-up) ──▶ Backlog (bounded) ──▶ outlet
//! ```
//!
//! The two halves run side by side: while the channel is full, datagrams are still received, up to a bound.
//! Nobody is told of a lost datagram, so every one beyond the bound is counted as dropped.

mod backlog;
mod intake;

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use async_trait::async_trait;
use flumen_config::{ComponentKind, ComponentSpec, Diagnostics, Options, Settings, options};
use flumen_event::HeaderName;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{UdpSocket, lookup_host};
use tokio::select;
use tokio::time::timeout;

use crate::ComponentError;
use crate::catalog::SourceType;
use crate::ledger::add;
use crate::source::{Source, SourceContext, SourceEnd};

use backlog::Backlog;
use intake::Intake;

options! {
    /// Makes an event of each datagram that arrives at a UDP port: its bytes up to the first line feed, or all
    /// of them. What follows the line feed is not used. A datagram holds at most 65,507 bytes.
    ///
    /// While the channel is full, up to 16 MiB of datagrams wait in memory. Those beyond are lost, as UDP
    /// cannot make its senders wait, and counted as dropped.
    pub struct NetcatUdpOptions {
        /// Address to receive at: an IP address or a host name. `0.0.0.0` is every IPv4 address of this
        /// machine, `::` every address.
        "bind" => bind: String,
        /// UDP port. With 0 the system chooses one; the log says which.
        "port" => port: u16,
        /// Name of a header for the sender's address, such as `/10.0.0.1:1234` or `/[2001:db8:0:0:0:0:0:1]:1234`.
        /// If it is not set there is no such header. (Flume then sets one that has no name, which breaks
        /// several of its sinks.)
        "remoteAddress" => remote_address: Option<String>,
    }
}

pub(super) const NETCAT_UDP: SourceType = SourceType {
    spec: ComponentSpec {
        kind: ComponentKind::Source,
        name: "netcatudp",
        aliases: &["org.apache.flume.source.NetcatUdpSource"],
        doc: NetcatUdpOptions::DOC,
        options: NetcatUdpOptions::OPTIONS,
        check: |settings, diagnostics| NetcatUdpOptions::read(settings, diagnostics).is_some(),
        batch_size: None,
        transaction_capacity: None,
    },
    build: |settings: &Settings| {
        let mut diagnostics = Diagnostics::default();
        let options = NetcatUdpOptions::read(settings, &mut diagnostics).ok_or(diagnostics)?;
        let header = options.remote_address.as_deref().map(HeaderName::from);
        Ok(Box::new(NetcatUdp { bind: options.bind, port: options.port, header }))
    },
};

/// What the kernel may keep for us while we are busy; it gives less if its own limit is lower.
const KERNEL_BUFFER_BYTES: usize = 4 << 20;
/// When asked to stop with a full channel, waiting datagrams have this long to find room.
const STORE_TIME_MAX: Duration = Duration::from_secs(4);

/// The port could not be opened, or not be read any more.
#[derive(Debug, thiserror::Error)]
enum NetcatUdpError {
    #[error("cannot receive at {bind} port {port}: {reason}")]
    Bind { bind: String, port: u16, reason: std::io::Error },
    #[error("the socket failed: {0}")]
    Receive(std::io::Error),
}

struct NetcatUdp {
    bind: String,
    port: u16,
    header: Option<HeaderName>,
}

#[async_trait]
impl Source for NetcatUdp {
    async fn run(&mut self, context: &SourceContext) -> Result<SourceEnd, ComponentError> {
        let socket = self.open().await.map_err(|reason| NetcatUdpError::Bind {
            bind: self.bind.clone(),
            port: self.port,
            reason,
        })?;
        tracing::info!(address = %socket.local_addr()?, "receiving datagrams");
        context.ready();
        let backlog = Backlog::new(context.outlet.clone());
        let mut storing = pin!(backlog.store_all());
        let outcome = select! {
            biased;
            () = context.stop.requested() => Ok(SourceEnd::Stopped),
            () = &mut storing => Ok(SourceEnd::Stopped),
            error = self.receive_all(&socket, &backlog) => {
                add(&context.counters.event_read_fail, 1);
                Err(NetcatUdpError::Receive(error).into())
            }
        };
        backlog.close();
        // What finds no room in time is counted as dropped when the backlog goes.
        let _late = timeout(STORE_TIME_MAX, storing).await;
        outcome
    }
}

impl NetcatUdp {
    /// A socket at the first address of the name that can be had.
    async fn open(&self) -> std::io::Result<UdpSocket> {
        let mut failed = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
        for address in lookup_host((self.bind.as_str(), self.port)).await? {
            match open_at(address) {
                Ok(socket) => return Ok(socket),
                Err(reason) => failed = reason,
            }
        }
        Err(failed)
    }

    /// Receives until the socket fails.
    async fn receive_all(&self, socket: &UdpSocket, backlog: &Backlog) -> std::io::Error {
        let mut intake = Intake::new(self.header.clone());
        loop {
            if let Err(error) = socket.readable().await {
                return error;
            }
            let received = intake.receive(socket);
            let batch = intake.take();
            if !batch.is_empty() {
                backlog.push(batch);
            }
            if let Err(error) = received {
                return error;
            }
            // In a flood this would never wait, and the storing half would never have its turn.
            tokio::task::yield_now().await;
        }
    }
}

fn open_at(address: SocketAddr) -> std::io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        // As in Java, the IPv6 wildcard address receives IPv4 as well.
        socket.set_only_v6(false)?;
    }
    // A smaller buffer loses datagrams sooner and is no reason to receive none.
    let _smaller = socket.set_recv_buffer_size(KERNEL_BUFFER_BYTES);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}
