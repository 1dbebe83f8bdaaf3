//! `syslogudp`: Flume's `SyslogUDPSource`.
//!
//! ```text
//! socket ──▶ Decoder (many datagrams per wake-up) ──▶ Backlog (bounded) ──▶ names of senders ──▶ outlet
//! ```

use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flumen_config::options::Below;
use flumen_config::{ComponentKind, ComponentSpec, Diagnostics, Options, Settings, options};
use flumen_event::Batch;
use tokio::net::UdpSocket;
use tokio::select;
use tokio::time::timeout;

use crate::ComponentError;
use crate::catalog::SourceType;
use crate::ledger::add;
use crate::listen;
use crate::source::{Source, SourceContext, SourceEnd};
use crate::sources::arena::Arena;
use crate::sources::backlog::{Backlog, Causes};
use crate::sources::datagrams::Losses;

use super::client::{ClientHeaders, Ports};
use super::connection::{Complaints, now_ms};
use super::decoder::{Decoder, Rules};
use super::host_names::HostNames;
use super::keep::KeepFields;
use super::rows::Names;
use super::{format, read};

options! {
    /// Receives syslog messages at a UDP port, one in each datagram. Headers and bodies are those of `syslogtcp`; that
    /// all senders share what stays on events until another message sets it (`priority`, `version`) is Flume's.
    ///
    /// A datagram is one message, however many lines it has; a line end at its end is not part of it.
    ///
    /// While the channel is full, up to 16 MiB of datagrams wait in memory. Those beyond are lost, as UDP cannot make its
    /// senders wait, and counted as dropped. What the kernel lost is counted as well, in
    /// `flumen_source_datagrams_lost_total`.
    pub struct SyslogUdpOptions {
        /// UDP port. With 0 the system chooses one; the log says which.
        "port" => port: u16,
        /// Host name or address to receive at; all if it is not set.
        "host" => host: Option<String>,
        /// The same as `host`, as other sources call it.
        "bind" => bind: Option<String>,
        /// Which fields are put back in front of the body: see `syslogtcp`.
        "keepFields" => keep_fields: KeepFields = KeepFields::default(),
        /// Name of a header for the sender's address. It must not be one of the message's own headers.
        "clientIPHeader" => client_ip_header: Option<String>,
        /// Name of a header for the sender's host name. Names are kept for five minutes; the address stands in the place of
        /// one that cannot be found within 2 s. Receiving goes on meanwhile.
        "clientHostnameHeader" => client_hostname_header: Option<String>,
        /// A further form of messages: see `syslogtcp`.
        "format." => formats: Below,
        /// Brings Flume's wrong timestamps back: see `syslogtcp`.
        "flumeTimestamps" => flume_timestamps: bool = false,
        /// Brings Flume's line ends back: a message ends at the first line feed, what follows is lost, and a carriage
        /// return in front of it belongs to the message, which then has no known form.
        "flumeLineEnds" => flume_line_ends: bool = false,
    }
}

pub(in crate::sources) const UDP: SourceType = SourceType {
    spec: ComponentSpec {
        check: |settings, diagnostics| make(settings, diagnostics).is_some(),
        ..ComponentSpec::of::<SyslogUdpOptions>(
            ComponentKind::Source,
            "syslogudp",
            &["org.apache.flume.source.SyslogUDPSource"],
        )
    },
    build: |settings| {
        Diagnostics::or(|diagnostics| make(settings, diagnostics)).map(|source| Box::new(source) as _)
    },
};

const CAUSES: Causes =
    Causes { full: "syslogudp: channel full", stopped: "syslogudp: stopped while the channel was full" };
/// When asked to stop with a full channel, waiting datagrams have this long to find room.
const STORE_TIME_MAX: Duration = Duration::from_secs(4);
/// Most datagrams of one batch: more would only make the first ones wait.
const BATCH_DATAGRAMS_MAX: usize = 1_000;
/// Room that every receive needs, so that no datagram is cut. Flume's `eventSize` here, which no datagram reaches.
const DATAGRAM_BYTES_MAX: usize = 64 * 1024;
const ARENA_BYTES: usize = 512 * 1024;

