//! `netcatudp`: one event per datagram. Flume's `NetcatUdpSource`.
//!
//! ```text
//! socket ──▶ Intake (many datagrams per wake-up) ──▶ Backlog (bounded) ──▶ outlet
//! ```
//!
//! The two halves run side by side: while the channel is full, datagrams are still received, up to a bound.
//! Nobody is told of a lost datagram, so every one beyond the bound is counted as dropped.

mod intake;

use std::future::ready;
use std::pin::pin;
use std::time::Duration;

use async_trait::async_trait;
use flumen_config::{ComponentKind, ComponentSpec, Options, Settings, options};
use flumen_event::HeaderName;
use tokio::net::UdpSocket;
use tokio::select;
use tokio::time::timeout;

use crate::ComponentError;
use crate::catalog::SourceType;
use crate::ledger::add;
use crate::listen;
use crate::source::{Source, SourceContext, SourceEnd};
use crate::sources::backlog::{Backlog, Causes};
use crate::sources::datagrams::Losses;

use intake::Intake;

options! {
    /// Makes an event of each datagram that arrives at a UDP port: its bytes up to the first line feed, or all
    /// of them. What follows the line feed is not used. A datagram holds at most 65,507 bytes.
    ///
    /// While the channel is full, up to 16 MiB of datagrams wait in memory. Those beyond are lost, as UDP
    /// cannot make its senders wait, and counted as dropped. What the kernel lost is counted as well, in
    /// `flumen_source_datagrams_lost_total`.
    pub struct NetcatUdpOptions {
        /// Address to receive at: an IP address or a host name. `0.0.0.0` means all, IPv6 included.
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
    spec: ComponentSpec::of::<NetcatUdpOptions>(
        ComponentKind::Source,
        "netcatudp",
        &["org.apache.flume.source.NetcatUdpSource"],
    ),
    build: |settings: &Settings| {
        let options = NetcatUdpOptions::of(settings)?;
        let header = options.remote_address.as_deref().map(HeaderName::from);
        Ok(Box::new(NetcatUdp { bind: options.bind, port: options.port, header }))
    },
};

const CAUSES: Causes =
    Causes { full: "netcatudp: channel full", stopped: "netcatudp: stopped while the channel was full" };

/// When asked to stop with a full channel, waiting datagrams have this long to find room.
const STORE_TIME_MAX: Duration = Duration::from_secs(4);

/// The port cannot be read any more.
#[derive(Debug, thiserror::Error)]
#[error("the socket failed: {0}")]
struct ReceiveError(std::io::Error);

fn failed(error: std::io::Error, context: &SourceContext) -> Result<SourceEnd, ComponentError> {
    add(&context.counters.event_read_fail, 1);
    Err(ReceiveError(error).into())
}

struct NetcatUdp {
    bind: String,
    port: u16,
    header: Option<HeaderName>,
}

#[async_trait]
impl Source for NetcatUdp {
    async fn run(&mut self, context: &SourceContext) -> Result<SourceEnd, ComponentError> {
        let socket = listen::udp(&self.bind, self.port).await?;
        tracing::info!(address = %socket.local_addr()?, "receiving datagrams");
        context.ready();
        let backlog = Backlog::new(context.outlet.clone(), CAUSES);
        let mut storing = pin!(backlog.store_all(|batch, ()| ready(batch)));
        let mut losses = Losses::new(&socket, context);
        let outcome = select! {
            biased;
            () = context.stop.requested() => Ok(SourceEnd::Stopped),
            () = &mut storing => Ok(SourceEnd::Stopped),
            error = losses.count_all() => failed(error, context),
            error = self.receive_all(&socket, &backlog) => failed(error, context),
        };
        losses.count();
        backlog.close();
        // What finds no room in time is counted as dropped when the backlog goes.
        let _late = timeout(STORE_TIME_MAX, storing).await;
        outcome
    }
}

impl NetcatUdp {
    /// Receives until the socket fails.
    async fn receive_all(&self, socket: &UdpSocket, backlog: &Backlog<()>) -> std::io::Error {
        let mut intake = Intake::new(self.header.clone());
        loop {
            if let Err(error) = socket.readable().await {
                return error;
            }
            let received = intake.receive(socket);
            let batch = intake.take();
            if !batch.is_empty() {
                backlog.push(batch, ());
            }
            if let Err(error) = received {
                return error;
            }
            // In a flood this would never wait, and the storing half would never have its turn.
            tokio::task::yield_now().await;
        }
    }
}
