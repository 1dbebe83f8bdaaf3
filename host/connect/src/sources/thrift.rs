//! `thrift`: events from Flume's Thrift clients and sinks.
//!
//! ```text
//! connection ─▶ frame ─▶ append, appendBatch ─▶ outlet ─▶ OK
//!                                                └ no room: FAILED, and the client keeps the events
//! ```

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use flumen_config::options::Count;
use flumen_config::{ComponentKind, ComponentSpec, Diagnostic, Diagnostics, Options, Settings, options};

use crate::ComponentError;
use crate::catalog::SourceType;
use crate::ledger::add;
use crate::source::{Source, SourceContext, SourceEnd};
use crate::wire::thrift::events::{self, BadArguments, Method};
use crate::wire::thrift::message::{Call, Exception};
use crate::wire::thrift::serve::{Complaints, Server, Service};
use crate::wire::thrift::{FRAME_BYTES_MAX, Protocol};
use crate::{listen, serve, tls};

const OK: i32 = 0;
const FAILED: i32 = 1;

options! {
    /// Listens for Flume's Thrift clients: `thrift` sinks of other agents, and programs with Flume's
    /// `ThriftRpcClient`. Messages are framed.
    ///
    /// A call is answered with `OK` when all its events are in every required channel (or were dropped on purpose
    /// by an interceptor or the selector, and counted), and with `FAILED` when they are not: the client keeps them
    /// and tries again. Calls of one connection are answered in their order.
    ///
    /// A call that cannot be understood is answered with Thrift's own exception. Bytes that are not Thrift, a frame
    /// larger than `frameBytesMax`, one that takes longer than two minutes to arrive, and a client that does not
    /// read its answer for two minutes end their connection. Large frames of all connections together take at most
    /// 256 MiB; beyond that their clients wait, and small ones are served.
    pub struct ThriftOptions {
        /// Host name or address to listen on. `0.0.0.0` means all, IPv6 included.
        "bind" => bind: String,
        /// Port to listen on; 0 lets the system choose one, which is logged.
        "port" => port: u16,
        /// Most calls that are worked on at the same time, over all connections; others wait for their turn. 0 means
        /// no such limit. (In Flume it is a number of threads; here connections need none.)
        "threads" => threads: i32 = 0,
        /// `compact` or `binary`; the clients must use the same.
        "protocol" => protocol: Protocol = Protocol::Compact,
        /// Kerberos is not supported: `true` is an error. Let clients prove who they are with certificates:
        /// `ssl = true` and `client-auth = need`.
        "kerberos" => kerberos: bool = false,
        /// Not supported, see `kerberos`; without `kerberos = true` it has no effect, as in Flume.
        "agent-principal" => agent_principal: Option<String>,
        /// Not supported, see `kerberos`; without `kerberos = true` it has no effect, as in Flume.
        "agent-keytab" => agent_keytab: Option<String>,
        /// Flumen only: the largest frame in bytes that is taken, and so the largest batch; libthrift's default. A
        /// larger one ends its connection, as in Flume.
        "frameBytesMax" => frame_bytes_max: Count = Count(FRAME_BYTES_MAX),
        /// Flumen only: most connections at a time; further ones are closed at once.
        "connectionsMax" => connections_max: Count = Count(100_000),
    }
}

pub(super) const THRIFT: SourceType = SourceType {
    spec: ComponentSpec {
        options: flumen_config::join_options!(ThriftOptions::OPTIONS, tls::SERVER_OPTIONS),
        check: |settings, diagnostics| read(settings, diagnostics).is_some(),
        ..ComponentSpec::of::<ThriftOptions>(
            ComponentKind::Source,
            "thrift",
            &["org.apache.flume.source.ThriftSource"],
        )
    },
    build: |settings| {
        let source = Diagnostics::or(|diagnostics| read(settings, diagnostics))?;
        Ok(Box::new(source))
    },
};

/// Spans count in 32 bits, and frames in 31.
const FRAME_BYTES_LIMIT: usize = i32::MAX as usize;