fn make(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<SyslogUdp> {
    let options = SyslogUdpOptions::read(settings, diagnostics);
    let formats = format::read(settings, diagnostics);
    let headers = ClientHeaders::read(settings, &Names::classic(), Ports::One, diagnostics);
    let host = read::host(settings, diagnostics);
    let options = options?;
    let rules = Rules {
        keep: options.keep_fields,
        line_ends: options.flume_line_ends.into(),
        dates: options.flume_timestamps.into(),
        ..Rules::classic(formats?, DATAGRAM_BYTES_MAX)
    };
    Some(SyslogUdp {
        host,
        port: options.port,
        rules: Arc::new(rules),
        headers: headers?,
        names: Arc::default(),
    })
}

/// The port cannot be read any more.
#[derive(Debug, thiserror::Error)]
#[error("the socket failed: {0}")]
struct ReceiveError(io::Error);

fn failed(error: io::Error, context: &SourceContext) -> Result<SourceEnd, ComponentError> {
    add(&context.counters.event_read_fail, 1);
    Err(ReceiveError(error).into())
}

struct SyslogUdp {
    host: String,
    port: u16,
    rules: Arc<Rules>,
    headers: ClientHeaders,
    names: Arc<HostNames>,
}

#[async_trait]
impl Source for SyslogUdp {
    async fn run(&mut self, context: &SourceContext) -> Result<SourceEnd, ComponentError> {
        let socket = listen::udp(&self.host, self.port).await?;
        tracing::info!(address = %socket.local_addr()?, "receiving syslog datagrams");
        context.ready();
        let backlog = Backlog::new(context.outlet.clone(), CAUSES);
        let mut storing = pin!(backlog.store_all(|batch, senders| {
            let (headers, names) = (self.headers.clone(), self.names.clone());
            async move { headers.on_datagrams(batch, senders, &names).await }
        }));
        let mut intake = Intake::new(self);
        let mut losses = Losses::new(&socket, context);
        let outcome = select! {
            biased;
            () = context.stop.requested() => Ok(SourceEnd::Stopped),
            () = &mut storing => Ok(SourceEnd::Stopped),
            error = losses.count_all() => failed(error, context),
            error = intake.receive_all(&socket, (&backlog, context)) => failed(error, context),
        };
        losses.count();
        // What the kernel holds already is this agent's as much as what it has handed over.
        let _last = intake.receive(&socket, context);
        intake.hand_on(&backlog);
        backlog.close();
        // What finds no room in time is counted as dropped when the backlog goes.
        let _late = timeout(STORE_TIME_MAX, storing).await;
        outcome
    }
}

/// Datagrams received and not yet handed on.
struct Intake {
    arena: Arena,
    decoder: Decoder,
    complaints: Complaints,
    needs_senders: bool,
    /// One per message, if they are needed.
    senders: Vec<IpAddr>,
    messages: usize,
}

impl Intake {
    fn new(source: &SyslogUdp) -> Self {
        Self {
            arena: Arena::new(ARENA_BYTES),
            decoder: Decoder::new(source.rules.clone()),
            complaints: Complaints::default(),
            needs_senders: source.headers.needs_senders(),
            senders: Vec::new(),
            messages: 0,
        }
    }

    /// Receives until the socket fails.
    async fn receive_all(
        &mut self,
        socket: &UdpSocket,
        (backlog, context): (&Backlog<Vec<IpAddr>>, &SourceContext),
    ) -> io::Error {
        loop {
            if let Err(error) = socket.readable().await {
                return error;
            }
            let received = self.receive(socket, context);
            self.hand_on(backlog);
            if let Err(error) = received {
                return error;
            }
            // In a flood this would never wait, and the storing half would never have its turn.
            tokio::task::yield_now().await;
        }
    }

    /// Receives until nothing is there, or a batch is full.
    fn receive(&mut self, socket: &UdpSocket, context: &SourceContext) -> io::Result<()> {
        self.arena.reserve(DATAGRAM_BYTES_MAX);
        self.decoder.set_now(now_ms());
        while self.messages < BATCH_DATAGRAMS_MAX && self.arena.room() >= DATAGRAM_BYTES_MAX {
            let start = self.arena.held().len();
            let sender = match socket.try_recv_buf_from(self.arena.input()) {
                Ok((_, sender)) => sender,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            if !self.decoder.datagram(self.arena.held(), start) {
                // There is no message in it; Flume counts such a one as well.
                add(&context.counters.event_read_fail, 1);
                self.arena.truncate(start);
                continue;
            }
            self.messages += 1;
            if self.needs_senders {
                self.senders.push(sender.ip().to_canonical());
            }
        }
        Ok(())
    }

    fn hand_on(&mut self, backlog: &Backlog<Vec<IpAddr>>) {
        let Self { arena, decoder, .. } = self;
        let held = arena.held().len();
        let batch: Option<Batch> = decoder.finish(|| arena.take(held));
        self.messages = 0;
        let senders = std::mem::take(&mut self.senders);
        if let Some(batch) = batch {
            backlog.push(batch, senders);
        }
        self.complaints.take(&mut self.decoder, "syslogudp");
    }
}
