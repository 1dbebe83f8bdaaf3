//! `avro`: events from Flume's Avro clients and sinks.
//!
//! ```text
//! source (this file)  options
//!   ├ ip_filter       who may connect
//!   ├ accept          TLS, compression, or neither: told from the first bytes
//!   ├ connection      read, store, answer
//!   └ memory          what all connections may hold together
//! ```
//! The protocol itself is [`crate::wire::avro`].

mod accept;
mod connection;
mod ip_filter;
mod memory;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flumen_config::options::Count;
use flumen_config::{
    ComponentKind, ComponentSpec, Diagnostic, Diagnostics, Options, Settings, join_options, options,
};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::ComponentError;
use crate::catalog::SourceType;
use crate::ledger::add;
use crate::source::{Source, SourceContext, SourceEnd};
use crate::tls::{self, ServerTls};
use crate::wire::avro::frame::FrameLimits;
use crate::wire::deflate::CompressionType;
use crate::{listen, serve};
use accept::Layers;
use connection::Shared;
use ip_filter::IpFilter;
use memory::Memory;

/// Spans are 32 bits wide, and a request is one arena.
const FRAME_BYTES_LIMIT: usize = 1 << 30;

options! {
    /// Listens on a TCP port for Flume's Avro protocol: other agents' avro sinks, Flume's RPC clients and `avro-client`,
    /// the Log4j appenders.
    ///
    /// Each request is answered. `OK`: the events are in every required channel, or were dropped on purpose by an
    /// interceptor or the selector, and counted. `FAILED`: the channels had no room within their keep-alive, and the
    /// events are still the client's. A request whose events cannot be read is answered with an exception.
    ///
    /// TLS and compression are told from the first bytes of a connection, so clients of Flume 1.9 (TLS outside of the
    /// compression) and of Flume 1.10 and later (compression outside) can use the same port. With
    /// `compression-type = deflate` clients that do not compress are served as well; with `ssl = true` clients without
    /// TLS are not.
    ///
    /// Headers that are no UTF-8 are read as in Java. All limits close the connection that is beyond them, with a
    /// warning, counted as `EventReadFail`; its client still has what was not answered.
    pub struct AvroOptions {
        /// Host name or address to listen on. `0.0.0.0` means all, IPv6 included.
        "bind" => bind: String,
        /// Port to listen on; 0 lets the system choose one, which is logged.
        "port" => port: u16,
        /// Most requests that are stored at the same time; others wait for their turn. Without it there is no limit.
        /// Connections do not need threads here.
        "threads" => threads: Option<Count>,
        /// `none`, or `deflate`: clients may compress, one zlib stream in each direction.
        "compression-type" => compression: CompressionType = CompressionType::None,
        /// Whether `ipFilterRules` are asked for each new connection.
        "ipFilter" => ip_filter: bool = false,
        /// Rules separated by commas, each `allow` or `deny`, then `ip` or `name`, then a pattern with `*` and `?`:
        /// `allow:ip:127.*,allow:name:localhost,deny:ip:*`. The first that matches decides; a peer that none matches
        /// is allowed. `name:localhost` is this machine by any of its addresses. Other names are those that DNS has
        /// for the peer's address, if they have that address.
        "ipFilterRules" => ip_filter_rules: Option<String>,
        /// Most connections at once; more are closed at once. Flumen only.
        "connectionsMax" => connections_max: Count = Count(10_000),
        /// Most bytes of one request, at most 1 GiB. Flumen only.
        "frameBytesMax" => frame_bytes_max: Count = Count(64 << 20),
        /// Most buffers that a request may be cut into; Flume's clients cut at 8 KiB. Flumen only.
        "frameBuffersMax" => frame_buffers_max: u32 = 100_000,
        /// Most bytes of requests of all connections that are not complete or not stored yet. Beyond it requests of
        /// more than 16 KiB wait. Flumen only.
        "pendingBytesMax" => pending_bytes_max: Count = Count(256 << 20),
        /// Seconds within which a request that has begun must be complete, and an answer be taken. A connection
        /// between requests may be silent for ever. Flumen only.
        "timeoutSeconds" => timeout_seconds: Count = Count(60),
    }
}

