//! `thrift`: events to the Thrift source of the next agent.
//!
//! ```text
//! take ─▶ appendBatch ─▶ OK: delivered
//!          └ anything else, or nothing in time: the connection is closed, the events stay in the channel
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use flumen_config::options::Count;
use flumen_config::{ComponentKind, ComponentSpec, Diagnostic, Diagnostics, Options, Settings, options};
use flumen_event::Batch;

use crate::ComponentError;
use crate::catalog::SinkType;
use crate::ledger::{SinkCounters, add};
use crate::rpc::thrift::ThriftTarget;
use crate::sink::{Delivery, Sink};
use crate::tls;
use crate::wire::thrift::client::{Calls, ThriftClient};
use crate::wire::thrift::{FRAME_BYTES_MAX, Protocol};

/// A timeout below this is taken for a mistake, as in Flume.
const TIMEOUT_MS_MIN: u64 = 1_000;
const TIMEOUT_MS: u64 = 20_000;

options! {
    /// Sends events to the `thrift` source of another agent, Flumen or Flume, one batch after the other over one
    /// connection. A batch is delivered when the source has answered `OK`: it has stored it. If the answer is another
    /// one, or does not come, the batch is sent again; the source may then have it twice, but never not at all.
    pub struct ThriftOptions {
        /// The next agent: host name or address.
        "hostname" => hostname: String,
        /// The port of its source.
        "port" => port: u16,
        /// Most events in one call.
        "batch-size" => batch_size: Count = Count(100), lenient;
        /// Milliseconds that making the connection may take. Below 1,000 it is 20,000, with a warning, as in Flume.
        "connect-timeout" => connect_timeout_ms: u64 = TIMEOUT_MS, lenient;
        /// Milliseconds that an answer may take. Below 1,000 it is 20,000, with a warning, as in Flume.
        "request-timeout" => request_timeout_ms: u64 = TIMEOUT_MS, lenient;
        /// Seconds after which the connection is replaced, so that a load balancer in front of several agents can
        /// spread the connections anew. 0 means never.
        "reset-connection-interval" => reset_interval_s: u64 = 0, lenient;
        /// Another name of `reset-connection-interval`, which counts if both are set. (Flume's user guide names this
        /// one, and its code reads only the other.)
        "connection-reset-interval" => reset_interval_alias_s: Option<u64>,
        /// `compact` or `binary`; the source must use the same.
        "protocol" => protocol: Protocol = Protocol::Compact,
        /// Kerberos is not supported: `true` is an error. Prove who the agents are with certificates: `ssl = true`,
        /// with a `keystore` here and `client-auth = need` at a Flumen source.
        "kerberos" => kerberos: bool = false,
        /// Not supported, see `kerberos`; without `kerberos = true` it has no effect, as in Flume.
        "client-principal" => client_principal: Option<String>,
        /// Not supported, see `kerberos`; without `kerberos = true` it has no effect, as in Flume.
        "client-keytab" => client_keytab: Option<String>,
        /// Not supported, see `kerberos`; without `kerberos = true` it has no effect, as in Flume.
        "server-principal" => server_principal: Option<String>,
        /// Flumen only: the largest frame in bytes that the source takes; libthrift's default. A larger batch goes in
        /// several calls. An event that fits no frame is dropped and counted (in Flume it would be tried for ever).
        "frameBytesMax" => frame_bytes_max: Count = Count(FRAME_BYTES_MAX),
    }
}

pub(super) const THRIFT: SinkType = SinkType {
    spec: ComponentSpec {
        options: flumen_config::join_options!(ThriftOptions::OPTIONS, tls::CLIENT_OPTIONS),
        check: |settings, diagnostics| read(settings, diagnostics).is_some(),
        batch_size: Some(|settings| ThriftOptions::of(settings).map_or(0, |options| options.batch_size.0)),
        ..ComponentSpec::of::<ThriftOptions>(
            ComponentKind::Sink,
            "thrift",
            &["org.apache.flume.sink.ThriftSink"],
        )
    },
    build: |settings| {
        let sink = Diagnostics::or(|diagnostics| read(settings, diagnostics))?;
        Ok(Box::new(sink))
    },
};