fn read(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<ThriftSource> {
    let options = ThriftOptions::read(settings, diagnostics);
    let tls = tls::server(settings, diagnostics);
    let options = options?;
    let before = diagnostics.error_count();
    if options.kerberos {
        diagnostics.push(no_kerberos(settings, "the source cannot tell who its clients are"));
    }
    if options.frame_bytes_max.0 > FRAME_BYTES_LIMIT {
        let text = format!("`frameBytesMax` is above {FRAME_BYTES_LIMIT}, the most that a frame can say");
        let error = Diagnostic::error("bad-value", text);
        diagnostics.push(error.on(settings.path()).at(&settings.origin("frameBytesMax")));
    }
    let tls = tls?;
    (diagnostics.error_count() == before).then_some(ThriftSource { options, tls })
}

fn no_kerberos(settings: &Settings, consequence: &str) -> Diagnostic {
    let text = format!("`kerberos = true`: Kerberos is not supported for Thrift; {consequence}");
    Diagnostic::error("unsupported", text).on(settings.path()).at(&settings.origin("kerberos")).help(
        "Flume wraps the connection in SASL GSSAPI here. Remove `kerberos`, `agent-principal` and `agent-keytab` on both \
         ends, and use certificates: `ssl = true`, and `client-auth = need` with a `truststore` at the source",
    )
}

struct ThriftSource {
    options: ThriftOptions,
    tls: Option<tls::ServerTls>,
}

#[async_trait]
impl Source for ThriftSource {
    async fn run(&mut self, context: &SourceContext) -> Result<SourceEnd, ComponentError> {
        let acceptor = self.tls.as_ref().map(tls::ServerTls::acceptor).transpose()?;
        let options = &self.options;
        let listener = listen::tcp(&options.bind, options.port).await?;
        tracing::info!(address = %listener.local_addr()?, "thrift source listens");
        context.ready();
        let at_once = usize::try_from(options.threads).unwrap_or(0);
        let service = Appends::default();
        let server = Server::new(service, options.protocol, options.frame_bytes_max.0, at_once);
        serve::connections(listener, options.connections_max.0, context, |stream, peer| {
            let (server, acceptor, context) = (Arc::clone(&server), acceptor.clone(), context.clone());
            async move {
                let Some(stream) = tls::accept(acceptor.as_ref(), stream, peer).await else { return };
                server.serve(stream, peer, &context).await;
            }
        })
        .await;
        Ok(SourceEnd::Stopped)
    }
}

/// `append` and `appendBatch`.
#[derive(Default)]
struct Appends {
    complaints: Complaints,
}

impl Service for Appends {
    async fn call(
        &self,
        call: Call<'_>,
        frame: &Bytes,
        arguments_at: usize,
        context: &SourceContext,
    ) -> Result<i32, Exception> {
        let Some(method) = Method::named(call.name.as_bytes()) else {
            return Err(Exception::unknown_method(call.name));
        };
        let batches = match events::read(call.protocol, frame, arguments_at, method) {
            Ok(batches) => batches,
            // In Flume this is a NullPointerException.
            Err(BadArguments::Nothing) => return Err(Exception::internal(call.name)),
            Err(bad) => return Err(Exception::protocol(bad.to_string())),
        };
        let counters = &context.counters;
        let (received, accepted) = match method {
            Method::Append => (&counters.append_received, &counters.append_accepted),
            Method::AppendBatch => (&counters.append_batch_received, &counters.append_batch_accepted),
        };
        add(received, 1);
        for batch in batches {
            let events = batch.len();
            if let Err(refused) = context.outlet.here().deliver(batch).await {
                if let Some(unsaid) = self.complaints.may_complain() {
                    tracing::warn!(
                        events,
                        not_logged_since = unsaid,
                        "answered FAILED, the client still has the events: {refused}"
                    );
                }
                return Ok(FAILED);
            }
        }
        add(accepted, 1);
        Ok(OK)
    }
}