pub(super) const AVRO: SourceType = SourceType {
    spec: ComponentSpec {
        options: join_options!(AvroOptions::OPTIONS, tls::SERVER_OPTIONS),
        check: |settings, diagnostics| read(settings, diagnostics).is_some(),
        ..ComponentSpec::of::<AvroOptions>(
            ComponentKind::Source,
            "avro",
            &["org.apache.flume.source.AvroSource"],
        )
    },
    build: |settings| {
        let mut diagnostics = Diagnostics::default();
        read(settings, &mut diagnostics).map(|source| Box::new(source) as _).ok_or(diagnostics)
    },
};

fn read(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<AvroSource> {
    let tls = tls::server(settings, diagnostics);
    let options = AvroOptions::read(settings, diagnostics)?;
    let mut error = |key: &str, text: String| {
        let finding = Diagnostic::error("bad-value", text).on(settings.path());
        diagnostics.push(finding.at(&settings.origin(key)));
    };
    if options.frame_bytes_max.0 > FRAME_BYTES_LIMIT {
        error("frameBytesMax", format!("`frameBytesMax` is at most {FRAME_BYTES_LIMIT}"));
        return None;
    }
    let filter = match (options.ip_filter, &options.ip_filter_rules) {
        (false, _) => None,
        (true, None) => {
            error("ipFilter", "`ipFilter = true` needs `ipFilterRules`".to_owned());
            return None;
        }
        (true, Some(rules)) => match IpFilter::read(rules) {
            Ok(filter) => Some(Arc::new(filter)),
            Err(why) => {
                error("ipFilterRules", format!("`ipFilterRules`: {why}"));
                return None;
            }
        },
    };
    let shared = Shared {
        limits: FrameLimits { bytes_max: options.frame_bytes_max.0, buffers_max: options.frame_buffers_max },
        patience: Duration::from_secs(options.timeout_seconds.0 as u64),
        memory: Memory::new(options.pending_bytes_max.0),
        threads: options.threads.map(|threads| Semaphore::new(threads.0.min(Semaphore::MAX_PERMITS))),
    };
    Some(AvroSource { options, tls: tls?, filter, shared: Arc::new(shared) })
}

struct AvroSource {
    options: AvroOptions,
    tls: Option<ServerTls>,
    filter: Option<Arc<IpFilter>>,
    shared: Arc<Shared>,
}

#[async_trait]
impl Source for AvroSource {
    async fn run(&mut self, context: &SourceContext) -> Result<SourceEnd, ComponentError> {
        let layers = Layers {
            tls: self.tls.as_ref().map(ServerTls::acceptor).transpose()?,
            deflate: self.options.compression == CompressionType::Deflate,
        };
        let listener = listen::tcp(&self.options.bind, self.options.port).await?;
        let address = listener.local_addr()?;
        tracing::info!("Avro source listens on [{}]", listen::as_java_prints(address));
        context.ready();
        let connections_max = self.options.connections_max.0;
        serve::connections(listener, connections_max, context, |stream, peer| {
            let client = Client {
                filter: self.filter.clone(),
                layers: layers.clone(),
                shared: self.shared.clone(),
                context: context.clone(),
            };
            client.serve(stream, peer)
        })
        .await;
        Ok(SourceEnd::Stopped)
    }
}

/// What the task of one connection needs.
struct Client {
    filter: Option<Arc<IpFilter>>,
    layers: Layers,
    shared: Arc<Shared>,
    context: SourceContext,
}

impl Client {
    async fn serve(self, stream: TcpStream, peer: SocketAddr) {
        if let Some(filter) = &self.filter {
            let own = stream.local_addr().ok().map(|own| own.ip());
            if !filter.allows(peer.ip(), own).await {
                tracing::debug!(%peer, "a connection was closed as ipFilterRules demand");
                return;
            }
        }
        let layered = tokio::select! {
            () = self.context.stop.requested() => return,
            layered = accept::layered(stream, &self.layers, peer) => layered,
        };
        let (wire, first) = match layered {
            Ok(Some(layered)) => layered,
            Ok(None) => return,
            Err(accept::Unserved::Broken(error)) => {
                tracing::debug!(%peer, %error, "an avro connection broke");
                return;
            }
            Err(why) => return self.refused(peer, &why),
        };
        match connection::serve(wire, first, &self.shared, &self.context).await {
            Ok(()) => {}
            Err(why) if why.is_usual() => tracing::debug!(%peer, %why, "an avro connection broke"),
            Err(why) => self.refused(peer, &why),
        }
    }

    fn refused(&self, peer: SocketAddr, why: &dyn std::fmt::Display) {
        add(&self.context.counters.event_read_fail, 1);
        tracing::warn!(%peer, "an avro connection is closed: {why}");
    }
}