fn read(settings: &Settings, diagnostics: &mut Diagnostics) -> Option<ThriftSink> {
    let options = ThriftOptions::read(settings, diagnostics);
    let tls = tls::client(settings, diagnostics);
    let options = options?;
    let before = diagnostics.error_count();
    if options.kerberos {
        diagnostics.push(no_kerberos(settings));
    }
    if options.frame_bytes_max.0 > i32::MAX as usize {
        let text = format!("`frameBytesMax` is above {}, the most that a frame can say", i32::MAX);
        let error = Diagnostic::error("bad-value", text);
        diagnostics.push(error.on(settings.path()).at(&settings.origin("frameBytesMax")));
    }
    let connect_timeout = timeout_of(settings, "connect-timeout", options.connect_timeout_ms, diagnostics);
    let request_timeout = timeout_of(settings, "request-timeout", options.request_timeout_ms, diagnostics);
    let reset_s = match options.reset_interval_alias_s {
        Some(alias) if settings.get("reset-connection-interval").is_none() => alias,
        _ => options.reset_interval_s,
    };
    let tls = tls?;
    if diagnostics.error_count() > before {
        return None;
    }
    let calls =
        Calls { protocol: options.protocol, request_timeout, frame_bytes_max: options.frame_bytes_max.0 };
    let target = ThriftTarget { host: options.hostname, port: options.port, connect_timeout, calls, tls };
    Some(ThriftSink {
        target,
        batch_size: options.batch_size.0,
        reset_after: (reset_s > 0).then(|| Duration::from_secs(reset_s)),
        connection: None,
        counters: Arc::default(),
    })
}

fn no_kerberos(settings: &Settings) -> Diagnostic {
    let text = "`kerberos = true`: Kerberos is not supported for Thrift; the source would not know this sink";
    Diagnostic::error("unsupported", text).on(settings.path()).at(&settings.origin("kerberos")).help(
        "Flume wraps the connection in SASL GSSAPI here. Remove `kerberos`, `client-principal`, `client-keytab` and \
         `server-principal` on both ends, and use certificates: `ssl = true`, and `client-auth = need` at a Flumen source",
    )
}

fn timeout_of(settings: &Settings, key: &str, ms: u64, diagnostics: &mut Diagnostics) -> Duration {
    if ms >= TIMEOUT_MS_MIN {
        return Duration::from_millis(ms);
    }
    let text = format!("`{key} = {ms}` is less than a second; {TIMEOUT_MS} ms are used, as in Flume");
    let warning = Diagnostic::warning("bad-value", text);
    diagnostics.push(warning.on(settings.path()).at(&settings.origin(key)));
    Duration::from_millis(TIMEOUT_MS)
}

struct ThriftSink {
    target: ThriftTarget,
    batch_size: usize,
    reset_after: Option<Duration>,
    connection: Option<Connection>,
    counters: Arc<SinkCounters>,
}

struct Connection {
    client: ThriftClient,
    reset_at: Option<Instant>,
}

#[async_trait]
impl Sink for ThriftSink {
    fn batch_size(&self) -> usize {
        self.batch_size
    }
    fn attach(&mut self, counters: Arc<SinkCounters>) {
        self.counters = counters;
    }
    async fn open(&mut self) -> Result<(), ComponentError> {
        self.connected().await?;
        Ok(())
    }
    async fn deliver(&mut self, events: &[Batch]) -> Result<Delivery, ComponentError> {
        let sent = self.connected().await?.client.append_batch(events).await;
        let sent = match sent {
            Ok(sent) => sent,
            Err(error) => {
                // Nobody knows what the peer has read of the call.
                self.disconnect().await;
                return Err(error.into());
            }
        };
        let mut delivery = Delivery::default();
        if sent.too_large > 0 {
            let limit = self.target.calls.frame_bytes_max;
            tracing::error!(
                events = sent.too_large,
                limit,
                "events larger than a frame are dropped: raise `frameBytesMax` here and at the source"
            );
            delivery.dropped.add("thrift: larger than frameBytesMax", sent.too_large);
        }
        Ok(delivery)
    }
    async fn close(&mut self) -> Result<(), ComponentError> {
        self.disconnect().await;
        Ok(())
    }
}

impl ThriftSink {
    /// The connection, a new one if there is none, or if it is broken or has its time behind it.
    async fn connected(&mut self) -> Result<&mut Connection, ComponentError> {
        let is_over = match &mut self.connection {
            None => false,
            Some(connection) => {
                connection.reset_at.is_some_and(|at| Instant::now() >= at)
                    || connection.client.is_broken().await
            }
        };
        if is_over {
            self.disconnect().await;
        }
        if self.connection.is_none() {
            let made = self.connect().await;
            let counters = &self.counters;
            add(if made.is_ok() { &counters.connection_created } else { &counters.connection_failed }, 1);
            self.connection = Some(made?);
        }
        Ok(self.connection.as_mut().expect("it was just made if there was none"))
    }

    async fn connect(&self) -> Result<Connection, ComponentError> {
        let client = self.target.connect().await?;
        tracing::info!(host = self.target.host, port = self.target.port, "thrift sink connected");
        Ok(Connection { client, reset_at: self.reset_after.map(|after| Instant::now() + after) })
    }

    async fn disconnect(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            connection.client.close().await;
            add(&self.counters.connection_closed, 1);
        }
    }
}
